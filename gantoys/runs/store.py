"""The films and training states on disk, each under the digest of its config, so that equal configs find one film.

The folder is `$GANTOYS_HOME/films`, or else `films` in the user's cache folder for gantoys. Where that cannot be
written (a disk that is full or only read) a private folder among the temporary files takes its place, or else one in
memory; what lies in the first one can still be read. All files together stay within a size, `GANTOYS_STORE_MB` or else
`limits.STORE_BYTES`: what has not been used for longest goes first.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import re
import shutil
import sys
import tempfile
import time
import uuid
import weakref
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from stat import S_ISDIR
from typing import Any

import numpy as np

from gantoys.runs import limits, owner, state_file
from gantoys.runs.config import TrainConfig
from gantoys.runs.film import Film

log = logging.getLogger(__name__)
STALE_SECONDS = 86_400.0  # an unfinished file that old belongs to a process that is gone
SLACK = 64  # the share of the size, 1/64, that may be written before the folder is measured again
_MEMORY = Path("/dev/shm")  # where there is Linux: files that take no disk
_ROOM_BYTES = 16 * 2**20  # more than a state and the frames until the next one take, as a rule
FULL = (errno.ENOSPC, errno.EDQUOT)
_TEMPORARY = "gantoys-films-"
_PROBE_BYTES = 65_536  # on a full disk a file can still be made, only not filled
# nothing but these and unfinished films is ever removed, whatever folder somebody names
_OURS = re.compile(r"[0-9a-f]{64}[0-9a-z.-]*\.(film|state|tmp)|.*\.part")
_TELLING = ("step", "loss_d", "loss_g", "seconds")  # two films that agree in these are one
_STATE = re.compile(r"([0-9a-f]{64})-(\d+)-(\d+)-(\d+)\.state")


def home() -> Path:
    """The folder that gantoys keeps its files in: `$GANTOYS_HOME`, else the platform's cache folder for gantoys."""
    if given := os.environ.get("GANTOYS_HOME"):
        return Path(given).expanduser()
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local") / "gantoys" / "Cache"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "gantoys"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "gantoys"


def store_bytes() -> int:
    """How large a store may grow: `$GANTOYS_STORE_MB` times 2^20, else `limits.STORE_BYTES`."""
    return _megabytes(os.environ.get("GANTOYS_STORE_MB", "").strip()) * 2**20


@cache  # a bad value is told once
def _megabytes(given: str) -> int:
    usual = limits.STORE_BYTES // 2**20
    if not given:
        return usual
    if not re.fullmatch(r"[0-9]{1,9}", given) or int(given) < 1:
        log.warning("GANTOYS_STORE_MB is %.40r, not a whole number of megabytes: %d are taken", given, usual)
        return usual
    return int(given)


def numbered(path: Path, number: int) -> Path:
    """The name for one of several: `out.film` becomes `out-3.film`."""
    return path.with_name(f"{path.stem}-{number}{path.suffix}")


@dataclass(frozen=True)
class State:
    """What training knew after `step` steps: `arrays` as the loop keeps them, `seconds` of training until then."""

    step: int
    arrays: dict[str, np.ndarray]
    seconds: float


