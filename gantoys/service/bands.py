"""Bands of perfect generators, each worked out once in a process of its own, and kept.

    found = bands().find(toy, n, keys)   # None while they are being worked out: look again in a second

A band takes hundreds of draws, some seconds of a core: too long for the process that serves pages. The results lie in
the store's folder under the digest of what was asked for and of the metrics' own source, so that no band outlives the
metric that it belongs to; and in memory where no disk can be written.
"""

from __future__ import annotations

import atexit
import contextlib
import hashlib
import json
import logging
import os
import subprocess
import sys
import threading
import time
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from gantoys.maths.notation import parse
from gantoys.metrics import bands as drawn
from gantoys.metrics.bands import Band, Reference
from gantoys.metrics.table import METRICS
from gantoys.service.environment import command, environment
from gantoys.service.run_service import service

log = logging.getLogger(__name__)
MEMORY, FILES = 128, 500  # bands of so many targets are kept in memory, and on disk: a file has 3 kB
WAITING = 16  # targets; whoever asks beyond is asked to look again
FORGET_SECONDS = 20.0  # what nobody has asked for again for so long is not worked out
LONGEST_SECONDS = 180.0
NICE = 10  # trainings go first
References = dict[str, Reference]


class Bands:
    """What perfect generators and pure noise score, by target and number of points. Safe to use from any thread."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._lock = threading.Lock()
        self._known: OrderedDict[str, References] = OrderedDict()
        self._waiting: OrderedDict[str, tuple[str, float]] = OrderedDict()  # by digest: the question, when it was asked
        self._thread: threading.Thread | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._closed = False

    def find(self, toy: str, n: int, keys: Sequence[str], wait: float = 0.0) -> References | None:
        """The references of metrics for a target and n points; None while they are being worked out.

        wait: seconds to wait for them. Empty where they cannot be told.
        """
        question = json.dumps({"toy": toy, "n": n, "keys": list(keys)}, sort_keys=True)
        digest = hashlib.sha256(f"{_recipe()}\n{question}".encode()).hexdigest()
        until = time.monotonic() + wait
        while True:
            found = self._look(digest, question)
            if found is not None or time.monotonic() >= until:
                return found
            time.sleep(0.05)

    def _look(self, digest: str, question: str) -> References | None:
        with self._lock:
            if digest in self._known:
                self._known.move_to_end(digest)
                return self._known[digest]
            known = digest in self._waiting
        found = None if known else _read(self.folder / f"{digest}.json")
        with self._lock:
            if found is not None:
                self._keep(digest, found)
            elif digest in self._known:
                found = self._known[digest]
            elif known or len(self._waiting) < WAITING:
                self._waiting[digest] = (question, time.monotonic())
                if self._thread is None and not self._closed:
                    self._thread = threading.Thread(target=self._work, name="bands", daemon=True)
                    self._thread.start()
        return found

    def _keep(self, digest: str, found: References) -> None:
        self._known[digest] = found
        self._known.move_to_end(digest)
        while len(self._known) > MEMORY:
            self._known.popitem(last=False)

    def _work(self) -> None:
        """One question after the other, as long as there are any that somebody waits for."""
        while True:
            with self._lock:
                old = time.monotonic() - FORGET_SECONDS
                for digest in [d for d, (_, asked) in self._waiting.items() if asked < old]:
                    del self._waiting[digest]
                if not self._waiting or self._closed:
                    self._thread = None
                    return
                digest, (question, _) = next(iter(self._waiting.items()))
            answer = self._answer(question)
            found = _references(answer) or {}
            if found:
                _write(self.folder / f"{digest}.json", answer)
            with self._lock:
                self._waiting.pop(digest, None)
                self._keep(digest, found)

    def _answer(self, question: str) -> str:
        """What the process says; empty, and a line in the log, where it fails."""
        try:
            process = subprocess.Popen(
                command("gantoys.service.bands", str(NICE)), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                stderr=subprocess.PIPE, env=environment(),
            )  # fmt: skip
        except OSError as error:
            log.warning("bands cannot be worked out: %s", error.strerror)
            return ""
        self._process = process
        try:
            out, err = process.communicate(question.encode(), LONGEST_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            log.warning("bands took more than %d s and were given up", LONGEST_SECONDS)
            return ""
        finally:
            self._process = None
        if process.returncode:
            if self._closed:
                return ""
            # the kind of the error alone: its words may be a visitor's
            kind = (err.decode(errors="replace").strip().splitlines() or [""])[-1].partition(":")[0][:80]
            log.warning("bands could not be worked out: %s, status %d", kind, process.returncode)
            return ""
        return out.decode()

    def close(self) -> None:
        """End the process that works; nothing is begun any more."""
        with self._lock:
            self._closed = True
            self._waiting.clear()
        process = self._process
        if process is not None:
            process.kill()


@cache
def bands() -> Bands:
    """The bands of this process, beside the films of its store."""
    found = Bands(service().store.folder / "bands")
    atexit.register(found.close)
    return found


@cache
def _recipe() -> str:
    """A digest of the metrics' source: bands of other source do not count."""
    digest = hashlib.sha256()
    for path in sorted(Path(drawn.__file__).parent.glob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _read(path: Path) -> References | None:
    try:
        with open(path, encoding="utf-8") as file:
            found = _references(file.read(100_000))
        os.utime(path)
    except (OSError, UnicodeDecodeError):
        return None
    return found


def _write(path: Path, text: str) -> None:
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    with contextlib.suppress(OSError):  # a disk that is full or only read: memory keeps them
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            part.write_text(text, encoding="utf-8")
            os.replace(part, path)
        finally:
            part.unlink(missing_ok=True)
        files = sorted(path.parent.glob("*.json"), key=lambda p: p.stat().st_mtime)
        for old in files[:-FILES]:
            old.unlink(missing_ok=True)


def _references(text: str) -> References | None:
    """The references in JSON, as `_told` writes it; None for what is none."""
    try:
        rows = json.loads(text)
        return {
            key: Reference(
                key, int(row["n"]), Band(**row["perfect"]), Band(**row["noise"]),
                tuple((float(low), float(high)) for low, high in row["box"]),
            )
            for key, row in rows.items()
            if key in METRICS
        }  # fmt: skip
    except (ValueError, TypeError, KeyError, AttributeError):
        return None


def _told(found: References) -> str:
    return json.dumps({key: asdict(reference) for key, reference in found.items()})


def main() -> int:
    """A process that answers one question: JSON from standard input to standard output."""
    with contextlib.suppress(AttributeError, OSError):
        os.nice(int(sys.argv[1]))
    question: dict[str, Any] = json.load(sys.stdin)
    rng = np.random.default_rng(0)
    target = parse(question["toy"])
    sys.stdout.write(_told(drawn.references(question["keys"], target, question["n"], rng)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
