"""What a frame holds: p_G on the line against known laws, arrows against differences, numbers against quadrature."""

from typing import Any

import numpy as np
import pytest
import torch
from engine import double, modules, tiny
from scipy.stats import norm

from gantoys.maths.distributions import Mixture1D, normal, uniform
from gantoys.maths.losses import LOSSES
from gantoys.maths.points import from_points
from gantoys.metrics.jensen_shannon import JSBound
from gantoys.runs.config import TrainConfig
from gantoys.runs.film import ERRORS_BELOW
from gantoys.runs.film_file import ARROWS, ERRORS, MESH, MESH_LINE, OUTER, frame_fields, static_fields
from gantoys.training import line, record
from gantoys.training.game import Game
from gantoys.training.loop import train
from gantoys.training.record import Recorder, View, mesh

Array = np.ndarray
# 4096 pieces of [-8, 8], straight between them: off by h^2/8 max|phi'| = 5e-7 in the distribution function
PIECES = 1e-6


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


def line_config(**fields: Any) -> TrainConfig:
    return tiny(**({"toy": "bimodal", "noise_dim": 1, "width": 2, "width_d": 8, "layers": 1, "grid": 24} | fields))


def put(game: Game, **values: Any) -> Game:
    """The game with these numbers in G's matrices."""
    views = game.g.network.views(game.g.theta)
    for name, value in values.items():
        views[name].copy_(torch.as_tensor(value, dtype=game.g.theta.dtype))
    return game


def straight(mean: float, std: float, **fields: Any) -> Game:
    """G(z) = mean + std z: z + 10 is positive for every noise, so the activation leaves it as it is."""
    game = double(line_config(**fields))
    return put(game, w0=[[1.0, 0.0]], b0=[[10.0, 0.0]], w1=[[std], [0.0]], b1=[[mean - 10 * std]])


def frame(game: Game, member: int = 0) -> dict[str, Any]:
    return dict(Recorder(game).frames()[member].arrays)


def cells(config: TrainConfig) -> tuple[Array, Array]:
    """The edges of the picture's cells, and their widths."""
    edges = View.of(config).edges
    return edges, np.diff(edges)


# --- p_G on the line


@pytest.mark.parametrize(("mean", "std"), [(0.5, 1.5), (-2.0, 0.3), (2.9, -0.8)])
def test_density_of_a_straight_generator_is_the_normal_one(mean: float, std: float) -> None:
    game = straight(mean, std)
    edges, width = cells(game.config)
    law = normal(mean, abs(std))
    assert isinstance(law, Mixture1D)
    np.testing.assert_allclose(frame(game)["density"] * width, np.diff(law.cdf(edges)), atol=2 * PIECES, rtol=0)


def test_density_of_a_fold_is_that_of_both_branches_together() -> None:
    """G(z) = |z| - 1 by two units of relu: p_G is half a normal law, twice as high, from -1 on."""
    game = double(line_config(activation="relu"))
    put(game, w0=[[1.0, -1.0]], b0=[[0.0, 0.0]], w1=[[1.0], [1.0]], b1=[[-1.0]])
    edges, width = cells(game.config)
    below = np.maximum(2 * norm.cdf(edges + 1) - 1, 0)
    np.testing.assert_allclose(frame(game)["density"] * width, np.diff(below), atol=2 * PIECES, rtol=0)


def test_density_of_uniform_noise_is_exact() -> None:
    game = straight(0.3, 1.7, noise="uniform")
    edges, width = cells(game.config)
    law = uniform(0.3 - 1.7, 0.3 + 1.7)
    assert isinstance(law, Mixture1D)
    np.testing.assert_allclose(frame(game)["density"] * width, np.diff(law.cdf(edges)), atol=1e-12, rtol=0)


def test_density_of_more_noise_numbers_is_close() -> None:
    """G(z) = 0.6 z1 + 0.8 z2 is standard normal; 4096 quasi-random points tell a distribution function to about 1/1000
    (independent ones to 1/128)."""
    game = double(line_config(noise_dim=2))
    put(game, w0=[[0.6, 0.0], [0.8, 0.0]], b0=[[20.0, 0.0]], w1=[[1.0], [0.0]], b1=[[-20.0]])
    edges, width = cells(game.config)
    below = np.cumsum(frame(game)["density"] * width)
    np.testing.assert_allclose(below, norm.cdf(edges[1:]) - norm.cdf(edges[0]), atol=2e-3)


