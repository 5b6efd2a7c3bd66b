"""The loop of a run: steps, a picture from time to time, a state to go on from, and an end when numbers fail."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

import numpy as np
import torch

from gantoys.runs.config import TrainConfig
from gantoys.runs.groups import groups
from gantoys.training.batches import CHUNK
from gantoys.training.diverged import Diverged, healthy, located
from gantoys.training.game import Game, Moment
from gantoys.training.record import Frame, Recorder

__all__ = ["Diverged", "checkpoint_every", "groups", "train"]

STATES = 16  # states kept of a long run
ASK_EVERY = 8  # steps between two looks at whether to stop
State = Mapping[str, np.ndarray]


def checkpoint_every(config: TrainConfig) -> int:
    """Steps between two kept states: a sixteenth of the run, at least 256, in whole chunks of random numbers."""
    wanted = max(4 * CHUNK, config.steps // STATES)
    return -(-wanted // CHUNK) * CHUNK


def train(
    config: TrainConfig,
    should_stop: Callable[[], bool] = lambda: False,
    *,
    members: range | None = None,
    device: str = "cpu",
    start: State | None = None,
    keep: Callable[[int, dict[str, np.ndarray]], None] | None = None,
) -> Iterator[tuple[Frame | Diverged, ...]]:
    """Train seeds of a config side by side; one tuple of frames, one a seed, after each of `config.recorded_steps()`.

    members: which of the config's seeds, all by default. start: a state that `keep` was given; training goes on from
    there, and only later pictures come. keep(step, state) is called with a state every `checkpoint_every` steps, and
    when `should_stop`, which is asked every few steps, ends the run. The same config and members give the same frames,
    bit for bit, on one machine with one thread, whether in one go or from a state.
    A seed whose numbers are no longer finite, or absurd, gives a `Diverged` in place of its frames, and the others go
    on; when none is left, the last one's is raised. From the first one on no state is kept: it would not tell how that
    seed ended. Raises ValueError for a state of another run or a device that is not there.
    """
    try:
        torch.ones(1, device=device).item()
    except (RuntimeError, AssertionError):
        why = "there is none on this machine, or this build of torch does not know it"
        raise ValueError(f"the device {device[:40]!r} cannot be used: {why}; cpu always works") from None
    run = _Run(config, members, device)
    if start is not None:
        run.restore(start)
        if config.slow is not None and run.game.taken > config.slow:
            raise ValueError(f"the state is one of step {run.game.taken}, later than slow motion begins")
    every = checkpoint_every(config)
    due = [int(s) for s in config.recorded_steps() if start is None or s > run.game.taken]
    for wanted in due if config.slow is None else [config.slow]:
        while run.game.taken < wanted:
            if should_stop():
                run.check()
                if keep is not None and not run.diverged:
                    keep(run.game.taken, run.state())
                return
            boundary = (run.game.taken // CHUNK + 1) * CHUNK
            run.advance(min(run.game.taken + ASK_EVERY, wanted, boundary))
            if keep is not None and not run.diverged and run.game.taken % every == 0:
                keep(run.game.taken, run.state())
        yield run.frames()
    if config.slow is not None:
        begin = run.state()
        while run.game.taken < config.steps:
            if should_stop():
                run.check()
                if keep is not None and not run.diverged:
                    keep(config.slow, begin)  # the film begins there anew
                return
            yield from run.slowly()


class _Run:
    """A game, its recorder, and the last state known to be healthy."""

    def __init__(self, config: TrainConfig, members: range | None, device: str) -> None:
        self.game = Game(config, members, device=device)
        self.recorder = Recorder(self.game)
        # without autograd torch need not keep account of views and versions; a game that uses autograd must
        self.inference = not self.game.autograd
        self.diverged: dict[int, Diverged] = {}  # by the seed's place in the game
        self._safe = self.state()

    @property
    def alive(self) -> list[int]:
        """The places in the game of the seeds that have not diverged."""
        return [i for i in range(len(self.game.members)) if i not in self.diverged]

    def state(self) -> dict[str, np.ndarray]:
        return self.game.state()

    def restore(self, state: State) -> None:
        self.game.restore(state)
        self._safe = self.state()

    def advance(self, until: int) -> None:
        """Take the steps up to `until`; at the end of a chunk of them look whether all is well."""
        with torch.inference_mode(self.inference), torch.set_grad_enabled(False):
            while self.game.taken < until:
                self.game.step()
        if until % CHUNK == 0:
            self.check()

    def slowly(self) -> Iterator[tuple[Frame | Diverged, ...]]:
        """Take one step, and the picture of each of its moments; the last one is that of the step. As `frames`."""
        before, moments = self.game.taken, self.game.moments()
        pictures: list[tuple[Frame, ...]] = []
        while True:
            with torch.inference_mode(self.inference), torch.set_grad_enabled(False):
                moment = next(moments)
            if self.game.taken > before:
                break
            pictures.append(self.recorder.frames(moment=moment))
        last = self.frames(moment)
        if spoilt := {i for frames in pictures for i in _spoilt(frames)} & set(self.alive):
            self.check(spoilt)
        for frames in (*pictures, last):
            yield tuple(self.diverged.get(i, frame) for i, frame in enumerate(frames))

    def check(self, pictures: Iterable[int] = ()) -> None:
        """Take note of the seeds that have diverged, and of the state to look from the next time. Raises `Diverged`
        when all have. pictures: seeds whose pictures show it."""
        spoilt = set(pictures) & set(self.alive)
        if spoilt or not healthy(self.game, self.alive):
            with torch.inference_mode(self.inference), torch.set_grad_enabled(False):
                self.diverged |= located(self.game, self._safe, self.game.taken, self.alive, pictures=spoilt)
            if len(self.diverged) == len(self.game.members):
                last = max(self.diverged.values(), key=lambda d: d.step)
                last.beside = dict(self.diverged)
                raise last
        self._safe = self.state()

    def frames(self, moment: Moment | None = None) -> tuple[Frame | Diverged, ...]:
        """The pictures now, or what stands in their place; moment: what has just happened, in slow motion. Raises
        `Diverged` when no seed is left."""
        if not healthy(self.game, self.alive):
            self.check()
        frames = self.recorder.frames(gradients=self.game.taken > 0, moment=moment)
        spoilt = _spoilt(frames)
        if set(spoilt) & set(self.alive):
            self.check(spoilt)
        return tuple(self.diverged.get(i, frame) for i, frame in enumerate(frames))


def _spoilt(frames: Iterable[Frame]) -> list[int]:
    """The seeds whose pictures hold what is no finite number."""
    return [i for i, f in enumerate(frames) if not all(np.all(np.isfinite(a)) for a in f.arrays.values())]
