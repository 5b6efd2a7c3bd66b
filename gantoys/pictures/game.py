"""The game on a few outcomes: the student plays D against a fixed p_G, or p_G against D, and V is booked exactly."""

from collections.abc import Callable, Iterator, Mapping
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import AfterValidator, Field, model_validator

from gantoys.maths import Finite, best_generator, divergences, ledger_finite, optimal_discriminator, value_terms
from gantoys.pictures.state import State
from gantoys.pictures.sweeps import slider, swept
from gantoys.stage.channels import Layer
from gantoys.stage.layers import Bars, Curve, Handle, Points, Rule, Text
from gantoys.stage.scene import Axis, Control, Panel, Readout, Scene, Swept

Array = np.ndarray
LOG4 = float(np.log(4))
FEWEST, MOST = 2, 8
ROUNDING = 5e-3  # how far from 1 the shares of a text may sum, which has few digits; they are then scaled to sum to 1
CERTAIN = 0.999  # how close to 0 and 1 an answer of D may come: its logarithm stays finite
FURTHEST = 0.99  # and how close the hand can move it
VISIBLE = 4  # sliders beside the picture; every outcome has its handle in the picture
SPELT = 3  # with more outcomes there is no room for a name under every bar and its number on it
NAMED = 4  # and with more than these none for D's numbers
REAL_AT, FAKE_AT, LANE_AT, BAR = -0.35, -0.13, 0.13, 0.2  # where an outcome's two bars and D's lane stand
NAMES = ("[*p*_{data}|real]", "[*p*_{G}|fake]", "[*D*|disc]")


def _numbers(text: str) -> Array:
    try:
        values = np.array([float(part) for part in text.split(",")])
    except ValueError:
        raise ValueError(f"“{text}” is not a list of numbers such as 0.5,0.5") from None
    if not FEWEST <= len(values) <= MOST:
        raise ValueError(f"there are {FEWEST} to {MOST} outcomes, got {len(values)}")
    return values


def shares(text: str) -> Array:
    """The probabilities that a text such as "0.7,0.3" lists, (K,), K = 2..8. Raises ValueError for anything else."""
    values = _numbers(text)
    if not np.all((values >= 0) & (values <= 1)):
        raise ValueError(f"probabilities lie between 0 and 1, got {text}")
    total = values.sum()
    if abs(total - 1) > ROUNDING:
        raise ValueError(f"probabilities must sum to 1, those of {text} sum to {total:.6g}")
    return values if abs(total - 1) < 1e-12 else values / total


def answers(text: str) -> Array:
    """D's answer to each outcome, (K,) in [0.001, 0.999]. Raises ValueError for anything else."""
    values = _numbers(text)
    if not np.all((values >= 1 - CERTAIN) & (values <= CERTAIN)):
        raise ValueError(f"answers of D lie between {1 - CERTAIN:.3f} and {CERTAIN}, got {text}")
    return values


def _shares_text(text: str) -> str:
    shares(text)
    return text


def _answers_text(text: str) -> str:
    if text:
        answers(text)
    return text


def _text(values: Array) -> str:
    return ",".join(format(v, ".6g") for v in values)


class GameState(State):
    """p_data and p_G as lists of probabilities, D's answers (empty: ½ to every outcome), who the student is."""

    data: Annotated[str, AfterValidator(_shares_text)] = Field("0.5,0.5", max_length=100)
    fake: Annotated[str, AfterValidator(_shares_text)] = Field("0.7,0.3", max_length=100)
    d: Annotated[str, AfterValidator(_answers_text)] = Field("", max_length=100)
    role: Literal["D", "G"] = "D"
    reveal: bool = False

    @model_validator(mode="after")
    def _one_number_of_outcomes(self) -> "GameState":
        counts = {name: len(text.split(",")) for name in ("data", "fake", "d") if (text := getattr(self, name))}
        if len(set(counts.values())) > 1:
            words = ", ".join(f"{name} has {count}" for name, count in counts.items())
            raise ValueError(f"all need the same number of outcomes, but {words}")
        return self

    @property
    def p_data(self) -> Array:
        """(K,)"""
        return shares(self.data)

    @property
    def p_fake(self) -> Array:
        """(K,)"""
        return shares(self.fake)

    @property
    def answers(self) -> Array:
        """D's answers, (K,)."""
        return answers(self.d) if self.d else np.full(len(self.p_data), 0.5)

    def positions(self) -> dict[str, float]:
        """Every answer and every share, whoever's turn it is."""
        places = {f"d{k}": float(v) for k, v in enumerate(self.answers)}
        return places | {f"p{k}": float(v) for k, v in enumerate(self.p_fake)}

    def moved(self, values: Mapping[str, float], control: str | None) -> dict[str, Any]:
        """D's answers are free of each other; a moved share makes room for itself among the others."""
        if self.role == "D":
            d = np.array([values.get(f"d{k}", v) for k, v in enumerate(self.answers)])
            return {"d": "" if np.all(d == 0.5) else _text(d)}
        if control is None or control not in values:
            return {}
        return {"fake": _text(with_share(self.p_fake, int(control[1:]), np.asarray(values[control])))}


