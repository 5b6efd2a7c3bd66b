"""What a process asks of the system: freed memory, which is kept or given back, and how many files it may open."""

from __future__ import annotations

import contextlib
import ctypes
import sys
from functools import cache
from typing import Any

# of malloc.h; both thresholds in bytes
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8
_TRIM, _MMAP = 256 * 2**20, 32 * 2**20
FILES = 65_536  # more are of no use: a visitor takes four


def _library() -> Any:
    """The C library where it is glibc, else None."""
    if not sys.platform.startswith("linux"):
        return None
    library = ctypes.CDLL(None)
    return library if hasattr(library, "mallopt") and hasattr(library, "malloc_trim") else None


@cache  # once a process
def keep_freed() -> bool:
    """Ask glibc to keep up to 256 MB of freed memory; whether it could be asked.

    The arrays of a picture have several sizes, so the top of the heap is freed and taken again each time, and every
    page of it is cleared by the system anew: that took longer than the networks' passes. No number changes by this.
    """
    library = _library()
    if library is None:
        return False
    return bool(library.mallopt(_M_MMAP_THRESHOLD, _MMAP)) and bool(library.mallopt(_M_TRIM_THRESHOLD, _TRIM))


@cache
def one_heap() -> bool:
    """Ask glibc to serve all threads from one heap and to keep what they free until `give_back`; whether it could be.

    Else each of a class's threads takes one of many heaps, and what it frees stays there for that heap's next thread.
    """
    library = _library()
    return library is not None and bool(library.mallopt(_M_ARENA_MAX, 1)) and keep_freed()


def give_back() -> bool:
    """Give freed memory back to the system, wherever it lies; whether there was any."""
    library = _library()
    return library is not None and bool(library.malloc_trim(0))


@cache
def file_limit() -> int:
    """How many files this process may open, after asking for as many as it is allowed; 0 where nothing tells."""
    try:
        import resource
    except ImportError:  # Windows, which has no such limit
        return 0
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = FILES if hard == resource.RLIM_INFINITY else min(FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with contextlib.suppress(OSError, ValueError):  # a system that allows less than it says
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return FILES if soft == resource.RLIM_INFINITY else int(soft)
