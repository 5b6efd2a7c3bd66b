"""The Fisher divergence, which score matching minimises: how far the slopes of two log densities are apart.

F(p, q) = E_p |grad log p - grad log q|^2 (Hyvarinen 2005, eq. 2, there halved). It needs no normalising constant. It
also hardly notices the weights of modes that lie far apart: between them both densities are nearly zero, and within
each the slopes agree (Wenliang & Kanagawa 2020).
"""

from collections.abc import Callable

import numpy as np
from scipy import special

from gantoys.maths.compare import Quantity, check_pair
from gantoys.maths.distributions import Distribution, Finite, Mixture1D, Mixture2D
from gantoys.maths.panels import beyond, centred, ill_placed, joint_edges, reaching
from gantoys.maths.panels_plane import centred_plane, grid_lines, reaching_plane
from gantoys.maths.parameters import log_sum_exp
from gantoys.maths.quadrature import integrate, integrate_plane

Array = np.ndarray
_EPS = float(np.finfo(float).eps)
_ROUNDING = 4 * _EPS
_SMALL_TAIL = 1e-17
_PLANE_TOLERANCE, _TINY_PLANE_MASS = 1e-10, 1e-9


def fisher_divergence(p: Distribution, q: Distribution) -> Quantity:
    """E_p |grad log p - grad log q|^2, in 1 / unit of x squared: () or (S,) over the sweep of p and q.

    Closed form between normals, else quadrature. inf where p has so heavy a tail that the score of q has no second
    moment. Raises ValueError for finite laws, and for densities with jumps, whose log has no slope.

    >>> from gantoys.maths.distributions import normal
    >>> float(fisher_divergence(normal(0, 1), normal(3, 1)).value)
    9.0
    """
    check_pair(p, q)
    for law in (p, q):
        if isinstance(law, Finite):
            raise ValueError(f"{law} is finite: the Fisher divergence needs densities with a slope")
        if not law.smooth:
            raise ValueError(f"the density of {law} jumps: the Fisher divergence needs one with a slope")
    if isinstance(p, Mixture1D) and isinstance(q, Mixture1D):
        return _normals_on_the_line(p, q) if p.kinds == q.kinds == ("normal",) else _on_the_line(p, q)
    assert isinstance(p, Mixture2D) and isinstance(q, Mixture2D)
    return _normals_in_the_plane(p, q) if p.kinds == q.kinds == ("normal",) else _in_the_plane(p, q)


def _normals_on_the_line(p: Mixture1D, q: Mixture1D) -> Quantity:
    (m, s), (n, t) = ((d.locs[..., 0], d.scales[..., 0]) for d in (p, q))
    spread, gap = (s - t) * (s + t) / (s * t * t), (m - n) / t**2
    value = spread**2 + gap**2
    return Quantity(value, 8 * _ROUNDING * value, "closed form")


def _normals_in_the_plane(p: Mixture2D, q: Mixture2D) -> Quantity:
    # grad log p - grad log q = (Q - P)(x - m) + Q (m - n), P and Q the inverse covariances
    a, b = (f[..., 0, :, :] @ np.swapaxes(f[..., 0, :, :], -1, -2) for f in (p.factors, q.factors))
    precise_p, precise_q = np.linalg.inv(a), np.linalg.inv(b)
    change = precise_q - precise_p
    gap = np.einsum("...ij,...j->...i", precise_q, (p.locs - q.locs)[..., 0, :])
    value = np.trace(change @ a @ change, axis1=-2, axis2=-1) + np.sum(gap**2, -1)
    size = np.trace(precise_p + precise_q @ a @ precise_q, axis1=-2, axis2=-1) + np.sum(gap**2, -1)
    worst = np.maximum(np.linalg.cond(a), np.linalg.cond(b))
    return Quantity(value, 8 * _ROUNDING * worst * size, "closed form")


def _infinite(p: Mixture1D | Mixture2D, q: Mixture1D | Mixture2D) -> Array:
    """Whether p falls like a power too slow for the second moment that a normal tail of q asks for: () or (S,)."""
    tp, tq = np.broadcast_arrays(p.tails(), q.tails())
    power = (tp[..., 0] == 0) & (tp[..., 1] == 0)
    return np.any(power & (tq[..., 0] > 0) & (tp[..., 2] - 2 - p.dim <= 1e-12), axis=-1)


