"""What the documents say about setting up is what the files do."""

import ast
import importlib.util
import itertools
import re
import shutil
import stat
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import dev
import pytest
from packaging.requirements import Requirement
from packaging.version import Version
from streamlit import config as streamlit_config
from tree import ROOT, app_sources, files, name, text

ASKED_FOR = {"streamlit", "torch", "plotly", "numpy", "scipy", "pytest"}
OTHER_NAMES = {
    "imageio_ffmpeg": "imageio-ffmpeg",
    "PIL": "pillow",
}  # packages that are imported by another name than they are installed by
PROJECT = tomllib.loads(text(ROOT / "pyproject.toml"))
CONFIG = tomllib.loads(text(ROOT / ".streamlit" / "config.toml"))


def lines(path: str) -> list[str]:
    """The lines of a requirements file without comments."""
    return [line for raw in text(ROOT / path).splitlines() if (line := raw.split("#")[0].strip())]


def packages(path: str) -> dict[str, Requirement]:
    """The packages a requirements file names itself."""
    found = [Requirement(line) for line in lines(path) if not line.startswith("-")]
    return {requirement.name: requirement for requirement in found}


# Requirements


@pytest.mark.parametrize("path", ["requirements.txt", "requirements-dev.txt", "deploy/cloud/requirements.txt"])
def test_every_version_is_bounded_on_both_sides(path: str) -> None:
    for requirement in packages(path).values():
        signs = {specifier.operator for specifier in requirement.specifier}
        assert signs in ({">=", "<"}, {"=="}), str(requirement)
        assert requirement.url is None


def test_the_root_requirements_hold_what_was_asked_for_and_name_no_index() -> None:
    assert set(packages("requirements.txt")) >= ASKED_FOR
    assert [line for line in lines("requirements.txt") if line.startswith("-") or "://" in line] == []
    assert [line for line in lines("requirements-dev.txt") if line.startswith("-")] == ["-r requirements.txt"]


def test_what_is_installed_here_is_inside_the_bounds() -> None:
    from importlib.metadata import version

    for requirement in (packages("requirements.txt") | packages("requirements-dev.txt")).values():
        assert requirement.specifier.contains(Version(version(requirement.name)).public, prereleases=True), requirement


def test_the_package_depends_on_the_same_lines() -> None:
    wanted = {str(requirement) for key, requirement in packages("requirements.txt").items() if key != "pytest"}
    assert {str(Requirement(line)) for line in PROJECT["project"]["dependencies"]} == wanted
    tools = packages("requirements-dev.txt") | {"pytest": packages("requirements.txt")["pytest"]}
    extra = {str(Requirement(line)) for line in PROJECT["project"]["optional-dependencies"]["test"]}
    assert extra == {str(requirement) for requirement in tools.values()}


def test_every_library_that_the_code_imports_is_required() -> None:
    imported = {
        alias.split(".")[0]
        for path in app_sources()
        for node in ast.walk(ast.parse(text(path)))
        for alias in (
            [entry.name for entry in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom) and not node.level
            else []
        )
    }
    strangers = imported - set(sys.stdlib_module_names) - {"gantoys", "pages", ""}
    # what a user may leave out is asked for by an extra of its own
    extras = {Requirement(line).name for line in PROJECT["project"]["optional-dependencies"]["mp4"]}
    assert {OTHER_NAMES.get(name, name) for name in strangers} <= set(packages("requirements.txt")) | extras


def test_the_cloud_gets_the_same_packages_and_the_small_torch() -> None:
    root, cloud = packages("requirements.txt"), packages("deploy/cloud/requirements.txt")
    torch, torch_range = cloud.pop("torch"), root.pop("torch").specifier
    (pin,) = torch.specifier
    assert pin.version.endswith("+cpu")
    assert torch_range.contains(Version(pin.version).public)
    root.pop("pytest")
    assert {str(requirement) for requirement in cloud.values()} == {str(requirement) for requirement in root.values()}
    # A list of links, not an index: an index would also answer for numpy and the others.
    options = [line for line in lines("deploy/cloud/requirements.txt") if line.startswith("-")]
    assert [line.split()[0] for line in options] == ["--find-links"]


@pytest.mark.parametrize("file", ["uv.lock", "Pipfile", "environment.yml", "poetry.lock"])
def test_nothing_stands_where_the_cloud_would_prefer_it(file: str) -> None:
    assert [path for path in (ROOT / file, ROOT / "deploy/cloud" / file) if path.exists()] == []


