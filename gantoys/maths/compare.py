"""How far apart are two distributions? Every divergence of the table between any two laws whose densities are known.

Each answer is a `Quantity`: value, an estimate of its error, and the method. Infinite divergences are `inf`, found from
supports and tails; nothing is ever NaN. P is p_data, Q is p_G, KL is KL(P||Q).
"""

from dataclasses import dataclass

import numpy as np

from gantoys.maths.distributions import Distribution, Finite, Mixture1D, Mixture2D
from gantoys.maths.divergences import DIVERGENCES, Divergence
from gantoys.maths.panels import beyond, centred, ill_placed, joint_edges, log_ratio, reaching, with_zeros
from gantoys.maths.panels_plane import centred_plane, grid_lines, reaching_plane, straightened
from gantoys.maths.parameters import sweep_shape
from gantoys.maths.quadrature import integrate, integrate_plane
from gantoys.maths.tails import log_ratio_integrable, power_integrable

Array = np.ndarray
_ROUNDING = 4 * np.finfo(float).eps
# the plane's product rule converges slowly along the kink of |p - q|
_PLANE_TOLERANCE, _PLANE_KINK_TOLERANCE = 1e-10, 3e-6
_CELLS, _CELLS_COMPONENTS = 24_000, 24  # cells at most, fewer where more components make each of them dearer
# masses outside the other's support below these are rounding, or the error of the plane's rule
_TINY_MASS, _TINY_PLANE_MASS = 1e-14, 1e-9
_LARGEST = 700.0  # exp of more overflows
_OVERFLOW = 1e280  # an integrand beyond this makes its divergence infinite as far as floating point can say
_SMALL_TAIL = 1e-17  # tails are followed until density times distance is below this
_EPS = float(np.finfo(float).eps)


@dataclass(frozen=True)
class Quantity:
    """value, and error, an estimate of |value - truth|: arrays of shape () or (S,); method: how they were found."""

    value: Array
    error: Array
    method: str


def check_pair(p: Distribution, q: Distribution) -> None:
    """Raises ValueError unless both have densities (or masses) with respect to the same measure."""
    for law in (p, q):
        if not isinstance(law, Finite | Mixture1D | Mixture2D):
            raise ValueError(f"{law} has no exact density: divergences need one")
    if p.dim != q.dim:
        names = {0: "a finite set", 1: "the line", 2: "the plane"}
        raise ValueError(f"the two distributions live on different spaces: {names[p.dim]} and {names[q.dim]}")
    sweep_shape(p.batch, q.batch)
    if isinstance(p, Finite) and isinstance(q, Finite) and not np.array_equal(p.points, q.points):
        raise ValueError("the two finite distributions must be on the same points")


def divergences(
    p: Distribution, q: Distribution, keys: tuple[str, ...] | None = None, *, tolerance: float = 1e-11
) -> dict[str, Quantity]:
    """The divergences named by `keys` (default: every row of DIVERGENCES) between p and q, over their sweep.

    `tolerance` is what quadrature on the line aims at, relative to the integral of the integrand's absolute value.

    >>> from gantoys.maths.notation import parse
    >>> found = divergences(parse("P(0.5,0.5)"), parse("P(0.7,0.3)"))
    >>> round(float(found["js"].value), 4), found["js"].method
    (0.021, 'exact sum')
    """
    keys = tuple(DIVERGENCES) if keys is None else keys
    unknown = [k for k in keys if k not in DIVERGENCES]
    if unknown:
        raise ValueError(f"unknown divergence {unknown[0]!r}: known are {', '.join(DIVERGENCES)}")
    check_pair(p, q)
    rows = [DIVERGENCES[k] for k in keys]
    if isinstance(p, Finite) and isinstance(q, Finite):
        return {row.key: _finite(p, q, row) for row in rows}
    if isinstance(p, Mixture1D) and isinstance(q, Mixture1D):
        closed = _closed_forms(p, q)
        rest = [row for row in rows if row.key not in closed]
        found = _on_the_line(p, q, rest, tolerance) if rest else {}
        return {k: closed[k] if k in closed else found[k] for k in keys}
    assert isinstance(p, Mixture2D) and isinstance(q, Mixture2D)
    return _in_the_plane(p, q, rows)


def _bounded(row: Divergence, value: Array) -> Array:
    return np.minimum(value, row.bound) if row.key == "value" else np.clip(value, 0.0, row.bound)


