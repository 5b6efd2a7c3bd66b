"""What a film costs: time beside the training, bytes on disk, a worker's memory, and the wait for its first picture."""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.figures import Clock, Row, in_turns  # noqa: E402
from gantoys.process import keep_freed  # noqa: E402
from gantoys.runs.config import TrainConfig  # noqa: E402
from gantoys.runs.film import Film, read_new  # noqa: E402
from gantoys.runs.film_file import FilmWriter  # noqa: E402
from gantoys.service.environment import environment  # noqa: E402
from gantoys.service.nursery import POSSIBLE, Nursery  # noqa: E402
from gantoys.service.process import Task, Worker  # noqa: E402
from gantoys.training.loop import train  # noqa: E402
from gantoys.training.record import View  # noqa: E402

SECONDS, PART = 12.0, 4
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


def a_part(config: TrainConfig, part: int = PART) -> TrainConfig:
    """The first 1/part of a run's steps, with as many pictures a step as the whole run takes on its way."""
    on_the_way = -(-(config.frames - 2) // part)  # without the first and the last one
    return config.changed(steps=config.steps // part, frames=on_the_way + 2)


def seconds_of(config: TrainConfig) -> float:
    """The processor's time to train a run and write its film, from the first picture on."""
    with tempfile.TemporaryDirectory() as folder:
        writer = FilmWriter(Path(folder) / "a.film", config, View.of(config, 0).statics())
        frames = train(config)
        writer.append(next(frames)[0].arrays, 0.0)
        begin = time.process_time()
        for (frame,) in frames:
            writer.append(frame.arrays, 0.0)
        took = time.process_time() - begin
        writer.close()
    return took


def recording_cost(config: TrainConfig) -> float:
    """The percent by which all pictures lengthen the training, against the first and the last alone."""
    keep_freed()  # as a worker does
    many = a_part(config)
    few = many.changed(frames=2)
    turns = in_turns([lambda: seconds_of(many), lambda: seconds_of(few)], Clock(SECONDS))
    return 100 * (statistics.median(with_all / without for with_all, without in turns) - 1)


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
