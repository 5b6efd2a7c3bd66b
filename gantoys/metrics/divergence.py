"""KL divergences between two sets of points, by distances to neighbours."""

from typing import Any

import numpy as np

from gantoys.maths.compare import divergences
from gantoys.maths.distributions import Distribution
from gantoys.maths.late import late
from gantoys.metrics.samples import Scored, pair

Array = np.ndarray
K = 5


def kl(real: Array, fake: Array, *, k: int = K) -> float:
    """An estimate of KL(p_data || p_G) = E log p_data(x) / p_G(x) in nats, from real (n, d), generated points (m, d).

    (d / n) sum_i log(nu_k(i) / rho_k(i)) + log(m / (n - 1)), rho_k(i) the distance of the real point x_i to its k-th
    neighbour among the other real points and nu_k(i) to its k-th among the generated ones: k points over the volume
    that they fill stand for a density (Wang, Kulkarni and Verdu 2009). It converges where both laws have densities, and
    may fall below 0. Bias: where p_G has next to no points near real ones, nu_k cannot grow as far as log p_G falls, so
    that large divergences come out too small, and infinite ones finite.
    Raises ValueError unless 1 <= k <= min(n - 1, m), and where k points lie at the very place of another one: then
    there is no density.

    >>> rng = np.random.default_rng(0)
    >>> round(kl(rng.random(4000), 2 * rng.random(4000)), 1)  # log 2 = 0.69
    0.7
    """
    return _kl(*pair(real, fake), k)


def kl_backward(real: Array, fake: Array, *, k: int = K) -> float:
    """The same estimate of KL(p_G || p_data): `kl` with the sets exchanged."""
    real, fake = pair(real, fake)
    return _kl(fake, real, k)


def kl_scored(real: Array, fake: Array, **knobs: Any) -> dict[str, Scored]:
    """`kl`, and what a negative value means."""
    return {"kl": _told(kl(real, fake, **knobs))}


def kl_backward_scored(real: Array, fake: Array, **knobs: Any) -> dict[str, Scored]:
    """`kl_backward`, and what a negative value means."""
    return {"kl_backward": _told(kl_backward(real, fake, **knobs))}


def _told(value: float) -> Scored:
    return Scored(value, None, "it scatters around the truth, and so may fall below 0" if value < 0 else "")


def kl_laws(p: Distribution, q: Distribution) -> float:
    """KL(p || q) between two laws with exact densities, by quadrature. Raises ValueError without densities."""
    return float(divergences(p, q, ("kl",))["kl"].value)


def kl_backward_laws(p: Distribution, q: Distribution) -> float:
    """KL(q || p), as `kl_laws`."""
    return kl_laws(q, p)


def _kl(x: Array, y: Array, k: int) -> float:
    tree = late("scipy.spatial").cKDTree

    n, m = len(x), len(y)
    if k != int(k) or not 1 <= k <= min(n - 1, m):
        raise ValueError(f"k must be a whole number from 1 to {min(n - 1, m)} for {n} and {m} points, got {k}")
    own, other = tree(x).query(x, [k + 1])[0][:, 0], tree(y).query(x, [k])[0][:, 0]
    if np.any(own == 0) or np.any(other == 0):
        raise ValueError(f"a point has {k} others at its own place: neighbours then tell no density")
    return float(x.shape[1] * np.mean(np.log(other / own)) + np.log(m / (n - 1)))
