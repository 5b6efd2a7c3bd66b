"""A process that has torch in memory and forks a worker for each request, so that a film begins at once.

    python -m gantoys.training.nursery

Requests are lines of JSON on standard input: {"do": "start", "id": 1, "arguments": [...], "config": "..."} with the
arguments of `gantoys.training.worker`, and {"do": "stop" or "kill", "id": 1}. Answers are lines on standard output:
{"ready": true} once, {"id": 1, "pid": 123} for a worker that was born, {"id": 1, "code": 0, "complaint": "..."} for one
that has ended (a negative code: by that signal), {"id": 1, "error": "..."} for one that cannot be born.

The nursery ends when standard input closes. Its workers' standard input is a pipe that only the nursery can write to,
so they stop with it, however it ends. It has one thread, since only the thread that forks lives on in the child.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import select
import selectors
import signal
import sys
import tempfile
import time
import traceback
from dataclasses import dataclass
from typing import IO, Any

COMPLAINT_BYTES = 4096
LOOK_SECONDS = 0.2
LAST_SECONDS = 5.0  # longer than a worker takes to end by force


@dataclass(frozen=True)
class Child:
    """A worker under way: the request's number, and where its standard error goes."""

    id: int
    errors: IO[bytes]


class Nursery:
    """Serves requests until standard input closes."""

    def __init__(self) -> None:
        self.children: dict[int, Child] = {}  # by process id
        self._answers = os.dup(1)
        os.dup2(2, 1)  # whatever else is printed must not stand between the answers
        self.lifeline, self._life = os.pipe()  # nobody writes: workers see the end of it when this process ends
        self._woken, self._wake = os.pipe()
        os.set_blocking(self._woken, False)
        os.set_blocking(self._wake, False)
        signal.signal(signal.SIGCHLD, lambda *_: None)  # ends the waiting below
        signal.set_wakeup_fd(self._wake)

    def serve(self) -> None:
        """Take requests and tell what becomes of the workers."""
        with selectors.DefaultSelector() as selector:
            selector.register(0, selectors.EVENT_READ)
            selector.register(self._woken, selectors.EVENT_READ)
            rest = b""
            while True:
                for key, _ in selector.select():
                    if key.fd == self._woken:
                        with contextlib.suppress(BlockingIOError):
                            os.read(self._woken, 4096)
                        continue
                    data = os.read(0, 65_536)
                    if not data:
                        return
                    *lines, rest = (rest + data).split(b"\n")
                    for line in lines:
                        self.answer(json.loads(line), selector)
                self.reap()

    def answer(self, request: dict[str, Any], selector: selectors.BaseSelector) -> None:
        """Do what a request asks for."""
        if request["do"] == "start":
            self.bear(request, selector)
            return
        for pid, child in self.children.items():
            if child.id == request["id"]:
                os.kill(pid, signal.SIGKILL if request["do"] == "kill" else signal.SIGTERM)

    def bear(self, request: dict[str, Any], selector: selectors.BaseSelector) -> None:
        """Fork a worker."""
        errors = tempfile.TemporaryFile()  # noqa: SIM115  lives as long as the worker
        try:
            pid = os.fork()
        except OSError as error:
            errors.close()
            self.tell(id=request["id"], error=str(error.strerror))
            return
        if pid == 0:
            selector.close()
            self.live(request, errors)
        self.children[pid] = Child(request["id"], errors)
        self.tell(id=request["id"], pid=pid)

    def live(self, request: dict[str, Any], errors: IO[bytes]) -> None:
        """What the worker does; it never comes back from here."""
        code = 1
        try:
            from gantoys.training import worker

            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            nowhere = os.open(os.devnull, os.O_WRONLY)
            for source, target in ((self.lifeline, 0), (nowhere, 1), (errors.fileno(), 2)):
                os.dup2(source, target)
            for fd in (self.lifeline, self._life, self._woken, self._wake, self._answers, nowhere):
                os.close(fd)
            for sibling in self.children.values():
                sibling.errors.close()
            code = worker.main(request["arguments"], request["config"].encode())
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 1
        except BaseException:
            traceback.print_exc()
        finally:
            with contextlib.suppress(OSError):
                sys.stderr.flush()
            os._exit(code)

    def tell(self, **answer: Any) -> None:
        """Write one answer, whole."""
        os.write(self._answers, json.dumps(answer).encode() + b"\n")

    def close(self) -> None:
        """Let the workers stop, and wait for them: they end by force after a while, if not by themselves."""
        os.close(self._life)
        deadline = time.monotonic() + LAST_SECONDS
        while self.children and time.monotonic() < deadline:
            time.sleep(0.01)
            with contextlib.suppress(BrokenPipeError):
                self.reap()

    def reap(self) -> None:
        """Tell of workers that have ended."""
        for pid, child in list(self.children.items()):
            ended, status = os.waitpid(pid, os.WNOHANG)
            if not ended:
                continue
            del self.children[pid]
            size = child.errors.seek(0, os.SEEK_END)
            child.errors.seek(max(0, size - COMPLAINT_BYTES))
            lines = child.errors.read().decode(errors="replace").strip().splitlines()
            child.errors.close()
            self.tell(id=child.id, code=os.waitstatus_to_exitcode(status), complaint=lines[-1][:300] if lines else "")


def warm() -> None:
    """Import what workers need, and train a little, so that what the first use of anything takes is over."""
    import scipy.sparse.linalg  # noqa: F401  for eigenvalues: shared by all workers, and none has to wait for it
    import torch

    from gantoys.runs.config import TrainConfig
    from gantoys.training import products, worker  # noqa: F401
    from gantoys.training.loop import train
    from gantoys.training.record import View

    torch.set_num_threads(1)  # a pool of threads would not live on in the workers
    config = TrainConfig(steps=2, frames=2, width=8, batch=16, grid=2, shown=16)
    View.of(config, 0).statics()
    for _ in train(config):
        pass
    products.kernel()  # known to all who are born here


def _end_with_parent(watch: bool) -> None:
    """While torch is imported nobody reads requests: look now and then whether somebody could still send one."""
    if not watch:
        signal.setitimer(signal.ITIMER_REAL, 0)
        return
    pipe = select.poll()
    pipe.register(0, 0)  # nothing but that its other end is closed

    def look(*_: object) -> None:
        if pipe.poll(0):
            os._exit(3)

    signal.signal(signal.SIGALRM, look)
    signal.setitimer(signal.ITIMER_REAL, LOOK_SECONDS, LOOK_SECONDS)


def main() -> None:
    """Warm up, then serve."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the parent too, which decides what becomes of us
    nursery = Nursery()
    _end_with_parent(True)
    warm()
    _end_with_parent(False)
    gc.collect()
    gc.freeze()  # objects that the collector does not touch stay in memory that all workers share
    with contextlib.suppress(BrokenPipeError):  # nobody listens any more
        nursery.tell(ready=True)
        nursery.serve()
    nursery.close()


if __name__ == "__main__":
    main()
