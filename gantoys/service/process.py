"""One worker process: how it is started, spoken to and ended."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

from gantoys.runs.config import TrainConfig
from gantoys.runs.store import numbered
from gantoys.service.environment import command, environment
from gantoys.service.nursery import Child, Nursery


@dataclass(frozen=True)
class Task:
    """What a worker is to do; `gantoys.training.worker` explains each option.

    film, part, source: the name of one film, or what the names of several begin with; they count from `number`.
    """

    config: TrainConfig
    film: Path
    part: Path
    members: range
    number: int = 0
    store: Path | None = None
    source: Path | None = None
    nice: int = 0
    device: str = "cpu"

    def of(self, base: Path, member: int) -> Path:
        """The name of one member's film, where `base` is film, part or source."""
        return base if len(self.members) == 1 else numbered(base, self.number + member - self.members.start)

    def only(self, members: range) -> Task:
        """The part of the task that is about some of its members, with the same names."""
        if members == self.members:
            return self
        number = self.number + members.start - self.members.start
        if len(members) > 1:
            return replace(self, members=members, number=number)
        film, part = self.of(self.film, members.start), self.of(self.part, members.start)
        source = None if self.source is None else self.of(self.source, members.start)
        return replace(self, members=members, number=number, film=film, part=part, source=source)

    def clear(self) -> None:
        """Remove the unfinished films."""
        for member in self.members:
            with contextlib.suppress(OSError):
                self.of(self.part, member).unlink()

    def arguments(self) -> list[str]:
        """The worker's command line."""
        options = ["--part", str(self.part.absolute()), "--nice", str(self.nice), "--number", str(self.number)]
        options += ["--device", self.device]
        options += ["--members", f"{self.members.start}:{self.members.stop}"]
        options += ["--store", str(self.store.absolute())] if self.store is not None else []
        options += ["--from", str(self.source.absolute())] if self.source is not None else []
        return [str(self.film.absolute()), *options]


class Plain:
    """A worker as a process of its own from the start. Same methods as `gantoys.service.nursery.Child`.

    Raises OSError when it cannot be started.
    """

    def __init__(self, task: Task) -> None:
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115  lives as long as the process
        self.lost = False
        self.process = subprocess.Popen(
            command("gantoys.training.worker", *task.arguments()),
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=self._errors,
            env=environment(),
        )
        assert self.process.stdin is not None
        self._stdin = self.process.stdin
        # a worker that died at once has no reader any more: its exit status tells
        with contextlib.suppress(OSError):
            self._stdin.write(task.config.canonical_json().encode() + b"\n")
            self._stdin.flush()

    @property
    def pid(self) -> int | None:
        return self.process.pid

    @property
    def code(self) -> int | None:
        return self.process.poll()

    @property
    def complaint(self) -> str:
        """The last line that the worker wrote on standard error."""
        if self._errors.closed:
            return ""
        self._errors.seek(0, os.SEEK_END)
        self._errors.seek(max(0, self._errors.tell() - 4096))
        lines = self._errors.read().decode(errors="replace").strip().splitlines()
        return lines[-1][:300] if lines else ""

    def running(self) -> bool:
        return self.code is None

    def wait(self, seconds: float) -> bool:
        """Wait until it has ended; whether it has."""
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        return True

    def stop(self) -> None:
        """Close the pipe, which the worker takes as the wish to stop; it answers within a step, or ends by force."""
        with contextlib.suppress(OSError):
            self._stdin.close()
        if self.running() and sys.platform != "win32":
            self.process.terminate()

    def kill(self) -> None:
        """End it by force."""
        self.process.kill()

    def close(self) -> None:
        """Forget a process that has ended."""
        with contextlib.suppress(OSError):
            self._stdin.close()
        self._errors.close()


class Worker:
    """A process that does `task`; it ends by itself when this process does.

    Born in `nursery` if there is one, else (or if that turns out to be gone) started as a process of its own. Raises
    OSError when it cannot be started.
    """

    def __init__(self, task: Task, nursery: Nursery | None = None) -> None:
        self.task = task
        self._stopped = False
        self._one: Child | Plain = (
            Plain(task) if nursery is None else nursery.start(task.arguments(), task.config.canonical_json())
        )

    @property
    def pid(self) -> int | None:
        """The process id; None while the nursery has not answered."""
        self.running()
        return self._one.pid

    @property
    def code(self) -> int | None:
        """The exit status, negative for a signal; None while it runs."""
        if self._one.lost:
            return -9
        return self._one.code

    def running(self) -> bool:
        """Whether it has not ended yet."""
        if self._one.running():
            return True
        if self._one.lost and self._one.pid is None and not self._stopped:
            self._one = Plain(self.task)  # the nursery was gone before it could be born
            return True
        return False

    def complaint(self) -> str:
        """The last line that the worker wrote on standard error."""
        return self._one.complaint

    def wait(self, seconds: float) -> bool:
        """Wait until it has ended; whether it has."""
        return self._one.wait(seconds)

    def ask_to_stop(self) -> None:
        """Tell it to stop; it answers within a step."""
        self._stopped = True
        self._one.stop()

    def kill(self) -> None:
        """End it by force."""
        self._stopped = True
        self._one.kill()

    def end(self, seconds: float = 1.0) -> None:
        """Stop the worker and wait until it is gone, by force after `seconds`; unfinished films stay."""
        if self.running():
            self.ask_to_stop()
            if not self.wait(seconds):
                self.kill()
                self.wait(10.0)
        if isinstance(self._one, Plain):
            self._one.close()
