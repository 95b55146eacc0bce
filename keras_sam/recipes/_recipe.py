"""A row of the table of methods."""

from typing import Any
from typing import NamedTuple

from keras_sam import _text
from keras_sam.recipes._papers import PAPERS
from keras_sam.recipes._papers import Paper

# Where a rule was read: what is doubtful then, and how far it is confirmed.
_EVIDENCE = {
    "": ("", "of no paper"),
    "authors' code": ("", "as in the authors' code"),
    "others' code": (
        "not confirmed in the authors' code",
        "as in others' code, not confirmed in the authors' code",
    ),
    "secondary source": (
        "not confirmed in code",
        "as in a text about the paper, not confirmed in code",
    ),
    "abstract": (
        "not confirmed in code",
        "as in the abstract, not confirmed in code",
    ),
    "inferred": (
        "inferred from the authors' code",
        "inferred from the authors' code, not confirmed",
    ),
}


class Recipe(NamedTuple):
    """A row of the table of methods.

    Attributes:
        title: String, the name of the method.
        source: String, arXiv id or another reference; may be empty.
        cost: String, the number of gradient evaluations in a train step, with
            n = `ascent_steps`.
        arguments: Dict of keyword arguments of `SharpnessAwareMinimization`.
        note: String, what to know about the method; may be empty.
        numbers: String, whose numbers the arguments are, for which data, and
            where they stand; then other numbers that were found. It begins
            with "Paper: ", "Authors: ", "Library: " or "Ours: ". It tells each
            number of the arguments, the radius as "rho 0.05" and before other
            radii. It names the repository and file of a number that was read
            in code. Empty for plain training alone.
        use: String, when to use the method, by the measurements of the
            documentation. It ends with "Not measured here." if they lack the
            method.
        evidence: String, where the rule was read: "authors' code", "others'
            code", "secondary source", "abstract" or "inferred"; empty if the
            rule is no paper's.
    """

    title: str
    source: str
    cost: str
    arguments: dict[str, Any]
    note: str = ""
    numbers: str = ""
    use: str = ""
    evidence: str = ""

    @property
    def paper(self) -> Paper | None:
        """The publication that `source` stands for; None if it is empty."""
        return PAPERS[self.source] if self.source else None

    @property
    def heading(self) -> str:
        """The title, with the note and with what is not confirmed."""
        doubt, _ = _EVIDENCE[self.evidence]
        remarks = "; ".join(filter(None, [self.note, doubt]))
        return f"{self.title} ({remarks})" if remarks else self.title

    @property
    def confirmation(self) -> str:
        """How far the rule is confirmed, in words."""
        return _EVIDENCE[self.evidence][1]

    def call(self, model: str = "model") -> str:
        """Returns the call of `SAM` that makes the wrapper, as Python.

        Args:
            model: String, the name of the model in the call.
        """
        return _text.call(model, self.arguments)


def row(
    title: str,
    source: str,
    cost: str,
    *,
    use: str,
    note: str = "",
    evidence: str = "",
    numbers: str = "",
    **arguments: Any,
) -> Recipe:
    """Returns the `Recipe` whose arguments are the other keywords."""
    return Recipe(title, source, cost, arguments, note, numbers, use, evidence)
