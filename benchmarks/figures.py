"""What the benchmarks share: percentiles, the machine's load, and a table for people."""

import math
import os
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

RATE = "1/s"
LEAST_TURNS = 3


@dataclass(frozen=True)
class Row:
    """One figure: ours, the other way's, and the bounds that ours must keep, in `unit`; None where there is none.

    `times` says how many times better ours is where that was taken turn by turn, else it follows from the two figures;
    `least_times` is its bound.
    """

    name: str
    unit: str
    ours: float
    other: float | None = None
    most: float | None = None
    least: float | None = None
    times: float | None = None
    least_times: float | None = None

    @property
    def verdict(self) -> str:
        """ok or MISSED with the bounds; empty for a figure without one."""
        better = self.better if self.better is not None else math.nan
        bounds = [
            (self.most is None or self.ours <= self.most, self.most, "<= {:g}"),
            (self.least is None or self.ours >= self.least, self.least, ">= {:g}"),
            (self.least_times is None or better >= self.least_times, self.least_times, ">= {:g}x"),
        ]
        told = ", ".join(text.format(bound) for _, bound, text in bounds if bound is not None)
        return f"{'ok' if all(kept for kept, *_ in bounds) else 'MISSED'} ({told})" if told else ""

    @property
    def better(self) -> float | None:
        """How many times better ours is: faster where a time is measured, more where a rate is."""
        if self.times is not None:
            return self.times
        above, below = (self.ours, self.other) if self.unit == RATE else (self.other, self.ours)
        return above / below if above is not None and below else None

    @property
    def ratio(self) -> str:
        """The same for people."""
        if self.better is None:
            return ""
        return f"{self.better:.1f}x" if self.times is None else f"{self.better:.2f}x"


class Clock:
    """A budget of seconds: long series stop when their share is spent."""

    def __init__(self, seconds: float) -> None:
        self.end = time.monotonic() + seconds

    def left(self) -> bool:
        """Whether there is time for one more."""
        return time.monotonic() < self.end


def in_turns(ways: list[Callable[[], float]], clock: Clock) -> list[tuple[float, ...]]:
    """What each way gives, turn by turn while there is time; the first turn, which loads kernels, is not counted."""
    found: list[tuple[float, ...]] = []
    while len(found) <= LEAST_TURNS or clock.left():
        # to and fro, so that no way always comes after the same other one
        order = list(range(len(ways)))[:: 1 if len(found) % 2 else -1]
        values = {i: ways[i]() for i in order}
        found.append(tuple(values[i] for i in range(len(ways))))
    return found[1:]


def quantile(values: Iterable[float], share: float) -> float:
    """The smallest of the values that at least `share` of them do not exceed; NaN without values."""
    ranked = sorted(values)
    return ranked[math.ceil(share * len(ranked)) - 1] if ranked else float("nan")


def load() -> str:
    """Cores and load averages of 1, 5 and 15 minutes, as one line."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    if not hasattr(os, "getloadavg"):
        return f"{cores} cores, load unknown on this system"
    return f"{cores} cores, load " + " ".join(f"{value:.1f}" for value in os.getloadavg())


def number(value: float | None) -> str:
    """Three significant digits, whole numbers from 100 on."""
    if value is None or math.isnan(value):
        return "" if value is None else "none"
    return f"{value:.0f}" if abs(value) >= 100 or value == int(value) else f"{value:.3g}"


def table(rows: list[Row], *, other: str = "") -> str:
    """The rows in columns; `other` heads the column of the other way."""
    head = ("", "unit", "gantoys", other, "better" if other else "", "must hold")
    lines = [head] + [(r.name, r.unit, number(r.ours), number(r.other), r.ratio, r.verdict) for r in rows]
    widths = [max(len(line[i]) for line in lines) for i in range(len(head))]
    signs = [str.ljust, str.ljust, str.rjust, str.rjust, str.rjust, str.ljust]
    return "\n".join(
        "  " + "  ".join(sign(cell, w) for sign, cell, w in zip(signs, line, widths, strict=True)).rstrip()
        for line in lines
    )
