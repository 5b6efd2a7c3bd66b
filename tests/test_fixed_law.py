"""Generated points from a law: what D meets, both ways to its gradient, what the film tells, and what theory says."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from engine import distance, double, equal, modules, slopes, tiny
from scipy.stats import kstest, norm

from gantoys.maths.compare import divergences
from gantoys.maths.distributions import Mixture1D, normal
from gantoys.maths.losses import LOSSES
from gantoys.runs.config import TrainConfig
from gantoys.runs.film import Film, read_new
from gantoys.runs.film_file import frame_fields
from gantoys.training.batches import Batches
from gantoys.training.filming import record
from gantoys.training.game import Game
from gantoys.training.loop import train
from gantoys.training.record import Recorder, View

Array = np.ndarray
LINE: dict[str, Any] = {"toy": "N(1,1)", "fake_law": "N(-1,1)", "g_steps": 0, "noise_dim": 1}
PLANE: dict[str, Any] = {"toy": "ring", "fake_law": "0.5*N([1,0],0.3)+0.5*T([0,1],0.3,3)", "g_steps": 0}


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


def last(config: TrainConfig) -> dict[str, Any]:
    """The last frame of a config's first seed."""
    return dict([frames[0] for frames in train(config)][-1].arrays)


# --- what may be asked for


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"g_steps": 1}, "with fake_law the generated points come from that law, so G has nothing to learn"),
        ({"toy": "ring"}, "fake_law has points of dimension 1, the target of dimension 2: they must agree"),
        ({"pac": 2}, "with fake_law D is looked at point by point, so it does not go with pac"),
        ({"minibatch_std": True}, "with fake_law D is looked at point by point"),
        ({"fake_law": "N(0"}, "fake_law is 'N(0': expected"),
        ({"fake_law": "P(0.5,0.5)"}, "a run needs one distribution on the line or in the plane"),
        ({"fake_law": "N(5000,1)"}, "its mass must lie within 1000 of the origin"),
        ({"fake_law": "N(0,1)+" * 400}, "a notation may have at most 2000 characters"),
        ({"changes": [{"step": 3, "field": "g_steps", "value": 1}]}, "at step 3: with fake_law"),
    ],
)
def test_what_does_not_go_with_a_law_is_refused_in_one_sentence(fields: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=re.escape(sentence)) as caught:
        tiny(**(LINE | fields))
    assert "\n" not in str(caught.value)


def test_a_law_has_one_spelling_and_none_leaves_names_as_they_were() -> None:
    assert tiny(**(LINE | {"fake_law": " N( -1, 1 )"})).digest() == tiny(**LINE).digest()
    assert tiny(**(LINE | {"fake_law": "  "})) == tiny(**(LINE | {"fake_law": ""}))
    assert "fake_law" not in tiny().canonical_json()
    # of a config from before there was the field
    assert TrainConfig().digest() == "bd1b4e4e901f305909ef137e4732275260ef2f98d42d04885e720a9134a721c5"


# --- what D meets


@pytest.mark.parametrize("fields", [LINE, PLANE])
def test_the_batches_hold_draws_of_the_law_and_the_real_points_stay_the_same(fields: dict[str, Any]) -> None:
    config = tiny(**(fields | {"batch": 256, "seeds": 2}))
    batches, plain = Batches(config, (0, 1)), Batches(config.changed(fake_law=""), (0, 1))
    moves = [batches.for_d(config, step, 0, ahead=True) for step in range(4)]
    fake = torch.stack([m.fake for m in moves if m.fake is not None])
    assert fake.shape == (4, 2, 256, config.dim) and all(m.z is None and m.ahead is None for m in moves)
    law = config.fake()
    assert law is not None
    side = fake[..., 0].flatten().numpy()
    many = law.sample(200_000, np.random.default_rng(9)).reshape(200_000, -1)[:, 0]
    assert kstest(side, many).pvalue > 1e-3
    again = Batches(config, (1,)).for_d(config, 2, 0).fake
    assert again is not None and torch.equal(again[0], fake[2, 1]), "a seed draws the same alone, at any step"
    assert len(torch.unique(fake[..., 0])) == fake[..., 0].numel(), "no draw comes twice"
    move, other = moves[2], plain.for_d(config.changed(fake_law=""), 2, 0)
    assert move.real is not None and other.real is not None and torch.equal(move.real, other.real)


WAYS: list[dict[str, Any]] = [
    *({"loss": key} for key in LOSSES),
    {"r1": 1.0, "r2": 0.5}, {"loss": "wasserstein", "gp": 10.0}, {"gp0": 2.0, "loss": "hinge"},
    {"instance_noise": 0.3, "seeds": 3}, {"label_smoothing": 0.1}, {"dataset": 20, "d_steps": 2},
]  # fmt: skip


