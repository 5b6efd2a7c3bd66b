"""The relativistic gradient: a mean over pairs of a real and a generated sample."""

import numpy as np

from gantoys.maths.direction import Direction
from gantoys.maths.distributions import Mixture1D
from gantoys.maths.quadrature import GAUSS, KRONROD, NODES

Array = np.ndarray
_NO_WEIGHT = 1e-17  # of a node: leaving it out moves nothing
_LARGEST_RATIO = 700.0  # exp of more overflows


def double_sum(p: Mixture1D, q: Mixture1D, direction: Direction, i: int, edges: Array) -> tuple[float, float, float]:
    """E_{x~p, y~q} of the slope of softplus(a*(x) - a*(y)) along the sample y in row i, on the panels between edges.

    Returns the double sum, its error and the sum of its terms' sizes. edges: (M,), increasing.
    """
    half = 0.5 * np.diff(edges)
    at, x = np.array([i]), ((0.5 * (edges[1:] + edges[:-1]))[:, None] + half[:, None] * NODES).reshape(1, -1)
    a, b = p.take(at), q.take(at)
    density_p, density_q = (np.exp(np.atleast_2d(d.log_density(x))[0]) for d in (a, b))
    rules = [(half[:, None] * rule).ravel() for rule in (KRONROD, GAUSS)]
    real, fake = rules[0] * density_p > _NO_WEIGHT, rules[0] * density_q > _NO_WEIGHT
    r_real, r_fake = (_ratio(a, b, x[:, side]) for side in (real, fake))
    # sigmoid(r_x - r_y) for every pair, from one exponential a point instead of one a pair
    with np.errstate(over="ignore"):
        told = np.multiply.outer(np.exp(r_fake), np.exp(-r_real))
    told += 1
    np.reciprocal(told, out=told)
    y = x[:, fake]
    score = np.atleast_2d(a.score(y))[0] - np.atleast_2d(b.score(y))[0]
    felt = density_q[fake] * score * direction.velocity(at, y)[0]
    kronrod, gauss = (-float(np.sum(w[fake] * felt * (told @ (w * density_p)[real]))) for w in rules)
    size = float(np.sum(np.abs(rules[0][fake] * felt) * (told @ (rules[0] * density_p)[real])))
    return kronrod, abs(kronrod - gauss) + 1e-13, size


def _ratio(a: Mixture1D, b: Mixture1D, x: Array) -> Array:
    """log p/q of one row, within what exp can bear."""
    with np.errstate(invalid="ignore"):
        r = np.nan_to_num(np.atleast_2d(a.log_density(x))[0] - np.atleast_2d(b.log_density(x))[0], nan=0.0)
    return np.clip(r, -_LARGEST_RATIO, _LARGEST_RATIO)
