"""The run service with real workers: one film for all, none for nobody, and nothing left behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from gantoys.__main__ import main
from gantoys.runs import owner
from gantoys.runs.config import TrainConfig
from gantoys.runs.film import Film
from gantoys.runs.store import Store
from gantoys.service import nursery as nurseries
from gantoys.service.crew import ATTEMPTS
from gantoys.service.local import Progress, seed_range, train_to_file
from gantoys.service.nursery import Nursery, nursery
from gantoys.service.places import film_paths, unfinished
from gantoys.service.process import Task, Worker
from gantoys.service.run_service import Busy, Run, RunService
from gantoys.service.shelf import frames_in, shelf
from gantoys.service.summary import summary

ROOT = Path(__file__).resolve().parents[1]
# on the line a frame takes a third of the time that it takes in the plane
SHORT = TrainConfig(toy="N(0,1)", noise_dim=1, steps=60, frames=20, width=16, batch=16, grid=8, shown=32)
LONG = SHORT.changed(steps=50_000, frames=400, cadence="even")


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Callable[..., RunService]]:
    """Makes run services on one store; all are closed in the end, and must leave no unfinished film."""
    made: list[RunService] = []

    def build(**options: object) -> RunService:
        given = {"workers": 2, "nursery": nursery} | options
        made.append(RunService(Store(tmp_path / "films"), **given))  # type: ignore[arg-type]
        return made[-1]

    yield build
    for service in made:
        service.close()
    assert not list((tmp_path / "films").glob("*.part"))


def until(condition: Callable[[], object], what: str, seconds: float = 180) -> None:
    """Waits; long, for workers are nice to whatever else a machine does, such as tests beside this one."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"waited {seconds} s in vain: {what}"
        time.sleep(0.02)


def finish(run: Run) -> str:
    until(lambda: run.status().ended, "the run ends")
    return run.status().state


def pid(run: Run) -> int:
    """The process that trains the run, once there is one."""
    found: list[int] = []

    def look() -> bool:
        run.status()  # somebody watches
        found[:] = [worker.pid for worker in run._job.workers if worker.pid is not None]
        return bool(found)

    until(look, "the worker starts")
    return found[0]


def alive(process: int) -> bool:
    """Whether a process runs; one that has ended and waits for its parent to notice does not."""
    try:
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
        return state != "Z"
    except FileNotFoundError:
        if Path("/proc/self").exists():
            return False
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


def has_frames(run: Run) -> bool:
    film = run.film()
    return film is not None and len(film) > 0


