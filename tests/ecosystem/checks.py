"""What must hold of a subject: each check returns what the table says.

A check raises `Difference` where numbers differ by more than they may.
"""

import functools
import itertools
import re
import tempfile

import keras
import numpy as np
import tensorflow as tf
from keras import tree

import keras_sam
from keras_sam import descents
from tests.ecosystem import reference

NONE = {"ascent_steps": 0}
SAM = {"rho": 0.05}
MEAN = {"rho": 0.05, "ascent_steps": 3, "descent": descents.Mean()}

# Of float32, in parts of what training changed. The wrapper's graph and a loop
# by hand add up in other orders, and a climb makes roundings larger.
ROUNDING = 1e-5
BY_HAND = 1e-3
# A method that is not the one by hand is at least this far from it.
FAR = 10 * BY_HAND


class Difference(Exception):
    """Numbers differ by more than they may."""


class Checks:
    """The checks of a subject, which train it as few times as they can.

    Attributes:
        subject: `subject.Subject`.
        remarks: List of strings, what the checks found besides.
    """

    def __init__(self, subject):
        self.subject = subject
        self.remarks = [subject.remark] if subject.remark else []

    @functools.cached_property
    def plain(self):
        return self.subject.train(None)

    @functools.cached_property
    def first(self):
        """The weights and the state that every training begins from."""
        model = self.subject.fresh()
        if not model.built:
            model(self.subject.batches(model)[0][0], training=False)
        return state(model)

    @functools.cached_property
    def mean(self):
        return self.subject.train(MEAN)

    def parameters(self):
        return f"{self.plain.inner.count_params():,}"

    def plain_equal(self):
        """`ascent_steps=0` against plain `fit`: the largest difference."""
        ours = self.subject.train(NONE)
        self._compare_logs(ours)
        found = difference(state(ours.inner), state(self.plain.inner))
        if found == 0:
            return "0"
        moved = difference(state(self.plain.inner), self.first)
        self._explain(found)
        within(found / moved, ROUNDING, "the weights differ from plain Keras's")
        return f"{found:.0e}"

    def _compare_logs(self, ours):
        plain = self.plain.logs
        if sorted(plain) != sorted(ours.logs):
            raise Difference(
                f"plain Keras logs {sorted(plain)}, ours {sorted(ours.logs)}"
            )
        for name, values in plain.items():
            apart = np.max(np.abs(np.subtract(values, ours.logs[name])))
            within(apart / (1 + np.max(np.abs(values))), ROUNDING, name)

    def _explain(self, found):
        """Remarks on why a training differs from plain Keras's in some bits."""
        again = self.subject.train(None)
        noise = difference(state(again.inner), state(self.plain.inner))
        if noise > 0:
            self.remarks.append(
                f"plain Keras, trained again, differs by {noise:.0e}"
            )
            return
        eager = [
            state(self.subject.train(method, run_eagerly=True).inner)
            for method in (None, NONE)
        ]
        if difference(*eager) == 0:
            self.remarks.append(
                "plain to the bit if run eagerly: TensorFlow's graph "
                "optimizer rounds the two graphs differently"
            )

    def sam(self):
        return self._by_hand(self.subject.train(SAM), 1)

    def several(self):
        return self._by_hand(self.mean, 3)

    def _by_hand(self, ours, steps):
        """The distance to a loop by hand, in parts of what training changed."""
        rho = SAM["rho"] if ours.rho is None else ours.rho
        model = reference.train(self.subject, rho, steps, ours.epochs)
        theirs = state(model)
        moved = distance(theirs, self.first)
        found = distance(state(ours.inner), theirs) / moved
        within(found, BY_HAND, "the weights differ from those of the loop")
        effect = distance(state(self.plain.inner), theirs) / moved
        if not effect > FAR:
            raise Difference(f"plain Keras is as near to the loop: {effect}")
        return f"{found:.0e}"

    def saved(self):
        """A `.keras` file: the same predictions, and it goes on training."""
        sam, subject = self.mean.model, self.subject
        with tempfile.TemporaryDirectory() as folder:
            file, alone = (f"{folder}/{n}.keras" for n in ("sam", "inner"))
            sam.save(file)
            sam.model.save(alone)
            loaded = keras.saving.load_model(file)
            plain = keras.saving.load_model(alone)
        before = subject.predict(sam)
        found = difference(before, subject.predict(loaded))
        lost = difference(before, subject.predict(plain))
        if lost > 0:
            self.remarks.append(f"plain Keras's file is off by {lost:.0e}")
        if found != lost:
            raise Difference(f"predictions differ by {found}, alone by {lost}")
        if len(plain.trainable_variables) != len(sam.trainable_variables):
            self.remarks.append(
                "plain Keras's file forgets which weights are trained"
            )
            sam = keras_sam.SAM(plain, **MEAN)
            subject.compile(sam)
        logs = [subject.fit(model, 1)["loss"] for model in (sam, loaded)]
        apart = difference(state(sam.model), state(loaded.model))
        moved = difference(state(sam.model), self.first)
        within(apart / moved, ROUNDING, "after more training, weights differ")
        within(abs(np.subtract(*logs)[0]), ROUNDING * (1 + logs[0][0]), "loss")
        return f"{found:.0e}, {apart:.0e}".replace("0e+00", "0")

    def exported(self):
        """A SavedModel gives the outputs of the model."""
        subject, sam = self.subject, self.mean.model
        x = subject.batches(sam.model)[0][0]
        outputs = tree.flatten(sam.model(x, training=False))
        try:
            served(self.plain.inner, x)
        except Exception as error:
            self.remarks.append(
                f"plain Keras does not export it: {short(error)}"
            )
            return "not by plain Keras"
        found = [
            difference(served(model, x), outputs) for model in (sam, sam.model)
        ]
        size = max(np.max(np.abs(a)) for a in outputs)
        within(max(found) / size, ROUNDING, "the SavedModel's outputs differ")
        return f"{max(found):.0e}"


