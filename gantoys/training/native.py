"""Native code: C compiled once on this machine, where it has a compiler. `GANTOYS_NATIVE=0` switches it off.

Each module that uses it does the same without: nothing depends on a compiler but the time it takes.
"""

from __future__ import annotations

import contextlib
import ctypes
import hashlib
import logging
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

from gantoys.runs.store import home

log = logging.getLogger(__name__)
COMPILE_SECONDS = 60.0
FLAGS = ("-O3", "-march=native", "-shared", "-fPIC")


@lru_cache(maxsize=8)
def library(source: Path, declare: Callable[[ctypes.CDLL], None], work: str) -> ctypes.CDLL | None:
    """The functions of a C file, or None where they cannot be had.

    declare: tells ctypes what they take and return. work: what goes on without them, for the warning.
    """
    if os.environ.get("GANTOYS_NATIVE") == "0" or sys.platform == "win32":
        return None
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        return None
    try:
        found = _loaded(source, compiler)
    except (OSError, RuntimeError, subprocess.SubprocessError) as error:
        log.warning("%s without native code: %s", work, error)
        return None
    declare(found)
    return found


def _loaded(source: Path, compiler: str) -> ctypes.CDLL:
    words = "\n".join([compiler, *FLAGS, _processor()]).encode()
    folder = home() / "native"
    path = folder / f"{hashlib.sha256(source.read_bytes() + words).hexdigest()[:32]}.so"
    if not path.exists():
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            _compile(source, compiler, path)
        except OSError:  # a disk that cannot be written: for this process only
            with tempfile.TemporaryDirectory(prefix="gantoys-") as temporary:
                path = Path(temporary) / path.name
                _compile(source, compiler, path)
                return ctypes.CDLL(str(path))
    return ctypes.CDLL(str(path))


def _compile(source: Path, compiler: str, path: Path) -> None:
    handle, part = tempfile.mkstemp(suffix=".so", dir=path.parent)
    os.close(handle)
    try:
        subprocess.run(
            [compiler, *FLAGS, str(source), "-o", part], check=True, capture_output=True, timeout=COMPILE_SECONDS
        )
        os.replace(part, path)
    finally:
        with contextlib.suppress(OSError):
            os.unlink(part)


def _processor() -> str:
    """What tells this processor from others: code for one need not run on another that shares the disk."""
    with contextlib.suppress(OSError):
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return "\n".join(dict.fromkeys(line for line in lines if line.startswith(("model name", "flags"))))
    return f"{platform.machine()} {platform.processor()}"
