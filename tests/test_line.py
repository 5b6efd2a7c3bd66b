"""What a film on the line calls exact: JS and V of twenty trained runs against sums that share nothing with the
recorder, and of known generators against quadrature."""

import math
from typing import Any

import numpy as np
import pytest
import torch
from engine import modules, tiny
from scipy import integrate, stats

from gantoys.maths.compare import divergences
from gantoys.maths.distributions import Mixture1D, normal
from gantoys.runs.config import TrainConfig
from gantoys.training import line
from gantoys.training.game import Game
from gantoys.training.record import Recorder

Array = np.ndarray
# the third decimal is the last that pages print
LAST_DIGIT = 0.0005
DENSE = 1e6
RUNS: tuple[dict[str, Any], ...] = (
    {},
    {"activation": "relu"},
    {"activation": "tanh"},
    {"activation": "softplus"},
    {"loss": "saturating"},
    {"loss": "least-squares"},
    {"loss": "f-kl"},
    {"r1": 0.3},
    {"noise": "uniform"},
    {"toy": "gaussian"},
    {"toy": "trimodal"},
    {"toy": "uniform"},
    {"toy": "skewed"},
    {"toy": "heavy"},
    {"toy": "0.5*U(-3,-1)+0.5*N(2,0.2)"},
    {"toy": "N(8,0.5)", "steps": 12},
    {"optimiser": "sgd", "lr_g": 0.1, "lr_d": 0.1},
    {"beta1": 0.9, "lr_g": 5e-3},
    {"batch_norm": True, "steps": 40},
    {"layers": 1, "width": 40},
)


def trained(**fields: Any) -> Game:
    base = {"toy": "bimodal", "noise_dim": 1, "width": 16, "batch": 64, "steps": 80, "layers": 2, "shown": 32}
    game = Game(TrainConfig.build(base | fields))
    with torch.inference_mode(not game.autograd), torch.set_grad_enabled(False):
        while game.taken < game.config.steps:
            game.step()
    return game


def noise(game: Game, points: int) -> tuple[Array, Array]:
    """Noise numbers in the middle of small equal steps, and their weights."""
    low, high = (-1.0, 1.0) if game.config.noise == "uniform" else (-8.5, 8.5)
    z = low + (high - low) * (np.arange(points) + 0.5) / points
    w = np.ones(points) if game.config.noise == "uniform" else np.exp(-z * z / 2)
    return z, w / w.sum()


def at(game: Game, which: str, x: Array) -> Array:
    """A player in double precision at numbers (n,)."""
    player = getattr(game, which)
    memory = {k: v.double() for k, v in player.memory.items()}
    with torch.no_grad():
        parts = [
            player.network(player.theta.double(), torch.from_numpy(part)[None, :, None], memory)[0][0, :, 0].numpy()
            for part in np.array_split(np.asarray(x, float), 8)
        ]
    return np.concatenate(parts)


def js_by_sheets(game: Game) -> float:
    """JS = log 2 - E_q [log(1 + t) + t log(1 + 1/t)] / 2 with t = p/q, over p_G: no cells.

    The density q at a point is the sum over all z that G sends there of the noise's density over |G'|. What is so dense
    that p is nothing beside it, such as noise that G sends to one place, has t = 0.
    """
    z, w = noise(game, 100_000)
    x, target = at(game, "g", z), game.config.target()
    low, high, share = np.minimum(x[:-1], x[1:]), np.maximum(x[:-1], x[1:]), (w[:-1] + w[1:]) / 2
    dense = share > DENSE * (high - low)
    low, high, height = low[~dense], high[~dense], share[~dense] / (high - low)[~dense]
    begun, over = np.argsort(low), np.argsort(high)
    total = [np.concatenate([[0.0], np.cumsum(height[order])]) for order in (begun, over)]
    middle = (x[:-1] + x[1:])[~dense] / 2
    q = total[0][np.searchsorted(low[begun], middle, "right")] - total[1][np.searchsorted(high[over], middle)]
    # differences of sums of many heights: where rounding leaves less, a point's own sheet is there at least
    t = np.exp(target.log_density(middle)) / np.maximum(q, height)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        lost = np.log1p(t) + np.where(t > 1e-300, t * np.log1p(1 / t), 0.0)
    return math.log(2) - float(share[~dense] @ lost) / 2


def value_by_sums(game: Game) -> float:
    """E log D over p_data by Simpson's rule over x, E log(1 - D) over p_G by the midpoints of z. For D = sigmoid(a)."""
    target = game.config.target()
    assert isinstance(target, Mixture1D)
    reach = 400.0 if "student-t" in target.kinds else 12.0
    # a grid that is fine in the middle and coarse far out
    u = np.linspace(-1, 1, 100_001)
    places, slope = reach * u**3 + 2 * u, 3 * reach * u**2 + 2
    real = integrate.simpson(target.density(places) * slope * -np.logaddexp(0, -at(game, "d", places)), x=u)
    z, w = noise(game, 100_000)
    return float(real + w @ -np.logaddexp(0, at(game, "d", at(game, "g", z))))


