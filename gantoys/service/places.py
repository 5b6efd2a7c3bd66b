"""Where the films of the command line lie, and what an earlier process left of them."""

from __future__ import annotations

import contextlib
import glob
import os
import sys
import time
from pathlib import Path

from gantoys.runs.config import TrainConfig
from gantoys.runs.film import read_new
from gantoys.runs.store import numbered

QUIET_SECONDS = 60.0  # a film that has not grown for so long is nobody's, even if a process of that number runs


def film_paths(path: str | os.PathLike[str], config: TrainConfig) -> list[Path]:
    """Where the films of a config go: `out.film` for one seed, `out-<seed>.film` each for more."""
    path = Path(path)
    if config.seeds == 1:
        return [path]
    return [numbered(path, config.seed + member) for member in range(config.seeds)]


def part_path(path: Path) -> Path:
    """Where the film for `path` grows. This process's number is in it: two must not write into one file."""
    return path.with_name(f"{path.name}.{os.getpid()}.part")


def unfinished(path: str | os.PathLike[str]) -> tuple[TrainConfig, Path]:
    """The config of the film at `path`, whole or not, and the path that was asked for when it was trained.

    Films that a process left unfinished when it died are first put in their places. `path` may also be what the names
    of several films begin with, or one of them. Raises ValueError or OSError when there is no film.
    """
    path = Path(path)
    others = path.parent.glob(f"{glob.escape(path.stem)}-*{glob.escape(path.suffix)}")
    for candidate in (path, *_parts(path), *sorted(others)):
        try:
            film = read_new(candidate)
        except FileNotFoundError:
            continue
        base = path
        if film.config.seeds > 1 and candidate == path:
            base = path.with_name(path.stem.removesuffix(f"-{film.seed}") + path.suffix)
        for member, place in enumerate(film_paths(base, film.config)):
            _restore(place, film.config, member, _parts(base))
        return film.config, base
    raise FileNotFoundError(f"there is no film {path}")


def _parts(path: Path) -> list[Path]:
    """Unfinished films on the way to `path`, without those that somebody is still writing."""
    parts = path.parent.glob(f"{glob.escape(path.name)}.*.part")
    return sorted(part for part in parts if not _in_use(part))


def _in_use(part: Path) -> bool:
    number = part.name.removesuffix(".part").rpartition(".")[2].partition("-")[0]
    try:
        if time.time() - part.stat().st_mtime > QUIET_SECONDS or not number.isdecimal() or int(number) == os.getpid():
            return False
        if sys.platform == "win32":
            return True  # there os.kill would do what its name says
        os.kill(int(number), 0)
    except PermissionError:
        return True
    except (OSError, OverflowError):
        return False
    return True


def _restore(place: Path, config: TrainConfig, member: int, parts: list[Path]) -> None:
    """Put the longest unfinished film of a member in its place, unless one as long is there."""
    best, length = place, 0
    for candidate in (place, *parts):
        with contextlib.suppress(OSError, ValueError):
            film = read_new(candidate)
            if film.config == config and film.member == member and len(film) > length:
                best, length = candidate, len(film)
    if best != place:
        os.replace(best, place)
