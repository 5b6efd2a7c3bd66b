"""The drawing of the game: bars and D's lane for every outcome, and V as a ledger or in either order of play."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from gantoys.maths import Finite, divergences, ledger_finite
from gantoys.pictures.game_state import GameState
from gantoys.stage.channels import Layer
from gantoys.stage.layers import Bars, Curve, Handle, Points, Rule, Text
from gantoys.stage.scene import Swept

Array = np.ndarray
LOG4 = float(np.log(4))
SPELT = 3  # with more outcomes there is no room for a name under every bar and its number on it
NAMED = 4  # and with more than these none for D's numbers
REAL_AT, FAKE_AT, LANE_AT, BAR = -0.35, -0.13, 0.13, 0.2  # where an outcome's two bars and D's lane stand
FOOT, DEPTH = 0.42, 1.6  # the part of V's axis that is not to scale, in heights of the rest; nats to 2/3 of its height
LINE = 0.055  # what a line of words takes, in heights of the axis
NAMES = ("[*p*_{data}|real]", "[*p*_{G}|fake]", "[*D*|disc]")


@dataclass(frozen=True)
class Heights:
    """The axis of V, in nats: to scale from `edge` to `high`, and squeezed from there down to `low`, for a V may fall
    as far as it likes. Without a foot `low` is `edge`."""

    low: float
    edge: float
    high: float

    def drawn(self, values: Array) -> Array:
        """Where V stands: a smaller one always lower, and beneath each there is room for its number."""
        foot = self.edge - self.low - 2 * LINE * (self.high - self.low)
        fallen = np.maximum(self.edge - values, 0.0)
        return np.where(values < self.edge, self.edge - foot * -np.expm1(-fallen / DEPTH), values)


def reach(state: GameState) -> Heights:
    """The height of the right panel: it must not change while the hand that plays moves.

    V(D*, G) is convex in p_G and V(D, G) is linear in it, so their extremes lie where one outcome has all mass.
    """
    p = Finite(state.p_data)
    if state.role == "D":
        best = float(2 * divergences(p, Finite(state.p_fake), ("js",))["js"].value)
        edge, high, foot = -LOG4 - max(0.2, 1.1 * best), -LOG4 + max(0.1, 1.5 * best), True
    else:
        book = ledger_finite(p, Finite(np.eye(len(state.p_data))), state.answers)
        lowest = -LOG4 - float(book.value.min())
        edge, high = -LOG4 - 1.4 * min(0.9, max(0.2, lowest)), -LOG4 + 1.3 * float(book.divergence.max())
        foot = lowest > 1.2
    return Heights(edge - (FOOT * (high - edge) if foot else 0.0), edge, high)


def ticks(low: float, high: float) -> tuple[float, ...]:
    """Round numbers between the two, none of them just below -log 4, where the numbers of the bars stand."""
    room = high - low
    step = 0.05 if room < 0.5 else 0.2 if room < 2 else 0.5
    found = step * np.arange(np.ceil(low / step), np.floor(high / step) + 1)
    return tuple(float(v) for v in found if not -0.12 * room < v + LOG4 < 0.02 * room)


def _place(values: Swept, of: Callable[[Array], Array]) -> Swept:
    """A swept value made from another, row by row."""
    return Swept({key: of(np.asarray(rows)) for key, rows in values.rows.items()})


def one_of(values: Swept, k: int) -> Swept:
    return _place(values, lambda rows: rows[:, k])


def _marks(at: Array, heights: Swept | float, half: float, **look: Any) -> Curve:
    """A short line across each outcome's place."""
    x = np.stack([at - half, at + half, np.full(len(at), np.nan)], -1).ravel()
    if isinstance(heights, float):
        return Curve(x=x, y=np.full(len(x), heights), **look)
    return Curve(x=x, y=_place(heights, lambda rows: np.repeat(rows, 3, axis=-1)), **look)


def share_layers(state: GameState, s: dict[str, Swept]) -> Iterator[Layer]:
    """The bars of p_data and p_G; the student who plays G holds the latter."""
    count, playing = len(state.p_data), state.role == "G"
    at, spelt = np.arange(count), count <= SPELT
    yield from _outcome_names(count)
    yield Bars(
        values=state.p_data, at=at + REAL_AT, width=BAR, role="real", digits=2 if spelt else None
    )  # fmt: skip
    yield Bars(
        values=_place(s["q"], lambda q: q[:, None, :]), at=at + FAKE_AT, width=BAR, role="fake",
        digits=2 if spelt and not playing else None,
    )  # fmt: skip
    if playing and state.reveal:
        reply = _place(s["reply"], lambda q: np.where(q > 0, q, np.nan))
        yield _marks(at + FAKE_AT, reply, BAR / 2, role="theory", label="best reply to *D*")
    for k in range(count if playing else 0):
        label = f"{{share{k}}}" if count <= NAMED else ""
        yield Handle(control=f"p{k}", x=k + FAKE_AT, y=one_of(s["q"], k), axis="y", role="fake", label=label)


