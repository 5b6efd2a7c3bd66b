"""What a metric says of a perfect generator and of pure noise, for the same number of points.

A number alone says nothing: 0.0014 is the smallest reverse KL that 2,500 points of a perfect generator have on average,
and uniform noise covers 20 of 25 modes by the rule of most papers.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gantoys.metrics.floors import far_apart, modes_mean, perfect_counts, reports_of, reverse_kl_floor, seen_counts
from gantoys.metrics.inception import mode_probabilities
from gantoys.metrics.modes import has_modes, mode_rule
from gantoys.metrics.samples import points
from gantoys.metrics.score import scores
from gantoys.metrics.table import METRICS

Array = np.ndarray
SHARE = 0.95  # of the draws of a perfect generator that lie in its band: 19 of 20
DRAWS, NOISE_DRAWS = 400, 100
LEAST_DRAWS = 39  # of fewer not even the least and the greatest are so far out
WIDEN = 1.2  # pure noise fills the target's box stretched by this factor about its middle
MODE_METRICS = ("modes", "high_quality", "reverse_kl")
_COUNT_DRAWS = 10_000  # draws of counts cost nothing
_SEEN = 100  # points a point of the set, by which the chances of overlapping modes are told ...
_LEAST_SEEN, _MOST_SEEN = 200_000, 4_000_000


@dataclass(frozen=True)
class Band:
    """mean, and the band that a fresh draw falls into 19 times of 20, or more often where it takes few values: from the
    i-th least to the i-th greatest of R draws, i = floor((R + 1) / 40), which a further draw of a continuous law hits
    with probability 1 - 2 i / (R + 1) (Wilks 1941). exact: the mean is a formula's, not the draws', and may lie just
    outside a band of one value. draws: R. NaN where the metric is not defined."""

    mean: float
    low: float
    high: float
    exact: bool
    draws: int

    def holds(self, value: float) -> bool:
        """Whether a value lies in the band."""
        return self.low <= value <= self.high


# JS is 0, and a lower bound of it that holds 39 times of 40 reads 0 as often
PERFECT_JS = Band(0.0, 0.0, 0.0, True, 0)


@dataclass(frozen=True)
class Reference:
    """metric: key in METRICS. n: points a set. perfect: a generator that draws from the target. noise: uniform points
    on `box`, ((low, high), ...) one pair a coordinate."""

    metric: str
    n: int
    perfect: Band
    noise: Band
    box: tuple[tuple[float, float], ...]


def reference(
    metric: str,
    target: Any,
    n: int,
    rng: np.random.Generator,
    *,
    draws: int = DRAWS,
    noise_draws: int | None = None,
    box: Sequence[Sequence[float]] | None = None,
    **knobs: Any,
) -> Reference:
    """`references` of one metric. knobs go to it: rule=, k=, bandwidth=."""
    if metric not in METRICS:
        raise ValueError(f"unknown metric {metric!r}: known are {', '.join(METRICS)}")
    if METRICS[metric].needs == "mixture":
        return mode_references(target, n, rng, box=box, **knobs)[metric]
    given = {metric: knobs}
    return references([metric], target, n, rng, draws=draws, noise_draws=noise_draws, box=box, knobs=given)[metric]


def references(
    metrics: Sequence[str],
    target: Any,
    n: int,
    rng: np.random.Generator,
    *,
    draws: int = DRAWS,
    noise_draws: int | None = None,
    box: Sequence[Sequence[float]] | None = None,
    knobs: Mapping[str, Mapping[str, Any]] | None = None,
) -> dict[str, Reference]:
    """The bands of a perfect generator and of pure noise by `metrics`, keys of METRICS, with n real and n fake points.

    target: a law with `sample(n, rng)`, or a function (n, rng) -> points (n, d); metrics of modes and the inception
    score (of the exact classifier of modes) need a mixture of normals. Each draw takes fresh real points too, and all
    metrics look at the same points; of noise there are `noise_draws` draws (default: NOISE_DRAWS, or as many as of the
    perfect generator where those are fewer). Noise is uniform on `noise_box(target)` or on `box`. knobs: by metric.
    For modes that lie far apart the perfect generator's mean is exact; bands of modes are of 10,000 draws of counts.
    The same state of `rng` gives the same numbers. Raises ValueError for an unknown metric, n < 1, fewer draws than
    LEAST_DRAWS, a target that does not fit, and where a metric can be told of no draw at all.
    """
    for key in metrics:
        if key not in METRICS:
            raise ValueError(f"unknown metric {key!r}: known are {', '.join(METRICS)}")
    sampler = _checked(target, n, draws)
    edges = noise_box(target, n, rng) if box is None else _box(box)
    given = knobs or {}
    found: dict[str, Reference] = {}
    counted = [key for key in metrics if METRICS[key].needs == "mixture"]
    for key in counted:
        if key not in found:
            rule = dict(given.get(key, {}))
            both = mode_references(target, n, rng, box=edges, **rule)
            found |= {k: both[k] for k in counted if given.get(k, {}) == rule}
    rest = [key for key in metrics if key not in found]
    if rest:
        noisy = min(draws, NOISE_DRAWS) if noise_draws is None else noise_draws
        perfect = bands_of(rest, lambda: (sampler(n, rng), sampler(n, rng)), draws, rng, given, target)
        noise = bands_of(rest, lambda: (sampler(n, rng), uniform_noise(n, edges, rng)), noisy, rng, given, target)
        found |= {key: Reference(key, n, perfect[key], noise[key], edges) for key in rest}
    return {key: found[key] for key in metrics}


def bands_of(
    metrics: Sequence[str],
    draw: Callable[[], tuple[Array, Array]],
    draws: int,
    rng: np.random.Generator,
    knobs: Mapping[str, Mapping[str, Any]] | None = None,
    target: Any = None,
) -> dict[str, Band]:
    """The band of each metric over `draws` pairs of sets, draw() -> (real, fake); the mean alone of too few draws.

    Raises ValueError where no metric can be told of the first pair. target: the law whose modes are the classes of the
    inception score.
    """
    given = knobs or {}
    rows: list[dict[str, float]] = []
    of_points = [key for key in metrics if METRICS[key].needs == "samples"]
    for _ in range(draws):
        real, fake = draw()
        found = scores(real, fake, of_points, given, seed=int(rng.integers(2**32)))
        lost = [scored.note for scored in found.values() if np.isnan(scored.value)]
        if not rows and lost and len(lost) == len(metrics):
            raise ValueError(lost[0])
        values = {key: scored.value for key, scored in found.items()}
        for key in metrics:
            if key not in values:
                values[key] = METRICS[key].function(mode_probabilities(fake, target), **given.get(key, {}))
        rows.append(values)
    return {key: _band([row[key] for row in rows]) for key in metrics}


def mode_references(
    target: Any,
    n: int,
    rng: np.random.Generator,
    *,
    rule: str = "gantoys",
    box: Sequence[Sequence[float]] | None = None,
) -> dict[str, Reference]:
    """`reference` of modes, high_quality and reverse_kl from the same draws, by one rule of MODE_RULES.

    A draw is one of counts: of n points each falls near a mode, into its reach or nowhere with chances that are known
    where the modes lie far apart. Else, and for noise, they are told by a hundred times as many points as the set has,
    200,000 at least and 4,000,000 at most, and what so many leave open goes into the band.
    """
    row, sampler = mode_rule(rule), _checked(target, n)
    if not has_modes(target):
        raise ValueError(f"modes are counted for mixtures of normals on the line or in the plane, not for {target}")
    edges = noise_box(target, n, rng) if box is None else _box(box)
    if len(edges) != target.dim:
        raise ValueError(f"the box of noise needs {target.dim} pairs for {target}, got {len(edges)}")
    seen = int(np.clip(_SEEN * n, _LEAST_SEEN, _MOST_SEEN))
    exact: dict[str, float] = {}
    if far_apart(target):
        quality = row.quality(target.dim)
        tallied = quality if row.histogram == "good" else 1.0
        exact = {
            "modes": modes_mean(n, target, row),
            "high_quality": quality,
            "reverse_kl": reverse_kl_floor(n, target.weights, tallied),
        }
        counts = perfect_counts(n, target, row, rng, _COUNT_DRAWS)
    else:
        counts = seen_counts(n, target, row, lambda m: sampler(m, rng), seen, rng, _COUNT_DRAWS)
    perfect = reports_of(n, counts, target, row)
    counts = seen_counts(n, target, row, lambda m: uniform_noise(m, edges, rng), seen, rng, _COUNT_DRAWS)
    noise = reports_of(n, counts, target, row)
    return {
        key: Reference(key, n, _band(perfect[key], exact.get(key)), _band(noise[key]), edges) for key in MODE_METRICS
    }


def noise_box(target: Any, n: int, rng: np.random.Generator) -> tuple[tuple[float, float], ...]:
    """The target's box, or what n of its points span where it has none, stretched by WIDEN about its middle."""
    flat = getattr(target, "box", None)
    if flat is None:
        x = points(_sampler(target)(n, rng), "points of the target")
        pairs = np.stack([x.min(axis=0), x.max(axis=0)], axis=1)
    else:
        pairs = np.asarray(flat, float).reshape(-1, 2)
    middle, half = pairs.mean(axis=1), WIDEN * np.diff(pairs, axis=1)[:, 0] / 2
    return tuple((float(m - h), float(m + h)) for m, h in zip(middle, half, strict=True))