def test_a_generator_that_gives_one_point_has_all_its_mass_in_one_cell() -> None:
    game = straight(0.777, 0.0)
    edges, width = cells(game.config)
    want = np.zeros(len(edges) - 1)
    want[np.searchsorted(edges, 0.777) - 1] = 1.0
    np.testing.assert_allclose(frame(game)["density"] * width, want, atol=1e-9)


@pytest.mark.parametrize("noise", ["normal", "uniform"])
@pytest.mark.parametrize("dim", [1, 3])
def test_masses_are_those_of_a_law_also_outside_of_the_picture(noise: str, dim: int) -> None:
    """Any map, also one that leaves the picture on both sides: the masses are not negative and sum to 1."""
    z, mass = line.nodes(noise, dim)
    assert z.shape[1] == dim and (mass is None) == (dim > 1)
    edges = np.linspace(-1, 1, 30)
    for g in (np.sin(5 * z[:, 0]) * 3, z[:, 0] ** 3, z.sum(1), 0 * z[:, 0] + 5, 0 * z[:, 0] - 5):
        found = line.pushed(g, mass, edges)
        assert len(found) == 31 and np.all(found >= 0) and abs(found.sum() - 1) < 1e-9
    assert abs(line.pushed(0 * z[:, 0] + 5, mass, edges)[-1] - 1) < 1e-8
    assert abs(line.pushed(0 * z[:, 0] - 5, mass, edges)[0] - 1) < 1e-8


def test_masses_of_a_wavy_map_are_the_shares_of_many_points() -> None:
    """A second route: G at two million noise numbers, counted. 5 standard errors of a share are 0.0018."""
    z, mass = line.nodes("normal", 1)
    edges = np.linspace(-2, 2, 41)
    found = line.pushed(np.sin(3 * z[:, 0]) + 0.3 * z[:, 0], mass, edges)
    draws = np.random.default_rng(0).standard_normal(2_000_000)
    shares = np.histogram(np.sin(3 * draws) + 0.3 * draws, [-np.inf, *edges, np.inf])[0] / len(draws)
    np.testing.assert_allclose(found, shares, atol=0.0018)


def test_the_targets_own_masses_come_from_its_distribution_function() -> None:
    config = line_config()
    edges, width = cells(config)
    view = View.of(config)
    np.testing.assert_allclose(view.real_mass.sum(), 1, atol=1e-12)
    want = 0.5 * (np.diff(norm.cdf(edges, -2, 0.5)) + np.diff(norm.cdf(edges, 2, 0.5)))
    np.testing.assert_allclose(view.statics()["density_real"] * width, want, atol=1e-12)


def test_a_target_of_points_has_the_shares_of_its_points() -> None:
    config = line_config(toy=str(from_points(np.array([-1.0, 0.0, 0.0, 2.0]))))
    edges, width = cells(config)
    mass = View.of(config).statics()["density_real"] * width
    found = [mass[np.searchsorted(edges, x) - 2 : np.searchsorted(edges, x) + 1].sum() for x in (-1, 0, 2)]
    np.testing.assert_allclose(found, [0.25, 0.5, 0.25], atol=0.01)


# --- the numbers


def judged(game: Game, member: int = 0) -> tuple[Array, Array]:
    """The real and the generated points on which the figures of a picture rest."""
    recorder = Recorder(game)
    fake = game.generated(recorder.noise)[member].detach().numpy()
    return recorder.real[member, : recorder.judged].numpy(), fake


