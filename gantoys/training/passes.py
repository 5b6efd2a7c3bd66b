"""The passes of one plain network, written out: forward, backward, and the double backward of a gradient penalty.

No autograd graph is built and nothing is allocated in a step: products write into buffers that are kept, gradients into
views of one flat vector. One seed alone uses matrices, several use batches of matrices: the same lines serve both.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from gantoys.training.networks import ACTIVATIONS
from gantoys.training.player import Player
from gantoys.training.products import layer, product, worthwhile


@dataclass
class Tape:
    """What a forward pass leaves for the backward one: h[0] the input, h[k] after hidden layer k, and the output.

    heavy: whether the products between hidden layers are for `gantoys.training.products`; heavy_tall: those that sum
    over the points too.
    """

    h: list[Tensor]
    out: Tensor
    heavy: bool
    heavy_tall: bool

    def __post_init__(self) -> None:
        # a transpose costs as much as a small product: those of lasting buffers are made once
        self.ht: list[Tensor | None] = [h.mT for h in self.h]

    def rows(self, part: slice) -> Tape:
        """The same for some of the points."""
        return Tape([h[..., part, :] for h in self.h], self.out[..., part, :], self.heavy, self.heavy_tall)

    def take(self, x: Tensor) -> None:
        """Set the input."""
        self.h[0], self.ht[0] = x, None

    def turned(self, k: int) -> Tensor:
        """h[k] transposed."""
        turned = self.ht[k]
        return turned if turned is not None else self.h[k].mT


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
                tape.ht[k + 1] = None
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
                self._weights(k, tape, d, 0 < k < self.count - 1 and tape.heavy_tall)
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

    def _weights(self, k: int, tape: Tape, d: Tensor, heavy: bool) -> None:
        if heavy:
            self.gw[k].copy_(product(tape.turned(k), d))
        elif self.flipped[k]:
            self.product(d.mT, tape.h[k], out=self.gwT[k])
        else:
            self.product(tape.turned(k), d, out=self.gw[k])

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
        if not last:  # a linear D has one slope everywhere
            to.copy_(self.wT[0].expand(to.shape))
            return []
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
