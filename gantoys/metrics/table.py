"""Every metric: what it needs, which way is better, what it cannot see, and its function."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from gantoys.maths.transport import w1 as w1_of_laws
from gantoys.metrics import divergence, frechet, inception, jensen_shannon, kernels, neighbours, transport
from gantoys.metrics.modes import mode_report
from gantoys.metrics.parzen import parzen, parzen_scored
from gantoys.metrics.samples import Scored

Array = np.ndarray
Needs = Literal["samples", "mixture", "probabilities"]


@dataclass(frozen=True)
class Metric:
    """One number that says how good generated points are.

    key: never changes. formula: LaTeX. direction: which way is better; None: nearest to a perfect generator's value.
    needs: "samples": function(real, fake, **knobs); "mixture": function(fake, mixture, **knobs), a mixture of normals;
    "probabilities": function(probabilities, **knobs), class probabilities (n, K) of the generated points.
    random: the function also asks for `rng`. scored: function(real, fake, **knobs) -> by key the value with its error
    and note, of this metric and of all that come of the same work. laws: function(p, q, **knobs), the exact value
    between two laws whose densities are known, where there is a way. blind: what it does not see, or costs.
    """

    key: str
    label: str
    formula: str
    reference: str
    direction: Literal["higher", "lower"] | None
    needs: Needs
    function: Callable[..., float]
    blind: str
    random: bool = False
    scored: Callable[..., dict[str, Scored]] | None = None
    laws: Callable[..., float] | None = None


def modes(samples: Array, mixture: object, *, rule: str = "gantoys") -> float:
    """The number of modes covered; see `gantoys.metrics.modes`."""
    return float(mode_report(samples, mixture, rule).modes)


def high_quality(samples: Array, mixture: object, *, rule: str = "gantoys") -> float:
    """The share of points near a mode, in [0, 1]; see `gantoys.metrics.modes`."""
    return mode_report(samples, mixture, rule).quality


def reverse_kl_of_modes(samples: Array, mixture: object, *, rule: str = "gantoys") -> float:
    """KL of the modes' histogram from the modes' weights, in nats; see `gantoys.metrics.modes`."""
    return mode_report(samples, mixture, rule).reverse_kl


def parzen_mean(real: Array, fake: Array, **knobs: Any) -> float:
    """The mean log-likelihood of `gantoys.metrics.parzen.parzen`, in nats."""
    return parzen(real, fake, **knobs).mean


def w1_laws(p: Any, q: Any) -> float:
    """The exact W1 between two laws; ValueError in the plane, where no exact route is known."""
    found = w1_of_laws(p, q)
    if found is None:
        raise ValueError("no exact W1 is known between two different laws in the plane")
    return float(found.value)


METRICS = {
    row.key: row
    for row in (
        Metric(
            "modes", "modes covered", r"\#\{k : c_k \ge \text{need}_k\}", "Srivastava et al. 2017, table 1",
            "higher", "mixture", modes, "with one point enough, noise covers most modes: see MODE_RULES",
        ),
        Metric(
            "high_quality", "share of good points", r"\frac1n \sum_k c_k", "Srivastava et al. 2017, table 1",
            None, "mixture", high_quality, "a generator that always makes one perfect point has the highest share",
        ),
        Metric(
            "reverse_kl", "reverse KL over modes", r"\sum_k h_k \log\frac{h_k}{w_k}", "Lin et al. 2018, table 1",
            "lower", "mixture", reverse_kl_of_modes, "the shape within a mode, and bad points where they are left out",
        ),
        Metric(
            "js", "Jensen-Shannon divergence, at least", r"\tfrac12 KL(p\|m) + \tfrac12 KL(q\|m)",
            "Lin 1991, equation 3.4",
            "lower", "samples", jensen_shannon.js, "what is finer than its points lie apart; log 2 for all far sets",
            laws=jensen_shannon.js_exact,
        ),
        Metric(
            "kl", "KL(p_data || p_G), by neighbours",
            r"\tfrac dn \sum_i \log\frac{\nu_k(x_i)}{\rho_k(x_i)} + \log\frac{m}{n-1}",
            "Wang, Kulkarni and Verdú 2009",
            "lower", "samples", divergence.kl, "how large it is where p_G has no points near real ones: then too small",
            scored=divergence.kl_scored, laws=divergence.kl_laws,
        ),
        Metric(
            "kl_backward", "KL(p_G || p_data), by neighbours",
            r"\tfrac dm \sum_j \log\frac{\nu_k(y_j)}{\rho_k(y_j)} + \log\frac{n}{m-1}",
            "Wang, Kulkarni and Verdú 2009",
            "lower", "samples", divergence.kl_backward, "modes that p_G lacks; far points count too little",
            scored=divergence.kl_backward_scored, laws=divergence.kl_backward_laws,
        ),
        Metric(
            "w1", "Wasserstein-1", r"\inf_\pi E\|x - y\|", "Villani 2009, definition 6.1",
            "lower", "samples", transport.w1, "biased upwards by n^(-1/d); at most 5,000 points above one dimension",
            scored=transport.w1_scored, laws=w1_laws,
        ),
        Metric(
            "sliced_w2_squared", "sliced Wasserstein-2, squared", r"E_u W_2^2(u^T x, u^T y)", "Bonneel et al. 2015",
            "lower", "samples", transport.sliced_w2_squared, "in many dimensions most lines show two normals",
            random=True, scored=transport.sliced_scored,
        ),
        Metric(
            "mmd2", "MMD squared, Gaussian kernel", r"E k(x,x') + E k(y,y') - 2 E k(x,y)",
            "Gretton et al. 2012, equation 3",
            "lower", "samples", kernels.mmd2, "what is much finer or coarser than the bandwidth",
            scored=kernels.mmd2_scored, laws=kernels.mmd2_laws,
        ),
        Metric(
            "kid", "kernel distance (KID)", r"MMD^2,\ k(x,y) = (x^T y/d + 1)^3", "Binkowski et al. 2018",
            "lower", "samples", kernels.kid, "moments beyond the third; it depends on the origin and the unit",
            random=True, scored=kernels.kid_scored,
        ),
        Metric(
            "frechet", "Fréchet distance", r"\|m_1-m_2\|^2 + tr(C_1 + C_2 - 2(C_1 C_2)^{1/2})",
            "Dowson and Landau 1982; Heusel et al. 2017, equation 6",
            "lower", "samples", frechet.frechet, "everything but means and covariances; biased upwards by order 1/n",
            laws=frechet.frechet_laws,
        ),
        Metric(
            "precision", "precision", r"\frac1m \sum_j 1[y_j \in \cup_i B(x_i, r_k(x_i))]",
            "Kynkäänniemi et al. 2019, equation 2",
            "higher", "samples", neighbours.precision, "one far real point has a ball that takes in everything",
            scored=neighbours.neighbours_scored,
        ),
        Metric(
            "recall", "recall", r"\frac1n \sum_i 1[x_i \in \cup_j B(y_j, r_k(y_j))]",
            "Kynkäänniemi et al. 2019, equation 2",
            "higher", "samples", neighbours.recall, "scattered generated points have balls that take in everything",
            scored=neighbours.neighbours_scored,
        ),
        Metric(
            "density", "density", r"\frac1{km} \sum_j \sum_i 1[y_j \in B(x_i, r_k(x_i))]", "Naeem et al. 2020",
            "higher", "samples", neighbours.density, "above 1 it says: crowded where real points are crowded",
            scored=neighbours.neighbours_scored,
        ),
        Metric(
            "coverage", "coverage", r"\frac1n \sum_i 1[\exists j : y_j \in B(x_i, r_k(x_i))]", "Naeem et al. 2020",
            "higher", "samples", neighbours.coverage, "bad points beside good ones",
            scored=neighbours.neighbours_scored,
        ),
        Metric(
            "parzen", "Parzen log-likelihood", r"\frac1n \sum_i \log \frac1m \sum_j N(x_i; y_j, \sigma^2 I)",
            "Goodfellow et al. 2014, table 1",
            "higher", "samples", parzen_mean, "in many dimensions it ranks models wrongly (Theis et al. 2016)",
            scored=parzen_scored,
        ),
        Metric(
            "inception_score", "inception score", r"\exp E\, KL(p(y|x) \| p(y))", "Salimans et al. 2016",
            "higher", "probabilities", inception.inception_score, "the real points: it never looks at them",
        ),
    )
}  # fmt: skip
