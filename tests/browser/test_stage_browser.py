"""The stage in a real browser: the hand, the answers of Python, films, keys, the narrow page, the single page."""

from __future__ import annotations

import base64
import itertools
import json
import re
import time
import xml.etree.ElementTree as ET
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from apps import demo_scenes as demo
from playwright.sync_api import Locator, Page, expect

from gantoys.stage.pack import pack
from gantoys.stage.page import asset, standalone

APP = "tests/browser/apps/stage_demo.py"
PHONE = {"width": 390, "height": 844}
STAGE = "document.querySelector('[data-testid=stBidiComponentIsolated]').shadowRoot"
FRAME_AFTER = f"step => +{STAGE}.querySelector('[data-key=step] output').textContent > step"
NEWEST_AFTER = f"frame => +{STAGE}.querySelector('[data-key=step] input').max > frame"
Serve = Callable[[str], str]
Open = Callable[..., Page]
Shoot = Callable[[Page, str], None]


@pytest.fixture
def stage(serve: Serve, open_page: Open) -> Callable[..., Page]:
    """stage("scene=film", ...) opens the demo app there and waits for the first picture."""

    def at(query: str, wait: bool = True, **options: Any) -> Page:
        page = open_page(**{"reduced_motion": "no-preference"} | options)
        page.goto(f"{serve(APP)}/?{query}")
        expect(canvas(page)).to_have_attribute("data-pictures", re.compile(r"\d+"), timeout=20_000)
        if wait:
            settle(page)
        return page

    return at


def canvas(page: Page) -> Locator:
    return page.locator(".gs canvas")


def settle(page: Page, quiet: int = 250) -> None:
    """Wait until no picture was drawn for `quiet` ms."""
    last = -1
    while (now := pictures(page)) != last:
        last = now
        page.wait_for_timeout(quiet)


def pictures(page: Page) -> int:
    return int(canvas(page).get_attribute("data-pictures") or 0)


def slider(page: Page, key: str) -> Locator:
    return page.locator(f'[data-key="{key}"] input')


def shown(page: Page, key: str) -> float:
    """The value written beside a slider."""
    text = page.locator(f'[data-key="{key}"] output').text_content() or ""
    return float(text.replace("−", "-").split()[0])


def readout(page: Page, name: str) -> float:
    """The number under a readout's name."""
    block = page.locator(".gs-readout", has_text=name).first
    return float((block.locator(".gs-number").text_content() or "").replace("−", "-").replace("∞", "inf"))


def place(page: Page, key: str, share: float) -> tuple[float, float]:
    """The point of a slider's track at a share of its length."""
    box = slider(page, key).bounding_box()
    assert box is not None
    return box["x"] + 9 + share * (box["width"] - 18), box["y"] + box["height"] / 2


def drag(page: Page, start: tuple[float, float], stop: tuple[float, float], steps: int = 20, up: bool = True) -> None:
    page.mouse.move(*start)
    page.mouse.down()
    for i in range(1, steps + 1):
        page.mouse.move(*(a + (b - a) * i / steps for a, b in zip(start, stop, strict=True)))
    if up:
        page.mouse.up()


def pixels(page: Page) -> str:
    return str(canvas(page).evaluate("c => c.toDataURL()"))


def expected_js(mean: float, spread: float = 1.1, weight: float = 0.5) -> float:
    """Jensen-Shannon divergence of the demo's densities by its definition."""
    import numpy as np

    real, fake = demo.REAL, demo.fake_density(mean, spread, weight)[0]
    half = (real + fake) / 2
    kl = [np.where(p > 0, p * np.log(np.maximum(p, 1e-300) / np.maximum(half, 1e-300)), 0.0) for p in (real, fake)]
    return float(np.trapezoid(0.5 * (kl[0] + kl[1]), demo.X))


# -------------------------------------------------------------------------------------------------------- the hand


