"""The state that the three views share, and how they name and colour the two losses."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
from pydantic import AfterValidator, Field
from scipy import special

from gantoys.maths import LOSSES, Mixture1D, parse
from gantoys.pictures.state import State

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
    """p_data as notation, p_G = N(shift, scale^2), the two losses, what is shown, and the race's clock."""

    data: Annotated[str, AfterValidator(_line_law)] = Field("N(0,1)", max_length=300)
    shift: float = Field(3.0, ge=NEAREST, le=FURTHEST)
    scale: float = Field(1.0, ge=0.3, le=2)
    show: Literal["separation", "losses", "race"] = "separation"
    loss: LossKey = "saturating"
    other: LossKey = "non-saturating"
    against: Literal["D", "logit"] = "D"
    time: float = Field(0.0, ge=0, le=DURATION)

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
    def keys(self) -> tuple[str, str]:
        """The two losses."""
        return self.loss, self.other


PRESETS: dict[str, dict[str, Any]] = {
    "one Gaussian": {"data": "N(0,1)", "shift": 3.0, "scale": 1.0},
    "two modes": {"data": "0.5*N(-2,0.5)+0.5*N(2,0.5)", "shift": 1.5, "scale": 0.5},
    "heavy tails": {"data": "T(0,1,3)", "shift": 6.0, "scale": 1.0},
}
"""Data with a name."""


def name(key: str) -> str:
    """A loss's label as it stands within a sentence."""
    label = LOSSES[key].label
    return label if label.startswith(("f-GAN", "Wasserstein")) else label[0].lower() + label[1:]


def short(key: str) -> str:
    """What is written at a line: the label without what stands in brackets."""
    return name(key).split(" (")[0]


def left_flank(x: Array, density: Array) -> float:
    """Where the name of a density stands free: half way up its first hill."""
    return float(x[np.argmax(density > 0.5 * density.max())])


def pair(state: GradientState) -> tuple[str, str]:
    """The two losses' short names in their colours, for readouts and formulas."""
    first, second = (f"[{short(key)}|{role}]" for key, role in zip(state.keys, ROLES, strict=True))
    return first, second
