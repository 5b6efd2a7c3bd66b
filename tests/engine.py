"""What the tests of the training engine share: small runs, their players as torch's own modules, equal frames."""

from collections.abc import Iterable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from gantoys.runs.config import TrainConfig
from gantoys.training.game import Game
from gantoys.training.player import Player
from gantoys.training.record import Frame

# networks and batches so small that a step is mostly overhead: what is right for them is right for all
TINY: dict[str, Any] = {"steps": 40, "frames": 6, "grid": 6, "shown": 32, "width": 6, "batch": 8}
ACTIVATIONS = {"leaky-relu": nn.LeakyReLU(0.2), "relu": nn.ReLU(), "tanh": nn.Tanh(), "softplus": nn.Softplus()}


def tiny(**fields: Any) -> TrainConfig:
    """A config of tiny networks, with the given fields."""
    return TrainConfig.build(TINY | fields)


def double(config: TrainConfig, **options: Any) -> Game:
    return Game(config, dtype=torch.float64, **options)


def modules(player: Player, seed: int = 0) -> nn.Sequential:
    """One seed of a plain player as torch's own layers, with copies of its numbers."""
    network, views = player.network, player.network.views(player.theta)
    layers: list[nn.Module] = []
    for k in range(network.hidden + 1):
        w, b = views[f"w{k}"][seed], views[f"b{k}"][seed]
        linear = nn.Linear(*w.shape, dtype=w.dtype)
        linear.load_state_dict({"weight": w.mT.clone(), "bias": b[0].clone()})
        layers += [linear, ACTIVATIONS[network.activation]]
    return nn.Sequential(*layers[:-1])


def flat(player: Player, tensors: Iterable[Tensor]) -> Tensor:
    """Numbers in the order of torch's modules (weight, bias, ...) as the flat vector of a player of one seed."""
    out = torch.zeros_like(player.theta)
    views, given = player.network.views(out), list(tensors)
    for k in range(player.network.hidden + 1):
        views[f"w{k}"][0].copy_(given[2 * k].mT)
        views[f"b{k}"][0, 0].copy_(given[2 * k + 1])
    return out


def slopes(loss: Tensor, player: Player, module: nn.Module) -> Tensor:
    """The gradient of a loss in a module's numbers, as the flat vector of the player it was copied from."""
    return flat(player, torch.autograd.grad(loss, list(module.parameters())))


def distance(got: Tensor, want: Tensor) -> float:
    """The largest difference, relative to the largest number. Fails where there is nothing to compare."""
    largest = float(want.abs().max())
    assert np.isfinite(largest) and largest > 0 and got.shape == want.shape
    return float((got - want).abs().max()) / largest


def part(player: Player, flat: Tensor, seed: int) -> Tensor:
    """One seed's numbers out of a flat vector of several."""
    return torch.cat([view[seed].flatten() for view in player.network.views(flat).values()])


def equal(one: Frame, other: Frame) -> bool:
    """Whether two frames hold the same, bit for bit."""
    return one.arrays.keys() == other.arrays.keys() and all(
        np.asarray(a).tobytes() == np.asarray(other.arrays[name]).tobytes() for name, a in one.arrays.items()
    )


def same_state(one: dict[str, Any], other: dict[str, Any]) -> bool:
    return one.keys() == other.keys() and all(a.tobytes() == other[name].tobytes() for name, a in one.items())