def outcomes(count: int) -> dict[str, str]:
    """A pair on `count` outcomes to start from: equal real shares, generated shares that fall evenly, D at ½."""
    falling = np.arange(count, 0, -1.0)
    return {"data": _text(np.full(count, 1 / count)), "fake": _text(falling / falling.sum()), "d": ""}


PRESETS: dict[str, dict[str, str]] = {
    name: {"data": data, "fake": fake, "d": ""}
    for name, data, fake in (
        ("two", "0.5,0.5", "0.7,0.3"),
        ("equal", "0.5,0.5", "0.5,0.5"),
        ("apart", "1,0", "0,1"),
        ("a loaded die", ",".join(["0.166667"] * 6), "0.1,0.1,0.1,0.1,0.1,0.5"),
        ("half missed", ",".join(["0.125"] * 8), "0.25,0.25,0.25,0.25,0,0,0,0"),
    )
}
"""Pairs of distributions with a name; D starts at ½."""


def with_share(q: Array, k: int, share: Array) -> Array:
    """q with `share` given to outcome k, the rest divided among the others as before.

    q: (K,); share: () or (S,) in [0, 1]; returns (K,) or (S, K). Where the others had nothing, they get equal parts.
    """
    others = np.delete(q, k)
    rest = others.sum()
    parts = others / rest if rest > 0 else np.full(len(others), 1 / len(others))
    share = np.asarray(share, float)
    return np.insert((1 - share)[..., None] * parts, k, share, axis=-1)


def _controls(state: GameState) -> tuple[Control, ...]:
    if state.role == "D":
        low = 1 - FURTHEST
        return tuple(
            slider(f"d{k}", f"your *D*({k + 1})", low, FURTHEST, float(v), count=99, role="disc", visible=k < VISIBLE)
            for k, v in enumerate(state.answers)
        )
    # Beside two outcomes one slider says all. With more, the others' numbers would stand still while they move.
    alone = len(state.p_fake) == 2
    return tuple(
        slider(f"p{k}", f"your *p*_{{G}}({k + 1})", 0, 1, float(v), count=101, role="fake", visible=alone and k == 0)
        for k, v in enumerate(state.p_fake)
    )


def _rows(state: GameState, control: Control) -> dict[str, Array]:
    """What moves with one control, over all its S positions: (S,), or (S, K) where every outcome has its own."""
    values, k = np.asarray(control.values), int(control.key[1:])
    shape = (len(values), len(state.p_data))
    d, q = np.broadcast_to(state.answers, shape).copy(), np.broadcast_to(state.p_fake, shape)
    if control.key[0] == "d":
        d[:, k] = values
    else:
        q = with_share(state.p_fake, k, values)
    p, fake = Finite(state.p_data), Finite(q)
    middle = Finite((p.probabilities + q) / 2)
    book = ledger_finite(p, fake, d)
    reply, _ = best_generator(d)
    from_real, from_fake = value_terms(p, fake, d)
    return {
        "d": d,
        "q": q,
        "best": optimal_discriminator(p, fake).value,
        "reply": reply,
        "value": book.value,
        "divergence": book.divergence,
        "shortfall": book.shortfall,
        "at_best": book.floor + book.divergence,
        "at_reply": ledger_finite(p, Finite(reply), d).value,
        "js": divergences(p, fake, ("js",))["js"].value,
        "kl_real": divergences(p, middle, ("kl",))["kl"].value,
        "kl_fake": divergences(fake, middle, ("kl",))["kl"].value,
        "from_real": from_real,
        "from_fake": from_fake,
    }


