"""The Wasserstein lesson in a real browser: p_G under the hand, the climb that plays, a critic drawn, one trained."""

import re
from collections.abc import Callable
from urllib.parse import urlencode

import pytest
from playwright.sync_api import Page, expect

KEY = "wasserstein"
Open = Callable[..., Page]
# Opened by a link to a page, Streamlit first looks for its server below that link; the browser notes two 404s.
PROBE = "Failed to load resource: the server responded with a status of 404 (Not Found)"


@pytest.fixture
def lesson(app_url: str, open_page: Open, console_errors: list[str]) -> Callable[..., Page]:
    """lesson(theta=1, ...) opens the lesson by its link and waits for its first picture."""

    def at(*, moving: bool = False, **params: object) -> Page:
        page = open_page(reduced_motion="no-preference" if moving else "reduce")
        page.goto(f"{app_url}/{KEY}?{urlencode(params)}")
        expect(page.locator(".gs canvas")).to_have_attribute("data-pictures", re.compile(r"\d+"), timeout=120_000)
        page.locator('[data-testid="stStatusWidget"]').wait_for(state="detached", timeout=20_000)
        for error in [error for error in console_errors if error == PROBE][:2]:
            console_errors.remove(error)
        return page

    return at


def readout(page: Page, label: str) -> str:
    return page.locator(".gs-readout", has_text=label).first.inner_text().replace("−", "-")


def test_p_g_follows_the_hand_and_the_numbers_with_it(lesson: Callable[..., Page]) -> None:
    page = lesson()
    slider = page.locator('.gs input[type="range"]').first
    slider.focus()
    for _ in range(4):  # 0.05 each
        slider.press("ArrowLeft")
    expect(page.locator(".gs-readout", has_text="0.8000").first).to_be_visible(timeout=10_000)
    assert "0.6931" in readout(page, "JS")
    page.wait_for_url(re.compile(r"theta=0\.8"), timeout=15_000)


def test_the_dual_climbs_by_itself(lesson: Callable[..., Page]) -> None:
    page = lesson(show="dual", example="mixtures", moving=True)
    share = page.locator(".gs-readout", has_text="%").first
    expect(share).to_have_text(re.compile(r"9\d\.\d"), timeout=120_000)


@pytest.mark.long
def test_a_critic_is_trained_on_the_page_and_shown_as_it_learns(lesson: Callable[..., Page]) -> None:
    page = lesson(show="trained", rule="clip", clip="0.03")
    expect(page.get_by_text("Not trained here yet")).to_be_visible(timeout=15_000)
    page.get_by_role("button", name="Train it now").click()
    expect(page.get_by_text(re.compile(r"Trained now, 2,000 steps"))).to_be_visible(timeout=240_000)
    assert "trained" in readout(page, "steepest slope")


def test_a_drawn_critic_is_scored(lesson: Callable[..., Page]) -> None:
    page = lesson(show="dual", draw="1")
    sheet = page.locator(".gs-sheet")
    expect(sheet).to_be_visible()
    box = sheet.bounding_box()
    assert box is not None
    # steeply down from the real line at 0 to the generated one at 1: after the cut that is f*
    page.mouse.move(box["x"] + 0.02 * box["width"], box["y"] + 0.1 * box["height"])
    page.mouse.down()
    page.mouse.move(box["x"] + 0.41 * box["width"], box["y"] + 0.1 * box["height"], steps=12)
    page.mouse.move(box["x"] + 0.59 * box["width"], box["y"] + 0.95 * box["height"], steps=12)
    page.mouse.move(box["x"] + 0.98 * box["width"], box["y"] + 0.95 * box["height"], steps=12)
    page.mouse.up()
    share = page.locator(".gs-readout", has_text="%").first
    expect(share).to_have_text(re.compile(r"(9\d|100)\.\d"), timeout=20_000)
