"""The plane of both players with its field, path and particles; the eigenvalues and where they must lie; the radius."""

import hashlib
from typing import Literal

import numpy as np

from gantoys.maths.dynamics import RULES
from gantoys.maths.dynamics_limits import LongRun, long_run
from gantoys.pictures.dynamics.paths import POSITIONS, Along, Paths, paths
from gantoys.pictures.dynamics.plane import eigen_panel
from gantoys.pictures.dynamics.state import REACH, DynamicsState
from gantoys.stage.channels import Layer
from gantoys.stage.layers import Arrows, Curve, Handle, Points, Rule
from gantoys.stage.scene import Axis, Control, Panel, Readout, Scene, Swept

Array = np.ndarray
FRAMES_PER_SECOND = 36.0
FIELD = 13
LONGEST_ARROW = 0.26
TRAIL = ((6, 0.2, 1.5), (4, 0.32, 1.9), (2, 0.5, 2.3), (0, 0.95, 3.0))  # frames ago, opacity, size
NEAREST, FURTHEST = 1e-3, 20.0  # of the distance's axis
MOVES = {
    "flow": "*dw* / *dt* = *v*(*w*)",
    "simultaneous": "*w* ← *w* + *h v*(*w*)",
    "alternating": "first [*θ* ← *θ* + *h v*_{θ}|fake], then [*ψ* ← *ψ* + *h v*_{ψ}|disc]",
    "alternating-d": "first [*ψ* ← *ψ* + *h v*_{ψ}|disc], then [*θ* ← *θ* + *h v*_{θ}|fake]",
    "extragradient": "*w* ← *w* + *h v*(*w* + *h v*(*w*))",
    "optimistic": "*w* ← *w* + 2 *h v*(*w*) − *h v*(*w* before)",
    "unrolled": "[*θ*|fake] descends *L*_{G} after [*D*|disc]’s next moves",
    "momentum": "*m* ← *β m* + *v*(*w*),  *w* ← *w* + *h m*",
    "alternating-momentum": "*m* ← *β m* + *v*,  *w* ← *w* + *h m*,  [*θ*|fake] first",
    "adam": "*w* ← *w* + *h m̂* / √*ŝ*",
}
"""What one move of each rule does, as the stage writes it."""


def scene(state: DynamicsState) -> Scene:
    """The picture of a state."""
    found = paths(state.model_copy(update={"time": 0.0, "plane": "step"}))
    frame = int(np.argmin(np.abs(found.steps - state.time)))
    clock = Control(
        "time", "step *t*", found.steps.astype(float), start=frame, kind="time", digits=0, film="dynamics",
        fps=FRAMES_PER_SECOND, loop=True, autoplay=state.time == 0,
    )  # fmt: skip
    start_over = (
        f"{state.loss} {state.regulariser} {state.rule} {state.drops} {state.steps} {state.d_steps} {state.ahead}"
    )
    grows = "A step multiplies a small distance by {factor}. " if found.along["step"].own is not None else ""
    return Scene(
        key=f"dynamics-{hashlib.sha1(start_over.encode()).hexdigest()[:12]}",
        alt=(
            "The plane of G's point θ and D's slope ψ with the field that moves them and particles that follow a rule; "
            f"its eigenvalues; the distance from the equilibrium over the steps. {grows}After {state.steps} steps the "
            "path is {far} from the equilibrium."
        ),
        panels=(_plane(state, found), eigen_panel(state, found), _distance(state, found)),
        controls=(clock, *found.controls),
        readouts=_readouts(state, found),
        formula=_formula(state, found),
    )


def over(found: Paths, what: "dict[str, Array]") -> Swept:
    """Rows for each slider as one value."""
    return Swept({key: what[key] for key in found.along})