@pytest.mark.parametrize("fields", WAYS, ids=str)
def test_both_ways_to_the_gradient_agree(fields: dict[str, Any]) -> None:
    """Sums in another order: 1e-9 in double precision is far above what rounding does and far below a wrong term."""
    config = tiny(**(PLANE | {"activation": "relu", "seeds": 2} | fields))
    written, found = double(config, closed=True), double(config, closed=False)
    for _ in range(3):
        written.step(), found.step()
        assert distance(written.d.grad, found.d.grad) < 1e-9
    assert distance(written.d.theta, found.d.theta) < 1e-9
    frames = [Recorder(game).frames()[0].arrays for game in (written, found)]
    for name in ("arrows", "slopes", "logits"):
        np.testing.assert_allclose(frames[0][name], frames[1][name], rtol=1e-8, atol=1e-12)


@pytest.mark.parametrize("closed", [True, False])
def test_the_gradient_is_that_of_torchs_own_modules_on_those_points(closed: bool) -> None:
    game = double(tiny(**PLANE), closed=closed)
    move, d = Batches(game.config, game.seeds, torch.float64).for_d(game.config, 0, 0), modules(game.d)
    assert move.real is not None and move.fake is not None
    a_real, a_fake = d(move.real[0]), d(move.fake[0])
    loss = torch.nn.functional.softplus(-a_real).mean() + torch.nn.functional.softplus(a_fake).mean()
    want = slopes(loss, game.d, d)
    game.step()
    assert distance(game.d.grad, want) < 1e-12


def test_g_stands_aside_and_a_run_goes_on_from_a_state_bit_for_bit() -> None:
    config = tiny(**(PLANE | {"steps": 300, "frames": 5, "loss": "wasserstein", "gp": 1.0, "instance_noise": 0.1}))
    kept: dict[int, Any] = {}
    first = [f[0] for f in train(config, keep=kept.__setitem__)]
    again = [f[0] for f in train(config)]
    assert len(first) == 5 and all(equal(a, b) for a, b in zip(first, again, strict=True))
    later = [f[0] for f in train(config, start=kept[256])]
    assert later and all(equal(a, b) for a, b in zip(first[-len(later) :], later, strict=True))
    game = Game(config)
    before = game.g.theta.clone()
    game.step()
    assert torch.equal(game.g.theta, before) and not torch.equal(game.d.grad, torch.zeros_like(game.d.grad))


# --- what the film tells


def test_slopes_and_arrows_are_differences_of_d_and_of_gs_loss() -> None:
    """Central differences of a smooth D in double precision are right to about h^2 = 1e-10."""
    h = 1e-5
    config = tiny(**(PLANE | {"activation": "tanh", "spectral_norm": True, "shown": 40}))
    game = double(config)
    for _ in range(5):
        game.step()
    recorder = Recorder(game)
    frame, law = recorder.frames()[0].arrays, recorder.law
    assert law is not None

    def said(x: torch.Tensor) -> torch.Tensor:
        return game.d(x)[0][0, :, 0]

    shifts = torch.eye(2, dtype=torch.float64) * h
    ways = torch.stack([said(law.probes + s) - said(law.probes - s) for s in shifts], -1) / (2 * h)
    np.testing.assert_allclose(frame["slopes"].ravel(), ways.norm(dim=-1).numpy(), rtol=1e-6)
    loss = LOSSES[config.loss].generator_loss
    shown = law.samples[:, : config.shown]
    ups, downs = ([loss(None, said(shown + k * s)) for s in shifts] for k in (1, -1))
    want = -(torch.stack(ups, -1) - torch.stack(downs, -1)) / (2 * h)
    np.testing.assert_allclose(frame["arrows"], want.numpy(), rtol=1e-6, atol=1e-9)


def test_the_probes_are_generated_points_real_ones_and_some_between_them() -> None:
    config = tiny(**(PLANE | {"shown": 500}))
    recorder = Recorder(Game(config))
    frame, view, law = recorder.frames()[0].arrays, View.of(config), recorder.law
    assert law is not None and law.count == 400 and frame["slopes"].shape == (3, 400)
    fake, real, between = (law.probes[0, k * 400 : (k + 1) * 400].double().numpy() for k in range(3))
    np.testing.assert_array_equal(fake, np.asarray(frame["samples"][:400], float))
    np.testing.assert_allclose(real, view.real[:400], rtol=1e-6)
    share = (between - fake) / (real - fake)
    np.testing.assert_allclose(share[:, 0], share[:, 1], atol=1e-3)
    assert kstest(share[:, 0], "uniform").pvalue > 1e-3


