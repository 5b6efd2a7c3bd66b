"""Maximum mean discrepancy: how well a kernel tells two sets of points apart.

MMD^2(p, q) = E k(x, x') + E k(y, y') - 2 E k(x, y), x, x' from p and y, y' from q (Gretton et al. 2012, lemma 6).
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from gantoys.maths.distributions import Mixture1D, Mixture2D
from gantoys.maths.late import late
from gantoys.metrics.modes import has_modes
from gantoys.metrics.samples import Scored, blocks, check_pairs, pair, thinned

Array = np.ndarray
SUBSETS, SUBSET_SIZE = 50, 1000
_UNBIASED = "it is right on average, and so may fall below 0 where the two sets are alike"
_CACHED = 20_000  # numbers of a block: what is computed from it again and again stays near the processor
_MEDIAN_POINTS = 1000  # of each set, from which the median distance is taken


def median_bandwidth(real: Array, fake: Array) -> float:
    """The median distance between two points of both sets together (the usual rule; Gretton et al. 2012).

    At most 1,000 points of each set are looked at. Where half of all pairs coincide it is the mean distance, and 1
    where all points are one.
    """
    real, fake = pair(real, fake)
    distances = late("scipy.spatial.distance").pdist(
        np.concatenate([thinned(real, _MEDIAN_POINTS), thinned(fake, _MEDIAN_POINTS)])
    )
    return float(np.median(distances)) or float(np.mean(distances)) or 1.0


def mmd2(real: Array, fake: Array, *, bandwidth: float | None = None, biased: bool = False) -> float:
    """MMD^2 of real (n, d) and generated (m, d) points with the Gaussian kernel k(x, y) = exp(-||x-y||^2 / (2 s^2)).

    Unbiased U-statistic, which may be negative (Gretton et al. 2012, equation 3), or with `biased` the V-statistic,
    which may not (equation 5). `bandwidth` is s, in the unit of the points; by default `median_bandwidth`: then values
    for different points are not of one scale. Raises ValueError unless n, m >= 2 and s > 0.

    >>> mmd2([0.0, 1.0], [0.0, 1.0], bandwidth=1.0, biased=True)
    0.0
    """
    real, fake = pair(real, fake, least=2)
    s = median_bandwidth(real, fake) if bandwidth is None else float(bandwidth)
    if not (np.isfinite(s) and s > 0):
        raise ValueError(f"the bandwidth must be positive and finite, got {bandwidth}")
    for count in (len(real), len(fake)):
        check_pairs(count, max(len(real), len(fake)))
    cdist = late("scipy.spatial.distance").cdist

    # distances before they are scaled: far from the origin a quotient would lose the digits that tell points apart
    return _statistic(real, fake, lambda x, y: np.exp(-0.5 * (cdist(x, y) / s) ** 2), biased)


def _statistic(real: Array, fake: Array, kernel: Callable[[Array, Array], Array], biased: bool) -> float:
    def mean(x: Array, y: Array, *, same: bool) -> float:
        total, pairs = 0.0, len(x) * len(y)
        for part in blocks(len(x), len(y), _CACHED):
            block = kernel(x[part], y)
            total += float(np.sum(block))
            if same and not biased:
                rows = np.arange(len(block))
                total -= float(np.sum(block[rows, rows + part.start]))
        return total / (pairs if biased or not same else pairs - len(x))

    return mean(real, real, same=True) + mean(fake, fake, same=True) - 2 * mean(real, fake, same=False)


def mmd2_laws(p: Mixture1D | Mixture2D, q: Mixture1D | Mixture2D, *, bandwidth: float) -> float:
    """The population value of `mmd2` between two mixtures of normals, exact.

    E k(x, y) = s^d det(s^2 I + A + B)^(-1/2) exp(-(a-b)^T (s^2 I + A + B)^-1 (a-b) / 2) for x ~ N(a, A), y ~ N(b, B).
    Raises ValueError for other laws, different dimensions, or a bandwidth that is not positive.

    >>> from gantoys.maths import normal
    >>> round(mmd2_laws(normal(0, 1), normal(1, 1), bandwidth=1.0), 10)
    0.1772676349
    """
    for law in (p, q):
        if not has_modes(law):
            raise ValueError(f"the exact MMD is known for mixtures of normals, not for {law}")
    if p.dim != q.dim:
        raise ValueError(f"the two laws have different dimensions: {p.dim} and {q.dim}")
    if not (np.isfinite(bandwidth) and bandwidth > 0):
        raise ValueError(f"the bandwidth must be positive and finite, got {bandwidth}")

    def mean(one: Mixture1D | Mixture2D, two: Mixture1D | Mixture2D) -> float:
        (wa, a, va), (wb, b, vb) = _normals(one), _normals(two)
        spread = bandwidth**2 * np.eye(one.dim) + va[:, None] + vb[None, :]
        gap = a[:, None] - b[None, :]
        exponent = np.einsum("abi,abi->ab", gap, np.linalg.solve(spread, gap[..., None])[..., 0])
        value = np.exp(-exponent / 2) / np.sqrt(np.linalg.det(spread / bandwidth**2))
        return float(np.sum(wa[:, None] * wb[None, :] * value))

    return mean(p, p) + mean(q, q) - 2 * mean(p, q)


def _normals(law: Mixture1D | Mixture2D) -> tuple[Array, Array, Array]:
    """Weights (K,), means (K, d) and covariances (K, d, d)."""
    if isinstance(law, Mixture1D):
        return law.weights, law.locs[:, None], (law.scales**2)[:, None, None]
    return law.weights, law.locs, law.factors @ np.swapaxes(law.factors, -1, -2)


def kid(
    real: Array, fake: Array, *, rng: np.random.Generator, subsets: int = SUBSETS, size: int = SUBSET_SIZE
) -> float:
    """The kernel distance: unbiased MMD^2 with k(x, y) = (x.y / d + 1)^3, averaged over random subsets.

    Each of `subsets` draws takes `size` points of either set without repetition (fewer where the sets are smaller; a
    single draw where both sets are taken whole). May be negative. It is not invariant under a shift or a scale of the
    points. Binkowski et al. 2018 (KID), for points that are features of images.
    Raises ValueError unless n, m >= 2, subsets >= 1 and size >= 2.
    """
    return _kid(real, fake, rng, subsets, size)[0]


def kid_scored(real: Array, fake: Array, **knobs: Any) -> dict[str, Scored]:
    """`kid` with the standard error of its mean over the subsets: None where the sets are taken whole."""
    value, error = _kid(real, fake, knobs["rng"], knobs.get("subsets", SUBSETS), knobs.get("size", SUBSET_SIZE))
    return {"kid": Scored(value, error, _UNBIASED if value < 0 else "")}


def mmd2_scored(real: Array, fake: Array, **knobs: Any) -> dict[str, Scored]:
    """`mmd2`, and what a negative value means."""
    value = mmd2(real, fake, **knobs)
    return {"mmd2": Scored(value, None, _UNBIASED if value < 0 else "")}


def _kid(real: Array, fake: Array, rng: np.random.Generator, subsets: int, size: int) -> tuple[float, float | None]:
    real, fake = pair(real, fake, least=2)
    if subsets < 1 or size < 2:
        raise ValueError(f"the kernel distance needs subsets >= 1 and size >= 2, got {subsets} and {size}")
    taken = min(size, len(real), len(fake))
    # the differences from a place between the points are exact, or nearly so
    centre = (real.mean(axis=0) + fake.mean(axis=0)) / 2
    kernel = _cubic(centre)
    real, fake = real - centre, fake - centre
    if taken == len(real) == len(fake):
        return _statistic(real, fake, kernel, biased=False), None
    values = []
    for _ in range(subsets):
        x, y = (part[rng.choice(len(part), taken, replace=False)] for part in (real, fake))
        values.append(_statistic(x, y, kernel, biased=False))
    error = float(np.std(values, ddof=1) / np.sqrt(subsets)) if subsets > 1 else None
    return float(np.mean(values)), error


def _cubic(centre: Array) -> Callable[[Array, Array], Array]:
    """(x.y / d + 1)^3 as a function of u = x - c and v = y - c, less what depends on one of them alone.

    With a = 1 + c.c/d, p = c.u/d, r = c.v/d, q = u.v/d it is ((a + p + r) + q)^3. Terms of u alone and of v alone
    cancel in MMD^2 whatever the points are, but not their rounding: far from the origin they are larger than what
    remains by many orders. What is left is 6 a p r + 3 p r (p + r) + 3 s^2 q + 3 s q^2 + q^3 with s = a + p + r.
    """
    d = len(centre)
    a = 1 + float(centre @ centre) / d

    def kernel(u: Array, v: Array) -> Array:
        p, r, q = (u @ centre / d)[:, None], (v @ centre / d)[None, :], u @ v.T / d
        s = a + p + r
        return 3 * p * r * (2 * a + p + r) + q * (3 * s * s + q * (3 * s + q))

    return kernel
