"""Tables as people have them: exported by pandas, R and spreadsheets of several countries, or typed by hand."""

from __future__ import annotations

import codecs
import io
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gantoys.maths.table_numbers import is_number, numbers
from gantoys.maths.table_reader import COLUMNS, ROWS, read_table
from gantoys.maths.tables import names_of
from gantoys.metrics.files import load_points, load_table, table_of

XY = [[1.5, -2.0], [0.25, 4.0], [-3.0, 0.001]]
X = [row[0] for row in XY]
FRAME = pd.DataFrame(XY, columns=["x", "y"])
MIXED = FRAME.assign(kind=["a", "b, c", 'd "e"'], day=["2024-01-05", "2024-01-06", "2024-02-01"], empty=np.nan)


def csv(frame: Any, **how: Any) -> str:
    return str(frame.to_csv(**how))


# One text a spelling, all of the points XY.
PLANE = {
    "plain": "1.5,-2\n0.25,4\n-3,0.001\n",
    "names": "x,y\n1.5,-2\n0.25,4\n-3,0.001",
    "crlf": "x,y\r\n1.5,-2\r\n0.25,4\r\n-3,0.001\r\n",
    "cr": "1.5,-2\r0.25,4\r-3,0.001\r",
    "empty lines": "\n\nx,y\n\n1.5,-2\n0.25,4\n\n-3,0.001\n\n\n",
    "blanks around": " 1.5 , -2 \n 0.25 ,\t4\n -3, 0.001\n",
    "semicolons": "x;y\n1.5;-2\n.25;4.\n-3;1e-3\n",
    "tabs": "x\ty\n1.5\t-2\n0.25\t4\n-3\t1E-03\n",
    "strokes": "x|y\n1.5|-2\n0.25|4\n-3|0.001\n",
    "one blank": "1.5 -2\n0.25 4\n-3 0.001\n",
    "columns of blanks": "    x       y\n  1.5    -2.0\n  0.25    4\n -3.0   +0.001\n",
    "quoted": '"x","y"\n"1.5","-2"\n"0.25","4"\n"-3","0.001"\n',
    "quoted names with a comma": '"length, cm","width"\n1.5,-2\n0.25,4\n-3,0.001\n',
    "formula as a name": "=cmd(),@y\n1.5,-2\n0.25,4\n-3,0.001\n",
    "names with digits": "x1,2nd\n1.5,-2\n0.25,4\n-3,0.001\n",
    "names of other letters": "größe,長さ\n1.5,-2\n0.25,4\n-3,0.001\n",
    "decimal comma, semicolons": "x;y\n1,5;-2\n0,25;4\n-3;0,001\n",
    "decimal comma, tabs": "1,5\t-2\n0,25\t4\n-3\t0,001\n",
    "decimal comma, blanks": "1,5 -2,0\n0,25 4,0\n-3,0 0,001\n",
    "decimal comma, quoted between commas": 'x,y\n"1,5","-2,0"\n"0,25","4,0"\n"-3,0","0,001"\n',
    "decimal comma without names": "1,5;-2,0\n0,25;4,0\n-3,0;0,001\n",
    "minus of typography": "x,y\n1.5,\u22122\n0.25,4\n\u22123,0.001\n",
    "minus of typography first": "1.5,\u22122\n0.25,4\n\u22123,0.001\n",
    "dollars": "x,y\n$1.5,-2\n$0.25,4\n-$3,0.001\n",
    "euros behind": "x;y\n1,5 €;-2\n0,25 €;4\n-3,00 €;0,001\n",
    "percents": "1.5%,-2%\n0.25%,4%\n-3%,0.001%\n",
    "sep line": "sep=;\nx;y\n1.5;-2\n0.25;4\n-3;0.001\n",
    "remarks": "# made by hand\n# in 2024\nx,y\n1.5,-2\n# a pause\n0.25,4\n-3,0.001\n",
    "remark with a quotation mark": '# 5" long\nx,y\n1.5,-2\n0.25,4\n-3,0.001\n',
    "matlab remarks": "% x y\n1.5 -2\n0.25 4\n-3 0.001\n",
    "title": "Report of the year\n\nx;y\n1,5;-2\n0,25;4\n-3;0,001\n",
    "title as wide as the table": "Report of the year;\nx;y\n1,5;-2\n0,25;4\n-3;0,001\n",
    "units": "x,y\ncm,kg\n1.5,-2\n0.25,4\n-3,0.001\n",
    "mark behind each row": "x,y\n1.5,-2,\n0.25,4,\n-3,0.001,\n",
    "mark behind every line": "x,y,\n1.5,-2,\n0.25,4,\n-3,0.001,\n",
    "empty column": "x,,y\n1.5,,-2\n0.25,,4\n-3,,0.001\n",
    "pandas": csv(FRAME),
    "pandas without index": csv(FRAME, index=False),
    "pandas without header": csv(FRAME, header=False, index=False),
    "pandas with default names": csv(pd.DataFrame(XY)),
    "pandas with default names, no index": csv(pd.DataFrame(XY), index=False),
    "pandas european": csv(FRAME, sep=";", decimal=",", index=False),
    "pandas european with index": csv(FRAME, sep=";", decimal=","),
    "pandas index with a name": csv(FRAME.rename_axis("id")),
    "pandas index of words": csv(FRAME.set_axis(["a", "b", "c"])),
    "pandas index of dates": csv(FRAME.set_axis(pd.date_range("2024-01-01", periods=3))),
    "pandas saved twice": csv(FRAME.assign(z=0).drop(columns="z").reset_index(names="Unnamed: 0")),
    "pandas shuffled": csv(FRAME.set_axis([17, 3, 9])),
    "pandas mixed": csv(MIXED),
    "pandas mixed, tabs": csv(MIXED, sep="\t", index=False),
    "pandas quoted": csv(FRAME, quoting=1),
    "pandas with missing rows": csv(pd.concat([FRAME, pd.DataFrame({"x": [7.0], "y": [np.nan]})])),
    "R write.csv": '"","x","y"\n"1",1.5,-2\n"2",0.25,4\n"3",-3,0.001\n',
    "R write.csv2": '"";"x";"y"\n"1";1,5;-2\n"2";0,25;4\n"3";-3;0,001\n',
    "R write.table": '"x" "y"\n"1" 1.5 -2\n"2" 0.25 4\n"3" -3 0.001\n',
    "R write.table, words": '"x" "y" "kind"\n"a b" 1.5 -2 "u"\n"c d" 0.25 4 "v w"\n"e" -3 0.001 "u"\n',
    "R row.names off": '"x","y"\n1.5,-2\n0.25,4\n-3,1e-03\n',
    "R missing": '"x","y"\n1.5,-2\nNA,3\n0.25,4\n-3,0.001\n',
    "R factor": '"","species","x","y"\n"1","setosa",1.5,-2\n"2","setosa",0.25,4\n"3","virginica",-3,0.001\n',
    "spreadsheet, dates": "Datum;Größe;Wert\n05.01.2024;1,5;-2\n06.01.2024;0,25;4\n07.01.2024;-3;0,001\n",
    "spreadsheet errors": "x,y\n1.5,-2\n#DIV/0!,1\n0.25,4\n2,#N/A\n-3,0.001\n",
    "numpy savetxt": "1.500000000000000000e+00 -2.000000000000000000e+00\n2.5e-01 4.0e+00\n-3.0e+00 1.0e-03\n",
    "numpy savetxt with names": "# x,y\n1.5e+00,-2.0e+00\n2.5e-01,4.0e+00\n-3.0e+00,1.0e-03\n",
    "index without a name": "\n".join(["1,1.5,-2", "2,0.25,4", "3,-3,0.001"] + [f"{k},NA,1" for k in range(4, 13)]),
    "question marks": "x,y\n1.5,-2\n?,?\n0.25,4\n-3,0.001\n",
    "lines in a cell": 'note,x,y\n"two\nlines",1.5,-2\n"one",0.25,4\n"a ""b""",-3,0.001\n',
    "date and time": "when,x,y\n2024-01-05 10:00,1.5,-2\n2024-01-05 11:00,0.25,4\n2024-01-06 10:00,-3,0.001\n",
    "truth values": "x,y,ok\n1.5,-2,TRUE\n0.25,4,FALSE\n-3,0.001,TRUE\n",
}  # fmt: skip
LINE = {
    "one column": "1.5\n0.25\n-3\n",
    "one column with a name": "x\n1.5\n0.25\n-3\n",
    "decimal comma with a name": "x\n1,5\n0,25\n-3\n",
    "decimal comma, leading zero": "1,50\n0,25\n-3,00\n",
    "pandas series": csv(pd.Series(X)),
    "pandas series with a name": csv(pd.Series(X, name="x")),
    "dates": "date,x\n2024-01-05,1.5\n2024-01-06,0.25\n2024-01-07,-3\n",
    "words": "kind;x\na;1,5\nb;0,25\na;-3\n",
    "quoted": '"1.5"\n"0.25"\n"-3"\n',
    "minus": "1.5\n0.25\n\u22123\n",
    "percent": "150%\n25%\n-300%\n",
}