def test_losses_and_means_are_those_of_the_points_that_are_judged() -> None:
    """Step 0 against D and G as torch's own modules; logits[i, j] belongs to (grid_x[j], grid_y[i])."""
    for key in ("non-saturating", "least-squares", "wasserstein", "relativistic"):
        game = double(tiny(loss=key))
        told, view, g, d = frame(game), View.of(game.config), modules(game.g), modules(game.d)
        real, population = judged(game)
        with torch.no_grad():
            shown = g(view.noise.double())
            a_real, a_fake = (d(torch.as_tensor(x)).numpy()[:, 0] for x in (real, population[: len(real)]))
            at = torch.tensor(np.stack(np.meshgrid(view.grid_x, view.grid_y), -1))
            logits = d(at)[..., 0].numpy()
        assert len(real) == 2048 and len(population) == 4096
        np.testing.assert_allclose(real[: len(view.real)], view.real, rtol=1e-6)
        np.testing.assert_allclose(told["samples"], shown, rtol=1e-12, atol=1e-13)
        np.testing.assert_allclose(told["logits"], logits, rtol=1e-11, atol=1e-13)
        assert at[2, 5, 0] == view.grid_x[5] and at[2, 5, 1] == view.grid_y[2]
        row = LOSSES[key]
        terms = {"loss_d": row.discriminator_loss(a_real, a_fake), "loss_g": row.generator_loss(a_real, a_fake)}
        if key == "non-saturating":
            terms["value"] = -np.logaddexp(0, -a_real) - np.logaddexp(0, a_fake)
        elif key != "least-squares":
            terms["value"] = -terms["loss_d"]
        for name, values in terms.items():
            np.testing.assert_allclose(told[name], np.mean(values), rtol=1e-10, atol=1e-12)
            error = np.std(values, ddof=1) / np.sqrt(len(values))
            np.testing.assert_allclose(told["errors"][ERRORS.index(name)], error, rtol=1e-9)
        # a logit of least squares is a probability, by the best D of that loss; of a critic its own mean is told
        read = (lambda a: 1 / (1 + np.exp(-a))) if key == "non-saturating" else (lambda a: a)
        if key != "least-squares" or (a_real.min() > 0 and a_fake.min() > 0):
            np.testing.assert_allclose(told["d_real"], np.mean(read(a_real)), rtol=1e-3)
            np.testing.assert_allclose(told["d_fake"], np.mean(read(a_fake)), rtol=1e-3)
        bound = JSBound(Recorder(game).real[0].numpy(), game.config.target().log_density)(population)
        assert told["js"] == pytest.approx(bound.least, abs=1e-9)
        assert told["errors"][ERRORS.index("js")] == pytest.approx(bound.error, abs=1e-9)


MINIMISED: dict[str, dict[str, Any]] = {
    "R1 and R2": {"r1": 2.0, "r2": 0.5},
    "gradient penalties": {"gp": 3.0, "gp0": 0.5, "loss": "wasserstein"},
    "label smoothing": {"label_smoothing": 0.2},
    "feature matching": {"feature_matching": True},
    "instance noise that ends": {"instance_noise": 0.5, "instance_noise_steps": 4},
    "historical averaging": {"historical_averaging": 2.0, "lr_g": 0.05, "lr_d": 0.05},
    "packs": {"pac": 2, "r1": 1.0},
    "consensus": {"consensus": 3.0, "order": "simultaneous"},
}


