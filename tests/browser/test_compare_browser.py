"""Runs side by side in a real browser: one scrubber for all, a chip that trains, the verdict, where things stand."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Locator, Page, expect

Open = Callable[..., Page]
Shoot = Callable[[Page, str], None]
PHONE = {"width": 390, "height": 844}
# Opened by a link to a page, Streamlit first looks for its server below that link; the browser notes two 404s.
PROBE = "Failed to load resource: the server responded with a status of 404 (Not Found)"


@pytest.fixture
def comparing(app_url: str, open_page: Open, console_errors: list[str]) -> Callable[..., Page]:
    """comparing("b=ema") opens the page by its link and waits for its first picture."""

    def at(query: str = "", **options: object) -> Page:
        page = open_page(**options)
        page.goto(f"{app_url}/compare?{query}")
        expect(page.locator(".gs canvas")).to_have_attribute("data-pictures", re.compile(r"\d+"), timeout=120_000)
        page.locator('[data-testid="stStatusWidget"]').wait_for(state="detached", timeout=20_000)
        for error in [error for error in console_errors if error == PROBE][:2]:
            console_errors.remove(error)
        return page

    return at


def clock(page: Page) -> Locator:
    return page.locator('[data-key="step"] input')


def number(page: Page, name: str) -> float:
    text = page.locator(".gs-readout", has_text=name).first.locator(".gs-number").text_content() or ""
    return float(text.replace("−", "-"))


@pytest.mark.long
def test_the_runs_train_together_one_scrubber_moves_all_and_the_verdict_follows(
    comparing: Callable[..., Page], shoot: Shoot
) -> None:
    page = comparing("b=g-steps&seeds=2&seed=1", reduced_motion="reduce")
    expect(page.get_by_text("not trained here yet")).to_be_visible()
    page.get_by_role("button", name="Train them now").click()
    expect(clock(page)).to_have_attribute("max", "60", timeout=240_000)  # all frames of both
    expect(page.get_by_text("not trained here yet")).to_have_count(0)
    seen = {}
    for at in (0, 60):
        clock(page).evaluate(
            "(slider, at) => { slider.value = at; slider.dispatchEvent(new Event('input', { bubbles: true })); }", at
        )
        expect(page.locator('[data-key="step"] output')).to_have_text("1500" if at else "0")
        seen[at] = [number(page, f"{letter}: JS") for letter in "AB"]
    assert seen[0][0] == seen[0][1]  # one seed: both begin with the same generator
    assert seen[60][0] < 0.5 < seen[60][1]  # five moves of G: the modes are lost
    shoot(page, "compare-two")
    page.get_by_role("button", name="Train each run with 2 seeds").click()
    expect(page.get_by_text("a perfect generator (19 of 20 of its draws)")).to_be_visible(timeout=240_000)
    expect(page.get_by_text("2 pairs of equal seed")).to_be_visible(timeout=240_000)
    assert page.locator("table tbody tr").count() == 3
    shoot(page, "compare-verdict")

    # the same link elsewhere plays what the store has, without any training
    again = comparing("b=g-steps&seeds=2&seed=1", color_scheme="dark")
    expect(clock(again)).to_have_attribute("max", "60", timeout=5_000)
    expect(again.get_by_text("a perfect generator (19 of 20 of its draws)")).to_be_visible(timeout=10_000)
    shoot(again, "compare-two-dark")


@pytest.mark.long
def test_a_chip_answered_by_key_trains_in_lecture_view(comparing: Callable[..., Page], shoot: Shoot) -> None:
    page = comparing("view=lecture", reduced_motion="reduce")
    page.wait_for_timeout(700)  # the keys of the chips are bound a moment after the picture is there
    page.keyboard.press("3")
    expect(page.get_by_text("Before it moves:")).to_be_visible(timeout=10_000)
    page.wait_for_timeout(500)
    page.keyboard.press(page.get_by_role("button", name="A, the free one").locator("kbd").inner_text())
    expect(page.get_by_text("As you said.")).to_be_visible(timeout=10_000)
    expect(clock(page)).to_have_attribute("max", "60", timeout=240_000)
    assert "b=gp" in page.url and "view=lecture" in page.url
    shoot(page, "compare-lecture-three")


def test_four_runs_stand_below_each_other_on_a_phone(comparing: Callable[..., Page], shoot: Shoot) -> None:
    page = comparing("target=bimodal&b=sgd&c=narrow&d=long", viewport=PHONE, has_touch=True, is_mobile=True)
    shoot(page, "compare-four-phone")
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    box = page.locator(".gs canvas").bounding_box()
    assert box is not None and box["x"] >= 0 and box["x"] + box["width"] <= 390
    expect(page.get_by_text("Optimiser: sgd instead of adam")).to_be_visible()
