"""Commands of the exact theory: `compare`, `gradients`, `losses`."""

from typing import Any

import click
import numpy as np

from gantoys.commands.output import ManyValues, figure, is_point, json_option, point, show
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

MAX_POINTS = 100_000


def _quantity(found: Quantity | None, why: str = "") -> dict[str, Any]:
    if found is None:
        return {"value": None, "method": why, "error": None}
    return {"value": found.value, "method": found.method, "error": found.error}


def _known(text: str, side: str) -> Finite | Mixture1D | Mixture2D:
    law: Toy = parse(text)
    if not isinstance(law, Finite | Mixture1D | Mixture2D):
        raise ValueError(f"{side} is {law.name}, which has no exact density: it can only be sampled")
    return law


@click.command(cls=ManyValues)
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
            number = "       -" if row["value"] is None else f"{figure(row['value'], 8):>14}"
            lines.append(f"{key:<12}{number:>14}   {row['method']}")
        lines += ["", f"{'x':>14}{'D*(x)':>14}{'logit':>14}"]
        for i, place in enumerate(x):
            where = figure(place, 6) if np.ndim(place) == 0 else ",".join(figure(c, 4) for c in place)
            lines.append(f"{where:>14}{figure(best.value[i], 6):>14}{figure(best.logit[i], 6):>14}")
        return "\n".join(lines)

    show(result, as_json, table)


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
            points.append(point(text))
        except ValueError as error:
            raise ValueError(f"--at needs numbers, got {text[:40]!r}") from error
    if any(len(point) != p.dim for point in points):
        raise ValueError(f"--at needs {'numbers' if p.dim == 1 else 'pairs such as 0.5,1'} for {p}")
    x = np.array(points)
    if not np.all(np.isfinite(x)):
        raise ValueError("--at needs finite numbers")
    return x[:, 0] if p.dim == 1 else x


@click.command()
@click.argument("p")
@click.argument("q")
@click.option("--parameter", type=click.Choice(PARAMETERS), default="shift", show_default=True)
@json_option
def gradients(p: str, q: str, parameter: str, as_json: bool) -> None:
    """Per loss the derivative of the generator's expected loss in a parameter of Q, its own best D held fixed."""
    law_p, law_q = _known(p, "P"), _known(q, "Q")
    found = generator_gradients(law_p, law_q, parameter)
    slopes = {k: v.value for k, v in found.items()}
    result: dict[str, Any] = {"p": str(law_p), "q": str(law_q), "parameter": parameter, **slopes}
    # the same numbers under names that are identifiers
    result |= {k.replace("-", "_"): v for k, v in slopes.items()}
    result["error"] = {k: v.error for k, v in found.items()}
    result["method"] = {k: v.method for k, v in found.items()}
    lines = [f"{k:<20}{figure(float(v.value), 8):>16}   {v.method}" for k, v in found.items()]
    show(result, as_json, lambda: "\n".join(lines))


@click.command(cls=ManyValues)
@click.option(
    "--logit", "logits", multiple=True, required=True, metavar="A ...", help="D's output; positive means real."
)
@json_option
def losses(logits: tuple[str, ...], as_json: bool) -> None:
    """Per loss the value and slope of its real, fake and generator parts (paired losses: the other logit at 0)."""
    try:
        a = np.array([float(text) for text in logits])
    except ValueError as error:
        raise ValueError(f"--logit needs numbers, got {next(t for t in logits if not is_point(t))[:40]!r}") from error
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
                    f"{key:<20}{name:<11}{figure(a[i], 4):>10}{figure(part['value'][i], 6):>14}"
                    f"{figure(part['slope'][i], 6):>14}"
                    for i in range(len(a))
                ]
        return "\n".join(lines)

    show(result, as_json, table)


_PARTS = ("real", "fake", "generator")
