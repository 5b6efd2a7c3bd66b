"""The run service under faults: turns, pauses, bounds, killed workers and a killed parent."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from test_service import LONG, ROOT, SHORT, alive, finish, frame_bytes, has_frames, pid, until

from gantoys.runs import limits
from gantoys.runs import store as stores
from gantoys.runs.config import TrainConfig
from gantoys.runs.groups import groups
from gantoys.runs.store import Store
from gantoys.service import measures, process
from gantoys.service.job import Status
from gantoys.service.local import train_to_file
from gantoys.service.measures import Pace, private_bytes, usual_seconds
from gantoys.service.nursery import nursery
from gantoys.service.run_service import Busy, Run, RunService
from gantoys.service.share import seconds_until
from gantoys.service.shelf import film_bytes, frames_in, kept_path, shelf

STEADY = LONG.changed(steps=6_000, frames=150)  # a few seconds


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Callable[..., RunService]]:
    """Makes run services on one store with workers that begin at once; all are closed in the end."""
    warm = nursery()
    assert warm is not None and warm.wait_until_ready(60)
    made: list[RunService] = []

    def build(**options: object) -> RunService:
        made.append(RunService(Store(tmp_path / "films"), **({"workers": 1, "nursery": nursery} | options)))  # type: ignore[arg-type]
        return made[-1]

    yield build
    for service in made:
        service.close()
    assert not list((tmp_path / "films").glob("*.part")), "what is unfinished lies on the shelf"


def frames(run: Run) -> int:
    """How many there are, once there are any."""
    until(lambda: has_frames(run), "frames")
    return len(run.film() or ())


def kept(service: RunService, config: TrainConfig) -> int:
    return frames_in(shelf(service.store, config), config)


def fresh(config: TrainConfig, folder: Path) -> bytes:
    """The film of a config that nothing has interrupted."""
    train_to_file(config, folder / "fresh.film", store=Store(folder / "other"))
    return frame_bytes(folder / "fresh.film")


# --- turns


@pytest.mark.long
def test_a_short_run_does_not_wait_for_the_end_of_a_long_one_whose_film_is_the_same_in_the_end(
    make: Callable[..., RunService], tmp_path: Path
) -> None:
    service = make(turn_seconds=0.3)
    steady = STEADY.changed(steps=9_000, frames=180)  # outlasts the short one on any machine
    long = service.ask(steady, "ann")
    until(lambda: has_frames(long), "frames")
    short = service.ask(SHORT, "bob")
    held = 0
    while not short.status().ended:
        film = long.film()
        assert film is not None and len(film) >= held and film.status == "running"
        held = len(film)
        time.sleep(0.02)
    assert short.status().state == "done" and not long.status().ended
    assert finish(long) == "done" and kept(service, steady) == 0
    assert frame_bytes(long.film_path()) == fresh(steady, tmp_path)


def test_runs_that_last_take_equal_turns(make: Callable[..., RunService]) -> None:
    service = make(turn_seconds=0.25)
    runs = [service.ask(LONG.changed(seed=k, width=24), f"visitor {k}") for k in range(3)]
    served, turns = [0.0] * len(runs), [0.0]

    def look() -> bool:
        for k, run in enumerate(runs):
            run.status()  # somebody watches
            before, served[k] = served[k], run._job.shares[0].served
            turns.append(served[k] - before)
        return min(served) > 0.7

    until(look, "turns")
    # one may have had a turn more than another; how long they are depends on the machine, since a turn counts the way
    # back to where it was
    assert max(served) - min(served) <= 2 * max(turns), (served, max(turns))


def test_a_visitor_with_several_runs_gets_no_more_than_one_with_a_single_run(make: Callable[..., RunService]) -> None:
    service = make(turn_seconds=0.25, workers=2)
    many = [service.ask(LONG.changed(seed=k), f"ann/{k}") for k in range(limits.VISITOR_RUNS)]
    assert sum(len(run._job.workers) for run in many) == 2, "nobody else is there"
    single = service.ask(LONG.changed(seed=99), "bob")
    until(lambda: [r.status() for r in many] and single._job.workers, "bob's turn", 5)
    for _ in range(20):
        time.sleep(0.05)
        [run.status() for run in (single, *many)]
        assert single._job.workers or single.status().ended, "bob is not asked to make room for one of ann's"
    newest = service.ask(LONG.changed(seed=98), "ann/new")
    assert many[0].status().state == "paused" and not newest.status().ended
    assert sum(not run.status().ended for run in many) + 1 == limits.VISITOR_RUNS


def test_the_seeds_of_one_run_are_spread_over_the_workers(make: Callable[..., RunService], tmp_path: Path) -> None:
    config = SHORT.changed(seeds=3, width=72, steps=600, frames=40)
    run = make(workers=2).ask(config)
    assert len(groups(config)) == 3 and len(run._job.workers) == 2
    assert finish(run) == "done"
    films = [run.film(member=m) for m in range(3)]
    assert [film.seed for film in films if film is not None and film.status == "done"] == [0, 1, 2]
    train_to_file(config, tmp_path / "fresh.film", store=Store(tmp_path / "other"))
    for m in range(3):
        assert frame_bytes(run.film_path(m)) == frame_bytes(tmp_path / f"fresh-{m}.film")


# --- pauses


def test_a_paused_run_goes_on_in_another_service_from_where_it_was(
    make: Callable[..., RunService], tmp_path: Path
) -> None:
    first = make()
    run = first.ask(STEADY, "ann")
    until(lambda: (film := run.film()) is not None and len(film) > 20, "frames")
    run.leave()
    assert run.status().state == "paused" and "goes on when somebody asks" in run.status().words
    first.close()
    seen = run.film()
    assert seen is not None and seen.status == "stopped" and len(seen) > 20
    again = make().ask(STEADY, "bob")
    film = again.film()
    assert film is not None and len(film) >= len(seen) and film.status == "running", "it is shown at once"
    assert again._job.workers[0].task.source is not None
    assert finish(again) == "done" and frame_bytes(again.film_path()) == fresh(STEADY, tmp_path)


def test_the_frames_of_a_paused_run_can_be_looked_at_and_that_starts_nothing(
    make: Callable[..., RunService], tmp_path: Path
) -> None:
    config = STEADY.changed(seeds=2, width=72)  # each seed trains by itself
    service = make()
    assert [service.kept(config, m) for m in range(2)] == [None, None]
    run = service.ask(config, "ann")
    until(lambda: (film := run.film()) is not None and len(film) > 5, "frames")
    shown = run.film()
    growing = service.kept(config)  # somebody else looks, who has not asked
    assert shown is not None and growing is not None and len(growing) >= len(shown) and growing.status == "stopped"
    service.close()
    store = make()
    film = store.kept(config)
    assert film is not None and len(film) >= len(growing) and film.status == "stopped" and film.config == config
    assert (film.samples[: len(shown)] == shown.samples).all() and not store._jobs and store._thread is None
    assert store.kept(config.changed(seed=9)) is None
    whole = fresh(SHORT, tmp_path)
    store.store.path(SHORT).write_bytes((tmp_path / "fresh.film").read_bytes())
    assert (found := store.kept(SHORT)) is not None and found.status == "done" and len(whole)
    place = kept_path(store.store, config, 0)
    data = bytearray(place.read_bytes())
    data[len(data) // 2] ^= 1
    place.write_bytes(data)
    assert store.kept(config) is None and not place.exists(), "it must not stand in the way"


def test_a_run_asked_for_again_while_its_worker_still_stops_waits_for_that(make: Callable[..., RunService]) -> None:
    service = make(workers=2)
    run = service.ask(STEADY, "ann")
    for _ in range(6):
        held = frames(run)
        run.leave()
        run = service.ask(STEADY, "ann")
        assert frames(run) >= held, "no frame is lost"
    assert finish(run) == "done"


def test_one_who_has_asked_for_something_else_does_not_come_back_by_looking(make: Callable[..., RunService]) -> None:
    service = make(watch_seconds=0.3)
    run = service.ask(LONG, "ann")
    until(lambda: run._job.state == "paused", "the pause")
    service.ask(SHORT, "ann")
    assert run.status().state == "paused" and LONG.digest() not in service._jobs


# --- bounds, shown before they are hit


def test_the_outlook_tells_the_place_in_the_queue_and_starts_nothing(make: Callable[..., RunService]) -> None:
    service = make(queue=2, turn_seconds=30.0)
    assert service.outlook(LONG).seconds == 0 and not service._jobs
    runs = [service.ask(LONG.changed(seed=k), f"visitor {k}") for k in range(3)]
    waits = [run.status().seconds or 0.0 for run in runs[1:]]
    assert 0 < waits[0] < waits[1], "who is further back waits longer"
    assert runs[2].status().words.startswith("position 2 of the queue, about ")
    full = service.outlook(LONG.changed(seed=9))
    assert full.state == "failed" and "2 are waiting" in full.message
    with pytest.raises(Busy, match="2 are waiting"):
        service.ask(LONG.changed(seed=9), "visitor 0")
    assert not runs[0].status().ended, "what one has is not lost by a refusal"
    assert service.outlook(LONG.changed(seed=9), "visitor 2").state == "queued", "it would take the place of one's own"
    assert service.outlook(runs[0].config).state in ("starting", "running")
    assert "operations" in service.outlook(TrainConfig(steps=100_000)).message


def test_the_words_of_a_status() -> None:
    assert Status("queued", 2, seconds=8.2).words == "position 3 of the queue, about 8 s"
    assert Status("running", left=11.6).words == "running, about 12 s left"
    assert Status("starting").words == "starting" and Status("failed", 0, "It broke.").words == "It broke."


def test_the_wait_is_that_of_a_queue_with_several_places() -> None:
    # places free after 1 and 4 s; three runs of 2 s ahead take 1-3, 3-5, 4-6: the next begins at 5
    assert seconds_until([1.0, 4.0], [2.0, 2.0, 2.0]) == 5.0
    assert seconds_until([3.0], []) == 3.0


def test_the_pace_comes_near_what_is_measured_and_one_odd_measurement_does_not_spoil_it() -> None:
    pace = Pace()
    for _ in range(20):
        pace.note(6.0, 2.0)
    assert pace.factor == pytest.approx(3.0, rel=1e-2)
    pace.note(1e9, 1.0)
    pace.note(0.1, 1e-9)  # too short to tell
    assert pace.factor < 10
    small = SHORT.changed(steps=1000)
    assert usual_seconds(small.changed(steps=2000), 1) > 1.9 * usual_seconds(small, 1)


# --- memory


def test_a_worker_over_its_memory_is_ended_with_a_sentence(make: Callable[..., RunService]) -> None:
    run = make(worker_bytes=2**20).ask(LONG)  # no worker gets along with so little
    worker = pid(run)
    assert finish(run) == "failed"
    assert "needed more than 1 MB of memory: choose" in run.status().message
    until(lambda: not alive(worker), "its end", 5)


def test_memory_is_measured_and_a_small_machine_has_one_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    held = bytearray(os.urandom(2**20)) * 64
    assert private_bytes(os.getpid()) > len(held)
    assert private_bytes(os.getpid(), above=2**50) == 0 and private_bytes(2**22 + 7) == 0
    assert 2**28 < (measures.machine_bytes() or 0) < 2**50
    monkeypatch.setattr(measures, "machine_bytes", lambda: 2**30)
    assert measures.usual_workers() == 1 and measures.usual_worker_bytes() == 2**28
    monkeypatch.setattr(measures, "machine_bytes", lambda: None)
    assert measures.usual_worker_bytes() == limits.WORKER_BYTES


# --- kills


@pytest.mark.long
def test_workers_killed_at_random_moments_cost_no_frame_that_was_shown(
    make: Callable[..., RunService], tmp_path: Path
) -> None:
    service, dice = make(workers=2, turn_seconds=0.3), random.Random(4)
    configs = [STEADY.changed(seed=k, steps=4000, frames=80) for k in range(3)]
    runs = [service.ask(config, f"visitor {k}") for k, config in enumerate(configs)]
    shown, pids = [0] * len(runs), set()
    kills, due = 0, time.monotonic() + 0.5
    deadline = time.monotonic() + 120
    while not all(run.status().ended for run in runs):
        assert time.monotonic() < deadline, "a run is stuck"
        for k, run in enumerate(runs):
            film = run.film()
            count = len(film) if film is not None else 0
            assert count >= shown[k], "a frame that was shown is lost"
            shown[k] = count
        workers = [worker for run in runs for worker in run._job.workers if worker.pid is not None]
        pids |= {worker.pid for worker in workers}
        if kills < 6 and workers and time.monotonic() > due:
            dice.choice(workers).kill()
            kills, due = kills + 1, time.monotonic() + dice.uniform(0.2, 0.4)
        time.sleep(0.01)
    assert kills >= 3 and [run.status().state for run in runs] == ["done"] * 3
    until(lambda: not any(alive(process) for process in pids if process), "no orphan", 5)
    assert frame_bytes(runs[1].film_path()) == fresh(configs[1], tmp_path)


WATCHER = """
import json, sys, time
from gantoys.runs.config import TrainConfig
from gantoys.service.nursery import nursery
from gantoys.service.run_service import ask
run = ask(TrainConfig.read(sys.argv[1]))
while True:
    film = run.film()
    pids = [worker.pid for worker in run._job.workers] + [nursery().process.pid]
    print(json.dumps({"frames": len(film) if film is not None else 0, "pids": pids}), flush=True)
    time.sleep(0.05)