def served(model, x):
    """Returns the outputs of a model's SavedModel, a list of tensors."""
    with tempfile.TemporaryDirectory() as folder:
        model.export(folder, verbose=False)
        loaded = tf.saved_model.load(folder)
        # A Keras model casts its inputs itself; a SavedModel does not.
        signature = loaded.signatures["serving_default"]
        _, specs = signature.structured_input_signature
        x = tree.map_structure(
            lambda a, spec: tf.cast(a, spec.dtype),
            x,
            specs if isinstance(x, dict) else next(iter(specs.values())),
        )
        return tree.flatten(loaded.serve(x))


def short(error):
    """Returns the message of an error in one line."""
    plain = re.sub(r"\x1b\[\d*m", "", str(error))  # Without colours.
    return " ".join(f"{type(error).__name__}: {plain}".split())[:500]


def state(model):
    """Returns the values of the weights, batch statistics and seeds."""
    variables = [*model.trainable_variables, *model.non_trainable_variables]
    return reference.values(variables)


def pairs(first, second):
    """Yields pairs of float64 arrays, one of each list."""
    for a, b in zip(first, second, strict=True):
        yield np.asarray(a, "float64"), np.asarray(b, "float64")


def difference(first, second):
    """Returns the largest absolute difference, or NaN if any number is NaN."""
    return np.max(
        [np.max(np.abs(a - b)) for a, b in pairs(first, second) if a.size]
    )


def distance(first, second):
    """Returns the Euclidean distance of weights and batch statistics."""
    floats = [np.issubdtype(a.dtype, np.floating) for a in first]
    squares = [np.sum((a - b) ** 2) for a, b in pairs(first, second)]
    return np.sqrt(sum(itertools.compress(squares, floats)))


def within(value, limit, what):
    # Negated, for NaN.
    if not value <= limit:
        raise Difference(f"{what}: {value:.1e}, at most {limit:.0e}")
