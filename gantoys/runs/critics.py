"""Critics trained against a fixed law of generated points, alike but for what is to keep their slope near 1."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from gantoys.maths.losses import LOSSES
from gantoys.runs.config import TrainConfig

# three modes against two between them, so that the best critic is a W
_PAIR = TrainConfig(
    toy="0.25*N(-8,0.6)+0.5*N(0,0.6)+0.25*N(8,0.6)", fake_law="0.5*N(-4,0.6)+0.5*N(4,0.6)", g_steps=0,
    loss="wasserstein", steps=2000, width=8, layers=1, width_d=32, layers_d=3, lr_d=1e-3, frames=51, shown=400,
)  # fmt: skip


@dataclass(frozen=True)
class SlopeRule:
    """A way to bound a critic's slope.

    field: the one of `TrainConfig` that holds its strength; strengths: what it may be here, the first by default; sign:
    how it is written before the number. "" and none where there is nothing to choose.
    """

    key: str
    label: str
    reference: str
    fixed: tuple[tuple[str, Any], ...] = ()
    field: str = ""
    strengths: tuple[float, ...] = ()
    sign: str = ""

    def name(self, config: TrainConfig) -> str:
        """The rule with the strength that it has in a config."""
        return f"{self.label}, {self.sign}{getattr(config, self.field):g}" if self.field else self.label


SLOPE_RULES = {
    row.key: row
    for row in (
        SlopeRule("none", "no bound", "without one the value has no upper bound"),
        SlopeRule(
            "clip",
            "clipping",
            "Arjovsky, Chintala & Bottou 2017",
            field="clip",
            strengths=(0.1, 0.01, 0.03, 0.3),
            sign="±",
        ),
        SlopeRule(
            "gp", "gradient penalty", "Gulrajani et al. 2017", field="gp", strengths=(1.0, 0.1, 10.0), sign="λ = "
        ),
        SlopeRule("sn", "spectral norm", "Miyato et al. 2018", fixed=(("spectral_norm", True),)),
    )
}


def critic_config(rule: str, strength: float | None = None, seed: int = 0) -> TrainConfig:
    """The run of a critic under one rule; KeyError for an unknown one, ValueError for a strength out of range."""
    row = SLOPE_RULES[rule]
    fields = dict(row.fixed)
    if row.field:
        fields[row.field] = row.strengths[0] if strength is None else strength
    return _PAIR.changed(seed=seed, **fields)


def estimates(config: TrainConfig) -> str:
    """What minus the loss of D estimates where D's output tells no probability, in words; "" where nothing is known.

    W1 wants a critic of slope 1: a penalty or spectral norm hold it there, clipping holds it below some number.
    """
    if LOSSES[config.loss].lipschitz:
        if config.gp or config.spectral_norm:
            return "an estimate of W1"
        return "W1 up to an unknown factor" if config.clip else ""
    return "the total variation, from below" if config.loss == "f-tv" else ""
