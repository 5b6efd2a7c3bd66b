"""A target of one's own: whatever is uploaded or drawn, either points come of it or one clear sentence."""

from __future__ import annotations

import codecs
import math
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from films import plane_film
from hypothesis import given
from hypothesis import strategies as st
from streamlit.testing.v1 import AppTest

from gantoys.maths.csv_points import BYTES, ROWS, read_csv
from gantoys.maths.notation import parse
from gantoys.runs import limits
from gantoys.runs.config import TrainConfig
from gantoys.service.exports import samples_csv
from gantoys.ui import drawing, target

APP = str(Path(__file__).parent / "browser" / "apps" / "target_demo.py")
PAIRS = np.array([[1.5, -2.0], [0.25, 4.0], [-3.0, 1e-3]])


# --- tables ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "1.5,-2\n0.25,4\n-3,0.001\n",
        "x,y\n1.5,-2\n0.25,4\n-3,0.001",
        "x;y\r\n1.5;-2\r\n.25;4.\r\n-3;1e-3\r\n",
        "x;y\n1,5;-2\n0,25;4\n-3;0,001\n",
        "x\ty\n1,5\t-2\n0,25\t4\n-3\t1E-03\n",
        "1.5 -2\n  0.25   4\n\n-3 +0.001\n",
        '"length, cm","width"\n"1.5","-2"\n"0.25","4"\n"-3","0.001"\n',
        "\n\n 1.5 , -2 \n\n 0.25 , 4\n -3, 0.001\n\n",
        "=cmd(),@y\n1.5,-2\n0.25,4\n-3,0.001\n",
        "1.5,-2\r0.25,4\r-3,0.001\r",
    ],
    ids=[
        "plain",
        "header",
        "semicolon",
        "decimal-comma",
        "tab",
        "blanks",
        "quoted",
        "empty-rows",
        "formula-head",
        "cr",
    ],
)
@pytest.mark.parametrize("encode", ["utf-8", "utf-8-sig", "utf-16"])
def test_one_table_in_many_spellings_gives_the_same_points(text: str, encode: str) -> None:
    assert np.array_equal(read_csv(text.encode(encode)), PAIRS)


def test_one_column_gives_points_on_the_line() -> None:
    assert read_csv(b"height\n1.5\n-2\n").tolist() == [1.5, -2.0]
    assert read_csv(b"1\n1\n2").shape == (3,)


MANY = b"\n".join(b"%d,%d" % (k, k * k % 97) for k in range(ROWS + 1))


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "the file is empty"),
        (b" \n\r\n\t\n", "the file is empty"),
        (b'"' * 5000, "the file is empty"),
        (b"x,y\n", "names of columns and no numbers"),
        (b"this is a letter\nto somebody\n", "row 2, column 1 of the file is “to”, not a number"),
        (b"x\n1\ntwo\n3\n", "row 3, column 1 of the file is “two”, not a number"),
        (b"1,2\n3,=cmd()\n", "row 2, column 2 of the file is “=cmd\\(\\)”, not a number"),
        (b"1,2\n3,nan\n", "row 2, column 2 of the file is nan: only finite"),
        (b"nan\ninf\n", "row 1, column 1 of the file is nan: only finite"),
        (b"1\n-Infinity\n", "row 2, column 1 of the file is -Infinity: only finite"),
        (b"1\n1e999\n", "is 1e999: only finite"),
        (b"1,2\n3,\n", "row 2, column 2 of the file is empty"),
        (b"1,2\n3\n", "row 2 of the file has 1 cells, the first has 2"),
        (b"x,y\n\n1,2\n3,4,5\n", "row 4 of the file has 3 cells"),
        (b"1,2\n", "one point only"),
        (b"x\n1\n", "one point only"),
        (b"1,2,3\n4,5,6\n", "3 columns"),
        (b"a,b,c\n1,2,3\n", "3 columns"),
        (b"2,2\n" * 500, "all 500 points of the file are the same"),
        (b"0\n" * 1_000_000, f"more than {ROWS:,} rows"),
        (MANY, f"has {ROWS + 1:,} rows"),
        (b"1,2\n" * (BYTES // 4 + 1), "2,097,156 bytes: at most 2,097,152"),
        (b"1_0\n2\n3\n1_0\n", "not a number"),
        ("٣\n٤\n٣\n".encode(), "not a number"),
        (b"0x10\n0x11\n0x12\n", "not a number"),
        (b"1,\x00\n2,3\n", "not a text"),
        (b"PK\x03\x04\x80\x81\xff", "not a text"),
        (codecs.BOM_UTF16_LE + b"1", "not a text"),
        (b"1\n" + b"<svg/onload=alert(1)>" * 9 + b"\n", "not a number"),
        (b'1,2\n"3,4\n5,6\n', "row 2 of the file has 1 cells"),
        (b"1,2\n" + b"9" * 200_000 + b",1\n", "cannot be cut|only finite"),
    ],
)
def test_a_table_that_cannot_be_a_target_is_refused_in_one_sentence(data: bytes, words: str) -> None:
    with pytest.raises(ValueError, match=words) as caught:
        read_csv(data)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 160


