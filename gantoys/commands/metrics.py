"""Commands that score generated points: `metrics` against real points, `modes` against a mixture of normals."""

import math
from collections.abc import Sequence
from typing import Any

import click
import numpy as np

from gantoys.commands.output import figure, fixed, json_option, show
from gantoys.commands.points import columns_option, read_points, told
from gantoys.maths import parse
from gantoys.maths.points import centred
from gantoys.metrics import METRICS, MODE_RULES, Band, median_bandwidth, mode_references, mode_report
from gantoys.metrics.bands import DRAWS, LEAST_DRAWS, bands_of
from gantoys.metrics.modes import has_modes
from gantoys.metrics.neighbours import BALLS, KEYS
from gantoys.metrics.samples import Scored, pair
from gantoys.metrics.score import scores

Array = np.ndarray
MOST_COMPARED = 10_000  # points of a set in metrics that compare every two: some five seconds for all of them
WHOLE = ("js", "frechet", "kid", "kl", "kl_backward", "w1")  # cheap for many points
SAMPLES = tuple(key for key, row in METRICS.items() if row.needs == "samples")
_PAIRS = 30_000_000  # that the draws of a perfect generator compare in all: some five seconds
# points beyond which hundreds of draws would take minutes; of sets of different sizes, which take bounds and subsets, a
# tenth of them
_DEAR = {"w1": 400, "kid": 1000}
seed_option = click.option(
    "--seed", type=click.IntRange(0, 2**32 - 1), default=0, show_default=True, help="Draws lines, subsets and points."
)


@click.command()
@click.option("--real", "real_path", metavar="FILE", help="Real points, .npy of shape (n, d) or CSV.")
@click.option("--toy", metavar="NOTATION", help="Instead of --real: as many points of this target.")
@click.option("--fake", "fake_path", required=True, metavar="FILE", help="Generated points, of the same d.")
@columns_option
@click.option("--fake-columns", metavar="A,B", help="The same for the generated points.")
@click.option("--centre", is_flag=True, help="Centre and scale the real points, as train --centre has done for G.")
@click.option("--k", type=int, default=5, show_default=True, help="The neighbour of precision, recall, KL and so on.")
@click.option(
    "--balls",
    type=click.Choice(list(BALLS)),
    default="closed",
    show_default=True,
    help="Whether a point on the rim of a ball is in it; open: as in the package prdc.",
)
@click.option(
    "--draws",
    type=click.IntRange(0, 10_000),
    help=f"Draws of a perfect generator; 0: none.  [default: what some seconds allow, at most {DRAWS}]",
)
@seed_option
@json_option
def metrics(
    real_path: str | None,
    toy: str | None,
    fake_path: str,
    columns: str | None,
    fake_columns: str | None,
    centre: bool,
    k: int,
    balls: str,
    draws: int | None,
    seed: int,
    as_json: bool,
) -> None:
    """How near are generated points to real ones, by every metric that needs the two sets of points only?

    Beside each stands what a perfect generator scores: draws from --toy, or a part of the real points against the rest.
    """
    if (real_path is None) == (toy is None):
        raise ValueError("name the real points by --real FILE, or their law by --toy NOTATION: one of them")
    if toy is not None and (centre or columns is not None):
        raise ValueError("--columns and --centre belong to --real")
    found = read_points(fake_path, fake_columns)
    rng = np.random.default_rng(seed)
    said = [told(fake_path, found)]
    if real_path is not None:
        real_found = read_points(real_path, columns)
        real = centred(real_found.points) if centre else real_found.points
        said.insert(0, told(real_path, real_found))
        law = None
    else:
        law = parse(str(toy))
        real = law.sample(len(found.points), rng)
    real, fake = pair(real, found.points)
    near_real, near_fake = _some(real, rng), _some(fake, rng)
    bandwidth = median_bandwidth(near_real, near_fake)
    knobs: dict[str, dict[str, Any]] = {key: {"k": k, "balls": balls} for key in KEYS}
    knobs |= {"mmd2": {"bandwidth": bandwidth}, "kl": {"k": k}, "kl_backward": {"k": k}}
    values = scores(real, fake, WHOLE, knobs, seed=seed)
    values |= scores(near_real, near_fake, [key for key in SAMPLES if key not in WHOLE], knobs, seed=seed)
    values = {key: values[key] for key in SAMPLES}
    perfect, sizes = _perfect(law, real, fake, knobs, draws, np.random.default_rng(seed))
    notes = {key: scored.note for key, scored in values.items() if scored.note}
    result: dict[str, Any] = {
        **{key: scored.value for key, scored in values.items()},
        "errors": {key: scored.error for key, scored in values.items() if scored.error is not None},
        "perfect": {key: _band(band) for key, band in perfect.items()},
        "perfect_points": sizes,
        "mmd2_bandwidth": bandwidth,
        "n_real": len(real),
        "n_fake": len(fake),
        "n_compared": [len(near_real), len(near_fake)],
        "dim": real.shape[1],
        "k": k,
        "balls": balls,
        "seed": seed,
        "read": said,
        "notes": notes,
    }

    def table() -> str:
        d = real.shape[1]
        lines = [
            *said,
            f"{len(real):,} real and {len(fake):,} generated points, {d} coordinate{'s' * (d != 1)} each, k = {k}",
        ]
        lines += ["", f"{'':<36}{'':>22}   {'a perfect generator' if perfect else ''}".rstrip()]
        for key, scored in values.items():
            lines.append(_line(METRICS[key].label, scored, perfect.get(key), METRICS[key].direction))
        below = _about(perfect, sizes, law is not None) if perfect else []
        below += [f"{METRICS[key].label}: {note}." for key, note in notes.items()]
        return "\n".join([*lines, "", *below] if below else lines)

    show(result, as_json, table)


