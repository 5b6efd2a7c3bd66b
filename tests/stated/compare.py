import numpy as np
from scipy import integrate, special

from gantoys.runs.film_file import POPULATION
from tests.stated import GIVEN, HELD, Row
from tests.stated.by_hand import LOG2, root

CHIPS = HELD("test_outcomes.py::test_a_chip_says_what_its_runs_show_over_seeds")


def student(pairs: int) -> float:
    """How many standard errors luck reaches in 1 of 20 cases: Student's density integrated until 0.975."""
    n = pairs - 1
    scale = special.gamma((n + 1) / 2) / (np.sqrt(n * np.pi) * special.gamma(n / 2))

    def beyond(t: float) -> float:
        inside, _ = integrate.quad(lambda u: scale * (1 + u * u / n) ** (-(n + 1) / 2), 0, t)
        return inside - 0.475

    return root(beyond, 0.5, 20.0)


ROWS: list[Row] = [
    ("what 4,096 points of either kind", lambda: (POPULATION,)),
    ("while its JS is 0", GIVEN),
    ("$d_1, \\dots, d_n$ of $n$ pairs", GIVEN),
    ("3.2 for 4 pairs, 2.4 for 8, in 95 of 100 cases", lambda: (student(4), 4, student(8), 8, 95, 100)),
    (
        "over eight seeds the bound on JS ends at about 0.32 without it and 0.28 with it, and lower with it on each",
        CHIPS,
    ),
    ("on seven of eight seeds A ends with two modes or fewer, B with four or more on each", CHIPS),
    ("at the end of each of 8 seeds", CHIPS),
    ("A's generator loss ends at 0.7, that of B, which plays another game, at 0.3", GIVEN),
    ("0.3 in one game and 0.7 in another", GIVEN),
    ("log 2 = 0.69", lambda: (LOG2,)),
    ("Over 4 pairs of seeds B's JS is lower by 0.010 ± 0.012", GIVEN),
    ("a run ends with JS ≥ 0.01", GIVEN),
    ("yes, JS is 0.01 |", GIVEN),
    ("0.01 is what the points are sure of", GIVEN),
    (
        "would read 0 nearly always; and 0 itself",
        HELD("test_jensen_shannon.py::test_a_perfect_generator_reads_nothing"),
    ),
]
