"""Targets given by points: their law, their text, and what is refused."""

import base64
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from gantoys.__main__ import main
from gantoys.maths.notation import NotationError, parse
from gantoys.maths.points import LIMIT, LONGEST, from_points
from gantoys.maths.toys import Sampler
from gantoys.runs import limits
from gantoys.runs.config import TrainConfig

STEP = 1 / 65535
numbers = st.floats(-1e6, 1e6, allow_subnormal=False)
shapes = st.one_of(st.tuples(st.integers(2, 40)), st.tuples(st.integers(2, 40), st.integers(1, 2)))
clouds = shapes.flatmap(lambda shape: arrays(float, shape, elements=numbers))
clouds = clouds.filter(lambda x: np.ptp(x, axis=0).max() > 1e-9)


def support(law: Sampler) -> np.ndarray:
    """All places that a law of few points can draw, each once."""
    return np.unique(law.sample(4000, np.random.default_rng(0)), axis=0)


def packed(codes: list[int]) -> str:
    data = zlib.compress(np.array(codes, "<u2").tobytes())
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


@settings(max_examples=120)
@given(clouds)
def test_a_law_of_points_is_read_back_exactly_from_its_text(points):
    law = from_points(points)
    again = parse(str(law))
    assert isinstance(again, Sampler)
    assert (str(again), again.box, again.dim, again.name) == (str(law), law.box, law.dim, law.name)
    draws = [each.sample(200, np.random.default_rng(3)) for each in (law, again)]
    np.testing.assert_array_equal(*draws)


@settings(max_examples=120)
@given(clouds)
def test_every_draw_lies_within_half_a_step_of_a_point_and_every_point_is_drawn(points):
    law = from_points(points)
    x = np.reshape(points, (len(points), -1))
    drawn = np.reshape(law.sample(3000, np.random.default_rng(1)), (3000, -1))
    # a little more than half a step: places are sums of floats of up to 1e6
    half = 0.5 * STEP * np.ptp(x, 0) + 1e-9
    near = np.all(np.abs(drawn[:, None] - x[None]) <= half, axis=2)
    # a point of 40 is missed by 3,000 draws with probability e^-75
    assert near.any(1).all() and near.any(0).all()


def test_draws_follow_the_empirical_law_also_where_points_coincide():
    law = from_points([[0, 0], [0, 0], [0, 0], [4, 2]])
    drawn = law.sample(20_000, np.random.default_rng(2))
    # 0.75 and 0.25 within four standard errors, 4 sqrt(3/16/20000) = 0.0122
    assert np.mean(np.all(drawn == [4, 2], axis=1)) == pytest.approx(0.25, abs=0.0123)
    assert support(law).tolist() == [[0, 0], [4, 2]]


def test_places_are_those_that_the_text_says():
    law = parse(f'points(1,-1,1,"{packed([0, 65535, 32768])}")')
    assert law.dim == 1 and law.box == pytest.approx((-1.1, 1.1)) and law.modes.shape == (0,)
    np.testing.assert_allclose(support(law), [-1, -1 + 2 * 32768 / 65535, 1], atol=1e-15)
    plane = parse(f'points(2,0,2,10,11,"{packed([0, 65535, 65535, 0])}")')
    assert support(plane).tolist() == [[0, 11], [2, 10]] and plane.sample(5, np.random.default_rng(0)).shape == (5, 2)
    assert plane.box == pytest.approx((-0.1, 2.1, 9.9, 11.1)) and plane.modes.shape == (0, 2)


def test_the_order_of_the_points_does_not_matter():
    points = np.random.default_rng(4).normal(size=(300, 2))
    assert str(from_points(points)) == str(from_points(points[::-1]))


def test_a_column_on_the_line_is_the_same_as_a_row():
    assert str(from_points([[1.0], [2.0]])) == str(from_points([1, 2]))
    assert from_points([[1.0], [2.0]]).sample(3, np.random.default_rng(0)).shape == (3,)


def test_points_on_an_upright_line_in_the_plane_are_a_law():
    law = from_points([[1.5, 0.0], [1.5, 4.0]])
    assert support(law).tolist() == [[1.5, 0], [1.5, 4]] and law.box == pytest.approx((1.3, 1.7, -0.2, 4.2))


def test_the_largest_set_of_points_fits_a_config():
    points = np.random.default_rng(5).normal(size=(LIMIT, 2))
    text = str(from_points(points))
    assert len(text) < LONGEST == limits.POINTS_TEXT and LIMIT == limits.POINTS
    config = TrainConfig.build({"toy": text})
    assert config.toy == text and config.dim == 2 and TrainConfig.read(config.canonical_json()) == config


