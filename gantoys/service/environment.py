"""How Python processes of gantoys are started."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from gantoys.runs.store import store_bytes

ROOT = Path(__file__).resolve().parents[2]  # where the package lies: the process must find the same one
# for networks of this size two threads are many times slower than one; fewer arenas of memory do for one thread
LEAN = {
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MALLOC_ARENA_MAX": "1",
    # memory that a picture needs and frees is kept for the next one: asking the system anew costs as much
    "MALLOC_MMAP_THRESHOLD_": str(64 * 2**20),
    "MALLOC_TRIM_THRESHOLD_": str(128 * 2**20),
}


def command(module: str, *arguments: str) -> list[str]:
    """The command that runs a module of gantoys. -P: a file torch.py in the current folder is not taken for torch."""
    return [sys.executable, "-P", "-m", module, *arguments]


def environment() -> dict[str, str]:
    """The environment of a process that trains."""
    path = os.pathsep.join(p for p in (str(ROOT), os.environ.get("PYTHONPATH", "")) if p)
    # the size as it was understood here: a bad value is not to be complained of by each process
    return {**os.environ, "PYTHONPATH": path, "GANTOYS_STORE_MB": str(store_bytes() // 2**20), **LEAN}