def test_the_cloud_entry_point_runs_the_root_app_with_the_library_in_reach(tmp_path: Path) -> None:
    (tmp_path / "deploy/cloud").mkdir(parents=True)
    shutil.copy(ROOT / "deploy/cloud/app.py", tmp_path / "deploy/cloud/app.py")
    (tmp_path / "gantoys").mkdir()
    (tmp_path / "gantoys/__init__.py").write_text("WHERE = __file__\n")
    (tmp_path / "app.py").write_text("import gantoys\nprint(__name__, __file__, gantoys.WHERE, sep='\\n')\n")
    entry = tmp_path / "deploy/cloud/app.py"
    answer = subprocess.run([sys.executable, entry], cwd="/", capture_output=True, text=True, check=True).stdout
    assert answer.splitlines() == ["__main__", str(tmp_path / "app.py"), str(tmp_path / "gantoys/__init__.py")]


# The two commands


def test_the_continuous_check_runs_what_the_readme_tells_people_to_run() -> None:
    script = ROOT / ".ci" / "run"
    commands = [line for line in text(script).splitlines() if line and not line.startswith("#")]
    assert commands == ["set -eu", 'cd "$(dirname "$0")/.."', "make test"]
    assert script.stat().st_mode & stat.S_IXUSR
    assert "make test" in text(ROOT / "README.md")


def test_the_readme_names_both_commands_and_their_windows_lines() -> None:
    readme = text(ROOT / "README.md")
    for command in ("app", "test"):
        assert f"make {command}" in readme
        assert f"py -3 scripts\\dev.py {command}" in readme


def test_every_command_that_a_document_names_exists() -> None:
    targets = set(re.findall(r"^\.PHONY: (.*)$", text(ROOT / "Makefile"), re.M)[0].split())
    assert targets == set(dev.COMMANDS)
    documents = [path for path in files() if path.suffix == ".md" and path.name != "CHANGELOG.md"]
    named = {word for path in documents for word in re.findall(r"(?:`|^|\$ )make ([a-z-]+)", text(path), re.M)}
    assert named <= targets


def test_the_script_can_be_read_by_a_python_that_is_too_old() -> None:
    ast.parse(text(ROOT / "scripts" / "dev.py"), feature_version=(3, 6))


@pytest.mark.parametrize("version", [(3, 6, 0), (3, 10, 13), (2, 7, 18)])
def test_an_old_python_is_named_with_what_is_needed(version: tuple[int, ...]) -> None:
    sentence = dev.too_old(version)
    assert sentence is not None
    assert f"{version[0]}.{version[1]}" in sentence
    assert "3.11" in sentence


def test_the_oldest_python_is_the_one_the_package_declares() -> None:
    oldest = "{}.{}".format(*dev.OLDEST)
    assert PROJECT["project"]["requires-python"] == f">={oldest}"
    assert dev.too_old(dev.OLDEST) is None


def test_a_missing_venv_module_gives_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dev, "VENV", tmp_path / ".venv")
    monkeypatch.setitem(sys.modules, "ensurepip", None)  # what a failing import leaves
    with pytest.raises(SystemExit, match=r"lacks its venv module.*apt-get install python3\.\d+-venv"):
        dev.make_environment()
    assert not (tmp_path / ".venv").exists()


