"""Wasserstein distances between two sets of points: exact where that is cheap, between bounds, or over lines."""

from typing import Any

import numpy as np

from gantoys.maths.late import late
from gantoys.metrics.bracket import w1_bracket
from gantoys.metrics.samples import Scored, pair

Array = np.ndarray
LARGEST_ASSIGNMENT = 1000  # a second or two of one core
LARGEST_NEAR = 2000  # where the bounds are wide the sets are near, and an assignment of so many as quick
LARGEST = 5000  # of each set, between bounds: some ten seconds
_WIDE = 0.005  # of W1, on either side
PROJECTIONS = 256
_BLOCK = 1_000_000  # numbers of shadows that are held at once


def w1(real: Array, fake: Array) -> float:
    """The Wasserstein-1 distance of the two empirical laws, in the unit of the points; see `w1_scored`.

    It is biased upwards: between two samples of one law it is of order n^(-1/d), n^(-1/2) on the line.

    >>> w1([0.0, 1.0, 3.0], [5.0, 6.0, 8.0])
    5.0
    """
    return w1_scored(real, fake)["w1"].value


def w1_scored(real: Array, fake: Array) -> dict[str, Scored]:
    """`w1`, exact or in the middle between two bounds, half whose distance is the error.

    On the line W1 = int |F - G|, for any n and m. In d dimensions min over plans of sum pi_ij ||x_i - y_j||: for
    n = m <= 1,000 (near sets: 2,000) by exact assignment, else for n, m <= 5,000 by a plan and a critic
    (`gantoys.metrics.bracket`), between whose values it lies for certain. ValueError beyond, where `sliced_w2_squared`
    is the affordable one.
    """
    real, fake = pair(real, fake)
    if real.shape[1] == 1:
        wasserstein_distance = late("scipy.stats").wasserstein_distance

        return {"w1": Scored(float(wasserstein_distance(real[:, 0], fake[:, 0])))}
    if max(len(real), len(fake)) > LARGEST:
        raise ValueError(
            f"W1 in {real.shape[1]} dimensions takes at most {LARGEST:,} points a set, got {len(real):,} and "
            f"{len(fake):,}: take the sliced distance"
        )
    if len(real) == len(fake) <= LARGEST_ASSIGNMENT:
        return {"w1": Scored(_assigned(real, fake))}
    low, high = w1_bracket(real, fake)
    if len(real) == len(fake) <= LARGEST_NEAR and high - low > 2 * _WIDE * low:
        return {"w1": Scored(_assigned(real, fake))}
    note = f"it lies between {low:.6g}, by a critic, and {high:.6g}, by a plan"
    return {"w1": Scored((low + high) / 2, (high - low) / 2, note)}


def _assigned(real: Array, fake: Array) -> float:
    linear_sum_assignment = late("scipy.optimize").linear_sum_assignment
    cdist = late("scipy.spatial.distance").cdist

    cost = cdist(real, fake)
    return float(np.mean(cost[linear_sum_assignment(cost)]))


def sliced_w2_squared(real: Array, fake: Array, *, rng: np.random.Generator, projections: int = PROJECTIONS) -> float:
    """The sliced W2 squared: the mean over lines of the squared W2 distance of the points' shadows on the line.

    SW_2^2 = E_u int_0^1 (F_u^-1(t) - G_u^-1(t))^2 dt, u uniform on the sphere, in squared units of the points; a shift
    by delta gives |delta|^2 / d. In the plane the `projections` lines are evenly spaced; in more dimensions `rng` draws
    them: the same state of it, the same lines. On the line there is one, and the value is W2^2 itself. Rabin et al.
    2012; Bonneel et al. 2015. (W2 squared, not W1: other libraries also return the root.) How far the mean over those
    lines may be from that over all: `sliced_scored`. Raises ValueError unless projections >= 1.

    >>> sliced_w2_squared([0.0, 1.0], [2.0, 3.0], rng=np.random.default_rng(0))
    4.0
    """
    return float(np.mean(_over_lines(real, fake, rng, projections)))


def sliced_scored(real: Array, fake: Array, **knobs: Any) -> dict[str, Scored]:
    """`sliced_w2_squared` with its error: of random lines the standard error of the mean.

    In the plane the mean over K evenly spaced lines leaves out the Fourier coefficients of orders K, 2 K, ... of the
    distance as a function of the angle; the largest one of the upper half of those that K lines do tell, twice, stands
    for the error. They fall with the square of the order, so that the true error is smaller.
    """
    values = _over_lines(real, fake, knobs["rng"], knobs.get("projections", PROJECTIONS))
    count, dim = len(values), pair(real, fake)[0].shape[1]
    if dim == 1 or count < 4:
        error = 0.0 if dim == 1 else None
    elif dim == 2:
        error = 2 * float(np.max(np.abs(np.fft.rfft(values))[count // 4 :])) / count
    else:
        error = float(np.std(values, ddof=1) / np.sqrt(count))
    return {"sliced_w2_squared": Scored(float(np.mean(values)), error)}


def _over_lines(real: Array, fake: Array, rng: np.random.Generator, projections: int) -> Array:
    """The squared W2 distance of the shadows on each line."""
    real, fake = pair(real, fake)
    if projections < 1:
        raise ValueError(f"at least one projection is needed, got {projections}")
    d = real.shape[1]
    if d == 1:
        return np.array([w2_squared_line(real[:, 0], fake[:, 0])])
    if d == 2:
        angle = np.pi * np.arange(projections) / projections
        lines = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    else:
        lines = rng.standard_normal((projections, d))
        lines /= np.linalg.norm(lines, axis=1, keepdims=True)
    middle = real.mean(axis=0)  # shadows of points far from the origin would be rounded to its distance
    x, y = (real - middle).T, (fake - middle).T
    step = max(1, _BLOCK // max(len(real), len(fake)))
    parts = (lines[k : k + step] for k in range(0, projections, step))
    return np.concatenate([_w2_squared(part @ x, part @ y) for part in parts])


def w2_squared_line(real: Array, fake: Array) -> float:
    """The squared W2 distance int (F^-1 - G^-1)^2 between points (n,) and (m,) on the line, exact.

    >>> w2_squared_line(np.array([0.0, 0.0]), np.array([1.0, 2.0, 3.0]))
    4.666666666666667
    """
    return float(_w2_squared(np.asarray(real, float)[None], np.asarray(fake, float)[None])[0])


def _w2_squared(real: Array, fake: Array) -> Array:
    """The same for each row of (K, n) and (K, m)."""
    x, y = np.sort(real, axis=1), np.sort(fake, axis=1)
    n, m = x.shape[1], y.shape[1]
    if n == m:
        return np.mean((x - y) ** 2, axis=1)
    # both quantile functions are steps: the levels where either jumps, in units of 1 / (n m), so that none is rounded
    levels = np.unique(np.concatenate([np.arange(n + 1) * m, np.arange(m + 1) * n]))
    start = levels[:-1]
    return (x[:, start // m] - y[:, start // n]) ** 2 @ np.diff(levels) / (n * m)
