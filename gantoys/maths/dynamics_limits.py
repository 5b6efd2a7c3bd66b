"""Where a rule converges, as a region of the complex plane, and what is known of the long run where it does not.

>>> low, high = region("simultaneous", np.array([-1.0]), np.linspace(0, 2, 401))  # the disc of radius 1 around -1
>>> [round(float(v), 6) for v in (low[0], high[0])]
[0.0, 1.0]
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from gantoys.maths.dynamics import growth
from gantoys.maths.dynamics_dual import Values

Array = np.ndarray


def region(rule: str | tuple[str, Any], x: Array, y: Array, step: Values = 1.0) -> tuple[Array, Array]:
    """Between which imaginary parts a rule converges at each real part x of a field's eigenvalue: (low, high).

    x (X,), y (Y,) increasing from 0: the upper half plane, of which the lower is the mirror image. step: a number, or
    (..., 1, 1) for a sweep. Both results have shape (..., X), NaN where the rule converges nowhere; the edge is found
    between two values of y by a straight line through `growth`. Raises ValueError as `growth` does.
    """
    factor = np.asarray(growth(rule, step * (x[:, None] + 1j * y)))
    inside = factor < 1
    some = inside.any(-1)
    first = np.argmax(inside, -1)
    last = len(y) - 1 - np.argmax(inside[..., ::-1], -1)
    low = np.where(first > 0, _edge(factor, y, np.maximum(first - 1, 0)), y[0])
    high = np.where(last < len(y) - 1, _edge(factor, y, np.minimum(last, len(y) - 2)), y[-1])
    return np.where(some, low, np.nan), np.where(some, high, np.nan)


def _edge(factor: Array, y: Array, at: Array) -> Array:
    """Where the factor passes 1 between y[at] and y[at + 1]."""
    a = np.take_along_axis(factor, at[..., None], -1)[..., 0] - 1
    b = np.take_along_axis(factor, at[..., None] + 1, -1)[..., 0] - 1
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.where(a == b, 0.0, a / (a - b))
    return y[at] + np.clip(share, 0, 1) * (y[at + 1] - y[at])


@dataclass(frozen=True)
class LongRun:
    """What is known of a Dirac-GAN without a regulariser: radius(h, t, start), the distance from the equilibrium after
    t steps of size h from the distance `start`, to leading order in h and averaged over a turn.

    words: the formula in the markup of `gantoys.stage.scene`. Worked out here: with r the distance and phi the angle,
    the non-saturating field is v = (-psi s, theta (1 - s)) with s = sigmoid(theta psi). Along r it has
    dr/dt = -theta psi tanh(theta psi / 2) / r, which is -r^3 sin^2(2 phi) / 8 near the middle and -r^3/16 in the mean
    of a turn: 1/r^2 grows by t/8. A step of both at once, r^2 -> r^2 + 2 h r dr/dt + h^2 |v|^2 with |v| = r/2, adds
    h r/8 to dr/dt, and both balance at r^2 = 2 h. Taking turns adds nothing of that order.
    """

    key: str
    loss: str
    rule: str
    words: str
    radius: Callable[[Values, Values, Values], Values]


def _shrinking(h: Values, t: Values, start: Values) -> Values:
    return start / np.sqrt(1 + start * start * h * np.asarray(t, float) / 8)


_SHRINKING = "*r*_{0} / √(1 + *r*_{0}^{2} *ht* / 8)"


LONG_RUN = {
    row.key: row
    for row in (
        LongRun(
            "limit-cycle", "non-saturating", "simultaneous", "√(2 *h*)", lambda h, t, start: np.sqrt(2 * h) + 0 * t
        ),
        LongRun("shrinking-flow", "non-saturating", "flow", _SHRINKING, _shrinking),
        LongRun("shrinking-d-first", "non-saturating", "alternating-d", _SHRINKING, _shrinking),
        LongRun("shrinking-alternating", "non-saturating", "alternating", _SHRINKING, _shrinking),
    )
}


def long_run(loss: str, rule: str) -> LongRun | None:
    """The row for a loss and a rule, if something is known."""
    return next((row for row in LONG_RUN.values() if (row.loss, row.rule) == (loss, rule)), None)
