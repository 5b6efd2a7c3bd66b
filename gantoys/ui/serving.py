"""What the process that serves pages does once, as its first visitor comes, and what it looks after from then on."""

import gc
import logging
import os
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any

import streamlit as st
from streamlit import runtime

from gantoys import process
from gantoys.maths.late import late
from gantoys.service.run_service import service
from gantoys.shared import TURNS, shared
from gantoys.ui.frame import served

log = logging.getLogger(__name__)
SWITCH_SECONDS = 0.001  # a short run that meets a long one waits for the interpreter in turns of 5 ms else
WARM_SECONDS = 1.0  # the first visitor's picture comes before what others may want
IDLE_SECONDS, PATIENCE_SECONDS = 0.02, 5.0
TIDY_SECONDS = 20.0
FILES_KEPT = 0.25  # which part of a low limit is left for those who are there, and to say that it is full
LOW_LIMIT = 8_192
UPLOAD_BYTES, UPLOAD_SESSION_BYTES = 64 * 2**20, 4 * 2**20
FULL = "This server is full: too many visitors are here at once. Please try again in a minute, by reloading the page."


def begin() -> None:
    """Once a server: its limits, its memory, its uploads; then, meanwhile, what the next visitors will want."""
    if served():
        _begin()


@shared
def _begin() -> None:
    sys.setswitchinterval(SWITCH_SECONDS)
    process.one_heap()
    bound_uploads(runtime.get_instance().uploaded_file_mgr)
    threading.Thread(target=_look_after, name="gantoys-look-after", daemon=True).start()


def admit() -> None:
    """Let a visitor in; where descriptors run out, say so and end this run of the page."""
    if served() and full():
        st.warning(FULL, icon=None)
        st.stop()


# --- room for visitors -----------------------------------------------------------------------------------------------


def full() -> bool:
    """Whether so many descriptors are in use that further visitors would cut off those who are here."""
    limit = process.file_limit()
    if not 0 < limit < LOW_LIMIT:
        return False
    try:
        return len(os.listdir("/proc/self/fd")) > (1 - FILES_KEPT) * limit
    except OSError:
        return False


# --- uploads ------------------------------------------------------------------------------------------------------


def bound_uploads(manager: Any, total: int = UPLOAD_BYTES, own: int = UPLOAD_SESSION_BYTES) -> None:
    """Let the files that visitors have uploaded take no more than `total` bytes, and one visitor's no more than `own`.

    What was uploaded first goes first. Its page has read it by then; it counts as taken back.
    """
    known: deque[tuple[str, str, int]] = deque()
    lock, add = threading.Lock(), manager.add_file

    def add_file(session_id: str, file: Any) -> None:
        add(session_id, file)
        with lock:
            known.append((session_id, file.file_id, len(file.data)))
            here = [row for row in known if manager.get_files(row[0], [row[1]])]
            known.clear()
            known.extend(here)
            _shorten(known, own, lambda row: row[0] == session_id)
            _shorten(known, total, lambda row: True)

    def _shorten(rows: deque[tuple[str, str, int]], most: int, mine: Callable[[tuple[str, str, int]], bool]) -> None:
        held = [row for row in rows if mine(row)]
        while sum(row[2] for row in held) > most:
            row = held.pop(0)
            rows.remove(row)
            manager.remove_file(row[0], row[1])

    manager.add_file = add_file


# --- behind the visitors' back ------------------------------------------------------------------------------------


def _look_after() -> None:
    """Warm up, then give back what is freed, now and then."""
    time.sleep(WARM_SECONDS)
    try:
        service()
        for make in late("gantoys.pictures.opening").PICTURES.values():
            _when_idle()
            make()
        gc.collect()
        gc.freeze()  # what everybody shares is not looked through again whenever a visitor comes
    except Exception:
        log.exception("the first pictures could not be made ahead")
    while True:
        time.sleep(TIDY_SECONDS)
        _when_idle()
        process.give_back()


def _when_idle() -> None:
    """Wait until no page is being made, but not for ever."""
    until = time.monotonic() + PATIENCE_SECONDS
    while TURNS.busy and time.monotonic() < until:
        time.sleep(IDLE_SECONDS)
