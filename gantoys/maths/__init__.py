"""The theory, exact: distributions, divergences, the game, losses, gradients, transport. numpy and scipy only.

>>> from gantoys.maths import parse, divergences
>>> result = divergences(parse("N(0,1)"), parse("N(1,1)"), ("kl", "js"))
>>> [round(float(result[key].value), 4) for key in ("kl", "js")]
[0.5, 0.1114]
"""

from gantoys.maths.compare import Quantity, divergences
from gantoys.maths.distributions import Finite, Mixture1D, Mixture2D, mix, normal, uniform
from gantoys.maths.divergences import DIVERGENCES
from gantoys.maths.flow import gradient_flow
from gantoys.maths.game import best_generator, ledger, ledger_finite, optimal_discriminator, value_at_best, value_terms
from gantoys.maths.gradients import divergence_slopes, generator_gradients
from gantoys.maths.losses import LOSSES
from gantoys.maths.notation import NotationError, parse
from gantoys.maths.sample_gradients import sample_gradients
from gantoys.maths.toys import TOYS, Sampler
from gantoys.maths.transport import w1, w2_squared

__all__ = [
    "DIVERGENCES",
    "LOSSES",
    "TOYS",
    "Finite",
    "Mixture1D",
    "Mixture2D",
    "NotationError",
    "Quantity",
    "Sampler",
    "best_generator",
    "divergence_slopes",
    "divergences",
    "generator_gradients",
    "gradient_flow",
    "ledger",
    "ledger_finite",
    "mix",
    "normal",
    "optimal_discriminator",
    "parse",
    "sample_gradients",
    "uniform",
    "value_at_best",
    "value_terms",
    "w1",
    "w2_squared",
]