def _outcome_names(count: int) -> Iterator[Layer]:
    """Two or three outcomes have room for a name under every bar."""
    at = np.arange(count)
    if count > SPELT:
        yield _named(*(str(k + 1) for k in range(count)))
        yield Text(x=REAL_AT, y=1.06, text=" and ".join(NAMES[:2]) + f", {NAMES[2]} on the line beside", align="left")
        return
    places = (at[:, None] + np.array([REAL_AT, FAKE_AT, LANE_AT])).ravel()
    yield Bars(values=np.full((1, len(places)), np.nan), at=places, categories=NAMES * count)
    for k in range(count):
        yield Text(x=k + FAKE_AT, y=1.06, text=f"outcome {k + 1}", role="muted")


def answer_layers(state: GameState, s: dict[str, Swept]) -> Iterator[Layer]:
    """What D says to each outcome, on a lane of its own beside the bars; the student who plays D holds it."""
    count, playing = len(state.p_data), state.role == "D"
    at, named = np.arange(count) + LANE_AT, count <= NAMED
    half = 0.1 if named else 0.2
    yield Curve(x=np.repeat(at, 3), y=np.tile([0, 1, np.nan], count), role="muted", dashed=False, width=0.5)
    yield _marks(at, 0.5, half / 2, role="muted", width=0.8)
    gap = np.array([0.5, 0.0, np.nan])  # from ½ to D's answer, then a break
    stems = _place(s["d"], lambda d: (gap + d[..., None] * [0, 1, 0]).reshape(len(d), -1))
    yield Curve(x=np.repeat(at, 3), y=stems, role="disc", width=2.2)
    if state.reveal or not playing:
        yield _marks(at, s["best"], half, role="theory", label="*D*^{*}")
        form = "" if count <= SPELT else ":.2f"
        for k in range(count if named else 0):
            x, text = at[k] + half + 0.02, f"{{best{k}{form}}}"
            yield Text(x=x, y=one_of(s["best"], k), text=text, align="left", role="theory", size=0.95)
    if not playing:
        yield Points(x=at, y=state.answers, role="disc", size=6, opacity=0.9)
    for k in range(count if playing else 0):
        label = f"{{d{k}}}" if named else ""
        yield Handle(control=f"d{k}", x=float(at[k]), y=one_of(s["d"], k), axis="y", role="disc", label=label)


def value_layers(state: GameState, s: dict[str, Swept], heights: Heights) -> tuple[Layer, ...]:
    """Playing D: V against a coin and the best possible, once revealed as a ledger. Playing G: V in either order."""
    pad = LINE * (heights.high - heights.low)
    best = Rule(at=s["at_best"], role="theory", label="best possible *V*")
    coin = Rule(at=-LOG4, role="muted", label="a coin: −log 4")
    above = _place(s["at_best"], lambda v: v + pad)
    shown = _place(s["value"], heights.drawn)
    under = _place(shown, lambda v: np.minimum(v, -LOG4) - pad)
    fallen = _place(s["value"], lambda v: np.where(v < heights.edge, heights.edge, np.nan))
    scale = Rule(at=fallen, role="muted", width=0.6, label="beneath: not to scale")
    if state.role == "G":
        reply = _place(s["at_reply"], lambda v: heights.drawn(v)[:, None])
        lowest = _marks(np.array([1.0]), reply, 0.4, role="theory", label="best reply")
        return (
            _named("*D* replies", "*D* stays", ""),
            Rule(at=-LOG4, role="muted", label="−log 4"),
            _bar(0.0, s["at_best"], "disc"),
            Text(x=0.0, y=above, text="{at_best}", role="disc"),
            _bar(1.0, shown, "fake"),
            Text(x=1.0, y=under, text="{value}", role="fake"),
            scale,
            *((lowest,) if state.reveal else ()),
        )
    if not state.reveal:
        value = (_bar(1.0, shown, "disc"), Text(x=1.0, y=under, text="{value}", role="disc"))
        return _named("", "your *V*(*D*, *G*)", ""), coin, best, *value, scale
    return (
        _named("+ 2 JS", "− shortfall", "*V*(*D*, *G*)"),
        coin,
        best,
        _bar(0.0, s["at_best"], "theory"),
        Text(x=0.0, y=above, text="+{divergence}", role="theory"),
        _bar(1.0, shown, "warn", base=s["at_best"]),
        Text(x=1.0, y=under, text="−{shortfall}", role="warn"),
        _bar(2.0, shown, "disc"),
        Text(x=2.0, y=under, text="{value}", role="disc"),
        scale,
    )


def _named(*names: str) -> Bars:
    return Bars(values=np.full((1, len(names)), np.nan), categories=names)


def _bar(at: float, top: Swept, role: str, base: Swept | None = None) -> Bars:
    """One bar at `at` from -log 4, or from `base`, to `top`."""
    start = _place(top, lambda v: np.full(len(v), -LOG4)) if base is None else base
    heights = Swept({key: (np.asarray(v) - start.rows[key])[:, None, None] for key, v in top.rows.items()})
    return Bars(values=heights, base=_place(start, lambda v: v[:, None]), at=np.array([at]), width=0.6, role=role)
