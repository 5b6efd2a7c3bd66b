"""Start a Streamlit script on a free port, wait until it serves, and stop it with all that it started."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
START_SECONDS = 60
LOGS: dict[str, Path] = {}  # what each running script says, by its name


def free_port() -> int:
    """A port of the loopback that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def is_healthy(url: str) -> bool:
    """Whether the server says that it serves."""
    try:
        with urllib.request.urlopen(f"{url}/_stcore/health", timeout=2) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def end(process: subprocess.Popen[bytes]) -> None:
    """Stop the server with all that it started, by the group's id: first asked, then killed."""
    if os.name == "nt":
        subprocess.run(["taskkill", "/T", "/F", "/PID", str(process.pid)], check=False, capture_output=True)
        return
    for sign, seconds in ((signal.SIGTERM, 10), (signal.SIGKILL, 10)):
        if process.poll() is not None and sign is signal.SIGTERM:
            continue  # it ended by itself; what it left is killed below
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, sign)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(seconds)


def tail(log: Path) -> str:
    """The last words of a log."""
    return log.read_text(encoding="utf-8", errors="replace")[-4000:]


@contextlib.contextmanager
def running(
    script: Path, *arguments: str, environment: dict[str, str] | None = None, before: tuple[str, ...] = ()
) -> Iterator[str]:
    """The address of a Streamlit script that runs in a process group of its own until the block ends.

    before: a command that becomes the one that stands after it.
    """
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    command = [*before, sys.executable, "-m", "streamlit", "run", str(script), "--server.headless=true"]
    command += ["--server.address=127.0.0.1", f"--server.port={port}", *arguments]
    with tempfile.NamedTemporaryFile() as log:
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env={**os.environ, **(environment or {})},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        LOGS[f"{script.name} on {port}"] = Path(log.name)
        try:
            until = time.monotonic() + START_SECONDS
            while not is_healthy(url):
                if process.poll() is not None or time.monotonic() > until:
                    raise RuntimeError(f"{script.name} did not start within {START_SECONDS} s:\n{tail(Path(log.name))}")
                time.sleep(0.05)
            yield url
        finally:
            end(process)
            del LOGS[f"{script.name} on {port}"]