def test_of_too_many_points_the_same_are_kept_every_time():
    points = np.random.default_rng(6).normal(size=(LIMIT + 3000, 1))
    law = from_points(points)
    assert str(law) == str(from_points(points)) and "5,000" in law.name
    # the mean of 5,000 of 8,000: standard error sqrt(1/5000 - 1/8000) = 0.0087
    assert law.sample(200_000, np.random.default_rng(7)).mean() == pytest.approx(points.mean(), abs=0.035)


@pytest.mark.parametrize(
    ("points", "says"),
    [
        ([1.0], "at least two"),
        ([], "at least two"),
        ([2.0, 2.0, 2.0], "different"),
        ([[1.0, 2.0], [1.0, 2.0]], "different"),
        ([0.0, np.nan], "finite"),
        ([0.0, np.inf], "finite"),
        ([0.0, 1e101], "within"),
        (["a", "b"], "real numbers"),
        ([True, False], "real numbers"),
        ([[1, 2], [3]], "one kind"),
        (np.zeros((4, 3)), "shape"),
        (np.zeros((2, 2, 2)), "shape"),
        (3.0, "shape"),
    ],
)
def test_what_is_no_set_of_points_is_refused_in_one_sentence(points, says):
    with pytest.raises(ValueError, match=says):
        from_points(points)


GOOD = packed([0, 65535])


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("points", "expected '\\('"),
        ("points()", "expected a number"),
        ("points(1,0,1)", "expected ','"),
        (f'points(3,0,1,"{GOOD}")', "1 or 2"),
        (f'points(1.5,0,1,"{GOOD}")', "1 or 2"),
        (f'points(1,0,1,2,3,"{GOOD}")', "2 bounds"),
        (f'points(2,0,1,"{GOOD}")', "4 bounds"),
        (f'points(1,1,0,"{GOOD}")', "low <= high"),
        (f'points(1,0,0,"{GOOD}")', "one place"),
        (f'points(1,0,1e101,"{GOOD}")', "within"),
        (f'points(1,0,1,"{GOOD}!")', "base64url"),
        (f'points(1,0,1,"{GOOD[:-3]}")', "damaged"),
        (f'points(1,0,1,"{GOOD[:-1]}")', "damaged"),
        (f'points(1,0,1,"A{GOOD}")', "damaged"),
        ('points(1,0,1,"")', "damaged"),
        (f'points(1,0,1,"{packed([7])}")', "from 2"),
        (f'points(1,0,1,"{packed([7, 7, 7])}")', "different"),
        (f'points(2,0,1,0,1,"{packed([1, 2, 3])}")', "from 2"),
        (f'points(2,0,1,5,5,"{packed([9, 9, 0, 65535])}")', "different"),
        (f'points(1,0,1,"{packed([0, 1] * LIMIT)}")', "from 2 to 5000"),
        (f'points(1,0,1,"{GOOD}"', "expected '\\)'"),
        (f'points(1,0,1,"{GOOD}',  "does not belong"),
        (f'0.5*points(1,0,1,"{GOOD}")+0.5*N(0,1)', "weighted sum"),
        (f'N("{GOOD}",1)', "expected a number"),
        ('points(1,0,1,"' + "A" * LONGEST + '")', "characters long"),
    ],
)  # fmt: skip
def test_a_bad_text_is_named_with_its_place(text, says):
    with pytest.raises(NotationError, match=says) as caught:
        parse(text)
    assert 0 <= caught.value.position <= len(text) and len(str(caught.value)) < 300


def test_a_text_that_would_unpack_to_very_much_is_refused_without_unpacking_it(monkeypatch):
    bomb = base64.urlsafe_b64encode(zlib.compress(bytes(10_000_000), 9)).decode().rstrip("=")
    assert len(bomb) < LONGEST
    asked = []
    real = zlib.decompressobj

    class Watched:
        def __init__(self):
            self.stream = real()

        def decompress(self, data, most):
            asked.append(most)
            return self.stream.decompress(data, most)

    monkeypatch.setattr("gantoys.maths.points.zlib.decompressobj", Watched)
    with pytest.raises(NotationError, match="more than 5000 points"):
        parse(f'points(2,0,1,0,1,"{bomb}")')
    assert asked and max(asked) <= 4 * LIMIT + 1


def test_there_is_no_density_and_the_sentence_is_short(capsys):
    law = from_points(np.random.default_rng(8).normal(size=(2000, 2)))
    with pytest.raises(ValueError, match=r"points \(2,000 of them\) has no exact density"):
        law.density(np.zeros((1, 2)))
    assert main(["compare", str(law), "ring"]) == 2
    assert len(capsys.readouterr().err) < 200
