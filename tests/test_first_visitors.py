"""A fresh server and those who come first, all in the same moment: each gets the page that was asked for."""

import ast
import asyncio
import subprocess
import sys
from pathlib import Path

import pytest
from serving import running
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from tree import ROOT, app_sources, name, syntax
from websockets.asyncio.client import connect

from gantoys.lessons import KEYS, load

PATIENCE = 60.0
FIRST = "gantoys.ui.first"
# Asked for together, each in a thread of its own.
PARTS = ("scipy.spatial", "scipy.spatial.distance", "scipy.optimize", "scipy.integrate", "scipy.stats")


async def visit(url: str, key: str) -> str:
    """What a visitor of a page is shown first: its question, or else what went wrong."""
    address = url.replace("http", "ws") + "/_stcore/stream"
    options = {"max_size": 2**27, "ping_interval": None, "open_timeout": PATIENCE, "subprotocols": ["streamlit"]}
    async with connect(address, **options) as socket:
        ask = BackMsg()
        ask.rerun_script.page_name = "" if key == KEYS[0] else key
        await socket.send(ask.SerializeToString())
        async for data in socket:
            message = ForwardMsg.FromString(bytes(data))
            element = message.delta.new_element
            if element.WhichOneof("type") == "exception":
                return element.exception.message
            if element.WhichOneof("type") == "markdown" and element.markdown.body.startswith("# "):
                return element.markdown.body.removeprefix("# ")
            if message.WhichOneof("type") == "page_not_found":
                return "there is no such page"
    return "the server hung up"


async def visits(url: str) -> list[str]:
    return await asyncio.gather(*(asyncio.wait_for(visit(url, key), PATIENCE) for key in KEYS))


@pytest.mark.parametrize("script", ["app.py", pytest.param("app.py", marks=pytest.mark.long), "deploy/cloud/app.py"])
def test_nine_visitors_of_nine_pages_find_a_fresh_server_ready(script: str, tmp_path: Path) -> None:
    with running(ROOT / script, environment={"GANTOYS_HOME": str(tmp_path)}) as url:
        assert asyncio.run(visits(url)) == [load(key).question for key in KEYS]


def test_every_script_begins_with_one_import_and_a_page_imports_the_rest_alone() -> None:
    scripts = [path for path in app_sources() if path.parent in (ROOT, ROOT / "pages")]
    assert len(scripts) == len(KEYS) + 1
    for path in scripts:
        imports = [node for node in syntax(path).body if isinstance(node, ast.Import | ast.ImportFrom)]
        ours = [node.module for node in imports if isinstance(node, ast.ImportFrom)]
        assert ours == [FIRST] and all("gantoys" not in ast.unparse(node) for node in imports[:-1]), name(path)
        blocks = [node for node in syntax(path).body if isinstance(node, ast.With)]
        assert path.name == "app.py" or ast.unparse(blocks[0].items[0]) == "importing", name(path)


def late_imports(tree: ast.Module) -> list[str]:
    """What is imported inside of functions, but for Python's own modules."""
    found = []
    for function in ast.walk(tree):
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            for node in ast.walk(function):
                if isinstance(node, ast.Import):
                    found += [alias.name for alias in node.names]
                elif isinstance(node, ast.ImportFrom):
                    found.append(node.module or ".")
    return [dotted for dotted in found if dotted.split(".")[0] not in sys.stdlib_module_names]


def test_what_threads_import_when_it_is_needed_they_import_one_after_the_other() -> None:
    assert late_imports(ast.parse("def f():\n    from scipy.optimize import minimize\n    import json")) == [
        "scipy.optimize"
    ]
    alone = {ROOT / "gantoys" / "training", ROOT / "gantoys" / "metrics" / "histogram.py"}  # workers have one thread
    shared = [path for path in app_sources() if not alone & {path, *path.parents}]
    assert [(name(path), found) for path in shared for found in late_imports(syntax(path))] == []


def test_threads_that_need_parts_of_a_library_in_different_orders_all_get_them() -> None:
    code = f"""
import sys, threading
from gantoys.maths.late import late
sys.setswitchinterval(1e-4)
together, failed = threading.Barrier({len(PARTS)}), []
def need(part):
    together.wait()
    try:
        late(part)
    except Exception as error:
        failed.append(error)
threads = [threading.Thread(target=need, args=(part,)) for part in {PARTS!r}]
for thread in threads: thread.start()
for thread in threads: thread.join()
print(failed)
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"  # by the plain statement one or two fail
