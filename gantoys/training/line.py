"""p_G on the line: the noise pushed through G, as mass in cells, and the exact JS and expectations that follow from it.

Everything is worked out on nodes of the noise, not on the cells of the picture: between two neighbouring nodes G is
taken as straight, so that the mass between them is spread evenly between their images.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from scipy import special

from gantoys.maths.distributions import Mixture1D
from gantoys.runs.config import Target

Array = np.ndarray
NODES, LEAST_NODES = 2048, 256  # pieces of the one noise number, or of all components of a mixture; of each at least
REACH = 8.0  # normal noise beyond it has a mass below 1e-14
POINTS = 4096  # quasi-random noise where there are more noise numbers
DRAWS = 200_000  # to tell the distribution of a target that has no distribution function
LEAST_WIDTH = 1e-6  # pieces that G makes shorter keep their mass on this length


@dataclass(frozen=True, eq=False)
class Nodes:
    """A distribution on the line by places x (K, n + 1) along each of its K components and the mass (K, n) between
    neighbours, which sums to 1."""

    x: Array
    mass: Array

    @classmethod
    def of(cls, target: Mixture1D) -> Nodes:
        """Of a mixture: at the quantiles of evenly spaced normal numbers, which reach into both tails.

        Component by component: between two of them quantiles would leap, and means over a leap lose digits.
        """
        z = np.linspace(-REACH, REACH, max(LEAST_NODES, NODES // len(target.kinds)) + 1)
        below, above = special.ndtr(z), special.ndtr(-z)
        places = []
        for k in range(len(target.kinds)):
            own = Mixture1D((target.kinds[k],), np.ones(1), target.locs[[k]], target.scales[[k]], target.shapes[[k]])
            x = own.quantile(below, above)
            if own.bounded:
                x[[0, -1]] = own.quantile(np.array([0.0, 1.0]))
            places.append(x)
        return cls(np.stack(places), target.weights[:, None] * _between(z))

    def mean(self, values: Array) -> float:
        """E f from the values of f at the nodes (K, n + 1), by the trapezoid rule; f must be finite there."""
        return float((self.mass * (values[:, 1:] + values[:, :-1])).sum() / 2)


def _between(z: Array) -> Array:
    """The mass of standard normal noise between neighbours of z (n + 1,), scaled to sum to 1."""
    # from the nearer tail, where differences keep their digits
    mass = np.where(z[1:] <= 0, np.diff(special.ndtr(z)), -np.diff(special.ndtr(-z)))
    return mass / mass.sum()


def nodes(noise: str, dim: int) -> tuple[Array, Array | None]:
    """Noise to push through G, (n, dim), and the mass between neighbours, (n - 1,); None: equal masses at the points.

    The same for every seed: they are the nodes of a quadrature, not draws.
    """
    if dim > 1:
        points = torch.quasirandom.SobolEngine(dim, scramble=True, seed=0).draw(POINTS, dtype=torch.float64).numpy()
        return (special.ndtri(np.clip(points, 1e-12, 1 - 1e-12)) if noise == "normal" else 2 * points - 1), None
    if noise == "uniform":
        return np.linspace(-1, 1, NODES + 1)[:, None], np.full(NODES, 1 / NODES)
    z = np.linspace(-REACH, REACH, NODES + 1)
    return z[:, None], _between(z)


def pushed(x: Array, mass: Array | None, edges: Array) -> Array:
    """The mass of p_G left of `edges` (m + 1,), in each cell between them, and right of them, (m + 2,).

    x (n,): G at the nodes. Exact for a piecewise linear G but for the pieces that hold a kink.
    """
    x = np.asarray(x, float)
    if mass is None:
        below = np.searchsorted(np.sort(x), edges) / len(x)
    else:
        at, density = _steps(x, mass)
        rising = np.concatenate([[0.0], np.cumsum(density * np.diff(at))])
        below = np.interp(edges, at, rising / rising[-1], left=0.0, right=1.0)
    return np.maximum(np.diff(below, prepend=0.0, append=1.0), 0.0)


def _steps(x: Array, mass: Array) -> tuple[Array, Array]:
    """The density of p_G, which is a step function: where it changes (2 n,) and its values between (2 n - 1,)."""
    low, high = np.minimum(x[:-1], x[1:]), np.maximum(x[:-1], x[1:])
    middle, half = (low + high) / 2, np.maximum(high - low, LEAST_WIDTH) / 2
    height = mass / (2 * half)
    at = np.concatenate([middle - half, middle + half])
    order = np.argsort(at, kind="stable")
    return at[order], np.maximum(np.cumsum(np.concatenate([height, -height])[order])[:-1], 0.0)


def js(target: Mixture1D, own: Nodes, x: Array, mass: Array) -> float:
    """The Jensen-Shannon divergence in nats between `target`, whose nodes are `own`, and p_G, pushed to x (n + 1,).

    Worked out on cells inside which the density of p_G is constant: between all places where it changes and all nodes
    of the target. What is lost is the curvature of the target's density inside them.
    """
    at, density = _steps(x, mass)
    edges = np.sort(np.concatenate([at, own.x.ravel()]))
    q = np.diff(edges) * np.concatenate([[0.0], density, [0.0]])[np.searchsorted(at, edges[:-1], side="right")]
    q /= q.sum()
    # from the nearer tail, as above
    below, above = target.cdf(edges), target.sf(edges)
    p = np.maximum(np.where(below[1:] <= 0.5, np.diff(below), -np.diff(above)), 0.0)
    return js_of_masses(np.concatenate([[below[0]], p, [above[-1]]]), np.concatenate([[0.0], q, [0.0]]))


def js_of_masses(p: Array, q: Array) -> float:
    """The Jensen-Shannon divergence in nats between masses in the same cells."""
    m = (p + q) / 2
    with np.errstate(divide="ignore", invalid="ignore"):
        parts = [np.where(a > 0, a * np.log(a / m), 0.0).sum() for a in (p, q)]
    return float(min(max(sum(parts) / 2, 0.0), np.log(2)))


def target_mass(target: Target, edges: Array) -> Array:
    """The mass of p_data as `pushed` gives that of p_G, (m + 2,): by its distribution function, or the shares of many
    of its points."""
    if isinstance(target, Mixture1D):
        below = target.cdf(edges)
    else:
        # a set of points is its own distribution: enough draws to tell the shares to about 1/1000
        points = np.sort(target.sample(DRAWS, np.random.default_rng(0)).ravel())
        below = np.searchsorted(points, edges) / DRAWS
    return np.maximum(np.diff(below, prepend=0.0, append=1.0), 0.0)
