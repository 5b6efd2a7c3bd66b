"""Games of two numbers: theta, where the generator puts its point, and psi, the slope of the critic.

The *Dirac-GAN* (Mescheder, Geiger & Nowozin 2018, section 2): p_data is a point at 0, p_G a point at theta. The paper
lets D be psi x and large on *generated* points; a positive logit means "real" everywhere in gantoys, so the same D has
the logit a(x) = bias - psi x. So fields, Jacobians and published runs are those of the paper, sign by sign. The field

    v(theta, psi) = -(dL_G / dtheta, dL_D / dpsi)

follows by the chain rule from the slopes of a row of `losses.LOSSES`. With the Wasserstein row it is the bilinear game
min over theta, max over psi of theta psi. `zero_sum` makes a game of any function of two numbers.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from gantoys.maths.dynamics_dual import Dual, Values, gradients
from gantoys.maths.dynamics_regularisers import REGULARISERS, Field, Regulariser, choose
from gantoys.maths.losses import LOSSES, Loss

LARGEST_BIAS = 100.0  # beyond it exponentials of the logit leave the range of numbers when they are multiplied


@dataclass(frozen=True)
class Game:
    """A game with its regulariser. generator(theta, psi): the slopes of G's loss in theta and in psi;
    discriminator(theta, psi): the slope of D's loss in psi, both before the regulariser. All elementwise.
    """

    generator: Field
    discriminator: Callable[[Values, Values], Values]
    regulariser: Regulariser
    weight: Values

    def _bare(self, theta: Values, psi: Values) -> tuple[Values, Values]:
        return -self.generator(theta, psi)[0], -self.discriminator(theta, psi)

    def generator_slopes(self, theta: Values, psi: Values) -> tuple[Values, Values]:
        """dL_G/dtheta and dL_G/dpsi; the second one counts only for a generator that foresees D's moves."""
        in_theta, in_psi = self.generator(theta, psi)
        if self.regulariser.shared:
            more_theta, more_psi = self.regulariser.shared(self._bare, theta, psi)
            return in_theta + self.weight * more_theta, in_psi + self.weight * more_psi
        return in_theta, in_psi

    def v_theta(self, theta: Values, psi: Values) -> Values:
        """-dL_G/dtheta, elementwise."""
        return -self.generator_slopes(theta, psi)[0]

    def v_psi(self, theta: Values, psi: Values) -> Values:
        """-dL_D/dpsi, elementwise."""
        slope = self.discriminator(theta, psi)
        if self.regulariser.penalty:
            slope = slope + self.regulariser.penalty(psi, self.weight)
        if self.regulariser.shared:
            slope = slope + self.weight * self.regulariser.shared(self._bare, theta, psi)[1]
        return -slope

    def field(self, theta: Values, psi: Values) -> tuple[Values, Values]:
        """v(theta, psi) = -(dL_G/dtheta, dL_D/dpsi), two arrays of the arguments' shape."""
        if self.regulariser.shared:
            (v_theta, v_psi), more = self._bare(theta, psi), self.regulariser.shared(self._bare, theta, psi)
            return v_theta - self.weight * more[0], v_psi - self.weight * more[1]
        return self.v_theta(theta, psi), self.v_psi(theta, psi)

    def hold(self, psi: Values) -> Values:
        """psi after a move of D: put back by the regulariser, where it does that."""
        return self.regulariser.hold(psi, self.weight) if self.regulariser.hold else psi


