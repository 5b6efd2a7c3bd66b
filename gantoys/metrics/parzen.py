"""The log-likelihood of real points under a Parzen window on generated ones.

Breuleux et al. 2011; Goodfellow et al. 2014. Kept because published tables have it: in many
dimensions it ranks models wrongly (Theis et al. 2016).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gantoys.maths.late import late
from gantoys.metrics.samples import Scored, blocks, check_pairs, pair, points

Array = np.ndarray
SIGMAS = tuple(float(s) for s in np.logspace(-1, 0, 10))  # the grid of the published code, for pixels in [0, 1]
_VALIDATION = 1000


@dataclass(frozen=True)
class Parzen:
    """mean: log-likelihood in nats a point. standard_error: the deviation (ddof 0) over sqrt(n). sigma: the window's
    width. n: how many real points were scored."""

    mean: float
    standard_error: float
    sigma: float
    n: int


def parzen_log_density(x: Array, centres: Array, sigma: float) -> Array:
    """log (1/m) sum_j N(x; y_j, sigma^2 I), shape (n,), of points x (n, d) with centres y (m, d).

    Raises ValueError unless sigma > 0, and for more pairs than `MAX_PAIRS`.
    """
    x, centres = pair(x, centres)
    return _log_densities(x, centres, (_width(sigma),))[0]


def parzen(
    real: Array,
    fake: Array,
    *,
    sigma: float | None = None,
    sigmas: Sequence[float] = SIGMAS,
    validation: Array | None = None,
) -> Parzen:
    """The mean log-likelihood of real points (n, d) under windows on generated points (m, d), and its standard error.

    Without `sigma`, the width is the one of `sigmas` under which the validation points are likeliest. They are given,
    or taken out of the real points: every tenth of them, 1,000 at most; the others are scored.
    Raises ValueError unless widths are positive and at least two points remain to be scored.

    >>> round(parzen([0.2, 1.7], [0.0, 1.0, 2.5], sigma=0.5).mean, 6)
    -1.443216
    """
    real, fake = pair(real, fake)
    test = real
    if sigma is None:
        grid = tuple(_width(s) for s in sigmas)
        if not grid:
            raise ValueError("sigmas must name at least one width")
        if validation is None:
            held = np.arange(0, len(real), max(10, -(-len(real) // _VALIDATION)))
            validation, test = real[held], np.delete(real, held, axis=0)
        else:
            validation = points(validation, "validation points")
        likelihoods = _log_densities(*pair(validation, fake), grid).mean(axis=1)
        sigma = grid[int(np.argmax(likelihoods))]
    if len(test) < 2:
        raise ValueError(f"a Parzen window needs at least 2 real points to score, got {len(test)}")
    scores = parzen_log_density(test, fake, sigma)
    return Parzen(float(scores.mean()), float(scores.std(ddof=0) / np.sqrt(len(scores))), float(sigma), len(scores))


def parzen_scored(real: Array, fake: Array, **knobs: Any) -> dict[str, Scored]:
    """The mean of `parzen` with its standard error, and the width that was taken."""
    found = parzen(real, fake, **knobs)
    note = f"a window of width {found.sigma:.3g}, {found.n:,} real points scored"
    return {"parzen": Scored(found.mean, found.standard_error, note)}


def _width(sigma: float) -> float:
    if not (np.isfinite(sigma) and sigma > 0):
        raise ValueError(f"the width of a Parzen window must be positive and finite, got {sigma}")
    return float(sigma)


def _log_densities(x: Array, centres: Array, sigmas: tuple[float, ...]) -> Array:
    """Shape (len(sigmas), n): the distances are computed once for all widths."""
    cdist = late("scipy.spatial.distance").cdist
    check_pairs(len(x), len(centres))
    d = x.shape[1]
    out = np.empty((len(sigmas), len(x)))
    for part in blocks(len(x), len(centres)):
        squared = cdist(x[part], centres, "sqeuclidean")
        least = squared.min(axis=1)
        squared -= least[:, None]
        for row, sigma in enumerate(sigmas):
            # the nearest centre's term is 1, so that the sum neither over- nor underflows
            near = np.mean(np.exp(squared * (-0.5 / sigma**2)), axis=1)
            out[row, part] = np.log(near) - least / (2 * sigma**2) - d / 2 * np.log(2 * np.pi * sigma**2)
    return out
