"""The generator's gradients by torch's autograd, as training computes them: an independent check of the theory.

    python -m gantoys.training.autograd < request.json > values.json

The request: {"data": "N(0,1)", "scale": 1, "shifts": [0.5, 1, 2]}; the generator is x = shift + scale z, z ~ N(0,1).
The answer repeats it and adds "gradients": for each loss d/dshift of the generator's loss, and "without": for each loss
that has no such value, why. Exit status 2 and one sentence on standard error for a request that cannot be read.

No sampling: z runs over equally spaced nodes weighted with its density. For smooth integrands that decay like a normal
density this rule converges faster than any power of the step (Trefethen & Weideman 2014).
"""

from __future__ import annotations

import json
import math
import sys
from typing import Any

import numpy as np
import torch

from gantoys.maths import LOSSES, Mixture1D, parse
from gantoys.maths.losses import Loss

REACH, STEP = 32.0, 1 / 32  # of the nodes of z; chi-square's integrand lies as far as 30 standard deviations out
PAIR_REACH = 9.0  # beyond it the weight of a node is below 1e-18
MOST_SHIFTS = 200
NO_RATIO = "its best critic is no function of the ratio of the densities"
JUMPS = "its best critic is flat beside a jump, and autograd does not see the jump"


def log_normal(x: torch.Tensor, mean: float, std: float) -> torch.Tensor:
    """log N(x; mean, std^2), any shape."""
    return -0.5 * ((x - mean) / std) ** 2 - math.log(std) - 0.5 * math.log(2 * math.pi)


def log_density(law: Mixture1D, x: torch.Tensor) -> torch.Tensor:
    """log p(x) of a mixture of normals, written in torch so that autograd can follow x."""
    parts = zip(law.weights, law.locs, law.scales, strict=True)
    return torch.logsumexp(torch.stack([math.log(w) + log_normal(x, m, s) for w, m, s in parts if w > 0]), dim=0)


def gradient(law: Mixture1D, row: Loss, shift: float, scale: float) -> float | None:
    """d/dshift E_z generator(a*(shift + scale z)), D frozen at D*; None where the best critic is flat."""
    assert row.optimal is not None
    z = torch.arange(-REACH, REACH + STEP, STEP, dtype=torch.float64)
    weight = torch.exp(log_normal(z, 0.0, 1.0)) * STEP
    theta = torch.tensor(shift, dtype=torch.float64, requires_grad=True)
    x = theta + scale * z
    ratio = log_density(law, x) - log_normal(x, shift, scale)  # D knows where p_G was: no gradient goes that way
    logit = row.optimal(ratio)
    (slope,) = torch.autograd.grad(logit.sum(), ratio, retain_graph=True, allow_unused=True)
    if slope is None or not slope.any():
        return None
    if row.paired:
        loss = _paired_loss(law, row, ratio, z, weight, shift, scale)
    else:
        loss = (weight * row.generator(logit)).sum()
    loss.backward()
    assert theta.grad is not None
    return float(theta.grad)


def _paired_loss(
    law: Mixture1D, row: Loss, fake: torch.Tensor, z: torch.Tensor, weight: torch.Tensor, shift: float, scale: float
) -> torch.Tensor:
    """E over real and generated points of generator(a_fake - a_real)."""
    near = z.abs() <= PAIR_REACH
    total = torch.zeros((), dtype=torch.float64)
    for share, mean, std in zip(law.weights, law.locs, law.scales, strict=True):
        y = mean + std * z[near]
        real = log_density(law, y) - log_normal(y, shift, scale)
        values = row.generator_loss(real[:, None], fake[near][None])
        total = total + share * (weight[near][:, None] * weight[near][None] * values).sum()
    return total


def answer(request: dict[str, Any]) -> dict[str, Any]:
    """The gradients of every loss; see the module's docstring. Raises ValueError for a request that cannot be met."""
    try:
        law, scale = parse(str(request["data"])), float(request["scale"])
        shifts = [float(value) for value in request["shifts"]]
    except (KeyError, TypeError) as error:
        raise ValueError(f"a request has data, scale and shifts, got {request}") from error
    if not isinstance(law, Mixture1D) or set(law.kinds) != {"normal"}:
        raise ValueError(f"{law} is not a mixture of normals on the line")
    if not 0 < scale < math.inf or not np.all(np.isfinite(shifts)) or not 1 <= len(shifts) <= MOST_SHIFTS:
        raise ValueError(f"scale must be positive and 1 to {MOST_SHIFTS} shifts finite, got {scale:g} and {shifts}")
    gradients: dict[str, list[float]] = {}
    without: dict[str, str] = {}
    for key, row in LOSSES.items():
        found = None if row.optimal is None else [gradient(law, row, shift, scale) for shift in shifts]
        if found is None or None in found:
            without[key] = NO_RATIO if found is None else JUMPS
        else:
            gradients[key] = [value for value in found if value is not None]
    return {"data": str(law), "scale": scale, "shifts": shifts, "gradients": gradients, "without": without}


def main() -> int:
    """Reads a request, writes the answer; the exit status."""
    torch.set_num_threads(1)
    try:
        request = json.loads(sys.stdin.read(100_000))
        if not isinstance(request, dict):
            raise ValueError(f"a request is an object with data, scale and shifts, got {type(request).__name__}")
        print(json.dumps(answer(request), indent=1))
    except ValueError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
