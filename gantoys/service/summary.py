"""What one film comes to, in numbers: the JSON of the command line."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from gantoys.metrics.modes import has_modes, mode_report
from gantoys.runs.film import Film
from gantoys.runs.film_file import ERRORS


def summary(film: Film, path: str | os.PathLike[str]) -> dict[str, Any]:
    """Config, digest, status and the last frame's figures of a film, as values that JSON can hold.

    Figures belong to the one seed that the film shows. `modes` is None where the target is not a mixture of normals;
    figures are None for a film without frames.
    """
    target = film.config.target()
    seconds = float(film.seconds[-1]) if len(film.seconds) else None
    steps = int(film.step[-1]) if len(film) else 0
    modes = None
    if len(film) and has_modes(target):
        report = mode_report(film.samples[-1], target)
        modes = {
            "covered": report.modes,
            "of": len(report.counts),
            "high_quality": round(report.quality, 4),
            "counts": report.counts.tolist(),
            "points": report.n,
            "rule": "within 3 std of the nearest mode; covered from a tenth of its due share on",
        }
    last: dict[str, Any] = {
        name: _last(getattr(film, name)) for name in ("loss_d", "loss_g", "value", "js", "d_real", "d_fake")
    }
    last |= {f"{name}_error": _last(film.error(name)) for name in ERRORS}
    last |= {"exact": film.exact, "tells_probability": film.tells}
    return {
        "config": film.config.model_dump(mode="json"),
        "digest": film.config.digest(),
        "seed": film.seed,
        "status": film.status,
        "message": film.message,
        "steps": steps,
        "seconds": seconds,
        "steps_per_second": round(steps / seconds, 1) if seconds else None,
        "frames": len(film),
        "path": str(Path(path)),
        "modes": modes,
        "final": last,
    }


def _last(values: Any) -> float | None:
    return round(float(values[-1]), 6) if len(values) else None
