"""The run service with real workers: one film for all, none for nobody, and nothing left behind."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from gantoys.runs.config import TrainConfig
from gantoys.runs.film import Film
from gantoys.runs.store import Store
from gantoys.service.local import Progress, film_paths, seed_range, train_to_file
from gantoys.service.run_service import Busy, Run, RunService
from gantoys.service.summary import summary

ROOT = Path(__file__).resolve().parents[1]
SHORT = TrainConfig(steps=60, frames=20, width=16, batch=16, grid=8, shown=32)
LONG = TrainConfig(steps=50_000, frames=400, cadence="even", width=16, batch=16, grid=8, shown=32)


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Callable[..., RunService]]:
    """Makes run services on one store; all are closed in the end, and must leave no process and no unfinished film."""
    made: list[RunService] = []

    def build(**options: object) -> RunService:
        made.append(RunService(Store(tmp_path / "films"), **({"workers": 2} | options)))  # type: ignore[arg-type]
        return made[-1]

    yield build
    for service in made:
        service.close()
    assert not list((tmp_path / "films").glob("*.part"))


def until(condition: Callable[[], object], what: str, seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"waited {seconds} s in vain: {what}"
        time.sleep(0.02)


def finish(run: Run) -> str:
    until(lambda: run.status().ended, "the run ends", 60)
    return run.status().state


def pid(run: Run) -> int:
    until(lambda: run._job.worker is not None, "the worker starts")
    assert run._job.worker is not None
    return run._job.worker.pid


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
    service = make()
    runs: list[Run] = []
    threads = [threading.Thread(target=lambda k=k: runs.append(service.ask(SHORT, f"session {k}"))) for k in range(30)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({pid(run) for run in runs}) == 1
    assert {finish(run) for run in runs} == {"done"}
    films = [run.film() for run in runs[:3]]
    assert all(f is not None and f.status == "done" and len(f) == 20 for f in films)
    assert [p.name for p in service.store.folder.iterdir()] == [f"{SHORT.digest()}.film"]

    again = make().ask(SHORT)  # another process of the same dashboard, say
    assert again.status().state == "done" and again._job.worker is None
    assert again.film_path == runs[0].film_path


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
    with pytest.raises(ValueError, match=r"at most 1e\+12 are allowed here"):
        make().ask(TrainConfig(steps=20_000))


def test_a_run_that_nobody_looks_at_is_stopped_and_its_process_is_gone(make: Callable[..., RunService]) -> None:
    run = make(watch_seconds=1.0).ask(LONG)
    worker = pid(run)
    for _ in range(8):  # looking keeps it alive for longer than that
        time.sleep(0.2)
        assert not run.status().ended
    until(lambda: not alive(worker), "the abandoned worker ends", 10)
    assert run.status().state == "stopped"


def test_asking_for_another_config_stops_the_earlier_run_unless_others_watch_it(
    make: Callable[..., RunService],
) -> None:
    service = make()
    alone, shared = service.ask(LONG, "ann"), service.ask(LONG.changed(seed=1), "bob")
    also = service.ask(LONG.changed(seed=1), "cid")
    worker, begin = pid(alone), time.monotonic()
    newest = service.ask(LONG.changed(seed=2), "ann")
    assert alone.status().state == "stopped"
    until(lambda: not alive(worker), "the earlier worker ends", 5)
    assert time.monotonic() - begin < 3
    service.ask(LONG.changed(seed=2), "bob")
    assert not also.status().ended and not newest.status().ended
    also.leave()
    assert shared.status().state == "stopped"


def test_a_worker_that_is_killed_is_replaced_once_and_the_film_is_whole(make: Callable[..., RunService]) -> None:
    slower = SHORT.changed(steps=1500, frames=200)
    service = make()
    run = service.ask(slower)
    other = service.ask(SHORT)
    until(lambda: has_frames(run), "frames")
    first = pid(run)
    os.kill(first, signal.SIGKILL)
    until(lambda: run._job.worker is not None and run._job.worker.pid != first, "a new worker")
    assert finish(run) == "done" and finish(other) == "done"
    film = run.film()
    assert film is not None and len(film) == 200


def test_a_worker_that_is_killed_twice_is_reported_and_the_config_can_be_asked_for_again(
    make: Callable[..., RunService],
) -> None:
    service = make()
    run = service.ask(LONG)
    for _ in range(2):
        until(lambda: run._job.worker is not None and run._job.worker.running(), "a worker")
        os.kill(pid(run), signal.SIGKILL)
        until(lambda: run._job.worker is None or not run._job.worker.running(), "its end")
    assert finish(run) == "failed"
    assert "twice" in run.status().message
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
from gantoys.service.run_service import ask
run = ask(TrainConfig.read(sys.argv[1]))
while run.film() is None:
    time.sleep(0.02)
print(json.dumps({"pid": run._job.worker.pid, "torch": "torch" in sys.modules}), flush=True)
if sys.argv[2] == "stay":
    time.sleep(60)
"""