def test_there_are_enough_spellings() -> None:
    assert len(PLANE) + len(LINE) >= 60


@pytest.mark.parametrize("name", PLANE)
@pytest.mark.parametrize("encode", ["utf-8", "utf-8-sig", "utf-16"])
def test_one_table_in_many_spellings_gives_the_same_points(name: str, encode: str) -> None:
    found = read_table(PLANE[name].encode(encode)).points()
    assert np.array_equal(found.points, XY) and len(found.columns) == 2


@pytest.mark.parametrize("name", LINE)
def test_one_column_in_many_spellings_gives_the_same_points(name: str) -> None:
    found = read_table(LINE[name].encode()).points()
    assert np.array_equal(found.points / (100 if name == "percent" else 1), np.array(X)[:, None])


def test_the_code_page_of_western_spreadsheets_is_read_too() -> None:
    table = read_table("Größe;Fläche\n1,5;-2\n0,25;4\n".encode("cp1252"))
    assert [column.name for column in table.columns] == ["Größe", "Fläche"]


# --- marks between thousands and what may be read in two ways ---------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "want", "says"),
    [
        ("1.234,5;2.345,5\n3,5;1.000\n", [[1234.5, 2345.5], [3.5, 1000]], "The comma is the decimal sign"),
        ('"1,234.5","2,345.5"\n3.5,"1,000"\n', [[1234.5, 2345.5], [3.5, 1000]], ""),
        ("1'234.5;2\n3.5;4\n", [[1234.5, 2], [3.5, 4]], ""),
        ("1\u202f234,5;2\n3,5;4\n", [[1234.5, 2], [3.5, 4]], "The comma is the decimal sign"),
        ("1\u00a0234,5;2\n3,5;4\n", [[1234.5, 2], [3.5, 4]], "The comma is the decimal sign"),
        ("1 234,5;2\n3,5;4\n", [[1234.5, 2], [3.5, 4]], "The comma is the decimal sign"),
        ("1.234.567;2\n3;4\n", [[1234567, 2], [3, 4]], ""),
        ('"$1,234.50"\n"$2.25"\n', [[1234.5], [2.25]], "The unit $ is left out of column 1"),
        ("1%\n2%\n", [[1], [2]], "The unit % is left out of column 1"),
        # nothing tells: the sign of computers, or where semicolons stand that of the countries that write so
        ("1.234;2.345\n3.456;4.567\n", [[1.234, 2.345], [3.456, 4.567]], "“1.234” in column 1 is read as 1.234"),
        ("1,234;2,345\n3,456;4,567\n", [[1.234, 2.345], [3.456, 4.567]], "“1,234” in column 1 is read as 1.234"),
        # another column tells
        ("1.234;2,5\n3.456;4,5\n", [[1234, 2.5], [3456, 4.5]], "The comma is the decimal sign"),
        # commas between two whole numbers may be decimal signs: said, with the way out
        ("12,5\n13,7\n", [[12, 5], [13, 7]], "were they decimal signs, a name above would tell"),
        ("x\n12,5\n13,7\n", [[12.5], [13.7]], "The comma is the decimal sign"),
        ("0,008\n0,012\n0,1\n", [[0.008], [0.012], [0.1]], "The comma is the decimal sign"),
        ("-0,5\n1,5\n", [[-0.5], [1.5]], "The comma is the decimal sign"),
        ("0,05\n1\n2,25\n", [[0.05], [1], [2.25]], "The comma is the decimal sign"),
        # a first row that numbers the columns, or is a point: said
        ("0,1\n2,3\n4,5\n", [[0, 1], [2, 3], [4, 5]], "Row 1 (0, 1) is taken for values"),
        ("0,1\n2.5,3.5\n4.5,5.5\n", [[2.5, 3.5], [4.5, 5.5]], "Row 1 (0, 1) is taken for the names of the columns"),
    ],
)
def test_what_a_table_means_is_understood_and_said(text: str, want: list[list[float]], says: str) -> None:
    table = read_table(text.encode())
    found = table.points()
    assert np.array_equal(found.points, want) and says in " ".join([*table.notes, *found.notes])


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "the file is empty"),
        (b" \n\r\n\t\n", "the file is empty"),
        (b"# only\n# remarks\n", "the file is empty"),
        (b"x,y\n", "names of columns and no numbers"),
        (b"this is a letter\nto somebody\n", "row 1, column 1 is “this is a letter”, not a number"),
        (b"x\n1\ntwo\n3\n", "row 3, column 1 (x) is “two”, not a number"),
        (b"1,2\n3,=cmd()\n5,6\n", "row 2, column 2 is “=cmd()”, not a number"),
        (b"1.2.3;4..5\n1;2\n3;4\n", "row 1, column 1 is “1.2.3”, not a number"),
        (b"1,5 cm;2\n1;2\n3;4\n", "row 1, column 1 is “1,5 cm”, not a number"),
        (b"$1\n$2\n3\n$4\n", "row 3, column 1 is “3”, not a number"),
        (b"1.5\n2,5\n3.5\n", "row 2, column 1 is “2,5”, not a number"),
        (b"1_0\n2\n3\n1_0\n", "row 1, column 1 is “1_0”, not a number"),
        ("٣\n1\n2\n".encode(), "row 1, column 1 is “٣”, not a number"),
        (b"0x10\n0x11\n0x12\n", "row 1, column 1 is “0x10”, not a number"),
        (b"x,y\n1,inf\n2,3\n", "row 2, column 2 (y) is inf: only finite"),
        (b"1\n-Infinity\n", "row 2, column 1 is -inf: only finite"),
        (b"1\n1e999\n", "row 2, column 1 is inf: only finite"),
        (b"x,y\nNA,1\n2,NA\n", "no row has a number in x, y"),
        (b"1,2\n3\n", "row 2 of the file has 1 cell, the others have 2"),
        (b"x,y\n\n1,2\n3,4,5\n", "row 4 of the file has 3 cells, the others have 2"),
        (b"1,2,3\n4,5\n6,7\n", "row 1 of the file has 3 cells, the others have 2"),
        (b"1,2,3\n4,5,6\n", "3 columns of numbers, column 1, column 2, column 3: choose one, or two"),
        (b'1,2\n"3,4\n5,6\n', "row 2 of the file opens a quotation mark that is never closed"),
        (b'1,"2"\n3,"' + b"9" * 200_000 + b'"\n', "row 2 of the file cannot be cut into cells"),
        (b"1,\x00\n2,3\n", "not a text"),
        (b"PK\x03\x04\x80\x81\xff", "not a text"),
        (codecs.BOM_UTF16_LE + b"1", "not a text"),
        (b"0\n" * 1_000_000, f"more than {ROWS:,} rows"),
        (b"\n".join(b"%d,%d" % (k, k * k % 97) for k in range(ROWS + 1)), f"has {ROWS + 1:,} rows"),
        (b",".join([b"1"] * (COLUMNS + 1)) + b"\n", f"{COLUMNS + 1:,} columns"),
        (b"1,2\n" * 600_000, "2,400,000 bytes: at most 2,097,152"),
        (b"<svg/onload=alert(1)>\n" * 9, "not a number"),
    ],
)
def test_a_table_without_points_is_refused_in_one_sentence_that_names_the_row(data: bytes, words: str) -> None:
    with pytest.raises(ValueError) as caught:
        read_table(data).points()
    assert words in str(caught.value) and "\n" not in str(caught.value) and len(str(caught.value)) < 160


