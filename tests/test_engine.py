"""The engine's gradients: closed form against autograd, remedies against oracles, definitions and torch's layers."""

from typing import Any

import numpy as np
import pytest
import torch
from engine import distance, double, flat, modules, slopes, tiny
from torch import Tensor
from torch.nn import functional

from gantoys.maths.losses import LOSSES
from gantoys.runs.config import TrainConfig
from gantoys.training import narrow, products
from gantoys.training.closed_form import ClosedForm, covers
from gantoys.training.game import Game
from gantoys.training.layers import ema, pack, spectral_normalised
from gantoys.training.networks import ACTIVATIONS, Network
from gantoys.training.player import Player
from gantoys.training.record import Recorder
from gantoys.training.reference import Reference, unrolled
from tests.oracles import CASES

# The two ways differ by the order of sums alone: some hundred roundings of 1e-16, and what they add up to in 20 steps.
CLOSED = 1e-10


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


# --- closed form and autograd

REGULARISERS: dict[str, dict[str, Any]] = {
    "none": {},
    "clip": {"clip": 0.2},
    "gp": {"gp": 1.5},
    "gp0": {"gp0": 0.7},
    "gp and gp0": {"gp": 1.5, "gp0": 0.7},
    "r1": {"r1": 0.9},
    "r2": {"r2": 1.1},
    "r1 and r2": {"r1": 0.9, "r2": 1.1},
    "label smoothing": {"label_smoothing": 0.15},
    "instance noise": {"instance_noise": 0.3, "instance_noise_steps": 30},
    "historical averaging": {"historical_averaging": 0.4},
}
PENALTIES = ("gp", "gp0", "gp and gp0", "r1", "r2", "r1 and r2")


def through_the_losses(**fields: Any) -> TrainConfig:
    """A run that plays every loss for two steps, after two steps of its own; gradient descent, for Adam magnifies
    roundings where gradients are 0."""
    keys = [k for k, row in LOSSES.items() if not (row.paired and fields.get("label_smoothing"))]
    rows = [{"step": 2 * k + 2, "field": "loss", "value": key} for k, key in enumerate(keys)]
    usual = {"steps": 2 * len(keys) + 2, "optimiser": "sgd", "lr_g": 0.03, "lr_d": 0.05, "changes": rows}
    return tiny(**(usual | fields))


def walk(config: TrainConfig) -> None:
    """Both games side by side: after every step both gradients are the same. (They go on from their own weights.)"""
    closed, auto = double(config, closed=True), double(config, closed=False)
    assert isinstance(closed.passes, ClosedForm) and isinstance(auto.passes, Reference)
    played = set()
    for _ in range(config.steps):
        played.add(closed.now.loss)
        closed.step()
        auto.step()
        for one, other in ((closed.d, auto.d), (closed.g, auto.g)):
            assert distance(one.grad, other.grad) < CLOSED, closed.taken
        real, fake = closed.passes.real.reshape(-1), closed.passes.fake.reshape(-1)
        assert distance(real, auto.passes.real.reshape(-1)) < CLOSED
        assert distance(fake, auto.passes.fake.reshape(-1)) < CLOSED
    assert len(played) > 1
    assert distance(closed.d.theta, auto.d.theta) < CLOSED and distance(closed.g.theta, auto.g.theta) < CLOSED


@pytest.mark.parametrize(("seeds", "pac"), [(1, 1), (3, 2)])
@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("name", REGULARISERS)
def test_written_out_gradients_of_every_loss_equal_those_of_autograd(
    name: str, activation: str, seeds: int, pac: int
) -> None:
    config = through_the_losses(activation=activation, seeds=seeds, pac=pac, **REGULARISERS[name])
    game = double(config)
    if name in PENALTIES and activation in ("tanh", "softplus"):  # these bend, so the penalty has no closed form
        assert not covers(config, game.g.network, game.d.network) and isinstance(game.passes, Reference)
    else:
        assert covers(config, game.g.network, game.d.network) and not game.autograd
        walk(config)


