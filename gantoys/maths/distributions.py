"""Distributions whose density is known exactly: finite ones and mixtures in one and two dimensions.

Every parameter may carry one leading *sweep* axis of length S: a distribution with `batch == (S,)` stands for S
distributions at once, which is how a slider's whole range is computed in one call. A distribution with `batch == ()` is
a single one. Mixtures of the two broadcast.

All densities are with respect to Lebesgue measure (finite distributions: counting measure); logarithms are natural.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from gantoys.maths.kinds import KINDS, PLANE_KINDS

Array = np.ndarray
MAX_COMPONENTS = 256
WEIGHT_TOLERANCE = 1e-9
# what a picture shows of a component, in units of its scale (4 standard deviations unless said)
_REACH = {"uniform": (-0.15, 1.15), "laplace": (-6.0, 6.0), "student-t": (-8.0, 8.0)}


def _log_sum_exp(terms: Array) -> Array:
    """log sum exp down axis 0; -inf where all terms are."""
    if len(terms) == 1:
        return terms[0]
    top = np.max(terms, axis=0)
    top = np.where(np.isfinite(top), top, 0.0)
    with np.errstate(divide="ignore"):
        return top + np.log(np.sum(np.exp(terms - top), axis=0))


def _first(parameters: Array, x: Array) -> Array:
    """Parameters (K,) or (S, K) with the components in front, to meet positions (..., n)."""
    if parameters.ndim == 1:
        return parameters.reshape(-1, *(1,) * np.ndim(x))
    return np.moveaxis(parameters, -1, 0)[..., None]


def _checked_weights(weights: Array, what: str) -> Array:
    if weights.shape[-1] > MAX_COMPONENTS:
        raise ValueError(f"{weights.shape[-1]} {what} are too many: at most {MAX_COMPONENTS} are allowed")
    if weights.shape[-1] == 0:
        raise ValueError(f"no {what} given: at least one is needed")
    if not np.all(np.isfinite(weights)) or np.any(weights < 0):
        raise ValueError(f"weights must be finite and not negative, got {_short(weights)}")
    total = weights.sum(axis=-1)
    if np.any(np.abs(total - 1) > WEIGHT_TOLERANCE):
        raise ValueError(f"weights must sum to 1, got {_short(weights)} with sum {float(np.ravel(total)[0]):.6g}")
    return weights


def _short(values: Array) -> str:
    flat = np.ravel(values)
    text = ", ".join(f"{v:.6g}" for v in flat[:6])
    return f"[{text}{', ...' if flat.size > 6 else ''}]"


def _number(value: float) -> str:
    return f"{float(value):.12g}"


@dataclass(frozen=True, eq=False)
class Finite:
    """A distribution on K points.

    probabilities: (K,) or (S, K), not negative, summing to 1. points: (K,) or (K, 2), the support shared by the sweep;
    0..K-1 when left out. Raises ValueError otherwise.
    """

    probabilities: Array
    points: Array = None  # type: ignore[assignment]

    def __post_init__(self) -> None:
        p = np.asarray(self.probabilities, float)
        if p.ndim not in (1, 2):
            raise ValueError(f"probabilities must have shape (K,) or (S, K), got {p.shape}")
        object.__setattr__(self, "probabilities", _checked_weights(p, "outcomes"))
        points = np.arange(p.shape[-1], dtype=float) if self.points is None else np.asarray(self.points, float)
        if points.shape not in ((p.shape[-1],), (p.shape[-1], 2)) or not np.all(np.isfinite(points)):
            raise ValueError(f"points must be {p.shape[-1]} finite numbers or pairs, got shape {points.shape}")
        object.__setattr__(self, "points", points)

    dim = 0

    @property
    def batch(self) -> tuple[int, ...]:
        return self.probabilities.shape[:-1]

    @property
    def log_probabilities(self) -> Array:
        with np.errstate(divide="ignore"):
            return np.log(self.probabilities)

    @property
    def modes(self) -> Array:
        return self.points

    def sample(self, n: int, rng: np.random.Generator) -> Array:
        """n points of the support, shape (n,) or (n, 2)."""
        _single(self)
        return self.points[rng.choice(len(self.points), size=n, p=self.probabilities / self.probabilities.sum())]

    def __str__(self) -> str:
        values = ",".join(_number(v) for v in np.atleast_2d(self.probabilities)[0])
        if self.points.ndim == 1 and np.array_equal(self.points, np.arange(len(self.points))):
            return f"P({values})"
        at = ",".join(
            _number(v) if self.points.ndim == 1 else f"[{_number(v[0])},{_number(v[1])}]" for v in self.points
        )
        return f"P({values},at=[{at}])"


def _single(distribution: Distribution) -> None:
    if distribution.batch:
        raise ValueError("this needs a single distribution, not a sweep of them")


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
        arrays = np.broadcast_arrays(
            *(np.asarray(a, float) for a in (self.weights, self.locs, self.scales, self.shapes))
        )
        if arrays[0].ndim not in (1, 2) or arrays[0].shape[-1] != len(self.kinds):
            raise ValueError(
                f"parameters must have shape (K,) or (S, K) with K={len(self.kinds)}, got {arrays[0].shape}"
            )
        for name, array in zip(("weights", "locs", "scales", "shapes"), arrays, strict=True):
            object.__setattr__(self, name, np.array(array))
        _checked_weights(self.weights, "components")
        if not np.all(np.isfinite(self.locs)):
            raise ValueError(f"positions must be finite, got {_short(self.locs)}")
        if not np.all(np.isfinite(self.scales)) or np.any(self.scales <= 0):
            raise ValueError(
                f"scales (standard deviations, widths) must be positive and finite, got {_short(self.scales)}"
            )
        for k, kind in enumerate(self.kinds):
            shape = self.shapes[..., k]
            if kind == "student-t" and (not np.all(np.isfinite(shape)) or np.any(shape < 0.2) or np.any(shape > 1e6)):
                raise ValueError(f"degrees of freedom must lie between 0.2 and 1e6, got {_short(shape)}")
            if kind == "skew-normal" and (not np.all(np.isfinite(shape)) or np.any(np.abs(shape) > 1e3)):
                raise ValueError(f"the skewness parameter must lie between -1000 and 1000, got {_short(shape)}")

    dim = 1

    @property
    def batch(self) -> tuple[int, ...]:
        return self.weights.shape[:-1]

    def take(self, rows: Array) -> Mixture1D:
        """The distributions of the given sweep rows, as a new sweep; a single distribution stays itself."""
        if not self.batch:
            return self
        return replace(
            self,
            weights=self.weights[rows],
            locs=self.locs[rows],
            scales=self.scales[rows],
            shapes=self.shapes[rows],
        )

    def _each(self, name: str, x: Array) -> Array:
        """The kinds' function `name` at the standardised x, shape (K, ..., n): sums over components run down axis 0."""
        x = np.asarray(x, float)
        z = (x - _first(self.locs, x)) / _first(self.scales, x)
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
        return _log_sum_exp(self._log_terms(x))

    def density(self, x: Array) -> Array:
        """p(x); shapes as in `log_density`."""
        return np.exp(self.log_density(x))

    def score(self, x: Array) -> Array:
        """d log p(x) / dx; shapes as in `log_density`. Zero where the density is zero."""
        terms = self._log_terms(x)
        with np.errstate(invalid="ignore"):
            share = np.nan_to_num(np.exp(terms - _log_sum_exp(terms)))
        return np.sum(share * self._each("score", x) / _first(self.scales, x), axis=0)

    def cdf(self, x: Array) -> Array:
        """P(X <= x); shapes as in `log_density`."""
        return np.sum(_first(self.weights, x) * self._each("cdf", x), axis=0)

    def sf(self, x: Array) -> Array:
        """P(X > x), accurate in the right tail; shapes as in `log_density`."""
        return np.sum(_first(self.weights, x) * self._each("sf", x), axis=0)

    def quantile(self, u: Array, upper: Array | None = None) -> Array:
        """The x with cdf(x) = u, shape of u: (n,) or (S, n).

        `upper` is 1 - u where the caller knows it more accurately. Newton's method kept inside a shrinking bracket, so
        that it converges on flat stretches too.
        """
        u = np.asarray(u, float)
        upper = 1 - u if upper is None else np.asarray(upper, float)
        edges = self.edges()
        shape = np.broadcast_shapes(u.shape, (*self.batch, u.shape[-1]))
        u, upper = np.broadcast_to(u, shape), np.broadcast_to(upper, shape)
        at = np.broadcast_to(self.cdf(edges), (*shape[:-1], edges.shape[-1]))
        grid = np.broadcast_to(edges, at.shape)
        index = np.clip((at[..., None, :] <= u[..., :, None]).sum(axis=-1), 1, grid.shape[-1] - 1)
        low, high = np.take_along_axis(grid, index - 1, -1), np.take_along_axis(grid, index, -1)
        x = 0.5 * (low + high)
        for _ in range(90):
            miss = np.where(u <= 0.5, self.cdf(x) - u, upper - self.sf(x))
            low, high = np.where(miss < 0, x, low), np.where(miss < 0, high, x)
            with np.errstate(divide="ignore", invalid="ignore"):
                newton = x - miss / self.density(x)
            inside = (newton > low) & (newton < high)
            step = np.where(miss == 0, x, np.where(inside, newton, 0.5 * (low + high)))
            if np.all(np.abs(step - x) <= 4e-16 * np.abs(x) + 1e-300):
                break
            x = step
        return x

    def edges(self) -> Array:
        """Sorted positions (M,) or (S, M) between which the density is smooth on a scale a quadrature panel can follow."""
        parts = []
        for k, kind in enumerate(self.kinds):
            row = KINDS[kind]
            # edges of a kind may depend on its shape; a sweep over the shape shares those of its heaviest tail
            steps = row.edges(float(np.min(self.shapes[..., k])))
            steps = steps if row.bounded else np.concatenate([-steps[:0:-1], steps])
            parts.append(self.locs[..., k, None] + self.scales[..., k, None] * steps)
        return np.sort(np.concatenate(parts, axis=-1), axis=-1)

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
        return _heaviest(np.stack(rows, axis=-2))

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
            raise ValueError(f"the scale of an affine map must be positive and finite, got {_short(scale)}")
        return Mixture1D(self.kinds, self.weights, shift + scale * self.locs, scale * self.scales, self.shapes)

    def sample(self, n: int, rng: np.random.Generator) -> Array:
        """n independent draws, shape (n,)."""
        _single(self)
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
            parts.append(f"{KINDS[kind].letter}({','.join(_number(v) for v in numbers)})")
        return _sum_notation(first.weights, parts)


