"""The gradient of -log D under a D that is perfect up to noise: a Cauchy law (Arjovsky & Bottou 2017, theorem 2.6)."""

from __future__ import annotations

import numpy as np
from scipy import special

Array = np.ndarray


def noisy_gradients(draws: int, points: int, scale: float, seed: int = 0) -> Array:
    """`draws` gradients of -log D, each the mean over `points` generated points, (draws,); any finite numbers.

    Where the two laws share no ground D* = 0 and its slope is 0 at every generated point. Let D = D* + e and
    dD/dx = dD*/dx + r with independent e ~ N(0, s^2) and r ~ N(0, (scale s)^2): then -d log D/dx = -r / e, whatever s.
    Raises ValueError unless draws and points are positive and scale > 0.
    """
    if draws < 1 or points < 1 or not scale > 0:
        raise ValueError(f"draws, points and scale must be positive, got {draws}, {points} and {scale}")
    rng = np.random.default_rng(seed)
    total = np.zeros(draws)
    for _ in range(points):
        total += rng.standard_normal(draws) / rng.standard_normal(draws)
    return -scale * total / points


def cauchy_density(g: Array, scale: float) -> Array:
    """1 / (pi scale (1 + (g / scale)^2)): the law of one such gradient, and of the mean of any number of them."""
    return np.asarray(1 / (np.pi * scale * (1 + (np.asarray(g) / scale) ** 2)))


def cauchy_tail(size: Array, scale: float) -> Array:
    """P(|g| > size) = 1 - (2 / pi) arctan(size / scale), in [0, 1]."""
    return np.asarray(2 / np.pi * np.arctan2(scale, np.abs(size)))


def normal_tail(size: Array, quartile: float) -> Array:
    """P(|g| > size) of the centred normal law half of which lies within +-quartile."""
    return np.asarray(2 * special.ndtr(-np.abs(size) / quartile * special.ndtri(0.75)))
