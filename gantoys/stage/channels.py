"""What moves in a scene: channels and numbers, plain or swept over controls; and the base of every layer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
ROLES = ("real", "fake", "disc", "theory", "muted", "accent", "warn", "text")
"""What a colour means: real data, generated data and generator, discriminator, theory (dashed), the neutral rest."""


@dataclass(frozen=True, eq=False)
class Swept:
    """A value that depends on controls: for each of them the whole sweep, the other controls held at rest.

    `rows[control]` has shape (positions, ...), row i being what is shown while that control stands at position i.
    All sweeps share the trailing shape; at the start positions all describe the same state.
    """

    rows: Mapping[str, npt.ArrayLike]

    def __post_init__(self) -> None:
        rows = {key: _numeric(value, f"sweep of {key!r}") for key, value in self.rows.items()}
        if not rows:
            raise ValueError("a Swept needs at least one control.")
        shapes = {row.shape[1:] for row in rows.values() if row.ndim}
        if any(row.ndim == 0 for row in rows.values()) or len(shapes) != 1:
            raise ValueError(
                f"sweeps of one value must agree after the first axis, got {[r.shape for r in rows.values()]}."
            )
        object.__setattr__(self, "rows", rows)

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one row."""
        return tuple(next(iter(self.rows.values())).shape[1:])  # type: ignore[union-attr]


Channel = npt.ArrayLike | Swept
Number = float | Swept


@dataclass(frozen=True, eq=False, kw_only=True)
class Layer:
    """What all layers share. `role` names the colour; `label` is written at the layer itself."""

    kind: ClassVar[str]
    channels: ClassVar[Mapping[str, int]] = {}
    """Name of each moving field and its number of dimensions at rest (0 for a number)."""
    role: str = "text"
    label: str = ""

    def __post_init__(self) -> None:
        check_role(self.role)
        for name, ndim in self.channels.items():
            value = _channel(getattr(self, name), f"{self.kind}.{name}", ndim)
            object.__setattr__(self, name, value)

    def moving(self) -> Iterator[tuple[str, Array | float | Swept]]:
        """Name and value of every channel and number that is given."""
        return ((name, getattr(self, name)) for name in self.channels if getattr(self, name) is not None)

    def texts(self) -> Iterator[str]:
        """Every string that may hold a live number."""
        yield self.label

    def still(self) -> dict[str, Any]:
        """The fields that do not move, by name."""
        return {f.name: getattr(self, f.name) for f in fields(self) if f.name not in self.channels}

    def _same_length(self, *names: str) -> None:
        shapes = {name: shape_of(getattr(self, name)) for name in names if getattr(self, name) is not None}
        if len(set(shapes.values())) > 1:
            raise ValueError(f"{self.kind} needs fields of one length, got {shapes}.")


def shape_of(value: Any) -> tuple[int, ...]:
    """Shape at rest of a channel or number."""
    return value.shape if isinstance(value, Swept) else np.shape(value)


def check_role(role: str | None) -> None:
    """Raise ValueError for a role that has no colour; None is no role."""
    if role is not None and role not in ROLES:
        raise ValueError(f"role {role!r} is not one of {', '.join(ROLES)}.")


def _numeric(value: npt.ArrayLike, name: str) -> Array:
    array = np.asarray(value)
    if array.dtype.kind not in "fiub":
        raise ValueError(f"{name} must hold real numbers, got {array.dtype}.")
    array = array.astype(np.float64) if array.dtype.kind != "f" else array.view()
    array.setflags(write=False)
    return array


def _channel(value: Any, name: str, ndim: int) -> Array | float | Swept | None:
    """A checked channel with read-only arrays; `ndim` 0 is a number, -1 a number or (n,)."""
    if value is not None and not isinstance(value, Swept):
        value = _numeric(value, name)
        value = float(value) if value.ndim == 0 else value
    if value is not None and ndim >= 0 and len(shape_of(value)) != ndim:
        raise ValueError(f"{name} needs {ndim} dimension(s) at rest, got shape {shape_of(value)}.")
    return value
