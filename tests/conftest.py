"""Rules for the whole suite: the same examples every time, nothing skipped, long files not at the end."""

import os
import shutil
import tempfile
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

# The same examples in every run and no deadline: a busy machine must not decide what is right.
settings.register_profile("gantoys", deadline=None, derandomize=True, database=None, print_blob=True)
settings.load_profile("gantoys")

# Films, states and native code of the tests stay out of the user's own folder; the last is compiled once a session.
_OWN_HOME = None
if "GANTOYS_HOME" not in os.environ:
    _OWN_HOME = os.environ["GANTOYS_HOME"] = tempfile.mkdtemp(prefix="gantoys-tests-")

BROWSER = Path(__file__).parent / "browser"


def pytest_unconfigure() -> None:
    """Leave nothing behind."""
    if _OWN_HOME is not None:
        shutil.rmtree(_OWN_HOME, ignore_errors=True)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A file of tests in the browser, then some others, and so on: where files are shared out to processes, few
    browsers run at once. The browser's take long, so that the others end the run: none works alone at its end."""
    files = list(dict.fromkeys(item.path for item in items if Path(__file__).parent in item.path.parents))
    browser = [path for path in files if BROWSER in path.parents]
    others = [path for path in files if BROWSER not in path.parents]
    place = {path: k / len(others) for k, path in enumerate(others)}
    place |= {path: 0.8 * k / len(browser) for k, path in enumerate(browser)}
    items.sort(key=lambda item: place.get(item.path, 0.0))  # examples in the library take no time


def _as_failure(report: Any) -> None:
    """A skipped test shows nothing, so it counts as failed. An expected failure is a different thing."""
    if report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"skipped, and nothing is skipped here: {report.longrepr}"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, Any, Any]:
    report = yield
    _as_failure(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(collector: pytest.Collector) -> Generator[None, Any, Any]:
    report = yield
    _as_failure(report)
    return report
