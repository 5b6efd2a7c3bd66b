"""The independent numeric values of tests/data/oracles.json, and the distributions they speak of."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from gantoys.maths import Mixture1D, mix, normal

CASES: dict[str, dict[str, Any]] = {
    case["name"]: case for case in json.loads((Path(__file__).parent / "data" / "oracles.json").read_text())["cases"]
}


def mixture(spec: dict[str, list[float]]) -> Mixture1D:
    parts = [normal(m, s) for m, s in zip(spec["means"], spec["stds"], strict=True)]
    law = mix(np.array(spec["weights"]), parts)
    assert isinstance(law, Mixture1D)
    return law


def number(value: float | str) -> float:
    return float(value)  # "inf" reads as infinity


def close(name: str, key: str, got: float, want: float | str) -> None:
    """Asserts agreement within the case's own tolerance."""
    case = CASES[name]
    tolerance = case.get("tolerance_by_key", {}).get(key, case["tolerance"])
    wanted = number(want)
    assert got == wanted or abs(got - wanted) <= tolerance * max(1.0, abs(wanted)), (name, key, got, wanted)
