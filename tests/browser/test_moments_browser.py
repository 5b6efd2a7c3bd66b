"""Slow motion in a real browser: it plays, steps by keys, stands in the link, and leads back to the run."""

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Page, expect

from gantoys.pictures.lab_state import write_run
from gantoys.runs.config import TrainConfig
from gantoys.runs.moments import slowed
from gantoys.runs.store import Store

Open = Callable[..., Page]
Shoot = Callable[[Page, str], None]
PROBE = "Failed to load resource: the server responded with a status of 404 (Not Found)"
SMALL = TrainConfig(width=16, batch=32, steps=600, frames=61, cadence="even", grid=16, shown=100, seed=51)


def forgive(errors: list[str]) -> None:
    """Streamlit looks for its server beneath the page's address too, each time a page is loaded."""
    for error in [error for error in errors if error == PROBE][:2]:
        errors.remove(error)


@pytest.mark.long
def test_a_step_is_seen_moment_by_moment_and_the_run_comes_back(
    app_url: str, open_page: Open, console_errors: list[str], home: Path, shoot: Shoot
) -> None:
    page = open_page(reduced_motion="no-preference")
    page.goto(f"{app_url}/lab?run={write_run(SMALL)}&step=300")
    expect(page.locator(".gs canvas")).to_have_attribute("data-pictures", re.compile(r"\d+"), timeout=120_000)
    forgive(console_errors)
    page.get_by_role("button", name="Train this").click()
    expect(page.get_by_text("Trained: 600 steps").first).to_be_visible(timeout=120_000)
    scrub = """(slider, at) => { slider.value = at;
      for (const name of ['input', 'change']) slider.dispatchEvent(new Event(name, { bubbles: true })); }"""
    page.locator('[data-key="step"] input').evaluate(scrub, 30)
    expect(page.get_by_role("button", name="Branch at step 300")).to_be_visible(timeout=10_000)
    page.get_by_role("button", name="Slow motion").click()
    clock = page.locator('[data-key="moment"]')
    # it plays by itself
    expect(clock.locator("output")).to_have_text(re.compile("^301: D sees (real|fake)$"), timeout=120_000)
    clock.locator("input").evaluate(scrub, 3)
    expect(clock.locator("output")).to_have_text("301: D moves")
    clock.locator("input").focus()
    page.keyboard.press("ArrowRight")
    expect(clock.locator("output")).to_have_text("301: G moves")
    page.wait_for_url(re.compile("slow=1&moment=4"), timeout=10_000)
    shoot(page, "lab-slow-motion")
    page.reload()  # the link shows the same
    expect(clock.locator("output")).to_have_text("301: G moves", timeout=120_000)
    forgive(console_errors)
    store = Store(home / "films")
    slow, whole = store.find(slowed(SMALL, 300)), store.find(SMALL)
    assert slow is not None and whole is not None
    assert np.array_equal(slow.samples[0], whole.samples[30]) and np.array_equal(slow.logits[0], whole.logits[30])
    page.get_by_role("button", name="Back to the run").click()
    expect(page.locator('[data-key="step"] output')).to_have_text("300", timeout=10_000)
    expect(page.get_by_role("button", name="Slow motion")).to_be_enabled(timeout=20_000)
    expect(page).not_to_have_url(re.compile("slow="), timeout=10_000)
