"""The pages of the dashboard, one a lesson, in the order of the path."""

from copy import copy
from pathlib import Path

import streamlit as st
from streamlit.navigation.page import StreamlitPage
from streamlit.runtime.pages_manager import PagesManager

from gantoys.lessons import KEYS, load
from gantoys.shared import shared

PAGES = Path(__file__).resolve().parents[2] / "pages"


def pages() -> dict[str, StreamlitPage]:
    """Every lesson's page; paths are absolute, so that any entry point can show them."""
    return {key: copy(page) for key, page in _pages().items()}  # a run marks the page that it shows


@shared
def _pages() -> dict[str, StreamlitPage]:
    # to find nine files on the disk takes as long as everything else that is done for a page's first words
    return {
        key: st.Page(PAGES / f"{key}.py", title=load(key).title, url_path=key, default=key == KEYS[0]) for key in KEYS
    }


def take_over() -> None:
    """Starts the run again through app.py when Streamlit showed a file of pages/ by itself.

    Until app.py has run once, a fresh server takes every file of a folder named pages for a page, without the common
    look. The first visitor who opens a lesson by its link would see that.
    """
    if PagesManager.uses_pages_directory:
        PagesManager.uses_pages_directory = False
        st.rerun()
