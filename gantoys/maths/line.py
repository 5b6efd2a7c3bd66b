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

Array = np.ndarray
# what a picture shows of a component, in units of its scale (4 standard deviations unless said)
_FULL_ROUNDS, _LATE_ROUNDS = 7, 90  # of the search for quantiles: all of them together, then the stragglers
_FARTHEST = 1e150
_FARTHEST_Z = 1e153  # in scales: squares stay finite
_BEYOND = 10.0 ** np.arange(2, 300, 4)  # where quantiles of power tails are looked for, in units of the edges' reach
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
            return getattr(KINDS[kinds[0]], name)(z, shapes)  # type: ignore[no-any-return]
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
        return np.sum(_first(self.weights, x) * self._each("cdf", x), axis=0)

    def sf(self, x: Array) -> Array:
        """P(X > x), accurate in the right tail; shapes as in `log_density`."""
        return np.sum(_first(self.weights, x) * self._each("sf", x), axis=0)

    def quantile(self, u: Array, upper: Array | None = None) -> Array:
        """The x with cdf(x) = u, shape of u: (n,) or (S, n); -inf and inf at 0 and 1 unless the support ends.

        `upper` is 1 - u where the caller knows it more accurately. Newton's method on the logarithm of the smaller tail,
        kept inside a shrinking bracket so that it converges on flat stretches too. Raises ValueError outside [0, 1].
        """
        u = np.asarray(u, float)
        upper = 1 - u if upper is None else np.asarray(upper, float)
        if not np.all((u >= 0) & (u <= 1) & (upper >= 0) & (upper <= 1)):
            raise ValueError(f"quantiles are asked for at levels between 0 and 1, got {short(u)}")
        shape = np.broadcast_shapes(u.shape, (*self.batch, u.shape[-1]))
        u, upper = np.broadcast_to(u, shape), np.broadcast_to(upper, shape)
        low, high = self._bracket(u, upper)
        x = self._search(u, upper, low, high, _FULL_ROUNDS)
        late = ~self._reached(x, u, upper)
        if np.any(late):
            # few are left: go on with each of them as a row of its own
            rows = self.take(np.nonzero(late)[0])
            parts = (a[late][:, None] for a in (u, upper, low, high))
            x[late] = rows._search(*parts, _LATE_ROUNDS)[:, 0]
        return x if self.bounded else np.where(u == 0, -np.inf, np.where(upper == 0, np.inf, x))

    def _bracket(self, u: Array, upper: Array) -> tuple[Array, Array]:
        """Two neighbouring edges with the quantile between them."""
        edges = self.edges()
        if "student-t" in self.kinds:
            middle, reach = edges[..., [edges.shape[-1] // 2]], edges[..., -1:] - edges[..., :1]
            with np.errstate(over="ignore"):
                out = np.minimum(reach * _BEYOND, _FARTHEST)
            edges = np.concatenate([middle - out[..., ::-1], edges, middle + out], axis=-1)
        cdf, sf = self.cdf(edges), self.sf(edges)
        # from above in the right half, where the distribution function rounds to 1
        if self.batch:
            below = np.sum(cdf[..., None, :] <= u[..., :, None], axis=-1)
            above = np.sum(sf[..., None, :] >= upper[..., :, None], axis=-1)
        else:
            below = np.searchsorted(cdf, u, side="right")
            above = len(sf) - np.searchsorted(sf[::-1], upper, side="left")
        index = np.clip(np.where(u <= 0.5, below, above), 1, edges.shape[-1] - 1)
        grid = np.broadcast_to(edges, (*u.shape[:-1], edges.shape[-1]))
        return np.take_along_axis(grid, index - 1, -1), np.take_along_axis(grid, index, -1)

    def _tail(self, x: Array, u: Array, upper: Array) -> tuple[Array, Array, Array]:
        """The smaller tail's mass at x, the one wanted, and the sign with which it grows."""
        left = u <= 0.5
        return np.where(left, self.cdf(x), self.sf(x)), np.where(left, u, upper), np.where(left, 1.0, -1.0)

    def _reached(self, x: Array, u: Array, upper: Array) -> Array:
        mass, wanted, _ = self._tail(x, u, upper)
        return np.abs(mass - wanted) <= 4 * np.finfo(float).eps * wanted

    def _search(self, u: Array, upper: Array, low: Array, high: Array, rounds: int) -> Array:
        x = 0.5 * (low + high)
        for _ in range(rounds):
            mass, wanted, sign = self._tail(x, u, upper)
            miss = sign * (mass - wanted)
            low, high = np.where(miss < 0, x, low), np.where(miss > 0, x, high)
            with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
                newton = x - sign * (mass / self.density(x)) * np.log(mass / wanted)
            inside = (newton >= low) & (newton <= high)
            step = np.where(miss == 0, x, np.where(inside, newton, 0.5 * low + 0.5 * high))
            if np.all(np.abs(step - x) <= 4e-16 * np.abs(x)):
                return step
            x = step
        return x

    def edges(self) -> Array:
        """Sorted positions (M,) or (S, M); between two an integrand is smooth enough for a quadrature panel to follow."""
        return np.sort(self.edges_and_gaps()[0], axis=-1)

    def edges_and_gaps(self) -> tuple[Array, Array]:
        """The edges component by component, and how close the next may come: 0 where the density has a kink or a jump."""
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
        """(..., 2, 3): A, B, C of log p ~ -A x^2 - B |x| - C log|x| on the left and the right; A = inf without a tail."""
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
