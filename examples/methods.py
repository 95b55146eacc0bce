"""Methods by name, and their parts as text: what --method and other flags mean.

python -m examples.methods      # prints the table of docs/catalogue.md
"""

import ast
import dataclasses

import keras_sam
from keras_sam import parts

# The flags, which are arguments of SAM, that take a part.
PARTS = tuple(parts.ARGUMENTS)
# The other arguments that a recipe may set.
OTHERS = (
    "rho",
    "num_batch_splits",
    "ascent_steps",
    "radius",
    "perturb",
    "sync_perturbations",
)
_NONE = "none"


def arguments(settings, steps, steps_per_epoch=None):
    """Returns the arguments of SAM that a command line asks for.

    Those of the recipe `settings.method`, but for those that are given. Parts
    that go by the length of the training or of its epochs (fields `steps` and
    `steps_per_epoch`) get those of this one, unless they are given.

    Args:
        settings: The flags of options.py, as attributes.
        steps: Int, train steps of the whole run.
        steps_per_epoch: Int, train steps of an epoch; None if there are none.
    """
    recipe = keras_sam.recipes.RECIPES[settings.method].arguments
    lengths = {"steps": steps}
    if steps_per_epoch is not None:
        lengths["steps_per_epoch"] = steps_per_epoch
    found = {name: _with(part, lengths) for name, part in recipe.items()}
    for name in OTHERS:
        if getattr(settings, name) is not None:
            found[name] = getattr(settings, name)
    for name in PARTS:
        if getattr(settings, name) is not None:
            found[name] = part(name, getattr(settings, name), steps)
    return found


def part(name, text, steps):
    """Returns the part that a text describes.

    Args:
        name: Key of `PARTS`.
        text: A part as it prints itself, `Adaptive(eta=0.2)`, brackets
            optional, or in snake case; or "none", where there need not be one.
        steps: Value of a field `steps` that the text leaves out.

    Raises:
        ValueError: If there is no such part.
    """
    optional = parts.ARGUMENTS[name].optional
    if optional and text == _NONE:
        return None
    try:
        body = ast.parse(text, mode="eval").body
        if not isinstance(body, (ast.Name, ast.Call)):
            raise ValueError("not a part")
        return _built(body, name, steps)
    except (SyntaxError, TypeError, ValueError) as error:
        raise ValueError(
            f"--{name} must be {f'{_NONE} or ' if optional else ''}a part as "
            "it prints itself, with arguments by name: Name(argument=1). "
            f"Received: {text!r}. {error}"
        ) from error


def evaluations(sam):
    """Returns what a climb costs, in passes over the batch of a train step.

    A pass that only goes forward counts like any other; what some parts do
    now and then (`period`) does not count.
    """

    def share(samples):
        return 1.0 if samples is None else samples.fraction

    steps = sam.ascent_steps
    passes = steps * share(sam.descent_samples)
    if isinstance(sam.descent_samples, keras_sam.samples.Rising):
        passes += steps
    if sam.ascent_samples == sam.descent_samples:
        if sam.ascent_samples is not None:
            passes += share(sam.ascent_samples)
    elif sam.ascent_samples is None:
        passes += steps - 1
    else:
        passes += steps * share(sam.ascent_samples)
    if isinstance(sam.direction, keras_sam.directions.Smoothed):
        passes += steps
    if isinstance(sam.direction, keras_sam.directions.LowerBound):
        passes += 2 * steps
    more = {
        keras_sam.descents.CurvatureRegularized: 1,
        keras_sam.descents.FirstOrderFlatness: 2,
        keras_sam.descents.Mirrored: 1,
    }
    if not steps:
        return 0
    climbs = getattr(sam.descent, "climbs", 1)
    return climbs * (passes + more.get(type(sam.descent), 0))


def names(name):
    """Returns the names of the parts of a flag, and of the parts of these."""
    return parts.names(name, parts.Part)


def table():
    """Returns the table of methods, in Markdown."""
    lines = [
        "| `--method` | method | gradients a step | source |",
        "|---|---|---|---|",
    ]
    for name, recipe in keras_sam.recipes.RECIPES.items():
        cells = f"`{name}`", recipe.heading, recipe.cost, source(recipe)
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def source(recipe):
    """Returns the source of a recipe, in Markdown: a link to arXiv, mostly."""
    number = recipe.source
    if not number[:1].isdigit():
        return number
    return f"[{number}](https://arxiv.org/abs/{number})"


def _built(node, name, steps):
    """Returns the part, or the literal, of a syntax tree."""
    if isinstance(node, ast.Name):
        node = ast.Call(node, [], [])
    if not isinstance(node, ast.Call):
        return ast.literal_eval(node)
    if node.args or not isinstance(node.func, ast.Name):
        raise ValueError("arguments go by name")
    kind = parts.find(name, node.func.id, parts.Part)
    given = {k.arg: _built(k.value, name, steps) for k in node.keywords}
    if "steps" in kind.__dataclass_fields__:
        given.setdefault("steps", steps)
    return kind(**given)


def _with(value, lengths):
    """Returns an argument with the lengths, by field, of this training."""
    if not isinstance(value, keras_sam.Part):
        return value
    changed = {
        f.name: _with(getattr(value, f.name), lengths)
        for f in dataclasses.fields(value)
    }
    for name, length in lengths.items():
        # A part with one step an epoch does not go by epochs.
        if changed.get(name, 1) > 1:
            changed[name] = length
    return dataclasses.replace(value, **changed)


if __name__ == "__main__":
    print(table())
