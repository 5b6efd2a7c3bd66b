"""Both players' gradients written out: forward, backward, and the double backward of a gradient penalty.

No autograd graph is built and nothing is allocated in a step: products write into buffers that are kept, gradients into
views of one flat vector. It covers plain networks; `gantoys.training.reference` does all the rest, and the tests hold
the two equal. One seed alone uses matrices, several use batches of matrices: the same lines serve both.
"""

from __future__ import annotations

import torch
from torch import Tensor

from gantoys.maths.losses import LOSSES
from gantoys.runs.config import TrainConfig
from gantoys.training import narrow
from gantoys.training.batches import Move
from gantoys.training.narrow import NarrowPasses
from gantoys.training.networks import ACTIVATIONS, Network
from gantoys.training.passes import Passes, Tape
from gantoys.training.player import Player

TINY = 1e-30


def covers(config: TrainConfig, g: Network, d: Network) -> bool:
    """Whether the passes of this module train such a config."""
    penalised = config.gp > 0 or config.gp0 > 0 or config.r1 > 0 or config.r2 > 0
    return (
        g.plain
        and d.plain
        and not (config.feature_matching or config.unrolled or config.consensus)
        and (ACTIVATIONS[d.activation].piecewise or not penalised)
    )


class ClosedForm:
    """Gradients of a plain config. `logits` is what D said in its last move: real packs first, then generated ones."""

    def __init__(self, config: TrainConfig, g: Player, d: Player) -> None:
        c, self.pac = config, config.pac
        like, seeds = g.theta, g.seeds
        self.alone = seeds == 1
        self.n, self.packs = c.batch, c.batch // c.pac
        self.piecewise = ACTIVATIONS[d.network.activation].piecewise

        def buffer(rows: int, columns: int) -> Tensor:
            shape = (rows, columns) if self.alone else (seeds, rows, columns)
            return like.new_zeros(shape)

        self.buffer = buffer
        self.g, self.d = (
            (NarrowPasses if narrow.covers(player.network, like) else Passes)(player, buffer) for player in (g, d)
        )
        dim, n, packs = config.dim, self.n, self.packs
        # real points, generated ones for D, generated ones for G: what D judges lies side by side
        self.x = buffer(3 * n, dim)
        self.x_real, self.x_fake, self.x_next = (self.x[..., k * n : (k + 1) * n, :] for k in range(3))
        self.tape_d = self.d.tape(self._packed(self.x[..., : 2 * n, :]))
        made = self.x[..., n:, :] if self.alone else buffer(2 * n, dim)
        self.tape_g = self.g.tape(buffer(2 * n, c.noise_dim), made)
        self.first, self.second = self.tape_g.rows(slice(0, n)), self.tape_g.rows(slice(n, None))
        self.ahead = False  # whether the second half holds the points of G's next move
        self.logits = self.tape_d.out
        self.real, self.fake = self.logits[..., :packs, :], self.logits[..., packs:, :]
        self.slope = buffer(2 * packs, 1)
        self.slope_real, self.slope_fake = self.slope[..., :packs, :], self.slope[..., packs:, :]
        self.room_d, self.room_g = self.d.slopes(2 * packs), self.g.slopes(n)
        self.judged = self.d.tape(self._packed(self.x_next))
        self.half = [room[..., :packs, :] for room in self.room_d]
        self.dx = buffer(n, dim)
        self.dx_packed = self._packed(self.dx)
        self.slope_g = buffer(packs, 1)
        # for the real points in G's move: `logits` keeps what D said in its own
        self.tape_real = self.tape_d.rows(slice(0, packs))
        self.tape_real.out = buffer(packs, 1)
        self._between: tuple[Tape, list[Tensor]] | None = None
        self._spare: list[Tensor] | None = None
        self._looking: tuple[Tape, list[Tensor], Tensor] | None = None
        self.wanted = buffer(2 * packs, c.pac * dim)

    def _packed(self, x: Tensor) -> Tensor:
        return x if self.pac == 1 else x.view(*x.shape[:-2], x.shape[-2] // self.pac, x.shape[-1] * self.pac)

    def _unpacked(self, x: Tensor) -> Tensor:
        return x if self.pac == 1 else x.view(*x.shape[:-2], x.shape[-2] * self.pac, x.shape[-1] // self.pac)

    def _own(self, x: Tensor) -> Tensor:
        return x[0] if self.alone else x

    def gradient_d(self, now: TrainConfig, move: Move, noise: float) -> None:
        """Writes the gradient of D's loss, and what D says to `logits`. noise: deviation of the instance noise."""
        assert move.real is not None
        self.x_real.copy_(self._own(move.real))
        self._generate(move)
        if move.instance_real is not None and move.instance_fake is not None:
            self.x_real.add_(self._own(move.instance_real), alpha=noise)
            self.x_fake.add_(self._own(move.instance_fake), alpha=noise)
        self.d.forward(self.tape_d)
        loss, share, smooth = LOSSES[now.loss], 1 / self.packs, now.label_smoothing
        if loss.paired:
            torch.mul(loss.real_slope(self.real - self.fake), share, out=self.slope_real)
            torch.neg(self.slope_real, out=self.slope_fake)
        else:
            torch.mul(loss.fake_slope(self.fake), share, out=self.slope_fake)
            torch.mul(loss.real_slope(self.real), share * (1 - smooth), out=self.slope_real)
            if smooth:
                self.slope_real.add_(loss.fake_slope(self.real), alpha=share * smooth)
        self.d.backward(self.tape_d, self.slope, self.room_d, learn=True)
        if now.r1 or now.r2:
            self._add_ends(now)
        if now.gp or now.gp0:
            self._add_between(now, move)

    def _add_ends(self, now: TrainConfig) -> None:
        """R1 and R2: gamma/2 E |dD/dx|^2 at the points that D has just seen."""
        whole = slice(0 if now.r1 else self.packs, 2 * self.packs if now.r2 else self.packs)
        tape, room = self.tape_d.rows(whole), [r[..., whole, :] for r in self.room_d]
        c = self.wanted[..., : tape.out.shape[-2], :]
        at = self.d.input_slope(tape, room, c)
        if now.r1 and now.r2:
            c[..., : self.packs, :].mul_(now.r1 / self.packs)
            c[..., self.packs :, :].mul_(now.r2 / self.packs)
        else:
            c.mul_((now.r1 or now.r2) / self.packs)
        self.d.add_penalty(tape, at, c, [s[..., : c.shape[-2], :] for s in self._spares()])

    def _add_between(self, now: TrainConfig, move: Move) -> None:
        """WGAN-GP and its zero-centred kin, at points between real and generated ones."""
        assert move.between is not None
        if self._between is None:
            self._between = (self.d.tape(self.buffer(self.packs, self.x.shape[-1] * self.pac)), self.half)
        tape, room = self._between
        seen = self.tape_d.h[0]
        real, fake = seen[..., : self.packs, :], seen[..., self.packs :, :]
        torch.lerp(fake, real, self._own(move.between), out=tape.h[0])
        self.d.forward(tape)
        c = self.wanted[..., : self.packs, :]
        at = self.d.input_slope(tape, room, c)
        weight: Tensor | float = 2 * (now.gp + now.gp0) / self.packs
        if now.gp:
            # (|g| - 1)^2 has the slope 2 (1 - 1/|g|) g, and the subgradient 0 where g is 0
            norm = torch.linalg.vector_norm(c, dim=-1, keepdim=True).clamp_(min=TINY)
            weight = norm.reciprocal_().mul_(-2 * now.gp / self.packs).add_(weight)
        c.mul_(weight)
        self.d.add_penalty(tape, at, c, [s[..., : self.packs, :] for s in self._spares()])

    def _spares(self) -> list[Tensor]:
        if self._spare is None:
            self._spare = self.d.slopes(2 * self.packs)
        return self._spare

    def gradient_g(self, now: TrainConfig, move: Move, noise: float) -> None:
        """Writes the gradient of G's loss."""
        if not self.ahead:
            assert move.z is not None
            self.second.take(self._own(move.z))
            self._placed(self.g.forward(self.second), self.x_next)
        self.ahead = False
        if move.instance_fake is not None:
            self.x_next.add_(self._own(move.instance_fake), alpha=noise)
        judged, loss = self.d.forward(self.judged), LOSSES[now.loss]
        if loss.paired:
            judged = judged - self._said_of_real(move, noise)
        torch.mul(loss.generator_slope(judged), 1 / self.packs, out=self.slope_g)
        self.d.backward(self.judged, self.slope_g, self.half, learn=False, to=self.dx_packed)
        self.g.backward(self.second, self.dx, self.room_g, learn=True)

    def _generate(self, move: Move) -> None:
        """Points for D's move; where G moves next, its points too: G is the same for both, and one pass is cheaper."""
        self.ahead = move.ahead is not None
        if move.fake is not None:
            self.x_fake.copy_(self._own(move.fake))
            return
        if move.ahead is None:
            assert move.z is not None
            self.first.take(self._own(move.z))
            self._placed(self.g.forward(self.first), self.x_fake)
            return
        both, n = self.tape_g, self.n
        both.take(self._own(move.ahead))
        made = self.g.forward(both)
        if both.heavy:
            self.second = both.rows(slice(n, None))
        self.second.take(both.h[0][..., n:, :])
        self._placed(made[..., :n, :], self.x_fake)
        self._placed(made[..., n:, :], self.x_next)

    def _placed(self, made: Tensor, where: Tensor) -> None:
        # the batched products write into whole buffers only
        if not self.alone:
            where.copy_(made)

    def _said_of_real(self, move: Move, noise: float) -> Tensor:
        """D's logits at the real points, as D is now."""
        assert move.real is not None
        self.x_real.copy_(self._own(move.real))
        if move.instance_real is not None:
            self.x_real.add_(self._own(move.instance_real), alpha=noise)
        return self.d.forward(self.tape_real)

    def arrows(self, now: TrainConfig, fake: Tensor, real: Tensor) -> Tensor:
        """-dL_G/dx at generated points fake (S, n, d), for the mean loss of one pack; a paired loss sees `real` too."""
        loss, count = LOSSES[now.loss], fake.shape[1]
        if self._looking is None or self._looking[0].out.shape[-2] * self.pac != count:
            tape = self.d.tape(self._packed(self.buffer(count, fake.shape[-1])))
            self._looking = tape, self.d.slopes(count // self.pac), torch.empty_like(tape.h[0])
        tape, room, to = self._looking
        beside = None
        if loss.paired:
            tape.h[0].copy_(self._packed(self._own(real)))
            beside = self.d.forward(tape).clone()
        tape.h[0].copy_(self._packed(self._own(fake)))
        said = self.d.forward(tape)
        slope = loss.generator_slope(said if beside is None else said - beside)
        self.d.backward(tape, slope, room, learn=False, to=to)
        return self._unpacked(to).reshape(fake.shape).neg()
