"""Start the app, run the checks: all of it from one file that needs Python and nothing else.

    python3 scripts/dev.py app     make the environment, install what the app needs, open the dashboard
    python3 scripts/dev.py test    install what the tests need, a Chromium included, and run every check
    python3 scripts/dev.py bench   run the benchmarks
    python3 scripts/dev.py load    put a class on the app, kill what it runs on, about a quarter of an hour
    python3 scripts/dev.py film    record the film of the start page again

The Makefile calls these lines; on Windows they are called directly (``py -3 scripts\\dev.py app``).
What follows the command is handed on: to Streamlit, to pytest, to the benchmarks.
HEADLESS=1 opens no browser; CPU=1 takes torch's small build for Linux computers without a graphics card.
The syntax stays old on purpose, so that an old Python can still say that it is too old.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
WINDOWS = os.name == "nt"
PYTHON = VENV / ("Scripts/python.exe" if WINDOWS else "bin/python")

OLDEST = (3, 11)
NEWER_NAMES = ("python3.14", "python3.13", "python3.12", "python3.11")
RESTARTED = "GANTOYS_RESTARTED"  # set while another Python runs this file, so that it happens once

CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "microsoft-edge")
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
    """Begin a program in the root folder, and do not wait for its end."""
    return subprocess.Popen([str(part) for part in command], cwd=str(ROOT), **options)


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


def install(requirements, what):
    """Install a requirements file, unless exactly this one was installed before."""
    mark = VENV / (".gantoys-" + "-".join(requirements.relative_to(ROOT).with_suffix("").parts))
    if PYTHON.exists() and mark.exists() and mark.read_text(encoding="utf-8") == stamp(requirements):
        return
    make_environment()
    say(f"installing what {what} (once; the first time this takes some minutes)")
    quiet = [] if sys.stdout.isatty() else ["--quiet"]
    pip = (PYTHON, "-m", "pip", "install", "--disable-pip-version-check")
    if call(*pip, *quiet, "-r", requirements.relative_to(ROOT)) != 0:
        stop(f"pip could not install {requirements.name}: the lines above say why.")
    # Only now: an installation that was cut off is done again.
    mark.write_text(stamp(requirements), encoding="utf-8")


def prepare(name, what):
    """Install a requirements file of the root; with CPU=1 first the Cloud's, which brings torch's small build."""
    if os.environ.get("CPU") == "1":
        install(ROOT / "deploy" / "cloud" / "requirements.txt", "a computer without a graphics card needs")
    install(ROOT / name, what)


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


def ensure_chromium():
    """The path of a Chromium: the one on the machine, else Debian's, else one sentence and the end."""
    path = find_chromium()
    if path is None and may_use_apt() and not os.environ.get("GANTOYS_CHROMIUM"):
        say("installing Debian's chromium")
        quietly = dict(os.environ, DEBIAN_FRONTEND="noninteractive")
        call("apt-get", "-q", "update", env=quietly)
        # The fonts are a recommendation of chromium's; without any, text has no width.
        call("apt-get", "-qy", "install", "--no-install-recommends", "chromium", "fonts-liberation", env=quietly)
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


def app(arguments):
    """Open the dashboard on this machine only; it answers nobody else unless asked to."""
    prepare("requirements.txt", "the app needs")
    ours = ["--server.headless", "false" if has_display() else "true"]
    if not any(argument.startswith("--server.address") for argument in arguments):
        ours += ["--server.address", "localhost"]
    command = [str(PYTHON), "-m", "streamlit", "run", "app.py", *ours, *arguments]
    if not WINDOWS:  # become the server, so that a signal meant for us reaches it
        os.chdir(str(ROOT))
        os.execv(command[0], command)
    try:
        return call(*command)
    except KeyboardInterrupt:
        return 0


def test(arguments):
    """Run every check. pytest comes last and runs even if one before it failed, so that all is known at once."""
    prepare("requirements-dev.txt", "the tests need")
    environment = dict(os.environ, GANTOYS_CHROMIUM=ensure_chromium())
    checks = (
        ("ruff", "check", "."),
        ("ruff", "format", "--check", "."),
        ("mypy", "gantoys", "app.py", "pages"),
    )
    failed = []
    for check in checks:
        say("$ " + " ".join(check))
        if call(PYTHON, "-m", *check, env=environment) != 0:
            failed.append(" ".join(check[:2]))
    failed += tested(arguments, environment)
    if failed:
        stop("failed: " + ", ".join(failed))
    return 0


def tested(arguments, environment):
    """Run pytest and return what failed. Without arguments the tests in the browser run beside all others, each on a
    core of their own; what they have to say comes at the end. Those that fail there are run once more, alone."""
    command = [str(PYTHON), "-m", "pytest"]
    if arguments:
        say("$ " + " ".join(["pytest", *arguments]))
        return ["pytest"] if call(*command, *arguments, env=environment) != 0 else []
    say("$ pytest --ignore=tests/browser, and beside it: pytest tests/browser")
    with tempfile.TemporaryFile() as told:
        inside = [*command, "tests/browser", "-o", "cache_dir=.pytest_cache/browser"]
        beside = begin(*inside, env=environment, stdout=told, stderr=subprocess.STDOUT)
        try:
            others = call(*command, "--ignore=tests/browser", env=environment)
            browser = beside.wait()
        finally:
            if beside.poll() is None:
                beside.terminate()
                beside.wait()
        told.seek(0)
        say(told.read().decode("utf-8", "replace"))
    if browser != 0:
        say("once more, with the machine to themselves: the tests in the browser that failed")
        browser = call(*inside, "--last-failed", "--last-failed-no-failures", "none", env=environment)
    return ["pytest"] * (others != 0) + ["pytest tests/browser"] * (browser != 0)


def bench(arguments):
    """Print the measured figures of the stage on this machine."""
    prepare("requirements-dev.txt", "the benchmarks need")
    environment = dict(os.environ, GANTOYS_CHROMIUM=ensure_chromium())
    return call(PYTHON, "benchmarks/run.py", *arguments, env=environment)


def load(arguments):
    """Put a class on the run service and on the app, kill workers, tabs and servers, and print what that costs."""
    prepare("requirements-dev.txt", "the load test needs")
    environment = dict(os.environ, GANTOYS_CHROMIUM=ensure_chromium())
    names = ("service", "kills", "crowd", "arrivals")
    codes = [call(PYTHON, "benchmarks/" + name + ".py", env=environment) for name in names]
    return max(codes)


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
