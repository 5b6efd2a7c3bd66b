"""The gradient of -log D under a D that is perfect up to noise: samples of it beside the Cauchy law."""

import numpy as np

from gantoys.maths.noisy import cauchy_density, cauchy_tail, noisy_gradients, normal_tail
from gantoys.pictures.generator_gradients.state import GradientState
from gantoys.pictures.sweeps import swept_film
from gantoys.shared import shared
from gantoys.stage.layers import Bars, Curve, Rule, Text
from gantoys.stage.scene import Axis, Control, Panel, Readout, Scene

Array = np.ndarray
DRAWS = 8_000
BATCHES = tuple(2**k for k in range(9))
REACH, BINS = 10.0, 50
_TAIL = np.geomspace(0.1, 1e4, 121)
_over = swept_film("points")


@shared
def drawn() -> Array:
    """Gradients for every batch size, each sorted by size: (9, DRAWS); the scale of the Cauchy law is 1."""
    return np.stack([noisy_gradients(DRAWS, n, 1.0, seed=n) for n in BATCHES])


def noisy_scene(state: GradientState) -> Scene:
    """Histogram against density, and how often the gradient is larger than any size, over the points of a batch."""
    found = drawn()
    start = int(np.argmin(np.abs(np.log2(BATCHES) - np.log2(state.points))))
    control = Control("points", "points averaged over", np.array(BATCHES, float), start=start, digits=0)
    beyond = 100 * np.mean(np.abs(found) > 10, axis=1)
    half = np.quantile(np.abs(found), 0.5, axis=1)
    # 19 of 20: the ranks between which the median of all draws lies (David & Nagaraja 2003, section 7.1), and the
    # normal approximation of a binomial
    low, high = np.quantile(np.abs(found), 0.5 + np.array([-0.98, 0.98]) / np.sqrt(DRAWS), axis=1)
    share = 1.96 * np.sqrt(beyond * (100 - beyond) / DRAWS)
    return Scene(
        key="gradients-noisy",
        alt=(
            "Histogram of gradients of minus log D under a noisy discriminator, each the mean over {points} points, "
            "beside the density of the Cauchy law; and the share of them beyond any size."
        ),
        panels=(_histogram(found), _tails(found)),
        controls=(control,),
        readouts=(
            Readout(
                "half", "half lie within ±", _over(half), kind="estimated", digits=2, role="accent", band="half-band"
            ),
            Readout("half-band", "band", _over((high - low) / 2), kind="estimated", digits=2, visible=False),
            Readout(
                "beyond",
                "beyond ±10",
                _over(beyond),
                kind="estimated",
                unit="%",
                digits=1,
                role="accent",
                band="beyond-band",
            ),
            Readout("beyond-band", "band", _over(share), kind="estimated", digits=1, visible=False),
            Readout("law", "beyond ±10, Cauchy", 100 * float(cauchy_tail(np.array(10.0), 1.0)), unit="%", digits=2),
            Readout("most", f"largest of these {DRAWS:,}", _over(np.abs(found).max(axis=1)), form=".3g"),
        ),
        formula=(
            "*D* = 0 + ε,  ∂*D*/∂*x* = 0 + *r*:  −∂ log *D* / ∂*x* = −*r* / ε;  mean over {points}: half within ±{half}"
        ),
    )


def _histogram(found: Array) -> Panel:
    edges = np.linspace(-REACH, REACH, BINS + 1)
    wide = edges[1] - edges[0]
    heights = np.stack([np.histogram(row, edges)[0] / DRAWS / wide for row in found])
    x = np.linspace(-REACH, REACH, 401)
    layers = (
        Bars(
            values=_over(heights[:, None]),
            at=(edges[1:] + edges[:-1]) / 2,
            roles=("accent",),
            width=0.9 * wide,
            opacity=0.6,
        ),
        Curve(x=x, y=cauchy_density(x, 1.0), role="theory", label="Cauchy", label_at=1.6),
        Text(x=0.02, y=0.95, text="ε: noise of *D*", align="left", role="muted", frame=True),
        Text(x=0.02, y=0.87, text="*r*: noise of its slope", align="left", role="muted", frame=True),
    )
    return Panel(
        Axis(-REACH, REACH, "gradient of −log *D*, in units of std *r* / std ε"), Axis(0, 0.38, "density"), layers
    )


def _tails(found: Array) -> Panel:
    """P(size > t): counted, of the Cauchy law, and of a normal law with the same middle half."""
    counted = np.stack([np.mean(np.abs(row)[:, None] > _TAIL, axis=0) for row in found])
    normal = normal_tail(_TAIL, 1.0)
    layers = (
        Curve(
            x=_TAIL,
            y=np.where(normal > 1e-6, normal, np.nan),
            role="muted",
            dashed=False,
            label="normal, same middle half",
        ),
        Curve(x=_TAIL, y=cauchy_tail(_TAIL, 1.0), role="theory", label="Cauchy"),
        Curve(
            x=_TAIL,
            y=_over(np.where(counted > 0, counted, np.nan)),
            role="accent",
            dashed=False,
            width=1.4,
            label="counted",
        ),
        Rule(at=10.0, axis="x", role="muted"),
        Text(x=0.97, y=0.93, text="no mean, no variance", align="right", role="muted", frame=True),
    )
    return Panel(
        Axis(0.1, 1e4, "size", log=True), Axis(1e-4, 1.5, "share of gradients beyond", log=True), layers, column=1
    )
