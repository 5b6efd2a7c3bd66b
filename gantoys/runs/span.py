"""Where a film on the line takes place: the ends of its pictures' axis, and p_G where the film's own grid ends."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from gantoys.runs.film import Film

Array = np.ndarray
LOOKED_AT, BEYOND = 200, 2  # generated points of a frame, and how many of them may lie outside on either side
PART = 0.25  # the axis grows by so many widths of the grid, ...
PARTS = (0, 1, 2, 3, 4, 6, 8, 12, 16, 24)  # ... so many times on either side: ever more, so that it seldom grows
CELLS = 24  # of a histogram beside the grid, in a width of the grid


def grid_ends(film: Film) -> tuple[float, float]:
    """The outer edges of the cells on which the film knows densities and what D says."""
    x = film.grid_x.astype(float)
    half = (x[1] - x[0]) / 2
    return float(x[0] - half), float(x[-1] + half)


def span(films: Sequence[Film]) -> tuple[float, float]:
    """The ends of one axis for films of one target on the line: it holds the grid, and p_G in every frame.

    p_G: the generated points but for a hundredth on either side, and the image of the grid of noise. The axis is the
    grid's own where that holds them, else it grows in rounded parts, so that a film that grows seldom moves it. A
    generator that runs further away than six widths of the grid leaves the picture.
    """
    grids = [grid_ends(film) for film in films]
    low, high = min(grid[0] for grid in grids), max(grid[1] for grid in grids)
    part = PART * (high - low)
    below, above = 0.0, 0.0
    for first, last in (ends for film in films for ends in _ends(film)):
        below, above = max(below, (low - first) / part), max(above, (last - high) / part)
    return low - part * _rounded(below), high + part * _rounded(above)


def _ends(film: Film) -> Iterator[tuple[float, float]]:
    """The ends, over all frames, of what is to be seen of p_G."""
    points = film.samples[:, :LOOKED_AT, 0].astype(np.float32)
    if points.size:
        last = points.shape[1] - 1
        beyond = min(BEYOND, last // 2)
        ordered = np.partition(points, (beyond, last - beyond), axis=1)
        yield float(ordered[:, beyond].min()), float(ordered[:, last - beyond].max())
    if film.mesh.size:
        yield float(film.mesh.min()), float(film.mesh.max())


def _rounded(parts: float) -> int:
    return next((count for count in PARTS if count >= parts - 1e-9), PARTS[-1])


def beside(film: Film, ends: tuple[float, float], behind: int = 0) -> tuple[Array, Array]:
    """p_G beside the film's grid, as far as `ends`, counted from all generated points.

    Returns the edges of C cells, (C, 2), and the density over each of them in the frames from `behind` on, (K, C).
    """
    (first, last), (low, high) = ends, grid_ends(film)
    width = (high - low) / CELLS
    counts = round((low - first) / width), round((last - high) / width)
    edges = np.concatenate([np.linspace(first, low, counts[0] + 1), np.linspace(high, last, counts[1] + 1)])
    cells = np.delete(np.stack([edges[:-1], edges[1:]], 1), counts[0], axis=0)  # without the one that is the grid
    points = film.samples[behind:, :, 0].astype(float)
    found = np.array([np.histogram(row, edges)[0] for row in points], float).reshape(len(points), len(edges) - 1)
    return cells, np.delete(found, counts[0], axis=1) / (points.shape[1] * np.diff(cells)[:, 0])
