"""Who was better, over several seeds: means and spreads of what the runs end with, beside a perfect generator."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import special

from gantoys.metrics import PERFECT_JS, Band, has_modes, mode_report
from gantoys.pictures.compare_state import Entrant
from gantoys.runs.config import TrainConfig
from gantoys.runs.film import Film
from gantoys.service.bands import bands

SURE = 0.95  # how seldom luck alone may look so: a difference beyond this interval of Student's t is called more
_EVEN = {"frames": 11, "cadence": "even", "grid": 2}  # of films that are only judged by their last frame


@dataclass(frozen=True)
class Column:
    """A figure of the verdict. key: a metric of METRICS. digits: decimals. needs_modes: only where there are modes."""

    key: str
    label: str
    digits: int
    needs_modes: bool = True


COLUMNS = {
    row.key: row
    for row in (
        Column("modes", "modes", 1),
        Column("high_quality", "good points", 3),
        Column("reverse_kl", "reverse KL over modes", 3),
        Column("js", "JS", 3, needs_modes=False),
    )
}


@dataclass(frozen=True)
class Row:
    """One run over its seeds. values: by column, the figure of each seed, NaN where the seed diverged."""

    run: Entrant
    seeds: int
    diverged: int
    values: dict[str, np.ndarray]

    def mean(self, key: str) -> float:
        """The mean over the seeds that did not diverge; NaN where there are none."""
        usable = self._usable(key)
        return float(np.mean(usable)) if len(usable) else math.nan

    def spread(self, key: str) -> float:
        """Their standard deviation (with n - 1); NaN below two of them."""
        usable = self._usable(key)
        return float(np.std(usable, ddof=1)) if len(usable) > 1 else math.nan

    def _usable(self, key: str) -> np.ndarray:
        values = self.values[key]
        return values[np.isfinite(values)]


def trial(config: TrainConfig, seeds: int) -> TrainConfig:
    """The config whose films decide: the same training with `seeds` seeds from the run's own on, few frames."""
    return config.changed(seeds=seeds, **_EVEN)


def columns(config: TrainConfig) -> tuple[Column, ...]:
    """The figures that the target of a config allows."""
    modes = has_modes(config.target())
    return tuple(row for row in COLUMNS.values() if modes or not row.needs_modes)


def judge(run: Entrant, films: Sequence[Film]) -> Row:
    """The figures of the last frames of a run's films, one film a seed. Raises ValueError without a film."""
    if not films:
        raise ValueError("a verdict needs at least one film")
    keys = [column.key for column in columns(run.config)]
    rows = [_figures(film, keys) for film in films]
    values = {key: np.array([row[key] for row in rows], float) for key in keys}
    return Row(run, len(films), sum(film.status == "diverged" for film in films), values)


def _figures(film: Film, keys: Sequence[str]) -> dict[str, float]:
    if film.status == "diverged" or not len(film):
        return dict.fromkeys(keys, math.nan)
    fake, target = film.samples[-1].astype(float), film.config.target()
    found = {"js": float(film.js[-1])}
    if "modes" in keys:
        report = mode_report(fake, target)
        found |= {"modes": float(report.modes), "high_quality": report.quality, "reverse_kl": report.reverse_kl}
    return {key: found[key] for key in keys}


def perfect(config: TrainConfig) -> dict[str, Band] | None:
    """What a generator that draws from the target itself would get, by column, with as many points as a run shows.

    None while it is being worked out.
    """
    keys = [column.key for column in columns(config) if column.key != "js"]
    found = bands().find(config.toy, config.shown, keys) if keys else {}
    return None if found is None else {"js": PERFECT_JS} | {key: row.perfect for key, row in found.items()}


def against(first: Row, other: Row, key: str = "js") -> str:
    """How `other` stands to `first`, seed by seed, in a sentence: the mean of the differences and its standard error.

    Runs of one seed share their random numbers, so they are compared in pairs. By Student's t with n - 1 degrees of
    freedom (Student 1908) a mean difference within t standard errors is called luck: t = 12.7, 4.3, 3.2, ... 2.4 for
    n = 2, 3, 4, ... 8 pairs.
    """
    gap = other.values[key] - first.values[key]
    gap = gap[np.isfinite(gap)]
    name, label = other.run.letter, COLUMNS[key].label
    if len(gap) < 2:
        return f"{name} and {first.run.letter}: fewer than two seeds to compare, so nothing can be said about luck."
    mean, error = float(np.mean(gap)), float(np.std(gap, ddof=1) / math.sqrt(len(gap)))
    bound = float(special.stdtrit(len(gap) - 1, 0.5 + SURE / 2)) * error
    sure = "more than luck" if abs(mean) > bound else f"it may be luck, which alone reaches {bound:.3f}"
    way = "lower" if mean < 0 else "higher"
    return (
        f"**{name} against {first.run.letter}**: {label} is {way} by {abs(mean):.3f} ± {error:.3f} "
        f"(standard error over {len(gap)} pairs of equal seed): {sure}."
    )


def table(rows: Sequence[Row]) -> str:
    """The verdict as a Markdown table, the perfect generator's row last. Raises ValueError without rows."""
    if not rows:
        raise ValueError("a verdict needs at least one run")
    config = rows[0].run.config
    shown, best = columns(config), perfect(config)
    names = [c.label + (" at least" if c.key == "js" and not config.exact else "") for c in shown]
    lines = ["| run | " + " | ".join(names) + " | diverged |", "|---|" + "---|" * (len(shown) + 1)]
    for row in rows:
        cells = [_cell(row.mean(c.key), row.spread(c.key), c.digits) for c in shown]
        words = row.run.words or "as it is"
        lines.append(f"| **{row.run.letter}** {words} | " + " | ".join(cells) + f" | {row.diverged} of {row.seeds} |")
    found = [best.get(c.key) if best else None for c in shown]
    cells = [_of_perfect(band, c.digits) for band, c in zip(found, shown, strict=True)]
    later = "" if best is not None else ", in some seconds"
    lines.append(f"| *a perfect generator (19 of 20 of its draws{later})* | " + " | ".join(cells) + " | |")
    return "\n".join(lines)


def _cell(mean: float, spread: float, digits: int) -> str:
    if math.isnan(mean):
        return "–"
    return _number(mean, digits) + ("" if math.isnan(spread) else f" ± {_number(spread, digits)}")


def _of_perfect(band: Band | None, digits: int) -> str:
    if band is None:
        return "–"
    return f"{_number(band.mean, digits)} ({_number(band.low, digits)} to {_number(band.high, digits)})"


def _number(value: float, digits: int) -> str:
    """With a real minus sign, and none before a zero."""
    return f"{round(value, digits) + 0.0:.{digits}f}".replace("-", "−")
