"""`gantoys train`: trains small GANs and writes their films; goes on with a stopped run; branches off from one."""

import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from gantoys.commands.output import force_option, free, json_option, show
from gantoys.commands.points import centre_option, columns_option, target_of
from gantoys.runs.config import TrainConfig
from gantoys.runs.film import Film
from gantoys.runs.presets import PRESETS
from gantoys.service.local import Progress, seed_range, train_to_file
from gantoys.service.places import film_paths, unfinished
from gantoys.service.protocol import judged
from gantoys.service.summary import summary

FILM = "out.film"


@click.command()
@click.option("--preset", type=click.Choice(list(PRESETS)), help="A published protocol; other options change it.")
@click.option("--toy", help="The target: a name or a notation.  [default: ring]")
@click.option("--points", metavar="FILE", help="The target: points of one or two columns, .npy or CSV; 5,000 are kept.")
@columns_option
@centre_option
@click.option("--loss", help="A key of the table of losses.  [default: non-saturating]")
@click.option("--seeds", metavar="A:B", help="The seeds A to B-1, one film each.  [default: 0:1]")
@click.option("--steps", type=int, help="Moves of each network.")
@click.option("--set", "fields", multiple=True, metavar="FIELD=VALUE", help="Any other field of the run's config.")
@click.option("--film", help=f"Where the film goes; of several, out-SEED.film.  [default: {FILM}]")
@click.option("--resume", metavar="FILM", help="Go on with a run that was stopped, in its own place.")
@click.option("--branch", metavar="FILM", help="Do as that run did up to --at, and from there on as --set says.")
@click.option("--at", type=int, metavar="STEP", help="Where to branch off.")
@click.option("--device", default="cpu", show_default=True, help="Where to train: cpu, or cuda with a graphics card.")
@force_option
@json_option
def train(
    preset: str | None,
    toy: str | None,
    points: str | None,
    columns: str | None,
    centre: bool,
    loss: str | None,
    seeds: str | None,
    steps: int | None,
    fields: tuple[str, ...],
    film: str | None,
    resume: str | None,
    branch: str | None,
    at: int | None,
    device: str,
    force: bool,
    as_json: bool,
) -> None:
    """Train a small GAN on a target and write what it does as a film.

    Several seeds are spread over the cores of this machine. Ctrl-C leaves the films so far; --resume goes on with them.
    """
    if points is not None:
        if toy is not None:
            raise ValueError("--toy and --points both name the target: leave one out")
        toy, told = target_of(points, columns, centre=centre)
        click.echo(told, err=True)
    elif columns is not None or centre:
        raise ValueError("--columns and --centre belong to --points")
    given = {"toy": toy, "loss": loss, "steps": steps}
    wanted = {name: value for name, value in given.items() if value is not None} | dict(map(_field, fields))
    place = Path(film if film is not None else FILM)
    source: Path | None = None
    if resume is not None:
        if (
            wanted
            or preset is not None
            or branch is not None
            or at is not None
            or seeds is not None
            or film is not None
        ):
            raise ValueError("--resume goes on with the film's own config in its own place: it takes no other option")
        config, source = unfinished(resume)
        place = source
    elif branch is not None:
        if preset is not None:
            raise ValueError("a branch has the config of its run: leave out --preset")
        config, source = _branched(branch, at, seeds, wanted)
        if set(_resolved(place, config)) & set(_resolved(source, config)):
            raise ValueError(f"the branch would replace the film {branch}: name another with --film")
    else:
        if at is not None:
            raise ValueError("--at belongs to --branch")
        many = seed_range(seeds) if seeds is not None else None
        if seeds is not None and ":" not in seeds and many is not None and many.start > 1:
            click.echo(f"--seeds {seeds} is one seed, number {seeds}; {seeds} seeds are --seeds 0:{seeds}.", err=True)
        wanted |= {} if many is None else {"seed": many.start, "seeds": len(many)}
        base = {"toy": "ring"} if preset is None else PRESETS[preset].config.model_dump()
        config = TrainConfig.build(base | wanted)
    if resume is None:
        free(film_paths(place, config), force, "--film")
    begin = time.monotonic()
    films = _with_progress(config, place, source, device, visible=sys.stderr.isatty() and not as_json)
    runs = [summary(done, path) for done, path in zip(films, film_paths(place, config), strict=True)]
    seconds = time.monotonic() - begin
    # some of the steps of a run that was gone on with were not taken now
    speed = round(sum(run["steps"] for run in runs) / seconds, 1) if source is None else None
    result: dict[str, Any] = {"seconds": round(seconds, 3), "steps_per_second": speed}
    result |= runs[0] if len(runs) == 1 else {}
    result["runs"] = runs
    protocol = judged(PRESETS[preset], films) if preset is not None else None
    if protocol is not None:
        result["protocol"] = protocol
    show(result, as_json, lambda: _table(runs, seconds, speed, protocol))


