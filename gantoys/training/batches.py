"""The random numbers of a run, so that any step can be drawn again by itself.

Numbers are drawn for 64 steps at once (one call costs little more than for one step). Each kind of number, for each of
the moves of a step, has its own generator, seeded by the run's seed, the chunk of 64 steps and that kind: so a run goes
on from any step without a saved generator, a branch meets the same numbers as the run it came from, and a seed draws
the same ones alone or beside others.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from gantoys.maths.distributions import Mixture1D, Mixture2D
from gantoys.runs.config import Target, TrainConfig

CHUNK = 64
REAL, NOISE_D, NOISE_G, BETWEEN, INSTANCE_REAL, INSTANCE_FAKE, INSTANCE_G, DATASET, AHEAD, FAKE = range(10)
WEIGHTS, PICTURES = 100, 101  # of the first weights, and of what pictures show


def entropy(seed: int, *key: int) -> np.random.SeedSequence:
    """The source of all generators: the run's seed and a key of three numbers; shorter ones would be filled with 0."""
    return np.random.SeedSequence([seed, *key])


def torch_generator(source: np.random.SeedSequence) -> torch.Generator:
    """A generator of torch's, seeded by `source`."""
    return torch.Generator().manual_seed(int(source.generate_state(1, np.uint64)[0]) >> 1)


def noise_of(config: TrainConfig, n: int, generator: torch.Generator) -> Tensor:
    """Noise for n generated points, (n, noise_dim), of the config's kind."""
    shape = n, config.noise_dim
    if config.noise == "uniform":
        return torch.rand(shape, generator=generator) * 2 - 1
    return torch.randn(shape, generator=generator)


class Points:
    """Draws of one law as torch wants them."""

    def __init__(self, law: Target) -> None:
        self.law = law
        self._parts: tuple[Tensor, Tensor, Tensor] | None = None
        if isinstance(law, Mixture1D | Mixture2D) and all(kind == "normal" for kind in law.kinds):
            # weights up to each normal (K,), centres (K, d), factors (K, d, d)
            wide = law.factors if isinstance(law, Mixture2D) else law.scales[:, None, None]
            parts = (np.cumsum(law.weights), law.locs.reshape(-1, law.dim), wide)
            edges, locs, factors = (torch.from_numpy(np.array(a, np.float32)) for a in parts)
            self._parts = edges[:-1].contiguous(), locs, factors

    def __call__(self, n: int, source: np.random.SeedSequence) -> Tensor:
        """New points (n, d)."""
        if self._parts is not None:
            return self._normals(n, torch_generator(source), *self._parts)
        points = self.law.sample(n, np.random.default_rng(source))
        return torch.from_numpy(np.asarray(points, np.float32).reshape(n, self.law.dim))

    @staticmethod
    def _normals(n: int, generator: torch.Generator, edges: Tensor, locs: Tensor, factors: Tensor) -> Tensor:
        """Points of a mixture of normals, the most frequent target: several times as fast as by its own `sample`."""
        part = torch.bucketize(torch.rand(n, generator=generator), edges, right=True)
        z = torch.randn(n, locs.shape[1], generator=generator)
        same = factors[0]
        if bool((factors == same).all()):
            return torch.addmm(locs.index_select(0, part), z, same.T)
        return torch.baddbmm(locs.index_select(0, part).unsqueeze(1), z.unsqueeze(1), factors[part].mT).squeeze(1)


class Move(NamedTuple):
    """What one move of a player needs. real (S, n, d), z (S, n, noise_dim), between (S, n / pac, 1) in [0, 1],
    instance_real and instance_fake (S, n, d), standard normal; None where the config does not use it.

    ahead (S, 2 n, noise_dim): z with the noise of G's next move after it; z may then be None here, and in that move.
    fake (S, n, d): generated points that come from a law, in place of z.
    """

    real: Tensor | None
    z: Tensor | None
    between: Tensor | None = None
    instance_real: Tensor | None = None
    instance_fake: Tensor | None = None
    ahead: Tensor | None = None
    fake: Tensor | None = None


