"""The cells by which JS is bounded, looked for in native code (`cells.c`), where this machine can have it.

Integers alone: the numbers are those of numpy, whoever looks.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from gantoys.metrics.jensen_shannon import Cells
from gantoys.training import native

Array = np.ndarray
SOURCE = Path(__file__).with_name("cells.c")
_NUMBER, _POINTER = ctypes.c_int64, ctypes.c_void_p


def native_cells() -> Cells | None:
    """What stands for numpy's own `Cells`, or None where native code cannot be had."""
    return None if library() is None else Cells(_coded, _own, _others)


def library() -> ctypes.CDLL | None:
    """The compiled functions, or None where they cannot be had."""
    return native.library(SOURCE, _declare, "JS is bounded")


def _declare(library: ctypes.CDLL) -> None:
    same = (_NUMBER, _POINTER, _NUMBER, _NUMBER, _POINTER, _POINTER)  # counts, the most of them, beyond, room, out
    library.coded.argtypes, library.coded.restype = (*[_NUMBER] * 3, *[_POINTER] * 2, _NUMBER, *[_POINTER] * 2), None
    library.own.argtypes, library.own.restype = (_NUMBER, _NUMBER, _POINTER, _POINTER, *same), None
    library.others.argtypes, library.others.restype = (_NUMBER, *(_NUMBER, _POINTER) * 2, *same), None


def _coded(unit: Array, shifts: Array, table: Array, bits: int) -> Array:
    """`coded`."""
    found = library()
    assert found is not None
    unit, shifts = (np.ascontiguousarray(x, np.float64) for x in (unit, shifts))
    if len(unit) > shifts.shape[1] or table.shape != (256,) or table.dtype != np.int64 or bits > 16:
        raise ValueError(f"native cells need a shift for each of {len(unit)} sides and int64s, got {shifts.shape}")
    shifts = np.ascontiguousarray(shifts[:, : len(unit)])
    out = np.zeros((len(shifts), unit.shape[1]), np.int64)
    found.coded(
        len(shifts), *unit.shape, unit.ctypes.data, shifts.ctypes.data, bits, table.ctypes.data, out.ctypes.data,
    )  # fmt: skip
    return out


def _own(order: Array, ranked: Array, counts: Sequence[int], beyond: int) -> Array:
    """`halvings_at_own`."""
    found = library()
    assert found is not None
    _checked(order, ranked, counts)
    if order.shape != ranked.shape:
        raise ValueError(f"codes need as many places, got {order.shape} and {ranked.shape}")
    (grids, n), count, most = ranked.shape, np.array(counts, np.int64), max(counts)
    room, out = np.empty(3 * (n + 2 * most), np.int64), np.zeros((len(counts), n), np.int64)
    found.own(
        grids, n, order.ctypes.data, ranked.ctypes.data,
        len(counts), count.ctypes.data, most, beyond, room.ctypes.data, out.ctypes.data,
    )  # fmt: skip
    return out


def _others(pool: Array, codes: Array, counts: Sequence[int], beyond: int) -> Array:
    """`halvings_at_others`."""
    found = library()
    assert found is not None
    _checked(pool, codes, counts)
    (grids, m), n, count, most = pool.shape, codes.shape[1], np.array(counts, np.int64), max(counts)
    room, out = np.empty(3 * (m + 2 * most) + n, np.int64), np.zeros((len(counts), n), np.int64)
    found.others(
        grids, m, pool.ctypes.data, n, codes.ctypes.data,
        len(counts), count.ctypes.data, most, beyond, room.ctypes.data, out.ctypes.data,
    )  # fmt: skip
    return out


def _checked(x: Array, y: Array, counts: Sequence[int]) -> None:
    """Native code reads what it is given: rows of as many grids, one after the other."""
    for a in (x, y):
        if a.ndim != 2 or a.dtype != np.int64 or not a.flags.c_contiguous:
            raise ValueError(f"native cells need whole rows of int64, got {a.dtype} of {a.shape}, strides {a.strides}")
    if len(x) != len(y) or min(counts) < 2:
        raise ValueError(f"as many grids twice and counts from 2, got {len(x)} and {len(y)} grids, {list(counts)}")
