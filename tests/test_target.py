"""A target of one's own: whatever is uploaded or drawn, either points come of it or one clear sentence."""

from __future__ import annotations

import io
import math
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from gantoys.maths.notation import parse
from gantoys.maths.table_reader import BYTES
from gantoys.metrics.files import table_of
from gantoys.pictures.lab_state import fitting
from gantoys.runs import limits
from gantoys.runs.config import TrainConfig
from gantoys.ui import drawing, target

APP = str(Path(__file__).parent / "browser" / "apps" / "target_demo.py")


# --- from points to a target ----------------------------------------------------------------------------------------


def test_the_notation_is_a_target_that_a_run_takes_as_it_is() -> None:
    rng = np.random.default_rng(0)
    for points in (rng.normal(size=(6000, 2)), rng.normal(size=300)):
        text, learned = target.notation(points)
        assert learned == min(len(points), limits.POINTS)
        config = TrainConfig(toy=text, steps=10)
        assert config.toy == text and config.dim == points.ndim
        drawn = parse(text).sample(4000, rng).reshape(4000, -1)
        # each number was rounded to 1/65535 of its range; 5,000 of the points were kept
        gap = np.abs(drawn[:, None, 0] - points.reshape(len(points), -1)[None, :, 0]).min(1)
        assert gap.max() < np.ptp(points) / 65_535


def test_centred_points_keep_their_shape() -> None:
    points = np.random.default_rng(1).normal(size=(400, 2)) * [30.0, 3.0] + [5000.0, -7000.0]
    with pytest.raises(ValueError, match="centred and scaled"):
        target.notation(points)
    law = parse(target.notation(points, centre=True)[0])
    drawn = law.sample(40_000, np.random.default_rng(2))
    # the empirical law of 400 points, drawn 40,000 times: six standard errors
    assert np.allclose(drawn.mean(0), 0, atol=6 * 1.5 / 200)
    assert math.isclose(np.mean(drawn**2), 1, rel_tol=0.06)
    assert math.isclose(drawn.std(0)[0] / drawn.std(0)[1], points.std(0)[0] / points.std(0)[1], rel_tol=0.05)


# --- what a browser says was drawn ----------------------------------------------------------------------------------

GOOD = {"x": [0.1 * k for k in range(25)], "y": [(-1.0) ** k for k in range(25)], "mark": "a"}
FORGED: tuple[Any, ...] = (
    None,
    [],
    "x",
    {},
    {"x": [1.0]},
    {"x": [1.0], "y": []},
    {"x": "12", "y": "34"},
    {"x": [math.nan] * 30, "y": [0.0] * 30},
    {"x": [math.inf] * 30, "y": [0.0] * 30},
    {"x": ["1"] * 30, "y": ["2"] * 30},
    {"x": [True] * 30, "y": [False] * 30},
    {"x": [None] * 30, "y": [None] * 30},
    {"x": [[1, 2]] * 30, "y": [{}] * 30},
    {"x": [10**400] * 30, "y": [0] * 30},
    {"x": [3.01] * 30, "y": [0.0] * 30},
    {"x": [0.0] * (limits.POINTS + 1), "y": [0.0] * (limits.POINTS + 1)},
    {"x": [0.0] * 1_000_000, "y": [0.0] * 1_000_000},
)


def test_a_drawing_is_taken_as_it_was_drawn() -> None:
    assert np.array_equal(drawing.check(GOOD), np.array([GOOD["x"], GOOD["y"]]).T)
    assert drawing.check({"x": [], "y": []}).shape == (0, 2)
    assert len(drawing.check({"x": [0.5] * limits.POINTS, "y": [3] * limits.POINTS})) == limits.POINTS


@pytest.mark.parametrize("message", FORGED)
def test_a_forged_drawing_is_refused_in_one_sentence(message: Any) -> None:
    with pytest.raises(ValueError, match=r"^the drawing (could not|has more|holds)"):
        drawing.check(message)


