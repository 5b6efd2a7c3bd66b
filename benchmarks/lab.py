"""The lab in a real browser: from Play to the first moving picture, pictures a second while a run trains, its cost.

Times are taken inside the page, by its own clock. A picture counts when it shows another frame of the film than the one
before: what is drawn twice is one picture. The speed of training is taken against the processor's time, of the worker
as of the engine alone: on two cores the worker shares one with the browser that draws, which no visitor's does.
"""

from __future__ import annotations

import contextlib
import math
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import numpy as np
from browser import FLAGS, ROOT, SMALLEST_SCENE, dev, running
from figures import RATE, Clock, Row, quantile
from playwright.sync_api import Browser, BrowserContext, Error, Page, sync_playwright

from gantoys.pictures.lab_state import write_run
from gantoys.runs.config import TrainConfig
from gantoys.runs.presets import START
from gantoys.service.environment import environment

COLD, WARM, OPENED, SCRUBS = 2, 6, 6, 60
ENOUGH, WATCHED = 30_000, 25_000  # ms until a picture moves, and that a run is watched for at most
LIVE = START  # a run of some seconds, with which the lab begins
SHORT = LIVE.changed(steps=400, frames=60)

# Notes every picture with the step that it shows, and when the hand has pressed a button; the stage lies in a shadow
# root, and comes later than this script.
WATCH = """
window.bench = { acts: [], shown: [], first: null, joined: null, scene: null };
const arrived = ({ data }) => { if ((data.byteLength ?? data.size) > SMALLEST) bench.scene ??= performance.now(); };
window.WebSocket = new Proxy(WebSocket, { construct(of, a) {
  const socket = new of(...a);
  socket.addEventListener('open', () => bench.joined ??= performance.now());
  socket.addEventListener('message', arrived);
  return socket;
} });
window.addEventListener('click', (e) => bench.acts.push(e.timeStamp), true);
const inside = (e) => e.shadowRoot?.querySelector('.gs canvas');
const stage = () => [...document.querySelectorAll('*')].map(inside).find(Boolean);
let watched = null;
const note = () => {
  const told = watched.getRootNode().querySelector('[data-key=step] output')?.textContent;
  if (told !== undefined) bench.first ??= performance.now();
  const step = told === undefined ? null : +told.replaceAll(',', '');
  if (bench.shown.at(-1)?.[1] !== step) bench.shown.push([performance.now(), step]);
};
setInterval(() => {
  const canvas = document.body && stage();
  if (!canvas || canvas === watched) return;
  watched = canvas;
  new MutationObserver(note).observe(canvas, { attributeFilter: ['data-pictures'] });
  if (canvas.dataset.pictures) note();
}, 10);
""".replace("SMALLEST", str(SMALLEST_SCENE))
MOVED = """() => {
  const act = bench.acts.at(-1), moving = bench.shown.find(([t, s]) => t > act && s > 0);
  return moving ? moving[0] - act : false;
}"""
SCRUB = """async (slider) => {
  document.documentElement.dataset.measure = '1';
  for (let i = 0; i < COUNT; i++) {
    slider.value = Math.round(((i * 0.618034) % 1) * slider.max);
    slider.dispatchEvent(new Event('input', { bubbles: true }));
    await new Promise((done) => requestAnimationFrame(() => setTimeout(done, 30)));
  }
  return window.__gantoysStage.latency;
}"""
ENGINE = """
import sys, time, torch
from gantoys.runs.config import TrainConfig
from gantoys.training.loop import train
torch.set_num_threads(1)
config = TrainConfig.read(sys.argv[1])
frames = train(config)
next(frames)
begin = time.process_time()
list(frames)
print(config.steps / (time.process_time() - begin))
"""


@dataclass
class Measured:
    """Series in ms, and what the watched runs came to."""

    cold: list[float] = field(default_factory=list)
    warm: list[float] = field(default_factory=list)
    opened: dict[str, list[list[float]]] = field(default_factory=lambda: {"new": [], "again": []})
    scrubbed: list[float] = field(default_factory=list)
    rate: float = 0.0
    slowest: float = 0.0
    gap: float = 0.0
    shown: float = 0.0
    cost: float = 0.0
    speed: float = 0.0
    trained: float = 0.0
    engine: float = 0.0


