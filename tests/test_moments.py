"""Slow motion: the moments of a step as frames of a film, their picture, and the lab that plays them."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from engine import equal, same_state, tiny
from films import cut, line_film
from streamlit.testing.v1 import AppTest

from gantoys.maths.losses import LOSSES
from gantoys.pictures.film import film_scene
from gantoys.pictures.film_moments import moments_scene
from gantoys.pictures.lab_state import write_run
from gantoys.runs import limits
from gantoys.runs.config import TrainConfig
from gantoys.runs.film import Film, read_new
from gantoys.runs.film_file import frame_fields, seen_count
from gantoys.runs.moments import D_MOVES, G_MOVES, SEES_FAKE, SEES_REAL, WHOLE, moments_of, schedule, slowed
from gantoys.runs.store import Store
from gantoys.stage.channels import Swept
from gantoys.stage.layers import Points, Text
from gantoys.stage.pack import pack
from gantoys.training.filming import record
from gantoys.training.game import Game
from gantoys.training.loop import Diverged, train
from gantoys.training.record import Frame

NEW = ("moment", "seen", "said", "told")


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


def change(step: int, field: str, value: Any) -> dict[str, Any]:
    return {"step": step, "field": field, "value": value}


# what makes a step another one: moves, order, losses of pairs, packs, noise, averages, both ways to a gradient
RUNS: dict[str, dict[str, Any]] = {
    "plain": {},
    "the line, many moves": {"toy": "bimodal", "noise_dim": 1, "d_steps": 3, "g_steps": 2, "loss": "relativistic"},
    "packs and noise": {"pac": 2, "instance_noise": 0.4, "instance_noise_steps": 30, "loss": "least-squares"},
    "simultaneous": {"order": "simultaneous", "loss": "relativistic", "instance_noise": 0.2},
    "consensus": {"order": "simultaneous", "consensus": 0.5, "activation": "tanh", "optimiser": "sgd"},
    "unrolled, compared": {"unrolled": 2, "minibatch_std": True},
    "batch norm, average": {"batch_norm": True, "ema": 0.9},
    "spectral norm, penalty": {"spectral_norm": True, "gp": 1.0},
    "three seeds": {"seeds": 3, "loss": "wasserstein", "clip": 0.1},
    "changes": {"changes": [change(21, "loss", "hinge"), change(22, "d_steps", 2), change(23, "g_steps", 0)]},
    "D alone": {"g_steps": 0, "d_steps": 2},
    "G alone": {"d_steps": 0},
}
every_run = pytest.mark.parametrize("name", RUNS)
BEGIN = 20


def slow_of(config: TrainConfig, begin: int = BEGIN, steps: int = 4) -> TrainConfig:
    return config.changed(steps=begin + steps, slow=begin)


def plain_of(config: TrainConfig, steps: int) -> TrainConfig:
    """The same run with a picture after each step."""
    return config.changed(steps=steps, frames=min(steps + 1, limits.FRAMES), cadence="even")


def frames_of(config: TrainConfig, **options: Any) -> list[tuple[Frame | Diverged, ...]]:
    return list(train(config, **options))


# --- which moments there are


def test_a_step_is_two_looks_and_a_move_for_each_move_of_d_and_then_the_moves_of_g() -> None:
    steps, moments = schedule(slow_of(tiny(d_steps=2), 5, 2))
    of_one = [SEES_REAL, SEES_FAKE, D_MOVES, SEES_REAL, SEES_FAKE, D_MOVES, G_MOVES]
    assert moments.tolist() == [WHOLE, *of_one, *of_one]
    # steps taken: the last moment of a step is the picture after it
    assert steps.tolist() == [5, 5, 5, 5, 5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7]
    assert slow_of(tiny(d_steps=2), 5, 2).recorded_steps().tolist() == steps.tolist()


def test_changes_on_the_way_change_the_moments() -> None:
    config = tiny(**RUNS["changes"])
    assert [len(moments_of(config, step)) for step in (20, 21, 22, 23)] == [4, 4, 7, 6]
    assert moments_of(tiny(d_steps=0), 0) == (G_MOVES,)


@pytest.mark.parametrize("d_steps", [1, 2, 5, 20])
def test_the_next_steps_are_as_many_as_one_likes_to_look_at(d_steps: int) -> None:
    parent = tiny(d_steps=d_steps, steps=1000, changes=[change(500, "lr_g", 0.1), change(900, "lr_g", 0.2)])
    config = slowed(parent, 500)
    assert config.slow == 500 and [c.step for c in config.changes] == [500]
    assert 1 <= config.steps - 500 <= 8 and len(config.recorded_steps()) <= 62
    assert slowed(parent, 1000).steps > 1000, "it goes on beyond the end"
    # a state of the run is one of its slow motion too
    assert config.training_digest(256) == parent.training_digest(256)


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"slow": 40}, "slow motion begins before the last step, 40"),
        ({"slow": 0, "steps": 5000}, "less than 400 steps before it"),
        ({"slow": 0, "steps": 399}, "takes 1597 pictures, at most 400"),
        ({"slow": -1}, "a whole number from 0"),
    ],
)
def test_too_much_slow_motion_is_refused_in_a_sentence(fields: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        tiny(**fields)


def test_without_slow_motion_nothing_is_new() -> None:
    assert "slow" not in tiny().canonical_json()
    assert not {f.name for f in frame_fields(tiny())} & set(NEW)
    assert {f.name for f in frame_fields(slow_of(tiny()))} - {f.name for f in frame_fields(tiny())} == set(NEW)


# --- what the engine shows


@every_run
def test_after_each_step_stands_the_frame_of_the_usual_film_bit_for_bit(name: str) -> None:
    slow = slow_of(tiny(**RUNS[name]))
    shown = frames_of(slow)
    usual = {frames[0].step: frames for frames in train(plain_of(tiny(**RUNS[name]), slow.steps))}
    steps, moments = schedule(slow)
    assert [frames[0].step for frames in shown] == steps.tolist()
    assert [int(frames[0].arrays["moment"]) for frames in shown] == moments.tolist()
    ends = [k for k in range(len(steps)) if k == 0 or steps[k] > steps[k - 1]]
    assert len(ends) == 5
    for k in ends:
        for ours, theirs in zip(shown[k], usual[steps[k]], strict=True):
            kept = {key: value for key, value in ours.arrays.items() if key not in NEW}
            assert equal(Frame(ours.step, kept), theirs)


@every_run
def test_d_looks_at_the_batch_that_is_drawn_and_says_what_the_network_of_that_moment_says(name: str) -> None:
    slow = slow_of(tiny(**RUNS[name]))
    twin = Game(slow)
    shown = iter(frames_of(slow))
    next(shown)
    loss = LOSSES[slow.loss]
    count = seen_count(slow)
    for step in range(slow.steps):
        if step < slow.slow:
            with torch.no_grad():
                twin.step()
            continue
        now = twin.now
        for k, move in enumerate(moments_of(slow, step)):
            frames, which = next(shown), k // 3
            if move not in (SEES_REAL, SEES_FAKE):
                assert all(not np.any(f.arrays[key]) for f in frames for key in ("seen", "said", "told"))
                continue
            drawn = twin.batches.for_d(now, step, which)
            if which == 0:
                with torch.no_grad():
                    if move == SEES_REAL:
                        points, noise = drawn.real, drawn.instance_real
                    else:
                        points = twin.g.network(twin.g.theta, drawn.z, twin.g.memory, learning=now.batch_norm)[0]
                        noise = drawn.instance_fake
                    points = points if noise is None else points + twin.noise() * noise
                    said = twin.d(points.reshape(len(frames), -1, slow.pac * slow.dim))[0].squeeze(-1)
                for i, frame in enumerate(frames):
                    np.testing.assert_allclose(frame.arrays["seen"], points[i, :count], rtol=1e-4, atol=1e-5)
                    if not (slow.spectral_norm or slow.minibatch_std):  # their D remembers, or compares
                        want = np.repeat(said[i].numpy(), slow.pac)[:count]
                        np.testing.assert_allclose(frame.arrays["said"], want, rtol=1e-3, atol=1e-4)
                        if now.loss in ("non-saturating", "hinge", "wasserstein", "relativistic"):
                            tells = now.loss == "non-saturating"
                            told = (torch.sigmoid(said[i].double()) if tells else said[i].double()).mean()
                            assert float(frame.arrays["told"]) == pytest.approx(float(told), abs=1e-4)
        with torch.no_grad():
            twin.step()
    assert loss.key == slow.loss and next(shown, None) is None


def test_a_run_that_fails_in_slow_motion_says_when_and_keeps_what_was_good() -> None:
    wild = tiny(lr_d=10.0, lr_g=10.0, optimiser="sgd", loss="wasserstein", steps=400)
    with pytest.raises(Diverged) as usual:
        frames_of(wild.changed(frames=2))
    step = usual.value.step
    begin = max(0, step - 3)
    shown = []
    with pytest.raises(Diverged) as slow:
        for frames in train(wild.changed(slow=begin, steps=begin + 8)):
            shown.append(frames)
    assert str(slow.value) == str(usual.value) and shown
    assert all(np.all(np.isfinite(a)) for (frame,) in shown for a in frame.arrays.values())
    assert all(frame.step < step for (frame,) in shown)


# --- the film and the way to it


def test_the_film_is_written_and_read_and_grows_like_any_other(tmp_path: Path) -> None:
    config = slow_of(tiny(d_steps=2))
    assert record(config, tmp_path / "a.film") == "done"
    film = Film.load(tmp_path / "a.film")
    steps, moments = schedule(config)
    assert film.step.tolist() == steps.tolist() and film.moment.tolist() == moments.tolist()
    shown = frames_of(config)
    for k, (frame,) in enumerate(shown):
        for name in NEW:
            assert np.array_equal(getattr(film, name)[k], np.asarray(frame.arrays[name], getattr(film, name).dtype))
    half = read_new(tmp_path / "a.film", 7)
    assert half.first == 7 and half.step.tolist() == steps[7:].tolist()
    begun = cut(film, 7)
    assert np.array_equal(begun.joined(half).seen, film.seen)


def test_it_goes_on_from_a_state_of_the_run_and_shows_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    parent = tiny(steps=700, frames=3)
    store = Store(tmp_path / "store")
    record(parent, tmp_path / "parent.film", store=store)
    config = slowed(parent, 520)
    taken: list[int] = []
    step, moments = Game.step, Game.moments
    monkeypatch.setattr(Game, "step", lambda game: (taken.append(game.taken), step(game))[1])
    record(config, tmp_path / "slow.film", store=store)
    assert taken == list(range(512, 520)), "only from the state before it, and no step twice"
    monkeypatch.setattr(Game, "moments", moments)
    record(config, tmp_path / "whole.film")
    ours, whole = Film.load(tmp_path / "slow.film"), Film.load(tmp_path / "whole.film")
    for name in ("step", "samples", "logits", "arrows", "loss_d", "grad_g", *NEW):
        assert np.array_equal(getattr(ours, name), getattr(whole, name)), name
    assert len(taken) == 8 + 520


def test_a_state_behind_the_beginning_is_refused_and_one_is_kept_when_it_is_stopped() -> None:
    config = slow_of(tiny())
    later = Game(config)
    with torch.no_grad():
        for _ in range(BEGIN + 1):
            later.step()
    with pytest.raises(ValueError, match="later than slow motion begins"):
        frames_of(config, start=later.state())
    kept: list[tuple[int, dict[str, np.ndarray]]] = []
    count = iter(range(100))
    shown = frames_of(
        config,
        should_stop=lambda: next(count) >= 5,
        keep=lambda step, state: kept.append((step, state)),
    )
    assert 1 < len(shown) < len(config.recorded_steps())
    ((step, state),) = kept
    twin = Game(config)
    with torch.no_grad():
        for _ in range(BEGIN):
            twin.step()
    assert step == BEGIN and same_state(state, twin.state())
    again = frames_of(config, start=state)
    assert len(again) == len(config.recorded_steps())
    assert all(equal(a, b) for (a,), (b,) in zip(again, shown, strict=False))


# --- the picture


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Film]:
    folder, found = tmp_path_factory.mktemp("slow"), {}
    configs = {
        "plane": slow_of(tiny(batch=64)),
        "line": slow_of(tiny(toy="bimodal", noise_dim=1, d_steps=2, batch=64)),
        "critic": slow_of(tiny(loss="wasserstein", gp=1.0, changes=[change(22, "loss", "non-saturating")])),
        "packs": slow_of(tiny(pac=2, loss="relativistic", seeds=2)),
        "simultaneous": slow_of(tiny(order="simultaneous")),
        "D alone": slow_of(tiny(g_steps=0)),
        "G alone": slow_of(tiny(toy="bimodal", d_steps=0)),
        "a law": slow_of(tiny(toy="bimodal", fake_law="N(0,1)", g_steps=0)),
    }
    for name, config in configs.items():
        record(config, folder / f"{name}.film")
        found[name] = Film.load(folder / f"{name}-0.film" if config.seeds > 1 else folder / f"{name}.film")
    return found


def rows(layer: Any, name: str) -> np.ndarray:
    value = getattr(layer, name)
    assert isinstance(value, Swept)
    return np.asarray(value.rows["moment"])


NAMES = ["plane", "line", "critic", "packs", "simultaneous", "D alone", "G alone", "a law"]


@pytest.mark.parametrize("name", NAMES)
def test_the_points_that_d_sees_are_large_and_coloured_by_what_it_says(films: dict[str, Film], name: str) -> None:
    film = films[name]
    picture = moments_scene(film, 2, name="a")
    assert pack(picture) and picture.controls[0].start == 2
    looks = np.isin(film.moment, (SEES_REAL, SEES_FAKE))
    judged = [p for p in picture.panels[1 if film.config.dim == 1 else 0].layers
              if isinstance(p, Points) and p.size > 3]  # fmt: skip
    assert len(judged) == 4
    shown = {role: sum(np.isfinite(rows(p, "x")) for p in judged if p.role == role) for role in ("real", "fake")}
    # each point once, in the moments when D looks, and in no other
    assert np.array_equal(shown["real"] + shown["fake"], np.repeat(looks[:, None], film.seen.shape[1], 1))
    blind = LOSSES[film.config.loss].neutral
    if film.tells:
        assert np.array_equal(shown["real"][looks] > 0, film.said[looks] >= blind)
    for p in judged:
        x = rows(p, "x")
        assert np.array_equal(x[np.isfinite(x)], film.seen[..., 0][np.isfinite(x)].astype(float))


@pytest.mark.parametrize("name", NAMES)
def test_the_words_are_those_of_the_moment_and_the_numbers_those_of_the_film(films: dict[str, Film], name: str) -> None:
    film = films[name]
    picture = moments_scene(film, 0, name="a")
    large = [w for panel in picture.panels for w in panel.layers if isinstance(w, Text) and w.size > 1.4]
    wanted = {SEES_REAL: "sees real", SEES_FAKE: "sees generated", D_MOVES: "*D* moves", G_MOVES: "*G* moves"}
    for k, moment in enumerate(film.moment):
        (now,) = [w.text for w in large if np.isfinite(rows(w, "x")[k])]
        assert wanted.get(int(moment), "Next") in now
    value = {r.key: np.asarray(r.value.rows["moment"]) for r in picture.readouts if isinstance(r.value, Swept)}
    assert np.array_equal(value["loss_d"][:-1], value["before_d"][1:])
    assert value["loss_g"] == pytest.approx(film.loss_g) and value["told"] == pytest.approx(film.told)
    # D and what it says stay as they are while it only looks; G's points while D moves
    still = np.isin(film.moment, (SEES_REAL, SEES_FAKE))
    assert np.array_equal(value["loss_d"][still], value["before_d"][still])
    d_moves = film.moment == D_MOVES
    if d_moves.any():
        assert np.array_equal(film.samples[d_moves], np.roll(film.samples, 1, 0)[d_moves])
        assert np.all(value["change"][d_moves] > 0)
    # what is drawn as the change of D is the difference of its surfaces around its last move
    last = np.flatnonzero(d_moves)
    if len(last):
        k = last[-1]
        difference = np.abs(film.surface[k].astype(float) - film.surface[k - 1]).max()
        assert value["change"][-1] == pytest.approx(difference)


def test_a_moment_is_named_by_its_step_and_by_which_of_several_moves_it_is(films: dict[str, Film]) -> None:
    names = moments_scene(films["line"], 0, name="a").controls[0].names
    assert names[0] == "20" and names[1:8] == (
        "21: D sees real, 1/2", "21: D sees fake, 1/2", "21: D moves, 1/2", "21: D sees real, 2/2",
        "21: D sees fake, 2/2", "21: D moves, 2/2", "21: G moves",
    )  # fmt: skip
    assert names[8] == "22: D sees real, 1/2"
    assert moments_scene(films["plane"], 0, name="a").controls[0].names[-1] == "24: G moves"
    assert film_scene(films["plane"], 0, name="a").key == "film-moments"


def test_only_a_film_in_slow_motion_is_shown_so(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not one in slow motion"):
        moments_scene(line_film(tmp_path / "a.film"), 0, name="a")


# --- the lab


def lab(**params: str) -> AppTest:
    app = AppTest.from_file(str(Path(__file__).parents[1] / "app.py"), default_timeout=60)
    app.run()
    app.switch_page("pages/lab.py")
    for key, value in params.items():
        app.query_params[key] = value
    app.run()
    assert not app.exception
    return app


def buttons(app: AppTest) -> dict[str, Any]:
    return {b.key: b for b in app.button}


def test_a_link_shows_stored_moments_and_trains_none() -> None:
    parent = tiny(seed=41, steps=30)
    record(parent, Store().path(parent))
    app = lab(run=write_run(parent), step="20", slow="1")
    assert "is not trained here yet" in " ".join(m.value for m in app.markdown)
    assert "slow-run:lab" not in app.session_state
    config = slowed(parent, 20)
    record(config, Store().path(config))
    app = lab(run=write_run(parent), step="20", slow="1", moment="5")
    assert "steps 21 to 28 of the same run" in " ".join(m.value for m in app.markdown)
    assert not buttons(app)["lab:slow-next"].disabled
    buttons(app)["lab:slow-back"].click().run()
    state = app.session_state["state:lab"]
    # after moment 5, the first of step 22, 21 steps have been taken
    assert not app.exception and not state.slow and (state.step, state.moment) == (21, 0)
    assert "lab:slow" in buttons(app)


def test_another_run_ends_the_slow_motion() -> None:
    app = lab(run=write_run(tiny(seed=42)), step="20", slow="1")
    (preset,) = [s for s in app.selectbox if s.key == "lab:menu:Preset"]
    preset.set_value("line").run()
    assert not app.exception and not app.session_state["state:lab"].slow
