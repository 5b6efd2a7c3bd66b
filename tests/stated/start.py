from gantoys.runs.presets import START
from tests.stated import GIVEN, Row


def settings() -> tuple[float, ...]:
    """Of the config that the film was recorded with."""
    assert START.layers == 2 and START.toy.startswith("ring(8")
    return START.width, START.steps


ROWS: list[Row] = [
    ("two hidden layers of 128 units each, trained for 3,000 steps", settings),
    ("After some 200 steps", GIVEN),
    ("After 3,000 steps", lambda: (START.steps,)),
]
