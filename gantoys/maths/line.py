"""Mixtures on the line."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gantoys.maths.kinds import KINDS
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
from gantoys.maths.quantiles import quantile

Array = np.ndarray
# what a picture shows of a component, in units of its scale (4 standard deviations unless said)
_FARTHEST_Z = 1e153  # in scales: squares stay finite
_REACH = {"uniform": (-0.15, 1.15), "laplace": (-6.0, 6.0), "student-t": (-8.0, 8.0)}


def _first(parameters: Array, x: Array) -> Array:
    """Parameters (K,) or (S, K) with the components in front, to meet positions (..., n)."""
    if parameters.ndim == 1:
        return parameters.reshape(-1, *(1,) * np.ndim(x))
    return np.moveaxis(parameters, -1, 0)[..., None]


@dataclass(frozen=True, eq=False)
class Mixture1D:
    """sum_k w_k f_k((x - loc_k) / scale_k) / scale_k, the f_k named in `kinds`.

    kinds: K keys of `gantoys.maths.kinds.KINDS`. weights, locs, scales, shapes: (K,) or (S, K); weights sum to 1,
    scales are positive. For `uniform`, loc is the low end and scale the width.
    """

    kinds: tuple[str, ...]
    weights: Array
    locs: Array
    scales: Array
    shapes: Array

    def __post_init__(self) -> None:
        unknown = [kind for kind in self.kinds if kind not in KINDS]
        if unknown:
            raise ValueError(f"unknown kind {unknown[0]!r}: known are {', '.join(KINDS)}")
        given = [np.asarray(a, float) for a in (self.weights, self.locs, self.scales, self.shapes)]
        if any(a.ndim not in (1, 2) or a.shape[-1] != len(self.kinds) for a in given):
            got = ", ".join(str(a.shape) for a in given)
            raise ValueError(f"parameters must have shape (K,) or (S, K) with K={len(self.kinds)}, got {got}")
        batch = sweep_shape(*(a.shape[:-1] for a in given))
        for name, array in zip(("weights", "locs", "scales", "shapes"), given, strict=True):
            object.__setattr__(self, name, np.array(np.broadcast_to(array, (*batch, len(self.kinds)))))
        checked_weights(self.weights, "components")
        checked_places(self.locs, self.scales)
        for k, kind in enumerate(self.kinds):
            checked_shapes(kind, self.shapes[..., k])

    dim = 1

    @property
    def batch(self) -> tuple[int, ...]:
        return self.weights.shape[:-1]

    def take(self, rows: Array) -> Mixture1D:
        """The distributions of the given sweep rows, as a new sweep; a single distribution stays itself."""
        if not self.batch:
            return self
        # rows of a checked law need no second check, which would cost as much as the quadrature that asks for them
        taken = object.__new__(Mixture1D)
        object.__setattr__(taken, "kinds", self.kinds)
        for name in ("weights", "locs", "scales", "shapes"):
            object.__setattr__(taken, name, getattr(self, name)[rows])
        return taken

    def _each(self, name: str, x: Array) -> Array:
        """The kinds' function `name` at the standardised x, shape (K, ..., n): sums over components run down axis 0."""
        x = np.asarray(x, float)
        with np.errstate(over="ignore"):
            z = np.clip((x - _first(self.locs, x)) / _first(self.scales, x), -_FARTHEST_Z, _FARTHEST_Z)
        shapes = _first(self.shapes, x)
        kinds = sorted(set(self.kinds))
        if len(kinds) == 1:
            return getattr(KINDS[kinds[0]], name)(z, shapes)
        out = np.empty(z.shape)
        for kind in kinds:
            rows = [k for k, key in enumerate(self.kinds) if key == kind]
            out[rows] = getattr(KINDS[kind], name)(z[rows], shapes[rows])
        return out

    def _log_terms(self, x: Array) -> Array:
        with np.errstate(divide="ignore"):
            constants = np.log(self.weights) - np.log(self.scales)
        return self._each("log_density", x) + _first(constants, x)

    def log_density(self, x: Array) -> Array:
        """log p(x): (n,) for x of shape (n,) and a single distribution, (S, n) for a sweep with x (n,) or (S, n)."""
        return log_sum_exp(self._log_terms(x))

    def density(self, x: Array) -> Array:
        """p(x); shapes as in `log_density`."""
        return np.exp(self.log_density(x))

    def score(self, x: Array) -> Array:
        """d log p(x) / dx; shapes as in `log_density`. Zero where the density is zero."""
        terms = self._log_terms(x)
        with np.errstate(invalid="ignore"):
            share = np.nan_to_num(np.exp(terms - log_sum_exp(terms)))
        return np.sum(share * self._each("score", x) / _first(self.scales, x), axis=0)

    def cdf(self, x: Array) -> Array:
        """P(X <= x); shapes as in `log_density`."""
        return np.minimum(np.sum(_first(self.weights, x) * self._each("cdf", x), axis=0), 1.0)  # no rounding beyond 1

    def sf(self, x: Array) -> Array:
        """P(X > x), accurate in the right tail; shapes as in `log_density`."""
        return np.minimum(np.sum(_first(self.weights, x) * self._each("sf", x), axis=0), 1.0)

    def quantile(self, u: Array, upper: Array | None = None) -> Array:
        """The x with cdf(x) = u, shape of u: (n,) or (S, n); -inf and inf at 0 and 1 unless the support ends.

        `upper` is 1 - u where the caller knows it more accurately. Raises ValueError outside [0, 1].
        """
        return quantile(self, u, upper)

    def edges(self) -> Array:
        """Sorted positions (M,) or (S, M); between two a quadrature panel can follow an integrand."""
        return np.sort(self.edges_and_gaps()[0], axis=-1)

    def edges_and_gaps(self) -> tuple[Array, Array]:
        """The edges by component, and how close the next may come: 0 where the density has a kink or a jump."""
        parts, gaps = [], []
        for k, kind in enumerate(self.kinds):
            row = KINDS[kind]
            # edges of a kind may depend on its shape; a sweep over the shape shares those of its heaviest tail
            steps = row.edges(float(np.min(self.shapes[..., k])))
            gap = np.diff(steps, append=2 * steps[-1] - steps[-2]) * (0.0 if row.bounded else 1.0)
            gap[0] *= 0.0 if row.kinked else 1.0
            if not row.bounded:
                steps, gap = np.concatenate([-steps[:0:-1], steps]), np.concatenate([gap[:0:-1], gap])
            parts.append(self.locs[..., k, None] + self.scales[..., k, None] * steps)
            gaps.append(self.scales[..., k, None] * gap)
        return np.concatenate(parts, axis=-1), np.concatenate(gaps, axis=-1)

    def tails(self) -> Array:
        """(..., 2, 3): A, B, C of log p ~ -A x^2 - B |x| - C log|x| left and right; A = inf without a tail."""
        rows = []
        for k, kind in enumerate(self.kinds):
            shapes = np.ravel(self.shapes[..., k])
            abc = np.array([KINDS[kind].tail(float(s)) for s in shapes]).reshape((*self.batch, 2, 3))
            scale, loc = self.scales[..., k, None], self.locs[..., k, None]
            a = abc[..., 0] / scale**2
            # (|x| -+ loc)^2: the cross term is linear in |x|, with opposite signs on the two sides
            with np.errstate(invalid="ignore"):
                cross = np.where(np.isfinite(a), 2 * a * loc * np.array([1.0, -1.0]), 0.0)
            out = np.stack([a, abc[..., 1] / scale + cross, abc[..., 2]], axis=-1)
            gone = (self.weights[..., k] == 0)[..., None, None]
            rows.append(np.where(gone, np.array([np.inf, 0.0, 0.0]), out))
        return heaviest(np.stack(rows, axis=-2))

    @property
    def bounded(self) -> bool:
        return all(KINDS[k].bounded for k in self.kinds)

    @property
    def smooth(self) -> bool:
        """Whether the density has no jump."""
        return not any(KINDS[k].bounded for k in self.kinds)

    @property
    def mean(self) -> Array:
        """E[X], shape () or (S,); NaN where it does not exist."""
        return np.sum(self.weights * self._component_means(), axis=-1)

    @property
    def std(self) -> Array:
        """Standard deviation, shape () or (S,); inf where the variance is infinite."""
        means = self._component_means()
        inner = np.stack([KINDS[kind].variance(self.shapes[..., k]) for k, kind in enumerate(self.kinds)], axis=-1)
        total = np.sum(self.weights * (inner * self.scales**2 + means**2), axis=-1) - self.mean**2
        return np.sqrt(np.maximum(total, 0.0))

    def _component_means(self) -> Array:
        z = np.stack([KINDS[kind].mean(self.shapes[..., k]) for k, kind in enumerate(self.kinds)], axis=-1)
        return self.locs + self.scales * z

    @property
    def modes(self) -> Array:
        """The components' centres (K,): where a sample of each piles up (the middle of a uniform piece)."""
        return np.array(
            [
                self.locs[..., k] + (0.5 if KINDS[kind].bounded else 0.0) * self.scales[..., k]
                for k, kind in enumerate(self.kinds)
            ]
        ).T

    @property
    def box(self) -> tuple[float, float]:
        """An interval that holds nearly all mass of every row: what a picture should show."""
        reach = [_REACH.get(kind, (-4.0, 4.0)) for kind in self.kinds]
        low = min(float(np.min(self.locs[..., k] + r[0] * self.scales[..., k])) for k, r in enumerate(reach))
        high = max(float(np.max(self.locs[..., k] + r[1] * self.scales[..., k])) for k, r in enumerate(reach))
        return low, high

    def affine(self, shift: Array | float = 0.0, scale: Array | float = 1.0) -> Mixture1D:
        """The law of shift + scale X; an array of shape (S,) makes a sweep. Raises ValueError unless scale > 0."""
        shift, scale = np.asarray(shift, float)[..., None], np.asarray(scale, float)[..., None]
        if np.any(~np.isfinite(scale)) or np.any(scale <= 0):
            raise ValueError(f"the scale of an affine map must be positive and finite, got {short(scale)}")
        return Mixture1D(self.kinds, self.weights, shift + scale * self.locs, scale * self.scales, self.shapes)

    def sample(self, n: int, rng: np.random.Generator) -> Array:
        """n independent draws, shape (n,)."""
        single(self.batch)
        counts = rng.multinomial(n, self.weights / self.weights.sum())
        parts = [
            self.locs[k] + self.scales[k] * KINDS[kind].sample(rng, int(counts[k]), float(self.shapes[k]))
            for k, kind in enumerate(self.kinds)
        ]
        return rng.permutation(np.concatenate(parts))

    def __str__(self) -> str:
        first = self if not self.batch else self.take(np.array(0))
        parts = []
        for k, kind in enumerate(self.kinds):
            loc, scale, shape = first.locs[k], first.scales[k], first.shapes[k]
            numbers = [loc, loc + scale] if KINDS[kind].bounded else [loc, scale]
            numbers += [shape] if len(KINDS[kind].arguments) == 3 else []
            parts.append(f"{KINDS[kind].letter}({','.join(number(v) for v in numbers)})")
        return sum_notation(first.weights, parts)
