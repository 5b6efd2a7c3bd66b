"""The divergences' lesson in a real browser: its three views, the hand that turns the axis, a click on the map."""

import re
from collections.abc import Callable
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Locator, Page, expect

from gantoys.lessons import load

KEY = "divergences"
PHONE = {"width": 390, "height": 844}
# Opened by a link to a page, Streamlit first looks for its server below that link; the browser notes two 404s.
PROBE = "Failed to load resource: the server responded with a status of 404 (Not Found)"


@pytest.fixture
def lesson(app_url: str, open_page: Callable[..., Page], console_errors: list[str]) -> Callable[..., Page]:
    """lesson("show=fit", ...) opens the lesson by its link and waits for its first picture."""

    def at(query: str = "", **options: object) -> Page:
        page = open_page(**options)
        page.goto(f"{app_url}/{KEY}?{query}")
        # the first fits take a second on a free machine
        expect(canvas(page)).to_have_attribute("data-pictures", re.compile(r"\d+"), timeout=240_000)
        page.locator('[data-testid="stStatusWidget"]').wait_for(state="detached", timeout=240_000)
        for error in [error for error in console_errors if error == PROBE][:2]:
            console_errors.remove(error)
        return page

    return at


def canvas(page: Page) -> Locator:
    return page.locator(".gs canvas")


def query(page: Page) -> dict[str, str]:
    return {k: v[0] for k, v in parse_qs(urlsplit(page.url).query).items()}


def number(page: Page, label: str) -> Locator:
    return page.locator(".gs-readout", has_text=label).locator(".gs-number").first


@pytest.mark.parametrize("show", ["sweep", "fit", "paradigms"])
@pytest.mark.parametrize(
    "options",
    [
        {},
        pytest.param({"color_scheme": "dark"}, marks=pytest.mark.long),
        pytest.param({"viewport": PHONE, "has_touch": True}, marks=pytest.mark.long),
    ],
)
def test_each_view_stands_where_the_look_wants_it(
    lesson: Callable[..., Page], show: str, options: dict, shoot: Callable[[Page, str], None]
) -> None:
    page = lesson(f"show={show}", **options)
    page.wait_for_timeout(500)
    shoot(page, f"{KEY}-{show}-{'-'.join(map(str, options)) or 'light'}")
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    if "viewport" not in options:
        for row in load(KEY).tries:
            box = page.get_by_role("button", name=row.label).bounding_box()
            assert box is not None and box["y"] + box["height"] <= 720


def test_the_axis_turns_to_the_slider_in_the_hand_and_nothing_is_sent_while_it_moves(
    lesson: Callable[..., Page],
) -> None:
    page = lesson()
    page.evaluate(
        "() => { const send = WebSocket.prototype.send; window.frames_ = 0;"
        " WebSocket.prototype.send = function (...a) { window.frames_++; return send.apply(this, a); }; }"
    )
    box = page.locator('[data-key="weight"] input').bounding_box()
    assert box is not None
    y, x = box["y"] + box["height"] / 2, lambda share: box["x"] + 9 + share * (box["width"] - 18)
    before = int(canvas(page).get_attribute("data-pictures") or 0)
    page.mouse.move(x(0.5), y)
    page.mouse.down()
    for i in range(20):
        page.mouse.move(x(0.5 - 0.4 * i / 19), y)
        page.wait_for_timeout(20)
    assert int(canvas(page).get_attribute("data-pictures") or 0) - before >= 8
    assert page.evaluate("window.frames_") == 0
    page.mouse.up()
    page.wait_for_url(re.compile("along=weight"), timeout=240_000)
    assert float(query(page)["weight"]) == pytest.approx(0.1, abs=0.03)


def test_a_click_on_the_map_goes_to_the_minimum_beside_it(lesson: Callable[..., Page]) -> None:
    page = lesson("show=fit&divergence=reverse_kl&mu=0&sigma=1")
    expect(number(page, "at its best")).to_have_text("0.6859")
    picture = canvas(page).bounding_box()
    assert picture is not None
    # the map is the right half of the picture: find the click that lands on the right mode, N(1.98, 0.73)
    page.mouse.click(picture["x"] + 0.84 * picture["width"], picture["y"] + 0.6 * picture["height"])
    page.wait_for_url(re.compile("mu="), timeout=240_000)
    expect(number(page, "where descent ends")).to_have_text("0.6859", timeout=240_000)
    page.get_by_role("button", name=re.compile("^local: N\\(")).first.click()
    page.wait_for_url(re.compile("sigma=1.8"), timeout=240_000)
    expect(number(page, "at your N")).to_have_text("0.7272", timeout=240_000)


def test_a_link_shows_its_numbers_in_every_view(lesson: Callable[..., Page]) -> None:
    page = lesson("data=0.5*U(-3,-1)%2B0.5*U(1,3)&halves=uniform&spread=0.5&divergence=kl")
    expect(number(page, "KL")).to_have_text("∞")
    page = lesson("show=paradigms&share=0.005")
    expect(number(page, "Fisher")).to_have_text("0.0132")


def test_a_chip_on_a_fresh_page_ends_where_its_link_leads(lesson: Callable[..., Page]) -> None:
    """The animation moves one slider, as a hand would; when it is over no hand is on it."""
    page = lesson()
    chip = load(KEY).tries[0]
    page.get_by_role("button", name=chip.label).click()
    page.get_by_role("button", name=re.compile(f"^{chip.options[chip.right]}")).click()
    page.wait_for_url(re.compile("halves=uniform"), timeout=240_000)
    expect(number(page, "slope of W")).to_have_text("1.000", timeout=240_000)
    after = page.locator(".gs-readouts").inner_text()
    page = lesson(urlsplit(page.url).query)
    expect(number(page, "slope of W")).to_have_text("1.000", timeout=240_000)
    assert page.locator(".gs-readouts").inner_text() == after
