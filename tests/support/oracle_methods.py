"""Whole trainings with SGD by the methods that differ in how they climb.

They are in float64 NumPy and share no code with the library.
`oracle_descents.py` has the methods that combine gradients. `oracle_costs.py`
has the methods that save some.

A method takes the weights `[W, b, V, c]` of `oracle.py`, batches `(x, y)` and
a learning rate. It returns the weights after each step. lr and rho are numbers,
or functions of the step. Inside a method, w and all gradients are flat vectors,
so that the method reads as its equation. g(w) is `batch.gradient(w)`. Some
authors divide by a norm + 1e-12. Nothing is added to norms here. "Confirmed"
names the code in which the rule was read. "Not confirmed" says that no code for
the rule could be read.
"""

import numpy as np

from tests.support import oracle

norm = np.linalg.norm


def flat(arrays):
    return np.concatenate([np.ravel(a) for a in arrays])


def losses(w, x, y):
    """The loss of each example."""
    rows = [slice(i, i + 1) for i in range(len(y))]
    return np.array([oracle.loss(w, x[row], y[row]) for row in rows])


class Batch:
    """A batch, for flat vectors of weights of the shapes of `like`."""

    def __init__(self, x, y, like):
        self.x, self.y, self.like = x, y, like
        self.size = len(y)

    def arrays(self, vector):
        """Undoes `flat`."""
        ends = np.cumsum([a.size for a in self.like])
        pieces = np.split(vector, ends[:-1])
        return [a.reshape(b.shape) for a, b in zip(pieces, self.like)]

    def each(self, function, *vectors):
        """Applies a function to the arrays of the vectors, one by one."""
        return flat(map(function, *map(self.arrays, vectors)))

    def gradient(self, w, rows=slice(None)):
        return flat(oracle.gradient(self.arrays(w), self.x[rows], self.y[rows]))

    def loss(self, w):
        return oracle.loss(self.arrays(w), self.x, self.y)

    def losses(self, w):
        return losses(self.arrays(w), self.x, self.y)


def descend(w, batches, lr, direction, momentum=0.0):
    """v <- momentum v + d, w <- w - lr v with d = direction(t, w, batch)."""
    like, vector, velocity, points = w, flat(w), 0.0, []
    for t, (x, y) in enumerate(batches):
        batch = Batch(x, y, like)
        velocity = momentum * velocity + direction(t, vector, batch)
        vector = vector - at(lr, t) * velocity
        points.append(batch.arrays(vector))
    return points


def at(value, t):
    """A number, or a function of the step t = 0, 1, ..."""
    return value(t) if callable(value) else value


def unit(vector):
    return vector / norm(vector)


def climber(w, batches, lr, perturbation):
    """d = g(w + e) with e = perturbation(t, w, g(w), batch)."""

    def direction(t, w, batch):
        e = perturbation(t, w, batch.gradient(w), batch)
        return batch.gradient(w + e)

    return descend(w, batches, lr, direction)


def sgd(w, batches, lr, momentum=0.0):
    """d = g_0."""
    return descend(
        w, batches, lr, lambda t, w, batch: batch.gradient(w), momentum
    )


def sam(w, batches, lr, rho):
    """arXiv:2010.01412, eq. 2 and 3: e = rho g_0 / ||g_0||, d = g(w + e).

    Confirmed in google-research/sam, davda54/sam.
    """
    return climber(w, batches, lr, lambda t, w, g, batch: at(rho, t) * unit(g))


def m_sam(w, batches, lr, rho, parts):
    """arXiv:2010.01412, section 4.1: the mean of g_1 of the parts of a batch.

    A part has its own e, and the weight of its size. Confirmed in
    google-research/sam (a part is a device) and
    team-approx-bayes/bayesian-sam (a batch is reshaped).
    """

    def direction(t, w, batch):
        total = np.zeros_like(w)
        for k in range(parts):
            start = batch.size * k // parts
            stop = batch.size * (k + 1) // parts
            rows = slice(start, stop)
            e = at(rho, t) * unit(batch.gradient(w, rows))
            share = (stop - start) / batch.size
            total += share * batch.gradient(w + e, rows)
        return total

    return descend(w, batches, lr, direction)


