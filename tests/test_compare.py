"""Runs side by side: what differs, the common clock, the figures and the verdict, each against a second route."""

import math
from pathlib import Path
from types import SimpleNamespace
from typing import get_args

import numpy as np
import pytest
from films import config_of, line_film, numbers, plane_film
from scipy import stats
from streamlit.testing.v1 import AppTest

from gantoys.lessons import load
from gantoys.maths import parse
from gantoys.metrics import mode_report
from gantoys.metrics.bands import references
from gantoys.pictures import compare_verdict
from gantoys.pictures.compare import DRAWN, scene
from gantoys.pictures.compare_clock import Shot, common_clock
from gantoys.pictures.compare_state import CHANGES, CompareState, Entrant, Key, Losses, Targets, differences, entrants
from gantoys.pictures.compare_verdict import Row, against, judge, perfect, table, trial
from gantoys.pictures.compare_view import FIGURES
from gantoys.pictures.state import read
from gantoys.pictures.state import write as link_of
from gantoys.runs import limits
from gantoys.runs.config import TrainConfig
from gantoys.runs.film import Film
from gantoys.runs.film_file import FilmWriter
from gantoys.runs.recordings import recording
from gantoys.runs.store import Store
from gantoys.service.bands import Bands
from gantoys.service.job import Status
from gantoys.stage.layers import Curve, Points, Text
from gantoys.stage.pack import pack
from gantoys.stage.scene import Swept
from gantoys.ui import compare as on_page

APP = str(Path(__file__).parents[1] / "app.py")
FOUR = CompareState(b="ema", c="gp", d="long")


def rows(value):
    return np.asarray(value.rows["step"]) if isinstance(value, Swept) else np.asarray(value)


def layers(picture, kind, role):
    return [layer for layer in picture.layers() if isinstance(layer, kind) and layer.role == role]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("compared")


@pytest.fixture(scope="module")
def ring(folder):
    return plane_film(folder / "ring.film")


@pytest.fixture(scope="module")
def longer(folder):
    return plane_film(folder / "longer.film", steps=170, frames=8, loss="saturating")


@pytest.fixture(scope="module")
def line(folder):
    return line_film(folder / "line.film")


# --- the runs of a state ------------------------------------------------------------------------------------------


def test_the_link_knows_every_change_and_no_other():
    assert set(get_args(Key)) == set(CHANGES) and set(get_args(Losses)) <= set(CHANGES)


@pytest.mark.parametrize(("field", "value"), [*(("target", t) for t in get_args(Targets)), ("loss", "wasserstein")])
def test_every_change_goes_with_every_base_and_a_visitor_may_ask_for_its_verdict(field, value):
    for key in get_args(Key):
        for run in entrants(CompareState(**{field: value, "b": key})):
            assert trial(run.config, 8).flops() <= limits.VISITOR_FLOPS and run.config.flops() <= limits.VISITOR_FLOPS


@pytest.mark.parametrize("loss", get_args(Losses))
def test_every_change_goes_with_every_loss_of_the_base(loss):
    for key in set(CHANGES) - {"none", loss}:
        first, other = entrants(CompareState(loss=loss, b=key))
        named = {
            name for name in TrainConfig.model_fields if getattr(first.config, name) != getattr(other.config, name)
        }
        assert named and named <= set(CHANGES[key].fields) and len(other.differs) == len(named)
        assert first.config.seed == other.config.seed


def test_what_differs_is_said_by_the_fields_titles_and_both_values():
    first = TrainConfig()
    other = first.changed(loss="wasserstein", gp=0.1, spectral_norm=True, width_d=16)
    assert differences(first, other) == (
        "Loss: Wasserstein instead of Non-saturating",
        "Width of D: 16 instead of as in G",
        "Gradient penalty, around 1: 0.1 instead of 0",
        "Spectral norm: on instead of off",
    )
    assert differences(first, first) == ()


def test_a_change_asked_for_twice_counts_once_and_no_run_is_no_run():
    runs = entrants(CompareState(b="gp", c="none", d="gp"))
    assert [run.letter for run in runs] == ["A", "B"] and runs[1].config.gp == 0.3
    assert [run.letter for run in entrants(CompareState(b="none"))] == ["A"]
    assert [run.letter for run in entrants(FOUR)] == list("ABCD")


