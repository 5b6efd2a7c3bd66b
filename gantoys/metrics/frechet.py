"""The Fréchet distance between the normal laws that have the points' means and covariances.

FD = ||m_1 - m_2||^2 + tr(C_1 + C_2 - 2 (C_1 C_2)^(1/2)): the squared W2 distance between N(m_1, C_1) and N(m_2, C_2)
(Dowson and Landau 1982). On features of a classifier it is the FID (Heusel et al. 2017). It sees nothing but means and
covariances.
"""

import numpy as np

from gantoys.maths.distributions import Mixture1D, Mixture2D
from gantoys.metrics.modes import has_modes
from gantoys.metrics.samples import pair

Array = np.ndarray
_UNITS = 16.0  # rounding units by which a root may be off: of 400 random sets with points far out none was by 6
_DIGITS = 1e-6  # of the value that must not be rounding


def frechet(real: Array, fake: Array, *, ddof: int = 1) -> float:
    """The distance from real (n, d) and generated (m, d) points, their covariances divided by n - ddof and m - ddof.

    Biased upwards by a term of order 1/n. Raises ValueError unless n, m > ddof and n, m >= 2, and where the points lie
    so far out, beside what the distance is, that rounding has eaten its first six digits.

    >>> round(frechet([0.0, 2.0], [1.0, 3.0]), 12)
    1.0
    """
    if ddof not in (0, 1):
        raise ValueError(f"ddof must be 0 or 1, got {ddof}")
    real, fake = pair(real, fake, least=2)
    # about a place within the points all numbers are small that can be
    middle = np.median(np.concatenate([real, fake]), axis=0)
    real, fake = real - middle, fake - middle
    mean_1, mean_2 = real.mean(axis=0), fake.mean(axis=0)
    x, y = ((part - mean) / np.sqrt(len(part) - ddof) for part, mean in ((real, mean_1), (fake, mean_2)))
    gap = mean_1 - mean_2
    one, two = np.asarray(np.linalg.qr(x, mode="r")), np.asarray(np.linalg.qr(y, mode="r"))
    value = float(gap @ gap) + _apart(one, two)
    # the roots are known to some rounding units of their size, and the distance is a square of their difference
    unit = _UNITS * np.finfo(float).eps * max(float(np.linalg.norm(one)), float(np.linalg.norm(two)))
    doubt = unit * np.sqrt(value) + unit**2
    usual = float(np.median(np.sum(np.concatenate([real, fake]) ** 2, axis=1)))
    if doubt > _DIGITS * max(value, _DIGITS * usual):
        raise ValueError(f"rounding leaves {value:.3g} within {doubt:.1g}: some points lie too far out")
    return value if value > doubt else 0.0


def _apart(one: Array, two: Array) -> float:
    """tr(C_1 + C_2 - 2 (C_1 C_2)^(1/2)) of C_i = R_i^T R_i, from roots R_i (r_i, d) of any kind.

    It is min ||R_1 - Q R_2||^2 over rotations Q, a sum of squares: no large numbers are taken from each other.
    """
    rows = max(len(one), len(two))
    one, two = (np.pad(root, ((0, rows - len(root)), (0, 0))) for root in (one, two))
    u, _, v = np.linalg.svd(two @ one.T)
    return float(np.sum((one - (u @ v).T @ two) ** 2))


def frechet_moments(mean_1: Array, cov_1: Array, mean_2: Array, cov_2: Array) -> float:
    """The distance from means (d,) and covariances (d, d); numbers stand for d = 1.

    Raises ValueError for other shapes, numbers that are not finite, and matrices that are not symmetric and positive
    semidefinite.

    >>> round(frechet_moments(0, 1, 1, 4), 12)
    2.0
    """
    m1, m2 = np.atleast_1d(np.asarray(mean_1, float)), np.atleast_1d(np.asarray(mean_2, float))
    c1, c2 = np.atleast_2d(np.asarray(cov_1, float)), np.atleast_2d(np.asarray(cov_2, float))
    d = len(m1)
    if m1.shape != (d,) or m2.shape != (d,) or c1.shape != (d, d) or c2.shape != (d, d):
        raise ValueError(
            f"means (d,) and covariances (d, d) do not fit: {m1.shape}, {c1.shape} and {m2.shape}, {c2.shape}"
        )
    gap = m1 - m2
    return float(gap @ gap) + _apart(_root(c1), _root(c2))


def _root(matrix: Array) -> Array:
    """The symmetric square root."""
    if not np.all(np.isfinite(matrix)):
        raise ValueError("a covariance must be finite")
    scale = float(np.max(np.abs(matrix), initial=0.0))
    values, vectors = np.linalg.eigh(matrix)
    if np.max(np.abs(matrix - matrix.T)) > 1e-9 * scale or values[0] < -1e-9 * scale:
        raise ValueError("a covariance must be symmetric and positive semidefinite")
    return (vectors * np.sqrt(np.maximum(values, 0.0))) @ vectors.T


def frechet_laws(p: Mixture1D | Mixture2D, q: Mixture1D | Mixture2D) -> float:
    """The population value: the distance from the exact moments of two laws on the line, or of normals in the plane.

    Raises ValueError for other laws, for different dimensions and for moments that are not finite.
    """
    if p.dim != q.dim:
        raise ValueError(f"the two laws have different dimensions: {p.dim} and {q.dim}")
    return frechet_moments(*_moments(p), *_moments(q))


def _moments(law: Mixture1D | Mixture2D) -> tuple[Array, Array]:
    if isinstance(law, Mixture1D) and not law.batch:
        return law.mean, law.std**2
    if not has_modes(law) or isinstance(law, Mixture1D):
        raise ValueError(f"exact moments are known for laws on the line and for normals in the plane, not for {law}")
    mean = law.weights @ law.locs
    gap = law.locs - mean
    inner = law.factors @ np.swapaxes(law.factors, -1, -2)
    return mean, np.einsum("k,kij->ij", law.weights, inner + gap[:, :, None] * gap[:, None, :])
