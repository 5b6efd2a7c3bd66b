"""Figures of each picture of a film, computed once: a film that grows asks for the new pictures only."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from hashlib import blake2b
from typing import Any

import numpy as np

from gantoys.metrics.modes import ModeReport, has_modes, mode_report
from gantoys.runs.film import Film

Array = np.ndarray
KEPT = 20_000  # figures in all; one is a few numbers
_kept: OrderedDict[tuple[str, bytes], Any] = OrderedDict()
_lock = threading.Lock()


def each(film: Film, what: str, figure: Callable[[Array], Any], behind: int = 0) -> list[Any]:
    """figure(points) for the generated points (n, d) of every picture from `behind` on.

    what: names the figure and all that it depends on besides the points, the target and the real points.
    """
    # by what the film holds, not by its config: somebody may have opened it from a file
    name = f"{what}:{film.config.toy}:{blake2b(film.real.tobytes(), digest_size=16).hexdigest()}"
    found = []
    for points in film.samples[behind:]:
        key = (name, blake2b(points.tobytes(), digest_size=16).digest())
        with _lock:
            known = key in _kept
            value = _kept.get(key)
        if not known:
            value = figure(points)
            with _lock:
                _kept[key] = value
                while len(_kept) > KEPT:
                    _kept.popitem(last=False)
        found.append(value)
    return found


def mode_reports(film: Film, behind: int = 0) -> list[ModeReport]:
    """The modes of each picture from `behind` on; ValueError for a target without modes."""
    target = film.config.target()
    if not has_modes(target):
        raise ValueError(f"{film.config.toy[:60]} has no modes to count")
    return each(film, "modes", lambda points: mode_report(points, target), behind)