def _branched(branch: str, at: int | None, seeds: str | None, wanted: dict[str, Any]) -> tuple[TrainConfig, Path]:
    if at is None:
        raise ValueError("--branch needs --at STEP, where to branch off")
    if seeds is not None:
        raise ValueError("a branch has the seeds of its run: leave out --seeds")
    parent, source = unfinished(branch)
    if "steps" in wanted:
        parent = parent.changed(steps=wanted.pop("steps"))
    if not 0 <= at < parent.steps:
        raise ValueError(f"--at is {at}: it must be a whole number from 0 to {parent.steps - 1}")
    return parent.branched(at, **wanted), source


def _resolved(path: Path, config: TrainConfig) -> list[Path]:
    return [place.resolve() for place in film_paths(path, config)]


def _field(text: str) -> tuple[str, Any]:
    """FIELD=VALUE with the value as JSON where it is (a number, true), else as text."""
    name, equals, value = text.partition("=")
    if not equals:
        raise ValueError(f"--set needs FIELD=VALUE, got {text[:60]!r}")
    try:
        return name.strip(), json.loads(value)
    except ValueError:
        return name.strip(), value


def _with_progress(config: TrainConfig, path: Path, source: Path | None, device: str, *, visible: bool) -> list[Film]:
    if not visible:
        return train_to_file(config, path, source=source, device=device)
    name = f"{config.seeds} seeds" if config.seeds > 1 else f"seed {config.seed}"
    with click.progressbar(length=config.steps * config.seeds, label=name, show_eta=False, file=sys.stderr) as bar:

        def moved(now: Progress) -> None:
            speed, left = now.steps_per_second, now.seconds_left
            bar.length = now.steps
            bar.label = f"{name}, {speed:.0f} steps/s, {_clock(left or 0.0)} left" if speed else f"{name}, starting"
            bar.update(now.step - bar.pos)

        try:
            return train_to_file(config, path, moved, source=source, device=device)
        except KeyboardInterrupt:
            click.echo(f"\nStopped. To go on: gantoys train --resume {path}", err=True)
            raise


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def _table(runs: Sequence[dict[str, Any]], seconds: float, speed: float | None, protocol: dict[str, Any] | None) -> str:
    lines = []
    for run in runs:
        modes = f", {run['modes']['covered']} of {run['modes']['of']} modes" if run["modes"] else ""
        pace = f", {run['steps_per_second']} steps/s" if run["steps_per_second"] else ""
        head = f"{run['path']}: {run['status']} after {run['steps']} steps{pace}{modes}."
        lines.append(f"{head} {run['message']}".rstrip())
    if len(runs) > 1:
        lines.append(f"{len(runs)} seeds in {seconds:.1f} s" + (f", {speed:.0f} steps/s in all." if speed else "."))
    if protocol is not None:
        lines += ["", f"{protocol['preset']}, {protocol['budget']}; published: {protocol['published_row']}"]
        for name, row in protocol["figures"].items():
            ours, theirs = _with_error(row), _with_error(row["published"])
            lines.append(f"  {name:<14}{ours:>18}   published {theirs}")
    return "\n".join(lines)


def _with_error(row: dict[str, Any]) -> str:
    if row["mean"] is None:
        return "-"
    return f"{row['mean']:.4g}" + (f" ± {row['standard_error']:.2g}" if row["standard_error"] is not None else "")
