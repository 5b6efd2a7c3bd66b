"""One worker process: how it is started, spoken to and ended."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from gantoys.runs.config import TrainConfig

ROOT = Path(__file__).resolve().parents[2]  # where the package lies: the worker must find the same one


class Worker:
    """A process that trains `config` and writes its film; it ends by itself when this process does.

    Raises OSError when it cannot be started.
    """

    def __init__(self, config: TrainConfig, film: Path, *, part: Path | None = None, nice: int = 0) -> None:
        film = film.absolute()
        self.film = film
        self.part = (part if part is not None else film.with_name(film.name + ".part")).absolute()
        command = [
            sys.executable, "-P", "-m", "gantoys.training.worker",
            str(self.film), "--part", str(self.part), "--nice", str(nice),
        ]  # fmt: skip
        # -P: a file torch.py in the current folder must not be taken for torch
        path = os.pathsep.join(p for p in (str(ROOT), os.environ.get("PYTHONPATH", "")) if p)
        one_thread = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115  lives as long as the process
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=self._errors,
            env={**os.environ, "PYTHONPATH": path, **one_thread},
        )
        assert self.process.stdin is not None
        # a worker that died at once has no reader any more: its exit status tells
        with contextlib.suppress(OSError):
            self.process.stdin.write(config.canonical_json().encode() + b"\n")
            self.process.stdin.flush()

    @property
    def pid(self) -> int:
        return self.process.pid

    def running(self) -> bool:
        return self.process.poll() is None

    def complaint(self) -> str:
        """The last line that the worker wrote on standard error."""
        self._errors.seek(0, os.SEEK_END)
        self._errors.seek(max(0, self._errors.tell() - 4096))
        lines = self._errors.read().decode(errors="replace").strip().splitlines()
        return lines[-1][:300] if lines else ""

    def ask_to_stop(self) -> None:
        """Close the pipe, which the worker takes as the wish to stop; it answers within a step, or ends by force."""
        assert self.process.stdin is not None
        with contextlib.suppress(OSError):
            self.process.stdin.close()
        if self.running() and sys.platform != "win32":
            self.process.terminate()

    def end(self, seconds: float = 1.0) -> None:
        """Stop the worker and wait until it is gone, by force after `seconds`; the unfinished film is removed."""
        self.ask_to_stop()
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.release()

    def release(self) -> None:
        """Forget a worker that has ended: close its pipes and remove what it left unfinished."""
        assert self.process.stdin is not None
        with contextlib.suppress(OSError):
            self.process.stdin.close()
        self._errors.close()
        with contextlib.suppress(OSError):
            self.part.unlink()
