"""Start the app, run the checks: all of it from one file that needs Python and nothing else.

    python3 scripts/dev.py app     make the environment, install what the app needs, open the dashboard
    python3 scripts/dev.py test    install what the tests need, a Chromium included, and run every check
    python3 scripts/dev.py bench   run the benchmarks
    python3 scripts/dev.py load    put a class on the app, kill what it runs on, about half an hour
    python3 scripts/dev.py film    record the film of the start page again

The Makefile calls these lines; on Windows they are called directly (``py -3 scripts\\dev.py app``).
What follows the command is handed on: to Streamlit, to pytest, to the benchmarks.
HEADLESS=1 opens no browser. A Linux computer without a graphics card gets torch's small build where PyTorch's list of
wheels answers; CPU=1 takes it in any case, CPU=0 never.
The syntax stays old on purpose, so that an old Python can still say that it is too old.
"""

import hashlib
import os
import platform
import shutil
import subprocess
import sys
import threading
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
WINDOWS = os.name == "nt"
PYTHON = VENV / ("Scripts/python.exe" if WINDOWS else "bin/python")

OLDEST = (3, 11)
NEWER_NAMES = ("python3.14", "python3.13", "python3.12", "python3.11")
# of each process that shares the cores with others: threads that wait for each other take them from the others
ONE_THREAD = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
MOST_PROCESSES = 4  # of pytest: each serves the app and runs a browser
RESTARTED = "GANTOYS_RESTARTED"  # set while another Python runs this file, so that it happens once

HEADLESS_SHELL = "chromium-headless-shell"  # a Chromium without windows; the tests take a fifth less time with it
CHROMIUM_NAMES = (
    HEADLESS_SHELL,
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
    "chrome",
    "microsoft-edge",
)
CHROMIUM_PATHS = (
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Microsoft Edge.app/Contents/MacOS/Microsoft Edge",
    "C:/Program Files/Google/Chrome/Application/chrome.exe",
    "C:/Program Files (x86)/Google/Chrome/Application/chrome.exe",
    "C:/Program Files (x86)/Microsoft/Edge/Application/msedge.exe",
)
NO_CHROMIUM = (
    "The browser tests need Chromium or Chrome, and none was found: install it (Debian: apt-get install chromium, "
    "macOS: brew install --cask chromium) or name it in GANTOYS_CHROMIUM."
)


LOOPBACK = ("localhost", "127.0.0.1", "::1")

LIST_SECONDS = 3.0
# what there is where a graphics card is that torch can use, its driver or not: NVIDIA's, Jetson's, WSL's, AMD's
CARD_PATHS = (
    "/proc/driver/nvidia/version",
    "/dev/nvidiactl",
    "/dev/nvidia0",
    "/dev/nvmap",
    "/usr/lib/wsl/lib/nvidia-smi",
    "/dev/kfd",
)
PCI = Path("/sys/bus/pci/devices")
NVIDIA, DISPLAY = "0x10de", "0x03"  # a maker, and the class of display controllers


def say(sentence):
    """Print one sentence at once, so that it stands before what the next program prints."""
    print("gantoys: " + sentence, flush=True)


def stop(sentence):
    """End with one sentence on stderr and a status that is not zero."""
    sys.stdout.flush()
    sys.exit("gantoys: " + sentence)


def call(*command, **options):
    """Run a program in the root folder and return its status."""
    return subprocess.call([str(part) for part in command], cwd=str(ROOT), **options)


def begin(*command, **options):
    """Start a program in the root folder whose output is kept until it is asked for."""
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    return subprocess.Popen([str(part) for part in command], cwd=str(ROOT), **pipes, **options)


# Python and its environment


def too_old(version):
    """The sentence for a Python that is too old, None for one that will do."""
    if tuple(version[:2]) >= OLDEST:
        return None
    wanted = "{}.{}".format(*OLDEST)
    return "this is Python {}.{}, and {} or newer is needed: install it, then try again.".format(*version[:2], wanted)


def works(python):
    """Whether this program is a Python that is new enough. A name alone may be an empty shim."""
    test = f"import sys; sys.exit(sys.version_info[:2] < {OLDEST})"
    try:
        return subprocess.call([str(python), "-c", test], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) == 0
    except OSError:
        return False


