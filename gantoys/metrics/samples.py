"""What all metrics ask of their points (shape, finite numbers, not too many pairs at once), and what they give back."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

Array = np.ndarray
LARGEST = 1e50  # the kernel of degree three of products of two coordinates stays finite
MAX_PAIRS = 400_000_000  # some seconds of one core
_BLOCK = 2_000_000  # numbers held at once, 16 MB


@dataclass(frozen=True)
class Scored:
    """value: NaN where it cannot be told. error: how far off it may be by the way of computing it alone (lines,
    subsets, bounds), or a standard error; None where there is none. note: what to know about it, or empty."""

    value: float
    error: float | None = None
    note: str = ""


def points(x: Array, name: str, least: int = 1) -> Array:
    """x as float64 of shape (n, d): (n,) becomes (n, 1).

    Raises ValueError unless x has shape (n,) or (n, d) with n >= `least` and d >= 1 and all numbers are finite and of
    absolute value 1e50 at most.
    """
    try:
        x = np.asarray(x, float)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name} must be an array of numbers") from error
    if x.ndim == 1:
        x = x[:, None]
    if x.ndim != 2 or not x.shape[1]:
        raise ValueError(f"{name} must have shape (n,) or (n, d), got {x.shape}")
    if len(x) < least:
        raise ValueError(f"{name} must have at least {least} points, got {len(x)}")
    if not np.all(np.isfinite(x)):
        raise ValueError(f"{name} must be finite numbers: {int(np.sum(~np.isfinite(x)))} of {x.size} are not")
    if np.max(np.abs(x)) > LARGEST:
        raise ValueError(f"{name} must not be beyond {LARGEST:g} in absolute value, got {np.max(np.abs(x)):g}")
    return x


def pair(real: Array, fake: Array, least: int = 1) -> tuple[Array, Array]:
    """Both sets of points as (n, d) and (m, d). Raises ValueError as `points`, and where their dimensions differ."""
    real, fake = points(real, "real points", least), points(fake, "generated points", least)
    if real.shape[1] != fake.shape[1]:
        raise ValueError(
            f"real and generated points must have equally many coordinates, got {real.shape[1]} and {fake.shape[1]}"
        )
    return real, fake


def check_pairs(n: int, m: int) -> None:
    """Raises ValueError where n x m distances are more than this library computes in one call."""
    if n * m > MAX_PAIRS:
        raise ValueError(f"{n} x {m} pairs of points are too many: at most {MAX_PAIRS} are compared, take fewer points")


def blocks(rows: int, columns: int, most: int = _BLOCK) -> Iterator[slice]:
    """Slices of the rows such that a block of rows x columns stays small in memory: of `most` numbers, or one row."""
    step = max(1, most // max(1, columns))
    return (slice(start, start + step) for start in range(0, rows, step))


def thinned(x: Array, most: int) -> Array:
    """At most `most` of the points, evenly spaced in their order: a sorted file loses no part of itself."""
    return x if len(x) <= most else x[np.arange(most) * len(x) // most]
