"""The mode ledger over time: how much of p_G each mode holds, and when modes are born and lost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from gantoys.metrics.modes import MODE_RULES, PERFECT_QUALITY, has_modes
from gantoys.pictures.film_parts import Showing
from gantoys.pictures.lab_frames import mode_reports
from gantoys.runs.film import Film
from gantoys.stage.channels import Layer
from gantoys.stage.layers import Area, Curve, Heatmap, Points, Text
from gantoys.stage.scene import Axis, Panel, Readout, Swept

Array = np.ndarray
RULE = MODE_RULES["gantoys"]
DUE, TOP = 0.34, 0.64  # heights in a lane: of the law's own weight, and where a larger share is cut
WORDS, FOOT = 0.8, 0.12  # where the words of a lane stand; room below the lowest lane for its dots
MOST_LANES = 12  # that are high enough for a curve and words
STRIP_COLUMNS, STRIP_ROWS = 160, 6
MOST_NUMBERS = 30  # modes with a number in the plane
LONGEST_STORY = 4  # events that are all told


@dataclass(frozen=True)
class Event:
    """A mode is born (covered for the first time), lost, or back, seen in the picture after `step` steps."""

    step: int
    what: Literal["born", "lost", "back"]


@dataclass(frozen=True, eq=False)
class Story:
    """K pictures, M modes. shares (K, M): of the points near each mode; covered (K, M): by the rule RULE; due (M,): the
    share that a perfect generator has; events: those of each mode."""

    steps: Array
    shares: Array
    covered: Array
    due: Array
    events: tuple[tuple[Event, ...], ...]

    def count(self, *what: str) -> Array:
        """How many events of these kinds have happened until each picture (K,)."""
        at = np.array([e.step for events in self.events for e in events if e.what in what])
        return (at[None, :] <= self.steps[:, None]).sum(1).astype(float)


def story(film: Film) -> Story:
    """What becomes of each mode along a film with at least one picture; ValueError for a target without modes.

    A mode counts as covered when it holds a tenth of its due share of good points (`gantoys.metrics.modes`). Before
    the first picture none is.
    """
    reports, target = mode_reports(film), film.config.target()
    assert has_modes(target)
    covered = np.array([r.covered for r in reports], bool)
    shares = np.array([r.counts / max(1, r.n) for r in reports], float)
    return Story(
        film.step.astype(int),
        shares,
        covered,
        PERFECT_QUALITY * np.asarray(target.weights, float),
        tuple(_events(film.step, row) for row in covered.T),
    )


def _events(steps: Array, covered: Array) -> tuple[Event, ...]:
    """Where one mode (K,) changes sides."""
    found: list[Event] = []
    for k in np.flatnonzero(np.diff(covered.astype(int), prepend=0)):
        what: Literal["born", "lost", "back"] = "lost" if not covered[k] else "back" if found else "born"
        found.append(Event(int(steps[k]), what))
    return tuple(found)


def told(events: tuple[Event, ...]) -> str:
    """The events of one mode in words; of many the first, how often it was lost, and the last one.

    >>> told((Event(240, "born"), Event(1110, "lost"), Event(1300, "back")))
    'born at 240, lost at 1,110, back at 1,300'
    """
    if not events:
        return "never"
    if len(events) <= LONGEST_STORY:
        return ", ".join(f"{e.what} at {e.step:,}" for e in events)
    first, last, lost = events[0], events[-1], sum(e.what == "lost" for e in events)
    return f"born at {first.step:,}, lost {lost} times, {'last' if last.what == 'lost' else 'back'} at {last.step:,}"


def modes_panels(showing: Showing, rows: int) -> tuple[tuple[Panel, ...], tuple[Readout, ...]]:
    """The column beside the picture, `rows` high, and its numbers."""
    if not has_modes(showing.film.config.target()):
        return (_nothing(showing, rows),), ()
    told_all = story(showing.film)
    born, lost = told_all.count("born", "back"), told_all.count("lost")
    readouts = tuple(
        Readout(key, label, Swept({"step": values[showing.behind :]}), kind="trained", digits=0, role="fake")
        for key, label, values in (("born", "births so far", born), ("lost", "losses so far", lost))
    )
    draw = _lanes if len(told_all.due) <= MOST_LANES else _strips
    return (draw(showing, told_all, rows),), readouts


def _nothing(showing: Showing, rows: int) -> Panel:
    words = Text(x=0.5, y=0.5, text="This target has no separate modes to count.", frame=True)
    return showing.over_steps(Axis(0, 1, "mass of each mode", ticks=()), (words,), rows=rows)


def _lanes(showing: Showing, told_all: Story, rows: int) -> Panel:
    """One lane a mode, the first on top: its share over the steps, in units of the law's own weight."""
    steps, count = told_all.steps.astype(float), len(told_all.due)
    base = np.arange(count - 1, -1, -1.0)
    heights = DUE * np.minimum(told_all.shares / told_all.due, TOP / DUE) + base
    x = _runs(np.tile(steps, (count, 1)))
    floor = _runs(np.tile(base[:, None], (1, len(steps))))
    ends = _runs(np.tile([0.0, float(showing.film.config.steps)], (count, 1)))
    marks = _runs(np.tile(base[:, None] + DUE, (1, 2)))
    layers: list[Layer] = [
        Area(x=x, y=_runs(heights.T), base=floor, role="fake", opacity=0.45),
        Curve(x=x, y=_runs(heights.T), role="fake", width=0.45),
        Curve(x=ends, y=_runs(np.tile(base[:, None], (1, 2))), role="muted", dashed=False, width=0.35),
        Curve(x=ends, y=marks, role="theory", width=0.5),
        *_marks(told_all, base),
        *(
            Text(x=0.99, y=(b + WORDS + FOOT) / (count + FOOT), text=told(events), align="right", size=0.8, frame=True)
            for b, events in zip(base, told_all.events, strict=True)
        ),
    ]
    axis = Axis(
        -FOOT,
        float(count),
        "mass of each mode · dashed: its due share · ● born ○ lost",
        ticks=tuple(float(b + DUE) for b in base[::-1]),
        tick_labels=tuple(str(count - k) for k in range(count)),
    )
    return showing.over_steps(axis, layers, rows=rows)