def scene(state: GameState) -> Scene:
    """The picture of a state."""
    controls = _controls(state)
    s = swept(controls, lambda control: _rows(state, control))
    low, high = _reach(state)
    count = len(state.p_data)
    hand = "you are [*D*|disc]: drag your answers" if state.role == "D" else "you are [*G*|fake]: drag your shares"
    if count > SPELT:
        hand += f" {'to' if state.role == 'D' else 'of'} outcomes 1 to {count}"
    book = "the ledger of *V*, in nats" if state.reveal else "the value *V*, in nats"
    shares_axis = Axis(0, 1.12, hand, ticks=(0, 0.5, 1))
    value_axis = Axis(low, high, book if state.role == "D" else "who moves first? *V*, in nats")
    return Scene(
        key=f"game-{state.role.lower()}",
        alt=(
            f"Real and generated shares of {count} outcomes, what D answers to each, and the ledger of V(D, G): it is "
            "{value} nats, and the best discriminator reaches {at_best}."
        ),
        panels=(
            Panel(
                Axis(-0.5, count - 0.48),
                shares_axis,
                (*_share_layers(state, s), *_answer_layers(state, s)),
                width_ratio=1.2,
            ),
            Panel(Axis(-0.5, 2.5), value_axis, _value_layers(state, s, low, high), column=1),
        ),
        controls=controls,
        readouts=(*_readouts(state, s), *_quiet_readouts(state, s)),
        formula=_formula(state),
    )


def _reach(state: GameState) -> tuple[float, float]:
    """The height of the right panel: it must not change while the hand that plays moves.

    V(D*, G) is convex in p_G and V(D, G) is linear in it, so their extremes lie where one outcome has all mass.
    """
    p = Finite(state.p_data)
    if state.role == "D":
        best = float(2 * divergences(p, Finite(state.p_fake), ("js",))["js"].value)
        return -LOG4 - max(0.2, 1.1 * best), -LOG4 + max(0.06, 1.4 * best)
    book = ledger_finite(p, Finite(np.eye(len(state.p_data))), state.answers)
    depth = min(0.9, max(0.2, -LOG4 - float(book.value.min())))
    return -LOG4 - 1.4 * depth, -LOG4 + 1.3 * float(book.divergence.max())


def _place(values: Swept, of: Callable[[Array], Array]) -> Swept:
    """A swept value made from another, row by row."""
    return Swept({key: of(np.asarray(rows)) for key, rows in values.rows.items()})


def _one(values: Swept, k: int) -> Swept:
    return _place(values, lambda rows: rows[:, k])


def _marks(at: Array, heights: Swept | float, half: float, **look: Any) -> Curve:
    """A short line across each outcome's place."""
    x = np.stack([at - half, at + half, np.full(len(at), np.nan)], -1).ravel()
    if isinstance(heights, float):
        return Curve(x=x, y=np.full(len(x), heights), **look)
    return Curve(x=x, y=_place(heights, lambda rows: np.repeat(rows, 3, axis=-1)), **look)


def _share_layers(state: GameState, s: dict[str, Swept]) -> Iterator[Layer]:
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
        yield Handle(control=f"p{k}", x=k + FAKE_AT, y=_one(s["q"], k), axis="y", role="fake", label=label)


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


def _answer_layers(state: GameState, s: dict[str, Swept]) -> Iterator[Layer]:
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
            yield Text(x=x, y=_one(s["best"], k), text=text, align="left", role="theory", size=0.95)
    if not playing:
        yield Points(x=at, y=state.answers, role="disc", size=6, opacity=0.9)
    for k in range(count if playing else 0):
        label = f"{{d{k}}}" if named else ""
        yield Handle(control=f"d{k}", x=float(at[k]), y=_one(s["d"], k), axis="y", role="disc", label=label)


def _value_layers(state: GameState, s: dict[str, Swept], low: float, high: float) -> tuple[Layer, ...]:
    """Playing D: V against a coin and the best possible, once revealed as a ledger. Playing G: V in either order."""
    pad = 0.055 * (high - low)
    best = Rule(at=s["at_best"], role="theory", label="best possible *V*")
    coin = Rule(at=-LOG4, role="muted", label="a coin: −log 4")
    above = _place(s["at_best"], lambda v: v + pad)
    # a V beneath the picture has its bar cut, an arrow under the cut, and its number at the foot
    shown = _place(s["value"], lambda v: np.where(v < low + 1.5 * pad, low + 2.9 * pad, v))
    under = _place(s["value"], lambda v: np.maximum(np.minimum(v, -LOG4) - pad, low + 0.6 * pad))
    fallen = _place(s["value"], lambda v: np.where(v < low + 1.5 * pad, low + 1.9 * pad, np.nan))
    if state.role == "G":
        reply = _place(s["at_reply"], lambda v: v[:, None])
        lowest = _marks(np.array([1.0]), reply, 0.4, role="theory", label="best reply")
        return (
            _named("*D* replies", "*D* stays", ""),
            Rule(at=-LOG4, role="muted", label="−log 4"),
            _bar(0.0, s["at_best"], "disc"),
            Text(x=0.0, y=above, text="{at_best}", role="disc"),
            _bar(1.0, shown, "fake"),
            Text(x=1.0, y=under, text="{value}", role="fake"),
            Text(x=1.0, y=fallen, text="↓", role="fake"),
            *((lowest,) if state.reveal else ()),
        )
    if not state.reveal:
        value = (_bar(1.0, shown, "disc"), Text(x=1.0, y=under, text="{value}", role="disc"))
        return _named("", "your *V*(*D*, *G*)", ""), coin, best, *value, Text(x=1.0, y=fallen, text="↓", role="disc")
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
        *(Text(x=x, y=fallen, text="↓", role=role) for x, role in ((1.0, "warn"), (2.0, "disc"))),
    )


