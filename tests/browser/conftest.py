"""What browser tests share: a running app, a real Chromium, and an eye on its console.

serve(script)      the address of a Streamlit script, started once for the whole run
app_url            the address of the dashboard
open_page(url)     a page in a context of its own; the test fails if its console reports an error
shoot(page, name)  a screenshot in the folder GANTOYS_SHOTS, if that is set
"""

import contextlib
import os
from collections import defaultdict
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any

import dev
import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, sync_playwright
from serving import LOGS, running, tail

ROOT = Path(__file__).resolve().parents[2]
WIDE = {"width": 1280, "height": 720}
PHONE = {"width": 390, "height": 844}
# No GPU, no calls home: the tests run without a network.
CHROMIUM_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

OpenPage = Callable[..., Page]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, Any, Any]:
    """A page shows visitors no traces, so a failed test brings what the servers said."""
    report = yield
    if report.failed:
        report.sections += [(f"log of {script}", tail(log)) for script, log in LOGS.items()]
    return report


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty store of films, so that no test meets what an earlier run has trained."""
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="session")
def serve(home: Path) -> Iterator[Callable[[str | Path], str]]:
    """serve(script) starts a script of this repository once and returns its address."""
    addresses: dict[Path, str] = {}
    with contextlib.ExitStack() as stack:

        def start(script: str | Path) -> str:
            path = (ROOT / script).resolve()
            if path not in addresses:
                addresses[path] = stack.enter_context(running(path, environment={"GANTOYS_HOME": str(home)}))
            return addresses[path]

        yield start


@pytest.fixture(scope="session")
def app_url(serve: Callable[[str | Path], str]) -> str:
    """The address of the dashboard."""
    return serve("app.py")


@pytest.fixture(scope="module")  # no longer: Playwright keeps an event loop in the main thread, where others run theirs
def browser() -> Iterator[Browser]:
    """The machine's Chromium. None is a failure, not a reason to skip."""
    path = dev.find_chromium()
    assert path is not None, dev.NO_CHROMIUM
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=CHROMIUM_FLAGS)
        yield chromium
        chromium.close()


@pytest.fixture
def console_errors() -> Iterator[list[str]]:
    """Errors of the pages of this test. A test that provokes one looks at it and clears the list."""
    errors: list[str] = []
    yield errors
    assert errors == []


@pytest.fixture(scope="module")
def contexts(browser: Browser) -> defaultdict[str, list[BrowserContext]]:
    """Contexts that no test uses now, by their options: a browser has compiled a server's scripts once for each."""
    return defaultdict(list)


@pytest.fixture
def open_page(
    browser: Browser, contexts: defaultdict[str, list[BrowserContext]], console_errors: list[str]
) -> Iterator[OpenPage]:
    """open_page(url, viewport=WIDE, color_scheme="light", ...) goes there; further options are the context's.

    Nothing plays by itself: moving pictures of pages that only stand there take two thirds of a core. A test of what
    moves asks for reduced_motion="no-preference".

    once: the context is not used again, as when a test winds its clock."""
    used: list[tuple[str, BrowserContext]] = []

    def note(message: ConsoleMessage) -> None:
        if message.type == "error":
            console_errors.append(message.text)

    def opened(
        url: str | None = None, *, viewport: dict[str, int] | None = None, once: bool = False, **options: Any
    ) -> Page:
        options = {"viewport": viewport or WIDE, "reduced_motion": "reduce"} | options
        name = repr(sorted(options.items()))
        context = contexts[name].pop() if contexts[name] and not once else browser.new_context(**options)
        used.append(("" if once else name, context))
        page = context.new_page()
        page.on("console", note)
        page.on("pageerror", lambda error: console_errors.append(str(error)))
        if url is not None:
            page.goto(url)
        return page

    yield opened
    for name, context in used:
        if not name:
            context.close()
            continue
        for page in context.pages:
            if page.url.startswith("http"):
                page.evaluate("localStorage.clear()")  # what a visitor leaves behind
            page.close()
        contexts[name].append(context)


@pytest.fixture
def shoot() -> Callable[[Page, str], None]:
    """shoot(page, name) keeps a picture for people to look at; without GANTOYS_SHOTS it does nothing."""
    folder = os.environ.get("GANTOYS_SHOTS")

    def keep(page: Page, name: str) -> None:
        if folder:
            Path(folder).mkdir(parents=True, exist_ok=True)
            page.screenshot(path=Path(folder) / f"{name}.png")

    return keep
