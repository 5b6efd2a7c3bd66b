"""The two players as flat vectors: every number of a network, for every seed, stands in one vector theta (S P,).

S seeds of one config train side by side, so every matrix here has a leading seeds axis. A network is a recipe (which
layers, in which order) and holds no numbers; `views` cuts a flat vector into matrices without copying: one matrix for
all seeds, then the next, since products want the matrices of all seeds side by side.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor
from torch.nn import functional

from gantoys.runs.config import TrainConfig
from gantoys.runs.fields import LEAK
from gantoys.training import layers, products

BN_EPS = 1e-5  # of batch normalisation
BLOCK = 1024  # points of all seeds together that go through the layers at once, where only their outputs are asked for


@dataclass(frozen=True)
class Activation:
    """y = forward(x). slope_(d, y, out) writes d * dy/dx, which all of these know from y alone. piecewise: whether the
    second derivative is 0 where it exists, so that a gradient penalty has a closed form. fused: its name and arguments
    in `gantoys.training.products.layer`."""

    forward: Callable[[Tensor], Tensor]
    forward_: Callable[[Tensor], Tensor]
    slope_: Callable[[Tensor, Tensor, Tensor], Tensor]
    piecewise: bool
    fused: tuple[str, list[float]] = ("none", [])


_leaky_slope = torch.ops.aten.leaky_relu_backward.grad_input
_relu_slope = torch.ops.aten.threshold_backward.grad_input
_tanh_slope = torch.ops.aten.tanh_backward.grad_input

ACTIVATIONS = {
    "leaky-relu": Activation(
        lambda x: functional.leaky_relu(x, LEAK),
        lambda x: functional.leaky_relu_(x, LEAK),
        lambda d, y, out: _leaky_slope(d, y, LEAK, True, grad_input=out),
        True,
        ("leaky_relu", [LEAK]),
    ),
    "relu": Activation(
        torch.relu, torch.relu_, lambda d, y, out: _relu_slope(d, y, 0, grad_input=out), True, ("relu", [])
    ),
    "tanh": Activation(torch.tanh, torch.tanh_, lambda d, y, out: _tanh_slope(d, y, grad_input=out), False),
    # the slope of softplus is 1 - e^-y; logaddexp has the right gradient at 0 too
    "softplus": Activation(
        functional.softplus,
        lambda x: torch.logaddexp(x, x.new_zeros(()), out=x),
        lambda d, y, out: torch.mul(d, torch.expm1(-y).neg_(), out=out),
        False,
    ),
}


@dataclass(frozen=True)
class Entry:
    """One matrix of a network: rows x columns in formulas. Stored transposed where that makes the long side contiguous,
    which thin products need to be quick."""

    name: str
    rows: int
    columns: int

    @property
    def size(self) -> int:
        return self.rows * self.columns

    @property
    def flipped(self) -> bool:
        return self.columns < self.rows


Views = dict[str, Tensor]


@dataclass(frozen=True)
class Network:
    """A fully connected network (S, n, inputs) -> (S, n, outputs) with `hidden` layers of `width` units; without any it
    is linear, and its input stands for its last hidden layer.

    pieces: linear pieces of a maxout unit, 0 for the activation. normalised: batch normalisation of the hidden layers.
    spectral: each weight matrix is divided by its largest singular value. kernels x kernel_dims: minibatch
    discrimination, deviation: minibatch deviation, both of the last hidden layer.
    """

    inputs: int
    width: int
    hidden: int
    outputs: int
    activation: str
    pieces: int = 0
    normalised: bool = False
    spectral: bool = False
    kernels: int = 0
    kernel_dims: int = 0
    deviation: bool = False
    entries: tuple[Entry, ...] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "entries", tuple(self._entries()))

    def _entries(self) -> Iterator[Entry]:
        inputs = self.inputs
        for k in range(self.hidden):
            yield Entry(f"w{k}", inputs, self.width * max(1, self.pieces))
            if self.normalised:
                yield Entry(f"gamma{k}", 1, self.width)
                yield Entry(f"beta{k}", 1, self.width)
            else:
                yield Entry(f"b{k}", 1, self.width * max(1, self.pieces))
            inputs = self.width
        if self.kernels:
            yield Entry("kernels", inputs, self.kernels * self.kernel_dims)
        yield Entry(f"w{self.hidden}", inputs + self.kernels + self.deviation, self.outputs)
        yield Entry(f"b{self.hidden}", 1, self.outputs)

    @property
    def size(self) -> int:
        """P: how many numbers the network has."""
        return sum(e.size for e in self.entries)

    @property
    def plain(self) -> bool:
        """Linear layers and activations, nothing else."""
        return not (self.pieces or self.normalised or self.spectral or self.kernels or self.deviation)

    def views(self, flat: Tensor) -> Views:
        """The matrices of flat (S P,), each (S, rows, columns)."""
        seeds = len(flat) // self.size
        parts = flat.split([seeds * e.size for e in self.entries])
        return {
            e.name: part.view(seeds, e.columns, e.rows).mT if e.flipped else part.view(seeds, e.rows, e.columns)
            for e, part in zip(self.entries, parts, strict=True)
        }

    def first(self, init: str, scale: float, generators: Sequence[torch.Generator]) -> Tensor:
        """The first numbers (S P,), in single precision: those of each seed are drawn from its generator alone."""
        flat = torch.zeros(len(generators) * self.size)
        row, views = layers.INITS[init], self.views(flat)
        for seed, generator in enumerate(generators):
            inputs = self.inputs
            for entry in self.entries:
                view = views[entry.name][seed]
                if entry.name == "kernels":
                    view.copy_(torch.randn(view.shape, generator=generator) * entry.rows**-0.5)
                elif entry.name.startswith("gamma"):
                    view.fill_(1.0)
                elif entry.name[0] == "w":
                    inputs = entry.rows
                    view.copy_(row.weight(entry.rows, entry.columns, scale, generator))
                elif not entry.name.startswith("beta"):
                    view.copy_(row.bias(inputs, entry.columns, scale, generator))
        return flat

    def buffers(self, seeds: int, dtype: torch.dtype, device: str) -> Views:
        """What the network remembers beside its numbers: statistics of its layers, vectors of the power iteration."""
        out: Views = {}
        for k in range(self.hidden if self.normalised else 0):
            out[f"mean{k}"] = torch.zeros(seeds, 1, self.width, dtype=dtype, device=device)
            out[f"variance{k}"] = torch.ones(seeds, 1, self.width, dtype=dtype, device=device)
        for entry in self.entries:
            if self.spectral and entry.name[0] == "w":
                ones = torch.ones(seeds, entry.rows, dtype=dtype, device=device)
                out[f"u-{entry.name}"] = ones / entry.rows**0.5
        return out

    def __call__(
        self,
        flat: Tensor,
        x: Tensor,
        memory: Views | None = None,
        *,
        learning: bool = False,
        beside: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Outputs (S, n, outputs) and the last hidden layer (S, n, width) for theta (S P,) and x (S, n, inputs).

        learning: batch normalisation uses the statistics of x; else those that `settle` left in `memory`. beside
        (S, m, width): the last hidden layer of the points with which minibatch discrimination and deviation compare;
        by default x's own.
        """
        w, act = self.views(flat), ACTIVATIONS[self.activation]
        memory = memory if memory is not None else {}
        for k in range(self.hidden):
            matrix = self._matrix(w, f"w{k}", memory)
            if self.normalised:
                x = act.forward(self._normalise(torch.matmul(x, matrix), w, k, memory if not learning else None)[0])
                continue
            x = self._hidden(x, matrix, w[f"b{k}"])
        features = x
        others = features if beside is None else beside
        if self.kernels:
            found = layers.minibatch_discrimination(features, w["kernels"], self.kernels, others)
            x = torch.cat([x, found], -1)
        if self.deviation:
            spread = layers.minibatch_deviation(others)[:, :1].expand(-1, features.shape[1], -1)
            x = torch.cat([x, spread], -1)
        last = self.hidden
        return torch.baddbmm(w[f"b{last}"], x, self._matrix(w, f"w{last}", memory)), features

    def values(self, flat: Tensor, x: Tensor, memory: Views | None = None) -> Tensor:
        """Outputs (S, n, outputs) alone, for theta (S P,) and x (S, n, inputs), each point by itself.

        Many points go through the layers in blocks: what a layer makes of them then stays in a core's cache.
        """
        count = max(1, BLOCK // len(x)) if x.is_cpu else x.shape[1]
        if self.plain and self.hidden and not torch.is_grad_enabled():
            return self._plain_values(flat, x, count)
        return torch.cat([self(flat, part, memory)[0] for part in x.split(count, 1)], 1)

    def _plain_values(self, flat: Tensor, x: Tensor, count: int) -> Tensor:
        """`values` of linear layers and activations, `count` points at once, all in the same memory."""
        w, out = self.views(flat), x.new_empty(*x.shape[:2], self.outputs)
        rooms = x.new_empty(2, len(x), min(count, x.shape[1]), self.width)
        for part, to in zip(x.split(count, 1), out.split(count, 1), strict=True):
            for k in range(self.hidden):
                part = self._hidden(part, w[f"w{k}"], w[f"b{k}"], rooms[k % 2][:, : part.shape[1]])
            torch.baddbmm(w[f"b{self.hidden}"], part, w[f"w{self.hidden}"], out=to)
        return out

    def _hidden(self, x: Tensor, w: Tensor, b: Tensor, room: Tensor | None = None) -> Tensor:
        act = ACTIVATIONS[self.activation]
        heavy = len(x) == 1 and not self.pieces and not torch.is_grad_enabled()
        if heavy and products.worthwhile(x, x.shape[1] * w.shape[1] * w.shape[2]):
            y = products.layer(x[0], w[0], b[0, 0], *act.fused)[None]
            return act.forward_(y) if act.fused[0] == "none" else y
        x = torch.baddbmm(b, x, w) if room is None else torch.baddbmm(b, x, w, out=room)
        if self.pieces:
            return layers.maxout(x, self.pieces)
        return act.forward(x) if torch.is_grad_enabled() else act.forward_(x)

    def _matrix(self, w: Views, name: str, memory: Views) -> Tensor:
        if not self.spectral:
            return w[name]
        return layers.spectral_normalised(w[name], memory[f"u-{name}"], steps=0)[0]

    @torch.no_grad()
    def refresh(self, flat: Tensor, memory: Views) -> None:
        """One step of the power method for each matrix of a spectrally normalised network."""
        for name, u in memory.items():
            if name.startswith("u-"):
                u.copy_(layers.spectral_normalised(self.views(flat)[name[2:]], u)[1])

    @torch.no_grad()
    def settle(self, flat: Tensor, x: Tensor, memory: Views) -> None:
        """Leave in `memory` the statistics of the hidden layers over x (S, n, inputs), with which single points are
        normalised. Only for a network with batch normalisation."""
        w, act = self.views(flat), ACTIVATIONS[self.activation]
        for k in range(self.hidden):
            y, mean, variance = self._normalise(torch.matmul(x, w[f"w{k}"]), w, k, None)
            memory[f"mean{k}"].copy_(mean)
            memory[f"variance{k}"].copy_(variance)
            x = act.forward(y)

    def _normalise(self, x: Tensor, w: Views, k: int, memory: Views | None) -> tuple[Tensor, Tensor, Tensor]:
        """x normalised by the statistics in `memory`, or by its own; and those."""
        gamma, beta = w[f"gamma{k}"], w[f"beta{k}"]
        if memory is None:
            return layers.batch_norm(x, gamma, beta, BN_EPS)
        mean, variance = memory[f"mean{k}"], memory[f"variance{k}"]
        return layers.batch_norm_fixed(x, gamma, beta, mean, variance, BN_EPS), mean, variance


def generator_network(config: TrainConfig) -> Network:
    """G of a config: noise (S, n, noise_dim) -> points (S, n, dim)."""
    c = config
    return Network(c.noise_dim, c.width, c.layers, c.dim, c.activation, normalised=c.batch_norm)


def discriminator_network(config: TrainConfig) -> Network:
    """D of a config: packs of points (S, n / pac, pac dim) -> logits (S, n / pac, 1)."""
    c = config
    return Network(
        c.pac * c.dim, c.width_d or c.width, c.hidden_d, 1, c.activation_d or c.activation,
        pieces=c.maxout, spectral=c.spectral_norm, kernels=c.minibatch_kernels, kernel_dims=c.minibatch_dims,
        deviation=c.minibatch_std,
    )  # fmt: skip
