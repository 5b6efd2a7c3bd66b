"""Let go of p_G: the gradient flow of a generator N(shift, scale^2) under a loss, with D = D* at every instant.

d(shift)/dt = -dL/dshift and d(scale)/dt = -dL/dscale for x = shift + scale z, L the generator's expected loss with D
frozen at D* of the moment: gradient descent with infinitely small steps against a perfect discriminator.
"""

from dataclasses import dataclass

import numpy as np

from gantoys.maths.distributions import Mixture1D, normal
from gantoys.maths.gradients import generator_gradients
from gantoys.maths.late import late
from gantoys.maths.losses import LOSSES

Array = np.ndarray
# a generator that collapses or spreads without bound is held here, so that the picture can show it
_SMALLEST_SCALE, _LARGEST_SCALE = 1e-3, 1e3
# as close to p_data as counts as having arrived: W1's slope jumps there, and no step is small enough to stand still
_ARRIVED = 1e-4
_TOLERANCE = 1e-6  # of a slope, below what the steps themselves leave
_MOST_SLOPES = 1000  # smooth flows need some hundred; a slope that explodes needs ever smaller steps


@dataclass(frozen=True)
class Flow:
    """time (T,); shift, scale (T,): the generator at those times; generators: N(shift, scale^2), a sweep of T laws."""

    time: Array
    shift: Array
    scale: Array

    @property
    def generators(self) -> Mixture1D:
        return normal(self.shift, self.scale)


def gradient_flow(
    p: Mixture1D, shift: float, scale: float, loss: str, *, duration: float = 12.0, frames: int = 121
) -> Flow:
    """The flow of N(shift, scale^2) towards p for `duration` units of time, solved by SciPy's
    Runge-Kutta 5(4) to about three digits.

    A generator that has come within 1e-4 of a normal p stays there. Raises ValueError for a scale that is not positive,
    and where the flow cannot be followed: a loss without gradient here, or one whose slope explodes.
    """
    if not isinstance(p, Mixture1D) or p.batch:
        raise ValueError("a flow needs one distribution on the line")
    if loss not in LOSSES:
        raise ValueError(f"unknown loss {loss!r}: known are {', '.join(LOSSES)}")
    if not np.isfinite(shift) or not 0 < scale < np.inf or not 0 < duration < np.inf or frames < 1:
        raise ValueError(
            "shift must be finite, scale, duration and the number of frames positive, "
            f"got {shift:g}, {scale:g}, {duration:g} and {frames}"
        )
    goal = np.array([p.locs[0], p.scales[0]]) if p.kinds == ("normal",) else np.array([np.inf, np.inf])
    slopes = 0

    def velocity(_: float, state: Array) -> Array:
        nonlocal slopes
        slopes += 1
        q = normal(float(state[0]), float(np.clip(state[1], _SMALLEST_SCALE, _LARGEST_SCALE)))
        slope = [generator_gradients(p, q, name, (loss,), tolerance=_TOLERANCE)[loss] for name in ("shift", "scale")]
        found = np.array([float(quantity.value) for quantity in slope])
        if slopes > _MOST_SLOPES or not np.all(np.isfinite(found)):
            why = "does not exist or is infinite" if slopes <= _MOST_SLOPES else "changes too fast"
            raise ValueError(f"the flow of {loss} cannot be followed from here: its slope {why}")
        return -found

    def far(_: float, state: Array) -> float:
        return float(np.abs(state - goal).max()) - _ARRIVED

    far.terminal = True  # type: ignore[attr-defined]
    time = np.linspace(0.0, duration, frames)
    here = np.array([shift, scale], float)
    if far(0.0, here) <= 0:
        return Flow(time, np.full(frames, here[0]), np.full(frames, here[1]))
    found = late("scipy.integrate").solve_ivp(
        velocity, (0.0, duration), here, t_eval=time, rtol=1e-4, atol=1e-6, events=far
    )
    if not found.success:
        raise ValueError(f"the flow of {loss} cannot be followed from here: {found.message}")
    rest = np.repeat(goal[:, None], frames - found.y.shape[1], axis=1)
    shifts, scales = np.concatenate([found.y, rest], axis=1)
    return Flow(time, shifts, np.clip(scales, _SMALLEST_SCALE, _LARGEST_SCALE))
