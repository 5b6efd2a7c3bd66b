"""Let go of p_G: the gradient flow of a generator N(shift, scale^2) under a loss, with D = D* at every instant.

d(shift)/dt = -dL/dshift and d(scale)/dt = -dL/dscale for x = shift + scale z, L the generator's expected loss with D
frozen at D* of the moment: gradient descent with infinitely small steps against a perfect discriminator.
"""

from dataclasses import dataclass

import numpy as np
from scipy.integrate import solve_ivp

from gantoys.maths.distributions import Mixture1D, normal
from gantoys.maths.gradients import generator_gradients

Array = np.ndarray
# a generator that collapses or spreads without bound is held here, so that the picture can show it
_SMALLEST_SCALE, _LARGEST_SCALE = 1e-3, 1e3


@dataclass(frozen=True)
class Flow:
    """time (T,); shift, scale (T,): the generator at those times; generators: N(shift, scale^2) as a sweep of T laws."""

    time: Array
    shift: Array
    scale: Array

    @property
    def generators(self) -> Mixture1D:
        return normal(self.shift, self.scale)


def gradient_flow(
    p: Mixture1D, shift: float, scale: float, loss: str, *, duration: float = 12.0, frames: int = 121
) -> Flow:
    """The flow of N(shift, scale^2) towards p for `duration` units of time, solved by SciPy's Runge-Kutta 5(4).

    Raises ValueError for a loss without gradient here, or a scale that is not positive.
    """
    if not scale > 0 or not duration > 0:
        raise ValueError(f"scale and duration must be positive, got {scale:g} and {duration:g}")

    def velocity(_: float, state: Array) -> Array:
        shift, scale = float(state[0]), float(np.clip(state[1], _SMALLEST_SCALE, _LARGEST_SCALE))
        q = normal(shift, scale)
        return -np.array([float(generator_gradients(p, q, name, (loss,))[loss].value) for name in ("shift", "scale")])

    time = np.linspace(0.0, duration, frames)
    found = solve_ivp(velocity, (0.0, duration), [shift, scale], t_eval=time, rtol=1e-5, atol=1e-7)
    if not found.success:
        raise ValueError(f"the flow of {loss} could not be followed: {found.message}")
    return Flow(time, found.y[0], np.clip(found.y[1], _SMALLEST_SCALE, _LARGEST_SCALE))