SHAPES: dict[str, dict[str, Any]] = {
    "no hidden layer": {"layers": 0},
    "linear D": {"layers": 2, "layers_d": 0},
    "linear G": {"layers": 0, "layers_d": 2},
    "one layer": {"layers": 1},
    "three layers": {"layers": 3},
    "deep D, flat G": {"layers": 1, "layers_d": 3},
    "flat D, deep G": {"layers": 3, "layers_d": 1},
    "wide D": {"width": 4, "width_d": 9},
    "wide G": {"width": 9, "width_d": 4, "activation": "tanh", "activation_d": "relu"},
    "one unit": {"width": 1},
    "the line": {"toy": "bimodal", "noise_dim": 1, "layers": 2},
    "the line, three noise numbers": {"toy": "bimodal", "noise_dim": 3, "noise": "uniform", "layers": 3},
    "many moves": {"d_steps": 2, "g_steps": 3},
    "D alone twice, then simultaneous": {"order": "simultaneous", "layers": 2},
    "a training set": {"dataset": 5},
}


@pytest.mark.parametrize("seeds", [1, 3])
@pytest.mark.parametrize("shape", SHAPES)
def test_written_out_gradients_equal_those_of_autograd_for_networks_and_moves_of_every_shape(
    shape: str, seeds: int
) -> None:
    walk(through_the_losses(seeds=seeds, gp=1.5, r1=0.9, instance_noise=0.2, pac=2, **SHAPES[shape]))
    walk(through_the_losses(seeds=seeds, gp0=0.5, r2=0.9, **SHAPES[shape]))