def _same(a: Array, b: Array) -> Array:
    """Equal up to rounding: exponents of tails come out of squares and quotients."""
    with np.errstate(invalid="ignore"):
        return (a == b) | (np.abs(a - b) <= 1e-12 * np.maximum(np.abs(a), np.abs(b)))


def _heaviest(tails: Array) -> Array:
    """The tail that decides, among those on the second last axis: smallest A, then B, then C."""
    a, b, c = (tails[..., i] for i in range(3))
    a_min = a.min(-1, keepdims=True)
    b_min = np.where(_same(a, a_min), b, np.inf).min(-1, keepdims=True)
    c_min = np.where(_same(a, a_min) & _same(b, b_min), c, np.inf).min(-1)
    return np.stack([a_min[..., 0], b_min[..., 0], c_min], axis=-1)


def _sum_notation(weights: Array, parts: list[str]) -> str:
    if len(parts) == 1:
        return parts[0]
    return "+".join(f"{float(w)!r}*{part}" for w, part in zip(weights, parts, strict=True))


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
        w, m, f, s = (np.asarray(a, float) for a in (self.weights, self.locs, self.factors, self.shapes))
        k = len(self.kinds)
        if m.shape[-2:] != (k, 2) or f.shape[-3:] != (k, 2, 2) or w.shape[-1:] != (k,):
            raise ValueError(f"parameters do not fit {k} components in the plane: {w.shape}, {m.shape}, {f.shape}")
        batch = np.broadcast_shapes(w.shape[:-1], m.shape[:-2], f.shape[:-3], s.shape[:-1])
        if len(batch) > 1:
            raise ValueError(f"at most one sweep axis is allowed, got {batch}")
        for name, array, tail in (
            ("weights", w, (k,)),
            ("locs", m, (k, 2)),
            ("factors", f, (k, 2, 2)),
            ("shapes", s, (k,)),
        ):
            object.__setattr__(self, name, np.array(np.broadcast_to(array, (*batch, *tail))))
        _checked_weights(self.weights, "components")
        if not np.all(np.isfinite(self.locs)):
            raise ValueError(f"positions must be finite, got {_short(self.locs)}")
        diagonal = self.factors[..., [0, 1], [0, 1]]
        if not np.all(np.isfinite(self.factors)) or np.any(diagonal <= 0):
            raise ValueError(
                f"scales (standard deviations, widths) must be positive and finite, got {_short(diagonal)}"
            )

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
        """log p(x): (n,) for x of shape (n, 2) and a single distribution, (S, n) for a sweep with x (n, 2) or (S, n, 2)."""
        x = np.asarray(x, float)
        if x.shape[-1] != 2:
            raise ValueError(f"points in the plane must have shape (..., 2), got {x.shape}")
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
        return _log_sum_exp(np.stack(terms))

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
        return _heaviest(np.stack(rows, axis=-2))

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
            raise ValueError(f"the scale of an affine map must be positive and finite, got {_short(scale)}")
        shift = np.broadcast_to(shift, (*shift.shape[:-1], 2)) if shift.ndim else np.full(2, float(shift))
        return replace(
            self,
            locs=shift[..., None, :] + scale[..., None, None] * self.locs,
            factors=scale[..., None, None, None] * self.factors,
            notation="",
        )

    def sample(self, n: int, rng: np.random.Generator) -> Array:
        """n independent draws, shape (n, 2)."""
        _single(self)
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
        return _sum_notation(first.weights, parts)


