"""gantoys' training loop against the textbook loop, turn by turn on one thread: prints both speeds as JSON.

Steps per second of the processor's time, so that a neighbour on the same core does not count.
"""

import json
import sys
import time
from pathlib import Path

import torch

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import textbook  # noqa: E402

from gantoys.runs.config import TrainConfig  # noqa: E402
from gantoys.training.loop import train  # noqa: E402

TURNS, STEPS = 4, 250


def ours(steps: int) -> float:
    """Speed of the loop as a run uses it, checks of every loss included, with two pictures only."""
    frames = train(TrainConfig(toy="ring(8,radius=2,std=0.1)", steps=steps, frames=2))
    next(frames)
    begin = time.process_time()
    assert len(list(frames)) == 1
    return steps / (time.process_time() - begin)


def theirs(steps: int) -> float:
    """Speed of the textbook loop."""
    g, d = textbook.network(textbook.NOISE, 2), textbook.network(2, 1)
    begin = time.process_time()
    textbook.train(g, d, textbook.batches(steps))
    return steps / (time.process_time() - begin)


def main() -> None:
    """Both in turns; the medians."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    ours(30), theirs(30)  # the first calls load kernels
    turns = [(ours(STEPS), theirs(STEPS)) for _ in range(TURNS)]
    speeds = [sorted(column)[TURNS // 2] for column in zip(*turns, strict=True)]
    print(
        json.dumps({"gantoys": speeds[0], "textbook": speeds[1], "ratio": sorted(a / b for a, b in turns)[TURNS // 2]})
    )


if __name__ == "__main__":
    main()
