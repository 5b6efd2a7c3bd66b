"""A share of a run: the seeds that train together, in one worker at a time, one turn after another."""

from __future__ import annotations

import heapq
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

import numpy as np

from gantoys.runs.store import Store
from gantoys.service.measures import Pace, usual_seconds
from gantoys.service.nursery import Nursery
from gantoys.service.process import Task, Worker
from gantoys.service.shelf import frames_in, put_away, shelf

FIRST_TURNS = 5  # turns that may pass before a worker that shows nothing new is asked to stop all the same
WORTH = 2.0  # times as long as a worker takes until there is something new, its turn lasts at least
STALLS = 10.0  # times as long as all of its training should take, a worker shows nothing new when it hangs
LATEST = 15.0  # seconds: a run that has trained for longer queues no further back


@dataclass(eq=False)
class Share:
    """Some members of a run. task: of the whole run, with the name under which these members' films grow now.

    due: its place in the queue is as if it had come at this moment. served: seconds of turns so far. deaths: workers
    that died one after another without anything new; died: when the first of them did; after: not before that moment it
    is tried again. patient: it cannot go on from where it was interrupted, so it is
    not interrupted again. at: how much of the way its films show, from 0 to 1. moved: when its worker has last shown
    another frame.
    """

    task: Task
    members: range
    due: float
    worker: Worker | None = None
    done: bool = False
    served: float = 0.0
    deaths: int = 0
    died: float = 0.0
    after: float = 0.0
    patient: bool = False
    at: float = 0.0
    started: float = 0.0
    moved: float = 0.0
    grown: float | None = None
    stopping: float | None = None
    steps: np.ndarray = field(init=False, repr=False)
    usual: float = field(init=False)
    _from: float = 0.0  # `at` when the turn began
    _known: dict[int, int] = field(default_factory=dict)  # frames of each member when the turn began
    _frames: int = 0  # that the worker has shown

    def __post_init__(self) -> None:
        self.steps = self.task.config.recorded_steps()
        self.usual = usual_seconds(self.task.config, len(self.members))

    def missing(self) -> range:
        """The members from the first one on whose film is not whole."""
        film = self.task.film
        first = next((m for m in self.members if not self.task.of(film, m).exists()), self.members.stop)
        return range(first, self.members.stop)

    def start(self, store: Store, nursery: Nursery | None, now: float) -> None:
        """Begin a turn: go on with what was put away, else with what the run branches off from. Raises OSError."""
        config, missing = self.task.config, self.missing()
        base = shelf(store, config)
        self._known = {m: frames_in(self.task.of(base, m), config) for m in missing}
        self.task = replace(self.task, part=store.part(config))
        source = base if all(self._known.values()) else self.task.source
        self.worker = Worker(replace(self.task, source=source).only(missing), nursery)
        self.at = self._from = max(self.at, self._fraction(max(self._known.values(), default=0)))
        self.started, self.moved, self.grown, self.stopping = now, now, None, None
        self._frames = 0

    def look(self, now: float) -> None:
        """Take note of how far its films are, and when the first frame came that was not there before."""
        config, part = self.task.config, self.task.part
        counts = {m: frames_in(self.task.of(part, m), config) for m in self._known}
        self.at = max(self.at, self._fraction(max(counts.values(), default=0)))
        if sum(counts.values()) > self._frames:
            self._frames, self.moved = sum(counts.values()), now
        if self.grown is None and any(counts[m] > known for m, known in self._known.items()):
            self.grown = now

    def hangs(self, now: float, stall: float, pace: Pace) -> bool:
        """Whether the worker has shown nothing for much too long: `stall` seconds at least."""
        return now - self.moved > max(stall, STALLS * self.usual * pace.factor)

    def rest(self, now: float, turn: float) -> float:
        """Seconds until its turn is over. The time until something new came is not held against it, up to a point."""
        if self.patient or self.stopping is not None:
            return np.inf if self.patient else 0.0
        if self.grown is None:
            return self.started + FIRST_TURNS * turn - now
        # most of the time must go into what is new, however long it takes to come back to it
        return self.grown + max(turn, WORTH * (self.grown - self.started)) - now

    def interrupt(self, now: float) -> None:
        """Ask the worker to stop at the end of its turn."""
        assert self.worker is not None
        self.patient = self.grown is None
        self.stopping = now
        self.worker.ask_to_stop()

    def finish_turn(self, store: Store, now: float, pace: Pace) -> bool:
        """The worker has ended: put its films away. Whether it had come to anything new."""
        assert self.worker is not None
        self.look(now)
        put_away(self.task, store, self.members)
        self.worker.end()
        self.due, self.served = self.later(now), self.served + now - self.started
        self.worker = None
        whole = not self.missing()
        self.at = 1.0 if whole else self.at
        # at the usual pace the way back to where it was counts neither as time nor as work
        pace.note(now - (self.grown or now), self.usual * (self.at - self._from))
        return whole or self.grown is not None

    def left(self, pace: Pace) -> float:
        """Seconds of training that are left, as far as can be told."""
        return self.usual * pace.factor * (1.0 - self.at)

    def _fraction(self, frames: int) -> float:
        return float(self.steps[min(frames, len(self.steps)) - 1]) / max(1, self.task.config.steps) if frames else 0.0

    def later(self, now: float) -> float:
        """When it would be due if its turn ended now: as if it came so much later as it has trained."""
        return now + min(self.served + (now - self.started if self.worker is not None else 0.0), LATEST)


def seconds_until(places: Iterable[float], ahead: Iterable[float]) -> float:
    """When the next in a queue begins, if place i is free after places[i] seconds and the k-th ahead stays ahead[k].

    >>> seconds_until([0.5, 1.0], [2.0, 2.0])
    2.5
    """
    free = list(places)
    heapq.heapify(free)
    for stay in ahead:
        heapq.heapreplace(free, free[0] + stay)
    return free[0]