def uniform_noise(n: int, box: Sequence[Sequence[float]], rng: np.random.Generator) -> Array:
    """n points (n, d), uniform on the box."""
    edges = np.asarray(_box(box))
    return rng.uniform(edges[:, 0], edges[:, 1], (n, len(edges)))


def _box(box: Sequence[Sequence[float]]) -> tuple[tuple[float, float], ...]:
    edges = np.asarray(box, float)
    if edges.ndim != 2 or edges.shape[1] != 2 or not np.all(np.isfinite(edges)) or np.any(edges[:, 0] > edges[:, 1]):
        raise ValueError("a box is a pair (low, high) of finite numbers for each coordinate, low not above high")
    return tuple((float(low), float(high)) for low, high in edges)


def _checked(target: Any, n: int, draws: int = DRAWS) -> Callable[[int, np.random.Generator], Array]:
    if n != int(n) or n < 1:
        raise ValueError(f"a reference needs a whole number of points from 1 on, got {n}")
    if draws < LEAST_DRAWS:
        raise ValueError(f"a band needs at least {LEAST_DRAWS} draws, got {draws}")
    return _sampler(target)


def _sampler(target: Any) -> Callable[[int, np.random.Generator], Array]:
    sample = getattr(target, "sample", target)
    if not callable(sample):
        raise ValueError("the target must be a law that can be sampled, or a function (n, rng) -> points")
    return sample


def _band(values: Array | list[float], exact: float | None = None) -> Band:
    x = np.sort(np.asarray(values, float))  # NaN go last
    x = x[: len(x) - int(np.sum(np.isnan(x)))]
    nan = float("nan")
    if not len(x):
        return Band(nan, nan, nan, False, 0)
    mean = float(np.mean(x)) if exact is None else exact
    if len(x) < LEAST_DRAWS:
        return Band(mean, nan, nan, exact is not None, len(x))
    out = int((len(x) + 1) * (1 - SHARE) / 2 + 1e-9)
    return Band(mean, float(x[out - 1]), float(x[-out]), exact is not None, len(x))
