"""The game on a few outcomes: the student plays D against a fixed p_G, or p_G against D, and V is booked exactly."""

from collections.abc import Iterator

import numpy as np

from gantoys.maths import Finite, best_generator, divergences, ledger_finite, optimal_discriminator, value_terms
from gantoys.pictures.game_layers import SPELT, answer_layers, one_of, reach, share_layers, ticks, value_layers
from gantoys.pictures.game_state import GameState, with_share
from gantoys.pictures.sweeps import slider, swept
from gantoys.stage.scene import Axis, Control, Panel, Readout, Scene, Swept

Array = np.ndarray
HAND = (0.01, 0.99)  # and those that the hand can reach
VISIBLE = 4  # sliders beside the picture; every outcome has its handle in the picture


def _controls(state: GameState) -> tuple[Control, ...]:
    if state.role == "D":
        return tuple(
            slider(f"d{k}", f"your *D*({k + 1})", *HAND, float(v), count=99, role="disc", visible=k < VISIBLE)
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
    heights = reach(state)
    count = len(state.p_data)
    hand = "you are [*D*|disc]: drag your answers" if state.role == "D" else "you are [*G*|fake]: drag your shares"
    if count > SPELT:
        hand += f" {'to' if state.role == 'D' else 'of'} outcomes 1 to {count}"
    book = "the ledger of *V*, in nats" if state.reveal else "the value *V*, in nats"
    shares_axis = Axis(0, 1.12, hand, ticks=(0, 0.5, 1))
    says = book if state.role == "D" else "who moves first? *V*, in nats"
    value_axis = Axis(heights.low, heights.high, says, ticks=ticks(heights.edge, heights.high))
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
                (*share_layers(state, s), *answer_layers(state, s)),
                width_ratio=1.2,
            ),
            Panel(Axis(-0.5, 2.5), value_axis, value_layers(state, s, heights), column=1),
        ),
        controls=controls,
        readouts=(*_readouts(state, s), *_quiet_readouts(state, s)),
        formula=_formula(state),
    )


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
        yield Readout(f"best{k}", f"D* {k + 1}", one_of(s["best"], k), visible=False)
        yield Readout(f"share{k}", f"p_G {k + 1}", one_of(s["q"], k), digits=2, visible=False)


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
