"""The papers' update rules in float64 NumPy. No code is the library's.

A model here is a list of arrays `[W, b, V, c]`. It computes
softmax(tanh(x W + b) V + c). The loss is the mean cross entropy of integer
labels, and the gradient is written by hand.
"""

import numpy as np


def loss(w, x, y):
    """Mean negative log-likelihood."""
    _, logits = _forward(w, x)
    largest = logits.max(axis=1, keepdims=True)
    log_sum = np.log(np.exp(logits - largest).sum(axis=1)) + largest[:, 0]
    return np.mean(log_sum - logits[np.arange(len(y)), y])


def gradient(w, x, y):
    """Gradient of `loss`, in the order of `w`."""
    _, _, v, _ = w
    hidden, logits = _forward(w, x)
    p = np.exp(logits - logits.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    p[np.arange(len(y)), y] -= 1.0
    p /= len(y)
    back = (p @ v.T) * (1.0 - hidden**2)
    return [x.T @ back, back.sum(axis=0), hidden.T @ p, p.sum(axis=0)]


def _forward(w, x):
    w1, b1, w2, b2 = w
    hidden = np.tanh(x @ w1 + b1)
    return hidden, hidden @ w2 + b2


def length(vector):
    """Euclidean norm over all arrays together."""
    return np.sqrt(sum(np.sum(a**2) for a in vector))


# Steps of the climb for a gradient g at the point w.


def sam(g, w):
    """arXiv:2010.01412, eq. 2 for p = 2: g / ||g||."""
    return [a / length(g) for a in g]


def usam(g, w):
    """arXiv:2206.06232: the gradient itself."""
    return g


def asam(g, w, eta=0.01):
    """arXiv:2102.11600: T_w^2 g / ||T_w g|| with T_w = |w| + eta."""
    t = [np.abs(b) + eta for b in w]
    norm = length([b * a for a, b in zip(g, t)])
    return [b**2 * a / norm for a, b in zip(g, t)]


def layerwise(g, w):
    """Look-LayerSAM, arXiv:2203.02714: (||w_l|| / ||g_l||) g_l."""
    return [
        np.linalg.norm(b) / np.linalg.norm(a) * a if np.any(a) else 0.0 * a
        for a, b in zip(g, w)
    ]


def climb(w, x, y, step, radius, rho, n, moving=(0, 1, 2, 3)):
    """Returns z_0 = w, z_1, ..., z_n and the gradients there.

    Only the arrays of `moving` move, and only they enter the norms.
    """
    points, gradients = [w], [gradient(w, x, y)]
    for _ in range(n):
        z = points[-1]
        u = step([gradients[-1][i] for i in moving], [z[i] for i in moving])
        r = {
            "split": rho / n,
            "full": rho,
            "projected": rho,
            "matched": 2.0 * rho / (n + 1.0),
        }[radius]
        new = [np.array(a) for a in z]
        for i, a in zip(moving, u):
            new[i] = z[i] + r * a
        if radius == "projected":
            e = [b - a for a, b in zip(w, new)]
            if length(e) > rho:
                new = [a + rho * b / length(e) for a, b in zip(w, e)]
        points.append(new)
        gradients.append(gradient(new, x, y))
    return points, gradients


# The gradient to descend with, from the gradients g_0, ..., g_n.


def last(g):
    """arXiv:2010.01412, eq. 3: the gradient at the end of the climb."""
    return g[-1]


def mean(g):
    """arXiv:2302.10181 (inferred): the mean of g_1, ..., g_n."""
    if len(g) == 1:
        return g[0]
    return [np.mean(arrays, axis=0) for arrays in zip(*g[1:])]


def m_sharpness(w, x, y, parts, *arguments):
    """arXiv:2010.01412, section 4.1: parts of a batch climb on their own."""
    total = [np.zeros_like(a) for a in w]
    for k in range(parts):
        part = slice(len(y) * k // parts, len(y) * (k + 1) // parts)
        _, g = climb(w, x[part], y[part], *arguments)
        total = [a + len(y[part]) / len(y) * b for a, b in zip(total, last(g))]
    return total


def friendly(gradients, sigma=1.0, decay=0.9):
    """arXiv:2403.12350: g_t - sigma m_{t-1}, m_t = decay m + (1 - decay) g_t.

    Returns the direction of each step of training, before normalization, for
    m_0 = 0.
    """
    m = [np.zeros_like(a) for a in gradients[0]]
    directions = []
    for g in gradients:
        directions.append([a - sigma * b for a, b in zip(g, m)])
        m = [decay * b + (1 - decay) * a for a, b in zip(g, m)]
    return directions