# --- columns and rows -------------------------------------------------------------------------------------------------

IRIS = csv(
    pd.DataFrame(
        {
            "sepal length": [5.1, 4.9, 6.2, np.nan],
            "sepal width": [3.5, 3.0, 3.4, 3.1],
            "petal length": [1.4, 1.4, 5.4, 5.1],
            "species": ["setosa", "setosa", "virginica", "virginica"],
        }
    )
).encode()


@pytest.mark.parametrize(
    ("wanted", "first"),
    [
        (["sepal width"], [3.5]),
        (["Sepal Width", "petal length"], [3.5, 1.4]),
        (["4", "3"], [1.4, 3.5]),
        (["4", "sepal width"], [1.4, 3.5]),
        (["petal length", "sepal length"], [1.4, 5.1]),
        (["1", "2"], [0, 5.1]),  # the index too, where it is asked for
    ],
)
def test_columns_are_chosen_by_name_or_number(wanted: list[str], first: list[float]) -> None:
    assert read_table(IRIS).points(wanted).points[0].tolist() == first


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        (["petal width"], "no column “petal width”: the columns are column 1, sepal length, sepal width"),
        (["9"], "no column “9”"),
        (["species"], "species is no column of numbers: row 2, column 5 (species) is “setosa”, not a number"),
        (["sepal width", "3"], "column “3” is chosen twice"),
        (["٣"], "no column “٣”"),
        (["3", "3"], "chosen twice"),
        (["2", "3", "4"], "3 columns of numbers"),
    ],
)
def test_a_column_that_is_not_there_is_named_with_those_that_are(wanted: list[str], words: str) -> None:
    with pytest.raises(ValueError) as caught:
        read_table(IRIS).points(wanted)
    assert words in str(caught.value)