@pytest.mark.parametrize("name", MINIMISED)
def test_the_losses_of_a_picture_are_what_the_players_minimise(name: str) -> None:
    """By torch's own modules and autograd, on the points, noises and shares of the picture."""
    game = double(tiny(**({"activation": "tanh"} | MINIMISED[name])))
    for _ in range(2):
        game.step()
    c, recorder, loss, told = game.config, Recorder(game), LOSSES[game.config.loss], frame(game)
    real, fake = (torch.as_tensor(x) for x in judged(game))
    fake = fake[: len(real)]
    if c.instance_noise:
        at = c.instance_noise * (1 - game.taken / c.instance_noise_steps)
        real, fake = (
            x + at * recorder.objectives._normal(c.seed, 4, x.shape, which) for which, x in enumerate((real, fake))
        )
    real, fake = (x.reshape(-1, c.pac * c.dim) for x in (real, fake))
    d = modules(game.d)

    def slope(x: torch.Tensor) -> torch.Tensor:
        x = x.clone().requires_grad_(True)
        return torch.autograd.grad(d(x).sum(), x)[0].square().sum(1)

    a_real, a_fake = (d(x).detach().numpy()[:, 0] for x in (real, fake))
    want_d = float(np.mean(loss.discriminator_loss(a_real, a_fake)))
    want_g = float(np.mean(loss.generator_loss(a_real, a_fake)))
    if c.label_smoothing:
        want_d = float(np.mean(0.8 * loss.real(a_real) + 0.2 * loss.fake(a_real) + loss.fake(a_fake)))
    between = fake + recorder.objectives._uniform(c.seed, len(real)) * (real - fake)
    want_d += c.r1 / 2 * float(slope(real).mean()) + c.r2 / 2 * float(slope(fake).mean())
    want_d += c.gp * float((slope(between).sqrt() - 1).square().mean()) + c.gp0 * float(slope(between).mean())
    if c.feature_matching:
        hidden = d[:-1]
        want_g = float((hidden(fake).mean(0) - hidden(real).mean(0)).square().sum())
    if c.historical_averaging:
        assert game.d.mean is not None and game.g.mean is not None
        want_d += c.historical_averaging * float((game.d.theta - game.d.mean).square().sum())
        want_g += c.historical_averaging * float((game.g.theta - game.g.mean).square().sum())
    if c.consensus:
        g = modules(game.g)
        made = g(recorder.noise[0, : recorder.judged])
        v_d = torch.autograd.grad(_mean(loss.real(d(real)) + loss.fake(d(made.detach()))), list(d.parameters()))
        v_g = torch.autograd.grad(_mean(loss.generator(d(made))), list(g.parameters()))
        length = sum(float(v.square().sum()) for v in (*v_d, *v_g))
        want_d, want_g = want_d + c.consensus / 2 * length, want_g + c.consensus / 2 * length
    np.testing.assert_allclose([told["loss_d"], told["loss_g"]], [want_d, want_g], rtol=1e-9)
    plain = frame_without(game)
    assert abs(told["loss_d"] - plain["loss_d"]) + abs(told["loss_g"] - plain["loss_g"]) > 1e-4


def frame_without(game: Game) -> dict[str, Any]:
    """The figures of the same players in a game in which nothing is added to the loss."""
    other = double(tiny(activation="tanh", pac=game.config.pac, loss=game.config.loss))
    other.g.theta.copy_(game.g.theta)
    other.d.theta.copy_(game.d.theta)
    return frame(other)


def _mean(x: Any) -> torch.Tensor:
    return torch.as_tensor(x).mean()


def test_an_unrolled_generator_minimises_its_loss_under_the_d_to_come() -> None:
    """The same D after two plain moves down its own loss, made by torch's SGD, on the points of the picture."""
    game = double(tiny(unrolled=2, optimiser="sgd", lr_d=0.1, activation="tanh"))
    told, d = frame(game), modules(game.d)
    real, fake = (torch.as_tensor(x) for x in judged(game))
    fake, loss = fake[: len(real)], LOSSES[game.config.loss]
    now = float(_mean(loss.generator(d(fake))))
    mover = torch.optim.SGD(d.parameters(), lr=0.1)
    for _ in range(2):
        mover.zero_grad()
        _mean(loss.real(d(real)) + loss.fake(d(fake))).backward()
        mover.step()
    later = float(_mean(loss.generator(d(fake))))
    assert told["loss_g"] == pytest.approx(later, rel=1e-10) and abs(later - now) > 1e-3


def test_the_bands_of_losses_and_of_v_hold_as_often_as_they_say() -> None:
    """Of 200 pictures of two players, each from points of its own, the figures of a million points lie within two of
    the errors that 19 of 20 promise: fewer than 181 or all of them happen in one case of 500."""
    config = tiny(shown=64)
    game, draw = double(config), np.random.default_rng(0)
    for _ in range(5):
        game.step()

    def terms(n: int) -> dict[str, Array]:
        real = torch.as_tensor(config.target().sample(n, draw))
        with torch.no_grad():
            fake = game.generated(torch.as_tensor(draw.standard_normal((1, n, 2))))
            a_real, a_fake = (game.d(x.reshape(1, -1, 2))[0][0, :, 0].numpy() for x in (real, fake))
        value = -np.logaddexp(0, -a_real) - np.logaddexp(0, a_fake)
        return {"value": value, "loss_g": np.logaddexp(0, -a_fake)}

    truth = {name: values.mean() for name, values in terms(1_000_000).items()}
    told = [{n: (x.mean(), record._error(x)) for n, x in terms(2048).items()} for _ in range(200)]
    for name, want in truth.items():
        held = sum(abs(one[name][0] - want) <= ERRORS_BELOW * one[name][1] for one in told)
        assert 181 <= held <= 199, (name, held)


