"""The real app under kills: workers, tabs and the web process itself end at random moments. At most six minutes.

    python benchmarks/kills.py [KILLS]      everything stays on this machine

The app has a folder and a port of its own, and a real Chromium watches a run in the lab. After each kill: no frame is
lost that the browser had, and each is as it was; no process is left behind; the page, or a new one, goes on. Only what
was started here is killed, by its id.
"""

import os
import random
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
from playwright.sync_api import Browser, Error, Page, sync_playwright  # noqa: E402
from serving import free_port, is_healthy  # noqa: E402

from gantoys.pictures.lab_state import write_run  # noqa: E402
from gantoys.runs.config import TrainConfig  # noqa: E402
from gantoys.runs.film import Film, read_new  # noqa: E402
from gantoys.runs.film_file import frame_fields  # noqa: E402
from gantoys.service.local import train_to_file  # noqa: E402

FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking")
CONFIG = TrainConfig(steps=100_000, frames=400, cadence="even", width=16, batch=16, grid=16, shown=64)
KILLS, SECONDS = 50, 220.0
WAYS = {"worker": 18, "tab": 14, "web, asked to end": 9, "web, by force": 9}  # how often of 50
PATIENCE, END_SECONDS = 40.0, 10.0
STEP = '[data-key="step"] input'  # the slider along the film: it has a place for each frame that the page has


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


def until(condition: Callable[[], object], patience: float = PATIENCE) -> float:
    """The seconds until something holds; infinite if it does not come about."""
    begin = time.monotonic()
    while not condition():
        if time.monotonic() - begin > patience:
            return float("inf")
        time.sleep(0.02)
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
        if until(lambda: is_healthy(self.url)) == float("inf"):
            raise RuntimeError("the app does not start")

    def workers(self) -> list[int]:
        """Those who train: children of the nursery, which is a child of the app."""
        return [pid for pid, away in descendants(self.process.pid).items() if away == 2 and alive(pid)]

    def end(self, number: int) -> list[int]:
        """Send a signal and wait for the end; the processes that are still there after some seconds."""
        left = list(descendants(self.process.pid))
        self.process.send_signal(number)
        self.process.wait(30)
        until(lambda: not any(alive(pid) for pid in left), END_SECONDS)
        return [pid for pid in left if alive(pid)]

    def films(self, config: TrainConfig) -> list[Film]:
        """What lies on the disk of a run."""
        found = []
        for path in (self.home / "films").glob(f"{config.digest()}.*"):
            try:
                found.append(read_new(path))
            except (OSError, ValueError):  # renamed meanwhile, or not begun
                continue
        return found


@dataclass
class Tally:
    """What was killed, and what that cost."""

    killed: Counter[str] = field(default_factory=Counter)
    lost: int = 0
    changed: int = 0
    orphans: int = 0
    stuck: int = 0
    waits: dict[str, list[float]] = field(default_factory=lambda: {way: [] for way in WAYS})
    seen: dict[str, Film] = field(default_factory=dict)

    def compare(self, app: App, config: TrainConfig, shown: int) -> None:
        """Whether the frames that a page had are all there, as they were."""
        films = sorted(app.films(config), key=len)
        longest, before = films[-1] if films else None, self.seen.get(config.digest())
        held = len(longest) if longest is not None else 0
        self.lost += max(0, shown - held)
        if longest is None:
            return
        if before is not None:
            self.lost += max(0, len(before) - held)
            both = min(len(before), held)
            names = [f.name for f in frame_fields(config)]
            same = all((getattr(before, n)[:both] == getattr(longest, n)[:both]).all() for n in names)
            self.changed += not same
        self.seen[config.digest()] = longest


class Visitor:
    """A tab that watches a run."""

    def __init__(self, browser: Browser, app: App) -> None:
        self.browser, self.app = browser, app
        self.page: Page | None = None

    def open(self, config: TrainConfig) -> None:
        """Open the lab by a link in a new tab."""
        if self.page is not None:
            self.page.context.close()
        self.page = self.browser.new_context(viewport={"width": 1280, "height": 720}).new_page()
        self.page.goto(f"{self.app.url}/lab?run={write_run(config)}", timeout=PATIENCE * 1000)

    def shown(self) -> int:
        """How many frames the page has."""
        assert self.page is not None
        try:
            slider = self.page.locator(STEP)
            return int(slider.get_attribute("max", timeout=200) or -1) + 1 if slider.count() else 0
        except Error:  # between two pages
            return 0

    def button(self, name: str) -> bool:
        """Press a button if it is there."""
        assert self.page is not None
        try:
            self.page.get_by_role("button", name=name).click(timeout=500)
        except Error:
            return False
        return True

    def says(self, words: str) -> bool:
        """Whether the page says that."""
        assert self.page is not None
        return self.page.get_by_text(words).first.is_visible()

    def goes_on(self, least: int) -> float:
        """Press Train where that is needed; seconds until more frames than `least` are there, or the run is whole."""

        def grown() -> bool:
            if self.says("Trained:") or self.shown() > least:
                return True
            self.button("Train this")
            return False

        return until(grown)


