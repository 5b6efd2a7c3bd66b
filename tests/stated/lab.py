from gantoys.runs.film_file import JUDGED, POPULATION
from tests.stated import GIVEN, HELD, Row
from tests.stated.by_hand import LOG2, LOG4, value
from tests.stated.optimal_discriminator import value_of_equals
from tests.stated.start import BAND


def at_most_nothing() -> None:
    """V is a sum of logarithms of probabilities; 0 is reached where D knows every point."""
    assert value([1, 0], [0, 1], [1 - 1e-15, 1e-15]) < 0 and value([1, 0], [0, 1], [1 - 1e-15, 1e-15]) > -1e-13
    assert value([1, 0], [0, 1], [0.5, 0.5]) == -LOG4


ROWS: list[Row] = [
    (
        "what 19 of 20 perfect generators score",
        HELD("test_lab_metrics.py::test_points_of_the_target_are_told_as_perfect_and_noise_is_not"),
    ),
    ("what 4,096 points of either kind are sure of", lambda: (POPULATION,)),
    ("with the band in which it lies 19 times of 20", BAND),
    ("those of 2,048 points of either kind", lambda: (JUDGED,)),
    ("$2 \\log 2 = 1.386$", lambda: (2, 2 * LOG2)),
    ("$\\log 2 = 0.693$", lambda: (LOG2,)),
    ("falls to almost 0", GIVEN),
    ("both near 1 |", GIVEN),
    ("V is −1.386 = −log 4", lambda: (-LOG4,)),
    ("no: there V would be 0", GIVEN),
    ("V = −log 4 + 2 JS − gap, and the gap can eat up all of 2 JS", value_of_equals),
    ("V is 0 at the most", at_most_nothing),
    ("You branch at step 300", GIVEN),
    ("300 steps, and the later random numbers | 300 steps, then other random numbers", GIVEN),
    ("what differs after step 300", GIVEN),
    ("as they were at step 300", GIVEN),
    ("with seed 4.", GIVEN),
    ("that seed 4 is lucky", GIVEN),
    ("choose 8 or 16 seeds", GIVEN),
]