def _named(*names: str) -> Bars:
    return Bars(values=np.full((1, len(names)), np.nan), categories=names)


def _bar(at: float, top: Swept, role: str, base: Swept | None = None) -> Bars:
    """One bar at `at` from -log 4, or from `base`, to `top`."""
    start = _place(top, lambda v: np.full(len(v), -LOG4)) if base is None else base
    heights = Swept({key: (np.asarray(v) - start.rows[key])[:, None, None] for key, v in top.rows.items()})
    return Bars(values=heights, base=_place(start, lambda v: v[:, None]), at=np.array([at]), width=0.6, role=role)


def _readouts(state: GameState, s: dict[str, Swept]) -> tuple[Readout, ...]:
    first: tuple[Readout, ...]
    if state.role == "D":
        first = (
            Readout("value", "your *V*(*D*, *G*)", s["value"], unit="nats", role="disc"),
            Readout("shortfall", "your shortfall", s["shortfall"], unit="nats", role="warn"),
        )
    else:
        first = (
            Readout("at_best", "*D* replies: *V*(*D*^{*}, *G*)", s["at_best"], unit="nats", role="disc"),
            Readout("value", "*D* stays: *V*(*D*, *G*)", s["value"], unit="nats", role="fake"),
        )
    if not state.reveal:
        return first
    if state.role == "G":
        lowest = Readout("at_reply", "best reply: min_{G} *V*(*D*, *G*)", s["at_reply"], unit="nats", role="fake")
        first = (*first, lowest)
    details = (
        Readout("js", "JS(*p*_{data}, *p*_{G})", s["js"], unit="nats"),
        Readout("kl_real", "KL(*p*_{data} ‖ *m*)", s["kl_real"], unit="nats", role="real"),
        Readout("kl_fake", "KL(*p*_{G} ‖ *m*)", s["kl_fake"], unit="nats", role="fake"),
    )
    return *first, *details


def _quiet_readouts(state: GameState, s: dict[str, Swept]) -> Iterator[Readout]:
    """Numbers that stand in the picture or in the formula only."""
    shown = {readout.key for readout in _readouts(state, s)}
    roles = {"from_real": "real", "from_fake": "fake", "shortfall": "warn"} | dict.fromkeys(
        ("divergence", "at_best", "js")
    )
    for key, role in roles.items():
        if key not in shown:
            yield Readout(key, key, s[key], unit="nats", role=role, visible=False)
    for k in range(len(state.p_data)):
        yield Readout(f"best{k}", f"D* {k + 1}", _one(s["best"], k), visible=False)
        yield Readout(f"share{k}", f"p_G {k + 1}", _one(s["q"], k), digits=2, visible=False)


def _formula(state: GameState) -> str:
    if state.role == "G":
        return "min_{G} max_{D} *V*: *V*([*D*^{*}|disc], [*G*|fake]) = −log 4 + 2 JS = −1.3863 + 2 × {js} = {at_best}"
    if not state.reveal:
        return (
            "[*V*(*D*, *G*)|disc] = Σ [*p*_{data}|real] log [*D*|disc] + Σ [*p*_{G}|fake] log(1 − [*D*|disc]) "
            "= {from_real} {from_fake} = {value}"
        )
    return "[*V*(*D*, *G*)|disc] = −log 4 + 2 JS − shortfall = −1.3863 + 2 × {js} − {shortfall} = {value}"


def table(state: GameState) -> str:
    """The numbers of the picture as a Markdown table; D* only when it is revealed."""
    best = optimal_discriminator(Finite(state.p_data), Finite(state.p_fake)).value
    columns = {"p_data": state.p_data, "p_G": state.p_fake, "D": state.answers}
    columns |= {"D*": best} if state.reveal or state.role == "G" else {}
    names = [name.replace("*", "\\*").replace("_", "\\_") for name in columns]
    lines = ["| outcome | " + " | ".join(names) + " |", "|---" * (len(columns) + 1) + "|"]
    for k in range(len(best)):
        lines.append(f"| {k + 1} | " + " | ".join(f"{values[k]:.4f}" for values in columns.values()) + " |")
    return "\n".join(lines)
