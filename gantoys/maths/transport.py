"""Optimal transport costs between distributions on the line, by quantiles, and between finite distributions.

W1 is the mean distance that mass must travel, W2 squared the mean squared distance; both are about the same plan only
on the line. On the line the plan is monotone: x goes to T(x) = F_q^-1(F_p(x)) (Santambrogio 2015, theorem 2.9), so that
W1 = int |F_p - F_q| and W2^2 = E_p (X - T(X))^2.
"""

from collections.abc import Callable

import numpy as np

from gantoys.maths.compare import Quantity, check_pair
from gantoys.maths.distributions import Distribution, Finite, Mixture1D, Mixture2D, mix
from gantoys.maths.late import late
from gantoys.maths.panels import beyond, centred, joint_edges, reaching, with_zeros
from gantoys.maths.quadrature import integrate

Array = np.ndarray
_LARGEST_PLAN = 200 * 200
_EPS = float(np.finfo(float).eps)
_ROUNDING = 4 * _EPS
_SMALL_TAIL = 1e-15  # tails are followed until the gap of the distribution functions times distance is below this
_RANKS = {"uniform": 0, "laplace": 2}


def w1(p: Distribution, q: Distribution) -> Quantity | None:
    """The Wasserstein-1 distance; None where there is no exact route (two different laws in the plane).

    >>> from gantoys.maths.distributions import normal
    >>> float(w1(normal(0, 1), normal(1.5, 1)).value)
    1.5
    """
    return _cost(p, q, 1)


def w2_squared(p: Distribution, q: Distribution) -> Quantity | None:
    """The squared Wasserstein-2 distance; None where there is no exact route."""
    return _cost(p, q, 2)


def _cost(p: Distribution, q: Distribution, power: int) -> Quantity | None:
    check_pair(p, q)
    if isinstance(p, Finite) and isinstance(q, Finite):
        return _finite(p, q, power)
    if isinstance(p, Mixture2D) and isinstance(q, Mixture2D):
        return _plane(p, q, power)
    assert isinstance(p, Mixture1D) and isinstance(q, Mixture1D)
    shift = _pure_shift(p, q)
    if shift is not None:
        return _closed(np.abs(shift) ** power)
    if power == 2 and p.kinds == q.kinds == ("normal",):
        return _closed((p.locs - q.locs)[..., 0] ** 2 + (p.scales - q.scales)[..., 0] ** 2)
    return _line_w1(p, q) if power == 1 else _line_w2(p, q)


def _closed(value: Array) -> Quantity:
    return Quantity(value, _ROUNDING * np.abs(value), "closed form")


def _pure_shift(p: Mixture1D, q: Mixture1D) -> Array | None:
    """The shift that carries p to q when nothing else differs."""
    if p.kinds != q.kinds or len(p.kinds) > 1 or not (np.all(p.scales == q.scales) and np.all(p.shapes == q.shapes)):
        return None
    return (q.locs - p.locs)[..., 0]


def _heavy_tail(p: Mixture1D) -> tuple[Array, Array]:
    """Smallest degrees of freedom and the size of that tail, sum w s^df: (inf, 0) without a power tail."""
    df = np.where(np.array(p.kinds) == "student-t", p.shapes, np.inf)
    df = np.where(p.weights > 0, df, np.inf)
    least = df.min(-1)
    heaviest = df == least[..., None]
    size = np.sum(
        np.where(heaviest & np.isfinite(df), p.weights * p.scales ** np.where(heaviest & np.isfinite(df), df, 1), 0.0),
        -1,
    )
    return least, size


def _too_heavy(p: Mixture1D, q: Mixture1D, power: int) -> Array:
    """Whether the cost is infinite: a power tail without this moment that the other law does not share."""
    (dp, sp), (dq, sq) = _heavy_tail(p), _heavy_tail(q)
    same = (dp == dq) & (np.abs(sp - sq) <= 1e-12 * (sp + sq))
    return (np.minimum(dp, dq) <= power) & ~same


