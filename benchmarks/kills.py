"""The real app under kills: workers, tabs and the web process itself end at random moments. At most six minutes.

    python benchmarks/kills.py [KILLS]      everything stays on this machine

The app has a folder and a port of its own, and a real Chromium watches a run in the lab. After each kill: no frame is
lost that the browser had, and each is as it was; no process is left behind; a new page shows at once what is there; the
run goes on, and its film is in the end that of a run that nothing has interrupted. Only what was started here is
killed, by its id.
"""

import contextlib
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
sys.path[:0] = [str(ROOT), str(ROOT / "scripts"), str(ROOT / "tests" / "browser")]

import dev  # noqa: E402
from figures import Clock, Row, load, quantile, table  # noqa: E402
from playwright.sync_api import BrowserContext, Error, Locator, Page, sync_playwright  # noqa: E402
from serving import free_port, is_healthy  # noqa: E402

from gantoys.pictures.lab_state import write_run  # noqa: E402
from gantoys.runs.config import TrainConfig  # noqa: E402
from gantoys.runs.film import Film, read_new  # noqa: E402
from gantoys.runs.film_file import frame_fields  # noqa: E402
from gantoys.runs.store import Store  # noqa: E402
from gantoys.service.local import train_to_file  # noqa: E402

FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking")
# a few kills long
CONFIG = TrainConfig(steps=120_000, frames=400, cadence="even", width=24, batch=24, grid=16, shown=64)
KILLS, SECONDS = 50, 270.0
WAYS = {"worker": 20, "tab": 15, "web, asked to end": 8, "web, by force": 7}  # how often of 50
OPEN = 3  # after each third end of the web process the tab stays open, and must find the new one by itself
PATIENCE, END_SECONDS, SHOW_SECONDS = 45.0, 10.0, 15.0
STEP = '[data-key="step"] input'  # the slider along the film: it has a place for each frame that the page has
TRAINED = re.compile(r"^Trained: [\d,]+ steps")


