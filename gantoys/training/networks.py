"""The two players: small fully connected networks, their first weights, and Adam."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from gantoys.runs.config import TrainConfig

ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "leaky-relu": lambda: nn.LeakyReLU(0.2),
    "relu": nn.ReLU,
    "tanh": nn.Tanh,
    "softplus": nn.Softplus,
}


class _Linear(nn.Linear):
    """nn.Linear without its own first weights, which would come from the global random state."""

    def reset_parameters(self) -> None:
        pass


def mlp(
    sizes: list[int], activation: str, generator: torch.Generator, dtype: torch.dtype = torch.float32
) -> nn.Sequential:
    """A network with layers of the given sizes: (n, sizes[0]) -> (n, sizes[-1]).

    Weights and biases are uniform on +-1/sqrt(inputs), torch's own rule for nn.Linear, but drawn from `generator`
    alone: no global random state is read or written.
    """
    layers: list[nn.Module] = []
    for i, (inputs, outputs) in enumerate(pairwise(sizes)):
        if i:
            layers.append(ACTIVATIONS[activation]())
        linear = _Linear(inputs, outputs, dtype=dtype)
        bound = inputs**-0.5
        with torch.no_grad():
            linear.weight.uniform_(-bound, bound, generator=generator)
            linear.bias.uniform_(-bound, bound, generator=generator)
        layers.append(linear)
    return nn.Sequential(*layers)


def players(
    config: TrainConfig, generator: torch.Generator, dtype: torch.dtype = torch.float32
) -> tuple[nn.Module, nn.Module]:
    """G: (n, noise_dim) -> (n, 2) and D: (n, 2) -> (n, 1), a logit, with their first weights."""
    hidden = [config.width] * config.layers
    g = mlp([config.noise_dim, *hidden, 2], config.activation, generator, dtype)
    d = mlp([2, *hidden, 1], config.activation, generator, dtype)
    return g, d


class Adam:
    """Adam (Kingma and Ba 2015, algorithm 1) on a list of parameters.

    The same update as torch.optim.Adam. That class takes about a second to create the first time, and a film should
    begin at once; so this calls the fused kernel underneath it directly, which is private to torch: where it is
    missing, the formula is written out.
    """

    def __init__(
        self, parameters: Sequence[Tensor], *, lr: float, beta1: float, beta2: float, fused: bool = True
    ) -> None:
        self.parameters, self.lr, self.beta1, self.beta2, self.eps = parameters, lr, beta1, beta2, 1e-8
        self.m = [torch.zeros_like(p) for p in parameters]
        self.v = [torch.zeros_like(p) for p in parameters]
        self.steps = [torch.zeros(()) for _ in parameters]
        self._kernel = getattr(torch, "_fused_adam_", None) if fused else None

    @torch.no_grad()
    def step(self, gradients: tuple[Tensor, ...]) -> None:
        """Move the parameters by one step down the gradients, which are in their order."""
        if self._kernel is not None:
            torch._foreach_add_(self.steps, 1)
            self._kernel(
                self.parameters, gradients, self.m, self.v, [], self.steps,
                lr=self.lr, beta1=self.beta1, beta2=self.beta2, weight_decay=0.0, eps=self.eps,
                amsgrad=False, maximize=False,
            )  # fmt: skip
            return
        for p, g, m, v, t in zip(self.parameters, gradients, self.m, self.v, self.steps, strict=True):
            t += 1
            m.lerp_(g, 1 - self.beta1)
            v.mul_(self.beta2).addcmul_(g, g, value=1 - self.beta2)
            first, second = 1 - self.beta1 ** float(t), 1 - self.beta2 ** float(t)
            p.addcdiv_(m, (v.sqrt() / second**0.5).add_(self.eps), value=-self.lr / first)
