"""What a film shows where the generated points come from a law and G stands aside: its points, its mass, D's slopes."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from gantoys.runs.film_file import SLOPES
from gantoys.training import line
from gantoys.training.batches import PICTURES, entropy
from gantoys.training.game import Game

Array = np.ndarray
_FAKE, _BETWEEN = 10, 11  # which of the picture's random numbers


class FixedLaw:
    """The law `fake_law` of a game's config in pictures. real (S, n, d): real points, those shown first. edges: of the
    cells, on the line.

    samples (S, n, d): as many of its points. mass (m + 2,): in the cells and beyond them, on the line. probes
    (S, 3 m, d): where D's slope is measured: at generated points, at real ones, and evenly drawn between one of either
    kind, as WGAN-GP penalises them (Gulrajani et al. 2017, section 4).
    """

    def __init__(self, game: Game, real: Tensor, edges: Array | None) -> None:
        law = game.config.fake()
        assert law is not None
        self.game, seeds, drawn = game, game.seeds, real.shape[1]

        def rng(seed: int, use: int) -> np.random.Generator:
            return np.random.default_rng(entropy(seed, 0, PICTURES, use))

        points = [law.sample(drawn, rng(seed, _FAKE)).reshape(drawn, -1) for seed in seeds]
        self.count = min(SLOPES, game.config.shown)
        shares = [rng(seed, _BETWEEN).uniform(size=(self.count, 1)) for seed in seeds]
        self.samples, share = (torch.as_tensor(np.stack(a)).to(real) for a in (points, shares))
        fake, real = self.samples[:, : self.count], real[:, : self.count]
        self.probes = torch.cat([fake, real, torch.lerp(fake, real, share)], 1)
        self.mass = None if edges is None else line.target_mass(law, edges)

    def slopes(self) -> Tensor:
        """|dD/dx| of D's logit at the probes, (S, 3, m): generated, real, between."""
        game = self.game
        # the players' numbers may have been made where autograd must not look: copies of them were not
        with torch.inference_mode(False), torch.enable_grad():
            x, psi = self.probes.clone().requires_grad_(True), game.d.theta.clone()
            said = game.d.network(psi, x, game.d.memory)[0]
            (slope,) = torch.autograd.grad(said.sum(), x)
        return torch.linalg.vector_norm(slope, dim=-1).unflatten(1, (3, self.count))