def test_gradient_lengths_are_those_of_the_last_moves() -> None:
    game = double(tiny(seeds=2))
    recorder = Recorder(game)
    assert all(f.arrays["grad_d"] == f.arrays["grad_g"] == 0 for f in recorder.frames(gradients=False))
    game.step()
    for seed, told in enumerate(recorder.frames()):
        for who, player in (("grad_d", game.d), ("grad_g", game.g)):
            parts = [view[seed].flatten() for view in player.network.views(player.grad).values()]
            np.testing.assert_allclose(told.arrays[who], torch.cat(parts).norm(), rtol=1e-12)
    first, *_, last = list(train(tiny()))
    assert first[0].arrays["grad_d"] == 0 < last[0].arrays["grad_d"]


# --- arrows

ARROW_CASES: dict[str, dict[str, Any]] = {
    "non-saturating": {},
    "saturating": {"loss": "saturating"},
    "relativistic": {"loss": "relativistic"},
    "packs": {"pac": 2, "loss": "least-squares"},
    "packs that leave a rest": {"pac": 3, "batch": 9, "loss": "relativistic"},
    "the line": {"toy": "bimodal", "noise_dim": 1},
    "feature matching": {"feature_matching": True},
    "comparing": {"minibatch_kernels": 2, "minibatch_std": True},
    "comparing, relativistic": {"minibatch_kernels": 2, "loss": "relativistic", "batch": 10},
    "spectral norm": {"spectral_norm": True},
    "three seeds": {"seeds": 3},
    "no penalties": {"gp": 1.0, "r1": 2.0, "unrolled": 1},
}


