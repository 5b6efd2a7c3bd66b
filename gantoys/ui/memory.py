"""What this browser remembers of the learner: lessons seen and questions answered. It never leaves the browser.

One small component keeps it in the browser's own storage; the server holds it only while the session lasts.
"""

import json
from collections.abc import Mapping
from typing import Any

import streamlit as st

from gantoys.lessons import KEYS

_SLOT, _KNOWN, _KEY = "progress", "progress-known", "memory"
_LIMIT = 10_000
_JS = """
export default function ({ data, setStateValue }) {
  const message = JSON.parse(new TextDecoder().decode(data));
  try {
    if (message.known) window.localStorage.setItem("gantoys", JSON.stringify(message.progress));
    else {
      // a moment later, so that the answer does not hold up the page's first picture
      const kept = (window.localStorage.getItem("gantoys") ?? "{}").slice(0, 10000);
      // and never in the middle of a drag
      const tell = () => (document.querySelector(":active") ? setTimeout(tell, 300) : setStateValue("kept", kept));
      setTimeout(tell, 1200);
    }
  } catch (e) { /* a browser that keeps nothing: progress lasts as long as the session */ }
}
"""
_store = st.components.v2.component("gantoys_memory", html="<span></span>", js=_JS)


def progress() -> dict[str, dict[str, Any]]:
    """Per lesson: `seen` and `checks`, question number -> answered rightly."""
    return st.session_state.setdefault(_SLOT, {})


def seen(key: str) -> None:
    """The learner has opened this lesson."""
    progress().setdefault(key, {"checks": {}})


def answered(key: str, question: int, right: bool) -> None:
    """The learner has answered a question of this lesson."""
    progress().setdefault(key, {"checks": {}})["checks"][str(question)] = right


def valid(text: Any) -> dict[str, dict[str, Any]]:
    """What a browser sent, as progress: unknown lessons, wrong types and oversized texts count as nothing."""
    if not isinstance(text, str) or len(text) > _LIMIT:
        return {}
    try:
        raw = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    if not isinstance(raw, dict):
        return {}
    out: dict[str, dict[str, Any]] = {}
    for key in KEYS:
        row = raw.get(key)
        if isinstance(row, dict) and isinstance(row.get("checks"), dict):
            checks = {k: v for k, v in row["checks"].items() if k in ("0", "1", "2") and isinstance(v, bool)}
            out[key] = {"checks": checks}
    return out


def load() -> None:
    """Takes over what the browser has told since the last run; called at the start of every page."""
    state = st.session_state.get(_KEY)
    kept = state.get("kept") if isinstance(state, Mapping) else None
    if kept is None or st.session_state.get(_KNOWN):
        return
    for key, row in valid(kept).items():
        own = progress().setdefault(key, {"checks": {}})
        own["checks"] = row["checks"] | own["checks"]
    st.session_state[_KNOWN] = True


def sync() -> None:
    """Asks the browser once what it kept, then lets it store what is new; called at the end of every page."""
    message = {"known": bool(st.session_state.get(_KNOWN)), "progress": progress()}
    _store(key=_KEY, data=json.dumps(message).encode(), on_kept_change=lambda: None)


def forget() -> None:
    """Starts anew in this session and, with the next page, in the browser."""
    progress().clear()
