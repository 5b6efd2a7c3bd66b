"""The worker: films bit for bit the same however they came about, and nothing lost when something goes wrong."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from gantoys.runs.config import TrainConfig
from gantoys.runs.film import Film, read_new
from gantoys.runs.groups import groups
from gantoys.runs.store import Store
from gantoys.service.environment import environment
from gantoys.service.nursery import nursery
from gantoys.service.process import Task, Worker
from gantoys.training import loop
from gantoys.training.filming import record

ROOT = Path(__file__).resolve().parents[1]
SMALL = TrainConfig(steps=40, frames=6, grid=6, shown=32, width=16, batch=16)
LONG = TrainConfig(
    toy="N(0,1)", noise_dim=1, steps=50_000, frames=400, cadence="even", width=16, batch=16, grid=8, shown=32
)
# long enough for states on the way: at 256, 512 and 768
RUN = SMALL.changed(steps=900, frames=31)


def frame_bytes(path: Path) -> bytes:
    """The file without its closing record, which holds the wall times."""
    return path.read_bytes().rpartition(b"DONE")[0]


def command(film: Path, *options: object) -> list[str]:
    return [sys.executable, "-m", "gantoys.training.worker", str(film), *map(str, options)]


def start(film: Path, config: TrainConfig, *options: object) -> subprocess.Popen[bytes]:
    worker = subprocess.Popen(
        command(film, *options), cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert worker.stdin is not None
    worker.stdin.write(config.canonical_json().encode() + b"\n")
    worker.stdin.flush()
    return worker


def forked(task: Task) -> Worker:
    """A worker that need not import torch first."""
    warm = nursery()
    assert warm is not None
    return Worker(task, warm)


def ended(worker: subprocess.Popen[bytes], seconds: float = 60) -> int:
    """Its exit status; its pipes are closed."""
    code = worker.wait(seconds)
    for pipe in (worker.stdin, worker.stdout, worker.stderr):
        assert pipe is not None
        pipe.close()
    return code


def wait_for_frames(part: Path, count: int = 1) -> None:
    deadline = time.monotonic() + 30
    while True:
        try:
            if len(read_new(part)) >= count:
                return
        except FileNotFoundError:
            pass
        assert time.monotonic() < deadline, "the worker records nothing"
        time.sleep(0.02)


def cut(path: Path, frames: int, to: Path) -> Path:
    """The film as a process that died left it: whole frames, the beginning of the next, no end."""
    data = path.read_bytes()
    ends = [i for i in range(len(data)) if data.startswith(b"FRAM", i)]
    size = ends[1] - ends[0]
    assert len(ends) > frames and ends[frames] - ends[0] == frames * size
    to.write_bytes(data[: ends[frames] + size // 2])
    return to


@pytest.fixture
def starts(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The steps from which trainings of this process began, in their order."""
    seen: list[int] = []
    train = loop.train

    def watched(*args: object, **options: object) -> object:
        begin = options.get("start")
        seen.append(0 if begin is None else int(begin["step"]))  # type: ignore[index]
        return train(*args, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(loop, "train", watched)
    return seen


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Store]:
    """The film of RUN, never interrupted, and a store with its states."""
    folder = tmp_path_factory.mktemp("whole")
    store = Store(folder / "store")
    assert record(RUN, folder / "a.film", store=store) == "done"
    assert sorted(int(p.stem.split("-")[-1]) for p in store.states.iterdir()) == [256, 512, 768]
    return folder / "a.film", store


# --- sameness


def test_a_film_is_the_same_bit_for_bit_in_this_process_twice_and_in_another(tmp_path: Path) -> None:
    paths = [tmp_path / f"{k}.film" for k in range(3)]
    record(SMALL, paths[0])
    record(SMALL, paths[1])
    assert ended(start(paths[2], SMALL)) == 0
    assert frame_bytes(paths[0]) == frame_bytes(paths[1]) == frame_bytes(paths[2])
    assert len(Film.load(paths[2])) == 6


