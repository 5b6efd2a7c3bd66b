"""The game on a few outcomes: the student plays D against a fixed p_G, or p_G against D, and V is booked exactly."""

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
ROUNDING = 5e-3  # how far from 1 the shares of a link may sum: they are written with few digits, and then made to sum to 1
CERTAIN = 0.999  # how close to 0 and 1 an answer of D may come: its logarithm stays finite
FURTHEST = 0.99  # and how close the hand can move it
VISIBLE = 4  # sliders beside the picture; every outcome has its handle in the picture
NAMED = 4  # with more outcomes there is no room for a number on every bar


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

    def moved(self, values: Any, control: str | None) -> dict[str, Any]:
        """D's answers are free of each other; a moved share makes room for itself among the others."""
        if self.role == "D":
            d = np.array([values.get(f"d{k}", v) for k, v in enumerate(self.answers)])
            return {"d": "" if np.all(d == 0.5) else _text(d)}
        if control is None or control not in values:
            return {}
        return {"fake": _text(with_share(self.p_fake, int(control[1:]), np.array(values[control])))}


PRESETS: dict[str, dict[str, str]] = {
    "a coin": {"data": "0.5,0.5", "fake": "0.7,0.3"},
    "three": {"data": "0.2,0.3,0.5", "fake": "0.5,0.3,0.2"},
    "four": {"data": "0.1,0.2,0.3,0.4", "fake": "0.25,0.25,0.25,0.25"},
    "a loaded die": {
        "data": "0.166667,0.166667,0.166667,0.166667,0.166667,0.166667",
        "fake": "0.1,0.1,0.1,0.1,0.1,0.5",
    },
    "half missed": {
        "data": "0.125,0.125,0.125,0.125,0.125,0.125,0.125,0.125",
        "fake": "0.25,0.25,0.25,0.25,0,0,0,0",
    },
}
"""Pairs of distributions with a name; D starts at ½."""


def with_share(q: Array, k: int, share: Array) -> Array:
    """q (K,) with `share` () or (S,) given to outcome k and the rest divided among the others as before: (K,) or (S, K).

    Where the others had nothing, they get equal parts.
    """
    others = np.delete(q, k)
    rest = others.sum()
    parts = others / rest if rest > 0 else np.full(len(others), 1 / len(others))
    share = np.asarray(share, float)
    return np.insert((1 - share)[..., None] * parts, k, share, axis=-1)


def _controls(state: GameState) -> tuple[Control, ...]:
    if state.role == "D":
        return tuple(
            slider(f"d{k}", f"your *D*({k + 1})", 1 - FURTHEST, FURTHEST, float(v), count=99, role="disc", visible=k < VISIBLE)
            for k, v in enumerate(state.answers)
        )  # fmt: skip
    # Beside two outcomes one slider says all. With more, the others' numbers would stand still while they move.
    q = state.p_fake
    return tuple(
        slider(f"p{k}", f"your *p*_{{G}}({k + 1})", 0, 1, float(v), count=101, role="fake", visible=len(q) == 2 and k == 0)
        for k, v in enumerate(q)
    )  # fmt: skip


def _rows(state: GameState, control: Control) -> dict[str, Array]:
    """Everything that moves with one control, over all its S positions: (S,), or (S, K) where each outcome has its own."""
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
        "loss_real": -from_real,
        "loss_fake": -from_fake,
    }


def scene(state: GameState) -> Scene:
    """The picture of a state."""
    controls = _controls(state)
    s = swept(controls, lambda control: _rows(state, control))
    low, high = _reach(state)
    count = len(state.p_data)
    outcomes = Axis(-0.55, count - 0.45, visible=False)
    named = Axis(-0.55, count - 0.45, "outcome")
    playing_d = state.role == "D"
    left = "You are [*D*|disc]: drag your answers" if playing_d else "You are [*G*|fake]: drag your shares"
    panels = (
        Panel(outcomes, Axis(0, 1, "share" if playing_d else left, ticks=(0, 0.5, 1)), _shares_layers(state, s), width_ratio=1.25),
        Panel(named, Axis(0, 1, left if playing_d else "*D*: how likely real", ticks=(0, 0.5, 1)), _answer_layers(state, s), row=1, width_ratio=1.25),
        Panel(Axis(-0.5, 2.5), Axis(low, high, "the ledger of *V*"), _ledger_layers(state, s, low, high), column=1),
        Panel(Axis(-0.5, 2.5), Axis(low, high, "who moves first?"), _order_layers(s, low, high), row=1, column=1),
    )  # fmt: skip
    readouts = (*_readouts(state, s), *_quiet_readouts(state, s))
    return Scene(
        key=f"game-{state.role.lower()}",
        alt=(
            f"Real and generated shares of {count} outcomes, what D answers to each, and the ledger of V(D, G): "
            "{value} nats of {at_best} that the best discriminator reaches."
        ),
        panels=panels,
        controls=controls,
        readouts=readouts,
        formula=_formula(state),
    )


