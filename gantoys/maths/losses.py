"""The losses of both players: one row each, written once for numpy arrays and torch tensors alike.

D's output is a logit a; a positive logit means "real", D(x) = sigmoid(a(x)). D minimises E_p real(a) + E_q fake(a),
G minimises E_q generator(a). All functions are elementwise; each has its slope in a.

A *paired* (relativistic) loss sees a real and a fake logit together: with margin m = a_real - a_fake, D minimises
real(m), which is the same number as fake(-m), and G minimises generator(-m).

The f-GAN rows are derived from the rows of `divergences`: real = -g, fake = f*(g), generator = -f*(g), with g the
output activation, so that under the optimal D the generator descends the divergence itself.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from gantoys.maths import backend as b
from gantoys.maths.divergences import DIVERGENCES, Divergence

Array = np.ndarray
Part = Callable[[b.Values], b.Values]


@dataclass(frozen=True)
class Loss:
    """One loss; see the module's docstring for its parts.

    optimal(r): the best D's logit where log p/q = r, and optimal_slope(r) its derivative (0 beside a jump); None when
    the best critic is no function of that ratio (Wasserstein). weighted_generator(log_p, log_q): q generator(optimal),
    safe against overflow. neutral: the logit of a D that cannot tell. power, log_moment: what must be finite for the
    descent to exist, as in `Divergence`. jumps: whether optimal jumps where p = q. lipschitz: whether the critic must
    be held 1-Lipschitz. unit: of both players' losses, "nats" where they are logarithms.
    """

    key: str
    label: str
    formula: str
    reference: str
    real: Part
    real_slope: Part
    fake: Part
    fake_slope: Part
    generator: Part
    generator_slope: Part
    optimal: Part | None
    optimal_slope: Part | None
    descends: str
    weighted_generator: Callable[[Array, Array], Array] | None = None
    neutral: float = 0.0
    power: float | None = None
    log_moment: tuple[int, ...] = ()
    jumps: bool = False
    paired: bool = False
    lipschitz: bool = False
    unit: str = ""

    def discriminator_loss(self, a_real: b.Values, a_fake: b.Values) -> b.Values:
        """What D minimises in the mean, elementwise over the logits of equally many real and fake points."""
        return self.real(a_real - a_fake) if self.paired else self.real(a_real) + self.fake(a_fake)

    def generator_loss(self, a_real: b.Values, a_fake: b.Values) -> b.Values:
        """What G minimises in the mean, elementwise; a_real is used by paired losses only."""
        return self.generator(a_fake - a_real) if self.paired else self.generator(a_fake)


_NATS = "nats"
_BCE: dict[str, Any] = {
    "real": lambda a: b.softplus(-a),
    "real_slope": lambda a: -b.sigmoid(-a),
    "fake": lambda a: b.softplus(a),
    "fake_slope": lambda a: b.sigmoid(a),
    "optimal": lambda r: r,
    "optimal_slope": lambda r: b.constant(r, 1.0),
    "unit": _NATS,
}
_GOODFELLOW = "Goodfellow et al. 2014"


def _f_gan(key: str, row: Divergence) -> Loss:
    return Loss(
        key=key,
        label=f"f-GAN: {row.label}",
        formula=r"-\mathbb{E}_p\,g(a)+\mathbb{E}_q\,f^*(g(a)),\qquad G:\ -\mathbb{E}_q\,f^*(g(a))",
        reference="Nowozin, Cseke & Tomioka 2016, eq. 7 and table 6",
        real=lambda a: -row.activation(a),
        real_slope=lambda a: -row.activation_slope(a),
        fake=row.fake,
        fake_slope=row.fake_slope,
        generator=lambda a: -row.fake(a),
        generator_slope=lambda a: -row.fake_slope(a),
        optimal=row.optimal_logit,
        optimal_slope=row.optimal_logit_slope,
        weighted_generator=lambda lp, lq: -row.weighted_fake(lp, lq),
        power=row.power,
        log_moment=row.log_moment,
        jumps=row.kinked,
        descends=row.label,
        neutral=float(row.optimal_logit(np.array(0.0))),
        unit=_NATS if row.key in ("kl", "reverse_kl", "jeffreys", "js") else "",
    )


LOSSES = {
    row.key: row
    for row in (
        Loss(
            key="saturating",
            label="Saturating (minimax)",
            formula=r"-\mathbb{E}_p\log D-\mathbb{E}_q\log(1-D),\qquad G:\ \mathbb{E}_q\log(1-D)",
            reference=f"{_GOODFELLOW}, eq. 1",
            generator=lambda a: -b.softplus(a),
            generator_slope=lambda a: -b.sigmoid(a),
            descends="2 JS",
            **_BCE,
        ),
        Loss(
            key="non-saturating",
            label="Non-saturating",
            formula=r"-\mathbb{E}_p\log D-\mathbb{E}_q\log(1-D),\qquad G:\ -\mathbb{E}_q\log D",
            reference=f"{_GOODFELLOW}, section 3; its descent: Arjovsky & Bottou 2017, theorem 2.5",
            generator=lambda a: b.softplus(-a),
            generator_slope=lambda a: -b.sigmoid(-a),
            descends="KL(q‖p) − 2 JS",
            log_moment=(-1,),
            **_BCE,
        ),
        Loss(
            key="maximum-likelihood",
            label="Maximum likelihood",
            formula=r"-\mathbb{E}_p\log D-\mathbb{E}_q\log(1-D),\qquad "
            r"G:\ -\mathbb{E}_q\,e^{a}=-\mathbb{E}_q\frac{D}{1-D}",
            reference="Goodfellow 2014, On distinguishability criteria, section 3; Goodfellow 2016, section 3.2.4",
            generator=lambda a: -b.exp(a),
            generator_slope=lambda a: -b.exp(a),
            weighted_generator=lambda lp, lq: -np.exp(lp),
            descends="KL(p‖q)",
            log_moment=(1,),
            **_BCE,
        ),
        Loss(
            key="least-squares",
            label="Least squares",
            formula=r"\tfrac12\mathbb{E}_p(a-1)^2+\tfrac12\mathbb{E}_q a^2,\qquad G:\ \tfrac12\mathbb{E}_q(a-1)^2",
            reference="Mao et al. 2017, eq. 2 with labels 0 and 1; its descent worked out here",
            real=lambda a: 0.5 * (a - 1) ** 2,
            real_slope=lambda a: a - 1,
            fake=lambda a: 0.5 * a**2,
            fake_slope=lambda a: a,
            generator=lambda a: 0.5 * (a - 1) ** 2,
            generator_slope=lambda a: a - 1,
            optimal=b.sigmoid,
            optimal_slope=lambda r: b.sigmoid(r) * b.sigmoid(-r),
            # a* = p/(p+q), so int dq (q/(p+q))^2 / 2 is what int p g(q/p) changes by, g'(v) = (v/(1+v))^2 / 2
            descends="KL(p‖m) − ¼ χ²(p‖m), m = ½(p + q)",
            neutral=0.5,
        ),
        Loss(
            key="hinge",
            label="Hinge",
            formula=r"\mathbb{E}_p\max(0,1-a)+\mathbb{E}_q\max(0,1+a),\qquad G:\ -\mathbb{E}_q\,a",
            reference="Lim & Ye 2017; Miyato et al. 2018, eq. 16 and 17",
            real=lambda a: b.relu(1 - a),
            real_slope=lambda a: -b.step(1 - a),
            fake=lambda a: b.relu(1 + a),
            fake_slope=lambda a: b.step(1 + a),
            generator=lambda a: -a,
            generator_slope=lambda a: b.constant(a, -1.0),
            optimal=b.sign,
            optimal_slope=lambda r: b.constant(r, 0.0),
            jumps=True,
            descends="2 total variation",
        ),
        Loss(
            key="wasserstein",
            label="Wasserstein",
            formula=r"-\mathbb{E}_p\,a+\mathbb{E}_q\,a,\qquad G:\ -\mathbb{E}_q\,a",
            reference="Arjovsky, Chintala & Bottou 2017, eq. 2 and theorem 3",
            real=lambda a: -a,
            real_slope=lambda a: b.constant(a, -1.0),
            fake=lambda a: a,
            fake_slope=lambda a: b.constant(a, 1.0),
            generator=lambda a: -a,
            generator_slope=lambda a: b.constant(a, -1.0),
            optimal=None,
            optimal_slope=None,
            descends="W1",
            lipschitz=True,
        ),
        Loss(
            key="relativistic",
            label="Relativistic (paired)",
            formula=r"\mathbb{E}_{p,q}\log(1+e^{-(a_r-a_f)}),\qquad G:\ \mathbb{E}_{p,q}\log(1+e^{-(a_f-a_r)})",
            reference="Jolicoeur-Martineau 2018, eq. 9 and 10; its descent worked out here",
            real=lambda m: b.softplus(-m),
            real_slope=lambda m: -b.sigmoid(-m),
            fake=lambda m: b.softplus(m),
            fake_slope=lambda m: b.sigmoid(m),
            generator=lambda m: b.softplus(-m),
            generator_slope=lambda m: -b.sigmoid(-m),
            # pairs (x real, y fake) are told best by the odds p(x) q(y) : p(y) q(x), a difference of log-ratios
            optimal=lambda r: r,
            optimal_slope=lambda r: b.constant(r, 1.0),
            # G's softplus(m) is D's softplus(-m), whose mean under the best D is log 2 - JS of pairs and swapped pairs,
            # plus m: log p/q at x less that at y, whose mean with D frozen moves like KL(q||p)
            descends="KL(q‖p) − JS(p×q, q×p)",
            log_moment=(1, -1),
            paired=True,
            unit=_NATS,
        ),
        _f_gan("f-kl", DIVERGENCES["kl"]),
        _f_gan("f-reverse-kl", DIVERGENCES["reverse_kl"]),
        _f_gan("f-jeffreys", DIVERGENCES["jeffreys"]),
        _f_gan("f-js", DIVERGENCES["js"]),
        _f_gan("f-tv", DIVERGENCES["tv"]),
        _f_gan("f-hellinger", DIVERGENCES["hellinger2"]),
        _f_gan("f-pearson", DIVERGENCES["chi2"]),
        _f_gan("f-neyman", DIVERGENCES["chi2_neyman"]),
    )
}

_RATIOS = np.linspace(-40.0, 40.0, 8001)


def log_ratio(loss: Loss, logit: Array) -> Array | None:
    """What D says about log p/q by its logit: the r with optimal(r) = logit, between -40 and 40; any shape.

    Read off a table of `optimal` in steps of 0.01: probabilities are right to about 1e-6.
    None for a loss whose best D does not tell the ratio (hinge, total variation, Wasserstein) or only up to a constant
    (relativistic).

    >>> log_ratio(LOSSES["f-kl"], np.array([1.0, 3.0]))
    array([0., 2.])
    """
    if loss.optimal is None or loss.jumps or loss.paired:
        return None
    with np.errstate(over="ignore"):
        best = np.asarray(loss.optimal(_RATIOS), float)
    if np.array_equal(best, _RATIOS):
        return np.clip(np.asarray(logit, float), _RATIOS[0], _RATIOS[-1])
    return np.interp(np.asarray(logit, float), best, _RATIOS)


def probability(loss: Loss, logit: Array) -> Array | None:
    """What D says about p / (p + q) by its logit, in [0, 1]: sigmoid of `log_ratio`, None where that is None.

    >>> np.round(probability(LOSSES["least-squares"], np.array([0.25, 0.5])), 5)
    array([0.25, 0.5 ])
    """
    ratio = log_ratio(loss, logit)
    return None if ratio is None else np.asarray(b.sigmoid(ratio))