@contextlib.contextmanager
def lab(browser: Browser, url: str, config: TrainConfig) -> Iterator[Page]:
    """The lab with a config, in a context of its own."""
    with visitor(browser) as context:
        yield enter(context, url, config)


@contextlib.contextmanager
def visitor(browser: Browser) -> Iterator[BrowserContext]:
    """A browser that has never been here."""
    context = browser.new_context(viewport={"width": 1280, "height": 720})
    context.set_default_timeout(30_000)
    context.add_init_script(WATCH)
    try:
        yield context
    finally:
        context.close()


def enter(context: BrowserContext, url: str, config: TrainConfig) -> Page:
    """A new tab with the lab, as soon as its stage has drawn."""
    page = context.new_page()
    page.goto(f"{url}/lab?run={write_run(config)}", wait_until="commit")
    page.wait_for_selector(".gs canvas[data-pictures]", state="attached")
    return page


def press(page: Page) -> float:
    """Press the button that trains, as soon as it is there; the ms until the picture moves."""
    page.get_by_role("button", name="Train this").click()
    return float(page.wait_for_function(MOVED, timeout=ENOUGH).json_value())


def seconds_of(url: str) -> tuple[float, float]:
    """The processor's time of the process that serves `url`, and of its workers that have ended, which the nursery has
    waited for; NaN where the system does not say."""
    port, tick = f"--server.port={url.rsplit(':', 1)[1]}".encode(), os.sysconf("SC_CLK_TCK")
    server, nurseries = "", {}
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            words = (folder / "cmdline").read_bytes().split(b"\0")
            fields = (folder / "stat").read_text().rsplit(")", 1)[1].split()
            if port in words:
                server, own = folder.name, (int(fields[11]) + int(fields[12])) / tick
            elif b"gantoys.training.nursery" in words:
                nurseries[fields[1]] = (int(fields[13]) + int(fields[14])) / tick
    return (own, nurseries.get(server, math.nan)) if server else (math.nan, math.nan)


def shown_until(page: Page, step: int, most: int) -> bool:
    """Wait until a step is on screen; False when `most` ms were not enough."""
    try:
        page.wait_for_function(f"() => bench.shown.at(-1)?.[1] >= {step}", timeout=most)
    except Error:
        return False
    return True


def watched(page: Page, url: str, config: TrainConfig, found: Measured) -> None:
    """A run from its first moving picture to its last one: pictures a second, and what it costs the server."""
    before, idle = seconds_of(url)
    begin = time.perf_counter()
    found.warm.append(press(page))
    whole = shown_until(page, config.steps, WATCHED)
    took = time.perf_counter() - begin
    found.cost = 100 * (seconds_of(url)[0] - before) / took
    shown: list[list[float]] = page.evaluate("bench.shown.filter(([t, s]) => t > bench.acts.at(-1) && s > 0)")
    times = [at / 1000 for at, _ in shown]
    found.rate = (len(times) - 1) / (times[-1] - times[0])
    seconds = range(max(1, int(times[-1] - times[0])))
    found.slowest = min(sum(times[0] + k <= t < times[0] + k + 1 for t in times) for k in seconds)
    found.gap = 1000 * quantile([b - a for a, b in pairwise(times)], 0.95)
    due = config.recorded_steps()
    found.shown = 100 * len({step for _, step in shown}) / int(np.sum((due > 0) & (due <= shown[-1][1])))
    found.speed = (shown[-1][1] - shown[0][1]) / (times[-1] - times[0])
    if not whole:
        page.get_by_role("button", name="Pause").click()
    page.wait_for_timeout(2000)  # until the worker has ended: only then its time is known
    found.trained = shown[-1][1] / (seconds_of(url)[1] - idle)


def engine(config: TrainConfig) -> float:
    """Steps per second of the processor's time, of the same training by the engine alone, with small pictures."""
    bare = config.changed(frames=2, grid=2, shown=16, steps=min(config.steps, 1000))
    call = [sys.executable, "-c", ENGINE, bare.canonical_json()]
    done = subprocess.run(call, stdout=subprocess.PIPE, text=True, check=True, timeout=120, env=environment(), cwd=ROOT)
    return float(done.stdout)


