"""Records the films that come with gantoys: `python -m gantoys.training.record_films [NAME ...]`, or else all."""

import sys

from gantoys.runs.film import Film
from gantoys.runs.recordings import FOLDER, RECORDINGS, path
from gantoys.training.worker import record


def main(names: list[str]) -> int:
    """Train each recording's config, write its film, and say what came of it. Returns 2 for an unknown name."""
    unknown = [name for name in names if name not in RECORDINGS]
    if unknown:
        print(f"there is no recording {unknown[0]!r}; there are: {', '.join(RECORDINGS)}", file=sys.stderr)
        return 2
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name in names or RECORDINGS:
        to = path(name)
        part = to.with_suffix(".part")
        record(RECORDINGS[name], to, part)
        film = Film.load(to)
        size = to.stat().st_size / 1e6
        print(f"{name}: {film.status}, {len(film)} frames, {size:.2f} MB, {film.seconds[-1]:.1f} s of training")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