@pytest.mark.parametrize("step", [200, 256, 300, 511, 600, 899])
def test_a_run_that_goes_on_makes_the_film_of_one_that_was_never_interrupted(
    whole: tuple[Path, Store], tmp_path: Path, starts: list[int], step: int
) -> None:
    film, store = whole
    frames = int(np.sum(RUN.recorded_steps() <= step))
    left = cut(film, frames, tmp_path / "left.part")
    assert record(RUN, tmp_path / "b.film", store=store, source=left) == "done"
    assert frame_bytes(tmp_path / "b.film") == frame_bytes(film)
    following = RUN.recorded_steps()[frames]
    assert starts == [max(k for k in (0, 256, 512, 768) if k < following)], "not trained again from the beginning"
    times = Film.load(tmp_path / "b.film").seconds
    assert np.all(np.diff(times) >= 0) and times[0] >= 0


@pytest.mark.parametrize("how", ["SIGTERM", "SIGKILL"])
def test_a_worker_that_was_ended_is_gone_on_with_by_another_process(tmp_path: Path, how: str) -> None:
    config = LONG.changed(steps=3000)
    film, part, store = (tmp_path / name for name in ("a.film", "a.part", "store"))
    first = forked(Task(config, film, part, range(1), store=store))
    wait_for_frames(part, 60)
    assert first.pid is not None
    os.kill(first.pid, getattr(signal, how))
    assert first.wait(30) and first.code == (4 if how == "SIGTERM" else -signal.SIGKILL)
    assert 60 <= len(read_new(part)) < 400 and list((store / "states").glob("*.state"))
    again = forked(Task(config, film, tmp_path / "b.part", range(1), store=store, source=part))
    record(config, tmp_path / "b.film")
    assert again.wait(60) and again.code == 0 and part.exists()
    assert frame_bytes(tmp_path / "a.film") == frame_bytes(tmp_path / "b.film")


@pytest.mark.parametrize(("at", "begins"), [(0, 0), (256, 0), (300, 256), (512, 512), (700, 512)])
def test_a_branch_makes_the_film_of_its_config_trained_from_the_beginning(
    whole: tuple[Path, Store], tmp_path: Path, starts: list[int], at: int, begins: int
) -> None:
    """At 256 there is a frame too, which already shows the new loss: it must be taken again."""
    film, store = whole
    branch = RUN.branched(at, lr_g=0.01, loss="wasserstein")
    record(branch, tmp_path / "fresh.film")
    mine = Store(tmp_path / "store")
    shutil.copytree(store.states, mine.states)
    record(branch, tmp_path / "branch.film", store=mine, source=film)
    assert starts == [0, begins]
    assert frame_bytes(tmp_path / "branch.film") == frame_bytes(tmp_path / "fresh.film")
    one, other = Film.load(film), Film.load(tmp_path / "branch.film")
    before = int(np.sum(one.step <= at))
    assert np.array_equal(one.samples[:before], other.samples[:before])
    assert not np.array_equal(one.samples[before + 1], other.samples[before + 1])


