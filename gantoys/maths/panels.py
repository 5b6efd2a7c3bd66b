"""Where the panels of a quadrature on the line lie: at the laws' edges, where integrands bend, out to where they end.

Every function keeps the sweep: edges are (S, M), sorted along the rows, S = 1 for single distributions. Panels without
width are allowed; the quadrature drops them.
"""

from collections.abc import Callable

import numpy as np

from gantoys.maths.line import Mixture1D

Array = np.ndarray
Function = Callable[[Array, Array], Array]
_EPS = float(np.finfo(float).eps)
_PAIR_STEPS = np.array([0, 0.7, 1.5, 2.5, 4, 6.5, 10, 18, 38.0])
_PAIR_STEPS = np.concatenate([-_PAIR_STEPS[:0:-1], _PAIR_STEPS])
_PAIRS_AT_MOST = 64
_CROWDED = 0.4
_ILL_PLACED = 1e3  # positions are taken from the narrowest component when they are this many scales from zero
_LARGEST_STEP = 5.0  # of log p/q over one panel: 15 nodes follow a sigmoid of it to 1e-12
_MOST_PIECES = 400
_LOST = 1e13
_NO_MASS = np.log(1e-17)


def _pair_edges(p: Mixture1D, q: Mixture1D, powers: list[float]) -> Array | None:
    """Where p_i^a q_j^(1-a) of two normal components peaks: it can lie far from both (chi-square)."""
    ends_normal = ("normal", "skew-normal")
    pairs = [
        (i, j)
        for i in range(len(p.kinds))
        for j in range(len(q.kinds))
        if p.kinds[i] in ends_normal and q.kinds[j] in ends_normal
    ]
    if not powers or not pairs or len(pairs) > _PAIRS_AT_MOST:
        return None
    batch = np.broadcast_shapes(p.batch, q.batch)
    parts = []
    for a in powers:
        for i, j in pairs:
            ip, iq = a / p.scales[..., i] ** 2, (1 - a) / q.scales[..., j] ** 2
            precision = np.where(ip + iq > 1e-6 * np.abs(ip), ip + iq, 1.0)
            centre = (ip * p.locs[..., i] + iq * q.locs[..., j]) / precision
            part = centre[..., None] + _PAIR_STEPS / np.sqrt(precision)[..., None]
            parts.append(np.broadcast_to(part, (*batch, len(_PAIR_STEPS))))
    return np.concatenate(parts, axis=-1)


def joint_edges(p: Mixture1D, q: Mixture1D, powers: list[float] | None = None) -> Array:
    """Panel edges for integrands in p and q: (S, M), S = 1 for single distributions.

    Where components overlap their edges crowd; one that follows another at less than _CROWDED of its own gap is left
    out.
    """
    batch = np.broadcast_shapes(p.batch, q.batch)
    positions, gaps = (
        np.concatenate([np.broadcast_to(part, (*batch, part.shape[-1])) for part in parts], axis=-1)
        for parts in zip(p.edges_and_gaps(), q.edges_and_gaps(), strict=True)
    )
    order = np.argsort(positions, axis=-1)
    edges = np.atleast_2d(np.take_along_axis(positions, order, -1)).copy()
    room = _CROWDED * np.atleast_2d(np.take_along_axis(gaps, order, -1))
    last = edges[:, 0].copy()
    for m in range(1, edges.shape[1] - 1):
        # a panel without width is dropped by the quadrature
        last = np.where(edges[:, m] - last < room[:, m], last, edges[:, m])
        edges[:, m] = last
    extra = _pair_edges(p, q, powers or [])
    return edges if extra is None else np.sort(np.concatenate([edges, np.atleast_2d(extra)], axis=-1), axis=-1)


def even_edges(p: Mixture1D, q: Mixture1D, edges: Array) -> Array:
    """The edges with those panels cut that hold mass and over which log p/q changes by more than _LARGEST_STEP."""
    rows, count = len(edges), edges.shape[1] - 1
    low, width = edges[:, :-1, None], np.diff(edges, axis=1)[..., None]
    x = (low + width * np.linspace(0, 1, 9)).reshape(rows, -1)
    lp, lq = (np.broadcast_to(d.log_density(x), x.shape).reshape(rows, count, 9) for d in (p, q))
    with np.errstate(divide="ignore"):
        mass = np.maximum(lp, lq).max(axis=-1) + np.log(width[..., 0]) > _NO_MASS
    both = np.isfinite(lp) & np.isfinite(lq)
    r = np.where(both, lp, 0.0) - np.where(both, lq, 0.0)
    travelled = np.abs(np.diff(r, axis=-1)).sum(axis=-1)
    wanted = np.where(mass, travelled / _LARGEST_STEP, 0.0)
    # very steep ratios saturate whatever is asked of them: their pieces are rationed
    wanted *= np.minimum(1.0, _MOST_PIECES / np.maximum(wanted.sum(axis=1, keepdims=True), 1.0))
    pieces = np.maximum(np.ceil(wanted), 1).astype(int)
    out = np.repeat(edges[:, -1:], int(pieces.sum(axis=1).max()) + 1, axis=1)
    for i in range(rows):
        first = np.repeat(np.cumsum(pieces[i]) - pieces[i], pieces[i])
        share = (np.arange(len(first)) - first) / np.repeat(pieces[i], pieces[i])
        out[i, : len(first)] = np.repeat(edges[i, :-1], pieces[i]) + share * np.repeat(width[i, :, 0], pieces[i])
    return out


