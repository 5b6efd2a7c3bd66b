"""What D and G minimise at the points of a picture, with all that a run adds to the mean of its loss."""

from collections.abc import Callable

import torch
from torch import Tensor

from gantoys.training.batches import PICTURES, entropy, torch_generator
from gantoys.training.game import Game
from gantoys.training.layers import pack
from gantoys.training.networks import Network
from gantoys.training.reference import Reference

_BETWEEN, _INSTANCE = 3, 4  # what the pictures' random numbers are for, beside those of `record`


class Objectives:
    """What the players of a game minimise at real points (S, n, d) and at points that G makes of noise (S, n, k).

    beside: the last hidden layer of those real and generated points with which D compares, where it compares any.
    """

    def __init__(
        self, game: Game, real: Tensor, noise: Tensor, beside: Callable[[], tuple[Tensor, Tensor]] | None
    ) -> None:
        self.game, self.real, self.noise, self.beside = game, real, noise, beside

    def more_than_the_loss(self) -> bool:
        """Whether the players minimise more than the mean of the loss at the points as they are."""
        now = self.game.now
        return bool(
            now.r1 or now.r2 or now.gp or now.gp0 or now.label_smoothing or now.feature_matching or now.unrolled
            or now.historical_averaging or now.consensus or self.game.noise()
        )  # fmt: skip

    def __call__(self, samples: Tensor) -> tuple[Tensor, Tensor]:
        """What D and what G minimise at the real points and these generated ones, (S, n, d) as they: pack by pack,
        (S, packs) each, with all that the run adds to the loss."""
        game, c, now = self.game, self.game.config, self.game.now
        with torch.inference_mode(False), torch.enable_grad():
            real, fake = self.real.clone(), samples.clone()
            if noise := game.noise():
                real, fake = (
                    x + noise * torch.stack([self._normal(seed, _INSTANCE, x[0].shape, which) for seed in game.seeds])
                    for which, x in enumerate((real, fake))
                )
            real, fake = pack(real, c.pac), pack(fake, c.pac)
            between = torch.stack([self._uniform(seed, len(real[0])) for seed in game.seeds])
            psi, beside = game.d.theta.clone(), self.beside() if self.beside is not None else None
            told = Reference(c, game.g, game.d)
            terms_d = told.terms_d(now, psi, real, fake, between, beside=beside).detach()
            if now.unrolled:
                psi = told.looks_ahead(now, psi, real, fake, between)
            terms_g = told.terms_g(now, psi, real, fake, beside=beside).detach()
            if now.consensus:
                theta, psi = (p.theta.clone().requires_grad_(True) for p in (game.g, game.d))
                made = pack(game.g.network(theta, self.noise, learning=True)[0], c.pac)
                (v_d,) = torch.autograd.grad(told.loss_d(now, psi, real, made.detach(), between), psi)
                (v_g,) = torch.autograd.grad(told.loss_g(now, psi, real, made), theta)
                length = _squares(game.d.network, v_d) + _squares(game.g.network, v_g)
                terms_d, terms_g = (x + now.consensus / 2 * length[:, None] for x in (terms_d, terms_g))
        if now.historical_averaging:
            terms_d, terms_g = (
                x if (mean := p.mean) is None
                else x + now.historical_averaging * _squares(p.network, p.theta - mean)[:, None]
                for x, p in ((terms_d, game.d), (terms_g, game.g))
            )  # fmt: skip
        return terms_d, terms_g

    def _normal(self, seed: int, use: int, shape: torch.Size, which: int) -> Tensor:
        generator = torch_generator(entropy(seed, 0, PICTURES, 2 * use + which))
        return torch.randn(shape, generator=generator).to(self.noise)

    def _uniform(self, seed: int, count: int) -> Tensor:
        generator = torch_generator(entropy(seed, 0, PICTURES, 2 * _BETWEEN))
        return torch.rand((count, 1), generator=generator).to(self.noise)


def _squares(network: Network, flat: Tensor) -> Tensor:
    """The squared length of each seed's numbers, (S,)."""
    return torch.stack([part.square().sum((1, 2)) for part in network.views(flat).values()]).sum(0)
