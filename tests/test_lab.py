"""The lab: runs as text in a link, pictures of any run, presets that show what they name, the page itself."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import numpy as np
import pytest
from films import config_of, cut, line_film, plane_film
from hypothesis import given
from hypothesis import strategies as st
from streamlit.testing.v1 import AppTest

from gantoys.lessons import load
from gantoys.maths.losses import LOSSES
from gantoys.maths.points import from_points
from gantoys.metrics.modes import mode_report
from gantoys.pictures.dynamics import DynamicsState
from gantoys.pictures.lab import lab_scene, waiting_scene
from gantoys.pictures.lab_presets import LAB_PRESETS, preset_of
from gantoys.pictures.lab_seeds import seeds_scene, whole
from gantoys.pictures.lab_state import (
    REMEDIES,
    LabState,
    branch_fields,
    differing,
    fitting,
    frames_for,
    read_run,
    refilmed,
    remedy_fields,
    remedy_of,
    write_run,
)
from gantoys.pictures.state import MAX_QUERY, read, write
from gantoys.runs.config import TrainConfig
from gantoys.runs.fields import GROUPS
from gantoys.runs.film import Film
from gantoys.runs.presets import START
from gantoys.runs.store import Store
from gantoys.stage.layers import Rule
from gantoys.stage.pack import pack
from gantoys.stage.scene import at_rest
from gantoys.training.filming import record
from gantoys.ui.lab_films import Screen

APP = str(Path(__file__).parents[1] / "app.py")
KEY = "lab"

# --- the link -----------------------------------------------------------------------------------------------------


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "toy": st.sampled_from(["moons", "grid(3,spacing=2,std=0.1)", "0.3*N(-2,0.5)+0.7*U(0,1)"]),
            "loss": st.sampled_from(list(LOSSES)),
            "seed": st.integers(0, 2**31 - 1),
            "width_d": st.none() | st.integers(1, 64),
            "activation_d": st.sampled_from([None, "tanh"]),
            "lr_g": st.floats(1e-7, 10),
            "spectral_norm": st.booleans(),
            "changes": st.sampled_from([(), [{"step": 7, "field": "lr_d", "value": 0.02}]]),
        },
    )
)
def test_every_run_survives_its_text(fields: dict[str, Any]) -> None:
    config = TrainConfig.build(fields)
    assert read_run(write_run(config)) == config


def test_only_what_differs_from_the_default_is_written() -> None:
    assert write_run(TrainConfig()) == ""
    branch = TrainConfig(loss="hinge", r1=0.1).branched(300, lr_g=1e-4, unrolled=2)
    assert write_run(branch) == "loss:hinge;r1:0.1;300@lr_g:0.0001;300@unrolled:2"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("loss:nope", "loss is 'nope': it must be one of saturating"),
        ("nope:1", "there is no field 'nope'"),
        ("width:1e9", "width is 1000000000.0: it must be a whole number from 1 to"),
        ("lr_g:NaN", "lr_g is 'NaN': it must be a number from 1e-07 to 10"),
        ("lr_g:1e400", "lr_g is inf: it must be a number from 1e-07 to 10"),
        ("steps:" + "9" * 3000, "it must be a whole number"),
        ("toy:[[[[", "toy is '[[[['"),
        ("width", "is not a field and its value"),
        ("slow:5", "slow motion is no setting of a run here"),
        ("width:8;width:9", "width stands there twice"),
        ("width:8;x@lr_g:1", "changes is"),
        ("5@width:1", "'width' cannot change on the way"),
        ("steps:500000;width:512;layers:6;batch:1024;seeds:64", "this run would take about"),
        ("toy:" + "x" * 4000, "at most 3500 fit into a link"),
    ],
)
def test_a_bad_run_is_refused_in_a_sentence_and_the_default_stands(text: str, says: str) -> None:
    with pytest.raises(ValueError, match=re.escape(says)):
        read_run(text)
    state, problems = read(LabState, {"run": text, "step": "3"})
    assert state.config == LabState().config and len(problems) == 1 and "\n" not in problems[0]


def test_a_link_holds_settings_step_seed_and_views() -> None:
    state = LabState(run="toy:moons;seeds:4", step=120, member=0, arrows=True, mesh=True, below="losses")
    again, problems = read(LabState, write(state))
    assert again == state and problems == [] and again.config.toy == "moons(std=0.1)"
    assert write(LabState()) == {}


def test_a_drawn_target_is_thinned_until_it_fits_into_a_link() -> None:
    points = np.random.default_rng(3).normal(size=(5000, 2)) * [1.0, 3.0]
    notation, learned = fitting(points)
    assert learned == 500
    run = write_run(TrainConfig(toy=notation))
    assert len(run) < MAX_QUERY and read_run(run).toy == notation
    drawn = TrainConfig(toy=notation).target().sample(4000, np.random.default_rng(0))
    # a mean of 500 points strays by 1/sqrt(500) = 0.045 standard deviations, their deviation by 0.032 of itself
    assert np.abs(drawn.mean(0)).max() < 4 * 0.045 * 3 and np.std(drawn, 0) == pytest.approx([1, 3], rel=0.15)
    few = points[:400]
    assert fitting(few) == (str(from_points(few)), 400)


# --- remedies, branches -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", REMEDIES)
def test_a_remedy_switches_all_others_off_and_is_recognised(key: str) -> None:
    config = TrainConfig(r2=3.0, batch=64).changed(**remedy_fields(key))
    assert remedy_of(config) == key and config.r2 == REMEDIES[key].fields.get("r2", 0.0)
    assert remedy_of(TrainConfig(r2=3.0)) is None


def test_a_branch_is_offered_for_what_a_run_can_change_and_nothing_else() -> None:
    shown = TrainConfig()
    assert branch_fields(shown, shown) is None
    assert branch_fields(shown, shown.changed(lr_g=0.01, r1=1.0)) == {"lr_g": 0.01, "r1": 1.0}
    assert branch_fields(shown, shown.changed(lr_g=0.01, width=8)) is None
    assert differing(shown, shown.changed(width=8)) == {"width": (128, 8)}


# --- pictures -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> tuple[Film, Film]:
    folder = tmp_path_factory.mktemp("films")
    return line_film(folder / "line.film"), plane_film(folder / "plane.film")


@pytest.mark.parametrize("which", [0, 1])
@pytest.mark.parametrize("mesh", [False, True])
def test_the_losses_are_drawn_with_the_lines_where_d_cannot_tell(
    films: tuple[Film, Film], which: int, mesh: bool
) -> None:
    film = films[which]
    picture = lab_scene(film, LabState(below="losses", mesh=mesh, step=100), name="a")
    losses = picture.panels[-1]
    # 2 log 2 and log 2: what -log D - log(1 - D) and -log D are at D = 1/2
    assert [layer.at for layer in losses.layers if isinstance(layer, Rule) and layer.label] == pytest.approx(
        [2 * np.log(2), np.log(2)]
    )
    told = {r.key: float(at_rest(r.value, picture)) for r in picture.readouts}
    assert told["loss_d"] == pytest.approx(film.loss_d[-1]) and told["loss_g"] == pytest.approx(film.loss_g[-1])
    assert pack(picture)


@pytest.mark.parametrize(
    ("loss", "lines", "unit"),
    [
        ("least-squares", [0.25, 0.125], ""),  # (1/2 - 1)^2 / 2 twice, and once
        ("relativistic", [np.log(2), np.log(2)], "nats"),
        ("f-kl", [0.0, -1.0], "nats"),  # the output 1 of equal densities: -1 + e^0, and -e^0
        ("wasserstein", [], ""),
        ("hinge", [], ""),
        ("f-tv", [], ""),
    ],
)
def test_only_losses_with_a_place_for_a_coin_have_its_line_and_only_logarithms_are_in_nats(
    tmp_path: Path, loss: str, lines: list[float], unit: str
) -> None:
    film = line_film(tmp_path / "a.film", loss=loss)
    picture = lab_scene(film, LabState(below="losses"), name="a")
    seen = [layer for layer in picture.panels[-1].layers if isinstance(layer, Rule) and layer.label]
    assert [layer.at for layer in seen] == pytest.approx(lines, abs=1e-12)
    assert {r.unit for r in picture.readouts if r.key in ("loss_d", "loss_g")} == {unit}
    if loss in ("wasserstein", "hinge", "f-tv", "relativistic"):
        assert not [x for x in picture.layers() if isinstance(x, Rule) and "coin’s value" in x.label]
        assert "*V*" not in next(r.label for r in picture.readouts if r.key == "v")


def test_in_the_plane_too_the_ledger_adds_up_in_every_frame(films: tuple[Film, Film]) -> None:
    picture = lab_scene(films[1], LabState(), name="a")
    js, gap, v, band = (
        np.asarray(next(r for r in picture.readouts if r.key == key).value.rows["step"])
        for key in ("js", "shortfall", "v", "v-band")
    )
    # from below, as JS is
    assert (
        gap == pytest.approx(np.maximum(0, 2 * js - np.log(4) - v - band), abs=1e-6) and "{shortfall" in picture.formula
    )
    assert {r.kind for r in picture.readouts if r.key in ("js", "shortfall")} == {"lower bound"} and gap.max() > 0


def test_a_piece_of_a_growing_film_carries_the_new_frames_only(films: tuple[Film, Film]) -> None:
    film = films[1]
    picture = lab_scene(film, LabState(below="losses"), name="a", live=True, behind=4)
    assert picture.append_from == 4
    assert {len(np.asarray(rows)) for _, swept in picture.sweeps() for rows in swept.rows.values()} == {len(film) - 4}


@pytest.mark.parametrize("toy", ["ring", "moons", "bimodal", "uniform", "N(6,0.5)", "heavy"])
def test_before_a_training_the_target_is_shown_alone(toy: str) -> None:
    picture = waiting_scene(TrainConfig(toy=toy))
    assert not picture.controls and not picture.readouts and "nothing is trained" in picture.alt and pack(picture)


def test_seeds_share_a_clock_and_one_that_is_behind_shows_its_last_picture(tmp_path: Path) -> None:
    config = config_of(seeds=4)
    film = plane_film(tmp_path / "a.film")
    short = cut(film, 3, status="running")
    diverged = cut(film, 2, status="diverged")
    picture = seeds_scene([film, short, diverged, None], film.step[-1], name="a")
    assert len(picture.panels) == config.seeds and len(np.asarray(picture.controls[0].values)) == len(film)
    rows = [np.asarray(layer.x.rows["step"]) for p in picture.panels for layer in p.layers if layer.role == "fake"]
    want = film.samples[:, :200, 0].astype(np.float32)
    assert np.array_equal(rows[0], want)
    assert np.array_equal(rows[1][-1], want[2]) and np.array_equal(rows[2][-1], want[1])
    assert "diverged" in picture.panels[2].title and len(rows) == 3
    modes = [mode_report(f.samples[-1], film.config.target()).modes for f in (film, short, diverged)]
    assert float(at_rest(picture.readouts[0].value, picture)) == pytest.approx(np.mean(modes))
    assert whole([film, short, diverged, None]) == 0 and whole([film, short, diverged]) == 3
    assert whole([film, diverged]) == len(film)


def test_seeds_on_the_line_are_densities(films: tuple[Film, Film]) -> None:
    picture = seeds_scene([films[0]] * 16, 0, name="a", behind=2, live=True)
    assert len(picture.panels) == 16 and picture.append_from == 2 and pack(picture)
    with pytest.raises(ValueError, match="no seed has a picture"):
        seeds_scene([None, None], 0, name="a")


# --- presets ------------------------------------------------------------------------------------------------------


def test_the_diverging_run_keeps_its_film_and_says_why(tmp_path: Path) -> None:
    record(LAB_PRESETS["diverging"].config.changed(frames=21, cadence="even", shown=400), tmp_path / "a.film")
    film = Film.load(tmp_path / "a.film")
    assert film.status == "diverged" and "at step" in film.message and "Likely cause" in film.message and len(film) > 0


def test_every_preset_says_what_it_shows_and_fits_into_a_link() -> None:
    for key, row in LAB_PRESETS.items():
        assert row.shows.endswith(".") and preset_of(row.config) == key
        assert read(LabState, write(LabState(run=write_run(row.config))))[0].config == row.config
    assert [LabState(**row.state).config for row in load(KEY).tries] == [
        LAB_PRESETS[key].config for key in ("collapse", "vanishing", "line")
    ]


# --- the page -----------------------------------------------------------------------------------------------------


def opened(**params: str) -> AppTest:
    app = AppTest.from_file(APP, default_timeout=30)
    app.run()
    app.session_state[f"more:{KEY}"] = True
    app.switch_page(f"pages/{KEY}.py")
    for name, value in params.items():
        app.query_params[name] = value
    app.run()
    assert not app.exception
    return app


def said(app: AppTest) -> str:
    return " ".join(m.value for m in app.markdown)


def test_every_setting_has_a_widget_with_its_title_help_and_range() -> None:
    app = opened()
    schema = TrainConfig.model_json_schema()["properties"]
    for _, group in GROUPS:
        for name in group.model_fields:
            if name in ("changes", "slow"):  # the one comes about by branches, the other has a button of its own
                continue
            (widget,) = [w for w in _widgets(app) if w.key == f"lab:form:{name}"]
            assert widget.label == schema[name]["title"] and widget.help == schema[name]["description"]
            if schema[name].get("type") in ("integer", "number"):
                assert (widget.min, widget.max) == (schema[name]["minimum"], schema[name]["maximum"])


def _widgets(app: AppTest) -> list[Any]:
    return [*app.number_input, *app.selectbox, *app.toggle, *app.text_input]


def test_a_link_to_an_unknown_run_trains_nothing() -> None:
    app = opened(run="toy:moons;seed:77")
    assert "Nothing is trained here yet." in said(app) and app.session_state[f"screen:{KEY}"].films == ()


def test_what_is_too_much_is_said_before_it_is_asked_for() -> None:
    app = opened(run="toy:moons;width:512;layers:6;steps:100000;batch:1024")
    assert "choose fewer steps" in said(app) and "This run would take about" in said(app)


def test_a_link_to_a_stored_run_shows_it_without_a_training() -> None:
    config = TrainConfig(width=6, batch=8, steps=12, frames=5, grid=6, shown=32, seed=12)
    record(config, Store().path(config))
    app = opened(run=write_run(config), step="12")
    assert "Trained: 12 steps" in said(app) and app.session_state[f"screen:{KEY}"].begun


def test_a_setting_that_does_not_fit_is_said_and_changes_nothing() -> None:
    app = opened()
    before = app.session_state[f"state:{KEY}"]
    (widget,) = [w for w in app.number_input if w.key == "lab:form:pac"]
    widget.set_value(3).run()
    assert not app.exception and "must divide the batch" in said(app).replace("\\", "")
    assert app.session_state[f"state:{KEY}"] == before


def test_an_edited_setting_leaves_the_film_on_screen_and_offers_the_branch() -> None:
    app = opened(step="2000")
    shown = app.session_state[f"screen:{KEY}"]
    (widget,) = [w for w in app.number_input if w.key == "lab:form:lr_g"]
    widget.set_value(0.0001).run()
    assert app.session_state[f"screen:{KEY}"] is shown and "Learning rate of G 0.001 → 0.0001" in said(app)
    names = {b.key: b for b in app.button}
    assert not names["lab:branch"].disabled and "2,0" in names["lab:branch"].label
    (width,) = [w for w in app.number_input if w.key == "lab:form:width"]
    width.set_value(16).run()
    assert {b.key: b for b in app.button}["lab:branch"].disabled


def test_a_film_from_a_file_plays_and_a_bad_file_changes_nothing(tmp_path: Path) -> None:
    film = plane_film(tmp_path / "a.film", toy="grid(2,spacing=2,std=0.1)", seed=5)
    data = (tmp_path / "a.film").read_bytes()
    app = opened()
    before = app.session_state[f"screen:{KEY}"]

    def upload(content: bytes) -> None:
        (box,) = [u for u in app.file_uploader if u.key == "lab:open:file"]
        box.set_value(("x.film", content, "")).run()
        assert not app.exception

    for bad, words in ((b"junk", "not a film of gantoys"), (data[:-9], "cut short")):
        upload(bad)
        assert app.session_state[f"screen:{KEY}"] == before
        assert any(words in w.value and "on screen stays" in w.value for w in app.warning), app.warning
    upload(data)
    shown = app.session_state[f"screen:{KEY}"]
    assert np.array_equal(shown.films[0].samples, film.samples) and shown.config == film.config
    assert app.session_state[f"state:{KEY}"].config == film.config and "from your file" in said(app)
    assert not Store().has(film.config)  # a stranger's file never stands for the run


def test_words_in_a_film_from_a_file_are_plain_words(tmp_path: Path) -> None:
    film = replace(plane_film(tmp_path / "a.film"), status="diverged", message="![](http://a.b/c.png) **x**")
    app = opened()
    app.session_state[f"screen:{KEY}"] = Screen(film.config, (film,), film_of_file=True)
    app.run()
    assert not app.exception and "a.b/c" in said(app)
    assert "![" not in said(app) and "**x**" not in said(app)  # no picture is fetched from anywhere


def test_a_link_with_a_run_that_diverged_says_why_and_offers_what_helps() -> None:
    config = LAB_PRESETS["diverging"].config
    if not Store().has(config):
        record(config, Store().path(config))
    app = opened(run=write_run(config))
    (button,) = [b for b in app.button if b.key == "lab:help"]
    assert "Try it from step" in button.label and "Gradient penalty, around 1: 1" in said(app)
    assert "Likely cause: nothing bounds the critic" in said(app).replace("\\", "")


def test_longer_runs_get_more_pictures_and_none_fewer_than_the_default_or_more_than_allowed() -> None:
    from gantoys.runs import limits

    default = TrainConfig()
    assert frames_for(default.changed(steps=200)) == default.frames
    assert frames_for(default.changed(steps=10_000)) == limits.FRAMES
    counts = [frames_for(default.changed(steps=steps)) for steps in range(500, 9000, 500)]
    assert counts == sorted(counts) and counts[-1] > counts[0]
    # so many at 9.3 kB each: the film of the default run stays below 2 MB, its recording below 15 % of the time
    assert 140 <= frames_for(default) <= 165
    assert frames_for(default.changed(frames=400)) == frames_for(default)  # what was chosen before does not matter


def test_an_edit_keeps_the_number_of_pictures_that_somebody_chose_and_follows_the_run_else():
    default = TrainConfig()
    longer = default.changed(steps=6000)
    assert refilmed(default, longer).frames == frames_for(longer) > default.frames
    few = default.changed(frames=33)
    assert refilmed(few, few.changed(steps=6000)).frames == 33
    assert refilmed(default, default.changed(frames=50)).frames == 50
    assert refilmed(default, default.changed(lr_g=5e-3)) == default.changed(lr_g=5e-3)


def test_a_branch_follows_a_penalty_although_the_edited_run_would_have_more_pictures():
    shown = TrainConfig()
    draft = refilmed(shown, shown.changed(gp=0.5))
    assert draft.frames != shown.frames
    assert branch_fields(shown, draft) == {"gp": 0.5}


def test_the_lab_leads_to_the_eigenvalues_of_the_run_at_the_step_on_screen():
    app = opened(step="600")
    (link,) = [m.value for m in app.markdown if "dynamics?" in m.value]
    asked = dict(parse_qsl(link.partition("dynamics?")[2].rstrip(")")))
    state, problems = read(DynamicsState, asked)
    assert not problems and state.show == "lens"
    assert state.config == START and abs(state.at - 600) <= 30
