"""A process that trains a config and writes its films.

    python -m gantoys.training.worker FILM [--members A:B] [--store DIR] [--from FILM] < config.json

The config is the first line on standard input. The pipe must then stay open: when it closes (the parent has ended,
however that came about), when SIGTERM arrives, the run stops, so that no worker outlives the one who asked for it. With
`--config FILE` the config is read from that file and the pipe is not watched.

Of a config with several seeds, the members A to B-1 are trained (default: all) in the groups that `gantoys.runs.groups`
names. Several films are called FILM and PART with `-A`, ..., `-(B-1)` before the suffix; `--number K` counts from K
instead.

With `--store` the worker leaves states there on its way. With `--from` it goes on from the newest one before which it
finds all frames in that film (or films, numbered like FILM): an unfinished one of the same config, or the film of the
run from which this one branches off. Without a state that fits it begins at the beginning. The films are the same.

Exit status 0: the films are whole (done or diverged) and have their final names. 4: stopped; the film so far has a
closing record and keeps the name PART. 2: one sentence on standard error says what was wrong with what was asked, or
with the disk; frames written so far stay under the name PART. 5: so too, and it is that the disk is full.
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
from gantoys.runs.store import FULL, Store
from gantoys.training.filming import record

STOPPED, NO_ROOM = 4, 5
GRACE_SECONDS = 3.0  # how long a stopped run may take to close its film before the process just ends


def main(arguments: list[str] | None = None, line: bytes | None = None) -> int:
    """Train as the command line says; the exit status. `line`: the config, if it was read already."""
    options = _parser().parse_args(arguments)
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
            config = TrainConfig.read(_first_line() if line is None else line)
            # started before torch is imported: that takes a second, in which the parent may end
            threading.Thread(target=_stop_with_parent, args=(stop,), daemon=True).start()
        status = record(
            config, options.film, options.part, stop,
            members=_members(options.members, config),
            number=options.number,
            store=Store(options.store, moves=False) if options.store is not None else None,
            source=options.source,
            device=options.device,
        )  # fmt: skip
        return STOPPED if status == "stopped" else 0
    except OSError as error:
        print(f"the film cannot be written: {error.strerror or error}", file=sys.stderr)
        return NO_ROOM if error.errno in FULL else 2
    except ValueError as error:
        print(error, file=sys.stderr)
        return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m gantoys.training.worker")
    parser.add_argument("film", type=Path)
    parser.add_argument("--part", type=Path)
    parser.add_argument("--config", type=Path)
    parser.add_argument("--members", "--member", metavar="A:B")
    parser.add_argument("--number", type=int)
    parser.add_argument("--store", type=Path)
    parser.add_argument("--from", dest="source", type=Path)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--nice", type=int, default=0)
    return parser


def _members(text: str | None, config: TrainConfig) -> range:
    """The members of "A:B", or the one of "A"."""
    if text is None:
        return range(config.seeds)
    first, colon, last = text.partition(":")
    try:
        members = range(int(first), int(last) if colon else int(first) + 1)
    except ValueError:
        members = range(0)
    if not members or members.start < 0 or members.stop > config.seeds:
        raise ValueError(f"members A:B must lie within 0:{config.seeds}, got {text[:40]!r}")
    return members


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