"""


@pytest.mark.long
def test_a_parent_killed_at_any_moment_leaves_no_process_and_no_gap(
    make: Callable[..., RunService], tmp_path: Path
) -> None:
    config, shown, service = LONG, 0, make()
    for number in (signal.SIGKILL, signal.SIGTERM):
        parent = subprocess.Popen(
            [sys.executable, "-c", WATCHER, config.canonical_json()],
            cwd=ROOT, stdout=subprocess.PIPE, env={**os.environ, "GANTOYS_HOME": str(tmp_path)},
        )  # fmt: skip
        assert parent.stdout is not None
        for line in parent.stdout:
            told = json.loads(line)
            if told["frames"] >= shown + 5:
                break
        shown = told["frames"]
        os.kill(parent.pid, number)
        parent.wait(30)
        parent.stdout.close()
        until(lambda: not any(alive(process) for process in told["pids"] if process), "no orphan", 8)  # noqa: B023
        left = service.kept(config)
        assert left is not None and len(left) >= shown and left.status == "stopped" and not service._jobs
    film = service.ask(config).film()
    assert film is not None and len(film) >= shown and film.status == "running"


def test_a_film_that_another_process_still_writes_is_copied_and_left_alone(
    make: Callable[..., RunService], tmp_path: Path
) -> None:
    service = make()
    (done,) = train_to_file(STEADY, tmp_path / "a.film", store=Store(tmp_path / "other"))
    part = service.store.part(STEADY)
    data = frame_bytes(tmp_path / "a.film")
    part.write_bytes(data[: len(data) // 2])
    half = frames_in(part, STEADY)
    assert 65 < half < 85 and frames_in(tmp_path / "a.film", STEADY) == len(done) == 150
    run = service.ask(STEADY)
    film = run.film()
    assert film is not None and len(film) >= half and part.read_bytes() == data[: len(data) // 2]
    assert finish(run) == "done" and frame_bytes(run.film_path()) == data
    part.unlink()


def test_frames_are_counted_by_size_and_a_closing_record_is_none(tmp_path: Path) -> None:
    tiny = TrainConfig(steps=400, frames=300, cadence="even", width=8, batch=16, grid=2, shown=16)
    (film,) = train_to_file(tiny, tmp_path / "a.film", store=Store(tmp_path / "s"))
    path = tmp_path / "a.film"
    assert frames_in(path, tiny) == len(film) == 300
    whole = frame_bytes(path)
    (tmp_path / "b.film").write_bytes(whole[:-1])
    assert frames_in(tmp_path / "b.film", tiny) == 299
    (tmp_path / "c.film").write_bytes(b"GANFILM")
    assert frames_in(tmp_path / "c.film", tiny) == 0 == frames_in(tmp_path / "none", tiny)


# --- disks that fill, and what is left over

# A worker for whom a folder is a small disk: what would not fit any more is refused as the system refuses it.
SMALL_DISK = """
import errno, sys
from pathlib import Path
from gantoys.runs import state_file
from gantoys.runs.film_file import FilmWriter

