"""The run service: one film per config, trained once however many people ask, in at most a few processes at a time.

    run = ask(config, watcher=session_id)
    run.status()           # state, place in the queue, estimated seconds
    run.film(from_frame)   # the new frames
    outlook(config)        # what asking would come to, before anybody asks
    service().kept(config) # the frames of a run that is paused

Runs take turns of a few seconds, so that a short one does not wait behind a long one. Every look at a run tells that
somebody still watches it. One that nobody has looked at for a while is paused, and so is one whose last watcher has
asked for something else: its films and its state are kept, and it goes on from there when somebody asks again. Nothing
here imports torch.
"""

from __future__ import annotations

import atexit
import contextlib
import logging
import shutil
import threading
import time
import uuid
import weakref
import zlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from gantoys.runs import limits
from gantoys.runs.config import TrainConfig
from gantoys.runs.film import Film
from gantoys.runs.groups import groups
from gantoys.runs.store import Store, clear_temporary
from gantoys.service.crew import NO_ROOM, Crew
from gantoys.service.job import Job, Run, Status, visitor
from gantoys.service.nursery import Nursery, nursery
from gantoys.service.process import Task
from gantoys.service.share import Share
from gantoys.service.shelf import adopt, film_bytes, read_kept, sweep

log = logging.getLogger(__name__)
TICK_SECONDS = 0.05
RESCUES = 2  # times that room is made for a run on a disk that is full
ROOM, ROOM_BYTES = 2, 2 * 2**20  # times the size of its films, and so many bytes for its states, are to be free then
PAUSED = "Nobody watched this run: it is paused, and goes on when somebody asks for it again."


class Busy(RuntimeError):
    """The queue is full. The text is a sentence for the one who asked."""


