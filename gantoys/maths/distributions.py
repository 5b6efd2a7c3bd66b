"""Distributions whose density is known exactly: finite ones and mixtures in one and two dimensions.

Every parameter may carry one leading *sweep* axis of length S: a distribution with `batch == (S,)` stands for S
distributions at once, which is how a slider's whole range is computed in one call. A distribution with `batch == ()` is
a single one. Mixtures of the two broadcast.

All densities are with respect to Lebesgue measure (finite distributions: counting measure); logarithms are natural.
"""

from collections.abc import Sequence

import numpy as np

from gantoys.maths.finite import Finite
from gantoys.maths.kinds import KINDS, PLANE_KINDS
from gantoys.maths.line import Mixture1D
from gantoys.maths.parameters import MAX_COMPONENTS, WEIGHT_TOLERANCE, checked_weights, short, sweep_shape
from gantoys.maths.plane import Mixture2D

__all__ = [
    "MAX_COMPONENTS",
    "WEIGHT_TOLERANCE",
    "Distribution",
    "Finite",
    "Mixture1D",
    "Mixture2D",
    "component",
    "mix",
    "normal",
    "plane_component",
    "uniform",
]

Array = np.ndarray
Distribution = Finite | Mixture1D | Mixture2D


def normal(loc: Array | float, scale: Array | float) -> Mixture1D:
    """N(loc, scale), scale being the standard deviation; arrays of shape (S,) make a sweep.

    >>> str(normal(0, 2))
    'N(0,2)'
    """
    return component("normal", loc, scale)


def uniform(low: Array | float, high: Array | float) -> Mixture1D:
    """The uniform law on [low, high]; arrays of shape (S,) make a sweep."""
    return component("uniform", low, np.asarray(high, float) - np.asarray(low, float))


def component(kind: str, loc: Array | float, scale: Array | float, shape: Array | float = 0.0) -> Mixture1D:
    """One component of any kind of `gantoys.maths.kinds.KINDS`."""
    if kind not in KINDS:
        raise ValueError(f"unknown kind {kind!r}: known are {', '.join(KINDS)}")
    return Mixture1D(
        (kind,), np.ones(1), np.asarray(loc, float)[..., None], np.asarray(scale, float)[..., None],
        np.asarray(shape, float)[..., None],
    )  # fmt: skip


def plane_component(kind: str, loc: Array, spread: Array | float, shape: float = 0.0) -> Mixture2D:
    """One component in the plane. spread: a number (one scale for both axes), a pair of scales, or a 2x2 covariance.

    Raises ValueError for a covariance that is not symmetric positive definite.
    """
    if kind not in PLANE_KINDS:
        raise ValueError(f"unknown kind {kind!r}: known are {', '.join(PLANE_KINDS)}")
    spread = np.asarray(spread, float)
    if not np.all(np.isfinite(spread)) or np.any((np.diag(spread) if spread.ndim == 2 else spread) <= 0):
        raise ValueError(f"scales (standard deviations, widths) must be positive and finite, got {short(spread)}")
    if spread.shape == (2, 2):
        if abs(spread[0, 1] - spread[1, 0]) > 1e-12 * np.abs(spread).max() or np.linalg.eigvalsh(spread)[0] <= 0:
            raise ValueError(f"a covariance must be symmetric positive definite, got {spread.tolist()}")
        factor = np.linalg.cholesky(spread)
    elif spread.shape in ((), (2,)):
        factor = np.diag(np.broadcast_to(spread, (2,)))
    else:
        raise ValueError(f"a spread must be a number, a pair or a 2x2 covariance, got shape {spread.shape}")
    return Mixture2D((kind,), np.ones(1), np.asarray(loc, float)[None], factor[None], np.array([shape]))


def mix(weights: Array, parts: Sequence[Mixture1D | Mixture2D]) -> Mixture1D | Mixture2D:
    """The mixture sum_k weights_k parts_k; weights (K,) or (S, K) must sum to 1.

    Raises ValueError when the parts differ in dimension or the weights do not sum to 1.
    """
    weights = np.asarray(weights, float)
    if weights.ndim not in (1, 2) or weights.shape[-1] != len(parts) or not parts:
        raise ValueError(f"weights of shape {weights.shape} do not fit {len(parts)} parts")
    if not all(isinstance(part, Mixture1D | Mixture2D) for part in parts):
        raise ValueError("only mixtures on the line or in the plane can be mixed")
    checked_weights(weights, "parts")
    if len({p.dim for p in parts}) > 1:
        raise ValueError("a mixture needs parts of one dimension, got both one and two dimensions")
    kinds = tuple(k for p in parts for k in p.kinds)
    batch = sweep_shape(weights.shape[:-1], *(p.batch for p in parts))

    def joined(name: str, tail: int) -> Array:
        arrays = [getattr(p, name) for p in parts]
        return np.concatenate([np.broadcast_to(a, (*batch, *a.shape[a.ndim - tail :])) for a in arrays], axis=-tail)

    products = (weights[..., i, None] * part.weights for i, part in enumerate(parts))
    share = np.concatenate([np.broadcast_to(product, (*batch, product.shape[-1])) for product in products], axis=-1)
    if isinstance(parts[0], Mixture1D):
        return Mixture1D(kinds, share, joined("locs", 1), joined("scales", 1), joined("shapes", 1))
    return Mixture2D(kinds, share, joined("locs", 2), joined("factors", 3), joined("shapes", 1))
