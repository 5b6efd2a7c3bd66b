"""A band says that 19 of 20 perfect generators lie in it: counted with fresh draws; and it is worked out once."""

from __future__ import annotations

import logging
import math
import subprocess
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from gantoys.maths import parse
from gantoys.metrics import METRICS, MODE_RULES, bands, mode_references, mode_report
from gantoys.metrics.bands import DRAWS, LEAST_DRAWS, SHARE, references
from gantoys.metrics.floors import reports_of, seen_counts
from gantoys.metrics.score import scores
from gantoys.service import bands as service_bands
from gantoys.service.bands import Bands

RING = "ring(4,radius=2,std=0.2)"
SAMPLES = ("js", "sliced_w2_squared", "mmd2", "frechet", "precision", "recall", "density", "coverage")


@pytest.mark.parametrize("draws", [39, 40, 79, 100, 400, 401, 10_000])
def test_a_further_draw_falls_between_the_ends_19_times_of_20(draws: int) -> None:
    """Of R + 1 equal draws each rank of the last one is equally likely: it lies inside at R + 1 - 2 i of them."""
    found = bands._band(np.random.default_rng(draws).permutation(draws).astype(float))
    inside = found.high - found.low  # ranks between the ends
    assert SHARE <= inside / (draws + 1) < SHARE + 2 / (draws + 1) and found.draws == draws
    assert found.low + found.high == draws - 1  # as many on either side


def test_of_too_few_draws_there_is_a_mean_and_no_band() -> None:
    found = bands._band([1.0, 2.0, 3.0] * 12)
    assert found.mean == 2 and math.isnan(found.low) and math.isnan(found.high) and found.draws == 36
    assert DRAWS >= 400 and LEAST_DRAWS == 39
    nothing = bands._band([math.nan] * 400)
    assert math.isnan(nothing.mean) and nothing.draws == 0


@pytest.mark.long
def test_fresh_perfect_generators_are_counted_in_the_bands() -> None:
    """Two bands of 400 draws, 300 fresh sets each. The share of one band scatters by 0.0109 (beta, 381 and 20), the
    count by 0.0126: the mean of two by 0.012. Metrics that take few values have more: never less."""
    target, n = parse(RING), 40
    counts = dict.fromkeys(SAMPLES, 0)
    for seed in range(2):
        rng = np.random.default_rng(seed)
        known = references(SAMPLES, target, n, rng, noise_draws=LEAST_DRAWS)
        for _ in range(300):
            found = scores(target.sample(n, rng), target.sample(n, rng), SAMPLES, seed=int(rng.integers(2**32)))
            for key in SAMPLES:
                counts[key] += known[key].perfect.holds(found[key].value)
    for key, count in counts.items():
        few = key in ("precision", "recall", "coverage")  # a share of 40 points
        assert 0.95 - 4 * 0.012 < count / 600 < (1.0 if few else 0.95 + 4 * 0.012) + 1e-9, key


@pytest.mark.parametrize("toy", ["ring(8,radius=1,std=0.01)", "0.5*N(0,1)+0.5*N(2,1)", "ring(8,radius=1,std=0.3)"])
def test_fresh_perfect_generators_are_counted_in_the_bands_of_modes(toy: str) -> None:
    """400 fresh sets in a band of 10,000 draws: at least 0.95 - 4 x 0.011 of them."""
    target, n, rng = parse(toy), 300, np.random.default_rng(1)
    known = mode_references(target, n, rng)
    reports = [mode_report(target.sample(n, rng), target) for _ in range(400)]
    for key, name in (("modes", "modes"), ("high_quality", "quality"), ("reverse_kl", "reverse_kl")):
        share = np.mean([known[key].perfect.holds(float(getattr(report, name))) for report in reports])
        assert share > 0.906, key
        assert share < 0.994 or len({getattr(r, name) for r in reports}) < 12, key


def test_chances_are_told_by_so_many_points_and_no_others() -> None:
    target, drawn, rng = parse("0.5*N(0,1)+0.5*N(1.5,1)"), [], np.random.default_rng(0)

    def draw(m: int) -> np.ndarray:
        drawn.append(m)
        return target.sample(m, rng)

    counts = seen_counts(100, target, MODE_RULES["gantoys"], draw, 250_000, rng, 5)
    assert sum(drawn) == 250_000 and max(drawn) <= 200_000 and counts.shape == (5, 2, 2)
    assert np.all(counts.sum((1, 2)) == 100)  # on the line every point belongs to a mode


def test_what_is_not_known_about_overlapping_modes_is_in_the_band() -> None:
    """Chances told by no more points than a set has: a band that took them for known would cover 0.83."""
    target, n, rule = parse("0.5*N(0,1)+0.5*N(1.5,1)"), 1000, MODE_RULES["gantoys"]
    inside = []
    for seed in range(300):
        rng = np.random.default_rng(seed)
        counts = seen_counts(n, target, rule, lambda m, rng=rng: target.sample(m, rng), 1000, rng, 400)
        band = bands._band(reports_of(n, counts, target, rule)["reverse_kl"])
        inside.append(band.holds(mode_report(target.sample(n, rng), target).reverse_kl))
    assert 0.91 < np.mean(inside) < 0.99  # 0.95 +- 3 x 0.0126