@pytest.mark.parametrize("how", ["it ends", "SIGKILL"])
def test_no_worker_outlives_the_process_that_asked_which_itself_never_imports_torch(tmp_path: Path, how: str) -> None:
    asker = subprocess.Popen(
        [sys.executable, "-c", ASKER, LONG.canonical_json(), "stay" if how == "SIGKILL" else "end"],
        cwd=ROOT, stdout=subprocess.PIPE, env={**os.environ, "GANTOYS_HOME": str(tmp_path)},
    )  # fmt: skip
    assert asker.stdout is not None
    told = json.loads(asker.stdout.readline())
    assert told["torch"] is False
    assert how == "it ends" or alive(told["pid"])
    if how == "SIGKILL":
        asker.kill()
    asker.wait(30)
    asker.stdout.close()
    until(lambda: not alive(told["pid"]), "the orphan ends", 5)


# --- the command line's way


def test_training_into_a_file_reports_progress_and_gives_the_film(tmp_path: Path) -> None:
    seen: list[Progress] = []
    film = train_to_file(SHORT.changed(steps=2000), tmp_path / "out.film", seen.append)
    assert film.status == "done" and Film.load(tmp_path / "out.film").config == film.config
    assert [p.step for p in seen] == sorted(p.step for p in seen) and seen[-1].step == 2000
    assert seen[-1].frames == 20 and seen[-1].seconds_left == 0
    assert [p.name for p in tmp_path.iterdir()] == ["out.film"]

    told = json.loads(json.dumps(summary(film, tmp_path / "out.film"), allow_nan=False))
    assert told["steps"] == 2000 and told["frames"] == 20 and told["status"] == "done"
    assert told["steps_per_second"] == pytest.approx(2000 / told["seconds"], rel=1e-3)
    assert told["digest"] == film.config.digest() and told["config"]["loss"] == "non-saturating"
    assert 0 <= told["modes"]["covered"] <= told["modes"]["of"] == 8
    assert told["final"]["loss_d"] == pytest.approx(float(film.loss_d[-1]), abs=1e-6)


def test_an_interrupt_keeps_the_film_so_far(tmp_path: Path) -> None:
    def interrupt(progress: Progress) -> None:
        if progress.frames:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_to_file(LONG, tmp_path / "out.film", interrupt)
    film = Film.load(tmp_path / "out.film")
    assert film.status == "stopped" and len(film) >= 1
    assert [p.name for p in tmp_path.iterdir()] == ["out.film"]


def test_a_place_that_cannot_be_written_is_an_error_in_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="does not exist"):
        train_to_file(SHORT, tmp_path / "nowhere" / "out.film")
    with pytest.raises(OSError, match="is a folder"):
        train_to_file(SHORT, tmp_path)


def test_several_seeds_go_to_several_films() -> None:
    assert film_paths("a/out.film", range(3, 5)) == [Path("a/out-3.film"), Path("a/out-4.film")]
    assert film_paths("out.film", range(7, 8)) == [Path("out.film")]
    assert list(seed_range("2:4")) == [2, 3] and list(seed_range("5")) == [5]


@pytest.mark.parametrize("text", ["", ":", "1:", "3:3", "4:2", "a:b", "-1:2", "0:65", "1:2:3", "²:3", "0:99999999999"])
def test_seeds_that_are_no_range_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="seeds"):
        seed_range(text)
