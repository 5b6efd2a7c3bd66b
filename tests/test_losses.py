"""Losses against the oracles, central differences and torch's autograd; every row, numpy and torch alike."""

import numpy as np
import pytest

from gantoys.maths import DIVERGENCES, LOSSES
from tests.oracles import CASES

A = np.array([-4.0, -1.0, 0.0, 0.5, 2.0, 6.0])
PARTS = ("real", "fake", "generator")
KINKS = {"hinge": (-1.0, 1.0), "f-pearson": (-2.0,)}


def test_generator_slopes_match_the_oracle():
    want = CASES["generator_loss_grad_wrt_logit"]["expected"]
    a = np.array(CASES["generator_loss_grad_wrt_logit"]["inputs"]["a"])
    names = {
        "saturating": "saturating",
        "non-saturating": "non_saturating",
        "maximum-likelihood": "max_likelihood_minus_exp",
        "wasserstein": "wgan",
        "hinge": "hinge",
        "least-squares": "lsgan_half_a_minus_1_sq",
    }
    names["maximum-likelihood"] = (
        "maximum_likelihood_minus_exp" if "maximum_likelihood_minus_exp" in want else names["maximum-likelihood"]
    )
    for key, name in names.items():
        assert LOSSES[key].generator_slope(a) == pytest.approx(want[name], abs=1e-10), key


def test_generator_slopes_at_a_given_d_match_the_oracle():
    case = CASES["generator_loss_grad_at_given_D"]
    d = np.array(case["inputs"]["D"])
    a = np.log(d) - np.log1p(-d)
    for key, name in (
        ("saturating", "saturating"),
        ("non-saturating", "non_saturating"),
        ("maximum-likelihood", "max_likelihood"),
    ):
        got = LOSSES[key].generator_slope(a)
        assert got == pytest.approx(case["expected"].get(name, case["expected"].get("maximum_likelihood")), rel=1e-12)


def test_slopes_of_the_two_goodfellow_losses_differ_by_e_to_minus_a():
    ratio = LOSSES["non-saturating"].generator_slope(A) / LOSSES["saturating"].generator_slope(A)
    assert ratio == pytest.approx(np.exp(-A), rel=1e-12)


def test_discriminator_parts_match_the_oracle():
    case = CASES["discriminator_loss_values_and_grads"]
    want, a = case["expected"], np.array(case["inputs"]["a_real"])
    for prefix, key in (("bce", "non-saturating"), ("hinge", "hinge")):
        row = LOSSES[key]
        for part in ("real", "fake"):
            assert getattr(row, part)(a) == pytest.approx(want[f"{prefix}_{part}"], abs=1e-12)
            inner = a != -1.0  # the hinge's kink, where both slopes are acceptable
            got = getattr(row, f"{part}_slope")(a)
            assert got[inner] == pytest.approx(np.array(want[f"{prefix}_{part}_grad"])[inner], abs=1e-12)


def test_relativistic_pairs_match_the_oracle():
    case = CASES["relativistic_paired_loss"]
    want, delta = case["expected"], np.array(case["inputs"]["values"])
    row = LOSSES["relativistic"]
    real, fake = np.zeros_like(delta), delta  # delta = a_fake - a_real
    assert row.generator_loss(real, fake) == pytest.approx(want["G_loss_softplus_minus_delta"], abs=1e-12)
    assert row.generator_slope(fake - real) == pytest.approx(want["G_grad_wrt_a_fake"], abs=1e-12)
    assert row.discriminator_loss(real, fake) == pytest.approx(want["D_loss_softplus_plus_delta"], abs=1e-12)
    assert row.fake(delta) == pytest.approx(row.real(-delta), abs=1e-15)
    assert row.fake_slope(delta) == pytest.approx(want["D_grad_wrt_a_fake"], abs=1e-12)
    assert row.real_slope(-delta) == pytest.approx(want["D_grad_wrt_a_real"], abs=1e-12)


def test_losses_at_equilibrium_match_the_oracle():
    want = CASES["equilibrium_losses"]["expected"]
    zero, half = np.zeros(1), np.full(1, 0.5)
    got = {
        "bce_D_sum": LOSSES["saturating"].discriminator_loss(zero, zero),
        "saturating_G": LOSSES["saturating"].generator_loss(zero, zero),
        "non_saturating_G": LOSSES["non-saturating"].generator_loss(zero, zero),
        "hinge_D_sum": LOSSES["hinge"].discriminator_loss(zero, zero),
        "wgan_D": LOSSES["wasserstein"].discriminator_loss(zero, zero),
        "lsgan_D_half_sum": LOSSES["least-squares"].discriminator_loss(half, half),
        "lsgan_G_half": LOSSES["least-squares"].generator_loss(half, half),
        "relativistic_D": LOSSES["relativistic"].discriminator_loss(zero, zero),
        "relativistic_G": LOSSES["relativistic"].generator_loss(zero, zero),
    }
    for name, value in got.items():
        assert float(value[0]) == pytest.approx(want[name], abs=1e-12), name


