"""How many modes of a mixture of normals do generated points cover, and how many of the points lie near one?

With z = L_k^-1 (x - m_k) the place of a point in standard deviations of mode k (L L^T the mode's covariance):

- each point belongs to the mode with the smallest ||z||, which for equal round modes is the nearest centre;
- it is of **high quality** when ||z|| < t (a ball) or max |z_i| < t (a box);
- a mode is **covered** from a least number of high-quality points on, or from a least share of them on.

Published protocols differ in t, in ball or box, in that least number, and in which points are tallied for the reverse
KL: `MODE_RULES` has one row for each. A rule that counts a mode from one good point on is almost free: by it, uniform
noise covers 20 of 25 modes. A perfect generator in the plane has a high-quality share of 1 - e^(-9/2) = 0.9889 within
three standard deviations (more where modes overlap); a higher share means that the modes are drawn too narrow.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Literal, TypeGuard

import numpy as np
from scipy import special

from gantoys.maths.distributions import Mixture1D, Mixture2D
from gantoys.metrics.samples import blocks

Array = np.ndarray
RADIUS = 3.0
PERFECT_QUALITY = 1 - float(np.exp(-(RADIUS**2) / 2))


@dataclass(frozen=True)
class ModeRule:
    """One protocol. region: what is near a mode. threshold: in standard deviations; inf: every point is good.

    histogram: which points are tallied for the reverse KL, good ones or all. least: how many good points a covered
    mode has. share: and at least this share `of` all points, or of what a perfect generator would give the mode.
    n: the protocol's number of points.
    """

    key: str
    label: str
    region: Literal["ball", "box"]
    threshold: float
    histogram: Literal["good", "all"]
    least: int
    share: float
    of: Literal["all", "due"]
    n: int
    reference: str

    def quality(self, dim: int) -> float:
        """The high-quality share of a perfect generator whose modes lie far apart: P(||Z|| < t) or P(|Z| < t)^dim."""
        if self.region == "ball":
            return float(special.gammainc(dim / 2, self.threshold**2 / 2))  # chi^2 with dim degrees, up to t^2
        return float(special.erf(self.threshold / np.sqrt(2)) ** dim)

    def need(self, n: int, weights: Array, dim: int) -> Array:
        """How many good points of n each mode (K,) must have to be covered; not rounded."""
        base = np.full(len(weights), float(n)) if self.of == "all" else n * weights * self.quality(dim)
        return np.maximum(self.least, self.share * base)


MODE_RULES = {
    row.key: row
    for row in (
        ModeRule(
            "gantoys", "a tenth of its due share", "ball", RADIUS, "good", 1, 0.1, "due", 2500,
            "gantoys; the ball of three standard deviations is VEEGAN's",
        ),
        ModeRule(
            "veegan", "VEEGAN", "ball", 3.0, "good", 1, 0.0, "all", 2500, "Srivastava et al. 2017, table 1"
        ),
        ModeRule("pacgan", "PacGAN", "ball", 3.0, "good", 1, 0.0, "all", 2500, "Lin et al. 2018, table 1"),
        ModeRule("gdpp", "GDPP", "ball", 3.0, "good", 1, 0.0, "all", 2500, "Elfeki et al. 2019, tables 1 and 2"),
        ModeRule(
            "self-conditioned", "Self-conditioned GAN", "box", 3.0, "all", 1, 0.0, "all", 50_000,
            "Liu et al. 2020 and its published evaluation of the ring and the grid",
        ),
        ModeRule(
            "unrolled", "Unrolled GAN: nearest mode, no distance", "ball", np.inf, "all", 1, 0.0, "all", 25_600,
            "Metz et al. 2017: digits named by a classifier, whose place the nearest mode takes here",
        ),
        ModeRule(
            "share-1%", "one percent of all points", "ball", 3.0, "good", 1, 0.01, "all", 2500,
            "a stricter count in use for grids; it names no number of points, so VEEGAN's is taken",
        ),
    )
}  # fmt: skip


@dataclass(frozen=True, eq=False)
class ModeReport:
    """counts (K,): high-quality points of each mode. covered (K,): which modes are covered. quality: the share of all
    points that are of high quality, in [0, 1]. n: how many points were looked at. histogram (K,): the points tallied
    for the reverse KL. weights (K,): the target's. rule: key in MODE_RULES."""

    counts: Array
    covered: Array
    quality: float
    n: int
    histogram: Array
    weights: Array
    rule: str = "gantoys"

    @property
    def modes(self) -> int:
        """How many modes are covered."""
        return int(self.covered.sum())

    @cached_property
    def reverse_kl(self) -> float:
        """The reverse KL over modes of `histogram`."""
        return float(reverse_kl(self.histogram, self.weights))


