"""Recipes and parts as Python, and tables as lines of text."""

import dataclasses
from collections.abc import Iterable
from collections.abc import Mapping
from typing import Any

from keras_sam import parts


def call(model: str, arguments: Mapping[str, Any]) -> str:
    """Returns the call of `SAM` with some arguments, as Python.

    Args:
        model: String, the name of the model.
        arguments: Dict of keyword arguments of `SharpnessAwareMinimization`.
    """
    given = [f"{name}={code(value)}" for name, value in arguments.items()]
    return f"SAM({', '.join([model, *given])})"


def code(value: Any) -> str:
    """Returns what to write for an argument. Parts have their modules."""
    if not isinstance(value, parts.Part):
        return repr(value)
    kind = type(value)
    fields = [
        f"{field.name}={code(getattr(value, field.name))}"
        for field in dataclasses.fields(kind)  # type: ignore[arg-type]
        if field.name != "seed" and getattr(value, field.name) is not None
    ]
    module = kind.__module__.rpartition(".")[2]
    return f"{module}.{kind.__name__}({', '.join(fields)})"


def table(rows: Iterable[Iterable[str]], numbers: bool = False) -> str:
    """Returns rows of cells as lines, with the cells in columns.

    Args:
        rows: The rows, of equal lengths.
        numbers: Bool, whether all columns but the first one end at the right.
    """
    lines = [list(row) for row in rows]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    rest = str.rjust if numbers else str.ljust
    adjust = [str.ljust, *[rest] * (len(widths) - 1)]
    return "\n".join(
        "  ".join(
            to(cell, width)
            for to, cell, width in zip(adjust, line, widths, strict=True)
        ).rstrip()
        for line in lines
    )
