"""Mixtures in the plane."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from gantoys.maths.kinds import PLANE_KINDS
from gantoys.maths.parameters import (
    checked_places,
    checked_shapes,
    checked_weights,
    heaviest,
    log_sum_exp,
    number,
    short,
    single,
    sum_notation,
    sweep_shape,
)

Array = np.ndarray
_FARTHEST = 1e140  # squares stay finite


@dataclass(frozen=True, eq=False)
class Mixture2D:
    """sum_k w_k f_k(L_k^-1 (x - loc_k)) / det L_k in the plane, the f_k named in `kinds`.

    kinds: K keys of `gantoys.maths.kinds.PLANE_KINDS`. weights, shapes: (K,) or (S, K); locs (..., K, 2); factors
    (..., K, 2, 2), lower triangular with positive diagonal, so that L L^T is a normal component's covariance.
    """

    kinds: tuple[str, ...]
    weights: Array
    locs: Array
    factors: Array
    shapes: Array
    notation: str = ""

    def __post_init__(self) -> None:
        unknown = [kind for kind in self.kinds if kind not in PLANE_KINDS]
        if unknown:
            raise ValueError(f"unknown kind {unknown[0]!r}: known are {', '.join(PLANE_KINDS)}")
        w, m, f, s = (np.asarray(a, float) for a in (self.weights, self.locs, self.factors, self.shapes))
        k = len(self.kinds)
        if m.shape[-2:] != (k, 2) or f.shape[-3:] != (k, 2, 2) or w.shape[-1:] != (k,):
            raise ValueError(f"parameters do not fit {k} components in the plane: {w.shape}, {m.shape}, {f.shape}")
        if s.shape[-1:] != (k,):
            raise ValueError(f"shapes must be {k} numbers, one a component, got shape {s.shape}")
        batch = sweep_shape(w.shape[:-1], m.shape[:-2], f.shape[:-3], s.shape[:-1])
        for name, array, tail in (
            ("weights", w, (k,)),
            ("locs", m, (k, 2)),
            ("factors", f, (k, 2, 2)),
            ("shapes", s, (k,)),
        ):
            object.__setattr__(self, name, np.array(np.broadcast_to(array, (*batch, *tail))))
        checked_weights(self.weights, "components")
        checked_places(self.locs, self.factors[..., [0, 1], [0, 1]])
        if not np.all(np.isfinite(self.factors)) or np.any(self.factors[..., 0, 1] != 0):
            raise ValueError("factors must be finite and lower triangular")
        for i, kind in enumerate(self.kinds):
            checked_shapes(kind, self.shapes[..., i])

    dim = 2

    @property
    def batch(self) -> tuple[int, ...]:
        return self.weights.shape[:-1]

    def take(self, rows: Array) -> Mixture2D:
        """The distributions of the given sweep rows; a single distribution stays itself."""
        if not self.batch:
            return self
        return replace(
            self,
            weights=self.weights[rows],
            locs=self.locs[rows],
            factors=self.factors[rows],
            shapes=self.shapes[rows],
            notation="",
        )

    def log_density(self, x: Array) -> Array:
        """log p(x): (n,) for a single distribution and x (n, 2); (S, n) for a sweep and x (n, 2) or (S, n, 2)."""
        x = np.asarray(x, float)
        if x.shape[-1] != 2:
            raise ValueError(f"points in the plane must have shape (..., 2), got {x.shape}")
        x = np.clip(x, -_FARTHEST, _FARTHEST)
        if len(set(self.kinds)) == 1 and not self.batch and x.ndim == 2:
            return log_sum_exp(self._all_alike(x))
        terms = []
        with np.errstate(divide="ignore"):
            log_weights = np.log(self.weights)
        for k, kind in enumerate(self.kinds):
            d = x - self.locs[..., k, None, :]
            l00, l10, l11 = (self.factors[..., k, None, i, j] for i, j in ((0, 0), (1, 0), (1, 1)))
            z0 = d[..., 0] / l00
            z = np.stack([z0, (d[..., 1] - l10 * z0) / l11], axis=-1)
            constant = log_weights[..., k, None] - np.log(l00 * l11)
            terms.append(PLANE_KINDS[kind].log_density(z, self.shapes[..., k, None]) + constant)
        return log_sum_exp(np.stack(terms))

    def _all_alike(self, x: Array) -> Array:
        """The terms (K, n) of components of one kind at x (n, 2), all at once: a picture of a film asks for them."""
        with np.errstate(divide="ignore"):
            log_weights = np.log(self.weights)
        l00, l10, l11 = (self.factors[:, None, i, j] for i, j in ((0, 0), (1, 0), (1, 1)))
        # coordinate by coordinate in memory
        z = np.moveaxis(np.empty((2, len(self.kinds), len(x))), 0, -1)
        z[..., 0] = (x[:, 0] - self.locs[:, :1]) / l00
        z[..., 1] = (x[:, 1] - self.locs[:, 1:] - l10 * z[..., 0]) / l11
        terms = PLANE_KINDS[self.kinds[0]].log_density(z, self.shapes[:, None])
        return np.asarray(terms + (log_weights[:, None] - np.log(l00 * l11)))

    def density(self, x: Array) -> Array:
        """p(x); shapes as in `log_density`."""
        return np.exp(self.log_density(x))

    def edges(self) -> tuple[Array, Array]:
        """Sorted grid lines in x and in y, (M,) or (S, M) each, between which the density is smooth."""
        out = []
        for axis in (0, 1):
            parts = []
            for k, kind in enumerate(self.kinds):
                row = PLANE_KINDS[kind]
                steps = row.edges(float(np.max(self.shapes[..., k])))
                steps = steps if row.bounded else np.concatenate([-steps[:0:-1], steps])
                # the width of the component along this axis: the norm of the factor's row
                width = np.linalg.norm(self.factors[..., k, axis, :], axis=-1)
                parts.append(self.locs[..., k, axis, None] + width[..., None] * steps)
            out.append(np.sort(np.concatenate(parts, axis=-1), axis=-1))
        return out[0], out[1]

    @property
    def bounded(self) -> bool:
        return all(PLANE_KINDS[k].bounded for k in self.kinds)

    @property
    def smooth(self) -> bool:
        return not any(PLANE_KINDS[k].bounded for k in self.kinds)

    def tails(self) -> Array:
        """(..., 360, 3): A, B, C of log p ~ -A r^2 - B r - C log r along 360 directions; A = inf without a tail."""
        angle = np.linspace(0, 2 * np.pi, 360, endpoint=False)
        away = np.stack([np.cos(angle), np.sin(angle)], 1)
        rows = []
        for k, kind in enumerate(self.kinds):
            row = PLANE_KINDS[kind]
            inverse = np.linalg.inv(self.factors[..., k, :, :])
            z = np.einsum("...ij,dj->...di", inverse, away)
            centre = np.einsum("...ij,...j->...i", inverse, self.locs[..., k, :])[..., None, :]
            a, b, c = (np.full(z.shape[:-1], v) for v in row.tail(float(np.max(self.shapes[..., k]))))
            if row.bounded:
                rows.append(np.stack([a, b, c], axis=-1))
                continue
            quadratic = np.where(a > 0, a * np.sum(z * z, -1), 0.0)
            linear = np.where(b > 0, np.sum(np.abs(z), -1), 0.0) - np.where(a > 0, np.sum(z * centre, -1), 0.0)
            gone = (self.weights[..., k] == 0)[..., None]
            rows.append(np.stack([np.where(gone, np.inf, quadratic), linear, c], axis=-1))
        return heaviest(np.stack(rows, axis=-2))

    @property
    def modes(self) -> Array:
        """The components' centres, (K, 2)."""
        middle = np.array([[0.5, 0.5] if PLANE_KINDS[k].bounded else [0.0, 0.0] for k in self.kinds])
        return self.locs + np.einsum("...kij,kj->...ki", self.factors, middle)

    @property
    def box(self) -> tuple[float, float, float, float]:
        """(x low, x high, y low, y high): a square around nearly all mass, for pictures."""
        width = np.linalg.norm(self.factors, axis=-1)
        sigmas = np.array([0.65 if PLANE_KINDS[k].bounded else 4.0 for k in self.kinds])
        radii = np.where(np.array(self.kinds) == "circle", self.shapes, 0.0)
        reach = (sigmas + radii)[..., None] * width
        low = np.min((self.modes - reach).reshape(-1, 2), axis=0)
        high = np.max((self.modes + reach).reshape(-1, 2), axis=0)
        centre, half = (low + high) / 2, float(np.max(high - low)) / 2
        x, y = float(centre[0]), float(centre[1])
        return (x - half, x + half, y - half, y + half)

    def affine(self, shift: Array | float = 0.0, scale: Array | float = 1.0) -> Mixture2D:
        """The law of shift + scale X: shift (2,) or (S, 2), scale () or (S,), positive."""
        shift, scale = np.asarray(shift, float), np.asarray(scale, float)
        if np.any(~np.isfinite(scale)) or np.any(scale <= 0):
            raise ValueError(f"the scale of an affine map must be positive and finite, got {short(scale)}")
        if shift.ndim and shift.shape[-1] != 2:
            raise ValueError(f"a shift in the plane must have shape (2,) or (S, 2), got {shift.shape}")
        shift = shift if shift.ndim else np.full(2, float(shift))
        return replace(
            self,
            locs=shift[..., None, :] + scale[..., None, None] * self.locs,
            factors=scale[..., None, None, None] * self.factors,
            notation="",
        )

    def sample(self, n: int, rng: np.random.Generator) -> Array:
        """n independent draws, shape (n, 2)."""
        single(self.batch)
        counts = rng.multinomial(n, self.weights / self.weights.sum())
        parts = [
            self.locs[k] + PLANE_KINDS[kind].sample(rng, int(counts[k]), float(self.shapes[k])) @ self.factors[k].T
            for k, kind in enumerate(self.kinds)
        ]
        return rng.permutation(np.concatenate(parts))

    def __str__(self) -> str:
        if self.notation:
            return self.notation
        first = self if not self.batch else self.take(np.array(0))
        parts = [
            _plane_notation(kind, first.locs[k], first.factors[k], first.shapes[k]) for k, kind in enumerate(self.kinds)
        ]
        return sum_notation(first.weights, parts)


def _plane_notation(kind: str, loc: Array, factor: Array, shape: float) -> str:
    at = f"[{number(loc[0])},{number(loc[1])}]"
    if kind == "uniform":
        return f"U({at},[{number(loc[0] + factor[0, 0])},{number(loc[1] + factor[1, 1])}])"
    if factor[1, 0] == 0 and factor[0, 0] == factor[1, 1]:
        spread = number(factor[0, 0])
    elif factor[1, 0] == 0:
        spread = f"[{number(factor[0, 0])},{number(factor[1, 1])}]"
    else:
        c = factor @ factor.T
        spread = f"[[{number(c[0, 0])},{number(c[0, 1])}],[{number(c[1, 0])},{number(c[1, 1])}]]"
    extra = f",{number(shape)}" if kind in ("student-t", "circle") else ""
    return f"{PLANE_KINDS[kind].letter}({at},{spread}{extra})"
