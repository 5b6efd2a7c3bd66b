"""The lab's presets: each names what its run shows, and the tests hold it to that."""

from dataclasses import dataclass

from gantoys.runs.config import TrainConfig
from gantoys.runs.presets import START


@dataclass(frozen=True)
class LabPreset:
    """A run worth seeing: its name, what it shows, and its config."""

    key: str
    label: str
    shows: str
    config: TrainConfig


_RING = TrainConfig(toy="ring(8,radius=2,std=0.1)", activation="relu", width=64, batch=128, steps=800)
_COLLAPSE = _RING.changed(g_steps=5)
_WGAN = _RING.changed(loss="wasserstein", activation="leaky-relu", d_steps=5, steps=1500)
_FAR = TrainConfig(
    toy="N(8,0.5)", loss="saturating", d_steps=10, lr_d=5e-3, width=32, noise_dim=1, batch=128, steps=1000
)

LAB_PRESETS = {
    row.key: row
    for row in (
        LabPreset("good", "Good start", "G is chased around the ring, then finds all eight modes.", START),
        LabPreset(
            "line",
            "On the line: D over D*",
            "One noise number, two modes: p_G is known exactly, and the trained D lies over the best one.",
            TrainConfig(toy="bimodal", noise_dim=1, width=32, activation="tanh", d_steps=3, lr_d=2e-3, steps=2000),
        ),
        LabPreset(
            "collapse", "Mode collapse", "Five moves of G to one of D: all points run to one place, and on.", _COLLAPSE
        ),
        LabPreset(
            "collapse-mended",
            "… and D compares points",
            "The same moves, but D sees how far a batch spreads: G cannot stay in one place.",
            _COLLAPSE.changed(minibatch_std=True),
        ),
        LabPreset(
            "vanishing",
            "Vanishing gradients",
            "D is sure at once, and under the saturating loss hardly anything reaches G: p_G stays where it was.",
            _FAR,
        ),
        LabPreset(
            "vanishing-mended",
            "… and the other loss",
            "The same D, but the non-saturating loss still pulls: p_G travels to the data.",
            _FAR.changed(loss="non-saturating"),
        ),
        LabPreset(
            "wgan-bare",
            "WGAN without a bound",
            "Nothing holds the critic: its loss reaches tens and hundreds, and it is luck whether G finds the ring.",
            _WGAN,
        ),
        LabPreset(
            "wgan-gp",
            "WGAN, gradient penalty",
            "The penalty holds the critic's slope near 1: all eight modes, and losses near 0.",
            _WGAN.changed(gp=1.0),
        ),
        LabPreset(
            "diverging",
            "It diverges",
            "Huge steps of an unbounded critic: the run ends after a few steps and says why.",
            _RING.changed(
                loss="wasserstein", activation="leaky-relu", optimiser="sgd", lr_d=0.5, lr_g=0.5, width=32, batch=256,
                steps=500,
            ),
        ),
    )
}  # fmt: skip


def preset_of(config: TrainConfig) -> str | None:
    """The preset that has this config, if any."""
    return next((key for key, row in LAB_PRESETS.items() if row.config == config), None)
