"""What the generator feels: the derivative of its expected loss in a parameter of p_G, the discriminator frozen at D*.

The parameter belongs to x = shift + scale z: for a single component its own location and scale, for a mixture its mean
and standard deviation. With D frozen, d/dtheta E_q l(a*(x)) = int (d log q / d theta) q l(a*(x)) dx, a form that stays
right where D* jumps. The saturating loss gives 2 JS's slope, the non-saturating one that of KL(q||p) - 2 JS (Arjovsky &
Bottou 2017, theorem 2.5), an f-GAN loss that of its divergence, the Wasserstein loss that of W1: see `Loss.descends`.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from gantoys.maths.compare import Quantity, check_pair, divergences
from gantoys.maths.direction import Direction, location_scale
from gantoys.maths.distributions import Distribution, Mixture1D
from gantoys.maths.divergences import DIVERGENCES, Divergence
from gantoys.maths.losses import LOSSES, Loss
from gantoys.maths.pairs import double_sum
from gantoys.maths.panels import (
    beyond,
    centred,
    even_edges,
    ill_placed,
    joint_edges,
    log_ratio,
    reaching,
    with_zeros,
)
from gantoys.maths.quadrature import integrate
from gantoys.maths.tails import log_ratio_integrable, power_integrable
from gantoys.maths.transport import cdf_order, finite_mean

Array = np.ndarray
PARAMETERS = ("shift", "scale")
_SMALL_TAIL = 1e-17
# a double sum whose error is larger, relative to its terms, is done again with halved panels
_PAIR_TOLERANCE, _HALVINGS, _MOST_PANELS = 3e-5, 4, 400
_LARGEST_RATIO = 700.0  # exp of more overflows
_LARGEST_CONSTANT = 2.0  # a loss that keeps growing where D* = 0 has no constant to take off
_OVERFLOW = 1e280  # integrands beyond this count as infinite


def _check(p: Distribution, q: Distribution, parameter: str) -> tuple[Mixture1D, Mixture1D]:
    if parameter not in PARAMETERS:
        raise ValueError(f"unknown parameter {parameter!r}: known are {', '.join(PARAMETERS)}")
    check_pair(p, q)
    if not isinstance(p, Mixture1D) or not isinstance(q, Mixture1D):
        raise ValueError("gradients in shift and scale are defined for distributions on the line")
    return p, q


def _weighted(row: Loss, lp: Array, lq: Array) -> Array:
    """q(x) times the generator's loss under D*, less what the loss is where D* = 0.

    A constant in the loss does not move the integral against the score, but left in it would drown the tiny gradients
    of far separated p and q in rounding.
    """
    assert row.optimal is not None
    far = float(row.generator(row.optimal(np.array(-_LARGEST_RATIO))))
    constant = far if abs(far) < _LARGEST_CONSTANT else 0.0
    if row.weighted_generator is not None:
        return row.weighted_generator(lp, lq) - constant * np.exp(lq)
    return np.exp(lq) * (row.generator(row.optimal(lp - lq)) - constant)


def generator_gradients(
    p: Distribution,
    q: Distribution,
    parameter: str = "shift",
    keys: tuple[str, ...] | None = None,
    *,
    tolerance: float = 1e-10,
) -> dict[str, Quantity]:
    """For every loss of `keys` (default: all of LOSSES) the derivative in `parameter`, over the sweep of p and q.

    `tolerance` is what quadrature aims at, relative to the integral of the integrand's absolute value.

    NaN where the loss's own divergence is infinite because of the tails, so that no derivative exists. Raises
    ValueError for an unknown parameter or loss, and outside the line.

    >>> from gantoys.maths.distributions import normal
    >>> g = generator_gradients(normal(0, 1), normal(3, 1))
    >>> round(float(g["saturating"].value), 6), round(float(g["non-saturating"].value), 6)
    (0.295864, 2.704136)
    """
    keys = tuple(LOSSES) if keys is None else keys
    unknown = [k for k in keys if k not in LOSSES]
    if unknown:
        raise ValueError(f"unknown loss {unknown[0]!r}: known are {', '.join(LOSSES)}")
    line_p, line_q = _check(p, q, parameter)
    out: dict[str, Quantity] = {}
    plain = [k for k in keys if LOSSES[k].optimal is not None and not LOSSES[k].paired]
    if plain:
        smooth = line_q.smooth
        out |= (_by_score if smooth else _by_path)(line_p, line_q, parameter, plain, tolerance)
    for key in keys:
        if LOSSES[key].optimal is None:
            out[key] = _wasserstein(line_p, line_q, parameter, tolerance)
        elif LOSSES[key].paired:
            out[key] = _paired(line_p, line_q, parameter, LOSSES[key])
    return {k: out[k] for k in keys}


def divergence_slopes(
    p: Distribution, q: Distribution, parameter: str = "shift", keys: tuple[str, ...] | None = None
) -> dict[str, Quantity]:
    """The derivative of each divergence in a parameter of q = p_G; the slope of `value` is that of V(D*, G).

    By the envelope theorem -int (d log q / d theta) q f*(T*) dx, T* = f'(p/q). q must have no jumps.
    """
    keys = tuple(DIVERGENCES) if keys is None else keys
    line_p, line_q = _check(p, q, parameter)
    if not line_q.smooth:
        raise ValueError(f"{q} has jumps: its divergences have no slope by this formula")
    rows = [DIVERGENCES[k] for k in keys]
    terms = {row.key: _descent(row) for row in rows}
    return _integrals(line_p, line_q, parameter, terms, 1e-10)


@dataclass(frozen=True)
class _Term:
    """weight(log_p, log_q), to be integrated against the score; power, log_moment, jumps as in `Loss`."""

    weight: Callable[[Array, Array], Array]
    power: float | None = None
    log_moment: tuple[int, ...] = ()
    jumps: bool = False


def _descent(row: Divergence) -> _Term:
    return _Term(lambda lp, lq: -row.weighted_fake(lp, lq), row.power, row.log_moment, row.kinked)


def _generator_term(row: Loss) -> _Term:
    return _Term(lambda lp, lq: _weighted(row, lp, lq), row.power, row.log_moment, row.jumps)


def _exists(p: Mixture1D, q: Mixture1D, term: _Term | Loss) -> Array:
    """Whether the tails leave what the term descends finite: (1,) or (S,)."""
    tp, tq = p.tails(), q.tails()
    good = np.ones(np.broadcast_shapes(p.batch, q.batch), bool)
    if term.power is not None:
        good = good & power_integrable(tp, tq, term.power, 1)
    if 1 in term.log_moment:
        good = good & log_ratio_integrable(tp, tq, 1)
    if -1 in term.log_moment:
        good = good & log_ratio_integrable(tq, tp, 1)
    return np.atleast_1d(good)


def _by_score(p: Mixture1D, q: Mixture1D, parameter: str, keys: list[str], tolerance: float) -> dict[str, Quantity]:
    return _integrals(p, q, parameter, {k: _generator_term(LOSSES[k]) for k in keys}, tolerance)


def _integrals(
    p: Mixture1D, q: Mixture1D, parameter: str, terms: dict[str, _Term], tolerance: float
) -> dict[str, Quantity]:
    batch = np.broadcast_shapes(p.batch, q.batch)
    p, q = centred(p, q, (q,))
    direction = Direction(q, parameter)
    edges = joint_edges(p, q, [t.power for t in terms.values() if t.power is not None])
    if any(t.jumps for t in terms.values()):
        edges = with_zeros(log_ratio(p, q), edges)
    exists = np.stack([np.broadcast_to(_exists(p, q, t) & direction.exists, (len(edges),)) for t in terms.values()])

    def f(rows: Array, x: Array) -> Array:
        lp, lq = p.take(rows).log_density(x), q.take(rows).log_density(x)
        # where p is zero D* is 0: the limit of a very negative logit
        lp = np.where(np.isneginf(lp), lq - _LARGEST_RATIO, lp)
        score = direction.score(rows, x)
        with np.errstate(over="ignore", invalid="ignore"):
            values = np.stack([np.nan_to_num(t.weight(lp, lq) * score) for t in terms.values()])
        return np.where(exists[:, rows, None], np.clip(values, -_OVERFLOW, _OVERFLOW), 0.0)

    edges = reaching(f, edges, _SMALL_TAIL)
    found = integrate(f, edges, tolerance=tolerance)
    rest, rest_error = beyond(f, edges)
    value = found.value + rest
    large = np.where(np.abs(value) > _OVERFLOW / 1e10, np.copysign(np.inf, value), value)
    value = np.where(exists, large, np.nan)
    error = np.where(np.isfinite(value), found.error + rest_error + _rounding(p, q) * found.size, 0.0)
    return {k: Quantity(value[i].reshape(batch), error[i].reshape(batch), "quadrature") for i, k in enumerate(terms)}


def _rounding(p: Mixture1D, q: Mixture1D) -> Array:
    """The share of the integral of |f| that rounding of the positions may cost, (1,) or (S,)."""
    return 4 * float(np.finfo(float).eps) * (1 + np.maximum(ill_placed(p), ill_placed(q)))


def _by_path(p: Mixture1D, q: Mixture1D, parameter: str, keys: list[str], tolerance: float) -> dict[str, Quantity]:
    """E_q l'(a*) a*'(x) dx/dtheta: what samples feel when q has jumps, whose edges no sample sees."""
    batch = np.broadcast_shapes(p.batch, q.batch)
    direction = Direction(q, parameter)
    rows_of = [LOSSES[k] for k in keys]

    def f(rows: Array, x: Array) -> Array:
        a, b = p.take(rows), q.take(rows)
        lp, lq = a.log_density(x), b.log_density(x)
        both = np.isfinite(lp) & np.isfinite(lq)
        r = np.where(both, lp, 0.0) - np.where(both, lq, 0.0)
        pull = np.where(both, np.exp(lq) * (a.score(x) - b.score(x)) * direction.velocity(rows, x), 0.0)
        out = []
        for row in rows_of:
            assert row.optimal is not None and row.optimal_slope is not None
            with np.errstate(over="ignore", invalid="ignore"):
                felt = row.generator_slope(np.nan_to_num(row.optimal(r))) * row.optimal_slope(r)
                out.append(np.nan_to_num(felt) * pull)
        return np.stack(out)

    found = integrate(f, joint_edges(p, q), tolerance=tolerance)
    error = found.error + _rounding(p, q) * found.size
    value = np.where(direction.exists, found.value, np.nan)
    return {
        k: Quantity(value[i].reshape(batch), error[i].reshape(batch), "quadrature along samples")
        for i, k in enumerate(keys)
    }


def _wasserstein(p: Mixture1D, q: Mixture1D, parameter: str, tolerance: float) -> Quantity:
    """The slope of W1: E_q sign(F_p - F_q) dx/dtheta."""
    batch = np.broadcast_shapes(p.batch, q.batch)
    p, q = centred(p, q, (q,))
    direction, order = Direction(q, parameter), cdf_order(p, q)

    def f(rows: Array, x: Array) -> Array:
        return (np.sign(order(rows, x)) * q.take(rows).density(x) * direction.velocity(rows, x))[None]

    edges = reaching(f, with_zeros(order, joint_edges(p, q)), _SMALL_TAIL)
    found = integrate(f, edges, tolerance=tolerance)
    rest, rest_error = beyond(f, edges)
    error = found.error + rest_error + _rounding(p, q) * found.size
    exists = direction.exists & (finite_mean(q) | (parameter == "shift"))
    value = np.where(exists, (found.value + rest)[0], np.nan)
    return Quantity(value.reshape(batch), np.where(np.isnan(value), 0.0, error[0]).reshape(batch), "quadrature")


def _paired(p: Mixture1D, q: Mixture1D, parameter: str, row: Loss) -> Quantity:
    """E_{x~p, y~q} of the slope of generator(a*(y) - a*(x)) along the sample y: a double sum over panel nodes."""
    batch = np.broadcast_shapes(p.batch, q.batch)
    p, q = centred(p, q, (q,))
    direction = Direction(q, parameter)
    edges = even_edges(p, q, joint_edges(p, q))
    exists = np.broadcast_to(_exists(p, q, row) & direction.exists, (len(edges),))
    rounding = np.broadcast_to(_rounding(p, q), (len(edges),))
    value, error = np.full(len(edges), np.nan), np.zeros(len(edges))
    for i in np.nonzero(exists)[0].tolist():
        line = edges[i][np.r_[True, np.diff(edges[i]) > 0]]
        for _ in range(_HALVINGS):
            value[i], error[i], size = double_sum(p, q, direction, i, line)
            if error[i] <= _PAIR_TOLERANCE * size or len(line) > _MOST_PANELS:
                break
            line = np.sort(np.concatenate([line, 0.5 * (line[1:] + line[:-1])]))
        error[i] += rounding[i] * size
    return Quantity(value.reshape(batch), error.reshape(batch), "quadrature over pairs")


def js_slope(p: Distribution, q: Distribution, parameter: str = "shift") -> Quantity:
    """The slope of JS itself by a central difference of the divergence: an independent route for tests and pages."""
    line_p, line_q = _check(p, q, parameter)
    step = 1e-4
    centre, scale = location_scale(line_q)
    values = []
    for sign in (1, -1):
        moved = (
            line_q.affine(sign * step)
            if parameter == "shift"
            else line_q.affine(-centre * sign * step / scale, 1 + sign * step / scale)
        )
        values.append(divergences(line_p, moved, ("js",))["js"].value)
    return Quantity((values[0] - values[1]) / (2 * step), np.full_like(values[0], step**2), "central difference")
