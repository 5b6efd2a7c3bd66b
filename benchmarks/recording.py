"""What a film costs: time beside the training, bytes on disk, a worker's memory, and the wait for its first picture."""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.figures import Row  # noqa: E402
from gantoys.process import keep_freed  # noqa: E402
from gantoys.runs.config import TrainConfig  # noqa: E402
from gantoys.runs.film import Film, read_new  # noqa: E402
from gantoys.runs.film_file import FilmWriter  # noqa: E402
from gantoys.service.environment import environment  # noqa: E402
from gantoys.service.nursery import POSSIBLE, Nursery  # noqa: E402
from gantoys.service.process import Task, Worker  # noqa: E402
from gantoys.training.loop import train  # noqa: E402
from gantoys.training.record import View  # noqa: E402

TURNS, FEW, MANY = 121, 10, 30  # pictures of each of two runs, and the steps between two of the one and of the other
REQUESTS, LONGEST_WAIT = 7, 60.0
# A worker as the app starts it, which says at its end how much memory it has ever had, in MiB. VmHWM belongs to the
# process alone; ru_maxrss, for other systems than Linux, may count that of the one who started it.
WORKER = """
import sys
from gantoys.training.worker import main
status = main(sys.argv[1:])
try:
    kib = next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM"))
except OSError:
    import resource
    kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024 if sys.platform == "darwin" else 1)
print(kib / 1024)
sys.exit(status)
"""


def windows(config: TrainConfig, steps: int, folder: Path) -> Iterator[float]:
    """The processor's seconds of `steps` steps and one picture that is written, again and again."""
    count = config.steps // steps
    config = config.changed(steps=count * steps, frames=count + 1, cadence="even")
    writer = FilmWriter(folder / f"{steps}.film", config, View.of(config, 0).statics())
    begin = None
    try:
        for (frame,) in train(config):
            writer.append(frame.arrays, 0.0)
            now = time.process_time()
            if begin is not None:
                yield now - begin
            begin = time.process_time()
    finally:
        writer.close()


def recording_cost(config: TrainConfig) -> float:
    """The percent by which all pictures lengthen the training, against the first and the last alone.

    Two runs go on turn by turn, one with a picture after few steps, one after many: their difference is that of steps
    alone. So both see the same machine, whose speed may change from one second to the next.
    """
    keep_freed()  # as a worker does
    with tempfile.TemporaryDirectory() as folder:
        runs = [windows(config.changed(steps=TURNS * n), n, Path(folder)) for n in (FEW, MANY)]
        turns = list(zip(*runs, strict=True))[1:]
    few, many = (statistics.median(times) for times in zip(*turns, strict=True))
    step = (many - few) / (MANY - FEW)
    picture = few - FEW * step
    return 100 * (config.frames - 2) * picture / (config.steps * step + picture)


def film_and_memory(config: TrainConfig) -> tuple[float, float]:
    """The MB of a run's film and the most MiB of memory that its worker has had."""
    with tempfile.TemporaryDirectory() as folder:
        film, written = Path(folder) / "a.film", Path(folder) / "config.json"
        written.write_text(config.canonical_json())
        call = [sys.executable, "-c", WORKER, str(film), "--config", str(written)]
        done = subprocess.run(
            call, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True, timeout=300, env=environment()
        )
        assert len(Film.load(film)) == len(config.recorded_steps())
        return film.stat().st_size / 1e6, float(done.stdout)


def pictures(part: Path) -> int:
    """How many pictures the growing film has."""
    try:
        return len(read_new(part))
    except FileNotFoundError:
        return 0


def first_pictures(config: TrainConfig) -> list[float]:
    """The ms from a request until its film holds a picture, by the clock, several times; torch is in memory before."""
    nursery, found = Nursery() if POSSIBLE else None, []
    try:
        if nursery is not None and not nursery.wait_until_ready(LONGEST_WAIT):
            raise RuntimeError("the nursery of workers does not get ready")
        with tempfile.TemporaryDirectory() as folder:
            for k in range(REQUESTS):
                film, part = Path(folder) / f"{k}.film", Path(folder) / f"{k}.part"
                begin = time.perf_counter()
                worker = Worker(Task(config, film, part, range(1)), nursery)
                while not pictures(part):
                    if not worker.running() or time.perf_counter() - begin > LONGEST_WAIT:
                        raise RuntimeError(f"a worker records nothing: {worker.complaint()}")
                    time.sleep(0.002)
                found.append(1000 * (time.perf_counter() - begin))
                worker.end()
    finally:
        if nursery is not None:
            nursery.close()
    return found


def rows() -> list[Row]:
    """The default config: its networks are those of W1."""
    config = TrainConfig()
    film, memory = film_and_memory(config)
    waits = first_pictures(config)
    return [
        Row(f"{config.frames} pictures, of the training time", "%", recording_cost(config), most=20),
        Row("film of the default run", "MB", film, most=2),
        Row("peak memory of its worker", "MiB", memory, most=300),
        Row(f"first picture of a warm worker, worst of {len(waits)}, by the clock", "ms", max(waits), most=1000),
    ]
