"""A film as a moving picture file (GIF), drawn from the film's arrays without a browser.

In the plane: D's surface from the hue of generated points (D < 1/2) through the ground to that of real ones, real and
generated points. On the line: p_data, p_G, D and D*. Every frame uses one palette of flat colours, so that nothing
flickers and the file stays small.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from gantoys.runs.film import Film
from gantoys.service.gif_pictures import LOOKS, Line, Plane

MOST_FRAMES = 96  # unless told otherwise
MOST_BYTES = 3_000_000  # unless told how many frames
SIZES, SPEEDS = (160, 1080), (1.0, 50.0)  # what may be asked for: width in pixels, frames a second
HOLD_MS = 2000  # how long the last frame stays


def chosen(count: int, frames: int) -> list[int]:
    """The indices of `frames` of `count` pictures, evenly spread, first and last among them; all if there are fewer."""
    return sorted({round(i) for i in np.linspace(0, count - 1, min(count, frames))})


def checked(film: Film, size: int, fps: float, look: str) -> None:
    """Raises ValueError, in one sentence, for a film or for values from which no moving picture can be made."""
    for name, value, (least, most) in (("size", size, SIZES), ("fps", fps, SPEEDS)):
        if not least <= value <= most:
            raise ValueError(f"{name} must lie between {least:g} and {most:g}, got {value:g}")
    if look not in LOOKS:
        raise ValueError(f"look must be one of {', '.join(LOOKS)}, got {look!r}")
    if not len(film):
        raise ValueError("the film holds no picture")


def write_gif(
    film: Film,
    path: str | os.PathLike[str],
    *,
    size: int = 480,
    fps: float = 12.0,
    frames: int | None = None,
    look: str = "light",
) -> int:
    """Write the film as a GIF that repeats, `size` pixels wide; how many frames it has.

    fps: frames a second, rounded to what the format knows, hundredths of a second a frame. frames: at most so many of
    the film's, evenly spread; None: as many as fit into MOST_BYTES, MOST_FRAMES at most. look: a key of LOOKS. Raises
    ValueError for a film without frames and values that are not allowed, OSError where the disk does; a file that was
    there stays until the new one is whole.
    """
    checked(film, size, fps, look)
    if frames is not None and frames < 1:
        raise ValueError(f"frames must be at least 1, got {frames}")
    path = Path(path)
    part = path.with_name(path.name + ".part")
    painter = (Line if film.config.dim == 1 else Plane)(film, size, LOOKS[look])
    wanted = min(len(film), MOST_FRAMES if frames is None else frames)
    try:
        while True:
            picked = chosen(len(film), wanted)
            times = [max(20, round(100 / fps) * 10)] * (len(picked) - 1) + [HOLD_MS]
            pictures = painter.pictures(picked)
            next(pictures).save(
                part, "GIF", save_all=True, append_images=pictures, duration=times, loop=0, optimize=True, disposal=1
            )
            bytes_ = part.stat().st_size
            if frames is not None or bytes_ <= MOST_BYTES or wanted <= 2:
                break
            wanted = max(2, int(wanted * 0.95 * MOST_BYTES / bytes_))
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)
    return len(picked)
