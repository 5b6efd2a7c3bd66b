"""One run of the run service: what it is to do, who watches it, and how it stands."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO, TYPE_CHECKING

import numpy as np

from gantoys.runs.config import TrainConfig
from gantoys.runs.film import Film, read_new
from gantoys.runs.film_file import frozen
from gantoys.runs.store import Store, held_once, touch
from gantoys.service.process import Task, Worker
from gantoys.service.share import Share
from gantoys.service.shelf import discard, kept_path, open_longest, put_away

if TYPE_CHECKING:
    from gantoys.service.run_service import RunService

log = logging.getLogger(__name__)
ENDED = ("done", "diverged", "failed", "paused")


@dataclass(frozen=True)
class Status:
    """How it stands with a run.

    state: queued (also between two turns), starting, running, or one of ENDED. position: runs ahead in the queue, 0
    once it is started. message: a sentence, where the state needs one. seconds: estimated, until it begins or goes on;
    left: estimated, of training until the film is whole; None where there is nothing to go by.
    """

    state: str
    position: int = 0
    message: str = ""
    seconds: float | None = None
    left: float | None = None

    @property
    def ended(self) -> bool:
        return self.state in ENDED

    @property
    def words(self) -> str:
        """The state in words, such as "position 3 of the queue, about 8 s"."""
        if self.state == "queued":
            return f"position {self.position + 1} of the queue{_about(self.seconds)}"
        if self.ended:
            return self.message or self.state
        return f"{self.state}{_about(self.left)}{' left' if self.left is not None else ''}"


def _about(seconds: float | None) -> str:
    return "" if seconds is None else f", about {max(1, round(seconds))} s"


@dataclass(eq=False)
class Job:
    """A run that was asked for. task: of all its seeds. watchers: when each has looked last; lapsed: those who have
    not looked for a while, but have not let go either. ready: what an earlier run of this config has left is in its
    place, so that it may begin. before: that earlier run, while its workers have not stopped. rescues: how often room
    was made for it on a full disk."""

    task: Task
    store: Store
    shares: list[Share] = field(default_factory=list)
    state: str = "queued"
    message: str = ""
    ready: bool = False
    before: Job | None = None
    rescues: int = 0
    watchers: dict[str, float] = field(default_factory=dict)
    lapsed: set[str] = field(default_factory=set)

    @property
    def config(self) -> TrainConfig:
        return self.task.config

    @property
    def ended(self) -> bool:
        return self.state in ENDED

    @property
    def workers(self) -> list[Worker]:
        """Those at work on it."""
        return [share.worker for share in self.shares if share.worker is not None]

    @property
    def visitors(self) -> set[str]:
        """Who watches: a visitor may have several names that begin alike, up to a slash."""
        return {visitor(watcher) for watcher in self.watchers}

    def parts(self, member: int) -> list[Path]:
        """Where a member's film may be growing now."""
        earlier = [] if self.before is None else self.before.parts(member)
        return [share.task.of(share.task.part, member) for share in self.shares if member in share.members] + earlier

    def open(self, member: int) -> IO[bytes] | None:
        """Most of a member's film that there is now, opened to be read, or None. The caller closes it."""
        task = self.task
        return open_longest(self.parts(member), self.kept(member), task.of(task.film, member), task.config)

    def kept(self, member: int) -> Path:
        """Where a member's film lies while nobody trains it and it is not whole."""
        return kept_path(self.store, self.config, member)

    def place(self, member: int) -> Path | None:
        """Where most of a member's film is now, or None."""
        file = self.open(member)
        if file is None:
            return None
        with file:
            return Path(file.name)

    def begun(self) -> bool:
        """Whether any film is there, or growing."""
        return any(self.place(m) is not None for m in self.task.members)

    def bury(self) -> None:
        """Wait for the end of the workers, and put away what is unfinished."""
        for share in self.shares:
            if share.worker is not None:
                share.worker.end()
            put_away(share.task, self.store, share.members)


def visitor(watcher: str) -> str:
    """Whose name that is: "ann/2" and "ann/3" are two of ann's."""
    return watcher.partition("/")[0]


class Run:
    """One watcher's hold on a run. The run itself is shared by all who asked for the same config."""

    def __init__(self, service: RunService, job: Job, watcher: str) -> None:
        self._service, self._job, self.watcher = service, job, watcher

    @property
    def config(self) -> TrainConfig:
        return self._job.config

    def film_path(self, member: int = 0) -> Path:
        """Where a film is now: under its final name once it is whole, else where there is most of it (perhaps not
        yet)."""
        task = self._job.task
        return self._job.place(member) or task.of(task.part, member)

    def status(self) -> Status:
        """How it stands with the run. Looking keeps the run alive, and one that was paused meanwhile goes on."""
        return self._service._look(self)

    def film(self, from_frame: int = 0, member: int = 0) -> Film | None:
        """The frames from `from_frame` on that are there by now, or None before the first. Keeps the run alive.

        A film that was shown once does not get shorter, whatever becomes of the worker. member: which of the config's
        `seeds` runs.
        """
        status, file = self.status(), self._job.open(member)
        if file is None:
            return None
        with file:
            place = Path(file.name)
            try:
                film = read_new(file, from_frame)
            except OSError:  # its header is not whole yet
                return None
            except ValueError as error:
                log.warning("%s", error)
                discard(place, self._job.kept(member))
                return None
        if film.status in ("done", "diverged"):
            touch(place)
            return held_once(film)
        # what a turn or a worker's end has left: to those who watch, it is one film that grows
        state, message = ("stopped", status.message) if status.ended else ("running", "")
        return replace(film, status=state, message=message, seconds=frozen(np.empty(0, np.float32)))

    def leave(self) -> None:
        """Stop watching; the run is paused if nobody else watches."""
        self._service.leave(self.watcher)
