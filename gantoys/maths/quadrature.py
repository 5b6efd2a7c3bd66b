"""Adaptive Gauss-Kronrod quadrature for a whole sweep of integrals at once, on the line and in the plane.

The integrals of all rows are computed together: panels of every row lie in one flat list, are evaluated in one call,
and only those whose error is too large are halved. An error estimate comes with every value.

Rule and error estimate: R. Piessens et al., QUADPACK (1983), the 7-point Gauss / 15-point Kronrod pair.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

Array = np.ndarray

_NODES = np.array(
    [0.991455371120812639206854697526329, 0.949107912342758524526189684047851, 0.864864423359769072789712788640926,
     0.741531185599394439863864773280788, 0.586087235467691130294144691693013, 0.405845151377397166906606412076961,
     0.207784955007898467600689403773245, 0.0]
)  # fmt: skip
_KRONROD = np.array(
    [0.022935322010529224963732008058970, 0.063092092629978553290700663189204, 0.104790010322250183839876322541518,
     0.140653259715525918745189590510238, 0.169004726639267902826583426598550, 0.190350578064785409913256402421014,
     0.204432940075298892414161999234649, 0.209482141084727828012999174891714]
)  # fmt: skip
_GAUSS = np.array(
    [0.129484966168869693270611432679082, 0.279705391489276667901467771423780,
     0.381830050505118944950369775488975, 0.417959183673469387755102040816327]
)  # fmt: skip
NODES = np.concatenate([-_NODES[:-1], _NODES[::-1]])
KRONROD = np.concatenate([_KRONROD[:-1], _KRONROD[::-1]])
GAUSS = np.zeros(15)
GAUSS[1:15:2] = np.concatenate([_GAUSS[:-1], _GAUSS[::-1]])

_MAX_PANELS = 200_000
# halving cannot push an error below this multiple of the size of the terms that were added up
_ROUNDING = 50 * np.finfo(float).eps

Function = Callable[[Array, Array], Array]


@dataclass(frozen=True)
class Integral:
    """value, error, size: (C, S) for C integrands over S rows; error estimates |value - truth|, size is int |f|."""

    value: Array
    error: Array
    size: Array


def _estimate(kronrod: Array, gauss: Array, spread: Array) -> Array:
    """QUADPACK's error estimate: sharpened where the integrand is smooth on the panel."""
    error = np.abs(kronrod - gauss)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        sharper = spread * np.minimum(1.0, (200 * error / spread) ** 1.5)
    return np.where((spread > 0) & (error > 0), sharper, error)


def _panels(
    f: Callable[[Array, Array], Array | tuple[Array, Array]], rows: Array, low: Array, high: Array
) -> tuple[Array, Array, Array, Array]:
    """Value, error, integral of |f| and of the size of its terms for each panel: (C, P) each."""
    middle, half = 0.5 * (low + high), 0.5 * (high - low)
    found = f(rows, middle[:, None] + half[:, None] * NODES)
    values, terms = found if isinstance(found, tuple) else (found, None)
    kronrod, gauss = (values @ KRONROD) * half, (values @ GAUSS) * half
    size = (np.abs(values) @ KRONROD) * half
    spread = (np.abs(values - (values @ KRONROD / 2)[..., None]) @ KRONROD) * half
    return kronrod, _estimate(kronrod, gauss, spread), size, size if terms is None else (terms @ KRONROD) * half


