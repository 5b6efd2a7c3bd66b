"""The nursery seen from the process that asks: `gantoys.training.nursery` says what it does."""

from __future__ import annotations

import atexit
import contextlib
import json
import logging
import os
import subprocess
import sys
import tempfile
import threading
import time
from typing import Any

from gantoys.service.environment import command, environment

log = logging.getLogger(__name__)
PIPE_BYTES = 2**20  # requests wait in the pipe until torch is imported, and a config may be long
CLOSE_SECONDS = 8.0
ATTEMPTS = 3  # so many nurseries that died in a row,
PAUSE_SECONDS = 10.0, 300.0  # and a new one is made after the first of these, after twice as long, ..., after the last
GOOD_SECONDS = 60.0  # one that was at work for so long counts as the first to die
# macOS offers fork too, but its system libraries do not survive it
POSSIBLE = sys.platform == "linux" and hasattr(os, "fork")


class Child:
    """A worker that a nursery was asked for. pid: None until it is born. code: None until it has ended.

    lost: it will never be born, or the nursery that would tell its end is gone.
    """

    def __init__(self, nursery: Nursery, number: int) -> None:
        self._nursery, self.number = nursery, number
        self.pid: int | None = None
        self.code: int | None = None
        self.complaint = ""
        self.lost = False

    def running(self) -> bool:
        """Whether it has not ended, as far as is known."""
        self._nursery.listen()
        return self.code is None and not self.lost

    def wait(self, seconds: float) -> bool:
        """Wait until it has ended; whether it has."""
        deadline = time.monotonic() + seconds
        while self.running():
            if time.monotonic() > deadline:
                return False
            time.sleep(0.01)
        return True

    def stop(self) -> None:
        """Ask it to stop."""
        self._nursery.send(do="stop", id=self.number)

    def kill(self) -> None:
        """End it by force."""
        self._nursery.send(do="kill", id=self.number)


class Nursery:
    """A nursery process, started at once; requests wait until it is ready. Raises OSError if it cannot be started.

    It ends when this process does, and its workers with it. All methods may be called from any thread.
    """

    def __init__(self) -> None:
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115  lives as long as the process
        self.process = subprocess.Popen(
            command("gantoys.training.nursery"),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            bufsize=0,
            env=environment(),
        )
        assert self.process.stdin is not None and self.process.stdout is not None
        self._stdin, self._stdout = self.process.stdin, self.process.stdout
        os.set_blocking(self._stdout.fileno(), False)
        _widen(self._stdin.fileno())
        self._lock = threading.RLock()
        self._children: dict[int, Child] = {}
        self._last, self._rest = 0, b""
        self.ready = self.gone = False
        self.begun = time.monotonic()

    def start(self, arguments: list[str], config: str) -> Child:
        """A worker with the arguments of `gantoys.training.worker`, for a config as JSON."""
        with self._lock:
            self._last += 1
            child = self._children[self._last] = Child(self, self._last)
            self.send(do="start", id=child.number, arguments=arguments, config=config)
            return child

    def send(self, **request: Any) -> None:
        """Write one request; a nursery that is gone is noticed by `listen`."""
        data = memoryview(json.dumps(request).encode() + b"\n")
        with self._lock, contextlib.suppress(OSError, ValueError):  # ValueError: closed by us
            while data:
                data = data[self._stdin.write(data) or 0 :]

    def listen(self) -> None:
        """Take in what the nursery has said so far."""
        with self._lock:
            while not self.gone:
                try:
                    data = os.read(self._stdout.fileno(), 65_536)
                except BlockingIOError:
                    return
                except (OSError, ValueError):
                    data = b""
                if not data:
                    self._lose()
                    return
                *lines, self._rest = (self._rest + data).split(b"\n")
                for line in lines:
                    self._note(json.loads(line))

    def _note(self, answer: dict[str, Any]) -> None:
        self.ready = self.ready or "ready" in answer
        child = self._children.get(answer.get("id", 0))
        if child is None:
            return
        child.pid = answer.get("pid", child.pid)
        if "error" in answer:
            child.lost = True
        if "code" in answer:
            child.code, child.complaint = answer["code"], answer["complaint"]
        if "error" in answer or "code" in answer:
            del self._children[child.number]

    def _lose(self) -> None:
        self.gone = True
        for child in self._children.values():
            child.lost = True
        self._children.clear()
        self._errors.seek(0)
        lines = self._errors.read(65_536).decode(errors="replace").strip().splitlines()
        if lines:
            log.warning("the nursery of workers ended: %s", lines[-1][:300])

    def wait_until_ready(self, seconds: float) -> bool:
        """Wait until torch is in its memory; whether it is."""
        deadline = time.monotonic() + seconds
        self.listen()
        while not (self.ready or self.gone) and time.monotonic() < deadline:
            time.sleep(0.01)
            self.listen()
        return self.ready

    def close(self) -> None:
        """End the nursery and all its workers, and wait for that."""
        with self._lock, contextlib.suppress(OSError):
            self._stdin.close()
        try:
            self.process.wait(CLOSE_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.listen()
        self._stdout.close()
        self._errors.close()


def _widen(pipe: int) -> None:
    with contextlib.suppress(ImportError, AttributeError, OSError):  # where pipes have one size only
        import fcntl

        fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, PIPE_BYTES)


_nursery: Nursery | None = None
_deaths, _after = 0, 0.0  # in a row, and before when no new one is made
_lock = threading.Lock()


def nursery(*, start: bool = True) -> Nursery | None:
    """This process's nursery, started at the first call and closed when the process ends; None where there is none.

    One that has died is replaced, after a pause if several died in a row or one did not come as far as to be ready;
    meanwhile workers are processes of their own from the start. start: whether one may be started now.
    """
    global _nursery, _after
    with _lock:
        if _nursery is not None:
            _nursery.listen()
            if not _nursery.gone:
                return _nursery
            _bury()
        if not start or not POSSIBLE or time.monotonic() < _after:
            return None
        try:
            _nursery = Nursery()
        except OSError as error:
            log.warning("the nursery of workers cannot be started: %s", error.strerror)
            _after = time.monotonic() + PAUSE_SECONDS[1]
            return None
        atexit.register(_nursery.close)
        return _nursery


def _bury() -> None:
    global _nursery, _deaths, _after
    assert _nursery is not None
    now, one = time.monotonic(), _nursery
    _nursery, _deaths = None, 1 if one.ready and now - one.begun > GOOD_SECONDS else _deaths + 1
    least, most = PAUSE_SECONDS
    pause = 0.0 if _deaths < ATTEMPTS else min(least * 2 ** (_deaths - ATTEMPTS), most)
    _after = now + (pause if one.ready else most)
    if _after > now:
        log.warning("no nursery of workers for %.0f s: %d died in a row", _after - now, _deaths)
    if one.process.poll() is not None:
        atexit.unregister(one.close)
        one.close()
