"""The file of a film: how it is written, and how it is read with nothing taken on trust.

A film file is only ever appended to and holds numbers and JSON, no code:

    magic, 8 bytes | header length, u32 | header, JSON | CRC-32 of the header, u32
    the static arrays, one after the other | CRC-32 of them, u32
    per frame: "FRAM" | the arrays of the frame record | CRC-32 of both, u32
    at the end: "DONE" | length, u32 | JSON | CRC-32 of all three, u32

All numbers are little-endian. The header names every array with its type and shape, so a reader knows the size of each
frame before it reads one; it compares what the header promises with the limits and with the file's size first. Wall
times stand in the closing record alone: the same config gives the same bytes up to there.
"""

from __future__ import annotations

import json
import math
import os
import struct
import time
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np

from gantoys.runs import limits
from gantoys.runs.config import FILM_FORMAT, TrainConfig

Array = np.ndarray
MAGIC = b"GANFILM\n"
_FRAME, _DONE = b"FRAM", b"DONE"
_U32 = struct.Struct("<I")


@dataclass(frozen=True)
class Field:
    """One array in a film: its name, its little-endian type and its shape."""

    name: str
    dtype: str
    shape: tuple[int, ...]

    @property
    def size(self) -> int:
        return np.dtype(self.dtype).itemsize * math.prod(self.shape)


ARROWS = 200  # generated points, the first ones shown, at which the film keeps the way that G is told to go
SEEN = 200  # points, the first of a batch, that slow motion shows with what D says
SLOPES = 400  # points of each kind, the first ones shown, at which a film with a fixed law keeps D's slope
MESH = 13  # lines of the noise grid in each direction, in the plane
MESH_LINE = 129  # its points on the line
POPULATION, JUDGED = 4096, 2048  # points of either kind that tell JS, and those that tell the losses and V, at least
OUTER = 40  # cells on the line beyond the room on either side, ever wider ones
ERRORS = ("loss_d", "loss_g", "value", "js")  # numbers whose standard errors a frame holds, in this order


def static_fields(config: TrainConfig) -> tuple[Field, ...]:
    """The arrays that a film holds once."""
    real = Field("real", "<f2", (config.shown, config.dim))
    if config.dim == 1:
        cells = line_cells(config)
        return real, Field("edges", "<f4", (cells + 1,)), Field("density_real", "<f4", (cells,))
    return real, Field("grid_x", "<f4", (config.grid,)), Field("grid_y", "<f4", (config.grid,))


def line_cells(config: TrainConfig) -> int:
    """How many cells a film on the line has."""
    # a distribution that stays where it is has all its room from the start
    return 4 * config.grid + 1 + (0 if config.fake_law else 2 * OUTER)


def frame_fields(config: TrainConfig) -> tuple[Field, ...]:
    """The arrays of one frame. Half precision moves a point by 1/1000 at most, less than a pixel."""
    dim = config.dim
    # where G does not answer, D may leave it no gradient at all: half precision would end at 6e-8
    arrows = Field("arrows", "<f4" if config.fake_law else "<f2", (min(ARROWS, config.shown), dim))
    samples = Field("samples", "<f2", (config.shown, dim))
    if dim == 1:
        cells = (line_cells(config),)
        views: tuple[Field, ...] = (
            Field("logits", "<f4", cells),
            Field("density", "<f4", cells),
        )
        mesh = Field("mesh", "<f2", (MESH_LINE, 1))
    else:
        views = (Field("logits", "<f2", (config.grid, config.grid)),)
        mesh = Field("mesh", "<f2", (MESH, MESH, 2))
    own = Field("slopes", "<f4", (3, min(SLOPES, config.shown))) if config.fake_law else mesh
    numbers = ("loss_d", "loss_g", "value", "js", "d_real", "d_fake", "grad_d", "grad_g")
    slow = _slow_fields(config) if config.slow is not None else ()
    if config.eigenvalues:
        slow = tuple(Field(name, "<f4", (config.eigenvalues, 2)) for name in ("eigenvalues", "step_eigenvalues"))
    figures = (*(Field(name, "<f4", ()) for name in numbers), Field("errors", "<f4", (len(ERRORS),)))
    return Field("step", "<u4", ()), samples, arrows, *views, own, *figures, *slow


