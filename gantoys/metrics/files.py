"""Points from a .npy file, with nothing taken on trust: the header is checked before a number is read."""

import io
import math
import os
import warnings
from pathlib import Path
from typing import BinaryIO

import numpy as np

from gantoys.metrics.samples import points

Array = np.ndarray
MAX_NUMBERS = 2_000_000
MAX_COLUMNS = 4096
_KINDS = "fiu"  # real numbers: no objects, text, dates, records, complex numbers or truth values


def load_points(path: str | os.PathLike[str], *, most: int = MAX_NUMBERS) -> Array:
    """The array of a .npy file as points (n, d) in float64; (n,) becomes (n, 1).

    Raises ValueError, in one sentence that names the file, unless it is a regular file in numpy's format that holds
    exactly the numbers its header declares, of shape (n,) or (n, d) with n >= 1 and 1 <= d <= 4,096, `most` numbers in
    all, real and finite. Object arrays are refused unread: unpickling them runs code.
    """
    name = Path(path).name
    try:
        if not Path(path).is_file():
            what = "is not a regular file" if Path(path).exists() else "does not exist"
            raise ValueError(f"{name} {what}")
        with open(path, "rb") as file:
            _check(file, name, most)
            file.seek(0)
            # from the same open file that was checked, and not more of it than was
            array = np.load(file, allow_pickle=False)
    except OSError as error:
        raise ValueError(f"{name} cannot be read: {error.strerror or error}") from error
    return points(array, f"the points of {name}")


def _check(file: BinaryIO, name: str, most: int) -> None:
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
    if count > most:
        raise ValueError(f"{name} declares {count} numbers: at most {most} are allowed")
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