def _plane_notation(kind: str, loc: Array, factor: Array, shape: float) -> str:
    at = f"[{_number(loc[0])},{_number(loc[1])}]"
    if kind == "uniform":
        return f"U({at},[{_number(loc[0] + factor[0, 0])},{_number(loc[1] + factor[1, 1])}])"
    if factor[1, 0] == 0 and factor[0, 0] == factor[1, 1]:
        spread = _number(factor[0, 0])
    elif factor[1, 0] == 0:
        spread = f"[{_number(factor[0, 0])},{_number(factor[1, 1])}]"
    else:
        c = factor @ factor.T
        spread = f"[[{_number(c[0, 0])},{_number(c[0, 1])}],[{_number(c[1, 0])},{_number(c[1, 1])}]]"
    extra = f",{_number(shape)}" if kind in ("student-t", "circle") else ""
    return f"{PLANE_KINDS[kind].letter}({at},{spread}{extra})"


Distribution = Finite | Mixture1D | Mixture2D


def normal(loc: Array | float, scale: Array | float) -> Mixture1D:
    """N(loc, scale), scale being the standard deviation; arrays of shape (S,) make a sweep.

    >>> str(normal(0, 2))
    'N(0,2)'
    """
    return component("normal", loc, scale)


def uniform(low: Array | float, high: Array | float) -> Mixture1D:
    """The uniform law on [low, high]; arrays of shape (S,) make a sweep."""
    return component("uniform", low, np.asarray(high, float) - np.asarray(low, float))


