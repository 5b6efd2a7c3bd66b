"""What a sample feels, against the gradients of p_G, closed forms and central differences; flows; autograd."""

import json
import subprocess
import sys
from importlib import resources

import numpy as np
import pytest

from gantoys.maths import LOSSES, generator_gradients, gradient_flow, normal, parse, sample_gradients

# equally spaced nodes weighted with the density of z: no quadrature of the library is asked
Z = np.linspace(-32, 32, 5121)
WEIGHT = np.exp(-0.5 * Z**2) / np.sqrt(2 * np.pi) * (Z[1] - Z[0])
SMOOTH = [k for k, row in LOSSES.items() if row.optimal is not None and k not in ("hinge", "f-tv")]
STORED = json.loads(resources.files("gantoys.lessons").joinpath("autograd.json").read_text("utf-8"))


@pytest.mark.parametrize("key", SMOOTH)
def test_what_samples_feel_adds_up_to_the_gradient_of_p_g(key):
    near = LOSSES[key].paired  # a mean over all real partners for each node: fewer nodes do
    z, weight = (Z[1760:3361:4], 4 * WEIGHT[1760:3361:4]) if near else (Z, WEIGHT)
    for text in ("N(0,1)", "0.5*N(-2,0.9)+0.5*N(2,0.9)"):
        p, q = parse(text), normal(np.array([0.3, 1.5, 3.0]), np.full(3, 0.8))
        felt = sample_gradients(p, q, np.array([[0.3], [1.5], [3.0]]) + 0.8 * z, key)
        for parameter, dx in (("shift", 1.0), ("scale", z)):
            want = generator_gradients(p, q, parameter, (key,))[key].value
            exists = np.isfinite(want)
            got = np.nansum(weight * felt * dx, axis=-1)
            assert got[exists] == pytest.approx(want[exists], rel=1e-8), (text, parameter)


def test_between_equal_normals_samples_feel_the_closed_form():
    """log p/q = s^2/2 - s x has slope -s, so that each loss's slope at x is -s times its slope per logit."""
    x, s = np.linspace(-3, 9, 25), 4.0
    a = s * s / 2 - s * x
    for key in ("saturating", "non-saturating", "maximum-likelihood"):
        want = -s * LOSSES[key].generator_slope(a)
        assert sample_gradients(normal(0, 1), normal(s, 1), x, key) == pytest.approx(want, rel=1e-11)
    assert sample_gradients(normal(0, 1), normal(s, 1), x, "wasserstein") == pytest.approx(np.ones(25))
    assert np.all(sample_gradients(normal(0, 1), normal(s, 1), x, "hinge") == 0)


def test_where_there_is_no_density_nothing_is_felt():
    felt = sample_gradients(parse("U(0,1)"), normal(0.5, 1.0), np.array([-1.0, 0.5, 2.0]), "saturating")
    assert np.isnan(felt[[0, 2]]).all() and np.isfinite(felt[1])
    with pytest.raises(ValueError, match="unknown loss 'nope'"):
        sample_gradients(normal(0, 1), normal(1, 1), np.zeros(1), "nope")


@pytest.mark.parametrize("key", [k for k, row in LOSSES.items() if row.optimal is not None])
def test_the_slope_of_the_best_logit_matches_a_central_difference(key):
    row, r, h = LOSSES[key], np.array([-3.0, -0.7, 0.4, 2.5]), 1e-6
    with np.errstate(invalid="ignore"):
        difference = np.nan_to_num(row.optimal(r + h) - row.optimal(r - h)) / (2 * h)  # inf - inf where it is flat
    assert row.optimal_slope(r) == pytest.approx(difference, rel=1e-7, abs=1e-9)


def test_flows_with_a_closed_form_follow_it():
    p = normal(0, 1)
    flow = gradient_flow(p, 3.0, 1.0, "f-reverse-kl", duration=6, frames=25)  # KL(q||p) = m^2/2 + (s^2 - 1)/2 - log s
    assert flow.shift == pytest.approx(3 * np.exp(-flow.time), abs=2e-3) and flow.scale == pytest.approx(np.ones(25))
    flow = gradient_flow(p, 3.0, 1.0, "wasserstein", duration=6, frames=25)  # unit speed, and then at rest
    assert flow.shift == pytest.approx(np.maximum(3 - flow.time, 0), abs=2e-4)


def test_a_flow_that_has_arrived_stays_and_one_that_cannot_be_followed_says_why():
    still = gradient_flow(normal(0, 1), 0.0, 1.0, "wasserstein", frames=5)
    assert np.all(still.shift == 0) and np.all(still.scale == 1)
    with pytest.raises(ValueError, match="f-pearson cannot be followed"):
        gradient_flow(normal(0, 1), 1.0, 0.5, "f-pearson")  # chi-square is infinite for a p_G this narrow


def ask(request: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "gantoys.training.autograd"]
    return subprocess.run(command, input=json.dumps(request), capture_output=True, text=True, timeout=120)


def test_the_stored_values_of_autograd_come_out_again():
    picked = [0, 5, 19]
    done = ask({"data": STORED["data"], "scale": STORED["scale"], "shifts": [STORED["shifts"][i] for i in picked]})
    assert done.returncode == 0, done.stderr
    again = json.loads(done.stdout)
    assert again["without"] == STORED["without"] and set(again["gradients"]) == set(STORED["gradients"])
    for key, values in again["gradients"].items():
        assert values == pytest.approx([STORED["gradients"][key][i] for i in picked], rel=1e-10), key


@pytest.mark.parametrize("key", STORED["gradients"])
def test_autograd_lies_on_the_analytic_curve(key):
    shift = np.array(STORED["shifts"])
    q = normal(shift, np.full(len(shift), STORED["scale"]))
    want = generator_gradients(parse(STORED["data"]), q, "shift", (key,))[key].value
    assert STORED["gradients"][key] == pytest.approx(want, rel=1e-6)


def test_every_loss_has_a_value_of_autograd_or_a_reason():
    assert set(STORED["gradients"]) | set(STORED["without"]) == set(LOSSES)
    assert not set(STORED["gradients"]) & set(STORED["without"])
    assert {k for k, row in LOSSES.items() if row.optimal is None} <= set(STORED["without"])


def test_autograd_follows_a_mixture_and_refuses_what_it_cannot():
    from gantoys.training.autograd import answer

    text = "0.5*N(-2,0.5)+0.5*N(2,0.5)"
    found = answer({"data": text, "scale": 0.5, "shifts": [1.5]})["gradients"]
    for key in ("saturating", "non-saturating", "relativistic"):
        want = generator_gradients(parse(text), normal(1.5, 0.5), "shift", (key,))[key].value
        assert found[key][0] == pytest.approx(float(want), rel=1e-9), key
    for request, words in (
        ({"data": "U(0,1)", "scale": 1, "shifts": [1]}, "not a mixture of normals"),
        ({"data": "N(0,1)", "scale": 0, "shifts": [1]}, "must be positive"),
        ({"data": "N(0,1)", "scale": 1}, "has data, scale and shifts"),
    ):
        with pytest.raises(ValueError, match=words):
            answer(request)
