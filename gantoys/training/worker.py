"""A process that trains one config and writes its film.

    python -m gantoys.training.worker FILM [--part PART] [--nice N] < config.json

The config is the first line on standard input. The pipe must then stay open: when it closes (the parent has ended,
however that came about), when SIGTERM arrives, the run stops, so that no worker outlives the one who asked for it. With
`--config FILE` the config is read from that file and the pipe is not watched.

Exit status 0: the film is whole (done or diverged) and has its final name. 4: stopped; the film so far has a closing
record and keeps the name PART. 2: one sentence on standard error says what was wrong with what was asked, or with the
disk.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import sys
import threading
import time
from pathlib import Path

from gantoys.runs import limits
from gantoys.runs.config import TrainConfig

STOPPED = 4
GRACE_SECONDS = 3.0  # how long a stopped run may take to close its film before the process just ends


def main(arguments: list[str] | None = None) -> int:
    """Train as the command line says; the exit status."""
    parser = argparse.ArgumentParser(prog="python -m gantoys.training.worker")
    parser.add_argument("film", type=Path)
    parser.add_argument("--part", type=Path)
    parser.add_argument("--config", type=Path)
    parser.add_argument("--nice", type=int, default=0)
    options = parser.parse_args(arguments)
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the parent too, which decides what becomes of us
    if options.nice and hasattr(os, "nice"):
        with contextlib.suppress(OSError):
            os.nice(options.nice)
    try:
        if options.config is not None:
            config = TrainConfig.read(options.config.read_bytes()[: limits.CONFIG_TEXT + 1])
        else:
            config = TrainConfig.read(_first_line())
            # started before torch is imported: that takes a second, in which the parent may end
            threading.Thread(target=_stop_with_parent, args=(stop,), daemon=True).start()
        return STOPPED if record(config, options.film, options.part, stop) == "stopped" else 0
    except OSError as error:
        print(f"the film cannot be written: {error.strerror or error}", file=sys.stderr)
        return 2
    except ValueError as error:
        print(error, file=sys.stderr)
        return 2


def record(config: TrainConfig, path: Path, part: Path | None = None, stop: threading.Event | None = None) -> str:
    """Train a config in this process, write its film to `path`, and return the film's status.

    Raises OSError where the disk does; the unfinished file is then removed.
    """
    import torch

    from gantoys.runs.film_file import FilmWriter
    from gantoys.training.loop import Diverged, train
    from gantoys.training.record import View

    stop = stop or threading.Event()
    torch.set_num_threads(1)  # two threads are many times slower than one for networks of this size
    view = View.of(config, config.target())
    writer = FilmWriter(path, config, real=view.real, grid_x=view.grid_x, grid_y=view.grid_y, part=part)
    try:
        status, message = "done", ""
        begin = time.perf_counter()
        try:
            for frame in train(config, stop.is_set):
                writer.append(frame.arrays, time.perf_counter() - begin)
            if stop.is_set() and writer.frames < len(config.recorded_steps()):
                status, message = "stopped", "Stopped before the last step."
        except Diverged as diverged:
            status, message = "diverged", str(diverged)
        writer.finish(status, message)
    except BaseException:
        writer.close()
        with contextlib.suppress(OSError):
            writer.part.unlink()
        raise
    return status


def _first_line() -> bytes:
    # os.read, not sys.stdin: a daemon thread that blocks inside a buffered reader aborts the interpreter at its end
    line = b""
    while not line.endswith(b"\n") and len(line) <= limits.CONFIG_TEXT:
        data = os.read(0, limits.CONFIG_TEXT)
        if not data:
            break
        line += data
    return line


def _stop_with_parent(stop: threading.Event) -> None:
    with contextlib.suppress(OSError):
        while os.read(0, 4096):
            pass
    stop.set()
    time.sleep(GRACE_SECONDS)
    os._exit(3)


if __name__ == "__main__":
    sys.exit(main())