@pytest.mark.parametrize(
    ("message", "words"),
    [
        *((message, "drawing") for message in FORGED),
        ({"x": [], "y": []}, "draw more: 0 of at least 20"),
        ({"x": [1.0], "y": [1.0]}, "draw more: 1 of"),
        ({"x": [0.0, 1.0] * 9 + [2.0], "y": [0.0] * 19}, "draw more: 19 of"),
        ({"x": [1.0] * 30, "y": [1.0] * 30}, "at least two different"),
    ],
)
def test_a_drawing_that_cannot_be_learned_leaves_the_target_that_was_there(
    message: Any, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    session: dict[str, Any] = {}
    monkeypatch.setattr(target, "st", SimpleNamespace(session_state=session))
    target._drawn("k", "why", target.written, GOOD)
    before = session["k:notation"]
    assert session["why"] is None and parse(before).dim == 2
    target._drawn("k", "why", target.written, message)
    assert words in session["why"] and "\n" not in session["why"] and session["k:notation"] == before
    target._drawn("k", "why", target.written, GOOD)
    assert session["why"] is None


# --- on the page ----------------------------------------------------------------------------------------------------


def uploading() -> AppTest:
    app = AppTest.from_file(APP, default_timeout=30).run()
    app.button_group[0].set_value(target.UPLOAD).run()
    assert not app.exception and app.text[0].value == "notation None"
    return app


def upload(app: AppTest, data: bytes, name: str = "x.csv") -> AppTest:
    app.file_uploader[0].set_value((name, data, "text/csv")).run()
    assert not app.exception
    return app


def take(app: AppTest) -> AppTest:
    app.button(key="own-target:take").click().run()
    assert not app.exception
    return app


def captions(app: AppTest) -> str:
    return " ".join(caption.value for caption in app.caption).replace("\\", "")


def test_a_table_is_shown_as_it_was_understood_before_it_becomes_the_target() -> None:
    app = upload(uploading(), b"id,x,y,kind\n1,0,1,a\n2,NA,3,b\n3,2,3,b\n4,4,5,b\n", "../../x.csv")
    assert app.text[0].value == "notation None"  # nothing yet
    said = captions(app)
    for words in ("4 rows of 4 columns", "Row 1 names the columns", "Only counts the rows: id", "No numbers: kind"):
        assert words in said
    assert "Row 3 is left out: no number in x or y." in said and "3 points in the plane, all will be learned" in said
    preview = app.markdown[0].value.splitlines()
    assert preview == ["| row | x | y |", "| ---: | ---: | ---: |", "| 2 | 0 | 1 |", "| 4 | 2 | 3 |", "| 5 | 4 | 5 |"]
    take(app)
    assert app.text[0].value.startswith("notation points(2,0") and app.button(key="own-target:take").disabled
    assert "Your target: 3 points in the plane, all are learned." in captions(app)
    # other columns: shown, and taken when the visitor says so
    app.multiselect[0].set_value(["3"]).run()
    assert "4 points on the line" in captions(app) and app.text[0].value.startswith("notation points(2,")
    take(app)
    assert app.text[0].value.startswith("notation points(1,1.0,5.0")


def test_a_table_of_many_columns_asks_for_two_of_them() -> None:
    app = upload(uploading(), b"a,b,c\n1,2,3\n4,5,6\n")
    assert app.multiselect[0].value == ["1", "2"] and "2 points in the plane" in captions(app)
    app.multiselect[0].set_value(["3", "1"]).run()
    take(app)
    assert parse(app.text[0].value.removeprefix("notation ")).box[:2] == pytest.approx((3 - 0.15, 6 + 0.15))


def test_an_array_is_taken_like_a_table() -> None:
    data = io.BytesIO()
    np.save(data, [[0.0, 1.0], [2.0, 3.0]])
    app = take(upload(uploading(), data.getvalue(), "points.npy"))
    assert app.text[0].value.startswith("notation points(2,0.0,2.0,1.0,3.0")
    assert "an array of numpy" in captions(app)


def test_a_bad_upload_is_told_in_a_sentence_and_changes_nothing() -> None:
    app = take(upload(uploading(), b"x,y\n0,1\n2,3\n4,5\n"))
    good = app.text[0].value
    for data, words in (
        (b"1\n![](http://a.b/c)\n2\n", "not a number"),
        (b"0\n5000\n", "centred and scaled"),
        (b"2,2\n2,2\n", "at least two different points"),
        (b"", "the file is empty"),
        (b"a\n1\n", "at least two points"),
        (b"\x93NUMPY\x01\x00rubbish", "not an array"),
    ):
        upload(app, data, "\x00<svg onload=1>😀" * 50)
        assert app.text[0].value == good
        warning = app.warning[0].value.replace("\\", "")
        assert words.lower() in warning.lower() and "stays as it was" in warning
        assert "![" not in app.warning[0].value  # no picture is fetched from anywhere
    upload(app, b"0\n5000\n")
    app.toggle[0].set_value(True).run()
    assert not app.warning and app.text[0].value == good
    take(app)
    assert app.text[0].value.startswith("notation points(1,")
    app.button_group[0].set_value(target.DRAW).run()
    assert app.text[0].value.startswith("notation points(1,") and not app.warning


def test_names_of_columns_are_plain_words_on_the_page() -> None:
    app = upload(uploading(), b"![](http://a.b/c),**b**\n0,1\n2,3\n")
    assert "![" not in app.markdown[0].value and "**b" not in app.markdown[0].value
    assert all("![" not in caption.value for caption in app.caption)


def test_the_label_says_how_many_rows_are_learned() -> None:
    rng = np.random.default_rng(0)
    points = rng.normal(size=(6000, 2))
    for write, most in ((target.written, limits.POINTS), (fitting, 500)):
        text, learned = target.notation(points, write=write)
        assert learned == most and len(np.unique(parse(text).sample(60_000, rng), axis=0)) == pytest.approx(most, abs=3)
    text, learned = target.notation(rng.normal(size=6000), write=fitting)
    assert learned == 1000 and len(text) <= 3000  # numbers on the line take half the room, and less when sorted
    app = take(upload(uploading(), b"\n".join(b"%d,%d" % (k % 97, k % 101) for k in range(6000))))
    assert "Your target: 5,000 of 6,000 points in the plane, chosen at random, are learned." in captions(app)


def test_a_file_beyond_the_size_is_refused_before_it_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(target, "table_of", lambda data: pytest.fail("it was read"))
    app = upload(uploading(), b"1\n" * (BYTES // 2 + 1))
    assert "2,097,154 bytes" in app.warning[0].value


def test_a_table_is_read_once_and_few_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[bytes] = []
    monkeypatch.setattr(target, "table_of", lambda data: (read.append(data), table_of(data))[1])
    monkeypatch.setattr(target, "TABLES", 2)
    app = upload(uploading(), b"1\n2\n")
    app.toggle[0].set_value(True).run()
    app.toggle[0].set_value(False).run()
    assert read == [b"1\n2\n"]
    for k in range(3):
        upload(app, b"1\n%d\n" % (k + 5))
    assert len(target._tables) == 2 and len(read) == 4
