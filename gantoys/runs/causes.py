"""Why a run may diverge, as its fields tell, and what to change so that it does not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from gantoys.maths.losses import LOSSES
from gantoys.runs.config import TrainConfig

FAST = {"adam": 0.05, "rmsprop": 0.05, "sgd": 1.0, "momentum": 0.5}  # learning rates that are rarely survived
CALM = {"adam": 1e-3, "rmsprop": 1e-3, "sgd": 0.02, "momentum": 0.01}  # such as these games bear
STIFF = 0.02  # of a penalty's weight times the learning rate of D: above it steps overshoot
_WEIGHTS = ("gp", "gp0", "r1", "r2", "consensus", "historical_averaging")
_FAR = 40.0  # an output at which an exponential is beyond all else
_ROUNDS = 6  # one cure may bring the next cause to light


@dataclass(frozen=True)
class Cause:
    """words: the likely cause; fields: what a run can change on its way against it. certain: not merely general
    advice."""

    words: str
    fields: Mapping[str, Any]
    certain: bool = True


def cause(now: TrainConfig) -> Cause:
    """What in the fields in force is known to end in numbers that are not finite."""
    bounded = now.clip or now.spectral_norm or now.gp or now.gp0 or now.r1 or now.r2
    calm = {k: min(getattr(now, k), CALM[now.optimiser]) for k in ("lr_d", "lr_g")}
    for who, key in (("D", "lr_d"), ("G", "lr_g")):
        rate = getattr(now, key)
        if rate >= FAST[now.optimiser]:
            return Cause(f"the learning rate of {who} is {rate:g}, far too large for {now.optimiser}", calm)
    if LOSSES[now.loss].lipschitz and not bounded:
        return Cause(
            "nothing bounds the critic of this loss: it needs a gradient penalty, clipping or spectral norm",
            {"gp": 1.0},
        )
    weight, name = max((getattr(now, k), k) for k in _WEIGHTS)
    if weight * now.lr_d > STIFF:
        # a weight of 1 and a usual rate go together; beyond that the weight is at fault
        fields = calm if weight <= 1 and calm["lr_d"] < now.lr_d else {name: min(weight / 10, 1.0)}
        return Cause(f"the weight of {name} is {weight:g}, too large for this learning rate", fields)
    if grows_exponentially(now.loss):
        slower = {k: v / 4 for k, v in calm.items()}
        return Cause(
            "this loss grows exponentially with D's output: smaller learning rates, or R1, hold it",
            slower | {"r1": max(now.r1, 0.1)},
            certain=False,
        )
    slower = {k: (v if v < getattr(now, k) else v / 4) for k, v in calm.items()}
    return Cause(
        "D and G answer each other too strongly: smaller learning rates, or R1, calm them",
        slower | {"r1": max(now.r1, 0.1)},
        certain=False,
    )


def grows_exponentially(loss: str) -> bool:
    """Whether a part of a loss is an exponential of D's output, to one side at least."""
    row, far = LOSSES[loss], np.array([-_FAR, _FAR])
    return any(bool(np.any(np.abs(part(far)) > np.exp(0.5 * _FAR))) for part in (row.real, row.fake, row.generator))


def cure(now: TrainConfig) -> dict[str, Any]:
    """The fields, with new values, that take every known cause away from a run with these fields in force.

    Where no certain cause is known, what calms most runs. Values too small or large for a field stay within its range.
    """
    fields: dict[str, Any] = {}
    for _ in range(_ROUNDS):
        found = cause(now.changed(**fields))
        if not found.certain and fields:
            break
        fields |= {k: max(v, 1e-7) for k, v in found.fields.items()}
        if not found.certain:
            break
    return {k: v for k, v in fields.items() if v != getattr(now, k)}
