"""Whole trainings with SGD by the methods that save some of SAM's cost.

The terms are the ones of `oracle_methods.py` and `oracle_descents.py`.
"""

import numpy as np

from tests.support import oracle_descents as descents
from tests.support import oracle_methods as methods

# Some steps climb, the others do not.


def climbing_if(w, batches, lr, rho, climbs):
    """SAM if climbs(t, g_0), else d = g_0."""

    def direction(t, w, batch):
        g0 = batch.gradient(w)
        if not climbs(t, g0):
            return g0
        return batch.gradient(w + methods.at(rho, t) * methods.unit(g0))

    return methods.descend(w, batches, lr, direction)


def interval(w, batches, lr, rho, period):
    """SAM at t = 0, period, 2 period, ... From no one paper.

    mosaicml/composer `algorithms/sam/sam.py` climbs in the last step of a
    period instead: (t + 1) % interval == 0.
    """
    return climbing_if(w, batches, lr, rho, lambda t, g: t % period == 0)


def late_phase(w, batches, lr, rho, number):
    """arXiv:2410.10373: SGD, then SAM in the last `number` steps.

    Confirmed in zzp1012/SAM-in-Late-Phase `script/ERM_to_SAM.py`, which counts
    epochs: SAM if start_SAM <= epoch <= end_SAM, and end_SAM is the last one.
    There SGD and SAM have two optimizers, and so two momenta; SAM's begins at
    0. Here is no momentum.
    """
    first = len(batches) - number
    return climbing_if(w, batches, lr, rho, lambda t, g: t >= first)


def random_sam(w, batches, lr, rho, coins):
    """RST, once SS-SAM, arXiv:2203.09962: SAM if a coin shows 1.

    A coin is Bernoulli(p_t), drawn in each step; p_t follows a schedule.
    Confirmed in the authors' zhaoyang-0204/gnp `training/training_core.py`.
    """
    return climbing_if(w, batches, lr, rho, lambda t, g: coins[t])


def ae_sam(
    w,
    batches,
    lr,
    rho,
    total_steps,
    decay=0.9,
    first=1.0,
    last=-1.0,
    mean=0.0,
    variance=0.0,
):
    """arXiv:2304.14647: SAM where ||g_0||^2 >= mu + c_t sigma.

    With s = ||g_0||^2, before the decision: mu <- decay mu + (1 - decay) s,
    then sigma^2 <- decay sigma^2 + (1 - decay) (s - mu)^2. c_t falls linearly
    from `first` (lambda_2) at t = 0 to `last` (lambda_1) at total_steps.

    Not confirmed: no code of the authors was found; the rule is a secondary
    source's (junaidaliop/zij), which gives neither defaults nor mu and sigma
    before the first step. Here both are 0: a decision then does not depend on
    the loss's scale, and the first step climbs for the defaults, since
    s >= 0.1 s + sqrt(0.1) 0.9 s. Recalled but not confirmed are lambda_1 = -1,
    lambda_2 = 1, decay 0.9, and a sigma^2 of e^-10 before the first step.
    """

    def climbs(t, g):
        nonlocal mean, variance
        s = methods.norm(g) ** 2
        mean = decay * mean + (1 - decay) * s
        variance = decay * variance + (1 - decay) * (s - mean) ** 2
        c = first + (last - first) * min(t / total_steps, 1)
        return s >= mean + c * np.sqrt(variance)

    return climbing_if(w, batches, lr, rho, climbs)


def looksam(w, batches, lr, rho, period=5, alpha=0.7):
    """arXiv:2203.02714: SAM at t = 0, period, ...; between, its share of g_v.

    g_v = g_1 - <g_1, u> u with u = g_0 / ||g_0||, kept;
    d = g_0 + alpha ||g_0|| / ||g_v|| g_v in the other steps. No code of the
    authors was found; confirmed in MarlonBecker/MSAM `optimizer/looksam.py`
    (period 5, alpha 0.2). rollovd/LookSAM and pytorch_optimizer split and
    scale each array on its own: another method.
    """
    across = None

    def direction(t, w, batch):
        nonlocal across
        if t % period == 0:
            g0, g1 = descents.two_gradients(w, batch, methods.at(rho, t))
            across = g1 - (g1 @ methods.unit(g0)) * methods.unit(g0)
            return g1
        g0 = batch.gradient(w)
        return g0 + alpha * methods.norm(g0) * methods.unit(across)

    return methods.descend(w, batches, lr, direction)


# Some examples.


def largest(scores, count):
    """The indices of the `count` largest values. Of equals, the first win."""
    return np.argsort(-scores, kind="stable")[:count]


def k_sam(w, batches, lr, rho, k):
    """arXiv:2210.12864: SAM on the k examples of largest loss at w.

    Not confirmed: the abstract says so; no code was found.
    """

    def direction(t, w, batch):
        rows = largest(batch.losses(w), k)
        e = methods.at(rho, t) * methods.unit(batch.gradient(w, rows))
        return batch.gradient(w + e, rows)

    return methods.descend(w, batches, lr, direction)


