"""The optimal-discriminator lesson in a real browser, against the same picture done with st.slider and st.plotly_chart.

Times are taken inside the page, from the event's own time stamp to the end of the drawing; opening is timed outside.
"""

import contextlib
import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from figures import RATE, Clock, Row, quantile
from playwright.sync_api import Browser, Error, FloatRect, Locator, Page, sync_playwright

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "scripts"), str(ROOT / "tests" / "browser")]

import dev  # noqa: E402
from serving import running  # noqa: E402

LESSON = "optimal-discriminator"
FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking")
DRAG_SECONDS, CHANGES, FRESH, WARM = 4.0, 15, 3, 8
QUIET_MS = 350  # between two changes, so that each is answered before the next
SMALLEST_SCENE = 20_000  # bytes: a message with sweeps is far larger, any other far smaller

# Runs before the page's own scripts: counts what is sent, notes when large messages arrive and when the hand acts.
WATCH = """
window.bench = { sent: 0, inputs: 0, scenes: [], acts: [], pictures: [] };
const send = WebSocket.prototype.send;
WebSocket.prototype.send = function (...a) { bench.sent++; return send.apply(this, a); };
const arrived = ({ data }) => { if ((data.byteLength ?? data.size) > SMALLEST) bench.scenes.push(performance.now()); };
window.WebSocket = new Proxy(WebSocket, { construct(of, a) {
  const socket = new of(...a);
  socket.addEventListener('message', arrived);
  return socket;
} });
window.addEventListener('pointermove', () => bench.inputs++, true);
for (const name of ['pointerup', 'click']) window.addEventListener(name, (e) => bench.acts.push(e.timeStamp), true);
""".replace("SMALLEST", str(SMALLEST_SCENE))
# Notes when the first picture stands; the stage lies in a shadow root.
FIRST = """
const found = (root) => root.querySelector(SELECTOR)
  ?? [...root.querySelectorAll('*')].find((e) => e.shadowRoot && found(e.shadowRoot));
const look = () => {
  if (document.body && found(document)) bench.first = performance.now();
  else setTimeout(look, 10);
};
look();
"""
STAGE_PICTURES = """(canvas) => {
  document.documentElement.dataset.measure = '1';
  const watcher = new MutationObserver(() => bench.pictures.push(performance.now()));
  watcher.observe(canvas, { attributeFilter: ['data-pictures'] });
}"""
# p_G's line: a picture is new when the line is another one. Plotly puts a new node in place of the old.
PLOTLY_PICTURES = """() => {
  let last = null;
  const look = () => {
    const line = document.querySelectorAll('.js-plotly-plot path.js-line')[1]?.getAttribute('d');
    if (line && line !== last) { last = line; bench.pictures.push(performance.now()); }
    requestAnimationFrame(look);
  };
  look();
}"""


@dataclass
class Measured:
    """Series of one way of making the picture, in ms, and what a drag brought."""

    inputs_per_second: float = 0.0
    pictures_per_second: float = 0.0
    sent: int = 0
    hand: list[float] = field(default_factory=list)
    released: list[float] = field(default_factory=list)
    changed: list[float] = field(default_factory=list)
    fresh: list[float] = field(default_factory=list)
    warm: list[float] = field(default_factory=list)


@dataclass(frozen=True)
class Way:
    """One way of making the picture: where it is, when its first picture stands, and how it is watched and grabbed."""

    script: Path
    path: str
    first: str
    watch: Callable[[Page], None]
    grab: Callable[[Page], tuple[FloatRect, float]]
    answered: str


def _watch_stage(page: Page) -> None:
    page.locator(".gs canvas").evaluate(STAGE_PICTURES)


def _grab_stage(page: Page) -> tuple[FloatRect, float]:
    """The track of the first slider, and the place of its thumb."""
    thumb = page.locator('[data-key="left"] input')
    box = _box(thumb)
    share = float(thumb.evaluate("n => n.value / n.max"))
    return {"x": box["x"] + 9, "y": box["y"], "width": box["width"] - 18, "height": box["height"]}, share


