"""gantoys' training loop against the textbook loop and against the bare matrix products, turn by turn in one run.

    python benchmarks/training.py     prints the rows of the table as JSON; benchmarks/run.py shows them

Both do the same work: `textbook_of` makes the textbook loop from the config that gantoys trains. The loop is the public
one, with all its checks; the two pictures that every run takes are made small, since what pictures cost is a figure of
its own. Speeds are steps of one seed per second of the processor's time on one thread, so that a neighbour on the same
core does not count; where several processes work together it is the clock's time. Ratios are medians over the turns.
"""

from __future__ import annotations

import contextlib
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks import matmuls, recording, textbook  # noqa: E402
from benchmarks.figures import RATE, Clock, Row, in_turns  # noqa: E402
from gantoys.runs.config import TrainConfig  # noqa: E402
from gantoys.runs.groups import groups  # noqa: E402
from gantoys.training.loop import train  # noqa: E402

RING = "ring(8,radius=2,std=0.1)"
SMALL_PICTURES = {"frames": 2, "grid": 2, "shown": 16}
BROWSER_RATE = 60.0  # steps/s of an explainer in the browser that takes one step with each picture of the screen


@dataclass(frozen=True)
class Case:
    """One comparison.

    `fields` of the config; `steps` of ours and of the textbook's in one turn, of each seed (ours in whole chunks of 64,
    as the loop draws its random numbers); the textbook trains `their_seeds` of the seeds, one after the other, since
    each takes it equally long. `seconds` for all turns, on `processes` processes. What must hold: `least_times` the
    textbook's speed, `least_share` of the bare products' speed, `least` steps/s.
    """

    key: str
    title: str
    fields: dict[str, Any]
    steps: tuple[int, int]
    seconds: float
    their_seeds: int = 1
    processes: int = 1
    least_times: float | None = None
    least_share: float | None = None
    least: float | None = None

    @property
    def config(self) -> TrainConfig:
        return TrainConfig.build({"toy": RING, "steps": self.steps[0], **SMALL_PICTURES, **self.fields})


_SGD = {"optimiser": "sgd", "lr_g": 0.1, "lr_d": 0.1}
_EXPLAINER = {"width": 8, "activation": "relu", "batch": 150, "d_steps": 2, **_SGD}
_PENALISED = {"loss": "wasserstein", "gp": 0.1}
_NARROW = {"width": 32, "batch": 128}
CASES = {
    row.key: row
    for row in (
        Case("W0", "8 wide, batch 150, SGD, two moves of D", _EXPLAINER, (1024, 384), 6, least=40 * BROWSER_RATE),
        Case("W1", "128 wide, batch 256", {}, (256, 128), 12, least_times=2.0, least_share=0.9),
        Case("W2", "W1 with WGAN-GP", _PENALISED, (192, 80), 12, least_times=2.2, least_share=0.9),
        Case("W3", "16 seeds of W1, two cores", {"seeds": 16}, (128, 128), 18, 3, processes=2, least_times=3.5),
        Case("W4", "32 wide, batch 128", _NARROW, (1536, 384), 7, least_times=6.0),
        Case("W5", "16 seeds of W4", {**_NARROW, "seeds": 16}, (768, 192), 9, 3, least_times=14.0),
    )
}  # fmt: skip
OPTIMISERS = {"adam": textbook.adam, "sgd": textbook.sgd}
ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {"leaky-relu": lambda: nn.LeakyReLU(0.2), "relu": nn.ReLU}


def started(config: TrainConfig, members: range) -> Iterator[Any]:
    """The run of some seeds, its first picture taken: what is left is its steps and the last picture."""
    frames = train(config, members=members)
    next(frames)
    return frames


def finished(runs: list[Iterator[Any]]) -> None:
    """Train the runs to their end, one after the other."""
    for frames in runs:
        assert len(list(frames)) == 1


def ours(case: Case) -> float:
    """Speed of gantoys' loop in this process, all seeds, grouped as a run groups them."""
    config = case.config
    runs = [started(config, members) for members in groups(config)]
    begin = time.process_time()
    finished(runs)
    return config.seeds * config.steps / (time.process_time() - begin)