def dirac(loss: str, regulariser: "str | tuple[str, Any]" = "none", *, bias: float = 0.0) -> Game:
    """The Dirac-GAN of a row of LOSSES: L_D = real(bias) + fake(bias - psi theta), L_G = generator(bias - psi theta).

    regulariser: `r1`, `r1:0.3`, or ("r1", weights) with an array of weights of the particles' shape, for a sweep.
    bias: the critic's logit at the data. It is 0 in the paper; least squares, whose labels are 0 and 1, needs 0.5 for a
    D that is at rest where it cannot tell.
    Expectations over instance noise are Gauss-Hermite sums of 24 points: for the losses with a sigmoid exact to 1e-10
    while |psi| sigma <= 1 and to 1e-4 at 3; for hinge, whose slopes jump, to some per cent.
    Raises ValueError for an unknown loss or regulariser and for a weight out of range.
    Mescheder, Geiger & Nowozin 2018, section 2.
    """
    if loss not in LOSSES:
        raise ValueError(f"unknown loss {loss!r}: known are {', '.join(LOSSES)}")
    if not abs(bias) <= LARGEST_BIAS:
        raise ValueError(f"the bias must be from -{LARGEST_BIAS:g} to {LARGEST_BIAS:g}, got {bias}")
    row, weight = choose(REGULARISERS, regulariser, "regulariser")
    generator, discriminator = _players(LOSSES[loss], bias, weight if row.noisy else None)
    return Game(generator, discriminator, row, weight)


def _players(loss: Loss, bias: float, noise: Values | None) -> tuple[Field, Callable[[Values, Values], Values]]:
    # A paired loss sees the difference of the two logits, in which the bias is gone.
    offset = 0.0 if loss.paired else bias
    slope_g = loss.generator_slope
    slope_fake = (lambda t: -loss.real_slope(-t)) if loss.paired else loss.fake_slope
    if noise is None:

        def generator(theta: Values, psi: Values) -> tuple[Values, Values]:
            slope = -slope_g(offset - psi * theta)
            return slope * psi, slope * theta

        # the data lie at 0, where the logit does not depend on psi
        return generator, lambda theta, psi: -theta * slope_fake(offset - psi * theta)

    unit, weights = _hermite(24)
    real = np.asarray(noise, float)[..., None] * unit
    # a difference of two noisy points has twice the variance
    fake = real * np.sqrt(2.0) if loss.paired else real

    def noisy_generator(theta: Values, psi: Values) -> tuple[Values, Values]:
        points, slope_x = theta[..., None] + fake, psi[..., None]
        slope = slope_g(offset - slope_x * points)
        return -psi * _mean(slope, weights), -_mean(points * slope, weights)

    def noisy_discriminator(theta: Values, psi: Values) -> Values:
        points, slope_x = theta[..., None] + fake, psi[..., None]
        out = _mean(points * slope_fake(offset - slope_x * points), weights)
        if not loss.paired:
            out = out + _mean(real * loss.real_slope(offset - slope_x * real), weights)
        return -out

    return noisy_generator, noisy_discriminator


def _mean(values: Values, weights: np.ndarray) -> Values:
    """The weighted sum over the last axis."""
    return (values * weights).sum(-1) if isinstance(values, Dual) else values @ weights


def _hermite(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Nodes and weights for an expectation over N(0, 1), scaled so that the variance is 1 to the last bit."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(count)
    weights = weights / weights.sum()
    return nodes / np.sqrt((weights * nodes**2).sum()), weights


def zero_sum(value: Callable[[Values, Values], Values], regulariser: "str | tuple[str, Any]" = "none") -> Game:
    """The game of value(theta, psi), which theta descends and psi ascends; written in arithmetic and numpy's functions.

    >>> saddle = zero_sum(lambda x, y: (1 + x**2) * (100 - y**2))
    >>> [float(v) for v in saddle.field(np.array(1.0), np.array(2.0))]
    [-192.0, -8.0]
    """
    row, weight = choose(REGULARISERS, regulariser, "regulariser")
    if row.noisy:
        raise ValueError("instance noise needs points: it goes with the Dirac-GAN only")
    return Game(
        lambda theta, psi: gradients(value, theta, psi)[1:],
        lambda theta, psi: -gradients(value, theta, psi)[2],
        row,
        weight,
    )


def bilinear(regulariser: "str | tuple[str, Any]" = "none") -> Game:
    """min over theta, max over psi of theta psi: the Dirac-GAN of the Wasserstein loss, field (-psi, theta)."""
    return dirac("wasserstein", regulariser)
