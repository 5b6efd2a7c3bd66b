"""One run of the run service: what it is to do, who watches it, and how it stands."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from gantoys.runs.config import TrainConfig
from gantoys.runs.film import Film, read_new
from gantoys.runs.store import touch
from gantoys.service.process import Task, Worker

if TYPE_CHECKING:
    from gantoys.service.run_service import RunService

log = logging.getLogger(__name__)
ENDED = ("done", "diverged", "failed", "stopped")


@dataclass(frozen=True)
class Status:
    """state: queued, starting, running, or one of ENDED. position: runs ahead in the queue, 0 once it is started.
    message: a sentence, where the state needs one."""

    state: str
    position: int = 0
    message: str = ""

    @property
    def ended(self) -> bool:
        return self.state in ENDED


@dataclass(eq=False)
class Job:
    """A run that was asked for. task: what the latest attempt does; left: what earlier ones left unfinished."""

    task: Task
    state: str = "queued"
    message: str = ""
    worker: Worker | None = None
    attempts: int = 0
    started: float = 0.0
    watchers: dict[str, float] = field(default_factory=dict)
    left: list[Task] = field(default_factory=list)

    @property
    def config(self) -> TrainConfig:
        return self.task.config

    def exists(self, member: int) -> bool:
        """Whether the film of a member has its final name."""
        return self.task.of(self.task.film, member).exists()

    def missing(self) -> range:
        """The members from the first one on whose film is not whole."""
        members = self.task.members
        return range(next((m for m in members if not self.exists(m)), members.start), members.stop)

    def begun(self) -> bool:
        """Whether all films that are not whole are at least growing."""
        return any(self.task.of(self.task.part, m).exists() for m in self.missing())

    def clear(self) -> None:
        """Remove what is unfinished."""
        for task in (*self.left, self.task):
            task.clear()


class Run:
    """One watcher's hold on a run. The run itself is shared by all who asked for the same config."""

    def __init__(self, service: RunService, job: Job, watcher: str) -> None:
        self._service, self._job, self.watcher = service, job, watcher

    @property
    def config(self) -> TrainConfig:
        return self._job.config

    def film_path(self, member: int = 0) -> Path:
        """Where a film is now: under its final name once it is whole, else where it grows (perhaps not yet)."""
        task = self._job.task
        return task.of(task.film if self._job.exists(member) else task.part, member)

    def status(self) -> Status:
        """How it stands with the run. Looking keeps the run alive."""
        return self._service._look(self._job, self.watcher)

    def film(self, from_frame: int = 0, member: int = 0) -> Film | None:
        """The frames from `from_frame` on that are there by now, or None before the first. Keeps the run alive.

        member: which of the config's `seeds` runs.
        """
        self.status()
        task = self._job.task
        for path in (task.part, task.film, task.part):  # it may be renamed while we look
            try:
                film = read_new(task.of(path, member), from_frame)
            except OSError:
                continue
            except ValueError as error:
                log.warning("%s", error)
            else:
                if path is task.film:
                    touch(task.of(path, member))
                return film
        return None

    def leave(self) -> None:
        """Stop watching; the run is stopped if nobody else watches."""
        self._service.leave(self.watcher)


def bury(job: Job) -> None:
    """Wait for the end of a job's worker, and remove what it leaves unfinished."""
    if job.worker is not None:
        job.worker.end()
    job.clear()
