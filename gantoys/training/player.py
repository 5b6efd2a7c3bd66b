"""One player: its numbers, its gradient, and what its optimiser remembers."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

from gantoys.training.networks import Network, Views
from gantoys.training.optimisers import OPTIMISERS


@dataclass
class Player:
    """theta and grad (S P,): the numbers of each seed's network and the gradient of the last move. memory: what the
    network remembers; state: what the optimiser does; mean (S P,): while there is historical averaging, the average
    of theta where it began and after each of the `averaged` moves since.
    """

    network: Network
    theta: Tensor
    optimiser: str
    grad: Tensor = field(init=False)
    state: dict[str, Tensor] = field(init=False)
    memory: Views = field(init=False)
    mean: Tensor | None = field(init=False, default=None)
    averaged: Tensor = field(init=False)

    def __post_init__(self) -> None:
        self.grad = torch.zeros_like(self.theta)
        self.state = OPTIMISERS[self.optimiser].fresh(self.theta)
        self.memory = self.network.buffers(self.seeds, self.theta.dtype, str(self.theta.device))
        self.averaged = torch.zeros((), dtype=torch.float32, device=self.theta.device)

    @property
    def seeds(self) -> int:
        return len(self.theta) // self.network.size

    def gradient_norms(self) -> Tensor:
        """The length of each seed's gradient in its last move, (S,)."""
        if self.seeds == 1:
            return torch.linalg.vector_norm(self.grad)[None]
        squares = [part.square().sum((1, 2)) for part in self.network.views(self.grad).values()]
        return torch.stack(squares).sum(0).sqrt()

    def __call__(self, x: Tensor, *, beside: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Outputs and last hidden layer at x (S, n, inputs), as the network is now."""
        return self.network(self.theta, x, self.memory, beside=beside)

    def values(self, x: Tensor) -> Tensor:
        """Outputs (S, n, outputs) alone at x (S, n, inputs), each point by itself, as the network is now."""
        return self.network.values(self.theta, x, self.memory)

    def begin_mean(self) -> None:
        """The average begins where theta stands."""
        with torch.inference_mode(False):  # it is written to from outside of that mode too
            self.mean = self.theta.clone()
        self.averaged.zero_()

    def move(self, lr: float, beta1: float, beta2: float, averaging: float = 0.0) -> None:
        """One step of the optimiser down the gradient; `averaging` is the weight of historical averaging."""
        if not averaging:
            self.mean = None
        else:
            if self.mean is None:
                self.begin_mean()
            assert self.mean is not None
            # the slope of averaging * |theta - mean|^2 (Salimans et al. 2016, section 3.3), the mean held fixed
            self.grad.add_(self.theta - self.mean, alpha=2 * averaging)
        OPTIMISERS[self.optimiser].move_(self.theta, self.grad, self.state, lr, beta1, beta2)
        if self.mean is not None:
            self.averaged += 1
            # after so many moves theta has stood at one place more
            self.mean.add_((self.theta - self.mean) / (self.averaged + 1))

    def tensors(self) -> dict[str, Tensor]:
        """All that decides its future, by name."""
        named = {"theta": self.theta, "grad": self.grad}
        named |= {f"state-{k}": v for k, v in self.state.items()} | {f"memory-{k}": v for k, v in self.memory.items()}
        return named | ({"mean": self.mean, "averaged": self.averaged} if self.mean is not None else {})
