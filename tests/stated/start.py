from gantoys.runs.film_file import JUDGED
from gantoys.runs.presets import START
from tests.stated import GIVEN, HELD, Row

BAND = HELD("test_record.py::test_the_bands_of_losses_and_of_v_hold_as_often_as_they_say")


def settings() -> tuple[float, ...]:
    """Of the config that the film was recorded with."""
    assert START.layers == 2 and START.toy.startswith("ring(8")
    return START.width, START.steps


ROWS: list[Row] = [
    ("two hidden layers of 128 units each, trained for 3,000 steps", settings),
    ("estimated from 2,048 points of either kind", lambda: (JUDGED,)),
    ("with the band in which it lies 19 times of 20", BAND),
    ("After some 200 steps", GIVEN),
    (
        "Up to step 400 G never covers more than three modes at once, here one",
        HELD("test_outcomes.py::test_the_chase_covers_few_modes_and_one_in_its_frame"),
    ),
    ("After 3,000 steps", lambda: (START.steps,)),
]
