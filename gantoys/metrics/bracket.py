"""W1 between two sets of points from both sides: a plan costs at least W1, and a critic tells at most W1.

W1 = min over plans pi of sum pi_ij c_ij = max over f, g with f_i + g_j <= c_ij of mean f + mean g, c_ij = ||x_i - y_j||
(Peyre & Cuturi 2019, section 2.5). Both come from Sinkhorn's iterations for ever smaller eps (section 4): the scaled
kernel exp((f_i + g_j - c_ij) / eps) becomes a plan when what its margins miss is filled in, and f becomes a critic by
g_j = min_i c_ij - f_i. Neither bound leans on convergence: both hold wherever the iterations are stopped.
"""

from typing import Any

import numpy as np

from gantoys.maths.late import late

Array = np.ndarray
_STAGES = 14  # halvings of eps, from half the mean distance on
_FEW, _MANY = 20, 100  # iterations of a stage whose kernel is dense, and of one whose kernel is sparse
_WIDTH = 12.0  # pairs whose kernel is below e^-12 are left out of it
_CLOSE = 1e-3  # of W1: bounds that near to each other are near enough
_SPARSE = 0.25  # the share of pairs up to which a sparse kernel is quicker
_OVER = 1.5  # over-relaxation (section 4.2): less than half as many rounds
_TINY, _HUGE = np.float32(1e-37), np.float32(1e37)


def w1_bracket(real: Array, fake: Array) -> tuple[float, float]:
    """A lower and an upper bound of W1 between points (n, d) and (m, d), with equal masses within each set.

    >>> low, high = w1_bracket(np.array([[0.0, 0.0], [1.0, 0.0]]), np.array([[0.0, 3.0], [1.0, 3.0], [0.5, 3.0]]))
    >>> low <= 2 + np.sqrt(9.25) / 3 <= high and high - low < 0.01
    True
    """
    cdist = late("scipy.spatial.distance").cdist

    cost = cdist(real, fake).astype(np.float32)
    slack = float(np.finfo(np.float32).eps) * float(cost.max())  # both bounds give way by what rounding has moved
    eps = float(np.mean(cost, dtype=float))
    f, g = np.zeros(len(real)), np.zeros(len(fake))
    low, high = 0.0, np.inf
    for _ in range(_STAGES):
        eps = max(eps / 2, slack)
        g = _meets(cost, f)
        f = _meets(cost.T, g)
        kernel = _kernel(cost, f, g, eps)
        u, v = _scaled(kernel, len(real), len(fake))
        high = min(high, _plan_cost(kernel, cost, u, v) + slack)
        f = f + eps * np.log(np.maximum(u * len(real), _TINY))
        g = _meets(cost, f)
        low = max(low, float(np.mean(_meets(cost.T, g)) + np.mean(g)) - slack)
        if high - low <= 2 * _CLOSE * low or eps <= slack:
            break
    return low, high


def _meets(cost: Array, f: Array) -> Array:
    """The largest g with f_i + g_j <= c_ij."""
    out = np.empty(cost.shape[1])
    step = max(1, 4_000_000 // len(f))
    for k in range(0, len(out), step):
        out[k : k + step] = np.min(cost[:, k : k + step] - f[:, None], axis=0)
    return out


def _kernel(cost: Array, f: Array, g: Array, eps: float) -> Any:
    """exp((f_i + g_j - c_ij) / eps) in single precision, sparse where most of it is as good as 0."""
    csr_array = late("scipy.sparse").csr_array

    exponent = np.add.outer(f.astype(np.float32), g.astype(np.float32))
    exponent -= cost
    exponent /= np.float32(eps)
    near = exponent > -_WIDTH
    if np.mean(near) > _SPARSE:
        return np.exp(exponent, out=exponent)
    i, j = np.nonzero(near)
    return csr_array((np.exp(exponent[i, j]), (i, j)), shape=cost.shape)


def _scaled(kernel: Any, n: int, m: int) -> tuple[Array, Array]:
    """u (n,) and v (m,) such that u_i K_ij v_j has margins 1 / n and 1 / m, or nearly."""
    dense = isinstance(kernel, np.ndarray)
    turned = kernel.T if dense else kernel.T.tocsr()
    u, v = np.full(n, 1 / n, np.float32), np.ones(m, np.float32)
    for k in range(_FEW if dense else _MANY):
        over = np.float32(_OVER if k > 4 else 1.0)
        u = np.clip(u ** (1 - over) * (1 / n / np.maximum(kernel @ v, _TINY)) ** over, _TINY, _HUGE).astype(np.float32)
        v = np.clip(v ** (1 - over) * (1 / m / np.maximum(turned @ u, _TINY)) ** over, _TINY, _HUGE).astype(np.float32)
    return u.astype(float), v.astype(float)


def _plan_cost(kernel: Any, cost: Array, u: Array, v: Array) -> float:
    """What a plan near u_i K_ij v_j costs: scaled down to at most the margins, the rest spread evenly over the rest."""
    n, m = cost.shape
    u = u * np.minimum(1, 1 / n / np.maximum(u * (kernel @ v), _TINY))
    v = v * np.minimum(1, 1 / m / np.maximum(v * (kernel.T @ u), _TINY))
    rows, columns = np.maximum(1 / n - u * (kernel @ v), 0), np.maximum(1 / m - v * (kernel.T @ u), 0)
    weighted = kernel * cost if isinstance(kernel, np.ndarray) else kernel.multiply(cost).tocsr()
    done = float(u @ (weighted @ v))
    left = float(rows.sum())
    return done + (float(rows @ (cost @ columns)) / left if left > 0 else 0.0)