def asam(w, batches, lr, rho, eta=0.01, scaled=range(4)):
    """arXiv:2102.11600: e = rho T^2 g / ||T g||, T = |w| + eta.

    T = 1 for arrays that are not in `scaled`. Confirmed in SamsungLabs/ASAM
    `asam.py` (rho 0.5, eta 0.01; 0 in its script), where T = 1 for what is not
    named "weight"; davda54/sam has eta = 0 and T = |w| everywhere.
    """

    def perturbation(t, w, g, batch):
        arrays = enumerate(batch.arrays(w))
        scale = flat(
            [np.abs(a) + eta if i in scaled else 0 * a + 1 for i, a in arrays]
        )
        return at(rho, t) * scale**2 * g / norm(scale * g)

    return climber(w, batches, lr, perturbation)


def usam(w, batches, lr, rho):
    """arXiv:2206.06232: e = rho g.

    Confirmed in tml-epfl/understanding-sam.
    """
    return climber(w, batches, lr, lambda t, w, g, batch: at(rho, t) * g)


def unified(w, batches, lr, rho, mix):
    """arXiv:2503.02225: e = rho (1 - mix + mix / ||g||) g.

    `mix` is the paper's lambda; its schedules 1/t and 1 - 1/t count from
    t = 1. Confirmed in the authors' `unifiedsam.py`.
    """

    def perturbation(t, w, g, batch):
        m = at(mix, t)
        return at(rho, t) * (1 - m + m / norm(g)) * g

    return climber(w, batches, lr, perturbation)


def layerwise(w, batches, lr, rho):
    """Look-LayerSAM, arXiv:2203.02714: e_l = rho ||w_l|| g_l / ||g_l||.

    Not confirmed: no code of the authors was found. Every array is a layer.
    """

    def perturbation(t, w, g, batch):
        e = batch.each(lambda a, b: norm(a) * b / norm(b), w, g)
        return at(rho, t) * e

    return climber(w, batches, lr, perturbation)


def awp(w, batches, lr, gamma):
    """arXiv:2004.05884: as `layerwise`, but arrays of one axis stay.

    Confirmed in csdongxian/AWP (gamma 0.01; "weight" in the name and more
    than one axis), where the direction is a step of a proxy model's optimizer
    on adversarial examples: here SGD, on the batch.
    """

    def move(a, b):
        return gamma * norm(a) * b / norm(b) if a.ndim > 1 else 0 * a

    return climber(
        w, batches, lr, lambda t, w, g, batch: batch.each(move, w, g)
    )


def fisher(w, batches, lr, rho, eta=1.0):
    """arXiv:2206.04920: e = rho F^-1 g / sqrt(g' F^-1 g), F = 1 + eta g^2.

    F is diagonal and of the mean gradient, not of single ones. Not confirmed:
    no code of the authors was found; read in a re-implementation (gamma,
    here rho, 0.1; eta 1).
    """

    def perturbation(t, w, g, batch):
        ascent = g / (1 + eta * g**2)
        return at(rho, t) * ascent / np.sqrt(g @ ascent)

    return climber(w, batches, lr, perturbation)


def sam_on(w, batches, lr, rho, moving):
    """arXiv:2306.04226, last-layer SAM: only the arrays in `moving` move.

    The norm is over those; all are trained. Confirmed in mueller-mp/SAM-ON.
    """

    def perturbation(t, w, g, batch):
        moves = [
            np.full(a.shape, i in moving) for i, a in enumerate(batch.like)
        ]
        return at(rho, t) * unit(flat(moves) * g)

    return climber(w, batches, lr, perturbation)


def friendly(w, batches, lr, rho, sigma=1.0, decay=0.9):
    """arXiv:2403.12350: e along g_0 - sigma m, m <- decay m + (1 - decay) g_0.

    In the first step e is along g_0, and m = g_0. m is the one of the step
    before, which for sigma = 1 gives the paper's direction. Confirmed in
    nblt/F-SAM `utils.py` (rho 0.05, sigma 1, lambda, here decay, 0.9).
    """
    m = None

    def perturbation(t, w, g, batch):
        nonlocal m
        ascent = g if m is None else g - sigma * m
        m = g if m is None else decay * m + (1 - decay) * g
        return at(rho, t) * unit(ascent)

    return climber(w, batches, lr, perturbation)


def vasso(w, batches, lr, rho, theta=0.9):
    """arXiv:2309.15639: m <- (1 - theta) m + theta g_0, e along m.

    m = g_0 in the first step. Confirmed in BingcongLi/VaSSO
    `solver/vasso.py` (rho 0.05, theta 0.9).
    """
    m = None

    def perturbation(t, w, g, batch):
        nonlocal m
        m = g if m is None else (1 - theta) * m + theta * g
        return at(rho, t) * unit(m)

    return climber(w, batches, lr, perturbation)