@pytest.mark.parametrize("key", [key for key, row in LOSSES.items() if not row.lipschitz and not row.paired])
def test_at_the_neutral_logit_neither_real_nor_generated_points_move_d(key):
    """Equal densities: real(a) + fake(a) is least there; hinge, which is flat from -1 to 1, in the middle of that."""
    row = LOSSES[key]
    pull = row.real_slope(np.array(row.neutral)) + row.fake_slope(np.array(row.neutral))
    assert float(pull) == pytest.approx(0, abs=1e-12)
    assert row.optimal is not None and float(row.optimal(np.array(0.0))) == pytest.approx(row.neutral)


@pytest.mark.parametrize("key", LOSSES)
@pytest.mark.parametrize("part", PARTS)
def test_every_slope_matches_a_central_difference(key, part):
    row, h = LOSSES[key], 1e-6
    a = np.setdiff1d(np.linspace(-5, 5, 41), KINKS.get(key, ()))
    f, slope = getattr(row, part), getattr(row, f"{part}_slope")
    assert slope(a) == pytest.approx((f(a + h) - f(a - h)) / (2 * h), rel=1e-6, abs=1e-6)


@pytest.mark.parametrize("key", LOSSES)
@pytest.mark.parametrize("part", PARTS)
def test_numpy_and_torch_agree_and_autograd_finds_the_slope(key, part):
    import torch

    row = LOSSES[key]
    a = np.setdiff1d(np.linspace(-6, 6, 49), KINKS.get(key, ()))
    t = torch.tensor(a, dtype=torch.float64, requires_grad=True)
    value = getattr(row, part)(t)
    (auto,) = torch.autograd.grad(value.sum(), t)
    assert value.detach().numpy() == pytest.approx(getattr(row, part)(a), rel=1e-12, abs=1e-12)
    assert auto.numpy() == pytest.approx(getattr(row, f"{part}_slope")(a), rel=1e-9, abs=1e-9)
    assert getattr(row, f"{part}_slope")(t).detach().numpy() == pytest.approx(auto.numpy(), rel=1e-9, abs=1e-9)


def test_softplus_has_slope_one_half_at_zero_under_autograd():
    import torch

    t = torch.zeros(1, dtype=torch.float64, requires_grad=True)
    (slope,) = torch.autograd.grad(LOSSES["saturating"].fake(t).sum(), t)
    assert float(slope) == 0.5


def test_logits_of_a_thousand_stay_finite_where_the_loss_is():
    far = np.array([-1000.0, 1000.0])
    for key in ("saturating", "non-saturating", "relativistic", "hinge", "wasserstein", "f-js"):
        for part in PARTS:
            assert np.all(np.isfinite(getattr(LOSSES[key], part)(far))), (key, part)


@pytest.mark.parametrize("key", [k for k, row in LOSSES.items() if row.optimal is not None and not row.paired])
def test_the_optimal_logit_minimises_the_discriminators_loss(key):
    """At density ratio u = e^r the best logit minimises u real(a) + fake(a) over all a."""
    row = LOSSES[key]
    grid = np.linspace(-30, 30, 600_001)
    for r in (-1.5, -0.4, 0.3, 1.2):
        u = np.exp(r)
        best = float(row.optimal(np.array(r)))
        with np.errstate(over="ignore", invalid="ignore"):
            lowest = float(np.nanmin(u * row.real(grid) + row.fake(grid)))
            ours = float(u * row.real(np.array(best)) + row.fake(np.array(best)))
        assert ours == pytest.approx(lowest, abs=2e-7), r


def test_f_gan_rows_are_the_divergences_rows():
    assert {k for k in LOSSES if k.startswith("f-")} and len([k for k in LOSSES if k.startswith("f-")]) == len(
        DIVERGENCES
    ) - 1
    a = np.linspace(-1.5, 2, 15)
    for key, name in (("f-kl", "kl"), ("f-pearson", "chi2"), ("f-js", "js")):
        row = DIVERGENCES[name]
        assert LOSSES[key].fake(a) == pytest.approx(row.conjugate(row.activation(a)), abs=1e-12)
        assert LOSSES[key].generator(a) == pytest.approx(-row.conjugate(row.activation(a)), abs=1e-12)


def test_huge_logits_give_the_same_infinities_in_numpy_and_torch_without_a_warning():
    import torch

    a = np.array([-1e5, -1000.0, -750.0, 750.0, 1000.0, 1e5])
    t = torch.tensor(a)
    with np.errstate(all="raise", under="ignore"):
        for key, row in LOSSES.items():
            for name in (name for part in PARTS for name in (part, f"{part}_slope")):
                ours = getattr(row, name)(a)
                assert not np.any(np.isnan(ours)), (key, name)
                assert np.array_equal(np.isinf(ours), np.isinf(getattr(row, name)(t).numpy())), (key, name)
