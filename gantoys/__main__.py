"""The command line: `gantoys compare`, `gradients`, `losses`, `train`. Bad input ends in status 2 and one sentence."""

import json
import math
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click
import numpy as np

from gantoys import __version__
from gantoys.maths import (
    LOSSES,
    Finite,
    Mixture1D,
    Mixture2D,
    Quantity,
    divergences,
    generator_gradients,
    optimal_discriminator,
    parse,
    w1,
    w2_squared,
)
from gantoys.maths.gradients import PARAMETERS
from gantoys.maths.toys import Toy
from gantoys.runs.config import TrainConfig
from gantoys.runs.film import Film
from gantoys.service.local import Progress, film_paths, seed_range, train_to_file
from gantoys.service.summary import summary

MAX_POINTS = 100_000
json_option = click.option("--json", "as_json", is_flag=True, help='Print JSON; infinities are the string "inf".')


class ManyValues(click.Command):
    """A command whose options with `multiple=True` also take several values after one name: `--at -1 0 1`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Repeats the option's name before each further value."""
        names = {name for p in self.params if isinstance(p, click.Option) and p.multiple for name in p.opts}
        out: list[str] = []
        current, fresh = "", False
        for arg in args:
            if arg in names:
                current, fresh = arg, True
            elif current and (fresh or _is_point(arg)):
                out += [current, arg]
                fresh = False
                continue
            else:
                current = ""
            if arg not in names:
                out.append(arg)
        if fresh:
            out.append(current)
        return super().parse_args(ctx, out)


def _is_point(text: str) -> bool:
    try:
        _point(text)
    except ValueError:
        return False
    return True


def _point(text: str) -> list[float]:
    """A number or a pair such as 0.5,1 or [0.5,1]; raises ValueError."""
    return [float(part) for part in text.strip().removeprefix("[").removesuffix("]").split(",")]


def _plain(value: Any) -> Any:
    """Arrays as lists, infinities as "inf" and "-inf", NaN (not defined) as null."""
    if isinstance(value, np.ndarray):
        return [_plain(v) for v in value] if value.ndim else _plain(value.item())
    if isinstance(value, dict):
        return {k: _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    if isinstance(value, float | np.floating):
        value = float(value)
        if math.isnan(value):
            return None
        return value if math.isfinite(value) else ("inf" if value > 0 else "-inf")
    return value.item() if isinstance(value, np.generic) else value


def _show(result: dict[str, Any], as_json: bool, table: Callable[[], str]) -> None:
    click.echo(json.dumps(_plain(result), allow_nan=False) if as_json else table())


def _quantity(found: Quantity | None, why: str = "") -> dict[str, Any]:
    if found is None:
        return {"value": None, "method": why, "error": None}
    return {"value": found.value, "method": found.method, "error": found.error}


def _known(text: str, side: str) -> Finite | Mixture1D | Mixture2D:
    law: Toy = parse(text)
    if not isinstance(law, Finite | Mixture1D | Mixture2D):
        raise ValueError(f"{side} is {law}, which has no exact density: it can only be sampled")
    return law


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="gantoys")
def cli() -> None:
    """Understand generative adversarial networks: exact theory and small trained GANs."""


