"""Both players' gradients by autograd: every remedy, every activation, and what the closed form is held to.

Losses are means over the points of a seed and sums over the seeds: the seeds never meet, so the gradient of the sum
holds each seed's own.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from gantoys.maths.losses import LOSSES
from gantoys.runs.config import TrainConfig
from gantoys.training.batches import Move
from gantoys.training.layers import pack
from gantoys.training.optimisers import OPTIMISERS, State
from gantoys.training.player import Player

Gradient = Callable[[Tensor], Tensor]


def unrolled(
    loss_d: Callable[[Tensor], Tensor],
    psi: Tensor,
    state: State,
    *,
    optimiser: str,
    steps: int,
    lr: float,
    beta1: float,
    beta2: float,
    clip: float = 0.0,
) -> Tensor:
    """D's numbers after `steps` moves down loss_d(psi), as a function of all that the loss depends on.

    The moves are those of the inner optimiser, from its present state, and autograd goes through them (Metz et al.
    2017, eq. 5 and 9): with the moves held fixed, half of the answer would be missing.
    """
    rule = OPTIMISERS[optimiser]
    psi = psi.detach().requires_grad_(True)
    for _ in range(steps):
        (grad,) = torch.autograd.grad(loss_d(psi), psi, create_graph=True)
        psi, state = rule.moved(psi, grad, state, lr, beta1, beta2)
        if clip:
            psi = psi.clamp(-clip, clip)
    return psi


class Reference:
    """Gradients of any config. real, fake: what D said in its last move, (S, packs, 1); x_real, x_fake: of which
    points, as packs (S, packs, pac d)."""

    def __init__(self, config: TrainConfig, g: Player, d: Player) -> None:
        self.config, self.g, self.d, self.pac = config, g, d, config.pac
        packs = config.batch // config.pac
        self.real = self.fake = g.theta.new_zeros(g.seeds, packs, 1)
        self.x_real = self.x_fake = g.theta.new_zeros(g.seeds, packs, config.pac * config.dim)

    # --- what D and G minimise

    def terms_d(
        self,
        now: TrainConfig,
        psi: Tensor,
        real: Tensor,
        fake: Tensor,
        between: Tensor | None,
        *,
        beside: tuple[Tensor, Tensor] | None = None,
        learning: bool = False,
    ) -> Tensor:
        """D's loss with its penalties, pack by pack, (S, packs): its mean is what D minimises. real and fake are packs
        (S, packs, pac d); between (S, packs, 1): where a penalty looks between them; beside: as in `terms_g`."""
        judge, loss = self.d.network, LOSSES[now.loss]
        if learning:
            judge.refresh(psi, self.d.memory)
        beside_real, beside_fake = beside if beside is not None else (None, None)
        a_real = judge(psi, real, self.d.memory, beside=beside_real)[0]
        a_fake = judge(psi, fake, self.d.memory, beside=beside_fake)[0]
        if learning:
            self.real, self.fake = a_real.detach(), a_fake.detach()
            self.x_real, self.x_fake = real.detach(), fake.detach()
        terms: Tensor = loss.discriminator_loss(a_real, a_fake)
        if now.label_smoothing:
            terms = terms + now.label_smoothing * (loss.fake(a_real) - loss.real(a_real))
        terms = terms.squeeze(-1)
        if now.r1:
            terms = terms + now.r1 / 2 * self._slope(psi, real, beside_real).square().sum(-1)
        if now.r2:
            terms = terms + now.r2 / 2 * self._slope(psi, fake, beside_fake).square().sum(-1)
        if (now.gp or now.gp0) and between is not None:
            slope = self._slope(psi, torch.lerp(fake, real, between), beside_fake)
            if now.gp:
                terms = terms + now.gp * (torch.linalg.vector_norm(slope, dim=-1) - 1).square()
            if now.gp0:
                terms = terms + now.gp0 * slope.square().sum(-1)
        return terms

    def loss_d(
        self,
        now: TrainConfig,
        psi: Tensor,
        real: Tensor,
        fake: Tensor,
        between: Tensor | None,
        *,
        learning: bool = False,
    ) -> Tensor:
        """The mean of `terms_d`, summed over the seeds."""
        return self.terms_d(now, psi, real, fake, between, learning=learning).mean(1).sum()

    def _slope(self, psi: Tensor, x: Tensor, beside: Tensor | None = None) -> Tensor:
        """dD/dx at each point."""
        # a copy: psi may depend on x too, when it has been unrolled, and that way does not count here
        x = x.clone() if x.requires_grad else x.detach().requires_grad_(True)
        said = self.d.network(psi, x, self.d.memory, beside=beside)[0]
        (slope,) = torch.autograd.grad(said.sum(), x, create_graph=True)
        return slope

    def terms_g(
        self,
        now: TrainConfig,
        psi: Tensor,
        real: Tensor | None,
        fake: Tensor,
        *,
        beside: tuple[Tensor, Tensor] | None = None,
    ) -> Tensor:
        """G's loss, pack by pack, (S, packs): its mean is what G minimises. beside: as in `Network`, of real and of
        generated packs that are not a whole batch."""
        judge, loss = self.d.network, LOSSES[now.loss]
        beside_real, beside_fake = beside if beside is not None else (None, None)
        a_fake, features = judge(psi, fake, self.d.memory, beside=beside_fake)
        if now.feature_matching:
            assert real is not None
            wanted = judge(psi, real, self.d.memory)[1]
            gap = features.mean(1, keepdim=True) - wanted.mean(1, keepdim=True)
            # Salimans et al. 2016, section 3.1; what a point adds to it: its part of the mean, to first order
            matched = gap.square().sum((1, 2))[:, None]
            own = (gap * (features - features.mean(1, keepdim=True))).sum(-1)
            return matched + 2 * (own - (gap * (wanted - wanted.mean(1, keepdim=True))).sum(-1)).detach()
        a_real = judge(psi, real, self.d.memory, beside=beside_real)[0] if loss.paired and real is not None else None
        terms: Tensor = loss.generator_loss(a_real, a_fake)
        return terms.squeeze(-1)

    def loss_g(
        self,
        now: TrainConfig,
        psi: Tensor,
        real: Tensor | None,
        fake: Tensor,
        *,
        beside: tuple[Tensor, Tensor] | None = None,
    ) -> Tensor:
        """The mean of `terms_g`, summed over the seeds."""
        return self.terms_g(now, psi, real, fake, beside=beside).mean(1).sum()

    def looks_ahead(self, now: TrainConfig, psi: Tensor, real: Tensor, fake: Tensor, between: Tensor | None) -> Tensor:
        """D's numbers as an unrolled G sees them: after the moves of D to come."""
        return unrolled(
            lambda psi: self.loss_d(now, psi, real, fake, between),
            psi, self.d.state, optimiser=self.d.optimiser, steps=now.unrolled,
            lr=now.lr_d, beta1=now.beta1, beta2=now.beta2, clip=now.clip,
        )  # fmt: skip

    # --- points

    def _made(self, theta: Tensor, move: Move, noise: float, *, learning: bool) -> Tensor:
        if move.fake is not None:
            fake = move.fake
        else:
            assert move.z is not None
            fake = self.g.network(theta, move.z, self.g.memory, learning=learning)[0]
        if move.instance_fake is not None:
            fake = fake + noise * move.instance_fake
        return pack(fake, self.pac)

    def _seen(self, move: Move, noise: float) -> Tensor | None:
        if move.real is None:
            return None
        real = move.real if move.instance_real is None else move.real + noise * move.instance_real
        return pack(real, self.pac)

    # --- gradients

    @torch.enable_grad()
    def gradient_d(self, now: TrainConfig, move: Move, noise: float) -> None:
        """Writes the gradient of D's loss. noise: deviation of the instance noise."""
        real = self._seen(move, noise)
        assert real is not None
        with torch.no_grad():
            fake = self._made(self.g.theta, move, noise, learning=True)
        psi = self.d.theta.detach().requires_grad_(True)
        loss = self.loss_d(now, psi, real, fake, move.between, learning=True)
        self.d.grad.copy_(torch.autograd.grad(loss, psi)[0])

    @torch.enable_grad()
    def gradient_g(self, now: TrainConfig, move: Move, noise: float) -> None:
        """Writes the gradient of G's loss."""
        theta, psi = self.g.theta.detach().requires_grad_(True), self.d.theta
        real, fake = self._seen(move, noise), self._made(theta, move, noise, learning=True)
        if now.unrolled:
            assert real is not None
            psi = self.looks_ahead(now, psi, real, fake, move.between)
        loss = self.loss_g(now, psi, real, fake)
        self.g.grad.copy_(torch.autograd.grad(loss, theta)[0])

    @torch.enable_grad()
    def gradient_both(self, now: TrainConfig, move: Move, noise: float) -> None:
        """Writes both gradients at once with the consensus term: v + gamma grad |v|^2 / 2 (Mescheder et al. 2017)."""
        theta = self.g.theta.detach().requires_grad_(True)
        psi = self.d.theta.detach().requires_grad_(True)
        grad_g, grad_d = self.gradients(now, theta, psi, move, noise)
        self.g.grad.copy_(grad_g.detach())
        self.d.grad.copy_(grad_d.detach())

    def gradients(
        self, now: TrainConfig, theta: Tensor, psi: Tensor, move: Move, noise: float, *, again: bool = False
    ) -> tuple[Tensor, Tensor]:
        """Both gradients where the players stand at theta and psi, consensus included. again: to be differentiated."""
        real, fake = self._seen(move, noise), self._made(theta, move, noise, learning=True)
        assert real is not None
        (v_d,) = torch.autograd.grad(
            self.loss_d(now, psi, real, fake, move.between, learning=True), psi, create_graph=True
        )
        (v_g,) = torch.autograd.grad(self.loss_g(now, psi, real, fake), theta, create_graph=True)
        if not now.consensus:
            return v_g, v_d
        length = now.consensus / 2 * (v_d.square().sum() + v_g.square().sum())
        more_g, more_d = torch.autograd.grad(length, (theta, psi), create_graph=again)
        return v_g + more_g, v_d + more_d
