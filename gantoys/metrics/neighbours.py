"""Precision, recall, density and coverage: who lies in the balls that reach to the k-th neighbour?

Around each point of a set stands a ball whose radius is the distance to its k-th neighbour in the set, itself not
counted. Points on the rim are outside (strict <), as in Naeem et al.; other code counts them inside.
Kynkäänniemi et al. 2019 (precision, recall), equations 1 and 2; Naeem et al. 2020 (density, coverage).
"""

from dataclasses import dataclass

import numpy as np

from gantoys.maths.late import late
from gantoys.metrics.samples import blocks, check_pairs, pair

Array = np.ndarray
K = 5


@dataclass(frozen=True)
class Neighbours:
    """precision, recall, coverage in [0, 1]; density >= 0, about 1 for equal laws. k: which neighbour."""

    precision: float
    recall: float
    density: float
    coverage: float
    k: int


def neighbours(real: Array, fake: Array, k: int = K) -> Neighbours:
    """All four numbers of real points (n, d) and generated points (m, d), with Euclidean distances.

    precision = share of the generated points inside any real ball; recall = share of the real points inside any
    generated ball; density = (1/(k m)) sum over generated points of the real balls around it; coverage = share of the
    real balls that hold a generated point.

    Raises ValueError unless 1 <= k < min(n, m), and for more pairs than `MAX_PAIRS`. Distances are computed by one
    routine throughout, so that ties are ties: a search tree rounds differently.

    >>> neighbours([0.0, 1.0, 5.0, 6.0], [0.5, 0.7, 0.9], k=1)
    Neighbours(precision=1.0, recall=0.25, density=2.0, coverage=0.5, k=1)
    """
    cdist = late("scipy.spatial.distance").cdist
    real, fake = pair(real, fake, least=2)
    n, m = len(real), len(fake)
    if k != int(k) or not 1 <= k < min(n, m):
        raise ValueError(f"k must be a whole number from 1 to {min(n, m) - 1} for {n} and {m} points, got {k}")
    for count in (n, m):
        check_pairs(count, max(n, m))
    k = int(k)
    real_radii, fake_radii = _radii(real, k), _radii(fake, k)
    inside = np.zeros(m)
    held, recalled = 0, 0
    for part in blocks(n, m):
        distance = cdist(real[part], fake)
        within = distance < real_radii[part, None]
        inside += within.sum(axis=0)
        held += int(np.any(within, axis=1).sum())
        recalled += int(np.any(distance < fake_radii, axis=1).sum())
    return Neighbours(float(np.mean(inside > 0)), recalled / n, float(np.mean(inside)) / k, held / n, k)


def _radii(x: Array, k: int) -> Array:
    """The distance of each point to its k-th neighbour."""
    cdist = late("scipy.spatial.distance").cdist
    out = np.empty(len(x))
    for part in blocks(len(x), len(x)):
        # the point itself, at distance 0, is the first of the sorted row
        out[part] = np.partition(cdist(x[part], x), k, axis=1)[:, k]
    return out


def precision(real: Array, fake: Array, *, k: int = K) -> float:
    """The share of the generated points that look real; see `neighbours`."""
    return neighbours(real, fake, k).precision


def recall(real: Array, fake: Array, *, k: int = K) -> float:
    """The share of the real points that the generator could have made; see `neighbours`."""
    return neighbours(real, fake, k).recall


def density(real: Array, fake: Array, *, k: int = K) -> float:
    """How many real balls hold a generated point, over k; see `neighbours`. It may exceed 1."""
    return neighbours(real, fake, k).density


def coverage(real: Array, fake: Array, *, k: int = K) -> float:
    """The share of the real points with a generated point nearby; see `neighbours`."""
    return neighbours(real, fake, k).coverage
