"""A trained model becomes a file: it must come back, and go on."""

import tempfile

import keras
import numpy as np
import tensorflow as tf
from keras import tree

import keras_sam
from tests.ecosystem import checks
from tests.ecosystem import measures


def saved(run):
    """A `.keras` file: the same predictions, and it goes on training.

    Args:
        run: `checks.Checks`.
    """
    said = _saved(run, checks.MEAN, run.mean.model)
    if run.subject.memory:
        model = run.subject.train(checks.MEMORY).model
        said += f"; with a memory {_saved(run, checks.MEMORY, model)}"
    return said


def _saved(run, method, sam):
    subject = run.subject
    with tempfile.TemporaryDirectory() as folder:
        file, alone = (f"{folder}/{n}.keras" for n in ("sam", "inner"))
        sam.save(file)
        sam.model.save(alone)
        loaded = keras.saving.load_model(file)
        plain = keras.saving.load_model(alone)
    before = subject.predict(sam)
    found = measures.difference(before, subject.predict(loaded))
    lost = measures.difference(before, subject.predict(plain))
    if lost > 0:
        run.remark(f"plain Keras's file is off by {lost:.0e}")
    if found != lost:
        raise measures.Difference(
            f"predictions differ by {found}, alone by {lost}"
        )
    if len(plain.trainable_variables) != len(sam.trainable_variables):
        run.remark("plain Keras's file forgets which weights are trained")
        sam = keras_sam.SAM(plain, **method)
        subject.compile(sam)
    begun = measures.state(loaded.model)
    logs = [subject.fit(model, 1)["loss"] for model in (sam, loaded)]
    apart = measures.difference(
        measures.state(sam.model), measures.state(loaded.model)
    )
    moved = measures.difference(measures.state(sam.model), begun)
    measures.within(
        apart / moved, measures.ROUNDING, "after more training, weights differ"
    )
    measures.within(
        abs(np.subtract(*logs)[0]), measures.ROUNDING * (1 + logs[0][0]), "loss"
    )
    return f"{measures.number(found)}, {measures.number(apart)}"


def exported(run):
    """A SavedModel gives the outputs of the model.

    Args:
        run: `checks.Checks`.
    """
    sam, plain = run.mean.model, run.plain.inner
    x = run.subject.batches(sam.model)[0][0]
    try:
        lost = _apart(_served(plain, x), plain(x, training=False))
    except Exception as error:
        run.remark(f"plain Keras does not export it: {measures.short(error)}")
        return "not by plain Keras"
    ours, inner = _served(sam, x), _served(sam.model, x)
    found = [_apart(ours, inner)]
    if lost > measures.ROUNDING:
        run.remark(f"plain Keras's SavedModel is off by {lost:.0e}, as here")
    else:
        found.append(_apart(inner, sam.model(x, training=False)))
    measures.within(
        max(found), measures.ROUNDING, "the SavedModel's outputs differ"
    )
    return measures.number(max(found))


def _apart(served, outputs):
    """The largest difference, in parts of the largest output."""
    outputs = tree.flatten(outputs)
    size = max(np.max(np.abs(a)) for a in outputs)
    return measures.difference(served, outputs) / size


def _served(model, x):
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
