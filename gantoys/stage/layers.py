"""What a panel can hold: one frozen dataclass for each kind of layer.

Every field that may move is a **channel** or a **number**: an array or float, or `Swept`. Coordinates are those of the
panel's axes. A `label` is written beside what it names; labels and texts may carry live numbers, `{key}` or `{key:.2f}`
of a readout or control, and the markup of `scene` (`p_{G}`, `*x*`, `D^{*}`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
import numpy.typing as npt

from gantoys.stage.channels import Channel, Layer, Number, Swept, check_role, shape_of


@dataclass(frozen=True, eq=False)
class Curve(Layer):
    """A line through (x, y), both (n,). NaN breaks it. Theory is dashed unless said otherwise.

    `label_at`: x near which the label is written (else a free place is found). `width` multiplies the usual width.
    """

    kind: ClassVar[str] = "curve"
    channels: ClassVar[Mapping[str, int]] = {"x": 1, "y": 1}
    x: Channel
    y: Channel
    dashed: bool | None = None
    width: float = 1.0
    label_at: float | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        self._same_length("x", "y")


@dataclass(frozen=True, eq=False)
class Area(Layer):
    """The ground between y and `base`, x, y (n,); `base` a number or (n,). `opacity` in [0, 1]."""

    kind: ClassVar[str] = "area"
    channels: ClassVar[Mapping[str, int]] = {"x": 1, "y": 1, "base": -1}
    x: Channel
    y: Channel
    base: Channel | Number = 0.0
    opacity: float = 0.16

    def __post_init__(self) -> None:
        super().__post_init__()
        self._same_length("x", "y", *(("base",) if shape_of(self.base) else ()))


@dataclass(frozen=True, eq=False)
class Points(Layer):
    """Dots at (x, y), both (n,). `size`: radius in pixels at normal size; NaN hides a dot; `hollow`: rings."""

    kind: ClassVar[str] = "points"
    channels: ClassVar[Mapping[str, int]] = {"x": 1, "y": 1}
    x: Channel
    y: Channel
    size: float = 2.4
    opacity: float = 0.6
    hollow: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        self._same_length("x", "y")


@dataclass(frozen=True, eq=False)
class Heatmap(Layer):
    """Values on a regular grid, (rows, columns); row 0 lies at the low end of y, column 0 at the low end of x.

    `x`, `y`: (low, high) edges that the grid fills. Diverging: the colour runs from the generated hue at `lo` through
    the ground colour at `mid` to the real hue at `hi`; sequential: from the ground at `lo` to the role's at `hi`.
    `contours`: levels drawn as thin lines (1/2 for a discriminator). `opacity`: strength of the full colour.
    """

    kind: ClassVar[str] = "heatmap"
    channels: ClassVar[Mapping[str, int]] = {"values": 2}
    values: Channel
    x: tuple[float, float]
    y: tuple[float, float]
    lo: float = 0.0
    mid: float = 0.5
    hi: float = 1.0
    scale: Literal["diverging", "sequential"] = "diverging"
    contours: tuple[float, ...] = ()
    opacity: float = 0.5

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.lo < self.mid < self.hi:
            raise ValueError(f"a heatmap needs lo < mid < hi, got {self.lo}, {self.mid}, {self.hi}.")
        if min(shape_of(self.values)) < 2:
            raise ValueError(f"a heatmap needs at least 2 x 2 values, got {shape_of(self.values)}.")


@dataclass(frozen=True, eq=False)
class Arrows(Layer):
    """Arrows from (x, y) to (x + scale dx, y + scale dy), all (n,)."""

    kind: ClassVar[str] = "arrows"
    channels: ClassVar[Mapping[str, int]] = {"x": 1, "y": 1, "dx": 1, "dy": 1}
    x: Channel
    y: Channel
    dx: Channel
    dy: Channel
    scale: float = 1.0
    width: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        self._same_length("x", "y", "dx", "dy")


@dataclass(frozen=True, eq=False)
class Bars(Layer):
    """Vertical bars, `values` (stack, n): at each of n places a stack, positive parts upward, negative ones downward.

    `roles` and `labels`: one for each part of the stack; `categories`: names of the n places under the axis.
    `at` (n,): places on the x axis (0, 1, ... by default); `base` (n,): where each stack starts (0);
    `digits`: writes each part's value on it with so many decimals. `width` and `opacity`: 1 is full.
    """

    kind: ClassVar[str] = "bars"
    channels: ClassVar[Mapping[str, int]] = {"values": 2, "at": 1, "base": 1}
    values: Channel
    roles: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    at: Channel | None = None
    base: Channel | None = None
    width: float = 0.6
    digits: int | None = None
    opacity: float = 0.85

    def __post_init__(self) -> None:
        if not isinstance(self.values, Swept) and np.ndim(self.values) == 1:
            object.__setattr__(self, "values", np.asarray(self.values)[None])
        super().__post_init__()
        stack, n = shape_of(self.values)
        object.__setattr__(self, "roles", self.roles or (self.role,) * stack)
        for name, names, size in (
            ("roles", self.roles, stack),
            ("labels", self.labels, stack),
            ("categories", self.categories, n),
        ):
            if names and len(names) != size:
                raise ValueError(f"bars with {size} {name} expected, got {len(names)}.")
        for role in self.roles:
            check_role(role)
        for name in ("at", "base"):
            value = getattr(self, name)
            if value is not None and shape_of(value) != (n,):
                raise ValueError(f"bars.{name} needs shape {(n,)}, got {shape_of(value)}.")

    def texts(self) -> Iterator[str]:
        yield from (self.label, *self.labels, *self.categories)


@dataclass(frozen=True, eq=False)
class Text(Layer):
    """Words at (x, y). `align`: which side of the words stands there. `frame`: x, y in [0, 1] of the panel instead."""

    kind: ClassVar[str] = "text"
    channels: ClassVar[Mapping[str, int]] = {"x": 0, "y": 0}
    x: Number
    y: Number
    text: str
    align: Literal["left", "center", "right"] = "center"
    size: float = 1.0
    frame: bool = False

    def texts(self) -> Iterator[str]:
        yield self.text


@dataclass(frozen=True, eq=False)
class Rule(Layer):
    """A straight line across the panel at x = `at` (axis "x", vertical) or y = `at` (axis "y", horizontal)."""

    kind: ClassVar[str] = "rule"
    channels: ClassVar[Mapping[str, int]] = {"at": 0}
    at: Number
    axis: Literal["x", "y"] = "y"
    dashed: bool = True
    width: float = 0.75


@dataclass(frozen=True, eq=False)
class Handle(Layer):
    """A dot to grab: dragging it along `axis` moves `control` to the position whose row lies nearest to the pointer.

    The coordinate along `axis` must be `Swept` over `control`.
    """

    kind: ClassVar[str] = "handle"
    channels: ClassVar[Mapping[str, int]] = {"x": 0, "y": 0}
    control: str
    x: Number
    y: Number
    axis: Literal["x", "y"] = "x"

    def __post_init__(self) -> None:
        super().__post_init__()
        along = self.x if self.axis == "x" else self.y
        if not isinstance(along, Swept) or self.control not in along.rows:
            raise ValueError(f"handle of {self.control!r} needs its {self.axis} swept over that control.")


@dataclass(frozen=True, eq=False)
class Draw(Layer):
    """A curve drawn by hand over the panel, y at the points of `x` (n,), kept in [lo, hi].

    The component sends it to Python as "drawn" while it is drawn and on release. `y` (n,): the curve so far; NaN where
    nothing is drawn. The scene may hold one.
    """

    kind: ClassVar[str] = "draw"
    channels: ClassVar[Mapping[str, int]] = {"x": 1, "y": 1}
    x: npt.ArrayLike
    lo: float
    hi: float
    y: npt.ArrayLike | None = None
    invitation: str = "Draw here"

    def __post_init__(self) -> None:
        super().__post_init__()
        self._same_length("x", "y")
        if isinstance(self.x, Swept) or isinstance(self.y, Swept) or not np.all(np.diff(np.asarray(self.x)) > 0):
            raise ValueError("a drawn curve needs plain arrays, x increasing.")
        if not self.lo < self.hi:
            raise ValueError(f"a drawn curve needs lo < hi, got {self.lo}, {self.hi}.")

    def texts(self) -> Iterator[str]:
        yield from (self.label, self.invitation)


LAYERS = {row.kind: row for row in (Curve, Area, Points, Heatmap, Arrows, Bars, Text, Rule, Handle, Draw)}
