"""What the documents say about setting up is what the files do."""

import ast
import contextlib
import http.server
import importlib.util
import itertools
import platform
import re
import shutil
import socket
import stat
import subprocess
import sys
import threading
import time
import tomllib
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

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


@dataclass
class Wheels:
    """A list of wheels on the loopback: what stands in it, how long it takes to answer, how often it was asked."""

    names: list[str]
    seconds: float = 0.0
    asked: int = 0


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


TAG = f"cp{sys.version_info.major}{sys.version_info.minor}"
WHEEL = f"torch-9.0.0%2Bcpu-{TAG}-{TAG}-manylinux_2_28_{platform.machine()}.whl"


@pytest.fixture
def wheels(tmp_path: Path, pip_calls: list[str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Wheels]:
    """A computer that runs Linux, has neither torch nor a graphics card, and asks a list of wheels on the loopback."""
    served = Wheels([WHEEL])

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            served.asked += 1
            time.sleep(served.seconds)
            page = "".join(f'<a href="/whl/cpu/{name}#sha256=0">{name}</a><br/>\n' for name in served.names).encode()
            self.send_response(200)
            self.end_headers()
            with contextlib.suppress(OSError):  # nobody waits any more
                self.wfile.write(page)

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    folder = tmp_path / "deploy/cloud"
    folder.mkdir(parents=True)
    address = f"http://127.0.0.1:{server.server_port}/whl/"
    (folder / "requirements.txt").write_text(f"--find-links {address}\ntorch==9.0.0+cpu\nnumpy>=2,<3\n")
    (tmp_path / "base.txt").write_text("torch>=8,<10\nnumpy>=2,<3\n")
    monkeypatch.delenv("CPU", raising=False)
    monkeypatch.setattr(dev.sys, "platform", "linux")
    monkeypatch.setattr(dev, "PYTHON", tmp_path / ".venv/bin/python")
    monkeypatch.setattr(dev, "has_graphics_card", lambda: False)
    monkeypatch.setattr(dev, "LIST_SECONDS", 0.5)
    yield served
    server.shutdown()
    server.server_close()


def prepared(pip_calls: list[str]) -> list[str]:
    """The files that pip is given when the app is prepared."""
    pip_calls.clear()
    dev.prepare("base.txt", "the test needs")
    return [Path(call).name for call in pip_calls]


SMALL, PLAIN = ["requirements.txt", "base.txt"], ["base.txt"]


def test_a_linux_computer_without_a_graphics_card_gets_the_small_torch(wheels: Wheels, pip_calls: list[str]) -> None:
    assert prepared(pip_calls) == SMALL and wheels.asked == 1


@pytest.mark.parametrize(("cpu", "files"), [("1", SMALL), ("0", PLAIN)])
def test_which_torch_is_taken_can_be_said_and_then_nobody_is_asked(
    cpu: str, files: list[str], wheels: Wheels, pip_calls: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CPU", cpu)
    assert prepared(pip_calls) == files and wheels.asked == 0


def test_a_list_that_does_not_answer_in_time_means_the_plain_torch(wheels: Wheels, pip_calls: list[str]) -> None:
    wheels.seconds = 60.0
    begin = time.monotonic()
    assert prepared(pip_calls) == PLAIN
    assert wheels.asked == 1 and time.monotonic() - begin < 30.0


def test_a_list_that_cannot_be_reached_means_the_plain_torch(
    wheels: Wheels, tmp_path: Path, pip_calls: list[str]
) -> None:
    path = tmp_path / "deploy/cloud/requirements.txt"
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # and does not listen
        path.write_text(re.sub(r":\d+/", f":{nobody.getsockname()[1]}/", path.read_text()))
        assert prepared(pip_calls) == PLAIN and wheels.asked == 0


@pytest.mark.parametrize(
    "name",
    [
        WHEEL.replace("9.0.0", "8.0.0"),
        WHEEL.replace(TAG, "cp39"),
        WHEEL.replace(platform.machine(), "s390x"),
        WHEEL.replace("%2Bcpu", ""),
    ],
)
def test_a_list_without_the_build_for_this_computer_means_the_plain_torch(
    name: str, wheels: Wheels, pip_calls: list[str]
) -> None:
    wheels.names = [name]
    assert prepared(pip_calls) == PLAIN and wheels.asked == 1


@pytest.mark.parametrize("what", ["card", "system", "torch", "second start"])
def test_where_the_small_torch_is_of_no_use_no_list_is_asked(
    what: str, wheels: Wheels, tmp_path: Path, pip_calls: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    if what == "card":
        monkeypatch.setattr(dev, "has_graphics_card", lambda: True)
    elif what == "system":
        monkeypatch.setattr(dev.sys, "platform", "darwin")
    else:  # this Python has torch
        monkeypatch.setattr(dev, "PYTHON", Path(sys.executable))
        monkeypatch.setattr(dev, "has_torch", lambda requirements: True)
    if what == "second start":
        prepared(pip_calls)
    assert prepared(pip_calls) == ([] if what == "second start" else PLAIN) and wheels.asked == 0


def test_a_small_torch_that_cannot_be_fetched_gives_way_to_the_plain_one(
    wheels: Wheels, pip_calls: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def call(*command: object, **options: object) -> int:
        pip_calls.append(str(command[-1]))
        return int("cloud" in str(command[-1]))

    monkeypatch.setattr(dev, "call", call)
    assert prepared(pip_calls) == SMALL


@pytest.mark.parametrize(
    ("line", "has"), [("torch>=2.6,<2.14", True), ("torch>=99,<100", False), ("numpy>=2,<3", True)]
)
def test_whether_the_environment_has_a_torch_that_is_allowed(
    line: str, has: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "base.txt").write_text(f"pillow>=10\n{line}\n")
    (tmp_path / "more.txt").write_text("-r base.txt\n")
    monkeypatch.setattr(dev, "PYTHON", Path(sys.executable))
    assert dev.has_torch(tmp_path / "more.txt") is has
    monkeypatch.setattr(dev, "PYTHON", tmp_path / "none")
    assert dev.has_torch(tmp_path / "more.txt") is (line.startswith("numpy"))


@pytest.mark.parametrize(
    ("vendor", "kind", "path", "has"),
    [
        ("0x10de", "0x030000", "", True),  # NVIDIA's, without a driver
        ("0x10de", "0x040300", "", False),  # only its sound
        ("0x8086", "0x030000", "", False),  # Intel's, which torch cannot use
        ("0x8086", "0x030000", "driver", True),
    ],
)
def test_a_graphics_card_is_known_by_its_maker_or_its_driver(
    vendor: str, kind: str, path: str, has: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    device = tmp_path / "pci" / "0000:01:00.0"
    device.mkdir(parents=True)
    (device / "vendor").write_text(f"{vendor}\n")
    (device / "class").write_text(f"{kind}\n")
    (tmp_path / "driver").touch()
    monkeypatch.setattr(dev, "PCI", tmp_path / "pci")
    monkeypatch.setattr(dev, "CARD_PATHS", (str(tmp_path / (path or "nothing")),))
    monkeypatch.setenv("PATH", str(tmp_path))
    assert dev.has_graphics_card() is has
    monkeypatch.setattr(dev, "PCI", tmp_path / "no such folder")
    assert dev.has_graphics_card() is bool(path)


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


@pytest.mark.parametrize("packages", [["chromium-headless-shell", "chromium"], ["chromium"]], ids=["new", "old"])
def test_debian_is_asked_for_its_chromium_after_its_lists_are_new(
    packages: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def call(*command: str, **options: object) -> int:
        asked.append("update" if "update" in command else command[-2])
        if asked[-1] in packages:
            (tmp_path / asked[-1]).write_text("#!/bin/sh\n")
            (tmp_path / asked[-1]).chmod(0o755)
        return 0

    monkeypatch.setattr(dev, "CHROMIUM_PATHS", ())
    monkeypatch.setattr(dev, "may_use_apt", lambda: True)
    monkeypatch.setattr(dev, "starts", lambda browser: True)
    monkeypatch.setattr(dev, "call", call)
    monkeypatch.delenv("GANTOYS_CHROMIUM", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert dev.ensure_chromium() == str(tmp_path / packages[0])
    assert asked == ["update", *["chromium-headless-shell", "chromium"][: 3 - len(packages)]]


@pytest.mark.parametrize(
    ("arguments", "wanted"),
    [
        ([], ["localhost", "127.0.0.1", "::1"]),
        (["--server.address", "127.0.0.1"], ["localhost", "127.0.0.1", "::1"]),
        (
            ["--server.address=localhost", "--browser.serverAddress=me.example"],
            ["localhost", "127.0.0.1", "::1", "me.example"],
        ),
        (["--server.address", "0.0.0.0"], []),  # by which name others come is not known
        (["--server.address=0.0.0.0", "--server.allowedHosts", "me.example"], []),
        (["--server.allowedHosts=*"], []),
    ],
)
def test_the_app_answers_to_the_names_that_are_known(
    arguments: list[str], wanted: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("STREAMLIT_SERVER_ALLOWED_HOSTS", raising=False)
    ours = dev.names_of(arguments)
    assert [b for a, b in itertools.pairwise(ours) if a == "--server.allowedHosts"] == wanted
    named = any(argument.startswith("--server.address") for argument in arguments)
    assert ("--server.address" in ours) is not named
    monkeypatch.setenv("STREAMLIT_SERVER_ALLOWED_HOSTS", "me.example")
    assert "--server.allowedHosts" not in dev.names_of(arguments)


def test_a_failed_check_fails_the_run_and_all_are_run(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ran: list[str] = []

    def call(*command: object, **options: Any) -> int:
        ran.append(str(command[2]))
        assert "PYTHONDONTWRITEBYTECODE" not in options["env"]
        return int(command[2] == "pytest")

    def begin(*command: object, **options: Any) -> SimpleNamespace:
        ran.append(str(command[2]))
        return SimpleNamespace(communicate=lambda: (b"a type is wrong", None), returncode=1)

    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    monkeypatch.setattr(dev, "prepare", lambda name, what, compiled: None)
    monkeypatch.setattr(dev, "fetch_chromium", lambda: ran.append("browser"))
    monkeypatch.setattr(dev, "ensure_chromium", lambda: "/usr/bin/chromium")
    monkeypatch.setattr(dev, "call", call)
    monkeypatch.setattr(dev, "begin", begin)
    with pytest.raises(SystemExit, match=r"failed: pytest, mypy$"):
        dev.test([])
    assert ran == ["browser", "ruff", "ruff", "mypy", "pytest"] and "a type is wrong" in capsys.readouterr().out


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


def blocks(text: str, head: str) -> list[str]:
    """What stands between the braces of nginx's blocks with that head."""
    found = []
    for match in re.finditer(rf"^ *{head} \{{$", text, re.M):
        depth, end = 1, match.end()
        while depth:
            depth += {"{": 1, "}": -1}.get(text[end], 0)
            end += 1
        found.append(text[match.end() : end - 1])
    return found


def test_the_proxy_sends_its_headers_with_every_answer_and_lets_a_course_embed() -> None:
    proxy = re.sub(r"(^|\s)#.*", "", text(ROOT / "deploy/server/nginx.conf"))
    (site,) = [block for block in blocks(proxy, "server") if "proxy_pass" in block]
    for header in ("X-Content-Type-Options nosniff", "Referrer-Policy same-origin"):
        assert f"add_header {header} always;" in site
    assert "add_header Content-Security-Policy \"frame-ancestors 'self' $gantoys_embedders\" always;" in site
    # one header of its own, and a location loses all of these
    inside = "".join(blocks(site, "location [^{]*"))
    assert "add_header" not in inside.replace("add_header Retry-After 30 always;", "")
    # inside the page of another site a cookie without these is not sent
    assert re.search(r"gantoys=\$request_id; [^\"]*HttpOnly; Secure; SameSite=None; Partitioned", proxy)


def test_whoever_asks_the_proxy_for_another_name_gets_nothing() -> None:
    rest = [block for block in blocks(text(ROOT / "deploy/server/nginx.conf"), "server") if "default_server" in block]
    assert len(rest) == 1 and "return 444;" in rest[0] and "proxy_pass" not in rest[0]
    assert re.findall(r"listen (\d+)", rest[0]) == ["80", "443"]
    assert "STREAMLIT_SERVER_ALLOWED_HOSTS=" in text(ROOT / "docs/deploy.md")


def test_a_class_of_300_may_come_from_one_address() -> None:
    proxy, unit = text(ROOT / "deploy/server/nginx.conf"), text(ROOT / "deploy/server/gantoys@.service")
    caps = {zone: int(count) for zone, count in re.findall(r"limit_conn (\w+) (\d+);", proxy)}
    # a websocket for each, and up to three more while its browser loads the page
    assert caps["gantoys_address"] >= 300 * 4 and caps["gantoys_all"] > caps["gantoys_address"]
    assert "error_page 502 503 504 =503 @full;" in proxy and "full" in "".join(blocks(proxy, "location @full"))
    settings = dict(line.split("=", 1) for line in unit.splitlines() if re.match(r"\w+=", line))
    assert int(settings["LimitNOFILE"]) >= 4 * caps["gantoys_all"] and int(settings["TasksMax"]) >= caps["gantoys_all"]


def test_nginx_takes_the_configuration(tmp_path: Path) -> None:
    """Where nginx is installed it reads the file; elsewhere its blocks at least are closed."""
    proxy = text(ROOT / "deploy/server/nginx.conf")
    assert proxy.count("{") == proxy.count("}")
    nginx, openssl = shutil.which("nginx"), shutil.which("openssl")
    if nginx is None or openssl is None:
        return
    keys = ["-keyout", tmp_path / "privkey.pem", "-out", tmp_path / "fullchain.pem"]
    subject = ["-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=gantoys.example.org"]
    subprocess.run([openssl, "req", "-x509", *subject, *keys], check=True, capture_output=True)
    for there, here in (("/etc/ssl/gantoys", tmp_path), ("/var/cache/gantoys", tmp_path / "cache")):
        proxy = proxy.replace(there, str(here))
    for port in ("80", "443"):  # which only the administrator may open
        proxy = proxy.replace(f"listen {port}", f"listen 127.0.0.1:{51_000 + int(port)}")
    folders = "".join(f"{kind}_temp_path {tmp_path}/{kind};" for kind in ("client_body", "proxy"))
    whole = f"pid {tmp_path}/pid; error_log stderr; events {{}} http {{ access_log off; {folders}\n{proxy}\n}}"
    (tmp_path / "nginx.conf").write_text(whole)
    done = subprocess.run([nginx, "-t", "-c", tmp_path / "nginx.conf"], capture_output=True, text=True)
    assert done.returncode == 0 and "warn" not in done.stderr, done.stderr


def test_a_replica_listens_to_the_proxy_only() -> None:
    assert "--server.address 127.0.0.1" in text(ROOT / "deploy/server/gantoys@.service")
