"""The textbook GAN loop in plain PyTorch: the reference that gantoys' own training is measured against.

Nothing of gantoys is used here. A ring of eight Gaussians, 2-128-128-2 against 2-128-128-1 with LeakyReLU(0.2), batches
of 256, the non-saturating loss, Adam(1e-3, betas=(0.5, 0.999)); on request other sizes, SGD, several moves of D to one
of G, and WGAN-GP (Gulrajani et al. 2017, algorithm 1).

    python benchmarks/textbook.py [steps]     prints the steps per second
"""

import math
import sys
import time
from collections.abc import Callable, Iterable, Iterator

import torch
from torch import Tensor, nn

BATCH, NOISE, HIDDEN = 256, 2, 128


def network(inputs: int, outputs: int, hidden: int = HIDDEN, activation: nn.Module | None = None) -> nn.Sequential:
    act = activation or nn.LeakyReLU(0.2)
    return nn.Sequential(
        nn.Linear(inputs, hidden), act,
        nn.Linear(hidden, hidden), act,
        nn.Linear(hidden, outputs),
    )  # fmt: skip


def ring(n: int) -> Tensor:
    angle = torch.randint(8, (n,)) * (2 * math.pi / 8)
    return 2 * torch.stack([angle.cos(), angle.sin()], 1) + 0.1 * torch.randn(n, 2)


def batches(count: int, batch: int = BATCH) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """Real points, noise for D's move and noise for G's move."""
    for _ in range(count):
        yield ring(batch), torch.randn(batch, NOISE), torch.randn(batch, NOISE)


def adam(parameters: Iterable[Tensor]) -> torch.optim.Optimizer:
    return torch.optim.Adam(parameters, lr=1e-3, betas=(0.5, 0.999))


def sgd(parameters: Iterable[Tensor]) -> torch.optim.Optimizer:
    return torch.optim.SGD(parameters, lr=0.1)


def penalty(d: nn.Module, x_real: Tensor, x_fake: Tensor) -> Tensor:
    """WGAN-GP: the mean of (|dD/dx| - 1)^2 at points between real and generated ones."""
    share = torch.rand(len(x_real), 1, dtype=x_real.dtype)
    x = (share * x_real + (1 - share) * x_fake).requires_grad_(True)
    (slope,) = torch.autograd.grad(d(x).sum(), x, create_graph=True)
    return ((slope.norm(dim=1) - 1) ** 2).mean()


def train(
    g: nn.Module,
    d: nn.Module,
    data: Iterable[tuple[Tensor, Tensor, Tensor]],
    *,
    gp: float = 0.0,
    d_steps: int = 1,
    optimiser: Callable[[Iterable[Tensor]], torch.optim.Optimizer] = adam,
) -> tuple[float, float]:
    """One move of D for each item of `data`, one of G after every `d_steps` of them; the last two losses.

    With `gp` > 0 it is WGAN-GP with that weight of the penalty.
    """
    opt_g, opt_d = optimiser(g.parameters()), optimiser(d.parameters())
    bce = nn.BCEWithLogitsLoss()
    loss_d = loss_g = torch.tensor(math.nan)

    for i, (x_real, z_d, z_g) in enumerate(data, 1):
        # D: real points are labelled 1, generated ones 0; detach keeps the gradient out of G
        x_fake = g(z_d).detach()
        real, fake = d(x_real), d(x_fake)
        if gp:
            loss_d = fake.mean() - real.mean() + gp * penalty(d, x_real, x_fake)
        else:
            loss_d = bce(real, torch.ones_like(real)) + bce(fake, torch.zeros_like(fake))
        opt_d.zero_grad()
        loss_d.backward()
        opt_d.step()

        if i % d_steps:
            continue
        # G: its points should be taken for real ones (the non-saturating loss)
        judged = d(g(z_g))
        loss_g = -judged.mean() if gp else bce(judged, torch.ones_like(judged))
        opt_g.zero_grad()
        loss_g.backward()
        opt_g.step()
    return loss_d.item(), loss_g.item()


def main(steps: int = 1000) -> None:
    torch.set_num_threads(1)  # more threads are slower at these sizes
    torch.manual_seed(0)
    g, d = network(NOISE, 2), network(2, 1)
    train(g, d, batches(50))
    begin = time.perf_counter()
    loss_d, loss_g = train(g, d, batches(steps))
    seconds = time.perf_counter() - begin
    print(f"{steps / seconds:.0f} steps/s, loss of D {loss_d:.3f}, loss of G {loss_g:.3f}")


if __name__ == "__main__":
    main(*(int(a) for a in sys.argv[1:2]))
