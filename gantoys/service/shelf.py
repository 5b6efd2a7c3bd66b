"""Films that are not whole and that nobody is writing: kept until somebody asks for them again, and gone on with then.

They lie in the store beside the whole films, as `<digest>.paused.film`, and make room like any other file of the store.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import shutil
import struct
import time
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import IO

import numpy as np

from gantoys.runs import owner
from gantoys.runs.config import TrainConfig
from gantoys.runs.film import Film, read_new
from gantoys.runs.film_file import MAGIC, frame_fields, frozen, static_fields
from gantoys.runs.store import Store, numbered, touch
from gantoys.service.process import Task

log = logging.getLogger(__name__)
WHOLE = ("done", "diverged")
QUIET_SECONDS = 300.0  # a film that has not grown for so long is nobody's
PAUSED = "The run is paused, and goes on when somebody asks for it."
_FRAME, _TAG_AND_CHECKSUM = b"FRAM", 8


def shelf(store: Store, config: TrainConfig) -> Path:
    """What the names of a config's paused films begin with."""
    return store.folder / f"{config.digest()}.paused.film"


def kept_path(store: Store, config: TrainConfig, member: int) -> Path:
    """Where a member's film lies while nobody trains it and it is not whole."""
    base = shelf(store, config)
    return base if config.seeds == 1 else numbered(base, member)


def parts(store: Store, config: TrainConfig, member: int) -> list[Path]:
    """The films of a member that workers write, or that processes which are gone have left."""
    return [*store.folder.glob(f"{config.digest()}.*{'.part' if config.seeds == 1 else f'-{member}.part'}")]


def frames_in(path: Path, config: TrainConfig) -> int:
    """How many whole frames lie in a film of that config, from its size alone; 0 if it cannot be read."""
    try:
        with path.open("rb") as file:
            return _count(file, config)
    except OSError:
        return 0


def _count(file: IO[bytes], config: TrainConfig) -> int:
    head, size = file.read(len(MAGIC) + 4), os.fstat(file.fileno()).st_size
    if len(head) != len(MAGIC) + 4 or not head.startswith(MAGIC):
        return 0
    (length,) = struct.unpack("<I", head[len(MAGIC) :])
    begin = len(head) + length + 4 + sum(f.size for f in static_fields(config)) + 4
    frame = _frame_bytes(config)
    count = max(0, (size - begin) // frame)
    while count:  # a closing record may be as long as several frames
        file.seek(begin + (count - 1) * frame)
        if file.read(4) == _FRAME:
            break
        count -= 1
    return count


def film_bytes(config: TrainConfig) -> int:
    """How large one film of that config is once it is whole, but for its header."""
    statics = sum(f.size for f in static_fields(config))
    return statics + len(config.recorded_steps()) * _frame_bytes(config)


def _frame_bytes(config: TrainConfig) -> int:
    return sum(f.size for f in frame_fields(config)) + _TAG_AND_CHECKSUM


def put_away(task: Task, store: Store, members: Iterable[int]) -> None:
    """Keep what was written of a run, where it is more than what was kept before; with a whole film nothing is kept.

    task: of the whole run, with the name under which its films have grown.
    """
    base = shelf(store, task.config)
    for m in members:
        part, kept = task.of(task.part, m), task.of(base, m)
        with contextlib.suppress(OSError):  # what cannot be read or moved now stays where it is
            if task.of(task.film, m).exists():
                kept.unlink(missing_ok=True)
            elif part.exists():
                with part.open("rb") as file:
                    count = _count(file, task.config)
                if count > frames_in(kept, task.config):
                    carry(part, kept)
                    touch(kept)
            part.unlink(missing_ok=True)


def carry(film: Path, to: Path) -> None:
    """Give a film another name, also on another disk; it is never there in part. Raises OSError."""
    try:
        os.replace(film, to)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        copy = to.with_name(f"{to.name}.part")
        try:
            shutil.copyfile(film, copy)
            os.replace(copy, to)
        except OSError:
            copy.unlink(missing_ok=True)
            raise
        film.unlink(missing_ok=True)


def sweep(store: Store) -> None:
    """Put away what processes that are gone have left in the store, as what they were to be; what is damaged goes."""
    for name in owner.names(store.folder):
        if not owner.is_gone(store.folder, name):
            continue
        for part in store.folder.glob(f"*.{name}.*.part"):
            with contextlib.suppress(OSError):
                _keep_or_remove(part, store)
        if not list(store.folder.glob(f"*.{name}.*.part")):
            owner.forget(store.folder, name)


def _keep_or_remove(part: Path, store: Store) -> None:
    try:
        film = read_new(part)
    except (OSError, ValueError):  # no frame was written
        part.unlink(missing_ok=True)
        return
    whole, kept = store.path(film.config, film.member), kept_path(store, film.config, film.member)
    if whole.exists() or (film.status not in WHOLE and len(film) <= frames_in(kept, film.config)):
        part.unlink(missing_ok=True)
    else:
        carry(part, whole if film.status in WHOLE else kept)


def adopt(task: Task, store: Store) -> None:
    """Keep what processes that are gone have left of a run. A film that somebody still writes is copied, not taken."""
    base, config = shelf(store, task.config), task.config
    for m in task.members:
        kept = task.of(base, m)
        for part in parts(store, config, m):
            with contextlib.suppress(OSError, ValueError):
                longer = frames_in(part, config) > frames_in(kept, config)
                # a whole one is about to get its name, by the one who wrote it
                if read_new(part).status == "stopped" or time.time() - part.stat().st_mtime > QUIET_SECONDS:
                    if longer:
                        os.replace(part, kept)
                    else:
                        part.unlink()
                elif longer:
                    copy = store.part(config)
                    shutil.copyfile(part, copy)
                    os.replace(copy, kept)


def open_longest(parts: Iterable[Path], kept: Path, whole: Path, config: TrainConfig) -> IO[bytes] | None:
    """The film with most frames, opened to be read; None before there is anything. The caller closes it.

    Frames go from a part to what is kept, and from both to the whole film. In this order we look, and what is open
    stays as it is when it is renamed or removed: so no frame that was there before can be missed.
    """
    best, most = None, -1
    for place in (*parts, kept, whole):
        with contextlib.suppress(OSError):
            file = place.open("rb")
            try:
                count = _count(file, config)
            except OSError:
                file.close()
                raise
            if count > most or place is whole:
                best, other, most = file, best, count
            else:
                other = file
            if other is not None:
                other.close()
    if best is not None:
        best.seek(0)
    return best


def read_kept(store: Store, config: TrainConfig, member: int = 0) -> Film | None:
    """What lies there of a member's film that is not whole, with the status "stopped", or None.

    A whole film that has come meanwhile is given as it is. A damaged paused one is removed, as by `discard`.
    """
    kept = kept_path(store, config, member)
    file = open_longest(parts(store, config, member), kept, store.path(config, member), config)
    if file is None:
        return None
    with file:
        place = Path(file.name)
        try:
            film = read_new(file)
        except OSError:  # its header is not whole yet
            return None
        except ValueError as error:
            log.warning("%s", error)
            discard(place, kept)
            return None
    if film.config != config or film.member != member or not len(film):
        return None
    touch(place)
    if film.status in ("done", "diverged"):  # it became whole meanwhile
        return film
    return replace(film, status="stopped", message=PAUSED, seconds=frozen(np.empty(0, np.float32)))


def discard(place: Path, kept: Path) -> None:
    """Remove a damaged film if it is the paused one, which must not stand in the way of a new one."""
    if place == kept:
        with contextlib.suppress(OSError):
            place.unlink()
