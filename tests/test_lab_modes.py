"""Beside the lab's picture: when modes are born and lost, metrics with their band; and what helps a run that failed."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from films import cut, line_film, plane_film

from gantoys.metrics import METRICS
from gantoys.metrics.modes import PERFECT_QUALITY, mode_report
from gantoys.pictures import lab_side
from gantoys.pictures.film_parts import Showing
from gantoys.pictures.lab import lab_scene
from gantoys.pictures.lab_modes import DUE, TOP, Event, mode_numbers, story, told
from gantoys.pictures.lab_presets import LAB_PRESETS
from gantoys.pictures.lab_side import SIDES
from gantoys.pictures.lab_state import LabState
from gantoys.runs.causes import cause, cure
from gantoys.runs.config import TrainConfig
from gantoys.runs.fields import CHANGEABLE
from gantoys.runs.film import Film
from gantoys.service.bands import Bands
from gantoys.stage.layers import Area, Curve, Heatmap, Points, Text
from gantoys.stage.pack import pack
from gantoys.stage.scene import at_rest
from gantoys.training.filming import record
from gantoys.ui.lab_line import help_for

# which of four modes hold points in each of six pictures; the rest lies far away
TABLE = np.array([[0, 0, 0, 1], [1, 0, 0, 1], [1, 1, 0, 0], [0, 1, 0, 1], [1, 1, 0, 0], [1, 1, 0, 0]], bool)


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Film:
    """A film whose points sit exactly on the modes that TABLE names: 16 of 64 on each."""
    made = plane_film(tmp_path_factory.mktemp("modes") / "a.film", toy="grid(2,spacing=2,std=0.1)", cadence="even")
    centres = np.asarray(made.config.target().locs)
    samples = np.full_like(made.samples, 9.0)
    for k, row in enumerate(TABLE):
        for mode in np.flatnonzero(row):
            samples[k, 16 * mode : 16 * (mode + 1)] = centres[mode]
    return replace(made, samples=samples)


def test_births_losses_and_returns_stand_where_the_points_come_and_go(film: Film) -> None:
    found = story(film)
    assert film.step.tolist() == [0, 20, 40, 60, 80, 100] and np.array_equal(found.covered, TABLE)
    assert np.array_equal(found.shares, TABLE / 4) and found.due == pytest.approx([PERFECT_QUALITY / 4] * 4)
    assert found.events == (
        (Event(20, "born"), Event(60, "lost"), Event(80, "back")),
        (Event(40, "born"),),
        (),
        (Event(0, "born"), Event(40, "lost"), Event(60, "back"), Event(80, "lost")),
    )
    assert found.count("born", "back").tolist() == [1, 2, 3, 4, 5, 5] and found.count("lost").tolist() == [
        0, 0, 1, 2, 3, 3,
    ]  # fmt: skip
    # what is covered now is what was born and not lost since
    assert np.array_equal(found.count("born", "back") - found.count("lost"), TABLE.sum(1))


def test_a_story_is_told_in_words() -> None:
    assert told(()) == "never"
    assert told((Event(240, "born"), Event(1110, "lost"), Event(1300, "back"))) == (
        "born at 240, lost at 1,110, back at 1,300"
    )
    many = tuple(Event(10 * k, "lost" if k % 2 else "back" if k else "born") for k in range(7))
    assert told(many) == "born at 0, lost 3 times, back at 60"
    assert told(many[:-1]) == "born at 0, lost 3 times, last at 50"


def test_the_lanes_show_each_share_in_units_of_what_the_law_gives_the_mode(film: Film) -> None:
    picture = lab_scene(film, LabState(below="modes", step=60), name="a")
    (panel,) = [p for p in picture.panels if p.column == 1]
    (area,) = [layer for layer in panel.layers if isinstance(layer, Area)]
    y, base = (np.asarray(v).reshape(4, -1)[:, :-1] for v in (area.y, area.base))
    # a quarter of the points is a little more than the due share, in which a perfect generator's stray points lack
    assert y - base == pytest.approx(TABLE.T * DUE / PERFECT_QUALITY) and DUE / PERFECT_QUALITY < TOP
    assert base[:, 0].tolist() == [3, 2, 1, 0] and panel.rows == 2
    dots = {layer.hollow: layer for layer in panel.layers if isinstance(layer, Points)}
    assert sorted(np.asarray(dots[False].x).tolist()) == [0, 20, 40, 60, 80]
    assert sorted(np.asarray(dots[True].x).tolist()) == [40, 60, 80]
    words = [layer.text for layer in panel.layers if isinstance(layer, Text)]
    assert words[1:3] == ["born at 40", "never"]
    rest = {r.key: float(at_rest(r.value, picture)) for r in picture.readouts}
    assert (rest["born"], rest["lost"], rest["modes"]) == (4, 2, 2) and pack(picture)
    numbers = {layer.text: (layer.x, layer.y) for layer in mode_numbers(film) if isinstance(layer, Text)}
    assert numbers["3"] == tuple(np.asarray(film.config.target().locs)[2])


def test_many_modes_are_strips_in_which_no_mode_runs_into_its_neighbour(tmp_path: Path) -> None:
    film = plane_film(tmp_path / "a.film", toy="grid(5,spacing=2,std=0.1)", shown=400)
    (panel,) = [p for p in lab_scene(film, LabState(below="modes"), name="a").panels if p.column == 1]
    (strips,) = [layer for layer in panel.layers if isinstance(layer, Heatmap)]
    values = np.asarray(strips.values)
    report = mode_report(film.samples[-1], film.config.target())
    want = np.minimum(report.counts / 400 / (PERFECT_QUALITY / 25), 1)
    each = values.reshape(25, -1, values.shape[1])
    assert each[::-1, :, -1] == pytest.approx(np.tile(want[:, None], each.shape[1])) and want.max() > 0
    assert strips.x == (0, 100) and not np.any(each[::-1, 0, 0] > 1)


def test_one_picture_alone_has_a_ledger_too(film: Film, tmp_path: Path) -> None:
    for whole in (film, plane_film(tmp_path / "a.film", toy="grid(5,spacing=2,std=0.1)")):
        for view in SIDES:
            assert pack(lab_scene(cut(whole, 1, status="done"), LabState(below=view), name="a", live=True))


@pytest.mark.parametrize("mesh", [False, True])
def test_the_modes_on_the_line_take_the_room_of_the_ledger(tmp_path: Path, mesh: bool) -> None:
    film = line_film(tmp_path / "a.film")
    picture = lab_scene(film, LabState(below="modes", mesh=mesh), name="a")
    (panel,) = [p for p in picture.panels if p.column == 1]
    assert panel.rows == (3 if mesh else 2) and story(film).covered[-1].all() and pack(picture)


def test_a_target_without_modes_says_so(tmp_path: Path) -> None:
    film = plane_film(tmp_path / "a.film", toy="moons")
    picture = lab_scene(film, LabState(below="modes"), name="a")
    words = [layer.text for layer in picture.layers() if isinstance(layer, Text)]
    assert words == ["This target has no separate modes to count."] and not mode_numbers(film)


def test_metrics_stand_beside_what_perfect_generators_score(
    film: Film, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = Bands(tmp_path / "bands")
    monkeypatch.setattr(lab_side, "bands", lambda: mine)
    early = lab_scene(film, LabState(below="metrics", step=100), name="a")
    assert lab_side.awaited(film, "metrics") and not lab_side.awaited(film, "usual")
    assert not [layer for p in early.panels if p.column == 1 for layer in p.layers if isinstance(layer, Area)]
    assert all("in some seconds" in p.y.label for p in early.panels if p.column == 1)
    n = len(film.real)
    known = mine.find(film.config.toy, n, lab_side.KEYS, wait=60)
    picture = lab_scene(film, LabState(below="metrics", step=100), name="a")
    upper, lower = (p for p in picture.panels if p.column == 1)
    assert known is not None and not lab_side.awaited(film, "metrics") and "19 of 20" in lower.y.label
    bands = [layer for layer in (*upper.layers, *lower.layers) if isinstance(layer, Area)]
    for layer, key in zip(bands, ("precision", "recall", "sliced_w2_squared"), strict=True):
        assert known[key].n == n and known[key].perfect.draws == 400
        perfect = known[key].perfect
        assert (np.asarray(layer.base)[0], np.asarray(layer.y)[0]) == pytest.approx((perfect.low, perfect.high))
    curves = {
        layer.label: np.asarray(layer.y) for p in (upper, lower) for layer in p.layers if isinstance(layer, Curve)
    }
    real, fake = film.real.astype(float), film.samples[-1].astype(float)
    assert curves["precision"][-1] == METRICS["precision"].function(real, fake)
    assert curves["recall"][-1] == METRICS["recall"].function(real, fake)
    assert {r.key for r in picture.readouts} >= {"precision", "recall", "sliced"}


def test_of_a_long_film_every_second_picture_is_scored(film: Film, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lab_side, "MOST_SCORED", 3)
    showing = Showing(film, 0, "a")
    short = lab_side._scores(showing)["sliced_w2_squared"]
    monkeypatch.setattr(lab_side, "MOST_SCORED", 101)
    whole = lab_side._scores(showing)["sliced_w2_squared"]
    assert np.array_equal(short, np.repeat(whole[::2], 2)) and len(np.unique(whole)) > 1


def test_a_growing_film_sends_the_new_pictures_of_every_view_only(film: Film) -> None:
    for view in SIDES:
        picture = lab_scene(film, LabState(below=view), name="a", live=True, behind=4)
        assert {len(np.asarray(rows)) for _, swept in picture.sweeps() for rows in swept.rows.values()} == {2}
    assert Showing(film, 0, "a").steps[-1] == 100


# --- a run that failed ------------------------------------------------------------------------------------------------

BASE = TrainConfig(width=16, batch=32, steps=100)
BAD = {
    "far too large for adam": BASE.changed(lr_d=1.0),
    "far too large for sgd": BASE.changed(optimiser="sgd", lr_g=5.0),
    "nothing bounds the critic": BASE.changed(loss="wasserstein"),
    "the weight of r1 is 300": BASE.changed(r1=300.0),
    "the weight of gp is 1,": BASE.changed(gp=1.0, lr_d=0.04),
    "grows exponentially": BASE.changed(loss="maximum-likelihood"),
    "too strongly": BASE,
}


@pytest.mark.parametrize("words", BAD)
def test_every_cause_has_a_cure_that_a_branch_can_take(words: str) -> None:
    config = BAD[words]
    assert words in cause(config).words
    fields = cure(config)
    assert fields and set(fields) <= set(CHANGEABLE)
    mended = config.branched(50, **fields).at(50)
    assert not cause(mended).certain


def test_what_is_suggested_saves_the_run_and_shortly_before_the_failure_nothing_does(tmp_path: Path) -> None:
    config = LAB_PRESETS["diverging"].config
    record(config, tmp_path / "a.film")
    film = Film.load(tmp_path / "a.film")
    found = help_for(film)
    assert found is not None and film.status == "diverged"
    step, fields, words = found
    assert 0 < step < film.step[-1] and "Gradient penalty, around 1: 1" in words
    record(config.branched(step, **fields), tmp_path / "b.film")
    record(config.branched(int(film.step[-1]), **fields), tmp_path / "c.film")
    saved, late = Film.load(tmp_path / "b.film"), Film.load(tmp_path / "c.film")
    assert saved.status == "done" and np.abs(saved.loss_d[-5:]).max() < 10
    assert np.array_equal(saved.samples[:step], film.samples[:step]) and late.status == "diverged"
    assert help_for(saved) is None and help_for(None) is None