class RunService:
    """Trains in worker processes and keeps the films in a store. All methods may be called from any thread.

    The limits are explained in `gantoys.runs.limits` and `gantoys.service.crew`.
    """

    def __init__(
        self, store: Store | None = None, *, workers: int | None = None, queue: int = limits.QUEUE,
        watch_seconds: float = limits.WATCH_SECONDS, run_seconds: float = limits.RUN_SECONDS,
        turn_seconds: float = limits.TURN_SECONDS, flops: float = limits.VISITOR_FLOPS,
        worker_bytes: int | None = None, nursery: Callable[[], Nursery | None] = lambda: None,
    ) -> None:  # fmt: skip
        self.store = store if store is not None else Store()
        self.queue, self.watch_seconds, self.flops = queue, watch_seconds, flops
        self.crew = Crew(
            self.store, nursery, workers=workers, worker_bytes=worker_bytes, run_seconds=run_seconds,
            turn_seconds=turn_seconds,
        )  # fmt: skip
        clear_temporary()
        sweep(self.store)
        nursery()  # it needs a second in the background until it is ready
        self._lock = threading.RLock()
        self._jobs: dict[str, Job] = {}  # not ended, in the order they were asked for, by digest
        self._paused: weakref.WeakSet[Job] = weakref.WeakSet()  # those that somebody may come back to
        self._thread: threading.Thread | None = None
        # by digest: waits for workers that were told to stop, and the run that was theirs
        self._endings: dict[str, tuple[threading.Thread, Job]] = {}
        self._closed = False

    @property
    def workers(self) -> int:
        """How many train at a time."""
        return self.crew.workers

    def ask(self, config: TrainConfig, watcher: str | None = None) -> Run:
        """The run of a config: the stored film, the run under way, or a new one at the end of the queue.

        `watcher` names who asks, such as a session: each watches one run at a time, so asking for another config lets
        go of the earlier one. A visitor who compares asks under several names that begin alike, "ann/1" and "ann/2":
        of more than `limits.VISITOR_RUNS` runs the oldest is let go of, and while others wait they take turns with
        each other. Raises ValueError when the run would cost too much, `Busy` when the queue is full; what the watcher
        has watched then goes on.
        """
        self._check_cost(config)
        watcher = watcher or uuid.uuid4().hex
        digest = config.digest()
        with self._lock:
            job = self._jobs.get(digest)
            if job is None and self.store.has(config):
                self.leave(watcher)
                return Run(self, Job(self._task(config), self.store, state="done"), watcher)
            if job is None:
                self._check_room(watcher)
            self.leave(watcher, but=digest)
            job = job or self._new_job(config, digest, watcher)
            job.watchers[watcher] = time.monotonic()
            mine = [w for j in self._jobs.values() for w in j.watchers if visitor(w) == visitor(watcher)]
            for oldest in [w for w in mine if w != watcher][: max(0, len(mine) - limits.VISITOR_RUNS)]:
                self.leave(oldest)
        return Run(self, job, watcher)

    def watched(self) -> int:
        """How many look at runs that have not ended."""
        with self._lock:
            return sum(len(job.watchers) for job in self._jobs.values())

    def kept(self, config: TrainConfig, member: int = 0) -> Film | None:
        """The frames that are there of a film that is not whole, status "stopped", or None; nothing is started.

        So of a run that was paused, that a killed server has left, or that trains just now for somebody else; asking
        for it goes on from there.
        """
        return read_kept(self.store, config, member)

    def outlook(self, config: TrainConfig, watcher: str | None = None) -> Status:
        """What asking for that config would come to: its status, or that of a run asked for now; nothing is started.

        "failed", with the sentence, where asking would be refused.
        """
        try:
            self._check_cost(config)
            with self._lock:
                job = self._jobs.get(config.digest())
                if job is not None:
                    return self._status(job)
                if self.store.has(config):
                    return Status("done")
                self._check_room(watcher or "")
                return self.crew.outlook(config, self._jobs.values())
        except (ValueError, Busy) as error:
            return Status("failed", 0, str(error))

    def _check_cost(self, config: TrainConfig) -> None:
        if config.flops() > self.flops:
            raise ValueError(
                f"this run would take about {config.flops():.1e} operations, at most {self.flops:.0e} are allowed "
                "here: choose fewer steps, a smaller batch or smaller networks"
            )

    def _check_room(self, watcher: str) -> None:
        if self._closed:
            raise Busy("The run service is closing.")
        # what the watcher would let go of does not count
        waiting = sum(not job.workers and set(job.watchers) != {watcher} for job in self._jobs.values())
        if waiting >= self.queue:
            raise Busy(f"Many runs are asked for right now: {waiting} are waiting. Try again in a moment.")

    def _new_job(self, config: TrainConfig, digest: str, watcher: str) -> Job:
        job = self._jobs[digest] = Job(self._task(config), self.store)
        job.watchers[watcher] = time.monotonic()
        job.before = self._ending(digest)
        self._share_out(job)
        self._fill()
        if self._thread is None:
            self._thread = threading.Thread(target=self._supervise, name="gantoys-runs", daemon=True)
            self._thread.start()
        return job

    def _task(self, config: TrainConfig) -> Task:
        path, part = self.store.path(config), self.store.part(config)
        return Task(config, path, part, range(config.seeds), store=self.store.folder, nice=5)

    def _parent(self, config: TrainConfig) -> Path | None:
        """The stored film of the run that a config with changes branches off from, the nearest there is."""
        changes = config.changes
        while changes:
            changes = tuple(change for change in changes if change.step < changes[-1].step)
            parent = config.changed(changes=[change.model_dump() for change in changes])
            if self.store.has(parent):
                return self.store.path(parent)
        return None

    def leave(self, watcher: str, *, but: str = "") -> None:
        """Let go of whatever `watcher` watches, except the run of digest `but`."""
        with self._lock:
            for job in self._paused:
                job.lapsed.discard(watcher)
            for digest, job in list(self._jobs.items()):
                job.lapsed.discard(watcher)
                if digest != but and job.watchers.pop(watcher, None) is not None and not job.watchers:
                    self._end(job, "paused", PAUSED)

    def _look(self, run: Run) -> Status:
        with self._lock:
            job, watcher = run._job, run.watcher
            # one who has let go, by asking for another config, does not come back by looking; one who slept does
            if watcher in job.lapsed and job.state in ("queued", "paused"):
                try:
                    run._job = job = self.ask(job.config, watcher)._job
                except (Busy, ValueError) as error:
                    return Status("paused", 0, str(error))
                job.lapsed.discard(watcher)
            if watcher in job.watchers:
                job.watchers[watcher] = time.monotonic()
            return self._status(job)

    def _status(self, job: Job) -> Status:
        return Status(job.state, 0, job.message) if job.ended else self.crew.status(job, self._jobs.values())

    def _supervise(self) -> None:
        while True:
            try:
                with self._lock:
                    self._tick()
                    if not self._jobs:
                        self._thread = None
                        return
            except Exception:  # without this thread nobody would get an answer any more
                log.exception("the run service stumbled")
            time.sleep(TICK_SECONDS)

    def _tick(self) -> None:
        now = time.monotonic()
        for job in self._jobs.values():
            late = {w for w, seen in job.watchers.items() if now - seen >= self.watch_seconds}
            job.lapsed |= late
            job.watchers = {w: seen for w, seen in job.watchers.items() if w not in late}
        for job, (state, message) in self.crew.tend(self._jobs.values()):
            if state != NO_ROOM or not self._rescued(job):
                self._end(job, "failed" if state == NO_ROOM else state, message)
        for job in [job for job in self._jobs.values() if not job.watchers]:
            self._end(job, "paused", PAUSED)
        self._fill()

    def _rescued(self, job: Job) -> bool:
        """The disk became full under a run: make room, or go on in memory, from what there is of it; whether it can."""
        config, digest = job.config, job.config.digest()
        job.rescues += 1
        for share in job.shares:
            if share.worker is not None:
                share.worker.kill()
                share.finish_turn(self.store, time.monotonic(), self.crew.pace)
        if job.rescues > RESCUES:
            return False
        needed = ROOM * config.seeds * film_bytes(config) + ROOM_BYTES
        if not self.store.make_room(needed, but=digest) and not self._moved(job, needed):
            return False
        self._share_out(job)
        return True

    def _moved(self, job: Job, needed: int) -> bool:
        """Whether the store found another place; what there is of a run goes with it."""
        kept = [job.kept(m) for m in job.task.members]
        states = [(g, self.store.state_before(job.config, g, job.config.steps)) for g in groups(job.config)]
        if not self.store.move(needed):
            return False
        for m, film in enumerate(kept):
            with contextlib.suppress(OSError):  # there is none yet
                shutil.copyfile(film, job.kept(m))
        for group, state in states:
            if state is not None:
                with contextlib.suppress(OSError, ValueError):  # then the training goes on from an earlier step
                    self.store.keep(job.config, group, state.step, state.arrays, state.seconds)
        return True

    def _share_out(self, job: Job) -> None:
        """Let the seeds of a run queue one after the other, as if each had been asked for after the last one's turn."""
        now, config = time.monotonic(), job.config
        job.task = replace(self._task(config), source=self._parent(config))
        job.shares = [
            Share(job.task, group, now + k * self.crew.turn_seconds) for k, group in enumerate(groups(config))
        ]

    def _fill(self) -> None:
        for digest, job in self._jobs.items():
            if not job.ready and self._ending(digest) is None:
                adopt(job.task, self.store)
                job.ready, job.before = True, None
        for job, verdict in self.crew.fill(self._jobs.values()):
            self._end(job, *verdict)

    def _ending(self, digest: str) -> Job | None:
        """The run of that digest that has ended while its workers have not."""
        thread, job = self._endings.get(digest, (None, None))
        return job if thread is not None and thread.is_alive() else None

    def _end(self, job: Job, state: str, message: str) -> None:
        job.state, job.message = state, message
        digest = job.config.digest()
        self._jobs.pop(digest, None)
        if state == "paused":
            self._paused.add(job)
        for worker in job.workers:
            worker.ask_to_stop()
        if not any(worker.running() for worker in job.workers):
            job.bury()
            return
        # waiting for a worker must hold up neither the lock nor the page; its place is free at once
        self._endings = {d: ending for d, ending in self._endings.items() if ending[0].is_alive()}
        burial = threading.Thread(target=job.bury, daemon=True)
        burial.start()
        self._endings[digest] = burial, job

    def close(self) -> None:
        """End all workers, put their films away and wait for that. The service takes no more runs."""
        with self._lock:
            self._closed = True
            for job in list(self._jobs.values()):
                self._end(job, "paused", "The run service has closed: the run goes on when it is asked for again.")
            burials = [thread for thread, _ in self._endings.values()]
        for burial in burials:
            burial.join()


