"""The dual climbs to W1: a critic made steeper step by step, never steeper than 1; or one drawn by hand."""

import numpy as np

from gantoys.maths.kantorovich import ascent, climb, dual_value, flattened
from gantoys.pictures.wasserstein_plan import laws_panel
from gantoys.pictures.wasserstein_state import (
    ASCENT_STEPS,
    RATE,
    Figures,
    WassersteinState,
    along,
    ends,
    figures,
    gap_of,
    tallest,
    theta_control,
)
from gantoys.stage.channels import Layer
from gantoys.stage.layers import Curve, Draw, Points, Rule
from gantoys.stage.scene import Axis, Control, Panel, Readout, Scene, Swept

Array = np.ndarray
FRAMES, FRAMES_PER_SECOND = 101, 20.0
DRAWN_POINTS = 81
_WORTH = "E_{[real|real]} *f* − E_{[generated|fake]} *f*"


def steps_of(example: str) -> Array:
    """The steps of the ascent that are shown, closer at the start."""
    return np.unique(np.rint(ASCENT_STEPS[example] * np.linspace(0, 1, FRAMES) ** 2))


def dual_scene(state: WassersteinState, drawn: Array | None = None) -> Scene:
    """The laws, the critic on its way up under the best one, and the dual's value over the steps.

    drawn: a critic (DRAWN_POINTS,) drawn by hand, NaN where nothing is drawn; its slopes are cut to 1 and -1.
    """
    theta = theta_control(state)
    steps = steps_of(state.example)
    clock = Control(
        "ascent", "step of the ascent", steps, start=int(np.argmin(np.abs(steps - state.ascent))),
        kind="time", digits=0, film=f"{state.example} {state.theta} {state.data} {state.fake} {state.draw}",
        fps=FRAMES_PER_SECOND, autoplay=state.ascent == 0 and not state.draw,
    )  # fmt: skip
    over = figures(state, np.asarray(theta.values))
    hand = state.draw
    return Scene(
        key=f"wasserstein-dual-{state.example}-{'hand' if hand else 'ascent'}",
        alt=(
            "Two laws and a critic of slope 1 at most between them. The critic tells the mean of the real data from "
            "that of the generated data by {value}; the best one by {w1}, the Wasserstein distance."
        ),
        panels=_by_hand(state, over, theta, drawn) if hand else _by_steps(state, over, theta, clock),
        controls=(theta,) if hand else (clock, theta),
        readouts=_told(state, over, theta, clock, drawn),
        formula=(
            "max_{|*f* ’| ≤ 1}  E_{[real|real]} [*f*|disc] − E_{[generated|fake]} [*f*|disc] = [*W*_{1}|accent] = "
            "{w1:.3f};   now {value:.3f}"
        ),
    )


def _critics(found: Figures, steps: Array, row: int | None = None) -> tuple[Array, Array]:
    """Critics after so many steps, 0 at the middle of their range, (..., n), and their duals; `row`: of one theta."""
    gaps = found.gaps if row is None else found.gaps[row]
    critics = climb(ascent(gaps, found.x, steps, rate=RATE), found.x)
    best = found.critic if row is None else found.critic[row]
    zero = np.argmin(np.abs(best), axis=-1)  # only slopes count: the critic is 0 where the best one is
    level = np.take_along_axis(critics, np.broadcast_to(zero[..., None], (*critics.shape[:-1], 1)), axis=-1)
    return critics - level, dual_value(gaps, found.x, critics)


def _both(state: WassersteinState, over: Figures, theta: Control, clock: Control) -> tuple[Swept, Swept]:
    """The critic and its dual, over the steps at this theta and over theta at this step."""
    steps = np.asarray(clock.values)
    critics, values = _critics(over, steps, theta.start)
    moved, moved_values = _critics(over, steps[clock.start : clock.start + 1])
    return Swept({"ascent": critics, "theta": moved[0]}), Swept({"ascent": values, "theta": moved_values[0]})


def _told(
    state: WassersteinState, over: Figures, theta: Control, clock: Control, drawn: Array | None
) -> tuple[Readout, ...]:
    if state.draw:
        own = Swept({"theta": dual_value(over.gaps, over.x, _hand(over, state, drawn))})
    else:
        own = _both(state, over, theta, clock)[1]
    highest = {"theta": over.w1, "ascent": over.w1[theta.start]}
    share = Swept({key: _share(np.asarray(rows), highest[key]) for key, rows in own.rows.items()})
    gap = gap_of("*f*")
    return (
        Readout("value", f"your {gap}" if state.draw else f"{gap}, now", own, role="disc"),
        Readout("w1", "*W*_{1}", Swept({"theta": over.w1}), role="accent"),
        Readout("share", "of *W*_{1}", share, unit="%", digits=1),
    )


