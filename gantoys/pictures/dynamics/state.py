"""The state of the page: the game, the rule, the sliders, where the path starts, and what was dropped."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
from pydantic import AfterValidator, Field, field_validator

from gantoys.maths import LOSSES
from gantoys.maths.dynamics import REGULARISERS, RULES, Game, dirac
from gantoys.pictures.lab_state import read_run, write_run
from gantoys.pictures.state import State
from gantoys.runs import limits
from gantoys.runs.config import TrainConfig
from gantoys.runs.recordings import SWING, SWING_AT

if TYPE_CHECKING:
    LossKey = str
    RegulariserKey = str
    RuleKey = str
else:
    LossKey, RegulariserKey, RuleKey = Literal[tuple(LOSSES)], Literal[tuple(REGULARISERS)], Literal[tuple(RULES)]

Array = np.ndarray
REACH = 2.4
"""The plane goes from -REACH to REACH both ways."""
LEAST_STEP, LARGEST_STEP = 0.02, 2.0
LEAST_STRENGTH, LARGEST_STRENGTH = 0.05, 2.0
LARGEST_BETA = 0.9
FEWEST_STEPS, MOST_STEPS = 50, 1000
MOST_DROPS = 12


def clouds(text: str) -> list[tuple[float, float]]:
    """The places that a text such as "1,0.5;-1,2" lists. Raises ValueError for anything else."""
    places = []
    for part in text.split(";") if text else ():
        try:
            x, y = (float(v) for v in part.split(","))
        except ValueError:
            raise ValueError(f"“{part[:40]}” is not a place such as 1,0.5") from None
        if not max(abs(x), abs(y)) <= REACH:
            raise ValueError(f"the place {part[:40]} lies outside the picture, which goes from {-REACH} to {REACH}")
        places.append((x, y))
    if len(places) > MOST_DROPS:
        raise ValueError(f"at most {MOST_DROPS} places can be named, got {len(places)}")
    return places


def _places(text: str) -> str:
    clouds(text)
    return text


class DynamicsState(State):
    """Loss and regulariser make the game; rule, step, beta and counts move it; theta, psi: where the path starts.

    show: the game of two numbers, or the lens on the lab's run `run` after step `at`.
    """

    loss: LossKey = "saturating"
    regulariser: RegulariserKey = "none"
    rule: RuleKey = "simultaneous"
    step: float = Field(0.4, ge=LEAST_STEP, le=LARGEST_STEP)
    strength: float = Field(0.3, ge=LEAST_STRENGTH, le=LARGEST_STRENGTH)
    beta: float = Field(0.5, ge=-LARGEST_BETA, le=LARGEST_BETA)
    d_steps: int = Field(1, ge=1, le=10)
    ahead: int = Field(5, ge=0, le=10)
    theta: float = Field(1.0, ge=-REACH, le=REACH)
    psi: float = Field(1.0, ge=-REACH, le=REACH)
    drops: Annotated[str, AfterValidator(_places)] = Field("", max_length=200)
    plane: Literal["step", "field"] = "step"
    steps: int = Field(150, ge=FEWEST_STEPS, le=MOST_STEPS)
    time: float = Field(0.0, ge=0, le=MOST_STEPS)
    show: Literal["game", "lens"] = "game"
    run: str = write_run(SWING)
    at: int = Field(SWING_AT[0], ge=1, le=limits.STEPS)

    @field_validator("run")
    @classmethod
    def _readable(cls, text: str) -> str:
        return write_run(read_run(text))

    @property
    def config(self) -> TrainConfig:
        """The run under the lens."""
        return read_run(self.run)

    def moved(self, values: Mapping[str, float], control: str | None) -> dict[str, Any]:
        """The film's clock counts only where the hand moved it: else it is wherever the film has come to."""
        return super().moved({k: v for k, v in values.items() if k != "time" or control == "time"}, control)

    def dropped(self, x: float, y: float) -> dict[str, Any]:
        """The fields to change when a cloud is dropped at (x, y): the path starts there too; the oldest cloud goes."""
        x, y = (round(float(np.clip(v, -REACH, REACH)), 2) for v in (x, y))
        places = [*clouds(self.drops), (x, y)][-MOST_DROPS:]
        return {"theta": x, "psi": y, "drops": ";".join(f"{a:g},{b:g}" for a, b in places), "time": 0.0}

    @property
    def slides(self) -> tuple[str, ...]:
        """The sliders that mean something for this game and this rule."""
        amounts = {"strength": REGULARISERS[self.regulariser].amount, "beta": self._has_beta}
        return ("step", *(key for key, there in amounts.items() if there), "theta")

    @property
    def _has_beta(self) -> bool:
        row = RULES[self.rule]
        return bool(row.amount) and not row.whole

    def game(self, strength: float | Array) -> Game:
        """The Dirac-GAN with D at rest where it cannot tell, regularised by `strength`."""
        row = REGULARISERS[self.regulariser]
        bias = LOSSES[self.loss].neutral
        return dirac(self.loss, (row.key, strength) if row.amount else row.key, bias=bias)

    def choice(self, beta: float | Array, parts: int = 1) -> str | tuple[str, Any]:
        """The rule with its amount; `parts`: in how many parts the flow solves a step."""
        row = RULES[self.rule]
        if self._has_beta:
            return row.key, np.maximum(beta, row.least)
        counts = {"flow": parts, "unrolled": self.ahead}
        return f"{row.key}:{counts.get(row.key, self.d_steps)}" if row.amount else row.key