class Store:
    """Films and states under the digests of their configs. Safe to use from several processes at once.

    size: how many bytes all files together may have (default: `store_bytes`). moves: whether another place is looked
    for where this one cannot be written.
    """

    def __init__(self, folder: Path | None = None, *, size: int | None = None, moves: bool = True) -> None:
        self.folder = folder if folder is not None else _home_films()
        self.size = size if size is not None else store_bytes()
        self._earlier: list[Path] = []
        self._written = 0
        if not _writable(self.folder) and moves and not self.move():
            log.warning("films cannot be kept: neither %s nor any other place can be written", self.folder)
        self.trim()

    @property
    def states(self) -> Path:
        """The folder of the states."""
        return self.folder / "states"

    def move(self, needed: int = 0) -> bool:
        """To a place that can be written and has so many bytes free; whether there is one.

        What is here can still be read.
        """
        for base in (None, _MEMORY):
            with contextlib.suppress(OSError):
                clear_temporary(base)
                # mkdtemp: nobody else can have put anything there before us
                replacement = Path(tempfile.mkdtemp(prefix=_TEMPORARY, dir=base))
                if _writable(replacement) and free_bytes(replacement) >= needed:
                    log.warning("films cannot be kept in %s; they are kept in %s for now", self.folder, replacement)
                    owner.claim(replacement)
                    self._earlier.insert(0, self.folder)
                    self.folder = replacement
                    self.size = self.size if base is None else min(self.size, limits.MEMORY_BYTES)
                    return True
                replacement.rmdir()
        return False

    def make_room(self, needed: int, *, but: str = "") -> bool:
        """On a disk that is full, remove what was used least recently until so many bytes are free; whether they are.

        Files whose names begin with `but`, where it is given, and those that grow stay.
        """
        for _, path in sorted((stat.st_mtime_ns, path) for path, stat in self._files() if not _grows(path)):
            if free_bytes(self.folder) >= needed:
                break
            if not but or not path.name.startswith(but):
                _remove(path)
        return free_bytes(self.folder) >= needed

    def path(self, config: TrainConfig, member: int | None = None) -> Path:
        """Where the finished film of a config is kept; of one member, if the config has several seeds.

        Without `member`: the name that all members' names begin with (the film itself, for one seed).
        """
        path = self.folder / f"{config.digest()}.film"
        return path if member is None or config.seeds == 1 else numbered(path, member)

    def part(self, config: TrainConfig) -> Path:
        """A new name under which a film of that config may grow; no other process is given the same.

        It tells whose it is (`gantoys.runs.owner`), so that what a process leaves can be told from what one writes.
        """
        mine = owner.claim(self.folder) or "nobody"
        return self.folder / f"{config.digest()}.{mine}.{uuid.uuid4().hex[:12]}.part"

    def find(self, config: TrainConfig, member: int = 0) -> Film | None:
        """The finished film of a config, or None. A damaged file is removed and counts as not there."""
        path = self.path(config, member)
        for folder in self._earlier:
            path = path if path.exists() else folder / path.name
        try:
            film = Film.load(path)
            if film.config == config and film.member == member and film.status in ("done", "diverged"):
                touch(path)
                return held_once(film)
            log.warning("the film %s is not what its name says; it is removed", path.name)
        except FileNotFoundError:
            if not path.exists():
                return None
            log.warning("the film %s is cut short; it is removed", path.name)
        except ValueError as error:
            log.warning("%s; it is removed", error)
        except OSError as error:
            log.warning("the film %s cannot be read: %s", path.name, error.strerror)
            return None
        _remove(path)
        return None

    def has(self, config: TrainConfig) -> bool:
        """Whether all films of a config are there, finished and whole."""
        return all(self.find(config, member) is not None for member in range(config.seeds))

    def keep(self, config: TrainConfig, members: range, step: int, arrays: Mapping[str, Any], seconds: float) -> None:
        """Keep what training knows after `step` steps. Raises OSError where the disk does, ValueError: too large."""
        self.states.mkdir(exist_ok=True)
        path = self.states / f"{config.training_digest(step)}-{members.start}-{members.stop}-{step}.state"
        try:
            size = state_file.save(path, arrays, {"seconds": round(seconds, 4), "step": step})
        except OSError as error:
            # of a disk that films and states keep full, those that nobody used go first
            if error.errno not in FULL or not self.make_room(_ROOM_BYTES, but=config.digest()):
                raise
            size = state_file.save(path, arrays, {"seconds": round(seconds, 4), "step": step})
        self._written += size
        if self._written > self.size // SLACK:
            self.trim()

    def state_before(self, config: TrainConfig, members: range, step: int) -> State | None:
        """The newest state of a config's members after at most `step` steps, or None.

        States of other configs count too, if up to there they are the same training: a longer run, a branch's parent.
        Damaged ones are removed and count as not there.
        """
        try:
            names = [match for entry in os.scandir(self.states) if (match := _STATE.fullmatch(entry.name))]
        except OSError:
            return None
        ours = [m for m in names if (m[2], m[3]) == (str(members.start), str(members.stop)) and int(m[4]) <= step]
        digests = {k: config.training_digest(k) for k in {int(m[4]) for m in ours}}
        for match in sorted(ours, key=lambda m: -int(m[4])):
            k = int(match[4])
            if match[1] != digests[k]:
                continue
            path = self.states / match[0]
            try:
                arrays, meta = state_file.load(path)
                if meta.get("step") != k:
                    raise ValueError(f"the state {path.name} is not what its name says")
                seconds = float(meta.get("seconds", 0.0))
            except (ValueError, TypeError) as error:
                log.warning("%s; it is removed", error)
                _remove(path)
            except OSError as error:
                log.warning("the state %s cannot be read: %s", path.name, error.strerror)
            else:
                touch(path)
                return State(k, arrays, seconds)
        return None

    def trim(self) -> None:
        """Remove what is left over from processes that are gone, and what was used least recently, down to the size.

        Files that are still growing stay. Another process may trim at the same time.
        """
        self._written = 0
        now, total, old = time.time(), 0, []
        for path, stat in self._files():
            total += stat.st_size
            if _grows(path):
                if now - stat.st_mtime > STALE_SECONDS and _remove(path):
                    total -= stat.st_size
            else:
                old.append((stat.st_mtime_ns, stat.st_size, path))
        # below the size by what several processes may write before they measure again
        for _, size, path in sorted(old, key=lambda row: row[0]):
            if total <= self.size - 4 * (self.size // SLACK):
                return
            if _remove(path):
                total -= size

    def _files(self) -> Iterator[tuple[Path, os.stat_result]]:
        for folder in (self.folder, self.states):
            with contextlib.suppress(OSError), os.scandir(folder) as entries:
                for entry in entries:
                    with contextlib.suppress(OSError):  # gone in the meantime
                        if _OURS.fullmatch(entry.name) and entry.is_file(follow_symlinks=False):
                            yield Path(entry.path), entry.stat(follow_symlinks=False)


_held: weakref.WeakValueDictionary[tuple[Any, ...], Film] = weakref.WeakValueDictionary()


def held_once(film: Film) -> Film:
    """This film as somebody in this process holds it already, if somebody does: a class that looks at one holds one."""
    key = (film.config, film.member, film.first, len(film), film.status, film.message)
    known = _held.get(key)
    if known is None or not all(np.array_equal(getattr(known, n), getattr(film, n)) for n in _TELLING):
        _held[key] = known = film
    return known


def clear_temporary(base: Path | None = None) -> None:
    """Remove the folders for films among the temporary files, or in `base`, that processes have left which are gone."""
    for folder in Path(base or tempfile.gettempdir()).glob(f"{_TEMPORARY}*"):
        with contextlib.suppress(OSError):
            stat = folder.lstat()
            if not S_ISDIR(stat.st_mode) or (hasattr(os, "getuid") and stat.st_uid != os.getuid()):
                continue
            known = owner.names(folder)
            old = not known and time.time() - stat.st_mtime > STALE_SECONDS
            if old or (known and all(owner.is_gone(folder, name) for name in known)):
                shutil.rmtree(folder, ignore_errors=True)


def free_bytes(folder: Path) -> int:
    """How many bytes can be written there; 0 where that is unknown."""
    try:
        return shutil.disk_usage(folder).free
    except OSError:
        return 0


def _grows(path: Path) -> bool:
    """Whether somebody may be writing that file."""
    return path.suffix in (".part", state_file.UNFINISHED)


def _writable(folder: Path) -> bool:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder, buffering=0) as file:
            return file.write(bytes(_PROBE_BYTES)) == _PROBE_BYTES
    except OSError:
        return False


def touch(path: Path) -> None:
    """Note that a file of the store is in use: it is then not the next to be removed."""
    with contextlib.suppress(OSError):  # a store that is only read
        os.utime(path)


def _remove(path: Path) -> bool:
    """Whether the file is gone: on Windows one that somebody reads stays, for the next time."""
    try:
        path.unlink(missing_ok=True)
    except OSError:
        return False
    return True


def _home_films() -> Path:
    try:
        return home() / "films"
    except RuntimeError:  # no home folder: a service account
        return Path(tempfile.gettempdir()) / "gantoys-no-home"
