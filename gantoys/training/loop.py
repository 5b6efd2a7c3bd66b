"""The textbook loop: D moves, G moves, and from time to time a picture is taken.

Per step: D sees a batch of real points and a batch of generated ones that carry no gradient back to G, and moves; then
G draws a new batch, D judges it, and G moves. `benchmarks/textbook.py` is the same loop in the words of a tutorial, and
the tests hold the two equal.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from gantoys.maths.losses import LOSSES
from gantoys.runs.config import Plane, TrainConfig
from gantoys.training.networks import Adam, players
from gantoys.training.record import Frame, Recorder, View

CHUNK = 64  # steps whose random numbers are drawn together: one call for many steps costs little more than one step's


class Diverged(Exception):
    """The run left the finite numbers. `step` is the step at which; the text is a sentence about it."""

    def __init__(self, step: int, what: str) -> None:
        super().__init__(f"Diverged at step {step}: {what} is no longer a finite number.")
        self.step = step


@dataclass
class Batches:
    """The random numbers of a run: real points, noise for D's move and noise for G's move, step by step.

    Real points come from a numpy generator and noise from a torch one, both seeded by `seed` alone.
    """

    toy: Plane
    batch: int
    noise_dim: int
    data_rng: np.random.Generator
    noise_rng: torch.Generator
    dtype: torch.dtype = torch.float32

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        """x_real (batch, 2), z for D and z for G (batch, noise_dim), without end."""
        while True:
            x = torch.from_numpy(self.toy.sample(CHUNK * self.batch, self.data_rng)).to(self.dtype)
            z = torch.randn(2, CHUNK, self.batch, self.noise_dim, generator=self.noise_rng, dtype=self.dtype)
            yield from zip(x.view(CHUNK, self.batch, 2), z[0], z[1], strict=True)


@dataclass
class Game:
    """Both networks, their optimisers and the loss: everything that a step changes or uses."""

    config: TrainConfig
    g: nn.Module
    d: nn.Module

    def __post_init__(self) -> None:
        c = self.config
        self.loss = LOSSES[c.loss]
        self.theta, self.psi = list(self.g.parameters()), list(self.d.parameters())
        self.opt_g = Adam(self.theta, lr=c.lr_g, beta1=c.beta1, beta2=c.beta2)
        self.opt_d = Adam(self.psi, lr=c.lr_d, beta1=c.beta1, beta2=c.beta2)

    def loss_d(self, a_real: Tensor, a_fake: Tensor) -> Tensor:
        """What D minimises, from the logits (n, 1) of real and of generated points."""
        return self.loss.discriminator_loss(a_real, a_fake).mean()

    def loss_g(self, a_real: Tensor | None, a_fake: Tensor) -> Tensor:
        """What G minimises. Only a paired loss looks at the real points."""
        return self.loss.generator_loss(a_real, a_fake).mean()

    def step(self, x_real: Tensor, z_d: Tensor, z_g: Tensor) -> tuple[Tensor, Tensor]:
        """One move of D and one of G; both losses as they were before the moves, without gradient."""
        with torch.no_grad():
            x_fake = self.g(z_d)
        loss_d = self.loss_d(self.d(x_real), self.d(x_fake))
        self.opt_d.step(torch.autograd.grad(loss_d, self.psi))

        self.d.requires_grad_(False)  # in G's move D is only a judge: its own gradients are not wanted
        a_real = self.d(x_real) if self.loss.paired else None
        loss_g = self.loss_g(a_real, self.d(self.g(z_g)))
        self.opt_g.step(torch.autograd.grad(loss_g, self.theta))
        self.d.requires_grad_(True)
        return loss_d.detach(), loss_g.detach()


def train(config: TrainConfig, should_stop: Callable[[], bool] = lambda: False) -> Iterator[Frame]:
    """Train the config's two networks and yield a frame after each of `config.recorded_steps()`, step 0 included.

    `should_stop` is asked before every step; when it says yes, the frames end early. Raises `Diverged` when a loss or a
    picture is no longer finite. The same config gives the same frames, bit for bit, on one machine with one thread.
    """
    data, *others = np.random.SeedSequence(config.seed).spawn(3)
    noise, weights = (torch.Generator().manual_seed(int(s.generate_state(1)[0])) for s in others)
    toy = config.target()
    game = Game(config, *players(config, weights))
    recorder = Recorder(View.of(config, toy), game)
    batches = iter(Batches(toy, config.batch, config.noise_dim, np.random.default_rng(data), noise))
    due = iter(config.recorded_steps().tolist())
    next(due)
    yield _finite(recorder.frame(0))
    wanted = next(due)
    for step in range(1, config.steps + 1):
        if should_stop():
            return
        loss_d, loss_g = game.step(*next(batches))
        if not math.isfinite(loss_d.item()):
            raise Diverged(step, "the discriminator's loss")
        if not math.isfinite(loss_g.item()):
            raise Diverged(step, "the generator's loss")
        if step == wanted:
            yield _finite(recorder.frame(step))
            wanted = next(due, 0)


def _finite(frame: Frame) -> Frame:
    for name, values in frame.arrays.items():
        if not np.all(np.isfinite(values)):
            raise Diverged(frame.step, f"{name} of the picture")
    return frame