def _cdf_gap(p: Mixture1D, q: Mixture1D, x: Array) -> tuple[Array, Array]:
    """F_p - F_q at x, and the size of the two terms whose difference it is: from whichever tail is the smaller."""
    below, above = p.cdf(x), p.sf(x)
    q_below, q_above = q.cdf(x), q.sf(x)
    left = below + q_below <= above + q_above
    return np.where(left, below - q_below, q_above - above), np.where(left, below + q_below, above + q_above)


def cdf_order(p: Mixture1D, q: Mixture1D) -> Callable[[Array, Array], Array]:
    """g(rows, x) = F_p - F_q, zero where it is lost in rounding."""

    def g(rows: Array, x: Array) -> Array:
        gap, terms = _cdf_gap(p.take(rows), q.take(rows), x)
        return np.where(np.abs(gap) > 8 * _EPS * terms, gap, 0.0)

    return g


def _line_w1(p: Mixture1D, q: Mixture1D) -> Quantity:
    batch = np.broadcast_shapes(p.batch, q.batch)
    p, q = centred(p, q)

    def f(rows: Array, x: Array) -> tuple[Array, Array]:
        gap, terms = _cdf_gap(p.take(rows), q.take(rows), x)
        return np.abs(gap)[None], terms[None]

    edges = with_zeros(cdf_order(p, q), joint_edges(p, q))
    largest = float(max(p.scales.max(), q.scales.max()))
    edges = reaching(lambda rows, x: f(rows, x)[0], edges, _SMALL_TAIL * largest)
    found = integrate(f, edges)
    rest, rest_error = beyond(lambda rows, x: f(rows, x)[0], edges)
    error = found.error + rest_error + _ROUNDING * _farthest(p, q)
    return _finished((found.value + rest)[0], error[0], _too_heavy(p, q, 1), batch)


def _farthest(p: Mixture1D, q: Mixture1D) -> Array:
    """The largest position of a component, (1,) or (S,): positions are rounded in proportion to it."""
    return np.maximum(*(np.atleast_1d(np.max(np.abs(d.locs), axis=-1)) for d in (p, q)))


def _heaviness(law: Mixture1D) -> float:
    """Orders laws by their tails: bounded, normal, exponential, power."""
    ranks = [
        3.0 + 1.0 / float(np.min(law.shapes[..., k])) if kind == "student-t" else float(_RANKS.get(kind, 1))
        for k, kind in enumerate(law.kinds)
    ]
    return max(ranks)


def _line_w2(p: Mixture1D, q: Mixture1D) -> Quantity:
    batch = np.broadcast_shapes(p.batch, q.batch)
    p, q = centred(p, q)
    # the integral runs over the law with the heavier tails: the other way round the map T would grow without bound
    p, q = (p, q) if _heaviness(p) >= _heaviness(q) else (q, p)
    own, other = p.edges(), q.edges()
    count = int(np.prod(batch)) if batch else 1
    # the map T is steep or jumps where q has little mass: the images of q's edges are edges of the integrand too
    mapped = np.clip(p.quantile(q.cdf(other), q.sf(other)), own[..., :1], own[..., -1:])
    lowest, highest = float(np.min(other)), float(np.max(other))
    parts = [np.broadcast_to(np.atleast_2d(e), (count, e.shape[-1])) for e in (own, mapped)]
    edges = np.sort(np.concatenate(parts, axis=-1), axis=-1)

    def f(rows: Array, x: Array) -> tuple[Array, Array]:
        a, b = p.take(rows), q.take(rows)
        image = np.clip(b.quantile(a.cdf(x), a.sf(x)), lowest, highest)
        density, move = a.density(x), np.abs(x - image)
        rounding = np.abs(x) + np.abs(image)
        return (density * move**2)[None], (density * rounding * (move + _ROUNDING * rounding))[None]

    found = integrate(f, edges, tolerance=1e-9, rounds=25)
    rest, rest_error = beyond(lambda rows, x: f(rows, x)[0], edges)
    value = (found.value + rest)[0]
    # beyond the outermost edges of q the quantile is cut: what that could add
    ends, mass = other[..., [0, -1]], np.stack([q.cdf(other)[..., 0], q.sf(other)[..., -1]], axis=-1)
    cut = np.atleast_1d(np.sum(mass * ends**2, axis=-1)) if not q.bounded else np.zeros(1)
    position = _ROUNDING * _farthest(p, q)
    error = (found.error + rest_error)[0] + cut + position * (2 * np.sqrt(value) + position)
    return _finished(value, error, _too_heavy(p, q, 2), batch)


