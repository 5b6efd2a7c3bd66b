"""A scene: what the stage draws, as pure data (numpy only). Kinds of layer: `layers`; what moves it: `controls`.

**Sweeps.** A field is a plain array or number, or `Swept({control: array[positions, ...]})`. While the hand moves a
control to position i, everything swept over it shows row i; the rest stays as it is. On release Python makes a new
scene around the new state, with the same `key`; what is on screen does not move.

**Markup** of formulas, labels and readout names: `[text|role]` colour, `_{}` and `^{}` sub- and superscript, `*x*`
italics, `{key}` the live number of a readout or control, `{key:.2f}` with a format (`f`, `e`, `%`, also `+.2f`; `.3g`
has three significant digits and turns to a power of ten where plain digits would hide them). A
backslash takes the next sign as it is. Nothing of it is HTML.

**Films.** A control of kind "time" plays. While a film grows, send scenes with `append_from=k`: they carry the rows k,
k+1, ... of everything swept over the time control (its `values` are complete). The component appends when it holds k
frames or more, else it asks for everything again (`Result.resync`). Frames may be sent twice; let messages overlap by
about a second, for a busy browser shows only the newest of several messages.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from gantoys.stage.channels import Array, Layer, Swept
from gantoys.stage.controls import FORMAT, Control, Readout, check_key
from gantoys.stage.layers import Draw, Text

__all__ = ["Animation", "Axis", "Control", "Panel", "Readout", "Scene", "Swept"]

SLOT = re.compile(r"(?<![_^\\])\{([^{}]*)\}")


@dataclass(frozen=True)
class Axis:
    """One side of a panel: fixed limits, a name, ticks (chosen when None; `ticks=()` for none), linear or log."""

    lo: float
    hi: float
    label: str = ""
    ticks: tuple[float, ...] | None = None
    tick_labels: tuple[str, ...] = ()
    log: bool = False
    visible: bool = True

    def __post_init__(self) -> None:
        if not (np.isfinite(self.lo) and np.isfinite(self.hi) and self.lo < self.hi):
            raise ValueError(f"an axis needs finite lo < hi, got {self.lo}, {self.hi}.")
        if self.log and self.lo <= 0:
            raise ValueError(f"a log axis needs lo > 0, got {self.lo}.")
        if self.tick_labels and len(self.tick_labels) != len(self.ticks or ()):
            raise ValueError(f"{len(self.ticks or ())} ticks but {len(self.tick_labels)} tick labels.")


@dataclass(frozen=True, eq=False)
class Panel:
    """One pair of axes and its layers, drawn in order, at (row, column) of a small grid; ratios share the room.

    `rows`: how many rows of the grid it fills, from `row` on. `lecture=False` leaves it out in lecture view, where type
    is large and room is short. `click`: the name under which a click or tap in the plot is reported, if it is.
    """

    x: Axis
    y: Axis
    layers: tuple[Layer, ...]
    row: int = 0
    column: int = 0
    rows: int = 1
    height_ratio: float = 1.0
    width_ratio: float = 1.0
    equal_aspect: bool = False
    title: str = ""
    lecture: bool = True
    click: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "layers", tuple(self.layers))
        if self.click:
            check_key(self.click)
        if not (0 <= self.row < 6 and 0 <= self.column < 6):
            raise ValueError(f"panel at row {self.row}, column {self.column}: allowed is 0 to 5.")
        if not 1 <= self.rows <= 6 - self.row:
            raise ValueError(f"panel at row {self.row} fills {self.rows} rows: allowed is 1 to {6 - self.row}.")
        if not (self.height_ratio > 0 and self.width_ratio > 0):
            raise ValueError("a panel's ratios must be positive.")
        for layer in self.layers:
            if isinstance(layer, Text) and not self._holds(layer):
                raise ValueError(f"the words {layer.text!r} stand outside of their panel.")

    def _holds(self, words: Text) -> bool:
        """Whether words that do not move stand in the panel."""
        sides = ((0.0, 1.0), (0.0, 1.0)) if words.frame else ((self.x.lo, self.x.hi), (self.y.lo, self.y.hi))
        places = zip((words.x, words.y), sides, strict=True)
        return all(isinstance(at, Swept) or lo <= at <= hi or np.isnan(at) for at, (lo, hi) in places)


@dataclass(frozen=True)
class Animation:
    """After arriving, move `control` from one value to another in `seconds`, through the computed positions.

    It runs once for each `token` (a counter makes it run again). With reduced motion it jumps to the end.
    """

    control: str
    start: float
    stop: float
    seconds: float = 2.0
    token: str = ""


@dataclass(frozen=True, eq=False)
class Scene:
    """The whole top of a lesson: panels, controls, readouts, formula. Cross-references are checked when it is made.

    `alt`: what the picture shows, in words, with live numbers (`{key}`). `key`: scenes with one key follow each other
    on the same picture without a blink. ValueError for unknown keys, sweeps of the wrong length, two layers to draw on.
    """

    key: str
    alt: str
    panels: tuple[Panel, ...]
    controls: tuple[Control, ...] = ()
    readouts: tuple[Readout, ...] = ()
    formula: str = ""
    title: str = ""
    animate: Animation | None = None
    append_from: int | None = None

    def __post_init__(self) -> None:
        check_key(self.key)
        for name in ("panels", "controls", "readouts"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
        if not self.panels:
            raise ValueError("a scene needs at least one panel.")
        if not self.alt.strip():
            raise ValueError("a scene needs a text alternative (alt).")
        keys = [c.key for c in self.controls] + [r.key for r in self.readouts]
        if len(set(keys)) != len(keys):
            raise ValueError(f"keys of controls and readouts must differ, got {sorted(keys)}.")
        places = [(row, p.column) for p in self.panels for row in range(p.row, p.row + p.rows)]
        if len(set(places)) != len(places):
            raise ValueError(f"two panels share a place: {sorted(places)}.")
        self._check_sweeps()
        self._check_slots(set(keys))
        bands = {r.band for r in self.readouts if r.band} - {r.key for r in self.readouts}
        if bands:
            raise ValueError(f"the band {min(bands)!r} is no readout of this scene.")
        self._check_hands()

    def layers(self) -> Iterator[Layer]:
        """Every layer of every panel."""
        return (layer for panel in self.panels for layer in panel.layers)

    def control(self, key: str) -> Control:
        """The control of that key; KeyError if there is none."""
        return {c.key: c for c in self.controls}[key]

    def sweeps(self) -> Iterator[tuple[str, Swept]]:
        """Name and value of everything that moves."""
        for layer in self.layers():
            yield from ((f"{layer.kind}.{name}", v) for name, v in layer.moving() if isinstance(v, Swept))
        yield from ((f"readout {r.key}", r.value) for r in self.readouts if isinstance(r.value, Swept))

    def _check_sweeps(self) -> None:
        expected = {c.key: len(np.asarray(c.values)) for c in self.controls}
        clocks = [c.key for c in self.controls if c.kind == "time"]
        if len(clocks) > 1:
            raise ValueError(f"a scene has one clock at most, got {clocks}.")
        if self.append_from is not None:
            if not clocks or not 0 <= self.append_from <= expected[clocks[0]]:
                raise ValueError(
                    f"append_from {self.append_from} needs a time control with at least as many positions."
                )
            expected[clocks[0]] -= self.append_from
        for name, swept in self.sweeps():
            for key, rows in swept.rows.items():
                if key not in expected:
                    raise ValueError(f"{name} is swept over {key!r}, which is no control of this scene.")
                if len(np.asarray(rows)) != expected[key]:
                    raise ValueError(
                        f"{name}: control {key!r} has {expected[key]} positions, its sweep {len(np.asarray(rows))}."
                    )

    def _check_slots(self, keys: set[str]) -> None:
        names = [c.label for c in self.controls] + [r.label for r in self.readouts] + [p.title for p in self.panels]
        axes = [a.label for p in self.panels for a in (p.x, p.y)]
        for text in (self.alt, self.formula, *names, *axes, *(t for layer in self.layers() for t in layer.texts())):
            for slot in SLOT.findall(text):
                key, _, form = slot.partition(":")
                if key not in keys or (form and not FORMAT.fullmatch(form)):
                    raise ValueError(
                        f"slot {{{slot}}} is no readout or control of this scene, or its format is unknown."
                    )

    def _check_hands(self) -> None:
        keys = {c.key for c in self.controls}
        clicks = [panel.click for panel in self.panels if panel.click]
        if len(set(clicks)) != len(clicks):
            raise ValueError(f"clicks on two panels have one name: {sorted(clicks)}.")
        if sum(isinstance(layer, Draw) for layer in self.layers()) > 1:
            raise ValueError("a scene can hold one layer to draw on.")
        if self.animate is not None and (self.animate.control not in keys or not 0 < self.animate.seconds <= 60):
            raise ValueError(
                f"animation of {self.animate.control!r} over {self.animate.seconds} s: unknown control or time."
            )


def at_rest(value: Any, scene: Scene) -> float | Array:
    """What a channel or number shows at the start positions of `scene`."""
    if not isinstance(value, Swept):
        return value if isinstance(value, float) else np.asarray(value)
    key, rows = next(iter(value.rows.items()))
    control = scene.control(key)
    behind = (scene.append_from or 0) if control.kind == "time" else 0
    if control.start < behind:
        raise ValueError(f"frame {control.start} is not in this part of the film, which begins at {behind}.")
    row = np.asarray(rows)[control.start - behind]
    return float(row) if row.ndim == 0 else row
