"""The dashboard: navigation, the look all pages share, and what the browser remembers. Start it with `make app`."""

import streamlit as st

from gantoys.ui.first import TURNS, frame, look, memory, navigation, serving

serving.begin()
with TURNS.work():
    st.set_page_config(page_title="gantoys", layout="wide")
    serving.admit()
    lecture = frame.lecture_view()
    look.apply(lecture=lecture)
    memory.load()
    st.navigation(list(navigation.pages().values()), position="hidden" if lecture else "top").run()
    memory.sync()