def test_a_drag_draws_at_the_speed_of_the_hand_and_sends_nothing(stage: Callable[..., Page]) -> None:
    page = stage("scene=densities")
    sent: list[Any] = []
    page.on("request", lambda request: sent.append(request.url))
    page.evaluate("document.documentElement.dataset.measure = '1'")
    # Frames of the open socket are not seen by listeners that come late: count them at the source.
    page.evaluate(
        "() => { const send = WebSocket.prototype.send; window.frames_ = 0;"
        " WebSocket.prototype.send = function (...a) { window.frames_++; return send.apply(this, a); }; }"
    )
    best = (0.0, 1e9)
    for _ in range(3):  # the machine is shared: the best of three drags says what the stage can do
        page.evaluate("window.__gantoysStage = { latency: [] }")
        page.mouse.move(*place(page, "mean", 0.2))
        page.mouse.down()
        before, begun = pictures(page), page.evaluate("performance.now()")
        for i in range(90):
            page.mouse.move(*place_at(page, 0.2 + 0.6 * i / 89))
        took = (page.evaluate("performance.now()") - begun) / 1000
        rate = (pictures(page) - before) / took
        assert page.evaluate("window.frames_") == 0 and sent == []
        times = sorted(page.evaluate("window.__gantoysStage.latency"))
        best = max(best, (rate, -times[int(0.95 * len(times))])) if best[0] else (rate, -times[int(0.95 * len(times))])
        page.mouse.up()
        page.wait_for_timeout(600)
        page.evaluate("window.frames_ = 0")
        sent.clear()
        if best[0] >= 25 and -best[1] <= 30:
            break
    print(f"pictures/s {best[0]:.0f}, p95 input to picture {-best[1]:.1f} ms")
    # the benchmark holds the figures of a quiet machine; these bounds only catch a stage that has become slow
    assert best[0] >= 8
    assert -best[1] <= 120


_PLACE: dict[Page, tuple[float, float, float]] = {}


def place_at(page: Page, share: float) -> tuple[float, float]:
    """`place` of the mean's slider without asking the browser again."""
    if page not in _PLACE:
        a, b = place(page, "mean", 0), place(page, "mean", 1)
        _PLACE[page] = (a[0], b[0], a[1])
    left, right, y = _PLACE[page]
    return left + share * (right - left), y


def test_every_number_follows_the_hand_and_is_what_python_computed(stage: Callable[..., Page]) -> None:
    page = stage("scene=densities")
    drag(page, place(page, "mean", 0.425), place(page, "mean", 0.9), up=False)
    mean = shown(page, "mean")
    assert mean > 3
    settle(page)
    assert readout(page, "JS(") == pytest.approx(expected_js(mean), abs=2e-4)
    assert readout(page, "V(D") == pytest.approx(2 * expected_js(mean) - 1.386294, abs=4e-4)
    formula = page.locator(".gs-formula").inner_text().replace("\u2212", "-")
    assert f"{readout(page, 'JS('):.4f}" in formula and f"{readout(page, 'V(D'):.4f}" in formula
    page.mouse.up()


def test_letting_go_tells_python_once_and_nothing_on_the_screen_moves(stage: Callable[..., Page]) -> None:
    page = stage("scene=densities")
    canvas(page).evaluate("c => { c.remembered = true; }")
    drag(page, place(page, "mean", 0.425), place(page, "mean", 0.7), up=False)
    page.mouse.move(*place(page, "mean", 0.7))
    settle(page)
    page.mouse.up()
    page.mouse.move(20, 700)
    settle(page)
    before = pixels(page)
    expect(page.get_by_text("runs 2")).to_be_visible()
    mean = shown(page, "mean")
    expect(page.get_by_text(f"rest {mean:.3f}")).to_be_visible()
    page.wait_for_timeout(400)
    assert pixels(page) == before
    assert canvas(page).evaluate("c => c.remembered") is True
    expect(page.get_by_text("runs 2")).to_be_visible()


def test_after_a_release_the_other_sliders_sweep_around_the_new_state(stage: Callable[..., Page]) -> None:
    page = stage("scene=densities")
    drag(page, place(page, "mean", 0.425), place(page, "mean", 0.7))
    expect(page.get_by_text("runs 2")).to_be_visible()
    settle(page)
    drag(page, place(page, "spread", 0.3), place(page, "spread", 0.6), up=False)
    settle(page)
    assert readout(page, "JS(") == pytest.approx(expected_js(shown(page, "mean"), shown(page, "spread")), abs=2e-3)
    page.mouse.up()


def test_an_answer_that_arrives_late_does_not_disturb_the_next_drag(stage: Callable[..., Page]) -> None:
    page = stage("scene=densities&slow=1.2")
    drag(page, place(page, "mean", 0.425), place(page, "mean", 0.7))
    drag(page, place(page, "mean", 0.7), place(page, "mean", 0.1), up=False)
    held = shown(page, "mean")
    expect(page.get_by_text("runs 2")).to_be_visible(timeout=10_000)
    page.wait_for_timeout(300)
    assert shown(page, "mean") == held
    assert readout(page, "JS(") == pytest.approx(expected_js(held), abs=2e-4)
    page.mouse.up()
    expect(page.get_by_text(f"rest {held:.3f}")).to_be_visible(timeout=10_000)
    assert shown(page, "mean") == held