def zsharp(w, batches, lr, rho, quantile=0.95):
    """arXiv:2505.02369: e_l = rho f_l / ||f_l||, f_l the outlying entries.

    f_l has the entries of g_l whose |z| is above a quantile of |z| in the
    array, z = (g_l - mean) / std. Arrays of one axis, and arrays where f_l is
    0, have e_l = rho g_l / ||g||, with the norm of all of g. Confirmed in
    YUNBLAK/Sharpness-Aware-Minimization-with-Z-Score-Gradient-Filtering
    `main.py` (rho 0.05, quantile 0.95), where std is over N - 1. A secondary
    source (junaidaliop/zij) has e = rho f / ||f||, one norm over all arrays.
    """

    def perturbation(t, w, g, batch):
        def move(a):
            if a.ndim > 1:
                z = np.abs((a - a.mean()) / a.std(ddof=1))
                filtered = np.where(z > np.quantile(z, quantile), a, 0.0)
                if np.any(filtered):
                    return filtered / norm(filtered)
            return a / norm(g)

        return at(rho, t) * batch.each(move, g)

    return climber(w, batches, lr, perturbation)


def le_sam(w, batches, lr, sigma, rho_max=0.5):
    """arXiv:2605.10183: e = min(sigma / ||g||, rho_max) g / ||g||.

    Confirmed in the authors' `lesam.py` (CIFAR-100, ResNet-18: sigma 0.35,
    rho_max 999; 0.5 and 0.5 in its script; sigma falls to 0 along a cosine
    from epoch 160 of 200 on), which also has d = g_1 - alpha g_0 with alpha 0,
    and can take some examples only.
    """

    def perturbation(t, w, g, batch):
        return min(at(sigma, t) / norm(g), rho_max) * unit(g)

    return climber(w, batches, lr, perturbation)


# Random ones: noise[t] is a list of arrays of standard normals, like w.


def filter_noise(scale, noise, w, batch):
    """Noise of standard deviation scale ||w_f||, f the filter of a weight.

    The filters of an array lie along its last axis; an array of one axis is
    one filter.
    """

    def deviation(a):
        axes = tuple(range(a.ndim - 1)) if a.ndim > 1 else None
        return np.sqrt(np.sum(a**2, axis=axes, keepdims=True)) + 0 * a

    return scale * batch.each(deviation, w) * flat(noise)


def random_perturbation(w, batches, lr, gamma, noise):
    """RWP: d = g(w + e), e of standard deviation gamma ||w_f||.

    arXiv:2404.00357. Confirmed in nblt/RWP and nblt/mARWP (gamma 0.01), whose
    filters lie along the first axis, as PyTorch's do.
    """

    def direction(t, w, batch):
        return batch.gradient(w + filter_noise(gamma, noise[t], w, batch))

    return descend(w, batches, lr, direction)


def mixed_random_perturbation(w, batches, lr, gamma, noise, mix=0.5):
    """m-RWP, arXiv:2404.00357: d = mix g(w + e) + (1 - mix) g_0.

    Confirmed in nblt/RWP `train_rwp_parallel.py` and nblt/mARWP (mix 0.5),
    where the two gradients are of two workers, thus of different batches;
    here they are of one.
    """

    def direction(t, w, batch):
        e = filter_noise(gamma, noise[t], w, batch)
        return mix * batch.gradient(w + e) + (1 - mix) * batch.gradient(w)

    return descend(w, batches, lr, direction)


def random_smoothing(w, batches, lr, rho, noise, sigma, mix):
    """R-SAM: e = rho (xi + mix g) / ||xi + mix g||, d = g(w + e).

    xi has the standard deviation sigma ||w_f||; g is the gradient at w + xi,
    not its unit vector. OpenReview htUvh7xPoa. Confirmed in the authors'
    RSAM-Optimizer/R-SAM `vit_jax/train.py` (mix 2; sigma from 0.0005 to 0.0025
    along half a cosine; rho up to 2.5 in 10,000 steps of warm-up, then down to
    1.5 with the learning rate; ViT-B/16 on ImageNet). A third party's trainer
    scales noise to sigma ||w_l|| exactly, climbs rho from w + xi and descends
    from w + xi.
    """

    def direction(t, w, batch):
        xi = filter_noise(sigma, noise[t], w, batch)
        ascent = xi + mix * batch.gradient(w + xi)
        return batch.gradient(w + at(rho, t) * unit(ascent))

    return descend(w, batches, lr, direction)
