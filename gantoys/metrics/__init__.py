"""How good are generated points? numpy and scipy only.

>>> from gantoys.maths import parse
>>> from gantoys.metrics import METRICS, mode_report
>>> target = parse("ring(8,radius=1,std=0.01)")
>>> mode_report(target.modes, target, rule="pacgan").modes
8
>>> METRICS["frechet"].function([0.0, 2.0], [1.0, 3.0])
1.0
"""

from gantoys.metrics.bands import PERFECT_JS, Band, Reference, mode_references, noise_box, reference, uniform_noise
from gantoys.metrics.floors import reverse_kl_floor
from gantoys.metrics.frechet import frechet_laws, frechet_moments
from gantoys.metrics.inception import inception_scores, mode_probabilities
from gantoys.metrics.kernels import median_bandwidth, mmd2_laws
from gantoys.metrics.modes import MODE_RULES, ModeReport, has_modes, mode_report
from gantoys.metrics.neighbours import neighbours
from gantoys.metrics.table import METRICS

__all__ = [
    "METRICS",
    "MODE_RULES",
    "PERFECT_JS",
    "Band",
    "ModeReport",
    "Reference",
    "frechet_laws",
    "frechet_moments",
    "has_modes",
    "inception_scores",
    "median_bandwidth",
    "mmd2_laws",
    "mode_probabilities",
    "mode_references",
    "mode_report",
    "neighbours",
    "noise_box",
    "reference",
    "reverse_kl_floor",
    "uniform_noise",
]