def test_a_new_state_from_python_moves_the_sliders(stage: Callable[..., Page]) -> None:
    page = stage("scene=densities")
    drag(page, place(page, "mean", 0.425), place(page, "mean", 0.1))
    expect(page.get_by_text("runs 2")).to_be_visible()
    page.get_by_role("button", name="Shifted").click()
    expect(page.get_by_text("rest 3.000")).to_be_visible()
    settle(page)
    assert shown(page, "mean") == 3.0
    assert readout(page, "JS(") == pytest.approx(expected_js(3.0), abs=2e-4)


def test_a_handle_is_dragged_and_its_slider_and_python_follow(stage: Callable[..., Page]) -> None:
    page = stage("scene=densities")
    box = page.locator(".gs-handle").bounding_box()
    assert box is not None and box["width"] >= 44 and box["height"] >= 44
    at = (box["x"] + box["width"] / 2 + 6, box["y"] + box["height"] / 2)  # grabbed off its middle
    drag(page, at, (at[0] + 120, at[1]), up=False)
    moved = page.locator(".gs-handle").bounding_box()
    assert moved is not None and moved["x"] - box["x"] == pytest.approx(120, abs=4)
    page.mouse.up()
    mean = shown(page, "mean")
    assert mean > 0.5
    expect(page.get_by_text(f"rest {mean:.3f}")).to_be_visible()


def test_a_handle_on_a_bar_is_dragged_upward(stage: Callable[..., Page]) -> None:
    page = stage("scene=game")
    box = page.locator('.gs-handle[data-control="d1"]').bounding_box()
    assert box is not None
    at = (box["x"] + 24, box["y"] + 24)
    drag(page, at, (at[0], at[1] - 47))
    d = shown(page, "d1")
    assert 0.5 < d < 0.8
    expect(page.get_by_text(f"d 0.60 {d:.2f}")).to_be_visible()


def test_an_animation_runs_through_computed_positions_and_stops_where_it_should(stage: Callable[..., Page]) -> None:
    page = stage("scene=densities")
    page.get_by_role("button", name="Sweep").click()
    seen = set()
    for _ in range(60):
        seen.add(shown(page, "mean"))
        page.wait_for_timeout(40)
    assert len(seen) > 12 and min(seen) < -3.5 and max(seen) == 4.0
    assert all(abs(value - round((value + 5) * 12) / 12 + 5) < 0.01 for value in seen)  # computed positions only
    assert shown(page, "mean") == 4.0
    assert readout(page, "JS(") == pytest.approx(expected_js(4.0), abs=2e-4)


def test_with_reduced_motion_the_animation_jumps_to_its_end(stage: Callable[..., Page]) -> None:
    page = stage("scene=densities", reduced_motion="reduce")
    page.get_by_role("button", name="Sweep").click()
    expect(page.get_by_text("rest 4.000")).to_be_visible()
    settle(page)
    before = pictures(page)
    page.wait_for_timeout(500)
    assert pictures(page) == before and shown(page, "mean") == 4.0


# -------------------------------------------------------------------------------------------------------- the keys


def test_the_keys_move_the_control_that_has_the_focus_and_choose_the_next(stage: Callable[..., Page]) -> None:
    page = stage("scene=densities")
    slider(page, "mean").focus()
    start = int(slider(page, "mean").input_value())
    for key, position in (("ArrowRight", start + 1), ("Shift+ArrowLeft", start - 9), ("End", 120), ("Home", 0)):
        page.keyboard.press(key)
        expect(slider(page, "mean")).to_have_value(str(position))
    expect(slider(page, "mean")).to_have_attribute("aria-valuetext", "−5.00")
    expect(page.get_by_text("rest -5.000")).to_be_visible()
    page.keyboard.press("ArrowDown")
    expect(slider(page, "spread")).to_be_focused()
    page.keyboard.press("ArrowUp")
    expect(slider(page, "mean")).to_be_focused()


def test_in_lecture_view_the_keys_work_without_a_click(stage: Callable[..., Page], shoot: Shoot) -> None:
    page = stage("scene=densities&view=lecture")
    start = int(slider(page, "mean").input_value())
    page.keyboard.press("ArrowRight")
    expect(slider(page, "mean")).to_have_value(str(start + 1))
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Home")
    expect(slider(page, "spread")).to_have_value("0")
    sizes = page.locator(".gs").evaluate(
        "g => [...g.querySelectorAll('label *, output, dt *, dd *, .gs-formula, .gs-formula *')]"
        ".filter(e => e.offsetParent && e.textContent.trim() && !e.closest('.gs-control:not(.gs-active)'))"
        ".map(e => parseFloat(getComputedStyle(e).fontSize))"
    )
    assert len(sizes) > 5 and min(sizes) >= 24
    shoot(page, "stage-lecture")