@cli.command(cls=ManyValues)
@click.argument("p")
@click.argument("q")
@click.option("--at", "at", multiple=True, metavar="X ...", help="Where to evaluate D*; pairs in the plane: 0.5,1.")
@json_option
def compare(p: str, q: str, at: tuple[str, ...], as_json: bool) -> None:
    """Every divergence between P (p_data) and Q (p_G), and the best discriminator D*. KL is KL(P||Q)."""
    law_p, law_q = _known(p, "P"), _known(q, "Q")
    found = {k: _quantity(v) for k, v in divergences(law_p, law_q).items()}
    value = found.pop("value")
    no_route = "no exact route between two different laws in the plane"
    found |= {"w1": _quantity(w1(law_p, law_q), no_route), "w2_squared": _quantity(w2_squared(law_p, law_q), no_route)}
    found["value"] = value
    x = _positions(law_p, law_q, at)
    best = optimal_discriminator(law_p, law_q, x)
    result: dict[str, Any] = {"p": str(law_p), "q": str(law_q), **found}
    result["d_star"] = {"x": x, "value": best.value, "logit": best.logit}

    def table() -> str:
        lines = [f"p_data = {law_p}", f"p_G    = {law_q}", ""]
        for key, row in found.items():
            number = "       -" if row["value"] is None else f"{float(row['value']):14.8g}"
            lines.append(f"{key:<12}{number:>14}   {row['method']}")
        lines += ["", f"{'x':>14}{'D*(x)':>14}{'logit':>14}"]
        for i, point in enumerate(x):
            where = f"{point:.6g}" if np.ndim(point) == 0 else ",".join(f"{c:.4g}" for c in point)
            lines.append(f"{where:>14}{best.value[i]:14.6g}{best.logit[i]:14.6g}")
        return "\n".join(lines)

    _show(result, as_json, table)


def _positions(p: Finite | Mixture1D | Mixture2D, q: Finite | Mixture1D | Mixture2D, at: tuple[str, ...]) -> np.ndarray:
    if isinstance(p, Finite):
        if at:
            raise ValueError("--at is for continuous distributions: for finite ones D* is given at every outcome")
        return p.points
    if len(at) > MAX_POINTS:
        raise ValueError(f"{len(at)} points are too many: at most {MAX_POINTS} are allowed")
    if not at:
        if isinstance(p, Mixture1D) and isinstance(q, Mixture1D):
            return np.linspace(min(p.box[0], q.box[0]), max(p.box[1], q.box[1]), 9)
        return np.asarray(p.modes)
    points = []
    for text in at:
        try:
            points.append(_point(text))
        except ValueError as error:
            raise ValueError(f"--at needs numbers, got {text[:40]!r}") from error
    if any(len(point) != p.dim for point in points):
        raise ValueError(f"--at needs {'numbers' if p.dim == 1 else 'pairs such as 0.5,1'} for {p}")
    x = np.array(points)
    if not np.all(np.isfinite(x)):
        raise ValueError("--at needs finite numbers")
    return x[:, 0] if p.dim == 1 else x


@cli.command()
@click.argument("p")
@click.argument("q")
@click.option("--parameter", type=click.Choice(PARAMETERS), default="shift", show_default=True)
@json_option
def gradients(p: str, q: str, parameter: str, as_json: bool) -> None:
    """Per loss the derivative of the generator's expected loss in a parameter of Q, with D frozen at D*."""
    law_p, law_q = _known(p, "P"), _known(q, "Q")
    found = generator_gradients(law_p, law_q, parameter)
    slopes = {k: v.value for k, v in found.items()}
    result: dict[str, Any] = {"p": str(law_p), "q": str(law_q), "parameter": parameter, **slopes}
    # the same numbers under names that are identifiers
    result |= {k.replace("-", "_"): v for k, v in slopes.items()}
    result["error"] = {k: v.error for k, v in found.items()}
    result["method"] = {k: v.method for k, v in found.items()}
    _show(result, as_json, lambda: "\n".join(f"{k:<20}{float(v.value):16.8g}   {v.method}" for k, v in found.items()))


@cli.command(cls=ManyValues)
@click.option(
    "--logit", "logits", multiple=True, required=True, metavar="A ...", help="D's output; positive means real."
)
@json_option
def losses(logits: tuple[str, ...], as_json: bool) -> None:
    """Per loss the value and slope of its real, fake and generator parts (paired losses: the other logit at 0)."""
    try:
        a = np.array([float(text) for text in logits])
    except ValueError as error:
        raise ValueError(f"--logit needs numbers, got {next(t for t in logits if not _is_point(t))[:40]!r}") from error
    if not np.all(np.isfinite(a)):
        raise ValueError("--logit needs finite numbers")
    result: dict[str, Any] = {"logit": a}
    with np.errstate(over="ignore"):
        for key, row in LOSSES.items():
            parts = {
                name: {"value": getattr(row, name)(a), "slope": getattr(row, f"{name}_slope")(a)} for name in _PARTS
            }
            result[key] = parts

    def table() -> str:
        lines = [f"{'loss':<20}{'part':<11}{'logit':>10}{'value':>14}{'slope':>14}"]
        for key in LOSSES:
            for name in _PARTS:
                part = result[key][name]
                lines += [
                    f"{key:<20}{name:<11}{a[i]:>10.4g}{part['value'][i]:>14.6g}{part['slope'][i]:>14.6g}"
                    for i in range(len(a))
                ]
        return "\n".join(lines)

    _show(result, as_json, table)


