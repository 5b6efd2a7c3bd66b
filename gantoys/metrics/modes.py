"""How many modes of a mixture of normals do generated points cover, and how many of the points lie near one?

The rule, with z the distance of a point from a mode's centre in standard deviations of that mode (Mahalanobis):

- each point belongs to the mode with the smallest z;
- it is of **high quality** when that z is below 3 (a ball, an ellipse for a general covariance);
- a mode is **covered** when its high-quality points are at least a tenth of what a perfect generator would give it:
  n * weight * (1 - e^(-9/2)) / 10.

A rule that counts a mode from one good point on is almost free: uniform noise covers 20 of 25 modes by it. A perfect
generator in the plane has a high-quality share of 1 - e^(-9/2) = 0.9889, less where modes overlap; a higher share means
that the modes are drawn too narrow, not that the points are better. See Metz et al. 2017 (Unrolled GAN) and
Lin et al. 2018 (PacGAN) for the 3-standard-deviation ball.
"""

from dataclasses import dataclass
from typing import TypeGuard

import numpy as np

from gantoys.maths.distributions import Mixture2D

Array = np.ndarray
RADIUS = 3.0
SHARE = 0.1
PERFECT_QUALITY = 1 - float(np.exp(-(RADIUS**2) / 2))


@dataclass(frozen=True, eq=False)
class ModeReport:
    """counts (K,): high-quality points of each mode. covered (K,): which modes are covered. quality: the share of all
    points that are of high quality, in [0, 1]. n: how many points were looked at."""

    counts: Array
    covered: Array
    quality: float
    n: int

    @property
    def modes(self) -> int:
        """How many modes are covered."""
        return int(self.covered.sum())


def has_modes(distribution: object) -> TypeGuard[Mixture2D]:
    """Whether the rule above is defined for this distribution: a single mixture of normals in the plane."""
    return (
        isinstance(distribution, Mixture2D)
        and not distribution.batch
        and all(k == "normal" for k in distribution.kinds)
    )


def mode_report(samples: Array, mixture: object) -> ModeReport:
    """The rule of this module on samples (n, 2). Points that are not finite are of no quality.

    Raises ValueError unless `has_modes(mixture)` and n >= 1.

    >>> from gantoys.maths.toys import ring
    >>> report = mode_report(ring(8).modes[:3], ring(8))
    >>> report.modes, report.quality
    (3, 1.0)
    """
    samples = np.asarray(samples, float)
    if samples.ndim != 2 or samples.shape[1] != 2 or not len(samples):
        raise ValueError(f"samples must have shape (n, 2) with n >= 1, got {samples.shape}")
    if not has_modes(mixture):
        raise ValueError(f"modes are counted for mixtures of normals in the plane, not for {mixture}")
    good = np.all(np.isfinite(samples), axis=1)
    delta = np.where(good[:, None], samples, 0.0)[:, None, :] - mixture.locs
    z = np.linalg.norm(np.einsum("kij,nkj->nki", np.linalg.inv(mixture.factors), delta), axis=-1)
    nearest = np.argmin(z, axis=1)
    good &= z[np.arange(len(z)), nearest] < RADIUS
    counts = np.bincount(nearest[good], minlength=len(mixture.weights))
    due = len(samples) * mixture.weights * PERFECT_QUALITY
    return ModeReport(counts, (counts > 0) & (counts >= SHARE * due), float(np.mean(good)), len(samples))
