"""The lab in a real browser: train, scrub meanwhile, pause and go on, branch, seeds side by side, an own target."""

import re
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Page, expect

from gantoys.pictures.lab_state import LabState, read_run, write_run
from gantoys.runs.config import TrainConfig
from gantoys.runs.store import Store

Open = Callable[..., Page]
Shoot = Callable[[Page, str], None]
PROBE = "Failed to load resource: the server responded with a status of 404 (Not Found)"
SMALL = TrainConfig(width=16, batch=32, steps=600, frames=61, grid=16, shown=100)
LONG = SMALL.changed(steps=200_000, frames=400, cadence="even")
SCRUB = """(slider, at) => { slider.value = at;
  for (const name of ['input', 'change']) slider.dispatchEvent(new Event(name, { bubbles: true })); }"""


@pytest.fixture
def lab(app_url: str, open_page: Open, console_errors: list[str]) -> Callable[..., Page]:
    """lab(config, "step=3") opens the lab by a link."""

    def at(config: TrainConfig, more: str = "", **options: object) -> Page:
        page = open_page(**options)
        page.goto(f"{app_url}/lab?run={write_run(config)}&{more}")
        expect(page.locator(".gs canvas")).to_have_attribute("data-pictures", re.compile(r"\d+"), timeout=30_000)
        for error in [error for error in console_errors if error == PROBE][:2]:
            console_errors.remove(error)
        return page

    return at


def train(page: Page) -> None:
    page.get_by_role("button", name="Train this").click()


def scrub(page: Page, at: int) -> None:
    page.locator('[data-key="step"] input').evaluate(SCRUB, at)


def step(page: Page) -> int:
    return int((page.locator('[data-key="step"] output').text_content() or "-1").replace(",", ""))


def state(page: Page) -> LabState:
    return LabState.model_validate({k: v[0] for k, v in parse_qs(urlsplit(page.url).query).items()})


def said(page: Page, words: str) -> None:
    expect(page.get_by_text(words).first).to_be_visible(timeout=30_000)


def test_a_link_trains_nothing_until_the_button_is_pressed_and_then_the_picture_moves(
    lab: Callable[..., Page], shoot: Shoot
) -> None:
    page = lab(SMALL.changed(seed=31))
    said(page, "Nothing is trained here yet.")
    train(page)
    said(page, "Trained: 600 steps")
    expect(page.locator(".gs canvas")).to_have_attribute("data-pictures", re.compile(r"\d+"))
    scrub(page, 60)
    expect(page.locator('[data-key="step"] output')).to_have_text("600", timeout=10_000)
    shoot(page, "lab-trained")


def test_one_scrubs_back_while_the_run_goes_on_and_pauses_and_goes_on(lab: Callable[..., Page]) -> None:
    page = lab(LONG.changed(seed=32))
    train(page)
    expect(page.locator('[data-key="step"] output')).to_have_text(re.compile(r"^[1-9]\d{3,}$"), timeout=30_000)
    scrub(page, 1)
    expect(page.locator('[data-key="step"] output')).to_have_text(str(LONG.recorded_steps()[1]))
    until = time.monotonic() + 20
    while state(page).step != LONG.recorded_steps()[1] and time.monotonic() < until:
        page.wait_for_timeout(100)
    assert state(page).step == LONG.recorded_steps()[1]
    page.wait_for_timeout(1000)
    assert step(page) == LONG.recorded_steps()[1]  # the view stays where the hand has put it
    page.get_by_role("button", name="Pause").click()
    said(page, "Paused at step")
    scrub(page, 2)
    expect(page.locator('[data-key="step"] output')).to_have_text(str(LONG.recorded_steps()[2]))
    train(page)
    expect(page.get_by_role("button", name="Pause")).to_be_visible(timeout=20_000)
    page.get_by_role("button", name="Pause").click()
    said(page, "Paused at step")


def test_a_branch_is_the_same_run_up_to_its_step(lab: Callable[..., Page], home: Path, shoot: Shoot) -> None:
    config = SMALL.changed(seed=33)
    page = lab(config)
    train(page)
    said(page, "Trained: 600 steps")
    scrub(page, 30)
    at = int(config.recorded_steps()[30])
    expect(page.get_by_role("button", name="From here D alone")).to_be_enabled(timeout=10_000)
    page.get_by_role("button", name="From here D alone").click()
    until = time.monotonic() + 30
    branch = config.branched(at, g_steps=0)
    while state(page).config != branch and time.monotonic() < until:
        page.wait_for_timeout(100)
    assert state(page).config == branch
    said(page, "Trained: 600 steps")
    expect(page.locator(".gs canvas")).to_have_attribute("data-pictures", re.compile(r"\d+"))
    scrub(page, 60)
    expect(page.locator('[data-key="step"] output')).to_have_text("600", timeout=10_000)
    shoot(page, "lab-branch")
    store = Store(home / "films")
    parent, child = store.find(config), store.find(branch)
    assert parent is not None and child is not None
    assert (parent.samples[:31] == child.samples[:31]).all() and (child.samples[31:] == child.samples[30]).all()
    assert (child.logits[-1] != child.logits[30]).any()


def test_seeds_stand_side_by_side_and_one_is_enlarged(lab: Callable[..., Page], shoot: Shoot) -> None:
    page = lab(SMALL.changed(seed=40, seeds=4), "member=0")
    train(page)
    said(page, "Trained: 600 steps")
    expect(page.locator(".gs-readout", has_text="modes covered, mean")).to_be_visible(timeout=10_000)
    shoot(page, "lab-seeds")
    page.get_by_text("seed 42", exact=True).last.click()
    expect(page.locator(".gs-readout", has_text="share of good points")).to_be_visible(timeout=10_000)
    until = time.monotonic() + 10
    while state(page).member != 3 and time.monotonic() < until:
        page.wait_for_timeout(100)
    assert state(page).member == 3


def test_a_change_of_a_setting_in_the_form_reaches_the_link(lab: Callable[..., Page]) -> None:
    page = lab(SMALL.changed(seed=34))
    page.get_by_text("More controls", exact=True).click()
    field = page.get_by_role("spinbutton", name="Batch")
    field.fill("64")
    field.press("Enter")
    until = time.monotonic() + 15
    while "batch:64" not in page.url.replace("%3A", ":") and time.monotonic() < until:
        page.wait_for_timeout(100)
    assert read_run(state(page).run).batch == 64
