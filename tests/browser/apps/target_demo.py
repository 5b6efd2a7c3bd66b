"""A small app around a target of one's own and what is kept of a film: `?show=target|film`."""

from __future__ import annotations

import sys
from functools import cache
from pathlib import Path

import streamlit as st

sys.path.insert(0, str(Path(__file__).parents[3]))

from gantoys.runs.film import Film
from gantoys.runs.recordings import START_FILM
from gantoys.ui.downloads import downloads, uploaded_film
from gantoys.ui.target import own_target


@cache
def recorded() -> Film:
    return Film.load(START_FILM)


if __name__ == "__main__":
    if st.query_params.get("show") == "film":
        film = recorded()
        downloads(film, int(film.step[40]))
        opened = uploaded_film()
        st.text(f"opened {'-' if opened is None else len(opened)}")
    else:
        st.text(f"notation {own_target()}")
