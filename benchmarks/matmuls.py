"""The matrix products of one training step and nothing else: its time by `torch.mm` if all else were free.

The networks are chains of `torch.addmm` and `torch.mm` into buffers that are there already; activations, losses, random
numbers and Adam are left out, and so are sums over the batch (gradients of biases) and products with a row that is the
same for every point. What is counted, with n points, L layers and layer l of inputs x outputs:

    forward, one a layer            h_l = h_{l-1} W_l + b_l         (n, inputs) (inputs, outputs)
    gradient of the weights         dW_l = h_{l-1}' d_l             (inputs, n) (n, outputs)
    back to the layer before        d_{l-1} = d_l W_l'              (n, outputs) (outputs, inputs)

A step of W1: G forward on the noise of D's move; D forward on both halves, real and generated, at once; D back to its
weights, not to the points. Then G forward on new noise, D forward on its points, D back to the points, not to its own
weights, and G back to its weights: 25 products for networks of three layers.

W2 adds what the gradient penalty needs at points between. D is linear on each piece, so its gradient in x is a chain of
masked products, and so is the penalty's gradient in the weights (Gulrajani et al. 2017, algorithm 1, line 7):

    forward, last layer left out    only the masks m_l are wanted
    gradient in x, l = L-1 .. 1     g_{l-1} = (m_l g_l) W_l',       g_{L-1} = w_L
    the way back, l = 1 .. L-1      dW_l += e_{l-1}' (m_l g_l),     e_l = m_l (e_{l-1} W_l),  e_0 the slope in g_0

which makes 33. Weights lie in memory with their long side contiguous: the thin last layer is five times faster so.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor


@dataclass(frozen=True)
class Product:
    """out = a b, plus `plus` where there is one (a bias row, or what `out` holds already)."""

    out: Tensor
    a: Tensor
    b: Tensor
    plus: Tensor | None = None

    @property
    def flops(self) -> int:
        return 2 * self.a.shape[0] * self.a.shape[1] * self.b.shape[1]

    def run(self) -> None:
        if self.plus is None:
            torch.mm(self.a, self.b, out=self.out)
        else:
            torch.addmm(self.plus, self.a, self.b, out=self.out)


class Chain:
    """The weights of a network with layers of the given sizes, and the products that a batch goes through."""

    def __init__(self, sizes: list[int]) -> None:
        # scaled so that numbers keep their size from layer to layer: no product meets denormal or infinite ones
        shapes = list(pairwise(sizes))
        self.weights = [_long_side_contiguous(torch.randn(shape) / shape[0] ** 0.5) for shape in shapes]
        self.biases = [torch.randn(shape[1]) for shape in shapes]
        self.slopes = [_long_side_contiguous(torch.zeros(shape)) for shape in shapes]

    def forward(self, x: Tensor) -> list[Product]:
        """From the points (n, inputs) to the output (n, outputs)."""
        found = []
        for w, b in zip(self.weights, self.biases, strict=True):
            found.append(Product(torch.empty(len(x), w.shape[1]), x, w, b))
            x = found[-1].out
        return found

    def backward(self, forward: list[Product], slope: Tensor, *, weights: bool, points: bool) -> list[Product]:
        """From the slope in the output (n, outputs) to those in the weights, in the points, or both."""
        found = []
        for layer in reversed(range(len(self.weights))):
            if weights:
                found.append(_product_in_memory_order(self.slopes[layer], forward[layer].a.T, slope))
            if layer or points:
                found.append(Product(torch.empty_like(forward[layer].a), slope, self.weights[layer].T))
                slope = found[-1].out
        return found

    def penalty(self, x: Tensor) -> list[Product]:
        """The gradient in the points x (n, inputs); then, from the slope in that, slopes added to the weights' own."""
        found = self.forward(x)[:-1]
        # the chain starts with the last layer's one column at every point, masked: elementwise, so no product
        chain = [self.weights[-1].T.expand(len(x), -1).contiguous()]
        for w in reversed(self.weights[:-1]):
            found.append(Product(torch.empty(len(x), len(w)), chain[-1], w.T))
            chain.append(found[-1].out)
        e = chain.pop()  # in place of the slope in it, which has the same shape
        for w, slopes in zip(self.weights[:-1], self.slopes[:-1], strict=True):
            found.append(Product(slopes, e.T, chain.pop(), slopes))
            found.append(Product(torch.empty(len(x), w.shape[1]), e, w))
            e = found[-1].out
        return found


def _long_side_contiguous(matrix: Tensor) -> Tensor:
    return matrix if matrix.shape[0] <= matrix.shape[1] else matrix.T.contiguous().T


def _product_in_memory_order(out: Tensor, a: Tensor, b: Tensor) -> Product:
    """out = a b, or the same as out' = b' a' where out lies transposed in memory."""
    return Product(out, a, b) if out.is_contiguous() else Product(out.T, b.T, a.T)


def step(hidden: int = 128, batch: int = 256, *, penalty: bool = False) -> list[Product]:
    """The products of one step of 2-hidden-hidden-2 against 2-hidden-hidden-1, in their order."""
    g, d = Chain([2, hidden, hidden, 2]), Chain([2, hidden, hidden, 1])

    def moves_d() -> Iterator[Product]:
        yield from g.forward(torch.randn(batch, 2))
        both = d.forward(torch.randn(2 * batch, 2))
        yield from both
        yield from d.backward(both, torch.randn(2 * batch, 1), weights=True, points=False)
        if penalty:
            yield from d.penalty(torch.randn(batch, 2))

    def moves_g() -> Iterator[Product]:
        made = g.forward(torch.randn(batch, 2))
        yield from made
        judged = d.forward(made[-1].out)
        yield from judged
        told = d.backward(judged, torch.randn(batch, 1), weights=False, points=True)
        yield from told
        yield from g.backward(made, told[-1].out, weights=True, points=False)

    return [*moves_d(), *moves_g()]


@torch.inference_mode()
def run(products: list[Product], steps: int) -> None:
    """All products, so many times over."""
    for _ in range(steps):
        for product in products:
            product.run()


def main(steps: int = 500) -> None:
    torch.set_num_threads(1)
    for name, penalty in (("W1", False), ("W2", True)):
        products = step(penalty=penalty)
        run(products, 50)
        begin = time.process_time()
        run(products, steps)
        speed = steps / (time.process_time() - begin)
        flops = sum(p.flops for p in products)
        print(f"{name}: {len(products)} products, {speed:.0f}/s, {speed * flops / 1e9:.0f} GFLOP/s")


if __name__ == "__main__":
    main(*(int(a) for a in sys.argv[1:2]))
