"""What a name means that a user has spelled in another way, or wrongly."""

import difflib
import re
from collections.abc import Iterable
from collections.abc import Mapping
from typing import Any


def plain(name: Any) -> str:
    """Returns a name in small letters and digits, without what joins words."""
    return re.sub(r"[^a-z0-9]", "", str(name).lower())


def alike(name: Any, known: Mapping[str, Iterable[str]]) -> list[str]:
    """Returns the known names that are this name in another spelling.

    Args:
        name: What the user gave.
        known: {name: all its spellings}.
    """
    return [
        each
        for each, spellings in known.items()
        if plain(name) in map(plain, spellings)
    ]


def near(name: Any, known: Mapping[str, Iterable[str]]) -> list[str]:
    """Returns the known names that are `alike`, or else the nearest ones.

    Args:
        name: What the user gave.
        known: {name: all its spellings}.
    """
    found = alike(name, known)
    if found:
        return found
    spelled: dict[str, list[str]] = {}
    for each, spellings in known.items():
        for spelling in dict.fromkeys(map(plain, spellings)):
            spelled.setdefault(spelling, []).append(each)
    matches = difflib.get_close_matches(plain(name), spelled)
    return list(dict.fromkeys(e for match in matches for e in spelled[match]))


def did_you_mean(
    names: Iterable[str], said: Mapping[str, str] | None = None
) -> str:
    """Returns the question for an error, or nothing without a name.

    Args:
        names: The names that may be meant.
        said: {name: what to say of it}, where something should be said.
    """
    said = said or {}
    listed = [
        f"{name!r} ({said[name]})" if name in said else repr(name)
        for name in names
    ]
    return f"Did you mean {' or '.join(listed)}? " if listed else ""
