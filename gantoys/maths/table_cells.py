"""From the bytes of a table of text to rows of cells: encoding, remarks, quotation marks, what stands between cells."""

import codecs
import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

MARKS = {"\t": "tabs", ";": "semicolons", "|": "upright strokes", ",": "commas", " ": "blanks", "": "nothing"}
_COMMENT = ("#", "%", "//")
_CONTROL = re.compile("[\x00-\x08\x0e-\x1f\x7f]")
_TOLD = re.compile(r"sep=(\t|;|\||,)", re.IGNORECASE)  # how spreadsheets tell each other the mark
_TOKEN = re.compile(r'"((?:[^"]|"")*)"(?=\s|$)|\S+')


class Row(NamedTuple):
    """A row that is not empty. number: of its first line in the file, from 1. cells: without blanks around them.
    quoted: whether a quotation mark stands in it."""

    number: int
    cells: list[str]
    quoted: bool


@dataclass(frozen=True)
class Lines:
    """lines: all of the file, remarks left empty. comments: (number, text) of the remarks. mark: what stands between
    cells where the file itself says so, else None. first: the index of the line where the table may begin."""

    lines: list[str]
    comments: list[tuple[int, str]]
    mark: str | None
    first: int


def text_of(data: bytes) -> str:
    """The text in UTF-8, in UTF-16 with its mark, or in the Windows code page of western Europe.

    Raises ValueError for what is no text.
    """
    wide = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    for encoding in ("utf-16",) if wide else ("utf-8-sig", "cp1252"):
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError:
            continue
        if not _CONTROL.search(text):
            return text
        break
    raise ValueError("the file is not a text of numbers: save the table as CSV (UTF-8)")


def lines_of(text: str) -> Lines:
    """The lines, with what they say about themselves."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    first = next((i for i, line in enumerate(lines) if line.strip()), len(lines))
    told = _TOLD.fullmatch(lines[first].strip()) if first < len(lines) else None
    if told:
        first += 1
    comments = [(i + 1, line.strip()) for i, line in enumerate(lines) if line.lstrip().startswith(_COMMENT)]
    for number, _ in comments:  # whatever quotation marks stand in a remark open nothing
        lines[number - 1] = ""
    return Lines(lines, comments, told[1] if told else None, first)


def uncommented(comment: str) -> str:
    """What a comment says, without its sign."""
    return comment.lstrip("#%/").strip()


def cells_of(line: str, mark: str) -> list[str]:
    """The cells of one line."""
    rows = cut(Lines([line], [], mark, 0), mark)
    return rows[0].cells if rows else []


def cut(source: Lines, mark: str, most: int | None = None) -> list[Row]:
    """The rows, cut into cells at a key of MARKS ("": each is one cell); of the first `most` of them only.

    Raises ValueError where a quotation mark is never closed, and for a cell without end.
    """
    rows: list[Row] = []
    for row in _at_blanks(source, mark) if mark in ("", " ") else _at_marks(source, mark):
        if any(row.cells):
            rows.append(row)
            if len(rows) == most:
                break
    return rows


def _at_blanks(source: Lines, mark: str) -> Iterator[Row]:
    for i in range(source.first, len(source.lines)):
        line = source.lines[i].strip()
        cells = [found[1].replace('""', '"') if found[1] is not None else found[0] for found in _TOKEN.finditer(line)]
        yield Row(i + 1, cells if mark else [line.strip('"').strip()], '"' in line)


def _at_marks(source: Lines, mark: str) -> Iterator[Row]:
    lines = source.lines[source.first :]
    if not any('"' in line for line in lines):
        for i, line in enumerate(lines, source.first + 1):
            yield Row(i, [cell.strip() for cell in line.split(mark)], False)
        return
    reader = csv.reader((line + "\n" for line in lines), delimiter=mark, skipinitialspace=True)
    begin = 0
    while True:
        number = source.first + begin + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error:
            raise ValueError(f"row {number} of the file cannot be cut into cells") from None
        end = reader.line_num
        # over several lines a quotation mark has been open
        quotes = sum(line.count('"') for line in lines[begin:end])
        if end - begin > 1 and quotes % 2:
            raise ValueError(f"row {number} of the file opens a quotation mark that is never closed")
        yield Row(number, [cell.strip() for cell in cells], quotes > 0)
        begin = end