_service: RunService | None = None
_service_lock = threading.Lock()


def service() -> RunService:
    """This process's run service, made at the first call and closed when the process ends."""
    global _service
    with _service_lock:
        if _service is None:
            _service = RunService(nursery=nursery)
            atexit.register(_service.close)
        return _service


def ask(config: TrainConfig, watcher: str | None = None) -> Run:
    """`RunService.ask` of this process's service."""
    return service().ask(config, watcher)


def outlook(config: TrainConfig, watcher: str | None = None) -> Status:
    """`RunService.outlook` of this process's service."""
    return service().outlook(config, watcher)


def look_seconds(usual: float, watcher: str = "") -> float:
    """How long a page waits before it looks at its run again: `usual`, or 2, 4, ... times as long where many look.

    All looks are answered by one process, in which every other page is made too. Those of `watcher` then come up to a
    quarter sooner or later, always by the same part: a class that has pressed a button together does not go on looking
    in the same moments.
    """
    watched, seconds = _service.watched() if _service is not None else 0, usual
    while watched > limits.LOOKS_PER_SECOND * seconds and seconds < limits.WATCH_SECONDS / 8:
        seconds *= 2
    if seconds == usual or not watcher:
        return seconds
    return round(seconds * (0.75 + 0.5 * zlib.crc32(watcher.encode()) / 2**32), 2)
