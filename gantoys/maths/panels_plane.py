"""Where the grid of a quadrature in the plane lies: fine at the laws' own edges, and as far as the integrands reach."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from gantoys.maths.kinds import PLANE_KINDS
from gantoys.maths.plane import Mixture2D

Array = np.ndarray
_ILL_PLACED = 1e3  # positions are taken from the narrowest component when they are this many scales from zero
_LOST = 1e13
_PAIR_STEPS = np.array([-30, -10, -4, -1.5, 0, 1.5, 4, 10, 30.0])
_PAIRS_AT_MOST = 64
_MOST_LINES, _MOST_FAR_LINES = 32, 48
_FAR = 1e5  # grids wider than this many of their narrowest scales are thinned by relative, not absolute, distances
_SMALL_TAIL = 1e-13
_STEP_OUT, _MOST_STEPS, _BESIDE = 4.0, 60, 17


def centred_plane(p: Mixture2D, q: Mixture2D) -> tuple[Mixture2D, Mixture2D]:
    """Both single laws moved so that their narrowest component lies at the origin, where that gains digits."""
    locs, scales = np.concatenate([p.locs, q.locs]), np.concatenate([_narrow(p), _narrow(q)])
    if np.max(np.linalg.norm(locs, axis=-1) / scales) <= _ILL_PLACED:
        return p, q
    away = -locs[np.argmin(scales)]
    if np.max(np.linalg.norm(locs + away, axis=-1) / scales) > _LOST:
        raise ValueError(f"components lie more than {_LOST:g} of their scales apart: their places have no digits left")
    return p.affine(away), q.affine(away)


def straightened(p: Mixture2D, q: Mixture2D) -> tuple[Mixture2D, Mixture2D]:
    """Both single laws in coordinates where their most elongated component is round, and the next lies along the axes.

    A grid cannot follow a narrow ridge that crosses it at an angle, and no f-divergence notices a linear map. Only for
    kinds that a rotation leaves alone; left as they are where nothing is elongated.
    """
    factors = np.concatenate([p.factors, q.factors])
    if not all(PLANE_KINDS[kind].round for kind in (*p.kinds, *q.kinds)) or np.all(factors[:, 1, 0] == 0):
        return p, q
    longest = int(np.argmax(np.linalg.cond(factors)))
    rounding = np.linalg.inv(factors[longest])
    left = rounding @ factors
    next_longest = left[int(np.argmax(np.linalg.cond(left)))]
    straight = np.linalg.svd(next_longest)[0].T @ rounding
    return _mapped(p, straight), _mapped(q, straight)


def _mapped(law: Mixture2D, linear: Array) -> Mixture2D:
    # L = R^T with Q R = (linear factor)^T: the same law, lower triangular again
    upper = np.linalg.qr(np.swapaxes(linear @ law.factors, -1, -2))[1]
    factors = np.swapaxes(upper * np.sign(np.diagonal(upper, axis1=-2, axis2=-1))[..., None], -1, -2)
    factors[..., 0, 1] = 0.0
    return replace(law, locs=law.locs @ linear.T, factors=factors, notation="")


def _narrow(law: Mixture2D) -> Array:
    return np.min(np.diagonal(law.factors, axis1=-2, axis2=-1), axis=-1)


def grid_lines(p: Mixture2D, q: Mixture2D | None = None, powers: list[float] | None = None) -> tuple[Array, Array]:
    """Sorted lines in x and in y for integrands in the single laws p and q, at most some dozens."""
    laws = (p,) if q is None else (p, q)
    centres, widths = np.concatenate([d.locs for d in laws]), np.concatenate([_narrow(d) for d in laws])
    extra = np.zeros((0, 2)) if q is None else _pair_lines(p, q, powers or [])
    axes = (np.sort(np.concatenate([*(d.edges()[axis] for d in laws), extra[:, axis]])) for axis in (0, 1))
    x, y = (_thinned(lines, centres[:, axis], widths) for axis, lines in enumerate(axes))
    return x, y


def _pair_lines(p: Mixture2D, q: Mixture2D, powers: list[float]) -> Array:
    """(n, 2) lines where p_i^a q_j^(1-a) of two normal components peaks: it can lie far from both (chi-square)."""
    pairs = [(i, j) for i in range(len(p.kinds)) for j in range(len(q.kinds)) if p.kinds[i] == q.kinds[j] == "normal"]
    parts = [np.zeros((0, 2))]
    for a in powers if len(pairs) <= _PAIRS_AT_MOST else ():
        for i, j in pairs:
            ip, iq = (np.linalg.inv(d.factors[k]).T @ np.linalg.inv(d.factors[k]) for d, k in ((p, i), (q, j)))
            precision = a * ip + (1 - a) * iq
            if np.linalg.eigvalsh(precision)[0] > 1e-12 * np.abs(precision).max():
                spread = np.linalg.inv(precision)
                centre = spread @ (a * ip @ p.locs[i] + (1 - a) * iq @ q.locs[j])
                parts.append(centre + _PAIR_STEPS[:, None] * np.sqrt(np.diag(spread)))
    return np.concatenate(parts)


def _thinned(lines: Array, centres: Array, widths: Array) -> Array:
    """Those lines go first that are closest to their neighbours (cells are halved again where needed)."""
    far = lines[-1] - lines[0] > _FAR * widths.min()
    most = _MOST_FAR_LINES if far else _MOST_LINES
    while len(lines) > most:
        gaps = lines[2:] - lines[:-2]
        if far:
            gaps = gaps / np.min(np.abs(lines[1:-1, None] - centres) + widths, axis=1)
        drop = np.argsort(gaps[::2])[: max(1, (len(lines) - most) // 2)] * 2 + 1
        lines = np.delete(lines, drop)
    return lines


def reaching_plane(f: Callable[[Array], Array], x: Array, y: Array, centres: Array) -> tuple[Array, Array, Array]:
    """The lines with more added outside until |f| times the squared distance has died out, and what may be missing.

    f as in `integrate_plane`; looked at along the four sides, evenly and beside the components' centres (n, 2).
    """
    out, missing = [x, y], np.zeros(1)
    for axis in (0, 1):
        for side in (0, -1):
            middle, end = 0.5 * (out[axis][0] + out[axis][-1]), out[axis][side]
            for _ in range(_MOST_STEPS):
                along = np.linspace(out[1 - axis][0], out[1 - axis][-1], _BESIDE)
                at = np.concatenate([centres, np.stack([along, along], axis=1)])
                at[:, axis] = end + 1e-9 * (end - middle)
                left = np.max(np.abs(f(at)), axis=1) * (end - middle) ** 2
                if np.all(left <= _SMALL_TAIL):
                    break
                end = middle + _STEP_OUT * (end - middle)
                out[axis] = np.sort(np.append(out[axis], end))
            missing = missing + np.where(left > _SMALL_TAIL, left, 0.0)
    return out[0], out[1], missing
