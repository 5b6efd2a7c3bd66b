"""What stands beside the picture: controls that the hand moves and readouts that follow."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from gantoys.stage.channels import Number, Swept, check_role, shape_of

KEY = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,63}")
FORMAT = re.compile(r"\+?(\.\d{1,2})?[feg%]")
KINDS = ("exact", "estimated", "lower bound", "trained")


@dataclass(frozen=True, eq=False)
class Control:
    """A slider (or a film's clock): a key, a name, and the positions it can take.

    `values` (positions,), increasing, at least 2 (a film may begin with 1); `start`: index of the state at rest.
    `digits`, `unit`: how its value is written. `visible=False`: moved by a handle or the keyboard only.
    `names`: words to show instead of the numbers. `report=False`: Python is not told on release.
    For kind "time": `film` names the recording (a new name starts anew), `fps` frames per second at 1x, `loop`,
    `autoplay`, `live` (growing: the view follows the newest frame unless scrubbed back). Its place is the browser's
    own; told to jump (`gantoys.stage.component.mount`) the film runs to `start` and stands there.
    """

    key: str
    label: str
    values: npt.ArrayLike
    start: int = 0
    unit: str = ""
    digits: int = 2
    kind: Literal["slider", "time"] = "slider"
    visible: bool = True
    role: str | None = None
    names: tuple[str, ...] = ()
    report: bool = True
    film: str = ""
    fps: float = 30.0
    loop: bool = False
    autoplay: bool = False
    live: bool = False

    def __post_init__(self) -> None:
        check_key(self.key)
        values = np.array(self.values, dtype=np.float64)
        values.setflags(write=False)
        object.__setattr__(self, "values", values)
        least = 1 if self.kind == "time" else 2
        if (
            values.ndim != 1
            or len(values) < least
            or not np.all(np.isfinite(values))
            or not np.all(np.diff(values) > 0)
        ):
            raise ValueError(
                f"control {self.key!r} needs at least {least} finite, increasing positions, got shape {values.shape}."
            )
        if not 0 <= self.start < len(values):
            raise ValueError(f"control {self.key!r} starts at {self.start}, allowed is 0 to {len(values) - 1}.")
        if self.kind not in ("slider", "time"):
            raise ValueError(f"control kind {self.kind!r} is not slider or time.")
        if self.names and len(self.names) != len(values):
            raise ValueError(f"control {self.key!r} has {len(values)} positions but {len(self.names)} names.")
        if not 0 < self.fps <= 60:
            raise ValueError(f"fps {self.fps} is not in (0, 60].")
        check_role(self.role)

    @property
    def value(self) -> float:
        """Value at rest."""
        return float(np.asarray(self.values)[self.start])

    def nearest(self, value: float) -> int:
        """Index of the position nearest to `value`, which may lie outside the range."""
        return int(np.argmin(np.abs(np.asarray(self.values) - value)))


@dataclass(frozen=True, eq=False)
class Readout:
    """A live number: name, value, unit, and what kind of number it is. Infinity is shown as the sign, NaN as a dash.

    It is written with `digits` decimals, or as `form` says (`.3g`: see `scene`), unless a slot has a format of its own.
    A lower bound stands behind the sign "at least". band: the key of another readout, the half width of a band around
    this one, which is written behind it.
    """

    key: str
    label: str
    value: Number
    unit: str = ""
    kind: Literal["exact", "estimated", "lower bound", "trained"] = "exact"
    digits: int = 4
    role: str | None = None
    visible: bool = True
    form: str = ""
    band: str = ""

    def __post_init__(self) -> None:
        check_key(self.key)
        check_role(self.role)
        if self.form and not FORMAT.fullmatch(self.form):
            raise ValueError(f"readout {self.key!r}: format {self.form!r} is not like .2f, .1e, .3g or .1%.")
        if self.kind not in KINDS:
            raise ValueError(f"readout kind {self.kind!r} is not one of {', '.join(KINDS)}.")
        if not 0 <= self.digits <= 12:
            raise ValueError(f"digits {self.digits} is not in 0 to 12.")
        if shape_of(self.value) != ():
            raise ValueError(
                f"readout {self.key!r} needs a number (or one a position), got shape {shape_of(self.value)}."
            )
        if not isinstance(self.value, Swept):
            object.__setattr__(self, "value", float(self.value))


def check_key(key: str) -> None:
    """Raise ValueError for what cannot name a control, readout or scene."""
    if not isinstance(key, str) or not KEY.fullmatch(key):
        raise ValueError(f"key {key!r} must be a letter followed by letters, digits, - or _ (at most 64).")