def test_two_columns_of_one_name_are_chosen_by_number() -> None:
    table = read_table(b"x,x\n1,2\n3,4\n")
    with pytest.raises(ValueError, match="columns 1 and 2 are both called “x”: choose by number"):
        table.points(["x"])
    assert table.points(["2"]).points.tolist() == [[2], [4]]


def test_names_with_commas_stand_in_quotation_marks() -> None:
    table = read_table(b'"length, cm","width"\n1.5,-2\n0.25,4\n')
    assert table.points(names_of('"length, cm"')).points.tolist() == [[1.5], [0.25]]
    assert names_of("") == [] and names_of(" x , y ") == ["x ", "y "]


def test_what_is_left_out_is_told_with_its_reason() -> None:
    table = read_table(IRIS)
    assert table.notes[0] == "4 rows of 5 columns, with commas between them."
    assert table.notes[1:] == ("Row 1 names the columns.", "Only counts the rows: column 1.", "No numbers: species.")
    found = table.points(["sepal length", "sepal width"])
    assert found.left_out == (5,) and found.notes == ("Row 5 is left out: no number in sepal length or sepal width.",)
    many = read_table(b"x\n1\n" + b"NA\n" * 5 + b"2\n").points()
    assert many.notes == ("5 rows (3, 4, 5 and 2 more) are left out: no number in x.",)
    titled = read_table(PLANE["title as wide as the table"].encode())
    assert "Row 1 (“Report of the year”) is left out: it holds no number." in titled.notes
    assert "Empty: column 2." in read_table(PLANE["empty column"].encode()).notes