def _finite(p: Finite, q: Finite, row: Divergence) -> Quantity:
    lp, lq = np.broadcast_arrays(p.log_probabilities, q.log_probabilities)
    both = np.isfinite(lp) & np.isfinite(lq)
    terms = np.where(both, row.integrand(np.where(both, lp, 0.0), np.where(both, lq, 0.0)), 0.0)
    p_alone, q_alone = np.where(np.isneginf(lq), np.exp(lp), 0.0), np.where(np.isneginf(lp), np.exp(lq), 0.0)
    value = terms.sum(-1) + _cost(p_alone.sum(-1), row.at_infinity) + _cost(q_alone.sum(-1), row.at_zero)
    value = _bounded(row, value)
    return Quantity(value, np.where(np.isinf(value), 0.0, _ROUNDING * (1 + np.abs(value))), "exact sum")


def _cost(mass: Array, price: float) -> Array:
    """mass x price where no mass at an infinite price costs nothing."""
    with np.errstate(invalid="ignore"):
        return np.where(mass > 0, mass * price, 0.0) if np.isfinite(price) else np.where(mass > 0, np.inf, 0.0)


def _infinite(p: Mixture1D | Mixture2D, q: Mixture1D | Mixture2D, row: Divergence) -> Array:
    """Whether the tails make the divergence infinite (supports are dealt with by the masses outside them)."""
    tp, tq = p.tails(), q.tails()
    bad = np.zeros(np.broadcast_shapes(p.batch, q.batch), bool)
    if row.power is not None:
        bad = bad | ~power_integrable(tp, tq, row.power, p.dim)
    if 1 in row.log_moment:
        bad = bad | ~log_ratio_integrable(tp, tq, p.dim)
    if -1 in row.log_moment:
        bad = bad | ~log_ratio_integrable(tq, tp, p.dim)
    return bad


def _integrands(rows: list[Divergence], lp: Array, lq: Array) -> Array:
    """Integrands of the rows, then p where q vanishes and q where p vanishes: (len(rows) + 2, ...)."""
    both = np.isfinite(lp) & np.isfinite(lq)
    lp_, lq_ = np.where(both, lp, -1e3), np.where(both, lq, -1e3)
    with np.errstate(over="ignore", invalid="ignore"):
        values = [np.where(both, np.nan_to_num(row.integrand(lp_, lq_), posinf=np.inf), 0.0) for row in rows]
    return np.stack([*values, np.where(np.isneginf(lq), np.exp(lp), 0.0), np.where(np.isneginf(lp), np.exp(lq), 0.0)])


def _on_the_line(p: Mixture1D, q: Mixture1D, rows: list[Divergence], tolerance: float) -> dict[str, Quantity]:
    batch = np.broadcast_shapes(p.batch, q.batch)
    p, q = centred(p, q)
    edges = joint_edges(p, q, [row.power for row in rows if row.power is not None])
    if any(row.kinked for row in rows):
        edges = with_zeros(log_ratio(p, q), edges)
    infinite = np.stack([np.broadcast_to(np.atleast_1d(_infinite(p, q, row)), (len(edges),)) for row in rows])
    overflown = np.zeros_like(infinite)

    def f(at: Array, x: Array) -> Array:
        values = _integrands(rows, p.take(at).log_density(x), q.take(at).log_density(x))
        real = values[: len(rows)]
        too_large = ~(np.abs(real) < _OVERFLOW)
        if np.any(too_large):
            for c, row in enumerate(too_large.any(axis=-1)):
                overflown[c, at[row]] = True
            real[too_large] = 0.0
        real *= ~(infinite | overflown)[:, at, None]
        return values

    edges = reaching(f, edges, _SMALL_TAIL)
    found = integrate(f, edges, tolerance=tolerance, absolute=tolerance * 1e-5)
    rest, rest_error = beyond(f, edges)
    ill = np.maximum(ill_placed(p), ill_placed(q))
    error = found.error + rest_error + 2 * _EPS * ill * found.size
    return _quantities(rows, found.value + rest, error, infinite | overflown, batch, _TINY_MASS)


def _quantities(
    rows: list[Divergence], value: Array, error: Array, infinite: Array, batch: tuple[int, ...], tiny: float
) -> dict[str, Quantity]:
    p_alone, q_alone = (np.where(v > tiny, v, 0.0) for v in (value[-2], value[-1]))
    out = {}
    for c, row in enumerate(rows):
        total = value[c] + _cost(p_alone, row.at_infinity) + _cost(q_alone, row.at_zero)
        total = np.where(infinite[c], np.inf, total)
        total = _bounded(row, total)
        total_error = np.where(np.isinf(total), 0.0, error[c] + error[-1] + error[-2] + _ROUNDING * (1 + np.abs(total)))
        method = "infinite, or too large for a number" if np.all(np.isinf(total)) else "quadrature"
        out[row.key] = Quantity(total.reshape(batch), total_error.reshape(batch), method)
    return out