def test_a_state_travels_in_its_link_and_a_bad_one_is_named():
    state = CompareState(target="grid", b="sgd", d="long", seeds=7, seed=12, step=99)
    assert read(CompareState, link_of(state)) == (state, [])
    for text in ({"b": "nope"}, {"seeds": "9"}, {"seed": "-1"}, {"target": "<script>"}):
        shown, problems = read(CompareState, text)
        assert shown == CompareState() and len(problems) == 1 and "instead" in problems[0]


# --- the common clock ---------------------------------------------------------------------------------------------


def test_at_each_step_every_run_shows_its_last_frame_until_then(ring, longer):
    clock = common_clock([Shot(ring), Shot(longer), Shot()])
    assert clock.steps.tolist() == sorted({*ring.step.tolist(), *longer.step.tolist()})
    for film, frames in ((ring, clock.frames[0]), (longer, clock.frames[1])):
        for step, frame in zip(clock.steps, frames, strict=True):
            assert frame == max(k for k in range(len(film)) if film.step[k] <= step)
    assert clock.frames[2] is None
    assert clock.frames[0][-1] == len(ring) - 1 and clock.steps[-1] > ring.step[-1]  # the shorter stays at its end


def test_while_a_run_grows_no_other_is_ahead_of_it(ring, longer):
    part = common_clock([Shot(ring, growing=True), Shot(longer)])
    assert part.steps[-1] == ring.step[-1] < longer.step[-1]
    whole = common_clock([Shot(ring), Shot(longer)])
    count = len(part.steps)
    # what was sent of a growing comparison stays true
    np.testing.assert_array_equal(whole.steps[:count], part.steps)
    for a, b in zip(part.frames, whole.frames, strict=True):
        np.testing.assert_array_equal(a, b[:count])


def test_without_a_film_the_clock_stands_at_0():
    assert common_clock([Shot(), Shot(growing=True)]).steps.tolist() == [0.0]


# --- the scene ----------------------------------------------------------------------------------------------------


def test_one_clock_moves_the_points_of_all_runs(ring, longer):
    picture = scene(CompareState(), [Shot(ring), Shot(longer)], name="x")
    assert [c.key for c in picture.controls] == ["step"]
    clock = common_clock([Shot(ring), Shot(longer)])
    for film, frames, points in zip((ring, longer), clock.frames, layers(picture, Points, "fake"), strict=True):
        want = film.samples[frames][:, :DRAWN].astype(np.float32)
        np.testing.assert_array_equal(np.stack([rows(points.x), rows(points.y)], -1), want)
    numbers_of = {r.key: rows(r.value) for r in picture.readouts}
    np.testing.assert_allclose(numbers_of["js-A"], ring.js[clock.frames[0]])
    modes = [mode_report(p, ring.config.target()).modes for p in ring.samples[clock.frames[0]]]
    assert numbers_of["modes-A"].tolist() == modes


def test_what_differs_stands_over_each_picture_and_the_value_is_not_cut():
    titles = [panel.title for panel in scene(FOUR).panels if panel.title]
    assert titles[0] == "A   as it is" and titles[1] == "B   Averaged G: 0.99" and titles[3] == "D   Steps: 3000"
    assert titles[2].startswith("C   Gradient") and titles[2].endswith("…: 0.3") and len(titles[2]) <= 24
    two = scene(CompareState(b="lr"))
    assert two.panels[1].title == "B   Learning rate of G: 0.01; …"


def test_every_figure_has_a_line_for_each_run_with_its_letter(ring, longer):
    picture = scene(CompareState(), [Shot(ring), Shot(longer)])
    lower = [panel for panel in picture.panels if panel.row == 1]
    assert [panel.y.label for panel in lower] == [FIGURES["js"].label + ", at least", FIGURES["modes"].label]
    for panel, key in zip(lower, ("js", "modes"), strict=True):
        lines = [layer for layer in panel.layers if isinstance(layer, Curve)]
        assert [line.label for line in lines] == ["A", "B"] and len({line.role for line in lines}) == 2
        for line_, film in zip(lines, (ring, longer), strict=True):
            np.testing.assert_allclose(line_.y, FIGURES[key].of(film))
            assert line_.role not in ("real", "fake", "disc")  # a line of a run is no player


def test_on_the_line_every_run_has_its_densities_and_its_d(line):
    picture = scene(CompareState(target="bimodal"), [Shot(line), Shot(line)])
    drawn = layers(picture, Curve, "fake")
    assert len(drawn) == 2 and all(np.array_equal(rows(c.y), line.density.astype(float)) for c in drawn)
    assert len(layers(picture, Curve, "disc")) == 2 and max(panel.row for panel in picture.panels) == 2
    assert {r.kind for r in picture.readouts if r.key.startswith("js")} == {"exact"}