def _finished(value: Array, error: Array, infinite: Array, batch: tuple[int, ...]) -> Quantity:
    value = np.where(np.broadcast_to(np.atleast_1d(infinite), value.shape), np.inf, value)
    error = np.where(np.isinf(value), 0.0, error + _ROUNDING * np.abs(value))
    return Quantity(value.reshape(batch), error.reshape(batch), "quadrature over quantiles")


def _finite(p: Finite, q: Finite, power: int) -> Quantity:
    a, b = np.broadcast_arrays(p.probabilities, q.probabilities)
    if p.points.ndim == 1:
        order = np.argsort(p.points, kind="stable")
        value = _sorted_cost(p.points[order], a[..., order], b[..., order], power)
        return Quantity(value, 1e-15 * (1 + value), "exact sum")
    distance = np.linalg.norm(p.points[:, None] - q.points[None], axis=-1) ** power
    if distance.size > _LARGEST_PLAN:
        raise ValueError(f"{len(p.points)} points are too many for an exact plan in the plane: at most 200 are allowed")
    rows = [plan(x, y, distance) for x, y in zip(np.atleast_2d(a), np.atleast_2d(b), strict=True)]
    value = np.array([float(np.sum(t * distance)) for t in rows]).reshape(a.shape[:-1])
    return Quantity(value, 1e-9 * (1 + value), "linear program")


def _sorted_cost(points: Array, a: Array, b: Array, power: int) -> Array:
    """The cost of the monotone plan between masses a and b on the same sorted points."""
    if power == 1:
        return np.sum(np.abs(np.cumsum(a - b, -1))[..., :-1] * np.diff(points), -1)
    ca, cb = np.cumsum(a, -1), np.cumsum(b, -1)
    levels = np.sort(np.concatenate([ca, cb], -1), -1)
    width = np.diff(levels, axis=-1, prepend=0.0)
    middle = levels - 0.5 * width
    last = len(points) - 1
    at_a = np.minimum((ca[..., None, :] < middle[..., :, None]).sum(-1), last)
    at_b = np.minimum((cb[..., None, :] < middle[..., :, None]).sum(-1), last)
    return np.sum(width * (points[at_a] - points[at_b]) ** 2, -1)


def plan(a: Array, b: Array, cost: Array) -> Array:
    """The cheapest transport plan of masses a (K,) to b (M,) under cost (K, M): (K, M), by SciPy's linear program.

    Raises ValueError when the masses differ.
    """
    if abs(a.sum() - b.sum()) > 1e-9:
        raise ValueError(f"the two masses differ: {a.sum():.6g} and {b.sum():.6g}")
    k, m = cost.shape
    rows, columns = np.repeat(np.eye(k), m, axis=1), np.tile(np.eye(m), (1, k))
    # the last equation follows from the others; leaving it out spares the solver a rounding contradiction
    found = late("scipy.optimize").linprog(
        cost.ravel(), A_eq=np.vstack([rows, columns[:-1]]), b_eq=np.concatenate([a, b[:-1]]), method="highs"
    )
    return np.asarray(found.x).reshape(k, m)


