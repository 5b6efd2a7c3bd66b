"""The game of a config for some of its seeds: who moves when, and by which gradient."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from gantoys.maths.losses import LOSSES
from gantoys.runs.config import TrainConfig
from gantoys.runs.film_file import POPULATION
from gantoys.training.batches import PICTURES, WEIGHTS, Batches, Move, entropy, noise_of, torch_generator
from gantoys.training.closed_form import ClosedForm, covers
from gantoys.training.networks import Network, discriminator_network, generator_network
from gantoys.training.player import Player
from gantoys.training.reference import Reference

STATISTICS = 12  # which of the pictures' random numbers batch normalisation takes its statistics from


@dataclass(frozen=True)
class Moment:
    """A moment inside one step, for slow motion. what: "sees real", "sees fake", "D moves" or "G moves". points
    (S, n, d) and logits (S, n / pac, 1): what D looks at and says, where it looks."""

    what: str
    points: Tensor | None = None
    logits: Tensor | None = None


class Game:
    """Both players of the seeds `members` of a config, and the random numbers they meet.

    dtype: single precision, or double to check the mathematics. closed: whether gradients are written out rather than
    found by autograd; None for the choice that `covers` makes. device: torch's name of one.
    """

    def __init__(
        self,
        config: TrainConfig,
        members: range | None = None,
        *,
        dtype: torch.dtype = torch.float32,
        device: str = "cpu",
        closed: bool | None = None,
    ) -> None:
        self.config, self.members = config, members if members is not None else range(config.seeds)
        self.seeds = tuple(config.seed + m for m in self.members)
        self.batches = Batches(config, self.seeds, dtype, device)
        g, d = generator_network(config), discriminator_network(config)

        def player(network: Network, which: int) -> Player:
            generators = [torch_generator(entropy(seed, 0, WEIGHTS, which)) for seed in self.seeds]
            theta = network.first(config.init, config.init_scale, generators).to(device=device, dtype=dtype)
            return Player(network, theta, config.optimiser)

        self.g, self.d = player(g, 0), player(d, 1)
        self.average = self.g.theta.clone() if config.ema else None
        self.taken = 0
        self._population: Tensor | None = None
        segments = [config.at(step) for step in sorted({0, *(c.step for c in config.changes)})]
        self._closed = closed
        self.autograd = not all(self._is_closed(c) for c in segments)  # whether a step of the run will need it
        self._ways: dict[bool, ClosedForm | Reference] = {}
        self._set_fields()

    def _is_closed(self, now: TrainConfig) -> bool:
        return self._closed if self._closed is not None else covers(now, self.g.network, self.d.network)

    def _set_fields(self) -> None:
        """The fields in force at the step that comes next, by what its gradients come, and when that changes again."""
        self.now = self.config.at(self.taken)
        # by the fields in force alone: a run and its branch must agree to the last bit until they part
        closed = self._is_closed(self.now)
        if closed not in self._ways:
            with torch.inference_mode(False):  # room that is written to from outside of that mode too
                self._ways[closed] = (ClosedForm if closed else Reference)(self.config, self.g, self.d)
        self.passes = self._ways[closed]
        later = [c.step for c in self.config.changes if c.step > self.taken]
        self._until = min(later, default=self.config.steps + 1)
        now = self.now
        self._ahead = closed  # written-out passes push the noise of both moves through G at once
        self._looks_at_real = LOSSES[now.loss].paired or now.feature_matching or now.unrolled > 0

    def noise(self) -> float:
        """The deviation of the instance noise in the step that comes next."""
        now = self.now
        if not now.instance_noise or not now.instance_noise_steps:
            return now.instance_noise
        return now.instance_noise * max(0.0, 1 - self.taken / now.instance_noise_steps)

    def step(self) -> None:
        """One step: the moves of both players, in the order that the config says."""
        now = self.now
        if now.order == "simultaneous":
            for _ in self.moments(watched=False):
                pass
            return
        noise, passes = self.noise(), self.passes
        for k in range(now.d_steps):
            passes.gradient_d(now, self._for_d(k), noise)
            self._move_d()
        for k in range(now.g_steps):
            passes.gradient_g(now, self._for_g(k), noise)
            self._move_g()
        self._taken()

    def moments(self, *, watched: bool = True) -> Iterator[Moment]:
        """One step, moment by moment; when it is exhausted it has done what `step` does, to the last bit.

        The last moment comes when the step has been taken.
        """
        now, noise, passes = self.now, self.noise(), self.passes
        if now.order == "simultaneous":
            move = self.batches.for_d(now, self.taken, 0)
            if isinstance(passes, Reference) and now.consensus:
                passes.gradient_both(now, move, noise)
            else:
                passes.gradient_d(now, move, noise)
                passes.gradient_g(now, move, noise)
            if watched:
                yield from self._looks()
            self._move_d()
            if watched:
                yield Moment("D moves")
            self._move_g()
        else:
            for k in range(now.d_steps):
                move = self._for_d(k)
                passes.gradient_d(now, move, noise)
                if watched:
                    yield from self._looks()
                self._move_d()
                if watched and (now.g_steps or k + 1 < now.d_steps):
                    yield Moment("D moves")
            for k in range(now.g_steps):
                passes.gradient_g(now, self._for_g(k), noise)
                self._move_g()
        self._taken()
        if watched:
            yield Moment("G moves" if now.g_steps else "D moves")

    def _for_d(self, move: int) -> Move:
        return self.batches.for_d(self.now, self.taken, move, ahead=self._ahead)

    def _for_g(self, move: int) -> Move:
        return self.batches.for_g(self.now, self.taken, move, real=self._looks_at_real, ahead=self._ahead)

    def _taken(self) -> None:
        self.taken += 1
        if self.taken >= self._until:
            self._set_fields()

    def _looks(self) -> Iterator[Moment]:
        seeds, passes, config = len(self.seeds), self.passes, self.config
        for what, points, said in (
            ("sees real", passes.x_real, passes.real), ("sees fake", passes.x_fake, passes.fake),
        ):  # fmt: skip
            yield Moment(what, points.reshape(seeds, -1, config.dim).clone(), said.reshape(seeds, -1, 1).clone())

    def _move_d(self) -> None:
        now = self.now
        self.d.move(now.lr_d, now.beta1, now.beta2, now.historical_averaging)
        if now.clip:
            self.d.theta.clamp_(-now.clip, now.clip)

    def _move_g(self) -> None:
        now = self.now
        self.g.move(now.lr_g, now.beta1, now.beta2, now.historical_averaging)
        if self.average is not None:
            self.average.lerp_(self.g.theta, 1 - now.ema)

    @property
    def shown(self) -> Tensor:
        """G's numbers as it is shown: their running average where the config keeps one."""
        return self.average if self.average is not None else self.g.theta

    @torch.no_grad()
    def settle(self) -> None:
        """Let batch normalisation take its statistics from a whole population of points, as G is now: with them single
        points are shown. Moves use the statistics of their batch and do not meet them."""
        if not self.g.network.normalised:
            return
        if self._population is None:
            drawn = [
                noise_of(self.config, POPULATION, torch_generator(entropy(seed, 0, PICTURES, STATISTICS)))
                for seed in self.seeds
            ]
            self._population = torch.stack(drawn).to(self.g.theta)
        self.g.network.settle(self.shown, self._population, self.g.memory)

    def generated(self, z: Tensor) -> Tensor:
        """The points of z (S, n, noise_dim) as G is shown."""
        return self.g.network.values(self.shown, z, self.g.memory)

    def state(self) -> dict[str, np.ndarray]:
        """All that decides what comes next and what is shown, as copies."""
        self.settle()
        return {name: t.detach().cpu().numpy().copy() for name, t in self._tensors().items()} | {
            "step": np.array(self.taken, np.int64)
        }

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        """Go on from a state that `state` gave. Raises ValueError when it belongs to another game."""
        for who, player in (("g", self.g), ("d", self.d)):
            # whether it is there depends on the steps behind the state
            if f"{who}-mean" in state:
                player.begin_mean()
            else:
                player.mean = None
        tensors = self._tensors()
        wanted = {name: tuple(t.shape) for name, t in tensors.items()} | {"step": ()}
        if {name: np.shape(a) for name, a in state.items()} != wanted:
            raise ValueError("the saved state belongs to another run")
        for name, tensor in tensors.items():
            tensor.copy_(torch.from_numpy(np.array(state[name])))
        self.taken = int(state["step"])
        self._set_fields()

    def _tensors(self) -> dict[str, Tensor]:
        named = {f"{who}-{k}": t for who, p in (("g", self.g), ("d", self.d)) for k, t in p.tensors().items()}
        return named | ({"average": self.average} if self.average is not None else {})