@pytest.fixture
def pip_calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A project in a temporary folder whose pip writes down what it is asked for."""
    calls: list[str] = []
    monkeypatch.setattr(dev, "ROOT", tmp_path)
    monkeypatch.setattr(dev, "VENV", tmp_path / ".venv")
    monkeypatch.setattr(dev, "PYTHON", Path(sys.executable))
    monkeypatch.setattr(dev, "make_environment", lambda: (tmp_path / ".venv").mkdir(exist_ok=True))
    monkeypatch.setattr(dev, "call", lambda *command, **options: calls.append(str(command[-1])) or 0)
    (tmp_path / "base.txt").write_text("numpy>=2,<3\n")
    (tmp_path / "more.txt").write_text("-r base.txt\npytest>=8,<10\n")
    return calls


def test_a_second_start_installs_nothing_and_a_changed_requirement_installs_again(
    tmp_path: Path, pip_calls: list[str]
) -> None:
    for _ in range(2):
        dev.install(tmp_path / "more.txt", "the test needs")
    assert pip_calls == ["more.txt"]
    (tmp_path / "base.txt").write_text("numpy>=2.1,<3\n")  # also one that is only included
    dev.install(tmp_path / "more.txt", "the test needs")
    assert pip_calls == ["more.txt", "more.txt"]


@pytest.mark.parametrize(("cpu", "files"), [("1", ["requirements.txt", "base.txt"]), ("", ["base.txt"])])
def test_a_computer_without_a_graphics_card_can_ask_for_the_small_torch_first(
    cpu: str, files: list[str], tmp_path: Path, pip_calls: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "deploy/cloud").mkdir(parents=True)
    shutil.copy(ROOT / "deploy/cloud/requirements.txt", tmp_path / "deploy/cloud")
    monkeypatch.setenv("CPU", cpu)
    dev.prepare("base.txt", "the test needs")
    assert [Path(call).name for call in pip_calls] == files


def test_an_installation_that_failed_is_tried_again(
    tmp_path: Path, pip_calls: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dev, "call", lambda *command, **options: pip_calls.append(str(command[-1])) or 1)
    for _ in range(2):
        with pytest.raises(SystemExit, match=r"pip could not install base\.txt"):
            dev.install(tmp_path / "base.txt", "the test needs")
    assert pip_calls == ["base.txt", "base.txt"]


def test_a_machine_without_chromium_gets_one_sentence_and_a_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dev, "CHROMIUM_PATHS", ())
    monkeypatch.delenv("GANTOYS_CHROMIUM", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))  # neither a browser nor apt-get
    with pytest.raises(SystemExit, match=r"Chromium.*apt-get install chromium.*brew install") as stopped:
        dev.ensure_chromium()
    assert stopped.value.code != 0


def test_a_script_that_only_asks_to_install_a_browser_is_no_browser(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asks, starts = tmp_path / "chromium", tmp_path / "chromium-browser"
    for path in (asks, starts):
        path.touch()

    def run(command: list[str], **options: object) -> subprocess.CompletedProcess[bytes]:
        return subprocess.CompletedProcess(command, returncode=0 if command[0] == str(starts) else 1)

    monkeypatch.delenv("GANTOYS_CHROMIUM", raising=False)
    monkeypatch.setattr(dev, "WINDOWS", False)
    monkeypatch.setattr(dev.shutil, "which", lambda name: str(tmp_path / name))
    monkeypatch.setattr(dev.subprocess, "run", run)
    assert dev.find_chromium() == str(starts)


def test_debian_is_asked_for_its_chromium_after_its_lists_are_new(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def call(*command: str, **options: object) -> int:
        asked.append(next(word for word in command if word in ("update", "install")))
        if asked[-1] == "install":
            (tmp_path / "chromium").write_text("#!/bin/sh\n")
            (tmp_path / "chromium").chmod(0o755)
        return 0

    monkeypatch.setattr(dev, "CHROMIUM_PATHS", ())
    monkeypatch.setattr(dev, "may_use_apt", lambda: True)
    monkeypatch.setattr(dev, "starts", lambda browser: True)
    monkeypatch.setattr(dev, "call", call)
    monkeypatch.delenv("GANTOYS_CHROMIUM", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert dev.ensure_chromium() == str(tmp_path / "chromium")
    assert asked == ["update", "install"]


def test_a_failed_check_fails_the_run_but_pytest_still_speaks_last(monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[str] = []

    def call(*command: object, **options: object) -> int:
        ran.append(str(command[2]))
        return 1 if command[2] == "mypy" else 0

    monkeypatch.setattr(dev, "prepare", lambda name, what: None)
    monkeypatch.setattr(dev, "ensure_chromium", lambda: "/usr/bin/chromium")

    class Beside:
        """The tests in the browser, which fail."""

        def wait(self) -> int:
            return 1

        poll = wait

    def begin(*command: object, **options: object) -> Beside:
        ran.append(str(command[3]))
        return Beside()

    monkeypatch.setattr(dev, "call", call)
    monkeypatch.setattr(dev, "begin", begin)
    with pytest.raises(SystemExit, match=r"failed: mypy gantoys$"):
        dev.test([])
    assert ran == ["ruff", "ruff", "mypy", "tests/browser", "pytest", "pytest"]


# Server settings


def test_every_setting_is_known_to_streamlit() -> None:
    known = streamlit_config.get_config_options()
    for section, settings in CONFIG.items():
        for key, value in settings.items():
            keys = [f"{section}.{key}.{inner}" for inner in value] if isinstance(value, dict) else [f"{section}.{key}"]
            assert [dotted for dotted in keys if dotted not in known] == []


def test_every_server_setting_stands_under_its_reason() -> None:
    settings = text(ROOT / ".streamlit/config.toml").split("[theme.light]")[0].splitlines()
    bare = [line for before, line in itertools.pairwise(settings) if "=" in line and before[:2] != "# "]
    assert bare == []


def test_the_server_is_tuned_and_stays_protected() -> None:
    server = CONFIG["server"]
    assert server["fileWatcherType"] == "none"
    assert CONFIG["runner"]["postScriptGC"] is False
    assert server["maxUploadSize"] <= 2
    assert server["maxWidgetStateSize"] <= 2
    assert server["maxMessageSize"] <= 50
    assert CONFIG["client"]["showErrorDetails"] == "none"
    assert CONFIG["browser"]["gatherUsageStats"] is False
    assert not {"enableCORS", "enableXsrfProtection", "enableAgentApi"} & set(server)


@pytest.mark.parametrize(
    ("theme", "roles"),
    [("light", ["#0072B2", "#D55E00", "#009E73"]), ("dark", ["#56B4E9", "#FF8A3D", "#2CD3A0"])],
)
def test_each_theme_starts_its_ten_chart_colours_with_the_roles(theme: str, roles: list[str]) -> None:
    colours = CONFIG["theme"][theme]["chartCategoricalColors"]
    assert colours[:3] == roles
    assert len(set(colours)) == 10
    assert [key for key in CONFIG["theme"][theme] if "font" in key.lower()] == []


def luminance(colour: str) -> float:
    """WCAG 2 relative luminance of #RRGGBB, 0 to 1."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def test_contrast_of_black_on_white_is_21() -> None:
    assert contrast("#000000", "#FFFFFF") == pytest.approx(21)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_words_and_lines_stand_out_from_their_ground(theme: str) -> None:
    # WCAG 2.2: 4.5 for text, 3 for large text and for the lines of a picture.
    look = CONFIG["theme"][theme]
    for ground in (look["backgroundColor"], look["secondaryBackgroundColor"]):
        assert contrast(look["textColor"], ground) >= 7
        assert contrast(look["primaryColor"], ground) >= 4.5
        assert min(contrast(colour, ground) for colour in look["chartCategoricalColors"][:3]) >= 3


