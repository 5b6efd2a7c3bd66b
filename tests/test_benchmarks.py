"""The benchmarks' own arithmetic, and that what they compare does the same work."""

import dataclasses
import importlib.util
import itertools
import json
import sys
from collections.abc import Callable, Iterator
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode
from tree import ROOT

from benchmarks import matmuls, recording, textbook, training
from gantoys.pictures import optimal_discriminator as picture
from gantoys.runs.config import TrainConfig
from gantoys.runs.cost import weights
from gantoys.stage.channels import Swept
from gantoys.stage.layers import Curve
from gantoys.training.game import Game


def module(name: str) -> ModuleType:
    """A module of benchmarks/, which is no package."""
    spec = importlib.util.spec_from_file_location(f"benchmark_{name}", ROOT / "benchmarks" / f"{name}.py")
    assert spec is not None and spec.loader is not None
    loaded = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = loaded  # dataclasses look their module up
    spec.loader.exec_module(loaded)
    return loaded


figures = module("figures")


@pytest.mark.parametrize(("share", "want"), [(0.5, 10), (0.95, 19), (1.0, 20)])
def test_a_quantile_is_the_smallest_value_that_so_many_do_not_exceed(share: float, want: float) -> None:
    values = np.random.default_rng(0).permutation(np.arange(1.0, 21.0))
    assert figures.quantile(values, share) == want
    assert figures.quantile(values, share) == np.quantile(values, share, method="inverted_cdf")
    assert np.isnan(figures.quantile([], share))


def test_a_figure_beyond_its_bound_is_marked() -> None:
    assert figures.Row("p95", "ms", 31, most=30).verdict == "MISSED (<= 30)"
    assert figures.Row("p95", "ms", 30, most=30).verdict == "ok (<= 30)"
    assert figures.Row("pictures", "1/s", 24, least=25).verdict == "MISSED (>= 25)"
    assert figures.Row("series without a value", "ms", float("nan"), most=30).verdict == "MISSED (<= 30)"
    assert figures.Row("p50", "ms", 1).verdict == ""


def test_better_means_faster_for_a_time_and_more_for_a_rate() -> None:
    assert figures.Row("time", "ms", 10, 50).ratio == "5.0x"
    assert figures.Row("speed", "1/s", 50, 10).ratio == "5.0x"
    assert figures.Row("speed", "1/s", 50, 0).ratio == ""


def test_a_ratio_taken_turn_by_turn_counts_more_than_the_quotient_of_the_medians() -> None:
    row = figures.Row("steps", "1/s", 50, 10, times=3.996, least_times=4)
    assert row.ratio == "4.00x" and row.verdict == "MISSED (>= 4x)"
    assert figures.Row("steps", "1/s", 40, 10, least_times=4).verdict == "ok (>= 4x)"
    assert figures.Row("steps", "1/s", 40, least_times=4).verdict == "MISSED (>= 4x)"
    both = figures.Row("steps", "1/s", 40, 10, least=60, times=4.0, least_times=4)
    assert both.verdict == "MISSED (>= 60, >= 4x)"
    assert figures.Row(**json.loads(json.dumps(dataclasses.asdict(both)))) == both


def test_turns_go_to_and_fro_and_the_first_does_not_count() -> None:
    calls: list[str] = []

    def way(name: str) -> Callable[[], float]:
        return lambda: calls.append(name) or float(len(calls))  # type: ignore[func-returns-value]

    found = figures.in_turns([way("a"), way("b")], figures.Clock(0))
    assert "".join(calls) == "baabbaab"
    assert found == [(3.0, 4.0), (6.0, 5.0), (7.0, 8.0)]


def test_plain_widgets_are_given_the_curves_of_the_lesson() -> None:
    plotly = module("plotly_app")
    state = picture.OptimalState(left=-1.5, weight=0.3)
    panels, js = plotly.figure(state)
    scene = picture.scene(state)
    at = scene.controls[0].start

    def shown(role: str, panel: int) -> np.ndarray:
        curve = next(c for c in scene.panels[panel].layers if isinstance(c, Curve) and c.role == role)
        return np.asarray(curve.y.rows["left"][at] if isinstance(curve.y, Swept) else curve.y)

    ours = (shown("real", 0), shown("fake", 0), shown("disc", 1), shown("theory", 2))
    for trace, want in zip(panels.data, ours, strict=True):
        assert np.asarray(trace.y) == pytest.approx(want, abs=1e-9)
    value = next(r for r in scene.readouts if r.key == "js").value
    assert isinstance(value, Swept) and js == pytest.approx(float(value.rows["left"][at]), abs=1e-6)


