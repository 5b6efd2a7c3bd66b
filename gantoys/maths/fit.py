"""The best single normal q = N(mu, sigma) for a law p on the line, under each divergence: all its local minima.

Which one is best depends on the divergence: KL(p||q) covers p, KL(q||p) settles on a mode, and both may have company.
KL is moment matching and W2 squared is a quadratic in (mu, sigma), both in closed form; the others are minimised by
Newton's method from many starts at once, on gantoys' exact values and slopes. What is returned is checked: a slope of
zero and a positive second derivative in every direction.

The f-GAN paper's table of such fits (Nowozin, Cseke & Tomioka 2016, table 2) gives 2 JS under "JS", twice the value
here at the same mu and sigma, and under "Pearson" int (p - q)^2 / q, the `chi2` here.
"""

from dataclasses import dataclass, replace

import numpy as np
from scipy import special

from gantoys.maths.compare import Quantity, divergences
from gantoys.maths.distributions import Mixture1D, normal
from gantoys.maths.divergences import DIVERGENCES
from gantoys.maths.gradients import divergence_slopes, generator_gradients
from gantoys.maths.minima import CURVED, ZERO_SLOPE, Minimum, Target, checked, local_minima, moved
from gantoys.maths.panels import beyond, joint_edges, reaching
from gantoys.maths.quadrature import integrate
from gantoys.maths.transport import w1, w2_squared

Array = np.ndarray
# V(D*, G) is 2 JS less log 4: the same fit twice
FIT_KEYS = (*(key for key in DIVERGENCES if key != "value"), "w1", "w2_squared")
_GRID, _MOST_RUNS, _ALL_RUNS = (32, 18), 4, 10
_BESIDE = np.array([[0, 0], [0.5, 0], [-0.5, 0], [0, 0.4], [0, -0.4]])  # steps of mu in units of sigma, of log sigma
_SMALL_TAIL = 1e-17


@dataclass(frozen=True)
class Fit:
    """The local minima of one divergence, lowest first (equal ones by mu), and how they were found.

    Without minima where the divergence of p from every normal is infinite: then value is inf, mu and sigma are NaN.
    """

    minima: tuple[Minimum, ...]
    method: str

    @property
    def mu(self) -> float:
        return self.minima[0].mu if self.minima else np.nan

    @property
    def sigma(self) -> float:
        return self.minima[0].sigma if self.minima else np.nan

    @property
    def value(self) -> float:
        return self.minima[0].value if self.minima else np.inf

    @property
    def others(self) -> tuple[Minimum, ...]:
        return self.minima[1:]


def _target(key: str) -> Target:
    if key in DIVERGENCES:
        return Target(
            lambda p, q: divergences(p, q, (key,))[key],
            lambda p, q, parameter: divergence_slopes(p, q, parameter, (key,))[key].value,
        )
    loss = "wasserstein"  # with its best critic it descends W1
    return Target(_w1, lambda p, q, parameter: generator_gradients(p, q, parameter, (loss,))[loss].value)


def _w1(p: Mixture1D, q: Mixture1D) -> Quantity:
    found = w1(p, q)
    assert found is not None  # there always is a route on the line
    return found


