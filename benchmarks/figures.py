"""What the benchmarks share: percentiles, the machine's load, and a table for people."""

import math
import os
import time
from collections.abc import Iterable
from dataclasses import dataclass

RATE = "1/s"


@dataclass(frozen=True)
class Row:
    """One figure: ours, the other way's, and the bound that ours must keep, in `unit`; None where there is none."""

    name: str
    unit: str
    ours: float
    other: float | None = None
    most: float | None = None
    least: float | None = None

    @property
    def verdict(self) -> str:
        """ok or MISSED with the bound; empty for a figure without one."""
        if self.most is None and self.least is None:
            return ""
        kept = (self.most is None or self.ours <= self.most) and (self.least is None or self.ours >= self.least)
        bound = f"<= {self.most:g}" if self.most is not None else f">= {self.least:g}"
        return f"{'ok' if kept else 'MISSED'} ({bound})"

    @property
    def ratio(self) -> str:
        """How many times better ours is: faster where a time is measured, more where a rate is."""
        above, below = (self.ours, self.other) if self.unit == RATE else (self.other, self.ours)
        return f"{above / below:.1f}x" if above is not None and below else ""


class Clock:
    """A budget of seconds: long series stop when their share is spent."""

    def __init__(self, seconds: float) -> None:
        self.end = time.monotonic() + seconds

    def left(self) -> bool:
        """Whether there is time for one more."""
        return time.monotonic() < self.end


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
    if value is None:
        return ""
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