def _in_the_plane(p: Mixture2D, q: Mixture2D, rows: list[Divergence]) -> dict[str, Quantity]:
    batch = np.broadcast_shapes(p.batch, q.batch)
    count = int(np.prod(batch)) if batch else 1
    infinite = np.stack([np.broadcast_to(np.atleast_1d(_infinite(p, q, row)), (count,)) for row in rows])
    overflown = np.zeros_like(infinite)
    # beside the rows: the masses outside the other's support, and both densities, whose integral is known to be 1
    tolerance = np.array([_PLANE_KINK_TOLERANCE if row.kinked else _PLANE_TOLERANCE for row in rows] + [1e-9] * 4)
    cells = int(_CELLS * min(1.0, _CELLS_COMPONENTS / (len(p.kinds) + len(q.kinds))))
    values, errors = [], []
    for i in range(count):
        a, b = straightened(*centred_plane(p.take(np.array(i)), q.take(np.array(i))))

        def f(at: Array, a: Mixture2D = a, b: Mixture2D = b, i: int = i) -> Array:
            lp, lq = a.log_density(at), b.log_density(at)
            v = _integrands(rows, lp, lq)
            real = v[: len(rows)]
            too_large = ~(np.abs(real) < _OVERFLOW)
            overflown[:, i] |= too_large.any(axis=-1)
            real[too_large | (infinite | overflown)[:, i, None]] = 0.0
            return np.concatenate([v, np.exp([lp, lq])])

        x, y = grid_lines(a, b, [row.power for row in rows if row.power is not None])
        x, y, left_out = reaching_plane(f, x, y, np.concatenate([a.modes, b.modes]))
        found = integrate_plane(f, x, y, tolerance=tolerance, cells=cells)
        value, error = found.value[:, 0], found.error[:, 0] + left_out
        missed = np.abs(value[-2:] - 1).max()
        values.append(value[:-2])
        errors.append((error + np.where(missed > _TINY_PLANE_MASS, missed * (1 + np.abs(value)), 0.0))[:-2])
    return _quantities(rows, np.array(values).T, np.array(errors).T, infinite | overflown, batch, _TINY_PLANE_MASS)


def _closed_forms(p: Mixture1D, q: Mixture1D) -> dict[str, Quantity]:
    """The divergences of two single normals that have a closed form (JS has none)."""
    if p.kinds != ("normal",) or q.kinds != ("normal",):
        return {}
    m1, s1, m2, s2 = p.locs[..., 0], p.scales[..., 0], q.locs[..., 0], q.scales[..., 0]
    gap, sum2 = m1 - m2, s1**2 + s2**2

    def kl(sa: Array, sb: Array) -> Array:
        return np.log(sb / sa) + (sa**2 + gap**2) / (2 * sb**2) - 0.5

    def chi2(sa: Array, sb: Array) -> Array:
        """int a^2 / b - 1, finite only for 2 sb^2 > sa^2."""
        spread = 2 * sb**2 - sa**2
        safe = np.where(spread > 0, spread, 1.0)
        log = np.log(sb**2 / (sa * np.sqrt(safe))) + gap**2 / safe
        with np.errstate(over="ignore"):
            return np.where((spread > 0) & (log < _LARGEST), np.expm1(np.minimum(log, _LARGEST)), np.inf)

    # the affinity as 1 - exp(-(d)): accurate when the two are nearly equal
    distance = gap**2 / (4 * sum2) + 0.5 * np.log1p((s1 - s2) ** 2 / (2 * s1 * s2))
    values = {
        "kl": np.maximum(kl(s1, s2), 0.0),
        "reverse_kl": np.maximum(kl(s2, s1), 0.0),
        "hellinger2": -np.expm1(-distance),
        "chi2": np.maximum(chi2(s1, s2), 0.0),
        "chi2_neyman": np.maximum(chi2(s2, s1), 0.0),
    }
    values["jeffreys"] = values["kl"] + values["reverse_kl"]
    # near its pole and where it is large, rounding of the parameters moves chi-square by more than its last digits
    shaky = {"chi2": (s1, s2), "chi2_neyman": (s2, s1)}
    out = {}
    for key, value in values.items():
        loss = np.ones_like(value)
        if key in shaky:
            sa, sb = shaky[key]
            safe = np.where(2 * sb**2 > sa**2, 2 * sb**2 - sa**2, 1.0)
            loss = 1 + (1 + gap**2 / safe) * (1 + sa**2 / safe)
        error = 8 * _ROUNDING * loss * (1 + np.abs(np.where(np.isinf(value), 0.0, value)))
        out[key] = Quantity(value, np.where(np.isinf(value), 0.0, error), "closed form")
    return out
