"""What the tables of numbers need, from nothing of gantoys: sums over a grid, small closed forms, plain steps."""

from collections.abc import Callable
from functools import cache

import numpy as np
from scipy.integrate import solve_ivp
from scipy.optimize import minimize
from scipy.special import expit, log_ndtr, ndtr

Array = np.ndarray
X = np.linspace(-30, 30, 60_001)
DX = float(X[1] - X[0])
LOG2, LOG4 = float(np.log(2)), float(np.log(4))

# --- densities on the line: log densities over X, summed -------------------------------------------------------------


def bell(mean: float, std: float) -> Array:
    return -0.5 * ((X - mean) / std) ** 2 - np.log(std * np.sqrt(2 * np.pi))


def mixed(*parts: tuple[float, float, float]) -> Array:
    """(weight, mean, std), ...: the log density of the mixture."""
    return np.logaddexp.reduce([np.log(weight) + bell(mean, std) for weight, mean, std in parts if weight])


def total(values: Array) -> float:
    return float(np.sum(values) * DX)


def kl(p: Array, q: Array) -> float:
    return total(np.exp(p) * (p - q))


def js(p: Array, q: Array) -> float:
    m = np.logaddexp(p, q) - LOG2
    return 0.5 * kl(p, m) + 0.5 * kl(q, m)


def w1(p: Array, q: Array) -> float:
    return total(np.abs(np.cumsum(np.exp(p) - np.exp(q)) * DX))


def fisher(p: Array, q: Array) -> float:
    return total(np.exp(p) * np.gradient(p - q, DX) ** 2)


@cache
def best_gaussians(apart: float, std: float) -> tuple[tuple[float, float, float], tuple[float, float, float]]:
    """The wide and the narrow local minimum of JS to two modes at +-apart: value, mean, std, by a simplex search."""
    p = mixed((0.5, -apart, std), (0.5, apart, std))
    out = []
    for start in ((0.0, apart), (apart, std)):
        found = minimize(
            lambda at: js(p, bell(at[0], np.exp(at[1]))), (start[0], np.log(start[1])), method="Nelder-Mead",
            options={"xatol": 1e-6, "fatol": 1e-10},
        )  # fmt: skip
        out.append((float(found.fun), float(found.x[0]), float(np.exp(found.x[1]))))
    return out[0], out[1]


# --- two outcomes ----------------------------------------------------------------------------------------------------


def value(p: Array, q: Array, d: Array) -> float:
    """V(D, G) between finite distributions."""
    p, q, d = (np.asarray(a, float) for a in (p, q, d))
    terms = [p[p > 0] @ np.log(d[p > 0]), q[q > 0] @ np.log1p(-d[q > 0])]
    return float(sum(terms))


def entropy_to(p: Array, m: Array) -> float:
    """KL(p || m) of finite distributions."""
    p, m = np.asarray(p, float), np.asarray(m, float)
    return float(np.sum(p[p > 0] * np.log(p[p > 0] / m[p > 0])))


# --- what a generator N(shift, scale^2) before N(0, 1) feels, D perfect and frozen ------------------------------------

Z = np.linspace(-9, 9, 6001)
WEIGHT = np.exp(-0.5 * Z**2) / np.sqrt(2 * np.pi) * (Z[1] - Z[0])


def pushes(shift: float, scale: float) -> dict[str, tuple[float, float]]:
    """d loss / d shift and d loss / d scale of log(1 - D) and of -log D, by sums over the noise."""
    x = shift + scale * Z
    logit = -0.5 * x**2 + 0.5 * Z**2 + np.log(scale)
    slope = -x + Z / scale
    out = {}
    for key, per_logit in (("saturating", -expit(logit)), ("non-saturating", -expit(-logit))):
        felt = WEIGHT * per_logit * slope
        out[key] = float(felt.sum()), float((felt * Z).sum())
    return out


@cache
def let_go(key: str, start: float, until: float) -> tuple[float, float]:
    """Mean and spread of N(start, 1) after following its loss's gradient, d mean/dt and d spread/dt, up to `until`."""

    def downhill(_: float, at: Array) -> Array:
        return -np.array(pushes(at[0], at[1])[key])

    found = solve_ivp(downhill, (0, until), (start, 1.0), method="LSODA", rtol=1e-8, atol=1e-10)
    return float(found.y[0, -1]), float(found.y[1, -1])


# --- the Dirac-GAN of the saturating loss: theta, psi from (1, 1) -----------------------------------------------------


def dirac_path(
    h: float, steps: int, *, non_saturating: bool = False, turns: bool = False, gamma: float = 0.0
) -> tuple[Array, Array]:
    """Both numbers after every step, moving at once or in turns with G first: (steps + 1,) each."""
    theta, psi = np.ones(steps + 1), np.ones(steps + 1)
    with np.errstate(over="ignore"):
        for t in range(steps):
            x, y = theta[t], psi[t]
            theta[t + 1] = x - h * y / (1 + np.exp(-x * y if non_saturating else x * y))
            x = theta[t + 1] if turns else x
            psi[t + 1] = y + h * (x / (1 + np.exp(x * y)) - gamma * y)
    return theta, psi


def largest(matrix: list[list[float]]) -> float:
    return float(np.abs(np.linalg.eigvals(np.array(matrix, float))).max())


# --- two mixtures, a quarter of p_G in the wrong mode, moved by theta -------------------------------------------------


def quarter(theta: float) -> tuple[Array, Array]:
    data = mixed((0.5, -1.5, 0.35), (0.5, 1.5, 0.35))
    return data, mixed((0.75, -1.5 + theta, 0.35), (0.25, 1.5 + theta, 0.35))


def quarter_w1(theta: float) -> float:
    """W1 from the distribution functions themselves."""
    data = 0.5 * ndtr((X + 1.5) / 0.35) + 0.5 * ndtr((X - 1.5) / 0.35)
    fake = 0.75 * ndtr((X + 1.5 - theta) / 0.35) + 0.25 * ndtr((X - 1.5 - theta) / 0.35)
    return total(np.abs(data - fake))


def root(f: Callable[[float], float], low: float, high: float) -> float:
    """Where f changes its sign, by halving."""
    for _ in range(80):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if f(low) * f(middle) > 0 else (low, middle)
    return 0.5 * (low + high)


def underflows(sigmas: float) -> bool:
    """Whether a normal density so many standard deviations away is 0 as a plain number, while its logarithm is not."""
    return float(np.exp(-0.5 * sigmas**2)) < 1e-300 and bool(np.isfinite(log_ndtr(-sigmas)))