def _grab_plotly(page: Page) -> tuple[FloatRect, float]:
    thumb = page.locator('[data-testid="stSlider"] input[type="range"]').first
    track = _box(page.locator('[data-testid="stSlider"] [role="group"] > div').first)
    return track, float(thumb.evaluate("n => (n.value - n.min) / (n.max - n.min)"))


def _box(locator: Locator) -> FloatRect:
    box = locator.bounding_box()
    assert box is not None
    return box


STAGE = Way(ROOT / "app.py", LESSON, ".gs canvas[data-pictures]", _watch_stage, _grab_stage, "scenes")
PLOTLY = Way(
    ROOT / "benchmarks" / "plotly_app.py",
    "",
    ".js-plotly-plot path.js-line",
    lambda page: page.evaluate(PLOTLY_PICTURES),
    _grab_plotly,
    "",
)


@contextlib.contextmanager
def opened(browser: Browser, url: str, way: Way) -> Iterator[tuple[Page, float]]:
    """A page in a context of its own and the ms until its first picture."""
    context = browser.new_context(viewport={"width": 1280, "height": 720})
    context.set_default_timeout(20_000)
    page = context.new_page()
    page.add_init_script(WATCH)
    page.add_init_script(FIRST.replace("SELECTOR", json.dumps(way.first)))
    page.goto(f"{url}/{way.path}", wait_until="commit")
    page.wait_for_selector(way.first, state="attached")
    # by the page's own clock, which starts with the navigation: the driver's errands do not count
    took = float(page.evaluate("bench.first"))
    try:
        yield page, took
    finally:
        context.close()


def settle(page: Page, ms: float = 1200) -> None:
    """Let what opening a page brings arrive."""
    page.wait_for_timeout(ms)


def reset(page: Page) -> None:
    """Forget what was noted so far."""
    page.evaluate("() => { Object.assign(bench, { sent: 0, inputs: 0, scenes: [], acts: [], pictures: [] });"
                  " if (window.__gantoysStage) __gantoysStage.latency.length = 0; }")  # fmt: skip


def dragged(page: Page, way: Way, measured: Measured) -> None:
    """Move the hand to and fro for some seconds without letting go."""
    track, share = way.grab(page)
    y = track["y"] + track["height"] / 2
    page.mouse.move(track["x"] + share * track["width"], y)
    page.mouse.down()
    page.wait_for_timeout(200)
    reset(page)
    begin, there = time.perf_counter(), True
    while time.perf_counter() - begin < DRAG_SECONDS:
        # the driver sends the steps one after the other, each when the page has taken the one before
        page.mouse.move(track["x"] + (0.9 if there else 0.1) * track["width"], y, steps=30)
        there = not there
    took = time.perf_counter() - begin
    found: dict[str, Any] = page.evaluate("() => ({ ...bench, hand: window.__gantoysStage?.latency ?? [] })")
    page.mouse.up()
    measured.inputs_per_second, measured.pictures_per_second = found["inputs"] / took, len(found["pictures"]) / took
    measured.sent, measured.hand = found["sent"], found["hand"]
    settle(page)


def waited(page: Page, way: Way) -> float | None:
    """The ms from the last act of the hand to the first picture after its answer; None when none came."""
    condition = (
        "() => { const act = bench.acts.at(-1); if (act === undefined) return false;"
        f" const answer = {'bench.scenes.find((t) => t > act)' if way.answered else 'act'};"
        " const shown = answer && bench.pictures.find((t) => t > answer);"
        " return shown ? { ms: shown - act } : false; }"
    )
    try:
        return float(page.wait_for_function(condition, timeout=5_000).json_value()["ms"])
    except Error:
        return None


