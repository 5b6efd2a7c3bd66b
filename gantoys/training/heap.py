"""Keeps freed memory with the process, where the C library would give it back to the system after each picture."""

from __future__ import annotations

import ctypes
import sys
from functools import cache

# of malloc.h; both thresholds in bytes
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
_TRIM, _MMAP = 256 * 2**20, 32 * 2**20


@cache  # once a process
def keep() -> bool:
    """Ask glibc to keep up to 256 MB of freed memory; whether it could be asked.

    The arrays of a picture have several sizes, so the top of the heap is freed and taken again each time, and every
    page of it is cleared by the system anew: that took longer than the networks' passes. No number changes by this.
    """
    if not sys.platform.startswith("linux"):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):  # another C library
        return False
    return bool(mallopt(_M_MMAP_THRESHOLD, _MMAP)) and bool(mallopt(_M_TRIM_THRESHOLD, _TRIM))
