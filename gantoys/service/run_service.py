"""The run service: one film per config, trained once however many people ask, in at most a few processes at a time.

    run = ask(config, watcher=session_id)
    run.status()           # state, place in the queue, frames so far
    run.film(from_frame)   # the new frames

Every look at a run tells that somebody still watches it; a run that nobody has looked at for a while is stopped, and so
is one whose last watcher has asked for something else. Nothing here imports torch.
"""

from __future__ import annotations

import atexit
import logging
import os
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from gantoys.runs import limits
from gantoys.runs.config import TrainConfig
from gantoys.runs.film import Film
from gantoys.runs.store import Store
from gantoys.service.job import ENDED, Job, Run, Status, bury
from gantoys.service.nursery import Nursery, nursery
from gantoys.service.process import Task, Worker

log = logging.getLogger(__name__)
ATTEMPTS = 2  # a worker that was killed is replaced once
TICK_SECONDS = 0.05


class Busy(RuntimeError):
    """The queue is full. The text is a sentence for the one who asked."""


class RunService:
    """Trains in worker processes and keeps the films in a store. All methods may be called from any thread."""

    def __init__(
        self,
        store: Store | None = None,
        *,
        workers: int | None = None,
        queue: int = limits.QUEUE,
        watch_seconds: float = limits.WATCH_SECONDS,
        run_seconds: float = limits.RUN_SECONDS,
        flops: float = limits.VISITOR_FLOPS,
        nursery: Callable[[], Nursery | None] = lambda: None,
    ) -> None:
        self.store = store if store is not None else Store()
        self.workers = workers if workers is not None else max(1, min(limits.WORKERS, os.cpu_count() or 1))
        self.queue, self.watch_seconds, self.run_seconds, self.flops = queue, watch_seconds, run_seconds, flops
        self._nursery = nursery
        nursery()  # it needs a second in the background until it is ready
        self._lock = threading.RLock()
        self._jobs: dict[str, Job] = {}  # not ended, in the order they were asked for, by digest
        self._thread: threading.Thread | None = None
        self._endings: list[threading.Thread] = []  # each waits for a worker that was told to stop
        self._closed = False

    def ask(self, config: TrainConfig, watcher: str | None = None) -> Run:
        """The run of a config: the stored film, the run under way, or a new one at the end of the queue.

        `watcher` names who asks, such as a session: each watches one run at a time, so asking for another config lets
        go of the earlier one. Raises ValueError when the run would cost too much, `Busy` when the queue is full.
        """
        if config.flops() > self.flops:
            raise ValueError(
                f"this run would take about {config.flops():.1e} operations, at most {self.flops:.0e} are allowed "
                "here: choose fewer steps, a smaller batch or smaller networks"
            )
        watcher = watcher or uuid.uuid4().hex
        digest = config.digest()
        with self._lock:
            job = self._jobs.get(digest)
            stored = job is None and self.store.has(config)
            self.leave(watcher, but=digest)
            if stored:
                return Run(self, Job(self._task(config), state="done"), watcher)
            if job is None:
                job = self._new_job(config, digest)
            job.watchers[watcher] = time.monotonic()
        return Run(self, job, watcher)

    def _new_job(self, config: TrainConfig, digest: str) -> Job:
        if self._closed:
            raise Busy("The run service is closing.")
        waiting = sum(job.worker is None for job in self._jobs.values())
        if waiting >= self.queue:
            raise Busy(f"Many runs are asked for right now: {waiting} are waiting. Try again in a moment.")
        job = self._jobs[digest] = Job(replace(self._task(config), source=self._parent(config)))
        self._start_queued()
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
            for digest, job in list(self._jobs.items()):
                if digest != but and job.watchers.pop(watcher, None) is not None and not job.watchers:
                    self._stop(digest, job)

    def _look(self, job: Job, watcher: str) -> Status:
        with self._lock:
            if job.state in ENDED:
                return Status(job.state, 0, job.message)
            # one who has let go, by asking for another config, does not come back by looking
            if watcher in job.watchers:
                job.watchers[watcher] = time.monotonic()
            if job.worker is None:
                queued = [j for j in self._jobs.values() if j.worker is None]
                return Status("queued", queued.index(job))
            begun = job.exists(0) or job.task.of(job.task.part, 0).exists()
            return Status("running" if begun else "starting")

    def _supervise(self) -> None:
        while True:
            with self._lock:
                for digest, job in list(self._jobs.items()):
                    try:
                        self._tend(digest, job)
                    except Exception:  # one run's mishap must not leave all others without an answer
                        log.exception("a run failed")
                        self._end(digest, job, "failed", "The run failed inside the run service.")
                self._start_queued()
                if not self._jobs:
                    self._thread = None
                    return
            time.sleep(TICK_SECONDS)

    def _tend(self, digest: str, job: Job) -> None:
        now = time.monotonic()
        job.watchers = {w: seen for w, seen in job.watchers.items() if now - seen < self.watch_seconds}
        if job.worker is not None and not job.worker.running():
            self._collect(digest, job)
        elif not job.watchers:
            self._stop(digest, job)
        elif job.worker is not None and now - job.started > self.run_seconds:
            job.worker.kill()
            self._end(digest, job, "failed", f"The run was ended after {self.run_seconds:.0f} seconds.")

    def _collect(self, digest: str, job: Job) -> None:
        """Take note of how a worker ended."""
        assert job.worker is not None
        code, complaint = job.worker.code, job.worker.complaint()
        if code == 0:
            if complaint:
                log.warning("%s", complaint)
            try:
                films = [Film.load(job.task.of(job.task.film, m)) for m in range(job.config.seeds)]
                film = next((film for film in films if film.status == "diverged"), films[0])
                self._end(digest, job, film.status, film.message)
            except (OSError, ValueError) as error:
                self._end(digest, job, "failed", f"The film cannot be read: {error}")
            self.store.trim()
        elif code == 2:
            self._end(digest, job, "failed", complaint)
        elif job.attempts < ATTEMPTS:
            log.warning("a worker ended with status %s and is replaced: %s", code, complaint)
            job.worker.end()
            job.worker = None
            job.left.append(job.task)
            # the next one goes on with what this one has left
            begun = job.task.part if job.begun() else job.task.source
            job.task = replace(job.task, part=self.store.part(job.config), source=begun)
        else:
            self._end(digest, job, "failed", "The training process ended unexpectedly, twice.")

    def _start_queued(self) -> None:
        for digest, job in list(self._jobs.items()):
            if job.worker is not None:
                continue
            if sum(j.worker is not None for j in self._jobs.values()) >= self.workers:
                return
            try:
                job.worker = Worker(job.task.only(job.missing()), self._nursery())
            except OSError as error:
                self._end(digest, job, "failed", f"The training process cannot be started: {error.strerror}.")
                continue
            job.attempts, job.started = job.attempts + 1, time.monotonic()

    def _stop(self, digest: str, job: Job) -> None:
        self._end(digest, job, "stopped", "Nobody watched this run any more.")

    def _end(self, digest: str, job: Job, state: str, message: str) -> None:
        job.state, job.message = state, message
        self._jobs.pop(digest, None)
        worker = job.worker
        if worker is None or not worker.running():
            bury(job)
            return
        worker.ask_to_stop()
        # waiting for a worker must hold up neither the lock nor the page; its place is free at once
        ending = threading.Thread(target=bury, args=(job,), daemon=True)
        self._endings = [*(t for t in self._endings if t.is_alive()), ending]
        ending.start()

    def close(self) -> None:
        """End all workers and wait for them. The service takes no more runs."""
        with self._lock:
            self._closed = True
            jobs = list(self._jobs.items())
            for digest, job in jobs:
                job.state, job.message = "stopped", "The run service has closed."
                self._jobs.pop(digest, None)
                if job.worker is not None:
                    job.worker.ask_to_stop()
        for _, job in jobs:
            bury(job)
        for ending in self._endings:
            ending.join()


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
