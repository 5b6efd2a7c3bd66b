"""The floors of the house: who may import whom, and what may stand nowhere."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tree import ROOT, app_sources, files, name, sources, syntax, text

FLOORS = {
    "gantoys.process": -1,
    "gantoys.shared": -1,
    "gantoys.maths": 0,
    "gantoys.lessons": 0,
    "gantoys.metrics": 1,
    "gantoys.runs": 1,
    "gantoys.training": 2,
    "gantoys.stage": 3,
    "gantoys.figures": 3,
    "gantoys.service": 3,
    "gantoys.pictures": 4,
    "gantoys.ui": 5,
    "gantoys.studies": 5,
    "gantoys.commands": 6,
    "gantoys.__main__": 7,
    "pages": 6,
    "app": 6,
}
# Libraries that live in some places only: the modules, or packages, that may import them.
HOMES = {
    "torch": ("gantoys.training",),
    "plotly": ("gantoys.figures",),
    "streamlit": ("gantoys.ui", "gantoys.stage.component", "pages", "app"),
    # The process that serves pages never enters training: torch would come along.
    "gantoys.training": ("gantoys.training",),
}
NUMPY_ONLY = {"numpy", "scipy", "gantoys", "__future__"}
CODE_FROM_FILES = {"pickle", "_pickle", "cPickle", "dill", "cloudpickle", "shelve", "marshal", "joblib"}


def module(path: Path) -> str:
    """The dotted name under which the file is imported."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imported(path: Path) -> Iterator[str]:
    """Dotted names that the file imports, written out, also those asked for by a string."""
    package = module(path) if path.name == "__init__.py" else module(path).rpartition(".")[0]
    for node in ast.walk(syntax(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                home = package.split(".")
                base = ".".join(home[: len(home) - node.level + 1] + ([base] if base else []))
            yield base
            yield from (f"{base}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
            function = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if function in ("import_module", "__import__", "run_module", "late"):
                yield str(node.args[0].value)


def within(dotted: str, homes: tuple[str, ...]) -> bool:
    return any(dotted == home or dotted.startswith(home + ".") for home in homes)


def part(dotted: str) -> str | None:
    """The part of the house that a name belongs to; None outside of it and for names in gantoys/__init__.py."""
    first, _, rest = dotted.partition(".")
    if first in ("app", "pages"):
        return first
    inner = rest.split(".")[0]
    folder = ROOT / "gantoys" / inner
    if first != "gantoys" or not inner or not (folder.is_dir() or folder.with_suffix(".py").exists()):
        return None
    return f"gantoys.{inner}"


def offences(paths: tuple[Path, ...]) -> list[str]:
    """Every import that goes up or sideways."""
    found = []
    for path in paths:
        here = part(module(path))
        if here is None:
            continue
        for target in sorted({there for dotted in imported(path) if (there := part(dotted)) and there != here}):
            if FLOORS[target] >= FLOORS[here]:
                found.append(f"{name(path)} (floor {FLOORS[here]}) imports {target} (floor {FLOORS[target]})")
    return found


def test_every_part_of_the_house_has_a_floor() -> None:
    assert {here for path in app_sources() if (here := part(module(path)))} <= set(FLOORS)


def test_imports_go_down_only() -> None:
    assert offences(app_sources()) == []


@pytest.mark.parametrize("library", HOMES)
def test_a_library_stays_in_its_home(library: str) -> None:
    strangers = [
        name(path)
        for path in app_sources()
        if not within(module(path), HOMES[library]) and any(within(dotted, (library,)) for dotted in imported(path))
    ]
    assert strangers == []


def test_maths_needs_numpy_and_scipy_only() -> None:
    used = {
        dotted.split(".")[0]
        for path in app_sources()
        if within(module(path), ("gantoys.maths",))
        for dotted in imported(path)
    }
    assert used - NUMPY_ONLY - set(sys.stdlib_module_names) == set()


def test_the_package_itself_imports_nothing() -> None:
    assert list(imported(ROOT / "gantoys" / "__init__.py")) == []


def run(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True).stdout


HEAVY = {"torch", "plotly", "streamlit", *(f"scipy.{part}" for part in ("optimize", "stats", "integrate", "sparse"))}


def test_importing_all_of_maths_brings_no_library_that_takes_long() -> None:
    modules = [module(path) for path in app_sources() if within(module(path), ("gantoys.maths",))]
    assert "gantoys.maths" in modules
    code = f"import sys, {', '.join(modules)}; print(*{HEAVY} & set(sys.modules))"
    assert run(code).split() == []


def test_nothing_but_training_brings_torch_into_the_process() -> None:
    modules = [module(path) for path in app_sources() if module(path).startswith("gantoys")]
    wanted = ", ".join(dotted for dotted in modules if not within(dotted, ("gantoys.training",)))
    assert run(f"import sys, {wanted}\nprint('torch' in sys.modules)").split() == ["False"]


def forbidden(tree: ast.Module) -> Iterator[str]:
    """What would run code that came with a file or a link, or set a stranger's text as HTML."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else [node.module or ""]
            yield from (dotted for dotted in names if dotted.split(".")[0] in CODE_FROM_FILES)
        elif isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            if called in ("eval", "exec", "torch.load", "joblib.load"):
                yield called
            for keyword in node.keywords:
                off = isinstance(keyword.value, ast.Constant) and keyword.value.value is False
                if keyword.arg in ("allow_pickle", "unsafe_allow_html") and not off:
                    yield f"{keyword.arg}={ast.unparse(keyword.value)}"


@pytest.mark.parametrize(
    "code",
    [
        "import pickle",
        "from joblib import load",
        "torch.load(path)",
        "np.load(path, allow_pickle=True)",
        "np.load(path, allow_pickle=trusted)",
        "st.markdown(words, unsafe_allow_html=True)",
        "eval(formula)",
    ],
)
def test_the_search_for_forbidden_calls_finds_each_kind(code: str) -> None:
    assert len(list(forbidden(ast.parse(code)))) == 1


def test_nothing_runs_code_from_files_or_sets_text_as_html() -> None:
    assert [(name(path), word) for path in sources() for word in forbidden(syntax(path))] == []


def test_scripts_and_styles_fetch_nothing_and_evaluate_nothing() -> None:
    # The SVG namespace is a name that looks like an address; nobody asks for it.
    pattern = re.compile(r"\beval\(|new Function|document\.write|https?://(?!www\.w3\.org/)|@import")
    browser_files = [path for path in files() if path.suffix in (".js", ".css", ".mjs")]
    assert [(name(path), found.group()) for path in browser_files if (found := pattern.search(text(path)))] == []


def test_no_file_names_a_package_registry() -> None:
    # Written in two parts, so that this file does not name them.
    hosts = [
        first + last
        for first, last in (
            ("pypi", ".org"),
            ("pythonhosted", ".org"),
            ("npmjs", ".org"),
            ("npmjs", ".com"),
            ("debian", ".org"),
            ("conda", ".anaconda"),
            ("anaconda", ".org"),
        )
    ]
    assert [(name(path), host) for path in files() for host in hosts if host in text(path)] == []


def test_only_the_cloud_folder_names_the_host_of_the_torch_wheels() -> None:
    host = "download." + "pytorch.org"
    assert [name(path) for path in files() if host in text(path)] == ["deploy/cloud/requirements.txt"]