def _some(x: Array, rng: np.random.Generator) -> Array:
    """The points, or a random MOST_COMPARED of them."""
    return x if len(x) <= MOST_COMPARED else x[rng.choice(len(x), MOST_COMPARED, replace=False)]


def _perfect(
    law: Any, real: Array, fake: Array, knobs: dict[str, dict[str, Any]], draws: int | None, rng: np.random.Generator
) -> tuple[dict[str, Band], list[int]]:
    """What a perfect generator scores, by key, and how many real and generated points each draw has.

    It draws from the law; where that is not known a random part of the real points stands for what it makes, and the
    others are the real ones.
    """
    n, m = len(real), len(fake)
    if law is None:
        m = min(m, n // 2)
        n -= m
    count = min(DRAWS, int(_PAIRS / max(1, max(n, m) ** 2))) if draws is None else draws
    if not count or not m:
        return {}, [n, m]

    def draw() -> tuple[Array, Array]:
        if law is not None:
            return pair(law.sample(n, rng), law.sample(m, rng))
        order = rng.permutation(n + m)
        return real[order[m:]], real[order[:m]]

    most = {key: limit if n == m else limit // 10 for key, limit in _DEAR.items()}
    if real.shape[1] == 1:
        most.pop("w1")  # sorting does
    keys = [key for key in SAMPLES if max(n, m) <= most.get(key, max(n, m))]
    return bands_of(keys, draw, count, rng, knobs), [n, m]


def _line(label: str, scored: Scored, perfect: Band | None, better: str | None) -> str:
    number = "-" if math.isnan(scored.value) else _with_error(scored.value, scored.error)
    line = f"{label:<36}{number:>22}"
    if perfect is not None:
        span = "" if math.isnan(perfect.low) else f" ({figure(perfect.low, 3)} to {figure(perfect.high, 3)})"
        line += f"   {'-' if math.isnan(perfect.mean) else figure(perfect.mean, 4) + span:<36}"
    else:
        line += "   " + " " * 36
    return f"{line}{f'{better} is better' if better else ''}".rstrip()


def _with_error(value: float, error: float | None) -> str:
    """The value to six digits, or to the second digit of its error, which stands behind it.

    >>> _with_error(1.9978512, 0.00123), _with_error(2.5, None), _with_error(12345.678, 20.0)
    ('1.9979 ± 0.0012', '2.5', '12346 ± 20')
    """
    if error is None or error == 0:
        return figure(value, 6)
    places = max(0, 1 - math.floor(math.log10(error)))
    if places > 12 or abs(value) >= 1e7:
        return f"{figure(value, 6)} ± {error:.1g}"
    return f"{fixed(value, places)} ± {error:.2g}"


def _about(perfect: dict[str, Band], sizes: Sequence[int], known: bool) -> list[str]:
    """What the numbers of the perfect generator are, in sentences."""
    draws = max(band.draws for band in perfect.values())
    of = "draws from the target" if known else "a random part of the real points against the others"
    lines = [f"A perfect generator: {of}, {sizes[0]:,} real and {sizes[1]:,} generated points."]
    if draws >= LEAST_DRAWS:
        lines.append(f"The mean of {draws} draws; in brackets, where 19 of 20 lie.")
    else:
        lines.append(f"The mean of {draws} draws; a band takes at least {LEAST_DRAWS} (--draws).")
    if not known:
        lines.append("Sets that are smaller than those scored have larger distances by chance alone.")
    return lines


@click.command()
@click.option("--toy", required=True, metavar="NOTATION", help='The target: "ring(8,radius=1,std=0.01)", a mixture.')
@click.option("--samples", "samples_path", required=True, metavar="FILE", help="Generated points, .npy or CSV.")
@columns_option
@click.option("--rule", type=click.Choice(list(MODE_RULES)), default="gantoys", show_default=True)
@seed_option
@json_option
def modes(toy: str, samples_path: str, columns: str | None, rule: str, seed: int, as_json: bool) -> None:
    """Which modes of a mixture of normals do points cover, beside a perfect generator and pure noise."""
    target = parse(toy)
    if not has_modes(target):
        raise ValueError(f"modes are counted for mixtures of normals on the line or in the plane, not for {target}")
    x = read_points(samples_path, columns).points
    if x.shape[1] != target.dim:
        many = f"{x.shape[1]} coordinate{'s' * (x.shape[1] != 1)}"
        raise ValueError(f"points of {many} do not fit {target}, which has {target.dim}")
    report = mode_report(x, target, rule)
    known = mode_references(target, len(x), np.random.default_rng(seed), rule=rule)
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
        lines = [f"{report.n:,} points on {target}, rule {rule}: {MODE_RULES[rule].label}", ""]
        lines.append(f"{'':<24}{'points':>12}{'a perfect generator (19 of 20)':>38}{'noise':>12}")
        for key in known:
            band = known[key].perfect
            span = f"{band.mean:.4g} ({band.low:.4g} to {band.high:.4g})"
            number = "-" if math.isnan(result[key]) else f"{result[key]:.4g}"
            lines.append(f"{METRICS[key].label:<24}{number:>12}{span:>38}{known[key].noise.mean:>12.4g}")
        return "\n".join([*lines, "", "good points of each mode: " + " ".join(str(c) for c in report.counts)])

    show(result, as_json, table)


def _band(band: Band) -> dict[str, float | bool | int]:
    return {"mean": band.mean, "low": band.low, "high": band.high, "exact": band.exact, "draws": band.draws}
