"""`Film`: what a run leaves behind. `gantoys.runs.film_file` says what its file looks like."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from gantoys.runs.config import TrainConfig
from gantoys.runs.film_file import FilmReader, frozen

Array = np.ndarray
STATUSES = ("running", "done", "diverged", "stopped")


@dataclass(frozen=True, eq=False)
class Film:
    """A run as pictures. K frames, n points shown, g grid points per side. All arrays are read-only.

    real (n, 2): real points. grid_x, grid_y (g,): where D's surface was taken.
    step (K,): steps taken before each frame, increasing. samples (K, n, 2): generated points from the same noise in
    every frame. logits (K, g, g): D's logit at (grid_x[j], grid_y[i]) in [k, i, j], before the sigmoid.
    loss_d, loss_g (K,): both losses; value (K,): V(D, G) = E log D(x) + E log(1 - D(G(z))); d_real, d_fake (K,): mean
    D on real and on generated points. These five are estimates from the n real and n generated points of the film.
    seconds (K,): wall time of training until each frame; empty until the run has ended.
    status: one of STATUSES; message: a sentence, where the status needs one. first: index of the first frame held.
    """

    config: TrainConfig
    real: Array
    grid_x: Array
    grid_y: Array
    step: Array
    samples: Array
    logits: Array
    loss_d: Array
    loss_g: Array
    value: Array
    d_real: Array
    d_fake: Array
    seconds: Array
    status: str
    message: str = ""
    first: int = 0

    def __len__(self) -> int:
        return len(self.step)

    @property
    def surface(self) -> Array:
        """D(x) = 1 / (1 + e^-logit) on the grid, (K, g, g) in [0, 1], single precision."""
        a = self.logits.astype(np.float32)
        # tanh does not overflow where exp would
        return 0.5 + 0.5 * np.tanh(0.5 * a)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Film:
        """The whole film at `path`. Raises ValueError (damaged, unfinished, too large) or OSError."""
        film, rest = _read(Path(path), 0)
        if film.status == "running":
            raise ValueError(f"the film {Path(path).name} is cut short: it ends after {len(film)} whole frames")
        if rest:
            raise ValueError(f"the film {Path(path).name} is damaged: {rest} bytes follow its end")
        return film


def read_new(path: str | os.PathLike[str], from_frame: int = 0) -> Film:
    """The frames from `from_frame` on of a film that may still be growing: whole frames only, perhaps none.

    Raises ValueError when the file is damaged, OSError when it cannot be read; a file whose header is not whole yet
    raises FileNotFoundError, as one that is not there yet does.
    """
    return _read(Path(path), max(0, int(from_frame)))[0]


def _read(path: Path, from_frame: int) -> tuple[Film, int]:
    with path.open("rb") as file:
        reader = FilmReader(file, path.name)
        config, statics_schema, frame_schema = reader.header()
        statics = reader.statics(statics_schema)
        frames, closing, rest = reader.frames(frame_schema, from_frame)
    status, message, seconds = _checked_closing(closing, from_frame + len(frames["step"]), path.name)
    if status != "running":
        seconds = seconds[from_frame:]
    film = Film(
        config=config, seconds=frozen(seconds), status=status, message=message, first=from_frame, **statics, **frames
    )
    if len(film) > config.frames or np.any(np.diff(film.step.astype(np.int64)) <= 0):
        raise ValueError(f"the film {path.name} is damaged: its frames are out of order")
    return film, rest


def _checked_closing(closing: dict[str, Any] | None, frames: int, name: str) -> tuple[str, str, Array]:
    if closing is None:
        return "running", "", np.empty(0, np.float32)
    status, message, seconds = (closing.get(key) for key in ("status", "message", "seconds"))
    whole = isinstance(seconds, list) and all(type(s) in (int, float) and math.isfinite(s) for s in seconds)
    if status not in STATUSES[1:] or not isinstance(message, str) or not whole or len(seconds) != frames:  # type: ignore[arg-type]
        raise ValueError(f"the film {name} is damaged: its closing record does not fit its frames")
    return status, message, np.array(seconds, np.float32)
