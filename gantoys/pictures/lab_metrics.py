"""The points on screen by every metric, beside what a perfect generator and pure noise score with so many points."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from gantoys.maths.notation import parse
from gantoys.metrics import METRICS, PERFECT_JS, Band, Reference, mode_report, noise_box, reference, uniform_noise
from gantoys.metrics.jensen_shannon import JSBound
from gantoys.metrics.modes import has_modes
from gantoys.runs.film import Film
from gantoys.runs.film_file import POPULATION
from gantoys.shared import shared

MODE_KEYS = ("modes", "high_quality", "reverse_kl")
SAMPLE_KEYS = ("sliced_w2_squared", "mmd2", "frechet", "precision", "recall", "density", "coverage")
POINTS, DRAWS = 400, 24  # of each set; pairwise metrics and their bands stay below a second or two


@dataclass(frozen=True)
class Score:
    """label: the metric's; better: "higher", "lower" or "" ; value of the points on screen; perfect and noise: the
    reference. NaN where a metric is not defined."""

    label: str
    better: str
    value: float
    reference: Reference

    @property
    def perfect(self) -> bool:
        """Whether a perfect generator scores so in 19 of 20 draws."""
        return self.reference.perfect.low <= self.value <= self.reference.perfect.high


@shared
def _reference(key: str, toy: str, n: int) -> Reference:
    return reference(key, parse(toy), n, np.random.default_rng(0), draws=DRAWS)


@shared
def _noise(toy: str) -> Band:
    """The bound of JS that pure noise gets."""
    target, rng = parse(toy), np.random.default_rng(0)
    real = np.asarray(target.sample(POPULATION, rng)).reshape(POPULATION, -1)
    value = JSBound(real)(uniform_noise(POPULATION, noise_box(target, POPULATION, rng), rng)).least
    return Band(value, value, value, False, 1)


def band(key: str, toy: str, n: int) -> tuple[float, float]:
    """Where 19 of 20 perfect generators of a target score with n points."""
    perfect = _reference(key, toy, n).perfect
    return perfect.low, perfect.high


def scores(film: Film, step: int) -> list[Score]:
    """The metrics of the film's picture nearest to `step`, from the first POINTS generated and real points.

    Raises ValueError for a film without pictures.
    """
    if not len(film):
        raise ValueError("the film holds no picture")
    target = film.config.target()
    k = int(np.argmin(np.abs(film.step.astype(float) - step)))
    fake, real = film.samples[k][:POINTS].astype(float), film.real[:POINTS].astype(float)
    found: list[Score] = []
    if has_modes(target):
        report = mode_report(fake, target)
        values = {"modes": float(report.modes), "high_quality": report.quality, "reverse_kl": report.reverse_kl}
        found += [_score(key, values[key], film.config.toy, len(fake)) for key in MODE_KEYS]
    # the JS that the film holds, of many more points
    name = "JS" if film.exact else METRICS["js"].label
    found.append(
        Score(name, "lower", float(film.js[k]), Reference("js", POPULATION, PERFECT_JS, _noise(film.config.toy), ()))
    )
    for key in SAMPLE_KEYS:
        row = METRICS[key]
        extra = {"rng": np.random.default_rng(0)} if row.random else {}
        found.append(_score(key, float(row.function(real, fake, **extra)), film.config.toy, len(fake)))
    return found


def _score(key: str, value: float, toy: str, n: int) -> Score:
    row = METRICS[key]
    return Score(row.label, row.direction or "", value, _reference(key, toy, n))


def number(value: float) -> str:
    """A figure for the table; a dash where there is none."""
    return f"{value:.3g}" if math.isfinite(value) else "–"
