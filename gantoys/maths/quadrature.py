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
    values, and the size of the terms whose difference they are, which tells what rounding leaves of them. edges:
    (S, M), sorted along the rows. tolerance is relative to each row's integral of |f|; an error below `absolute` always
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
