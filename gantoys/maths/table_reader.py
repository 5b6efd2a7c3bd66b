"""How the text of a table is understood: what stands between cells, which row names the columns, what counts rows."""

import re
from collections.abc import Sequence

import numpy as np

from gantoys.maths.table_cells import MARKS, Lines, Row, cells_of, cut, lines_of, text_of, uncommented
from gantoys.maths.table_columns import columns_of, told
from gantoys.maths.table_numbers import is_missing, is_number
from gantoys.maths.tables import Column, Table, listed, shown

BYTES = 2 * 2**20
ROWS = 50_000
COLUMNS = 1_000
_LOOKED_AT = 200  # rows by which the mark between cells is found
_ODD_ROWS = 5  # of them may have another number of cells: titles above the table
_MOST_TITLES = 20
_LETTER = re.compile(r"[^\W\d_]")
_AS_NUMBER = re.compile(r"[-+−($€£¥]?\s*[\d.,]")  # how a cell begins that may be meant as a number
_WHOLE, _FRACTION = re.compile(r"[+-]?\d*", re.ASCII), re.compile(r"\d+(?:[eE][+-]?\d+)?", re.ASCII)


def read_table(data: bytes, *, most_bytes: int = BYTES, most_rows: int = ROWS) -> Table:
    """The table in a text: CSV and its kin, with tabs, semicolons, commas, upright strokes or blanks between cells.

    Remarks (#, %, //), titles above the table, rows of units and empty columns are left out; the names of columns and
    an index of the rows are recognised, and so are decimal commas, marks between thousands and units
    (`gantoys.maths.table_numbers`). Raises ValueError with one sentence for what is no text, is too large, holds no
    table, or has rows of different lengths.

    >>> read_table(b"x;y\\n1,5;2\\n-3;4e-1\\n").points().points.tolist()
    [[1.5, 2.0], [-3.0, 0.4]]
    """
    if len(data) > most_bytes:
        raise ValueError(f"the file has {len(data):,} bytes: at most {most_bytes:,} are read")
    if data.count(b"\n") + data.count(b"\r") > 2 * most_rows + 100:  # a cheap look before any cell is cut out
        raise ValueError(f"the file has more than {most_rows:,} rows: keep a random part of them")
    source = lines_of(text_of(data))
    mark = source.mark if source.mark is not None else _mark(source)
    rows = _even(cut(source, mark))
    if not rows:
        raise ValueError("the file is empty: it needs one or two columns of numbers")
    if len(rows[-1].cells) > COLUMNS:
        raise ValueError(f"the file has {len(rows[-1].cells):,} columns: at most {COLUMNS:,} are read")
    names, body, notes = _named(source, mark, rows)
    if not body:
        raise ValueError("the file holds names of columns and no numbers")
    if len(body) > most_rows:
        raise ValueError(f"the file has {len(body):,} rows, at most {most_rows:,} are read: keep a random part of them")
    columns = columns_of(names, body, mark)
    return Table(columns, np.array([row.number for row in body]), (_size(body, columns, mark), *notes, *told(columns)))


# --- what stands between cells ------------------------------------------------------------------------------------


def _mark(source: Lines) -> str:
    """The first key of MARKS at which all rows fall into equally many numbers, or else into some columns of numbers."""
    fair = []
    for mark in list(MARKS)[:-1]:
        rows = cut(source, mark, _LOOKED_AT)
        if mark == "," and _decimal_commas(rows):
            continue
        width = _usual(rows)
        body = [row.cells for row in rows if len(row.cells) == width]
        odd = len(rows) - len(body)
        if width < 2 or odd > min(_ODD_ROWS, len(body)):
            continue
        shares = [_numeric(column, wide=mark not in ", ") for column in zip(*(body[1:] or body), strict=True)]
        if min(shares) == 1:
            return mark
        if max(shares) > 0.5:
            fair.append(mark)
    return fair[0] if fair else ""


def _numeric(cells: Sequence[str], *, wide: bool) -> float:
    """Which share of the cells of a column that are not missing are numbers; 1 where all are missing."""
    there = [cell for cell in cells if not is_missing(cell)]
    return sum(is_number(cell, wide=wide) for cell in there) / len(there) if there else 1.0


def _usual(rows: Sequence[Row]) -> int:
    widths = [len(row.cells) for row in rows]
    return max(set(widths), key=lambda width: (widths.count(width), width), default=0)


def _decimal_commas(rows: Sequence[Row]) -> bool:
    """Whether the commas stand inside the numbers of one column: 0,008 or 1,5 under a name of one cell."""
    named = bool(rows) and len(rows[0].cells) == 1 and _LETTER.search(rows[0].cells[0]) is not None
    body = rows[1:] if named else rows
    if not body or any(row.quoted or len(row.cells) > 2 for row in body):
        return False
    pairs = [row.cells for row in body if len(row.cells) == 2]
    if not pairs or not all(_WHOLE.fullmatch(whole) and _FRACTION.fullmatch(part) for whole, part in pairs):
        return False
    if any(not is_number(row.cells[0]) for row in body if len(row.cells) == 1):
        return False
    # nobody writes a whole number as 008 or -0
    written = any((part[0] == "0" and part[1:].isdigit()) or whole in ("-0", "+0", "-", "") for whole, part in pairs)
    return named or written