def fit_normal(p: Mixture1D, keys: tuple[str, ...] | None = None) -> dict[str, Fit]:
    """The best N(mu, sigma) for p and every other local minimum, for each divergence of `keys` (default: FIT_KEYS).

    argmin over mu, sigma > 0 of D(p || N(mu, sigma)), D(p || q) as in DIVERGENCES, or of W1, or of W2 squared; sigma is
    the standard deviation. Values are in nats where they are KL or JS, in units of p for W1 and W2 squared. Minima
    are sought from a grid of normals, the components and runs of neighbouring components. Raises ValueError for an
    unknown key, and unless p is a single law on the line.

    >>> from gantoys.maths.notation import parse
    >>> fits = fit_normal(parse("0.5*N(-2,0.5)+0.5*N(2,0.5)"), ("kl", "reverse_kl"))
    >>> [(round(abs(fit.mu), 3), round(fit.sigma, 3), len(fit.others)) for fit in fits.values()]
    [(0.0, 2.062, 0), (2.0, 0.5, 2)]
    """
    keys = FIT_KEYS if keys is None else keys
    unknown = [key for key in keys if key not in FIT_KEYS]
    if unknown:
        raise ValueError(f"unknown divergence {unknown[0]!r}: known are {', '.join(FIT_KEYS)}")
    if not isinstance(p, Mixture1D):
        raise ValueError(f"a normal on the line can be fitted to laws on the line only, got {p}")
    if p.batch:
        raise ValueError("a fit needs a single distribution, not a sweep of them")
    p = _without_empty(p)
    exact = _as_normal(p)
    if exact is not None:
        return {key: Fit((Minimum(*exact, 0.0, 0.0, 0.0, np.inf),), "p is normal itself") for key in keys}
    centre, unit = _centre_and_unit(p)
    law = p.affine(-centre / unit, 1 / unit)
    starts = _starts(law, tuple(key for key in keys if key not in _CLOSED))
    out = {}
    for key in keys:
        found = _CLOSED[key](law) if key in _CLOSED else _search(law, key, starts[key])
        power = {"w1": 1, "w2_squared": 2}.get(key, 0)
        moved = tuple(
            replace(
                m,
                mu=centre + unit * m.mu, sigma=unit * m.sigma, value=m.value * unit**power, error=m.error * unit**power,
            )
            for m in found.minima
        )  # fmt: skip
        out[key] = Fit(moved, found.method)
    return out


def _without_empty(p: Mixture1D) -> Mixture1D:
    kept = np.flatnonzero(p.weights > 0)
    fields = (getattr(p, name)[kept] for name in ("weights", "locs", "scales", "shapes"))
    return Mixture1D(tuple(p.kinds[k] for k in kept), *fields)


def _as_normal(p: Mixture1D) -> tuple[float, float] | None:
    """(mu, sigma) of a p that is a normal: there total variation and W1 have a kink in place of a slope."""
    plain = all(
        kind == "normal" or (kind == "skew-normal" and shape == 0)
        for kind, shape in zip(p.kinds, p.shapes, strict=True)
    )
    same = np.all(p.locs == p.locs[0]) and np.all(p.scales == p.scales[0])
    return (float(p.locs[0]), float(p.scales[0])) if plain and same else None


def _centre_and_unit(p: Mixture1D) -> tuple[float, float]:
    """Mean and standard deviation of p; where they are infinite, median and half the width of the middle two thirds."""
    if np.isfinite(p.std) and p.std > 0:
        return float(p.mean), float(p.std)
    low, middle, high = p.quantile(np.array([1 / 6, 0.5, 5 / 6]))
    return float(middle), float(0.5 * (high - low))


def _starts(p: Mixture1D, keys: tuple[str, ...]) -> dict[str, Array]:
    """For each key the (mu, log sigma), (n, 2), from which it is minimised; p has unit spread."""
    low, high = (float(end) for end in np.clip(p.quantile(np.array([0.001, 0.999])), -12, 12))
    narrow = max(0.3 * float(p.scales.min()), 0.01)
    mu, log_sigma = np.meshgrid(
        np.linspace(low, high, _GRID[0]), np.linspace(np.log(narrow), np.log(2.5), _GRID[1]), indexing="ij"
    )
    values = _coarse(p, np.stack([mu.ravel(), log_sigma.ravel()], axis=1), keys)
    own = _runs(p)
    beside = _coarse(p, moved(np.repeat(own, len(_BESIDE), 0), np.tile(_BESIDE, (len(own), 1))), keys)
    out = {}
    for key in keys:
        wells = _wells(values[key].reshape(_GRID))
        found = np.stack([mu[wells], log_sigma[wells]], axis=1)
        # of many runs only those that promise a minimum: each start costs, and all the more with many components
        near = beside[key].reshape(len(own), -1)
        kept = own if len(own) <= _ALL_RUNS else own[np.isfinite(near[:, 0]) & (near[:, 0] <= near.min(axis=1))]
        # runs as starts only where some normal has a finite value, or the search would find nothing
        out[key] = np.concatenate([kept, found]) if len(found) else found
    return out


