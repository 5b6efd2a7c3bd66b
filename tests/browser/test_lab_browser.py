"""The lab in a real browser: train, scrub meanwhile, pause and go on, branch, seeds side by side, an own target."""

import re
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Page, expect

from gantoys.pictures.lab_presets import LAB_PRESETS
from gantoys.pictures.lab_state import LabState, read_run, write_run
from gantoys.runs.config import TrainConfig
from gantoys.runs.presets import START
from gantoys.runs.store import Store
from gantoys.training.filming import record

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
        expect(page.locator(".gs canvas")).to_have_attribute("data-pictures", re.compile(r"\d+"), timeout=120_000)
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


def eventually(page: Page, holds: Callable[[], bool]) -> None:
    """The address follows the page a moment later."""
    end = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < end
        page.wait_for_timeout(100)


def said(page: Page, words: str) -> None:
    expect(page.get_by_text(words).first).to_be_visible(timeout=120_000)


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
    expect(page.locator('[data-key="step"] output')).to_have_text(re.compile(r"^[1-9]\d{3,}$"), timeout=120_000)
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
    eventually(page, lambda: store.find(branch) is not None)  # its last frame is shown before its film is closed
    parent, child = store.find(config), store.find(branch)
    assert parent is not None and child is not None
    assert (parent.samples[:31] == child.samples[:31]).all() and (child.samples[31:] == child.samples[30]).all()
    assert (child.logits[-1] != child.logits[30]).any()


@pytest.mark.long
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


@pytest.mark.long
def test_a_click_on_a_seed_enlarges_it_and_the_first_choice_leads_back(lab: Callable[..., Page]) -> None:
    page = lab(SMALL.changed(seed=50, seeds=4, steps=200), "member=0")
    train(page)
    said(page, "A click on a picture enlarges it.")
    said(page, "Trained: 200 steps")
    box = page.locator(".gs canvas").bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + 0.2 * box["width"], box["y"] + 0.25 * box["height"])
    expect(page.locator(".gs-readout", has_text="share of good points")).to_be_visible(timeout=15_000)
    until = time.monotonic() + 10
    while state(page).member != 1 and time.monotonic() < until:
        page.wait_for_timeout(100)
    assert state(page).member == 1
    page.get_by_text("all side by side", exact=True).last.click()
    expect(page.locator(".gs-readout", has_text="modes covered, mean")).to_be_visible(timeout=15_000)


def test_from_the_front_page_two_clicks_lead_to_a_gan_that_learns(app_url: str, open_page: Open) -> None:
    page = open_page(app_url)
    page.get_by_role("link", name="Lab", exact=True).first.click()
    expect(page.locator(".gs canvas")).to_have_attribute("data-pictures", re.compile(r"\d+"), timeout=120_000)
    train(page)
    expect(page.get_by_text(re.compile(r"Training: step [1-9]"))).to_be_visible(timeout=120_000)
    expect(page.locator('[data-key="step"] output')).to_have_text(re.compile(r"^[1-9]"), timeout=120_000)
    page.get_by_role("button", name="Pause").first.click()
    said(page, "Paused at step")


def test_every_view_is_two_clicks_away_and_stands_in_the_link(lab: Callable[..., Page], shoot: Shoot) -> None:
    page = lab(START, "step=1500")
    page.get_by_role("button", name="View").click()
    for name, key, words in (
        ("modes over time", "modes", "births so far"),
        ("losses", "losses", "loss of G"),
        ("metrics", "metrics", "precision"),
    ):
        page.get_by_role("radio", name=name).click()
        expect(page.locator(".gs-readout", has_text=words)).to_be_visible(timeout=15_000)
        until = time.monotonic() + 10
        while state(page).below != key and time.monotonic() < until:
            page.wait_for_timeout(100)
        assert state(page).below == key
        shoot(page, f"lab-{key}")
    page.get_by_text("what G does to a grid of noise").click()
    page.get_by_text("the way that each point is told to go").click()
    until = time.monotonic() + 10
    while not (state(page).arrows and state(page).mesh) and time.monotonic() < until:
        page.wait_for_timeout(100)
    assert state(page).arrows and state(page).mesh
    shoot(page, "lab-arrows-and-mesh")


def test_whoever_pauses_a_film_can_go_on_from_there(lab: Callable[..., Page]) -> None:
    page = lab(START, reduced_motion="no-preference")
    alone = page.get_by_role("button", name="From here D alone")
    expect(alone).to_be_disabled()  # it plays: nobody has said from where
    page.locator(".gs-play").click()
    expect(alone).to_be_enabled(timeout=20_000)
    shown = page.locator('[data-key="step"] output').text_content()
    eventually(page, lambda: str(state(page).step) == shown)


@pytest.mark.long
def test_a_film_from_a_file_plays_scrubs_and_branches_like_a_stored_one(lab: Callable[..., Page], home: Path) -> None:
    config = SMALL.changed(seed=51, steps=120)
    record(config, home / "mine.film")
    page = lab(START)
    page.get_by_text("More controls", exact=True).click()
    page.get_by_role("tab", name="Keep or open a film").click()
    upload = page.locator("input[type=file]").last
    upload.set_input_files({"name": "a.film", "mimeType": "x/y", "buffer": b"GANFILM nothing"})
    page.get_by_role("tab", name="Keep or open a film").click()  # a page drawn anew begins with its first tab
    said(page, "What is on screen stays.")
    upload.set_input_files(home / "mine.film")
    said(page, "This film is from your file")
    eventually(page, lambda: state(page).config == config)
    assert not Store(home / "films").has(config)
    scrub(page, 40)
    at = int(config.recorded_steps()[40])
    expect(page.locator('[data-key="step"] output')).to_have_text(str(at))
    page.get_by_role("button", name="From here G alone").click()
    said(page, "Trained: 120 steps")
    eventually(page, lambda: state(page).config == config.branched(at, d_steps=0))


def test_a_run_that_diverges_says_what_helps_and_a_click_does_it(lab: Callable[..., Page], shoot: Shoot) -> None:
    page = lab(LAB_PRESETS["diverging"].config.changed(steps=100))
    train(page)
    said(page, "Diverged at step")
    said(page, "Gradient penalty, around 1: 1")
    shoot(page, "lab-diverged")
    page.get_by_role("button", name="Try it from step").click()
    said(page, "Trained: 100 steps")
    assert {c.field for c in state(page).config.changes} == {"gp", "lr_d", "lr_g"}


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