# --- training


@pytest.fixture
def _one_thread() -> None:
    torch.set_num_threads(1)
    torch.manual_seed(0)


class Products(TorchDispatchMode):
    """Counts the floating-point operations of the matrix products inside, whoever asks for them."""

    def __init__(self) -> None:
        super().__init__()
        self.flops = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func.overloadpacket in (torch.ops.aten.mm, torch.ops.aten.addmm):
            a, b = args[-2:]
            self.flops += 2 * a.shape[0] * a.shape[1] * b.shape[1]
        elif func.overloadpacket is getattr(torch.ops.mkldnn, "_linear_pointwise", None):
            # x (n, inputs), w (outputs, inputs)
            self.flops += 2 * len(args[0]) * args[1].numel()
        return func(*args, **(kwargs or {}))


@pytest.mark.long
def test_the_bare_products_of_w1_are_those_that_autograd_does() -> None:
    """torch's own counter over both moves, with D not asked for its own gradients in G's move."""
    g, d = textbook.network(2, 2), textbook.network(2, 1)
    ((x_real, z_d, z_g),) = textbook.batches(1)
    with FlopCounterMode(display=False) as counter:
        d(torch.cat([x_real, g(z_d).detach()])).mean().backward()
        d.requires_grad_(False)
        d(g(z_g)).mean().backward()
    products = matmuls.step()
    assert sum(p.flops for p in products) == counter.get_total_flops()
    with Products() as bare:
        matmuls.run(products, 1)
    assert bare.flops == counter.get_total_flops()
    assert (len(products), len(matmuls.step(penalty=True))) == (25, 33), "as the module says"