def integrate(
    f: Callable[[Array, Array], Array | tuple[Array, Array]],
    edges: Array,
    *,
    tolerance: float = 1e-11,
    absolute: float = 0.0,
    rounds: int = 45,
) -> Integral:
    """Integrals over [edges[:, 0], edges[:, -1]] of C functions for S rows.

    f(rows, x): rows (P,) are row numbers and x (P, 15) positions; it returns (C, P, 15), or a pair of such arrays: the
    values, and the size of the terms whose difference they are, which tells what rounding leaves of them. edges: (S, M),
    sorted along the rows. tolerance is relative to each row's integral of |f|; an error below `absolute` always
    suffices. Panels are halved at most `rounds` times.
    """
    edges = np.atleast_2d(np.asarray(edges, float))
    count = edges.shape[0]
    rows = np.repeat(np.arange(count), edges.shape[1] - 1)
    low, high = edges[:, :-1].ravel(), edges[:, 1:].ravel()
    keep = high > low
    rows, low, high = rows[keep], low[keep], high[keep]
    value = error = size = np.zeros((0, count))
    for turn in range(rounds):
        kronrod, panel_error, size_here, terms = _panels(f, rows, low, high)
        middle, half = 0.5 * (low + high), 0.5 * (high - low)
        if turn == 0:
            value, error = np.zeros((len(kronrod), count)), np.zeros((len(kronrod), count))
            size = np.stack([np.bincount(rows, row, count) for row in size_here])
        wanted = tolerance * size[:, rows] + absolute + 1e-300
        # panels that are too narrow to halve are taken as they are
        narrow = half <= 1e-14 * np.maximum(np.abs(middle), 1e-280)
        done = np.all(panel_error <= np.maximum(wanted, _ROUNDING * terms), axis=0) | narrow
        if turn == rounds - 1 or 2 * np.count_nonzero(~done) > _MAX_PANELS:
            done = np.ones_like(done)
        for c in range(len(value)):
            value[c] += np.bincount(rows[done], kronrod[c, done], count)
            error[c] += np.bincount(rows[done], panel_error[c, done], count)
        if np.all(done):
            break
        rows, low, high, middle = rows[~done], low[~done], high[~done], middle[~done]
        rows, low, high = np.tile(rows, 2), np.concatenate([low, middle]), np.concatenate([middle, high])
    return Integral(value, error, size)


_PROBES = np.array([0.0, 0.2, 0.4, 0.6, 0.8])
_CHORDS, _SEARCH_ROUNDS = 16, 80


def with_zeros(g: Function, edges: Array) -> Array:
    """The edges (S, M) with the sign changes of g added, so that the kinks or jumps they cause lie between panels.

    g(rows, x): rows (P,), x (P, n), returns (P, n). A rule that averages over a kink is wrong by more than it estimates
    when the kink lies close to a panel's end. Found by probing five points a panel, then by the Illinois method.
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
    """The zeros between low and high, where g has opposite signs: Illinois (Dowell & Jarratt 1971), later bisection."""
    x, enough, before = 0.5 * (low + high), 1e-14 * (high - low), np.zeros(len(rows), bool)
    for turn in range(_SEARCH_ROUNDS if len(rows) else 0):
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            chord = high - at_high * (high - low) / (at_high - at_low)
        inside = (chord >= low) & (chord <= high) & (turn < _CHORDS)
        last, x = x, np.where(inside, chord, 0.5 * (low + high))
        with np.errstate(invalid="ignore"):
            value = np.nan_to_num(g(rows, x[:, None])[:, 0])
        if np.all((value == 0) | (np.abs(x - last) <= enough + 1e-15 * np.abs(x))):
            break
        left = np.sign(value) == np.sign(at_low)
        # the end that stays twice in a row weighs half, or it would stay for ever
        weight = np.where(left == before, 0.5, 1.0) if turn else 1.0
        at_high, at_low = np.where(left, at_high * weight, value), np.where(left, value, at_low * weight)
        before = left
        low, high = np.where(left, x, low), np.where(left, high, x)
    return x


_FARTHEST = 1e140
_STEP_OUT = 3.0
_LAST_DOUBLING = 0.1  # of what a power tail leaves beyond the last edge, this share is counted as error


def reaching(f: Function, edges: Array, small: float) -> Array:
    """The edges (S, M) with panels added at both ends until |f| times the distance is below `small`, or far out.

    f as in `integrate`, one function value per position. Tails that nearly cancel decay far more slowly than either law.
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
        alive = np.any(np.abs(f(rows, x)) * np.abs(x - middle) > small, axis=0)
        # the first panel out always belongs to it; each row stops where it has died out
        needed = np.maximum.accumulate(alive[:, ::-1], axis=1)[:, ::-1]
        last = np.minimum(needed.sum(1, keepdims=True), x.shape[1] - 1)
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
        value = f(rows, np.concatenate([middle + 0.5 * away, middle + away * (1 + 1e-9)], axis=1))
        near, far = value[..., 0], value[..., 1]
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            power = np.where(near * far > 0, np.log2(near / far), np.inf)
            rest = np.where(power > 1, far * np.abs(away[:, 0]) / (power - 1), 0.0)
        rest = np.where(np.isfinite(rest), rest, 0.0)
        total, error = total + rest, error + _LAST_DOUBLING * np.abs(rest)
    return total, error


