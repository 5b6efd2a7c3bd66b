"""The axis of a film on the line: p_G is in the picture, the axis seldom moves, nothing is drawn that is not known."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from films import line_film

from gantoys.pictures.compare import scene as compare_scene
from gantoys.pictures.compare_clock import Shot
from gantoys.pictures.compare_state import CompareState
from gantoys.pictures.film import film_scene
from gantoys.pictures.lab_seeds import seeds_scene
from gantoys.runs.film import Film
from gantoys.runs.film_file import frame_fields
from gantoys.runs.span import CELLS, PART, PARTS, beside, grid_ends, span
from gantoys.service.gif import LOOKS
from gantoys.service.gif_pictures import Line
from gantoys.stage.layers import Area, Curve
from gantoys.stage.scene import Swept


@pytest.fixture(scope="module")
def far(tmp_path_factory) -> Film:
    """p_data at 6, p_G on its way from -4 to 0."""
    return line_film(tmp_path_factory.mktemp("far") / "far.film", toy="N(6,0.5)", frames=21)


@pytest.fixture(scope="module")
def near(tmp_path_factory) -> Film:
    return line_film(tmp_path_factory.mktemp("near") / "near.film", toy="T(0,2,2)")


def first(film: Film, count: int) -> Film:
    """The film while it had so many frames."""
    return replace(film, **{f.name: getattr(film, f.name)[:count] for f in frame_fields(film.config)})


def rows(value: Any) -> np.ndarray:
    return np.asarray(value.rows["step"]) if isinstance(value, Swept) else np.asarray(value)


def test_the_axis_is_the_grid_s_own_where_that_holds_the_generator(near: Film) -> None:
    x = near.grid_x.astype(float)
    half = (x[1] - x[0]) / 2
    assert near.samples.min() > x[0] and near.samples.max() < x[-1]
    assert span([near]) == grid_ends(near) == (x[0] - half, x[-1] + half)


def test_the_generator_is_in_the_picture_in_every_frame(far: Film) -> None:
    low, high = span([far])
    inside = np.mean((far.samples[..., 0] >= low) & (far.samples[..., 0] <= high), axis=1)
    assert np.all(inside >= 0.96) and far.mesh.min() >= low  # 64 points: two of them are 0.03
    grid = grid_ends(far)
    assert high == grid[1] and far.samples[0].max() < grid[0]  # it was not in the picture
    assert (grid[0] - low) / (PART * (grid[1] - grid[0])) in [pytest.approx(count) for count in PARTS]


def test_the_axis_grows_in_few_steps_and_never_shrinks_while_a_film_grows(tmp_path) -> None:
    film = line_film(tmp_path / "a.film", frames=101)
    gone = 400 * np.linspace(0, 1, len(film))[:, None, None]  # G runs away to the left
    film = replace(film, samples=film.samples - gone, mesh=film.mesh - gone)
    axes = [span([first(film, count)]) for count in range(1, len(film) + 1)]
    lows = np.array([low for low, _ in axes])
    assert np.all(np.diff(lows) <= 0) and len({high for _, high in axes}) == 1
    assert len(set(lows)) <= len(PARTS) <= len(film) // 5
    grid = grid_ends(film)
    # so far, and no further: else p_data would be a line
    assert lows[-1] == pytest.approx(grid[0] - PARTS[-1] * PART * (grid[1] - grid[0])) and lows[-1] > film.samples.min()


def test_one_point_in_a_hundred_does_not_make_the_axis(near: Film) -> None:
    stray = near.samples.copy()
    stray[3, :2] = 500
    assert span([replace(near, samples=stray)]) == span([near])
    endless = near.samples.copy()
    endless[-1] = np.inf
    assert np.isfinite(span([replace(near, samples=endless)])).all()


def test_beside_the_grid_the_density_is_counted(far: Film) -> None:
    ends = span([far])
    cells, density = beside(far, ends, behind=2)
    grid = grid_ends(far)
    assert cells[0, 0] == ends[0] and cells[-1, 1] == grid[0] and np.all(cells[:, 1] <= grid[0])
    np.testing.assert_allclose(np.diff(cells)[:, 0], (grid[1] - grid[0]) / CELLS, rtol=0.05)
    for k, frame in ((0, 2), (-1, len(far) - 1)):
        points = far.samples[frame, :, 0].astype(float)
        by_hand = [np.mean((points >= a) & (points < b)) / (b - a) for a, b in cells]
        np.testing.assert_allclose(density[k], by_hand, rtol=1e-12)
    outside = np.mean(far.samples[2:, :, 0] < grid[0], axis=1) - np.mean(far.samples[2:, :, 0] < ends[0], axis=1)
    np.testing.assert_allclose((density * np.diff(cells)[:, 0]).sum(1), outside, atol=1e-12)


def test_a_film_inside_its_grid_has_nothing_beside_it(near: Film) -> None:
    cells, density = beside(near, span([near]))
    assert cells.shape == (0, 2) and density.shape == (len(near), 0)


@pytest.mark.parametrize("loss", ["non-saturating", "wasserstein"])
def test_what_d_says_is_drawn_where_it_is_known_and_nowhere_else(tmp_path, loss: str) -> None:
    film = line_film(tmp_path / "a.film", toy="N(6,0.5)", loss=loss)
    scene, grid, ends = film_scene(film, 0, name="a", arrows=True, mesh=True), grid_ends(film), span([film])
    assert [(p.x.lo, p.x.hi) for p in scene.panels if p.column == 0] == [ends] * 3
    for layer in scene.panels[1].layers:
        if isinstance(layer, Curve | Area):
            assert np.min(rows(layer.x)) > grid[0] and np.max(rows(layer.x)) < grid[1]
    marks = [layer for layer in scene.panels[1].layers if getattr(layer, "axis", "") == "x"]
    assert [mark.at for mark in marks] == [grid[0]] and "known" in marks[0].label
    (counted,) = [layer for layer in scene.panels[0].layers if "counted" in getattr(layer, "label", "")]
    x, y = rows(counted.x), rows(counted.y)
    assert np.nanmax(x) <= grid[0] and not np.any(y == 0)  # where nothing was counted nothing is drawn
    k, (_, density) = 1, beside(film, ends)
    np.testing.assert_allclose(y[k].reshape(-1, 3)[:, 0], np.where(density[k] > 0, density[k], np.nan))


def test_every_picture_of_a_film_on_the_line_has_that_axis(far: Film, tmp_path) -> None:
    ends = span([far])
    several = replace(far, config=far.config.changed(seeds=2))
    other = replace(far, samples=far.samples - 10, mesh=far.mesh - 10)
    for panel in seeds_scene([several, other], 0, name="a").panels:
        assert (panel.x.lo, panel.x.hi) == span([far, other]) != ends
    shots = (Shot(far), Shot(other))
    runs = [panel for panel in compare_scene(CompareState(target="bimodal"), shots).panels if panel.row < 2]
    assert len(runs) == 4 and all((panel.x.lo, panel.x.hi) == span([far, other]) for panel in runs)
    painter = Line(far, 320, LOOKS["light"])
    assert (painter.low, painter.low + painter.wide) == pytest.approx(ends)