def _coarse(p: Mixture1D, theta: Array, keys: tuple[str, ...]) -> dict[str, Array]:
    """Values (n,) at rows (mu, log sigma) of theta (n, 2) for each key, to some digits."""
    q = normal(theta[:, 0], np.exp(theta[:, 1]))
    plain = tuple(key for key in keys if key in DIVERGENCES)
    values = {key: found.value for key, found in divergences(p, q, plain, tolerance=1e-6).items()} if plain else {}
    return values | ({"w1": _w1(p, q).value} if "w1" in keys else {})


def _wells(table: Array) -> Array:
    """Where a table (N, M) is finite and no larger than at its neighbours: (N, M) of bool."""
    padded = np.pad(table, 1, constant_values=np.inf)
    n, m = table.shape
    around = [padded[i : i + n, j : j + m] for i in range(3) for j in range(3)]
    return np.isfinite(table) & (table <= np.min(around, axis=0))


def _runs(p: Mixture1D) -> Array:
    """(R, 2): mean and log deviation of runs of neighbouring components, on which a mode-seeking fit may settle.

    All runs of a few components; of many, single ones, neighbours, and all together.
    """
    each = [
        Mixture1D((kind,), np.ones(1), *(a[[k]] for a in (p.locs, p.scales, p.shapes)))
        for k, kind in enumerate(p.kinds)
    ]
    means, stds = np.array([float(d.mean) for d in each]), np.array([float(d.std) for d in each])
    good = np.isfinite(means) & np.isfinite(stds)
    # what has no moments still has a place and a scale
    means, stds = np.where(good, means, p.locs), np.where(good, stds, p.scales)
    order = np.argsort(means)
    count = len(order)
    lengths = range(1, count + 1) if count <= _MOST_RUNS else (1, 2, count)
    out = []
    for length in lengths:
        for first in range(count - length + 1):
            run = order[first : first + length]
            w = p.weights[run] / p.weights[run].sum()
            mean = np.sum(w * means[run])
            out.append((mean, 0.5 * np.log(np.sum(w * (stds[run] ** 2 + (means[run] - mean) ** 2)))))
    return np.array(out)


def _search(p: Mixture1D, key: str, starts: Array) -> Fit:
    if not len(starts):
        return Fit((), "infinite for every normal")
    found = local_minima(p, _target(key), starts)
    smooth = all(m.slope <= ZERO_SLOPE and m.curvature >= CURVED for m in found)
    rest = "" if smooth else "; the first, without slope and curvature of a minimum, by direct search"
    return Fit(found, f"Newton's method from many starts{rest}")


def _kl(p: Mixture1D) -> Fit:
    """KL(p||q) = E_p (x - mu)^2 / (2 sigma^2) + log sigma + terms without q: mean and standard deviation of p."""
    if not np.isfinite(p.std):
        return Fit((), "infinite for every normal")
    return Fit(checked(p, _target("kl"), np.array([[p.mean, np.log(p.std)]])), "closed form: moments")


def _w2_squared(p: Mixture1D) -> Fit:
    """(mu - E X)^2 + sigma^2 - 2 sigma c + Var X, c = E F^-1(Phi(Z)) Z = int phi(Phi^-1(F(x))) dx, by parts."""
    if not np.isfinite(p.std):
        return Fit((), "infinite for every normal")

    def f(rows: Array, x: Array) -> Array:
        with np.errstate(divide="ignore"):
            z = special.ndtri(np.minimum(p.cdf(x), p.sf(x)))
        return (np.exp(-0.5 * z * z) / np.sqrt(2 * np.pi))[None]

    edges = reaching(f, joint_edges(p, p), _SMALL_TAIL)
    mu, sigma = float(p.mean), float((integrate(f, edges).value + beyond(f, edges)[0])[0, 0])
    found = w2_squared(p, normal(mu, sigma))
    assert found is not None
    # the second derivatives in mu / sigma and log sigma are both 2 sigma^2
    least = Minimum(mu, sigma, float(found.value), float(found.error), 0.0, 2 * sigma**2)
    return Fit((least,), "closed form: quantiles")


_CLOSED = {"kl": _kl, "w2_squared": _w2_squared}
