"""A film in the forms that people keep (GIF, MP4, tables, config, command line, its own file), and a film opened again.

Everything is bytes or text in memory, made when it is asked for. `gantoys.service.weights` keeps the networks.
"""

from __future__ import annotations

import csv
import io
import json
import shlex
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from gantoys.metrics.modes import has_modes, mode_report
from gantoys.runs.config import TrainConfig
from gantoys.runs.film import Film
from gantoys.runs.film_file import MAGIC, FilmWriter, frame_fields, static_fields
from gantoys.service.gif import write_gif
from gantoys.service.mp4 import write_mp4

Array = np.ndarray
OPEN_BYTES = 16 * 2**20  # of a film that somebody uploads: the largest that a config allows takes 13 MB
FIGURES = ("loss_d", "loss_g", "value", "js", "d_real", "d_fake", "grad_d", "grad_g")
_FORMULA = ("=", "+", "-", "@", "\t", "\r")  # a spreadsheet runs a text that begins so
_NAME = "file"  # of an uploaded film in messages: "the film file is damaged"


def frame_at(film: Film, step: int) -> int:
    """The index of the newest frame taken at or before `step`, the first if there is none; ValueError: no frame."""
    if not len(film):
        raise ValueError("the film holds no picture yet")
    return max(0, int(np.searchsorted(film.step, step, side="right")) - 1)


def gif_bytes(film: Film, **how: Any) -> bytes:
    """The film as a GIF; `how` and what raises: see `gantoys.service.gif.write_gif`."""
    with tempfile.TemporaryDirectory(prefix="gantoys-") as folder:
        path = Path(folder) / "film.gif"
        write_gif(film, path, **how)
        return path.read_bytes()


def mp4_bytes(film: Film, **how: Any) -> bytes:
    """The film as a video; `how` and what raises: see `gantoys.service.mp4.write_mp4`."""
    with tempfile.TemporaryDirectory(prefix="gantoys-") as folder:
        path = Path(folder) / "film.mp4"
        write_mp4(film, path, **how)
        return path.read_bytes()


def film_bytes(film: Film) -> bytes:
    """The film's own file, which `Film.load` and `open_film` read. One that still grows is closed as stopped.

    Of a film to which more pictures were added than its run takes, those of the run are kept.
    Raises ValueError for a film that lacks its first frames, OSError where no temporary file can be written.
    """
    if film.first:
        raise ValueError(f"the film lacks its first {film.first} frames")
    config, every = film.config, np.arange(len(film))
    kept = every if len(film) <= config.frames else every[np.isin(film.step, config.recorded_steps())]
    names = [field.name for field in frame_fields(config)]
    seconds = film.seconds if len(film.seconds) == len(film) else np.zeros(len(film))
    at = int(film.step[-1]) if len(film) else 0
    ended = film.status != "running"
    with tempfile.TemporaryDirectory(prefix="gantoys-") as folder:
        statics = {field.name: getattr(film, field.name) for field in static_fields(film.config)}
        writer = FilmWriter(Path(folder) / "out.film", film.config, statics, member=film.member)
        try:
            for k in kept:
                writer.append({name: getattr(film, name)[k] for name in names}, float(seconds[k]))
            written = writer.finish(
                film.status if ended else "stopped", film.message if ended else f"Kept at step {at:,} of a longer run."
            )
        finally:
            writer.close()
        return written.read_bytes()


def open_film(data: bytes) -> Film:
    """The film in an uploaded file, with every check of `Film.load`; nothing in it is taken on trust.

    Raises ValueError with one sentence: too large (OPEN_BYTES, looked at first), no film, cut short, damaged, of
    another version. OSError where no temporary file can be written.
    """
    if len(data) > OPEN_BYTES:
        raise ValueError(f"the file has {len(data):,} bytes: films of at most {OPEN_BYTES:,} are opened")
    if not data.startswith(MAGIC):
        raise ValueError("this is not a film of gantoys: choose a file that “The film itself” or gantoys train wrote")
    with tempfile.TemporaryDirectory(prefix="gantoys-") as folder:
        path = Path(folder) / _NAME
        path.write_bytes(data)
        try:
            film = Film.load(path)
        except FileNotFoundError:  # what a growing film raises whose header is not whole yet
            raise ValueError("the film file is damaged: it is cut short") from None
    if not len(film):
        raise ValueError("the film file holds no picture")
    return film


def csv_text(names: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    r"""A table as CSV: commas, one header line, lines that end in \r\n (RFC 4180).

    Numbers are written with the digits that give back the same number. A *text* never begins with = + - @ or a control
    sign, which a spreadsheet would take for a formula: an apostrophe is put before it.

    >>> csv_text(["x", "note"], [(-1.5, "=1+1")])
    "x,note\r\n-1.5,'=1+1\r\n"
    """
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(map(_cell, names))
    writer.writerows(map(_cell, row) for row in rows)
    return out.getvalue()


def _cell(value: Any) -> str:
    if isinstance(value, str):
        # the sign may also stand behind blanks, which some programs skip
        return f"'{value}" if value.startswith(_FORMULA) or value.lstrip().startswith(_FORMULA) else value
    return "" if value is None else str(value)


def samples_csv(film: Film, step: int) -> str:
    """The generated points of the newest frame at or before `step`: columns x, or x and y. ValueError: no frame."""
    points = film.samples[frame_at(film, step)]
    return csv_text("xy"[: film.config.dim], points)


def figures_csv(film: Film) -> str:
    """One row a frame: step, the figures of `Film` (losses, value and js in nats), wall seconds where they are known.

    Where the target is a mixture of normals also how many modes are covered and the share of good points, by
    `gantoys.metrics.mode_report`'s own rule.
    """
    target = film.config.target()
    names = ["step", *FIGURES, "seconds"]
    columns: list[Any] = [getattr(film, name) for name in names[:-1]]
    columns.append(film.seconds if len(film.seconds) == len(film) else [None] * len(film))
    if has_modes(target):
        reports = [mode_report(samples, target) for samples in film.samples]
        names += ["modes_covered", "high_quality"]
        columns += [[r.modes for r in reports], [r.quality for r in reports]]
    return csv_text(names, zip(*columns, strict=True))


def config_json(config: TrainConfig) -> str:
    """All fields of the config as indented JSON, which `TrainConfig.read` turns back into the same config."""
    return json.dumps(config.model_dump(mode="json"), indent=2, allow_nan=False) + "\n"


def command_line(config: TrainConfig, film: str = "again.film") -> str:
    """The command that trains this config again, `gantoys train ...`, quoted for a POSIX shell.

    Every field that differs from its default is named; the film goes to `film`.

    >>> command_line(TrainConfig(toy="ring", steps=100, width=64))
    "gantoys train --toy 'ring(8,radius=2,std=0.1)' --steps 100 --set width=64 --film again.film"
    """
    values = config.model_dump(mode="json", exclude_defaults=True) | {"toy": config.toy}
    words = ["gantoys", "train"]
    for name in ("toy", "loss", "steps"):
        if name in values:
            words += [f"--{name}", str(values.pop(name))]
    if {"seed", "seeds"} & set(values):
        words += ["--seeds", f"{config.seed}:{config.seed + config.seeds}"]
    for name in sorted(set(values) - {"seed", "seeds"}):
        words += ["--set", f"{name}={_written(values[name])}"]
    return shlex.join([*words, "--film", film])


def _written(value: Any) -> str:
    """A value as the command line reads it: JSON where that is not a plain word."""
    if isinstance(value, str):
        try:
            json.loads(value)
        except ValueError:
            return value
    return json.dumps(value, separators=(",", ":"), allow_nan=False)