@pytest.mark.parametrize("target", get_args(Targets))
@pytest.mark.parametrize("changes", [{"b": "none"}, {}, {"b": "ema", "c": "gp", "d": "long"}])
def test_before_any_training_the_target_is_shown_and_the_picture_says_so(target, changes):
    picture = scene(CompareState(target=target, **changes))
    words = [layer.text for layer in picture.layers() if isinstance(layer, Text)]
    assert words == ["not trained yet"] * len(entrants(CompareState(target=target, **changes)))
    assert len(pack(picture)) < 100_000 and "none of them is trained" in picture.alt.lower()


def test_four_runs_of_the_pages_size_travel_in_less_than_2_mb(folder):
    runs = entrants(FOUR)
    films = [plane_film(folder / f"{r.letter}.film", **r.config.model_dump(exclude_defaults=True)) for r in runs]
    assert len(pack(scene(FOUR, [Shot(film) for film in films]))) < 2_000_000


def test_only_new_positions_are_sent_while_runs_grow(ring, longer):
    shots = [Shot(ring), Shot(longer, growing=True)]
    whole, part = scene(CompareState(), shots), scene(CompareState(), shots, behind=4)
    assert part.append_from == 4
    for (_, a), (_, b) in zip(whole.sweeps(), part.sweeps(), strict=True):
        np.testing.assert_array_equal(rows(a)[4:], rows(b))


def test_another_number_of_films_than_runs_is_refused(ring):
    with pytest.raises(ValueError, match="2 runs, but 1"):
        scene(CompareState(), [Shot(ring)])


def diverged_film(path, config) -> Film:
    """Two frames at a far point, then the end."""
    writer_of = plane_film(path.with_suffix(".tmp"), **config.model_dump(exclude_defaults=True))
    writer = FilmWriter(path, config, {n: getattr(writer_of, n) for n in ("real", "grid_x", "grid_y")})
    names = ("step", "samples", "arrows", "logits", "mesh")
    for k in (0, 1):
        writer.append({n: getattr(writer_of, n)[k] for n in names} | numbers(config), 0.1)
    return Film.load(writer.finish("diverged", "G's gradient was not finite at step 9."))


def test_a_run_that_diverged_says_so_over_its_picture_and_stays_at_its_end(folder, ring):
    film = diverged_film(folder / "gone.film", config_of())
    picture = scene(CompareState(), [Shot(ring), Shot(film)])
    assert f"diverged at step {film.step[-1]}" in picture.panels[1].title
    fake = rows(layers(picture, Points, "fake")[1].x)
    assert len(fake) == len(ring) and np.array_equal(fake[-1], fake[1])


# --- the verdict --------------------------------------------------------------------------------------------------


def entrant(letter: str, **fields) -> Entrant:
    return Entrant(letter, config_of(**fields), ())


def row_of(letter: str, values) -> Row:
    return Row(entrant(letter), len(values), 0, {"js": np.array(values, float)})


@pytest.mark.parametrize("seed", range(12))
def test_more_than_luck_is_what_the_paired_t_test_calls_so(seed):
    rng = np.random.default_rng(seed)
    n = int(rng.integers(2, 9))
    first = rng.normal(0.1, 0.03, n)
    other = first + rng.normal(0.02, 0.02, n)
    said = against(row_of("A", first), row_of("B", other))
    p = stats.ttest_rel(other, first).pvalue
    assert ("more than luck" in said) == (p < 0.05), (said, p)
    error = np.std(other - first, ddof=1) / np.sqrt(n)
    assert f"{abs(np.mean(other - first)):.3f} ± {error:.3f}" in said and f"{n} pairs" in said


def test_a_seed_that_diverged_in_one_run_is_left_out_of_the_pairs():
    said = against(row_of("A", [0.1, 0.2, 0.3, 0.1]), row_of("B", [0.2, np.nan, 0.41, 0.21]))
    assert "3 pairs" in said and "higher" in said
    assert "nothing can be said" in against(row_of("A", [0.1]), row_of("B", [0.2]))