def _slow_fields(config: TrainConfig) -> tuple[Field, ...]:
    count = seen_count(config)
    seen, said = Field("seen", "<f4", (count, config.dim)), Field("said", "<f4", (count,))
    return Field("moment", "|u1", ()), seen, said, Field("told", "<f4", ())


def seen_count(config: TrainConfig) -> int:
    """Points of a batch that a film in slow motion keeps: whole packs of them."""
    return min(SEEN - SEEN % config.pac, config.batch)


class FilmReader:
    """Reads one film file from its start; every size is checked against the limits and the file before it is used."""

    def __init__(self, file: IO[bytes], name: str) -> None:
        self.file, self.name = file, name
        self.size = os.fstat(file.fileno()).st_size
        if self.size > limits.FILM_BYTES:
            raise ValueError(f"the film {name} has {self.size} bytes, at most {limits.FILM_BYTES} are read")

    def damaged(self, what: str) -> ValueError:
        return ValueError(f"the film {self.name} is damaged: {what}")

    def take(self, count: int) -> bytes:
        data = self.file.read(count) if self.file.tell() + count <= self.size else b""
        if len(data) != count:
            raise FileNotFoundError(f"the film {self.name} is not whole yet")
        return data

    def header(self) -> tuple[TrainConfig, int, list[Field], list[Field]]:
        """The config, which of its seeds the film shows, and the arrays that the file holds."""
        if self.take(len(MAGIC)) != MAGIC:
            raise ValueError(f"{self.name} is not a gantoys film")
        raw = self.take(4)
        (length,) = _U32.unpack(raw)
        if length > limits.FILM_HEADER:
            raise self.damaged(f"its header claims {length} bytes, at most {limits.FILM_HEADER} are read")
        text = self.take(length)
        if _U32.unpack(self.take(4))[0] != zlib.crc32(raw + text):
            raise self.damaged("the checksum of its header does not fit")
        try:
            header = json.loads(text)
            if header["format"] != FILM_FORMAT:
                raise ValueError(f"format {header['format']!r}")
            config = TrainConfig.read(json.dumps(header["config"]))
            member = header["member"]
            if type(member) is not int or not 0 <= member < config.seeds:
                raise ValueError(f"there is no seed number {member!r}")
            statics = [Field(n, t, tuple(s)) for n, t, s in header["statics"]]
            frames = [Field(n, t, tuple(s)) for n, t, s in header["frame"]]
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            raise ValueError(f"the film {self.name} cannot be read by this version: {error}") from None
        # the shapes follow from the config, so a header can promise nothing that the config's limits do not allow
        if tuple(statics) != static_fields(config) or tuple(frames) != frame_fields(config):
            raise ValueError(f"the film {self.name} cannot be read by this version: its arrays are others")
        return config, member, statics, frames

    def statics(self, schema: list[Field]) -> dict[str, Array]:
        data = self.take(sum(f.size for f in schema))
        if _U32.unpack(self.take(4))[0] != zlib.crc32(data):
            raise self.damaged("the checksum of its fixed arrays does not fit")
        arrays, at = {}, 0
        for f in schema:
            arrays[f.name] = frozen(np.frombuffer(data, f.dtype, math.prod(f.shape), at).reshape(f.shape))
            at += f.size
        return arrays

    def frames(self, schema: list[Field], from_frame: int) -> tuple[dict[str, Array], dict[str, Any] | None, int]:
        """Arrays over the whole frames from `from_frame` on, the closing record if there is one, bytes left over."""
        record = np.dtype([("tag", "S4"), *((f.name, f.dtype, f.shape) for f in schema), ("crc", "<u4")])
        rows: list[bytes] = []
        closing = None
        # frames that were read before are skipped by their size, if the last of them is there
        if from_frame:
            self.file.seek((from_frame - 1) * record.itemsize, os.SEEK_CUR)
            known = self.file.read(4) == _FRAME
            self.file.seek(record.itemsize - 4 if known else self.size, os.SEEK_CUR)
        while (tag := self.file.read(4)) == _FRAME and self.file.tell() - 4 + record.itemsize <= self.size:
            row = tag + self.file.read(record.itemsize - 4)
            if _U32.unpack(row[-4:])[0] != zlib.crc32(row[:-4]):
                raise self.damaged(f"the checksum of frame {from_frame + len(rows)} does not fit")
            rows.append(row)
        if tag == _DONE:
            closing = self.closing()
        elif len(tag) == 4 and tag != _FRAME:
            raise self.damaged(f"frame {from_frame + len(rows)} does not begin as a frame does")
        table = np.frombuffer(b"".join(rows), record)
        arrays = {f.name: frozen(np.ascontiguousarray(table[f.name])) for f in schema}
        if not all(np.all(np.isfinite(a)) for a in arrays.values()):
            raise self.damaged("it holds numbers that are not finite")
        return arrays, closing, (self.size - self.file.tell()) if closing is not None else 0

    def closing(self) -> dict[str, Any] | None:
        try:
            raw = self.take(4)
            (length,) = _U32.unpack(raw)
            if length > limits.FILM_CLOSING:
                raise self.damaged("its closing record is too long")
            text = self.take(length)
            crc = _U32.unpack(self.take(4))[0]
        except FileNotFoundError:
            return None  # not whole yet
        if crc != zlib.crc32(_DONE + raw + text):
            raise self.damaged("the checksum of its closing record does not fit")
        try:
            closing = json.loads(text)
        except (ValueError, RecursionError):
            closing = None
        if not isinstance(closing, dict):
            raise self.damaged("its closing record cannot be read")
        return closing


