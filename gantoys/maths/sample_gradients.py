"""What one generated sample feels: the slope of the generator's loss in the sample's own place, D frozen at D*.

For a loss l and the best critic a*(x) = optimal(r(x)), r = log p/q, that is l'(a*) optimal'(r) r'(x). A sample moves
against it. Its mean over p_G, times dx/dtheta, is the gradient in theta of `gradients`, wherever D* does not jump.
"""

import numpy as np
from scipy import special

from gantoys.maths.distributions import Mixture1D
from gantoys.maths.losses import LOSSES, Loss
from gantoys.maths.panels import even_edges, joint_edges
from gantoys.maths.quadrature import KRONROD, NODES

Array = np.ndarray
_LARGEST_RATIO = 700.0  # exp of more overflows


def sample_gradients(p: Mixture1D, q: Mixture1D, x: Array, key: str) -> Array:
    """d/dx of the generator's loss `key` at the places x of generated samples: (n,), or (S, n) for a sweep.

    x: (n,) or (S, n). NaN where p or q has no density, so that no sample is there or D* is 0 with no slope. Zero for
    the losses whose best critic is flat beside its jump (hinge, total variation). A paired loss takes the mean over all
    real partners. Raises ValueError for an unknown loss.

    >>> from gantoys.maths.distributions import normal
    >>> sample_gradients(normal(0, 1), normal(4, 1), np.array([4.0]), "non-saturating").round(4)
    array([3.9987])
    """
    if key not in LOSSES:
        raise ValueError(f"unknown loss {key!r}: known are {', '.join(LOSSES)}")
    row, x = LOSSES[key], np.asarray(x, float)
    lp, lq = p.log_density(x), q.log_density(x)
    there = np.isfinite(lp) & np.isfinite(lq)
    if row.optimal is None:  # Kantorovich's potential climbs or falls with slope 1 towards where mass is missing
        low, high = p.cdf(x) - q.cdf(x), q.sf(x) - p.sf(x)  # equal but for rounding, which is less in the nearer tail
        felt = np.sign(np.where(np.abs(low) < np.abs(high), low, high))
    else:
        r = np.clip(np.where(there, lp - lq, 0.0), -_LARGEST_RATIO, _LARGEST_RATIO)
        felt = _per_ratio(p, q, r, row) * (p.score(x) - q.score(x))
    return np.where(there, felt, np.nan)


def _per_ratio(p: Mixture1D, q: Mixture1D, r: Array, row: Loss) -> Array:
    """The slope of the loss in the log-ratio r of the sample."""
    assert row.optimal is not None and row.optimal_slope is not None
    if row.paired:
        return _over_partners(p, q, r)
    with np.errstate(over="ignore"):
        return row.generator_slope(row.optimal(r)) * row.optimal_slope(r)


def _over_partners(p: Mixture1D, q: Mixture1D, r: Array) -> Array:
    """-E_{y ~ p} sigmoid(r(y) - r): the relativistic slope at a generated sample of log-ratio r, (n,) or (S, n)."""
    edges = even_edges(p, q, joint_edges(p, q))
    middle, half = 0.5 * (edges[:, 1:] + edges[:, :-1]), 0.5 * np.diff(edges)
    y = (middle[..., None] + half[..., None] * NODES).reshape(len(edges), -1)
    weight = (half[..., None] * KRONROD).reshape(len(edges), -1)
    y, weight = (y, weight) if q.batch or p.batch else (y[0], weight[0])
    lp = p.log_density(y)
    partner = np.clip(np.nan_to_num(lp - q.log_density(y)), -_LARGEST_RATIO, _LARGEST_RATIO)
    told = special.expit(partner[..., None, :] - r[..., :, None])
    return -np.sum(told * (weight * np.exp(lp))[..., None, :], axis=-1)
