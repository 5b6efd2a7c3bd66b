"""The state that the views share, and how they name and colour the two losses."""

from collections.abc import Mapping
from textwrap import wrap
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
from pydantic import AfterValidator, Field
from scipy import special

from gantoys.maths import LOSSES, Mixture1D, parse
from gantoys.pictures.state import State
from gantoys.runs import limits
from gantoys.runs.config import TrainConfig
from gantoys.runs.frozen import frozen_config
from gantoys.stage.channels import Layer
from gantoys.stage.layers import Area, Curve, Text

if TYPE_CHECKING:
    LossKey = str
else:
    LossKey = Literal[tuple(LOSSES)]

Array = np.ndarray
LOW, HIGH = -4.0, 12.0
NEAREST, FURTHEST = 0.0, 10.0
DURATION = 12.0
SAMPLES = special.ndtri((np.arange(9) + 0.5) / 9)
"""z of nine samples at equally likely places."""
ROLES: tuple[str, str] = ("fake", "accent")
"""The colours of the first and the second loss."""


def _line_law(text: str) -> str:
    law = parse(text)
    if not isinstance(law, Mixture1D):
        raise ValueError(f"{law} is not a distribution on the line with a density")
    if not law.smooth:
        raise ValueError(f"{law} has edges, where D* falls to 0 at once and a sample has no slope to follow")
    if law.box[0] < 2 * LOW or law.box[1] > HIGH:
        raise ValueError(f"{law} reaches beyond the picture, which goes from {LOW:g} to {HIGH:g}")
    return text


class GradientState(State):
    """p_data as notation, p_G = N(shift, scale^2), the two losses, what is shown, and the race's clock.

    apart, seed, step: of the run with a frozen G; points: over how many a noisy gradient is averaged.
    """

    data: Annotated[str, AfterValidator(_line_law)] = Field("N(0,1)", max_length=300)
    shift: float = Field(3.0, ge=NEAREST, le=FURTHEST)
    scale: float = Field(1.0, ge=0.3, le=2)
    show: Literal["separation", "losses", "race", "frozen", "noisy"] = "separation"
    loss: LossKey = "saturating"
    other: LossKey = "non-saturating"
    against: Literal["D", "logit"] = "D"
    time: float = Field(0.0, ge=0, le=DURATION)
    apart: Literal["2", "5", "8"] = "8"
    seed: int = Field(0, ge=0, le=limits.SEED)
    step: int = Field(0, ge=0, le=4000)
    points: int = Field(1, ge=1, le=256)

    def moved(self, values: Mapping[str, float], control: str | None) -> dict[str, Any]:
        """The race's slider is where p_G starts from; a new start sets its clock back."""
        if "start" not in values:
            return super().moved(values, control)
        return {"shift": values["start"], "time": 0.0 if control == "start" else values["time"]}

    @property
    def p(self) -> Mixture1D:
        """p_data."""
        law = parse(self.data)
        assert isinstance(law, Mixture1D)
        return law

    @property
    def config(self) -> TrainConfig:
        """The run of D against the frozen G."""
        return frozen_config(int(self.apart), self.seed)

    @property
    def keys(self) -> tuple[str, str]:
        """The two losses."""
        return self.loss, self.other


PRESETS: dict[str, dict[str, Any]] = {
    "one Gaussian": {"data": "N(0,1)", "shift": 3.0, "scale": 1.0},
    "two modes": {"data": "0.5*N(-2,0.5)+0.5*N(2,0.5)", "shift": 1.5, "scale": 0.5},
    "heavy tails": {"data": "T(0,1,3)", "shift": 6.0, "scale": 1.0},
}
"""Data with a name."""


def in_words(*sentences: str) -> list[Layer]:
    """Sentences in the upper right corner of a panel: what cannot be drawn, and why."""
    lines = [line for sentence in sentences for line in wrap(sentence, 36)]
    return [
        Text(x=0.98, y=0.95 - 0.07 * i, text=line, align="right", frame=True, role="warn")
        for i, line in enumerate(lines)
    ]


def name(key: str) -> str:
    """A loss's label as it stands within a sentence."""
    label = LOSSES[key].label
    return label if label.startswith(("f-GAN", "Wasserstein")) else label[0].lower() + label[1:]


def short(key: str) -> str:
    """What is written at a line: the label without what stands in brackets."""
    return name(key).split(" (")[0]


def named_data(x: Array, density: Array) -> tuple[Layer, ...]:
    """The data's density, (n,) over x, with its name left of its first hill, half way up."""
    half = 0.5 * float(density.max())
    place = float(x[np.argmax(density > half)]) - 0.25
    return (
        Area(x=x, y=density, role="real"),
        Curve(x=x, y=density, role="real"),
        Text(x=place, y=half, text="*p*_{data}", align="right", role="real"),
    )


TOO_MANY_PAIRS = "the relativistic loss compares all pairs of points: with tails this heavy, too many for this page"


def too_many_pairs(p: Mixture1D, key: str) -> bool:
    """Whether a loss of pairs would need the pairs of a heavy tail with everything: seconds for each position."""
    return LOSSES[key].paired and "student-t" in p.kinds


def pair(state: GradientState) -> tuple[str, str]:
    """The two losses' short names in their colours, for readouts and formulas."""
    first, second = (f"[{short(key)}|{role}]" for key, role in zip(state.keys, ROLES, strict=True))
    return first, second
