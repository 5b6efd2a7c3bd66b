"""Every view of every kind of film, whatever part of the film the browser holds already."""

from itertools import product
from typing import Any

import numpy as np
import pytest
from films import line_film, plane_film

from gantoys.maths.points import from_points
from gantoys.pictures.compare import scene as compare_scene
from gantoys.pictures.compare_clock import Shot
from gantoys.pictures.compare_state import CompareState
from gantoys.pictures.film import film_scene
from gantoys.pictures.lab import lab_scene
from gantoys.pictures.lab_seeds import seeds_scene
from gantoys.pictures.lab_state import LabState
from gantoys.runs.film import Film
from gantoys.stage.pack import pack, unpack
from gantoys.stage.scene import Scene

HEART = np.array([[0.0, 0.0], [1.0, 1.0], [-1.0, 1.0], [0.5, 1.5], [-0.5, 1.5]])
BELOW = LabState.model_fields["below"].annotation.__args__
# name: maker, fields. With modes and without, with a D that tells a ratio and without, exact and estimated, of a law.
KINDS: dict[str, tuple[Any, dict[str, Any]]] = {
    "line": (line_film, {}),
    "line, a critic": (line_film, {"loss": "wasserstein"}),
    "line, no modes": (line_film, {"toy": "uniform"}),
    "line, points": (line_film, {"toy": str(from_points(HEART[:, 0])), "noise_dim": 3}),
    "line, a law": (line_film, {"toy": "N(1,1)", "fake_law": "N(-1,1)", "g_steps": 0}),
    "plane": (plane_film, {}),
    "plane, a critic": (plane_film, {"loss": "hinge"}),
    "plane, many modes": (plane_film, {"toy": "grid"}),
    "plane, no modes": (plane_film, {"toy": "moons"}),
    "plane, a critic, no modes": (plane_film, {"toy": "circles", "loss": "wasserstein"}),
    "plane, a law": (plane_film, {"toy": "ring", "fake_law": "N([0,0],1)", "g_steps": 0}),
}


@pytest.fixture(scope="module")
def films(tmp_path_factory) -> dict[str, Film]:
    folder = tmp_path_factory.mktemp("films")
    return {kind: make(folder / f"{k}.film", **fields) for k, (kind, (make, fields)) in enumerate(KINDS.items())}


def rows(value: Any) -> np.ndarray:
    (only,) = value.rows.values()
    return np.asarray(only)


def holds_the_same(whole: Scene, part: Scene, behind: int) -> None:
    """Of all that moves `part` has the frames of `whole` from `behind` on, and it can be sent."""
    pairs = list(zip(whole.sweeps(), part.sweeps(), strict=True))
    assert pairs and part.append_from == (behind or None)
    for (name, all_rows), (same, new_rows) in pairs:
        assert name == same
        np.testing.assert_array_equal(rows(all_rows)[behind:], rows(new_rows))
    sent, _ = unpack(pack(part))
    assert sent["append_from"] == (behind or None)


def parts_of(count: int) -> tuple[int, ...]:
    return (0, 1, count - 1, count)


@pytest.mark.parametrize("kind", KINDS)
def test_every_view_of_a_film_can_be_sent_whatever_the_browser_has(films: dict[str, Film], kind: str) -> None:
    film = films[kind]
    for below, arrows, mesh in product(BELOW, (False, True), (False, True)):
        state = LabState(step=40, below=below, arrows=arrows, mesh=mesh)
        whole = lab_scene(film, state, name="test")
        for behind in parts_of(len(film)):
            holds_the_same(whole, lab_scene(film, state, name="test", behind=behind), behind)


@pytest.mark.parametrize("kind", KINDS)
def test_the_film_of_the_start_page_too(films: dict[str, Film], kind: str) -> None:
    whole = film_scene(films[kind], 0, name="test")
    for behind in parts_of(len(films[kind])):
        holds_the_same(whole, film_scene(films[kind], 0, name="test", behind=behind), behind)


@pytest.mark.parametrize("make", [line_film, plane_film])
@pytest.mark.parametrize("fields", [{}, {"loss": "wasserstein"}])
def test_seeds_side_by_side_can_be_sent_whatever_the_browser_has(tmp_path, make, fields) -> None:
    film = make(tmp_path / "a.film", seeds=3, **fields)
    for films in ((film, film, None), (film, film, film)):
        whole = seeds_scene(films, 0, name="test")
        for behind in parts_of(len(film)):
            holds_the_same(whole, seeds_scene(films, 0, name="test", behind=behind), behind)


@pytest.mark.parametrize("target", ["ring", "bimodal", "moons"])
def test_runs_side_by_side_can_be_sent_whatever_the_browser_has(tmp_path, target) -> None:
    state = CompareState(target=target, b="ema", c="wasserstein")
    make = line_film if target == "bimodal" else plane_film
    one = make(tmp_path / "a.film", toy=state.target)
    other = make(tmp_path / "b.film", toy=state.target, loss="wasserstein")
    for shots in ((Shot(one), Shot(), Shot(other)), (Shot(one), Shot(one, True), Shot(other))):
        whole = compare_scene(state, shots)
        count = len(whole.control("step").values)
        for behind in parts_of(count):
            holds_the_same(whole, compare_scene(state, shots, behind=behind), behind)
