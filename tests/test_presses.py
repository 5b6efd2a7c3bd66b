"""A press has its effect, whatever else the browser asks for in the same moment."""

import ast
import asyncio

import pytest
from serving import running
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from tree import ROOT, app_sources, name, syntax
from websockets.asyncio.client import ClientConnection, connect

PRESSES = 5
DEMO = ROOT / "tests" / "browser" / "apps" / "press_demo.py"


def request(pressed: str = "") -> bytes:
    """What a browser sends for a run of the page, or for a press of a button."""
    message = BackMsg()
    message.rerun_script.widget_states.SetInParent()
    if pressed:
        widget = message.rerun_script.widget_states.widgets.add()
        widget.id, widget.trigger_value = pressed, True
    return message.SerializeToString()


async def until_shown(socket: ClientConnection, words: str) -> str:
    """The button's name, once the page shows `words` and its run has ended."""
    button, shown = "", False
    async for data in socket:
        message = ForwardMsg.FromString(bytes(data))
        element = message.delta.new_element
        if element.WhichOneof("type") == "button":
            button = element.button.id
        elif element.WhichOneof("type") == "markdown":
            shown = words in element.markdown.body
        elif message.WhichOneof("type") == "script_finished" and shown:
            return button
    raise AssertionError("the server hung up")


async def ask_again(socket: ClientConnection) -> None:
    """Further requests, as a film that looks for new frames sends them."""
    while True:
        await asyncio.sleep(0.1)
        await socket.send(request())


async def press(url: str) -> None:
    """Presses, each with other requests right behind it."""
    address = url.replace("http", "ws") + "/_stcore/stream"
    async with connect(address, subprotocols=["streamlit"]) as socket:
        await socket.send(request())
        button = await until_shown(socket, "begun 0")
        for k in range(1, PRESSES + 1):
            await socket.send(request(button))
            others = asyncio.create_task(ask_again(socket))
            try:
                await asyncio.wait_for(until_shown(socket, f"begun {k}, ended {k}"), 30)
            finally:
                others.cancel()


def test_a_press_is_done_to_its_end_although_a_newer_run_is_asked_for_meanwhile() -> None:
    with running(DEMO) as url:
        asyncio.run(press(url))


@pytest.mark.long
def test_streamlit_by_itself_cuts_a_press_short() -> None:
    """Why `gantoys.ui.undisturbed` exists: once this fails it can go."""
    with running(DEMO, "--", "plain") as url, pytest.raises(TimeoutError):
        asyncio.run(asyncio.wait_for(press(url), 6))


def test_every_button_acts_in_a_callback() -> None:
    """What stands behind `if st.button()` may be cut short, and is then lost."""
    found = [
        (name(path), ast.unparse(node.test))
        for path in app_sources()
        for node in ast.walk(syntax(path))
        if isinstance(node, ast.If | ast.IfExp | ast.While)
        for call in ast.walk(node.test)
        if isinstance(call, ast.Call) and ast.unparse(call.func).endswith((".button", "form_submit_button"))
    ]
    assert found == []