def test_density_and_js_on_the_line_are_the_laws_own() -> None:
    """The cells hold exact masses; sums over them lose what a cell hides, about (cell / sigma)^2 / 100 of JS."""
    config = tiny(**(LINE | {"grid": 48}))
    frame, edges = last(config), View.of(config).edges
    cell = edges[1] - edges[0]
    np.testing.assert_allclose(frame["density"] * cell, np.diff(norm.cdf(edges, -1, 1)), atol=1e-12)
    p, q = config.target(), config.fake()
    assert isinstance(p, Mixture1D) and isinstance(q, Mixture1D)
    want = next(row.value for key, row in divergences(p, q).items() if key == "js")
    assert abs(float(frame["js"]) - float(want)) < 1e-4


def test_a_law_that_is_the_target_leaves_d_at_one_half() -> None:
    frame = last(tiny(**(LINE | {"fake_law": "N(1,1)", "steps": 1500, "width": 16, "batch": 256, "lr_d": 1e-3})))
    assert abs(float(frame["js"])) < 1e-12
    assert float(frame["value"]) == pytest.approx(-np.log(4), abs=2e-3)
    inner = np.abs(np.linspace(-4.0, 6.0, 25) - 1) < 1.5
    assert np.abs(frame["logits"][inner]).max() < 0.25
    assert frame["slopes"].mean() < 0.15


def test_d_learns_the_log_ratio_of_the_two_laws() -> None:
    """log p/q of N(1,1) and N(-1,1) is 2x, so D's slope is 2 where there are points, and V = -log 4 + 2 JS."""
    frame = last(tiny(**(LINE | {"steps": 2000, "width": 16, "batch": 256, "shown": 400})))
    np.testing.assert_allclose(np.median(frame["slopes"], axis=1), 2, atol=0.25)
    assert float(frame["value"]) == pytest.approx(2 * float(frame["js"]) - np.log(4), abs=0.02)


def test_what_bounds_a_critic_bounds_its_slopes_and_its_dual_value() -> None:
    """W1 of two normal laws 2 apart is 2: a critic of slope at most L tells at most 2 L. The dual value in a frame is
    of 400 points a side, whose means are right to 4 standard errors, 0.28. A clipped critic 1-16-1 has slope at most
    16 c^2."""
    base: dict[str, Any] = LINE | {"loss": "wasserstein", "steps": 800, "width": 16, "layers": 1, "batch": 128,
                                   "shown": 400, "activation": "relu", "lr_d": 5e-3}  # fmt: skip
    spectral, penalised, clipped = (
        last(tiny(**(base | more))) for more in ({"spectral_norm": True}, {"gp": 10.0}, {"clip": 0.1})
    )
    assert spectral["slopes"].max() <= 1.01 and -spectral["loss_d"] == pytest.approx(2, abs=0.3)
    assert np.median(penalised["slopes"][2]) == pytest.approx(1, abs=0.12)
    assert -penalised["loss_d"] == pytest.approx(2 * penalised["slopes"].mean(), abs=0.3)
    assert clipped["slopes"].max() <= 16 * 0.1**2 * 1.001
    assert -clipped["loss_d"] == pytest.approx(2 * clipped["slopes"].mean(), abs=0.1)


@pytest.mark.parametrize("fields", [LINE, PLANE, LINE | {"seeds": 2, "toy": "bimodal"}], ids=str)
def test_the_film_keeps_it_all_and_grows_as_others_do(fields: dict[str, Any], tmp_path: Path) -> None:
    config = tiny(**fields)
    assert record(config, tmp_path / "a.film") == "done"
    path = sorted(tmp_path.glob("*.film"))[0]
    film = Film.load(path)
    names = {f.name for f in frame_fields(config)}
    assert "slopes" in names and "mesh" not in names
    assert film.slopes.shape == (len(film), 3, 32) and film.mesh.shape == (len(film), 0)
    assert np.all(film.samples == film.samples[:1]) and film.arrows.dtype == np.float32
    assert film.exact == (config.dim == 1) and not film.grad_g.any()
    begun = read_new(path)
    assert np.array_equal(begun.slopes, film.slopes)


def test_other_films_hold_no_slopes(tmp_path: Path) -> None:
    record(tiny(), tmp_path / "a.film")
    film = Film.load(tmp_path / "a.film")
    assert film.slopes.shape == (len(film), 0) and film.mesh.shape == (len(film), 13, 13, 2)
    assert film.arrows.dtype == np.float16


def test_the_law_may_be_any_that_can_be_drawn() -> None:
    assert normal(0, 1).dim == 1
    for law in ("U(-1,1)", "bimodal"):
        frame = last(tiny(**(LINE | {"fake_law": law})))
        assert np.isfinite(frame["js"]) and frame["density"].sum() > 0
