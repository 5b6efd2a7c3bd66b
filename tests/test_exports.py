"""What people keep of a film, and a film opened again: each form is read back by something that did not write it."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import shlex
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from engine import TINY, tiny
from films import line_film, plane_film
from hypothesis import example, given
from hypothesis import strategies as st
from PIL import Image
from safetensors import numpy as safetensors
from streamlit.testing.v1 import AppTest

from gantoys.__main__ import main
from gantoys.maths.points import from_points
from gantoys.metrics import mode_report
from gantoys.pictures.film import film_scene
from gantoys.runs import limits
from gantoys.runs.config import TrainConfig
from gantoys.runs.film import Film, read_new
from gantoys.runs.presets import PRESETS, START
from gantoys.runs.store import Store
from gantoys.service import exports
from gantoys.service.weights import layout, stored_weights
from gantoys.stage.page import standalone
from gantoys.stage.scene import Scene
from gantoys.training.game import Game
from gantoys.training.loop import train
from gantoys.training.networks import discriminator_network, generator_network
from gantoys.training.record import Recorder
from gantoys.ui import downloads as ui

ARRAYS = ("step", "samples", "arrows", "logits", "mesh", "density", "real", "grid_x", *exports.FIGURES)


def table(text: str) -> tuple[list[str], np.ndarray]:
    names, *rows = csv.reader(io.StringIO(text, newline=""))
    return names, np.array([[float(cell or "nan") for cell in row] for row in rows])


# --- the film itself ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [line_film, plane_film])
def test_a_kept_film_opens_again_as_it_was(tmp_path: Path, make: Any) -> None:
    film = make(tmp_path / "a.film", seed=3, seeds=2)
    again = exports.open_film(exports.film_bytes(film))
    assert (again.config, again.member, again.status, again.message) == (film.config, 0, "done", "")
    assert all(np.array_equal(getattr(again, name), getattr(film, name)) for name in ARRAYS)
    assert np.allclose(again.seconds, film.seconds, atol=1e-4)  # wall times are kept to a tenth of a millisecond
    assert exports.film_bytes(again) == (tmp_path / "a.film").read_bytes()


def test_a_film_that_still_grows_is_kept_as_a_stopped_one(tmp_path: Path) -> None:
    plane_film(tmp_path / "a.film")
    data = (tmp_path / "a.film").read_bytes()
    (tmp_path / "growing").write_bytes(data[: int(len(data) * 0.7)])
    growing = read_new(tmp_path / "growing")
    assert growing.status == "running" and 0 < len(growing) < 6
    again = exports.open_film(exports.film_bytes(growing))
    assert again.status == "stopped" and f"step {growing.step[-1]}" in again.message
    assert np.array_equal(again.samples, growing.samples)
    with pytest.raises(ValueError, match="lacks its first 2 frames"):
        exports.film_bytes(read_new(tmp_path / "a.film", 2))


def test_an_uploaded_file_that_is_no_whole_film_is_refused_in_one_sentence(tmp_path: Path) -> None:
    plane_film(tmp_path / "a.film")
    data = (tmp_path / "a.film").read_bytes()
    flipped = data[:-3000] + bytes([data[-3000] ^ 1]) + data[-2999:]
    header = data.replace(b'"member":0', b'"member":7')
    for bad, words in (
        (b"", "not a film"),
        (b"x,y\n1,2\n", "not a film"),
        (b"PK\x03\x04" + bytes(500), "not a film"),
        (data[:9], "cut short"),
        (data[:40], "cut short"),
        (data[: len(data) // 2], "cut short"),
        (data[:-1], "cut short"),
        (data + b"more", "damaged"),
        (flipped, "checksum"),
        (header, "checksum"),
        (data[:8] + b"\xff\xff\xff\x7f" + data[12:], "claims"),
        (bytes(exports.OPEN_BYTES + 1), "16,777,217 bytes"),
    ):
        with pytest.raises(ValueError, match=words) as caught:
            exports.open_film(bad)
        assert "\n" not in str(caught.value) and "/" not in str(caught.value).replace("gantoys/", "")


def test_the_largest_film_that_a_config_allows_can_be_opened() -> None:
    config = TrainConfig(frames=limits.FRAMES, grid=limits.GRID, shown=limits.SHOWN)
    frame = sum(field.size for field in exports.frame_fields(config))
    assert frame * limits.FRAMES + 400_000 < exports.OPEN_BYTES < limits.FILM_BYTES


# --- pictures and tables --------------------------------------------------------------------------------------------


def test_the_gif_is_a_moving_picture_of_the_asked_width(tmp_path: Path) -> None:
    data = exports.gif_bytes(plane_film(tmp_path / "a.film"), size=160, frames=3)
    with Image.open(io.BytesIO(data)) as image:
        assert (image.format, image.width, image.n_frames) == ("GIF", 160, 3)  # type: ignore[attr-defined]


@pytest.mark.parametrize(("make", "names"), [(line_film, ["x"]), (plane_film, ["x", "y"])])
def test_samples_are_those_of_the_newest_frame_at_or_before_the_step(
    tmp_path: Path, make: Any, names: list[str]
) -> None:
    film = make(tmp_path / "a.film")
    k = 2
    for step in (int(film.step[k]), int(film.step[k + 1]) - 1):
        head, rows = table(exports.samples_csv(film, step))
        assert head == names and np.array_equal(rows.astype(np.float16), film.samples[k])
    assert exports.frame_at(film, 10**9) == len(film) - 1 and exports.frame_at(film, 0) == 0
    with pytest.raises(ValueError, match="no picture"):
        exports.frame_at(read_new(tmp_path / "a.film", 6), 3)


def test_the_table_of_figures_holds_each_frame_and_the_modes(tmp_path: Path) -> None:
    film = plane_film(tmp_path / "a.film")
    names, rows = table(exports.figures_csv(film))
    assert names == ["step", *exports.FIGURES, "seconds", "modes_covered", "high_quality"]
    for name in ("step", "js", "value", "grad_g"):
        assert np.array_equal(rows[:, names.index(name)].astype(np.float32), getattr(film, name))
    report = mode_report(film.samples[-1], film.config.target())
    assert rows[-1, -2:].tolist() == [report.modes, report.quality] and rows[0, -2] != rows[-1, -2]
    moons = plane_film(tmp_path / "b.film", toy="moons")
    assert "modes_covered" not in exports.figures_csv(moons)  # no modes are defined for it


@given(st.lists(st.text(max_size=12), min_size=1, max_size=4))
@example(["=cmd()", " +1", "-x", "@sum", "\tx", "\rx", "plain"])
def test_no_text_in_a_table_begins_as_a_formula(cells: list[str]) -> None:
    cells = [cell.replace("\x00", "") for cell in cells]
    (row,) = list(csv.reader(io.StringIO(exports.csv_text(cells, []), newline="")))
    assert len(row) == len(cells)
    for written, cell in zip(row, cells, strict=True):
        assert not written.lstrip().startswith(("=", "+", "-", "@")) and not written.startswith(("\t", "\r"))
        assert written.removeprefix("'") == cell.removeprefix("'")


def test_numbers_stay_numbers_and_give_back_the_same() -> None:
    values = np.array([[-1.5, 0.1], [1e-30, 65504.0]], np.float32)
    _, rows = table(exports.csv_text("xy", values))
    assert np.array_equal(rows.astype(np.float32), values)
    assert exports.csv_text(["x"], [[-2]]).endswith("-2\r\n")


# --- the config and the command that repeats it -----------------------------------------------------------------------

CONFIGS = {
    "default": TrainConfig(),
    "line": TrainConfig(toy="0.5*N(-2,0.5)+0.5*N(2,0.5)", noise_dim=1, steps=70, loss="wasserstein", gp=10.0),
    "seeds": TrainConfig(seed=4, seeds=3, width=32, activation_d="tanh", lr_d=1e-5, batch_norm=True),
    "seed": TrainConfig(seed=11),
    "changes": TrainConfig(steps=500).branched(100, lr_g=1e-4, loss="hinge").branched(300, feature_matching=True),
    "points": TrainConfig(toy=str(from_points(np.random.default_rng(1).normal(size=(900, 2))))),
    **{key: row.config for key, row in PRESETS.items()},
}


@pytest.mark.parametrize("name", CONFIGS)
def test_the_config_as_json_is_read_back_as_the_same(name: str) -> None:
    text = exports.config_json(CONFIGS[name])
    assert TrainConfig.read(text) == CONFIGS[name] and set(json.loads(text)) == set(TrainConfig.model_fields)


@pytest.mark.parametrize("name", CONFIGS)
def test_the_command_line_trains_the_same_config(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[TrainConfig, Path]] = []

    def caught(config: TrainConfig, path: Path, *_: Any, **__: Any) -> list[Film]:
        asked.append((config, path))
        raise ValueError("enough")

    monkeypatch.setattr("gantoys.commands.train.train_to_file", caught)
    words = shlex.split(exports.command_line(CONFIGS[name], "my films/a b.film"))
    assert words[:2] == ["gantoys", "train"] and main(words[1:]) == 2
    assert asked == [(CONFIGS[name], Path("my films/a b.film"))]


def test_the_command_line_names_only_what_differs_and_quotes_it() -> None:
    assert exports.command_line(TrainConfig(lr_g=0.01)) == (
        "gantoys train --toy 'ring(8,radius=2,std=0.1)' --set lr_g=0.01 --film again.film"
    )
    assert shlex.split(exports.command_line(TrainConfig(), "$(x); 'y'.film"))[-1] == "$(x); 'y'.film"


# --- on the page ------------------------------------------------------------------------------------------------------

APP = str(Path(__file__).parent / "browser" / "apps" / "target_demo.py")


@pytest.fixture
def app() -> AppTest:
    app = AppTest.from_file(APP, default_timeout=30)
    app.query_params["show"] = "film"
    return app


def test_the_buttons_are_there_and_nothing_is_made_before_one_is_pressed(
    app: AppTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    def early(*_: Any) -> str:
        raise AssertionError("made too early")

    monkeypatch.setattr(ui, "FORMS", {key: dataclasses.replace(form, make=early) for key, form in ui.FORMS.items()})
    monkeypatch.setattr(ui, "stored_weights", early)
    app.run()
    assert not app.exception
    assert [button.label for button in app.get("download_button")] == [form.label for form in ui.FORMS.values()]
    assert app.code[0].value == exports.command_line(START)


def test_a_form_whose_library_is_missing_cannot_be_asked_for(app: AppTest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ui.mp4, "available", lambda: False)
    app.run()
    video = next(button for button in app.get("download_button") if button.label == "Video (MP4)")
    assert video.proto.disabled and "not installed" in video.proto.help
    assert sum(button.proto.disabled for button in app.get("download_button")) == 1


@pytest.mark.parametrize("key", ui.FORMS)
def test_each_form_is_made_of_a_film(tmp_path: Path, key: str) -> None:
    film, form = plane_film(tmp_path / "a.film"), ui.FORMS[key]
    data = form.make(film, int(film.step[2]))
    begins = {"gif": b"GIF89a", "page": b"<!doctype html>", "film": b"GANFILM", "points": b"x,y", "figures": b"step,"}
    data = data.encode() if isinstance(data, str) else data
    assert data[4:8] == b"ftyp" if key == "mp4" else data.startswith(begins.get(key, b"{"))


def test_a_page_shows_the_views_that_were_asked_for(tmp_path: Path) -> None:
    film = plane_film(tmp_path / "a.film")
    made: list[Scene] = []

    def scene() -> Scene:
        made.append(film_scene(film, 0, name="a", arrows=True, mesh=True))
        return made[-1]

    later = ui._with(scene, film)
    assert not made  # nothing is computed before it is asked for
    assert later() == standalone(made[0], title=f"A GAN learns {film.config.toy}")
    assert later() != ui.FORMS["page"].make(film, 0)


def test_a_costly_file_is_made_once_for_equal_films_and_anew_for_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[Film] = []
    form = ui.Form("gif", "", "gif", "", lambda film, _: bytes([len(made)]) * (made.append(film) or 9_000_000), True)
    film, forged = plane_film(tmp_path / "a.film"), plane_film(tmp_path / "b.film")
    twin = Film.load(tmp_path / "a.film")
    forged = dataclasses.replace(forged, samples=forged.samples + np.float16(1))  # equal config, other points
    try:
        first = ui._later(form, film, 0)()
        assert ui._later(form, twin, 0)() is first and made == [film]
        assert ui._later(form, forged, 0)() != first and made == [film, forged]
        ui._later(form, plane_film(tmp_path / "c.film", seed=1), 0)()
        assert sum(map(len, ui._made.values())) <= ui.KEPT_BYTES
        assert ui._later(form, film, 0)() is not first  # the oldest had to go
    finally:
        ui._made.clear()


def test_an_uploaded_film_is_opened_and_a_bad_one_named(app: AppTest, tmp_path: Path) -> None:
    plane_film(tmp_path / "a.film")
    data = (tmp_path / "a.film").read_bytes()
    app.run().file_uploader[0].set_value(("x.pt", data, "")).run()
    assert not app.exception and app.text[0].value == "opened 6"
    for bad, words in ((data[:-1], "cut short"), (b"\x80\x04" + data, "not a film"), (b"", "not a film")):
        app.file_uploader[0].set_value(("../\x00<b>.film", bad, "")).run()
        assert not app.exception and words in app.warning[0].value and app.text[0].value == "opened -"
    app.file_uploader[0].set_value(("y.film", data, "")).run()
    assert not app.warning and app.text[0].value == "opened 6"


def test_a_disk_that_takes_nothing_is_told_in_one_sentence(
    app: AppTest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plane_film(tmp_path / "a.film")

    def full(**_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(exports, "tempfile", SimpleNamespace(TemporaryDirectory=full))
    app.run().file_uploader[0].set_value(("a.film", (tmp_path / "a.film").read_bytes(), "")).run()
    assert not app.exception and app.text[0].value == "opened -"
    said = app.warning[0].value.replace("\\", "")
    assert said == "The film cannot be opened here: No space left on device. What is on screen stays."


def test_weights_are_offered_where_the_store_has_them(
    app: AppTest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store(tmp_path)
    monkeypatch.setattr(ui, "service", lambda: SimpleNamespace(store=store))
    app.run().button(key="keep:look").click().run()
    assert any("None are kept" in caption.value for caption in app.caption)
    store.keep(START, range(1), 7, Game(START).state(), 0.0)
    app.button(key="keep:look").click().run()
    assert not app.exception
    assert app.get("download_button")[-1].label == "Weights after step 7 (safetensors)"


# --- the networks ---------------------------------------------------------------------------------------------------

PLAYERS: tuple[dict[str, Any], ...] = (
    {},
    {"toy": "N(0,1)", "noise_dim": 1, "layers": 1},
    {"width": 3, "width_d": 9, "layers": 3, "layers_d": 1, "pac": 2, "noise_dim": 5},
    {"batch_norm": True, "spectral_norm": True, "ema": 0.9},
    {"layers": 0, "minibatch_kernels": 4, "minibatch_dims": 2, "minibatch_std": True, "spectral_norm": True},
    {"layers": 2, "layers_d": 0},
    {"maxout": 3, "minibatch_kernels": 4, "minibatch_dims": 2, "minibatch_std": True},
)


@pytest.mark.parametrize("fields", PLAYERS)
def test_the_layout_of_the_players_is_that_of_the_engine(fields: dict[str, Any]) -> None:
    config = tiny(**fields)
    for player, network in (("g", generator_network(config)), ("d", discriminator_network(config))):
        assert layout(config, player) == tuple((e.name, e.rows, e.columns) for e in network.entries)


@pytest.mark.parametrize("fields", PLAYERS)
def test_kept_matrices_are_the_engines_seed_by_seed(tmp_path: Path, fields: dict[str, Any]) -> None:
    config, store = tiny(**fields, seeds=2, seed=5), Store(tmp_path)
    game = Game(config)
    for _ in range(3):
        game.step()
    store.keep(config, range(2), 3, game.state(), 0.1)
    for member in range(2):
        kept = stored_weights(store, config, member, 7)
        assert kept is not None and kept.step == 3 and kept.meta["seed"] == str(5 + member)
        read = safetensors.load(kept.to_bytes())
        expected = {f"{who}.{k}": v for who, p in (("g", game.g), ("d", game.d)) for k, v in p.memory.items()}
        for who, player in (("g", game.g), ("d", game.d)):
            expected |= {f"{who}.{k}": v for k, v in player.network.views(player.theta).items()}
        if game.average is not None:
            expected |= {f"g_average.{k}": v for k, v in game.g.network.views(game.average).items()}
        assert set(read) == set(expected)
        assert all(np.array_equal(read[name], expected[name][member].numpy()) for name in read)


def test_the_kept_generator_makes_the_points_of_the_film(tmp_path: Path) -> None:
    config, store = TrainConfig.build(TINY | {"steps": 256, "frames": 2}), Store(tmp_path)

    def keep(step: int, arrays: Any) -> None:
        store.keep(config, range(1), step, arrays, 0.0)

    *_, (last,) = train(config, keep=keep)
    kept = stored_weights(store, config, 0, 256)
    assert kept is not None and kept.step == 256
    w, x = kept.tensors, Recorder(Game(config)).noise[0].numpy()
    for k in range(config.layers):
        x = x @ w[f"g.w{k}"] + w[f"g.b{k}"]
        x = np.where(x > 0, x, 0.2 * x)
    x = x @ w[f"g.w{config.layers}"] + w[f"g.b{config.layers}"]
    # single precision on both sides, and the film keeps half precision at most
    shown = np.asarray(last.arrays["samples"], float)  # type: ignore[union-attr]
    assert np.allclose(x[: len(shown)], shown, atol=2e-3)
    assert np.ptp(x) > 0.1


def test_weights_that_are_not_there_or_do_not_fit_are_not_given(tmp_path: Path) -> None:
    config, store = tiny(), Store(tmp_path)
    assert stored_weights(store, config, 0, 40) is None
    state = Game(config).state()
    store.keep(config, range(1), 8, state, 0.0)
    assert stored_weights(store, config, 0, 7) is None
    with pytest.raises(IndexError, match="number 1"):
        stored_weights(store, config, 1, 8)
    for bad in (
        state | {"g-theta": state["g-theta"][:-1]},
        state | {"d-theta": np.full_like(state["d-theta"], np.nan)},
        {"step": state["step"]},
    ):
        store.keep(config, range(1), 9, bad, 0.0)
        with pytest.raises(ValueError, match="stored state"):
            stored_weights(store, config, 0, 9)
