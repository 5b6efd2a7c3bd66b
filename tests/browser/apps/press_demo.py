"""A button whose callback waits until a newer run of the page was asked for, and only then does its work."""

import sys
import time
from pathlib import Path

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

if "plain" not in sys.argv:
    import gantoys.ui.undisturbed  # noqa: F401

done = st.session_state.setdefault("done", {"begun": 0, "ended": 0})


def work() -> None:
    """One press; the newer request is there before it ends."""
    done["begun"] += 1
    context = get_script_run_ctx()
    assert context is not None and context.script_requests is not None
    until = time.monotonic() + 20
    while context.script_requests._state.name == "CONTINUE" and time.monotonic() < until:
        time.sleep(0.005)
    st.session_state["touched"] = done["begun"]
    done["ended"] += 1


st.button("Press", key="press", on_click=work)
st.markdown(f"# begun {done['begun']}, ended {done['ended']}")
