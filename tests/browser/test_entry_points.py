"""Both ways in, the root's and the Cloud's, show the same first page and ask nobody else for anything."""

from collections.abc import Callable
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page, expect


@pytest.mark.parametrize("script", ["app.py", "deploy/cloud/app.py"])
def test_the_first_page_opens_with_one_question_and_asks_no_other_host(
    script: str, serve: Callable[[str], str], open_page: Callable[..., Page], console_errors: list[str]
) -> None:
    url = serve(script)
    asked: list[str] = []
    page = open_page()
    page.on("request", lambda request: asked.append(request.url))
    page.on("websocket", lambda socket: asked.append(socket.url))
    page.goto(url)
    heading = page.locator("h1").first
    heading.wait_for(timeout=120_000)
    assert heading.inner_text().strip().endswith("?")
    page.wait_for_load_state("networkidle")
    hosts = {urlsplit(address).netloc for address in asked if not address.startswith(("data:", "blob:"))}
    assert hosts == {urlsplit(url).netloc}
    assert console_errors == []


def test_an_address_without_a_page_says_so_and_shows_the_first_page(
    serve: Callable[[str], str], open_page: Callable[..., Page], console_errors: list[str]
) -> None:
    page = open_page(f"{serve('app.py')}/nosuchpage")
    expect(page.get_by_text("The page that you have requested does not seem to exist.")).to_be_visible(timeout=120_000)
    assert page.locator("h1").first.inner_text().strip().endswith("?")
    assert all("404" in error or "main page" in error for error in console_errors)  # the browser's own words for it
    console_errors.clear()
