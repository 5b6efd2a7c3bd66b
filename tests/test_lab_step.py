"""One more step in the lab: the picture that is added to a film is the run's own, and the page stays where it is."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from gantoys.lessons import load
from gantoys.pictures.lab_state import LabState, write_run
from gantoys.runs.config import TrainConfig
from gantoys.runs.film import Film
from gantoys.runs.film_file import frame_fields
from gantoys.runs.store import Store
from gantoys.service import exports
from gantoys.service.job import Status
from gantoys.training.filming import record
from gantoys.ui.frame import Page
from gantoys.ui.lab_films import Screen
from gantoys.ui.lab_player import Player
from gantoys.ui.lab_step import next_step, with_step

APP = str(Path(__file__).parents[1] / "app.py")
TINY: dict[str, Any] = {
    "width": 6, "batch": 8, "steps": 12, "frames": 4, "cadence": "even", "grid": 6, "shown": 32, "layers": 1,
}  # fmt: skip
RUNS: dict[str, dict[str, Any]] = {
    "plane": {},
    "line": {"toy": "bimodal", "noise_dim": 1},
    "changed on the way": {"changes": [{"step": 4, "field": "lr_g", "value": 0.01}]},
    "averaged": {"ema": 0.9},
}


def tiny(**fields: Any) -> TrainConfig:
    return TrainConfig.build(TINY | fields)


def filmed(config: TrainConfig, folder: Path) -> Film:
    path = folder / f"{config.digest()}.film"
    record(config, path)
    return Film.load(path)


@pytest.mark.parametrize("name", RUNS)
def test_the_picture_that_is_added_is_the_one_of_that_step(name: str, tmp_path: Path) -> None:
    config = tiny(seed=3, **RUNS[name])
    every = filmed(config.changed(frames=13), tmp_path)  # the same run with a picture of each step
    film = filmed(config, tmp_path)
    assert film.step.tolist() == [0, 4, 8, 12]
    grown = with_step(film, filmed(next_step(config, 4), tmp_path))
    grown = with_step(grown, filmed(next_step(config, 5), tmp_path))
    assert grown.step.tolist() == [0, 4, 5, 6, 8, 12] and grown.config == config and len(grown.seconds) == 6
    for field in frame_fields(config):
        ours, theirs = getattr(grown, field.name), getattr(every, field.name)
        np.testing.assert_array_equal(ours, theirs[grown.step.astype(int)], err_msg=field.name)
    again = exports.open_film(exports.film_bytes(grown))  # what is kept of it is the run's own film
    assert again.step.tolist() == film.step.tolist()


def test_a_step_that_is_there_stays_and_one_of_another_run_is_refused(tmp_path: Path) -> None:
    config = tiny(seed=5, frames=13)
    film, slow = filmed(config, tmp_path), filmed(next_step(config, 4), tmp_path)
    assert with_step(film, slow) is film
    moved = film.samples.copy()
    moved[4] += 0.5
    for other in (replace(film, samples=moved), filmed(tiny(seed=6), tmp_path)):
        with pytest.raises(ValueError, match="made on another machine"):
            with_step(other, slow)


# --- the page -----------------------------------------------------------------------------------------------------


def stored(config: TrainConfig) -> TrainConfig:
    """The config, whose film the store now has."""
    if not Store().has(config):
        record(config, Store().path(config))
    return config


def lab(**params: str) -> AppTest:
    app = AppTest.from_file(APP, default_timeout=60).run()
    app.session_state["more:lab"] = True
    app.switch_page("pages/lab.py")
    for key, value in params.items():
        app.query_params[key] = value
    app.run()
    assert not app.exception
    return app


def at(app: AppTest, what: str) -> Any:
    """What the lab keeps in the session under a name."""
    return app.session_state[f"{what}:lab"]


def button(app: AppTest, key: str) -> Any:
    (found,) = [b for b in app.button if b.key == key]
    return found


def field(app: AppTest, name: str) -> Any:
    widgets = [*app.number_input, *app.text_input, *app.selectbox, *app.toggle]
    (found,) = [w for w in widgets if re.fullmatch(rf"lab:form:{name}(:\d+)?", w.key or "")]
    return found


def said(app: AppTest) -> str:
    return " ".join(m.value for m in app.markdown).replace("\\", "")


def test_one_step_and_another_go_on_from_the_step_on_screen() -> None:
    config = stored(tiny(seed=21))
    for step in (4, 5):
        stored(next_step(config, step))
    app = lab(run=write_run(config), step="4")
    for step in (5, 6):
        button(app, "lab:one-step").click().run()
        assert not app.exception and at(app, "state").step == step and at(app, "state").config == config
        assert step in at(app, "screen").films[0].step and app.query_params["step"] == str(step)
        assert button(app, "lab:branch").label == f"Branch at step {step:,}"
    assert "Trained: 12 steps" in said(app)  # it is the run that it was


def test_a_step_whose_picture_is_there_needs_no_training(monkeypatch: pytest.MonkeyPatch) -> None:
    config = stored(tiny(seed=22, frames=13))
    app = lab(run=write_run(config), step="7")
    monkeypatch.setattr("gantoys.ui.lab_step.ask", lambda *_, **__: pytest.fail("it was trained again"))
    button(app, "lab:one-step").click().run()
    assert not app.exception and at(app, "state").step == 8


def test_a_film_that_plays_is_at_no_step_and_one_that_stands_names_it() -> None:
    config = stored(tiny(seed=23))
    app = lab(run=write_run(config), step="8")
    assert button(app, "lab:branch").label == "Branch at step 8" and not button(app, "lab:only-d").disabled
    app.session_state["moving:lab"] = True  # what the stage reports once somebody presses its button
    app.run()
    assert button(app, "lab:branch").label == "Branch here"
    assert all(button(app, f"lab:{key}").disabled for key in ("branch", "only-d", "only-g", "one-step", "slow"))
    fresh = lab(run=write_run(config))  # it plays from the beginning
    assert button(fresh, "lab:slow").disabled


class Underway:
    """A run that trains and trains."""

    def __init__(self, config: TrainConfig) -> None:
        self.config = config

    def status(self) -> Status:
        return Status("running")

    def leave(self) -> None:
        self.config = TrainConfig()


def test_until_a_branch_has_come_to_its_step_the_run_that_it_leaves_stays_on_screen(tmp_path: Path) -> None:
    config = tiny(seed=24)
    film, branch = filmed(config, tmp_path), config.branched(8, g_steps=0)
    page = Page(load("lab"), LabState, False)
    st.session_state["state:lab"] = LabState(run=write_run(branch), step=8)
    kept = {"followed": write_run(branch), "run": Underway(branch), "goal": 8, "before": Screen(config, (film,), 1)}
    for name, value in kept.items():
        page.put(name, value)
    other = filmed(branch, tmp_path)
    for frames, whose in ((0, film), (2, film), (3, other), (4, other)):
        part = replace(other, **{f.name: getattr(other, f.name)[:frames] for f in frame_fields(branch)})
        page.put("screen", Screen(branch, (part if frames else None,), 2))
        player = Player(page)
        shown = player.shown.films[0]
        assert shown is not None and shown.config == whose.config and player.step == 8, frames
        assert player.ready is (whose is other)
    page.put("screen", Screen(branch, (None,), 2))
    Player(page).pause()
    assert Player(page).screen.films == (film,)  # back to what was there
    st.session_state.clear()


def test_other_data_take_the_old_data_off_the_screen_and_other_settings_do_not() -> None:
    config = stored(tiny(seed=25))
    app = lab(run=write_run(config), step="8")
    field(app, "lr_g").set_value(0.01).run()
    assert at(app, "screen").begun and "On screen is the run before your change" in said(app)
    field(app, "toy").set_value("moons").run()
    assert not at(app, "screen").begun and at(app, "screen").config.toy == "moons(std=0.1)"
    assert "Nothing is trained here yet." in said(app)
    field(app, "toy").set_value(config.toy).run()
    field(app, "lr_g").set_value(config.lr_g).run()
    assert at(app, "screen").begun and "Trained: 12 steps" in said(app)


def test_a_target_with_a_slip_stays_to_be_mended() -> None:
    app = lab()
    before = at(app, "state")
    field(app, "toy").set_value("rnig(8)").run()
    assert field(app, "toy").value == "rnig(8)" and at(app, "state") == before
    (error,) = app.error
    assert "rnig" in error.value
    field(app, "toy").set_value("ring(6)").run()
    assert not app.error and at(app, "state").config.toy.startswith("ring(6")
    assert field(app, "toy").value == at(app, "state").config.toy


def test_train_this_means_the_settings_in_force_and_nothing_else(tmp_path: Path) -> None:
    config = tiny(seed=26)
    film = filmed(config, tmp_path)
    part = replace(film, status="stopped", **{f.name: getattr(film, f.name)[:2] for f in frame_fields(config)})
    app = lab(run=write_run(config))
    app.session_state["screen:lab"] = Screen(config, (part,), 1)
    app.run()
    assert "Paused at step 4 of 12; what is there can be scrubbed, and *Train this* goes on." in said(app)
    field(app, "width").set_value(8).run()
    words = said(app)
    assert "Paused at step 4 of 12; what is there can be scrubbed. On screen is the run before your change" in words
    assert "*Train this* makes it from the first step on" in words and "*Train this* goes on" not in words


def test_the_way_back_from_a_branch_leads_to_the_run_that_was_edited(monkeypatch: pytest.MonkeyPatch) -> None:
    config = stored(tiny(seed=27))
    app = lab(run=write_run(config), step="8")
    field(app, "lr_g").set_value(0.02).run()
    edited = app.query_params["run"]
    button(app, "lab:branch").click().run()
    branch = config.branched(8, lr_g=0.02)
    assert at(app, "state").config == branch
    monkeypatch.setattr("gantoys.ui.frame._by_history", lambda: True)
    app.query_params["run"] = edited  # what the browser's Back asks for
    app.run()
    assert not app.exception and at(app, "screen").config == config and at(app, "screen").begun
    assert "Learning rate of G 0.001 → 0.02" in said(app)


def test_the_lesson_s_advice_to_look_at_more_seeds_can_be_followed() -> None:
    app = lab()
    for seeds in (4, 16):
        field(app, "seeds").set_value(seeds).run()
        assert at(app, "state").config.seeds == seeds and "choose fewer" not in said(app)
