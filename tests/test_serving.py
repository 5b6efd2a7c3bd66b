"""What the process that serves pages does once: limits, uploads, memory, and a class of visitors without a browser."""

import asyncio
from pathlib import Path

import dev
from serving import running
from streamlit.runtime.memory_uploaded_file_manager import MemoryUploadedFileManager
from streamlit.runtime.uploaded_file_manager import UploadedFileRec
from tree import ROOT
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus
from websockets.typing import Origin, Subprotocol

from benchmarks.visitors import Visit, arrive, visit
from gantoys.stage.pack import unpack
from gantoys.ui import serving


def uploads() -> MemoryUploadedFileManager:
    manager = MemoryUploadedFileManager("/upload")
    serving.bound_uploads(manager, total=1000, own=300)
    return manager


def put(manager: MemoryUploadedFileManager, session: str, name: str, size: int) -> None:
    manager.add_file(session, UploadedFileRec(file_id=name, name=name, type="text/csv", data=bytes(size)))


def here(manager: MemoryUploadedFileManager) -> dict[str, list[str]]:
    return {session: list(files) for session, files in manager.file_storage.items() if files}


def test_a_visitor_s_uploads_are_bounded_and_the_first_of_them_goes_first() -> None:
    manager = uploads()
    for k in range(5):
        put(manager, "ann", f"a{k}", 120)
    assert here(manager) == {"ann": ["a3", "a4"]}
    put(manager, "ann", "larger than what one may have", 301)
    assert here(manager) == {}


def test_all_uploads_together_are_bounded_whoever_they_are_of() -> None:
    manager = uploads()
    for k in range(6):
        put(manager, f"visitor {k}", "file", 300)
        assert sum(len(f.data) for files in manager.file_storage.values() for f in files.values()) <= 1000
    assert list(here(manager)) == ["visitor 3", "visitor 4", "visitor 5"]
    manager.remove_session_files("visitor 4")  # who left has nothing that counts
    put(manager, "visitor 6", "file", 300)
    assert list(here(manager)) == ["visitor 3", "visitor 5", "visitor 6"]


def test_a_class_gets_one_picture_and_whoever_does_not_fit_is_told_so(tmp_path: Path) -> None:
    """A fresh server that may open 400 files and starts with 200: each visitor takes four, and 300 are the bound.

    It was started as `make app` does it, so it answers to the names of this computer only.
    """
    lowered = ("/bin/sh", "-c", 'ulimit -Sn 200; ulimit -Hn 400; exec "$@"', "sh")
    page, leave = "optimal-discriminator", asyncio.Event()

    async def enter(url: str, count: int) -> tuple[list[Visit], list[asyncio.Task[Visit]]]:
        seen = [Visit() for _ in range(count)]
        tasks = await arrive((visit(url, page, leave=leave, into=one) for one in seen), 0.2)
        while any(one.whole is None and not one.trouble for one in seen):
            await asyncio.sleep(0.02)
        return seen, tasks

    async def called(url: str, name: str) -> int:
        """What the server answers to one who calls it by another name, as a page of that name would."""
        host, port = "127.0.0.1", int(url.rpartition(":")[2])
        address, page = f"ws://{name}:{port}/_stcore/stream", Origin(f"http://{name}:{port}")
        try:
            async with connect(address, host=host, port=port, origin=page, subprotocols=[Subprotocol("streamlit")]):
                return 101
        except InvalidStatus as error:
            return error.response.status_code

    async def go(url: str) -> tuple[list[Visit], list[Visit]]:
        assert [await called(url, name) for name in ("localhost", "127.0.0.1", "rebound.example")] == [101, 101, 403]
        seen, tasks = await enter(url, 45)
        for count in (20, *[1] * 20):
            more, coming = await enter(url, count)
            tasks += coming
            if serving.FULL in more[-1].words:
                break
            seen += more
        leave.set()
        await asyncio.gather(*tasks)
        return seen, more

    names = dev.names_of(["--server.address=127.0.0.1"])
    with running(ROOT / "app.py", *names, environment={"GANTOYS_HOME": str(tmp_path)}, before=lowered) as url:
        seen, late = asyncio.run(go(url))
    assert [one.trouble for one in seen + late if one.trouble] == []
    assert len(seen) >= 65 and len({unpack(one.stage)[0]["digest"] for one in seen}) == 1
    assert len(late) == 1 and serving.FULL in late[0].words and not late[0].stage
