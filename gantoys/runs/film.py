"""`Film`: what a run leaves behind. `gantoys.runs.film_file` says what its file looks like."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from gantoys.maths.losses import LOSSES, probability
from gantoys.runs.config import TrainConfig
from gantoys.runs.film_file import FilmReader, frozen

Array = np.ndarray
_EMPTY = {name: frozen(np.empty(0, "<f4")) for name in ("grid_y", "density_real")}
_GROWS = (
    "step", "samples", "arrows", "logits", "mesh", "density", "loss_d", "loss_g", "value", "js", "d_real", "d_fake",
    "grad_d", "grad_g",
)  # fmt: skip
STATUSES = ("running", "done", "diverged", "stopped")


@dataclass(frozen=True, eq=False)
class Film:
    """A run as pictures. K frames, n points shown, d dimensions of the target, g grid points (per side in the plane).

    All arrays are read-only. member: which of the config's `seeds` runs this is.
    real (n, d): real points. grid_x, grid_y (g,): where D's surface was taken; on the line grid_y is empty, and grid_x
    are the centres of cells. density_real (g,): p_data averaged over each cell, on the line only.
    step (K,): steps taken before each frame, increasing. samples (K, n, d): generated points from the same noise in
    every frame. arrows (K, a, d): -dL_G/dx at the first a of them, for the mean loss of one point: the way, and how
    strongly, G is told to move it. logits (K, g, g): D's logit at (grid_x[j], grid_y[i]) in [k, i, j]; (K, g) on the
    line. mesh (K, 13, 13, 2) or (K, 129, 1): G on a fixed grid of noise. density (K, g): p_G averaged over each cell,
    on the line only: exact for one noise number, by quasi-random noise for more.
    loss_d, loss_g (K,): both losses; value (K,): V(D, G) = E log D(x) + E log(1 - D(G(z))); js (K,): JS(p_data, p_G) in
    nats; d_real, d_fake (K,): mean D on real and on generated points; grad_d, grad_g (K,): lengths of the gradients of
    the moves before the frame, 0 in the first. Losses, d_real and d_fake are estimates from the n real and n generated
    points of the film; `exact` tells whether value and js are more than that.
    seconds (K,): wall time of training until each frame; empty until the run has ended.
    status: one of STATUSES; message: a sentence, where the status needs one. first: index of the first frame held.
    """

    config: TrainConfig
    member: int
    real: Array
    grid_x: Array
    grid_y: Array
    density_real: Array
    step: Array
    samples: Array
    arrows: Array
    logits: Array
    mesh: Array
    density: Array
    loss_d: Array
    loss_g: Array
    value: Array
    js: Array
    d_real: Array
    d_fake: Array
    grad_d: Array
    grad_g: Array
    seconds: Array
    status: str
    message: str = ""
    first: int = 0

    def __len__(self) -> int:
        return len(self.step)

    @property
    def seed(self) -> int:
        """The seed of this run."""
        return self.config.seed + self.member

    @property
    def exact(self) -> bool:
        """Whether value and js are computed from p_G itself (to the width of a cell) rather than from points."""
        return self.config.dim == 1 and self.config.noise_dim == 1

    @property
    def surface(self) -> Array:
        """What D says about p_data / (p_data + p_G) on the grid, shape of logits, in [0, 1], single precision.

        While the loss in force is one whose critic does not tell that ratio: the sigmoid of the logit, 1/2 where the
        critic is 0.
        """
        out = np.empty(self.logits.shape, np.float32)
        begins = sorted({0, *(c.step for c in self.config.changes if c.field == "loss")})
        for begin, end in zip(begins, [*begins[1:], np.inf], strict=True):
            here = (self.step >= begin) & (self.step < end)
            a = self.logits[here].astype(np.float32)
            told = probability(LOSSES[self.config.at(begin).loss], a)
            # tanh does not overflow where exp would
            out[here] = told if told is not None else 0.5 + 0.5 * np.tanh(0.5 * a)
        return out

    def joined(self, new: Film) -> Film:
        """This film with the frames of `new`, which begin where it ends. Raises ValueError for those of another run."""
        if new.config != self.config or new.member != self.member or new.first != self.first + len(self):
            raise ValueError("these frames do not follow on this film")
        grown: dict[str, Any] = {
            name: frozen(np.concatenate([getattr(self, name), getattr(new, name)])) for name in _GROWS
        }
        return replace(self, **grown, seconds=new.seconds, status=new.status, message=new.message)

    @property
    def best(self) -> Array:
        """D* = p_data / (p_data + p_G) over the cells of each frame, (K, g); on the line only (else ValueError).

        NaN where neither has mass.
        """
        if self.config.dim != 1:
            raise ValueError("D* beside the trained D is known on the line only")
        real, fake = self.density_real.astype(float), self.density.astype(float)
        with np.errstate(invalid="ignore"):
            return np.asarray(real / (real + fake))

    @property
    def shortfall(self) -> Array:
        """-log 4 + 2 JS - V, (K,) in nats: what D lacks. In the plane JS and V are estimates, so it may be negative."""
        return np.asarray(2 * self.js.astype(float) - math.log(4) - self.value)

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
        config, member, statics_schema, frame_schema = reader.header()
        statics = _EMPTY | reader.statics(statics_schema)
        frames, closing, rest = reader.frames(frame_schema, from_frame)
    status, message, seconds = _checked_closing(closing, from_frame + len(frames["step"]), path.name)
    if status != "running":
        seconds = seconds[from_frame:]
    if config.dim != 1:
        frames["density"] = frozen(np.empty((len(frames["step"]), 0), "<f4"))
    film = Film(
        config=config,
        member=member,
        seconds=frozen(seconds),
        status=status,
        message=message,
        first=from_frame,
        **statics,
        **frames,
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