# The package


def test_the_wheel_holds_every_file_of_the_library_and_the_command(tmp_path: Path) -> None:
    for part in ("pyproject.toml", "LICENSE", "NOTICE", "README.md"):
        shutil.copy(ROOT / part, tmp_path)
    ours = [path for path in files() if ROOT / "gantoys" in path.parents]
    for path in ours:
        target = tmp_path / path.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)
    pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--no-index"]
    subprocess.run([*pip, "--wheel-dir", tmp_path / "wheel", "."], cwd=tmp_path, check=True)
    (wheel,) = (tmp_path / "wheel").iterdir()
    with zipfile.ZipFile(wheel) as archive:
        inside = {entry for entry in archive.namelist() if entry.startswith("gantoys/")}
        commands = next(entry for entry in archive.namelist() if entry.endswith("entry_points.txt"))
        assert "gantoys = gantoys.__main__:main" in archive.read(commands).decode()
    assert inside == {name(path) for path in ours}


def test_the_command_of_the_package_exists() -> None:
    target, _, function = PROJECT["project"]["scripts"]["gantoys"].partition(":")
    specification = importlib.util.find_spec(target)
    assert specification is not None and specification.origin is not None
    tree = ast.parse(text(Path(specification.origin)))
    assert function in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


# Deployment


def test_the_proxy_keeps_a_visitor_on_one_replica_and_closes_the_metrics() -> None:
    proxy = text(ROOT / "deploy/server/nginx.conf")
    replicas = re.findall(r"server 127\.0\.0\.1:(\d+);", proxy)
    assert "hash $gantoys_visitor consistent;" in proxy
    assert re.search(r"location \^~ /_stcore/metrics \{\s*return 404;", proxy)
    assert "ip_hash" not in proxy
    assert all(f"gantoys@{port}" in text(ROOT / "docs/deploy.md") for port in replicas)


def test_a_replica_listens_to_the_proxy_only() -> None:
    assert "--server.address 127.0.0.1" in text(ROOT / "deploy/server/gantoys@.service")
