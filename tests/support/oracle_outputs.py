"""Whole trainings with SGD by the methods that look at outputs.

The terms are the ones of `oracle_methods.py`. The outputs of the model of
`oracle.py` are its logits.
"""

import numpy as np

from tests.support import oracle_methods as methods


def outputs(w, x):
    """Returns the hidden layer and the outputs."""
    w1, b1, w2, b2 = w
    hidden = np.tanh(x @ w1 + b1)
    return hidden, hidden @ w2 + b2


def slopes(logits, y):
    """The derivative of the mean cross entropy by the logits."""
    p = np.exp(logits - logits.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    return (p - np.eye(logits.shape[1])[y]) / len(y)


def pulled_back(w, x, c):
    """J^T c, J the Jacobian of the outputs at w: backpropagation of c."""
    hidden, _ = outputs(w, x)
    back = (c @ w[2].T) * (1 - hidden**2)
    return [x.T @ back, back.sum(axis=0), hidden.T @ c, c.sum(axis=0)]


def functional_sam(w, batches, lr, rho):
    """Functional SAM, arXiv:2502.02407: d = J(w + e)^T c(w), e as in SAM.

    c is the derivative of the loss by the outputs. Not confirmed in code: the
    abstract, and a secondary source (junaidaliop/zij `functionalsam.md`), which
    has the formula.
    """

    def direction(t, w, batch):
        e = methods.at(rho, t) * methods.unit(batch.gradient(w))
        c = slopes(outputs(batch.arrays(w), batch.x)[1], batch.y)
        return methods.flat(pulled_back(batch.arrays(w + e), batch.x, c))

    return methods.descend(w, batches, lr, direction)
