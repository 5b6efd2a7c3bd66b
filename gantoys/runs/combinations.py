"""Which fields of a run do not go together, and why."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from gantoys.maths.losses import LOSSES
from gantoys.runs import limits
from gantoys.runs.moments import schedule

if TYPE_CHECKING:
    from gantoys.runs.config import TrainConfig


def combinations(config: TrainConfig) -> Iterator[tuple[bool, str]]:
    """Whether a rule is broken, and the rule as a sentence."""
    c = config
    penalised = c.gp > 0 or c.gp0 > 0 or c.r1 > 0 or c.r2 > 0
    compares = c.minibatch_kernels > 0 or c.minibatch_std
    yield (
        bool(c.fake_law) and c.g_steps > 0,
        "with fake_law the generated points come from that law, so G has nothing to learn: g_steps must be 0",
    )
    yield (
        bool(c.fake_law) and c.fake_dim != c.dim,
        f"fake_law has points of dimension {c.fake_dim}, the target of dimension {c.dim}: they must agree",
    )
    yield (
        bool(c.fake_law) and (compares or c.pac > 1),
        "with fake_law D is looked at point by point, so it does not go with pac, minibatch_kernels or minibatch_std",
    )
    yield (
        c.eigenvalues > 0 and (bool(c.fake_law) or c.slow is not None),
        "eigenvalues belong to one picture of a game that both play: they go with neither fake_law nor slow motion",
    )
    yield (
        c.eigenvalues > 0 and (c.unrolled > 0 or c.historical_averaging > 0),
        "eigenvalues are those of a field that forgets its past and looks at no future: they go with neither unrolled "
        "nor historical_averaging",
    )
    yield c.batch_norm and not c.layers, "batch_norm is of G's hidden layers: with layers 0 there are none"
    yield (
        c.maxout > 0 and not c.hidden_d,
        "maxout is of D's hidden layers: with layers_d 0, or layers 0 where that is not set, there are none",
    )
    yield not c.d_steps and not c.g_steps, "d_steps and g_steps are both 0: nobody would move"
    yield (
        c.order == "simultaneous" and (c.d_steps, c.g_steps) != (1, 1),
        "simultaneous moves come in pairs: with order simultaneous d_steps and g_steps must be 1",
    )
    yield c.batch % c.pac != 0, f"pac is {c.pac}: it must divide the batch, {c.batch}, without a rest"
    yield c.batch // c.pac < 2, f"a batch of {c.batch} holds fewer than 2 packs of {c.pac} points"
    yield (
        c.label_smoothing > 0 and LOSSES[c.loss].paired,
        f"label_smoothing needs a loss with a part for real points alone, which {c.loss} has not",
    )
    yield (
        penalised and compares,
        "a gradient penalty is about one point at a time, so it does not go with minibatch_kernels or minibatch_std, "
        "by which D looks at the whole batch",
    )
    yield (
        c.consensus > 0 and c.order != "simultaneous",
        "consensus is about a step that both players take together: it needs order simultaneous",
    )
    yield (
        c.unrolled > 0 and c.order == "simultaneous",
        "unrolled looks ahead to the D that G will meet: it needs order alternating",
    )
    yield (
        c.consensus > 0 and (c.unrolled > 0 or c.spectral_norm or c.batch_norm),
        "consensus differentiates the whole step again: it goes with neither unrolled, spectral_norm nor batch_norm",
    )
    if c.slow is not None:
        yield (
            not c.steps - limits.FRAMES < c.slow < c.steps,
            f"slow is {c.slow}: slow motion begins before the last step, {c.steps}, and less than {limits.FRAMES} "
            "steps before it",
        )
        yield (
            len(schedule(c)[0]) > limits.FRAMES,
            f"slow motion from step {c.slow} to {c.steps} takes {len(schedule(c)[0])} pictures, at most "
            f"{limits.FRAMES} are taken: begin later",
        )