def released(page: Page, way: Way, clock: Clock) -> list[float]:
    """Drag a little, let go, and wait for the answer, again and again."""
    found = []
    for i in range(CHANGES):
        if not clock.left():
            break
        track, share = way.grab(page)
        y, goal = track["y"] + track["height"] / 2, 0.25 + 0.5 * ((i * 0.37) % 1)
        page.mouse.move(track["x"] + share * track["width"], y)
        page.mouse.down()
        page.mouse.move(track["x"] + (share + goal) / 2 * track["width"], y)
        page.mouse.move(track["x"] + goal * track["width"], y)
        page.wait_for_timeout(120)
        reset(page)
        page.mouse.up()
        found.append(waited(page, way))
        page.wait_for_timeout(QUIET_MS)
    return [ms for ms in found if ms is not None]


def changed(page: Page, clock: Clock) -> list[float]:
    """Another mixture by a button: nothing of its picture is in the browser yet."""
    names = ("shifted", "missed mode", "too wide", "nearly disjoint", "equal")
    page.get_by_text("More controls").click()
    page.get_by_role("button", name=names[0]).wait_for()
    settle(page, 800)
    found = []
    for i in range(CHANGES):
        if not clock.left():
            break
        button = page.get_by_role("button", name=names[(i + 1) % len(names)], exact=True)
        reset(page)
        button.click()
        found.append(waited(page, STAGE))
        page.wait_for_timeout(QUIET_MS)
    return [ms for ms in found if ms is not None]


def measure(browser: Browser, way: Way, home: str, *, fresh: int, clock: Clock) -> Measured:
    """All series of one way. Each of the `fresh` servers is new; the last one stays for the rest."""
    measured = Measured()
    for turn in range(fresh):
        with running(way.script, environment={"GANTOYS_HOME": home}) as url:
            with opened(browser, url, way) as (page, took):
                measured.fresh.append(took)
                if turn < fresh - 1:
                    continue
                settle(page)
                way.watch(page)
                dragged(page, way, measured)
                measured.released = released(page, way, clock)
                measured.changed = changed(page, clock) if way is STAGE else measured.released
            for _ in range(WARM):
                with opened(browser, url, way) as (_, took):
                    measured.warm.append(took)
    return measured


def rows(ours: Measured, other: Measured) -> list[Row]:
    """The figures side by side, with what must hold."""

    def pair(name: str, series: str, most: float, *, other_series: str = "") -> list[Row]:
        """The middle and the 95th percentile of a series."""
        mine, theirs = getattr(ours, series), getattr(other, other_series or series)
        middle = Row(f"{name}, p50", "ms", quantile(mine, 0.5), quantile(theirs, 0.5))
        high = Row(f"{name}, p95 of {len(mine)}", "ms", quantile(mine, 0.95), quantile(theirs, 0.95), most=most)
        return [middle, high]

    fresh = f"first picture, fresh server, worst of {len(ours.fresh)}"
    return [
        Row("moves of the hand while dragging", "per s", ours.inputs_per_second, other.inputs_per_second),
        Row("pictures while dragging", RATE, ours.pictures_per_second, other.pictures_per_second, least=25),
        Row("messages sent while dragging", "", ours.sent, other.sent, most=0),
        # with plain widgets the hand sees nothing before it lets go
        *pair("input to picture", "hand", 30, other_series="released"),
        *pair("release to new sweeps", "released", 200),
        *pair("another mixture to picture", "changed", 200),
        Row(fresh, "ms", max(ours.fresh), max(other.fresh), most=3000),
        *pair("first picture, warm server", "warm", 1500),
    ]


def run(clock: Clock) -> list[Row]:
    """Measure both ways, ours first."""
    with tempfile.TemporaryDirectory() as home, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=dev.ensure_chromium(), args=list(FLAGS))
        try:
            ours = measure(browser, STAGE, home, fresh=FRESH, clock=clock)
            other = measure(browser, PLOTLY, home, fresh=1, clock=clock)
        finally:
            browser.close()
    return rows(ours, other)
