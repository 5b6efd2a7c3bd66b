"""Local minima over the normals N(mu, sigma) of a smooth function: Newton's method from many starts in one call.

A step is measured in units of sigma for mu, and in log sigma, so that narrow and wide normals move alike.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from gantoys.maths.compare import Quantity
from gantoys.maths.distributions import Mixture1D, normal
from gantoys.maths.late import late

Array = np.ndarray
_ROUNDS, _STENCIL, _LONGEST_STEP = 60, 3e-4, 1.0
_TRIALS = 0.25 ** np.arange(5)
_FLAT, _QUADRATIC = 1e-9, 1e-4  # slopes at which the search ends, and at which Newton's steps need no watching
ZERO_SLOPE, CURVED = 1e-6, 1e-6  # what a minimum may have at most, and must have at least
_HOPELESS = 1e3  # a start is left out when its value is this, and as many times the lowest start's
_SAME, _NEAR, _TIED = 1e-5, 1e-2, 1e-8


@dataclass(frozen=True)
class Target:
    """What is minimised: value(p, q) and slope(p, q, "shift" or "scale") of the normals q, (S,) each."""

    value: Callable[[Mixture1D, Mixture1D], Quantity]
    slope: Callable[[Mixture1D, Mixture1D, str], Array]


@dataclass(frozen=True)
class Minimum:
    """A local minimum at N(mu, sigma): its value, an estimate of the value's error, and what makes it a minimum.

    slope and curvature belong to steps of mu in units of sigma and of log sigma: the slope's largest entry, in absolute
    value, and the least eigenvalue of the second derivative, for p scaled to a standard deviation of one.
    """

    mu: float
    sigma: float
    value: float
    error: float
    slope: float
    curvature: float


def local_minima(p: Mixture1D, target: Target, theta: Array) -> tuple[Minimum, ...]:
    """The minima of target(p, .) that are reached from theta (n, 2), rows (mu, log sigma): lowest first, ties by mu.

    Each has a slope of zero and a positive second derivative in every direction, but where the search met a lower
    point that has not: a kink, a plateau, or the edge of where the target is finite. Then the lowest such point, sought
    directly (Nelder & Mead 1965), comes first, and its slope and curvature tell. Starts of infinite or
    hopeless value are left out; there are no minima when all starts are infinite.
    """
    first = target.value(p, law_of(theta)).value if len(theta) else np.zeros(0)
    theta = theta[first <= np.min(first, initial=np.inf) * _HOPELESS + _HOPELESS] if len(theta) else theta
    if not len(theta) or not np.isfinite(first.min()):
        return ()
    ends = _descended(p, target, theta)
    minima = checked(p, target, ends)
    values = target.value(p, law_of(ends)).value
    lowest = int(np.argmin(np.where(np.isfinite(values), values, np.inf)))
    if minima and values[lowest] > minima[0].value - _TIED:
        return minima
    return (_direct(p, target, ends[lowest]), *minima)


def _direct(p: Mixture1D, target: Target, start: Array) -> Minimum:
    def value(step: Array) -> float:
        return float(target.value(p, law_of(moved(start[None], step[None]))).value[0])

    first = np.array([[0.0, 0.0], [0.02, 0.0], [0.0, 0.02]])
    found = late("scipy.optimize").minimize(
        value, first[0], method="Nelder-Mead", options={"initial_simplex": first, "xatol": 1e-9, "fatol": 1e-13}
    )
    theta = moved(start[None], np.asarray(found.x)[None])
    slope, second = _derivatives(p, target, theta)
    there = target.value(p, law_of(theta))
    curvature = np.linalg.eigvalsh(second[0])[0] if np.isfinite(second).all() else np.nan
    numbers = (theta[0, 0], np.exp(theta[0, 1]), there.value[0], there.error[0], np.abs(slope).max(), curvature)
    return Minimum(*(float(v) for v in numbers))


def law_of(theta: Array) -> Mixture1D:
    return normal(theta[:, 0], np.exp(theta[:, 1]))


def moved(theta: Array, steps: Array) -> Array:
    """theta (n, 2) after steps (n, 2) of mu, in units of sigma, and of log sigma."""
    return theta + steps * np.stack([np.exp(theta[:, 1]), np.ones(len(theta))], axis=1)


def _derivatives(p: Mixture1D, target: Target, theta: Array) -> tuple[Array, Array]:
    """Slope (n, 2) and second derivative (n, 2, 2) in steps as in `moved`, the second by differences of the first."""
    h = _STENCIL
    offsets = np.array([[0, 0], [h, 0], [-h, 0], [0, h], [0, -h]])
    n = len(theta)
    at = moved(np.repeat(theta, 5, axis=0), np.tile(offsets, (n, 1)))
    law = law_of(at)
    raw = np.stack([target.slope(p, law, parameter) for parameter in ("shift", "scale")], axis=1).reshape(n, 5, 2)
    # per unit of the middle's sigma for mu, so that the differences are second derivatives; per log sigma for sigma
    sigma = np.exp(at[:, 1]).reshape(n, 5)
    slope = np.stack([raw[..., 0] * sigma[:, :1], raw[..., 1] * sigma], axis=-1)
    second = np.stack([slope[:, 1] - slope[:, 2], slope[:, 3] - slope[:, 4]], axis=1) / (2 * h)
    return slope[:, 0], 0.5 * (second + np.swapaxes(second, 1, 2))


def _descended(p: Mixture1D, target: Target, theta: Array) -> Array:
    """Where each start (n, 2) comes to rest: Newton's method, made to go downhill, all starts in one call."""
    done = np.zeros((0, 2))
    for _ in range(_ROUNDS):
        theta = theta[_fresh(theta, _SAME)]
        slope, second = _derivatives(p, target, theta)
        steep = np.abs(slope).max(axis=1)
        usable = np.isfinite(slope).all(axis=1) & np.isfinite(second).all(axis=(1, 2))
        going = usable & (steep > _FLAT)
        done = np.concatenate([done, theta[~going]])
        theta, slope, second, steep = theta[going], slope[going], second[going], steep[going]
        if not len(theta):
            break
        bends, axes = np.linalg.eigh(second)
        near = (steep <= _QUADRATIC) & (bends[:, 0] > 0)
        fresh = ~near
        fresh[near] = _fresh(theta[near], _NEAR)  # of those about to arrive at one place, one goes on
        theta, slope, steep, bends, axes, near = (a[fresh] for a in (theta, slope, steep, bends, axes, near))
        # uphill curvature turned downhill; a floor, or flat directions would throw the search out
        firm = np.maximum(np.abs(bends), 1e-3 * np.abs(bends).max(axis=1, keepdims=True) + 1e-12)
        step = -np.einsum("nij,nj->ni", axes, np.einsum("nij,ni->nj", axes, slope) / firm)
        step *= np.minimum(1.0, _LONGEST_STEP / np.abs(step).max(axis=1))[:, None]
        trials = moved(np.repeat(theta, len(_TRIALS), 0), (step[:, None] * _TRIALS[:, None]).reshape(-1, 2))
        both = target.value(p, law_of(np.concatenate([theta, trials]))).value
        now, then = both[: len(theta)], both[len(theta) :].reshape(len(theta), -1)
        best = np.where(near, 0, np.argmin(then, axis=1))
        rows = np.arange(len(theta))
        # a start that cannot get lower has met rounding, or the edge of where the divergence is finite
        better = near | (then[rows, best] < now)
        done = np.concatenate([done, theta[~better]])
        theta = trials.reshape(len(theta), -1, 2)[rows, best][better]
        if not len(theta):
            break
    return np.concatenate([done, theta])