def _reach(state: GameState) -> tuple[float, float]:
    """The height of the right panels: it must not change while the hand that plays moves.

    V(D*, G) is convex in p_G and V(D, G) is linear in it, so their extremes lie where one outcome has all mass.
    """
    p, alone = Finite(state.p_data), Finite(np.eye(len(state.p_data)))
    best_now = float(2 * divergences(p, Finite(state.p_fake), ("js",))["js"].value)
    if state.role == "D":
        return -LOG4 - max(0.3, 1.2 * best_now), -LOG4 + max(0.1, 1.5 * best_now)
    book = ledger_finite(p, alone, state.answers)
    depth = min(0.9, max(0.25, -LOG4 - float(book.value.min())))
    return -LOG4 - 1.3 * depth, -LOG4 + 1.25 * float(book.divergence.max())


def _place(values: Swept, of: Any) -> Swept:
    """A swept number made from another, row by row."""
    return Swept({key: of(np.asarray(rows)) for key, rows in values.rows.items()})


def _one(values: Swept, k: int) -> Swept:
    return _place(values, lambda rows: rows[:, k])


def _shares_layers(state: GameState, s: dict[str, Swept]) -> tuple[Layer, ...]:
    count = len(state.p_data)
    at, digits = np.arange(count), 2 if count <= NAMED else None
    playing = state.role == "G"
    layers: list[Layer] = [
        Bars(values=state.p_data, at=at - 0.2, width=0.36, role="real", digits=digits, labels=("*p*_{data}",)),
        Bars(
            values=_place(s["q"], lambda q: q[:, None, :]), at=at + 0.2, width=0.36, role="fake",
            digits=None if playing else digits, labels=("*p*_{G}",),
        ),
    ]  # fmt: skip
    if playing:
        if state.reveal:
            layers.append(_marks(at + 0.2, s["reply"], 0.18, "best reply to *D*"))
        layers += [
            Handle(
                control=f"p{k}", x=k + 0.2, y=_one(s["q"], k), axis="y", role="fake", label=f"{{share{k}}}" if digits else ""
            )
            for k in range(count)
        ]  # fmt: skip
    return tuple(layers)


def _marks(at: Array, heights: Swept, half: float, label: str) -> Curve:
    """A short dashed line at each outcome."""
    x = np.stack([at - half, at + half, np.full(len(at), np.nan)], -1).ravel()
    y = _place(heights, lambda rows: np.repeat(rows, 3, axis=-1))
    return Curve(x=x, y=y, role="theory", label=label)


def _answer_layers(state: GameState, s: dict[str, Swept]) -> tuple[Layer, ...]:
    count = len(state.p_data)
    at, playing = np.arange(count), state.role == "D"
    names = tuple(str(k + 1) for k in range(count))
    layers: list[Layer] = [
        Bars(values=np.full((1, count), np.nan), categories=names),
        Rule(at=0.5, role="muted", label="cannot tell: ½"),
        Bars(
            values=_place(s["d"], lambda d: d[:, None, :] - 0.5), base=np.full(count, 0.5), width=0.1, role="disc",
            opacity=0.45,
        ),
    ]  # fmt: skip
    if state.reveal or not playing:
        layers.append(_marks(at, s["best"], 0.3, "*D*^{*}"))
        form = "" if count <= 3 else ":.2f"
        layers += [
            Text(x=k + 0.33, y=_one(s["best"], k), text=f"{{best{k}{form}}}", align="left", role="theory")
            for k in range(count if count <= NAMED else 0)
        ]
    if playing:
        layers += [
            Handle(control=f"d{k}", x=float(k), y=_one(s["d"], k), axis="y", role="disc", label=f"{{d{k}}}" if count <= NAMED else "")
            for k in range(count)
        ]  # fmt: skip
    else:
        layers.append(Points(x=at, y=state.answers, role="disc", size=6, opacity=0.9, label="*D* as you left it"))
    return tuple(layers)


