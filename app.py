"""The dashboard: navigation, the look all pages share, and what the browser remembers. Start it with `make app`."""

import pathlib

import streamlit as st

from gantoys.lessons import KEYS, load
from gantoys.ui import look, memory
from gantoys.ui.frame import lecture_view

st.set_page_config(page_title="gantoys", layout="wide")
lecture = lecture_view()
look.apply(lecture=lecture)
pages = [
    st.Page(f"pages/{key.replace('-', '_')}.py", title=load(key).title, url_path=key, default=key == KEYS[0])
    for key in KEYS
    if pathlib.Path(f"pages/{key.replace('-', '_')}.py").exists()
    and pathlib.Path(f"gantoys/lessons/{key}.toml").exists()
]
st.navigation(pages, position="hidden" if lecture else "top").run()
memory.sync()
