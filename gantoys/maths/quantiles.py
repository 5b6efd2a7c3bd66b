"""Quantiles of mixtures on the line: Newton's method on the log of the smaller tail, inside a shrinking bracket."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gantoys.maths.parameters import short

if TYPE_CHECKING:
    from gantoys.maths.line import Mixture1D

Array = np.ndarray
_FULL_ROUNDS, _LATE_ROUNDS, _LATE_TURNS = 7, 6, 15  # of the search: all of them together, then the stragglers, in turns
_RESOLVED = 4e-16  # a step that is smaller, as a share of the place, changes nothing
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
    x, low, high = _search(law, 0.5 * (low + high), u, upper, low, high, _FULL_ROUNDS)
    late = np.nonzero(~_reached(law, x, u, upper))
    for _ in range(_LATE_TURNS):
        if not len(late[0]):
            break
        # few are left, and ever fewer: go on with each of them as a row of its own
        rows, before = law.take(late[0]), x[late]
        parts = [a[late][:, None] for a in (x, u, upper, low, high)]
        found = _search(rows, parts[0], parts[1], parts[2], parts[3], parts[4], _LATE_ROUNDS)
        x[late], low[late], high[late] = (part[:, 0] for part in found)
        still = ~_reached(rows, found[0], parts[1], parts[2])[:, 0] & (
            np.abs(x[late] - before) > _RESOLVED * np.abs(before)
        )
        late = tuple(index[still] for index in late)
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


def _search(
    law: Mixture1D, x: Array, u: Array, upper: Array, low: Array, high: Array, rounds: int
) -> tuple[Array, Array, Array]:
    """Where it has come to from x, and the narrower bracket."""
    for _ in range(rounds):
        mass, wanted, sign = _tail(law, x, u, upper)
        miss = sign * (mass - wanted)
        low, high = np.where(miss < 0, x, low), np.where(miss > 0, x, high)
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            newton = x - sign * (mass / law.density(x)) * np.log(mass / wanted)
        inside = (newton >= low) & (newton <= high)
        step = np.where(miss == 0, x, np.where(inside, newton, 0.5 * low + 0.5 * high))
        done, x = np.all(np.abs(step - x) <= _RESOLVED * np.abs(x)), step
        if done:
            break
    return x, low, high