disk, most = Path(sys.argv.pop(1)), int(sys.argv.pop(1))
write, save = FilmWriter._write, state_file.save

def refuse(path, size):
    if disk in Path(path).parents and sum(p.stat().st_size for p in disk.rglob("*") if p.is_file()) + size > most:
        raise OSError(errno.ENOSPC, "No space left on device")

def limited(self, data):
    refuse(self.part, len(data))
    write(self, data)

def saved(path, arrays, meta):
    refuse(path, sum(getattr(a, "nbytes", 8) for a in arrays.values()))
    return save(path, arrays, meta)

FilmWriter._write, state_file.save = limited, saved
from gantoys.training import worker
sys.exit(worker.main(sys.argv[1:]))
"""


@dataclass
class SmallDisk:
    """A folder that holds so many bytes, and a store and a service on it; elsewhere there is room."""

    folder: Path
    bytes: int

    def used(self) -> int:
        return sum(path.stat().st_size for path in self.folder.rglob("*") if path.is_file())

    def fill(self, size: int, config: TrainConfig, used: float) -> Path:
        """A film that was paused: somebody else's, last used at a time."""
        path = kept_path(Store(self.folder), config, 0)
        path.write_bytes(bytes(size))
        os.utime(path, (used, used))
        return path


@pytest.fixture
def disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SmallDisk:
    small = SmallDisk(tmp_path / "films", 7 * 2**20)
    usual = process.command

    def command(module: str, *arguments: str) -> list[str]:
        assert module == "gantoys.training.worker"
        return [sys.executable, "-P", "-c", SMALL_DISK, str(small.folder), str(small.bytes), *arguments]

    def free(folder: Path) -> int:
        return max(0, small.bytes - small.used()) if folder == small.folder else 2**30

    assert usual
    monkeypatch.setattr(process, "command", command)
    monkeypatch.setattr(stores, "free_bytes", free)
    monkeypatch.setattr(stores.tempfile, "tempdir", str(tmp_path))
    return small


