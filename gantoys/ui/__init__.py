"""Streamlit glue: the lesson frame, state in links, what this browser remembers. No formula and no chart code."""