def test_the_figures_of_a_row_are_those_of_the_last_frames(folder, ring):
    gone = diverged_film(folder / "gone2.film", config_of())
    row = judge(entrant("A"), [ring, ring, gone])
    report = mode_report(ring.samples[-1], ring.config.target())
    assert (row.seeds, row.diverged) == (3, 1)
    assert row.values["modes"].tolist()[:2] == [report.modes] * 2 and math.isnan(row.values["modes"][2])
    assert row.mean("high_quality") == report.quality and row.spread("high_quality") == 0
    assert math.isnan(judge(entrant("A"), [gone]).mean("js")) and math.isnan(judge(entrant("A"), [ring]).spread("js"))
    with pytest.raises(ValueError, match="at least one film"):
        judge(entrant("A"), [])


@pytest.fixture
def worked_out(tmp_path, monkeypatch):
    """Bands that are worked out here, once they are asked for a second time."""
    asked = set()

    class Known(Bands):
        def find(self, toy, n, keys, wait=0.0):
            if (toy, n) not in asked:
                return asked.add((toy, n))
            return references(keys, parse(toy), n, np.random.default_rng(0), draws=100, noise_draws=39)

    monkeypatch.setattr(compare_verdict, "bands", lambda: Known(tmp_path))


@pytest.mark.usefixtures("worked_out")
def test_the_perfect_generators_row_has_its_closed_forms():
    config = config_of().changed(shown=1000)
    assert perfect(config) is None
    best = perfect(config)
    assert best["modes"].mean == pytest.approx(8) and best["modes"].exact
    assert best["high_quality"].mean == pytest.approx(1 - math.exp(-4.5))
    # (K - 1) / (2 n q) to first order, n q good points over K even modes
    assert best["reverse_kl"].mean == pytest.approx(7 / (2 * 1000 * (1 - math.exp(-4.5))), rel=0.02)
    assert (best["js"].mean, best["js"].low, best["js"].high) == (0, 0, 0), "JS of a distribution with itself"


@pytest.mark.usefixtures("worked_out")
def test_the_table_has_a_row_for_each_run_and_one_for_the_perfect_generator(folder, ring):
    waiting = table([judge(entrant("A"), [ring, ring])]).splitlines()[-1]
    assert waiting == "| *a perfect generator (19 of 20 of its draws, in some seconds)* | – | – | – | – | |"
    gone = judge(entrant("B"), [diverged_film(folder / "gone3.film", config_of())])
    lines = table([judge(entrant("A"), [ring, ring]), gone]).splitlines()
    assert len(lines) == 5 and lines[0].count("|") == lines[2].count("|") == lines[4].count("|") == 7
    assert lines[2].startswith("| **A** as it is | ") and lines[2].endswith("0 of 2 |")
    assert lines[3].endswith("| – | – | – | – | 1 of 1 |") and "perfect generator" in lines[4] and "-" not in lines[4]
    moons = plane_film(folder / "moons.film", toy="moons")
    assert table([judge(entrant("A", toy="moons"), [moons])]).splitlines()[0] == "| run | JS at least | diverged |"
    with pytest.raises(ValueError, match="at least one run"):
        table([])


def test_the_trials_train_the_same_runs_over_several_seeds():
    config = entrants(FOUR)[1].config
    many = trial(config, 4)
    for member in range(4):
        alone = many.member(member)
        assert alone.training_digest(1500) == config.changed(seed=config.seed + member).training_digest(1500)


def test_what_pictures_show_instead_is_said_once_and_of_whom():
    assert on_page.instead(entrants(CompareState(b="none"))) == []
    (told,) = on_page.instead(entrants(CompareState(b="ema", c="lr")))
    assert told == "**B** *Points and figures are those of the averaged G, which does not train; D meets G itself.*"
    critics = on_page.instead(entrants(CompareState(loss="wasserstein", b="pac", c="noise")))
    assert len(critics) == 3 and critics[0].startswith("*The critic tells no probability")
    assert critics[1].startswith("**B** *D judges 2 points together") and critics[2].startswith("**C** *D learns on")


# --- the page -----------------------------------------------------------------------------------------------------


class Asked:
    """Stands for a run that has ended without a film."""

    def __init__(self, config):
        self.config = config

    def status(self):
        return Status("failed", 0, "It was only pretended.")

    def film(self, from_frame=0, member=0):
        return None


@pytest.fixture
def asked(monkeypatch, tmp_path):
    """What the page asks the run service for, as (config, watcher); nothing is trained."""
    calls = []

    def ask(config, watcher=None):
        calls.append((config, watcher))
        return Asked(config)

    store = Store(tmp_path / "films")
    monkeypatch.setattr(on_page, "ask", ask)
    kept = SimpleNamespace(store=store, kept=lambda config, member=0: None)
    monkeypatch.setattr(on_page, "service", lambda: kept)
    monkeypatch.setattr(on_page, "outlook", lambda config, watcher=None: Status("queued"))
    monkeypatch.setattr(compare_verdict, "bands", lambda: SimpleNamespace(find=lambda *_: None))
    return SimpleNamespace(calls=calls, store=store)