FILLS = TrainConfig(steps=300, frames=100, cadence="even", width=16, batch=32, grid=32, shown=800)


def watched(run: Run) -> int:
    """Look at a run until it has ended: its film never gets shorter. How many frames were seen."""
    shown = 0
    while not run.status().ended:
        film = run.film()
        assert film is None or len(film) >= shown
        shown = len(film) if film is not None else shown
        time.sleep(0.02)
    return shown


@pytest.mark.long
def test_a_disk_that_paused_films_keep_full_gives_up_those_that_nobody_used(disk: SmallDisk, tmp_path: Path) -> None:
    store, size = Store(disk.folder), (disk.bytes - film_bytes(FILLS) // 2) // 4  # a whole film more is too much
    films = [disk.fill(size, FILLS.changed(seed=k), 1e9 + k) for k in (5, 6, 7, 8)]
    service = RunService(store, workers=1)
    run = service.ask(FILLS, "ann")
    watched(run)
    assert run.status().state == "done" and store.folder == disk.folder and disk.used() <= disk.bytes
    assert [path.exists() for path in films] == [False, False, True, True], "the two that were used least recently"
    assert frame_bytes(run.film_path()) == fresh(FILLS, tmp_path)
    service.close()


@pytest.mark.long
def test_a_disk_that_others_keep_full_lets_a_run_go_on_elsewhere_with_what_there_was(
    disk: SmallDisk, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store = Store(disk.folder)
    (disk.folder / "of somebody else").write_bytes(bytes(disk.bytes - film_bytes(FILLS) // 2))
    service = RunService(store, workers=1)
    run = service.ask(FILLS, "ann")
    shown = watched(run)
    assert run.status().state == "done" and shown == FILLS.frames
    assert store.folder.parent == tmp_path and store.folder.name.startswith("gantoys-films-")
    assert sum("are kept in" in record.message for record in caplog.records) == 1
    assert frame_bytes(run.film_path()) == fresh(FILLS, tmp_path)
    found = store.find(FILLS)
    assert found is not None and len(found) == FILLS.frames and (disk.folder / "of somebody else").exists()
    service.close()


LEAVES = """
import os, signal, sys, time
from pathlib import Path
from gantoys.runs.config import TrainConfig
from gantoys.runs.store import Store

store, data, config = Store(Path(sys.argv[1])), Path(sys.argv[2]).read_bytes(), TrainConfig.read(sys.argv[3])
part = store.part(config)
part.write_bytes(data[: len(data) * int(sys.argv[4]) // 100])
Store(Path("/proc/nowhere/films")).path(config).write_bytes(data)
print(part, flush=True)
time.sleep(60)
"""


def test_what_a_killed_server_left_is_put_away_at_the_next_start_and_a_living_one_s_stays(
    make: Callable[..., RunService], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train_to_file(STEADY, tmp_path / "a.film", store=Store(tmp_path / "other"))
    other = STEADY.changed(seed=3)
    train_to_file(other, tmp_path / "b.film", store=Store(tmp_path / "other"))
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr(stores.tempfile, "tempdir", str(temporary))

    def left(config: TrainConfig, film: str, percent: int) -> tuple[subprocess.Popen[str], Path]:
        one = subprocess.Popen(
            [sys.executable, "-c", LEAVES, tmp_path / "films", tmp_path / film, config.canonical_json(), str(percent)],
            cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            env={**os.environ, "TMPDIR": str(temporary)},
        )  # fmt: skip
        assert one.stdout is not None
        return one, Path(one.stdout.readline().strip())

    servers = [
        left(STEADY, "a.film", 50),
        left(other, "b.film", 100),
        left(STEADY, "a.film", 0),
        left(STEADY, "a.film", 70),
    ]
    assert len(list(temporary.iterdir())) == 4
    for server, _ in servers[:3]:
        server.kill()
        server.wait()
    service = make()
    half, whole, nothing, living = (part for _, part in servers)
    assert not half.exists() and not whole.exists() and not nothing.exists() and living.exists()
    film = service.kept(STEADY)
    assert film is not None and film.status == "stopped" and service.store.find(other) is not None
    assert 65 < frames_in(kept_path(service.store, STEADY, 0), STEADY) < 85
    assert len(list(temporary.iterdir())) == 1, "the living one's films in a temporary folder"
    owners = list((tmp_path / "films").glob("*.owner"))
    assert len(owners) == 1
    servers[3][0].kill()
    servers[3][0].wait()
    servers[3][1].unlink()
    for server, _ in servers:
        assert server.stdout is not None
        server.stdout.close()


# --- a class


def test_twenty_visitors_on_five_configs_all_have_pictures_soon(make: Callable[..., RunService]) -> None:
    service = make(workers=2)
    begin = time.monotonic()
    runs = [service.ask(TrainConfig(seed=k % 5, steps=2000), f"visitor {k}") for k in range(20)]
    first: dict[int, float] = {}

    def look(run: Run, k: int) -> bool:
        if k not in first and has_frames(run):
            first[k] = time.monotonic() - begin
        return k in first

    until(lambda: all([look(run, k) for k, run in enumerate(runs)]), "everybody's first picture", 10)
    assert len(service._jobs) <= 5
    for run in runs:
        run.leave()
    assert not service._jobs
