"""The table of all methods, and what is found in it."""

import fnmatch
from typing import Any

from keras_sam import _names
from keras_sam import _text
from keras_sam.recipes import _combinations
from keras_sam.recipes import _curvature
from keras_sam.recipes import _metrics
from keras_sam.recipes import _noise
from keras_sam.recipes import _savings
from keras_sam.recipes import _steps
from keras_sam.recipes import _subsets
from keras_sam.recipes._recipe import Recipe


class _Recipes(dict[str, Recipe]):
    """Rows by name, in their order. They print as a table.

    An unknown name is an error with the nearest ones.
    """

    def __missing__(self, name: Any) -> Recipe:
        meant = _names.did_you_mean(_names.near(name, _spellings(self)))
        raise KeyError(
            f"`RECIPES` must be asked for one of its names. {meant}Received: "
            f"{name!r}. The names are {', '.join(self)}"
        )

    def __repr__(self) -> str:
        """Returns a table of the rows, a line each."""
        rows = [
            (name, row.title, row.cost, row.source)
            for name, row in self.items()
        ]
        head = ("name", "method", "gradients a step", "source")
        return _text.table([head, *rows])


RECIPES = _Recipes(
    {
        **_steps.ROWS,
        **_metrics.ROWS,
        **_subsets.ROWS,
        **_noise.ROWS,
        **_combinations.ROWS,
        **_curvature.ROWS,
        **_savings.ROWS,
    }
)


def find(name: str) -> str:
    """Returns the name in `RECIPES` that is meant by a name or a title.

    Capitals do not count, and "-", "_" and blanks are alike: "SAM-ON" is
    "sam_on", and "Friendly SAM" is "friendly".

    Args:
        name: String.

    Raises:
        ValueError: If no recipe has the name, or several have it. The error
            names those that may be meant.
    """
    key = "_".join(str(name).lower().replace("-", " ").split())
    known = _spellings(RECIPES)
    found = [key] if key in RECIPES else _names.alike(name, known)
    if len(found) == 1:
        return found[0]
    titles = {key: row.title for key, row in RECIPES.items()}
    meant = _names.did_you_mean(_names.near(name, known), titles)
    raise ValueError(
        f"There must be one recipe of this name. {meant}"
        "`print(keras_sam.recipes.RECIPES)` lists all recipes. "
        f"Received: {name!r}"
    )


def search(pattern: str) -> _Recipes:
    """Returns the recipes that have a pattern in one of their texts.

        print(recipes.search("*sam*"))

    The texts are name, title, note, source, how far the rule is confirmed, and
    authors, title and year of the paper.

    Args:
        pattern: String. Capitals do not count. "*" stands for any characters,
            "?" for one, "[ab]" for one of some. A pattern without these may be
            anywhere in the text.

    Returns:
        Dict of rows by name, which prints as a table. It is empty if no recipe
        has the pattern.
    """
    whole = pattern if set("*?[") & set(pattern) else f"*{pattern}*"
    return _Recipes(
        (key, row)
        for key, row in RECIPES.items()
        if any(
            fnmatch.fnmatchcase(text.lower(), whole.lower())
            for text in _told(key, row)
        )
    )


def _told(key: str, row: Recipe) -> tuple[str, ...]:
    """Returns the texts that are searched."""
    citation = row.paper.citation() if row.paper else ""
    return (key, row.title, row.note, row.confirmation, row.source, citation)


def _spellings(rows: dict[str, Recipe]) -> dict[str, tuple[str, str]]:
    return {key: (key, row.title) for key, row in rows.items()}
