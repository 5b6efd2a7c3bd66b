"""The textbook GAN loop in plain PyTorch: the reference that gantoys' own training is measured against.

Nothing of gantoys is used here. A ring of eight Gaussians, 2-128-128-2 against 2-128-128-1 with LeakyReLU(0.2), batches
of 256, the non-saturating loss, Adam(1e-3, betas=(0.5, 0.999)).

    python benchmarks/textbook.py [steps]     prints the steps per second
"""

import math
import sys
import time
from collections.abc import Iterable, Iterator

import torch
from torch import Tensor, nn

BATCH, NOISE, HIDDEN = 256, 2, 128


def network(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(inputs, HIDDEN), nn.LeakyReLU(0.2),
        nn.Linear(HIDDEN, HIDDEN), nn.LeakyReLU(0.2),
        nn.Linear(HIDDEN, outputs),
    )  # fmt: skip


def ring(n: int) -> Tensor:
    angle = torch.randint(8, (n,)) * (2 * math.pi / 8)
    return 2 * torch.stack([angle.cos(), angle.sin()], 1) + 0.1 * torch.randn(n, 2)


def batches(steps: int) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """Real points, noise for D's step and noise for G's step."""
    for _ in range(steps):
        yield ring(BATCH), torch.randn(BATCH, NOISE), torch.randn(BATCH, NOISE)


def train(g: nn.Module, d: nn.Module, data: Iterable[tuple[Tensor, Tensor, Tensor]]) -> tuple[float, float]:
    """One step of D and one of G for each item of `data`; the last two losses."""
    opt_g = torch.optim.Adam(g.parameters(), lr=1e-3, betas=(0.5, 0.999))
    opt_d = torch.optim.Adam(d.parameters(), lr=1e-3, betas=(0.5, 0.999))
    bce = nn.BCEWithLogitsLoss()
    loss_d = loss_g = torch.tensor(math.nan)

    for x_real, z_d, z_g in data:
        # D: real points are labelled 1, generated ones 0; detach keeps the gradient out of G
        real, fake = d(x_real), d(g(z_d).detach())
        loss_d = bce(real, torch.ones_like(real)) + bce(fake, torch.zeros_like(fake))
        opt_d.zero_grad()
        loss_d.backward()
        opt_d.step()

        # G: its points should be taken for real ones (the non-saturating loss)
        judged = d(g(z_g))
        loss_g = bce(judged, torch.ones_like(judged))
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