def textbook_of(config: TrainConfig) -> tuple[nn.Module, nn.Module, dict[str, Any]]:
    """The networks and the options of the textbook loop that does the config's work."""
    g, d = (
        textbook.network(inputs, outputs, config.width, ACTIVATIONS[config.activation]())
        for inputs, outputs in ((config.noise_dim, 2), (2, 1))
    )
    return g, d, {"gp": config.gp, "d_steps": config.d_steps, "optimiser": OPTIMISERS[config.optimiser]}


def theirs(case: Case, clock: Callable[[], float] = time.process_time) -> float:
    """Speed of the textbook loop, one seed after the other."""
    config, steps = case.config, case.steps[1]
    begin = clock()
    for _ in range(case.their_seeds):
        g, d, options = textbook_of(config)
        textbook.train(g, d, textbook.batches(steps * config.d_steps, config.batch), **options)
    return case.their_seeds * steps / (clock() - begin)


def bare(case: Case) -> Callable[[], float]:
    """How often the matrix products of the case's step can be done, alone."""
    config, steps = case.config, case.steps[0]
    products = matmuls.step(config.width, config.batch, penalty=config.gp > 0)

    def speed() -> float:
        begin = time.process_time()
        matmuls.run(products, steps)
        return steps / (time.process_time() - begin)

    return speed


def serve(case: Case, share: int) -> None:
    """One of several processes on a case: it makes its runs ready at one line of its input, trains at the next."""
    config = case.config
    finished([started(config.changed(steps=64), range(1))])  # the first calls load kernels
    while sys.stdin.readline():
        runs = [started(config, members) for members in groups(config)[share :: case.processes]]
        print("ready", flush=True)
        sys.stdin.readline()
        finished(runs)
        print("done", flush=True)


@contextlib.contextmanager
def together(case: Case) -> Iterator[Callable[[], float]]:
    """The speed of gantoys' loop in several processes: from the common start until the last has finished."""
    one_thread = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    processes = [
        subprocess.Popen(
            [sys.executable, __file__, case.key, str(share)], env={**os.environ, **one_thread}, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )
        for share in range(case.processes)
    ]  # fmt: skip

    def all_say(word: str) -> None:
        for process in processes:
            assert process.stdin is not None
            process.stdin.write("\n")
            process.stdin.flush()
        for process in processes:
            assert process.stdout is not None
            if process.stdout.readline().strip() != word:
                raise RuntimeError(f"a process that trains {case.key} has ended early")

    def speed() -> float:
        all_say("ready")
        begin = time.perf_counter()
        all_say("done")
        return case.config.seeds * case.config.steps / (time.perf_counter() - begin)

    try:
        yield speed
    finally:
        for process in processes:
            process.kill()
            process.communicate()


def rows(case: Case) -> list[Row]:
    """The case's speeds side by side, and what must hold."""
    ways = [lambda: theirs(case), lambda: ours(case)]
    with contextlib.ExitStack() as stack:
        if case.processes > 1:
            ways = [lambda: theirs(case, time.perf_counter), stack.enter_context(together(case))]
        if case.least_share is not None:
            ways.append(bare(case))
        turns = in_turns(ways, Clock(case.seconds))
    their_speed, our_speed, *_ = (statistics.median(column) for column in zip(*turns, strict=True))
    times = statistics.median(turn[1] / turn[0] for turn in turns)
    name = f"{case.key}: {case.title}"
    found = [Row(name, RATE, our_speed, their_speed, least=case.least, times=times, least_times=case.least_times)]
    if case.least_share is not None:
        share = statistics.median(turn[1] / turn[2] for turn in turns)
        speed = statistics.median(turn[2] for turn in turns)
        found.append(Row(f"{case.key}, share of the bare products' {speed:.0f}/s", "", share, least=case.least_share))
    return found


def main(arguments: list[str]) -> None:
    """All cases, and what recording costs; or, called by `together`, one process of a case."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    if arguments:
        serve(CASES[arguments[0]], int(arguments[1]))
        return
    found = [row for case in CASES.values() for row in rows(case)]
    print(json.dumps([asdict(row) for row in found + recording.rows()]))


if __name__ == "__main__":
    main(sys.argv[1:])
