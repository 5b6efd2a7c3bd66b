"""Trains a config in this process and writes its films, from the beginning or from a stored state on."""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from gantoys import process
from gantoys.runs.config import TrainConfig
from gantoys.runs.film import Film, read_new
from gantoys.runs.film_file import FilmWriter, frame_fields
from gantoys.runs.groups import groups
from gantoys.runs.store import State, Store, numbered

USUAL_STEPS = 256  # from one state to the next, in a short run


@dataclass(frozen=True)
class Names:
    """Where the films of the members go, where they grow, and from which films they take their first frames."""

    members: range
    film: Path
    part: Path
    source: Path | None
    number: int

    def of(self, base: Path, member: int) -> Path:
        """The name of one member's film, if `base` is what all names begin with."""
        return base if len(self.members) == 1 else numbered(base, self.number + member - self.members.start)


@dataclass(frozen=True)
class Way:
    """How a run is made: what stops it, where its states are left, on which of torch's devices it runs."""

    stop: threading.Event
    store: Store | None
    device: str


def record(
    config: TrainConfig,
    path: Path,
    part: Path | None = None,
    stop: threading.Event | None = None,
    *,
    members: range | None = None,
    number: int | None = None,
    store: Store | None = None,
    source: Path | None = None,
    device: str = "cpu",
) -> str:
    """Train a config in this process and write its films; `gantoys.training.worker` explains the options.

    Returns "done", "diverged" if one of the films ends so, or "stopped". Raises OSError where the disk does; frames
    written so far then stay under their unfinished name.
    """
    members = members if members is not None else range(config.seeds)
    number = number if number is not None else members.start
    names = Names(members, path, part or path.with_name(path.name + ".part"), source, number)
    way = Way(stop or threading.Event(), store, device)
    statuses = []
    for group in groups(config):
        wanted = range(max(group.start, members.start), min(group.stop, members.stop))
        if wanted and "stopped" not in statuses:
            statuses.append(_record_group(config, group, wanted, names, way))
    return next((s for s in ("stopped", "diverged") if s in statuses), "done")


def _record_group(config: TrainConfig, group: range, wanted: range, names: Names, way: Way) -> str:
    start, films = _start(config, group, wanted, names, way.store)
    if start is None:
        return _film(config, group, wanted, names, way)
    try:
        return _film(config, group, wanted, names, way, start, films)
    except ValueError as error:  # of another version of gantoys
        print(f"the state at step {start.step} is not gone on from: {error}", file=sys.stderr)
        return _film(config, group, wanted, names, way)


def _film(
    config: TrainConfig,
    group: range,
    wanted: range,
    names: Names,
    way: Way,
    start: State | None = None,
    films: Mapping[int, Film] | None = None,
) -> str:
    import torch  # here, because it takes a second, in which the worker must already watch its parent

    from gantoys.training.loop import Diverged, train
    from gantoys.training.record import View

    torch.set_num_threads(1)  # two threads are many times slower than one for networks of this size
    process.keep_freed()
    writers: dict[int, FilmWriter] = {}
    status, message = "done", ""
    ended: dict[int, str] = {}  # seeds that have diverged, and how, while others go on
    try:
        for m in wanted:
            writers[m] = FilmWriter(
                names.of(names.film, m), config, View.of(config, m).statics(),
                member=m, part=names.of(names.part, m),
            )  # fmt: skip
        if start is not None and films is not None:
            for m in films:
                _copy(films[m], start, writers[m])
        begin = time.perf_counter() - (start.seconds if start is not None else 0.0)
        try:
            steps = train(
                config, way.stop.is_set, members=group, device=way.device,
                start=start.arrays if start is not None else None,
                keep=_keeper(config, group, way.store, begin),
            )  # fmt: skip
            for frames in steps:
                seconds = time.perf_counter() - begin
                for m, writer in writers.items():
                    frame = frames[m - group.start]
                    if isinstance(frame, Diverged):
                        ended.setdefault(m, str(frame))
                    else:
                        writer.append(frame.arrays, seconds)
            taken = max((w.frames for m, w in writers.items() if m not in ended), default=0)
            if way.stop.is_set() and taken < len(config.recorded_steps()):
                status, message = "stopped", "Stopped before the last step."
        except Diverged as diverged:
            status, message = "diverged", str(diverged)
            for place, own in diverged.beside.items():
                ended.setdefault(group.start + place, str(own))
        for m, writer in writers.items():
            if m in ended:
                writer.finish("diverged", ended[m])
            else:
                writer.finish(status, message)
    except BaseException:
        for writer in writers.values():
            writer.close()
            if not writer.frames:
                with contextlib.suppress(OSError):
                    writer.part.unlink()
        raise
    return status


def _keeper(
    config: TrainConfig, group: range, store: Store | None, begin: float
) -> Callable[[int, Mapping[str, Any]], None] | None:
    """What the loop calls with its states. A run goes on without them when the disk takes no more."""
    if store is None:
        return None
    told = False

    def keep(step: int, arrays: Mapping[str, Any]) -> None:
        nonlocal told
        try:
            store.keep(config, group, step, arrays, time.perf_counter() - begin)
        except (OSError, ValueError) as error:
            if not told:
                print(f"states are not kept: {error}", file=sys.stderr)
            told = True

    return keep


def _start(
    config: TrainConfig, group: range, wanted: range, names: Names, store: Store | None
) -> tuple[State | None, dict[int, Film]]:
    """The newest state from which the group can go on, and the films with all frames until there."""
    if store is not None and config.slow is not None:
        # a film in slow motion begins there: it needs no frames of what came before
        return store.state_before(config, group, config.slow), {}
    if store is not None and config.eigenvalues:
        return store.state_before(config, group, config.steps - 1), {}
    if store is None or names.source is None:
        return None, {}
    due, films, last, shared = config.recorded_steps(), {}, config.steps, config.steps
    for m in wanted:
        try:
            film = films[m] = read_new(names.of(names.source, m))
        except (OSError, ValueError):
            return None, {}
        count = _common(film, config, due) if film.member == m else 0
        if not count:
            return None, {}
        shared = min(shared, int(due[count - 1]))
        if count < len(due):
            last = min(last, int(due[count]) - 1)  # the next frame is missing, so the training must still take it
    state = store.state_before(config, group, last)
    begin = state.step if state is not None else 0
    if shared - begin > max(2 * USUAL_STEPS, config.steps // 8):
        print(f"states are missing: the training goes on from step {begin}", file=sys.stderr)
    return state, films


def _common(film: Film, config: TrainConfig, due: np.ndarray) -> int:
    """How many of the film's first frames are those of `config`, whose frames are `due`."""
    other = film.config
    if frame_fields(other) != frame_fields(config) or other.training_digest(0) != config.training_digest(0):
        return 0
    # the frame at a change already shows the new value
    parting = min((c.step for c in {*other.changes} ^ {*config.changes}), default=config.steps + 1)
    count = min(len(film), len(due))
    unlike = (film.step[:count] != due[:count]) | (due[:count] >= parting)
    return int(np.argmax(unlike)) if unlike.any() else count


def _copy(film: Film, start: State, writer: FilmWriter) -> None:
    """The frames of `film` up to `start`, as they are."""
    names = [field.name for field in frame_fields(film.config)]
    for k, step in enumerate(film.step[film.step <= start.step].tolist()):
        # an unfinished film has no wall times: the training's own, shared out evenly
        seconds = film.seconds[k] if len(film.seconds) else start.seconds * step / max(1, start.step)
        writer.append({name: getattr(film, name)[k] for name in names}, float(seconds))