@pytest.mark.parametrize("kernel", [products.ONEDNN, products.TORCH])
@pytest.mark.parametrize("activation", ["leaky-relu", "relu", "tanh"])
def test_large_layers_in_single_precision_have_the_gradients_of_double_precision(
    activation: str, kernel: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """1e-4: single precision rounds at 6e-8, sums run over 256 points, and the penalty is a product of six matrices."""
    if products._LINEAR is None:  # a torch that does not bring it
        kernel = products.TORCH
    monkeypatch.setattr(products, "kernel", lambda: kernel)
    penalties = {"gp": 1.5, "r1": 0.9} if activation != "tanh" else {}
    config = tiny(width=160, batch=128, layers=3, activation=activation, steps=3, **penalties)
    single, exact = Game(config, closed=True), double(config, closed=False)
    assert isinstance(single.passes, ClosedForm)
    for tape in (single.passes.tape_d, single.passes.tape_g):
        assert tape.heavy == tape.heavy_tall == (kernel == products.ONEDNN)
    for _ in range(3):
        for one, other in ((single.d, exact.d), (single.g, exact.g)):
            other.theta.copy_(one.theta)
        move_d = exact.batches.for_d(config, single.taken, 0)
        move_g = exact.batches.for_g(config, single.taken, 0, real=False)
        exact.passes.gradient_d(config, move_d, 0.0)
        single.passes.gradient_d(config, single.batches.for_d(config, single.taken, 0), 0.0)
        exact.passes.gradient_g(config, move_g, 0.0)
        single.passes.gradient_g(config, single.batches.for_g(config, single.taken, 0, real=False), 0.0)
        assert distance(single.d.grad.double(), exact.d.grad) < 1e-4
        assert distance(single.g.grad.double(), exact.g.grad) < 1e-4
        single.step()


@pytest.mark.parametrize(
    ("shape", "seeds"),
    [({"width": 16}, 3), ({"width": 32, "layers": 3}, 1), ({"width": 48, "layers": 1, "width_d": 64}, 3)],
)
@pytest.mark.parametrize("native", [True, False])
def test_narrow_networks_in_single_precision_have_the_gradients_of_double_precision(
    shape: dict[str, int], seeds: int, native: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In native code where the machine has a compiler, and without; every loss, packs and penalties. 1e-4 as above."""
    if not native:
        monkeypatch.setattr(narrow, "library", lambda: None)
    for fields in ({"activation": "relu", "r1": 0.9}, {"pac": 2, "gp": 1.5, "d_steps": 2, "instance_noise": 0.2}):
        config = through_the_losses(seeds=seeds, batch=26, **shape, **fields)
        single, exact = Game(config), double(config, closed=False)
        assert isinstance(single.passes, ClosedForm)
        for passes in (single.passes.d, single.passes.g):
            assert isinstance(passes, narrow.NarrowPasses) == (native and narrow.library() is not None)
        sizes = []
        for step in range(config.steps):
            exact.restore(single.state())
            single.step()
            exact.step()
            for one, other in ((single.d, exact.d), (single.g, exact.g)):
                assert distance(one.grad.double(), other.grad) < 1e-4, step
            sizes.append(sum(len(getattr(p, "_known", ())) for p in (single.passes.d, single.passes.g)))
        assert sizes[-1] < 20, "what is kept from pass to pass does not grow with the run"


# --- losses, by torch's own layers


def first_moves(config: TrainConfig) -> tuple[Game, Any, Any]:
    """A game before its first step, and what its first moves need."""
    game = double(config)
    return game, game.batches.for_d(game.now, 0, 0), game.batches.for_g(game.now, 0, 0, real=True)


@pytest.mark.parametrize("key", LOSSES)
def test_both_players_descend_the_loss_of_the_table(key: str) -> None:
    """Each through modules of torch's own, on the batches of the game, D's move made before G's."""
    game, move_d, move_g = first_moves(tiny(loss=key))
    row, g, d = LOSSES[key], modules(game.g), modules(game.d)
    loss_d = row.discriminator_loss(d(move_d.real[0]), d(g(move_d.z[0]).detach())).mean()
    game.step()
    assert distance(game.d.grad, slopes(loss_d, game.d, d)) < 1e-12
    d = modules(game.d)
    loss_g = row.generator_loss(d(move_g.real[0]), d(g(move_g.z[0]))).mean()
    assert distance(game.g.grad, slopes(loss_g, game.g, g)) < 1e-12


@pytest.mark.parametrize("closed", [True, False])
def test_label_smoothing_is_cross_entropy_with_the_label_nine_tenths(closed: bool) -> None:
    game = double(tiny(label_smoothing=0.1), closed=closed)
    move, d, g = game.batches.for_d(game.now, 0, 0), modules(game.d), modules(game.g)
    assert move.real is not None
    real, fake = d(move.real[0]), d(g(move.z[0]).detach())
    bce = functional.binary_cross_entropy_with_logits
    loss = bce(real, torch.full_like(real, 0.9)) + bce(fake, torch.zeros_like(fake))
    game.step()
    assert distance(game.d.grad, slopes(loss, game.d, d)) < 1e-12


def test_feature_matching_matches_the_means_of_the_last_hidden_layer() -> None:
    game, _, move = first_moves(tiny(feature_matching=True))
    g = modules(game.g)
    game.step()
    d = modules(game.d)[:-1]
    loss = (d(move.real[0]).mean(0) - d(g(move.z[0])).mean(0)).square().sum()
    assert distance(game.g.grad, slopes(loss, game.g, g)) < 1e-12


# --- penalties


def linear_critic(**fields: float) -> tuple[Reference, TrainConfig, Tensor]:
    """D(x) = w.x with the w of the oracle: a network without hidden layers has the matrix of its width."""
    w = CASES["gradient_penalties_linear_critic"]["inputs"]["w"]
    config = tiny(loss="wasserstein", **fields)
    d = Player(Network(2, 2, 0, 1, "relu"), torch.tensor([*w, 0.0], dtype=torch.float64), "sgd")
    return Reference(config, double(config).g, d), config, d.theta


@pytest.mark.parametrize(
    ("fields", "key"),
    [
        ({"r1": "gamma"}, "R1_half_gamma"),
        ({"r1": "gamma", "r2": "gamma"}, "R1_plus_R2_half_gamma"),
        ({"gp": "lam"}, "wgan_gp_one_centered"),
        ({"gp0": "lam"}, "wgan_gp_zero_centered"),
    ],
)
def test_penalties_of_a_linear_critic_are_those_of_the_closed_form(fields: dict[str, str], key: str) -> None:
    """R1 and R2 carry a half, gp and gp0 do not. For points anywhere, as the slope of a linear D is w everywhere."""
    case = CASES["gradient_penalties_linear_critic"]
    weights = {name: float(case["inputs"][given]) for name, given in fields.items()}
    torch.manual_seed(0)
    real, fake, between = torch.randn(1, 8, 2).double(), torch.randn(1, 8, 2).double(), torch.rand(1, 8, 1).double()

    def penalty(given: dict[str, float]) -> tuple[Tensor, Tensor]:
        told, now, w = linear_critic(**given)
        psi = w.clone().requires_grad_(True)
        loss = told.loss_d(now, psi, real, fake, between)
        return loss.detach(), torch.autograd.grad(loss, psi)[0]

    (loss, slope), (bare, bare_slope) = penalty(weights), penalty({})
    want = case["expected"][key]
    assert abs(float(loss - bare) - want) <= 1e-12 * want
    # all of these are homogeneous in w but the one around 1: (|w| - 1)^2 has the slope 2 (|w| - 1) w / |w|
    w = torch.tensor([3.0, 4.0], dtype=torch.float64)
    pull = 2 * 10 * 4 * w / 5 if key == "wgan_gp_one_centered" else 2 * want * w / 25
    torch.testing.assert_close((slope - bare_slope)[:2], pull, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("closed", [True, False])
@pytest.mark.parametrize("name", ["r1", "r2", "gp", "gp0"])
def test_penalties_act_on_real_generated_and_intermediate_points(name: str, closed: bool) -> None:
    """By torch's own modules and autograd on the points of the game."""
    game = double(tiny(loss="wasserstein", **{name: 0.8}), closed=closed)
    move, d, g = game.batches.for_d(game.now, 0, 0), modules(game.d), modules(game.g)
    assert move.real is not None
    real, fake = move.real[0], g(move.z[0]).detach()
    loss = d(fake).mean() - d(real).mean()
    if name in ("gp", "gp0"):
        assert move.between is not None and float(move.between.min()) >= 0 and float(move.between.max()) <= 1
        x = move.between[0] * real + (1 - move.between[0]) * fake
    else:
        x = real if name == "r1" else fake
    x = x.clone().requires_grad_(True)
    (slope,) = torch.autograd.grad(d(x).sum(), x, create_graph=True)
    norm = slope.norm(dim=1)
    terms = {"r1": 0.4 * norm**2, "r2": 0.4 * norm**2, "gp": 0.8 * (norm - 1) ** 2, "gp0": 0.8 * norm**2}
    loss = loss + terms[name].mean()
    game.step()
    assert distance(game.d.grad, slopes(loss, game.d, d)) < 1e-12


def test_clipping_cuts_every_number_of_d_and_none_of_g() -> None:
    game = double(tiny(clip=0.05, loss="wasserstein"))
    assert float(game.d.theta.abs().max()) > 0.05
    for _ in range(3):
        game.step()
        assert float(game.d.theta.abs().max()) <= 0.05 < float(game.g.theta.abs().max())


# --- what changes the networks


def test_minibatch_discrimination_stands_beside_the_last_hidden_layer() -> None:
    """A network that passes the oracle's features on unchanged and shows what the kernels see."""
    case = CASES["minibatch_discrimination"]
    f, t = (torch.tensor(case["inputs"][k], dtype=torch.float64) for k in ("f", "T"))
    network = Network(2, 2, 1, 2, "relu", kernels=2, kernel_dims=2)
    theta = torch.zeros(network.size, dtype=torch.float64)
    views = network.views(theta)
    views["w0"][0].copy_(torch.eye(2))
    views["kernels"][0].copy_(t.flatten(1))
    views["w1"][0, 2:].copy_(torch.eye(2))  # rows 0 and 1 belong to the features, 2 and 3 to the kernels
    out, features = network(theta, f[None])
    torch.testing.assert_close(features[0], f)
    want = torch.tensor(case["expected"]["o_including_self"], dtype=torch.float64)
    torch.testing.assert_close(out[0], want, rtol=0, atol=case["tolerance"])


def test_minibatch_deviation_tells_d_how_much_the_batch_differs() -> None:
    network = Network(2, 2, 1, 1, "relu", deviation=True)
    theta = torch.zeros(network.size, dtype=torch.float64)
    views = network.views(theta)
    views["w0"][0].copy_(torch.eye(2))
    views["w1"][0, 2] = 1.0
    x = torch.rand(1, 9, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    want = float(np.mean(x[0].numpy().std(axis=0)))
    np.testing.assert_allclose(network(theta, x)[0][0, :, 0], want, rtol=1e-6)  # 1e-8 stands under the root


def test_maxout_takes_the_largest_of_the_pieces_in_each_layer() -> None:
    game = double(tiny(maxout=3, layers_d=2))
    views = game.d.network.views(game.d.theta)
    x = torch.linspace(-2, 2, 10, dtype=torch.float64).view(5, 2)
    h = x.numpy()
    for k in range(2):
        pieces = h @ views[f"w{k}"][0].numpy() + views[f"b{k}"][0].numpy()
        h = pieces.reshape(5, 3, 6).max(1)
    h = h @ views["w2"][0].numpy() + views["b2"][0].numpy()
    np.testing.assert_allclose(game.d(x[None])[0][0], h, rtol=1e-12, atol=1e-14)


def test_spectral_norm_divides_by_what_the_power_method_finds() -> None:
    """The oracle's matrix in a network: after each refresh sigma is |W^T u| for the oracle's u; soon it is true."""
    case = CASES["spectral_norm_power_iteration"]
    w, u = np.array(case["inputs"]["W"], float), np.array(case["inputs"]["u0"], float)
    network = Network(2, 2, 1, 1, "relu", spectral=True)
    theta = torch.zeros(network.size, dtype=torch.float64)
    network.views(theta)["w0"][0].copy_(torch.from_numpy(w))
    memory = network.buffers(1, torch.float64, "cpu")
    memory["u-w0"].copy_(torch.from_numpy(u)[None])

    def sigma() -> float:
        x = torch.tensor([[[2.0, 5.0]]], dtype=torch.float64)  # positive features, which relu lets through
        return float((x @ torch.from_numpy(w) / network(theta, x, memory)[1])[0, 0, 0])

    for found in case["expected"]["sigma_after"]:
        network.refresh(theta, memory)
        v = w.T @ u / np.linalg.norm(w.T @ u)
        u = w @ v / np.linalg.norm(w @ v)
        assert abs(u @ w @ v - found) <= case["tolerance"]
        assert abs(sigma() - np.linalg.norm(w.T @ u)) < 1e-12
    for _ in range(10):
        network.refresh(theta, memory)
    assert abs(sigma() - case["expected"]["sigma_true"]) < case["tolerance"]


def test_a_spectrally_normalised_d_stays_within_slope_1_while_it_learns() -> None:
    """One step of the power method a move follows the weights closely: 3 % for each matrix after 60 steps."""
    game = double(tiny(spectral_norm=True, loss="hinge", steps=60))
    for _ in range(60):
        game.step()
    free = 1.0
    for name, w in game.d.network.views(game.d.theta).items():
        if name[0] == "w":
            used, _ = spectral_normalised(w, game.d.memory[f"u-{name}"], steps=0)
            assert 1 - 1e-9 <= float(torch.linalg.matrix_norm(used[0], 2)) <= 1.03
            free *= float(torch.linalg.matrix_norm(w[0], 2))
    x = torch.randn(1, 200, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64).requires_grad_(True)
    (slope,) = torch.autograd.grad(game.d(3 * x)[0].sum() / 3, x)
    assert 0 < float(slope.norm(dim=-1).max()) <= 1.03**3
    assert abs(free - 1) > 0.1, "the weights themselves are not normalised"


@pytest.mark.parametrize("closed", [True, False])
def test_d_judges_packs_of_neighbouring_points(closed: bool) -> None:
    """What D looks at and says in slow motion: one logit for two points that stand next to each other."""
    game = double(tiny(pac=2, seeds=2, instance_noise=0.1), closed=closed)
    assert game.d.network.inputs == 4
    for moment in game.moments():
        if moment.what == "D moves":
            break
        assert moment.points is not None and moment.logits is not None
        assert moment.points.shape == (2, 8, 2) and moment.logits.shape == (2, 4, 1)
        for seed in range(2):
            d = modules(game.d, seed)
            for i in range(4):
                both = torch.cat([moment.points[seed, 2 * i], moment.points[seed, 2 * i + 1]])
                torch.testing.assert_close(d(both), moment.logits[seed, i], rtol=1e-12, atol=1e-12)


# --- what changes the moves


def test_unrolling_differentiates_through_the_moves_of_d() -> None:
    """The bilinear game of the oracle: with D's moves held fixed the answer would lack half of its change."""
    case = CASES["unrolled_bilinear_game"]
    given = case["inputs"]
    for k, want in zip(given["k"], case["expected"]["grad_backprop_through"], strict=True):
        theta = torch.tensor([given["theta"]], dtype=torch.float64, requires_grad=True)
        psi = unrolled(
            lambda psi, theta=theta: -(theta * psi).sum(),
            torch.tensor([given["psi"]], dtype=torch.float64), {"t": torch.zeros(())},
            optimiser="sgd", steps=k, lr=given["eta"], beta1=0.0, beta2=0.0,
        )  # fmt: skip
        (slope,) = torch.autograd.grad((theta * psi).sum(), theta)
        assert abs(float(slope) - want) <= case["tolerance"]


def along(game: Game, direction: Tensor, value: Any, eps: float = 1e-5) -> float:
    """The central difference of value() when G's numbers go along a direction."""
    start, found = game.g.theta.clone(), []
    for sign in (1, -1):
        game.g.theta.copy_(start + sign * eps * direction)
        found.append(value())
    game.g.theta.copy_(start)
    return (found[0] - found[1]) / (2 * eps)


def random_like(theta: Tensor) -> Tensor:
    return torch.randn(theta.shape, generator=torch.Generator().manual_seed(3), dtype=theta.dtype)


@pytest.mark.parametrize("fields", [{}, {"gp": 2.0, "r2": 0.5}, {"loss": "relativistic", "instance_noise": 0.2}])
def test_unrolled_gradient_is_the_difference_of_the_loss_against_the_d_to_come(fields: dict[str, Any]) -> None:
    """D's three moves are made by hand with torch's own modules, for G as it is and slightly moved."""
    usual = {"optimiser": "sgd", "lr_d": 0.1, "activation": "tanh", "pac": 2} | fields
    game = double(tiny(**({"unrolled": 3} | usual)))
    game.step()
    now, row, noise = game.now, LOSSES[game.now.loss], game.noise()
    move = game.batches.for_g(now, game.taken, 0, real=True)
    last = game.batches.for_d(now, game.taken, 0)
    assert move.real is not None and move.z is not last.z

    def loss_to_come() -> float:
        g, d = modules(game.g), modules(game.d)
        real, fake = move.real, g(move.z[0]).detach()[None]
        if noise:
            real, fake = real + noise * move.instance_real, fake + noise * move.instance_fake
        real, fake = pack(real, now.pac)[0], pack(fake, now.pac)[0]
        for _ in range(3):
            loss = row.discriminator_loss(d(real), d(fake)).mean()
            if now.gp:
                x = torch.lerp(fake, real, last.between[0]).requires_grad_(True)
                (slope,) = torch.autograd.grad(d(x).sum(), x, create_graph=True)
                loss = loss + now.gp * (slope.norm(dim=1) - 1).square().mean()
            if now.r2:
                x = fake.clone().requires_grad_(True)
                (slope,) = torch.autograd.grad(d(x).sum(), x, create_graph=True)
                loss = loss + now.r2 / 2 * slope.square().sum(1).mean()
            grads = torch.autograd.grad(loss, list(d.parameters()))
            with torch.no_grad():
                for p, grad in zip(d.parameters(), grads, strict=True):
                    p -= now.lr_d * grad
        return float(row.generator_loss(d(real), d(fake)).mean().detach())

    game.passes.gradient_g(now, move, noise)
    direction = random_like(game.g.theta)
    want = along(game, direction, loss_to_come)
    got = float(game.g.grad @ direction)
    assert abs(got - want) < 1e-7 * max(1, abs(want)), "central differences are right to eps^2 = 1e-10 or so"
    plain = double(tiny(**(usual | {"unrolled": 0})))
    plain.restore(game.state())
    plain.passes.gradient_g(plain.now, move, noise)
    assert abs(float(plain.g.grad @ direction) - want) > 1e-4, "looking ahead makes a difference"


@pytest.mark.parametrize("fields", [{}, {"gp": 2.0}, {"r1": 0.7, "r2": 0.4, "pac": 2}, {"loss": "relativistic"}])
def test_consensus_adds_the_slope_of_half_the_squared_length_of_both_gradients(fields: dict[str, Any]) -> None:
    usual = {"order": "simultaneous", "activation": "tanh", "optimiser": "sgd"} | fields
    game, plain = double(tiny(consensus=0.8, **usual)), double(tiny(**usual), closed=False)
    move = game.batches.for_d(game.now, 0, 0)
    theta, psi = game.g.theta.clone(), game.d.theta.clone()

    def v() -> tuple[Tensor, Tensor]:
        plain.passes.gradient_d(plain.now, move, 0.0)
        plain.passes.gradient_g(plain.now, move, 0.0)
        return plain.d.grad.clone(), plain.g.grad.clone()

    v_d, v_g = v()
    game.step()
    for grad, bare, player, start in ((game.d.grad, v_d, plain.d, psi), (game.g.grad, v_g, plain.g, theta)):
        direction, found = random_like(start), []
        for sign in (1, -1):
            player.theta.copy_(start + sign * 1e-5 * direction)
            found.append(sum(float(part.square().sum()) for part in v()) / 2)
        player.theta.copy_(start)
        want = float(bare @ direction) + 0.8 * (found[0] - found[1]) / 2e-5
        assert abs(float(grad @ direction) - want) < 1e-7 * max(1, abs(want))
        assert abs(float((grad - bare) @ direction)) > 1e-4, "it makes a difference"
    # both took the step from where they stood
    torch.testing.assert_close(game.d.theta, psi - game.now.lr_d * game.d.grad, rtol=1e-12, atol=1e-15)
    torch.testing.assert_close(game.g.theta, theta - game.now.lr_g * game.g.grad, rtol=1e-12, atol=1e-15)


def test_historical_averaging_pulls_towards_the_mean_of_where_the_weights_have_been() -> None:
    """It is switched on after 3 steps: the mean is over where the weights stood from there on."""
    config = tiny(
        optimiser="sgd", lr_d=0.2, lr_g=0.3, changes=[{"step": 3, "field": "historical_averaging", "value": 0.7}]
    )
    game, plain = double(config), double(config)
    been: list[tuple[Tensor, Tensor]] = []
    for step in range(8):
        here = (game.d.theta.clone(), game.g.theta.clone())
        been = [*been, here] if step >= 3 else []
        plain.d.theta.copy_(here[0])
        plain.g.theta.copy_(here[1])
        plain.passes.gradient_d(config, plain.batches.for_d(config, step, 0), 0.0)
        game.step()
        plain.d.theta.copy_(game.d.theta)
        plain.passes.gradient_g(config, plain.batches.for_g(config, step, 0, real=False), 0.0)
        for k, (player, bare) in enumerate(((game.d, plain.d.grad), (game.g, plain.g.grad))):
            pull = 2 * 0.7 * (here[k] - torch.stack([b[k] for b in been]).mean(0)) if been else torch.zeros_like(bare)
            torch.testing.assert_close(player.grad, bare + pull, rtol=1e-11, atol=1e-13)
            assert (float(pull.abs().max()) > 1e-3) == (step > 3)


def test_the_averaged_generator_is_the_running_average_of_all_it_has_been() -> None:
    """Begun at the first weights, as in the oracle; the film shows it in G's place."""
    case = CASES["ema_bias"]

    def running(values: list[Tensor], beta: float) -> list[Tensor]:
        found = values[:1]
        for value in values[1:]:
            found.append(ema(found[-1], value, beta))
        return found

    given = [torch.tensor([float(v)], dtype=torch.float64) for v in case["inputs"]["params"]]
    for got, want in zip(running(given, case["inputs"]["beta"]), case["expected"]["ema_init_first"], strict=True):
        assert abs(float(got) - want) <= case["tolerance"]

    game = double(tiny(ema=0.9, g_steps=2, lr_g=0.05))
    been = [game.g.theta.clone()]
    move = game.g.move

    def watched(*args: Any) -> None:
        move(*args)
        been.append(game.g.theta.clone())

    game.g.move = watched  # type: ignore[method-assign]
    for _ in range(5):
        game.step()
    assert len(been) == 11 and game.average is not None
    want = running(been, 0.9)[-1]
    torch.testing.assert_close(game.average, want, rtol=1e-13, atol=1e-15)
    z = torch.randn(1, 7, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    shown = game.generated(z)
    torch.testing.assert_close(shown, game.g.network(want, z)[0], rtol=1e-12, atol=1e-14)
    assert float((shown - game.g(z)[0]).abs().max()) > 1e-3


@pytest.mark.parametrize("closed", [True, False])
def test_instance_noise_falls_evenly_to_nothing(closed: bool) -> None:
    game = double(tiny(instance_noise=0.8, instance_noise_steps=4, lr_g=1e-7), closed=closed)
    for step in range(6):
        assert game.noise() == pytest.approx(0.8 * max(0.0, 1 - step / 4), abs=1e-15)
        move, g = game.batches.for_d(game.now, step, 0), modules(game.g)
        assert move.real is not None and move.instance_real is not None and move.instance_fake is not None
        clean = {"sees real": (move.real, move.instance_real), "sees fake": (g(move.z[0])[None], move.instance_fake)}
        for moment in game.moments():
            if moment.points is not None:
                points, noise = clean[moment.what]
                torch.testing.assert_close(moment.points, points + game_noise(step) * noise, rtol=1e-10, atol=1e-12)
    assert double(tiny(instance_noise=0.8)).noise() == 0.8, "without an end it stays"


def test_slow_motion_shows_the_points_of_g_itself_where_the_film_shows_its_average() -> None:
    game = double(tiny(ema=0.9, lr_g=0.1))
    for _ in range(3):
        game.step()
    move, g = game.batches.for_d(game.now, game.taken, 0), modules(game.g)
    assert move.z is not None
    fake = next(m.points for m in game.moments() if m.what == "sees fake")
    assert fake is not None
    torch.testing.assert_close(fake[0], g(move.z[0]), rtol=1e-10, atol=1e-12)
    assert float((fake - game.generated(move.z)).abs().max()) > 1e-3


def game_noise(step: int) -> float:
    return 0.8 * max(0.0, 1 - step / 4)


def test_batch_normalisation_learns_with_the_batch_and_shows_with_the_statistics_of_the_population() -> None:
    game, move_d, move_g = first_moves(tiny(batch_norm=True, layers=1))
    views = game.g.network.views(game.g.theta)

    def normalised(x: Tensor) -> Tensor:
        y = functional.batch_norm(x, None, None, training=True) * views["gamma0"][0] + views["beta0"][0]
        return functional.leaky_relu(y, 0.2) @ views["w1"][0] + views["b1"][0]

    game.passes.gradient_d(game.now, move_d, 0.0)
    game.passes.gradient_g(game.now, move_g, 0.0)
    assert isinstance(game.passes, Reference)
    torch.testing.assert_close(game.passes.x_fake[0], normalised(move_d.z[0] @ views["w0"][0]), rtol=1e-12, atol=1e-12)
    game.settle()
    many = game._population
    assert many is not None and many.shape == (1, 4096, 2)
    # a population is normalised by itself; single points of it come out as among the others, at any step
    want = normalised(many[0] @ views["w0"][0])
    torch.testing.assert_close(game.generated(many)[0], want, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(game.generated(many[:, :3])[0], want[:3], rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("ema", [0.0, 0.9])
def test_the_pictures_of_a_normalised_g_show_the_g_of_that_step_from_the_first_on(ema: float) -> None:
    """The points shown are those of torch's own module in training mode on the whole population of the picture."""
    game = double(tiny(batch_norm=True, layers=2, ema=ema, lr_g=0.05))
    recorder = Recorder(game)
    for steps in (0, 1, 5):
        while game.taken < steps:
            game.step()
        shown = recorder.frames()[0].arrays["samples"]
        assert game._population is not None
        views, count = game.g.network.views(game.shown), len(game._population[0])
        # those shown among the others, of which each is then one of many
        x = torch.cat([game._population[0], recorder.noise[0, : len(shown)]])
        for k in range(2):
            y = x @ views[f"w{k}"][0]
            mean, variance = y[:count].mean(0), y[:count].var(0, unbiased=False)
            y = (y - mean) / (variance + 1e-5).sqrt() * views[f"gamma{k}"][0] + views[f"beta{k}"][0]
            x = functional.leaky_relu(y, 0.2)
        want = (x @ views["w2"][0] + views["b2"][0])[count:]
        np.testing.assert_allclose(shown, want, rtol=1e-10, atol=1e-12)


def test_the_helper_that_copies_players_into_modules_loses_nothing() -> None:
    game = double(tiny(layers=3, width_d=9))
    for player in (game.g, game.d):
        module = modules(player)
        assert torch.equal(flat(player, [p.detach() for p in module.parameters()]), player.theta)
        x = torch.randn(1, 5, player.network.inputs, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
        torch.testing.assert_close(player(x)[0][0], module(x[0]), rtol=1e-13, atol=1e-14)
