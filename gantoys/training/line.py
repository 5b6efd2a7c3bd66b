"""p_G on the line: the noise pushed through G, as the mass in each cell of the picture."""

from __future__ import annotations

import numpy as np
import torch
from scipy import special

from gantoys.maths.distributions import Mixture1D
from gantoys.runs.config import Target

Array = np.ndarray
NODES = 4096  # pieces of the one noise number, on each of which G is taken as straight
REACH = 8.0  # normal noise beyond it has a mass below 1e-14
POINTS = 4096  # quasi-random noise where there are more noise numbers
DRAWS = 200_000  # to tell the law of a target that has no distribution function
LEAST_WIDTH = 1e-6  # pieces that G makes shorter keep their mass on this length: sums of steeper ramps lose digits


def nodes(noise: str, dim: int) -> tuple[Array, Array | None]:
    """Noise to push through G, (n, dim), and the mass between neighbours, (n - 1,); None: equal masses at the points.

    The same for every seed: they are the nodes of a quadrature, not draws.
    """
    if dim > 1:
        points = torch.quasirandom.SobolEngine(dim, scramble=True, seed=0).draw(POINTS, dtype=torch.float64).numpy()
        return (special.ndtri(np.clip(points, 1e-12, 1 - 1e-12)) if noise == "normal" else 2 * points - 1), None
    if noise == "uniform":
        z = np.linspace(-1, 1, NODES + 1)
        return z[:, None], np.full(NODES, 1 / NODES)
    z = np.linspace(-REACH, REACH, NODES + 1)
    mass = np.diff(special.ndtr(z))
    return z[:, None], mass / mass.sum()


def pushed(x: Array, mass: Array | None, edges: Array) -> Array:
    """The mass of p_G left of `edges` (m + 1,), in each cell between them, and right of them, (m + 2,).

    x (n,): G at the nodes. Between two neighbouring nodes G is taken as straight, so that the mass between them is
    spread evenly between their images: exact for a piecewise linear G but for the pieces that hold a kink.
    """
    x = np.asarray(x, float)
    if mass is None:
        below = np.searchsorted(np.sort(x), edges) / len(x)
    else:
        low, high = np.minimum(x[:-1], x[1:]), np.maximum(x[:-1], x[1:])
        middle, half = (low + high) / 2, np.maximum(high - low, LEAST_WIDTH) / 2
        slope = mass / (2 * half)
        # the distribution function is sum_i slope_i (relu(e - low_i) - relu(e - high_i))
        below = _ramps(middle - half, slope, edges) - _ramps(middle + half, slope, edges)
    return np.maximum(np.diff(below, prepend=0.0, append=1.0), 0.0)


def _ramps(at: Array, slope: Array, edges: Array) -> Array:
    """sum_i slope_i max(0, e - at_i) at each edge."""
    order = np.argsort(at)
    at, slope = at[order], slope[order]
    total = np.concatenate([[0.0], np.cumsum(slope)])
    moment = np.concatenate([[0.0], np.cumsum(slope * at)])
    count = np.searchsorted(at, edges)
    return edges * total[count] - moment[count]


def target_mass(target: Target, edges: Array) -> Array:
    """The same for p_data, (m + 2,): by its distribution function, or the shares of many of its points."""
    if isinstance(target, Mixture1D):
        below = target.cdf(edges)
    else:
        # a set of points is its own law: enough draws to tell the shares to about 1/1000
        points = np.sort(target.sample(DRAWS, np.random.default_rng(0)).ravel())
        below = np.searchsorted(points, edges) / DRAWS
    return np.maximum(np.diff(below, prepend=0.0, append=1.0), 0.0)


def js(p: Array, q: Array) -> float:
    """The Jensen-Shannon divergence in nats between masses in the same cells."""
    m = (p + q) / 2
    with np.errstate(divide="ignore", invalid="ignore"):
        parts = [np.where(a > 0, a * np.log(a / m), 0.0).sum() for a in (p, q)]
    return float(min(max(sum(parts) / 2, 0.0), np.log(2)))


def value(p: Array, q: Array, ratio: Array) -> float:
    """V = E_p log D + E_q log(1 - D) in nats, p and q (m + 2,), for D = sigmoid(ratio) at the cells' centres (m,);
    outside D is taken as in the outermost cell."""
    ratio = np.pad(ratio, 1, mode="edge")
    return float(-(p * np.logaddexp(0, -ratio)).sum() - (q * np.logaddexp(0, ratio)).sum())
