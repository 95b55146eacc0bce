"""Describes a wrapper in words."""

import math

from keras_sam import radii
from keras_sam._algorithm import adapters
from keras_sam._algorithm.ascent import STEP_LENGTHS
from keras_sam._algorithm.method import Method
from keras_sam._backend import compiling
from keras_sam._backend import control_flow
from keras_sam._backend import variables


def call(name, model, method):
    """Returns the call that makes a wrapper: `rho`, and no other defaults."""
    default = Method().arguments()
    arguments = [
        f"{key}={value!r}"
        for key, value in method.arguments().items()
        if not adapters.equal(value, default[key]) or key == "rho"
    ]
    return f"{name}({', '.join([repr(model), *arguments])})"


def text(sam, method):
    """Returns lines of text that say what is trained, and how.

    Args:
        sam: The wrapper.
        method: The `method.Method` of the wrapper.
    """
    lines = [
        f"{type(sam).__name__} {sam.name!r} trains "
        f"{type(sam.model).__name__} {sam.model.name!r}.",
        *of_step(method),
        *_radius(sam, method),
        _weights(sam),
        compiling.words(method.xla, sam),
    ]
    return "\n".join(lines)


def of_step(method):
    """Returns lines of text that say what a step does, for any model.

    Args:
        method: `method.Method`.
    """
    return [
        *_start(method),
        *_climb(method),
        f"Descent: the optimizer gets {method.descent!r}."
        if method.ascent_steps
        else "Descent: the optimizer gets the gradient of the clean pass.",
        *_samples(method),
        _cost(method),
        *_sharing(method),
    ]


def _start(method):
    if method.start is None:
        return []
    return [f"Start: the clean pass is at w + rho * {method.start!r}."]


def _climb(method):
    if method.ascent_steps == 0:
        if method.start is None:
            return ["Climb: none (`ascent_steps=0`), which is plain training."]
        return ["Climb: none (`ascent_steps=0`): the start alone perturbs."]
    steps = (
        "1 step" if method.ascent_steps == 1 else f"{method.ascent_steps} steps"
    )
    length = STEP_LENGTHS[method.radius]
    return [
        f"Climb: {steps} (n) of length {length.words} "
        f"(`radius={method.radius!r}`, rho = {method.rho!r}) along "
        f"{method.direction!r}.",
        *_unrolled(method),
        "When: every train step climbs."
        if method.always_climbs
        else f"When: {method.cadence!r} says which train steps climb.",
    ]


def _unrolled(method):
    """Returns a line where n steps take longer to compile than they need."""
    if not control_flow.loops() or method.ascent_steps < 2:
        return []
    if method.unrolled is None:
        return []
    return [f"Climb: unrolled, {method.ascent_steps} steps: {method.unrolled}."]


def _radius(sam, method):
    if not isinstance(method.rho, radii.Settable):
        return []
    return [f"Radius: rho is {sam.rho:g} now, and may be set."]


def _samples(method):
    return [
        f"Samples: the {what} is on {samples!r} of the batch."
        for what, samples in (
            ("ascent", method.ascent_samples),
            ("descent", method.descent_samples),
        )
        if samples is not None
    ]


def _cost(method):
    climbing = _gradients(method)
    numbers = "1 gradient" if climbing == 1 else f"{climbing} gradients"
    cost = f"Cost: {numbers} a train step"
    if method.skips_steps:
        cost += " that climbs, 1 in the others"
    if method.ascent_samples or method.descent_samples:
        cost += ", some on part of the batch"
    asking = [
        repr(part)
        for part in (method.direction, method.descent)
        if part.asks_for_context
    ]
    if method.ascent_steps and asking:
        cost += f", and what {' and '.join(asking)} may evaluate besides"
    return cost + "."


def _gradients(method):
    """Returns the number of gradients of a climb, at all its points."""
    steps = range(method.ascent_steps)
    own = sum(not method.shares_gradient(first=step == 0) for step in steps)
    return 1 + method.ascent_steps + own


def _weights(sam):
    trained = variables.trained(sam)
    if not trained:
        return "Weights: the model is not built yet."
    moving = sam.perturbed_variables
    return (
        f"Weights: {_number(moving)} of {_number(trained)} trained weights "
        f"move ({len(moving)} of {len(trained)} variables)."
    )


def _number(weights):
    return format(sum(math.prod(w.shape) for w in weights), ",")


def _sharing(method):
    if method.sync_perturbations:
        return ["Replicas: they climb together, on the mean gradient."]
    if method.splits > 1:
        return [f"Splits: {method.splits} parts of a batch climb on their own."]
    return []
