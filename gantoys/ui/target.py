"""A target of one's own: points drawn by hand, or from a table that somebody uploads."""

from typing import Any

import numpy as np
import streamlit as st

from gantoys.maths.csv_points import BYTES, read_csv
from gantoys.maths.points import from_points
from gantoys.runs import limits
from gantoys.ui import drawing
from gantoys.ui.frame import _literal

Array = np.ndarray
DRAW, UPLOAD = "Draw it", "Upload a table"


def own_target(key: str = "own-target") -> str | None:
    """Lets the visitor draw or upload points; the notation of the newest good ones (`gantoys.maths.points`), or None.

    What cannot be used is said in one sentence, and the target that was there before stays. Everything is kept in the
    session under names that begin with `key`.
    """
    way = st.segmented_control(
        "Your own target", [DRAW, UPLOAD], default=DRAW, required=True, key=f"{key}:way", label_visibility="collapsed"
    )
    shown = f"{key}:{'upload' if way == UPLOAD else 'draw'}"
    (_upload if way == UPLOAD else _draw)(key, f"{shown}-trouble")
    _say(key, f"{shown}-trouble")
    found: str | None = st.session_state.get(f"{key}:notation")
    return found


def notation(points: Array, *, centred: bool = False) -> str:
    """The notation of the law of points (n,) or (n, 2).

    centred: the points less their mean, over the root of their mean variance, the same for both coordinates, so that
    the shape stays. Raises ValueError with one sentence for points that no run can be trained on.
    """
    points = np.asarray(points, float)
    if centred:
        points = points - points.mean(0)
        points = points / (np.sqrt(np.mean(points**2)) or 1.0)
    law = from_points(points)
    reach = float(np.max(np.abs(law.box)))
    if reach > limits.TOY_REACH:
        raise ValueError(
            f"with some room around them the points reach {reach:.4g} from the origin, at most {limits.TOY_REACH:,.0f} "
            "is allowed: let them be centred and scaled"
        )
    return str(law)


def _adopt(key: str, points: Array, *, centred: bool = False) -> None:
    """Makes points the target; where they cannot be one (ValueError) all stays as it is."""
    st.session_state[f"{key}:notation"] = notation(points, centred=centred)
    st.session_state[f"{key}:size"] = np.shape(points)


def _draw(key: str, trouble: str) -> None:
    drawn = st.session_state.get(f"{key}:drawn", np.empty((0, 2)))
    drawing.paper(drawn, key=f"{key}:paper", on_points=lambda message: _drawn(key, trouble, message))


def _drawn(key: str, trouble: str, message: Any) -> None:
    st.session_state[trouble] = None
    try:
        points = st.session_state[f"{key}:drawn"] = drawing.check(message)
        if len(points) < drawing.LEAST:
            raise ValueError(f"draw more: {len(points)} of at least {drawing.LEAST} points are on the paper")
        _adopt(key, points)
    except ValueError as error:
        st.session_state[trouble] = str(error)


def _upload(key: str, trouble: str) -> None:
    # any name is taken: what a file is called says nothing about what is in it
    file = st.file_uploader(
        "A table of one column (a target on the line) or two (in the plane): CSV, at most 2 MB, "
        f"of which up to {limits.POINTS:,} rows are learned",
        max_upload_size=BYTES // 2**20,
        key=f"{key}:file",
    )
    centred = st.toggle("Centre and scale: mean 0, standard deviation 1", key=f"{key}:centred")
    seen = None if file is None else (file.file_id, centred)
    if st.session_state.get(f"{key}:seen") == seen:
        return
    st.session_state[f"{key}:seen"] = seen  # read once, not in every run of the page
    st.session_state[trouble] = None
    if file is None:
        return
    try:
        # the browser's own checks of size and kind are no checks
        if file.size > BYTES:
            raise ValueError(f"the file has {file.size:,} bytes: at most {BYTES:,} are read")
        _adopt(key, read_csv(file.getvalue()), centred=centred)
    except ValueError as error:
        st.session_state[trouble] = str(error)


def _say(key: str, trouble: str) -> None:
    why, size = st.session_state.get(trouble), st.session_state.get(f"{key}:size")
    if why:
        words = why[0].upper() + why[1:] + "."
        st.warning(_literal(words + (" Your target stays as it was." if size else "")), icon=None)
    if size:
        kept = min(size[0], limits.POINTS)
        some = f"{kept:,} of {size[0]:,} points, chosen at random," if kept < size[0] else f"{kept:,} points"
        st.caption(f"Your target: {some} {'on the line' if len(size) == 1 else 'in the plane'}.")
