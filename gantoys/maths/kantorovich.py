"""Kantorovich's dual on the line, int f'(x) (F_q(x) - F_p(x)) dx for critics f, and two ways up to W1.

E_p f - E_q f is that integral (by parts), so a critic matters through its slope alone, and |f'| <= 1 keeps it at or
below W1 = int |F_q - F_p| dx (Kantorovich & Rubinstein 1958; Villani 2009, remark 6.6). Critics here are straight
between the points of a grid and go on straight beyond it: a cell of the grid adds its slope times the integral of the
gap over the cell.
"""

import numpy as np

from gantoys.maths.compare import check_pair
from gantoys.maths.distributions import Mixture1D
from gantoys.maths.panels import joint_edges, with_zeros
from gantoys.maths.quadrature import KRONROD, NODES
from gantoys.maths.transport import cdf_order, critic_slope

Array = np.ndarray


def cell_gaps(p: Mixture1D, q: Mixture1D, x: Array) -> Array:
    """int (F_q - F_p) over each cell between increasing points x (n,): (n - 1,), or (S, n - 1) for a sweep.

    The mass beyond x[0] counts for the first cell and that beyond x[-1] for the last: a critic goes on straight there.
    15-point Kronrod on every piece between the points and the laws' own edges.
    """
    check_pair(p, q)
    batch, x = np.broadcast_shapes(p.batch, q.batch), np.asarray(x, float)
    edges = joint_edges(p, q)
    every = np.concatenate([np.broadcast_to(x, (len(edges), len(x))), edges], axis=1)
    order = np.argsort(every, axis=1, kind="stable")
    every = np.take_along_axis(every, order, axis=1)
    places = np.argsort(order, axis=1, kind="stable")[:, : len(x)]  # where the points of x have come to stand
    half, middle = 0.5 * np.diff(every, axis=1), 0.5 * (every[:, 1:] + every[:, :-1])
    nodes = (middle[..., None] + half[..., None] * NODES).reshape(len(edges), -1)
    at = nodes if batch else nodes[0]
    gap = np.reshape(q.cdf(at) - p.cdf(at), (*middle.shape, len(NODES)))
    climbed = np.concatenate([np.zeros((len(edges), 1)), np.cumsum((gap @ KRONROD) * half, axis=1)], axis=1)
    marks = np.take_along_axis(climbed, places, axis=1)
    marks[:, 0], marks[:, -1] = climbed[:, 0], climbed[:, -1]
    return np.reshape(np.diff(marks, axis=1), (*batch, len(x) - 1))


def dual_value(gaps: Array, x: Array, critic: Array) -> Array:
    """E_p f - E_q f, (...), for critics (..., n) straight between x (n,), with gaps (..., n - 1) from `cell_gaps`.

    >>> from gantoys.maths.distributions import uniform
    >>> x = np.array([-1.0, 0.0, 3.0])
    >>> float(dual_value(cell_gaps(uniform(0, 1), uniform(2, 3), x), x, -x))
    2.0
    """
    return np.sum(np.diff(critic, axis=-1) / np.diff(x) * gaps, axis=-1)


def steepest(x: Array, critic: Array) -> Array:
    """max |f'| of critics (..., n) straight between x (n,): (...), their Lipschitz constant."""
    return np.max(np.abs(np.diff(critic, axis=-1) / np.diff(x)), axis=-1)


def flattened(x: Array, critic: Array) -> Array:
    """The critic whose slopes are those of `critic` (..., n), cut to [-1, 1]: the nearest 1-Lipschitz one in slope."""
    return climb(np.clip(np.diff(critic, axis=-1) / np.diff(x), -1.0, 1.0), x)


def climb(slopes: Array, x: Array) -> Array:
    """The critic with the given slopes (..., n - 1) on the cells of x (n,), 0 at x[0]: (..., n)."""
    start = np.zeros((*slopes.shape[:-1], 1))
    return np.concatenate([start, np.cumsum(slopes * np.diff(x), axis=-1)], axis=-1)


def ascent(gaps: Array, x: Array, steps: Array, *, rate: float) -> Array:
    """Slopes (K, ..., n - 1) of a critic after `steps` (K,) steps of projected gradient ascent on the dual from f = 0.

    A step adds rate times the mean gap of each cell, the gradient of the dual in the slope, and cuts the slope to
    [-1, 1], which is the projection onto the 1-Lipschitz critics. As the gradient never changes, k steps are one of
    k times the rate. gaps (..., n - 1) from `cell_gaps`. Raises ValueError for rate <= 0.
    """
    if not rate > 0:
        raise ValueError(f"the rate of an ascent must be positive, got {rate}")
    steps = np.asarray(steps, float).reshape(-1, *(1,) * np.ndim(gaps))
    return np.clip(steps * rate * gaps / np.diff(x), -1.0, 1.0)


def point_gaps(a: Array | float, b: Array | float, x: Array) -> Array:
    """As `cell_gaps` for all mass of p at a and all mass of q at b, within x: (n - 1,), or (S, n - 1) for a or b (S,).

    >>> point_gaps(0.0, 1.5, np.array([-1.0, 0.0, 1.0, 2.0])).tolist()
    [0.0, -1.0, -0.5]
    """
    x = np.asarray(x, float)
    below_a, below_b = (np.maximum(x - np.asarray(at, float)[..., None], 0.0) for at in (a, b))
    return np.diff(below_b - below_a, axis=-1)


def w1_slope(p: Mixture1D, q: Mixture1D) -> Array:
    """dW1 / dt when q is moved by t to the right, () or (S,): -E_q f*'(X), f* the best critic, by Danskin's theorem.

    Exact: f* has slope 1 or -1 between the sign changes of F_p - F_q, where its share of the mass of q is known.
    Where q equals p it is 0, between -1 and 1.
    """
    check_pair(p, q)
    batch = np.broadcast_shapes(p.batch, q.batch)
    edges = with_zeros(cdf_order(p, q), joint_edges(p, q))
    middle = 0.5 * (edges[:, 1:] + edges[:, :-1])
    slopes = np.atleast_2d(critic_slope(p, q, middle if batch else middle[0]))
    inner = edges[:, 1:-1]
    mass = np.atleast_2d(q.cdf(inner if batch else inner[0]))
    ends = np.zeros((len(edges), 1)), np.ones((len(edges), 1))
    share = np.diff(np.concatenate([ends[0], mass, ends[1]], axis=1), axis=1)
    return np.reshape(-np.sum(slopes * share, axis=1), batch)
