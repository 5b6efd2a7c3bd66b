import numpy as np
from scipy import integrate, special

from tests.stated import GIVEN, HELD, Row
from tests.stated.by_hand import LOG2, root

CHIPS = HELD("test_compare.py::test_what_the_chips_say_is_so")


def student(pairs: int) -> float:
    """How many standard errors luck reaches in 1 of 20 cases: Student's density integrated until 0.975."""
    n = pairs - 1
    scale = special.gamma((n + 1) / 2) / (np.sqrt(n * np.pi) * special.gamma(n / 2))

    def beyond(t: float) -> float:
        inside, _ = integrate.quad(lambda u: scale * (1 + u * u / n) ** (-(n + 1) / 2), 0, t)
        return inside - 0.475

    return root(beyond, 0.5, 20.0)


ROWS: list[Row] = [
    ("its JS is not exactly 0 either", GIVEN),
    ("$d_1, \\dots, d_n$ of $n$ pairs", GIVEN),
    ("3.2 for 4 pairs, 2.4 for 8, in 95 of 100 cases", lambda: (student(4), 4, student(8), 8, 95, 100)),
    ("JS ended at about 0.21 without it and 0.16 with it", CHIPS),
    ("at the end of each of 8 seeds", CHIPS),
    ("A's generator loss ends at 0.7, that of B, which plays another game, at 0.3", GIVEN),
    ("0.3 in one game and 0.7 in another", GIVEN),
    ("log 2 = 0.69", lambda: (LOG2,)),
    ("Over 4 pairs of seeds B's JS is lower by 0.010 ± 0.012", GIVEN),
    ("has a JS above 0. Why", GIVEN),
    ("JS is above 0 unless two", GIVEN),
    ("the JS of a distribution with itself is 0", GIVEN),
    ("comes out near 0 and not on it", GIVEN),
]
