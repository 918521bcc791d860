"""Start the command line for a subcommand, the window for anything else."""

from __future__ import annotations

import sys

from geocnn_gui.cli import COMMANDS


def main() -> None:
    """Run `python -m geocnn_gui`: a subcommand or an option -> cli, otherwise -> gui."""
    if sys.argv[1:2] and (sys.argv[1] in COMMANDS or sys.argv[1] in ("--help", "--version")):
        from geocnn_gui.cli.app import main as start
    else:
        from geocnn_gui.gui.app import main as start
    sys.exit(start())


if __name__ == "__main__":
    main()
