"""Reads the text of programs: StableHLO, which JAX makes, and XLA's HLO."""

import collections
import math
import re
from typing import NamedTuple

# What only a host can do. A TPU could ask for it, but would wait each time.
HOST = ("infeed", "outfeed", "send", "recv")
DYNAMIC = (
    *("dynamic_reshape", "dynamic_broadcast_in_dim", "dynamic_iota"),
    *("dynamic_pad", "dynamic_gather", "dynamic_conv", "real_dynamic_slice"),
    *("get_dimension_size", "set_dimension_size"),
)
# Marks of the compiler itself, which no device sees.
MARKS = {"Sharding", "SPMDFullToShardShape", "SPMDShardToFullShape"}
COLLECTIVES = (
    *("all-reduce", "all-gather", "reduce-scatter", "all-to-all"),
    "collective-permute",
)
BITS = {"pred": 8, "token": 0}  # All other names say it.


class Collective(NamedTuple):
    """A collective of a compiled program.

    Attributes:
        name: One of `COLLECTIVES`.
        numbers: Int, how many numbers its result has.
        bytes: Int, the size of its result.
        times: Int, how often it runs in a step.
    """

    name: str
    numbers: int
    bytes: int
    times: int


def faults(stablehlo):
    """Returns what a TPU lacks, or does slowly, in a program: list of strings.

    Args:
        stablehlo: The program, as text.
    """
    targets = re.findall(r"custom_call @([\w.$]+)", stablehlo)
    targets += re.findall(r'call_target_name = "([^"]*)"', stablehlo)
    found = {
        "custom calls": {*targets} - MARKS,
        "host calls": _named(HOST, stablehlo),
        "dynamic shapes": _named(DYNAMIC, stablehlo)
        | {*re.findall(r"tensor<[\dx]*\?[^>]*>", stablehlo)},
    }
    return [f"{what}: {sorted(bad)}" for what, bad in found.items() if bad]


def _named(operations, stablehlo):
    return {
        o for o in operations if re.search(rf"\bstablehlo\.{o}\b", stablehlo)
    }


def collectives(text):
    """Returns the `Collective`s of a compiled program, a list.

    Args:
        text: The program, as HLO text.

    Raises:
        ValueError: If there is a collective in a loop that does not say how
            often it runs.
    """
    computations = _computations(text)
    times = _times(computations)
    found = []
    kinds = "|".join(COLLECTIVES)
    for name, lines in computations.items():
        for line in lines:
            match = re.search(rf" = (.*?) ({kinds})(?:-start)?\(", line)
            if match and math.isnan(times[name]):
                raise ValueError(
                    "A loop with collectives must say how often it runs. "
                    f"Received: {line.strip()}"
                )
            if match and times[name]:
                found.append(
                    Collective(match[2], *_size(match[1]), times[name])
                )
    return found


def _size(shapes):
    """Returns the numbers and bytes of a text such as `(f32[2,3], u8[])`."""
    numbers = bits = 0
    for kind, dimensions in re.findall(r"\b([a-z]\w*)\[([\d,]*)\]", shapes):
        number = math.prod(map(int, filter(None, dimensions.split(","))))
        numbers += number
        bits += number * int((re.findall(r"\d+", kind) or [BITS[kind]])[0])
    return numbers, bits // 8


def _computations(text):
    """Returns {name: lines} of a program; the entry has the name "ENTRY"."""
    found, lines = {}, []
    for line in text.splitlines():
        begin = re.match(r"(ENTRY )?%?([\w.-]+) \(.*\{$", line)
        if begin:
            lines = found["ENTRY" if begin[1] else begin[2]] = []
        else:
            lines.append(line)
    return found


def _times(computations):
    """Returns how often each computation runs, a Counter; NaN if unknown."""
    calls = collections.defaultdict(list)
    for caller, lines in computations.items():
        for line in lines:
            for kind, names in re.findall(
                r"(body|condition|to_apply|calls|\w+_computations?)="
                r"(\{[^}]*\}|%?[\w.-]+)",
                line,
            ):
                times = _trips(line, computations) if kind == "body" else 1
                for name in re.findall(r"%?([\w.-]+)", names):
                    calls[name].append((caller, times))
    found = collections.Counter(ENTRY=1)

    def of(name):
        if name not in found:
            found[name] = sum(n * of(caller) for caller, n in calls[name])
        return found[name]

    for name in computations:
        of(name)
    return found


def _trips(line, computations):
    """Returns how often a loop runs; NaN if it does not say so.

    Not all compilers note it. Loops of JAX count from 0 while less than a
    constant.
    """
    known = re.search(r'known_trip_count"?:\{"?n"?:"?(\d+)', line)
    if known:
        return int(known[1])
    condition = re.search(r"condition=%?([\w.-]+)", line)
    text = "\n".join(computations.get(condition and condition[1], []))
    bounds = re.findall(r"s32\[\]\S* constant\((\d+)\)", text)
    if len(bounds) == 1 and "direction=LT" in text:
        return int(bounds[0])
    return math.nan
