"""`Film`: what a run leaves behind. `gantoys.runs.film_file` says what its file looks like."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO, Any

import numpy as np

from gantoys.maths.losses import LOSSES, probability
from gantoys.runs.config import TrainConfig
from gantoys.runs.film_file import ERRORS, OUTER, FilmReader, frozen
from gantoys.runs.moments import schedule

Array = np.ndarray
_EMPTY = {name: frozen(np.empty(0, "<f4")) for name in ("grid_y", "edges", "density_real")}
GROWS = (
    "step", "samples", "arrows", "logits", "mesh", "slopes", "density", "loss_d", "loss_g", "value", "js", "d_real",
    "d_fake", "grad_d", "grad_g", "errors", "moment", "seen", "said", "told", "eigenvalues", "step_eigenvalues",
)  # fmt: skip
ERRORS_BELOW = 2.0  # standard errors that a figure may lie off, one time in twenty
STATUSES = ("running", "done", "diverged", "stopped")


def _none() -> Array:
    return frozen(np.empty(0, "<f4"))


@dataclass(frozen=True, eq=False)
class Film:
    """A run as pictures. K frames, n points shown, d dimensions of the target, g grid points (per side in the plane).

    All arrays are read-only. member: which of the config's `seeds` runs this is.
    real (n, d): real points. grid_x, grid_y (g,): where D's surface was taken; on the line grid_y is empty, and grid_x
    are the centres of cells between `edges` (g + 1,): equal ones in the room of the picture and, OUTER on either side,
    ever wider ones beyond it. density_real (g,): p_data averaged over each cell, on the line only.
    step (K,): steps taken before each frame, increasing. samples (K, n, d): generated points from the same noise in
    every frame. arrows (K, a, d): -dL_G/dx at the first a of them, for the mean loss of one point: the way, and how
    strongly, G is told to move it. logits (K, g, g): D's logit at (grid_x[j], grid_y[i]) in [k, i, j]; (K, g) on the
    line. mesh (K, 13, 13, 2) or (K, 129, 1): G on a fixed grid of noise. density (K, g): p_G averaged over each cell,
    on the line only: exact for one noise number, by quasi-random noise for more.
    slopes (K, 3, m): where the generated points come from a law, |dD/dx| at the first m generated points, at the first
    m real ones, and at m points between them as a gradient penalty draws them, the same in every frame; (K, 0) in all
    other films. Of such a law the samples are the same in every frame too, and mesh is (K, 0).
    loss_d, loss_g (K,): what D and G minimise, with all that the run adds to the loss. value (K,): what D maximises
    with nothing added: V(D, G) = E log D(x) + E log(1 - D(G(z))) in nats where D tells a probability, else minus the
    critic's loss. js (K,): JS(p_data, p_G) in nats: exact where `exact` says so, else a lower bound (`gantoys.metrics.
    jensen_shannon.Bound.least`). d_real, d_fake (K,): mean D on real and on generated points, of a critic that tells no
    probability its own mean. errors (K, 4): standard errors of the figures named in `ERRORS`, 0 where one is exact.
    grad_d, grad_g (K,): lengths of the gradients of the moves before the frame, 0 in the first. Figures that are not
    exact are estimated from 2,048 points of either kind (JS from 4,096), or as many as are shown if those are more.
    seconds (K,): wall time of training until each frame; empty until the run has ended.
    moment (K,), seen (K, b, d), said (K, b), told (K,): in slow motion (`config.slow`) only, else empty. moment: which
    of `gantoys.runs.moments.MOMENTS` each frame shows; several frames then have the same step. seen: the first b points
    of the batch that D looks at in that moment, as it sees them; said: its logits there, one for each point of a pack;
    told: mean D over the whole batch, read as d_real is; all 0 in moments when D looks at nothing.
    eigenvalues, step_eigenvalues (1, n, 2): with `config.eigenvalues` only, whose film has one frame, else empty: real
    and imaginary parts of the game's leading eigenvalues, of its field in 1 / unit of time, and of the field as the
    optimiser scales it in 1 / step: see `gantoys.training.stability.spectrum`.
    status: one of STATUSES; message: a sentence, where the status needs one. first: index of the first frame held.
    """

    config: TrainConfig
    member: int
    real: Array
    grid_x: Array
    grid_y: Array
    edges: Array
    density_real: Array
    step: Array
    samples: Array
    arrows: Array
    logits: Array
    mesh: Array
    slopes: Array
    density: Array
    loss_d: Array
    loss_g: Array
    value: Array
    js: Array
    d_real: Array
    d_fake: Array
    grad_d: Array
    grad_g: Array
    errors: Array
    seconds: Array
    status: str
    message: str = ""
    first: int = 0
    moment: Array = field(default_factory=_none)
    seen: Array = field(default_factory=_none)
    said: Array = field(default_factory=_none)
    told: Array = field(default_factory=_none)
    eigenvalues: Array = field(default_factory=_none)
    step_eigenvalues: Array = field(default_factory=_none)

    def __len__(self) -> int:
        return len(self.step)

    @property
    def seed(self) -> int:
        """The seed of this run."""
        return self.config.seed + self.member

    @property
    def exact(self) -> bool:
        """Whether js is the exact number, to four decimals, rather than a lower bound."""
        return self.config.exact

    @property
    def tells(self) -> bool:
        """Whether D says p_data / (p_data + p_G) under the film's loss, so that V and D* mean something for it."""
        return probability(LOSSES[self.config.loss], np.zeros(1)) is not None

    def error(self, name: str) -> Array:
        """The standard error of a figure of `ERRORS` in each frame, (K,); 0 where it is exact."""
        return self.errors[:, ERRORS.index(name)].astype(float)

    def is_exact(self, name: str) -> bool:
        """Whether a figure of `ERRORS` is worked out from the distributions in every frame, rather than from points."""
        return self.exact and not np.any(self.error(name))

    @property
    def surface(self) -> Array:
        """What D says about p_data / (p_data + p_G) on the grid, shape of logits, in [0, 1], single precision.

        While the loss in force is one whose critic tells no probability, that critic matters up to a constant (and
        often a factor) only: then 1/2 stands for the middle between its means on real and on generated points, and it
        is squeezed by its own spread over the grid.
        """
        return self.surfaces(0)

    def surfaces(self, first: int) -> Array:
        """`surface` of the frames from `first` on alone."""
        out = np.empty((len(self) - first, *self.logits.shape[1:]), np.float32)
        begins = sorted({0, *(c.step for c in self.config.changes if c.field == "loss")})
        for begin, end in zip(begins, [*begins[1:], np.inf], strict=True):
            frames = first + np.flatnonzero((self.step[first:] >= begin) & (self.step[first:] < end))
            a = self.logits[frames].astype(np.float32)
            told = probability(LOSSES[self.config.at(begin).loss], a)
            out[frames - first] = told if told is not None else self.squeezed(a, frames)
        return out

    def squeezed(self, critic: Array, frames: Array) -> Array:
        """What a critic says (k, ...) in some of the `frames`, a choice of k, in [0, 1] as `surface` shows it."""
        grid = self.logits[frames].astype(np.float32)
        middle = (self.d_real[frames] + self.d_fake[frames]).astype(np.float32) / 2
        spread = np.maximum(grid.std(tuple(range(1, grid.ndim))), np.float32(1e-12))
        middle, spread = (a.reshape(-1, *[1] * (critic.ndim - 1)) for a in (middle, spread))
        # tanh does not overflow where exp would
        return np.asarray(0.5 + 0.5 * np.tanh((critic - middle) / (2 * spread)))

    @property
    def room(self) -> tuple[float, float]:
        """The ends of the equal cells, which hold the target, on the line."""
        outer = 0 if self.config.fake_law else OUTER
        return float(self.edges[outer]), float(self.edges[len(self.edges) - 1 - outer])

    def joined(self, new: Film) -> Film:
        """This film with the frames of `new`, which begin where it ends. Raises ValueError for those of another run."""
        if new.config != self.config or new.member != self.member or new.first != self.first + len(self):
            raise ValueError("these frames do not follow on this film")
        grown: dict[str, Any] = {
            name: frozen(np.concatenate([getattr(self, name), getattr(new, name)])) for name in GROWS
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
        """-log 4 + 2 JS - V, (K,) in nats: what D lacks. Where JS or V is not exact this is a lower bound: with V as
        high as two of its standard errors allow, not below 0. Only for a D that `tells`."""
        value = self.value.astype(float) + ERRORS_BELOW * self.error("value")
        lacks = 2 * self.js.astype(float) - math.log(4) - value
        return lacks if self.is_exact("value") else np.maximum(lacks, 0.0)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Film:
        """The whole film at `path`. Raises ValueError (damaged, unfinished, too large) or OSError."""
        with Path(path).open("rb") as file:
            film, rest = _read(file, Path(path).name, 0)
        if film.status == "running":
            raise ValueError(f"the film {Path(path).name} is cut short: it ends after {len(film)} whole frames")
        if rest:
            raise ValueError(f"the film {Path(path).name} is damaged: {rest} bytes follow its end")
        return film


def read_new(path: str | os.PathLike[str] | IO[bytes], from_frame: int = 0) -> Film:
    """The frames from `from_frame` on of a film that may still be growing: whole frames only, perhaps none.

    path: or the file, opened to be read; it may have been renamed or removed since.
    Raises ValueError when the file is damaged, OSError when it cannot be read; a file whose header is not whole yet
    raises FileNotFoundError, as one that is not there yet does.
    """
    begin = max(0, int(from_frame))
    if isinstance(path, (str, os.PathLike)):
        with Path(path).open("rb") as file:
            return _read(file, Path(path).name, begin)[0]
    return _read(path, Path(path.name).name, begin)[0]


def _read(file: IO[bytes], name: str, from_frame: int) -> tuple[Film, int]:
    reader = FilmReader(file, name)
    config, member, statics_schema, frame_schema = reader.header()
    statics = _EMPTY | reader.statics(statics_schema)
    frames, closing, rest = reader.frames(frame_schema, from_frame)
    status, message, seconds = _checked_closing(closing, from_frame + len(frames["step"]), name)
    if status != "running":
        seconds = seconds[from_frame:]
    for name in {"mesh", "slopes", "density"} - frames.keys():
        frames[name] = frozen(np.empty((len(frames["step"]), 0), "<f4"))
    if "edges" in statics and len(statics["edges"]):
        statics["grid_x"] = frozen((statics["edges"][1:] + statics["edges"][:-1]) / 2)
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
    if not _in_order(film):
        raise ValueError(f"the film {name} is damaged: its frames are out of order")
    return film, rest


def _in_order(film: Film) -> bool:
    config, step = film.config, film.step.astype(np.int64)
    if config.slow is None:
        return len(film) <= config.frames and bool(np.all(np.diff(step) > 0))
    due = [rows[film.first : film.first + len(film)] for rows in schedule(config)]
    return bool(np.array_equal(due[0], step) and np.array_equal(due[1], film.moment))


def _checked_closing(closing: dict[str, Any] | None, frames: int, name: str) -> tuple[str, str, Array]:
    if closing is None:
        return "running", "", np.empty(0, np.float32)
    status, message, seconds = (closing.get(key) for key in ("status", "message", "seconds"))
    whole = isinstance(seconds, list) and all(type(s) in (int, float) and math.isfinite(s) for s in seconds)
    if status not in STATUSES[1:] or not isinstance(message, str) or not whole or len(seconds) != frames:  # type: ignore[arg-type]
        raise ValueError(f"the film {name} is damaged: its closing record does not fit its frames")
    return status, message, np.array(seconds, np.float32)
