"""Which divergences are infinite: decided from supports and tails, never from an integral that fails to settle.

A tail is (A, B, C) with log density ~ -A r^2 - B r - C log r far out along one side (1D) or direction (2D).
"""

import numpy as np

Array = np.ndarray


def _sign(value: Array, scale: Array) -> Array:
    """The sign of a difference of exponents, zero where only rounding is left of it."""
    return np.where(np.abs(value) <= 1e-12 * np.abs(scale), 0.0, np.sign(value))


def power_integrable(p: Array, q: Array, power: float, dim: int) -> Array:
    """Whether int p^power q^(1-power) converges in every tail. p, q: (..., sides, 3); returns (...)."""
    p, q = np.broadcast_arrays(p, q)
    kept, divided = (p, q) if power > 0 else (q, p)
    by_kept, by_divided = max(power, 1 - power), min(power, 1 - power)
    ended, gone = np.isinf(kept[..., 0]), np.isinf(divided[..., 0])
    with np.errstate(invalid="ignore"):
        total = np.where(np.isinf(kept), 0.0, by_kept * kept) + np.where(np.isinf(divided), 0.0, by_divided * divided)
        scale = np.where(np.isinf(kept), 0.0, by_kept * np.abs(kept))
    a, b, c = (_sign(total[..., i] - (dim if i == 2 else 0), scale[..., i] + (i == 2)) for i in range(3))
    converges = (a > 0) | ((a == 0) & ((b > 0) | ((b == 0) & (c > 0))))
    return np.all(ended | (~gone & converges), axis=-1)


def log_ratio_integrable(p: Array, q: Array, dim: int) -> Array:
    """Whether int p |log p/q| converges in every tail where q has one. p, q: (..., sides, 3); returns (...)."""
    p, q = np.broadcast_arrays(p, q)
    thin = (p[..., 0] > 0) | (p[..., 1] > 0)
    growth = np.where(np.isinf(q[..., 0]), 0, np.where(q[..., 0] > 0, 2, np.where(q[..., 1] > 0, 1, 0)))
    return np.all(thin | (p[..., 2] - growth - dim > 1e-12), axis=-1)
