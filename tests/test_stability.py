"""The stability lens: products with the Jacobian against differences, known games, ARPACK against the whole matrix."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from engine import double, modules, slopes, tiny

from gantoys.runs.config import TrainConfig
from gantoys.runs.film import Film
from gantoys.runs.store import Store
from gantoys.training import stability
from gantoys.training.filming import record
from gantoys.training.game import Game
from gantoys.training.optimisers import OPTIMISERS
from gantoys.training.stability import field, leading, spectrum

Array = np.ndarray


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


def game(**fields: Any) -> Game:
    return double(tiny(**({"width": 3, "layers": 1, "activation": "tanh"} | fields)))


FIELDS: list[dict[str, Any]] = [
    {}, {"loss": "saturating", "r1": 1.0, "r2": 0.3}, {"loss": "wasserstein", "gp": 2.0, "pac": 3, "batch": 12},
    {"instance_noise": 0.4, "label_smoothing": 0.2}, {"loss": "relativistic", "noise": "uniform"},
    {"order": "simultaneous", "consensus": 0.3}, {"spectral_norm": True}, {"batch_norm": True},
    {"minibatch_std": True, "feature_matching": True},
]  # fmt: skip


@pytest.mark.parametrize("fields", FIELDS, ids=str)
def test_products_are_those_of_the_matrix_of_differences(fields: dict[str, Any]) -> None:
    """Central differences of the field itself: right to about h^2 for a smooth game in double precision."""
    if fields.get("feature_matching"):
        fields = fields | {"loss": "hinge"}
    h, one = 1e-5, game(**fields)
    for _ in range(3):
        one.step()
    memory = {k: v.clone() for k, v in one.d.memory.items()}
    at = field(one)
    rng = np.random.default_rng(0)
    for player, begin in ((one.g, 0), (one.d, one.g.network.size)):
        for number in rng.choice(player.network.size, 4, replace=False):
            ends = []
            for sign in (1, -1):
                player.theta[number] += sign * h
                ends.append(field(one).v)
                player.theta[number] -= sign * h
            column = (ends[0] - ends[1]) / (2 * h)
            turned = np.stack([at.turned(row)[begin + number] for row in np.eye(len(at.v))[::3]])
            if not one.config.spectral_norm:
                np.testing.assert_allclose(turned, column[::3], rtol=2e-5, atol=2e-7)
            else:  # differences also move the vector of the power iteration, which training holds fixed
                np.testing.assert_allclose(turned, column[::3], rtol=0.2, atol=0.05)
    assert all(torch.equal(v, one.d.memory[k]) for k, v in memory.items()), "looking changes nothing"


def test_the_field_goes_down_both_losses_of_torchs_own_modules() -> None:
    one = game()
    move, g, d = stability._batch(one), modules(one.g), modules(one.d)
    assert move.real is not None and move.z is not None and move.real.shape == (1, 1024, 2)
    softplus = torch.nn.functional.softplus
    fake = g(move.z[0])
    loss_d = softplus(-d(move.real[0])).mean() + softplus(d(fake)).mean()
    want = torch.cat([slopes(softplus(-d(fake)).mean(), one.g, g), slopes(loss_d, one.d, d)])
    np.testing.assert_allclose(field(one).v, -want.detach().numpy(), rtol=1e-10, atol=1e-14)


def known(rate_g: float = 0.1, rate_d: float = 0.1) -> tuple[Game, float, float]:
    """A game whose eigenvalues are known by hand, with a and c^2.

    G gives the point 0 (all its weights are 0), D(x) = w tanh(a x + b) with w = b = 0 and a = 2. Then only D's w, a, b
    and G's last bias t move each other, as for Dirac-GAN: dv_t/dw = a, dv_w/dt = -a, and w with (a, b) by
    c = E (x, 1) sech^2(a x) of real points less that of the point 0. So lambda^2 = |c|^2 - a^2.
    """
    one = game(
        toy="N(0.3,1)", noise_dim=1, width=1, loss="wasserstein", optimiser="sgd", lr_g=rate_g, lr_d=rate_d, d_steps=2
    )
    views = one.d.network.views(one.d.theta)
    one.g.theta.zero_(), one.d.theta.zero_()
    views["w0"].fill_(2.0)
    real = stability._batch(one).real
    assert real is not None
    x = real.numpy().ravel()
    bend = 1 / np.cosh(2 * x) ** 2
    return one, 2.0, float((x * bend).mean() ** 2 + (bend.mean() - 1) ** 2)


def test_the_eigenvalues_of_a_dirac_gan_made_of_networks_are_those_found_by_hand() -> None:
    one, a, squared = known()
    own, _ = spectrum(one, 4)
    turn = np.sqrt(a**2 - squared)
    np.testing.assert_allclose(sorted(own[:, 1]), [-turn, 0, 0, turn], atol=1e-7)
    np.testing.assert_allclose(own[:, 0], 0, atol=1e-7)


def test_the_steps_eigenvalues_are_scaled_by_both_rates_and_the_moves() -> None:
    one, a, squared = known(0.3, 0.05)
    _, own = spectrum(one, 2)
    # two moves of D in a step
    assert np.abs(own[:, 1]).max() == pytest.approx(np.sqrt(0.3 * 0.1 * a**2 - 0.1**2 * squared), rel=1e-6)


def test_adams_scale_is_what_a_small_gradient_meets() -> None:
    """Without memory of the gradient, and with a mean square that a small gradient hardly changes: to about 1 - beta2
    of it and to what one more step does to its correction, together below 2 in 1000 after 300 steps."""
    one = double(tiny(beta1=0.0, lr_g=3e-3, steps=300, beta2=0.999, noise_dim=1, toy="bimodal"))
    for _ in range(300):
        one.step()
    for player, lr, part in (
        (one.g, 3e-3, slice(0, one.g.network.size)),
        (one.d, 1e-3, slice(one.g.network.size, None)),
    ):
        small = torch.full_like(player.theta, 1e-9)
        moved, _ = OPTIMISERS["adam"].moved(player.theta, small, player.state, lr, 0.0, 0.999)
        got = field(one).scale[part]
        want = ((player.theta - moved) / 1e-9).numpy()
        sure = player.state["v"].numpy() > 1e-12
        assert sure.mean() > 0.5
        np.testing.assert_allclose(got[sure], want[sure], rtol=3e-3)


@pytest.mark.parametrize("count", [1, 2, 5, 8, 16])
def test_arpack_finds_both_ends_of_the_whole_spectrum(count: int) -> None:
    rng = np.random.default_rng(count)
    size = stability.DENSE + 60
    # a few that lead, and a crowd at 0 as networks have it
    matrix = 0.2 * rng.standard_normal((size, size)) / size**0.5
    matrix += (u := rng.standard_normal((size, 12)) / size**0.5) @ rng.standard_normal((12, 12)) @ u.T
    found = leading(lambda v: matrix.T @ np.ravel(v), size, count)
    values = np.linalg.eigvals(matrix)
    assert found.shape == (count, 2) and np.all(np.diff(found[:, 0]) <= 0)
    nearest = np.abs((found[:, 0] + 1j * found[:, 1])[:, None] - values).min(1)
    assert nearest.max() < 1e-3 * np.abs(values).max()
    assert found[0, 0] == pytest.approx(values.real.max(), abs=1e-3)
    if count > 2:
        assert np.abs(found[:, 1]).max() == pytest.approx(np.abs(values.imag).max(), abs=1e-3)


def test_a_matrix_of_zeros_has_eigenvalues_0_and_few_are_repeated() -> None:
    assert not leading(lambda u: 0 * np.ravel(u), 500, 3).any()
    assert leading(lambda u: np.ravel(u) * [1.0, 2.0], 2, 4)[:, 0].tolist() == [2, 1, 1, 1]


def test_a_seed_beside_others_has_the_eigenvalues_it_has_alone() -> None:
    """Single precision players that have trained in one batch: the same numbers to 1e-6 relative."""
    both, alone = Game(tiny(seeds=2)), Game(tiny(seed=1))
    with torch.no_grad():
        for _ in range(3):
            both.step(), alone.step()
    for got, want in zip(spectrum(both, 4, 1), spectrum(alone, 4), strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-3, atol=1e-4)


def test_the_film_of_a_lens_is_one_picture_and_goes_on_from_a_stored_state(tmp_path: Path) -> None:
    store, config = Store(tmp_path / "store"), tiny(steps=600, frames=7)
    record(config, tmp_path / "run.film", store=store)
    lens = config.lens(600, 6)
    assert (lens.steps, lens.eigenvalues) == (600, 6) and lens.training_digest(512) == config.training_digest(512)
    record(lens, tmp_path / "quick.film", store=store), record(lens, tmp_path / "slow.film")
    films = [Film.load(tmp_path / name) for name in ("quick.film", "slow.film", "run.film")]
    quick, slow, run = films
    assert quick.step.tolist() == [600] and quick.eigenvalues.shape == quick.step_eigenvalues.shape == (1, 6, 2)
    assert len(run.eigenvalues) == len(run.step_eigenvalues) == 0
    for name in ("samples", "logits", "eigenvalues", "step_eigenvalues", "js"):
        assert np.array_equal(getattr(quick, name), getattr(slow, name)), name
    assert np.array_equal(quick.samples[-1], run.samples[-1])
    player = Game(lens)
    with torch.no_grad():
        for _ in range(600):
            player.step()
    np.testing.assert_allclose(quick.eigenvalues[0], spectrum(player, 6)[0], rtol=1e-5, atol=1e-6)


def test_a_lens_forgets_changes_that_come_later() -> None:
    rows = [{"step": 5, "field": "lr_g", "value": 0.1}, {"step": 20, "field": "lr_g", "value": 0.2}]
    lens = tiny(changes=rows).lens(20)
    assert [c.step for c in lens.changes] == [5] and lens.recorded_steps().tolist() == [20]
    assert TrainConfig().lens(3000).flops() > TrainConfig().flops()
