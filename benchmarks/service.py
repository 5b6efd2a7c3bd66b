"""The run service with a class at it: who waits how long, what turns cost, and what kills cost. About two minutes.

    python benchmarks/service.py            everything stays on this machine

Kills are aimed at processes of its own only. The other way is the same run alone, taken in the same minutes.
"""

import json
import logging
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from figures import RATE, Row, load, quantile, table  # noqa: E402

from gantoys.runs.config import TrainConfig  # noqa: E402
from gantoys.runs.store import Store  # noqa: E402
from gantoys.service.job import Run  # noqa: E402
from gantoys.service.nursery import Nursery  # noqa: E402
from gantoys.service.run_service import RunService  # noqa: E402

USUAL = TrainConfig()  # what a page trains: a ring of eight, 128 wide
SMALL = TrainConfig(steps=30_000, frames=300, cadence="even", width=16, batch=16, grid=8, shown=32)
SHORT = USUAL.changed(steps=300)
VISITORS, CONFIGS, KILLS = 20, 5, 50
PARENTS = 10
PATIENCE = 120.0
FIRST_SECONDS, WARM_SECONDS = 10.0, 1.0
LOOK_SECONDS = 0.01
WEB_MEGABYTES = 250  # what the process that serves pages needs besides


class Bench:
    """A nursery, and services on stores of their own."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.made, self.nursery = folder, 0, Nursery()
        if not self.nursery.wait_until_ready(60):
            raise RuntimeError("the nursery does not start")

    def service(self, **options: object) -> RunService:
        """A new one; it has no films."""
        self.made += 1
        given = {"workers": 2, "nursery": lambda: self.nursery} | options
        return RunService(Store(self.folder / str(self.made)), **given)  # type: ignore[arg-type]

    def close(self) -> None:
        """End the nursery."""
        self.nursery.close()


def until(condition: Callable[[], bool], patience: float = PATIENCE) -> float:
    """The seconds until something holds; infinite if it does not come about."""
    begin = time.monotonic()
    while not condition():
        if time.monotonic() - begin > patience:
            return float("inf")
        time.sleep(LOOK_SECONDS)
    return time.monotonic() - begin


def shown(run: Run) -> int:
    """How many frames a page would show now."""
    film = run.film()
    return len(film) if film is not None else 0


def first_picture(bench: Bench) -> list[Row]:
    """From asking to the first frame on workers that are warm."""
    service, waits = bench.service(), []
    for seed in range(10):
        run = service.ask(USUAL.changed(seed=seed), "one")
        waits.append(until(lambda run=run: shown(run) > 0))  # type: ignore[misc]
    service.close()
    return [Row("first frame on a warm worker, p95 of 10", "s", quantile(waits, 0.95), most=WARM_SECONDS)]


def a_class(bench: Bench) -> list[Row]:
    """Visitors who all press the button at once, each on one of a few configs."""
    service = bench.service()
    begin = time.monotonic()
    runs = [service.ask(USUAL.changed(seed=k % CONFIGS), f"visitor {k}") for k in range(VISITORS)]
    asked = time.monotonic() - begin
    first = [float("inf")] * VISITORS

    def look() -> bool:
        for k, run in enumerate(runs):
            if first[k] == float("inf") and shown(run):
                first[k] = time.monotonic() - begin
        return max(first) < float("inf")

    until(look)
    shares = [run._job.shares[0] for run in runs[:CONFIGS]]
    until(lambda: any([run.status().ended for run in runs]))
    at = [share.at for share in shares]
    finished = until(lambda: all([run.status().ended for run in runs]))
    service.close()
    return [
        Row(f"{VISITORS} visitors, {CONFIGS} configs: all have asked", "s", asked),
        Row("the last first frame", "s", max(first), most=FIRST_SECONDS),
        Row("progress of the last run when the first is done", "share", min(at), least=0.5),
        Row("all films whole so long after that", "s", finished, most=PATIENCE),
    ]


def turns(bench: Bench) -> list[Row]:
    """A short run beside long ones against the same alone, and what it costs a run to be interrupted."""
    service = bench.service()
    alone = service.ask(SHORT, "bob")
    seconds = until(lambda: alone.status().ended)
    long = [service.ask(USUAL.changed(seed=k), f"visitor {k}") for k in range(4)]
    until(lambda: shown(long[0]) > 0)
    beside = service.ask(SHORT.changed(seed=1), "bob")
    waited = until(lambda: [run.status() for run in long] and beside.status().ended)
    left = [run.status().left or 0.0 for run in long]
    service.close()
    one = bench.service(workers=1)
    run = one.ask(USUAL, "ann")
    whole = until(lambda: run.status().ended)
    pair = [one.ask(USUAL.changed(seed=k), f"visitor {k}") for k in (1, 2)]
    both = until(lambda: all([run.status().ended for run in pair]))
    one.close()
    return [
        Row("a short run beside four long ones", "s", waited, seconds),
        Row("and what the longest of those still had to train", "s", max(left)),
        Row("speed of two runs that take turns, of one alone", RATE, 2 / both, 1 / whole, least_times=0.8),
    ]


def kills(bench: Bench) -> list[Row]:
    """Workers killed at random moments while runs come and go: no frame that was shown may be lost."""
    service, dice = bench.service(turn_seconds=0.5), random.Random(1)
    runs: list[Run] = []
    held: dict[Run, int] = {}
    lost = stuck = failed = done = count = seed = 0
    due, pids, moved = time.monotonic() + 0.5, set(), time.monotonic()
    while count < KILLS and time.monotonic() - moved < PATIENCE / 4:
        runs = [run for run in runs if not run.status().ended]
        while len(runs) < 3:
            seed += 1
            runs.append(service.ask(SMALL.changed(seed=seed), f"visitor {seed}"))
        for run in runs:
            frames = shown(run)
            lost += frames < held.get(run, 0)
            moved = time.monotonic() if frames > held.get(run, 0) else moved
            held[run] = frames
        workers = [worker for run in runs for worker in run._job.workers if worker.pid]
        pids |= {worker.pid for worker in workers}
        if workers and time.monotonic() > due:
            dice.choice(workers).kill()
            count, due = count + 1, time.monotonic() + dice.uniform(0.2, 1.2)
        time.sleep(LOOK_SECONDS)
    stuck = sum(until(lambda run=run: run.status().ended) == float("inf") for run in runs)  # type: ignore[misc]
    states = [run._job.state for run in held]
    done, failed = states.count("done"), states.count("failed")
    service.close()
    orphans = sum(running(pid) for pid in pids if pid)
    return [
        Row(f"{count} workers killed: runs that are whole all the same, of {len(held)}", "runs", done, least=len(held)),
        Row("frames that were shown and lost", "frames", lost, most=0),
        Row("runs that are stuck, or given up", "runs", stuck + failed, most=0),
        Row("processes left behind", "", orphans, most=0),
    ]


WATCHER = """
import json, sys, time
from gantoys.runs.config import TrainConfig
from gantoys.service.nursery import nursery
from gantoys.service.run_service import ask
run = ask(TrainConfig.read(sys.argv[1]))
while True:
    film = run.film()
    pids = [worker.pid for worker in run._job.workers if worker.pid] + [nursery().process.pid]
    print(json.dumps({"frames": len(film) if film is not None else 0, "pids": pids}), flush=True)
    time.sleep(0.02)
