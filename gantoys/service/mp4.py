"""A film as a video file (MP4, H.264), with the pictures of the GIF in full colours.

It needs the extra package imageio-ffmpeg, which brings an encoder of its own: `pip install 'gantoys[mp4]'`.
"""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from gantoys.maths.late import late
from gantoys.runs.film import Film
from gantoys.service.gif import SIZES, SPEEDS, checked
from gantoys.service.gif_pictures import LOOKS, Line, Plane

MISSING = "an MP4 needs the package imageio-ffmpeg, which is not installed: pip install 'gantoys[mp4]'"
HOLD_SECONDS = 2.0  # how long the last picture stays

__all__ = ["MISSING", "SIZES", "SPEEDS", "available", "write_mp4"]


def available() -> bool:
    """Whether the encoder is installed."""
    return find_spec("imageio_ffmpeg") is not None


def write_mp4(
    film: Film, path: str | os.PathLike[str], *, size: int = 720, fps: float = 12.0, look: str = "light"
) -> int:
    """Write every picture of the film as an MP4, about `size` pixels wide; how many pictures the video has.

    fps: the film's pictures a second. look: a key of LOOKS. Raises ValueError for a film without frames and values that
    are not allowed, RuntimeError without the encoder, OSError where the disk does; a file that was there stays until
    the new one is whole.
    """
    checked(film, size, fps, look)
    if not available():
        raise RuntimeError(MISSING)
    imageio_ffmpeg = late("imageio_ffmpeg")
    path = Path(path)
    part = path.with_name(f"{path.stem}.part.mp4")  # the encoder knows the format by the name's end
    painter = (Line if film.config.dim == 1 else Plane)(film, size - size % 2, LOOKS[look])
    order = [*range(len(film)), *[len(film) - 1] * round(HOLD_SECONDS * fps)]
    writer, written = None, 0
    try:
        for picture in painter.pictures(order):
            pixels = np.asarray(picture.convert("RGB"))
            # the encoder halves the resolution of colours: both sides must be even
            pixels = np.ascontiguousarray(pixels[: len(pixels) // 2 * 2, : pixels.shape[1] // 2 * 2])
            if writer is None:
                writer = imageio_ffmpeg.write_frames(
                    str(part), (pixels.shape[1], pixels.shape[0]), fps=fps, codec="libx264", quality=7,
                    macro_block_size=2, ffmpeg_log_level="error",
                )  # fmt: skip
                writer.send(None)
            writer.send(pixels)
            written += 1
        if writer is not None:
            writer.close()
            writer = None
        os.replace(part, path)
    finally:
        if writer is not None:
            writer.close()
        part.unlink(missing_ok=True)
    return written
