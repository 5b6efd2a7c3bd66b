"""The pair P(0.5, 0.5) against P(0.7, 0.3), by the definition of V."""

import numpy as np

from gantoys.lessons import load
from tests.stated import GIVEN, Row
from tests.stated.by_hand import LOG4, entropy_to, value

P, Q = np.array([0.5, 0.5]), np.array([0.7, 0.3])
BEST, M = P / (P + Q), (P + Q) / 2
JS = 0.5 * entropy_to(P, M) + 0.5 * entropy_to(Q, M)


def ledger() -> None:
    """V = -log 4 + 2 JS - shortfall for answers of many kinds, the shortfall never negative."""
    for d in ([0.1, 0.9], [0.5, 0.5], [0.2, 0.8], BEST):
        shortfall = value(P, Q, BEST) - value(P, Q, d)
        assert abs(value(P, Q, d) - (-LOG4 + 2 * JS - shortfall)) < 1e-12 and shortfall >= -1e-15


def who_moves_first() -> None:
    """Over all p_G the best D leaves V least at p_G = p_data; over all D the best G leaves most at D = 1/2."""
    shares = np.linspace(0.001, 0.999, 999)
    replies = [value(P, [q, 1 - q], P / (P + np.array([q, 1 - q]))) for q in shares]
    assert abs(shares[np.argmin(replies)] - 0.5) < 1e-3 and abs(min(replies) + LOG4) < 1e-5
    grid = np.linspace(0.02, 0.98, 97)
    safe = [[P @ np.log([a, b]) + np.log1p(-max(a, b)) for b in grid] for a in grid]
    at = np.unravel_index(np.argmax(safe), (97, 97))
    assert grid[at[0]] == grid[at[1]] == 0.5 and abs(np.max(safe) + LOG4) < 1e-12


def leaning() -> None:
    assert load("game").tries[0].state["d"] == "0.2,0.8"
    assert value(P, Q, [0.2, 0.8]) < -LOG4 and BEST[0] < 0.5 < BEST[1]


def collapsed() -> tuple[float, ...]:
    """All on outcome 2: against the D that stays, and against the one that answers, D* = (1, 1/3)."""
    gone = [0.0, 1.0]
    assert BEST[1] > BEST[0]
    return 2, value(P, gone, BEST), value(P, gone, [1.0, 1 / 3])


ROWS: list[Row] = [
    ("how likely $x$ is real, between 0 and 1", GIVEN),
    ("earns $-\\log 4 \\approx -1.3863$", lambda: (-LOG4,)),
    ("$2\\,\\mathrm{JS}$ more, and the shortfall", ledger),
    ("$m = (p_{data} + p_G)/2$", GIVEN),
    ("$V(D^*, G) = -\\log 4 + 2\\,\\mathrm{JS}$", who_moves_first),
    ("0.2 and 0.8 lean the right way here, and score less than a coin", leaning),
    ("D answers 0.2 and 0.8.", leaning),
    ("V falls to −1.5553, below the −1.3863 of a coin", lambda: (value(P, Q, [0.2, 0.8]), -LOG4)),
    ("0.04 nats | 0.02 nats | 0.2 nats", lambda: (2 * JS, JS, abs(P - Q)[0])),  # 2 JS, JS alone, the shares' difference
    (
        "D* = 0.4167 and 0.6250 reaches −1.3443: the coin's −1.3863 plus 2 JS = 0.0420",
        lambda: (*BEST, value(P, Q, BEST), -LOG4, 2, value(P, Q, BEST) + LOG4),
    ),
    (
        "JS = 0.0210 is the mean of KL(p_data‖m) = 0.0204 and KL(p_G‖m) = 0.0216",
        lambda: (JS, entropy_to(P, M), entropy_to(Q, M)),
    ),
    ("D stays at 0.4167 and 0.6250", lambda: tuple(BEST)),
    ("half and half | all on outcome 1 | all on outcome 2", GIVEN),
    ("All on outcome 2, where D is largest: V falls to −1.6536", lambda: collapsed()[:2]),
    ("a D that answers this G gets −0.9548", lambda: collapsed()[2:]),
    ("p_data = 0.5, p_G = 0.7 at the first outcome", lambda: (P[0], Q[0])),
    (
        "0.7143, the ratio of the two | 0.4167, the real share of all there | 0.5, the share of the data",
        lambda: (0.5 / 0.7, BEST[0], P[0]),
    ),
    (
        "0.5 / 0.7 compares the two, but D answers with a probability: ratio / (1 + ratio) = 0.4167",
        lambda: (P[0], Q[0], 1, (5 / 7) / (12 / 7)),
    ),
    ("0.5 / (0.5 + 0.7) = 0.4167", lambda: (P[0], P[0], Q[0], BEST[0])),
    ("the difference between 0.5 and 0.7 is worth", lambda: (P[0], Q[0])),
    ("Your shortfall is 0.01 nats", GIVEN),
    (
        "the best D would earn 0.01 nats more | p_G is 0.01 nats from p_data | D is wrong about 1 % of the points",
        GIVEN,
    ),
    ("in the other entry, 2 JS", ledger),
]
