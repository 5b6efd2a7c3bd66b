"""Several metrics of the same two sets of points, each with its error and what to know about it."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from gantoys.metrics.samples import Scored
from gantoys.metrics.table import METRICS, Metric

Array = np.ndarray


def scores(
    real: Array,
    fake: Array,
    keys: Sequence[str],
    knobs: Mapping[str, Mapping[str, Any]] | None = None,
    *,
    seed: int = 0,
) -> dict[str, Scored]:
    """The metrics of METRICS named by `keys`, of those that need samples only. knobs: of each, by its key.

    What several of them need is computed once. Where one cannot be told (too few points, repeated points, rounding) its
    value is NaN and its note says why: the others are told all the same. Each metric that draws lines or subsets has a
    state of its own from `seed`, so that none moves another one's. Raises KeyError for an unknown metric.
    """
    done: dict[tuple[Callable[..., Any], str], dict[str, Scored] | Scored] = {}
    found: dict[str, Scored] = {}
    for key in keys:
        row, given = METRICS[key], dict((knobs or {}).get(key, {}))
        work = (row.scored or row.function, repr(sorted(given.items())))
        if work not in done:
            done[work] = _worked(row, real, fake, given | ({"rng": np.random.default_rng(seed)} if row.random else {}))
        outcome = done[work]
        found[key] = outcome if isinstance(outcome, Scored) else outcome[key]
    return found


def _worked(row: Metric, real: Array, fake: Array, knobs: Mapping[str, Any]) -> dict[str, Scored] | Scored:
    """The values by key, or one without a value for all of them."""
    try:
        if row.scored is not None:
            return row.scored(real, fake, **knobs)
        return {row.key: Scored(row.function(real, fake, **knobs))}
    except ValueError as error:
        return Scored(float("nan"), None, str(error))
