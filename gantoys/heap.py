"""What the C library does with freed memory: a worker keeps it, the process that serves pages gives it back."""

from __future__ import annotations

import ctypes
import sys
from functools import cache
from typing import Any

# of malloc.h; both thresholds in bytes
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8
_TRIM, _MMAP = 256 * 2**20, 32 * 2**20


def _library() -> Any:
    """The C library where it is glibc, else None."""
    if not sys.platform.startswith("linux"):
        return None
    library = ctypes.CDLL(None)
    return library if hasattr(library, "mallopt") and hasattr(library, "malloc_trim") else None


@cache  # once a process
def keep() -> bool:
    """Ask glibc to keep up to 256 MB of freed memory; whether it could be asked.

    The arrays of a picture have several sizes, so the top of the heap is freed and taken again each time, and every
    page of it is cleared by the system anew: that took longer than the networks' passes. No number changes by this.
    """
    library = _library()
    if library is None:
        return False
    return bool(library.mallopt(_M_MMAP_THRESHOLD, _MMAP)) and bool(library.mallopt(_M_TRIM_THRESHOLD, _TRIM))


@cache
def one_arena() -> bool:
    """Ask glibc to serve all threads from one heap; whether it could be asked.

    Else each of a class's threads takes one of many, and what it frees stays there for that heap's next thread.
    """
    library = _library()
    return library is not None and bool(library.mallopt(_M_ARENA_MAX, 1))


def give_back() -> bool:
    """Give freed memory back to the system, wherever it lies; whether there was any."""
    library = _library()
    return library is not None and bool(library.malloc_trim(0))
