"""The dashboard: navigation, the look all pages share, and what the browser remembers. Start it with `make app`."""

import streamlit as st

from gantoys.ui import live, look, memory
from gantoys.ui.frame import lecture_view
from gantoys.ui.navigation import pages

st.set_page_config(page_title="gantoys", layout="wide")
lecture = lecture_view()
look.apply(lecture=lecture)
memory.load()
st.navigation(list(pages().values()), position="hidden" if lecture else "top").run()
memory.sync()
live.warm()
