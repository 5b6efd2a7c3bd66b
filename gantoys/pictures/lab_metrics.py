"""The points on screen by every metric, beside what a perfect generator and pure noise score with so many points."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from gantoys.maths.notation import parse
from gantoys.metrics import METRICS, PERFECT_JS, Band, Reference, mode_report, noise_box, uniform_noise
from gantoys.metrics.jensen_shannon import JSBound
from gantoys.metrics.modes import has_modes
from gantoys.metrics.score import scores
from gantoys.runs.film import Film
from gantoys.runs.film_file import POPULATION
from gantoys.service.bands import bands
from gantoys.shared import shared

MODE_KEYS = ("modes", "high_quality", "reverse_kl")
SAMPLE_KEYS = ("sliced_w2_squared", "mmd2", "frechet", "precision", "recall", "density", "coverage")
POINTS = 400  # of each set


@dataclass(frozen=True)
class Score:
    """key: in METRICS. value of the points on screen; NaN where it is not defined. note: why, or what to know about it.
    reference: None while it is being worked out, or where there is none. exact: whether a JS is no bound."""

    key: str
    value: float
    note: str = ""
    reference: Reference | None = None
    exact: bool = False

    @property
    def label(self) -> str:
        """The metric's."""
        return "Jensen-Shannon divergence" if self.exact else METRICS[self.key].label

    @property
    def better(self) -> str:
        """ "higher", "lower" or "" """
        return METRICS[self.key].direction or ""

    @property
    def perfect(self) -> bool:
        """Whether a perfect generator scores so in 19 of 20 draws."""
        return self.reference is not None and self.reference.perfect.holds(self.value)


@shared
def _noise(toy: str) -> Band:
    """The bound of JS that pure noise gets."""
    target, rng = parse(toy), np.random.default_rng(0)
    real = np.asarray(target.sample(POPULATION, rng)).reshape(POPULATION, -1)
    value = JSBound(real)(uniform_noise(POPULATION, noise_box(target, POPULATION, rng), rng)).least
    return Band(value, value, value, False, 1)


def table(film: Film, step: int) -> list[Score]:
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
        found += [Score(key, values[key]) for key in MODE_KEYS]
    # the JS that the film holds, of many more points
    js = Reference("js", POPULATION, PERFECT_JS, _noise(film.config.toy), ())
    found.append(Score("js", float(film.js[k]), reference=js, exact=film.exact))
    return found + [Score(key, scored.value, scored.note) for key, scored in scores(real, fake, SAMPLE_KEYS).items()]


def referred(rows: list[Score], toy: str, points: int) -> tuple[list[Score], bool]:
    """The scores beside their references, and whether these are there; else they are being worked out.

    points: how many each set of the scores has.
    """
    known = bands().find(toy, points, [row.key for row in rows if row.reference is None])
    if known is None:
        return rows, False
    return [replace(row, reference=row.reference or known.get(row.key)) for row in rows], True


def number(value: float) -> str:
    """A figure for the table; a dash where there is none."""
    return f"{value:.3g}" if math.isfinite(value) else "–"


def points_of(film: Film) -> int:
    """How many points of each set are scored."""
    return min(POINTS, film.samples.shape[1], len(film.real))