def opened(**params: str) -> AppTest:
    app = AppTest.from_file(APP, default_timeout=30).run()
    app.switch_page("pages/compare.py")
    for name, value in params.items():
        app.query_params[name] = value
    app.run()
    assert not app.exception
    return app


def captions(app: AppTest) -> str:
    return " ".join(c.value for c in app.caption)


def test_a_link_never_trains_and_the_button_asks_for_every_run(asked):
    app = opened(b="ema", c="gp", seed="5")
    assert asked.calls == [] and captions(app).count("not trained here yet") == 3
    app.button(key="compare-train").click().run()
    assert not app.exception
    runs = entrants(CompareState(b="ema", c="gp", seed=5))
    assert [config for config, _ in asked.calls] == [run.config for run in runs]
    watchers = [watcher for _, watcher in asked.calls]
    # one visitor, under a name for each run: asking for one run does not let go of the others
    assert len(set(watchers)) == 3 and len({watcher.split("/")[0] for watcher in watchers}) == 1
    assert "It was only pretended." in captions(app)


def test_a_chip_that_is_answered_trains_its_runs(asked):
    app, row = opened(), load("compare").tries[1]
    app.button(key="try-1:compare").click().run()
    assert asked.calls == []
    app.button(key=f"guess-1-{row.right}:compare").click().run()
    assert not app.exception
    assert [config for config, _ in asked.calls] == [run.config for run in entrants(CompareState(**row.state))]


def test_the_verdict_asks_for_the_seeds_and_shows_what_the_store_has(asked, tmp_path):
    app = opened(seeds="2")
    assert not any("19 of 20 of its draws" in m.value for m in app.markdown)
    app.button(key="compare-judge").click().run()
    trials = [trial(run.config, 2) for run in entrants(CompareState(seeds=2))]
    assert [config for config, _ in asked.calls] == trials
    for config in trials:
        film = plane_film(tmp_path / "a.film", **config.member(0).model_dump(exclude_defaults=True))
        for member in range(2):
            path = asked.store.path(config, member)
            writer = FilmWriter(
                path, config, {n: getattr(film, n) for n in ("real", "grid_x", "grid_y")}, member=member
            )
            names = ("step", "samples", "arrows", "logits", "mesh")
            for k in range(len(film)):
                writer.append({n: getattr(film, n)[k] for n in names} | numbers(config), 0.1)
            writer.finish("done")
    again = opened(seeds="2")
    (said,) = [m.value for m in again.markdown if "19 of 20 of its draws" in m.value]
    assert said.count("\n") == 4 and "0 of 2" in said
    assert any("pairs of equal seed" in m.value or "fewer than two" in m.value for m in again.markdown)


def test_the_page_plays_what_the_store_has(asked):
    for run in entrants(CompareState()):
        plane_film(asked.store.path(run.config), **run.config.model_dump(exclude_defaults=True))
    app = opened()
    assert "not trained here yet" not in captions(app) and asked.calls == []


def test_a_refusal_is_said_on_the_page(asked, monkeypatch):
    def busy(config, watcher=None):
        raise on_page.Busy("Many runs are asked for right now.")

    monkeypatch.setattr(on_page, "ask", busy)
    app = opened()
    app.button(key="compare-train").click().run()
    assert not app.exception and any("Many runs" in w.value for w in app.warning)


def test_a_hostile_link_is_named_and_the_page_lives(asked):
    app = opened(b="<script>alert(1)</script>", seeds="999999999999", seed="NaN")
    assert len(app.warning) >= 3 and app.session_state["state:compare"] == CompareState()


def test_the_page_begins_with_films_that_come_with_gantoys():
    assert all(recording(run.config) is not None for run in entrants(CompareState()))


def test_in_lecture_view_two_runs_have_their_divergence_beside_them_and_four_have_not():
    films = [recording(run.config) for run in entrants(CompareState())]
    two = scene(CompareState(), [Shot(film) for film in films], lecture=True)
    assert [panel.column for panel in two.panels if panel.lecture] == [0, 1, 2]
    four = scene(CompareState(c="gp", d="clip"), lecture=True)
    assert [panel.column for panel in four.panels if panel.lecture] == [0, 1, 2, 3]
