"""What a perfect discriminator says under each loss: D* where that is a probability, else the loss's own critic."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from gantoys.maths import LOSSES, Mixture1D, optimal_discriminator
from gantoys.maths.losses import probability
from gantoys.maths.transport import critic

Array = np.ndarray
STEEP = 12.0  # log-ratios are drawn up to here


@dataclass(frozen=True)
class Best:
    """name: in the stage's markup; at(p, q, x): what it says, (S, n) for a sweep of q and x (n,) or (S, n).

    low, high, ticks: of its axis; middle: where it says that both are equally likely, None where no height says that;
    fixed: what it is fixed up to, as words behind the name.
    """

    name: str
    at: Callable[[Mixture1D, Mixture1D, Array], Array]
    low: float
    high: float
    ticks: tuple[float, ...] | None = None
    middle: float | None = None
    fixed: str = ""


def best_of(key: str) -> Best:
    """The best that D can say under the loss `key`, as it is drawn."""
    row = LOSSES[key]
    if probability(row, np.zeros(1)) is not None:
        return Best("*D*^{*}", lambda p, q, x: optimal_discriminator(p, q, x).value, 0, 1, (0, 0.5, 1), 0.5)
    if row.optimal is None:
        return Best("best critic *f*^{*}", critic, -8, 8, fixed=", up to a constant")

    def says(p: Mixture1D, q: Mixture1D, x: Array) -> Array:
        assert row.optimal is not None
        logit = np.asarray(row.optimal(optimal_discriminator(p, q, x).logit))
        # the critic of an f-GAN is the output that D's logit is squeezed into, which is what its first part charges
        return np.where(np.isinf(logit), -np.asarray(row.real(logit)), logit)

    if row.paired:
        return Best("best critic", says, -STEEP, STEEP, fixed=", up to a constant")
    most = float(-row.real(np.array(np.inf))) if np.isinf(float(row.optimal(np.array(1.0)))) else 1.0
    return Best("best critic", says, -1.2 * most, 1.2 * most, (-most, 0, most), 0.0)
