"""Configs with a name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from gantoys.runs.config import TrainConfig

# The start page: a plain GAN on the ring. G is chased from mode to mode for some 350 steps, then finds the ring and all
# eight modes.
START = TrainConfig(
    toy="ring(8,radius=2,std=0.1)", loss="non-saturating", activation="relu", seed=4, steps=3000, frames=161
)


Figures = Mapping[str, tuple[float, float]]


@dataclass(frozen=True)
class Published:
    """What a paper reports: its name for the row, and each figure as (mean, standard error)."""

    row: str
    figures: Figures


@dataclass(frozen=True)
class Preset:
    """A protocol with a name. rule: the key of `gantoys.metrics.modes.MODE_RULES` by which its film is judged. trials:
    how many seeds the published figures are means of. published: them. differences: where this run is not the paper's.
    """

    key: str
    label: str
    reference: str
    config: TrainConfig
    rule: str
    trials: int
    published: Published
    differences: str


def _pacgan(toy: str, pac: int) -> TrainConfig:
    return TrainConfig(
        toy=toy, dataset=100_000, steps=400_000, batch=100 * pac, pac=pac, order="simultaneous",
        noise_dim=2, width=400, layers=4, activation="relu", batch_norm=True,
        width_d=200, layers_d=3, maxout=5, init="normal", init_scale=0.02,
        lr_g=1e-4, lr_d=1e-4, beta1=0.8, beta2=0.999, frames=81, shown=2500,
    )  # fmt: skip


_RING, _GRID = "ring(8,radius=1,std=0.01)", "grid(5,spacing=2,std=0.05)"
_DIFFERENCES = (
    "each seed has its own 2,500 noise points for the evaluation (the paper: the same in all runs); batch "
    "normalisation is shown with the statistics of 4,096 points; PyTorch in place of Theano"
)


def _pacgan_rows(
    key: str, toy: str, rows: tuple[tuple[int, str, Mapping[str, tuple[float, float]]], ...]
) -> list[Preset]:
    return [
        Preset(
            key=key if pac == 1 else f"{key}-{pac}",
            label=f"{name}: {toy}",
            reference="Lin, Khetan, Fanti & Oh 2018, PacGAN, table 1 and its authors' code",
            config=_pacgan(toy, pac),
            rule="pacgan",
            trials=10,
            published=Published(name, figures),
            differences=_DIFFERENCES,
        )
        for pac, name, figures in rows
    ]


PRESETS = {
    row.key: row
    for row in (
        *_pacgan_rows(
            "pacgan-ring",
            _RING,
            (
                (1, "GAN", {"modes": (6.3, 0.5), "high_quality": (0.982, 0.002), "reverse_kl": (0.45, 0.09)}),
                (2, "PacGAN2", {"modes": (7.9, 0.1), "high_quality": (0.956, 0.020), "reverse_kl": (0.07, 0.03)}),
                (3, "PacGAN3", {"modes": (7.8, 0.1), "high_quality": (0.977, 0.003), "reverse_kl": (0.10, 0.02)}),
                (4, "PacGAN4", {"modes": (7.8, 0.1), "high_quality": (0.959, 0.014), "reverse_kl": (0.07, 0.02)}),
            ),
        ),
        *_pacgan_rows(
            "pacgan-grid",
            _GRID,
            (
                (1, "GAN", {"modes": (17.3, 0.8), "high_quality": (0.948, 0.007), "reverse_kl": (0.70, 0.07)}),
                (2, "PacGAN2", {"modes": (23.8, 0.7), "high_quality": (0.913, 0.008), "reverse_kl": (0.13, 0.04)}),
                (3, "PacGAN3", {"modes": (24.6, 0.4), "high_quality": (0.942, 0.004), "reverse_kl": (0.06, 0.02)}),
                (4, "PacGAN4", {"modes": (24.8, 0.2), "high_quality": (0.936, 0.006), "reverse_kl": (0.04, 0.01)}),
            ),
        ),
    )
}