def _fresh(theta: Array, radius: float) -> Array:
    """Which rows of theta (n, 2) lie farther than `radius` from every earlier one that does, in steps: (n,) of bool."""
    fresh = np.zeros(len(theta), bool)
    for i, row in enumerate(theta):
        kept = theta[:i][fresh[:i]]
        close = np.abs((kept - row) / np.stack([np.exp(kept[:, 1]), np.ones(len(kept))], axis=1)).max(axis=1) < radius
        fresh[i] = not close.any()
    return fresh


def checked(p: Mixture1D, target: Target, theta: Array) -> tuple[Minimum, ...]:
    """Those of theta (n, 2) that are minima, with their values, sorted; saddles and points on plateaus are left out."""
    slope, second = _derivatives(p, target, theta)
    found = target.value(p, law_of(theta))
    steep = np.abs(slope).max(axis=1)
    known = np.isfinite(found.value) & np.isfinite(steep) & np.isfinite(second).all(axis=(1, 2))
    bends = np.linalg.eigvalsh(np.where(known[:, None, None], second, 0.0))[:, 0]
    kept = np.flatnonzero(known & (steep <= ZERO_SLOPE) & (bends >= CURVED))
    kept = kept[np.argsort(steep[kept])]
    kept = kept[_fresh(theta[kept], _SAME)]
    order = sorted(kept, key=lambda i: (round(float(found.value[i]) / _TIED), theta[i, 0]))
    numbers = zip(theta[:, 0], np.exp(theta[:, 1]), found.value, found.error, steep, bends, strict=True)
    minima = [Minimum(*(float(v) for v in row)) for row in numbers]
    return tuple(minima[i] for i in order)