def reverse_kl(histogram: Array, weights: Array) -> Array:
    """KL(h || w) = sum_k h_k log(h_k / w_k) in nats: h the histogram (..., K) as shares, w the modes' weights (K,).

    For equal weights it is log K - H(h): 0 for even shares, log(K/m) for m modes evenly. NaN where no point was
    tallied. A perfect generator has (K - 1) / (2n) on average (`gantoys.metrics.floors`). Lin et al. 2018.

    >>> round(float(reverse_kl(np.array([5, 5, 0, 0]), np.full(4, 0.25))), 4)
    0.6931
    """
    histogram = np.asarray(histogram, float)
    with np.errstate(divide="ignore", invalid="ignore"):
        share = histogram / histogram.sum(axis=-1, keepdims=True)
        terms = np.where(share == 0, 0.0, share * np.log(share / weights))
    # rounding may leave a sum of cancelling terms just below zero
    total = np.sum(terms, axis=-1)
    return np.where(np.isnan(total), np.nan, np.maximum(total, 0.0))


def has_modes(distribution: object) -> TypeGuard[Mixture1D | Mixture2D]:
    """Whether modes can be counted: a single mixture of normals, on the line or in the plane."""
    return (
        isinstance(distribution, Mixture1D | Mixture2D)
        and not distribution.batch
        and all(k == "normal" for k in distribution.kinds)
    )


def mode_rule(key: str) -> ModeRule:
    """The row of MODE_RULES; raises ValueError for an unknown key."""
    if key not in MODE_RULES:
        raise ValueError(f"unknown rule {key!r}: known are {', '.join(MODE_RULES)}")
    return MODE_RULES[key]


def mode_report(samples: Array, mixture: object, rule: str = "gantoys") -> ModeReport:
    """Counts, covered modes, high-quality share and reverse KL of samples (n, 2), or (n,) or (n, 1) on the line.

    `rule` is a key of MODE_RULES. Points that are not finite are of no quality and belong to no mode.
    Raises ValueError unless `has_modes(mixture)`, the shape fits, n >= 1 and the rule is known.

    >>> from gantoys.maths.toys import ring
    >>> report = mode_report(ring(8).modes[:3], ring(8))
    >>> report.modes, report.quality, round(report.reverse_kl, 4)
    (3, 1.0, 0.9808)
    """
    row = mode_rule(rule)
    if not has_modes(mixture):
        raise ValueError(f"modes are counted for mixtures of normals on the line or in the plane, not for {mixture}")
    samples = np.asarray(samples, float)
    x = samples[:, None] if samples.ndim == 1 and mixture.dim == 1 else samples
    if x.ndim != 2 or x.shape[1] != mixture.dim or not len(x):
        shapes = "(n,) or (n, 1)" if mixture.dim == 1 else "(n, 2)"
        raise ValueError(f"samples must have shape {shapes} with n >= 1, got {samples.shape}")
    k = len(mixture.weights)
    counts, tallied = np.zeros(k, int), np.zeros(k, int)
    for part in blocks(len(x), 64):
        nearest, good, placed = placed_points(x[part], mixture, row)
        counts += np.bincount(nearest[good], minlength=k)
        tallied += np.bincount(nearest[placed], minlength=k)
    covered = counts >= row.need(len(x), mixture.weights, mixture.dim)
    histogram = counts if row.histogram == "good" else tallied
    quality = float(counts.sum()) / len(x)
    return ModeReport(counts, covered, quality, len(x), histogram, mixture.weights, rule)


def placed_points(x: Array, mixture: Mixture1D | Mixture2D, rule: ModeRule) -> tuple[Array, Array, Array]:
    """Of points (n, d): the nearest mode, whether the point is good, whether it belongs to a mode at all."""
    finite = np.all(np.isfinite(x), axis=1)
    columns = np.where(finite[:, None], x, 0.0).T
    nearest, least, reach = np.zeros(len(x), int), np.full(len(x), np.inf), np.full(len(x), np.inf)
    with np.errstate(over="ignore", invalid="ignore"):
        # mode after mode: ten times as fast as one array of all distances, which does not fit the cache
        for k in range(len(mixture.weights)):
            if isinstance(mixture, Mixture1D):
                distance = side = np.abs((columns[0] - mixture.locs[k]) / mixture.scales[k])
            else:
                (l00, _), (l10, l11) = mixture.factors[k]
                z0 = (columns[0] - mixture.locs[k, 0]) / l00
                z1 = (columns[1] - mixture.locs[k, 1] - l10 * z0) / l11
                distance, side = np.hypot(z0, z1), np.maximum(np.abs(z0), np.abs(z1))
            nearer = distance < least
            nearest[nearer] = k
            least = np.where(nearer, distance, least)
            reach = np.where(nearer, distance if rule.region == "ball" else side, reach)
    placed = finite & np.isfinite(least)
    return nearest, placed & (reach < rule.threshold), placed
