"""Training into files, for the command line: in processes of its own, with progress."""

from __future__ import annotations

import contextlib
import logging
import os
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from gantoys.runs import limits
from gantoys.runs.config import TrainConfig
from gantoys.runs.film import Film, read_new
from gantoys.runs.groups import groups
from gantoys.runs.store import Store
from gantoys.service.nursery import Nursery, nursery
from gantoys.service.places import film_paths, part_path
from gantoys.service.process import Task, Worker

log = logging.getLogger(__name__)
POLL_SECONDS = 0.1
STOP_SECONDS = 3.0
LATEST = 100  # moments of which the speed is taken: ten seconds, or so many frames where they come seldom


@dataclass(frozen=True)
class Progress:
    """How far a run is: steps done at the newest frames, of how many, over all seeds; frames; seconds since it was
    asked for; steps_per_second: of late, over all seeds, None before there is anything to go by."""

    step: int
    steps: int
    frames: int
    seconds: float
    steps_per_second: float | None = None

    @property
    def seconds_left(self) -> float | None:
        """An estimate, or None before there is anything to go by."""
        left = self.steps - self.step
        if not left:
            return 0.0
        return left / self.steps_per_second if self.steps_per_second else None


def train_to_file(
    config: TrainConfig,
    path: str | os.PathLike[str],
    on_progress: Callable[[Progress], None] | None = None,
    *,
    source: str | os.PathLike[str] | None = None,
    store: Store | None = None,
    processes: int | None = None,
    device: str = "cpu",
) -> list[Film]:
    """Train `config` in processes of their own and leave its films at `film_paths(path, config)`, replacing others.

    The groups of seeds (`gantoys.runs.groups`) are spread over `processes` processes at a time (default: one a core).
    `on_progress` is called about ten times a second. device: torch's name of where to train. source: the path of films
    to go on from, or to branch off from, named like `path`; films of this very config that lie at `path` and are whole
    then stay. States are left in `store` (default: the user's own). On a KeyboardInterrupt the films so far are left in
    their places with the status "stopped", and the interrupt goes on to the caller.
    Raises OSError when a file cannot be written (frames so far then keep a name that ends in `.part`), RuntimeError
    when a worker fails.
    """
    path = Path(path)
    if path.is_dir():
        raise IsADirectoryError(f"{path} is a folder, not the name of a film")
    if not path.absolute().parent.is_dir():
        raise FileNotFoundError(f"the folder {path.absolute().parent} does not exist")
    store = store if store is not None else Store()
    origin = None if source is None else Path(source)
    whole = Task(config, path, part_path(path), range(config.seeds), config.seed, store.folder, origin, device=device)
    tasks = [whole.only(group) for group in groups(config)]
    if source is not None:
        tasks = [task for task in tasks if not all(is_whole(config, task, m) for m in task.members)]
    processes = max(1, processes if processes is not None else os.cpu_count() or 1)
    _Crew(whole, tasks, processes, on_progress).work()
    return [Film.load(place) for place in film_paths(path, config)]


def is_whole(config: TrainConfig, task: Task, member: int) -> bool:
    """Whether a member's film lies in its place, finished."""
    try:
        film = Film.load(task.of(task.film, member))
    except (OSError, ValueError):
        return False
    return film.config == config and film.member == member and film.status != "stopped"


class _Crew:
    """Workers on the groups of one config, a few at a time."""

    def __init__(
        self, whole: Task, tasks: list[Task], processes: int, on_progress: Callable[[Progress], None] | None
    ) -> None:
        self.whole, self.waiting, self.processes, self.on_progress = whole, tasks, processes, on_progress
        self.members = [m for task in tasks for m in task.members]
        self.workers: list[Worker] = []
        self.begin = time.monotonic()
        self.steps: dict[int, int] = {}  # done by each member, at its newest frame
        self.frames: dict[int, int] = {}
        self.latest: deque[tuple[float, int]] = deque(maxlen=LATEST)  # when so many steps were done, over all
        # for several workers torch is then imported once; for one alone that would save nothing
        self.nursery: Nursery | None = nursery(start=len(tasks) > 1)

    def work(self) -> None:
        """Do all tasks. Raises what `train_to_file` does."""
        try:
            while self.waiting or self.workers:
                while self.waiting and len(self.workers) < self.processes:
                    self.workers.append(Worker(self.waiting.pop(0), self.nursery))
                time.sleep(POLL_SECONDS)
                for worker in [w for w in self.workers if not w.running()]:
                    self._look(worker.task)
                    self._collect(worker)
                if self.on_progress is not None:
                    for worker in self.workers:
                        self._look(worker.task)
                    self.on_progress(self._progress())
        except KeyboardInterrupt:
            self._interrupt()
            raise
        finally:
            for worker in self.workers:
                worker.ask_to_stop()
            for worker in self.workers:
                worker.end()

    def _collect(self, worker: Worker) -> None:
        code, complaint = worker.code, worker.complaint()
        worker.end()
        self.workers.remove(worker)
        if code in (2, 5):
            raise OSError(complaint)
        if code:
            raise RuntimeError(f"the training process ended unexpectedly with status {code}: {complaint}")
        if complaint:
            log.warning("%s", complaint)
        for m in worker.task.members:
            self.steps[m] = self.whole.config.steps

    def _look(self, task: Task) -> None:
        """Take note of new frames."""
        for m in task.members:
            held = self.frames.get(m, 0)
            new = None
            for base in (task.part, task.film):
                with contextlib.suppress(OSError, ValueError):  # not begun, or just renamed
                    new = read_new(task.of(base, m), held)
                    break
            if new is not None and len(new):
                self.steps[m], self.frames[m] = int(new.step[-1]), held + len(new)

    def _progress(self) -> Progress:
        now, step = time.monotonic(), sum(self.steps.values())
        if self.frames and (not self.latest or self.latest[-1][1] < step):
            self.latest.append((now, step))
        (first, before), (last, after) = (self.latest[0], self.latest[-1]) if self.latest else ((now, step),) * 2
        speed = (after - before) / (last - first) if after > before else None
        steps = self.whole.config.steps * len(self.members)
        return Progress(step, steps, sum(self.frames.values()), now - self.begin, speed)

    def _interrupt(self) -> None:
        for worker in self.workers:
            worker.ask_to_stop()
        deadline = time.monotonic() + STOP_SECONDS
        for worker in self.workers:
            worker.wait(max(0.1, deadline - time.monotonic()))
            task = worker.task
            for m in task.members:
                with contextlib.suppress(OSError, ValueError):
                    if len(read_new(task.of(task.part, m))):
                        os.replace(task.of(task.part, m), task.of(task.film, m))


def seed_range(text: str) -> range:
    """The seeds a, a+1, ..., b-1 of "a:b", or the one seed of "a". Raises ValueError with one sentence.

    >>> list(seed_range("0:3"))
    [0, 1, 2]
    """
    first, colon, last = text.partition(":")
    if not (first.isascii() and first.isdigit() and len(first) < 11) or (
        colon and not (last.isascii() and last.isdigit() and len(last) < 11)
    ):
        raise ValueError(f"seeds are written a:b, two whole numbers such as 0:4, got {text[:40]!r}")
    seeds = range(int(first), int(last) if colon else int(first) + 1)
    if not 1 <= len(seeds) <= limits.SEEDS:
        raise ValueError(f"seeds a:b must name from 1 to {limits.SEEDS} seeds, {text} names {len(seeds)}")
    return seeds
