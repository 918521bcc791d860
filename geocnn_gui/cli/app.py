"""The command `geocnn`: subcommands, exit codes, errors as one sentence."""

from __future__ import annotations

import importlib
import logging
import sys
import warnings
from typing import TYPE_CHECKING

import click

from geocnn_gui import __version__
from geocnn_gui.cli import COMMANDS
from geocnn_gui.errors import GeoCNNError

if TYPE_CHECKING:
    from collections.abc import Sequence

STOPPED = 130


class _Commands(click.Group):
    """Load a subcommand's module when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, _, name = COMMANDS[cmd_name].partition(":")
        return getattr(importlib.import_module(module), name)


@click.command(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="geocnn")
def cli() -> None:
    """Classify and segment seismic and imagery with convolutional networks.

    Every command takes --json: one JSON object on standard output and nothing else there.
    Exit codes: 0 done, 1 something is wrong with the data or the disk (one sentence says what),
    2 wrong usage, 130 stopped. The window is opened by geocnn-gui.
    """


def run(arguments: Sequence[str] | None = None) -> int:
    """Run the command line on `arguments` (default: the process's own); return the exit code."""
    try:
        code = cli.main(args=arguments, prog_name="geocnn", standalone_mode=False)
    except GeoCNNError as error:
        click.echo(f"geocnn: {error}", err=True)
        return 1
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        click.echo("geocnn: stopped.", err=True)
        return STOPPED
    return code if isinstance(code, int) else 0


def main() -> int:
    """Run `geocnn` as a program of its own."""
    if not sys.warnoptions:  # libraries' remarks are not for the reader of one sentence
        warnings.simplefilter("ignore")
    logging.getLogger().addHandler(logging.NullHandler())
    return run()
