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


def frechet(real: Array, fake: Array, *, ddof: int = 1) -> float:
    """The distance from real (n, d) and generated (m, d) points, their covariances divided by n - ddof and m - ddof.

    Biased upwards by a term of order 1/n. Raises ValueError unless n, m > ddof and n, m >= 2.

    >>> round(frechet([0.0, 2.0], [1.0, 3.0]), 12)
    1.0
    """
    if ddof not in (0, 1):
        raise ValueError(f"ddof must be 0 or 1, got {ddof}")
    real, fake = pair(real, fake, least=2)
    mean_1, mean_2 = real.mean(axis=0), fake.mean(axis=0)
    x, y = ((part - mean) / np.sqrt(len(part) - ddof) for part, mean in ((real, mean_1), (fake, mean_2)))
    if len(x) + len(y) >= x.shape[1]:
        return frechet_moments(mean_1, x.T @ x, mean_2, y.T @ y)
    # few points of many coordinates: tr (X^T X Y^T Y)^(1/2) is the sum of the singular values of the small X Y^T
    shared = np.sum(np.linalg.svd(x @ y.T, compute_uv=False))
    return _distance(mean_1 - mean_2, float(np.sum(x * x) + np.sum(y * y)), float(shared))


def frechet_moments(mean_1: Array, cov_1: Array, mean_2: Array, cov_2: Array) -> float:
    """The distance from means (d,) and covariances (d, d); numbers stand for d = 1.

    Raises ValueError for other shapes, numbers that are not finite, and matrices that are not symmetric and positive
    semidefinite.

    >>> frechet_moments(0, 1, 1, 4)
    2.0
    """
    m1, m2 = np.atleast_1d(np.asarray(mean_1, float)), np.atleast_1d(np.asarray(mean_2, float))
    c1, c2 = np.atleast_2d(np.asarray(cov_1, float)), np.atleast_2d(np.asarray(cov_2, float))
    d = len(m1)
    if m1.shape != (d,) or m2.shape != (d,) or c1.shape != (d, d) or c2.shape != (d, d):
        raise ValueError(
            f"means (d,) and covariances (d, d) do not fit: {m1.shape}, {c1.shape} and {m2.shape}, {c2.shape}"
        )
    root = _root(c1) @ _root(c2)
    # tr (C1 C2)^(1/2) = sum of the singular values of C1^(1/2) C2^(1/2): no root of an unsymmetric matrix is needed
    shared = float(np.sum(np.linalg.svd(root, compute_uv=False)))
    return _distance(m1 - m2, float(np.trace(c1) + np.trace(c2)), shared)


def _distance(gap: Array, spread: float, shared: float) -> float:
    # rounding may leave the trace of equal covariances just below zero
    return float(gap @ gap) + max(0.0, spread - 2 * shared)


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
