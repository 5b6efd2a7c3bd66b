"""A scene as bytes, as the browser reads it: one message, no base64.

    offset 0   u32 little endian: length of the header in bytes
    offset 4   the header: JSON in UTF-8 (strict: no NaN), padded with spaces so that what follows is aligned
    then       the arrays, little endian, each aligned to 8 bytes

In the header `{"a": i}` stands for array i at rest and `{"s": {control: i}}` for sweeps; `arrays[i]` holds type, shape,
byte offset behind the header and, when quantised, the limits `lo`, `hi`: value = lo + (hi - lo) * code / (levels - 1).
The highest code of a quantised array means NaN.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from gantoys.shared import shared
from gantoys.stage.channels import Array, Layer, Swept
from gantoys.stage.controls import Control, Readout
from gantoys.stage.layers import Area, Arrows, Curve, Draw, Heatmap, Points
from gantoys.stage.scene import Animation, Panel, Scene

LIMIT = 32 * 2**20
"""Largest message in bytes (the server's own limit, 50 MB, lies above)."""
MARGIN = 2.0
"""How far beyond its axis a quantised line is kept, in lengths of the axis: a step is then 1/13,000 of the panel."""
LEVELS = {"u2": 65535, "u1": 255}
"""Codes that carry values: an odd number, so that the middle of the range is one; the type's last code means NaN."""


PANEL = ("row", "column", "rows", "height_ratio", "width_ratio", "equal_aspect", "title", "lecture", "click")


class _Arrays:
    """Collects arrays behind the header; the same array object is stored once."""

    def __init__(self, compact: bool) -> None:
        self.compact = compact
        self.rows: list[dict[str, Any]] = []
        self.parts: list[bytes] = []
        self.size = 0
        self.seen: dict[tuple[Any, ...], int] = {}
        self.held: list[Array] = []

    def add(self, array: Array, kind: str, lo: float = 0.0, hi: float = 1.0) -> int:
        """Store an array as f4, f8, or u2 or u1 over [lo, hi], and answer its number."""
        place = array.__array_interface__
        mark = (place["data"][0], place["strides"], array.shape, array.dtype, kind, lo, hi)
        if mark in self.seen:
            return self.seen[mark]
        row: dict[str, Any] = {"type": kind, "shape": list(array.shape), "offset": self.size}
        if kind in LEVELS:
            row |= {"lo": lo, "hi": hi}
            data = quantise(array, kind, lo, hi).tobytes()
        else:
            data = np.ascontiguousarray(array, dtype=f"<{kind}").tobytes()
        data += b"\0" * (-len(data) % 8)
        self.rows.append(row)
        self.parts.append(data)
        self.size += len(data)
        self.seen[mark] = len(self.rows) - 1
        self.held.append(array)  # so that its memory is not used again for another array meanwhile
        return len(self.rows) - 1

    def channel(self, value: Any, *form: Any) -> Any:
        """The header's entry for a channel or number; `form`: type and limits of its arrays (else float64)."""
        if isinstance(value, Swept):
            return {"s": {key: self.add(np.asarray(rows), *(form or ("f8",))) for key, rows in value.rows.items()}}
        return {"a": self.add(np.asarray(value, dtype=np.float64), *(form or ("f8",)))}


def quantise(array: Array, kind: str, lo: float, hi: float) -> Array:
    """Codes 0 .. levels - 1 over [lo, hi]: values outside are clipped, NaN is the type's last code.

    The error inside the limits is at most half a step, (hi - lo) / (levels - 1) / 2.
    """
    levels = LEVELS[kind]
    nan = np.isnan(array)
    scaled = (np.clip(np.where(nan, lo, array), lo, hi) - lo) * ((levels - 1) / (hi - lo))
    return np.where(nan, levels, np.rint(scaled)).astype(f"<{kind}")


@dataclass(frozen=True, eq=False)
class Packed:
    """A scene as it travels, the same for all who look at it, and what is needed to check what their hands report.

    text: the header without what differs from one showing to the next; arrays: what follows it. controls, panels
    (without their layers) and paper: where the hand may be.
    """

    key: str
    title: str
    text: str
    arrays: bytes
    digest: str
    animate: Animation | None
    controls: tuple[Control, ...]
    panels: tuple[Panel, ...]
    paper: Draw | None

    def message(self, view: dict[str, Any] | None = None) -> bytes:
        """The message for one showing; `view`: what belongs to it and not to the scene (height, lecture, echo)."""
        own = {"animate": asdict(self.animate) if self.animate else None, "view": view or {}}
        mark = hashlib.blake2b(json.dumps([self.digest, own["animate"]]).encode(), digest_size=12)
        head = json.dumps({"digest": mark.hexdigest()} | own, allow_nan=False, separators=(",", ":"))
        text = f"{head[:-1]},{self.text[1:]}".encode()
        text += b" " * (-(len(text) + 4) % 8)
        return b"".join([len(text).to_bytes(4, "little"), text, self.arrays])


def seal(scene: Scene, *, compact: bool = True) -> Packed:
    """The scene, packed. `compact` sends long channels as uint16 (readouts are always float64, heatmaps uint8).

    Raises ValueError above `LIMIT`.
    """
    arrays = _Arrays(compact)
    header: dict[str, Any] = {
        "key": scene.key,
        "title": scene.title,
        "alt": scene.alt,
        "formula": scene.formula,
        "append_from": scene.append_from,
        "panels": [_panel(panel, arrays) for panel in scene.panels],
        "controls": [_control(control, arrays) for control in scene.controls],
        "readouts": [_readout(readout, arrays) for readout in scene.readouts],
    }
    header["arrays"] = arrays.rows
    text = json.dumps(header, allow_nan=False, separators=(",", ":"), ensure_ascii=False)
    if len(text.encode()) + arrays.size > LIMIT:
        raise ValueError(
            f"scene {scene.key!r} is {(len(text) + arrays.size) / 2**20:.1f} MB, allowed is {LIMIT / 2**20:.0f} MB."
        )
    data = b"".join(arrays.parts)
    digest = hashlib.blake2b(text.encode(), digest_size=12)
    digest.update(data)
    return Packed(
        scene.key,
        scene.title,
        text,
        data,
        digest.hexdigest(),
        scene.animate,
        scene.controls,
        tuple(replace(panel, layers=()) for panel in scene.panels),
        next((layer for layer in scene.layers() if isinstance(layer, Draw)), None),
    )


def pack(scene: Scene, *, compact: bool = True, view: dict[str, Any] | None = None) -> bytes:
    """The message for a scene, as `seal` and `Packed.message` make it."""
    return seal(scene, compact=compact).message(view)


@shared
def packed(make: Callable[..., Scene], *args: Any, **options: Any) -> Packed:
    """The scene `make(*args, **options)`, packed, and made once for all sessions that show it.

    make: a function of a module, whose scene follows from its arguments alone, and these must be hashable.
    """
    return seal(make(*args, **options))


def unpack(message: bytes) -> tuple[dict[str, Any], list[npt.NDArray[np.float64]]]:
    """Header and decoded arrays of a message: what the browser sees."""
    length = int.from_bytes(message[:4], "little")
    header = json.loads(message[4 : 4 + length])
    arrays = []
    for row in header["arrays"]:
        size = int(np.prod(row["shape"], dtype=int))
        codes = np.frombuffer(message, f"<{row['type']}", size, 4 + length + row["offset"]).reshape(row["shape"])
        values = codes.astype(np.float64)
        if row["type"] in LEVELS:
            levels = LEVELS[row["type"]]
            values = row["lo"] + (row["hi"] - row["lo"]) * values / (levels - 1)
            values = np.where(codes == levels, np.nan, values)
        arrays.append(values)
    return header, arrays


def _panel(panel: Panel, arrays: _Arrays) -> dict[str, Any]:
    still = {name: getattr(panel, name) for name in PANEL}
    layers = [_layer(layer, panel, arrays) for layer in panel.layers]
    return still | {"x": asdict(panel.x), "y": asdict(panel.y), "layers": layers}


def _layer(layer: Layer, panel: Panel, arrays: _Arrays) -> dict[str, Any]:
    moving = {name: arrays.channel(value, *_form(layer, name, panel, arrays)) for name, value in layer.moving()}
    return {"kind": layer.kind} | layer.still() | moving


def _form(layer: Layer, name: str, panel: Panel, arrays: _Arrays) -> tuple[Any, ...]:
    """A byte for a heatmap's value (two with contours), two for lines and clouds, or float32, else float64."""
    if isinstance(layer, Heatmap):
        return ("u2" if layer.contours else "u1", layer.lo, layer.hi)
    if not isinstance(layer, Curve | Area | Points):
        return ("f4",) if isinstance(layer, Arrows) else ("f8",)
    axis = panel.x if name == "x" else panel.y
    margin = MARGIN * (axis.hi - axis.lo)
    return ("u2", axis.lo - margin, axis.hi + margin) if arrays.compact and not axis.log else ("f4",)


def _control(control: Control, arrays: _Arrays) -> dict[str, Any]:
    still = {name: value for name, value in vars(control).items() if name != "values"}
    return still | {"values": arrays.channel(control.values)}


def _readout(readout: Readout, arrays: _Arrays) -> dict[str, Any]:
    return {name: value for name, value in vars(readout).items() if name != "value"} | {
        "value": arrays.channel(readout.value)
    }
