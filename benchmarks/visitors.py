"""Visitors of the app without a browser: websocket sessions that open a page and take in what it sends."""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Iterable
from dataclasses import dataclass, field

from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException

PATIENCE = 60.0
STAGE_BYTES = 3000  # a component with so much to tell is the stage


@dataclass
class Visit:
    """What one visitor saw. picture, whole: seconds until the picture and the whole page were there; None: never.

    words: what the page's texts and warnings say. stage: the message of its picture. trouble: what went wrong.
    """

    picture: float | None = None
    whole: float | None = None
    words: list[str] = field(default_factory=list)
    stage: bytes = b""
    trouble: str = ""


async def visit(
    url: str, page: str, *, query: str = "", leave: asyncio.Event | None = None, into: Visit | None = None
) -> Visit:
    """Open a page of the app at `url`; stay until `leave` is set, if it is given. into: what is seen, as it comes."""
    begin, seen = time.monotonic(), into if into is not None else Visit()
    try:
        async with enter(url) as socket:
            await socket.send(asking(page, query))
            while seen.whole is None:
                data = await asyncio.wait_for(socket.recv(), PATIENCE)
                note(seen, ForwardMsg.FromString(bytes(data)), time.monotonic() - begin)
            if leave is not None:
                await leave.wait()
    except (OSError, TimeoutError, WebSocketException) as error:
        seen.trouble = seen.trouble or f"{type(error).__name__} {error}"
    return seen


def enter(url: str) -> contextlib.AbstractAsyncContextManager[ClientConnection]:
    """A connection as a browser opens it."""
    return connect(
        url.replace("http", "ws", 1) + "/_stcore/stream",
        max_size=2**27, ping_interval=None, open_timeout=PATIENCE, compression=None, subprotocols=["streamlit"],  # type: ignore[list-item]
    )  # fmt: skip


def asking(page: str, query: str = "") -> bytes:
    """The message that asks for a page; the first lesson has no name in its address."""
    message = BackMsg()
    message.rerun_script.page_name = "" if page == "start" else page
    message.rerun_script.query_string = query
    return message.SerializeToString()


def note(seen: Visit, message: ForwardMsg, seconds: float) -> None:
    """Take in one message."""
    kind = message.WhichOneof("type")
    if kind == "script_finished":
        if message.script_finished != ForwardMsg.FINISHED_EARLY_FOR_RERUN:
            seen.whole = seconds
    elif kind == "delta" and message.delta.WhichOneof("type") == "new_element":
        element = message.delta.new_element
        what = element.WhichOneof("type")
        if what == "bidi_component" and len(element.bidi_component.bytes) > STAGE_BYTES:
            seen.stage = element.bidi_component.bytes
            seen.picture = seconds if seen.picture is None else seen.picture
        elif what == "exception":
            seen.trouble = element.exception.message or "an error page"
        elif what == "markdown":
            seen.words.append(element.markdown.body)
        elif what == "alert":
            seen.words.append(element.alert.body)


async def arrive(visits: Iterable[Awaitable[Visit]], seconds: float) -> list[asyncio.Task[Visit]]:
    """Let visitors come one after the other, evenly over so many seconds."""
    begin, waiting = time.monotonic(), list(visits)
    tasks = []
    for k, one in enumerate(waiting):
        await asyncio.sleep(max(0.0, begin + k * seconds / len(waiting) - time.monotonic()))
        tasks.append(asyncio.ensure_future(one))
    return tasks
