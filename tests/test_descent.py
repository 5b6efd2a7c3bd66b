"""What each loss descends when the best D is held still: its row's own words, read as a formula and differentiated.

Nothing of gantoys' theory is used but the losses' own functions and `optimal`: the distributions are Gaussians written
out, every integral is a sum over a grid, every derivative a central difference.
"""

from collections.abc import Callable

import numpy as np
import pytest

from gantoys.maths import LOSSES, generator_gradients, mix, normal
from gantoys.pictures.generator_gradients import GradientState, scene

Array = np.ndarray
X = np.linspace(-9.5, 12.5, 22_001)
COARSE = X[::16]  # pairs of points are many
DX = float(X[1] - X[0])


def bell(x: Array, mean: float, std: float) -> Array:
    """Log density of a normal distribution."""
    return -0.5 * ((x - mean) / std) ** 2 - np.log(std * np.sqrt(2 * np.pi))


def data(x: Array) -> Array:
    return np.logaddexp(np.log(0.4) + bell(x, -0.8, 0.7), np.log(0.6) + bell(x, 0.6, 1.0))


def total(values: Array, step: float = DX) -> float:
    return float(np.sum(values) * step)


def kl(lp: Array, lq: Array) -> float:
    return total(np.exp(lp) * (lp - lq))


def middle(lp: Array, lq: Array) -> Array:
    """log of (p + q) / 2."""
    return np.logaddexp(lp, lq) - np.log(2)


def js(lp: Array, lq: Array) -> float:
    return 0.5 * kl(lp, middle(lp, lq)) + 0.5 * kl(lq, middle(lp, lq))


def chi2(lp: Array, lq: Array) -> float:
    return total((np.exp(lp - lq) - 1) ** 2 * np.exp(lq))


def tv(lp: Array, lq: Array) -> float:
    return 0.5 * total(np.abs(np.exp(lp) - np.exp(lq)))


def js_of_pairs(lp: Array, lq: Array) -> float:
    """JS between the distribution of (real, generated) pairs and that of the same pairs swapped."""
    lp, lq = lp[::16], lq[::16]
    pair = lp[:, None] + lq[None]
    step = (16 * DX) ** 2
    return total(np.exp(pair) * (pair - middle(pair, pair.T)), step)  # both halves of JS are this number


def w1(lp: Array, lq: Array) -> float:
    return total(np.abs(np.cumsum(np.exp(lp) - np.exp(lq)) * DX))


QUANTITIES: dict[str, Callable[[Array, Array], float]] = {
    "2 JS": lambda p, q: 2 * js(p, q),
    "KL(q‖p) − 2 JS": lambda p, q: kl(q, p) - 2 * js(p, q),
    "KL(p‖q)": kl,
    "KL(q‖p)": lambda p, q: kl(q, p),
    "KL(p‖m) − ¼ χ²(p‖m), m = ½(p + q)": lambda p, q: kl(p, middle(p, q)) - 0.25 * chi2(p, middle(p, q)),
    "2 total variation": lambda p, q: 2 * tv(p, q),
    "W1": w1,
    "KL(q‖p) − JS(p×q, q×p)": lambda p, q: kl(q, p) - js_of_pairs(p, q),
    "Jeffreys": lambda p, q: kl(p, q) + kl(q, p),
    "Jensen–Shannon": js,
    "Total variation": tv,
    "Squared Hellinger": lambda p, q: 1 - total(np.exp(0.5 * (p + q))),
    "Pearson χ²": chi2,
    "Neyman χ²": lambda p, q: chi2(q, p),
}
"""What `descends` says, written out; p and q as log densities on the grid."""


def frozen_loss(key: str, lq: Array, best: Array) -> float:
    """G's expected loss at q while D stays the one that was best for another q (its log-ratio, or its critic)."""
    row = LOSSES[key]
    if row.optimal is None:
        return total(np.exp(lq) * row.generator(best))
    if row.paired:
        best, p, q = best[::16], np.exp(data(COARSE)), np.exp(lq[::16])
        return float(p @ row.generator(best[None] - best[:, None]) @ q) * (16 * DX) ** 2
    return total(np.exp(lq) * np.nan_to_num(row.generator(row.optimal(best))))


def frozen_d(key: str, lp: Array, lq: Array) -> Array:
    if LOSSES[key].optimal is not None:
        return lp - lq
    return np.cumsum(np.sign(np.cumsum(np.exp(lq) - np.exp(lp)))) * DX


@pytest.mark.parametrize("key", LOSSES)
@pytest.mark.parametrize(("shift", "scale"), [(0.7, 1.3), (1.6, 1.1), (2.2, 1.0)])
def test_a_loss_descends_what_its_row_says(key: str, shift: float, scale: float) -> None:
    quantity, h = QUANTITIES[LOSSES[key].descends], 1e-3
    lp, p = data(X), mix([0.4, 0.6], [normal(-0.8, 0.7), normal(0.6, 1.0)])
    best = frozen_d(key, lp, bell(X, shift, scale))
    for parameter, along in (("shift", (h, 0.0)), ("scale", (0.0, h))):
        up, down = (bell(X, shift + sign * along[0], scale + sign * along[1]) for sign in (1, -1))
        felt = (frozen_loss(key, up, best) - frozen_loss(key, down, best)) / (2 * h)
        named = (quantity(lp, up) - quantity(lp, down)) / (2 * h)
        ours = float(generator_gradients(p, normal(shift, scale), parameter, (key,))[key].value)
        # the critics that jump do so between two points of the grid
        assert felt == pytest.approx(named, rel=2e-4, abs=2e-4), (parameter, "D frozen")
        assert ours == pytest.approx(named, rel=1e-4, abs=1e-4), parameter


@pytest.mark.parametrize("shift", [0.5, 2.0, 4.0, 8.0])
def test_the_slope_of_the_relativistic_loss_is_not_that_of_a_relativistic_divergence(shift: float) -> None:
    """Between N(0, 1) and N(s, 1) a pair's logit is s(y - x) ~ N(s^2, 2 s^2), so its JS is an integral on the line."""

    def js_of_margin(s: float) -> float:
        m = np.linspace(s * s - 14 * s, s * s + 14 * s, 40_001)
        weight = np.exp(bell(m, s * s, np.sqrt(2) * s)) * (m[1] - m[0])
        return float(np.log(2) - np.sum(weight * np.logaddexp(0, -m)))

    h = 1e-4
    slope = (js_of_margin(shift + h) - js_of_margin(shift - h)) / (2 * h)
    ours = float(generator_gradients(normal(0, 1), normal(shift, 1), "shift", ("relativistic",))["relativistic"].value)
    assert ours == pytest.approx(shift - slope, rel=1e-6)  # the slope of KL(q||p) = s^2 / 2, less that of R
    assert abs(ours - slope) > 0.05


@pytest.mark.parametrize("key", LOSSES)
def test_the_picture_says_whose_slope_its_number_is(key: str) -> None:
    """The words under the gradients are the row's, with p and q written as p_data and p_G."""
    formula = scene(GradientState(loss=key)).formula
    plain = formula.replace("*p*_{data}", "p").replace("*p*_{G}", "q").replace("*", "")
    assert f"slope of {LOSSES[key].descends}" in plain
