"""What the machine gives: its memory, what a process holds of it, and how long a run takes here."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from gantoys.runs import limits
from gantoys.runs.config import TrainConfig

STEP_SECONDS = 1e-4  # of a step, whatever the size of its networks
FLOPS_PER_SECOND = 4e10  # of one core, where networks are large
LEAST, MOST = 0.2, 20.0  # no machine is so many times slower than that; one odd measurement must not count for more
NEWEST = 0.3  # what the newest measurement counts
KEPT_SECONDS = 0.3  # a shorter one tells nothing
_CGROUPS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")


def machine_bytes() -> int | None:
    """The memory that this process and its workers may have together; None where that is unknown."""
    found = []
    with contextlib.suppress(AttributeError, ValueError, OSError):  # not on Windows
        found.append(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    for name in _CGROUPS:
        with contextlib.suppress(OSError, ValueError):  # "max": none
            found.append(int(Path(name).read_text()))
    return min(found, default=None)


def usual_workers() -> int:
    """How many workers train at a time: no more than cores, one where memory is short."""
    memory = machine_bytes()
    most = 1 if memory is not None and memory < limits.SMALL_BYTES else limits.WORKERS
    return max(1, min(most, os.cpu_count() or 1))


def usual_worker_bytes() -> int:
    """How much memory of its own a worker may hold: at most a quarter of the machine's."""
    memory = machine_bytes()
    return limits.WORKER_BYTES if memory is None else min(limits.WORKER_BYTES, memory // 4)


def private_bytes(pid: int, above: int = 0) -> int:
    """What would be free if that process ended, from /proc; 0 where that is unknown, or surely not more than `above`.

    Memory that workers share with the nursery does not count: it is there once.
    """
    with contextlib.suppress(OSError, ValueError, IndexError):
        # all of its memory is told in no time, what of it is shared takes milliseconds
        if int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") <= above:
            return 0
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        return 1024 * sum(int(line.split()[1]) for line in lines if line.startswith("Private_"))
    return 0


def usual_seconds(config: TrainConfig, members: int) -> float:
    """How long so many seeds of a run, trained together, take on a core of average speed."""
    return config.steps * STEP_SECONDS + config.flops() * members / config.seeds / FLOPS_PER_SECOND


class Pace:
    """How much longer than `usual_seconds` runs take on this machine, as it is now."""

    def __init__(self) -> None:
        self.factor = 1.0

    def note(self, seconds: float, usual: float) -> None:
        """Take in that something took `seconds` which usually takes `usual`."""
        if seconds >= KEPT_SECONDS and usual > 0:
            found = min(MOST, max(LEAST, seconds / usual))
            self.factor += NEWEST * (found - self.factor)
