"""Both players' gradients written out: forward, backward, and the double backward of a gradient penalty.

No autograd graph is built and nothing is allocated in a step: products write into buffers that are kept, gradients into
views of one flat vector. It covers plain networks; `gantoys.training.reference` does all the rest, and the tests hold
the two equal. One seed alone uses matrices, several use batches of matrices: the same lines serve both.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from gantoys.maths.losses import LOSSES
from gantoys.runs.config import TrainConfig
from gantoys.training.batches import Move
from gantoys.training.networks import ACTIVATIONS, Network
from gantoys.training.player import Player
from gantoys.training.products import layer, product, worthwhile

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


@dataclass
class Tape:
    """What a forward pass leaves for the backward one: h[0] the input, h[k] after hidden layer k, and the output.

    heavy: whether the products between hidden layers are for `gantoys.training.products`; heavy_tall: those that sum over
    the points too.
    """

    h: list[Tensor]
    out: Tensor
    heavy: bool
    heavy_tall: bool

    def rows(self, part: slice) -> Tape:
        """The same for some of the points."""
        return Tape([h[..., part, :] for h in self.h], self.out[..., part, :], self.heavy, self.heavy_tall)


class Passes:
    """Forward and backward passes of one player, for `points` points at most at a time."""

    def __init__(self, player: Player, buffer: Callable[..., Tensor]) -> None:
        network = player.network
        self.alone = alone = player.seeds == 1
        # a batch of one matrix is multiplied more slowly than a matrix
        self.product = torch.mm if alone else torch.bmm
        self.affine = torch.addmm if alone else torch.baddbmm
        w, gw = network.views(player.theta), network.views(player.grad)
        if alone:
            w, gw = ({name: view[0] for name, view in views.items()} for views in (w, gw))
        self.count = network.hidden + 1
        self.w = [w[f"w{k}"] for k in range(self.count)]
        self.b = [w[f"b{k}"] for k in range(self.count)]
        self.gw = [gw[f"w{k}"] for k in range(self.count)]
        self.gb = [gw[f"b{k}"] for k in range(self.count)]
        self.flipped = [e.flipped for e in network.entries if e.name[0] == "w"]
        self.wT = [matrix.mT for matrix in self.w]
        self.gwT = [matrix.mT for matrix in self.gw]
        self.activation = ACTIVATIONS[network.activation]
        self.width, self.outputs, self.buffer = network.width, network.outputs, buffer

    def tape(self, x: Tensor, out: Tensor | None = None) -> Tape:
        """Room for a pass over x (..., n, inputs); its output goes to `out` if given."""
        n = x.shape[-2]
        hidden = [self.buffer(n, self.width) for _ in range(self.count - 1)]
        size = n * self.width**2
        heavy, tall = (self.alone and worthwhile(x, size, tall=tall) for tall in (False, True))
        return Tape([x, *hidden], out if out is not None else self.buffer(n, self.outputs), heavy, tall)

    def slopes(self, n: int) -> list[Tensor]:
        """Room for the backward pass: by layer the derivative in its output before the activation."""
        return [self.buffer(n, self.width) for _ in range(self.count - 1)]

    def forward(self, tape: Tape) -> Tensor:
        """Fills the tape from its input; the output."""
        h, last, bend = tape.h, self.count - 1, self.activation.forward_
        for k in range(last):
            if k and tape.heavy:
                h[k + 1] = layer(h[k], self.w[k], self.b[k][0], *self.activation.fused)
                if self.activation.fused[0] == "none":
                    bend(h[k + 1])
            else:
                bend(self.affine(self.b[k], h[k], self.w[k], out=h[k + 1]))
        return self.affine(self.b[last], h[last], self.w[last], out=tape.out)

    def backward(self, tape: Tape, d: Tensor, room: list[Tensor], *, learn: bool, to: Tensor | None = None) -> None:
        """From d = dL/d output: with `learn` the gradients are written, into `to` goes dL/d input."""
        h, bend = tape.h, self.activation.slope_
        for k in range(self.count - 1, -1, -1):
            if learn:
                self._weights(k, h[k], d, 0 < k < self.count - 1 and tape.heavy_tall)
                torch.sum(d, -2, keepdim=True, out=self.gb[k])
            if k:
                if k < self.count - 1 and tape.heavy:
                    below = product(d, self.wT[k])
                elif k == self.count - 1 and self.outputs == 1:
                    below = torch.mul(d, self.wT[k], out=room[k - 1])
                else:
                    below = self.product(d, self.wT[k], out=room[k - 1])
                d = bend(below, h[k], below)
            elif to is not None:
                self.product(d, self.wT[0], out=to)

    def _weights(self, k: int, h: Tensor, d: Tensor, heavy: bool) -> None:
        if heavy:
            self.gw[k].copy_(product(h.mT, d))
        elif self.flipped[k]:
            self.product(d.mT, h, out=self.gwT[k])
        else:
            self.product(h.mT, d, out=self.gw[k])

    def _add_weights(self, k: int, h: Tensor, d: Tensor, heavy: bool) -> None:
        if heavy:
            self.gw[k].add_(product(h.mT, d))
        elif self.flipped[k]:
            self.affine(self.gwT[k], d.mT, h, out=self.gwT[k])
        else:
            self.affine(self.gw[k], h.mT, d, out=self.gw[k])

    def input_slope(self, tape: Tape, room: list[Tensor], to: Tensor) -> list[Tensor]:
        """Into `to`: dD/dx of the one output at each point; the list: dD/d(layer k before the activation)."""
        bend, last = self.activation.slope_, self.count - 1
        at = [bend(self.wT[last].expand(room[-1].shape), tape.h[last], room[-1])]
        for k in range(last - 1, 0, -1):
            below = product(at[0], self.wT[k]) if tape.heavy else self.product(at[0], self.wT[k], out=room[k - 1])
            at.insert(0, bend(below, tape.h[k], below))
        self.product(at[0], self.wT[0], out=to)
        return at

    def add_penalty(self, tape: Tape, at: list[Tensor], c: Tensor, room: list[Tensor]) -> None:
        """Adds the gradient of a penalty P to the weights' gradients: c = dP/d(dD/dx), `at` from `input_slope`.

        The backward pass is a chain of products masked by constant slopes (the network is piecewise linear), so its own
        derivative is a forward pass of c through the same masks.
        """
        bend, last = self.activation.slope_, self.count - 1
        for k in range(last):
            self._add_weights(k, c, at[k], k > 0 and tape.heavy_tall)
            c = product(c, self.w[k]) if k and tape.heavy else self.product(c, self.w[k], out=room[k])
            c = bend(c, tape.h[k + 1], c)
        self.gw[last].add_(c.sum(-2).unsqueeze(-1))


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
            return like.new_empty(shape)

        self.buffer = buffer
        self.g, self.d = Passes(g, buffer), Passes(d, buffer)
        dim, n, packs = config.dim, self.n, self.packs
        self.x = buffer(2 * n, dim)
        self.x_real, self.x_fake = self.x[..., :n, :], self.x[..., n:, :]
        self.tape_d = self.d.tape(self._packed(self.x))
        self.tape_g = self.g.tape(buffer(n, c.noise_dim), self.x_fake)
        self.logits = self.tape_d.out
        self.real, self.fake = self.logits[..., :packs, :], self.logits[..., packs:, :]
        self.slope = buffer(2 * packs, 1)
        self.slope_real, self.slope_fake = self.slope[..., :packs, :], self.slope[..., packs:, :]
        self.room_d, self.room_g = self.d.slopes(2 * packs), self.g.slopes(n)
        self.judged = self.d.tape(self._packed(buffer(n, dim)))
        self.made = self.g.tape(self.tape_g.h[0], self._unpacked(self.judged.h[0]))
        self.half = [room[..., :packs, :] for room in self.room_d]
        self.dx = buffer(n, dim)
        self.slope_g = buffer(packs, 1)
        self._between: tuple[Tape, list[Tensor]] | None = None
        self._spare: list[Tensor] | None = None
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
        self.tape_g.h[0] = self.made.h[0] = self._own(move.z)
        self.g.forward(self.tape_g)
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
        self.made.h[0] = self._own(move.z)
        self.g.forward(self.made)
        if move.instance_fake is not None:
            self.made.out.add_(self._own(move.instance_fake), alpha=noise)
        judged, loss = self.d.forward(self.judged), LOSSES[now.loss]
        if loss.paired:
            judged = judged - self._said_of_real(move, noise)
        torch.mul(loss.generator_slope(judged), 1 / self.packs, out=self.slope_g)
        self.d.backward(self.judged, self.slope_g, self.half, learn=False, to=self._packed(self.dx))
        self.g.backward(self.made, self.dx, self.room_g, learn=True)

    def _said_of_real(self, move: Move, noise: float) -> Tensor:
        """D's logits at the real points, as D is now."""
        assert move.real is not None
        self.x_real.copy_(self._own(move.real))
        if move.instance_real is not None:
            self.x_real.add_(self._own(move.instance_real), alpha=noise)
        return self.d.forward(self.tape_d.rows(slice(0, self.packs)))
