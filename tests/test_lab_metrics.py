"""The lab's table of metrics: the numbers are those of the metrics themselves, and a perfect picture is told as one."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from gantoys.metrics import METRICS, mode_report
from gantoys.metrics.bands import references
from gantoys.pictures import lab_metrics
from gantoys.pictures.lab_metrics import MODE_KEYS, POINTS, SAMPLE_KEYS, number, points_of, referred, table
from gantoys.runs.film import Film
from gantoys.runs.recordings import START_FILM
from gantoys.service.bands import Bands

FILM = Film.load(START_FILM)


def test_the_scores_are_those_of_the_points_nearest_to_the_step() -> None:
    found = {row.key: row for row in table(FILM, 3000)}
    assert tuple(found) == (*MODE_KEYS, "js", *SAMPLE_KEYS)
    fake, real = FILM.samples[-1][:POINTS].astype(float), FILM.real[:POINTS].astype(float)
    report = mode_report(fake, FILM.config.target())
    assert found["modes"].value == report.modes and found["high_quality"].value == report.quality
    assert found["js"].value == FILM.js[-1] and found["js"].label == METRICS["js"].label
    for key in ("frechet", "precision", "coverage"):
        assert found[key].value == METRICS[key].function(real, fake)
        assert found[key].label == METRICS[key].label
    early = {row.key: row.value for row in table(FILM, 1)}
    assert early["precision"] < found["precision"].value and early["js"] > found["js"].value


def test_points_of_the_target_are_told_as_perfect_and_noise_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng, target, n = np.random.default_rng(5), FILM.config.target(), 120
    found = references(MODE_KEYS + SAMPLE_KEYS, target, n, np.random.default_rng(0), draws=200, noise_draws=39)

    class Known(Bands):
        def find(self, toy: str, points: int, keys: list[str], wait: float = 0.0) -> dict[str, object]:  # type: ignore[override]
            assert toy == FILM.config.toy and points == n and keys == list(MODE_KEYS + SAMPLE_KEYS)
            return dict(found)

    monkeypatch.setattr(lab_metrics, "bands", lambda: Known(tmp_path))

    def shown(points: np.ndarray) -> int:
        film = replace(FILM, samples=np.broadcast_to(points, (len(FILM), *points.shape)), real=FILM.real[:n])
        rows, there = referred(table(film, 0), FILM.config.toy, points_of(film))
        assert there and points_of(film) == n
        return sum(row.perfect for row in rows)

    count = len(MODE_KEYS + SAMPLE_KEYS)
    # 19 of 20 draws are within each band, and the metrics of one draw agree with each other
    assert np.mean([shown(target.sample(n, rng)) for _ in range(10)]) > 0.85 * count
    # noise with the ring's mean and spread deceives those that look at little more: Fréchet, MMD, sliced distances
    assert shown(rng.uniform(-2.5, 2.5, (n, 2))) <= 5


def test_while_bands_are_worked_out_the_scores_stand_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Slow(Bands):
        def find(self, *_: object, **__: object) -> None:
            return None

    monkeypatch.setattr(lab_metrics, "bands", lambda: Slow(tmp_path))
    rows = table(FILM, 3000)
    assert referred(rows, FILM.config.toy, POINTS) == (rows, False) and not any(row.perfect for row in rows)


def test_a_film_without_pictures_is_refused_and_a_missing_figure_is_a_dash() -> None:
    empty = replace(FILM, step=FILM.step[:0], samples=FILM.samples[:0])
    with pytest.raises(ValueError, match="holds no picture"):
        table(empty, 0)
    assert number(float("nan")) == "–" and number(0.12345) == "0.123"


def test_metrics_that_cannot_be_told_of_a_picture_are_dashes_with_a_reason() -> None:
    """All generated points at one place, as of a G that has collapsed."""
    film = replace(FILM, samples=np.zeros_like(FILM.samples))
    found = {row.key: row for row in table(film, 0)}
    assert found["precision"].value == 0 and "radius 0" in found["precision"].note
