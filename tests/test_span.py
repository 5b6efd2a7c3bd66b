"""The axis of a film on the line: p_G is in the picture, the axis seldom moves, nothing is drawn that is not known."""

from dataclasses import replace

import numpy as np
import pytest
from films import line_film

from gantoys.pictures.compare import scene as compare_scene
from gantoys.pictures.compare_clock import Shot
from gantoys.pictures.compare_state import CompareState
from gantoys.pictures.film import film_scene
from gantoys.pictures.lab_seeds import seeds_scene
from gantoys.runs.config import TrainConfig
from gantoys.runs.film import GROWS, Film
from gantoys.runs.film_file import OUTER
from gantoys.runs.span import PART, PARTS, span
from gantoys.service.gif import LOOKS
from gantoys.service.gif_pictures import Line
from gantoys.training.record import View


@pytest.fixture(scope="module")
def far(tmp_path_factory) -> Film:
    """p_data at 6, p_G on its way from -4 to 0."""
    return line_film(tmp_path_factory.mktemp("far") / "far.film", toy="N(6,0.5)", frames=21)


@pytest.fixture(scope="module")
def near(tmp_path_factory) -> Film:
    return line_film(tmp_path_factory.mktemp("near") / "near.film", toy="T(0,2,2)")


def head(film: Film, count: int) -> Film:
    """The film while it had so many frames."""
    return replace(film, **{name: getattr(film, name)[:count] for name in GROWS})


def test_the_axis_is_the_grid_s_own_where_that_holds_the_generator(near: Film) -> None:
    assert near.samples.min() > near.room[0] and near.samples.max() < near.room[1]
    assert span([near]) == near.room


def test_the_generator_is_in_the_picture_in_every_frame(far: Film) -> None:
    low, high = span([far])
    inside = np.mean((far.samples[..., 0] >= low) & (far.samples[..., 0] <= high), axis=1)
    assert np.all(inside >= 0.96) and far.mesh.min() >= low  # 64 points: two of them are 0.03
    grid = far.room
    assert high == grid[1] and far.samples[0].max() < grid[0]  # it was not in the picture
    assert (grid[0] - low) / (PART * (grid[1] - grid[0])) in [pytest.approx(count) for count in PARTS]


def test_the_axis_grows_in_few_steps_and_never_shrinks_while_a_film_grows(tmp_path) -> None:
    film = line_film(tmp_path / "a.film", frames=101)
    gone = 400 * np.linspace(0, 1, len(film))[:, None, None]  # G runs away to the left
    film = replace(film, samples=film.samples - gone, mesh=film.mesh - gone)
    axes = [span([head(film, count)]) for count in range(1, len(film) + 1)]
    lows = np.array([low for low, _ in axes])
    assert np.all(np.diff(lows) <= 0) and len({high for _, high in axes}) == 1
    assert len(set(lows)) <= len(PARTS) <= len(film) // 5
    grid = film.room
    # so far, and no further: else p_data would be a line
    assert lows[-1] == pytest.approx(grid[0] - PARTS[-1] * PART * (grid[1] - grid[0])) and lows[-1] > film.samples.min()


def test_one_point_in_a_hundred_does_not_make_the_axis(near: Film) -> None:
    stray = near.samples.copy()
    stray[3, :2] = 500
    assert span([replace(near, samples=stray)]) == span([near])
    endless = near.samples.copy()
    endless[-1] = np.inf
    assert np.isfinite(span([replace(near, samples=endless)])).all()


@pytest.mark.parametrize("toy", ["bimodal", "N(6,0.5)", "heavy", "uniform"])
def test_a_film_knows_as_much_as_any_axis_can_show(toy: str) -> None:
    edges = View.of(TrainConfig(toy=toy, noise_dim=1)).edges
    low, high = edges[OUTER], edges[len(edges) - 1 - OUTER]
    most = PART * PARTS[-1] * (high - low)
    assert edges[0] < low - most and edges[-1] > high + most


def test_every_picture_of_a_film_on_the_line_has_that_axis(far: Film, tmp_path) -> None:
    ends = span([far])
    film = film_scene(far, 0, name="a", arrows=True, mesh=True)
    assert [(p.x.lo, p.x.hi) for p in film.panels if p.column == 0] == [ends] * 3
    several = replace(far, config=far.config.changed(seeds=2))
    other = replace(far, samples=far.samples - 10, mesh=far.mesh - 10)
    for panel in seeds_scene([several, other], 0, name="a").panels:
        assert (panel.x.lo, panel.x.hi) == span([far, other]) != ends
    shots = (Shot(far), Shot(other))
    runs = [panel for panel in compare_scene(CompareState(target="bimodal"), shots).panels if panel.row < 2]
    assert len(runs) == 4 and all((panel.x.lo, panel.x.hi) == span([far, other]) for panel in runs)
    painter = Line(far, 320, LOOKS["light"])
    assert (painter.low, painter.low + painter.wide) == pytest.approx(ends)
