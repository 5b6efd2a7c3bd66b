"""The pages of the dashboard, one a lesson, in the order of the path."""

from pathlib import Path

import streamlit as st
from streamlit.navigation.page import StreamlitPage

from gantoys.lessons import KEYS, load

PAGES = Path(__file__).resolve().parents[2] / "pages"


def pages() -> dict[str, StreamlitPage]:
    """Every lesson's page; paths are absolute, so that any entry point can show them."""
    return {
        key: st.Page(
            PAGES / f"{key.replace('-', '_')}.py", title=load(key).title, url_path=key, default=key == KEYS[0]
        )
        for key in KEYS
    }
