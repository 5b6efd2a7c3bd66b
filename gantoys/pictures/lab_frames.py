"""Figures of each picture of a film, computed once: a film that grows asks for the new pictures only."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from hashlib import blake2b
from typing import Any

import numpy as np

from gantoys.metrics.modes import ModeReport, has_modes, mode_report
from gantoys.runs.film import Film
from gantoys.shared import SHELF

Array = np.ndarray


def each(film: Film, what: str, figure: Callable[[Array], Any], behind: int = 0) -> list[Any]:
    """figure(points) for the generated points (n, d) of every picture from `behind` on.

    what: names the figure and all that it depends on besides the points, the target and the real points.
    """
    # by what the film holds, not by its config: somebody may have opened it from a file
    name = f"{what}:{film.config.toy}:{blake2b(film.real.tobytes(), digest_size=16).hexdigest()}"
    return [
        SHELF.get((name, blake2b(points.tobytes(), digest_size=16).digest()), partial(figure, points))
        for points in film.samples[behind:]
    ]


def mode_reports(film: Film, behind: int = 0) -> list[ModeReport]:
    """The modes of each picture from `behind` on; ValueError for a target without modes."""
    target = film.config.target()
    if not has_modes(target):
        raise ValueError(f"{film.config.toy[:60]} has no modes to count")
    return each(film, "modes", lambda points: mode_report(points, target), behind)
