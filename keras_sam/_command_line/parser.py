"""What `python -m keras_sam` takes, and what it then calls."""

import argparse
from collections.abc import Sequence

from keras_sam._command_line import landscapes
from keras_sam._command_line import methods

_PROGRAM = "python -m keras_sam"
_EXAMPLES = f"""\
examples:
  {_PROGRAM} methods
      all methods, as a table
  {_PROGRAM} methods "*look*"
      the methods whose name, title, note or paper has the pattern
  {_PROGRAM} show gsam
      one method: its paper, its use, its numbers, the call, what a step does
  {_PROGRAM} landscape model.keras data.npz --rho=0.05
      how sharp the loss of a saved model is
  {_PROGRAM} landscape --help
      what else the measurement takes
"""

# What the library and Keras raise for an input that cannot be used.
_UNUSABLE = (FloatingPointError, ImportError, OSError, TypeError, ValueError)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a command, and returns its exit status.

    A wrong command line, or an input that cannot be used, ends the program with
    a message on the standard error and the status 2.

    Args:
        arguments: List of strings; None for the command line of the program.
    """
    parser = build()
    given = parser.parse_args(arguments)
    try:
        print(given.run(given))
    except _UNUSABLE as error:
        parser.exit(2, f"{_PROGRAM} {given.command}: error: {error}\n")
    return 0


def build() -> argparse.ArgumentParser:
    """Returns the parser of the program, with its commands."""
    parser = argparse.ArgumentParser(
        prog=_PROGRAM,
        description="Sharpness-aware minimization for Keras: the published "
        "methods,\nand how sharp the loss of a saved model is.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(
        dest="command", required=True, metavar="COMMAND"
    )
    methods.add(commands)
    landscapes.add(commands)
    return parser
