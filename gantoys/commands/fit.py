"""The command `fit`: the best normal for P under each divergence."""

from typing import Any

import click

from gantoys.commands.output import figure, json_option, show
from gantoys.maths import Mixture1D, parse
from gantoys.maths.fit import fit_normal


@click.command()
@click.argument("p")
@click.option("--family", type=click.Choice(["normal"]), default="normal", show_default=True, help="What is fitted.")
@json_option
def fit(p: str, family: str, as_json: bool) -> None:
    """The best N(mu, sigma) for P on the line under each divergence, and the other local minima found."""
    law = parse(p)
    if not isinstance(law, Mixture1D):
        raise ValueError(f"a {family} law can be fitted to laws on the line that have a density, not to {p[:80]}")
    fits = fit_normal(law)
    result: dict[str, Any] = {"p": str(law), "family": family}
    for key, found in fits.items():
        result[key] = {
            "mu": found.mu,
            "sigma": found.sigma,
            "value": found.value,
            "other_minima": [[m.mu, m.sigma, m.value] for m in found.others],
            "method": found.method,
        }

    def table() -> str:
        lines = [f"p_data = {law}", "", f"{'':<12}{'mu':>12}{'sigma':>12}{'value':>14}"]
        for key, found in fits.items():
            lines += [_line(key if i == 0 else "", m.mu, m.sigma, m.value) for i, m in enumerate(found.minima)]
            lines += [] if found.minima else [f"{key:<12}{found.method}"]
        return "\n".join(lines)

    show(result, as_json, table)


def _line(key: str, mu: float, sigma: float, value: float) -> str:
    return f"{key:<12}{figure(round(mu, 6), 6):>12}{figure(sigma, 6):>12}{figure(value, 6):>14}"