@pytest.mark.parametrize("fields", RUNS, ids=lambda f: ", ".join(f"{k}={v}" for k, v in f.items()) or "default")
def test_js_and_value_of_a_trained_run_are_right_to_the_last_digit(fields: dict[str, Any]) -> None:
    game = trained(**fields)
    recorder = Recorder(game)
    told = recorder.frames()[0].arrays
    assert told["errors"][-1] == 0 and abs(told["js"] - js_by_sheets(game)) < LAST_DIGIT
    if game.config.loss in ("non-saturating", "saturating"):
        assert told["errors"][-2] == 0 and abs(told["value"] - value_by_sums(game)) < LAST_DIGIT
        assert told["value"] <= -math.log(4) + 2 * told["js"] + 2 * LAST_DIGIT


def straight(mean: float, std: float, **fields: Any) -> Game:
    """G(z) = mean + std z: z + 10 is positive for every noise, so the activation leaves it as it is."""
    base = {"toy": "bimodal", "noise_dim": 1, "width": 2, "width_d": 6, "activation_d": "tanh", "layers": 1}
    game = Game(tiny(**(base | fields)), dtype=torch.float64)
    views = game.g.network.views(game.g.theta)
    for name, value in (
        ("w0", [[1.0, 0.0]]),
        ("b0", [[10.0, 0.0]]),
        ("w1", [[std], [0.0]]),
        ("b1", [[mean - 10 * std]]),
    ):
        views[name].copy_(torch.as_tensor(value, dtype=torch.float64))
    return game


@pytest.mark.parametrize(("mean", "std"), [(0.5, 1.5), (-2.0, 0.4), (2.0, 0.003), (40.0, 1.0)])
def test_value_and_js_of_a_known_generator_are_those_of_quadrature(mean: float, std: float) -> None:
    """Also where p_G is far narrower than a cell of the picture, or outside of it."""
    game = straight(mean, std)
    told, p, q = Recorder(game).frames()[0].arrays, game.config.target(), normal(mean, std)
    assert isinstance(p, Mixture1D) and isinstance(q, Mixture1D)
    assert told["js"] == pytest.approx(float(divergences(p, q, ("js",))["js"].value), abs=2e-5)
    d = modules(game.d)

    def logit(x: float) -> float:
        return float(d(torch.tensor([x], dtype=torch.float64)))

    with torch.no_grad():
        first, _ = integrate.quad(
            lambda x: -p.density(np.array([x]))[0] * np.logaddexp(0, -logit(x)), -8, 8, points=[-2, 2]
        )
        low, high = mean - 9 * std, mean + 9 * std
        second, _ = integrate.quad(lambda x: -q.density(np.array([x]))[0] * np.logaddexp(0, logit(x)), low, high)
    assert told["value"] == pytest.approx(first + second, abs=2e-5)


@pytest.mark.parametrize("law", ["N(3,1)", "U(2,4)", "T(0,1,3)", "0.3*N(-4,0.1)+0.7*SN(1,2,5)"])
def test_expectations_at_the_nodes_of_a_distribution_are_those_of_scipy(law: str) -> None:
    target = TrainConfig(toy=law).target()
    assert isinstance(target, Mixture1D)
    nodes = line.Nodes.of(target)
    assert nodes.mass.sum() == pytest.approx(1, abs=1e-12)
    low, high = (-np.inf, np.inf) if "student-t" in target.kinds else (-12, 12)

    def weighted(x: float, f: Any) -> float:
        return float(target.density(np.array([x]))[0] * f(x))

    for f in (np.tanh, lambda x: np.logaddexp(0, 3 * x), lambda x: np.abs(x - 1.3)):
        want = sum(
            integrate.quad(weighted, a, b, args=(f,), limit=400)[0]
            for a, b in ((low, -4), (-4, 0), (0, 2), (2, 4), (4, high))
        )
        assert nodes.mean(f(nodes.x)) == pytest.approx(want, abs=2e-4)


def test_a_fixed_distribution_is_judged_exactly_too() -> None:
    game = Game(tiny(toy="N(0,1)", fake_law="N(3,0.5)", g_steps=0, noise_dim=1, width_d=6, activation_d="tanh"),
                dtype=torch.float64)  # fmt: skip
    told = Recorder(game).frames()[0].arrays
    p, q = normal(0, 1), normal(3, 0.5)
    assert told["js"] == pytest.approx(float(divergences(p, q, ("js",))["js"].value), abs=1e-9)
    d = modules(game.d)
    x = np.linspace(-9, 9, 20_001)
    with torch.no_grad():
        a = d(torch.from_numpy(x)[:, None])[:, 0].numpy()
    want = integrate.simpson(
        -stats.norm.pdf(x) * np.logaddexp(0, -a) - stats.norm.pdf(x, 3, 0.5) * np.logaddexp(0, a), x=x
    )
    assert told["value"] == pytest.approx(float(want), abs=1e-6)


def test_what_p_g_does_outside_of_the_picture_is_drawn_in_wider_cells() -> None:
    """N(12, 1) beside a target between -4 and 4: all its mass stands in cells beyond the room, which is unchanged."""
    recorder = Recorder(straight(12.0, 1.0))
    view, told = recorder.views[0], recorder.frames()[0].arrays
    widths = np.diff(view.edges)
    assert np.all(np.diff(view.edges) > 0) and widths[60] == pytest.approx(widths[0] / 1.12**40, rel=1e-6)
    below = np.cumsum(told["density"] * widths)
    np.testing.assert_allclose(below, stats.norm.cdf(view.edges[1:], 12, 1), atol=4e-6)
