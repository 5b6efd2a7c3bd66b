"""The Wasserstein lesson in a real browser: p_G under the hand, the climb that plays, each chip's link, a critic drawn
and one trained on the page."""

import re
from collections.abc import Callable
from urllib.parse import urlencode

import pytest
from playwright.sync_api import Page, expect

from gantoys.lessons import load

KEY = "wasserstein"
Open = Callable[..., Page]
# Opened by a link to a page, Streamlit first looks for its server below that link; the browser notes two 404s.
PROBE = "Failed to load resource: the server responded with a status of 404 (Not Found)"


@pytest.fixture
def lesson(app_url: str, open_page: Open, console_errors: list[str]) -> Callable[..., Page]:
    """lesson(theta=1, ...) opens the lesson by its link and waits for its first picture."""

    def at(**params: object) -> Page:
        page = open_page()
        page.goto(f"{app_url}/{KEY}?{urlencode(params)}")
        expect(page.locator(".gs canvas")).to_have_attribute("data-pictures", re.compile(r"\d+"), timeout=30_000)
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


@pytest.mark.parametrize("chip", [0, 1, 2])
def test_each_chip_has_a_link_that_shows_its_state(
    lesson: Callable[..., Page], chip: int, shoot: Callable[[Page, str], None]
) -> None:
    page = lesson(**load(KEY).tries[chip].state)
    page.wait_for_timeout(700)
    shoot(page, f"{KEY}-chip-{chip}")
    want = ("0.1000", "0.7500", "3.282")[chip]
    expect(page.locator(".gs-readout", has_text=want).first).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


def test_the_dual_climbs_by_itself(lesson: Callable[..., Page]) -> None:
    page = lesson(show="dual", example="mixtures")
    share = page.locator(".gs-readout", has_text="%").first
    expect(share).to_have_text(re.compile(r"9\d\.\d"), timeout=30_000)


def test_a_critic_is_trained_on_the_page_and_shown_as_it_learns(lesson: Callable[..., Page]) -> None:
    page = lesson(show="trained", rule="clip", clip="0.03")
    expect(page.get_by_text("Not trained here yet")).to_be_visible(timeout=15_000)
    page.get_by_role("button", name="Train it now").click()
    expect(page.get_by_text(re.compile(r"Trained now, 2,000 steps"))).to_be_visible(timeout=120_000)
    assert "trained" in readout(page, "steepest slope")
