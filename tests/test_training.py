"""Whole trainings: against the textbook loop, and against the theory."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from engine import distance, double, flat, tiny
from torch import Tensor, nn

from benchmarks import textbook
from gantoys.maths.compare import divergences
from gantoys.maths.distributions import normal
from gantoys.maths.game import optimal_discriminator
from gantoys.runs.config import TrainConfig
from gantoys.training.game import Game
from gantoys.training.loop import train
from gantoys.training.player import Player
from gantoys.training.record import View

ROOT = Path(__file__).resolve().parents[1]
SMALL = TrainConfig(steps=40, frames=6, grid=6, shown=32, width=16, batch=16)
LONG = TrainConfig(steps=50_000, frames=400, cadence="even", width=16, batch=16, grid=8, shown=32)


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


# --- the textbook


def copied(player: Player, module: nn.Sequential) -> nn.Sequential:
    """The textbook's network with the player's numbers."""
    module = module.to(player.theta.dtype)
    views, linears = player.network.views(player.theta), [m for m in module if isinstance(m, nn.Linear)]
    assert len(linears) == player.network.hidden + 1
    for k, linear in enumerate(linears):
        linear.load_state_dict({"weight": views[f"w{k}"][0].mT.clone(), "bias": views[f"b{k}"][0, 0].clone()})
    return module


def numbers(player: Player, module: nn.Module) -> Tensor:
    return flat(player, [p.detach() for p in module.parameters()])


@pytest.mark.parametrize("closed", [True, False])
@pytest.mark.parametrize("gp", [0.0, 10.0])
def test_a_game_makes_the_weights_of_the_textbook_loop_step_for_step(
    gp: float, closed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Non-saturating, and WGAN-GP with two moves of D to one of G; on the same batches, in double precision: what is
    left between the two is rounding, magnified a little by 100 steps of Adam."""
    fields = {"loss": "wasserstein", "gp": gp, "d_steps": 2} if gp else {}
    game = double(tiny(width=24, batch=32, steps=100, lr_g=1e-3, lr_d=1e-3, **fields), closed=closed)
    now, theta, psi = game.now, game.g.theta.clone(), game.d.theta.clone()
    g, d = copied(game.g, textbook.network(2, 2, 24)), copied(game.d, textbook.network(2, 1, 24))
    data, shares = [], []
    for step in range(100):
        for k in range(now.d_steps):
            move, move_g = game.batches.for_d(now, step, k), game.batches.for_g(now, step, 0, real=False)
            assert move.real is not None and move.z is not None and move_g.z is not None
            data.append((move.real[0], move.z[0], move_g.z[0]))
            shares.append(move.between)
    for _ in range(100):
        game.step()

    left = iter(shares)

    def rand(*shape: int, dtype: torch.dtype) -> Tensor:
        share = next(left)
        assert share is not None and share[0].shape == shape and share.dtype == dtype
        return share[0]

    monkeypatch.setattr(torch, "rand", rand)
    textbook.train(g, d, data, gp=gp, d_steps=now.d_steps)
    assert distance(game.g.theta, numbers(game.g, g)) < 1e-9 and distance(game.d.theta, numbers(game.d, d)) < 1e-9
    assert distance(theta, game.g.theta) > 0.01 and distance(psi, game.d.theta) > 0.01, "the weights have moved"


def test_the_networks_of_the_default_config_are_those_of_the_textbook() -> None:
    game = Game(TrainConfig())
    x = torch.linspace(-2, 2, 10).view(5, 2)
    for player, module in ((game.g, textbook.network(2, 2)), (game.d, textbook.network(2, 1))):
        assert player.network.size == sum(p.numel() for p in module.parameters())
        torch.testing.assert_close(player(x[None])[0][0], copied(player, module)(x), rtol=1e-5, atol=1e-6)


def test_the_textbook_benchmark_runs(capsys: pytest.CaptureFixture[str]) -> None:
    textbook.main(5)
    assert "steps/s" in capsys.readouterr().out


# --- the theory

MEAN, STD = 0.5, 1.5


def d_alone(seed: int) -> Iterator[tuple[TrainConfig, dict[str, np.ndarray]]]:
    """D learns alone, with a falling learning rate, against a G that is a straight line: so p_G is N(0.5, 1.5^2)."""
    rows = ((0.5, 3e-3), (0.75, 1e-3), (0.9, 2e-4))
    config = TrainConfig(
        toy="bimodal", noise_dim=1, width=1, layers=1, width_d=24, layers_d=2, activation_d="tanh", batch=1024,
        seed=seed, steps=2000, g_steps=0, lr_d=1e-2, beta1=0.9, frames=12, grid=96, shown=64,
        changes=[{"step": int(2000 * share), "field": "lr_d", "value": rate} for share, rate in rows],
    )  # fmt: skip
    game = Game(config)
    views = game.g.network.views(game.g.theta)
    # z + 10 is positive for every noise, so leaky-relu leaves it as it is
    for name, value in (("w0", 1.0), ("b0", 10.0), ("w1", STD), ("b1", MEAN - 10 * STD)):
        views[name].fill_(value)
    for (frame,) in train(config, start=game.state()):
        yield config, dict(frame.arrays)


@pytest.mark.parametrize("seed", [0, 1])
def test_d_alone_becomes_the_best_discriminator_and_v_rises_to_its_bound(seed: int) -> None:
    """Goodfellow et al. 2014, proposition 1 and theorem 1. The law on cells of 0.02 lies below the true one: their JS
    differ by less than 1e-4."""
    frames = list(d_alone(seed))
    config = frames[0][0]
    p, q = config.target(), normal(MEAN, STD)
    bound = -np.log(4) + 2 * float(divergences(p, q, ("js",))["js"].value)
    x = View.of(config).grid_x
    best = optimal_discriminator(p, q, x).value
    weight = (p.density(x) + q.density(x)) * np.diff(View.of(config).edges)
    assert abs(weight.sum() - 2) < 0.01, "nearly all of both laws is in the picture"
    missed, short = [], []
    for _, arrays in frames:
        d = 1 / (1 + np.exp(-arrays["logits"].astype(float)))
        missed.append(float(np.sum(np.abs(d - best) * weight)))
        assert arrays["value"] <= -np.log(4) + 2 * arrays["js"] + 1e-12 and arrays["value"] <= bound + 1e-4
        assert abs(-np.log(4) + 2 * arrays["js"] - bound) < 1e-4
        short.append(bound - float(arrays["value"]))
    assert missed[0] > 0.1 and missed[-1] <= 0.02
    assert short[0] > 0.05 and short[-1] < 0.005
    assert short[-1] < short[len(short) // 2] < short[1] < short[0]