def _plane(p: Mixture2D, q: Mixture2D, power: int) -> Quantity | None:
    if len(p.kinds) != 1 or p.kinds != q.kinds:
        return None
    gap = np.linalg.norm((p.locs - q.locs)[..., 0, :], axis=-1)
    if np.all(p.factors == q.factors) and np.all(p.shapes == q.shapes):
        return _closed(gap**power)
    if power == 1 or p.kinds != ("normal",):
        return None
    # Bures: tr A + tr B - 2 tr sqrt(sqrt(A) B sqrt(A)); in 2x2, tr sqrt(M) = sqrt(tr M + 2 sqrt(det M))
    a, b = (f[..., 0, :, :] @ np.swapaxes(f[..., 0, :, :], -1, -2) for f in (p.factors, q.factors))
    product = np.trace(a @ b, axis1=-2, axis2=-1) + 2 * np.sqrt(np.linalg.det(a) * np.linalg.det(b))
    return _closed(gap**2 + np.trace(a + b, axis1=-2, axis2=-1) - 2 * np.sqrt(product))


def critic_slope(p: Mixture1D, q: Mixture1D, x: Array) -> Array:
    """The slope of the Kantorovich potential on the line, -sign(F_p(x) - F_q(x)): 1-Lipschitz and W1-optimal.

    The potential itself is an integral of this; a critic with D(real) - D(fake) = W1. Shapes as in `log_density`.
    """
    return -np.sign(_cdf_gap(p, q, x)[0])


def critic(p: Mixture1D, q: Mixture1D, x: Array) -> Array:
    """The Kantorovich-Rubinstein critic D at x: (n,), or (S, n) for a sweep and x (n,) or (S, n), in the unit of x.

    D(x) = int^x -sign(F_p - F_q), exact: straight lines of slope 1 or -1 between the sign changes, 1-Lipschitz, and
    E_p D - E_q D = W1 (Kantorovich & Rubinstein 1958). It is fixed up to a constant: here D = 0 at the median of the
    even mixture of p and q.

    >>> from gantoys.maths.distributions import normal
    >>> critic(normal(0, 1), normal(3, 1), np.array([0.0, 1.5, 4.0])).tolist()
    [1.5, 0.0, -2.5]
    """
    check_pair(p, q)
    batch = np.broadcast_shapes(p.batch, q.batch)
    both = mix(np.array([0.5, 0.5]), [p, q])
    assert isinstance(both, Mixture1D)
    edges = with_zeros(cdf_order(p, q), joint_edges(p, q))
    middle = 0.5 * (edges[:, 1:] + edges[:, :-1])
    slopes = np.atleast_2d(critic_slope(p, q, middle if batch else middle[0]))
    climbed = np.concatenate([np.zeros((len(edges), 1)), np.cumsum(slopes * np.diff(edges), axis=1)], axis=1)
    places = np.broadcast_to(np.asarray(x, float), (len(edges), np.shape(x)[-1]))
    start = np.broadcast_to(np.atleast_2d(both.quantile(np.array([0.5]))), (len(edges), 1))

    def rows(at: Array) -> Array:
        inside = np.stack([np.interp(*row) for row in zip(at, edges, climbed, strict=True)])
        low, high = edges[:, :1], edges[:, -1:]
        # beyond the outermost edges the line goes on
        return inside + slopes[:, :1] * np.minimum(at - low, 0.0) + slopes[:, -1:] * np.maximum(at - high, 0.0)

    return (rows(places) - rows(start)).reshape(*batch, places.shape[-1])


def finite_mean(law: Mixture1D) -> Array:
    """Whether E|X| exists: () or (S,)."""
    return _heavy_tail(law)[0] > 1


def has_finite_mean(law: Mixture1D) -> bool:
    """Whether E|X| exists in every row."""
    return bool(np.all(finite_mean(law)))
