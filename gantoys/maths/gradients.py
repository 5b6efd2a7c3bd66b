"""What the generator feels: the derivative of its expected loss in a parameter of p_G, the discriminator frozen at D*.

The parameter belongs to x = shift + scale z: for a single component its own location and scale, for a mixture its mean
and standard deviation. With D frozen, d/dtheta E_q l(a*(x)) = int (d log q / d theta) q l(a*(x)) dx, a form that stays
right where D* jumps. The saturating loss gives 2 JS's slope, the non-saturating one that of KL(q||p) - 2 JS (Arjovsky &
Bottou 2017, theorem 2.5), an f-GAN loss that of its divergence, the Wasserstein loss that of W1.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from gantoys.maths.compare import Quantity, check_pair, divergences, joint_edges
from gantoys.maths.distributions import Distribution, Mixture1D
from gantoys.maths.divergences import DIVERGENCES
from gantoys.maths.losses import LOSSES, Loss
from gantoys.maths.quadrature import GAUSS, KRONROD, NODES, integrate
from gantoys.maths.tails import power_integrable

Array = np.ndarray
PARAMETERS = ("shift", "scale")
_NO_WEIGHT = 1e-16
_LARGEST_RATIO = 700.0  # exp of more overflows
_LARGEST_CONSTANT = 2.0  # a loss that keeps growing where D* = 0 has no constant to take off
_OVERFLOW = 1e280  # integrands beyond this count as infinite


def location_scale(q: Mixture1D) -> tuple[Array, Array]:
    """(shift, scale) of x = shift + scale z, shapes () or (S,): a component's own, or a mixture's mean and deviation."""
    if len(q.kinds) == 1:
        return q.locs[..., 0], q.scales[..., 0]
    return q.mean, q.std


def _check(p: Distribution, q: Distribution, parameter: str) -> tuple[Mixture1D, Mixture1D]:
    if parameter not in PARAMETERS:
        raise ValueError(f"unknown parameter {parameter!r}: known are {', '.join(PARAMETERS)}")
    check_pair(p, q)
    if not isinstance(p, Mixture1D) or not isinstance(q, Mixture1D):
        raise ValueError("gradients in shift and scale are defined for distributions on the line")
    return p, q


def _rows(values: Array, rows: Array) -> Array:
    """A per-distribution number for each of the flat rows, as a column."""
    return np.broadcast_to(np.atleast_1d(values), (max(1, np.size(values)),))[
        rows if np.size(values) > 1 else 0 * rows
    ][:, None]


class _Direction:
    """dx/dtheta and d log q/dtheta for one parameter."""

    def __init__(self, q: Mixture1D, parameter: str) -> None:
        self.q, self.parameter = q, parameter
        self.centre, self.scale = location_scale(q)

    def velocity(self, rows: Array, x: Array) -> Array:
        if self.parameter == "shift":
            return np.ones_like(x)
        return (x - _rows(self.centre, rows)) / _rows(self.scale, rows)

    def score(self, rows: Array, x: Array) -> Array:
        own = self.q.take(rows).score(x)
        if self.parameter == "shift":
            return -own
        scale = _rows(self.scale, rows)
        return -(1 / scale + (x - _rows(self.centre, rows)) / scale * own)


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


_POWERS = {f"f-{name}": DIVERGENCES[key].power for name, key in (("pearson", "chi2"), ("neyman", "chi2_neyman"))}


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
    terms = {row.key: _Term(lambda lp, lq, row=row: -row.weighted_fake(lp, lq), row.power) for row in rows}
    return _integrals(line_p, line_q, parameter, terms, 1e-10)


@dataclass(frozen=True)
class _Term:
    """weight(log_p, log_q), to be integrated against the score; power as in `Divergence`."""

    weight: Callable[[Array, Array], Array]
    power: float | None = None


def _by_score(p: Mixture1D, q: Mixture1D, parameter: str, keys: list[str], tolerance: float) -> dict[str, Quantity]:
    terms = {k: _Term(lambda lp, lq, row=LOSSES[k]: _weighted(row, lp, lq), _POWERS.get(k)) for k in keys}
    return _integrals(p, q, parameter, terms, tolerance)


def _integrals(
    p: Mixture1D, q: Mixture1D, parameter: str, terms: dict[str, _Term], tolerance: float
) -> dict[str, Quantity]:
    batch = np.broadcast_shapes(p.batch, q.batch)
    direction = _Direction(q, parameter)
    powers = [t.power for t in terms.values() if t.power is not None]
    edges = joint_edges(p, q, powers)
    tails = p.tails(), q.tails()
    exists = np.stack(
        [
            np.broadcast_to(True if t.power is None else power_integrable(*tails, t.power, 1), (len(edges),))
            for t in terms.values()
        ]
    )

    def f(rows: Array, x: Array) -> Array:
        lp, lq = p.take(rows).log_density(x), q.take(rows).log_density(x)
        # where p is zero D* is 0: the limit of a very negative logit
        lp = np.where(np.isneginf(lp), lq - _LARGEST_RATIO, lp)
        score = direction.score(rows, x)
        with np.errstate(over="ignore", invalid="ignore"):
            values = np.stack([np.nan_to_num(t.weight(lp, lq) * score) for t in terms.values()])
        return np.where(exists[:, rows, None], np.clip(values, -_OVERFLOW, _OVERFLOW), 0.0)

    found = integrate(f, edges, tolerance=tolerance)
    large = np.where(np.abs(found.value) > _OVERFLOW / 1e10, np.copysign(np.inf, found.value), found.value)
    value = np.where(exists, large, np.nan)
    return {
        k: Quantity(value[i].reshape(batch), found.error[i].reshape(batch), "quadrature") for i, k in enumerate(terms)
    }


def _by_path(p: Mixture1D, q: Mixture1D, parameter: str, keys: list[str], tolerance: float) -> dict[str, Quantity]:
    """E_q l'(a*) a*'(x) dx/dtheta: what samples feel when q has jumps, whose edges no sample sees."""
    batch = np.broadcast_shapes(p.batch, q.batch)
    direction = _Direction(q, parameter)
    rows_of = [LOSSES[k] for k in keys]

    def f(rows: Array, x: Array) -> Array:
        a, b = p.take(rows), q.take(rows)
        lp, lq = a.log_density(x), b.log_density(x)
        both = np.isfinite(lp) & np.isfinite(lq)
        r = np.where(both, lp - lq, 0.0)
        pull = np.where(both, np.exp(lq) * (a.score(x) - b.score(x)) * direction.velocity(rows, x), 0.0)
        out = []
        for row in rows_of:
            assert row.optimal is not None and row.optimal_slope is not None
            with np.errstate(over="ignore", invalid="ignore"):
                felt = row.generator_slope(np.nan_to_num(row.optimal(r))) * row.optimal_slope(r)
                out.append(np.nan_to_num(felt) * pull)
        return np.stack(out)

    found = integrate(f, joint_edges(p, q), tolerance=max(tolerance, 1e-9))
    return {
        k: Quantity(found.value[i].reshape(batch), found.error[i].reshape(batch) + 1e-9, "quadrature along samples")
        for i, k in enumerate(keys)
    }


def _wasserstein(p: Mixture1D, q: Mixture1D, parameter: str, tolerance: float) -> Quantity:
    """The slope of W1: E_q sign(F_p - F_q) dx/dtheta."""
    batch = np.broadcast_shapes(p.batch, q.batch)
    direction = _Direction(q, parameter)

    def f(rows: Array, x: Array) -> Array:
        a, b = p.take(rows), q.take(rows)
        below, above = a.cdf(x) - b.cdf(x), b.sf(x) - a.sf(x)
        sign = np.sign(np.where(np.abs(below) < np.abs(above), below, above))
        return (sign * b.density(x) * direction.velocity(rows, x))[None]

    found = integrate(f, joint_edges(p, q), tolerance=tolerance)
    return Quantity(found.value[0].reshape(batch), found.error[0].reshape(batch), "quadrature")


def _paired(p: Mixture1D, q: Mixture1D, parameter: str, row: Loss) -> Quantity:
    """E_{x~p, y~q} of the slope of generator(a*(y) - a*(x)) along the sample y: a double sum over panel nodes."""
    batch = np.broadcast_shapes(p.batch, q.batch)
    direction = _Direction(q, parameter)
    edges = joint_edges(p, q)
    value, error = np.zeros(len(edges)), np.zeros(len(edges))
    for i in range(len(edges)):
        low, high = edges[i, :-1], edges[i, 1:]
        keep = high > low
        middle, half = 0.5 * (low + high)[keep], 0.5 * (high - low)[keep]
        x = (middle[:, None] + half[:, None] * NODES).ravel()
        kronrod, gauss = (half[:, None] * KRONROD).ravel(), (half[:, None] * GAUSS).ravel()
        at = np.array([i if batch else 0])
        a, b = p.take(at), q.take(at)
        lp, lq = np.atleast_2d(a.log_density(x))[0], np.atleast_2d(b.log_density(x))[0]
        slope = np.atleast_2d(a.score(x))[0] - np.atleast_2d(b.score(x))[0]
        move = direction.velocity(at, x[None])[0]
        r = np.clip(np.nan_to_num(lp - lq, nan=0.0), -_LARGEST_RATIO, _LARGEST_RATIO)
        results = []
        for w in (kronrod, gauss):
            real, fake = w * np.exp(lp) > _NO_WEIGHT, w * np.exp(lq) > _NO_WEIGHT
            # sigmoid(r_x - r_y) for every pair, from one exponential a point instead of one a pair
            with np.errstate(over="ignore"):
                told = np.multiply.outer(np.exp(r[fake]), np.exp(-r[real]))
            told += 1
            np.reciprocal(told, out=told)
            inner = -told @ (w * np.exp(lp))[real]
            results.append(float(np.sum((w * np.exp(lq) * slope * move)[fake] * inner)))
        value[i], error[i] = results[0], abs(results[0] - results[1]) + 1e-13
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
