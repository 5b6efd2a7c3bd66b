"""One clock for several films: which frame of each stands at which step."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gantoys.runs.film import Film

Array = np.ndarray


@dataclass(frozen=True)
class Shot:
    """How one run stands: its film so far (None before the first picture), and whether more is to come."""

    film: Film | None = None
    growing: bool = False


@dataclass(frozen=True)
class Clock:
    """The steps of all runs together (T,), and for each run which of its frames stands at each of them (T,)."""

    steps: Array
    frames: tuple[Array | None, ...]


def common_clock(shots: Sequence[Shot]) -> Clock:
    """One clock for films whose frames stand at different steps.

    At each step a run shows its last frame until then; one that has ended stays at its end. While a run grows the
    clock goes no further than its newest frame, so that no run is ahead. Runs without a frame do not count.
    """
    begun = [shot for shot in shots if shot.film is not None and len(shot.film)]
    if not begun:
        return Clock(np.zeros(1), tuple(None for _ in shots))
    steps = np.unique(np.concatenate([shot.film.step for shot in begun])).astype(float)  # type: ignore[union-attr]
    growing = [shot.film.step[-1] for shot in begun if shot.growing]  # type: ignore[union-attr]
    if growing:
        steps = steps[steps <= min(growing)]
    return Clock(steps, tuple(_at(shot.film, steps) for shot in shots))


def _at(film: Film | None, steps: Array) -> Array | None:
    return None if film is None or not len(film) else np.searchsorted(film.step, steps, side="right") - 1
