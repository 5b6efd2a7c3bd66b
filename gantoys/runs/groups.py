"""Which seeds of a run are trained together."""

from __future__ import annotations

from gantoys.runs.config import TrainConfig

NARROW, TOGETHER = 64, 8  # up to this width seeds share one product of matrices, so many at once


def groups(config: TrainConfig) -> list[range]:
    """The members 0..seeds-1 of a run, in the groups that are trained together.

    Networks whose widest hidden layer has at most 64 units go in groups of 8: side by side they cost little more than
    one, because a step of so small a network is mostly overhead. Wider ones go alone: together they overflow the cache.
    The groups follow from the config only, never from the machine, for a sum taken in another order rounds differently:
    so every machine makes the same films.

    >>> groups(TrainConfig(seeds=10, width=32))
    [range(0, 8), range(8, 10)]
    """
    size = TOGETHER if max(config.width, config.width_d or config.width) <= NARROW else 1
    return [range(first, min(first + size, config.seeds)) for first in range(0, config.seeds, size)]
