"""Quantiles of mixtures on the line: Newton's method on the log of the smaller tail, inside a shrinking bracket."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gantoys.maths.parameters import short

if TYPE_CHECKING:
    from gantoys.maths.line import Mixture1D

Array = np.ndarray
_FULL_ROUNDS, _LATE_ROUNDS = 7, 90  # of the search: all of them together, then the stragglers
_FARTHEST = 1e150
_BEYOND = 10.0 ** np.arange(2, 300, 4)  # where quantiles of power tails are looked for, in units of the edges' reach


def quantile(law: Mixture1D, u: Array, upper: Array | None = None) -> Array:
    """See `Mixture1D.quantile`."""
    u = np.asarray(u, float)
    upper = 1 - u if upper is None else np.asarray(upper, float)
    if not np.all((u >= 0) & (u <= 1) & (upper >= 0) & (upper <= 1)):
        raise ValueError(f"quantiles are asked for at levels between 0 and 1, got {short(u)}")
    shape = np.broadcast_shapes(u.shape, (*law.batch, u.shape[-1]))
    u, upper = np.broadcast_to(u, shape), np.broadcast_to(upper, shape)
    low, high = _bracket(law, u, upper)
    x = _search(law, u, upper, low, high, _FULL_ROUNDS)
    late = ~_reached(law, x, u, upper)
    if np.any(late):
        # few are left: go on with each of them as a row of its own
        rows = law.take(np.nonzero(late)[0])
        parts = [a[late][:, None] for a in (u, upper, low, high)]
        x[late] = _search(rows, parts[0], parts[1], parts[2], parts[3], _LATE_ROUNDS)[:, 0]
    first, last = _ends(law)
    return np.where(u == 0, first, np.where(upper == 0, last, x))


def _ends(law: Mixture1D) -> tuple[Array, Array]:
    """The ends of the support, (1,) or (S, 1) each."""
    if not law.bounded:
        return np.array([-np.inf]), np.array([np.inf])
    there = law.weights > 0
    first = np.min(np.where(there, law.locs, np.inf), axis=-1, keepdims=True)
    return first, np.max(np.where(there, law.locs + law.scales, -np.inf), axis=-1, keepdims=True)


def _bracket(law: Mixture1D, u: Array, upper: Array) -> tuple[Array, Array]:
    """Two neighbouring edges with the quantile between them."""
    edges = law.edges()
    if "student-t" in law.kinds:
        middle, reach = edges[..., [edges.shape[-1] // 2]], edges[..., -1:] - edges[..., :1]
        with np.errstate(over="ignore"):
            out = np.minimum(reach * _BEYOND, _FARTHEST)
        edges = np.concatenate([middle - out[..., ::-1], edges, middle + out], axis=-1)
    cdf, sf = law.cdf(edges), law.sf(edges)
    # from above in the right half, where the distribution function rounds to 1
    if law.batch:
        below = np.sum(cdf[..., None, :] <= u[..., :, None], axis=-1)
        above = np.sum(sf[..., None, :] >= upper[..., :, None], axis=-1)
    else:
        below = np.searchsorted(cdf, u, side="right")
        above = len(sf) - np.searchsorted(sf[::-1], upper, side="left")
    index = np.clip(np.where(u <= 0.5, below, above), 1, edges.shape[-1] - 1)
    grid = np.broadcast_to(edges, (*u.shape[:-1], edges.shape[-1]))
    return np.take_along_axis(grid, index - 1, -1), np.take_along_axis(grid, index, -1)


def _tail(law: Mixture1D, x: Array, u: Array, upper: Array) -> tuple[Array, Array, Array]:
    """The smaller tail's mass at x, the one wanted, and the sign with which it grows."""
    left = u <= 0.5
    return np.where(left, law.cdf(x), law.sf(x)), np.where(left, u, upper), np.where(left, 1.0, -1.0)


def _reached(law: Mixture1D, x: Array, u: Array, upper: Array) -> Array:
    mass, wanted, _ = _tail(law, x, u, upper)
    return np.abs(mass - wanted) <= 4 * np.finfo(float).eps * wanted


def _search(law: Mixture1D, u: Array, upper: Array, low: Array, high: Array, rounds: int) -> Array:
    x = 0.5 * (low + high)
    for _ in range(rounds):
        mass, wanted, sign = _tail(law, x, u, upper)
        miss = sign * (mass - wanted)
        low, high = np.where(miss < 0, x, low), np.where(miss > 0, x, high)
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            newton = x - sign * (mass / law.density(x)) * np.log(mass / wanted)
        inside = (newton >= low) & (newton <= high)
        step = np.where(miss == 0, x, np.where(inside, newton, 0.5 * low + 0.5 * high))
        if np.all(np.abs(step - x) <= 4e-16 * np.abs(x)):
            return step
        x = step
    return x