@pytest.mark.parametrize("other", ["seed", "lr_g", "frames", "grid", "toy", "byte", "member", "nothing"])
def test_a_film_of_another_run_is_not_gone_on_with(
    whole: tuple[Path, Store], tmp_path: Path, starts: list[int], other: str
) -> None:
    film, store = whole
    values = {"seed": 5, "lr_g": 0.01, "frames": 30, "grid": 7, "toy": "grid", "member": 2}
    config = RUN if other not in values else RUN.changed(**{"seeds" if other == "member" else other: values[other]})
    source = tmp_path / "source.film"
    if other != "nothing":
        data = bytearray(film.read_bytes())
        if other == "byte":
            data[len(data) // 2] ^= 1
        source.write_bytes(data)
    members = range(1, 2) if other == "member" else range(1)
    assert record(config, tmp_path / "b.film", store=store, source=source, members=members) == "done"
    assert starts == [0]


def test_a_damaged_state_is_passed_over(whole: tuple[Path, Store], tmp_path: Path, starts: list[int]) -> None:
    film, store = whole
    mine = Store(tmp_path / "store")
    mine.states.mkdir()
    for state in store.states.iterdir():
        data = state.read_bytes()
        (mine.states / state.name).write_bytes(data[:-1] if state.stem.endswith("-768") else data)
    assert record(RUN, tmp_path / "b.film", store=mine, source=film) == "done"
    assert starts == [512] and frame_bytes(tmp_path / "b.film") == frame_bytes(film)


def test_a_state_of_another_version_is_passed_over(whole: tuple[Path, Store], tmp_path: Path) -> None:
    film, _ = whole
    mine = Store(tmp_path / "store")
    mine.keep(RUN, range(1), 768, {"step": np.array(768), "w": np.zeros(3)}, 1.0)
    assert record(RUN, tmp_path / "b.film", store=mine, source=film) == "done"
    assert frame_bytes(tmp_path / "b.film") == frame_bytes(film)


# --- several seeds


@pytest.mark.parametrize("width", [16, 80])
def test_each_member_has_a_film_that_does_not_depend_on_which_ones_were_asked_for(tmp_path: Path, width: int) -> None:
    config = SMALL.changed(seeds=3, seed=4, width=width)
    assert len(groups(config)) == (1 if width == 16 else 3)
    record(config, tmp_path / "all.film")
    record(config, tmp_path / "one.film", members=range(1, 2))
    record(config, tmp_path / "two.film", members=range(1, 3), number=5)
    assert sorted(os.listdir(tmp_path)) == [
        "all-0.film", "all-1.film", "all-2.film", "one.film", "two-5.film", "two-6.film",
    ]  # fmt: skip
    films = [Film.load(tmp_path / f"all-{m}.film") for m in range(3)]
    assert [(f.member, f.seed, f.config == config) for f in films] == [(0, 4, True), (1, 5, True), (2, 6, True)]
    assert not np.array_equal(films[0].samples, films[1].samples)
    for name, member in (("one", 1), ("two-5", 1), ("two-6", 2)):
        assert frame_bytes(tmp_path / f"{name}.film") == frame_bytes(tmp_path / f"all-{member}.film")


def test_several_seeds_go_on_together(tmp_path: Path, starts: list[int]) -> None:
    config, store = RUN.changed(seeds=2, steps=600), Store(tmp_path / "store")
    record(config, tmp_path / "a.film", store=store)
    for member, frames in ((0, 25), (1, 20)):
        cut(tmp_path / f"a-{member}.film", frames, tmp_path / f"left-{member}.part")
    record(config, tmp_path / "b.film", store=store, source=tmp_path / "left.part")
    following = config.recorded_steps()[20]
    assert starts == [0, 256] and 256 < following <= 512
    for member in range(2):
        assert frame_bytes(tmp_path / f"b-{member}.film") == frame_bytes(tmp_path / f"a-{member}.film")


# --- ends and faults


def test_a_worker_stops_at_once_and_keeps_the_film_so_far_when_its_pipe_closes(tmp_path: Path) -> None:
    film, part = tmp_path / "a.film", tmp_path / "a.film.part"
    worker = start(film, LONG)
    wait_for_frames(part)
    assert worker.stdin is not None
    begin = time.monotonic()
    worker.stdin.close()
    while read_new(part).status == "running":
        assert time.monotonic() - begin < 1, "the loop looks at the flag every few steps"
        time.sleep(0.01)
    assert ended(worker) == 4 and not film.exists()
    assert Film.load(part).status == "stopped"


def test_a_run_that_leaves_the_finite_numbers_keeps_its_film_and_says_at_which_step(tmp_path: Path) -> None:
    config = SMALL.changed(loss="maximum-likelihood", lr_g=1.0, lr_d=1.0, steps=2000, frames=200, cadence="even")
    with pytest.raises(loop.Diverged) as caught:
        list(loop.train(config))
    assert record(config, tmp_path / "a.film") == "diverged"
    film = Film.load(tmp_path / "a.film")
    assert film.status == "diverged" and film.message == str(caught.value)[:500]
    assert str(caught.value.step) in film.message
    assert 1 <= len(film) < 200 and film.step[-1] < caught.value.step
    assert np.all(np.isfinite(film.samples))


def test_two_processes_may_make_the_same_film_at_once(tmp_path: Path) -> None:
    film, config = tmp_path / "a.film", SMALL.changed(steps=400)
    both = [forked(Task(config, film, tmp_path / f"{k}.part", range(1))) for k in range(2)]
    record(config, tmp_path / "b.film")
    assert all(worker.wait(60) and worker.code == 0 for worker in both)
    assert frame_bytes(film) == frame_bytes(tmp_path / "b.film") and Film.load(film).status == "done"
    assert sorted(os.listdir(tmp_path)) == ["a.film", "b.film"]


@pytest.mark.parametrize(
    ("line", "options", "sentence"),
    [
        (b'{"steps":0}\n', (), "steps is 0: it must be a whole number from 1 to 500000"),
        (b"\xff\xfe\n", (), "the config is not written as JSON"),
        (b"x" * 70_000, (), "at most 65536 are read"),
        (b"{}\n", ("--members", "0:2"), "members A:B must lie within 0:1, got '0:2'"),
        (b"{}\n", ("--member", "x"), "members A:B must lie within 0:1, got 'x'"),
    ],
)
def test_a_worker_refuses_what_is_wrong_with_one_sentence(
    tmp_path: Path, line: bytes, options: tuple[str, ...], sentence: str
) -> None:
    done = subprocess.run(command(tmp_path / "a.film", *options), cwd=ROOT, input=line, capture_output=True, timeout=60)
    error = done.stderr.decode()
    assert done.returncode == 2 and sentence in error and error.count("\n") == 1
    assert not list(tmp_path.iterdir())


def limited(folder: Path, config: TrainConfig, *options: object) -> subprocess.CompletedProcess[bytes]:
    """A worker that may write files of 32 kB only: that stands for the full disk, the write fails in the same place."""
    (folder / "c.json").write_text(config.canonical_json())
    words = command(folder / "a.film", "--config", folder / "c.json", *options)
    return subprocess.run(
        ["sh", "-c", 'ulimit -f 64; exec "$@"', "sh", *words], cwd=ROOT, capture_output=True, timeout=60
    )


def test_a_full_disk_ends_in_one_sentence_and_loses_no_frame_that_was_written(tmp_path: Path) -> None:
    done = limited(tmp_path, TrainConfig(steps=50, frames=50))
    assert done.returncode == 2
    assert done.stderr.decode().startswith("the film cannot be written: ") and done.stderr.count(b"\n") == 1
    assert sorted(os.listdir(tmp_path)) == ["a.film.part", "c.json"]
    left = read_new(tmp_path / "a.film.part")
    assert left.status == "running" and len(left) >= 1 and left.step[-1] < 50


def test_a_run_goes_on_when_no_state_can_be_kept(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store = Store(tmp_path / "store")
    store.states.write_text("in the way")
    assert record(RUN.changed(steps=600), tmp_path / "a.film", store=store) == "done"
    error = capsys.readouterr().err
    assert error.startswith("states are not kept: ") and error.count("\n") == 1
    assert Film.load(tmp_path / "a.film").status == "done"


def test_a_worker_needs_at_most_300_megabytes_for_the_default_config(tmp_path: Path) -> None:
    """The worker says how much it was itself, started by a small shell: a process inherits its starter's high mark."""
    config = tmp_path / "c.json"
    config.write_text(TrainConfig(steps=100, frames=10).canonical_json())
    code = (
        "import resource, sys; from gantoys.training import worker\n"
        "print(worker.main(sys.argv[1:]), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
    )
    done = subprocess.run(
        ["sh", "-c", '"$@"; exit $?', "sh", sys.executable, "-c", code, tmp_path / "a.film", "--config", config],
        cwd=ROOT, capture_output=True, env=environment(), timeout=60,
    )  # fmt: skip
    status, most = map(int, done.stdout.split())
    unit = 1 if sys.platform == "darwin" else 1024
    assert status == 0 and 50 * 2**20 < most * unit <= 300 * 2**20