def _share(value: Array, of: Array) -> Array:
    """In percent; NaN where there is nothing to gain."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(of > 0, 100 * value / of, np.nan)


def _by_steps(state: WassersteinState, over: Figures, theta: Control, clock: Control) -> tuple[Panel, ...]:
    critic, value = _both(state, over, theta, clock)
    steps = np.asarray(clock.values)
    at_theta = np.asarray(value.rows["ascent"])
    until = np.where(steps <= steps[clock.start], 0.0, np.nan)
    every = np.stack([_critics(over, steps, row)[1] for row in range(len(over.w1))]) + until
    curve = Swept({"theta": every, "ascent": np.where(steps <= steps[:, None], at_theta, np.nan)})
    now = Swept({"ascent": steps[:, None], "theta": np.full((len(over.w1), 1), steps[clock.start])})
    height = Swept({k: np.asarray(v)[:, None] for k, v in value.rows.items()})
    top = 1.2 * max(0.3, float(over.w1[theta.start]))
    climbing: tuple[Layer, ...] = (
        Rule(at=Swept({"theta": over.w1}), role="theory", label="*W*_{1}: no critic gets higher"),
        Curve(x=steps.astype(float), y=curve, role="disc", dashed=False),
        Points(x=now, y=height, role="disc", size=6, opacity=1),
    )
    mine = Curve(x=over.x, y=critic, role="disc", dashed=False, width=1.4, label="*f* now")
    over_steps = Axis(0, ASCENT_STEPS[state.example], "step of the ascent")
    return (
        laws_panel(state, theta, height_ratio=1.15),
        _judge(state, over, mine),
        Panel(over_steps, Axis(0, top, _WORTH), climbing, column=1, rows=2),
    )


def _judge(state: WassersteinState, over: Figures, *own: Layer) -> Panel:
    top = tallest(state.example)
    layers = (
        Rule(at=0.0, role="muted", dashed=False),
        Curve(x=over.x, y=Swept({"theta": over.critic}), role="theory", label="*f*^{*}"),
        *own,
    )
    return Panel(
        along(state.example), Axis(-top, top, "[critic *f*(*x*)|disc]"), layers, row=1,
        width_ratio=1.75,
    )  # fmt: skip


def _hand(over: Figures, state: WassersteinState, drawn: Array | None) -> Array:
    """The drawn critic with its slopes cut, over the picture's grid; flat where nothing is drawn."""
    grid = np.linspace(*ends(state.example), DRAWN_POINTS)
    curve = np.zeros(DRAWN_POINTS) if drawn is None else np.asarray(drawn, float)
    known = np.isfinite(curve)
    whole = np.interp(grid, grid[known], curve[known]) if known.any() else np.zeros(DRAWN_POINTS)
    cut = flattened(grid, whole)
    middle = DRAWN_POINTS // 2
    return np.interp(over.x, grid, cut - cut[middle] + whole[middle])


def _by_hand(state: WassersteinState, over: Figures, theta: Control, drawn: Array | None) -> tuple[Panel, ...]:
    top = tallest(state.example)
    grid = np.linspace(*ends(state.example), DRAWN_POINTS)
    layers: list[Layer] = [
        Draw(x=grid, y=drawn, lo=-top, hi=top, role="muted", invitation="You are the critic: draw f(x) here"),
    ]
    if drawn is not None and np.any(np.isfinite(drawn)):
        mine = _hand(over, state, drawn)
        layers += [
            Curve(x=over.x, y=Swept({"theta": over.critic}), role="theory", label="*f*^{*}"),
            Curve(x=over.x, y=mine, role="disc", dashed=False, width=1.4, label="yours, steeper parts cut to slope 1"),
        ]
    value = dual_value(over.gaps, over.x, _hand(over, state, drawn))
    at = np.asarray(theta.values)
    reached: tuple[Layer, ...] = (
        Rule(at=Swept({"theta": at}), axis="x", role="muted"),
        Curve(x=at, y=over.w1, role="theory", label="*W*_{1}"),
        Curve(x=at, y=value, role="disc", dashed=False, label="yours"),
        Points(x=Swept({"theta": at[:, None]}), y=Swept({"theta": value[:, None]}), role="disc", size=6, opacity=1),
    )
    most = 1.1 * float(over.w1.max())
    return (
        laws_panel(state, theta, height_ratio=1.0),
        Panel(
            along(state.example), Axis(-top, top, "[critic *f*(*x*)|disc]"), tuple(layers), row=1,
            width_ratio=1.75, height_ratio=1.15,
        ),
        Panel(
            Axis(float(at[0]), float(at[-1]), "θ"), Axis(-most, most, _WORTH),
            reached, column=1, rows=2,
        ),
    )  # fmt: skip
