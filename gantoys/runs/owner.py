"""Whose a file is: a process holds a small file locked while it lives, and what it makes beside it bears its name.

A lock ends with the process, however that came about, and holds across containers that share a folder; a process id
does neither. Where files cannot be locked (Windows) nobody is known to be gone.
"""

from __future__ import annotations

import contextlib
import os
import threading
import uuid
from pathlib import Path

SUFFIX = ".owner"
_claims: dict[Path, tuple[int, str]] = {}
_lock = threading.Lock()


def claim(folder: Path) -> str:
    """This process's name in a folder, eight letters and digits; "" where no file can be locked there."""
    with _lock:
        if folder in _claims and (folder / f"{_claims[folder][1]}{SUFFIX}").exists():
            return _claims[folder][1]
        name = uuid.uuid4().hex[:8]
        try:
            held = os.open(folder / f"{name}{SUFFIX}", os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600)
        except OSError:
            return ""
        if not _lockable(held):
            os.close(held)
            with contextlib.suppress(OSError):
                os.unlink(folder / f"{name}{SUFFIX}")
            return ""
        _claims[folder] = held, name
        return name


def is_gone(folder: Path, name: str) -> bool:
    """Whether the process of that name was here and is not any more; False where that cannot be told."""
    try:
        file = os.open(folder / f"{name}{SUFFIX}", os.O_RDWR)
    except OSError:
        return False
    try:
        return _lockable(file)
    finally:
        os.close(file)


def names(folder: Path) -> list[str]:
    """The names of all processes that were in a folder, those that are gone too."""
    return [path.name.removesuffix(SUFFIX) for path in folder.glob(f"*{SUFFIX}")]


def forget(folder: Path, name: str) -> None:
    """Remove the name of a process that is gone, once nothing bears it any more."""
    with contextlib.suppress(OSError):
        os.unlink(folder / f"{name}{SUFFIX}")


def _lockable(file: int) -> bool:
    """Lock an open file; whether nobody else holds it."""
    try:
        import fcntl

        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (ImportError, AttributeError, OSError):
        return False
    return True
