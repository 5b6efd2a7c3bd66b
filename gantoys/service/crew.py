"""The workers of the run service: who trains, who waits for a turn, and what becomes of a worker that ends."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable, Iterable

from gantoys.runs import limits
from gantoys.runs.config import TrainConfig
from gantoys.runs.film import Film
from gantoys.runs.store import Store
from gantoys.service.job import Job, Status
from gantoys.service.measures import Pace, private_bytes, usual_seconds, usual_worker_bytes, usual_workers
from gantoys.service.nursery import Nursery
from gantoys.service.share import Share, seconds_until

log = logging.getLogger(__name__)
ATTEMPTS = 5  # so many workers have died one after another without a new frame,
GIVE_UP_SECONDS = 15.0  # and so long nothing new has come, when a run is given up
PAUSE_SECONDS = 0.05, 2.0  # before a dead worker is replaced: twice the first for each one dead, at most the second
STOP_SECONDS = 5.0  # longer than any worker needs to keep its state
MEASURE_SECONDS = 0.5
NO_ROOM = "no room"  # not the end of a run, if room can be made
Verdict = tuple[str, str]  # the state in which a run has ended, and a sentence
Rank = tuple[int, float]


class Crew:
    """A few places for workers, and fair turns. The caller sees to it that one thread at a time is in here.

    workers: places. worker_bytes: memory of its own that a worker may hold. run_seconds: that all turns of a share may
    take. turn_seconds: after which a worker makes room for others.
    """

    def __init__(
        self, store: Store, nursery: Callable[[], Nursery | None], *, workers: int | None = None,
        worker_bytes: int | None = None, run_seconds: float = limits.RUN_SECONDS,
        turn_seconds: float = limits.TURN_SECONDS,
    ) -> None:  # fmt: skip
        self.store, self.nursery = store, nursery
        self.workers = workers if workers is not None else usual_workers()
        self.worker_bytes = worker_bytes if worker_bytes is not None else usual_worker_bytes()
        self.run_seconds, self.turn_seconds, self.give_up_seconds = run_seconds, turn_seconds, GIVE_UP_SECONDS
        self.stall_seconds = limits.STALL_SECONDS
        self.pace = Pace()
        self._measured = 0.0

    def tend(self, jobs: Iterable[Job]) -> list[tuple[Job, Verdict]]:
        """See how all workers do; the runs that have ended by that."""
        now = time.monotonic()
        measure = now - self._measured >= MEASURE_SECONDS
        self._measured = now if measure else self._measured
        ended = []
        for job in jobs:
            try:
                verdict = self._tend(job, now, measure)
            except Exception:  # one run's mishap must not leave all others without an answer
                log.exception("a run failed")
                verdict = "failed", "The run failed inside the run service."
            if verdict is not None:
                ended.append((job, verdict))
        return ended

    def _tend(self, job: Job, now: float, measure: bool) -> Verdict | None:
        for share in job.shares:
            worker = share.worker
            if worker is None:
                continue
            if not worker.running():
                if (verdict := self._collect(share, now)) is not None:
                    return verdict
                continue
            share.look(now)
            if share.served + now - share.started > self.run_seconds:
                worker.kill()
                return "failed", f"The run was ended after {self.run_seconds:.0f} seconds."
            if measure and worker.pid and private_bytes(worker.pid, self.worker_bytes) > self.worker_bytes:
                worker.kill()
                return "failed", (
                    f"The run was ended because it needed more than {self.worker_bytes / 2**20:,.0f} MB of memory: "
                    "choose a smaller batch, smaller networks or fewer seeds."
                )
            if share.hangs(now, self.stall_seconds, self.pace):
                log.warning("a worker hangs: it is killed")
                worker.kill()  # and replaced like one that died
                share.moved = now
            if share.stopping is not None and now - share.stopping > STOP_SECONDS:
                share.patient = True
                worker.kill()
        return self._result(job) if all(share.done for share in job.shares) else None

    def _collect(self, share: Share, now: float) -> Verdict | None:
        """Take note of how a worker ended; a verdict on the run if that ends it."""
        assert share.worker is not None
        code, complaint, asked, due = share.worker.code, share.worker.complaint(), share.stopping is not None, share.due
        new = share.finish_turn(self.store, now, self.pace)
        if code in (2, 5):
            return ("failed" if code == 2 else NO_ROOM), complaint
        if complaint:
            log.warning("%s", complaint)
        if not share.missing():
            share.done = True
        elif code == 0:
            return "failed", "The film cannot be read: its file is gone."
        elif code != 4 and not asked:
            share.deaths, share.due = 1 if new else share.deaths + 1, due
            share.died = now if share.deaths == 1 else share.died
            share.after = now + min(PAUSE_SECONDS[0] * 2**share.deaths, PAUSE_SECONDS[1])
            log.warning("a worker ended with status %s and is replaced", code)
            if share.deaths >= ATTEMPTS and now - share.died >= self.give_up_seconds:
                return "failed", f"The training process ended unexpectedly, {share.deaths} times in a row."
        elif new:
            share.deaths = 0
        return None

    def _result(self, job: Job) -> Verdict:
        try:
            films = [Film.load(job.task.of(job.task.film, m)) for m in job.task.members]
        except (OSError, ValueError) as error:
            return "failed", f"The film cannot be read: {error}"
        self.store.trim()
        film = next((film for film in films if film.status == "diverged"), films[0])
        return film.status, film.message

    def fill(self, jobs: Iterable[Job]) -> list[tuple[Job, Verdict]]:
        """Give free places to those who wait, and ask workers whose turn is over to make room for the others.

        Returns the runs that have ended because no worker can be started.
        """
        now, jobs, ended = time.monotonic(), list(jobs), []
        while (waiting := self.queue(jobs)) and sum(len(job.workers) for job in jobs) < self.workers:
            job, share = waiting[0]
            if not share.missing():  # somebody else has trained it meanwhile
                share.done = True
                continue
            try:
                share.start(self.store, self.nursery(), now)
            except OSError as error:
                ended.append((job, ("failed", f"The training process cannot be started: {error.strerror}.")))
                jobs.remove(job)
        self._make_room(jobs, waiting, now)
        return ended

    def _make_room(self, jobs: list[Job], waiting: list[tuple[Job, Share]], now: float) -> None:
        busy = [(job, share) for job in jobs for share in job.shares if share.worker is not None]
        wanted = len(waiting) - sum(share.stopping is not None for _, share in busy)
        load = _load(busy)
        for job, share in busy:
            if wanted > 0 and share.stopping is None and share.rest(now, self.turn_seconds) <= 0:
                load.subtract(job.visitors)
                if min(_rank(j, s.due, load) for j, s in waiting) < _rank(job, share.later(now), load):
                    share.interrupt(now)
                    wanted -= 1
                load.update(job.visitors)

    def queue(self, jobs: Iterable[Job]) -> list[tuple[Job, Share]]:
        """All shares that wait for a turn, the next one first.

        First come those whose visitors have fewest workers at work, and among them those who came first, where a share
        that has trained for a while counts as come so much later. So a short run never waits for the end of a long one.
        """
        jobs = list(jobs)
        load = _load((job, share) for job in jobs for share in job.shares if share.worker is not None)
        now = time.monotonic()
        idle = [(job, s) for job in jobs if job.ready for s in job.shares if s.worker is None and not s.done]
        waiting = [(job, s) for job, s in idle if s.after <= now]
        ranks = {id(job): _rank(job, 0.0, load)[0] for job, _ in waiting}
        return sorted(waiting, key=lambda pair: (ranks[id(pair[0])], pair[1].due))

    def status(self, job: Job, jobs: Iterable[Job]) -> Status:
        """How it stands with one of the runs, which has not ended."""
        left = self._left(job)
        if job.workers:
            return Status("running" if job.begun() else "starting", left=left)
        ahead: list[tuple[Job, Share]] = []
        for other, share in self.queue(jobs):
            if other is job:
                break
            ahead.append((other, share))
        return Status("queued", _runs(ahead), "", self._wait(jobs, ahead), left)

    def outlook(self, config: TrainConfig, jobs: Iterable[Job]) -> Status:
        """How it would stand with a run that was asked for now."""
        ahead = self.queue(jobs)
        left = usual_seconds(config, config.seeds) * self.pace.factor
        return Status("queued", _runs(ahead), "", self._wait(jobs, ahead), left)

    def _wait(self, jobs: Iterable[Job], ahead: list[tuple[Job, Share]]) -> float:
        """Estimated seconds until the one who queues behind `ahead` begins."""
        now, turn = time.monotonic(), self.turn_seconds
        busy = [share for job in jobs for share in job.shares if share.worker is not None]
        places = [max(0.0, min(s.rest(now, turn), s.left(self.pace))) for s in busy]
        places += [0.0] * max(1 - len(places), self.workers - len(places))
        return seconds_until(places, [min(turn, share.left(self.pace)) for _, share in ahead])

    def _left(self, job: Job) -> float:
        """Estimated seconds of training until the run is done, on as many places as it has shares."""
        rest = [share.left(self.pace) for share in job.shares if not share.done]
        return max(max(rest, default=0.0), sum(rest) / self.workers)


def _runs(queue: Iterable[tuple[Job, Share]]) -> int:
    """How many runs queue there: one may do so with several shares."""
    return len({id(job) for job, _ in queue})


def _load(busy: Iterable[tuple[Job, Share]]) -> Counter[str]:
    return Counter(name for job, _ in busy for name in job.visitors)


def _rank(job: Job, due: float, load: Counter[str]) -> Rank:
    """Where a share queues: by how many workers train for its visitors already, then by when it is due."""
    return min((load[name] for name in job.visitors), default=0), due
