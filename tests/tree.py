"""The files of the project, for the tests that walk over them."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
NOT_OURS = {".git", ".venv", "__pycache__", "build", "dist", "shots", "node_modules"}


def _is_ours(path: Path) -> bool:
    """Folders with a dot are tools' caches, but for the two that we wrote."""
    name = path.name
    hidden = name.startswith(".") and name not in (".ci", ".streamlit")
    return name not in NOT_OURS and not hidden and not name.endswith(".egg-info")


def _walk(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.iterdir()):
        if path.is_dir():
            if _is_ours(path):
                yield from _walk(path)
        elif path.suffix != ".part":  # a film that is being written
            yield path


@cache
def files() -> tuple[Path, ...]:
    """Every file of the project, without what tools leave."""
    return tuple(_walk(ROOT))


@cache
def text(path: Path) -> str:
    """The file's text; that of a binary file holds replacement signs."""
    return path.read_text(encoding="utf-8", errors="replace")


@cache
def syntax(path: Path) -> ast.Module:
    """The file's syntax tree."""
    return ast.parse(text(path), str(path))


def sources() -> tuple[Path, ...]:
    """Every Python file that is not a test."""
    return tuple(path for path in files() if path.suffix == ".py" and ROOT / "tests" not in path.parents)


def app_sources() -> tuple[Path, ...]:
    """The Python files of the library and the app: those that stand on a floor."""
    above = {ROOT / "gantoys", ROOT / "pages"}
    return tuple(path for path in sources() if path == ROOT / "app.py" or above & set(path.parents))


def name(path: Path) -> str:
    """The path as the documents write it."""
    return path.relative_to(ROOT).as_posix()
