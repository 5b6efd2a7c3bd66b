"""What a metric says of a perfect generator and of pure noise, for the same number of points.

A number alone says nothing: 0.0014 is the smallest reverse KL that 2,500 points of a perfect generator have on average,
and uniform noise covers 20 of 25 modes by the rule of most papers.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gantoys.metrics.floors import far_apart, modes_mean, perfect_reports, reverse_kl_floor
from gantoys.metrics.inception import mode_probabilities
from gantoys.metrics.modes import has_modes, mode_report, mode_rule
from gantoys.metrics.samples import points
from gantoys.metrics.table import METRICS

Array = np.ndarray
LEVELS = (2.5, 97.5)
WIDEN = 1.2  # pure noise fills the target's box stretched by this factor about its middle
MODE_METRICS = ("modes", "high_quality", "reverse_kl")
_COUNT_DRAWS = 10_000  # draws of counts cost nothing


@dataclass(frozen=True)
class Band:
    """mean, and the band between the 2.5 % and 97.5 % quantiles of repeated draws. exact: the mean is a formula's, not
    the draws', and may lie just outside a band of one value. draws: how many there
    were. NaN where the metric is not defined."""

    mean: float
    low: float
    high: float
    exact: bool
    draws: int


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
    draws: int = 100,
    box: Sequence[Sequence[float]] | None = None,
    **knobs: Any,
) -> Reference:
    """The band of a perfect generator and of pure noise by `metric`, a key of METRICS, with n real and n fake points.

    target: a law with `sample(n, rng)`, or a function (n, rng) -> points (n, d); metrics of modes and the inception
    score (of the exact classifier of modes) need a mixture of normals. Each of `draws` draws takes fresh real points
    too. Noise is uniform on `noise_box(target)` or on `box`. knobs go to the metric: rule=, k=, bandwidth=.
    For modes that lie far apart the perfect generator's mean is exact, and its band is of 10,000 draws of counts.
    The same state of `rng` gives the same numbers. Raises ValueError for an unknown metric, n < 1, draws < 2, a target
    that does not fit, and as the metric does.
    """
    if metric not in METRICS:
        raise ValueError(f"unknown metric {metric!r}: known are {', '.join(METRICS)}")
    if METRICS[metric].needs == "mixture":
        return mode_references(target, n, rng, draws=draws, box=box, **knobs)[metric]
    row, sampler = METRICS[metric], _checked(target, n, draws)
    if row.needs == "probabilities" and not has_modes(target):
        raise ValueError(f"classes are the modes of a mixture of normals, which {target} is not")
    edges = noise_box(target, n, rng) if box is None else _box(box)

    def score(fake: Array) -> float:
        extra = {**knobs, "rng": rng} if row.random else knobs
        if row.needs == "probabilities":
            return row.function(mode_probabilities(fake, target), **extra)
        return row.function(sampler(n, rng), fake, **extra)

    perfect = _band([score(sampler(n, rng)) for _ in range(draws)])
    noise = _band([score(uniform_noise(n, edges, rng)) for _ in range(draws)])
    return Reference(metric, n, perfect, noise, edges)


def mode_references(
    target: Any,
    n: int,
    rng: np.random.Generator,
    *,
    rule: str = "gantoys",
    draws: int = 100,
    box: Sequence[Sequence[float]] | None = None,
) -> dict[str, Reference]:
    """`reference` of modes, high_quality and reverse_kl from the same draws, by one rule of MODE_RULES."""
    row, sampler = mode_rule(rule), _checked(target, n, draws)
    if not has_modes(target):
        raise ValueError(f"modes are counted for mixtures of normals on the line or in the plane, not for {target}")
    edges = noise_box(target, n, rng) if box is None else _box(box)
    if len(edges) != target.dim:
        raise ValueError(f"the box of noise needs {target.dim} pairs for {target}, got {len(edges)}")
    exact: dict[str, float] = {}
    if far_apart(target):
        quality = row.quality(target.dim)
        tallied = quality if row.histogram == "good" else 1.0
        exact = {
            "modes": modes_mean(n, target, row),
            "high_quality": quality,
            "reverse_kl": reverse_kl_floor(n, target.weights, tallied),
        }
        perfect = perfect_reports(n, target, row, rng, _COUNT_DRAWS)
    else:
        perfect = _reports(draws, lambda: sampler(n, rng), target, rule)
    noise = _reports(draws, lambda: uniform_noise(n, edges, rng), target, rule)
    return {
        key: Reference(key, n, _band(perfect[key], exact.get(key)), _band(noise[key]), edges) for key in MODE_METRICS
    }


def _reports(draws: int, draw: Callable[[], Array], target: Any, rule: str) -> dict[str, Array]:
    reports = [mode_report(draw(), target, rule) for _ in range(draws)]
    return {
        "modes": np.array([r.modes for r in reports], float),
        "high_quality": np.array([r.quality for r in reports]),
        "reverse_kl": np.array([r.reverse_kl for r in reports]),
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


def _checked(target: Any, n: int, draws: int) -> Callable[[int, np.random.Generator], Array]:
    if n != int(n) or n < 1:
        raise ValueError(f"a reference needs a whole number of points from 1 on, got {n}")
    if draws < 2:
        raise ValueError(f"a band needs at least 2 draws, got {draws}")
    return _sampler(target)


def _sampler(target: Any) -> Callable[[int, np.random.Generator], Array]:
    sample = getattr(target, "sample", target)
    if not callable(sample):
        raise ValueError("the target must be a law that can be sampled, or a function (n, rng) -> points")
    return sample


def _band(values: Array | list[float], exact: float | None = None) -> Band:
    x = np.asarray(values, float)
    x = x[~np.isnan(x)]
    if not len(x):
        return Band(float("nan"), float("nan"), float("nan"), False, 0)
    low, high = np.percentile(x, LEVELS)
    return Band(float(np.mean(x)) if exact is None else exact, float(low), float(high), exact is not None, len(x))