@pytest.mark.parametrize("name", ARROW_CASES)
def test_arrows_are_where_the_loss_of_a_points_pack_falls(name: str) -> None:
    """Minus the central difference of G's loss in each coordinate of a point; what D compares with stays."""
    game = double(tiny(**({"activation": "tanh", "shown": 32} | ARROW_CASES[name])))
    game.step()
    c, member, eps = game.config, game.config.seeds - 1, 1e-6
    told, view, loss = frame(game, member), View.of(c, member), LOSSES[c.loss]
    assert told["arrows"].shape == (32, c.dim)
    count = 32 - 32 % c.pac

    def packs(x: Array) -> torch.Tensor:
        """For all seeds: D of a game of several asks for the points of each."""
        one = torch.as_tensor(x, dtype=torch.float64).reshape(1, -1, c.pac * c.dim)
        return one.expand(c.seeds, -1, -1)

    compares = c.minibatch_kernels > 0 or c.minibatch_std
    beside: Any = (None, None)
    if compares:
        recorder = Recorder(game)
        made = game.generated(recorder.company_noise)
        assert recorder.company_real.shape[1] == c.batch // c.pac, "a batch of the size with which D has learned"
        beside = (game.d(recorder.company_real)[1], game.d(made.reshape(c.seeds, -1, c.pac * c.dim))[1])

    def loss_at(x: Array) -> float:
        a_real = game.d(packs(view.real[:count]), beside=beside[0])[0][member]
        a_fake, features = (out[member] for out in game.d(packs(x), beside=beside[1]))
        if c.feature_matching:
            wanted = game.d(packs(view.real[:count]))[1][member].mean(0)
            return float((features.mean(0) - wanted).square().sum())
        return float(loss.generator_loss(a_real, a_fake).mean())

    found = np.zeros((32, c.dim))
    x = told["samples"][:count].astype(float)
    for i in range(count):
        for k in range(c.dim):
            step = np.zeros_like(x)
            step[i, k] = eps
            found[i, k] = -(loss_at(x + step) - loss_at(x - step)) / (2 * eps) * (count // c.pac)
    np.testing.assert_allclose(told["arrows"], found, rtol=1e-5, atol=1e-7)
    assert np.abs(found[:count]).max() > 1e-3 and not found[count:].any()


def test_arrows_follow_the_loss_in_force() -> None:
    config = tiny(changes=[{"step": 2, "field": "loss", "value": "wasserstein"}])
    game, other = double(config), double(tiny(loss="wasserstein"))
    game.step()
    assert not np.allclose(frame(game)["arrows"], _with(other, game), rtol=1e-3)
    game.step()
    np.testing.assert_allclose(frame(game)["arrows"], _with(other, game), rtol=1e-12)


def _with(other: Game, game: Game) -> Array:
    other.restore(game.state())
    return np.asarray(frame(other)["arrows"])


# --- the mesh, shapes, and what looking does


@pytest.mark.parametrize("fields", [{}, {"noise": "uniform"}, {"noise_dim": 1}, {"noise_dim": 4}, {"ema": 0.9}])
def test_the_mesh_shows_where_g_takes_a_grid_of_noise(fields: dict[str, Any]) -> None:
    game = double(tiny(**fields))
    game.step()
    reach = 1.0 if fields.get("noise") == "uniform" else 2.0
    z = mesh(game.config)
    assert z.shape == (MESH * MESH, game.config.noise_dim) and np.abs(z).max() == reach
    if game.config.noise_dim > 1:
        grid = z.reshape(MESH, MESH, -1)
        np.testing.assert_allclose(grid[3, :, 0], np.linspace(-reach, reach, MESH), atol=1e-15)
        np.testing.assert_allclose(grid[:, 3, 1], np.linspace(-reach, reach, MESH), atol=1e-15)
        assert not grid[..., 2:].any()
    shown = game.generated(torch.as_tensor(z)[None])[0].reshape(MESH, MESH, 2)
    np.testing.assert_allclose(frame(game)["mesh"], shown, rtol=1e-12, atol=1e-13)


def test_the_mesh_on_the_line_is_the_graph_of_g() -> None:
    game = straight(0.5, 1.5)
    assert mesh(game.config).shape == (MESH_LINE, 1)
    np.testing.assert_allclose(frame(game)["mesh"][:, 0], 0.5 + 1.5 * np.linspace(-2, 2, MESH_LINE), atol=1e-12)


def test_the_picture_has_room_around_the_target() -> None:
    for config in (tiny(), line_config()):
        view, box = View.of(config), config.target().box
        half = (box[1] - box[0]) / 2 * 1.15
        first, last = (
            (view.edges[OUTER], view.edges[-1 - OUTER]) if config.dim == 1 else (view.grid_x[0], view.grid_x[-1])
        )
        np.testing.assert_allclose([first, last], [-half, half], atol=1e-12)
        if config.dim == 1:
            np.testing.assert_allclose(np.diff(view.edges[OUTER:-OUTER]), 2 * half / (4 * config.grid + 1), rtol=1e-9)


def test_real_points_and_noise_of_a_picture_are_its_seeds_own_and_not_those_of_training() -> None:
    config = tiny(seeds=3, shown=64, batch=64)
    views = [View.of(config, m) for m in range(3)]
    for m, view in enumerate(views):
        alone = View.of(config.member(m))
        np.testing.assert_array_equal(view.real, alone.real)
        assert torch.equal(view.noise, alone.noise)
        assert all(not np.array_equal(view.real, other.real) for other in views if other is not view)
    game = Game(config.member(0))
    for step in range(0, 256, 64):
        move = game.batches.for_d(config, step, 0)
        assert move.real is not None and move.z is not None
        assert not np.isclose(move.real[0].numpy()[:, None], views[0].real.astype(np.float32)[None]).all(-1).any()
        assert not torch.isclose(move.z[0][:, None], views[0].noise[None]).all(-1).any()


@pytest.mark.parametrize(
    "fields",
    [{}, {"toy": "bimodal", "noise_dim": 2}, {"minibatch_kernels": 2, "minibatch_std": True, "pac": 2}],
)
def test_the_first_picture_of_a_seed_is_the_same_alone_and_beside_others(fields: dict[str, Any]) -> None:
    """Nothing has been learned yet: what is left is the rounding of sums in another order."""
    config = tiny(seeds=3, **fields)
    for member, told in enumerate(Recorder(double(config)).frames(gradients=False)):
        alone = Recorder(double(config.member(member))).frames(gradients=False)[0]
        assert told.arrays.keys() == alone.arrays.keys()
        for name, array in told.arrays.items():
            np.testing.assert_allclose(array, alone.arrays[name], rtol=1e-9, atol=1e-11, err_msg=name)


REMEDIES: dict[str, dict[str, Any]] = {
    "plain": {},
    "penalties": {"gp": 1.0, "gp0": 1.0, "r1": 1.0, "r2": 1.0},
    "clip": {"clip": 0.1, "loss": "wasserstein"},
    "spectral norm": {"spectral_norm": True, "loss": "hinge"},
    "instance noise": {"instance_noise": 0.5, "instance_noise_steps": 3},
    "label smoothing": {"label_smoothing": 0.2},
    "feature matching": {"feature_matching": True},
    "minibatch discrimination": {"minibatch_kernels": 3, "minibatch_std": True},
    "packs": {"pac": 4, "loss": "relativistic"},
    "unrolled": {"unrolled": 2},
    "historical averaging": {"historical_averaging": 1.0},
    "consensus": {"consensus": 1.0, "order": "simultaneous"},
    "batch norm, average": {"batch_norm": True, "ema": 0.9},
    "maxout": {"maxout": 3, "optimiser": "rmsprop"},
    "a shift of loss": {"changes": [{"step": 3, "field": "loss", "value": "f-js"}]},
    "four noise numbers": {"noise_dim": 4, "noise": "uniform", "dataset": 10},
    "moves of D alone": {"g_steps": 0, "d_steps": 2},
}


@pytest.mark.parametrize("toy", ["ring", "bimodal", "moons"])
@pytest.mark.parametrize("name", REMEDIES)
def test_frames_of_every_remedy_are_whole_and_finite(name: str, toy: str) -> None:
    config = tiny(**({"toy": toy, "steps": 6, "frames": 3, "seeds": 2, "shown": 210} | REMEDIES[name]))
    told = list(train(config))
    assert len(told) == 3
    for frames in told:
        assert len(frames) == 2
        for each in frames:
            shapes = {field: np.shape(a) for field, a in each.arrays.items()}
            assert shapes == {field.name: field.shape for field in frame_fields(config)}
            assert all(np.all(np.isfinite(a)) for a in each.arrays.values())
            critic = LOSSES[config.loss].optimal is None or config.loss in ("hinge", "relativistic")
            assert critic or (0 <= each.arrays["d_real"] <= 1 and 0 <= each.arrays["d_fake"] <= 1)
            assert np.all(each.arrays["errors"] >= 0) and 0 <= each.arrays["js"] <= np.log(2)
            assert len(each.arrays["arrows"]) == ARROWS
    for member in range(2):
        statics = View.of(config, member).statics()
        assert {k: np.shape(a) for k, a in statics.items()} == {f.name: f.shape for f in static_fields(config)}


def test_looking_changes_nothing() -> None:
    for fields in REMEDIES.values():
        game = Game(tiny(**fields))
        recorder = Recorder(game)
        game.step()
        before, random = game.state(), torch.get_rng_state()
        one, two = recorder.frames(), recorder.frames()
        after = game.state()
        # but for the statistics by which batch normalisation shows single points, which no move uses
        shown = {k for k in before if k.startswith(("g-memory-mean", "g-memory-variance"))}
        assert before.keys() == after.keys()
        assert all(a.tobytes() == after[k].tobytes() for k, a in before.items() if k not in shown)
        assert torch.equal(random, torch.get_rng_state())
        for a, b in zip(one, two, strict=True):
            assert all(np.array_equal(v, b.arrays[k]) for k, v in a.arrays.items())