def be_new_enough(arguments):
    """Hand over to a newer Python of this machine if this one is too old; stop if there is none."""
    sentence = too_old(sys.version_info)
    if sentence is None:
        return
    if not os.environ.get(RESTARTED):
        for name in NEWER_NAMES:
            path = shutil.which(name)
            if path and works(path):
                sys.exit(call(path, __file__, *arguments, env=dict(os.environ, **{RESTARTED: "1"})))
    stop(sentence)


def make_environment():
    """Make .venv, or mend one that was cut off while it was made."""
    try:
        import ensurepip  # noqa: F401
        import venv  # noqa: F401
    except ImportError:
        name = "python{}.{}-venv".format(*sys.version_info[:2])
        stop(f"this Python lacks its venv module: install it (Debian, Ubuntu: apt-get install {name}).")
    if VENV.exists() and not works(PYTHON):
        if PYTHON.exists() and subprocess.call([str(PYTHON), "-c", ""]) == 0:
            stop(f"{VENV} was made by a Python that is too old: delete that folder, then try again.")
        say(f"mending {VENV}")
        status = call(sys.executable, "-m", "venv", "--clear", VENV)
    elif not VENV.exists():
        say(f"making {VENV}")
        status = call(sys.executable, "-m", "venv", VENV)
    else:
        status = 0
    if status == 0 and call(PYTHON, "-c", "import pip", stderr=subprocess.DEVNULL) != 0:
        status = call(PYTHON, "-m", "ensurepip", "--upgrade")
    if status != 0:
        stop(f"could not make {VENV}: the lines above say why.")


def with_included(requirements):
    """The file and those it includes with -r, each once, the included ones first."""
    found = []
    for line in requirements.read_text(encoding="utf-8").splitlines():
        if line.startswith("-r "):
            found += with_included(requirements.parent / line[3:].strip())
    return [path for index, path in enumerate(found) if path not in found[:index]] + [requirements]


def stamp(requirements):
    """What the environment holds once these requirements are installed: their text, hashed."""
    texts = [path.read_bytes() for path in with_included(requirements)]
    return hashlib.sha256(b"\0".join(texts)).hexdigest()


def mark_of(requirements):
    """The file in which an installation of these requirements is noted."""
    return VENV / (".gantoys-" + "-".join(requirements.relative_to(ROOT).with_suffix("").parts))


def installed(requirements):
    """Whether exactly these requirements were installed before."""
    mark = mark_of(requirements)
    return PYTHON.exists() and mark.exists() and mark.read_text(encoding="utf-8") == stamp(requirements)


def install(requirements, what, needed=True, compiled=True):
    """Install a requirements file, unless exactly this one was installed before. Whether it is there; the end if it is
    needed and cannot be had. compiled: whether all is compiled now, which takes longer than to fetch it; else each
    module is when it is imported first."""
    if installed(requirements):
        return True
    make_environment()
    say(f"installing what {what} (once; the first time this takes some minutes)")
    options = ([] if sys.stdout.isatty() else ["--quiet"]) + ([] if compiled else ["--no-compile"])
    pip = (PYTHON, "-m", "pip", "install", "--disable-pip-version-check")
    if call(*pip, *options, "-r", requirements.relative_to(ROOT)) != 0:
        if needed:
            stop(f"pip could not install {requirements.name}: the lines above say why.")
        return False
    # Only now: an installation that was cut off is done again.
    mark_of(requirements).write_text(stamp(requirements), encoding="utf-8")
    return True


def prepare(name, what, compiled=True):
    """Install a requirements file of the root, before it torch's small build where that is asked for, or will do."""
    small = ROOT / "deploy" / "cloud" / "requirements.txt"  # the only place that names PyTorch's list of wheels
    asked = os.environ.get("CPU")
    if asked == "1":
        install(small, "a computer without a graphics card needs", compiled=compiled)
    elif asked != "0" and not installed(ROOT / name) and small_torch_will_do(ROOT / name, small):
        install(small, "a computer without a graphics card needs", needed=False, compiled=compiled)
    install(ROOT / name, what, compiled=compiled)


def small_torch_will_do(requirements, small):
    """Whether torch must be installed, no graphics card is here, and PyTorch's list of wheels has its small build."""
    return (
        sys.platform.startswith("linux")
        and not has_graphics_card()
        and not has_torch(requirements)
        and small_torch_is_listed(small)
    )


