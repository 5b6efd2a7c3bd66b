"""Points from a file, with nothing taken on trust: an array of numpy (.npy), or a table of text (CSV and its kin)."""

import io
import math
import os
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

import numpy as np

from gantoys.maths.table_numbers import POINT, Numbers
from gantoys.maths.table_reader import read_table
from gantoys.maths.tables import Column, Table
from gantoys.metrics.samples import points

Array = np.ndarray
MAX_NUMBERS = 2_000_000
MAX_COLUMNS = 4096
TEXT_BYTES, TEXT_ROWS = 32 * 2**20, 500_000  # of a table of text on this machine's own disk: some seconds
_MAGIC = b"\x93NUMPY"
_KINDS = "fiu"  # real numbers: no objects, text, dates, records, complex numbers or truth values


def load_points(path: str | os.PathLike[str], columns: Sequence[str] | None = None) -> Array:
    """The points (n, d) in the file, float64: of all columns of numbers, or of those that `columns` names.

    Raises ValueError, in one sentence that names the file, as `load_table` and `gantoys.maths.tables.Table.points` do.
    """
    table = load_table(path)
    try:
        return table.points(columns, most=None).points
    except ValueError as error:
        raise ValueError(f"{Path(path).name}: {error}") from error


def load_table(path: str | os.PathLike[str]) -> Table:
    """The columns of a .npy file or of a table of text.

    Raises ValueError, in one sentence that names the file, unless it is a regular file and either text that
    `gantoys.maths.table_reader.read_table` reads, or in numpy's format. Of the latter it must hold exactly the numbers
    its header declares, of shape (n,) or (n, d) with n >= 1 and 1 <= d <= 4,096, 2,000,000 numbers in all, real and
    finite. Object arrays are refused unread: unpickling them runs code.
    """
    name = Path(path).name
    try:
        if not Path(path).is_file():
            what = "is not a regular file" if Path(path).exists() else "does not exist"
            raise ValueError(f"{name} {what}")
        with open(path, "rb") as file:
            begin = file.read(len(_MAGIC))
            file.seek(0)
            if begin == _MAGIC or name.lower().endswith(".npy"):
                return _of_array(_array(file, name))
            data = file.read(TEXT_BYTES + 1)
    except OSError as error:
        raise ValueError(f"{name} cannot be read: {error.strerror or error}") from error
    try:
        return read_table(data, most_bytes=TEXT_BYTES, most_rows=TEXT_ROWS)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from error


def table_of(data: bytes) -> Table:
    """The columns of an uploaded file, whatever it is called. Raises ValueError as `load_table`, with lower bounds."""
    return _of_array(_array(io.BytesIO(data), "the file")) if data.startswith(_MAGIC) else read_table(data)


def _of_array(x: Array) -> Table:
    """The columns of points (n, d); they have no names."""
    columns = tuple(Column(k + 1, "", "numbers", Numbers(x[:, k], (), POINT, True)) for k in range(x.shape[1]))
    what = f"{len(x):,} row{'s' * (len(x) != 1)} of {x.shape[1]} column{'s' * (x.shape[1] != 1)}, an array of numpy."
    return Table(columns, np.arange(1, len(x) + 1), (what,))


def _array(file: BinaryIO, name: str) -> Array:
    _check(file, name)
    file.seek(0)
    # from the same open file that was checked, and not more of it than was
    return points(np.load(file, allow_pickle=False), f"the points of {name}")


def _check(file: BinaryIO, name: str) -> None:
    shape, dtype = _header(file, name)
    if dtype.hasobject:
        raise ValueError(f"{name} holds Python objects, which are not read: save an array of numbers")
    if dtype.kind not in _KINDS:
        raise ValueError(f"{name} holds {dtype}, not real numbers")
    if len(shape) not in (1, 2) or 0 in shape:
        raise ValueError(f"{name} must hold points of shape (n,) or (n, d) with n >= 1, got {shape}")
    if len(shape) == 2 and shape[1] > MAX_COLUMNS:
        raise ValueError(f"{name} has {shape[1]} coordinates a point: at most {MAX_COLUMNS} are allowed")
    count = math.prod(shape)  # Python's integers: a declared size cannot overflow
    if count > MAX_NUMBERS:
        raise ValueError(f"{name} declares {count} numbers: at most {MAX_NUMBERS} are allowed")
    here = file.tell()
    left = file.seek(0, io.SEEK_END) - here
    if left != count * dtype.itemsize:
        what = "is truncated" if left < count * dtype.itemsize else "has bytes behind its array"
        raise ValueError(f"{name} {what}: its header declares {count * dtype.itemsize} bytes, {left} follow")


def _header(file: BinaryIO, name: str) -> tuple[tuple[int, ...], np.dtype]:
    """Shape and type that the file declares; the file stands behind its header afterwards."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # headers of old numpy
            version = np.lib.format.read_magic(file)
            if version == (1, 0):
                shape, _, dtype = np.lib.format.read_array_header_1_0(file)
            elif version == (2, 0):
                shape, _, dtype = np.lib.format.read_array_header_2_0(file)
            else:
                raise ValueError("a version for records only")
    except Exception as error:  # the header is parsed as a Python literal, which fails in a dozen ways
        raise ValueError(f"{name} is not an array in numpy's .npy format") from error
    if any(not isinstance(side, int) or side < 0 for side in shape):
        raise ValueError(f"{name} is not an array in numpy's .npy format")
    return shape, dtype
