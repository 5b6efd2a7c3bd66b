"""Every slider of the exact lessons under the hand: pictures while it is dragged, and the answer when it is let go.

Times are taken inside the page, as in `browser.py`.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from browser import FLAGS, Measured, Way, _box, _watch_stage, opened, reset, settle, waited
from figures import RATE, Clock, Row, quantile
from playwright.sync_api import FloatRect, Page, sync_playwright

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "scripts"), str(ROOT / "tests" / "browser")]

import dev  # noqa: E402
from serving import running  # noqa: E402

VIEWS = (
    "divergences", "divergences?show=fit", "divergences?show=paradigms", "wasserstein", "wasserstein?example=uniforms",
    "wasserstein?example=mixtures", "dynamics", "dynamics?regulariser=r1&strength=0.5", "generator-gradients",
)  # fmt: skip
STEPS, RELEASES, QUIET_MS = 18, 4, 350  # moves of the hand over two thirds of the track: each to another position
FILMS = ("dynamics",)  # views that play
SLIDERS = '.gs-control:not(.gs-unseen):has(input[type="range"]):not(:has(.gs-play)):visible'


def grabbed(page: Page, key: str) -> tuple[FloatRect, float]:
    """The track of a slider, and the place of its thumb."""
    thumb = page.locator(f'[data-key="{key}"] input')
    box = _box(thumb)
    return box | {"x": box["x"] + 9, "width": box["width"] - 18}, float(thumb.evaluate("n => n.value / n.max"))


def drag(page: Page, key: str, measured: Measured) -> None:
    """Hold the slider and move to and fro; then let go of it several times."""
    track, share = grabbed(page, key)
    y = track["y"] + track["height"] / 2
    page.mouse.move(track["x"] + share * track["width"], y)
    page.mouse.down()
    page.wait_for_timeout(150)
    reset(page)
    for goal in (0.85, 0.2, 0.85, 0.2):
        page.mouse.move(track["x"] + goal * track["width"], y, steps=STEPS)
    found = page.evaluate("() => ({ ...bench, hand: window.__gantoysStage?.latency ?? [] })")
    page.mouse.up()
    times = found["pictures"]
    measured.pictures_per_second = 1000 * (len(times) - 1) / (times[-1] - times[0]) if len(times) > 1 else 0.0
    measured.sent, measured.hand = found["sent"], found["hand"]
    settle(page)
    for i in range(RELEASES):
        track, share = grabbed(page, key)
        y, goal = track["y"] + track["height"] / 2, 0.3 + 0.4 * ((i * 0.618) % 1)
        page.mouse.move(track["x"] + share * track["width"], y)
        page.mouse.down()
        page.mouse.move(track["x"] + goal * track["width"], y, steps=3)
        page.wait_for_timeout(120)
        reset(page)
        page.mouse.up()
        took = waited(page, VIEW)
        if took is not None:
            measured.released.append(took)
        page.wait_for_timeout(QUIET_MS)


VIEW = Way(ROOT / "app.py", "", ".gs canvas[data-pictures]", _watch_stage, lambda page: grabbed(page, ""), "scenes")


def run(clock: Clock) -> list[Row]:
    """All sliders of all views, one after the other, while there is time."""
    found: list[Row] = []
    with tempfile.TemporaryDirectory() as home, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=dev.ensure_chromium(), args=list(FLAGS))
        try:
            with running(VIEW.script, environment={"GANTOYS_HOME": home}) as url:
                for path in VIEWS:
                    if not clock.left():
                        break
                    way = Way(VIEW.script, path, VIEW.first, VIEW.watch, VIEW.grab, VIEW.answered)
                    with opened(browser, url, way) as (page, _):
                        settle(page)
                        _watch_stage(page)
                        found += _of(page, path)
        finally:
            browser.close()
    return found


def _of(page: Page, path: str) -> list[Row]:
    """The rows of one view."""
    rows: list[Row] = []
    if path.startswith(FILMS):
        reset(page)
        page.wait_for_timeout(3000)
        times = page.evaluate("bench.pictures")
        rows.append(Row(f"{path}: pictures of its film", RATE, len(times) / 3, least=25))
    keys = [k for k in page.locator(SLIDERS).evaluate_all("all => all.map((e) => e.dataset.key)") if k]
    for key in keys:
        measured = Measured()
        drag(page, key, measured)
        name = f"{path}: {key}"
        rows += [
            Row(f"{name}: pictures while dragging", RATE, measured.pictures_per_second, least=25),
            Row(f"{name}: messages meanwhile", "", measured.sent, most=0),
            Row(f"{name}: input to picture, p95", "ms", quantile(measured.hand, 0.95), most=30),
            Row(f"{name}: let go to new sweeps, worst of {len(measured.released)}", "ms",
                max(measured.released, default=float("nan")), most=200),
        ]  # fmt: skip
    return rows
