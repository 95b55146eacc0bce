"""How the examples start: help in groups, and no chatter of libraries.

usage.run(main, {"Method": ("method", "rho"), "Output": ("output_dir",)})
"""

import functools
import shutil
import sys
import textwrap
from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

from absl import app
from absl import flags
from absl import logging

FLAGS = flags.FLAGS
# Title to the names of flags.
Groups = Mapping[str, Sequence[str]]
_COLUMN = 26  # Where the text of a flag begins.
_WORDS = {"int": "INT", "float": "NUMBER", "string enum": "NAME"}
_HELP = (("help", "?"), ("helpshort", None), ("h", None))


class Action(flags.BooleanFlag):
    """A flag that prints something and ends the program with status 0.

    It acts while flags are parsed, so required flags may be missing.

    Args:
        name: String.
        text: String, the help of the flag.
        function: Returns what to print.
        short_name: String of one letter, or None.
    """

    def __init__(
        self,
        name: str,
        text: str,
        function: Callable[[], str],
        short_name: str | None = None,
    ) -> None:
        super().__init__(
            name, False, text, short_name=short_name, allow_override=True
        )
        self._function = function

    def parse(self, argument: Any) -> None:
        super().parse(argument)
        if self.value:
            print(self._function())
            sys.exit(0)


def run(
    main: Callable[[list[str]], Any], groups: Groups, others: bool = False
) -> None:
    """Parses the flags and calls `main`, as `absl.app.run` does.

    Args:
        main: A function of the command line without its flags.
        groups: What `--help` shows: names of flags by title.
        others: Bool, whether arguments that are no flags may follow.
    """
    show = functools.partial(text, groups)
    app.define_help_flags()
    for name, short_name in _HELP:
        flags.DEFINE_flag(Action(name, "Show this.", show, short_name))
    app.run(functools.partial(_run, main, others), flags_parser=_parse)


def text(groups: Groups) -> str:
    """Returns the help: what the program says of itself, then its flags."""
    width = min(shutil.get_terminal_size().columns, 100)
    blocks = [(sys.modules["__main__"].__doc__ or "").strip()]
    for title, names in groups.items():
        lines = [_flag(*row, width) for row in rows(names)]
        blocks.append("\n".join([f"{title}:", *lines]))
    blocks.append("--helpfull also lists the flags of libraries.")
    return "\n\n".join(blocks)


def rows(names: Sequence[str]) -> list[tuple[str, str]]:
    """Returns how to write some flags, and what they mean."""
    return [(_form(FLAGS[name]), _meaning(FLAGS[name])) for name in names]


def _flag(form: str, meaning: str, width: int) -> str:
    """Returns the lines of a flag."""
    left = f"  {form}"
    lines = textwrap.wrap(
        meaning,
        width - _COLUMN,
        break_long_words=False,
        break_on_hyphens=False,
    )
    if len(left) <= _COLUMN - 2 and lines:
        left = left.ljust(_COLUMN) + lines.pop(0)
    return "\n".join([left, *(" " * _COLUMN + line for line in lines)])


def _form(flag: flags.Flag) -> str:
    """Returns how to write a flag."""
    if isinstance(flag, Action):
        return f"--{flag.name}"
    if flag.boolean:
        return f"--[no]{flag.name}"
    return f"--{flag.name}={_WORDS.get(flag.flag_type(), 'TEXT')}"


def _meaning(flag: flags.Flag) -> str:
    """Returns the help of a flag, with what it may be and is by default."""
    values = getattr(flag.parser, "enum_values", [])
    # What absl writes before the help of an enum, and behind that of a list.
    own = flag.help.removeprefix(f"<{'|'.join(values)}>: ")
    notes = [own.partition(";\n    repeat this option")[0]]
    if values:
        notes.append(f"One of {', '.join(values)}.")
    if not isinstance(flag, Action) and flag.default not in (None, []):
        written = flag.default_as_str.strip("'")
        notes.append(f"Default: {written}.")
    return " ".join(notes)


def _parse(arguments: list[str]) -> list[str]:
    """Parses the flags. Libraries log warnings only, unless asked."""
    others = app.parse_flags_with_usage(arguments)
    if FLAGS["verbosity"].using_default_value:
        FLAGS.verbosity = logging.WARNING
    return others


def _run(
    main: Callable[[list[str]], Any], others: bool, arguments: list[str]
) -> Any:
    """Calls `main`. What is wrong with a command line is said in a line."""
    try:
        if len(arguments) > 1 and not others:
            raise app.UsageError(f"Unknown arguments: {arguments[1:]}")
        return main(arguments)
    except app.UsageError as error:
        sys.exit(f"{error} See --help.")