def measure(browser: Browser, home: str, clock: Clock) -> Measured:
    """All series: cold servers first, then one warm server for the rest."""
    found = Measured()
    for k in range(COLD):
        with running(ROOT / "app.py", environment={"GANTOYS_HOME": home}) as url:
            with lab(browser, url, SHORT.changed(seed=700 + k)) as page:
                found.cold.append(press(page))
            if k < COLD - 1:
                continue
            warm_server(browser, url, found, clock)
    return found


def warm_server(browser: Browser, url: str, found: Measured, clock: Clock) -> None:
    """What is measured on a server that has served before."""
    time.sleep(3)  # until the nursery is ready
    config = LIVE.changed(seed=800)
    with lab(browser, url, config) as page:
        page.wait_for_timeout(1500)
        watched(page, url, config, found)
        found.scrubbed = page.locator('[data-key="step"] input').evaluate(SCRUB.replace("COUNT", str(SCRUBS)))
    found.engine = engine(config)
    for k in range(WARM):
        if k and not clock.left():
            break
        with lab(browser, url, SHORT.changed(seed=810 + k)) as page:
            page.wait_for_timeout(1200)
            found.warm.append(press(page))
            shown_until(page, SHORT.steps, ENOUGH)
    stored = SHORT.changed(seed=810)
    for k in range(OPENED):
        if k >= 3 and not clock.left():
            break
        with visitor(browser) as context:
            found.opened["new"].append(follow(context, url, stored))
    with visitor(browser) as context:
        follow(context, url, stored)
        for k in range(OPENED):
            if k >= 3 and not clock.left():
                break
            found.opened["again"].append(follow(context, url, stored))


def follow(context: BrowserContext, url: str, config: TrainConfig) -> list[float]:
    """Open a link in a tab: the ms until Streamlit's page has joined the server, the scene is there, it is drawn."""
    page = enter(context, url, config)
    page.wait_for_function("() => bench.first !== null")
    found: list[float] = page.evaluate("[bench.joined, bench.scene, bench.first]")
    page.close()
    return found


def rows(m: Measured) -> list[Row]:
    """The figures, with what must hold."""

    def late(name: str, series: list[float], most: float) -> list[Row]:
        return [
            Row(f"{name}, p50", "ms", quantile(series, 0.5)),
            Row(f"{name}, p95 of {len(series)}", "ms", quantile(series, 0.95), most=most),
        ]

    def opened(name: str, series: list[list[float]], most: float | None = None) -> list[Row]:
        joined, scene, drawn = (list(times) for times in zip(*series, strict=True))
        parts = [[b - a for a, b in zip(*pair, strict=True)] for pair in ((joined, scene), (scene, drawn))]
        return [
            Row(f"{name}: Streamlit's page, p50", "ms", quantile(joined, 0.5)),
            Row("then until the scene is there, p50", "ms", quantile(parts[0], 0.5)),
            Row("then until it is drawn, p50", "ms", quantile(parts[1], 0.5)),
            Row(f"in all, p95 of {len(series)}", "ms", quantile(drawn, 0.95), most=most),
        ]

    return [
        Row(f"Play to moving picture, fresh server, worst of {len(m.cold)}", "ms", max(m.cold), most=4000),
        *late("Play to moving picture, warm server", m.warm, 1000),
        Row(f"pictures while it trains ({LIVE.steps} steps, {LIVE.frames} frames)", RATE, m.rate, least=25),
        Row("the same in its slowest second", RATE, m.slowest),
        Row("from one picture to the next, p95", "ms", m.gap),
        Row("of the film's frames were shown while it trained", "%", m.shown),
        Row("web process while one watches, of a core", "%", m.cost, most=10),
        *late("scrubbing: input to picture", m.scrubbed, 30),
        *opened("link to a stored run, first visit", m.opened["new"]),
        *opened("link to a stored run, been here before", m.opened["again"], 1000),
        Row("steps in the lab, by the clock, while the browser draws", RATE, m.speed),
        Row("steps in the lab, by the worker's processor time", RATE, m.trained, m.engine,
            times=m.trained / m.engine, least_times=0.8),
    ]  # fmt: skip


def run(clock: Clock) -> list[Row]:
    """Measure in a Chromium of its own."""
    with tempfile.TemporaryDirectory() as home, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=dev.ensure_chromium(), args=list(FLAGS))
        try:
            return rows(measure(browser, home, clock))
        finally:
            browser.close()