_PLANE_NODES = np.stack(np.meshgrid(NODES, NODES, indexing="ij"), -1).reshape(-1, 2)
_PLANE_KRONROD = np.outer(KRONROD, KRONROD).ravel()
_PLANE_GAUSS = np.outer(GAUSS, GAUSS).ravel()
_PLANE_BATCH = 2_000


def integrate_plane(
    f: Callable[[Array], Array], x_edges: Array, y_edges: Array, *, tolerance: Array, cells: int = 24_000
) -> Integral:
    """Integrals of C functions over a rectangle, the product rule on cells that are halved in the worse direction.

    f(x): x (n, 2) positions, returns (C, n). x_edges, y_edges: sorted grid lines. tolerance: (C,), relative to the
    integral of |f|. At most about `cells` cells are evaluated; what then is missing shows in the error.
    """
    x0, y0 = np.meshgrid(x_edges[:-1], y_edges[:-1], indexing="ij")
    x1, y1 = np.meshgrid(x_edges[1:], y_edges[1:], indexing="ij")
    low = np.stack([x0.ravel(), y0.ravel()], 1)
    high = np.stack([x1.ravel(), y1.ravel()], 1)
    keep = np.all(high > low, axis=1)
    low, high = low[keep], high[keep]
    value = error = size = np.zeros(0)
    used = 0
    while len(low):
        kronrod, panel_error, size_here, along_x = _cells(f, low, high)
        if not used:
            size, value, error = size_here.sum(1), np.zeros(len(kronrod)), np.zeros(len(kronrod))
        used += len(low)
        budget = np.asarray(tolerance)[:, None] * size[:, None] / np.sqrt(max(len(low), 64))
        done = np.all(panel_error <= budget + 1e-300, axis=0)
        if used + 2 * np.count_nonzero(~done) > cells:
            done[:] = True
        value = value + kronrod[:, done].sum(1)
        error = error + panel_error[:, done].sum(1)
        low, high, along_x = low[~done], high[~done], along_x[~done]
        middle = 0.5 * (low + high)
        cut_high, cut_low = high.copy(), low.copy()
        axis = np.where(along_x, 0, 1)
        index = np.arange(len(low))
        cut_high[index, axis] = middle[index, axis]
        cut_low[index, axis] = middle[index, axis]
        low, high = np.concatenate([low, cut_low]), np.concatenate([cut_high, high])
    return Integral(value[:, None], error[:, None], size[:, None])


def _cells(f: Callable[[Array], Array], low: Array, high: Array) -> tuple[Array, Array, Array, Array]:
    """Value, error, integral of |f| (each (C, cells)) and whether a cell is worse resolved along x."""
    out: list[tuple[Array, Array, Array, Array]] = []
    for start in range(0, len(low), _PLANE_BATCH):
        a, b = low[start : start + _PLANE_BATCH], high[start : start + _PLANE_BATCH]
        half, middle = 0.5 * (b - a), 0.5 * (a + b)
        x = middle[:, None] + half[:, None] * _PLANE_NODES
        values = f(x.reshape(-1, 2)).reshape(-1, len(a), 225)
        area = half[:, 0] * half[:, 1]
        kronrod, gauss = values @ _PLANE_KRONROD * area, values @ _PLANE_GAUSS * area
        size = np.abs(values) @ _PLANE_KRONROD * area
        # along each axis alone: Kronrod against Gauss in that direction, Kronrod in the other
        table = values.reshape(-1, len(a), 15, 15)
        x_error = np.abs(np.einsum("cpij,i,j->cp", table, KRONROD - GAUSS, KRONROD)).sum(0)
        y_error = np.abs(np.einsum("cpij,i,j->cp", table, KRONROD, KRONROD - GAUSS)).sum(0)
        out.append((kronrod, np.abs(kronrod - gauss), size, x_error >= y_error))
    kronrod, error, size, along = (np.concatenate([o[i] for o in out], axis=-1) for i in range(4))
    return kronrod, error, size, along