@dataclass
class Batches:
    """The moves of any step of a config, for some of its seeds."""

    config: TrainConfig
    seeds: tuple[int, ...]
    dtype: torch.dtype = torch.float32
    device: str = "cpu"

    def __post_init__(self) -> None:
        self._chunk = -1
        self._drawn: dict[tuple[int, int], tuple[Tensor, ...]] = {}

    @cached_property
    def _target(self) -> Target:
        return self.config.target()

    @cached_property
    def _dataset(self) -> list[Tensor]:
        """The fixed training set of each seed, (dataset, d)."""
        size = self.config.dataset
        return [self._real(size, entropy(s, 0, DATASET, 0)) for s in self.seeds]

    @cached_property
    def _real(self) -> Points:
        return Points(self._target)

    @cached_property
    def _fake(self) -> Points:
        law = self.config.fake()
        assert law is not None
        return Points(law)

    def _draw(self, kind: int, move: int, seed: int, index: int) -> Tensor:
        c, source = self.config, entropy(seed, self._chunk, kind, move)
        n = CHUNK * c.batch
        if kind == REAL:
            if c.dataset:
                chosen = torch.randint(c.dataset, (n,), generator=torch_generator(source))
                return self._dataset[index][chosen].view(CHUNK, c.batch, -1)
            return self._real(n, source).view(CHUNK, c.batch, -1)
        if kind == FAKE:
            return self._fake(n, source).view(CHUNK, c.batch, -1)
        generator = torch_generator(source)
        if kind == BETWEEN:
            return torch.rand(CHUNK, c.batch // c.pac, 1, generator=generator)
        if kind in (NOISE_D, NOISE_G):
            shape = (CHUNK, c.batch, c.noise_dim)
            if c.noise == "uniform":
                return torch.rand(shape, generator=generator) * 2 - 1
            return torch.randn(shape, generator=generator)
        return torch.randn(CHUNK, c.batch, self._target.dim, generator=generator)

    def _turn_to(self, chunk: int) -> None:
        if chunk != self._chunk:
            self._chunk, self._drawn = chunk, {}

    def _get(self, kind: int, move: int, step: int) -> Tensor:
        """Numbers of one kind for the step from `step` to `step + 1`, (S, n, ...)."""
        chunk, row = divmod(step, CHUNK)
        self._turn_to(chunk)
        found = self._drawn.get((kind, move))
        if found is None:
            # one draw a seed, side by side: (CHUNK, S, n, ...)
            parts = [self._draw(kind, move, seed, i) for i, seed in enumerate(self.seeds)]
            found = torch.stack(parts, 1).to(device=self.device, dtype=self.dtype).unbind()
            self._drawn[kind, move] = found
        return found[row]

    def for_d(self, now: TrainConfig, step: int, move: int, *, ahead: bool = False) -> Move:
        """What D's move number `move` of a step needs, under the fields `now` in force.

        ahead: whether the noise of G's next move is wanted with it, if G moves next.
        """
        noisy = now.instance_noise > 0
        ahead = ahead and now.g_steps > 0 and move == now.d_steps - 1 and now.order == "alternating"
        return Move(
            self._get(REAL, move, step),
            None if ahead or now.fake_law else self._get(NOISE_D, move, step),
            self._get(BETWEEN, move, step) if now.gp or now.gp0 else None,
            self._get(INSTANCE_REAL, move, step) if noisy else None,
            self._get(INSTANCE_FAKE, move, step) if noisy else None,
            self._ahead(move, step) if ahead else None,
            self._get(FAKE, move, step) if now.fake_law else None,
        )

    def _ahead(self, move: int, step: int) -> Tensor:
        """The noise of D's move and of G's first one, (S, 2 n, noise_dim)."""
        chunk, row = divmod(step, CHUNK)
        self._turn_to(chunk)
        found = self._drawn.get((AHEAD, move))
        if found is None:
            c, n = self.config, self.config.batch
            room = torch.empty(CHUNK, len(self.seeds), 2 * n, c.noise_dim, dtype=self.dtype, device=self.device)
            for i, seed in enumerate(self.seeds):
                room[:, i, :n] = self._draw(NOISE_D, move, seed, i)
                room[:, i, n:] = self._draw(NOISE_G, 0, seed, i)
            found = self._drawn[AHEAD, move] = room.unbind()
        return found[row]

    def for_g(self, now: TrainConfig, step: int, move: int, *, real: bool, ahead: bool = False) -> Move:
        """What G's move number `move` needs; the real points, where it looks at any, are those of D's last move.

        ahead: whether its noise was given to D's last move with `ahead`.
        """
        noisy = now.instance_noise > 0
        last = max(0, now.d_steps - 1)
        return Move(
            self._get(REAL, last, step) if real else None,
            None if ahead and move == 0 and now.d_steps else self._get(NOISE_G, move, step),
            # for those who look ahead to D's next moves
            self._get(BETWEEN, last, step) if now.unrolled and (now.gp or now.gp0) else None,
            self._get(INSTANCE_REAL, last, step) if noisy and real else None,
            self._get(INSTANCE_G, move, step) if noisy else None,
        )