def centred(p: Mixture1D, q: Mixture1D, about: tuple[Mixture1D, ...] = ()) -> tuple[Mixture1D, Mixture1D]:
    """Both laws moved so that the narrowest component of `about` (default: of both) lies at zero.

    There positions have most digits. Left as they are where that gains nothing. No divergence, no transport cost and no
    slope notices.
    """
    if max(ill_placed(p).max(), ill_placed(q).max()) <= _ILL_PLACED:
        return p, q
    batch, about = np.broadcast_shapes(p.batch, q.batch), about or (p, q)
    locs, scales = (
        np.concatenate([np.broadcast_to(getattr(d, name), (*batch, len(d.kinds))) for d in about], axis=-1)
        for name in ("locs", "scales")
    )
    away = -np.take_along_axis(locs, np.argmin(scales, axis=-1)[..., None], axis=-1)[..., 0]
    p, q = p.affine(away), q.affine(away)
    if max(ill_placed(p).max(), ill_placed(q).max()) > _LOST:
        raise ValueError(f"components lie more than {_LOST:g} of their scales apart: their places have no digits left")
    return p, q


def ill_placed(law: Mixture1D) -> Array:
    """The largest distance of a component from zero in units of its scale, (1,) or (S,): it multiplies rounding."""
    return np.atleast_1d(np.max(np.abs(law.locs) / law.scales, axis=-1))


def log_ratio(p: Mixture1D, q: Mixture1D) -> Callable[[Array, Array], Array]:
    """g(rows, x) = log p/q, zero where it is lost in rounding and outside the supports."""

    def g(rows: Array, x: Array) -> Array:
        lp, lq = p.take(rows).log_density(x), q.take(rows).log_density(x)
        with np.errstate(invalid="ignore"):
            r = lp - lq
            return np.where(np.abs(r) > 8 * _EPS * (np.abs(lp) + np.abs(lq)), r, 0.0)

    return g


_PROBES = np.array([0.0, 0.2, 0.4, 0.6, 0.8])
_SEARCH_ROUNDS = 80


def with_zeros(g: Function, edges: Array) -> Array:
    """The edges (S, M) with the sign changes of g added, so that the kinks or jumps they cause lie between panels.

    g(rows, x): rows (P,), x (P, n), returns (P, n). A rule that averages over a kink is wrong by more than it estimates
    when the kink lies close to a panel's end. Found by probing five points a panel, then by `_roots`.
    """
    edges = np.atleast_2d(edges)
    count = len(edges)
    low, width = edges[:, :-1, None], np.diff(edges, axis=1)[..., None]
    x = np.concatenate([(low + width * _PROBES).reshape(count, -1), edges[:, -1:]], axis=1)
    with np.errstate(invalid="ignore"):
        values = np.nan_to_num(g(np.arange(count), x))
    sign = np.sign(values)
    rows, at = np.nonzero(sign[:, :-1] * sign[:, 1:] < 0)
    touched_rows, touched = np.nonzero((sign[:, 1:-1] == 0) & (sign[:, :-2] * sign[:, 2:] < 0))
    found = _roots(g, rows, x[rows, at], x[rows, at + 1], values[rows, at], values[rows, at + 1])
    rows = np.concatenate([rows, touched_rows])
    if not len(rows):
        return edges
    found = np.concatenate([found, x[touched_rows, touched + 1]])
    order = np.argsort(rows, kind="stable")
    rows, found = rows[order], found[order]
    place = np.arange(len(rows)) - np.searchsorted(rows, rows)
    extra = np.repeat(edges[:, -1:], int(place.max()) + 1, axis=1)  # panels without width are dropped later
    extra[rows, place] = found
    return np.sort(np.concatenate([edges, extra], axis=1), axis=1)


