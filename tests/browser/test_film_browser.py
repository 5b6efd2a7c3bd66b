"""The page that `gantoys film html` writes, in a real browser without a network."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from films import line_film, plane_film
from playwright.sync_api import Page, expect

from gantoys.__main__ import main

PHONE = {"width": 390, "height": 844}
Open = Callable[..., Page]
Shoot = Callable[[Page, str], None]


@pytest.mark.parametrize(
    ("make", "readout", "values", "scheme", "viewport"),
    [(line_film, "JS(", "js", "light", None), (plane_film, "V(", "value", "dark", PHONE)],
    ids=["line", "plane-phone"],
)
def test_the_page_of_a_film_moves_without_a_network(
    open_page: Open,
    shoot: Shoot,
    tmp_path: Path,
    make: Callable,
    readout: str,
    values: str,
    scheme: str,
    viewport: dict,
) -> None:
    film = make(tmp_path / "a.film")
    assert main(["film", "html", str(tmp_path / "a.film"), "--arrows", "--mesh"]) == 0
    page = open_page(viewport=viewport, color_scheme=scheme, offline=True, reduced_motion="reduce")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto((tmp_path / "a.html").as_uri())
    expect(page.locator(".gs canvas")).to_have_attribute("data-pictures", re.compile(r"\d+"))
    number = page.locator(".gs-readout", has_text=readout).first.locator(".gs-number")
    for at in (0, len(film) - 1):
        page.locator('[data-key="step"] input').evaluate(
            "(slider, at) => { slider.value = at; slider.dispatchEvent(new Event('input', { bubbles: true })); }", at
        )
        expect(page.locator('[data-key="step"] output')).to_have_text(str(film.step[at]))
        told = float((number.text_content() or "").replace("−", "-"))
        assert abs(told - getattr(film, values)[at]) <= 0.00501  # two decimals at least
        colours = page.locator(".gs canvas").evaluate(
            "(canvas) => { const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);"
            " return new Set(new Uint32Array(data.buffer)).size; }"
        )
        assert colours > 50  # a picture, not an empty sheet
        shoot(page, f"film-{make.__name__}-{scheme}-{at}")
    assert [url for url in asked if not url.startswith(("file:", "data:", "blob:"))] == []
