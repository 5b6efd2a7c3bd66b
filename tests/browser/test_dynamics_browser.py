"""The lesson of the dynamics in a real browser: the film, the hand, a click that drops particles."""

import math
import re
import time
from collections.abc import Callable
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Page, expect

from gantoys.lessons import load

Open = Callable[..., Page]
Shoot = Callable[[Page, str], None]
PROBE = "Failed to load resource: the server responded with a status of 404 (Not Found)"
WORDS = load("dynamics")


def opened(app_url: str, open_page: Open, errors: list[str], query: str = "", **options: object) -> Page:
    page = open_page(**options)
    page.goto(f"{app_url}/dynamics?{query}")
    expect(page.locator(".gs canvas")).to_have_attribute("data-pictures", re.compile(r"\d+"), timeout=120_000)
    page.locator('[data-testid="stStatusWidget"]').wait_for(state="detached", timeout=20_000)
    for error in [e for e in errors if e == PROBE][:2]:  # Streamlit looks for its server below the link first
        errors.remove(error)
    return page


def pictures(page: Page) -> int:
    return int(page.locator(".gs canvas").get_attribute("data-pictures") or 0)


def number(page: Page, label: str) -> float:
    told = page.locator(".gs-readout", has_text=label).first.locator(".gs-number")
    expect(told).to_have_text(re.compile(r"\d"), timeout=20_000)  # the picture follows the words about it
    text = told.text_content() or ""
    return float(text.replace("−", "-"))


def query(page: Page) -> dict[str, str]:
    return {k: v[0] for k, v in parse_qs(urlsplit(page.url).query).items()}


def test_the_film_plays_over_and_over_until_it_is_paused(
    app_url: str, open_page: Open, console_errors: list[str]
) -> None:
    page = opened(app_url, open_page, console_errors, reduced_motion="no-preference")
    before = pictures(page)
    until = time.monotonic() + 20
    while pictures(page) - before < 20:  # it is made for 36 a second; a busy machine draws fewer
        assert time.monotonic() < until
        page.wait_for_timeout(100)
    page.get_by_role("button", name="Pause").click()
    page.wait_for_timeout(300)
    before = pictures(page)
    page.wait_for_timeout(600)
    assert pictures(page) - before <= 1


def test_eigenvalues_follow_the_hand_without_a_word_to_the_server(
    app_url: str, open_page: Open, console_errors: list[str], shoot: Shoot
) -> None:
    page = opened(app_url, open_page, console_errors, reduced_motion="reduce")
    slider = page.locator('[data-key="step"]')
    box = slider.locator("input").bounding_box()
    assert box
    page.mouse.move(box["x"] + 0.19 * box["width"], box["y"] + box["height"] / 2)
    page.mouse.down()
    for share in (0.4, 0.6, 0.8):
        page.mouse.move(box["x"] + share * box["width"], box["y"] + box["height"] / 2)
        page.wait_for_timeout(120)
        h = float(slider.locator("output").text_content() or "")
        assert abs(number(page, "factor per step") - math.sqrt(1 + h * h / 4)) < 0.006  # h is written with two digits
        assert query(page) == {}
    page.mouse.up()
    page.wait_for_function("location.search.includes('step=')")
    shoot(page, "dynamics-step")


def test_a_click_drops_a_cloud_that_the_link_keeps(
    app_url: str, open_page: Open, console_errors: list[str], shoot: Shoot
) -> None:
    page = opened(app_url, open_page, console_errors)
    box = page.locator(".gs canvas").bounding_box()
    assert box
    page.mouse.click(box["x"] + 120, box["y"] + 300)
    page.wait_for_function("location.search.includes('drops=')")
    found = query(page)
    theta, psi = float(found["theta"]), float(found["psi"])
    assert -2.4 < theta < 0 and -2.4 < psi < 0 and found["drops"] == f"{theta:g},{psi:g}"
    page.wait_for_timeout(500)
    shoot(page, "dynamics-drop")
    again = opened(app_url, open_page, console_errors, page.url.partition("?")[2])
    assert query(again) == found


def test_a_chip_moves_the_eigenvalues_into_the_circle(
    app_url: str, open_page: Open, console_errors: list[str], shoot: Shoot
) -> None:
    page = opened(app_url, open_page, console_errors)
    row = next(row for row in WORDS.tries if "R1" in row.label)
    page.get_by_role("button", name=row.label).click()
    page.get_by_role("button", name=row.options[row.right]).click()
    expect(page.get_by_text("As you said.")).to_be_visible(timeout=10_000)
    expect(page).to_have_url(re.compile("regulariser=r1"), timeout=20_000)
    factor = page.locator(".gs-readout", has_text="factor per step").first.locator(".gs-number")
    expect(factor).to_have_text("0.8000", timeout=20_000)  # where the animation ends
    shoot(page, "dynamics-r1")


@pytest.mark.long
def test_the_lens_computes_when_it_is_asked_and_not_before(
    app_url: str, open_page: Open, console_errors: list[str], shoot: Shoot
) -> None:
    page = opened(app_url, open_page, console_errors, "show=lens&at=30")
    expect(page.get_by_text("Not computed here yet")).to_be_visible()
    page.wait_for_timeout(1500)
    expect(page.get_by_text("Not computed here yet")).to_be_visible()
    page.get_by_role("button", name="Compute").click()
    expect(page.get_by_text("Trained here")).to_be_visible(timeout=240_000)
    assert 0.5 < number(page, "largest") < 2 and number(page, "turns once") > 2
    shoot(page, "dynamics-lens")
    with page.expect_popup() as opening:
        page.get_by_role("link", name="In the lab").click()
    lab = opening.value
    expect(lab.locator(".gs canvas")).to_have_attribute("data-pictures", re.compile(r"\d+"), timeout=120_000)
    assert "/lab?" in lab.url and query(lab)["step"] == "30" and "N(2,0.5)" in query(lab)["run"]