_PARTS = ("real", "fake", "generator")


@cli.command()
@click.option("--toy", default="ring", show_default=True, help="The target in the plane: a name or a notation.")
@click.option("--loss", default="non-saturating", show_default=True, help="A key of the table of losses.")
@click.option("--seeds", default="0:1", show_default=True, metavar="A:B", help="The seeds A to B-1, one film each.")
@click.option("--steps", type=int, help="Moves of each network.")
@click.option("--set", "fields", multiple=True, metavar="FIELD=VALUE", help="Any other field of the run's config.")
@click.option("--film", default="out.film", show_default=True, help="Where the film goes.")
@json_option
def train(
    toy: str, loss: str, seeds: str, steps: int | None, fields: tuple[str, ...], film: str, as_json: bool
) -> None:
    """Trains a small GAN on a target in the plane and writes what it does as a film."""
    wanted: dict[str, Any] = {"toy": toy, "loss": loss} | ({} if steps is None else {"steps": steps})
    wanted |= dict(_field(text) for text in fields)
    many = seed_range(seeds)
    configs = [TrainConfig.build(wanted | {"seed": seed}) for seed in many]
    runs = []
    for config, path in zip(configs, film_paths(film, many), strict=True):
        done = _with_progress(config, path, show=sys.stderr.isatty())
        runs.append(summary(done, path))
    result: dict[str, Any] = {**runs[0], "runs": runs} if len(runs) == 1 else {"runs": runs}

    def table() -> str:
        lines = []
        for run in runs:
            modes = f", {run['modes']['covered']} of {run['modes']['of']} modes" if run["modes"] else ""
            speed = f", {run['steps_per_second']} steps/s" if run["steps_per_second"] else ""
            lines.append(
                f"{run['path']}: {run['status']} after {run['steps']} steps{speed}{modes}. {run['message']}".rstrip()
            )
        return "\n".join(lines)

    _show(result, as_json, table)


def _field(text: str) -> tuple[str, Any]:
    """FIELD=VALUE with the value as JSON where it is (a number, true), else as text."""
    name, equals, value = text.partition("=")
    if not equals:
        raise ValueError(f"--set needs FIELD=VALUE, got {text[:60]!r}")
    try:
        return name.strip(), json.loads(value)
    except ValueError:
        return name.strip(), value


def _with_progress(config: TrainConfig, path: Path, *, show: bool) -> Film:
    if not show:
        return train_to_file(config, path)
    with click.progressbar(length=config.steps, label=f"seed {config.seed}", file=sys.stderr) as bar:

        def moved(now: Progress) -> None:
            speed = f"{now.step / now.seconds:.0f} steps/s" if now.step else "starting"
            bar.label = f"seed {config.seed}, {speed}"
            bar.update(now.step - bar.pos)

        return train_to_file(config, path, moved)


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command line; returns the exit status. Bad input: 2, with one sentence on stderr."""
    try:
        done = cli.main(args=list(sys.argv[1:] if argv is None else argv), prog_name="gantoys", standalone_mode=False)
        return done if isinstance(done, int) else 0
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message())
        return 0
    except click.ClickException as error:
        click.echo(f"gantoys: {_one_line(error.format_message())}", err=True)
        return 2
    except click.Abort:
        return 130
    except (ValueError, OSError, RuntimeError) as error:
        click.echo(f"gantoys: {_one_line(str(error))}", err=True)
        return 2


def _one_line(text: str) -> str:
    return " ".join(text.split())


if __name__ == "__main__":
    sys.exit(main())
