"""What a hand has done is done to its end, whatever else the browser asks for meanwhile.

A press, or a slider that was let go of, is a request for a run of the page that begins with a callback. Where the next
request comes in the same moment (the film looks for new frames, the browser tells what it remembers), Streamlit ends
the callback at its next touch of the session, or never begins it, and the press has no effect. Here the newer request
waits until the callbacks are through; whatever Streamlit does in a run after that may be cut short as before.

It is put in force by being imported, which `gantoys.ui.first` does.
"""

from typing import Any

from streamlit.runtime.state.safe_session_state import SafeSessionState

_apply = SafeSessionState.on_script_will_rerun


def _undisturbed(state: SafeSessionState, *args: Any, **kwargs: Any) -> None:
    """Takes over what the browser sent and calls the callbacks, without looking for newer requests meanwhile."""
    look = getattr(state, "_yield_callback", None)
    object.__setattr__(state, "_yield_callback", lambda: None)
    try:
        _apply(state, *args, **kwargs)
    finally:
        object.__setattr__(state, "_yield_callback", look)


SafeSessionState.on_script_will_rerun = _undisturbed  # type: ignore[assignment, method-assign]
