"""What must hold of a subject: each check returns what the table says.

A check raises `Difference` where numbers differ by more than they may.
"""

import functools

import numpy as np

from keras_sam import descents
from keras_sam import directions
from tests.ecosystem import measures
from tests.ecosystem import reference

NONE = {"ascent_steps": 0}
SAM = {"rho": 0.05}
MEAN = {"rho": 0.05, "ascent_steps": 3, "descent": descents.Mean()}
MEMORY = {"rho": 0.05, "direction": directions.Friendly()}

# In parts of what training changed. The wrapper's graph and a loop by hand add
# up in other orders, and a climb makes roundings larger.
BY_HAND = 1e-3
# A method that is not the one by hand is at least this far from it.
FAR = 10 * BY_HAND


class Checks:
    """The checks of a subject, which train it as few times as they can.

    Attributes:
        subject: `subject.Subject`.
        remarks: List of strings, what the checks found besides.
    """

    def __init__(self, subject):
        self.subject = subject
        self.remarks = list(filter(None, [subject.remark]))

    @functools.cached_property
    def plain(self):
        return self.subject.train(None)

    @functools.cached_property
    def first(self):
        """The weights and the state that every training begins from."""
        model = self.subject.fresh()
        if not model.built:
            model(self.subject.batches(model)[0][0], training=False)
        return measures.state(model)

    @functools.cached_property
    def mean(self):
        return self.subject.train(MEAN)

    def parameters(self):
        return f"{self.plain.inner.count_params():,}"

    def plain_equal(self):
        """`ascent_steps=0` against plain `fit`: the largest difference."""
        ours = self.subject.train(NONE)
        self._compare_logs(ours)
        found = measures.difference(ours.state, self.plain.state)
        if found > 0:
            self._explain()
        moved = measures.difference(self.plain.state, self.first)
        measures.within(
            found / moved,
            measures.ROUNDING,
            "the weights differ from plain Keras's",
        )
        return measures.number(found)

    def _compare_logs(self, ours):
        plain = self.plain.logs
        if sorted(plain) != sorted(ours.logs):
            raise measures.Difference(
                f"plain Keras logs {sorted(plain)}, ours {sorted(ours.logs)}"
            )
        for name, values in plain.items():
            apart = np.max(np.abs(np.subtract(values, ours.logs[name])))
            measures.within(
                apart / (1 + np.max(np.abs(values))), measures.ROUNDING, name
            )

    def _explain(self):
        """Remarks why a training differs from plain Keras's in some bits."""
        again = self.subject.train(None)
        noise = measures.difference(again.state, self.plain.state)
        if noise > 0:
            self.remark(f"plain Keras, trained again, differs by {noise:.0e}")
            return
        eager = [
            self.subject.train(method, run_eagerly=True).state
            for method in (None, NONE)
        ]
        apart = measures.difference(*eager)
        if apart > 0:
            raise measures.Difference(f"weights differ eagerly, by {apart:.0e}")
        self.remark(
            "plain to the bit if run eagerly: TensorFlow's graph optimizer "
            "rounds the two graphs differently"
        )

    def sam(self):
        return self._by_hand(self.subject.train(SAM), 1)

    def several(self):
        return self._by_hand(self.mean, 3)

    def _by_hand(self, ours, steps):
        """The distance to a loop by hand, in parts of what training changed."""
        rho = SAM["rho"] if ours.rho is None else ours.rho
        model = reference.train(self.subject, rho, steps, ours.epochs)
        theirs = measures.state(model)
        moved = measures.distance(theirs, self.first)
        found = measures.distance(ours.state, theirs) / moved
        measures.within(
            found, BY_HAND, "the weights differ from those of the loop"
        )
        effect = measures.distance(self.plain.state, theirs) / moved
        if not effect > FAR:
            raise measures.Difference(
                f"plain Keras is as near to the loop: {effect}"
            )
        return measures.number(found)

    def remark(self, text):
        if text not in self.remarks:
            self.remarks.append(text)