def test_all_metrics_look_at_the_same_draws() -> None:
    target = parse(RING)
    both = references(("precision", "recall", "modes"), target, 40, np.random.default_rng(5))
    again = references(("precision", "recall", "modes"), target, 40, np.random.default_rng(5))
    assert both == again and list(both) == ["precision", "recall", "modes"]
    with pytest.raises(ValueError, match="k must be"):
        references(("precision",), target, 4, np.random.default_rng(0))


# --- worked out once, in a process of its own -------------------------------------------------------------------------


def test_a_class_that_asks_at_once_has_one_process_work_and_the_result_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[list[str]] = []
    start = subprocess.Popen
    monkeypatch.setattr(subprocess, "Popen", lambda command, **how: (begun.append(command), start(command, **how))[1])
    mine, found = Bands(tmp_path / "bands"), []
    begin = time.monotonic()
    assert mine.find(RING, 30, ["precision", "modes"]) is None and time.monotonic() - begin < 0.5
    crowd = [
        threading.Thread(target=lambda: found.append(mine.find(RING, 30, ["precision", "modes"], wait=60)))
        for _ in range(30)
    ]
    for one in crowd:
        one.start()
    for one in crowd:
        one.join()
    assert len(begun) == 1 and "--" not in " ".join(begun[0][3:])
    assert len(found) == 30 and all(answer == found[0] for answer in found) and found[0]
    want = references(("precision", "modes"), parse(RING), 30, np.random.default_rng(0))
    assert found[0] == want and want["precision"].perfect.draws == 400
    # another server finds them on disk, and one whose metrics differ does not
    assert Bands(tmp_path / "bands").find(RING, 30, ["precision", "modes"]) == want
    monkeypatch.setattr(service_bands, "_recipe", lambda: "other")
    other = Bands(tmp_path / "bands")
    assert other.find(RING, 30, ["precision", "modes"]) is None
    other.close()
    assert len(begun) <= 2


def test_what_cannot_be_told_is_empty_and_the_log_holds_no_words_of_visitors(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    mine = Bands(tmp_path / "nowhere" / "bands")
    with caplog.at_level(logging.WARNING):
        assert mine.find("secret(1)", 30, ["precision"], wait=60) == {}
    assert "secret" not in caplog.text and "status 1" in caplog.text
    assert mine.find("secret(1)", 30, ["precision"]) == {}  # not tried again


def test_damaged_files_count_as_not_there_and_few_files_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service_bands, "FILES", 3)
    monkeypatch.setattr(Bands, "_answer", lambda self, question: ANSWER)
    mine = Bands(tmp_path)
    for n in range(2, 8):
        assert mine.find(RING, n, ["recall"], wait=10)
    time.sleep(0.1)
    files = sorted(tmp_path.glob("*"))
    assert len(files) == 3
    for path in files:
        path.write_text('{"recall": {"n": 3}}')
    fresh = Bands(tmp_path)
    assert fresh.find(RING, 7, ["recall"]) is None and fresh.find(RING, 7, ["recall"], wait=10)


ANSWER = service_bands._told(
    references(("recall",), parse(RING), 20, np.random.default_rng(0), draws=LEAST_DRAWS, noise_draws=LEAST_DRAWS)
)


def test_where_no_disk_can_be_written_memory_keeps_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Bands, "_answer", lambda self, question: ANSWER)
    (tmp_path / "file").write_text("")
    mine = Bands(tmp_path / "file" / "bands")
    assert mine.find(RING, 20, ["recall"], wait=10) == mine.find(RING, 20, ["recall"])
    monkeypatch.setattr(service_bands, "MEMORY", 2)
    for n in range(2, 8):
        mine.find(RING, n, ["recall"], wait=10)
    assert len(mine._known) == 2


def test_who_no_longer_asks_is_not_worked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    go = threading.Event()

    def answer(self: Bands, question: str) -> str:
        asked.append(question)
        go.wait(10)
        return ANSWER

    monkeypatch.setattr(Bands, "_answer", answer)
    monkeypatch.setattr(service_bands, "FORGET_SECONDS", 0.2)
    monkeypatch.setattr(service_bands, "WAITING", 3)
    mine = Bands(tmp_path)
    for n in range(2, 9):
        assert mine.find(RING, n, ["recall"]) is None
    assert len(mine._waiting) == 3  # the others ask again
    time.sleep(0.3)
    assert mine.find(RING, 3, ["recall"]) is None  # somebody still looks at this one
    go.set()
    assert mine.find(RING, 3, ["recall"], wait=10)
    assert len(asked) == 2 and set(METRICS) >= {"recall"}