def test_the_bare_products_make_the_gradients_of_a_linear_network() -> None:
    """Without activations nothing but products is left: autograd must find the same, the penalty |dD/dx|^2 / 2 too.

    Single precision, three layers of sums over at most 7 numbers of size 1, then over 9 points: 1e-4.
    """
    torch.manual_seed(1)
    chain = matmuls.Chain([2, 6, 7, 1])
    x, between, slope = torch.randn(9, 2), torch.randn(5, 2), torch.randn(9, 1)
    forward = chain.forward(x)
    back = chain.backward(forward, slope, weights=True, points=True)
    matmuls.run([*forward, *back], 1)
    plain = [s.clone() for s in chain.slopes]
    matmuls.run(chain.penalty(between), 1)

    ws = [w.double().requires_grad_(True) for w in chain.weights]

    def d(points: torch.Tensor) -> torch.Tensor:
        for w, b in zip(ws, chain.biases, strict=True):
            points = points @ w + b.double()
        return points

    at = x.double().requires_grad_(True)
    to_points, *to_weights = torch.autograd.grad((d(at) * slope).sum(), [at, *ws])
    torch.testing.assert_close(forward[-1].out.double(), d(x.double()), rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(back[-1].out.double(), to_points, rtol=1e-4, atol=1e-4)
    for mine, want in zip(plain, to_weights, strict=True):
        torch.testing.assert_close(mine.double(), want, rtol=1e-4, atol=1e-4)
    at = between.double().requires_grad_(True)
    (gradient,) = torch.autograd.grad(d(at).sum(), at, create_graph=True)
    wanted = torch.autograd.grad((gradient**2).sum() / 2, ws)
    for mine, before, want in zip(chain.slopes[:-1], plain, wanted, strict=False):
        assert float(want.abs().max()) > 0.1
        torch.testing.assert_close((mine - before).double(), want, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("key", ["W1", "W2"])
def test_a_step_of_gantoys_needs_the_products_that_the_benchmark_times(key: str, _one_thread: None) -> None:
    """Within 1 %: products with one column may be done elementwise."""
    config = training.CASES[key].config
    game = Game(config)
    with torch.inference_mode(), Products() as counter:
        game.step()
    bare = sum(p.flops for p in matmuls.step(config.width, config.batch, penalty=config.gp > 0))
    assert counter.flops == pytest.approx(bare, rel=0.01)


@pytest.mark.parametrize("key", training.CASES)
def test_the_textbook_networks_have_the_weights_of_the_config(key: str) -> None:
    config = training.CASES[key].config
    *players, options = training.textbook_of(config)
    matrices = tuple(sum(p.numel() for p in net.parameters() if p.ndim == 2) for net in players)
    assert matrices == weights(config)
    assert options["d_steps"] == config.d_steps and options["gp"] == config.gp
    parameter = torch.nn.Parameter(torch.zeros(1))
    optimiser = options["optimiser"]([parameter])
    assert type(optimiser).__name__.lower() == config.optimiser
    assert optimiser.defaults["lr"] == config.lr_g == config.lr_d
    if config.optimiser == "adam":
        assert optimiser.defaults["betas"] == (config.beta1, config.beta2)
    activations = {"relu": torch.relu, "leaky-relu": lambda x: torch.where(x < 0, 0.2 * x, x)}
    x = torch.linspace(-1, 1, 5)
    for net in players:
        assert torch.equal(net[1](x), activations[config.activation](x))


def test_the_textbook_penalty_of_a_plane_is_known() -> None:
    """D(x) = w x: |dD/dx| = |w| everywhere, so the penalty is (|w| - 1)^2 and its gradient 2 (|w| - 1) w / |w|."""
    d = torch.nn.Linear(2, 1, dtype=torch.float64)
    with torch.no_grad():
        d.weight[:] = torch.tensor([[3.0, 4.0]])
    value = textbook.penalty(d, torch.randn(7, 2).double(), torch.randn(7, 2).double())
    value.backward()
    assert value.item() == pytest.approx(16, abs=1e-12)
    np.testing.assert_allclose(d.weight.grad, [[8 * 0.6, 8 * 0.8]], atol=1e-12)


def test_the_textbook_moves_g_after_every_so_many_moves_of_d(_one_thread: None) -> None:
    for count, moved in ((1, False), (2, True), (3, True)):
        g, d = textbook.network(2, 2, 8), textbook.network(2, 1, 8)
        before = [p.detach().clone() for p in g.parameters()], [p.detach().clone() for p in d.parameters()]
        textbook.train(g, d, textbook.batches(count, 10), d_steps=2, optimiser=textbook.sgd)
        assert moved != all(torch.equal(p, q) for p, q in zip(before[0], g.parameters(), strict=True))
        assert not all(torch.equal(p, q) for p, q in zip(before[1], d.parameters(), strict=True))


def test_a_case_is_measured_both_ways_and_against_the_bare_products(_one_thread: None) -> None:
    case = dataclasses.replace(training.CASES["W2"], steps=(64, 3), seconds=0.0)
    speed, share = training.rows(case)
    assert speed.ours > 0 and speed.other and speed.other > 0 and speed.times is not None
    # the middle of the ratios lies between the ratios of extremes; what this machine reaches is no matter here
    assert 0.1 < speed.times < 100 and 0 < share.ours < 2
    assert speed.least_times == case.least_times and share.least == case.least_share


@pytest.mark.long
def test_processes_train_a_case_together_and_are_gone_afterwards(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[Any] = []
    popen = training.subprocess.Popen
    monkeypatch.setattr(training.subprocess, "Popen", lambda *a, **k: started.append(popen(*a, **k)) or started[-1])
    with training.together(training.CASES["W3"]) as speed:
        assert speed() > 0
        assert [process.poll() for process in started] == [None, None]
    assert all(process.returncode is not None for process in started) and len(started) == 2


def test_what_pictures_cost_is_told_from_runs_with_few_and_with_many_steps_between_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A step takes 2 ms, a picture 12 and its writing 3, on a machine that becomes slower all the time."""
    at = [0.0]

    def train(config: TrainConfig) -> Iterator[tuple[SimpleNamespace]]:
        for before, step in itertools.pairwise((0, *config.recorded_steps())):
            at[0] += (2 * (step - before) + 12) * (1 + at[0] / 1e6)
            yield (SimpleNamespace(arrays={}),)

    class Writer:
        def __init__(self, *told: object) -> None:
            pass

        def append(self, *told: object) -> None:
            at[0] += 3

        def close(self) -> None:
            pass

    monkeypatch.setattr(recording, "train", train)
    monkeypatch.setattr(recording, "FilmWriter", Writer)
    monkeypatch.setattr(recording.time, "process_time", lambda: at[0])
    config = TrainConfig()
    want = 100 * 99 * 15 / (2 * config.steps + 15)
    assert config.frames == 101 and recording.recording_cost(config) == pytest.approx(want, rel=0.02)