def frozen(array: Array) -> Array:
    """The array, made read-only."""
    array.flags.writeable = False
    return array


class FilmWriter:
    """Writes a film beside its final name and renames it when it is whole.

    `part` is where it grows (default: the path with `.part` added). Every record is one write, so a reader of the
    growing file sees whole frames. Raises OSError where the disk does.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        config: TrainConfig,
        statics: Mapping[str, Array],
        *,
        member: int = 0,
        part: str | os.PathLike[str] | None = None,
    ) -> None:
        self.path = Path(path)
        self.part = Path(part) if part is not None else self.path.with_name(self.path.name + ".part")
        self._schema, self.frames = frame_fields(config), 0
        self._seconds: list[float] = []
        header = {
            "format": FILM_FORMAT,
            "config": config.model_dump(mode="json"),
            "member": member,
            "statics": [(f.name, f.dtype, f.shape) for f in static_fields(config)],
            "frame": [(f.name, f.dtype, f.shape) for f in self._schema],
        }
        text = json.dumps(header, sort_keys=True, separators=(",", ":")).encode()
        length = _U32.pack(len(text))
        data = b"".join(_stored(f, statics[f.name]) for f in static_fields(config))
        self._file = self.part.open("wb", buffering=0)
        self._write(MAGIC + length + text + _U32.pack(zlib.crc32(length + text)) + data + _U32.pack(zlib.crc32(data)))

    def _write(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            view = view[self._file.write(view) :]

    def append(self, arrays: Mapping[str, Any], seconds: float) -> None:
        """Add one frame: an array for every name of `frame_fields`. Raises ValueError if one has another shape."""
        row = _FRAME + b"".join(_stored(f, arrays[f.name]) for f in self._schema)
        self._write(row + _U32.pack(zlib.crc32(row)))
        self._seconds.append(round(float(seconds), 4))
        self.frames += 1

    def finish(self, status: str, message: str = "") -> Path:
        """Write the closing record and give the film its final name; where it now lies.

        A stopped film keeps its unfinished name: it is not what its config asks for, so nobody may find it by that.
        """
        closing = {"status": status, "message": message[:500], "seconds": self._seconds}
        text = json.dumps(closing).encode()
        data = _DONE + _U32.pack(len(text)) + text
        self._write(data + _U32.pack(zlib.crc32(data)))
        os.fsync(self._file.fileno())
        self._file.close()
        if status == "stopped":
            return self.part
        for attempt in range(40):
            try:
                os.replace(self.part, self.path)
                break
            except PermissionError:  # Windows, while a reader has the file open
                if attempt == 39:
                    raise
                time.sleep(0.05)
        return self.path

    def close(self) -> None:
        """Stop without a closing record; the unfinished file stays under its `part` name."""
        self._file.close()


def _stored(field: Field, values: Any) -> bytes:
    array = np.asarray(values)
    if array.shape != field.shape:
        raise ValueError(f"{field.name} must have shape {field.shape}, got {array.shape}")
    if field.dtype == "<f2":
        # beyond the range of half precision a point is off every picture anyway
        array = np.clip(array, -65504.0, 65504.0)
    return array.astype(field.dtype).tobytes()
