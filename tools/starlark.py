"""BUILD files as text: reads what is by hand, writes as buildifier does."""

import ast
import re

DEFS = "@rules_python//python:defs.bzl"
# In the order of buildifier, which has `deps` last and others in between.
FIRST = ["name", "size", "timeout", "testonly", "srcs"]


def read(text):
    """Returns the statements of a BUILD file, and what its targets have.

    Returns:
        The text of each statement other than `load`, `package` and targets;
        and {name of a target: {attribute: text of the value}}.
    """
    statements, targets = [], {}
    for statement in ast.parse(text).body:
        match statement:
            case ast.Expr(ast.Call(ast.Name("load" | "package"))):
                pass
            case ast.Expr(ast.Call(ast.Name(rule), keywords=keywords)) if (
                rule.startswith("py_")
            ):
                given = {keyword.arg: keyword.value for keyword in keywords}
                targets[ast.literal_eval(given["name"])] = {
                    key: ast.get_source_segment(text, value)
                    for key, value in given.items()
                }
            case _:
                statements.append(ast.get_source_segment(text, statement))
    return statements, targets


def write(package, statements, targets):
    """Returns the text of a BUILD file.

    Args:
        package: The arguments of `package`, {name: text of the value}.
        statements: The text of others.
        targets: A rule and {attribute: text of the value} for each target.
    """
    rules = sorted({f'"{rule}"' for rule, _ in targets})
    parts = [
        '# Written by `make build-files`: CONTRIBUTING.md, "BUILD".\n'
        f'load("{DEFS}", {", ".join(rules)})',
        call("package", package),
        *statements,
        *sorted(call(*target) for target in targets),
    ]
    return "\n\n".join(parts) + "\n"


def call(rule, attributes):
    """Returns a call of a rule with attributes, {name: text of the value}."""
    keys = sorted(
        attributes,
        key=lambda key: (
            FIRST.index(key) if key in FIRST else len(FIRST) + (key == "deps"),
            key,
        ),
    )
    given = [f"{key} = {attributes[key]}" for key in keys]
    if len(given) == 1 and "\n" not in given[0]:
        return f"{rule}({given[0]})"
    return "".join([f"{rule}(\n", *(f"    {each},\n" for each in given), ")"])


def label_list(labels):
    """Returns the text of a list: first `:`, then `//`, then `@`."""
    labels = sorted(
        labels,
        key=lambda each: (
            each.startswith("@"),
            each.startswith("//"),
            re.split("[:.]", each),
        ),
    )
    if len(labels) == 1:
        return f'["{labels[0]}"]'
    items = [f'        "{each}",\n' for each in labels]
    return "".join(["[\n", *items, "    ]"])
