"""What is added to a game of two numbers so that its players arrive: one row each, and the notation `r1:0.3`.

In the Dirac-GAN the critic is linear, so penalties of its slope at real, at generated and at mixed points are one
penalty of psi, and so is the decay of its weight: the rows say so, and the page can show it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import numpy as np

from gantoys.maths.dynamics_dual import Values, gradients

Field = Callable[[Values, Values], tuple[Values, Values]]


@dataclass(frozen=True)
class Regulariser:
    """What is added to a game; `weight` is the number after the colon in `r1:0.3`.

    penalty(psi, weight): the slope in psi of a term of D's loss. shared(field, theta, psi): the slopes in theta and psi
    of a term that both players' losses get, times the weight. noisy: the weight is the standard deviation of normal
    noise on real and generated points. hold(psi, weight): where psi is put back to after each move of D.
    smooth: whether the field has a derivative at theta = psi = 0; default: the weight where none is given.
    """

    key: str
    label: str
    formula: str
    reference: str
    amount: str = ""
    default: float = 0.0
    least: float = 0.0
    most: float = 1e6
    whole: bool = False
    penalty: Callable[[Values, Values], Values] | None = None
    shared: Callable[[Field, Values, Values], tuple[Values, Values]] | None = None
    noisy: bool = False
    hold: Callable[[Values, Values], Values] | None = None
    smooth: bool = True


def _consensus(field: Field, theta: Values, psi: Values) -> tuple[Values, Values]:
    def energy(x: Values, y: Values) -> Values:
        v_theta, v_psi = field(x, y)
        return 0.5 * (v_theta * v_theta + v_psi * v_psi)

    return gradients(energy, theta, psi)[1:]


_MESCHEDER = "Mescheder, Geiger & Nowozin 2018"

REGULARISERS = {
    row.key: row
    for row in (
        Regulariser("none", "None", "0", f"{_MESCHEDER}, section 2"),
        Regulariser(
            "r1", "R1", r"\tfrac{\gamma}{2}\,\mathbb{E}_p\|\nabla D\|^2=\tfrac{\gamma}{2}\psi^2",
            f"{_MESCHEDER}, section 4.1", amount="γ", default=0.3, penalty=lambda psi, w: w * psi,
        ),
        Regulariser(  # the critic is linear, so its slope is the same at real and at generated points
            "r2", "R2", r"\tfrac{\gamma}{2}\,\mathbb{E}_q\|\nabla D\|^2=\tfrac{\gamma}{2}\psi^2",
            f"{_MESCHEDER}, section 4.1", amount="γ", default=0.3, penalty=lambda psi, w: w * psi,
        ),
        Regulariser(
            "wgan-gp", "Gradient penalty, target 1",
            r"\tfrac{\lambda}{2}(\|\nabla D\|-1)^2=\tfrac{\lambda}{2}(|\psi|-1)^2",
            f"Gulrajani et al. 2017, eq. 3, with the factor 1/2 of {_MESCHEDER}, section 3",
            amount="λ", default=0.7, penalty=lambda psi, w: w * (psi - np.sign(psi)), smooth=False,
        ),
        Regulariser(
            "gp0", "Gradient penalty, target 0", r"\tfrac{\lambda}{2}\|\nabla D\|^2=\tfrac{\lambda}{2}\psi^2",
            f"{_MESCHEDER}, section 3; Thanh-Tung, Tran & Venkatesh 2019",
            amount="λ", default=0.3, penalty=lambda psi, w: w * psi,
        ),
        Regulariser(
            "instance-noise", "Instance noise", r"x+\varepsilon,\ \varepsilon\sim N(0,\sigma^2)",
            f"Sønderby et al. 2017; {_MESCHEDER}, section 3", amount="σ", default=0.7, noisy=True,
        ),
        Regulariser(
            "consensus", "Consensus", r"\tfrac{\gamma}{2}\|v\|^2",
            "Mescheder, Nowozin & Geiger 2017, The numerics of GANs", amount="γ", default=1.0, shared=_consensus,
        ),
        Regulariser(
            "clip", "Weight clipping", r"|\psi|\le c", "Arjovsky, Chintala & Bottou 2017, algorithm 1",
            amount="c", default=1.0, least=1e-9, hold=lambda psi, w: np.minimum(np.maximum(psi, -w), w),
        ),
        Regulariser(  # of D alone: the data lie at 0, so a theta that decays would be told the answer
            "weight-decay", "Weight decay of D", r"\tfrac{\lambda}{2}\psi^2", "Krogh & Hertz 1991",
            amount="λ", default=0.3, penalty=lambda psi, w: w * psi,
        ),
    )
}  # fmt: skip


class Row(Protocol):
    """A row that may have an amount: its name ("" for none), the default, the range, whether it is a whole number."""

    @property
    def amount(self) -> str: ...
    @property
    def default(self) -> float: ...
    @property
    def least(self) -> float: ...
    @property
    def most(self) -> float: ...
    @property
    def whole(self) -> bool: ...


R = TypeVar("R", bound=Row)


def choose(table: Mapping[str, R], choice: "str | tuple[str, Any]", what: str) -> tuple[R, Any]:
    """The row and the amount that `key`, `key:amount` or (key, amounts) means; raises ValueError in one sentence.

    >>> choose(REGULARISERS, "r1:0.5", "regulariser")[1]
    0.5
    """
    key, given = (choice.partition(":")[0], choice.partition(":")[2] or None) if isinstance(choice, str) else choice
    if key not in table:
        raise ValueError(f"unknown {what} {key!r}: known are {', '.join(table)}")
    row = table[key]
    if given is None and (not isinstance(choice, str) or ":" not in choice):
        return row, int(row.default) if row.whole else row.default
    if not row.amount:
        raise ValueError(f"{what} {key} takes no number after it")
    try:
        amount = np.asarray(given, float) if not isinstance(given, str) else np.float64(given)
    except (TypeError, ValueError):
        amount = np.array(np.nan)
    allowed = np.all((amount >= row.least) & (amount <= row.most))
    if not allowed or (row.whole and (amount.ndim or amount != np.round(amount))):
        kind = "a whole number" if row.whole else "a number"
        shown = "" if given is None else str(given)[:40]
        raise ValueError(f"{what} {key}: {row.amount} must be {kind} from {row.least:g} to {row.most:g}, got {shown!r}")
    return row, int(amount) if row.whole else (float(amount) if amount.ndim == 0 else amount)