def stat(pid: int) -> list[str]:
    """State, parent, ... of a process; empty when it is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def alive(pid: int) -> bool:
    """Whether it runs; one that only waits to be noticed does not."""
    return stat(pid)[:1] not in ([], ["Z"])


def descendants(pid: int) -> dict[int, int]:
    """All processes that a process has started, and those have: how many generations away each is."""
    parents = {int(p.name): int(found[1]) for p in Path("/proc").glob("[0-9]*") if (found := stat(int(p.name)))}
    known = {pid: 0}
    for _ in range(4):
        known |= {child: known[parent] + 1 for child, parent in parents.items() if parent in known}
    del known[pid]
    return known


def until(condition: Callable[[], object], patience: float = PATIENCE, pause: float = 0.02) -> float:
    """The seconds until something holds; infinite if it does not come about."""
    begin = time.monotonic()
    while not condition():
        if time.monotonic() - begin > patience:
            return float("inf")
        time.sleep(pause)
    return time.monotonic() - begin


class App:
    """The dashboard with a folder of its own, always on the same port."""

    def __init__(self, home: Path) -> None:
        self.home, self.port = home, free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = (home / "log").open("ab")

    def start(self) -> None:
        """Start it, and wait until it serves."""
        command = [sys.executable, "-m", "streamlit", "run", "app.py", "--server.headless=true"]
        self.process = subprocess.Popen(
            [*command, "--server.address=127.0.0.1", f"--server.port={self.port}"],
            cwd=ROOT, env={**os.environ, "GANTOYS_HOME": str(self.home)}, stdin=subprocess.DEVNULL,
            stdout=self.log, stderr=subprocess.STDOUT,
        )  # fmt: skip
        if until(lambda: is_healthy(self.url), pause=0.05) == float("inf"):
            raise RuntimeError("the app does not start")

    def processes(self) -> list[int]:
        """All that run and belong to this app, whoever their parent is: they have its folder in their environment."""
        mark, found = f"GANTOYS_HOME={self.home}".encode(), []
        for folder in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):  # gone, or another user's
                if mark in (folder / "environ").read_bytes().split(b"\0") and alive(int(folder.name)):
                    found.append(int(folder.name))
        return found

    def workers(self) -> list[int]:
        """Those who train: children of the nursery, which is a child of the app."""
        parents = {pid: int(found[1]) for pid in self.processes() if (found := stat(pid))}
        return [pid for pid, parent in parents.items() if parents.get(parent) == self.process.pid]

    def end(self, number: int) -> list[str]:
        """Send a signal and wait for the end; what is still there after some seconds, in words."""
        self.process.send_signal(number)
        try:
            self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            return [f"{self.process.pid} the web process itself"]
        until(lambda: not self.processes(), END_SECONDS)
        return [f"{pid} {Path(f'/proc/{pid}/cmdline').read_text()[-60:]!r} {stat(pid)}" for pid in self.processes()]

    def films(self, config: TrainConfig) -> list[Film]:
        """What lies on the disk of a run."""
        found = []
        for path in (self.home / "films").glob(f"{config.digest()}.*"):
            with contextlib.suppress(OSError, ValueError):  # renamed meanwhile, or not begun
                found.append(read_new(path))
        return found


@dataclass
class Tally:
    """What was killed, and what that cost."""

    killed: Counter[str] = field(default_factory=Counter)
    lost: int = 0
    changed: int = 0
    left: list[str] = field(default_factory=list)
    stuck: int = 0
    empty: int = 0
    waits: dict[str, list[float]] = field(default_factory=lambda: {way: [] for way in WAYS})
    seen: dict[int, Film] = field(default_factory=dict)  # by seed, as are:
    kills: Counter[int] = field(default_factory=Counter)

    def compare(self, app: App, config: TrainConfig, shown: int) -> None:
        """Whether the frames that a page had are all there, as they were."""
        films = sorted(app.films(config), key=len)
        longest, before = films[-1] if films else None, self.seen.get(config.seed)
        held = len(longest) if longest is not None else 0
        self.lost += max(0, shown - held)
        if longest is None:
            return
        if before is not None:
            self.lost += max(0, len(before) - held)
            self.changed += not same(before, longest, min(len(before), held))
        self.seen[config.seed] = longest


def same(one: Film, other: Film, count: int) -> bool:
    """Whether the first frames of two films are equal, bit for bit."""
    names = [f.name for f in frame_fields(one.config)]
    return all((getattr(one, n)[:count] == getattr(other, n)[:count]).all() for n in names)


class Visitor:
    """A tab that watches a run."""

    def __init__(self, context: BrowserContext, app: App) -> None:
        self.context, self.app = context, app
        self.page: Page | None = None

    def open(self, config: TrainConfig) -> None:
        """Open the lab by a link in a new tab; the old one is closed."""
        if self.page is not None:
            self.page.close()
        self.page = self.context.new_page()
        self.page.goto(f"{self.app.url}/lab?run={write_run(config)}", timeout=PATIENCE * 1000, wait_until="commit")

    def _there(self, find: Callable[[Page], Locator]) -> Locator | None:
        assert self.page is not None
        with contextlib.suppress(Error):  # between two pages
            found = find(self.page)
            return found.first if found.count() and found.first.is_visible() else None
        return None

    def shown(self) -> int:
        """How many frames the page has."""
        slider = self._there(lambda page: page.locator(STEP))
        with contextlib.suppress(Error):
            return int(slider.get_attribute("max", timeout=500) or -1) + 1 if slider is not None else 0
        return 0

    def press(self) -> None:
        """Train, if there is something to train."""
        with contextlib.suppress(Error):
            button = self._there(lambda page: page.get_by_role("button", name="Train this"))
            if button is not None:
                button.click(timeout=500)

    def whole(self) -> bool:
        """Whether the page says that the run is at its end."""
        return self._there(lambda page: page.get_by_text(TRAINED)) is not None

    def goes_on(self, least: int) -> float:
        """Press Train where that is needed; seconds until more frames than `least` are there, or the run is whole."""

        def grown() -> bool:
            if self.shown() > least or self.whole():
                return True
            self.press()
            return False

        return until(grown, pause=0.1)

    def begin(self, config: TrainConfig) -> bool:
        """Open the page of a run and train it; whether it does."""
        self.open(config)
        return self.goes_on(0) < float("inf")


def once(way: str, app: App, visitor: Visitor, config: TrainConfig, tally: Tally) -> None:
    """One kill, and what comes after it."""
    shown = visitor.shown()
    tally.compare(app, config, shown)
    tally.killed[way] += 1
    tally.kills[config.seed] += 1
    begin, fresh = time.monotonic(), way == "tab"
    if way == "worker":
        until(app.workers, END_SECONDS)
        workers = app.workers()[:1]
        for pid in workers:
            with contextlib.suppress(ProcessLookupError):  # it has just ended by itself
                os.kill(pid, signal.SIGKILL)
        if until(lambda: not any(alive(pid) for pid in workers), END_SECONDS) == float("inf"):
            tally.left.append(f"worker {workers}")
    elif way != "tab":
        tally.left += app.end(signal.SIGTERM if "asked" in way else signal.SIGKILL)
        tally.compare(app, config, shown)
        app.start()
        fresh = sum(tally.killed[w] for w in WAYS if w.startswith("web")) % OPEN != 0
    if fresh:
        visitor.open(config)
        tally.empty += until(lambda: visitor.shown() >= shown, SHOW_SECONDS, pause=0.1) == float("inf")
    stuck = visitor.goes_on(shown) == float("inf")
    tally.stuck += stuck
    tally.waits[way].append(time.monotonic() - begin)
    tally.compare(app, config, shown)
    if stuck:
        visitor.open(config)


def run(kills: int = KILLS) -> list[Row]:
    """All of it."""
    dice, clock, tally, seed = random.Random(7), Clock(SECONDS), Tally(), 1
    ways = [way for way, times in WAYS.items() for _ in range(times)]
    order = (dice.sample(ways, len(ways)) * (kills // len(ways) + 1))[:kills]
    chromium = dev.find_chromium()
    with tempfile.TemporaryDirectory(prefix="gantoys-kills-") as folder, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=list(FLAGS))
        app = App(Path(folder))
        app.start()
        try:
            visitor = Visitor(browser.new_context(viewport={"width": 1280, "height": 720}), app)
            tally.stuck += not visitor.begin(CONFIG.changed(seed=seed))
            for way in order:
                if not clock.left():
                    break
                if visitor.whole():
                    tally.compare(app, CONFIG.changed(seed=seed), len(CONFIG.recorded_steps()))
                    seed += 1
                    tally.stuck += not visitor.begin(CONFIG.changed(seed=seed))
                time.sleep(dice.uniform(0.05, 0.5))
                once(way, app, visitor, CONFIG.changed(seed=seed), tally)
                print(way[0] if way != "web, by force" else "W", end="", flush=True)
            config = CONFIG.changed(seed=seed)
            whole = until(lambda: visitor.whole() or visitor.press(), pause=0.2)
            tally.compare(app, config, len(config.recorded_steps()) if whole < float("inf") else 0)
            tally.left += app.end(signal.SIGTERM)
        finally:
            browser.close()
            if app.process.poll() is None:
                app.end(signal.SIGKILL)
        print()
        finished = [s for s, film in tally.seen.items() if film.status == "done"]
        worst = max(finished, key=tally.kills.__getitem__, default=None)
        equal = worst is not None and is_uninterrupted(tally.seen[worst], Path(folder))
    for words in tally.left:
        print(f"left behind: {words}")
    count = sum(tally.killed.values())
    rows = [
        Row(f"after “{way}” killed ({tally.killed[way]}): seconds until it goes on, p95", "s", quantile(waits, 0.95))
        for way, waits in tally.waits.items() if waits
    ]  # fmt: skip
    hit = tally.kills[worst] if worst is not None else 0
    return [
        Row("kills", "", count, least=kills),
        Row("frames that a page had and that were lost", "frames", tally.lost, most=0),
        Row("times that a frame was another one afterwards", "", tally.changed, most=0),
        Row("processes left behind", "", len(tally.left), most=0),
        Row("pages that were stuck", "", tally.stuck, most=0),
        Row("new pages that did not show the frames that were there", "", tally.empty, most=0),
        Row("runs that came to their end", "", len(finished), least=seed),
        Row(f"the one with most kills ({hit}) is the film of a run without one", "", equal, least=1),
        *rows,
    ]


def is_uninterrupted(film: Film, folder: Path) -> bool:
    """Whether a film is that of its config trained at one go."""
    (fresh,) = train_to_file(film.config, folder / "fresh.film", store=Store(folder / "fresh"))
    return len(fresh) == len(film) and same(film, fresh, len(film))


def main() -> int:
    """Print the figures, and those that were missed."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that what was started here is ended
    print(f"machine: {load()}", flush=True)
    begin = time.monotonic()
    found = run(int(sys.argv[1]) if len(sys.argv) > 1 else KILLS)
    print(table(found))
    missed = [row.name for row in found if row.verdict.startswith("MISSED")]
    print(f"missed: {'; '.join(missed) or 'nothing'}\n{time.monotonic() - begin:.0f} s\nmachine: {load()}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
