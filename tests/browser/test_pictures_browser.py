"""Every "Try this" state of the exact lessons, reached by its link, against a picture of it that was looked at.

Pictures are small, so that another font or another way to smooth a line does not count, but a curve elsewhere does.
After a wanted change: look at the lessons, then `GANTOYS_PICTURES=write pytest tests/browser/test_pictures_browser.py`.
"""

import io
import os
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlencode

import numpy as np
import pytest
from PIL import Image, ImageFilter
from playwright.sync_api import Page, expect

from gantoys.lessons import KEYS, load

STORED = Path(__file__).parent / "pictures"
WIDTH = 320
FAR = 48  # of 255: what a pixel may differ by
SHARE = 0.006  # of the pixels may differ by more
TRAINED = ("start", "lab", "compare")  # trained on the machine: no two are alike to the pixel
# each change is tested with the first of each lesson, the others take a page each too
STATES = [
    pytest.param(key, i, marks=[pytest.mark.long] if i else [])
    for key in KEYS
    if key not in TRAINED
    for i in range(len(load(key).tries))
]
Open = Callable[..., Page]


@pytest.fixture(scope="module")
def taken() -> dict[str, np.ndarray]:
    """The pictures of this run, by name."""
    return {}


def small(png: bytes) -> np.ndarray:
    """A screenshot as (height, WIDTH, 3) in 0 to 255."""
    picture = Image.open(io.BytesIO(png)).convert("RGB")
    height = round(picture.height * WIDTH / picture.width)
    return np.asarray(picture.filter(ImageFilter.GaussianBlur(2)).resize((WIDTH, height), Image.Resampling.BOX), float)


def unlike(one: np.ndarray, other: np.ndarray) -> float:
    """The share of pixels that differ visibly; 1 for pictures of another shape."""
    if one.shape != other.shape:
        return 1.0
    return float(np.mean(np.abs(one - other).max(axis=2) > FAR))


@pytest.mark.parametrize(("key", "index"), STATES)
def test_a_state_worth_seeing_looks_as_it_did(
    key: str, index: int, app_url: str, open_page: Open, console_errors: list[str], taken: dict[str, np.ndarray]
) -> None:
    page = open_page(viewport={"width": 1280, "height": 720}, reduced_motion="reduce")
    page.goto(f"{app_url}/{key}?{urlencode(load(key).tries[index].state)}")
    canvas = page.locator(".gs canvas").first
    expect(page.locator('[data-testid="stStatusWidget"]')).to_have_count(0, timeout=120_000)
    canvas.wait_for(timeout=120_000)
    picture = _settled(page)
    console_errors.clear()  # Streamlit's own two probes below a link
    name = f"{key}-{index}"
    file = STORED / f"{name}.png"
    if os.environ.get("GANTOYS_PICTURES") == "write":
        STORED.mkdir(exist_ok=True)
        Image.fromarray(np.uint8(picture.round())).quantize(64).save(file, optimize=True)
    stored = np.asarray(Image.open(file).convert("RGB"), float)
    assert unlike(picture, stored) <= SHARE, f"{name} looks different: {unlike(picture, stored):.1%} of its pixels"
    for other, seen in taken.items():
        # a tolerance that would let another state pass would show nothing
        assert unlike(seen, stored) > SHARE, f"{name} cannot be told from {other}"
    taken[name] = picture


def _settled(page: Page) -> np.ndarray:
    """The stage, once two looks a moment apart are alike."""
    before = small(page.locator(".gs").first.screenshot())
    for _ in range(40):
        page.wait_for_timeout(250)
        now = small(page.locator(".gs").first.screenshot())
        if np.array_equal(before, now):
            return now
        before = now
    raise AssertionError("the picture does not come to rest")
