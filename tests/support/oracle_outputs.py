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


def lower_bound(logits, y, mu, alpha=None):
    """BiSAM's Q: the mean of log(sum_j exp(mu phi(F_j))) / mu."""
    phi, _ = heights(logits, y, alpha)
    return np.mean(np.log(np.sum(np.exp(mu * phi), axis=1))) / mu


def heights(logits, y, alpha):
    """phi(F) and its derivative, F_j the logit of j less that of the label."""
    f = logits - logits[np.arange(len(y)), y][:, None]
    if alpha is not None:
        return np.tanh(alpha * f), alpha / np.cosh(alpha * f) ** 2
    odds = (np.e - 1) * np.exp(-f)
    return 1 - np.log(1 + odds), odds / (1 + odds)


def bisam(w, batches, lr, rho, mu=1.0, alpha=None):
    """BiSAM, arXiv:2407.12993: e = rho h / ||h||, h the gradient of Q; d = g_1.

    phi(x) = 1 - log(1 + (e - 1) exp(-x)), or tanh(alpha x). Confirmed in
    LIONS-EPFL/BiSAM `loss_fnc.py`, `train.py` (mu 1, rho 0.05; alpha 0.1),
    which leaves out the factor 1 / mu: it does not change e.
    """

    def direction(t, w, batch):
        logits = outputs(batch.arrays(w), batch.x)[1]
        phi, slope = heights(logits, batch.y, alpha)
        p = np.exp(mu * phi)
        c = p / p.sum(axis=1, keepdims=True) * slope / batch.size
        c[np.arange(batch.size), batch.y] -= c.sum(axis=1)
        h = methods.flat(pulled_back(batch.arrays(w), batch.x, c))
        return batch.gradient(w + methods.at(rho, t) * methods.unit(h))

    return methods.descend(w, batches, lr, direction)
