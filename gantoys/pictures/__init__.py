"""What each lesson draws: from a state, by the exact theory, to a `Scene` with the whole sweep of every control.

One module a lesson, each with a `State` (what the link holds) and `scene(state)`. No Streamlit here.
"""
