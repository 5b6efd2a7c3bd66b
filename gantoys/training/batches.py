"""The random numbers of a run, so that any step can be drawn again by itself.

Numbers are drawn for 64 steps at once (one call costs little more than for one step). Each kind of number, for each of
the moves of a step, has its own generator, seeded by the run's seed, the chunk of 64 steps and that kind: so a run goes
on from any step without a saved generator, a branch meets the same numbers as the run it came from, and a seed draws
the same ones alone or beside others.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from gantoys.runs.config import Target, TrainConfig

CHUNK = 64
REAL, NOISE_D, NOISE_G, BETWEEN, INSTANCE_REAL, INSTANCE_FAKE, INSTANCE_G, DATASET = range(8)


def entropy(seed: int, *key: int) -> np.random.SeedSequence:
    """The source of all generators: the run's seed and a key. Training uses keys of three numbers, pictures of one."""
    return np.random.SeedSequence([seed, *key])


def torch_generator(source: np.random.SeedSequence) -> torch.Generator:
    """A generator of torch's, seeded by `source`."""
    return torch.Generator().manual_seed(int(source.generate_state(1, np.uint64)[0]) >> 1)


@dataclass(frozen=True)
class Move:
    """What one move of a player needs. real (S, n, d), z (S, n, noise_dim), between (S, n / pac, 1) in [0, 1],
    instance_real and instance_fake (S, n, d), standard normal; None where the config does not use it."""

    real: Tensor | None
    z: Tensor
    between: Tensor | None = None
    instance_real: Tensor | None = None
    instance_fake: Tensor | None = None


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
    def _dataset(self) -> list[np.ndarray]:
        """The fixed training set of each seed, (dataset, d)."""
        size = self.config.dataset
        return [self._fresh(size, np.random.default_rng(entropy(s, 0, DATASET, 0))) for s in self.seeds]

    def _fresh(self, n: int, rng: np.random.Generator) -> np.ndarray:
        return np.asarray(self._target.sample(n, rng), np.float32).reshape(n, self._target.dim)

    def _draw(self, kind: int, move: int, seed: int, index: int) -> Tensor:
        c, source = self.config, entropy(seed, self._chunk, kind, move)
        n = CHUNK * c.batch
        if kind == REAL:
            rng = np.random.default_rng(source)
            points = self._dataset[index][rng.integers(c.dataset, size=n)] if c.dataset else self._fresh(n, rng)
            return torch.from_numpy(points).view(CHUNK, c.batch, -1)
        generator = torch_generator(source)
        if kind == BETWEEN:
            return torch.rand(CHUNK, c.batch // c.pac, 1, generator=generator)
        if kind in (NOISE_D, NOISE_G):
            shape = (CHUNK, c.batch, c.noise_dim)
            if c.noise == "uniform":
                return torch.rand(shape, generator=generator) * 2 - 1
            return torch.randn(shape, generator=generator)
        return torch.randn(CHUNK, c.batch, self._target.dim, generator=generator)

    def _get(self, kind: int, move: int, step: int) -> Tensor:
        """Numbers of one kind for the step from `step` to `step + 1`, (S, n, ...)."""
        chunk, row = divmod(step, CHUNK)
        if chunk != self._chunk:
            self._chunk, self._drawn = chunk, {}
        found = self._drawn.get((kind, move))
        if found is None:
            # one draw a seed, side by side: (CHUNK, S, n, ...)
            parts = [self._draw(kind, move, seed, i) for i, seed in enumerate(self.seeds)]
            found = torch.stack(parts, 1).to(device=self.device, dtype=self.dtype).unbind()
            self._drawn[kind, move] = found
        return found[row]

    def for_d(self, now: TrainConfig, step: int, move: int) -> Move:
        """What D's move number `move` of a step needs, under the fields `now` in force."""
        noisy = now.instance_noise > 0
        return Move(
            self._get(REAL, move, step),
            self._get(NOISE_D, move, step),
            self._get(BETWEEN, move, step) if now.gp or now.gp0 else None,
            self._get(INSTANCE_REAL, move, step) if noisy else None,
            self._get(INSTANCE_FAKE, move, step) if noisy else None,
        )

    def for_g(self, now: TrainConfig, step: int, move: int, *, real: bool) -> Move:
        """What G's move number `move` needs; the real points, where it looks at any, are those of D's last move."""
        noisy = now.instance_noise > 0
        last = max(0, now.d_steps - 1)
        return Move(
            self._get(REAL, last, step) if real else None,
            self._get(NOISE_G, move, step),
            None,
            self._get(INSTANCE_REAL, last, step) if noisy and real else None,
            self._get(INSTANCE_G, move, step) if noisy else None,
        )
