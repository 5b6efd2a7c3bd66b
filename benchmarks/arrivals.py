"""A class that arrives at once: how long each waits for its page, and what a visitor takes of memory.

    python benchmarks/arrivals.py [LESSON ...]      everything stays on this machine; about six minutes

Visitors are websocket sessions (`benchmarks/visitors.py`) that open one page of the real app, evenly over some seconds.
A cold server has just started; a warm one has had its first visitors, and is quiet. The driver takes part of the same
cores; its share is told. Seconds count from the visitor's first word until the whole page is there.
"""

import asyncio
import os
import signal
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE.parent / "scripts"), str(HERE.parent / "tests" / "browser")]

from figures import Row, load, quantile, table  # noqa: E402
from kills import App, stat  # noqa: E402
from service import proportional  # noqa: E402
from visitors import Visit, arrive, visit  # noqa: E402

PAGES = ("start", "optimal-discriminator", "divergences", "lab")
REMEMBERING = ("start", "dynamics", "lab")
WITHIN, LATER = 5.0, 10.0
COLD_SECONDS, WARM_SECONDS, LATER_SECONDS = 6.0, 3.0, 2.0
SESSION_MEGABYTES, LEFT_MEGABYTES = 1.0, 0.3
LEAVE_SECONDS = 2  # after which a server here forgets a session: usually it is a minute
TIDY_SECONDS = 24.0  # in which the server gives freed memory back
QUIET_SHARE, QUIET_SECONDS, PATIENCE = 0.06, 0.5, 30.0


@dataclass(frozen=True)
class Wave:
    """What came of a class that arrived: its visits, and the seconds of processor that server and driver took."""

    visits: list[Visit]
    server: float
    driver: float

    def rows(self, name: str, most: float | None) -> list[Row]:
        """The figures."""
        whole = [one.whole if one.whole is not None else float("inf") for one in self.visits]
        pictures = [one.picture if one.picture is not None else float("inf") for one in self.visits]
        bad = [one.trouble for one in self.visits if one.trouble or one.whole is None]
        rows = [
            Row(f"{name}: the page, p95", "s", quantile(whole, 0.95), most=most),
            Row("   the same, p50", "s", quantile(whole, 0.5)),
            Row("   its picture, p95", "s", quantile(pictures, 0.95)),
            Row("   processor of the server for each", "ms", 1000 * self.server / len(self.visits)),
            Row("   the driver's share of both", "", self.driver / max(self.driver + self.server, 1e-9)),
        ]
        return rows + ([Row(f"   cut off, or an error: {bad[0][:60]}", "", len(bad), most=0)] if bad else [])


def seconds_of(pid: int) -> float:
    """The seconds of processor that a process has taken."""
    found = stat(pid)
    return (int(found[11]) + int(found[12])) / os.sysconf("SC_CLK_TCK") if found else 0.0


async def quiet(pid: int) -> None:
    """Wait until the server has nothing to do."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        before = seconds_of(pid)
        await asyncio.sleep(QUIET_SECONDS)
        if seconds_of(pid) - before <= QUIET_SHARE * QUIET_SECONDS:
            return


async def wave(app: App, page: str, count: int, seconds: float, leave: asyncio.Event | None = None) -> Wave:
    """A class arrives; with `leave` they stay until it is set, and their memory is told meanwhile."""
    server, driver = seconds_of(app.process.pid), time.process_time()
    tasks = await arrive((visit(app.url, page) for _ in range(count)), seconds)
    visits = list(await asyncio.gather(*tasks))
    return Wave(visits, seconds_of(app.process.pid) - server, time.process_time() - driver)


async def waits(app: App, page: str, count: int) -> list[Row]:
    """Cold, then warm; a large class then once more, over twice the time."""
    pid, large = app.process.pid, count >= 300
    found = (await wave(app, page, count, WITHIN)).rows(
        f"{page}: {count} within {WITHIN:.0f} s, cold", COLD_SECONDS if large else None
    )
    await quiet(pid)
    found += (await wave(app, page, count, WITHIN)).rows("   warm", WARM_SECONDS if large else None)
    if large:
        await quiet(pid)
        found += (await wave(app, page, count, LATER)).rows(f"   within {LATER:.0f} s, warm", LATER_SECONDS)
    return found


async def memory(app: App, page: str, count: int = 300) -> list[Row]:
    """What visitors take who stay, and what is left of it when they have gone."""
    pid, leave = app.process.pid, asyncio.Event()
    await visit(app.url, page)
    await asyncio.sleep(LEAVE_SECONDS)
    await quiet(pid)
    before = proportional(pid)
    tasks = await arrive((visit(app.url, page, leave=leave) for _ in range(count)), LATER)
    await asyncio.sleep(LEAVE_SECONDS)
    await quiet(pid)
    there = proportional(pid)
    leave.set()
    bad = sum(bool(one.trouble) for one in await asyncio.gather(*tasks))
    await asyncio.sleep(TIDY_SECONDS)
    left = proportional(pid)
    return [
        Row(f"{page}: memory of each of {count} who are there", "MB", (there - before) / count, most=SESSION_MEGABYTES),
        Row("   of each when they have gone", "MB", (left - before) / count, most=LEFT_MEGABYTES),
        Row("   the whole process then", "MB", left),
        Row("   cut off, or an error", "", bad, most=0),
    ]


def main(pages: list[str]) -> int:
    """Print the figures, and those that were missed."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that what was started here is ended
    os.environ["STREAMLIT_SERVER_DISCONNECTED_SESSION_TTL"] = str(LEAVE_SECONDS)
    print(f"machine: {load()}", flush=True)
    asked = [(waits, page, count) for page in PAGES for count in (100, 300)]
    asked += [(memory, page, 300) for page in REMEMBERING]
    missed = []
    for measure, page, count in asked:
        if pages and page not in pages:
            continue
        with tempfile.TemporaryDirectory(prefix="gantoys-arrivals-") as folder:
            app = App(Path(folder))
            app.start()
            try:
                found = asyncio.run(measure(app, page, count))
            finally:
                app.end(signal.SIGTERM)
        print(table(found), flush=True)
        missed += [f"{page}, {row.name.strip()}" for row in found if row.verdict.startswith("MISSED")]
    print(f"missed: {'; '.join(missed) or 'nothing'}\nmachine: {load()}")
    return 0


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    sys.exit(main(sys.argv[1:]))
