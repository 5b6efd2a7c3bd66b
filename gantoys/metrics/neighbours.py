"""Precision, recall, density and coverage: who lies in the balls that reach to the k-th neighbour?

Around each point of a set stands a ball whose radius is the distance to its k-th neighbour in the set, itself not
counted. A point on the rim is inside (<=), as Kynkäänniemi et al. 2019 define it (equation 1 for precision and recall);
Naeem et al. 2020 (density, coverage) leave it open, and their code, prdc, has it outside (<): `BALLS` has both. For
points without ties the two agree; where points are rounded or repeated, radii are 0 and open balls are empty.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from gantoys.maths.late import late
from gantoys.metrics.samples import Scored, blocks, check_pairs, pair

Array = np.ndarray
K = 5
KEYS = ("precision", "recall", "density", "coverage")


@dataclass(frozen=True)
class Ball:
    """What counts as inside. inside(distances, radii): elementwise."""

    key: str
    label: str
    inside: Callable[[Array, Array], Array]
    reference: str


BALLS = {
    row.key: row
    for row in (
        Ball("closed", "points on the rim are inside", np.less_equal, "Kynkäänniemi et al. 2019, equation 1"),
        Ball("open", "points on the rim are outside", np.less, "Naeem et al. 2020: their code, prdc"),
    )
}


@dataclass(frozen=True)
class Neighbours:
    """precision, recall, coverage in [0, 1]; density >= 0, about 1 for equal laws, and (k + 1) / k of a set against
    itself with closed balls. k: which neighbour. flat_real, flat_fake: how many balls of radius 0 each set has."""

    precision: float
    recall: float
    density: float
    coverage: float
    k: int
    flat_real: int = 0
    flat_fake: int = 0

    @property
    def note(self) -> str:
        """What repeated points do to the numbers, in a sentence; empty where there are none."""
        if not self.flat_real and not self.flat_fake:
            return ""
        return (
            f"{self.flat_real:,} real and {self.flat_fake:,} generated points have {self.k} others at their own place: "
            "their balls have radius 0 and hold that place only"
        )


def neighbours(real: Array, fake: Array, k: int = K, balls: str = "closed") -> Neighbours:
    """All four numbers of real points (n, d) and generated points (m, d), with Euclidean distances.

    precision = share of the generated points inside any real ball; recall = share of the real points inside any
    generated ball; density = (1/(k m)) sum over generated points of the real balls around it; coverage = share of the
    real balls that hold a generated point. balls: a key of BALLS.

    Raises ValueError unless 1 <= k < min(n, m), and for more pairs than `MAX_PAIRS`. Distances are computed by one
    routine throughout, so that ties are ties: a search tree rounds differently.

    >>> neighbours([0.0, 1.0, 5.0, 6.0], [0.5, 0.7, 0.9], k=1)
    Neighbours(precision=1.0, recall=0.25, density=2.0, coverage=0.5, k=1, flat_real=0, flat_fake=0)
    """
    cdist = late("scipy.spatial.distance").cdist
    real, fake = pair(real, fake, least=2)
    n, m = len(real), len(fake)
    if k != int(k) or not 1 <= k < min(n, m):
        raise ValueError(f"k must be a whole number from 1 to {min(n, m) - 1} for {n} and {m} points, got {k}")
    if balls not in BALLS:
        raise ValueError(f"balls must be one of {', '.join(BALLS)}, got {balls!r}")
    for count in (n, m):
        check_pairs(count, max(n, m))
    k, inside = int(k), BALLS[balls].inside
    real_radii, fake_radii = _radii(real, k), _radii(fake, k)
    around = np.zeros(m)
    held, recalled = 0, 0
    for part in blocks(n, m):
        distance = cdist(real[part], fake)
        within = inside(distance, real_radii[part, None])
        around += within.sum(axis=0)
        held += int(np.any(within, axis=1).sum())
        recalled += int(np.any(inside(distance, fake_radii), axis=1).sum())
    flat = int(np.sum(real_radii == 0)), int(np.sum(fake_radii == 0))
    return Neighbours(float(np.mean(around > 0)), recalled / n, float(np.mean(around)) / k, held / n, k, *flat)


def neighbours_scored(real: Array, fake: Array, **knobs: Any) -> dict[str, Scored]:
    """All four of `neighbours`, with a note where points are repeated."""
    found = neighbours(real, fake, **knobs)
    return {key: Scored(getattr(found, key), None, found.note) for key in KEYS}


def _radii(x: Array, k: int) -> Array:
    """The distance of each point to its k-th neighbour."""
    cdist = late("scipy.spatial.distance").cdist
    out = np.empty(len(x))
    for part in blocks(len(x), len(x)):
        # the point itself, at distance 0, is the first of the sorted row
        out[part] = np.partition(cdist(x[part], x), k, axis=1)[:, k]
    return out


def precision(real: Array, fake: Array, *, k: int = K, balls: str = "closed") -> float:
    """The share of the generated points that look real; see `neighbours`."""
    return neighbours(real, fake, k, balls).precision


def recall(real: Array, fake: Array, *, k: int = K, balls: str = "closed") -> float:
    """The share of the real points that the generator could have made; see `neighbours`."""
    return neighbours(real, fake, k, balls).recall


def density(real: Array, fake: Array, *, k: int = K, balls: str = "closed") -> float:
    """How many real balls hold a generated point, over k; see `neighbours`. It may exceed 1."""
    return neighbours(real, fake, k, balls).density


def coverage(real: Array, fake: Array, *, k: int = K, balls: str = "closed") -> float:
    """The share of the real points with a generated point nearby; see `neighbours`."""
    return neighbours(real, fake, k, balls).coverage