# --- which rows are points ----------------------------------------------------------------------------------------


def _even(rows: list[Row]) -> list[Row]:
    """The rows without empty cells beyond the usual number, and without an empty column at the end of each."""
    width = _usual(rows)
    return [
        row._replace(cells=row.cells[:width]) if len(row.cells) > width and not any(row.cells[width:]) else row
        for row in rows
    ]


def _named(source: Lines, mark: str, rows: list[Row]) -> tuple[list[str], list[Row], list[str]]:
    """The names of the columns (empty where there are none), the rows of values, and what was left out above them."""
    width = _usual(rows)
    notes = _remarks(source)
    head, body = _head(rows, width)
    if head and len(head[-1].cells) == width - 1 > 0 and all(len(r.cells) == width and not r.cells[-1] for r in body):
        width, body = width - 1, [r._replace(cells=r.cells[:-1]) for r in body]  # a mark behind each row of values
    row = max(head, key=lambda r: len(set(r.cells) - {""}), default=None)
    for other in head:
        if other is not row:
            what = listed([f"“{shown(cell)}”" for cell in other.cells if cell], 3)
            notes.append(f"Row {other.number} ({what}) is left out: it holds no number.")
    names = [""] * width
    if row is not None:
        names = [*[""] * (width - len(row.cells)), *row.cells]
        notes.append(f"Row {row.number} names the columns.")
    elif body and (row := _numbered(body)) is not None:
        names, body = row.cells, body[1:]
        notes.append(
            f"Row {row.number} ({listed([c for c in row.cells if c], 3)}) is taken for the names of the columns."
        )
    elif body and (said := _said_before(source, mark, body[0], width)):
        names = said
        notes.append("The remark above the table names the columns.")
    elif body:
        notes.append("No row names the columns." + _doubt(body, mark))
    for other in body:
        if len(other.cells) != width:
            cells = f"{len(other.cells)} cell{'s' * (len(other.cells) != 1)}"
            raise ValueError(f"row {other.number} of the file has {cells}, the others have {width}")
    return names, body, notes


def _head(rows: list[Row], width: int) -> tuple[list[Row], list[Row]]:
    """The rows of words above the values, and the others; none where all rows are words."""
    count = next((i for i, row in enumerate(rows[: _MOST_TITLES + 1]) if not _words(row.cells)), len(rows))
    if count == len(rows) > 1:
        return [], rows
    head, body = rows[:count], rows[count:]
    # a name may be missing above the names of the rows, as R writes it
    return [row for row in head if len(row.cells) in (width, width - 1) or len(row.cells) < width], body


def _words(cells: Sequence[str]) -> bool:
    """Whether a row has no number, nor anything that may be meant as one, but words."""
    if any(is_number(cell) for cell in cells):
        return False
    words = [cell for cell in cells if not is_missing(cell)]
    meant = [cell for cell in words if _AS_NUMBER.match(cell) or not _LETTER.search(cell)]
    return len(meant) < len(words) and all(_LETTER.search(cell) or not _AS_NUMBER.match(cell) for cell in words)


def _numbered(body: Sequence[Row]) -> Row | None:
    """The first row where it numbers the columns, 0, 1, ..., as pandas does above fractions or behind an empty cell."""
    first, rest = body[0], body[1:]
    names = [cell for cell in first.cells if cell]
    if not rest or names != [str(k) for k in range(len(names))] or len(first.cells) - len(names) > 1:
        return None
    if len(names) < len(first.cells):
        return first if not first.cells[0] else None
    whole = any(re.fullmatch(r"[+-]?\d+", cell) for row in rest for cell in row.cells)
    return None if whole else first


def _said_before(source: Lines, mark: str, first: Row, width: int) -> list[str]:
    """The names in the last remark above the table, where it has as many words as there are columns."""
    above = [text for number, text in source.comments if number < first.number]
    cells = cells_of(uncommented(above[-1]), mark) if above else []
    return cells if len(cells) == width and _words(cells) else []


def _remarks(source: Lines) -> list[str]:
    count = len(source.comments)
    return [f"{count:,} remark{'s are' if count > 1 else ' is'} left out."] if count else []


def _doubt(body: Sequence[Row], mark: str) -> str:
    """What the first row, or a comma, might also have meant, and what to do then."""
    cells = body[0].cells
    if cells == [str(k) for k in range(len(cells))] and len(body) > 1:
        values = f"Row {body[0].number} ({', '.join(cells)}) is taken for values"
        return f" {values}: were it names, a letter in them would tell."
    pairs = mark == "," and len(cells) == 2
    if pairs and all(
        _WHOLE.fullmatch(a) and _FRACTION.fullmatch(b)
        for a, b in (row.cells[:2] for row in body if len(row.cells) == 2)
    ):
        return " The commas are taken to stand between two columns: were they decimal signs, a name above would tell."
    return ""


def _size(body: Sequence[Row], columns: Sequence[Column], mark: str) -> str:
    rows = f"{len(body):,} row{'s' * (len(body) != 1)}"
    if len(columns) == 1:
        return f"{rows} of one column."
    return f"{rows} of {len(columns)} columns, with {MARKS[mark]} between them."