def _roots(g: Function, rows: Array, low: Array, high: Array, at_low: Array, at_high: Array) -> Array:
    """The zeros between low and high, where g has opposite signs: inverse quadratic interpolation where three points
    bear it out, else bisection (Chandrupatla 1997)."""
    x, other, third, share = low, high, high, np.full(len(rows), 0.5)
    at_x, at_other, at_third = at_low, at_high, at_high
    enough = 0.5e-14 * (high - low)
    for _ in range(_SEARCH_ROUNDS if len(rows) else 0):
        new = x + share * (other - x)
        with np.errstate(invalid="ignore"):
            value = np.nan_to_num(g(rows, new[:, None])[:, 0])
        same = np.sign(value) == np.sign(at_x)
        third, at_third = np.where(same, x, other), np.where(same, at_x, at_other)
        other, at_other = np.where(same, other, x), np.where(same, at_other, at_x)
        x, at_x = new, value
        with np.errstate(all="ignore"):
            least = (enough + 0.5e-15 * np.abs(x)) / np.abs(other - x)
            if np.all((value == 0) | ~(least < 0.5)):
                break
            place, level = (x - other) / (third - other), (at_x - at_other) / (at_third - at_other)
            curve = at_x / (at_other - at_x) * at_third / (at_other - at_third)
            curve += (third - x) / (other - x) * at_x / (at_third - at_x) * at_other / (at_third - at_other)
            share = np.where((level**2 < place) & ((1 - level) ** 2 < 1 - place), curve, 0.5)
        share = np.clip(np.nan_to_num(share, nan=0.5), np.minimum(least, 0.5), np.maximum(1 - least, 0.5))
    return x


_FARTHEST = 1e95  # beyond it densities of slow tails leave the range of numbers
_STEP_OUT = 3.0
_DOUBT = 1e-6  # share of what a power tail leaves beyond the last edge that counts as error even if it is a pure power


def reaching(f: Function, edges: Array, small: float) -> Array:
    """The edges (S, M) with panels added at both ends until |f| times the distance is below `small`, or far out.

    f as in `integrate`, one value a position. Tails that nearly cancel decay far more slowly than either law.
    """
    rows = np.arange(len(edges))
    middle = 0.5 * (edges[:, :1] + edges[:, -1:])
    ends = []
    for end in (edges[:, :1], edges[:, -1:]):
        away = end - middle
        if np.all(np.abs(f(rows, end)) * np.abs(away) <= small):
            continue
        with np.errstate(divide="ignore"):
            steps = np.ceil(np.log(_FARTHEST / np.max(np.abs(away))) / np.log(_STEP_OUT))
        x = middle + away * _STEP_OUT ** np.arange(1, max(2, steps))
        size = np.abs(f(rows, x))
        alive = np.any(size * np.abs(x - middle) > small, axis=0)
        # the first panel out always belongs to it; each row stops where it has died out
        needed = np.maximum.accumulate(alive[:, ::-1], axis=1)[:, ::-1]
        last = np.minimum(needed.sum(1, keepdims=True), x.shape[1] - 1)
        # or just before it leaves the range of numbers, so that a power tail can be carried on from there
        last = np.maximum(last - (np.take_along_axis(size.max(axis=0), last, axis=1) == 0), 0)
        stop = np.take_along_axis(x, last, axis=1)
        x = np.where(np.arange(x.shape[1]) <= last, x, stop)
        ends.append(x[:, : int(last.max()) + 1])
    return np.sort(np.concatenate([edges, *ends], axis=1), axis=1) if ends else edges


def beyond(f: Function, edges: Array) -> tuple[Array, Array]:
    """What the integrals leave out beyond the outermost edges, and its error, (C, S) each: a power tail carried on."""
    rows = np.arange(len(edges))
    middle = 0.5 * (edges[:, :1] + edges[:, -1:])
    total = error = np.zeros(1)
    for end in (edges[:, :1], edges[:, -1:]):
        away = end - middle
        # just outside, where a law that ends at this edge is zero
        value = f(rows, middle + away * np.array([0.25, 0.5, 1 + 1e-9]))
        inner, near, far = (value[..., k] for k in range(3))
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            power, before = np.log2(np.abs(near / far)), np.log2(np.abs(inner / near))
            rest = np.where(power > 1, far * np.abs(away[:, 0]) / (power - 1), 0.0)
            rest = np.where(np.isfinite(rest), rest, 0.0)
            doubt = np.abs(rest) * np.minimum(1.0, _DOUBT + np.abs(power - before) / (power - 1))
        total, error = total + rest, error + np.where(rest == 0, 0.0, doubt)
    return total, error
