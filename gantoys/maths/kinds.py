"""Standard one- and two-dimensional laws from which every mixture is built.

A kind is a law of a standard variable z; a component of a mixture is x = loc + factor z. In 1D `factor` is a positive
number, in 2D a lower triangular 2x2 matrix. All functions are elementwise over the leading axes of `z`; in 2D the last
axis of `z` holds the two coordinates. `shape` is the extra parameter of a kind (degrees of freedom, skewness, radius)
and is ignored by the kinds that have none.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import special

LOG_2PI = float(np.log(2 * np.pi))

Array = np.ndarray
_NORMAL_EDGES = np.array([0, 1, 2.2, 4, 6.5, 10, 16, 26, 40.0])
_LAPLACE_EDGES = np.array([0, 0.5, 1, 2, 4, 8, 14, 22, 30, 40, 100, 300, 800.0])


@dataclass(frozen=True)
class Kind:
    """One standard law.

    `edges(shape)` are the non-negative distances from the centre between which an integrand is smooth enough for a
    Gauss-Kronrod panel; `tail(shape)` gives, for the left and the right side, (A, B, C) of
    log density ~ -A z^2 - B |z| - C log|z|, with A = inf where the law has no tail; `mean` and `variance` are moments
    of z (inf or NaN where they do not exist); `bounded` laws live on [0, 1] with jumps at both ends, `kinked` ones have
    a corner at 0.
    """

    key: str
    letter: str
    arguments: tuple[str, ...]
    label: str
    log_density: Callable[[Array, Array], Array]
    score: Callable[[Array, Array], Array]
    cdf: Callable[[Array, Array], Array]
    sf: Callable[[Array, Array], Array]
    sample: Callable[[np.random.Generator, int, float], Array]
    edges: Callable[[float], Array]
    tail: Callable[[float], tuple[tuple[float, float, float], tuple[float, float, float]]]
    mean: Callable[[Array], Array]
    variance: Callable[[Array], Array]
    bounded: bool = False
    kinked: bool = False


def _log_normal(z: Array, shape: Array) -> Array:
    return -0.5 * z * z - 0.5 * LOG_2PI


def _log_uniform(z: Array, shape: Array) -> Array:
    return np.where((z >= 0) & (z <= 1), 0.0, -np.inf)


def _log_skew(z: Array, shape: Array) -> Array:
    return np.log(2) + _log_normal(z, shape) + special.log_ndtr(shape * z)


def _skew_score(z: Array, shape: Array) -> Array:
    # phi / Phi through logarithms: both underflow far out on the thin side
    return -z + shape * np.exp(_log_normal(shape * z, shape) - special.log_ndtr(shape * z))


def _log_t(z: Array, shape: Array) -> Array:
    scale = special.gammaln((shape + 1) / 2) - special.gammaln(shape / 2) - 0.5 * np.log(shape * np.pi)
    return scale - (shape + 1) / 2 * np.log1p(z * z / shape)


def _log_laplace(z: Array, shape: Array) -> Array:
    return -np.abs(z) - np.log(2)


def _laplace_sf(z: Array, shape: Array) -> Array:
    half = 0.5 * np.exp(-np.abs(z))
    return np.where(z < 0, 1 - half, half)


def _skew_tail(alpha: float) -> tuple[tuple[float, float, float], tuple[float, float, float]]:
    thin, thick = (0.5 * (1 + alpha * alpha), 0.0, 1.0), (0.5, 0.0, 0.0)
    return (thick, thick) if alpha == 0 else (thin, thick) if alpha > 0 else (thick, thin)


def _t_edges(df: float) -> Array:
    # decades until what is left of the mass, z^-df, and of a log-ratio to a normal, z^(2-df), is below 1e-16
    slowest = min(df, abs(df - 2)) if df != 2 else df
    # but not so far that the density itself, z^-(df+1), leaves the range of numbers: tails are carried on from there
    decades = int(min(np.ceil(18 / min(slowest, 6)) + 2, max(2, 250 / (df + 1))))
    return np.concatenate([[0, 0.4, 0.8, 1.3, 2, 3, 5], np.logspace(1, decades, 2 * decades - 1)])


def _skew_edges(alpha: float) -> Array:
    # the skewing factor Phi(alpha z) turns on the scale 1 / alpha
    return np.unique(np.concatenate([_NORMAL_EDGES, _NORMAL_EDGES / max(1.0, abs(alpha))]))


def _skew_delta(shape: Array) -> Array:
    return shape / np.sqrt(1 + shape**2)


def _zero(shape: Array) -> Array:
    return np.zeros_like(np.asarray(shape, float))


KINDS = {
    row.key: row
    for row in (
        Kind(
            "normal",
            "N",
            ("loc", "scale"),
            "normal",
            _log_normal,
            lambda z, s: -z,
            lambda z, s: special.ndtr(z),
            lambda z, s: special.ndtr(-z),
            lambda rng, n, s: rng.standard_normal(n),
            lambda s: _NORMAL_EDGES,
            lambda s: ((0.5, 0.0, 0.0), (0.5, 0.0, 0.0)),
            _zero,
            lambda s: _zero(s) + 1,
        ),
        Kind(
            "uniform",
            "U",
            ("low", "high"),
            "uniform",
            _log_uniform,
            lambda z, s: np.zeros_like(z),
            lambda z, s: np.clip(z, 0, 1),
            lambda z, s: np.clip(1 - z, 0, 1),
            lambda rng, n, s: rng.random(n),
            lambda s: np.array([0, 0.25, 0.5, 0.75, 1.0]),
            lambda s: ((np.inf, 0.0, 0.0), (np.inf, 0.0, 0.0)),
            lambda s: _zero(s) + 0.5,
            lambda s: _zero(s) + 1 / 12,
            bounded=True,
        ),
        Kind(
            "skew-normal",
            "SN",
            ("loc", "scale", "skew"),
            "skew-normal",
            _log_skew,
            _skew_score,
            # rounding must not carry the thin tail below zero
            lambda z, s: np.maximum(special.ndtr(z) - 2 * special.owens_t(z, s), 0.0),
            lambda z, s: np.maximum(special.ndtr(-z) + 2 * special.owens_t(z, s), 0.0),
            lambda rng, n, s: _sample_skew(rng, n, s),
            _skew_edges,
            _skew_tail,
            lambda s: _skew_delta(s) * np.sqrt(2 / np.pi),
            lambda s: 1 - 2 / np.pi * _skew_delta(s) ** 2,
        ),
        Kind(
            "student-t",
            "T",
            ("loc", "scale", "df"),
            "Student t",
            _log_t,
            lambda z, s: -(s + 1) * z / (s + z * z),
            lambda z, s: special.stdtr(s, z),
            lambda z, s: special.stdtr(s, -z),
            lambda rng, n, s: rng.standard_t(s, n),
            _t_edges,
            lambda s: ((0.0, 0.0, s + 1), (0.0, 0.0, s + 1)),
            lambda s: np.where(s > 1, 0.0, np.nan),
            lambda s: np.where(s > 2, s / np.where(s > 2, s - 2, 1.0), np.inf),
        ),
        Kind(
            "laplace",
            "L",
            ("loc", "scale"),
            "Laplace",
            _log_laplace,
            lambda z, s: -np.sign(z),
            lambda z, s: _laplace_sf(-z, s),
            _laplace_sf,
            lambda rng, n, s: rng.laplace(size=n),
            lambda s: _LAPLACE_EDGES,
            lambda s: ((0.0, 1.0, 0.0), (0.0, 1.0, 0.0)),
            _zero,
            lambda s: _zero(s) + 2,
            kinked=True,
        ),
    )
}


def _sample_skew(rng: np.random.Generator, n: int, alpha: float) -> Array:
    z, other = rng.standard_normal((2, n))
    return np.where(other > alpha * z, -z, z)


@dataclass(frozen=True)
class PlaneKind:
    """One standard law in the plane; `z` has shape (..., 2). Fields as in `Kind`; `round` laws depend on |z| only."""

    key: str
    letter: str
    label: str
    log_density: Callable[[Array, Array], Array]
    sample: Callable[[np.random.Generator, int, float], Array]
    edges: Callable[[float], Array]
    tail: Callable[[float], tuple[float, float, float]]
    bounded: bool = False
    round: bool = False


def _radius_squared(z: Array) -> Array:
    return np.sum(z * z, axis=-1)


def _log_box(z: Array, shape: Array) -> Array:
    return np.where(np.all((z >= 0) & (z <= 1), axis=-1), 0.0, -np.inf)


def _log_plane_t(z: Array, df: Array) -> Array:
    # multivariate t with identity scale in two dimensions: the normalising constant collapses to 1 / (2 pi)
    return -LOG_2PI - (df + 2) / 2 * np.log1p(_radius_squared(z) / df)


def _sample_plane_t(rng: np.random.Generator, n: int, df: float) -> Array:
    return rng.standard_normal((n, 2)) / np.sqrt(rng.chisquare(df, (n, 1)) / df)


def _log_circle(z: Array, radius: Array) -> Array:
    """A circle of the given radius blurred by a unit normal, exp(-(r-R)^2/2) I0e(rR) / 2 pi (Rice, in the plane)."""
    r = np.sqrt(_radius_squared(z))
    return -0.5 * (r - radius) ** 2 + np.log(special.i0e(r * radius)) - LOG_2PI


def _sample_circle(rng: np.random.Generator, n: int, radius: float) -> Array:
    angle = rng.random(n) * 2 * np.pi
    return radius * np.stack([np.cos(angle), np.sin(angle)], 1) + rng.standard_normal((n, 2))


_PLANE_EDGES = np.array([0, 1, 2.2, 3.8, 6, 10, 18, 38.0])

PLANE_KINDS = {
    row.key: row
    for row in (
        PlaneKind(
            "normal",
            "N",
            "normal",
            lambda z, s: -0.5 * _radius_squared(z) - LOG_2PI,
            lambda rng, n, s: rng.standard_normal((n, 2)),
            lambda s: _PLANE_EDGES,
            lambda s: (0.5, 0.0, 0.0),
            round=True,
        ),
        PlaneKind(
            "uniform",
            "U",
            "uniform",
            _log_box,
            lambda rng, n, s: rng.random((n, 2)),
            lambda s: np.array([0, 0.5, 1.0]),
            lambda s: (np.inf, 0.0, 0.0),
            bounded=True,
        ),
        PlaneKind(
            "student-t",
            "T",
            "Student t",
            _log_plane_t,
            _sample_plane_t,
            lambda s: _t_edges(s)[::-2][::-1],
            lambda s: (0.0, 0.0, s + 2),
            round=True,
        ),
        PlaneKind(
            "laplace",
            "L",
            "Laplace",
            lambda z, s: -np.sum(np.abs(z), axis=-1) - np.log(4),
            lambda rng, n, s: rng.laplace(size=(n, 2)),
            lambda s: _LAPLACE_EDGES[::-2][::-1],
            lambda s: (0.0, 1.0, 0.0),
        ),
        PlaneKind(
            "circle",
            "C",
            "noisy circle",
            _log_circle,
            _sample_circle,
            lambda s: np.unique(np.abs(np.concatenate([s + _PLANE_EDGES, s - _PLANE_EDGES, np.linspace(0, s, 4)]))),
            lambda s: (0.5, 0.0, 0.0),
            round=True,
        ),
    )
}