def test_the_picture_and_its_numbers_are_told_in_words(stage: Callable[..., Page]) -> None:
    page = stage("scene=densities")
    js = f"{readout(page, 'JS('):.4f}"
    expect(canvas(page)).to_have_attribute("role", "img")
    expect(canvas(page)).to_have_attribute("aria-label", re.compile(f"Densities of real .* {js} nats"))
    slider(page, "mean").focus()
    page.keyboard.press("End")
    expect(page.locator("[aria-live=polite]").first).to_contain_text("nats")
    expect(canvas(page)).to_have_attribute("aria-label", re.compile(f"{readout(page, 'JS('):.4f}"))
    expect(page.get_by_role("slider", name="mean of pG", exact=True)).to_be_visible()


# ---------------------------------------------------------------------------------------------------------- clicks


def spot(page: Page, name: str, x: float, y: float) -> tuple[float, float]:
    """The point at shares (x, y) of a panel's plot, from its lower left corner."""
    box = page.locator(f'.gs-spot[data-name="{name}"]').bounding_box()
    assert box is not None
    return box["x"] + x * box["width"], box["y"] + (1 - y) * box["height"]


def test_a_click_in_a_panel_is_reported_in_units_of_its_axes_and_a_drag_is_none(stage: Callable[..., Page]) -> None:
    page = stage("scene=clicks")
    told = page.get_by_text("clicks:")
    expect(page.locator(".gs-spot")).to_have_count(2)
    page.mouse.click(*spot(page, "square", 0.25, 0.75))
    expect(told).to_contain_text("square 0.25 0.75")
    page.mouse.click(*spot(page, "plane", 0.75, 0.75))
    expect(told).to_contain_text("plane 1.5")
    drag(page, spot(page, "plane", 0.2, 0.2), spot(page, "plane", 0.6, 0.2))  # neither a click nor a handle
    drag(page, spot(page, "plane", 0.5, 0.5), spot(page, "plane", 0.75, 0.5))  # the handle
    expect(page.locator('[data-key="a"] output')).to_have_text("1.50")
    settle(page, 600)
    page.mouse.click(*spot(page, "square", 0.5, 0.25))
    expect(told).to_contain_text("square 0.50 0.25")
    names = [part.split() for part in (told.text_content() or "").removeprefix("clicks: ").split("; ")]
    assert [name for name, _, _ in names] == ["square", "plane", "square"]
    # a quarter of the way down four decades of a log axis; a pixel is worth a few per cent
    assert float(names[1][2]) == pytest.approx(10.0, rel=0.1)


def test_no_click_of_a_quick_hand_is_lost(stage: Callable[..., Page]) -> None:
    page = stage("scene=clicks&slow=0.3")
    for share in (0.2, 0.4, 0.6, 0.8):
        page.mouse.click(*spot(page, "square", share, 0.5))
    expect(page.get_by_text("clicks:")).to_contain_text("square 0.80", timeout=10_000)
    told = (page.get_by_text("clicks:").text_content() or "").removeprefix("clicks: ").split("; ")
    assert [float(part.split()[1]) for part in told] == pytest.approx([0.2, 0.4, 0.6, 0.8], abs=0.011)


def test_a_tap_on_a_phone_counts_and_the_page_can_still_be_scrolled_there(stage: Callable[..., Page]) -> None:
    page = stage("scene=clicks", viewport=PHONE, has_touch=True)
    page.locator('.gs-spot[data-name="square"]').scroll_into_view_if_needed()
    page.touchscreen.tap(*spot(page, "square", 0.5, 0.5))
    expect(page.get_by_text("clicks:")).to_contain_text("square 0.5")
    assert page.locator(".gs-spot").first.evaluate("n => getComputedStyle(n).touchAction") == "manipulation"


# ----------------------------------------------------------------------------------------------------------- films


def test_a_film_plays_and_pauses(stage: Callable[..., Page], shoot: Shoot) -> None:
    page = stage("scene=film")
    page.get_by_role("button", name="Speed").click()  # twice the film's 30 frames a second
    best = 0.0
    for _ in range(3):
        slider(page, "step").focus()
        page.keyboard.press("Home")  # it ends after five seconds
        page.get_by_role("button", name="Play").click()
        page.wait_for_timeout(300)
        a = page.evaluate("() => performance.now()"), pictures(page)
        page.wait_for_timeout(2000)
        b = page.evaluate("() => performance.now()"), pictures(page)
        page.get_by_role("button", name="Pause").click()
        best = max(best, 1000 * (b[1] - a[1]) / (b[0] - a[0]))
        if best >= 30:
            break
    print(f"film: {best:.1f} pictures/s")
    assert best >= 8  # the benchmark holds the figure
    shoot(page, "stage-film")
    settle(page)
    before = shown(page, "step")
    page.wait_for_timeout(300)
    assert shown(page, "step") == before > 0


