"""What a step of each method costs, in steps of SGD, and how many fit.

A step that climbs and a step that does not are timed apart, by cadences that
always or never climb. So no cost depends on the data that are timed.
"""

import dataclasses
import statistics

import keras_sam
from benchmarks import networks
from benchmarks import runs
from benchmarks.cheaper import grid
from keras_sam import cadences

NEVER = 10**9
# Cadences that climb in every step, and in none after the first.
_OFTEN = cadences.Every(stop=NEVER), cadences.Every(start=NEVER)
FORCED = {
    cadences.Every: _OFTEN,
    cadences.LatePhase: _OFTEN,
    cadences.Randomly: (cadences.Randomly(1.0), cadences.Randomly(0.0)),
    cadences.Threshold: (
        cadences.Threshold(1, -NEVER, -NEVER),
        cadences.Threshold(1, NEVER, NEVER),
    ),
    cadences.Reuse: (cadences.Reuse(1), cadences.Reuse(NEVER)),
}


@dataclasses.dataclass(frozen=True)
class Cost:
    """What steps cost, in steps of SGD.

    Attributes:
        climb: Float, a step that climbs.
        rest: Float, a step that does not; the same if all climb.
        spread: Float, half of the distance of the quartiles of `climb`.
    """

    climb: float
    rest: float
    spread: float

    def mean(self, share):
        """Returns the cost of a step if this share of the steps climb."""
        return share * self.climb + (1 - share) * self.rest

    def time(self, steps, climbs):
        """Returns the time of a training, in steps of SGD."""
        return steps * self.mean(climbs / steps)


def share(method, steps, found):
    """Returns the share of the steps that climb.

    Args:
        method: Name in `grid.ARMS`.
        steps: Int, of the training.
        found: Float, for a cadence that goes by the data.
    """
    cadence = grid.ARMS[method].arguments(0.1, steps).get("cadence")
    if isinstance(cadence, cadences.LatePhase):
        return (steps - cadence.start) / steps
    if isinstance(cadence, (cadences.Every, cadences.Reuse)):
        return 1 / cadence.k
    if isinstance(cadence, cadences.Randomly):
        return cadence.probability
    return 1.0 if cadence is None else found


def steps(costs, shares, factor=1.0):
    """Returns how many steps of each method take the time of SAM's training.

    Args:
        costs: {method: `Cost`}.
        shares: {(data set, label noise): share of AE-SAM's steps that climb}.
        factor: Float, what SAM's training is multiplied with.

    Returns:
        {(data set, label noise, method): multiple of `grid.CHUNK`}.
    """
    found = {}
    for cell in grid.cells():
        planned = factor * grid.TASKS[cell[0]].steps
        budget = planned * costs[grid.SAM].climb
        for method, cost in costs.items():
            each = cost.mean(share(method, round(planned), shares.get(cell)))
            chunks = max(1, round(budget / each / grid.CHUNK))
            found[*cell, method] = chunks * grid.CHUNK
    return found


def forced(method, index):
    """Returns the arguments of SAM that always climb (index 0), or never (1).

    The same where each step of the method climbs, or none does.
    """
    arguments = grid.ARMS[method].arguments(0.05, NEVER)
    if "cadence" in arguments:
        arguments["cadence"] = FORCED[type(arguments["cadence"])][index]
    return arguments


def prepare(arguments, network):
    """Returns the `runs.Run` of a method, traced and warmed up."""
    model = keras_sam.SAM(network.build(), **arguments)
    return runs.Run(runs.compiled(model, False), network.batch())


def measure(methods, name, rounds, seconds):
    """Returns {method: `Cost`}; what is timed takes turns in each round.

    A ratio is taken within a round, so that a change of the machine's load
    meets both sides of it. Methods that make the same steps are timed once.

    Args:
        methods: Names in `grid.ARMS`.
        name: Name in `networks.NETWORKS`, what is timed.
        rounds: Int, at least 2.
        seconds: Float, of each model in a round.
    """
    network = networks.NETWORKS[name]
    arguments = {
        (method, index): forced(method, index)
        for method in {grid.SGD, *methods}
        for index in (0, 1)
    }
    alike = {key: repr(sorted(a.items())) for key, a in arguments.items()}
    taken = {
        alike[key]: prepare(arguments[key], network)
        for key in {text: key for key, text in alike.items()}.values()
    }
    for _ in range(rounds + 1):
        for run in taken.values():
            run.round(seconds)
    plain = taken[alike[grid.SGD, 0]]

    def ratio(key):
        return runs.ratios(taken[alike[key]], plain)

    return {
        method: Cost(
            climb=round(statistics.median(ratio((method, 0))), 4),
            rest=round(statistics.median(ratio((method, 1))), 4),
            spread=round(_half_distance(ratio((method, 0))), 4),
        )
        for method in methods
    }


def _half_distance(numbers):
    """Returns half of the distance of the quartiles."""
    low, _, high = statistics.quantiles(numbers, n=4)
    return (high - low) / 2
