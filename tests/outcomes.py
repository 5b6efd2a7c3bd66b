"""What the trainings do of which the lessons speak, over several seeds: measured, and kept in `data/outcomes.json`.

    python tests/outcomes.py [NAME ...]     train and measure again (all: some minutes), and write the file

A run ends differently on another machine, where sums have another order; so the words say what holds over seeds, and
`test_outcomes.py` asks of the file whether it does, and of one seed trained anew.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [] if str(ROOT) in sys.path else [str(ROOT)]

from gantoys.lessons import load  # noqa: E402
from gantoys.metrics.modes import has_modes, mode_report  # noqa: E402
from gantoys.pictures.compare_state import CompareState, entrants  # noqa: E402
from gantoys.pictures.lab_presets import LAB_PRESETS  # noqa: E402
from gantoys.pictures.lab_state import LabState  # noqa: E402
from gantoys.runs.config import RECIPE, TrainConfig  # noqa: E402
from gantoys.runs.film import Film  # noqa: E402
from gantoys.runs.store import numbered  # noqa: E402

FILE = ROOT / "tests" / "data" / "outcomes.json"
SEEDS = 8
# frames at equal distances, so that a share of them is a share of the run
LOOKS: dict[str, Any] = {"frames": 21, "cadence": "even", "grid": 16, "shown": 800}


def runs() -> dict[str, TrainConfig]:
    """Every training that a lesson speaks of, by the place where it does: one config of one seed."""
    found = {f"lab/{key}": row.config for key, row in LAB_PRESETS.items()}
    found |= {f"lab/try {k + 1}": LabState(**chip.state).config for k, chip in enumerate(load("lab").tries)}
    for k, chip in enumerate(load("compare").tries):
        found |= {f"compare/try {k + 1} {run.letter}": run.config for run in entrants(CompareState(**chip.state))}
    return found


def measured(config: TrainConfig, seeds: int = SEEDS) -> dict[str, Any]:
    """The figures of `seeds` runs from the config's own seed on: lists over seeds, and over frames where they move."""
    from gantoys.training.filming import record

    many = config.changed(seeds=seeds, **LOOKS)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.film"
        record(many, path)
        films = [Film.load(numbered(path, k) if seeds > 1 else path) for k in range(seeds)]
    return {"config": config.digest(), "steps": films[0].step.tolist(), "seeds": [figures(film) for film in films]}


def figures(film: Film) -> dict[str, Any]:
    """The figures of one film."""
    told: dict[str, Any] = {"status": film.status, "last": int(film.step[-1])}
    for name in ("js", "value", "loss_d", "loss_g", "d_real", "d_fake"):
        told[name] = np.round(getattr(film, name).astype(float), 3).tolist()
    told["spread"] = np.round(film.logits.astype(float).std(tuple(range(1, film.logits.ndim))), 3).tolist()
    target = film.config.target()
    if has_modes(target):
        reports = [mode_report(points.astype(float), target) for points in film.samples]
        told["modes"] = [report.modes for report in reports]
        told["quality"] = [round(report.quality, 3) for report in reports]
    return told


def kept() -> dict[str, Any]:
    """What was measured. Raises ValueError where it belongs to another version of the engine."""
    known: dict[str, Any] = json.loads(FILE.read_text(encoding="utf-8"))
    if known["recipe"] != RECIPE:
        raise ValueError("the engine has changed: measure again by `python tests/outcomes.py`")
    return known


def main(names: list[str]) -> int:
    """Measure the runs named, or those whose config has changed, or all of another version; write the file."""
    known = json.loads(FILE.read_text(encoding="utf-8")) if FILE.exists() else {}
    old = known.get("runs", {}) if known.get("recipe") == RECIPE else {}
    wanted, done = runs(), {}
    for name, config in wanted.items():
        if name in old and old[name]["config"] == config.digest() and not any(part in name for part in names):
            done[name] = old[name]
            continue
        twin = next((row for row in done.values() if row["config"] == config.digest()), None)
        done[name] = twin if twin is not None else measured(config)
        ends = [(s["js"][-1], s.get("modes", [None])[-1]) for s in done[name]["seeds"]]
        print(name, *ends, flush=True)
        text = json.dumps({"recipe": RECIPE, "runs": old | done}, separators=(",", ":"))
        FILE.write_text(text.replace('"seeds":', '\n"seeds":') + "\n", encoding="utf-8")
    text = json.dumps({"recipe": RECIPE, "runs": done}, separators=(",", ":"))
    FILE.write_text(text.replace('"seeds":', '\n"seeds":') + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
