"""A GAN on the line: p_data and p_G, the trained D over the best one, and what D lacks."""

import numpy as np

from gantoys.metrics.modes import has_modes
from gantoys.pictures.film_parts import (
    JS,
    LOG2,
    Showing,
    arrow_scale,
    arrow_words,
    js_axis,
    ledger_formula,
    ledger_panel,
    lines,
    shares,
    target_name,
)
from gantoys.runs.span import span
from gantoys.stage.channels import Layer
from gantoys.stage.layers import Area, Arrows, Curve, Rule
from gantoys.stage.scene import Axis, Panel, Readout, Scene, Swept

Array = np.ndarray
TICKS = 200  # generated points drawn as ticks, the first of the film
HEADROOM = 1.7  # height of the density axis, in heights of p_data: a narrower p_G is cut at the top
_ARROWS = 40  # more would hide the densities
_FOOT = 0.13  # the part of the axis below 0, for the ticks, in heights of p_data
_STRINGS = 33  # of the noise's lines from z to x


def line_scene(showing: Showing, *, arrows: bool = False, mesh: bool = False) -> Scene:
    """The scene of a film on the line, as `gantoys.pictures.film.film_scene` makes it."""
    film = showing.film
    x, ends = film.grid_x.astype(float), span((film,))
    top = float(film.density_real.max())
    densities = Panel(
        Axis(*ends, visible=False),
        Axis(-_FOOT * top, HEADROOM * top, "density"),
        (*_densities(showing, x), *_ticks(showing, top), *(_arrows(showing, ends, top) if arrows else ())),
        height_ratio=1.25,
    )
    says = "[*D*(*x*)|disc]" if film.tells else "[critic|disc] around its middle"
    judge = Panel(Axis(*ends, "*x*"), Axis(0, 1, says, ticks=(0, 0.5, 1)), _judge(showing, x), row=1)
    panels = [densities, judge]
    if mesh:
        panels.append(_strings(showing, ends))
    ledger, readouts, formula = _ledger(showing, rows=len(panels))
    return Scene(
        key="film",
        alt=(
            f"A generative adversarial network learning {target_name(film)}: the densities of the real and of the "
            f"generated points, and the trained discriminator, at step {{step:.0f}}; the Jensen–Shannon divergence is "
            f"{'' if film.exact else 'at least '}{{js}} nats."
        ),
        panels=(*panels, ledger),
        controls=(showing.clock(),),
        readouts=readouts,
        formula=formula,
        append_from=showing.behind or None,
    )


def _densities(showing: Showing, x: Array) -> tuple[Layer, ...]:
    real, fake = showing.film.density_real.astype(float), showing.row(showing.film.density, float)
    return (
        Area(x=x, y=real, role="real"),
        Area(x=x, y=fake, role="fake"),
        Curve(x=x, y=real, role="real", label="*p*_{data}"),
        Curve(x=x, y=fake, role="fake", label="*p*_{G}"),
    )


def _ticks(showing: Showing, top: float) -> tuple[Layer, ...]:
    """The first generated points as short upright lines below the axis."""
    points = showing.film.samples[showing.behind :, :TICKS, 0].astype(float)
    count = points.shape[1]
    heights = np.tile([-0.85 * _FOOT * top, -0.25 * _FOOT * top, np.nan], count)
    both = lines(np.repeat(points[:, :, None], 2, axis=2))
    return Rule(at=0.0, role="muted", dashed=False, width=0.5), Curve(
        x=Swept({"step": both}), y=heights, role="fake", width=0.35
    )


def _arrows(showing: Showing, ends: tuple[float, float], top: float) -> tuple[Layer, ...]:
    film = showing.film
    scale = arrow_scale(film.arrows, ends[1] - ends[0])
    count = min(_ARROWS, film.arrows.shape[1])
    # spread over the height by the golden section, so that neighbours can be told apart
    heights = top * (0.08 + 0.9 * ((np.arange(count) * 0.618034) % 1.0))
    return (
        Arrows(
            x=showing.row(film.samples[:, :count, 0], float),
            y=heights,
            dx=showing.row(film.arrows[:, :count, 0], float),
            dy=np.zeros(count),
            scale=scale,
            width=0.7,
        ),
        arrow_words(scale, 0.93),
    )


def _judge(showing: Showing, x: Array) -> tuple[Layer, ...]:
    """The trained D over the best one with the gap between them, or what stands for D where it tells no ratio."""
    film = showing.film
    trained = showing.surface()
    if not film.tells:
        return Rule(at=0.5, role="muted", label="its middle"), Curve(x=x, y=trained, role="disc", label="critic")
    best = showing.row(film.best)
    return (
        Rule(at=0.5, role="muted", label="cannot tell: 1/2"),
        Area(x=x, y=trained, base=best, role="disc", opacity=0.22),
        Curve(x=x, y=best, role="theory", label="*D*^{*}, the best"),
        Curve(x=x, y=trained, role="disc", label="*D*, trained"),
    )


def _strings(showing: Showing, ends: tuple[float, float]) -> Panel:
    """Where G sends noise: each string begins at a place z of a regular grid, below, and ends at G(z)."""
    nodes = showing.film.mesh[showing.behind :, :, 0].astype(float)
    some = nodes[:, np.linspace(0, nodes.shape[1] - 1, _STRINGS).round().astype(int)]
    start = np.broadcast_to(np.linspace(*ends, _STRINGS + 2)[1:-1], some.shape)
    both = lines(np.stack([start, some], axis=2))
    heights = np.tile([0.0, 1.0, np.nan], _STRINGS)
    return Panel(
        Axis(*ends, "*z*", ticks=()),
        Axis(0, 1, "*G* moves *z* (below) to *x* (above)", ticks=()),
        (Curve(x=Swept({"step": both}), y=heights, role="fake", width=0.45),),
        row=2,
        height_ratio=0.5,
        lecture=False,
    )


def _ledger(showing: Showing, rows: int) -> tuple[Panel, tuple[Readout, ...], str]:
    """The value ledger over the run, its numbers, and the formula with them: V = -log 4 + 2 JS - gap."""
    film, js, v = showing.film, showing.js(), showing.value(digits=3)
    told = _covered(showing)
    if not film.tells:
        apart = Rule(at=LOG2, role="theory", label="log 2: nothing in common")
        layers: tuple[Layer, ...] = (apart, showing.curve(film.js, "fake", JS))
        now = "now {js} nats" if film.exact else "now at least {js} nats"
        formula = "0 ≤ JS([*p*_{data}|real], [*p*_{G}|fake]) ≤ log 2 = 0.693; " + now
        return showing.over_steps(js_axis(film), layers, rows=rows), (js, *v, *told), formula
    readouts = (js, *v, showing.shortfall(digits=3), *told)
    return ledger_panel(showing, row=0, rows=rows), readouts, ledger_formula(film, digits=3)


def _covered(showing: Showing) -> tuple[Readout, ...]:
    film = showing.film
    if not has_modes(film.config.target()):
        return ()
    share, modes, _ = shares(film, showing.behind)
    count = share.shape[1]
    moving = Swept({"step": modes})
    return (Readout("modes", f"modes covered, of {count}", moving, kind="trained", digits=0, role="fake"),)
