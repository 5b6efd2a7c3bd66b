"""Training into a file, for the command line: in a process of its own, with progress."""

from __future__ import annotations

import contextlib
import os
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from gantoys.runs.config import TrainConfig
from gantoys.runs.film import Film, read_new
from gantoys.service.process import Worker

POLL_SECONDS = 0.1
STOP_SECONDS = 3.0


@dataclass(frozen=True)
class Progress:
    """How far a run is: steps done at the newest frame, of how many; frames; seconds since it was asked for."""

    step: int
    steps: int
    frames: int
    seconds: float

    @property
    def seconds_left(self) -> float | None:
        """An estimate, or None before there is anything to go by."""
        return self.seconds * (self.steps - self.step) / self.step if self.step else None


def train_to_file(
    config: TrainConfig,
    path: str | os.PathLike[str],
    on_progress: Callable[[Progress], None] | None = None,
) -> Film:
    """Train `config` in a process of its own and leave the film at `path`; an earlier film there is replaced.

    `on_progress` is called about ten times a second. On a KeyboardInterrupt the film so far is left at `path` with the
    status "stopped", and the interrupt goes on to the caller.
    Raises OSError when the file cannot be written, RuntimeError when the worker fails.
    """
    path = Path(path)
    if path.is_dir():
        raise IsADirectoryError(f"{path} is a folder, not the name of a film")
    if not path.absolute().parent.is_dir():
        raise FileNotFoundError(f"the folder {path.absolute().parent} does not exist")
    worker = Worker(config, path)
    begin, step, frames = time.monotonic(), 0, 0
    try:
        while worker.running():
            time.sleep(POLL_SECONDS)
            if on_progress is None:
                continue
            try:
                new = read_new(worker.part, frames)
            except OSError:
                continue  # not begun, or already under its final name
            if len(new):
                step, frames = int(new.step[-1]), frames + len(new)
            on_progress(Progress(step, config.steps, frames, time.monotonic() - begin))
        code = worker.process.wait()
        if code == 2:
            raise OSError(worker.complaint())
        if code:
            raise RuntimeError(f"the training process ended unexpectedly with status {code}: {worker.complaint()}")
    except KeyboardInterrupt:
        worker.ask_to_stop()
        with contextlib.suppress(OSError, subprocess.TimeoutExpired):
            worker.process.wait(STOP_SECONDS)
            os.replace(worker.part, path)
        raise
    finally:
        worker.end()
    film = Film.load(path)
    if on_progress is not None and len(film):
        on_progress(Progress(int(film.step[-1]), config.steps, len(film), time.monotonic() - begin))
    return film


def film_paths(path: str | os.PathLike[str], seeds: range) -> list[Path]:
    """Where the films of several seeds go: `out.film` for one, `out-<seed>.film` each for more."""
    path = Path(path)
    if len(seeds) == 1:
        return [path]
    return [path.with_name(f"{path.stem}-{seed}{path.suffix}") for seed in seeds]


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
    if not 1 <= len(seeds) <= 64:
        raise ValueError(f"seeds a:b must name from 1 to 64 seeds, {text} names {len(seeds)}")
    return seeds