def has_graphics_card():
    """Whether this computer has a graphics card that torch could use."""
    if shutil.which("nvidia-smi") or any(os.path.exists(path) for path in CARD_PATHS):
        return True
    try:
        devices = sorted(PCI.iterdir())
    except OSError:
        return False
    return any(is_line(device / "vendor", NVIDIA) and is_line(device / "class", DISPLAY) for device in devices)


def is_line(path, begin):
    """Whether a file begins with these letters."""
    try:
        return path.read_text(encoding="ascii").startswith(begin)
    except (OSError, ValueError):
        return False


FITS = """
import sys
from importlib.metadata import version
from pip._vendor.packaging.requirements import Requirement
sys.exit(not Requirement(sys.argv[1]).specifier.contains(version("torch"), prereleases=True))
"""


def has_torch(requirements):
    """Whether the environment has a torch that these requirements, or those that they include, allow."""
    texts = [path.read_text(encoding="utf-8") for path in with_included(requirements)]
    wanted = [line for text in texts for line in text.splitlines() if line.startswith("torch>")]
    if not wanted or not PYTHON.exists():
        return not wanted
    return call(PYTHON, "-c", FITS, wanted[0], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) == 0


def small_torch_is_listed(small):
    """Whether the list of wheels in a requirements file answers soon, and has the build named there for this Python."""
    lines = small.read_text(encoding="utf-8").splitlines()
    address = next(line.split()[1] for line in lines if line.startswith("--find-links "))
    version = next(line.split("==")[1].strip() for line in lines if line.startswith("torch=="))
    found = []

    def ask():
        try:
            with urllib.request.urlopen(address, timeout=LIST_SECONDS) as answer:
                found.append(answer.read().decode("utf-8", "replace"))
        except (OSError, ValueError):
            pass

    # in a thread, because a name that nobody answers for is not asked for with a bound
    asking = threading.Thread(target=ask, daemon=True)
    asking.start()
    asking.join(LIST_SECONDS)
    tag = "cp{}{}".format(*sys.version_info[:2])
    wheel = "torch-" + version.replace("+", "%2B") + "-" + tag + "-" + tag + "-"
    names = "".join(found).replace("+", "%2B").split("<")
    return any(wheel in name and platform.machine() in name for name in names)


# Chromium