"""


def parents(bench: Bench) -> list[Row]:
    """The process that asks is killed at random moments, and another one asks for the same film."""
    dice, home = random.Random(2), bench.folder / "home"
    config = SMALL.changed(steps=400_000, seed=5)
    most = lost = orphans = 0
    for k in range(PARENTS):
        call = [sys.executable, "-c", WATCHER, config.canonical_json()]
        folder = {**os.environ, "GANTOYS_HOME": str(home), "PYTHONPATH": str(HERE.parent)}
        parent = subprocess.Popen(call, stdout=subprocess.PIPE, env=folder)
        assert parent.stdout is not None
        lines = iter(parent.stdout.readline, b"")
        told = next(t for line in lines if (t := json.loads(line))["frames"])
        lost += told["frames"] < most
        end = time.monotonic() + dice.uniform(0.0, 1.0)
        while time.monotonic() < end:
            told = json.loads(next(lines))
        most = max(most, told["frames"])
        parent.send_signal(signal.SIGTERM if k % 2 else signal.SIGKILL)
        parent.wait()
        parent.stdout.close()
        left = told["pids"]
        until(lambda left=left: not any(map(running, left)), 10.0)  # type: ignore[misc]
        orphans += sum(map(running, left))
    return [
        Row(f"{PARENTS} parents killed: times that the next one had fewer frames", "", lost, most=0),
        Row("processes left behind by them", "", orphans, most=0),
    ]


def running(pid: int) -> bool:
    """Whether a process of ours is still there."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def proportional(pid: int) -> float:
    """The MB of a process, memory that it shares counted in parts; 0 where that is unknown."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0.0
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024


def memory(bench: Bench) -> list[Row]:
    """What the nursery and two workers hold together, on top of the process that serves pages."""
    service = bench.service()
    runs = [service.ask(USUAL.changed(seed=k), f"visitor {k}") for k in range(2)]
    until(lambda: all([shown(run) > 20 for run in runs]))
    pids = [bench.nursery.process.pid, *(w.pid for run in runs for w in run._job.workers if w.pid)]
    total = sum(proportional(pid) for pid in pids)
    service.close()
    return [Row("memory of the nursery and two workers", "MB", total, most=1024 - WEB_MEGABYTES)]


def run() -> list[Row]:
    """All of it."""
    with tempfile.TemporaryDirectory(prefix="gantoys-load-") as folder:
        bench = Bench(Path(folder))
        try:
            return [row for part in (first_picture, a_class, turns, memory, kills, parents) for row in part(bench)]
        finally:
            bench.close()


def main() -> int:
    """Print the figures, and those that were missed."""
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    logging.getLogger("gantoys").setLevel(logging.ERROR)  # of each kill there would be a line
    print(f"machine: {load()}", flush=True)
    found = run()
    print(table(found, other="alone"))
    missed = [row.name for row in found if row.verdict.startswith("MISSED")]
    print(f"missed: {'; '.join(missed) or 'nothing'}\nmachine: {load()}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