def component(kind: str, loc: Array | float, scale: Array | float, shape: Array | float = 0.0) -> Mixture1D:
    """One component of any kind of `gantoys.maths.kinds.KINDS`."""
    if kind not in KINDS:
        raise ValueError(f"unknown kind {kind!r}: known are {', '.join(KINDS)}")
    return Mixture1D(
        (kind,), np.ones(1), np.asarray(loc, float)[..., None], np.asarray(scale, float)[..., None],
        np.asarray(shape, float)[..., None],
    )  # fmt: skip


def plane_component(kind: str, loc: Array, spread: Array | float, shape: float = 0.0) -> Mixture2D:
    """One component in the plane. spread: a number (the same scale in both axes), a pair of scales, or a 2x2 covariance.

    Raises ValueError for a covariance that is not symmetric positive definite.
    """
    if kind not in PLANE_KINDS:
        raise ValueError(f"unknown kind {kind!r}: known are {', '.join(PLANE_KINDS)}")
    spread = np.asarray(spread, float)
    if not np.all(np.isfinite(spread)) or np.any((np.diag(spread) if spread.ndim == 2 else spread) <= 0):
        raise ValueError(f"scales (standard deviations, widths) must be positive and finite, got {_short(spread)}")
    if spread.shape == (2, 2):
        if abs(spread[0, 1] - spread[1, 0]) > 1e-12 * np.abs(spread).max() or np.linalg.eigvalsh(spread)[0] <= 0:
            raise ValueError(f"a covariance must be symmetric positive definite, got {spread.tolist()}")
        factor = np.linalg.cholesky(spread)
    elif spread.shape in ((), (2,)):
        factor = np.diag(np.broadcast_to(spread, (2,)))
    else:
        raise ValueError(f"a spread must be a number, a pair or a 2x2 covariance, got shape {spread.shape}")
    return Mixture2D((kind,), np.ones(1), np.asarray(loc, float)[None], factor[None], np.array([shape]))


def mix(weights: Array, parts: list[Mixture1D] | list[Mixture2D]) -> Mixture1D | Mixture2D:
    """The mixture sum_k weights_k parts_k; weights (K,) or (S, K) must sum to 1.

    Raises ValueError when the parts differ in dimension or the weights do not sum to 1.
    """
    weights = np.asarray(weights, float)
    if weights.shape[-1] != len(parts) or not parts:
        raise ValueError(f"{weights.shape[-1]} weights do not fit {len(parts)} parts")
    _checked_weights(weights, "parts")
    if len({p.dim for p in parts}) > 1:
        raise ValueError("a mixture needs parts of one dimension, got both one and two dimensions")
    kinds = tuple(k for p in parts for k in p.kinds)
    batch = np.broadcast_shapes(weights.shape[:-1], *(p.batch for p in parts))

    def joined(name: str, tail: int) -> Array:
        arrays = [getattr(p, name) for p in parts]
        return np.concatenate([np.broadcast_to(a, (*batch, *a.shape[a.ndim - tail :])) for a in arrays], axis=-tail)

    share = np.concatenate(
        [np.broadcast_to(weights[..., i, None] * p.weights, (*batch, len(p.kinds))) for i, p in enumerate(parts)],
        axis=-1,
    )
    if isinstance(parts[0], Mixture1D):
        return Mixture1D(kinds, share, joined("locs", 1), joined("scales", 1), joined("shapes", 1))
    return Mixture2D(kinds, share, joined("locs", 2), joined("factors", 3), joined("shapes", 1))
