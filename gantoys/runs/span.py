"""Where a film on the line takes place: the ends of its pictures' axis."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from gantoys.runs.film import Film

LOOKED_AT, BEYOND = 200, 2  # generated points of a frame, and how many of them may lie outside on either side
PART = 0.25  # the axis grows by so many widths of the room, ...
PARTS = (0, 1, 2, 3, 4, 6, 8, 12, 16)  # ... so many times on either side: ever more, so that it seldom grows


def span(films: Sequence[Film]) -> tuple[float, float]:
    """The ends of one axis for films of one target on the line: it holds their room, and p_G in every frame.

    p_G: the generated points but for a hundredth on either side, and the image of the grid of noise. The axis is the
    room's own where that holds them, else it grows in rounded parts, so that a film that grows seldom moves it. A
    generator that runs further away than four widths of the room leaves the picture; up to there the film's cells go.
    """
    rooms = [film.room for film in films]
    low, high = min(room[0] for room in rooms), max(room[1] for room in rooms)
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
