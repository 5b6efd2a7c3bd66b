"""Mixtures of two normals, by sums over a grid."""

import numpy as np

from gantoys.lessons import load
from gantoys.pictures.optimal_discriminator import OptimalState
from tests.stated import GIVEN, Row
from tests.stated.by_hand import LOG2, LOG4, bell, js, kl, mixed, underflows

DATA = mixed((0.5, -2, 0.7), (0.5, 2, 0.7))


def the_state() -> None:
    assert OptimalState().data == "0.5*N(-2,0.7)+0.5*N(2,0.7)"
    missed = load("optimal-discriminator").tries[1].state
    assert missed == {"left": -2.0, "right": 2.0, "spread": 0.7, "weight": 0.0}


def missed_mode() -> tuple[float, ...]:
    """p_G = N(-2, 0.7): D* at the right mode, at the left one, and JS."""
    the_state()
    fake = bell(-2, 0.7)
    d = 1 / (1 + np.exp(fake - DATA))
    x = np.linspace(-30, 30, 60_001)
    return float(np.interp(2, x, d)), float(np.interp(-2, x, d)), js(DATA, fake)


def no_more_than_log_2() -> tuple[float, ...]:
    far = [js(DATA, mixed((0.5, at, 0.4), (0.5, at + 1, 0.4))) for at in (3.0, 6.0, 12.0)]
    assert far == sorted(far) and far[-1] <= LOG2 + 1e-9 and LOG2 - far[1] < 0.01
    return (LOG2,)


def value_of_equals() -> None:
    """V(D*, G) as the sum of both means is -log 4 + 2 JS; JS of equal ones is 0."""
    fake = bell(0.5, 1.3)
    logit = DATA - fake
    mean = kl(DATA, np.logaddexp(DATA, fake)) + kl(fake, np.logaddexp(DATA, fake))
    assert abs(mean - (-LOG4 + 2 * js(DATA, fake))) < 1e-9 and np.isfinite(logit).all()
    assert abs(js(DATA, DATA)) < 1e-12


ROWS: list[Row] = [
    ("where it is near 0 or 1 it is sure", GIVEN),
    ("squeezed into [0, 1]", GIVEN),
    ("$\\log 2 \\approx 0.6931$", no_more_than_log_2),
    ("“D* near 1 means", GIVEN),
    ("1 everywhere | ½ everywhere", GIVEN),
    ("JS = 0 and V = −log 4 ≈ −1.3863", lambda: (js(DATA, DATA), -LOG4)),
    ("near 0 | ½ | near 1", GIVEN),
    ("D* is sure of them: nearly 1", lambda: (round(missed_mode()[0]),)),
    ("so D* = 1/3 there", lambda: (round(missed_mode()[1], 6) / 0.333333 / 3,)),
    ("JS is 0.2136 nats", lambda: missed_mode()[2:]),
    ("JS cannot exceed log 2 ≈ 0.6931 nats", no_more_than_log_2),
    ("p_data(x) = 0.3 and p_G(x) = 0.1", GIVEN),
    ("0.3 | 0.75 | 3", lambda: (0.3, 0.3 / (0.3 + 0.1), 0.3 / 0.1)),
    ("0.3 is the density of the real data alone", GIVEN),
    ("both together: 0.3 / (0.3 + 0.1) = 0.75", lambda: (0.3, 0.3, 0.1, 0.3 / 0.4)),
    ("Right: 0.3 / (0.3 + 0.1) = 0.75", lambda: (0.3, 0.3, 0.1, 0.3 / 0.4)),
    ("3 is the ratio of the densities", lambda: (0.3 / 0.1,)),
    ("ratio / (1 + ratio) = 3 / 4", lambda: (1, 3, 4) if abs(3 / (1 + 3) - 3 / 4) < 1e-15 else ()),
    ("−log 4 + 2 JS, and JS = 0 only", value_of_equals),
    ("−log 4 + 2 log 2 = 0", lambda: (2, -LOG4 + 2 * LOG2)),
    ("even 40 standard deviations from both densities", lambda: (40,) if underflows(40) else ()),
    ("cut to [0, 1]", GIVEN),
    ("both densities are 0 there, and 0/0 is no number", GIVEN),
]