def _column(at: float, values: Swept, role: str, low: float, high: float, text: str, base: Any = -LOG4) -> list[Layer]:
    """One bar from `base` to `values`, and its number beyond its end, kept inside the panel."""
    pad = 0.055 * (high - low)

    def end(rows: Array) -> Array:
        start = base[values_key] if isinstance(base, dict) else base
        return np.clip(np.where(rows >= start, rows + pad, rows - pad), low + pad, high - pad)

    ends = {}
    heights = {}
    for values_key, rows in values.rows.items():
        rows = np.asarray(rows)
        ends[values_key] = end(rows)
        heights[values_key] = (rows - (base[values_key] if isinstance(base, dict) else base))[:, None, None]
    return [
        Bars(
            values=Swept(heights), at=np.array([at]), width=0.56, role=role,
            base=Swept({k: np.asarray(v)[:, None] for k, v in base.items()}) if isinstance(base, dict) else np.array([base]),
        ),
        Text(x=at, y=Swept(ends), text=text, role=role),
    ]  # fmt: skip


def _columns_named(*names: str) -> Bars:
    return Bars(values=np.full((1, len(names)), np.nan), categories=names)


def _ledger_layers(state: GameState, s: dict[str, Swept], low: float, high: float) -> tuple[Layer, ...]:
    """Hidden: V against a coin and against the best possible. Shown: + 2 JS, − shortfall, and what is left."""
    best = Rule(at=s["at_best"], role="theory", label="best possible *V*")
    coin = Rule(at=-LOG4, role="muted", label="a coin: −log 4")
    value = _column(1.0, s["value"], "disc", low, high, "{value}")
    if state.role == "D" and not state.reveal:
        return (_columns_named("", "*V*(*D*, *G*)", ""), coin, best, *value)
    value = _column(2.0, s["value"], "disc", low, high, "{value}")
    top = {key: np.asarray(rows) for key, rows in s["at_best"].rows.items()}
    jump = _column(0.0, s["at_best"], "theory", low, high, "+ {divergence}")
    fall = _column(1.0, s["value"], "warn", low, high, "− {shortfall}", base=top)
    return (_columns_named("+ 2 JS", "− shortfall", "*V*(*D*, *G*)"), coin, best, *jump, *fall, *value)


def _order_layers(s: dict[str, Swept], low: float, high: float) -> tuple[Layer, ...]:
    return (
        _columns_named("*G* replies", "now", "*D* replies"),
        Rule(at=-LOG4, role="muted", label="−log 4"),
        *_column(0.0, s["at_reply"], "fake", low, high, "{at_reply}"),
        *_column(1.0, s["value"], "muted", low, high, "{value}"),
        *_column(2.0, s["at_best"], "disc", low, high, "{at_best}"),
    )


def _readouts(state: GameState, s: dict[str, Swept]) -> tuple[Readout, ...]:
    value = Readout("value", "your *V*(*D*, *G*)" if state.role == "D" else "*V*(*D*, *G*)", s["value"], unit="nats", role="disc")
    short = Readout("shortfall", "shortfall of *D*", s["shortfall"], unit="nats", role="warn")
    if not state.reveal:
        return value, short
    return (
        value,
        short,
        Readout("js", "JS(*p*_{data}, *p*_{G})", s["js"], unit="nats"),
        Readout("kl_real", "KL(*p*_{data} ‖ *m*)", s["kl_real"], unit="nats", role="real"),
        Readout("kl_fake", "KL(*p*_{G} ‖ *m*)", s["kl_fake"], unit="nats", role="fake"),
    )  # fmt: skip


def _quiet_readouts(state: GameState, s: dict[str, Swept]) -> tuple[Readout, ...]:
    """Numbers that stand in the picture or in the formula only."""
    roles = {"loss_real": "real", "loss_fake": "fake", "divergence": "theory", "at_best": "disc", "at_reply": "fake"}
    single = [Readout(key, key, s[key], unit="nats", role=role, visible=False) for key, role in roles.items()]
    if not state.reveal:
        single.append(Readout("js", "JS", s["js"], visible=False))
    for k in range(len(state.p_data)):
        single.append(Readout(f"best{k}", f"best {k + 1}", _one(s["best"], k), visible=False))
        single.append(Readout(f"share{k}", f"share {k + 1}", _one(s["q"], k), digits=2, visible=False))
    return tuple(single)


def _formula(state: GameState) -> str:
    if state.role == "D" and not state.reveal:
        return (
            "[*V*(*D*, *G*)|disc] = Σ [*p*_{data}|real] log [*D*|disc] + Σ [*p*_{G}|fake] log(1 − [*D*|disc]) "
            "= −{loss_real} − {loss_fake} = {value}"
        )
    return "[*V*(*D*, *G*)|disc] = −log 4 + 2 JS − shortfall = −1.3863 + 2 × {js} − {shortfall} = {value}"
