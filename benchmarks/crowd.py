"""The real app with a class at it: what it holds in memory, and whether theory stays quick beside training.

    python benchmarks/crowd.py      everything stays on this machine; about two minutes

Visitors are websocket sessions that do what a browser does: they open a page, press a button, and look again as often
as the page asks them to. Of the process that serves pages, the nursery and the workers the proportional memory counts.
"""

import asyncio
import contextlib
import os
import signal
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE.parent / "scripts"), str(HERE.parent / "tests" / "browser")]

from figures import Row, load, quantile, table  # noqa: E402
from kills import App, alive, descendants  # noqa: E402
from service import proportional  # noqa: E402
from streamlit.proto.BackMsg_pb2 import BackMsg  # noqa: E402
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg  # noqa: E402
from websockets.asyncio.client import ClientConnection, connect  # noqa: E402
from websockets.exceptions import ConnectionClosed  # noqa: E402

VISITORS, TRAINERS, LOOKS = 20, 3, 24
THINK_SECONDS, PATIENCE = 0.25, 60.0
MOST_MEGABYTES, MOST_TIMES = 1024, 2.0
LESSON = "optimal-discriminator"


class Session:
    """One visitor."""

    def __init__(self, socket: ClientConnection, page: str) -> None:
        self.socket, self.page = socket, page
        self.buttons: dict[str, str] = {}  # by label
        self.finished = asyncio.Event()
        self.every: dict[str, asyncio.Task[None]] = {}  # what the page looks at again by itself
        self.listener = asyncio.create_task(self.listen())

    async def send(self, query: str = "", fragment: str = "", press: str = "", *, auto: bool = False) -> None:
        """Ask for a run of the page, or of a fragment of it."""
        message = BackMsg()
        rerun = message.rerun_script
        rerun.query_string, rerun.page_name, rerun.fragment_id, rerun.is_auto_rerun = query, self.page, fragment, auto
        if press:
            state = rerun.widget_states.widgets.add()
            state.id, state.trigger_value = self.buttons[press], True
        await self.socket.send(message.SerializeToString())

    async def run(self, **what: str) -> float:
        """The seconds until the page has answered."""
        self.stop()
        self.finished.clear()
        begin = time.monotonic()
        await self.send(**what)
        await asyncio.wait_for(self.finished.wait(), PATIENCE)
        return time.monotonic() - begin

    async def listen(self) -> None:
        """Take in what the server says."""
        with contextlib.suppress(ConnectionClosed):
            async for data in self.socket:
                message = ForwardMsg.FromString(bytes(data))
                kind = message.WhichOneof("type")
                if kind == "delta" and message.delta.new_element.WhichOneof("type") == "button":
                    button = message.delta.new_element.button
                    self.buttons[button.label] = button.id
                elif kind == "auto_rerun":
                    self.again(message.auto_rerun.fragment_id, message.auto_rerun.interval)
                elif kind == "script_finished":
                    self.finished.set()

    def again(self, fragment: str, seconds: float) -> None:
        async def look() -> None:
            while True:
                await asyncio.sleep(seconds)
                await self.send(fragment=fragment, auto=True)

        if fragment not in self.every:
            self.every[fragment] = asyncio.create_task(look())

    def stop(self) -> None:
        """A whole run of the page begins anew with what it looks at."""
        for task in self.every.values():
            task.cancel()
        self.every.clear()


@contextlib.asynccontextmanager
async def session(app: App, page: str) -> AsyncIterator[Session]:
    """A visitor who has just come."""
    address = app.url.replace("http", "ws") + "/_stcore/stream"
    options = {"max_size": 2**27, "ping_interval": None, "open_timeout": PATIENCE, "subprotocols": ["streamlit"]}
    async with connect(address, **options) as socket:
        one = Session(socket, page)
        try:
            yield one
        finally:
            one.stop()
            one.listener.cancel()


async def theory(app: App, looks: int = LOOKS) -> list[float]:
    """How long a page of exact theory takes to answer, again and again."""
    async with session(app, LESSON) as one:
        await one.run()
        found = []
        for k in range(looks):
            found.append(await one.run(query=f"left={-2 - k / 50:.2f}"))
            await asyncio.sleep(THINK_SECONDS)
        return found


async def training(app: App, stack: contextlib.AsyncExitStack, visitors: int, steps: int) -> list[Session]:
    """Visitors who have pressed Play, each for a run of his own."""
    made = [await stack.enter_async_context(session(app, "lab")) for _ in range(visitors)]
    links = [f"run=toy:ring(8);steps:{steps};seed:{k + 50}" for k in range(visitors)]
    await asyncio.gather(*(one.run(query=link) for one, link in zip(made, links, strict=True)))
    await asyncio.gather(*(one.run(press="Train this") for one in made))
    return made


async def until(condition: Callable[[], bool]) -> None:
    """Wait until something holds, or long enough."""
    end = time.monotonic() + PATIENCE
    while not condition() and time.monotonic() < end:
        await asyncio.sleep(0.1)


async def measure(app: App) -> list[Row]:
    """Both figures."""
    await theory(app, 5)
    alone = await theory(app)
    rows = []
    async with contextlib.AsyncExitStack() as stack:
        await training(app, stack, TRAINERS, 3000)
        await until(lambda: len(app.workers()) >= 1)
        most: dict[str, float] = {}
        for _ in range(40):
            places = {app.process.pid: 0} | descendants(app.process.pid)
            parts = [sum(proportional(p) for p, away in places.items() if away == k and alive(p)) for k in range(3)]
            for name, value in zip(("pages", "nursery", "workers", "all"), (*parts, sum(parts)), strict=True):
                most[name] = max(most.get(name, 0.0), value)
            await asyncio.sleep(0.1)
        rows += [
            Row(f"memory at {TRAINERS} runs: {name}", "MB", value, most=MOST_MEGABYTES if name == "all" else None)
            for name, value in most.items()
        ]
    async with contextlib.AsyncExitStack() as stack:
        await training(app, stack, VISITORS, 2000)
        beside = await theory(app)
        rows.append(Row("workers meanwhile", "", len(app.workers()), least=1))
    p50, p95 = (tuple(1000 * quantile(values, share) for values in (beside, alone)) for share in (0.5, 0.95))
    return [
        *rows,
        Row(f"an answer of theory beside {VISITORS} who train, p50", "ms", *p50),
        Row("the same, p95", "ms", *p95, least_times=1 / MOST_TIMES),
    ]


def main() -> int:
    """Print the figures, and those that were missed."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that what was started here is ended
    print(f"machine: {load()}", flush=True)
    with tempfile.TemporaryDirectory(prefix="gantoys-crowd-") as folder:
        app = App(Path(folder))
        app.start()
        try:
            found = asyncio.run(measure(app))
        finally:
            app.end(signal.SIGTERM)
    print(table(found, other="alone"))
    missed = [row.name for row in found if row.verdict.startswith("MISSED")]
    print(f"missed: {'; '.join(missed) or 'nothing'}\nmachine: {load()}")
    return 0


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    sys.exit(main())