@pytest.mark.parametrize("rows", [3, 40])
def test_a_column_that_counts_is_an_index_only_where_nothing_names_it(rows: int) -> None:
    body = "".join(f"{k},{k * k % 7 + 0.5}\n" for k in range(1, rows + 1))
    assert read_table(body.encode()).points().points.shape == (rows, 1 if rows > 9 else 2)
    assert read_table(f"t,x\n{body}".encode()).points().points.shape == (rows, 2)  # time is a coordinate
    for name in ("", "id", "Index", "Unnamed: 0", "no."):
        assert read_table(f"{name},x\n{body}".encode()).points().points.shape == (rows, 1), name
    alone = "".join(f"{k}\n" for k in range(rows))
    assert read_table(f"id\n{alone}".encode()).points().points.shape == (rows, 1)  # there is nothing else


# --- whatever comes ---------------------------------------------------------------------------------------------------


@given(st.binary(max_size=200) | st.text('0123456789.,;-e\n\t" x$%#NA', max_size=80).map(str.encode))
@settings(deadline=None)
def test_whatever_bytes_come_points_or_a_sentence_come_of_them(data: bytes) -> None:
    try:
        found = read_table(data).points()
    except ValueError as error:
        assert "\n" not in str(error)
        return
    assert len(found.points) >= 1 and np.all(np.isfinite(found.points)) and found.points.shape[1] in (1, 2)


