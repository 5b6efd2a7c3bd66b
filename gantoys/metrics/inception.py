"""The inception score of class probabilities."""

from dataclasses import dataclass

import numpy as np

from gantoys.maths.distributions import Mixture1D, Mixture2D
from gantoys.maths.parameters import log_sum_exp
from gantoys.metrics.modes import has_modes
from gantoys.metrics.samples import points

Array = np.ndarray
_SUM = 1e-3  # how far a row's sum may be from 1: probabilities are often kept in 32 or 16 bits


@dataclass(frozen=True)
class InceptionScore:
    """mean over the splits, in [1, K], and its standard deviation (ddof 0) over them; splits: how many."""

    mean: float
    std: float
    splits: int


def inception_scores(probabilities: Array, splits: int = 1) -> InceptionScore:
    """exp of the mean of KL(p(y|x) || p(y)) of class probabilities (n, K), p(y) the mean of the rows, 0 log 0 = 0.

    With `splits`, the rows are cut in order into that many parts of nearly equal size, each with its own p(y); the
    published code takes 10, which changes the value: a part of n/10 points sees fewer classes. Salimans et al. 2016.
    Raises ValueError unless every row has probabilities that sum to 1 (within 0.001) and 1 <= splits <= n.

    >>> inception_scores(np.eye(4)).mean
    4.0
    """
    p = points(probabilities, "class probabilities")
    if np.ndim(probabilities) != 2:
        raise ValueError(f"class probabilities must have shape (n, K), got {np.shape(probabilities)}")
    if np.any(p < 0) or np.any(np.abs(p.sum(axis=1) - 1) > _SUM):
        raise ValueError("each row of class probabilities must be non-negative and sum to 1")
    if splits != int(splits) or not 1 <= splits <= len(p):
        raise ValueError(f"splits must be a whole number from 1 to {len(p)}, got {splits}")
    scores = np.array([_score(part) for part in np.array_split(p, int(splits))])
    return InceptionScore(float(scores.mean()), float(scores.std()), int(splits))


def _score(p: Array) -> float:
    # a class that no row names has log 1 = 0 on both sides
    marginal = p.mean(axis=0)
    logs = np.log(np.where(p > 0, p, 1.0)) - np.log(np.where(marginal > 0, marginal, 1.0))
    return float(np.exp(np.mean(np.sum(np.where(p > 0, p * logs, 0.0), axis=1))))


def inception_score(probabilities: Array, *, splits: int = 1) -> float:
    """The mean of `inception_scores`."""
    return inception_scores(probabilities, splits).mean


def mode_probabilities(x: Array, mixture: Mixture1D | Mixture2D) -> Array:
    """p(mode k | x), shape (n, K), of points (n,) or (n, 2): the exact classifier of a mixture of normals.

    Raises ValueError unless `has_modes(mixture)` and the points' dimension fits.
    """
    if not has_modes(mixture):
        raise ValueError(f"classes are the modes of a mixture of normals, which {mixture} is not")
    x = points(x, "points")
    if x.shape[1] != mixture.dim:
        raise ValueError(f"points of {x.shape[1]} coordinates do not fit {mixture}")
    if isinstance(mixture, Mixture1D):
        z, log_scale = (x - mixture.locs) / mixture.scales, np.log(mixture.scales)
        squared = z * z
    else:
        z = np.einsum("kij,nkj->nki", np.linalg.inv(mixture.factors), x[:, None, :] - mixture.locs)
        squared, log_scale = np.sum(z * z, axis=-1), np.log(np.linalg.det(mixture.factors))
    with np.errstate(divide="ignore"):
        terms = np.log(mixture.weights) - log_scale - squared / 2
    return np.exp(terms - log_sum_exp(terms.T)[:, None])
