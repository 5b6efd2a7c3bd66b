"""The command line: `gantoys` and its commands. Bad input ends in status 2 and one sentence."""

import sys
from collections.abc import Sequence

import click

from gantoys import __version__
from gantoys.commands.dynamics import dirac_command
from gantoys.commands.film import film
from gantoys.commands.fit import fit
from gantoys.commands.metrics import metrics, modes
from gantoys.commands.theory import compare, gradients, losses
from gantoys.commands.train import train


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="gantoys")
def cli() -> None:
    """Understand generative adversarial networks: exact theory and small trained GANs."""


for command in (compare, gradients, losses, fit, dirac_command, train, film, metrics, modes):
    cli.add_command(command)


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command line; returns the exit status. Bad input: 2, with one sentence on stderr."""
    try:
        done = cli.main(args=list(sys.argv[1:] if argv is None else argv), prog_name="gantoys", standalone_mode=False)
        return done if isinstance(done, int) else 0
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message())
        return 0
    except click.ClickException as error:
        click.echo(f"gantoys: {_one_line(error.format_message())}", err=True)
        return 2
    except click.Abort:
        return 130
    except (ValueError, OSError, RuntimeError) as error:
        click.echo(f"gantoys: {_one_line(str(error))}", err=True)
        return 2


def _one_line(text: str) -> str:
    return " ".join(text.split())


if __name__ == "__main__":
    sys.exit(main())