def test_a_film_is_scrubbed_and_played_by_keys(stage: Callable[..., Page]) -> None:
    page = stage("scene=film&view=lecture")
    page.keyboard.press("End")
    expect(page.locator('[data-key="step"] output')).to_have_text("2990")
    page.keyboard.press("Home")
    page.keyboard.press("Shift+ArrowRight")
    expect(page.locator('[data-key="step"] output')).to_have_text("100")
    page.keyboard.press("Space")
    page.wait_for_timeout(800)
    page.keyboard.press("Space")
    assert 100 < shown(page, "step") < 2990
    modes = readout(page, "modes found")
    assert modes == min(8, int(shown(page, "step") / 10) // 20)


def newest(page: Page) -> int:
    """Number of the newest frame that the browser holds."""
    return int(slider(page, "step").get_attribute("max") or 0)


def test_a_growing_film_is_followed_unless_scrubbed_back(stage: Callable[..., Page]) -> None:
    page = stage("scene=live", wait=False)
    canvas(page).evaluate("c => { c.remembered = true; }")
    first = shown(page, "step")
    page.wait_for_function(FRAME_AFTER, arg=first, timeout=10_000)
    slider(page, "step").focus()
    page.keyboard.press("Home")
    held = newest(page)
    page.wait_for_function(NEWEST_AFTER, arg=held + 5, timeout=10_000)
    assert shown(page, "step") == 0
    page.keyboard.press("End")
    expect(page.get_by_text("sent 240 resyncs 0 told 0")).to_be_visible(timeout=120_000)
    expect(page.locator('[data-key="step"] output')).to_have_text("2390", timeout=5_000)
    # The frames that arrived in pieces are the frames: the picture's number at a step from the middle.
    page.keyboard.press("Home")
    for _ in range(7):
        page.keyboard.press("Shift+ArrowRight")
    settle(page)
    assert readout(page, "JS over") == pytest.approx(demo.frames(70, 71)[3][0], abs=1e-4)
    assert canvas(page).evaluate("c => c.remembered") is True


def test_when_frames_are_lost_the_component_asks_for_the_film_and_goes_on(stage: Callable[..., Page]) -> None:
    page, begun = stage("scene=live&forget=1", wait=False), time.monotonic()
    told = page.get_by_text(re.compile(r"sent 240 resyncs [1-9]\d* told [1-9]"))
    expect(told).to_be_visible(timeout=120_000)
    _, sent, _, asked, _, answered = (told.text_content() or "").split()
    # it asks again only where the whole film does not come within two seconds
    assert int(sent) == 240 and 1 <= int(asked) == int(answered) <= 1 + (time.monotonic() - begun) / 2
    expect(slider(page, "step")).to_have_attribute("max", "239")


# Notes every new step on screen and when it came, by the page's clock, which the test moves.
PACED = """
import("data:text/javascript;base64," + SCRIPT).then(({ default: stage }) => {
  const parentElement = document.getElementById("stage");
  window.shown = [];
  window.said = [];
  window.take = (text) => {
    const data = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
    const setStateValue = (name, value) => name === "values" && said.push([value.values, value.moving]);
    stage({ parentElement, data, setStateValue, setTriggerValue() {} });
    if (window.watched || !parentElement.querySelector("[data-key=step]")) return;
    const canvas = parentElement.querySelector("canvas"), told = parentElement.querySelector("[data-key=step] output");
    window.watched = new MutationObserver(() => {
      if (shown.at(-1)?.[1] !== +told.textContent) shown.push([performance.now(), +told.textContent]);
    });
    watched.observe(canvas, { attributeFilter: ["data-pictures"] });
  };
});
"""


class Bare:
    """The stage alone, without Streamlit, on a clock of the test."""

    def __init__(self, page: Page, style: str = "width: 1100px") -> None:
        self.page = page
        page.clock.install(time=0)
        page.set_content(f'<style>{asset("stage.css")}</style><div id="stage" style="{style}"></div>')
        script = base64.b64encode(asset("stage.js").encode()).decode()
        page.evaluate(PACED.replace("SCRIPT", json.dumps(script)))
        page.wait_for_function("() => window.take")
        page.clock.pause_at(60_000)  # from here on time passes only as the test says

    def take(self, scene: Any, wait: int = 300, **view: Any) -> None:
        """A scene arrives, and so many milliseconds pass."""
        self.page.evaluate("take", base64.b64encode(pack(scene, view={"height": 480, **view})).decode())
        self.page.clock.run_for(wait)

    def frame(self) -> int:
        """The number of the frame on screen."""
        return int(shown(self.page, "step")) // 10

    def said(self) -> list[tuple[int, bool]]:
        """What the stage has reported since the last look: at which frame its clock was, and whether it went on."""
        found = self.page.evaluate("said.splice(0)")
        return [(int(values["step"]) // 10, moving) for values, moving in found]


@pytest.fixture
def bare(open_page: Open) -> Callable[..., Bare]:
    """bare(...) is the stage alone, in a page of its own."""
    moving = {"reduced_motion": "no-preference", "once": True}
    return lambda style="width: 1100px", **options: Bare(open_page(**moving | options), style)


@pytest.fixture
def paced(bare: Callable[..., Bare]) -> Callable[..., list[tuple[float, int]]]:
    """paced(sizes, apart) hands the stage a film that grows by so many frames every `apart` ms, on a clock of the test;
    the milliseconds and the number of every frame that was on screen."""

    def play(sizes: list[int], apart: int) -> list[tuple[float, int]]:
        stage, held = bare(), 0
        for more in sizes:
            held += more
            scene = demo.film(held, append_from=max(0, held - more - 3) or None, live=True, film_name="live")
            stage.take(scene, apart)
        return [(at, int(step) // 10) for at, step in stage.page.evaluate("shown")]

    return play


def clocked(count: int = 60, start: int = 0, **clock: Any) -> Any:
    """A film of so many frames that Python has put at `start`."""
    scene = demo.film(count)
    return replace(scene, controls=(replace(scene.controls[0], start=start, **clock),))


def test_a_film_runs_to_the_place_that_python_chooses_and_stands_there(bare: Callable[..., Bare]) -> None:
    stage = bare()
    stage.take(clocked())
    stage.page.keyboard.press("Tab")
    slider(stage.page, "step").focus()
    stage.page.keyboard.press("Space")
    stage.page.clock.run_for(700)
    assert 10 < stage.frame() < 30
    stage.take(clocked(start=5), 200)  # where the state stands is no reason to move: it lags behind the film
    assert stage.frame() > 15
    stage.take(clocked(start=50), 800, jumps={"step": 1})
    assert 20 < stage.frame() < 50  # on its way
    stage.page.clock.run_for(1500)
    assert stage.frame() == 50
    stage.page.clock.run_for(1000)
    assert stage.frame() == 50  # it stands, although it played before
    stage.take(clocked(start=0), 500, jumps={"step": 1})  # told once, and the hand may go on
    assert stage.frame() == 50
    stage.take(clocked(start=3), 2500, jumps={"step": 2})
    assert stage.frame() == 3


def test_with_reduced_motion_the_film_is_at_once_where_python_wants_it(bare: Callable[..., Bare]) -> None:
    stage = bare(reduced_motion="reduce")
    stage.take(clocked())
    stage.take(clocked(start=42), 50, jumps={"step": 1})
    assert stage.frame() == 42


def test_python_hears_that_a_film_plays_and_where_it_stands(bare: Callable[..., Bare]) -> None:
    stage = bare()
    stage.take(clocked())
    stage.page.locator(".gs-play").click()
    stage.page.clock.run_for(400)
    assert stage.said() == [(0, True)]
    stage.page.locator(".gs-play").click()
    stage.page.clock.run_for(100)
    at = stage.frame()
    assert at > 0 and stage.said() == [(at, False)]
    slider(stage.page, "step").focus()
    stage.page.keyboard.press("End")
    stage.page.clock.run_for(400)
    assert stage.said() == [(59, False)]
    stage.page.keyboard.press("Space")  # from the beginning to the end, where it stands
    stage.page.clock.run_for(100)
    for _ in range(30):
        stage.page.clock.run_for(100)
    assert stage.frame() == 59 and stage.said() == [(0, True), (59, False)]


def test_a_film_that_was_followed_to_its_end_is_told_to_stand_there(bare: Callable[..., Bare]) -> None:
    stage = bare()
    stage.take(clocked(20, 19, live=True), 2000)
    assert stage.said() == []
    stage.take(clocked(40, 39, live=True), 2000)
    assert stage.frame() == 39 and stage.said() == []
    stage.take(clocked(40, 0), 500)  # the run has ended
    assert stage.frame() == 39 and stage.said() == [(39, False)]
    other = bare()
    other.take(clocked(20, 19, live=True), 2000)
    slider(other.page, "step").focus()
    other.page.keyboard.press("Home")  # the hand goes back: nobody follows any more
    other.page.clock.run_for(500)
    assert other.said() == [(0, False)]
    other.take(clocked(40, 0), 1000)
    assert other.frame() == 0 and other.said() == []


# Texts of the picture that do not lie on it as a whole.
CUT = """
window.cut = [];
const write = CanvasRenderingContext2D.prototype.fillText;
CanvasRenderingContext2D.prototype.fillText = function (text, x, y) {
  const wide = this.measureText(text).width, { a, d, e, f } = this.getTransform();
  const [left, right, base] = [x * a + e, (x + wide) * a + e, y * d + f];
  const { width, height } = this.canvas;
  if (left < -1 || right > width + 1 || base < 6 || base > height) cut.push([text, left, right, base]);
  return write.apply(this, arguments);
};
0;
"""


@pytest.mark.parametrize(
    ("style", "lecture"), [("width: 1100px", False), ("width: 370px", False), ("width: 1200px", True)]
)
def test_long_words_and_names_are_whole(bare: Callable[..., Bare], style: str, lecture: bool, shoot: Shoot) -> None:
    stage = bare(style)
    stage.page.evaluate(CUT)
    stage.take(demo.wordy(), lecture=lecture)
    shoot(stage.page, f"stage-words-{style[7:]}")
    assert stage.page.evaluate("cut") == []


def test_a_growing_film_moves_evenly_between_messages_and_leaves_no_frame_out(
    paced: Callable[..., list[tuple[float, int]]],
) -> None:
    """9 frames every 0.3 s are 30 a second: so they are shown, not in bursts of a message each."""
    shown = paced([2] + [9] * 10, 300)
    assert [frame for _, frame in shown] == list(range(shown[0][1], shown[-1][1] + 1))
    steady = [(at, frame) for at, frame in shown if at > shown[0][0] + 900]
    gaps = [b[0] - a[0] for a, b in itertools.pairwise(steady)]
    assert max(gaps) <= 110 and len(gaps) / sum(gaps) >= 0.025
    assert 91 - steady[-1][1] <= 3  # what is on screen is not long behind


def test_a_burst_of_frames_plays_fast_at_most_sixty_a_second_and_what_is_too_much_is_left_out(
    paced: Callable[..., list[tuple[float, int]]],
) -> None:
    shown = paced([2, 40, 1, 1, 1, 1], 300)
    assert shown[-1][1] >= 44
    burst = [at for at, frame in shown if 2 <= frame <= 40]
    assert len(burst) == 39 and 39 / (burst[-1] - burst[0]) <= 0.064
    shown = paced([2, 240] + [1] * 6, 300)
    assert shown[-1][1] >= 246 and len(shown) < 120


# ---------------------------------------------------------------------------------------------- looks and hard cases


@pytest.mark.parametrize("which", ["densities", "game", "film"])
def test_on_a_narrow_page_nothing_overlaps_and_nothing_scrolls_sideways(
    stage: Callable[..., Page], shoot: Shoot, which: str
) -> None:
    page = stage(f"scene={which}", viewport=PHONE, has_touch=True, is_mobile=True)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    boxes = page.locator(".gs").evaluate(
        "g => ['.gs-picture', '.gs-main', '.gs-others', '.gs-readouts', '.gs-formula'].map(s => g.querySelector(s))"
        ".filter(e => e && getComputedStyle(e).display !== 'none').map(e => e.getBoundingClientRect())"
        ".map(r => [r.top, r.bottom, r.left, r.right])"
    )
    assert len(boxes) >= 4
    assert all(left >= 0 and right <= 390 for _, _, left, right in boxes)
    spans = sorted((top, bottom) for top, bottom, _, _ in boxes)
    assert all(above[1] <= below[0] + 0.5 for above, below in itertools.pairwise(spans))
    first = page.locator(".gs-main input").bounding_box()
    assert first is not None and first["height"] >= 44 and first["y"] + 44 <= 844  # under the thumb, without scrolling
    shoot(page, f"stage-{which}-narrow")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_picture_takes_the_ground_of_the_theme(stage: Callable[..., Page], shoot: Shoot, scheme: str) -> None:
    page = stage("scene=densities", color_scheme=scheme)
    corner, ground = page.evaluate(
        "() => { const host = document.querySelector('[data-testid=stBidiComponentIsolated]');"
        " const c = host.shadowRoot.querySelector('canvas');"
        " const pen = document.createElement('canvas').getContext('2d');"
        " pen.fillStyle = getComputedStyle(host).getPropertyValue('--st-background-color'); pen.fillRect(0, 0, 1, 1);"
        " return [[...c.getContext('2d').getImageData(2, 2, 1, 1).data], [...pen.getImageData(0, 0, 1, 1).data]]; }"
    )
    assert corner == ground
    assert (sum(corner[:3]) < 150) is (scheme == "dark")
    shoot(page, f"stage-densities-{scheme}")


def test_the_canvas_has_one_dot_for_each_dot_of_a_dense_screen(stage: Callable[..., Page]) -> None:
    page = stage("scene=game", device_scale_factor=2)
    w, css = canvas(page).evaluate("c => [c.width, c.clientWidth]")
    assert w == 2 * css > 500
    page.set_viewport_size({"width": 1000, "height": 700})
    settle(page)
    w, css = canvas(page).evaluate("c => [c.width, c.clientWidth]")
    assert w == pytest.approx(2 * css, abs=1)


def test_hostile_words_are_shown_as_words(stage: Callable[..., Page]) -> None:
    page = stage("scene=hostile")
    assert page.evaluate("window.hacked") is None
    assert page.locator(".gs img, .gs script").count() == 0
    expect(page.locator(".gs-formula")).to_contain_text(demo.HOSTILE)
    expect(page.locator(".gs-number")).to_have_text("–")


def test_a_curve_drawn_by_hand_reaches_python(stage: Callable[..., Page]) -> None:
    page = stage("scene=hostile")
    box = page.locator(".gs-sheet").bounding_box()
    assert box is not None
    left, right, low = box["x"] + 4, box["x"] + box["width"] - 4, box["y"] + box["height"]
    drag(page, (left, low - box["height"] / 4), (right, low - 3 * box["height"] / 4), steps=25)
    text = page.get_by_text(re.compile(r"drawn 0\.\d+ True False"))
    expect(text).to_be_visible()
    assert float((text.text_content() or "").split()[1]) == pytest.approx(0.5, abs=0.03)


def test_the_picture_is_saved_as_png_and_as_svg(stage: Callable[..., Page], tmp_path: Path) -> None:
    page = stage("scene=film")
    for name, start in (("PNG", b"\x89PNG"), ("SVG", b"<svg")):
        page.get_by_label("Save this picture").click()
        with page.expect_download() as download:
            page.get_by_role("button", name=name).click()
        path = tmp_path / download.value.suggested_filename
        download.value.save_as(path)
        assert path.name == f"film.{name.lower()}"
        assert path.read_bytes().startswith(start)
    svg = ET.fromstring((tmp_path / "film.svg").read_text())
    words = "".join(svg.itertext())
    assert "JS in nats" in words and "generated" in words
    assert len(svg.findall(".//{http://www.w3.org/2000/svg}image")) == 1


# -------------------------------------------------------------------------------------------------- the single page


def test_the_single_page_moves_without_a_server(open_page: Open, tmp_path: Path, shoot: Shoot) -> None:
    path = tmp_path / "page.html"
    path.write_text(standalone(demo.densities(demo.REST), title="D* <alone>"), encoding="utf-8")
    page = open_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(path.as_uri())
    expect(page).to_have_title("D* <alone>")
    settle(page)
    drag(page, place(page, "mean", 0.425), place(page, "mean", 0.9))
    assert readout(page, "JS(") == pytest.approx(expected_js(shown(page, "mean")), abs=2e-4)
    drag(page, place(page, "spread", 0.3), place(page, "spread", 0.8))
    assert shown(page, "mean") == demo.REST["mean"]  # there is no Python to sweep around another state
    assert readout(page, "JS(") == pytest.approx(expected_js(demo.REST["mean"], shown(page, "spread")), abs=2e-4)
    light = pixels(page)
    page.get_by_role("button", name="Light or dark").click()
    settle(page)
    assert pixels(page) != light
    assert shown(page, "spread") != demo.REST["spread"]
    assert [url for url in asked if not url.startswith(("file:", "data:", "blob:"))] == []
    shoot(page, "stage-page-dark")


def test_a_film_plays_in_the_single_page(open_page: Open, tmp_path: Path) -> None:
    path = tmp_path / "film.html"
    path.write_text(standalone(demo.film()), encoding="utf-8")
    page = open_page(path.as_uri())
    settle(page)
    page.get_by_role("button", name="Play").click()
    page.wait_for_timeout(700)
    assert shown(page, "step") > 0
