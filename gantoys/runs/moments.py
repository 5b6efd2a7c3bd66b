"""The moments of a step, for slow motion: which of them a film shows, one a frame."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from gantoys.runs.config import TrainConfig

WHOLE, SEES_REAL, SEES_FAKE, D_MOVES, G_MOVES = range(5)
MOMENTS = ("whole", "sees real", "sees fake", "D moves", "G moves")  # by their numbers in a film
USUAL_STEPS, USUAL_PICTURES = 8, 40  # of a film in slow motion: so many steps, if they take no more pictures


def in_force(config: TrainConfig, field: str, step: int) -> Any:
    """The value of one field once `step` steps have been taken."""
    value = getattr(config, field)
    for change in config.changes:  # they are in the order of their steps
        if change.field == field and change.step <= step:
            value = change.value
    return value


def moments_of(config: TrainConfig, step: int) -> tuple[int, ...]:
    """The moments of the step from `step` to `step + 1`: each move of D with its two looks, then the moves of G."""
    looks = (SEES_REAL, SEES_FAKE, D_MOVES) * in_force(config, "d_steps", step)
    return looks + ((G_MOVES,) if in_force(config, "g_steps", step) else ())


def schedule(config: TrainConfig) -> tuple[np.ndarray, np.ndarray]:
    """The frames of a config in slow motion, (K,) each: the steps taken before them, and which moment each one is.

    The first stands after `slow` steps, and is no moment but a whole picture. The last moment of a step is the picture
    after it. Raises ValueError for a config without slow motion.
    """
    if config.slow is None:
        raise ValueError("this run is not shown in slow motion")
    steps, moments = [config.slow], [WHOLE]
    for step in range(config.slow, config.steps):
        now = moments_of(config, step)
        steps += [step] * (len(now) - 1) + [step + 1]
        moments += now
    return np.array(steps, np.int64), np.array(moments, np.uint8)


def slowed(config: TrainConfig, step: int) -> TrainConfig:
    """This run with the steps that follow on `step` in slow motion, as many as one likes to look at, and no further.

    Raises ValueError where the steps would be too many.
    """
    steps = max(1, min(USUAL_STEPS, USUAL_PICTURES // max(1, len(moments_of(config, step)))))
    kept = [change.model_dump() for change in config.changes if change.step < step + steps]
    return config.changed(steps=step + steps, slow=step, eigenvalues=0, changes=kept)