@given(st.binary(max_size=200) | st.text('0123456789.,;-e\n\t" x', max_size=80).map(str.encode))
def test_whatever_bytes_come_points_or_a_sentence_come_of_them(data: bytes) -> None:
    try:
        points = read_csv(data)
    except ValueError:
        return
    assert len(points) >= 2 and np.all(np.isfinite(points)) and points.shape[1:] in ((), (2,))
    assert len(np.unique(points, axis=0)) >= 2


@given(st.lists(st.tuples(*2 * (st.floats(-1e6, 1e6),)), min_size=2, max_size=30, unique=True))
def test_points_written_as_python_writes_numbers_come_back_to_the_last_bit(rows: list[tuple[float, float]]) -> None:
    if len({(x + 0.0, y + 0.0) for x, y in rows}) < 2:  # 0 and -0 are one place
        return
    assert np.array_equal(read_csv("\n".join(f"{x},{y}" for x, y in rows).encode()), np.array(rows))


def test_the_points_of_a_film_can_be_a_target_again(tmp_path: Path) -> None:
    film = plane_film(tmp_path / "a.film")
    points = read_csv(samples_csv(film, 100).encode())
    assert np.array_equal(points.astype(np.float16), film.samples[-1])


# --- from points to a target ----------------------------------------------------------------------------------------


def test_the_notation_is_a_target_that_a_run_takes_as_it_is() -> None:
    rng = np.random.default_rng(0)
    for points in (rng.normal(size=(6000, 2)), rng.normal(size=300)):
        text = target.notation(points)
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
    law = parse(target.notation(points, centred=True))
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
    target._drawn("k", "why", GOOD)
    before = session["k:notation"]
    assert session["why"] is None and parse(before).dim == 2
    target._drawn("k", "why", message)
    assert words in session["why"] and "\n" not in session["why"] and session["k:notation"] == before
    target._drawn("k", "why", GOOD)
    assert session["why"] is None


# --- on the page ----------------------------------------------------------------------------------------------------


def uploading() -> AppTest:
    app = AppTest.from_file(APP, default_timeout=30).run()
    app.button_group[0].set_value(target.UPLOAD).run()
    assert not app.exception and app.text[0].value == "notation None"
    return app


def test_an_upload_becomes_the_target_and_a_bad_one_changes_nothing() -> None:
    app = uploading()
    app.file_uploader[0].set_value(("../../x.csv", b"x,y\n0,1\n2,3\n4,5\n", "text/csv")).run()
    good = app.text[0].value
    assert good.startswith("notation points(2,") and "3 points in the plane" in app.caption[0].value
    for data, words in (
        (b"1,2,3\n4,5,6\n", "3 columns"),
        (b"1\n![](http://a.b/c)\n", "not a number"),
        (b"0\n5000\n", "centred and scaled"),
    ):
        app.file_uploader[0].set_value(("\x00<svg onload=1>😀" * 50, data, "text/csv")).run()
        assert not app.exception and app.text[0].value == good
        assert words in app.warning[0].value and "stays as it was" in app.warning[0].value
        assert "![" not in app.warning[0].value  # no picture is fetched from anywhere
    app.toggle[0].set_value(True).run()
    assert app.text[0].value.startswith("notation points(1,") and not app.warning
    app.button_group[0].set_value(target.DRAW).run()
    assert app.text[0].value.startswith("notation points(1,") and not app.warning


def test_a_file_beyond_the_size_is_refused_before_it_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(target, "read_csv", lambda data: pytest.fail("it was read"))
    app = uploading()
    app.file_uploader[0].set_value(("big.csv", b"1\n" * (BYTES // 2 + 1), "text/csv")).run()
    assert not app.exception and "2,097,154 bytes" in app.warning[0].value