def _plane(state: DynamicsState, found: Paths) -> Panel:
    place = np.linspace(-REACH * 0.96, REACH * 0.96, FIELD)
    x, y = (part.ravel() for part in np.meshgrid(place, place))
    layers: list[Layer] = [
        Rule(at=0.0, role="muted", dashed=False, width=0.3),
        Rule(at=0.0, axis="x", role="muted", dashed=False, width=0.3),
        _field(state, found, x, y),
    ]  # fmt: skip
    for ago, opacity, size in TRAIL:
        rows = np.maximum(np.arange(len(found.steps)) - ago, 0)
        film = [Swept({"time": _inside(v[rows])}) for v in (found.theta, found.psi)]
        layers.append(Points(x=film[0], y=film[1], role="accent", size=size, opacity=opacity))
    line = [over(found, {k: _inside(v).T for k, v in _parts(found, name).items()}) for name in ("theta", "psi")]
    rest = found.along["step"]
    here = int(found.controls[0].start)
    now = [Swept({"time": _inside(v[:, here])[:, None]}) for v in (rest.theta, rest.psi)]
    layers += [
        Curve(x=line[0], y=line[1], role="text", width=0.6),
        Points(x=[0.0], y=[0.0], role="theory", size=6, opacity=1, hollow=True),
        Points(x=now[0], y=now[1], role="text", size=5, opacity=1),
        Handle(
            control="theta",
            x=Swept({"theta": np.asarray(found.controls[-1].values)}),
            y=state.psi,
            role="text",
            label="start",
        ),
    ]
    return Panel(
        Axis(-REACH, REACH, "[*θ*|fake], where G puts its point", ticks=(-2, -1, 0, 1, 2)),
        Axis(-REACH, REACH, "[*ψ*|disc], D’s slope  (click to drop GANs)", ticks=(-2, -1, 0, 1, 2)),
        tuple(layers), rows=2, equal_aspect=True, click="drop", height_ratio=2.0,
    )  # fmt: skip


