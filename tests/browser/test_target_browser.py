"""A target drawn by hand and a film taken home, in a real browser: mouse, touch, keys; files and their contents."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Locator, Page, expect

from gantoys.maths.notation import parse
from gantoys.runs.recordings import START_FILM
from gantoys.service import exports
from gantoys.ui import drawing

APP = "tests/browser/apps/target_demo.py"
PHONE = {"width": 390, "height": 844}
Serve = Callable[[str], str]
Open = Callable[..., Page]
Shoot = Callable[[Page, str], None]


@pytest.fixture
def paper(serve: Serve, open_page: Open) -> Callable[..., Page]:
    """paper(...) opens the demo app and waits until the paper lies there."""

    def at(**options: object) -> Page:
        page = open_page(f"{serve(APP)}/", **options)
        expect(canvas(page)).to_have_attribute("data-points", "0", timeout=20_000)
        return page

    return at


def canvas(page: Page) -> Locator:
    return page.locator(".dp canvas")


def count(page: Page) -> int:
    return int(canvas(page).get_attribute("data-points") or 0)


def place(page: Page, x: float, y: float) -> tuple[float, float]:
    """Where a point of the paper lies on the screen."""
    box = canvas(page).bounding_box()
    assert box is not None
    share = [0.5 + v / (2 * drawing.REACH) for v in (x, -y)]
    return box["x"] + share[0] * box["width"], box["y"] + share[1] * box["height"]


def drawn(page: Page, x0: float, y0: float, x1: float, y1: float) -> None:
    """One stroke with the mouse."""
    page.mouse.move(*place(page, x0, y0))
    page.mouse.down()
    page.mouse.move(*place(page, x1, y1), steps=8)
    page.mouse.up()


def learned(page: Page, points: int) -> np.ndarray:
    """The different points that the page's target holds, once they are `points`; of the pen's random dots two may lie
    at one place, in one of some thousand drawings."""
    expect(page.get_by_text(f"Your target: {points:,} points in the plane, all are learned.")).to_be_visible(
        timeout=10_000
    )
    for _ in range(50):  # the notation stands in an element of its own, which follows the sentence
        text = (page.get_by_text(re.compile("^notation points")).text_content() or "").removeprefix("notation ")
        found = np.unique(parse(text).sample(200_000, np.random.default_rng(0)), axis=0)
        if points - 2 <= len(found) <= points:
            break
        page.wait_for_timeout(100)
    assert points - 2 <= len(found) <= points
    return found


def test_a_target_is_drawn_with_pen_spots_and_eraser(paper: Callable[..., Page], shoot: Shoot) -> None:
    page = paper()
    drawn(page, -2, 1, -1.7, 1)  # too few: said, and no target yet
    few = count(page)
    assert 0 < few < drawing.LEAST
    expect(page.get_by_text(f"Draw more: {few} of at least 20 points")).to_be_visible(timeout=10_000)
    expect(page.get_by_text("notation None")).to_be_visible()
    drawn(page, -2, -1, 2, -1)
    n = count(page)
    points = learned(page, n)
    line = points[points[:, 1] < 0]
    # the pen leaves a dot every 0.036 and up to 0.09 aside; a pixel of the canvas is 0.014
    assert abs(line[:, 0].min() + 2) < 0.11 and abs(line[:, 0].max() - 2) < 0.15 and np.ptp(line[:, 1]) < 0.21
    assert abs(len(line) - 112) <= 2 and abs(line[:, 1].mean() + 1) < 0.05

    page.get_by_role("button", name="Spots").click()
    page.mouse.click(*place(page, 1.5, 2))
    points = learned(page, n + 60)
    spot = points[points[:, 1] > 1.5]
    assert len(spot) == 60 and np.allclose(spot.mean(0), [1.5, 2], atol=0.04)
    shoot(page, "drawn-target")

    page.get_by_role("button", name="Eraser").click()
    drawn(page, -2.4, -1, 2.4, -1)
    points = learned(page, few + 60)
    assert points[:, 1].min() > 0.5
    page.get_by_role("button", name="Undo").click()
    learned(page, n + 60)

    page.get_by_role("button", name="Clear").click()  # an empty paper is no target: the last one stays
    expect(page.get_by_text("Your target stays as it was.")).to_be_visible(timeout=10_000)
    learned(page, n + 60)
    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_text("Your target stays as it was.")).to_have_count(0, timeout=10_000)


def test_what_was_drawn_is_still_there_after_a_look_at_the_upload(paper: Callable[..., Page], shoot: Shoot) -> None:
    page = paper()
    drawn(page, -2, -2, 2, 2)
    n = count(page)
    before = learned(page, n)
    page.get_by_text("Upload a table").click()
    expect(canvas(page)).to_have_count(0)
    page.locator("input[type=file]").set_input_files(
        {"name": "../<img src=x>.csv", "mimeType": "text/csv", "buffer": b"1,2\n3,four\n"}
    )
    expect(page.get_by_text("row 2, column 2 is “four”, not a number", exact=False)).to_be_visible(timeout=10_000)
    learned(page, n)
    page.locator("input[type=file]").set_input_files(
        {"name": "b.csv", "mimeType": "text/csv", "buffer": b",x,y\n0,1.5,2\n1,3.5,\n2,2.5,4\n"}
    )
    expect(page.get_by_text("Row 3 is left out: no number in x or y.", exact=False)).to_be_visible(timeout=10_000)
    shoot(page, "uploaded-table")
    learned(page, n)  # a table is shown first, and learned when the visitor says so
    page.get_by_text("Draw it").click()
    expect(canvas(page)).to_have_attribute("data-points", str(n))
    assert np.array_equal(learned(page, n), before)
    drawn(page, -2, 2, 2, -2)
    assert count(page) > n
    learned(page, count(page))


def test_a_finger_draws_and_the_page_does_not_scroll_away(paper: Callable[..., Page], shoot: Shoot) -> None:
    page = paper(viewport=PHONE, has_touch=True, is_mobile=True, color_scheme="dark")
    session = page.context.new_cdp_session(page)
    top = canvas(page).bounding_box()

    def touch(kind: str, *at: float) -> None:
        points = [{"x": at[0], "y": at[1]}] if at else []
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    touch("touchStart", *place(page, 0, 2.5))
    for k in range(1, 11):
        touch("touchMove", *place(page, 0, 2.5 - 0.5 * k))
    touch("touchEnd")
    points = learned(page, count(page))
    assert len(points) > 120 and np.ptp(points[:, 0]) < 0.2 and np.ptp(points[:, 1]) > 4.5
    assert canvas(page).bounding_box() == top
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    shoot(page, "drawn-target-phone-dark")


def test_keys_draw_too(paper: Callable[..., Page]) -> None:
    page = paper()
    page.get_by_role("button", name="Spots").click()
    canvas(page).focus()
    for key in ("Shift+ArrowRight", "Shift+ArrowRight", "ArrowUp", "Enter"):
        page.keyboard.press(key)
    points = learned(page, 60)
    assert np.allclose(points.mean(0), [1.2, 0.12], atol=0.04)


@pytest.mark.long
def test_a_film_is_taken_home_in_every_form_and_opened_again(
    serve: Serve, open_page: Open, shoot: Shoot, tmp_path: Path, home: Path
) -> None:
    page = open_page(f"{serve(APP)}/?show=film")
    film = exports.open_film(Path(START_FILM).read_bytes())

    def saved(label: str) -> tuple[str, bytes]:
        with page.expect_download(timeout=240_000) as waiting:
            page.get_by_role("button", name=label).click(timeout=20_000)
        return waiting.value.suggested_filename, Path(waiting.value.path()).read_bytes()

    name, data = saved("The film itself")
    assert re.fullmatch(r"gantoys-[0-9a-f]{10}-seed-\d+-film\.film", name)
    assert np.array_equal(exports.open_film(data).samples, film.samples)
    page.locator("input[type=file]").set_input_files(
        {"name": "x.film", "mimeType": "application/octet-stream", "buffer": data}
    )
    expect(page.get_by_text(f"opened {len(film)}")).to_be_visible(timeout=10_000)
    page.locator("input[type=file]").set_input_files(
        {"name": "x.film", "mimeType": "application/octet-stream", "buffer": data[:-9]}
    )
    expect(page.get_by_text("The film file is cut short")).to_be_visible(timeout=10_000)

    name, data = saved("Generated points")
    assert name.endswith(f"points-step-{film.step[40]}.csv")
    assert data.decode() == exports.samples_csv(film, int(film.step[40]))
    assert saved("Figures")[1].decode() == exports.figures_csv(film)
    assert saved("Settings")[1].decode() == exports.config_json(film.config)
    with Image.open(io.BytesIO(saved("Moving picture")[1])) as image:
        assert image.n_frames > 10  # type: ignore[attr-defined]
    assert saved("Video")[1][4:8] == b"ftyp"
    html = saved("Web page")[1].decode()
    assert html.startswith("<!doctype html>") and "</html>" in html
    expect(page.get_by_text("gantoys train --toy")).to_be_visible()
    # other pages may have trained this run: its states go
    for state in (home / "films" / "states").glob("*.state"):
        state.unlink()
    page.get_by_role("button", name="Look for the networks").click()
    expect(page.get_by_text("None are kept here")).to_be_visible(timeout=10_000)
    shoot(page, "downloads")
