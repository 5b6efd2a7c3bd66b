"""Points from a table of text (CSV) that somebody wrote or exported, with nothing taken on trust.

One or two columns of numbers; the first row may name them. Cells stand between tabs, semicolons, commas or blanks;
where tabs or semicolons do so a comma may be the decimal sign, as spreadsheets of many countries write it.
"""

import codecs
import csv
import re

import numpy as np

Array = np.ndarray
BYTES = 2 * 2**20
ROWS = 50_000  # a target keeps 5,000 of them
_SHOWN = 20  # characters of a cell in a message
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", re.IGNORECASE | re.ASCII)
_DECIMAL_COMMA = re.compile(r"[+-]?\d*,\d+(e[+-]?\d+)?", re.IGNORECASE | re.ASCII)
_ODD = ("nan", "inf", "+inf", "-inf", "infinity", "-infinity", "na", "n/a", "null", "none")


def read_csv(data: bytes) -> Array:
    """The points in a CSV file, float64: (n,) for one column, (n, 2) for two, n >= 2.

    Raises ValueError with one sentence, that names row and column, unless the file is text (UTF-8, or UTF-16 with its
    mark) of at most BYTES bytes and ROWS rows, every row has the same one or two cells, all are finite numbers, and at
    least two points differ. Rows are counted as a spreadsheet counts them, the header and empty ones too.

    >>> read_csv(b"x;y\\n1,5;2\\n-3;4e-1\\n").tolist()
    [[1.5, 2.0], [-3.0, 0.4]]
    """
    if len(data) > BYTES:
        raise ValueError(f"the file has {len(data):,} bytes: at most {BYTES:,} are read")
    text = _text(data)
    if text.count("\n") + text.count("\r") > 2 * ROWS + 4:  # a cheap look before any cell is cut out
        raise ValueError(f"the file has more than {ROWS:,} rows: keep a random part of them")
    rows = _rows(text)
    if not rows:
        raise ValueError("the file is empty: it needs one or two columns of numbers")
    if len(rows) > ROWS:
        raise ValueError(f"the file has {len(rows):,} rows, at most {ROWS:,} are read: keep a random part of them")
    head = rows[0][1]
    if not any(_is_number(cell) or cell.lower() in _ODD for cell in head) and any(head):
        rows = rows[1:]
        if not rows:
            raise ValueError("the file holds names of columns and no numbers")
    width = len(rows[0][1])
    if width > 2:
        raise ValueError(
            f"the file has {width} columns: one is needed for a target on the line, two for one in the plane"
        )
    points = np.array([_values(number, cells, width) for number, cells in rows])
    if len(points) < 2:
        raise ValueError("the file holds one point only: at least two different ones are needed")
    if not np.any(points != points[0]):
        raise ValueError(f"all {len(points):,} points of the file are the same: at least two different ones are needed")
    return points[:, 0] if width == 1 else points


def _text(data: bytes) -> str:
    wide = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    try:
        text = data.decode("utf-16" if wide else "utf-8-sig")
    except UnicodeDecodeError:
        text = "\x00"
    if "\x00" in text:
        raise ValueError("the file is not a text of numbers: save the table as CSV (UTF-8)")
    return text


def _rows(text: str) -> list[tuple[int, list[str]]]:
    """The rows that are not empty, with their numbers, cut into cells without blanks around them."""
    lines = text.splitlines()
    first = next((line for line in lines if line.strip()), "")
    mark = next((sign for sign in "\t;," if sign in first), None)
    if mark is None:
        cut = [(k, line.replace('"', " ").split()) for k, line in enumerate(lines, 1)]
        return [(k, cells) for k, cells in cut if cells]
    rows = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            # line by line, so that an open quotation mark does not swallow the rest of the file
            (cells,) = csv.reader([line], delimiter=mark, skipinitialspace=True)
        except csv.Error:
            raise ValueError(f"row {number} of the file cannot be cut into cells") from None
        cells = [cell.strip() for cell in cells]
        if mark != ",":
            cells = [cell.replace(",", ".") if _DECIMAL_COMMA.fullmatch(cell) else cell for cell in cells]
        rows.append((number, cells))
    return rows


def _is_number(cell: str) -> bool:
    return _NUMBER.fullmatch(cell) is not None


def _values(number: int, cells: list[str], width: int) -> list[float]:
    if len(cells) != width:
        raise ValueError(f"row {number} of the file has {len(cells)} cells, the first has {width}")
    out = []
    for column, cell in enumerate(cells, 1):
        where = f"row {number}, column {column} of the file"
        if not cell:
            raise ValueError(f"{where} is empty: every cell needs a number")
        value = float(cell) if _is_number(cell) else np.nan
        if cell.lower() in _ODD or (_is_number(cell) and not np.isfinite(value)):
            raise ValueError(f"{where} is {_shown(cell)}: only finite numbers can be learned")
        if not np.isfinite(value):
            raise ValueError(f"{where} is “{_shown(cell)}”, not a number")
        out.append(value)
    return out


def _shown(cell: str) -> str:
    text = "".join(sign if sign.isprintable() else "?" for sign in cell)
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "…"