def starts(browser):
    """Whether this browser says its version. Some systems ship a script that only asks to install it."""
    if WINDOWS:  # there the question opens a window
        return True
    try:
        answer = subprocess.run(
            [browser, "--version"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=60
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return answer.returncode == 0


def find_chromium():
    """The path of a Chromium on this machine, or None."""
    named = os.environ.get("GANTOYS_CHROMIUM")
    found = [named] if named else [shutil.which(name) for name in CHROMIUM_NAMES] + list(CHROMIUM_PATHS)
    for path in found:
        if path and os.path.exists(path) and starts(path):
            return path
    return None


def may_use_apt():
    """Whether this is Debian's kind of system and we may install packages."""
    return shutil.which("apt-get") is not None and hasattr(os, "geteuid") and os.geteuid() == 0


def fetch_chromium():
    """Install Debian's Chromium where there is none and we may. What apt says is left to its own end."""
    if os.environ.get("GANTOYS_CHROMIUM") or not may_use_apt() or find_chromium() is not None:
        return
    say("installing Debian's chromium")
    quietly = dict(os.environ, DEBIAN_FRONTEND="noninteractive")
    call("apt-get", "-q", "update", env=quietly)
    for package in (HEADLESS_SHELL, "chromium"):  # older releases have the second only
        # The fonts are a recommendation of chromium's; without any, text has no width.
        call("apt-get", "-qy", "install", "--no-install-recommends", package, "fonts-liberation", env=quietly)
        if find_chromium() is not None:
            return


def ensure_chromium():
    """The path of a Chromium: the one on the machine, else Debian's, else one sentence and the end."""
    fetch_chromium()
    path = find_chromium()
    if path is None:
        stop(NO_CHROMIUM)
    return path


# The commands


def has_display():
    """Whether a browser window can open here."""
    if os.environ.get("HEADLESS") == "1" or os.environ.get("CI"):
        return False
    if WINDOWS or sys.platform == "darwin":
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def given(arguments, option):
    """What an option of the command line is set to, or None."""
    for index, argument in enumerate(arguments):
        name, equals, text = argument.partition("=")
        if name == option:
            return text if equals else "".join(arguments[index + 1 : index + 2])
    return None


def names_of(arguments):
    """The options by which the app answers this computer only, under its own names; nothing that was given is changed.

    A page of another site could else give itself a name that leads here, and talk to the app through the visitor.
    """
    address = given(arguments, "--server.address")
    ours = [] if address else ["--server.address", "localhost"]
    asked = given(arguments, "--server.allowedHosts") or os.environ.get("STREAMLIT_SERVER_ALLOWED_HOSTS")
    if asked or (address and address not in LOOPBACK):
        return ours  # by which names others reach this computer is not known here
    name = given(arguments, "--browser.serverAddress")
    for host in (*LOOPBACK, *([name] if name else [])):
        ours += ["--server.allowedHosts", host]
    return ours


def app(arguments):
    """Open the dashboard on this machine only; it answers nobody else unless asked to."""
    prepare("requirements.txt", "the app needs")
    ours = ["--server.headless", "false" if has_display() else "true", *names_of(arguments)]
    command = [str(PYTHON), "-m", "streamlit", "run", "app.py", *ours, *arguments]
    if not WINDOWS:  # become the server, so that a signal meant for us reaches it
        os.chdir(str(ROOT))
        os.execv(command[0], command)
    try:
        return call(*command)
    except KeyboardInterrupt:
        return 0


def test(arguments):
    """Run every check, also where one before it failed, so that all is known at once.

    Without arguments it shares out its files to as many processes as there are cores, and at least to two."""
    # a browser is fetched while pip works; what is wrong with it is said afterwards
    browser = threading.Thread(target=fetch_chromium, daemon=True)
    browser.start()
    prepare("requirements-dev.txt", "the tests need", compiled=False)
    browser.join()
    environment = dict(os.environ, GANTOYS_CHROMIUM=ensure_chromium())
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # hundreds of processes would each compile what they import
    failed = []
    for check in (("ruff", "check", "."), ("ruff", "format", "--check", ".")):
        say("$ " + " ".join(check))
        if call(PYTHON, "-m", *check, env=environment) != 0:
            failed.append(" ".join(check[:2]))
    types = begin(PYTHON, "-m", "mypy", "gantoys", "app.py", "pages", env=environment)  # it takes one core a minute
    several = []
    if not arguments:
        several = ["-n", str(max(2, min(os.cpu_count() or 1, MOST_PROCESSES))), "--dist", "loadfile"]
        several.append("--no-loadscope-reorder")  # tests/conftest.py has put the files in order
        environment.update(ONE_THREAD)
    command = ["pytest", *several, *arguments]
    say("$ " + " ".join(command))
    if call(PYTHON, "-m", *command, env=environment) != 0:
        failed.append("pytest")
    said = types.communicate()[0]
    say("$ mypy gantoys app.py pages\n" + said.decode("utf-8", "replace").rstrip())
    if types.returncode != 0:
        failed.append("mypy")
    if failed:
        stop("failed: " + ", ".join(failed))
    return 0


def bench(arguments):
    """Print the measured figures of the stage on this machine."""
    prepare("requirements-dev.txt", "the benchmarks need")
    environment = dict(os.environ, GANTOYS_CHROMIUM=ensure_chromium())
    return call(PYTHON, "benchmarks/run.py", *arguments, env=environment)


def load(arguments):
    """Put a class on the run service and on the app, kill workers, tabs and servers, and print what that costs; then
    run the tests that take long, and use every control of every lesson, in every view, twice."""
    prepare("requirements-dev.txt", "the load test needs")
    environment = dict(os.environ, GANTOYS_CHROMIUM=ensure_chromium())
    names = ("service", "kills", "crowd", "arrivals")
    codes = [call(PYTHON, "benchmarks/" + name + ".py", env=environment) for name in names]
    whole = dict(environment, GANTOYS_WALK="whole")
    return max([*codes, call(PYTHON, "-m", "pytest", "-m", "long", env=whole)])


def film(arguments):
    """Train the runs whose films come with gantoys (or those named) and record them."""
    prepare("requirements.txt", "training needs")
    return call(PYTHON, "-m", "gantoys.training.record_films", *arguments)


COMMANDS = {command.__name__: command for command in (app, test, bench, load, film)}


def main(arguments):
    """Run the command named first."""
    if not arguments or arguments[0] not in COMMANDS:
        stop("say one of: " + ", ".join(COMMANDS))
    be_new_enough(arguments)
    try:
        return COMMANDS[arguments[0]](arguments[1:])
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
