"""The command `dirac`: the path of a Dirac-GAN and its eigenvalues."""

from typing import Any

import click
import numpy as np

from gantoys.commands.output import figure, json_option, show
from gantoys.maths import LOSSES
from gantoys.maths.dynamics import REGULARISERS, RULES, dirac, stability, trajectory
from gantoys.maths.dynamics_regularisers import choose

MAX_STEPS = 100_000
_ROWS = 6  # of the path, printed for people


def _known(table: Any, takes_number: bool = False) -> str:
    keys = [f"{key}[:NUMBER]" if takes_number and row.amount else key for key, row in table.items()]
    return ", ".join(keys) + "."


@click.command(name="dirac")
@click.option("--loss", required=True, metavar="LOSS", help=_known(LOSSES))
@click.option(
    "--regulariser", default="none", show_default=True, metavar="NAME[:NUMBER]", help=_known(REGULARISERS, True)
)
@click.option("--rule", default="simultaneous", show_default=True, metavar="NAME[:NUMBER]", help=_known(RULES, True))
@click.option("--step", type=float, default=0.2, show_default=True, help="Size of a step.")
@click.option("--steps", type=int, default=500, show_default=True, help="How many.")
@click.option("--start", type=float, nargs=2, default=(1.0, 1.0), show_default=True, metavar="THETA PSI")
@click.option("--bias", type=float, default=0.0, show_default=True, help="D's logit at the data.")
@json_option
def dirac_command(
    loss: str,
    regulariser: str,
    rule: str,
    step: float,
    steps: int,
    start: tuple[float, float],
    bias: float,
    as_json: bool,
) -> None:
    """The path of the Dirac-GAN: data at 0, generated point at theta, D's logit -psi x (psi > 0: larger x is fake).

    The eigenvalues are those of one step at theta = psi = 0, or of the field for the rule flow.
    """
    if not 0 <= steps <= MAX_STEPS:
        raise ValueError(f"--steps must be from 0 to {MAX_STEPS}, got {steps}")
    game = dirac(loss, regulariser, bias=bias)
    path = trajectory(game, rule, start[0], start[1], step=step, steps=steps)
    found = stability(game, rule, step=step)
    row, amount = choose(RULES, rule, "rule")
    lost = np.flatnonzero(~(np.isfinite(path.theta) & np.isfinite(path.psi)))
    pairs = {
        name: None if values is None else [[z.real, z.imag] for z in values.tolist()]
        for name, values in (("eigenvalues", found.eigenvalues), ("field_eigenvalues", found.field_eigenvalues))
    }
    result: dict[str, Any] = {
        "loss": loss,
        "regulariser": game.regulariser.key,
        "weight": game.weight if game.regulariser.amount else None,
        "rule": row.key,
        "amount": amount if row.amount else None,
        "step": step,
        "theta": path.theta,
        "psi": path.psi,
        **pairs,
        "jacobian": found.jacobian,
        "converges": found.converges,
        "verdict": found.verdict,
        "lost_at_step": int(lost[0]) if len(lost) else None,
    }

    def table() -> str:
        lines = []
        for name, text in (("field_eigenvalues", "of the field"), ("eigenvalues", f"by the rule {row.key}")):
            shown = ", ".join(f"{figure(re, 6)}{im + 0.0:+.6g}i" for re, im in pairs[name] or []) or "none"
            lines.append(f"eigenvalues {text}: {shown}")
        lines += [f"{row.label}, step size {step:g}: {found.verdict}", ""]
        lines.append(f"{'step':>8}{'theta':>14}{'psi':>14}{'radius':>14}")
        for i in np.unique(np.linspace(0, steps, _ROWS).astype(int)):
            lines.append(f"{i:>8}" + "".join(f"{figure(x[i], 6):>14}" for x in (path.theta, path.psi, path.radius)))
        if len(lost):
            lines.append(f"The numbers became too large at step {lost[0]}.")
        return "\n".join(lines)

    show(result, as_json, table)
