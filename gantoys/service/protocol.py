"""A preset's films judged by its protocol, beside what the paper reports."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from gantoys.metrics.modes import mode_report
from gantoys.runs.film import Film
from gantoys.runs.presets import Preset


def judged(preset: Preset, films: Sequence[Film]) -> dict[str, Any]:
    """The figures of the films' last frames by the preset's rule, as values that JSON can hold.

    figures: by name `mean`, `standard_error` over the films (None for one film; a film without a good point has no
    reverse KL and is left out of its mean: `n` says how many count) and the `published` mean and standard error.
    budget: "full", or how much shorter than the protocol these runs are; figures of a short run are not comparable.
    """
    reports = [mode_report(film.samples[-1], film.config.target(), preset.rule) for film in films if len(film)]
    rows = {
        "modes": [float(r.modes) for r in reports],
        "high_quality": [r.quality for r in reports],
        "reverse_kl": [r.reverse_kl for r in reports],
    }
    steps = min((int(film.step[-1]) for film in films if len(film)), default=0)
    wanted = preset.config.steps
    return {
        "preset": preset.key,
        "rule": preset.rule,
        "seeds": len(films),
        "protocol_seeds": preset.trials,
        "budget": "full" if steps >= wanted else f"short: {steps} of {wanted} steps",
        "published_row": preset.published.row,
        "reference": preset.reference,
        "differences": preset.differences,
        "figures": {name: _row(values, preset.published.figures[name]) for name, values in rows.items()},
    }


def _row(values: list[float], published: tuple[float, float]) -> dict[str, Any]:
    usable = [v for v in values if math.isfinite(v)]
    error = float(np.std(usable, ddof=1) / math.sqrt(len(usable))) if len(usable) > 1 else None
    return {
        "mean": float(np.mean(usable)) if usable else None,
        "standard_error": error,
        "n": len(usable),
        "published": {"mean": published[0], "standard_error": published[1]},
    }
