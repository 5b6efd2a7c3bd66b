"""What a frame of a film holds, and how it is taken from the networks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import logsigmoid

from gantoys.runs.config import Plane, TrainConfig

ROOM = 1.15  # side of the picture, in sides of the target's own box


@dataclass(frozen=True)
class Frame:
    """One picture of a run: `arrays` has an entry for every field of `gantoys.runs.film_file.frame_fields`."""

    step: int
    arrays: Mapping[str, Any]


class Playing(Protocol):
    """What a recorder looks at."""

    g: nn.Module
    d: nn.Module

    def loss_d(self, a_real: Tensor, a_fake: Tensor) -> Tensor: ...

    def loss_g(self, a_real: Tensor | None, a_fake: Tensor) -> Tensor: ...


@dataclass(frozen=True)
class View:
    """What stays the same in all pictures of a run: real points, noise, and the grid that D is drawn on.

    real (n, 2), noise (n, noise_dim), grid_x and grid_y (g,); a function of config alone.
    """

    real: np.ndarray
    noise: Tensor
    grid_x: np.ndarray
    grid_y: np.ndarray

    @classmethod
    def of(cls, config: TrainConfig, toy: Plane) -> View:
        """The view of a config. Its seeds are its own, so that looking does not change the training."""
        data, noise = np.random.SeedSequence([config.seed, 1]).spawn(2)
        low_x, high_x, low_y, high_y = _room(np.asarray(toy.box, float))
        return cls(
            real=toy.sample(config.shown, np.random.default_rng(data)),
            noise=torch.randn(
                config.shown,
                config.noise_dim,
                generator=torch.Generator().manual_seed(int(noise.generate_state(1)[0])),
            ),
            grid_x=np.linspace(low_x, high_x, config.grid),
            grid_y=np.linspace(low_y, high_y, config.grid),
        )


def _room(box: np.ndarray) -> np.ndarray:
    """The box with some room around it: points that miss the target should be seen to miss it."""
    low, high = box[0::2], box[1::2]
    centre, half = (low + high) / 2, (high - low) / 2 * ROOM
    return np.stack([centre - half, centre + half], 1).ravel()


class Recorder:
    """Takes pictures of a game."""

    def __init__(self, view: View, game: Playing) -> None:
        self.view, self.game = view, game
        x, y = np.meshgrid(view.grid_x, view.grid_y)
        self._grid = torch.from_numpy(np.stack([x.ravel(), y.ravel()], 1)).float()
        self._real = torch.from_numpy(view.real).float()

    @torch.no_grad()
    def frame(self, step: int) -> Frame:
        """The picture after `step` steps. Losses and V are means over the points of the picture."""
        game, side = self.game, len(self.view.grid_x)
        x_fake = game.g(self.view.noise)
        a_real, a_fake = game.d(self._real), game.d(x_fake)
        value = logsigmoid(a_real).mean() + logsigmoid(-a_fake).mean()
        arrays = {
            "step": step,
            "samples": x_fake.numpy(),
            "logits": game.d(self._grid).view(side, side).numpy(),
            "loss_d": game.loss_d(a_real, a_fake).item(),
            "loss_g": game.loss_g(a_real, a_fake).item(),
            "value": value.item(),
            "d_real": torch.sigmoid(a_real).mean().item(),
            "d_fake": torch.sigmoid(a_fake).mean().item(),
        }
        return Frame(step, arrays)
