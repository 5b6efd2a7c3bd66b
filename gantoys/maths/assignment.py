"""Exact optimal transport between two sets of equally many points, on the line and in the plane, with its dual.

Between n points x and n points y of equal mass a best plan is a permutation (Birkhoff; Peyre & Cuturi 2019, prop. 2.1):
x_i goes to y_partner(i). On the line it pairs them in order; in the plane it is an assignment. The dual proves it: for
W1 a critic D with |D(a) - D(b)| <= |a - b| that attains mean D(x) - mean D(y) = W1 (Kantorovich & Rubinstein 1958).
"""

from dataclasses import dataclass

import numpy as np

from gantoys.maths.late import late

Array = np.ndarray
MOST_POINTS = 500  # of an assignment: a tenth of a second
_ROUNDING = 1e-12
LINES = 256


@dataclass(frozen=True)
class Matching:
    """The cheapest plan between x and y, (n,) or (n, 2): x_i goes to y[partner[i]], over distance[i], each 1/n of mass.

    power: 1 or 2, of the distances whose mean is least.
    """

    x: Array
    y: Array
    partner: Array
    power: int

    @property
    def pairs(self) -> Array:
        """The plan as rows (i, j), x_i to y_j: (n, 2) of int."""
        return np.stack([np.arange(len(self.partner)), self.partner], axis=1)

    @property
    def distance(self) -> Array:
        """How far each x_i goes: (n,), in the unit of the points."""
        gap = self.x - self.y[self.partner]
        return np.abs(gap) if gap.ndim == 1 else np.linalg.norm(gap, axis=1)

    @property
    def cost(self) -> float:
        """W1 for power 1, W2 squared for power 2."""
        return float(np.mean(self.distance**self.power))


def matching(x: Array, y: Array, *, power: int = 1) -> Matching:
    """The permutation with the least mean of |x_i - y_partner(i)|^power, power 1 or 2.

    x, y: (n,) on the line, any n; or (n, 2) in the plane, n <= 500. Raises ValueError for other shapes, sets of
    different size, and beyond: `sliced` then is the affordable answer to a different question.

    >>> found = matching(np.array([0.0, 1.0, 3.0]), np.array([8.0, 5.0, 6.0]))
    >>> found.partner.tolist(), found.cost
    ([1, 2, 0], 5.0)
    """
    x, y = _checked(x, y)
    if power not in (1, 2):
        raise ValueError(f"the power of the distance must be 1 or 2, got {power}")
    if x.ndim == 1:
        partner = np.empty(len(x), int)
        partner[np.argsort(x, kind="stable")] = np.argsort(y, kind="stable")
        return Matching(x, y, partner, power)
    if len(x) > MOST_POINTS:
        raise ValueError(f"an exact plan in the plane takes at most {MOST_POINTS} points, got {len(x)}: take sliced")
    return Matching(x, y, late("scipy.optimize").linear_sum_assignment(_distances(x, y) ** power)[1], power)


def _checked(x: Array, y: Array) -> tuple[Array, Array]:
    x, y = np.asarray(x, float), np.asarray(y, float)
    if x.shape != y.shape:
        raise ValueError(f"a plan between points needs two sets of one size, got shapes {x.shape} and {y.shape}")
    if x.ndim not in (1, 2) or not len(x) or (x.ndim == 2 and x.shape[1] != 2):
        raise ValueError(f"points must have shape (n,) or (n, 2), got {x.shape}")
    if not (np.all(np.isfinite(x)) and np.all(np.isfinite(y))):
        raise ValueError("points must be finite numbers")
    return x, y


def _distances(x: Array, y: Array) -> Array:
    if x.ndim == 1:
        return np.abs(x[:, None] - y)
    return np.hypot(x[:, None, 0] - y[:, 0], x[:, None, 1] - y[:, 1])


def sliced(x: Array, y: Array, *, power: int = 2, lines: int = LINES) -> float:
    """The mean over directions of the transport cost of the points' shadows on a line: sliced W1, or W2 squared.

    (1 / pi) int_0^pi W(x.u, y.u)^power d angle, by `lines` evenly spaced directions (Rabin et al. 2012). Not W itself:
    a shift by d gives |d|^2 / 2 for power 2. x, y: (n, 2), any n. Raises ValueError for other shapes and for lines < 2.

    >>> round(sliced(np.zeros((2, 2)), np.array([[3.0, 4.0], [3.0, 4.0]])), 9)
    12.5
    """
    x, y = _checked(x, y)
    if x.ndim == 1:
        raise ValueError("points on the line need no slices: take matching")
    if power not in (1, 2):
        raise ValueError(f"the power of the distance must be 1 or 2, got {power}")
    if lines < 2:
        raise ValueError(f"at least two directions are needed, got {lines}")
    angle = np.pi * np.arange(lines) / lines
    return float(np.mean([_shadow_cost(x @ u, y @ u, power) for u in np.stack([np.cos(angle), np.sin(angle)], axis=1)]))


def _shadow_cost(x: Array, y: Array, power: int) -> float:
    return float(np.mean(np.abs(np.sort(x) - np.sort(y)) ** power))


def dual(plan: Matching) -> tuple[Array, Array]:
    """(u, v), (n,) each: u_i + v_j <= |x_i - y_j|^power for all i, j, and equal on the plan's pairs.

    So mean u + mean v is the cost, which no plan can undercut (Kantorovich's duality). The constant is fixed by
    max v = 0. Raises ValueError for more than 500 points.
    """
    if len(plan.x) > MOST_POINTS:
        raise ValueError(f"a dual takes at most {MOST_POINTS} points, got {len(plan.x)}")
    cost = _distances(plan.x, plan.y) ** plan.power
    own = cost[np.arange(len(cost)), plan.partner]
    # step[k, j], k the partner of i: w_k <= w_j + c(i, j) - c(i, k) for w = -v, by Bellman & Ford's shortest paths; as
    # the plan is the cheapest there is no circle of negative length
    step = np.empty_like(cost)
    step[plan.partner] = cost - own[:, None]
    w = np.zeros(len(cost))
    for _ in range(len(cost)):
        shorter = np.min(w + step, axis=1)
        if np.all(shorter >= w - _ROUNDING * (1 + cost.max())):
            break
        w = np.minimum(w, shorter)
    w = w - w.min()
    return own + w[plan.partner], -w


@dataclass(frozen=True)
class PointCritic:
    """An optimal critic between two sets of points, D(z) = min_j (w_j + |z - y_j|): of slope 1 at most, everywhere."""

    y: Array
    w: Array

    def __call__(self, z: Array) -> Array:
        """D at z: (m,) or (m, 2) -> (m,), in the unit of the points."""
        return np.min(self.w + _distances(np.asarray(z, float), self.y), axis=1)


def point_critic(plan: Matching) -> PointCritic:
    """The Kantorovich-Rubinstein critic of a plan of power 1: mean D(x) - mean D(y) = W1, |D(a) - D(b)| <= |a - b|.

    D falls with slope 1 along the way of each point. It is large on x (real) and small on y (generated); least on y is
    zero. Raises ValueError for a plan of another power, or of more than 500 points.
    """
    if plan.power != 1:
        raise ValueError("the critic belongs to W1: it needs a plan of power 1")
    return PointCritic(plan.y, -dual(plan)[1])