def sub_batch(w, batches, lr, rho, rows):
    """Bahri et al., arXiv:2110.08529: e from some rows, d from all.

    rows[t] are the rows of batch t. Not confirmed: that a part of the batch,
    a quarter, climbs there is a secondary source's word.
    """

    def direction(t, w, batch):
        e = methods.at(rho, t) * methods.unit(batch.gradient(w, rows[t]))
        return batch.gradient(w + e)

    return methods.descend(w, batches, lr, direction)


def esam(
    w, batches, lr, rho, masks=None, beta=1.0, gamma=1.0, masked_norm=True
):
    """arXiv:2110.03141: e = rho / beta m g_0 / ||m g_0||, d of some examples.

    SWP: masks[t] has a 0 or 1 for each array (or weight), 1 with probability
    beta. SDS: d is the mean gradient at w + e of the round(gamma B) examples
    whose loss rose most from w to w + e.

    Confirmed in dydjw9/Efficient_SAM `utils/Esam.py`: a mask for each array,
    the norm of what moves, 1 / beta (beta 0.5 or 0.6, gamma 0.5 in its
    scripts). There int(gamma B) is rounded down, "> cutoff" then drops one
    more, and gamma >= 0.99 keeps all. A secondary source (junaidaliop/zij)
    has a mask for each weight and, with `masked_norm=False`, ||g_0||.
    """

    def direction(t, w, batch):
        g0 = batch.gradient(w)
        m = np.ones_like(w)
        if masks is not None:
            m = methods.flat([b + 0 * a for a, b in zip(batch.like, masks[t])])
        length = methods.norm(m * g0) if masked_norm else methods.norm(g0)
        z = w + methods.at(rho, t) / beta * m * g0 / length
        count = max(1, round(gamma * batch.size))
        rise = batch.losses(z) - batch.losses(w)
        return batch.gradient(z, largest(rise, count))

    return methods.descend(w, batches, lr, direction)


# Some weights: e = rho m g_0 / ||g_0||, with the norm of all of g_0.


def active_count(size, sparsity):
    return round((1 - sparsity) * size)


def mask_of(indices, size):
    mask = np.zeros(size)
    mask[indices] = 1
    return mask


def sparse_fisher(w, batches, lr, rho, sparsity, period, samples, measured=1):
    """SSAM-F, arXiv:2210.05177: m picks the weights of largest Fisher.

    At t = 0, period, ..., F is the mean of the squared gradients at w of the
    first `samples` examples of the batch, one by one, and so at the next
    `measured` - 1 steps; m is 1 for the round((1 - sparsity) N) largest sums of
    these F of all N weights, from the next step on. Until then m is 1.

    Confirmed in Mi-Peng/Sparse-Sharpness-Aware-Minimization `solver/sam.py`
    (rho 0.05, sparsity 0.2, 1024 samples, every 5 epochs). There m is 0 until
    the first update, the samples are drawn from all data, F is the sum, at
    the weights after the step, and the count is rounded down.
    """
    mask, found = None, []

    def perturbation(t, w, g, batch):
        nonlocal mask
        e = methods.at(rho, t) * (1 if mask is None else mask) * methods.unit(g)
        if t % period < measured:
            count = min(samples, batch.size)
            squares = [batch.gradient(w, [i]) ** 2 for i in range(count)]
            found.append(np.mean(squares, axis=0))
        if t % period == measured - 1:
            scores = np.sum(found[-measured:], axis=0)
            kept = largest(scores, active_count(w.size, sparsity))
            mask = mask_of(kept, w.size)
        return e

    return methods.climber(w, batches, lr, perturbation)


def drop_and_grow(mask, g, fraction, uniform):
    """Drops the active weights of smallest |g|, grows as many at random.

    The weights that grow have the largest `uniform` of those inactive before.
    """
    active, inactive = np.flatnonzero(mask == 1), np.flatnonzero(mask == 0)
    count = min(round(fraction * active.size), inactive.size)
    kept = active[largest(np.abs(g[active]), active.size - count)]
    grown = inactive[largest(uniform[inactive], count)]
    return mask_of(np.concatenate([kept, grown]), mask.size)


def sparse_dynamic(
    w, batches, lr, rho, mask, period, drop_rate, total_steps, uniform
):
    """SSAM-D, arXiv:2210.05177: m drops flat weights and grows random ones.

    `mask` is the first m, a list of arrays of round((1 - sparsity) N) ones
    together. At t = 0, period, ... a fraction f_t of the active weights, of
    all arrays together, is exchanged by `drop_and_grow` with g_0 and
    uniform[t], from step t + 1 on;
    f_t = drop_rate (1 + cos(pi t / total_steps)) / 2.

    Confirmed in Mi-Peng/Sparse-Sharpness-Aware-Minimization `solver/sam.py`
    (drop_rate 0.5, every 5 epochs; f falls with the epochs). There the counts
    are rounded down one by one, so that m may lose a weight or two.
    """
    mask = methods.flat(mask)

    def perturbation(t, w, g, batch):
        nonlocal mask
        e = methods.at(rho, t) * mask * methods.unit(g)
        if t % period == 0:
            angle = np.pi * min(t / total_steps, 1)
            fraction = drop_rate * (1 + np.cos(angle)) / 2
            mask = drop_and_grow(mask, g, fraction, methods.flat(uniform[t]))
        return e

    return methods.climber(w, batches, lr, perturbation)