def once(way: str, app: App, visitor: Visitor, config: TrainConfig, tally: Tally) -> None:
    """One kill, and what comes after it."""
    shown = visitor.shown()
    tally.compare(app, config, shown)
    tally.killed[way] += 1
    begin = time.monotonic()
    if way == "worker":
        workers = app.workers()[:1]
        for pid in workers:
            os.kill(pid, signal.SIGKILL)
        tally.orphans += until(lambda: not any(alive(pid) for pid in workers), END_SECONDS) == float("inf")
    elif way == "tab":
        visitor.open(config)
    else:
        left = app.end(signal.SIGTERM if "asked" in way else signal.SIGKILL)
        tally.orphans += len(left)
        tally.compare(app, config, shown)
        app.start()
        if tally.killed[way] % 2:  # every other time the tab stays open, and must find the new server by itself
            visitor.open(config)
    stuck = visitor.goes_on(shown if way != "tab" else shown - 1) == float("inf")
    tally.stuck += stuck
    tally.waits[way].append(time.monotonic() - begin)
    tally.compare(app, config, shown)
    if stuck:
        visitor.open(config)


def run(kills: int = KILLS) -> list[Row]:
    """All of it."""
    dice, clock, tally = random.Random(7), Clock(SECONDS), Tally()
    ways = [way for way, times in WAYS.items() for _ in range(times)]
    order = (dice.sample(ways, len(ways)) * (kills // len(ways) + 1))[:kills]
    chromium = dev.find_chromium()
    with tempfile.TemporaryDirectory(prefix="gantoys-kills-") as folder, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=list(FLAGS))
        app = App(Path(folder))
        app.start()
        try:
            visitor, seed = Visitor(browser, app), 1
            visitor.open(CONFIG.changed(seed=seed))
            tally.stuck += visitor.goes_on(0) == float("inf")
            for way in order:
                if not clock.left():
                    break
                if visitor.says("Trained:"):
                    seed += 1
                    visitor.open(CONFIG.changed(seed=seed))
                    tally.stuck += visitor.goes_on(0) == float("inf")
                time.sleep(dice.uniform(0.1, 0.8))
                once(way, app, visitor, CONFIG.changed(seed=seed), tally)
                print(".", end="", flush=True)
            config = CONFIG.changed(seed=seed)
            whole = until(lambda: visitor.says("Trained:") or (visitor.button("Train this") and False), PATIENCE)
            tally.compare(app, config, len(config.recorded_steps()) if whole < float("inf") else 0)
            left = app.end(signal.SIGTERM)
            tally.orphans += len(left)
        finally:
            browser.close()
            if app.process.poll() is None:
                app.end(signal.SIGKILL)
        same = whole < float("inf") and equal(tally.seen[config.digest()], config, Path(folder))
    count = sum(tally.killed.values())
    print()
    rows = [
        Row(f"after “{way}” killed ({tally.killed[way]}): seconds until it goes on, p95", "s", quantile(waits, 0.95))
        for way, waits in tally.waits.items() if waits
    ]  # fmt: skip
    return [
        Row("kills", "", count, least=kills),
        Row("frames that a page had and that were lost", "frames", tally.lost, most=0),
        Row("times that a frame was another one afterwards", "", tally.changed, most=0),
        Row("processes left behind", "", tally.orphans, most=0),
        Row("pages that were stuck", "", tally.stuck, most=0),
        Row("the last film is that of a run that nothing interrupted", "", same, least=1),
        *rows,
    ]


def equal(film: Film, config: TrainConfig, folder: Path) -> bool:
    """Whether a film is that of its config trained at one go."""
    from gantoys.runs.store import Store

    (fresh,) = train_to_file(config, folder / "fresh.film", store=Store(folder / "fresh"))
    names = [f.name for f in frame_fields(config)]
    return len(fresh) == len(film) and all((getattr(fresh, n) == getattr(film, n)).all() for n in names)


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
