"""A target of one's own: points drawn by hand, or from a table that somebody uploads."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import streamlit as st
from streamlit.runtime.uploaded_file_manager import UploadedFile

from gantoys.maths.points import centred, from_points
from gantoys.maths.table_reader import BYTES
from gantoys.maths.tables import Points, Table
from gantoys.metrics.files import table_of
from gantoys.runs import limits
from gantoys.ui import drawing
from gantoys.ui.frame import _literal

Array = np.ndarray
Write = Callable[[Array], tuple[str, int]]  # points -> the notation of their law, and how many of them it holds
DRAW, UPLOAD = "Draw it", "Upload a table"
PREVIEWED = 4  # rows of a table that are shown before it is learned
TABLES = 8  # uploads that are kept as tables, of all visitors together; others are read again
_tables: OrderedDict[str, Table | str] = OrderedDict()
_lock = threading.Lock()


def written(points: Array) -> tuple[str, int]:
    """The notation of the law of points (n,) or (n, 2), and how many of them it holds: as many as a run can."""
    return str(from_points(points)), min(len(points), limits.POINTS)


def own_target(key: str = "own-target", write: Write = written) -> str | None:
    """Lets the visitor draw or upload points; the notation of the newest good ones (`gantoys.maths.points`), or None.

    What cannot be used is said in one sentence, and the target that was there before stays. Everything is kept in the
    session under names that begin with `key`. write: how many points are learned, where not all can be.
    """
    way = st.segmented_control(
        "Your own target", [DRAW, UPLOAD], default=DRAW, required=True, key=f"{key}:way", label_visibility="collapsed"
    )
    shown = f"{key}:{'upload' if way == UPLOAD else 'draw'}"
    (_upload if way == UPLOAD else _draw)(key, f"{shown}-trouble", write)
    _say(key, f"{shown}-trouble")
    found: str | None = st.session_state.get(f"{key}:notation")
    return found


def notation(points: Array, *, centre: bool = False, write: Write = written) -> tuple[str, int]:
    """The notation of the law of points (n,) or (n, 2), and how many of them it holds.

    centre: the points as `gantoys.maths.points.centred` makes them. Raises ValueError with one sentence for points
    that no run can be trained on.
    """
    points = centred(points) if centre else np.asarray(points, float)
    reach = float(np.max(np.abs(from_points(points).box)))
    if reach > limits.TOY_REACH:
        raise ValueError(
            f"with some room around them the points reach {reach:.4g} from the origin, at most {limits.TOY_REACH:,.0f} "
            "is allowed: let them be centred and scaled"
        )
    return write(points)


def _adopt(key: str, points: Array, *, centre: bool = False, write: Write = written) -> None:
    """Makes points the target; where they cannot be one (ValueError) all stays as it is."""
    st.session_state[f"{key}:notation"], learned = notation(points, centre=centre, write=write)
    st.session_state[f"{key}:size"] = (*np.shape(points), learned)


def _draw(key: str, trouble: str, write: Write) -> None:
    drawn = st.session_state.get(f"{key}:drawn", np.empty((0, 2)))
    drawing.paper(drawn, key=f"{key}:paper", on_points=lambda message: _drawn(key, trouble, write, message))


def _drawn(key: str, trouble: str, write: Write, message: Any) -> None:
    st.session_state[trouble] = None
    try:
        points = st.session_state[f"{key}:drawn"] = drawing.check(message)
        if len(points) < drawing.LEAST:
            raise ValueError(f"draw more: {len(points)} of at least {drawing.LEAST} points are on the paper")
        _adopt(key, points, write=write)
    except ValueError as error:
        st.session_state[trouble] = str(error)


# --- a table ------------------------------------------------------------------------------------------------------


def _upload(key: str, trouble: str, write: Write) -> None:
    """A table is shown as it was understood; it becomes the target when the visitor says so."""
    st.session_state[trouble] = None
    # any name is taken: what a file is called says nothing about what is in it
    file = st.file_uploader(
        f"A table with points as rows: CSV or .npy, at most {BYTES // 2**20} MB",
        max_upload_size=BYTES // 2**20,
        key=f"{key}:file",
    )
    if file is None:
        return
    table = _read(file)
    if isinstance(table, str):
        st.session_state[trouble] = table
        return
    st.caption(_literal(" ".join(table.notes)))
    left, right = st.columns(2, vertical_alignment="bottom")
    with left:
        wanted = _columns(table, f"{key}:columns:{file.file_id}")
    centre = right.toggle("Centre and scale: mean 0, standard deviation 1", key=f"{key}:centred")
    try:
        found = table.points(wanted or None)
        points = found.points[:, 0] if len(found.columns) == 1 else found.points
        text, learned = notation(points, centre=centre, write=write)
    except ValueError as error:
        st.session_state[trouble] = str(error)
        return
    st.markdown(_preview(table, found))
    st.caption(_literal(" ".join([*found.notes, _learned(points.shape, learned, "will be learned")])))
    st.button(
        "Make these points the target",
        key=f"{key}:take",
        disabled=text == st.session_state.get(f"{key}:notation"),
        on_click=lambda: _adopt(key, points, centre=centre, write=write),
    )


def _columns(table: Table, key: str) -> list[str]:
    """The numbers of the columns that are chosen; at first those that seem to be meant."""
    able = [column for column in table.columns if column.numbers.count]
    if len(able) < 2:
        return []
    titles = {str(column.number): column.title for column in able}
    return st.multiselect(
        "Columns: one for a target on the line, two for one in the plane",
        list(titles),
        default=[str(column.number) for column in table.usable[:2]],
        format_func=lambda number: titles[number],
        max_selections=2,
        key=key,
    )


def _read(file: UploadedFile) -> Table | str:
    """The table in an upload, or the sentence that says why there is none; read once, not in every run of the page."""
    with _lock:
        known = _tables.get(file.file_id)
    if known is None:
        try:
            # the browser's own checks of size and kind are no checks
            if file.size > BYTES:
                raise ValueError(f"the file has {file.size:,} bytes: at most {BYTES:,} are read")
            known = table_of(file.getvalue())
        except ValueError as error:
            known = str(error)
    with _lock:
        _tables[file.file_id] = known
        _tables.move_to_end(file.file_id)
        while len(_tables) > TABLES:
            _tables.popitem(last=False)
    return known


def _preview(table: Table, found: Points) -> str:
    """The first points as a table in Markdown, with the rows that they come from."""
    left_out = set(found.left_out)
    rows = [int(row) for row in table.rows if int(row) not in left_out][:PREVIEWED]
    lines = [
        _line("row", *(_literal(column.title) for column in found.columns)),
        _line(*["---:"] * (1 + len(found.columns))),
    ]
    lines += [_line(f"{row:,}", *(f"{v:.6g}" for v in point)) for row, point in zip(rows, found.points, strict=False)]
    more = [_line("…", *["…"] * len(found.columns))] if len(found.points) > len(rows) else []
    return "\n".join(lines + more)


def _line(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


# --- what is said -------------------------------------------------------------------------------------------------


def _say(key: str, trouble: str) -> None:
    why, size = st.session_state.get(trouble), st.session_state.get(f"{key}:size")
    if why:
        words = why[0].upper() + why[1:] + "."
        st.warning(_literal(words + (" Your target stays as it was." if size else "")), icon=None)
    if size:
        st.caption(f"Your target: {_learned(size[:-1], size[-1], 'are learned')}")


def _learned(shape: Sequence[int], learned: int, how: str) -> str:
    """How many of the points are learned, in a sentence."""
    where = "on the line" if len(shape) == 1 else "in the plane"
    if learned == shape[0]:
        return f"{learned:,} points {where}, all {how}."
    return f"{learned:,} of {shape[0]:,} points {where}, chosen at random, {how}."
