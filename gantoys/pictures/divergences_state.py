"""The state that the three views of the divergences' page share, and how it names what it compares."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
from pydantic import AfterValidator, Field

from gantoys.maths import DIVERGENCES, Mixture1D, parse
from gantoys.maths.fit import FIT_KEYS
from gantoys.pictures.state import State
from gantoys.stage.channels import Layer
from gantoys.stage.layers import Area, Curve, Rule, Text
from gantoys.stage.scene import Control, Swept

if TYPE_CHECKING:
    DivergenceKey = str
else:
    DivergenceKey = Literal[FIT_KEYS]

Array = np.ndarray
LOW, HIGH = -8.0, 13.0
RECOVERED = "0.33*N(-1,0.255)+0.67*N(2,1.415)"
"""The f-GAN paper's mixture, which the paper does not print: recovered from its table, rounded."""
LABELS = {key: row.label for key, row in DIVERGENCES.items() if key in FIT_KEYS} | {
    "w1": "Wasserstein W₁",
    "w2_squared": "Wasserstein W₂²",
}
SHORT = {
    "kl": "KL(*p*‖*q*)",
    "reverse_kl": "KL(*q*‖*p*)",
    "jeffreys": "Jeffreys",
    "js": "JS",
    "tv": "TV",
    "hellinger2": "*H*^{2}",
    "chi2": "χ^{2}",
    "chi2_neyman": "Neyman χ^{2}",
    "w1": "*W*_{1}",
    "w2_squared": "*W*_{2}^{2}",
}
"""What is written at a line."""
UNITS = {key: "nats" for key in ("kl", "reverse_kl", "jeffreys", "js")}


def _line_law(text: str) -> str:
    law = parse(text)
    if not isinstance(law, Mixture1D):
        raise ValueError(f"{law} is not a distribution on the line with a density")
    if law.box[0] < LOW - 4 or law.box[1] > HIGH + 4:
        raise ValueError(f"{law} reaches beyond the picture, which goes from {LOW:g} to {HIGH:g}")
    if len(law.kinds) > 6:
        raise ValueError(f"{law} has {len(law.kinds)} components; this page compares at most 6 with everything")
    return text


class DivergenceState(State):
    """p_data as notation, what is shown, and for each view where its sliders stand.

    p_G of the sweep: (1 - weight) halves at `mean`, weight halves at mean + 4, both of standard deviation `spread`; of
    the fit: N(mu, sigma). `along`, `against`: the slider over which the curves run, the last that was moved.
    """

    show: Literal["sweep", "fit", "paradigms"] = "sweep"
    data: Annotated[str, AfterValidator(_line_law)] = Field("0.5*N(-2,0.7)+0.5*N(2,0.7)", max_length=300)
    divergence: DivergenceKey = "js"
    mean: float = Field(5.0, ge=-8, le=8)
    spread: float = Field(0.7, ge=0.3, le=3)
    weight: float = Field(0.5, ge=0, le=1)
    halves: Literal["normal", "uniform"] = "normal"
    along: Literal["mean", "spread", "weight"] = "mean"
    mu: float = Field(1.0, ge=-6, le=6)
    sigma: float = Field(1.0, ge=0.2, le=5)
    share: float = Field(0.02, ge=0, le=0.5)
    apart: float = Field(5.0, ge=0, le=8)
    against: Literal["share", "apart"] = "share"

    def moved(self, values: Mapping[str, float], control: str | None) -> dict[str, Any]:
        """The curves turn to the slider that was moved last."""
        turned = {"along": control} if control in ("mean", "spread", "weight") else {}
        turned |= {"against": control} if control in ("share", "apart") else {}
        return super().moved(values, control) | turned

    @property
    def p(self) -> Mixture1D:
        """p_data."""
        law = parse(self.data)
        assert isinstance(law, Mixture1D)
        return law


PRESETS: dict[str, dict[str, Any]] = {
    "near": {"data": "0.5*N(-2,0.7)+0.5*N(2,0.7)", "halves": "normal", "mean": -1.6, "spread": 0.8, "weight": 0.5},
    "far": {"data": "0.5*N(-2,0.7)+0.5*N(2,0.7)", "halves": "normal", "mean": 6.0, "spread": 0.7, "weight": 0.5},
    "disjoint": {"data": "0.5*U(-3,-1)+0.5*U(1,3)", "halves": "uniform", "mean": 5.0, "spread": 0.5, "weight": 0.5},
    "missed mode": {
        "data": "0.5*N(-2,0.7)+0.5*N(2,0.7)", "halves": "normal", "mean": -2.0, "spread": 0.7, "weight": 0.02,
        "along": "weight",
    },
}  # fmt: skip
"""Pairs of p_data and p_G with a name."""
DATA: dict[str, dict[str, Any]] = {
    "modes at ±2": {"data": "0.5*N(-2,0.6)+0.5*N(2,0.6)"},
    "modes at ±3": {"data": "0.5*N(-3,0.6)+0.5*N(3,0.6)"},
    "the f-GAN paper’s": {"data": RECOVERED},
    "skewed": {"data": "SN(-1,2,6)"},
    "two boxes": {"data": "0.5*U(-3,-1)+0.5*U(1,3)"},
}
"""Data with a name."""


def turned(controls: tuple[Control, ...], first: str) -> tuple[Control, ...]:
    """The controls with the one named `first` in front: before a hand moves, pictures follow the first."""
    return tuple(sorted(controls, key=lambda control: control.key != first))


def fraction(control: Control, value: Array | float) -> Array:
    """Where a value stands on its slider, 0 to 1."""
    values = np.asarray(control.values)
    return (np.asarray(value) - values[0]) / (values[-1] - values[0])


def marks(
    controls: tuple[Control, ...], ticks: Mapping[str, tuple[float, ...]], names: Mapping[str, str], low: float
) -> list[Layer]:
    """The axis under curves over a slider: of several sliders the one that moves. `low`: where it stands, in y."""
    layers: list[Layer] = [Rule(at=0.0, role="muted", dashed=False, width=0.5)]

    def only(key: str, value: float) -> Swept:
        return Swept({c.key: np.full(len(np.asarray(c.values)), value if c.key == key else np.nan) for c in controls})

    for control in controls:
        for value in ticks[control.key]:
            at = float(fraction(control, value))
            text = f"{value:g}".replace("-", "−")
            layers.append(Text(x=only(control.key, at), y=low, text=text, role="muted", size=0.92))
        layers.append(
            Text(x=only(control.key, 0.985), y=low, text=names[control.key], align="right", role="muted", size=0.92)
        )
    return layers


def named_data(x: Array, density: Array) -> tuple[Layer, ...]:
    """The data's density, (n,) over x, with its name left of its first hill."""
    half = 0.6 * float(density.max())
    place = float(x[np.argmax(density > half)]) - 0.3
    return (
        Area(x=x, y=density, role="real"),
        Curve(x=x, y=density, role="real"),
        Text(x=place, y=half, text="*p*_{data}", align="right", role="real"),
    )