def _on_the_line(p: Mixture1D, q: Mixture1D) -> Quantity:
    batch = np.broadcast_shapes(p.batch, q.batch)
    p, q = centred(p, q)
    edges = joint_edges(p, q)
    infinite = np.broadcast_to(np.atleast_1d(_infinite(p, q)), (len(edges),))

    def f(rows: Array, x: Array) -> tuple[Array, Array]:
        a, b = p.take(rows), q.take(rows)
        ours, theirs, density = a.score(x), b.score(x), a.density(x)
        gap = np.where(infinite[rows, None], 0.0, ours - theirs)
        size = np.abs(ours) + np.abs(theirs)
        return (density * gap**2)[None], (density * size * (np.abs(gap) + _ROUNDING * size))[None]

    edges = reaching(lambda rows, x: f(rows, x)[0], edges, _SMALL_TAIL)
    found = integrate(f, edges)
    rest, rest_error = beyond(lambda rows, x: f(rows, x)[0], edges)
    value = np.where(infinite, np.inf, (found.value + rest)[0])
    placed = _EPS * np.maximum(ill_placed(p), ill_placed(q))
    error = np.where(infinite, 0.0, (found.error + rest_error + 4 * placed * found.size)[0] + _ROUNDING * found.size[0])
    return Quantity(value.reshape(batch), error.reshape(batch), "quadrature")


def _in_the_plane(p: Mixture2D, q: Mixture2D) -> Quantity:
    batch = np.broadcast_shapes(p.batch, q.batch)
    count = int(np.prod(batch)) if batch else 1
    infinite = np.broadcast_to(np.atleast_1d(_infinite(p, q)), (count,))
    value, error = np.full(count, np.inf), np.zeros(count)
    for i in np.flatnonzero(~infinite).tolist():
        a, b = centred_plane(p.take(np.array(i)), q.take(np.array(i)))

        def f(at: Array, a: Mixture2D = a, b: Mixture2D = b) -> Array:
            gap = plane_score(a, at) - plane_score(b, at)
            density = a.density(at)
            return np.stack([density * np.sum(gap**2, axis=-1), density])

        x, y, left_out = reaching_plane(f, *grid_lines(a, b), np.concatenate([a.modes, b.modes]))
        found = integrate_plane(f, x, y, tolerance=np.full(2, _PLANE_TOLERANCE))
        value[i] = found.value[0, 0]
        # what the rule misses of p itself, whose integral is known to be 1
        missed = abs(float(found.value[1, 0]) - 1)
        error[i] = found.error[0, 0] + left_out[0] + (missed * (1 + value[i]) if missed > _TINY_PLANE_MASS else 0.0)
        error[i] += _ROUNDING * found.size[0, 0]
    return Quantity(value.reshape(batch), error.reshape(batch), "quadrature")


def _by_radius(z: Array, shape: Array) -> Array:
    """The slope of -(r - R)^2 / 2 + log I0e(r R) in r, along z / r; at the centre zero."""
    r = np.sqrt(np.sum(z * z, axis=-1))
    slope = -r + shape * special.i1e(r * shape) / special.i0e(r * shape)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(r > 0, slope / r, 0.0)[..., None] * z


PLANE_SCORES: dict[str, Callable[[Array, Array], Array]] = {
    "normal": lambda z, shape: -z,
    "student-t": lambda z, df: -((df + 2) / (df + np.sum(z * z, axis=-1)))[..., None] * z,
    "laplace": lambda z, shape: -np.sign(z),
    "circle": _by_radius,
}
"""grad log f(z) for each standard law of `PLANE_KINDS` without jumps: z (n, 2), shape a number; returns (n, 2)."""


def plane_score(law: Mixture2D, x: Array) -> Array:
    """grad log p at points of the plane: (n, 2) -> (n, 2), for a single law without jumps.

    The components' slopes, weighted with the share of the density that each has at x.
    """
    with np.errstate(divide="ignore"):
        log_weights = np.log(law.weights)
    terms, slopes = [], []
    for k, kind in enumerate(law.kinds):
        alone = Mixture2D((kind,), np.ones(1), law.locs[[k]], law.factors[[k]], law.shapes[[k]])
        terms.append(alone.log_density(x) + log_weights[k])
        inverse = np.linalg.inv(law.factors[k])
        z = (x - law.locs[k]) @ inverse.T
        slopes.append(PLANE_SCORES[kind](z, np.full(len(z), law.shapes[k])) @ inverse)
    with np.errstate(invalid="ignore"):
        share = np.nan_to_num(np.exp(np.stack(terms) - log_sum_exp(np.stack(terms))))
    return np.sum(share[..., None] * np.stack(slopes), axis=0)