def test_many_who_ask_for_one_config_share_one_worker_and_one_film(make: Callable[..., RunService]) -> None:
    service, config = make(), SHORT.changed(steps=8000)
    runs: list[Run] = []
    threads = [threading.Thread(target=lambda k=k: runs.append(service.ask(config, f"session {k}"))) for k in range(30)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    worker = pid(runs[0])
    os.kill(worker, signal.SIGSTOP)  # still at work when the last has looked
    assert {pid(run) for run in runs} == {worker}
    os.kill(worker, signal.SIGCONT)
    assert {finish(run) for run in runs} == {"done"}
    films = [run.film() for run in runs[:3]]
    assert all(f is not None and f.status == "done" and len(f) == 20 for f in films)
    left = {p.name for p in service.store.folder.glob("*.*")}
    assert left == {f"{config.digest()}.film", f"{owner.claim(service.store.folder)}.owner"}

    again = make().ask(config)  # another process of the same dashboard, say
    assert again.status().state == "done" and not again._job.workers
    assert again.film_path() == runs[0].film_path()


def test_the_film_grows_while_the_worker_trains(make: Callable[..., RunService]) -> None:
    run = make().ask(LONG)
    assert run.status().state in ("starting", "running")
    held = 0
    films: list[Film] = []
    while len(films) < 3:
        film = run.film(held)
        if film is not None and len(film):
            assert film.first == held and film.status == "running"
            held += len(film)
            films.append(film)
        time.sleep(0.02)
    steps = np.concatenate([f.step for f in films])
    np.testing.assert_array_equal(steps, LONG.recorded_steps()[: len(steps)])
    assert run.status().state == "running"


def test_at_most_two_train_at_once_and_the_others_know_their_place(make: Callable[..., RunService]) -> None:
    service = make(queue=2)
    runs = [service.ask(LONG.changed(seed=k)) for k in range(4)]
    assert [(r.status().state == "queued", r.status().position) for r in runs] == [
        (False, 0),
        (False, 0),
        (True, 0),
        (True, 1),
    ]
    with pytest.raises(Busy, match="2 are waiting"):
        service.ask(LONG.changed(seed=9))
    runs[0].leave()
    until(lambda: runs[2].status().state != "queued", "the next in the queue starts")
    assert runs[3].status().position == 0 and runs[3].status().state == "queued"


def test_a_run_that_costs_too_much_for_one_visitor_is_refused(make: Callable[..., RunService]) -> None:
    with pytest.raises(ValueError, match=r"at most 6e\+12 are allowed here"):
        make().ask(TrainConfig(steps=100_000))


def test_a_run_that_nobody_looks_at_is_paused_and_goes_on_when_its_watcher_looks_again(
    make: Callable[..., RunService],
) -> None:
    service = make(watch_seconds=1.0)
    run = service.ask(LONG, "ann")
    worker = pid(run)
    for _ in range(8):  # looking keeps it alive for longer than that
        time.sleep(0.2)
        assert not run.status().ended
    until(lambda: not alive(worker), "the abandoned worker ends", 10)
    until(lambda: service._ending(LONG.digest()) is None, "its film is put away")
    assert run._job.state == "paused"
    kept = frames_in(shelf(service.store, LONG), LONG)
    assert kept > 1 and not run.status().ended
    film = run.film()
    assert film is not None and len(film) >= kept and film.status == "running"
    assert pid(run) != worker and run._job.workers[0].task.source is not None
    until(lambda: (film := run.film(kept)) is not None and len(film), "new frames")


def test_asking_for_another_config_stops_the_earlier_run_unless_others_watch_it(
    make: Callable[..., RunService],
) -> None:
    service = make()
    alone, shared = service.ask(LONG, "ann"), service.ask(LONG.changed(seed=1), "bob")
    also = service.ask(LONG.changed(seed=1), "cid")
    worker, begin = pid(alone), time.monotonic()
    newest = service.ask(LONG.changed(seed=2), "ann")
    assert alone.status().state == "paused"
    until(lambda: not alive(worker), "the earlier worker ends", 5)
    assert time.monotonic() - begin < 3
    service.ask(LONG.changed(seed=2), "bob")
    assert not also.status().ended and not newest.status().ended
    also.leave()
    assert shared.status().state == "paused"


def test_a_worker_that_is_killed_is_replaced_and_the_film_is_whole(make: Callable[..., RunService]) -> None:
    slower = SHORT.changed(steps=1500, frames=200)
    service = make()
    run = service.ask(slower)
    other = service.ask(SHORT)
    until(lambda: has_frames(run), "frames")
    first = pid(run)
    os.kill(first, signal.SIGKILL)
    until(lambda: not alive(first) and pid(run) != first, "a new worker")
    assert finish(run) == "done" and finish(other) == "done"
    film = run.film()
    assert film is not None and len(film) == 200


def test_a_run_whose_workers_all_die_is_reported_and_the_config_can_be_asked_for_again(
    make: Callable[..., RunService],
) -> None:
    service = make()
    service.crew.give_up_seconds = 0.0  # it is not to take long here
    run = service.ask(LONG)
    killed: list[int] = []
    while not run.status().ended:  # whatever comes is killed at once; with frames between, it would be replaced again
        for worker in run._job.workers:
            if worker.pid is not None and worker.pid not in killed:
                killed.append(worker.pid)
                os.kill(worker.pid, signal.SIGKILL)
        time.sleep(0.005)
    assert run.status().state == "failed" and len(killed) >= ATTEMPTS
    assert "times in a row" in run.status().message
    again = service.ask(LONG)
    assert again.status().state in ("starting", "running")


def test_a_worker_that_takes_too_long_is_killed(make: Callable[..., RunService]) -> None:
    run = make(run_seconds=0.5).ask(LONG)
    worker = pid(run)
    assert finish(run) == "failed" and "0 seconds" in run.status().message
    until(lambda: not alive(worker), "the worker ends", 5)


def test_a_run_that_diverges_keeps_its_film_and_says_so(make: Callable[..., RunService]) -> None:
    config = SHORT.changed(loss="maximum-likelihood", lr_g=1.0, lr_d=1.0, steps=2000, frames=200)
    service = make()
    run = service.ask(config)
    assert finish(run) == "diverged" and run.status().message.startswith("Diverged at step")
    film = run.film()
    assert film is not None and film.status == "diverged" and len(film) >= 1
    assert service.ask(config).status().state == "done"


def test_the_thread_that_watches_the_workers_ends_with_the_last_run(make: Callable[..., RunService]) -> None:
    service = make()
    run = service.ask(LONG)
    thread = service._thread
    assert thread is not None and thread.is_alive()
    run.leave()
    thread.join(5)
    assert not thread.is_alive()


ASKER = """
import json, sys, time
from gantoys.runs.config import TrainConfig
from gantoys.service.nursery import nursery
from gantoys.service.run_service import ask
run = ask(TrainConfig.read(sys.argv[1]))
while run.film() is None:
    time.sleep(0.02)
told = {"pids": [run._job.workers[0].pid, nursery().process.pid], "torch": "torch" in sys.modules}
print(json.dumps(told), flush=True)
"""


def test_no_process_outlives_the_one_that_asked_which_itself_never_imports_torch(tmp_path: Path) -> None:
    asker = subprocess.Popen(
        [sys.executable, "-c", ASKER, LONG.canonical_json()],
        cwd=ROOT, stdout=subprocess.PIPE, env={**os.environ, "GANTOYS_HOME": str(tmp_path)},
    )  # fmt: skip
    assert asker.stdout is not None
    told = json.loads(asker.stdout.readline())
    assert told["torch"] is False
    asker.wait(30)  # one that is killed: see test_service_faults
    asker.stdout.close()
    until(lambda: not any(alive(process) for process in told["pids"]), "the orphans end", 5)


# --- the nursery


def stat(process: int) -> list[str]:
    return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()


def test_a_warm_worker_shows_its_first_frame_within_a_second(make: Callable[..., RunService]) -> None:
    service, warm = make(), nursery()
    assert warm is not None and warm.wait_until_ready(60)
    begin = time.monotonic()
    run = service.ask(TrainConfig())
    until(lambda: has_frames(run), "the first frame", 1.0)
    assert int(stat(pid(run))[1]) == warm.process.pid, "the nursery's child"
    assert time.monotonic() - begin < 1.0


@pytest.mark.long
def test_workers_start_without_a_nursery_too(tmp_path: Path) -> None:
    store, gone = Store(tmp_path), Nursery()
    worker = Worker(task(store, SHORT), gone)
    gone.process.kill()  # before it is ready
    until(lambda: worker.pid is not None, "the worker starts")
    assert int(stat(worker.pid or 0)[1]) == os.getpid(), "this process's child"
    until(lambda: not worker.running(), "its end")
    assert worker.code == 0 and worker.complaint() == "" and store.find(SHORT) is not None
    worker.end()
    gone.close()


class Mayfly:
    """A nursery that was ready, unless it is told not to be, and is dead when somebody looks."""

    def __init__(self, clock: Clock, ready: bool) -> None:
        self.ready, self.gone, self.begun, self.closed = ready, False, clock.now, False
        self.process = SimpleNamespace(poll=lambda: -9)

    def listen(self) -> None:
        self.gone = True

    def close(self) -> None:
        self.closed = True


@dataclass
class Clock:
    """Time as the test has it, and the nurseries that were made."""

    now: float = 1000.0
    made: list[Mayfly] = field(default_factory=list)
    ready: bool = True

    def ask(self, seconds: float = 0.0) -> bool:
        """Whether there is a nursery after so many seconds."""
        self.now += seconds
        return nursery() is not None


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()

    def make() -> Mayfly:
        clock.made.append(Mayfly(clock, clock.ready))
        return clock.made[-1]

    for name, value in (("_nursery", None), ("_deaths", 0), ("_after", 0.0), ("Nursery", make)):
        monkeypatch.setattr(nurseries, name, value)
    monkeypatch.setattr(nurseries, "time", SimpleNamespace(monotonic=lambda: clock.now))
    return clock


def test_a_nursery_that_died_three_times_is_made_again_after_longer_and_longer_pauses(clock: Clock) -> None:
    assert nursery(start=False) is None and not clock.made
    assert [clock.ask() for _ in range(4)] == [True, True, True, False], "the first deaths are made good at once"
    waits = []
    for _ in range(8):
        begin = clock.now
        while not clock.ask():
            clock.now += 1
        waits.append(clock.now - begin)
        assert not clock.ask()
    assert waits == [10, 20, 40, 80, 160, 300, 300, 300] and all(one.closed for one in clock.made)
    assert clock.ask(300) and len(clock.made) == 12
    clock.now += nurseries.GOOD_SECONDS + 1  # this one was at work for a while
    assert [clock.ask() for _ in range(3)] == [True, True, False]


def test_a_nursery_that_did_not_come_to_be_ready_is_tried_again_much_later(clock: Clock) -> None:
    clock.ready = False
    assert clock.ask() and not clock.ask() and not clock.ask(299) and clock.ask(1) and len(clock.made) == 2


def test_a_nursery_that_cannot_be_started_is_one_line_in_the_log_and_tried_again_later(
    clock: Clock, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    tried = []

    def refuse() -> None:
        tried.append(clock.now)
        raise OSError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(nurseries, "Nursery", refuse)
    assert not any(clock.ask(1) for _ in range(300)) and len(tried) == 1 and len(caplog.records) == 1
    assert not clock.ask(1) and len(tried) == 2


def task(store: Store, config: TrainConfig) -> Task:
    return Task(config, store.path(config), store.part(config), range(config.seeds), store=store.folder)


def test_a_worker_of_the_nursery_tells_what_is_wrong_and_can_be_stopped_and_killed(tmp_path: Path) -> None:
    warm, store = nursery(), Store(tmp_path)
    assert warm is not None
    wrong = Worker(Task(LONG, tmp_path / "nowhere" / "a.film", tmp_path / "nowhere" / "a.part", range(1)), warm)
    stopped, killed = (Worker(task(store, LONG.changed(seed=k)), warm) for k in (1, 2))
    until(lambda: not wrong.running(), "the end of the one without a place")
    assert wrong.code == 2 and wrong.complaint().startswith("the film cannot be written: ")
    until(lambda: len(list(tmp_path.glob("*.part"))) == 2, "their films")
    stopped.ask_to_stop()
    killed.kill()
    assert stopped.wait(5) and killed.wait(5) and (stopped.code, killed.code) == (4, -signal.SIGKILL)
    for worker in (wrong, stopped, killed):
        worker.end()
        assert worker.pid is not None and not alive(worker.pid)


def test_when_the_nursery_dies_its_workers_end_and_their_runs_are_finished_by_others(
    make: Callable[..., RunService],
) -> None:
    mine = Nursery()
    assert mine.wait_until_ready(60)
    service = make(nursery=lambda: mine if not mine.gone else nursery())
    run = service.ask(LONG.changed(steps=1500, frames=100))
    until(lambda: has_frames(run), "frames")
    worker = pid(run)
    mine.process.kill()
    until(lambda: not alive(worker), "the end of the orphan", 5)
    assert finish(run) == "done"
    mine.close()


def test_a_run_whose_worker_is_killed_goes_on_where_it_was(make: Callable[..., RunService], tmp_path: Path) -> None:
    config = LONG.changed(steps=3000)
    service = make()
    run = service.ask(config)
    until(lambda: (film := run.film()) is not None and len(film) and film.step[-1] > 700, "700 steps")
    left = run.film_path()
    os.kill(pid(run), signal.SIGKILL)
    until(lambda: (worker := next(iter(run._job.workers), None)) and worker.task.source, "the next attempt")
    source = run._job.workers[0].task.source
    assert source == shelf(service.store, config) and not left.exists()
    assert finish(run) == "done" and not source.exists()
    train_to_file(config, tmp_path / "fresh.film", store=Store(tmp_path / "other"))
    assert frame_bytes(run.film_path()) == frame_bytes(tmp_path / "fresh.film")


def test_a_branch_of_a_stored_run_begins_at_its_state(make: Callable[..., RunService], tmp_path: Path) -> None:
    service = make()
    parent = SHORT.changed(steps=900)
    assert finish(service.ask(parent)) == "done"
    branch = parent.branched(600, lr_g=0.01)
    run = service.ask(branch)
    assert run._job.task.source == service.store.path(parent)
    assert finish(run) == "done"
    train_to_file(branch, tmp_path / "fresh.film", store=Store(tmp_path / "other"))
    assert frame_bytes(run.film_path()) == frame_bytes(tmp_path / "fresh.film")
    assert service.ask(branch.branched(700, lr_g=0.1))._job.task.source == service.store.path(branch)


def test_a_run_of_several_seeds_has_a_film_for_each(make: Callable[..., RunService]) -> None:
    service, config = make(), SHORT.changed(seeds=2, width=72)
    run = service.ask(config)
    assert finish(run) == "done"
    films = [run.film(member=m) for m in range(2)]
    assert [film.seed for film in films if film is not None] == [0, 1]
    run.film_path(1).unlink()
    again = service.ask(config)
    assert again.status().state != "done" and finish(again) == "done"
    assert not service.ask(config)._job.workers


# --- the command line's way


def frame_bytes(path: Path) -> bytes:
    """The file without its closing record, which holds the wall times."""
    return path.read_bytes().rpartition(b"DONE")[0]


def test_training_into_a_file_reports_progress_and_gives_the_film(tmp_path: Path) -> None:
    seen: list[Progress] = []
    (film,) = train_to_file(SHORT.changed(steps=2000), tmp_path / "out.film", seen.append, store=Store(tmp_path / "s"))
    assert film.status == "done" and Film.load(tmp_path / "out.film").config == film.config
    assert [p.step for p in seen] == sorted(p.step for p in seen) and seen[-1].step == seen[-1].steps == 2000
    assert seen[-1].frames == 20 and seen[-1].seconds_left == 0
    assert all(p.steps_per_second is None or p.steps_per_second > 0 for p in seen)
    assert Progress(500, 2000, 3, 9.0, 250.0).seconds_left == 6 and Progress(0, 2000, 1, 9.0).seconds_left is None
    assert sorted(p.name for p in tmp_path.iterdir()) == ["out.film", "s"]

    told = json.loads(json.dumps(summary(film, tmp_path / "out.film"), allow_nan=False))
    assert told["steps"] == 2000 and told["frames"] == 20 and told["status"] == "done" and told["seed"] == 0
    assert told["steps_per_second"] == pytest.approx(2000 / told["seconds"], rel=1e-3)
    assert told["digest"] == film.config.digest() and told["config"]["loss"] == "non-saturating"
    assert 0 <= told["modes"]["covered"] <= told["modes"]["of"] == 1
    assert told["final"]["loss_d"] == pytest.approx(float(film.loss_d[-1]), abs=1e-6)


def test_several_seeds_are_spread_over_processes_and_counted_together(tmp_path: Path) -> None:
    config = SHORT.changed(seeds=3, seed=5, width=72, steps=300)
    seen: list[Progress] = []
    films = train_to_file(config, tmp_path / "out.film", seen.append, store=Store(tmp_path / "s"), processes=2)
    assert [(film.member, film.seed, film.status) for film in films] == [(k, 5 + k, "done") for k in range(3)]
    assert sorted(p.name for p in tmp_path.glob("*.*")) == ["out-5.film", "out-6.film", "out-7.film"]
    assert (seen[-1].step, seen[-1].steps, seen[-1].frames) == (900, 900, 60)
    again = train_to_file(config, tmp_path / "two.film", store=Store(tmp_path / "s"), processes=1)
    assert [f.config for f in again] == [config] * 3
    for seed in (5, 6, 7):
        assert frame_bytes(tmp_path / f"two-{seed}.film") == frame_bytes(tmp_path / f"out-{seed}.film")


def interrupted(config: TrainConfig, path: Path, store: Store, step: int = 0) -> None:
    def interrupt(progress: Progress) -> None:
        if progress.step > step:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_to_file(config, path, interrupt, store=store)


def test_an_interrupt_keeps_the_film_so_far_and_the_run_can_be_gone_on_with(tmp_path: Path) -> None:
    path, store, config = tmp_path / "out.film", Store(tmp_path / "s"), LONG.changed(steps=4000, frames=200)
    interrupted(config, path, store, 500)
    film = Film.load(path)
    assert film.status == "stopped" and 500 < film.step[-1] < 4000
    assert [p.name for p in tmp_path.glob("*.*")] == ["out.film"]
    assert unfinished(path) == (config, path)
    seen: list[Progress] = []
    train_to_file(config, path, seen.append, source=path, store=store)
    assert min(p.step for p in seen if p.step) >= 256 and len(seen) > 1, "it does not begin again"
    train_to_file(config, tmp_path / "whole.film", store=store)
    assert frame_bytes(path) == frame_bytes(tmp_path / "whole.film")


def test_films_left_by_a_process_that_died_are_found_and_whole_ones_stay(tmp_path: Path) -> None:
    config, store, base = SHORT.changed(seeds=2, width=72), Store(tmp_path / "s"), tmp_path / "out.film"
    train_to_file(config, base, store=store)
    one, two = film_paths(base, config)
    whole, stamp = two.read_bytes(), one.stat().st_mtime_ns
    end = 2**22 + 7  # no process has so high a number
    two.rename(tmp_path / f"out.film.{end}-1.part")
    (tmp_path / f"out.film.{end}-1.part").write_bytes(whole[: len(whole) // 2])
    for name in (base, one):
        assert unfinished(name) == (config, base)
    assert two.exists() and not list(tmp_path.glob("*.part"))
    films = train_to_file(config, base, source=base, store=store)
    assert [film.status for film in films] == ["done", "done"] and one.stat().st_mtime_ns == stamp
    assert frame_bytes(two) == whole.rpartition(b"DONE")[0]


def test_a_film_that_somebody_is_still_writing_is_left_alone(tmp_path: Path) -> None:
    train_to_file(SHORT, tmp_path / "a.film", store=Store(tmp_path / "s"))
    sleeper = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    try:
        part = tmp_path / f"out.film.{sleeper.pid}.part"
        (tmp_path / "a.film").rename(part)
        with pytest.raises(FileNotFoundError, match="there is no film"):
            unfinished(tmp_path / "out.film")
        assert part.exists()
    finally:
        sleeper.kill()
        sleeper.wait()
    assert unfinished(tmp_path / "out.film") == (SHORT, tmp_path / "out.film") and not part.exists()


def test_a_place_that_cannot_be_written_is_an_error_in_one_sentence(tmp_path: Path) -> None:
    store = Store(tmp_path / "s")
    with pytest.raises(OSError, match="does not exist"):
        train_to_file(SHORT, tmp_path / "nowhere" / "out.film", store=store)
    with pytest.raises(OSError, match="is a folder"):
        train_to_file(SHORT, tmp_path, store=store)


def test_several_seeds_go_to_several_films() -> None:
    assert film_paths("a/out.film", SHORT.changed(seed=3, seeds=2)) == [Path("a/out-3.film"), Path("a/out-4.film")]
    assert film_paths("out.film", SHORT.changed(seed=7)) == [Path("out.film")]
    assert list(seed_range("2:4")) == [2, 3] and list(seed_range("5")) == [5]


@pytest.mark.parametrize("text", ["", ":", "1:", "3:3", "4:2", "a:b", "-1:2", "0:65", "1:2:3", "²:3", "0:99999999999"])
def test_seeds_that_are_no_range_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="seeds"):
        seed_range(text)


# --- the command


def train(capsys: pytest.CaptureFixture[str], *words: object) -> dict[str, Any]:
    status = main(["train", *map(str, words), "--json"])
    out, err = capsys.readouterr()
    assert (status, err) == (0, "")
    return dict(json.loads(out))


QUICK = (
    "--steps",
    700,
    *(w for f in ("frames=21", "width=16", "batch=16", "grid=6", "shown=16") for w in ("--set", f)),
)


def test_the_command_trains_several_seeds_goes_on_and_branches_off(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GANTOYS_HOME", str(tmp_path / "home"))
    got = train(capsys, *QUICK, "--seeds", "3:5", "--film", tmp_path / "out.film")
    assert [run["seed"] for run in got["runs"]] == [3, 4] and got["steps_per_second"] > 0
    assert got["steps_per_second"] == pytest.approx(1400 / got["seconds"], rel=0.01)
    one, two = (Path(run["path"]) for run in got["runs"])
    assert (one.name, two.name) == ("out-3.film", "out-4.film") and Film.load(two).config.seeds == 2

    whole, stamp = frame_bytes(two), one.stat().st_mtime_ns
    two.write_bytes(whole[: len(whole) * 3 // 4])
    got = train(capsys, "--resume", two)
    assert [run["status"] for run in got["runs"]] == ["done", "done"]
    assert frame_bytes(two) == whole

    got = train(
        capsys, "--branch", tmp_path / "out.film", "--at", 400, "--set", "lr_d=0.1", "--film", tmp_path / "b.film"
    )
    branch = Film.load(tmp_path / "b-4.film")
    assert branch.config == Film.load(two).config.branched(400, lr_d=0.1) and branch.seed == 4
    fresh = train_to_file(branch.config, tmp_path / "fresh.film", store=Store(tmp_path / "other"))
    assert frame_bytes(tmp_path / "b-4.film") == frame_bytes(tmp_path / "fresh-4.film") and len(fresh) == 2
    assert stamp <= one.stat().st_mtime_ns


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--resume", "{}/none.film"), "there is no film"),
        (("--resume", "{}/a.film", "--steps", "5"), "takes no other option"),
        (("--branch", "{}/a.film"), "--branch needs --at"),
        (
            ("--branch", "{}/a.film", "--at", "60", "--film", "{}/b.film"),
            "--at is 60: it must be a whole number from 0 to 59",
        ),
        (("--branch", "{}/a.film", "--at", "9", "--set", "width=9", "--film", "{}/b.film"), "cannot change on the way"),
        (("--branch", "{}/a.film", "--at", "9", "--set", "lr_d=0.1", "--film", "{}/../{}/a.film"), "would replace"),
        (("--branch", "{}/a.film", "--at", "9", "--seeds", "0:2"), "leave out --seeds"),
        (("--branch", "{}/text.film", "--at", "9"), "not a gantoys film"),
        (("--at", "9"), "--at belongs to --branch"),
        (("--seeds", "0:65"), "seeds"),
        (("--set", "lr_d"), "FIELD=VALUE"),
    ],
)
def test_what_the_command_cannot_do_is_a_sentence(
    capsys: pytest.CaptureFixture[str], folder: Path, words: tuple[str, ...], says: str
) -> None:
    status = main(["train", *(word.replace("{}/../{}", f"{folder}/../{folder.name}").format(folder) for word in words)])
    out, err = capsys.readouterr()
    assert status == 2 and out == "" and says in err and err.count("\n") == 1


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With one film and one text."""
    path = tmp_path_factory.mktemp("films")
    train_to_file(SHORT, path / "a.film", store=Store(path / "s"))
    (path / "text.film").write_text("once upon a time")
    return path
