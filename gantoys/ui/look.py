"""The look all pages share: little air on top, so that a lesson fits above the fold, and the view for projection."""

import streamlit as st

_ALWAYS = """
.stMainBlockContainer { padding: 3.4rem 1.6rem 3rem; max-width: 1320px; }
.stMainBlockContainer h1 { padding: 0 0 .3rem; font-size: 1.55rem; line-height: 1.25; }
[data-testid="stMarkdownContainer"]:has(h1) { margin-bottom: 0; }
.stMainBlockContainer h3 { padding-top: .4rem; }
[data-testid="stHeader"] { height: 3rem; }
[data-testid="stVerticalBlock"] { gap: .6rem; }
/* Streamlit writes white on the dark theme's light blue */
button[kind^="primary"]:enabled { color: light-dark(#FFFFFF, #0F141A); }
@media (max-width: 640px) {
  .stMainBlockContainer { padding: 4.4rem .8rem 2rem; }
  .stMainBlockContainer h1 { font-size: 1.25rem; }
}
"""
_LECTURE = """
[data-testid="stHeader"], [data-testid="stToolbar"], [data-testid="stSidebar"] { display: none; }
.stMainBlockContainer { padding: .6rem 1.4rem .6rem; max-width: none; }
.stMainBlockContainer h1 { font-size: 2.1rem; }
.stMainBlockContainer h1, [data-testid="stMarkdownContainer"]:has(h1) { margin-bottom: 0; }
.stMainBlockContainer h3 { padding-top: 0; }
.stMainBlockContainer p, .stMainBlockContainer button p, .stMainBlockContainer label p { font-size: 24px !important; }
.stMainBlockContainer button { min-height: 3rem; }
.stMainBlockContainer kbd { font-size: 24px !important; }
"""


def apply(*, lecture: bool) -> None:
    """Adds the style to the page."""
    st.html(f"<style>{_ALWAYS}{_LECTURE if lecture else ''}</style>")
