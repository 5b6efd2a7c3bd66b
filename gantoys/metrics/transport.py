"""Wasserstein distances between two sets of points: exact where that is cheap, else over random lines."""

import numpy as np

from gantoys.maths.late import late
from gantoys.metrics.samples import pair

Array = np.ndarray
LARGEST_ASSIGNMENT = 1000  # half a second of one core
PROJECTIONS = 256


def w1(real: Array, fake: Array) -> float:
    """The Wasserstein-1 distance of the two empirical laws, in the unit of the points.

    On the line W1 = int |F - G|, for any n and m. In d dimensions min over permutations of (1/n) sum ||x_i - y_pi(i)||
    by exact assignment, for n = m <= 1,000; ValueError beyond, where `sliced_w2_squared` is the affordable one.
    It is biased upwards: between two samples of one law it is of order n^(-1/d), n^(-1/2) on the line.

    >>> w1([0.0, 1.0, 3.0], [5.0, 6.0, 8.0])
    5.0
    """
    real, fake = pair(real, fake)
    if real.shape[1] == 1:
        return float(late("scipy.stats").wasserstein_distance(real[:, 0], fake[:, 0]))
    if len(real) != len(fake):
        raise ValueError(
            f"exact W1 in {real.shape[1]} dimensions pairs as many real as generated points, got {len(real)} and"
            f" {len(fake)}: take sliced_w2_squared"
        )
    if len(real) > LARGEST_ASSIGNMENT:
        raise ValueError(
            f"exact W1 in {real.shape[1]} dimensions takes at most {LARGEST_ASSIGNMENT} points, got {len(real)}:"
            " take sliced_w2_squared"
        )
    cost = late("scipy.spatial.distance").cdist(real, fake)
    return float(np.mean(cost[late("scipy.optimize").linear_sum_assignment(cost)]))


def sliced_w2_squared(real: Array, fake: Array, *, rng: np.random.Generator, projections: int = PROJECTIONS) -> float:
    """The sliced W2 squared: the mean over random lines of the squared W2 distance of the points' shadows on the line.

    SW_2^2 = E_u int_0^1 (F_u^-1(t) - G_u^-1(t))^2 dt, u uniform on the sphere, in squared units of the points; a shift
    by delta gives |delta|^2 / d. `rng` draws the `projections` lines: the same state of it, the same lines. On the line
    there is one, and the value is W2^2 itself. Rabin et al. 2012; Bonneel et al. 2015. (W2 squared, not W1: other
    libraries also return the root.) Raises ValueError unless projections >= 1.

    >>> sliced_w2_squared([0.0, 1.0], [2.0, 3.0], rng=np.random.default_rng(0))
    4.0
    """
    real, fake = pair(real, fake)
    if projections < 1:
        raise ValueError(f"at least one projection is needed, got {projections}")
    d = real.shape[1]
    if d == 1:
        return w2_squared_line(real[:, 0], fake[:, 0])
    lines = rng.standard_normal((projections, d))
    lines /= np.linalg.norm(lines, axis=1, keepdims=True)
    return float(np.mean([w2_squared_line(real @ line, fake @ line) for line in lines]))


def w2_squared_line(real: Array, fake: Array) -> float:
    """The squared W2 distance int (F^-1 - G^-1)^2 between points (n,) and (m,) on the line, exact.

    >>> w2_squared_line(np.array([0.0, 0.0]), np.array([1.0, 2.0, 3.0]))
    4.666666666666667
    """
    n, m = len(real), len(fake)
    x, y = np.sort(real), np.sort(fake)
    if n == m:
        return float(np.mean((x - y) ** 2))
    # both quantile functions are steps: the levels where either jumps, in units of 1 / (n m), so that none is rounded
    levels = np.unique(np.concatenate([np.arange(n + 1) * m, np.arange(m + 1) * n]))
    start = levels[:-1]
    return float(np.sum(np.diff(levels) * (x[start // m] - y[start // n]) ** 2) / (n * m))