def _field(state: DynamicsState, found: Paths, x: Array, y: Array) -> Arrows:
    """Where both would move; an arrow's length grows with the square root of the speed."""
    strengths = next((np.asarray(c.values) for c in found.controls if c.key == "strength"), None)
    wide = (POSITIONS if strengths is not None else 1, len(x))
    game = state.game(np.broadcast_to(strengths[:, None] if strengths is not None else state.strength, wide))
    v = np.stack(game.field(np.broadcast_to(x, wide), np.broadcast_to(y, wide)))
    speed = np.hypot(*v)
    length = LONGEST_ARROW * np.minimum(np.sqrt(speed), 1.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        d = np.nan_to_num(np.where(speed > 0, v / speed * length, 0.0))
    moved = [Swept({"strength": part}) if strengths is not None else part[0] for part in d]
    return Arrows(x=x, y=y, dx=moved[0], dy=moved[1], role="muted", width=0.45)


def _parts(found: Paths, name: str) -> dict[str, Array]:
    return {key: np.asarray(getattr(along, name)) for key, along in found.along.items()}


def _inside(values: Array) -> Array:
    """What lies far outside the picture is left out: it would be drawn at its edge."""
    return np.where(np.abs(values) <= 4 * REACH, values, np.nan)


def _distance(state: DynamicsState, found: Paths) -> Panel:
    steps = found.steps.astype(float)

    def seen(values: Array) -> Array:
        return np.where((values >= NEAREST / 10) & (values <= FURTHEST * 10), values, np.nan)

    radius = {key: seen(along.radius).T for key, along in found.along.items()}
    here = int(found.controls[0].start)
    layers: list[Layer] = []
    if np.isfinite(found.along["step"].factor).any():
        rate = {key: seen(_rate(along, steps)).T for key, along in found.along.items()}
        layers.append(Curve(x=steps, y=over(found, rate), role="theory", label="|*μ*|^{*t*}"))
    known = _known(state)
    if known is not None:
        lines = {
            key: seen(known.radius(_steps(found, key, state)[:, None], steps, along.radius[0][:, None]))
            for key, along in found.along.items()
        }
        layers.append(Curve(x=steps, y=over(found, lines), role="theory", label=known.words, label_at=0.55 * steps[-1]))
    layers += [
        Curve(x=steps, y=over(found, radius), role="text"),
        Rule(at=Swept({"time": steps}), axis="x", role="muted", dashed=False),
        Points(
            x=Swept({"time": steps[:, None]}), y=Swept({"time": seen(found.along["step"].radius[:, here])[:, None]}),
            role="text", size=5, opacity=1,
        ),
    ]  # fmt: skip
    return Panel(
        Axis(0, float(steps[-1]), "step *t*"),
        Axis(NEAREST, FURTHEST, "distance *r* from the equilibrium", log=True),
        tuple(layers), row=1, column=1, height_ratio=0.8, lecture=False,
    )  # fmt: skip


def _rate(along: Along, steps: Array) -> Array:
    """(T, S): the start's distance times the factor of a step, again and again."""
    with np.errstate(over="ignore", under="ignore"):
        return along.radius[:1] * along.factor ** steps[:, None]


def _known(state: DynamicsState) -> LongRun | None:
    return long_run(state.loss, state.rule) if state.regulariser == "none" and state.d_steps == 1 else None


def _steps(found: Paths, key: str, state: DynamicsState) -> Array:
    """The step size at every position of a slider."""
    control = next(c for c in found.controls if c.key == key)
    return np.asarray(control.values) if key == "step" else np.full(len(np.asarray(control.values)), state.step)


def _readouts(state: DynamicsState, found: Paths) -> tuple[Readout, ...]:
    solved = RULES[state.rule].continuous
    kind: Literal["exact", "estimated"] = "estimated" if solved else "exact"
    along = found.along
    turn = {key: 2 * np.pi / np.where(a.turn > 1e-9, a.turn, np.nan) for key, a in along.items()}
    turn = {key: np.where(along[key].turn <= 1e-9, np.inf, v) for key, v in turn.items()}
    far = {key: a.radius[-1] for key, a in along.items()}
    quiet = []
    for i in (0, 1):
        for part in ("real", "imag"):
            rows = {
                k: np.full(len(a.factor), np.nan) if a.own is None else getattr(a.own[:, i], part)
                for k, a in along.items()
            }
            quiet.append(Readout(f"{part}{i}", f"{part} {i}", over(found, rows), digits=3, visible=False))
    known, last = _known(state), float(state.steps)
    long = {
        key: known.radius(_steps(found, key, state), last, a.radius[0]) if known else a.factor
        for key, a in along.items()
    }
    percent = {key: 100 * (a.factor - 1) for key, a in along.items()}
    if solved:
        error = {key: a.error[-1] + _half_a_digit(a.radius[-1]) for key, a in along.items()}
        quiet.append(Readout("far_error", "*r*, its error", over(found, error), form=".2g", visible=False))
    return (
        Readout("factor", "factor per step, |*μ*|_{max}", over(found, {k: a.factor for k, a in along.items()})),
        Readout("turn", "a turn near the middle", over(found, turn), unit="steps", digits=1),
        Readout(
            "far", f"*r* after {state.steps} steps", over(found, far), form=".4g", kind=kind,
            band="far_error" if solved else "",
        ),
        Readout("percent", "percent", over(found, percent), digits=2, visible=False),
        Readout("long", "long run", over(found, long), digits=3, visible=False),
        *quiet,
    )  # fmt: skip


def _half_a_digit(values: Array) -> Array:
    """Half a unit of the last of four digits, which is as near as a printed number comes."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.nan_to_num(0.5 * 10.0 ** (np.floor(np.log10(values)) - 3), nan=0.0, posinf=0.0)


def _formula(state: DynamicsState, found: Paths) -> str:
    move = MOVES[state.rule]
    if found.along["step"].own is None:
        return move
    known = _known(state)
    end = f";  *r* ≈ {known.words} = {{long:.3f}}" if known else ""
    own = "*λ* = {real0:.2f} {imag0:+.2f} *i*,  {real1:.2f} {imag1:+.2f} *i*"
    return f"{move};   {own};   |*μ*|_{{max}} = {{factor:.4f}}{end}"
