"""What a page makes for a download is made by a thread of Streamlit's that knows no session."""

import threading
from pathlib import Path
from typing import Any

import pytest
import streamlit
from streamlit.testing.v1 import AppTest

from gantoys.lessons import KEYS, load

APP = str(Path(__file__).parents[1] / "app.py")


@pytest.fixture
def offered(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What makes the file of each download button of the pages that are run, by its label."""
    found: dict[str, Any] = {}

    def button(label: str, data: Any = None, **_: Any) -> bool:
        found[label] = data
        return False

    monkeypatch.setattr(streamlit, "download_button", button)
    return found


def made(make: Any) -> str:
    """What comes of it in a plain thread."""
    came: list[Any] = []

    def run() -> None:
        try:
            came.append(make())
        except BaseException as error:
            came.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join(60)
    assert len(came) == 1 and isinstance(came[0], str), came
    return came[0]


@pytest.mark.parametrize("key", KEYS)
def test_every_page_can_be_saved_with_the_state_that_is_on_screen(key: str, offered: dict[str, Any]) -> None:
    texts = []
    for chip in (None, load(key).tries[-1]):
        app = AppTest.from_file(APP, default_timeout=60)
        app.switch_page(f"pages/{key}.py")
        for name, value in (chip.state if chip is not None else {}).items():
            app.query_params[name] = str(value)
        app.run()
        assert not app.exception
        texts.append(made(offered["Save as a web page that moves"]))
        assert "<canvas" in texts[-1] or "stage" in texts[-1]
    assert texts[0] != texts[1]