def _strips(showing: Showing, told_all: Story, rows: int) -> Panel:
    """One strip a mode, the first on top, the stronger coloured the more of its due share it has; for many modes."""
    steps, count = told_all.steps.astype(float), len(told_all.due)
    layers: list[Layer] = []
    if len(steps) > 1:
        # pictures do not stand at equal distances: each column shows the newest one
        columns = np.linspace(0, steps[-1], STRIP_COLUMNS)
        at = np.searchsorted(steps, columns, side="right") - 1
        share = np.minimum(told_all.shares / told_all.due, 1.0)[at].T[::-1]
        share = np.repeat(share, STRIP_ROWS, axis=0)  # the stage smooths from cell to cell, which must not mix modes
        layers.append(
            Heatmap(values=share, x=(0.0, float(steps[-1])), y=(0.0, float(count)), role="fake", scale="sequential",
                    opacity=0.95)
        )  # fmt: skip
        inner = np.arange(1.0, count)
        ends = np.tile([0.0, float(showing.film.config.steps)], (count - 1, 1))
        layers.append(
            Curve(x=_runs(ends), y=_runs(np.tile(inner[:, None], (1, 2))), role="muted", dashed=False, width=0.25)
        )
    axis = Axis(
        0.0,
        float(count),
        "mass of each mode · full colour: its due share",
        ticks=tuple(k + 0.5 for k in range(count)),
        tick_labels=tuple(str(count - k) for k in range(count)),
    )
    return showing.over_steps(axis, layers, rows=rows)


def _marks(told_all: Story, base: Array) -> tuple[Layer, ...]:
    """A full dot where a mode is born or comes back, a ring where it is lost."""

    def at(*what: str) -> tuple[Array, Array]:
        places = [
            (e.step, b) for b, events in zip(base, told_all.events, strict=True) for e in events if e.what in what
        ]
        return (np.array(places, float).reshape(-1, 2)[:, 0], np.array(places, float).reshape(-1, 2)[:, 1])

    found: list[Layer] = []
    for what, hollow in ((("lost",), True), (("born", "back"), False)):
        x, y = at(*what)
        if len(x):
            found.append(Points(x=x, y=y, role="fake", size=3.0, opacity=1.0, hollow=hollow))
    return tuple(found)


def _runs(values: Array) -> Array:
    """Rows one after the other with a NaN after each."""
    return np.concatenate([values, np.full((len(values), 1), np.nan)], axis=1).ravel()


def mode_numbers(film: Film) -> tuple[Layer, ...]:
    """The number of each mode at its place in the plane."""
    target = film.config.target()
    if film.config.dim != 2 or not has_modes(target) or len(target.weights) > MOST_NUMBERS:
        return ()
    return tuple(
        Text(x=float(x), y=float(y), text=str(k + 1), role="real") for k, (x, y) in enumerate(np.asarray(target.locs))
    )
