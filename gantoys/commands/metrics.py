"""Commands that score generated points: `metrics` against real points, `modes` against a mixture of normals."""

from typing import Any

import click
import numpy as np

from gantoys.commands.output import json_option, show
from gantoys.maths import parse
from gantoys.metrics import METRICS, MODE_RULES, Band, median_bandwidth, mode_references, mode_report, neighbours
from gantoys.metrics.files import load_points
from gantoys.metrics.modes import has_modes
from gantoys.metrics.parzen import parzen
from gantoys.metrics.samples import pair

Array = np.ndarray
MOST_COMPARED = 10_000  # points of a set in metrics that compare every two: some five seconds for all of them
_NOISE_POINTS = 3_000_000  # points drawn for the references of one command: some seconds
_NEIGHBOURS = ("precision", "recall", "density", "coverage")
seed_option = click.option(
    "--seed", type=click.IntRange(0, 2**32 - 1), default=0, show_default=True, help="Draws lines and subsets."
)


@click.command()
@click.option("--real", "real_path", required=True, metavar="FILE", help="Real points, a .npy file of shape (n, d).")
@click.option("--fake", "fake_path", required=True, metavar="FILE", help="Generated points, of the same d.")
@click.option("--k", type=int, default=5, show_default=True, help="The neighbour of precision, recall and so on.")
@seed_option
@json_option
def metrics(real_path: str, fake_path: str, k: int, seed: int, as_json: bool) -> None:
    """How near are generated points to real ones? Every metric that needs the two sets of points only."""
    real, fake = pair(load_points(real_path), load_points(fake_path), least=2)
    rng = np.random.default_rng(seed)
    near_real, near_fake = _some(real, rng), _some(fake, rng)
    near = neighbours(near_real, near_fake, k)
    bandwidth = median_bandwidth(near_real, near_fake)
    window = parzen(near_real, near_fake)
    whole = {"js", "frechet", "kid", "w1"}  # cheap for many points
    found: dict[str, float | None] = {}
    notes: dict[str, str] = {}
    for key, row in METRICS.items():
        if row.needs != "samples":
            continue
        if key in _NEIGHBOURS:
            found[key] = getattr(near, key)
        elif key == "parzen":
            found[key] = window.mean
        else:
            # a state of its own, so that no metric moves another one's lines
            knobs: dict[str, Any] = {"rng": np.random.default_rng(seed)} if row.random else {}
            knobs |= {"bandwidth": bandwidth} if key == "mmd2" else {}
            x, y = (real, fake) if key in whole else (near_real, near_fake)
            try:
                found[key] = row.function(x, y, **knobs)
            except ValueError as error:
                found[key], notes[key] = None, str(error)
    result: dict[str, Any] = found | {
        "mmd2_bandwidth": bandwidth,
        "parzen_standard_error": window.standard_error,
        "parzen_sigma": window.sigma,
        "n_real": len(real),
        "n_fake": len(fake),
        "n_compared": [len(near_real), len(near_fake)],
        "dim": real.shape[1],
        "k": k,
        "seed": seed,
        "notes": notes,
    }

    def table() -> str:
        lines = [f"{len(real)} real and {len(fake)} generated points, {real.shape[1]} coordinates each, k = {k}", ""]
        for key, value in found.items():
            better = METRICS[key].direction
            number = f"{'-':>14}" if value is None else f"{value:14.6g}"
            lines.append(f"{METRICS[key].label:<32}{number}   {f'{better} is better' if better else ''}".rstrip())
        return "\n".join(lines + [f"{METRICS[key].label}: {note}" for key, note in notes.items()])

    show(result, as_json, table)


def _some(x: Array, rng: np.random.Generator) -> Array:
    """The points, or a random MOST_COMPARED of them."""
    return x if len(x) <= MOST_COMPARED else x[rng.choice(len(x), MOST_COMPARED, replace=False)]


@click.command()
@click.option("--toy", required=True, metavar="NOTATION", help='The target: "ring(8,radius=1,std=0.01)", a mixture.')
@click.option("--samples", "samples_path", required=True, metavar="FILE", help="Generated points, a .npy file.")
@click.option("--rule", type=click.Choice(list(MODE_RULES)), default="gantoys", show_default=True)
@seed_option
@json_option
def modes(toy: str, samples_path: str, rule: str, seed: int, as_json: bool) -> None:
    """Which modes of a mixture of normals do points cover, beside a perfect generator and pure noise."""
    target = parse(toy)
    if not has_modes(target):
        raise ValueError(f"modes are counted for mixtures of normals on the line or in the plane, not for {target}")
    x = load_points(samples_path)
    if x.shape[1] != target.dim:
        raise ValueError(f"points of {x.shape[1]} coordinates do not fit {target}, which has {target.dim}")
    report = mode_report(x, target, rule)
    draws = int(np.clip(_NOISE_POINTS // len(x), 20, 200))
    known = mode_references(target, len(x), np.random.default_rng(seed), rule=rule, draws=draws)
    result: dict[str, Any] = {
        "toy": str(target),
        "rule": rule,
        "n": report.n,
        "counts": report.counts,
        "covered": report.covered,
        "modes": report.modes,
        "of": len(report.counts),
        "high_quality": report.quality,
        "reverse_kl": report.reverse_kl,
        "perfect": {key: _band(row.perfect) for key, row in known.items()},
        "noise": {key: _band(row.noise) for key, row in known.items()},
        "noise_box": next(iter(known.values())).box,
        "seed": seed,
    }

    def table() -> str:
        lines = [f"{report.n} points on {target}, rule {rule}: {MODE_RULES[rule].label}", ""]
        lines.append(f"{'':<24}{'points':>12}{'perfect generator':>38}{'noise':>12}")
        for key in known:
            band = known[key].perfect
            span = f"{band.mean:.4g} ({band.low:.4g} to {band.high:.4g})"
            lines.append(f"{METRICS[key].label:<24}{result[key]:>12.4g}{span:>38}{known[key].noise.mean:>12.4g}")
        return "\n".join([*lines, "", "good points of each mode: " + " ".join(str(c) for c in report.counts)])

    show(result, as_json, table)


def _band(band: Band) -> dict[str, float | bool | int]:
    return {"mean": band.mean, "low": band.low, "high": band.high, "exact": band.exact, "draws": band.draws}
