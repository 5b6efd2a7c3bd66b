"""The films on disk, each under the digest of its config, so that equal configs find one film.

The folder is `$GANTOYS_HOME/films`, or else `films` in the user's cache folder for gantoys. Where that cannot be
written (a read-only disk) a private folder among the temporary files takes its place.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import tempfile
import time
import uuid
from pathlib import Path

from gantoys.runs.config import TrainConfig
from gantoys.runs.film import Film

log = logging.getLogger(__name__)
STALE_SECONDS = 86_400.0  # an unfinished film that old belongs to a process that is gone


def home() -> Path:
    """The folder that gantoys keeps its files in: `$GANTOYS_HOME`, else the platform's cache folder for gantoys."""
    if given := os.environ.get("GANTOYS_HOME"):
        return Path(given).expanduser()
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local") / "gantoys" / "Cache"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "gantoys"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "gantoys"


def _writable(folder: Path) -> bool:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False


class Store:
    """Films under the digests of their configs. Safe to use from several processes at once."""

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder if folder is not None else _home_films()
        if not _writable(self.folder):
            # mkdtemp: nobody else can have put anything there before us
            replacement = Path(tempfile.mkdtemp(prefix="gantoys-films-"))
            log.warning("films cannot be kept in %s; they are kept in %s for now", self.folder, replacement)
            self.folder = replacement
        self._sweep()

    def _sweep(self) -> None:
        for part in self.folder.glob("*.part"):
            with contextlib.suppress(OSError):
                if time.time() - part.stat().st_mtime > STALE_SECONDS:
                    part.unlink()

    def path(self, config: TrainConfig) -> Path:
        """Where the finished film of a config is kept."""
        return self.folder / f"{config.digest()}.film"

    def part(self, config: TrainConfig) -> Path:
        """A new name under which a film of that config may grow; no other process is given the same."""
        return self.folder / f"{config.digest()}.{uuid.uuid4().hex[:12]}.part"

    def find(self, config: TrainConfig) -> Film | None:
        """The finished film of a config, or None. A damaged file is removed and counts as not there."""
        path = self.path(config)
        try:
            film = Film.load(path)
            if film.config == config and film.status in ("done", "diverged"):
                return film
            log.warning("the film %s is not what its name says; it is removed", path.name)
        except FileNotFoundError:
            if not path.exists():
                return None
            log.warning("the film %s is cut short; it is removed", path.name)
        except ValueError as error:
            log.warning("%s; it is removed", error)
        except OSError as error:
            log.warning("the film %s cannot be read: %s", path.name, error.strerror)
            return None
        with contextlib.suppress(OSError):
            path.unlink()
        return None


def _home_films() -> Path:
    try:
        return home() / "films"
    except RuntimeError:  # no home folder: a service account
        return Path(tempfile.gettempdir()) / "gantoys-no-home"