NUMBERS = st.floats(allow_nan=False, allow_infinity=False)


@given(st.lists(st.tuples(NUMBERS, NUMBERS), min_size=1, max_size=20), st.sampled_from(",;\t|"), st.booleans())
@settings(deadline=None)
def test_points_written_as_python_writes_numbers_come_back_to_the_last_bit(
    rows: list[tuple[float, float]], mark: str, named: bool
) -> None:
    text = ("x" + mark + "y\n") * named + "\n".join(f"{x}{mark}{y}" for x, y in rows)
    assert np.array_equal(read_table(text.encode()).points(["1", "2"]).points, np.array(rows))


@given(
    st.lists(st.tuples(NUMBERS, NUMBERS), min_size=2, max_size=12),
    st.booleans(),
    st.booleans(),
    st.sampled_from([(",", "."), (";", ","), (";", "."), ("\t", ","), ("\t", ".")]),
)
@settings(deadline=None, max_examples=60)
def test_what_pandas_writes_comes_back(
    rows: list[tuple[float, float]], index: bool, quoted: bool, signs: tuple[str, str]
) -> None:
    frame = pd.DataFrame(rows, columns=["x", "y"])
    text = csv(frame, index=index, sep=signs[0], decimal=signs[1], quoting=1 if quoted else 0)
    found = read_table(text.encode()).points(["x", "y"]).points
    assert np.array_equal(found, np.array(rows))


@given(
    st.lists(st.integers(-(10**9), 10**9).map(lambda k: k / 100), min_size=3, max_size=8), st.sampled_from("., '\u202f")
)
@settings(deadline=None, max_examples=60)
def test_marks_between_thousands_change_no_number(values: list[float], between: str) -> None:
    sign = "," if between == "." else "."
    cells = [f"{v:,.2f}".replace(",", "T").replace(".", sign).replace("T", between) for v in values]
    # two decimals in every cell tell which of the two signs is the decimal one
    assert np.array_equal(numbers(cells).values, values) and all(map(is_number, cells))


# --- files ------------------------------------------------------------------------------------------------------------


def test_a_file_of_either_kind_gives_the_same_points(tmp_path: Any) -> None:
    np.save(tmp_path / "a.npy", XY)
    (tmp_path / "a.csv").write_text(PLANE["pandas"])
    for name in ("a.npy", "a.csv"):
        assert np.array_equal(load_points(tmp_path / name), XY)
        assert np.array_equal(load_points(tmp_path / name, ["1" if name == "a.npy" else "x"])[:, 0], X)
        data = (tmp_path / name).read_bytes()
        assert np.array_equal(table_of(data).points().points, XY)
    assert load_table(tmp_path / "a.npy").notes == ("3 rows of 2 columns, an array of numpy.",)
    (tmp_path / "b.csv").write_text("x,y\n1,2\n3,four\n5,6\n")
    with pytest.raises(ValueError, match=r"^b\.csv: row 3, column 2 \(y\) is “four”, not a number$"):
        load_points(tmp_path / "b.csv")
    # an array under any name, also without one: what is in a file tells
    (tmp_path / "points.dat").write_bytes((tmp_path / "a.npy").read_bytes())
    assert np.array_equal(load_points(tmp_path / "points.dat"), XY)
    broken = io.BytesIO()
    np.save(broken, np.array([1.0, np.nan]))
    with pytest.raises(ValueError, match="finite"):
        table_of(broken.getvalue())
