"""Records the film of the start page again, from its config: `python -m gantoys.training.record_start`."""

from gantoys.metrics.modes import mode_report
from gantoys.runs.film import Film
from gantoys.runs.presets import START, START_FILM
from gantoys.training.worker import record


def main() -> None:
    """Train `START`, write `START_FILM`, and say what came of it."""
    START_FILM.parent.mkdir(parents=True, exist_ok=True)
    record(START, START_FILM)
    film = Film.load(START_FILM)
    report = mode_report(film.samples[-1], START.target())
    size = START_FILM.stat().st_size / 1e6
    print(f"{START_FILM}: {film.status}, {len(film)} frames, {size:.2f} MB, {film.seconds[-1]:.1f} s of training")
    print(f"modes covered at the end: {report.modes} of {len(report.counts)}; of high quality: {report.quality:.1%}")


if __name__ == "__main__":
    main()
