"""Make the README's moving picture from the recorded film of the start page: docs/start-light.gif, docs/start-dark.gif.

    .venv/bin/python scripts/readme_film.py            (Windows: .venv\\Scripts\\python scripts\\readme_film.py)

The frames are taken from the stage itself, in the machine's Chromium: the picture is the start page's lecture view,
whose large type can still be read when it is small.
"""

import io
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import dev
from PIL import Image
from playwright.sync_api import Browser, FloatRect, Page, sync_playwright

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from gantoys.pictures.film import StartState, recorded, recorded_scene  # noqa: E402
from gantoys.stage.page import standalone  # noqa: E402

WIDTH = 700  # pixels of the picture
DRAWN_WIDTH, DRAWN_HEIGHT = 1160, 640  # of the page it is taken from, in that page's pixels
COLOURS = 96
FRAME_MS, LAST_MS = 130, 2600
CLOSE, APART, TURN = 2, 4, 80  # every 2nd frame of the film until its 80th, where most happens, then every 4th
TARGETS = {scheme: ROOT / "docs" / f"start-{scheme}.gif" for scheme in ("light", "dark")}


def chosen(count: int) -> list[int]:
    """The frames of a film of `count` frames that are shown; the last is among them."""
    return sorted({*range(0, min(TURN, count), CLOSE), *range(TURN, count, APART), count - 1})


def pictures(browser: Browser, address: str, scheme: str, frames: list[int]) -> Iterator[Image.Image]:
    """The stage at each of the frames, cut to the picture and the line beneath it."""
    page: Page = browser.new_page(
        viewport={"width": DRAWN_WIDTH, "height": DRAWN_HEIGHT + 140},
        device_scale_factor=WIDTH / DRAWN_WIDTH,
        color_scheme="dark" if scheme == "dark" else "light",
        reduced_motion="reduce",  # the film waits for us
    )
    page.goto(address)
    page.wait_for_selector("canvas[data-pictures]")
    top, line = page.locator(".gs-picture").bounding_box(), page.locator(".gs-side").bounding_box()
    assert top is not None and line is not None
    height = line["y"] + line["height"] - top["y"] + 12
    clip: FloatRect = {"x": 0, "y": top["y"] - 8, "width": DRAWN_WIDTH, "height": height}
    for frame in frames:
        page.locator("input[type=range]").evaluate(
            "(slider, at) => { slider.value = at; slider.dispatchEvent(new Event('input', { bubbles: true }));"
            " return new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))); }",
            frame,
        )
        yield Image.open(io.BytesIO(page.screenshot(clip=clip))).convert("RGB")
    page.close()


def write(path: Path, pictures: list[Image.Image]) -> None:
    """One GIF that repeats, with one palette for all its frames so that nothing flickers."""
    some = pictures[:: max(1, len(pictures) // 12)]
    sheet = Image.new("RGB", (some[0].width, some[0].height * len(some)))
    for i, picture in enumerate(some):
        sheet.paste(picture, (0, i * picture.height))
    palette = sheet.quantize(COLOURS, method=Image.Quantize.MEDIANCUT)
    flat = [picture.quantize(palette=palette, dither=Image.Dither.NONE) for picture in pictures]
    colours, ground = palette.getpalette() or [], flat[0].tobytes()[0]
    colours[3 * ground : 3 * ground + 3] = pictures[0].tobytes()[:3]  # exactly as on the page around it
    for picture in flat:
        picture.putpalette(colours)
    times = [FRAME_MS] * (len(flat) - 1) + [LAST_MS]
    flat[0].save(path, save_all=True, append_images=flat[1:], duration=times, loop=0, optimize=True, disposal=1)


def main() -> None:
    """Write both pictures and say how large they are."""
    frames = chosen(len(recorded()))
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        file = Path(folder) / "film.html"
        file.write_text(standalone(recorded_scene(StartState()), lecture=True, height=DRAWN_HEIGHT), encoding="utf-8")
        browser = playwright.chromium.launch(executable_path=dev.ensure_chromium(), args=["--no-sandbox"])
        for scheme, path in TARGETS.items():
            write(path, list(pictures(browser, file.as_uri(), scheme, frames)))
            print(f"{path.relative_to(ROOT)}: {len(frames)} frames, {path.stat().st_size / 1e6:.2f} MB")
        browser.close()


if __name__ == "__main__":
    main()
