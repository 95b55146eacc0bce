"""Whole trainings with SGD by the methods that combine gradients.

The terms are the ones of `oracle_methods.py`: g_0 is the gradient at w, and g_1
is the gradient at w + rho g_0 / ||g_0||.
"""

import numpy as np

from tests.support import oracle_methods as methods


def two_gradients(w, batch, rho):
    """Returns g_0 and g_1."""
    g0 = batch.gradient(w)
    return g0, batch.gradient(w + rho * methods.unit(g0))


def combiner(w, batches, lr, rho, combine, momentum=0.0):
    """d = combine(g_0, g_1)."""

    def direction(t, w, batch):
        return combine(*two_gradients(w, batch, methods.at(rho, t)))

    return methods.descend(w, batches, lr, direction, momentum)


# Several steps of ascent.


def path(w, batch, rho, n, radius):
    """Returns z_n and g_0, ..., g_n; steps of rho / n or of rho ("full")."""
    z, gradients = w, [batch.gradient(w)]
    for _ in range(n):
        step = {"split": rho / n, "full": rho}[radius]
        z = z + step * methods.unit(gradients[-1])
        gradients.append(batch.gradient(z))
    return z, gradients


def multistep_weighted(w, batches, lr, rho, weights, radius="split"):
    """d = c_0 g_0 + ... + c_n g_n. A family, from no one paper."""

    def direction(t, w, batch):
        _, g = path(w, batch, methods.at(rho, t), len(weights) - 1, radius)
        return sum(c * a for c, a in zip(weights, g, strict=True))

    return methods.descend(w, batches, lr, direction)


def multistep_last(w, batches, lr, rho, n, radius="split"):
    """arXiv:2302.10181 studies it: d = g_n.

    Confirmed in Cccjl219/XSAM (alpha 1; split), optax.contrib.sam (full).
    """
    return multistep_weighted(w, batches, lr, rho, [0] * n + [1], radius)


def multistep_mean(w, batches, lr, rho, n, radius="split"):
    """arXiv:2302.10181, inferred: d = (g_1 + ... + g_n) / n.

    Not confirmed: MAIR's `BridgedNSAM` sets these weights, but computes
    something else.
    """
    return multistep_weighted(w, batches, lr, rho, [0] + [1 / n] * n, radius)


def lookbehind(w, batches, lr, rho, k, alpha=0.5):
    """arXiv:2307.16704: k ascents of rho, k descents phi, w <- between.

    phi_i = phi_{i-1} - lr g(z_i), z_i = z_{i-1} + rho ghat(z_{i-1}), from
    phi_0 = z_0 = w; then w <- w + alpha (phi_k - w). Confirmed in
    chandar-lab/Lookbehind-SAM `lookbehind.py` (rho 0.5, k 5, alpha 0.5; with
    alpha = -1 it adapts alpha for each array: not here).
    """
    like, w, points = w, methods.flat(w), []
    for t, (x, y) in enumerate(batches):
        batch = methods.Batch(x, y, like)
        z, fast = w, w
        for _ in range(k):
            z = z + methods.at(rho, t) * methods.unit(batch.gradient(z))
            fast = fast - methods.at(lr, t) * batch.gradient(z)
        w = w + alpha * (fast - w)
        points.append(batch.arrays(w))
    return points


# Two gradients.


def gradient_norm_penalty(w, batches, lr, rho, alpha=0.8):
    """arXiv:2202.03599: d = (1 - alpha) g_0 + alpha g_1.

    rho is the paper's r, alpha its lambda / r. Confirmed in
    zhaoyang-0204/gnp `training/training_core.py`, where with
    `norm_perturbations` g_0 / ||g_0|| takes the place of g_0.
    """
    return combiner(
        w, batches, lr, rho, lambda g0, g1: (1 - alpha) * g0 + alpha * g1
    )


def gsam(w, batches, lr, rho, alpha=0.4):
    """arXiv:2203.08065: d = g_1 - alpha (g_0 - <g_0, u> u), u = g_1 / ||g_1||.

    Confirmed in google-research/big_vision `trainers/proj/gsam/gsam.py`
    (ViT-B/32: rho 0.6 to 0.1, alpha 0.6).
    """

    def combine(g0, g1):
        u = methods.unit(g1)
        return g1 - alpha * (g0 - (g0 @ u) * u)

    return combiner(w, batches, lr, rho, combine)


def gsam_radius(lr, lr_min, lr_max, rho_min, rho_max):
    """arXiv:2203.08065, algorithm 1: rho_t follows the learning rate.

    Confirmed in big_vision, where equal bounds of lr give rho_max.
    """
    return rho_min + (rho_max - rho_min) * (lr - lr_min) / (lr_max - lr_min)


def sagm(w, batches, lr, rho, alpha):
    """arXiv:2303.10353: d = (g_0 + g_1) / 2, e = (rho / ||g_0|| - alpha) g_0.

    g_1 is the gradient at w + e. Confirmed in Wang-pengfei/SAGM
    `domainbed/sagm/sagm.py` (rho 0.05; alpha 0.001, or 0.0005 for OfficeHome
    and DomainNet).
    """

    def direction(t, w, batch):
        g0 = batch.gradient(w)
        e = (methods.at(rho, t) / methods.norm(g0) - alpha) * g0
        return (g0 + batch.gradient(w + e)) / 2

    return methods.descend(w, batches, lr, direction)


def wsam_coupled(w, batches, lr, rho, gamma=0.9, momentum=0.0):
    """arXiv:2305.15817: d = (1 - a) g_0 + a g_1, a = gamma / (1 - gamma).

    Confirmed in intelligent-machine-learning/dlrover
    `atorch/optimizers/wsam.py` (rho 0.05, gamma 0.88; it clips both gradients
    to the norm 1).
    """
    a = gamma / (1 - gamma)
    return combiner(
        w, batches, lr, rho, lambda g0, g1: (1 - a) * g0 + a * g1, momentum
    )


def wsam_decoupled(w, batches, lr, rho, gamma=0.9, momentum=0.0):
    """arXiv:2305.15817: the optimizer's step with g_0, -lr a (g_1 - g_0).

    The second part has no momentum: without one it is `wsam_coupled`.
    Confirmed as `wsam_coupled`, where it is the default.
    """
    a = gamma / (1 - gamma)
    like, w, velocity, points = w, methods.flat(w), 0.0, []
    for t, (x, y) in enumerate(batches):
        batch = methods.Batch(x, y, like)
        g0, g1 = two_gradients(w, batch, methods.at(rho, t))
        velocity = momentum * velocity + g0
        w = w - methods.at(lr, t) * (velocity + a * (g1 - g0))
        points.append(batch.arrays(w))
    return points


def stable_sam(w, batches, lr, rho):
    """arXiv:2401.07250: d = g_1 ||g_0|| / ||g_1||.

    Confirmed in cltan023/stablesam2024 `sam.py`.
    """
    return combiner(
        w,
        batches,
        lr,
        rho,
        lambda g0, g1: g1 * methods.norm(g0) / methods.norm(g1),
    )


# Other points.


def cr_sam(w, batches, lr, rho, gamma=0.1, beta=0.01):
    """arXiv:2312.13555: d = g_1 + gamma (g_1 + g_- - 2 g_0) + beta (g_1 - g_-).

    g_- is the gradient at w - e. Confirmed in TrustAIoT/CR-SAM
    `utils/crsam.py` (rho 0.1, gamma 0.1; beta 0.1 there, 0.01 on its command
    line).
    """

    def direction(t, w, batch):
        g0 = batch.gradient(w)
        e = methods.at(rho, t) * methods.unit(g0)
        above, below = batch.gradient(w + e), batch.gradient(w - e)
        return above + gamma * (above + below - 2 * g0) + beta * (above - below)

    return methods.descend(w, batches, lr, direction)


def slerp(v0, v1, alpha):
    """The unit vector at alpha on the great circle through v_0 and v_1.

    alpha = 0 is v_0, and alpha = 1 is v_1. If they are parallel, their mean
    takes the place of the unit vector.
    """
    angle = np.arccos(np.clip(v0 @ v1, -1, 1))
    if np.sin(angle) < 1e-8:
        return (v0 + v1) / 2
    weights = np.sin((1 - alpha) * angle), np.sin(alpha * angle)
    return (weights[0] * v0 + weights[1] * v1) / np.sin(angle)


ALPHAS = tuple(k / 10 for k in range(21))


def steepest_alpha(w, batch, v0, v1, rho_max, alphas=ALPHAS):
    """The first alpha of the largest loss at w + rho_max slerp(alpha)."""
    found = [batch.loss(w + rho_max * slerp(v0, v1, a)) for a in alphas]
    return alphas[int(np.argmax(found))]


def xsam(
    w,
    batches,
    lr,
    rho,
    alpha=1.0,
    n=1,
    rho_max=None,
    period=None,
    alphas=ALPHAS,
):
    """arXiv:2603.10048: d = ||g_n|| slerp(v_0, v_1, alpha).

    v_0 is the direction of z_n - w, v_1 of g_n; n steps of rho / n. With
    a period, alpha is chosen by `steepest_alpha` at t = 0, period, ..., for
    that step on. Confirmed in Cccjl219/XSAM `utils/xsam.py` and `train.py`
    (rho 0.15, rho_max 0.3, alphas 0 to 2 by 0.1, in the first batch of an
    epoch).
    """

    def direction(t, w, batch):
        nonlocal alpha
        z, gradients = path(w, batch, methods.at(rho, t), n, "split")
        v0, v1 = methods.unit(z - w), methods.unit(gradients[-1])
        if period and t % period == 0:
            alpha = steepest_alpha(w, batch, v0, v1, rho_max, alphas)
        return methods.norm(gradients[-1]) * slerp(v0, v1, alpha)

    return methods.descend(w, batches, lr, direction)


def hessian_product(w, batch, v, step=1e-4):
    """Hessian times v, by differences of fourth order."""

    def difference(h):
        return batch.gradient(w + h * v) - batch.gradient(w - h * v)

    return (8 * difference(step) - difference(2 * step)) / (12 * step)


def eigenvector(w, batch, v, iterations=5):
    """Power iterations with the Hessian of the batch."""
    for _ in range(iterations):
        v = methods.unit(hessian_product(w, batch, v))
    return v


def eigen_sam(w, batches, lr, rho, start, alpha=0.2, period=100, iterations=5):
    """arXiv:2501.12666: e = rho (ghat + alpha sign<g, v> (v - <v, ghat> ghat)).

    v is estimated at t = 0, period, ..., from the last estimate, and first
    from `start`, for that step on; e is not normalized. Confirmed in
    RitianLuo/EigenSAM `utils.py`, `train.py` (rho 0.05, alpha 0.2, 5
    iterations every 100 steps of an epoch but its first; start is normal;
    before the first v, e = rho g without a norm).
    """
    v = methods.flat(start)

    def direction(t, w, batch):
        nonlocal v
        if t % period == 0:
            v = eigenvector(w, batch, v, iterations)
        g = batch.gradient(w)
        u = methods.unit(g)
        e = u + alpha * np.sign(g @ v) * (v - (v @ u) * u)
        return batch.gradient(w + methods.at(rho, t) * e)

    return methods.descend(w, batches, lr, direction)


def x_sam(w, batches, lr, rho, start, alpha=0.2, period=100, iterations=5):
    """arXiv:2601.10251, not XSAM: d = ghat_1 - alpha sign<g_1, v> <g_1, v> v.

    ghat_1 = g_1 / ||g_1||; v as in `eigen_sam`, but with the sign that is
    nearer to the v before it. Not confirmed: no code was found. d is from
    secondary sources (junaidaliop/zij; a reader's notes, equation 11), which
    have the unit vector in the first term and g_1 itself in the second; alpha
    0.2, rho 0.05 or 0.1. Neither says when v is estimated, nor its sign.
    """
    v = methods.flat(start)

    def direction(t, w, batch):
        nonlocal v
        g0, g1 = two_gradients(w, batch, methods.at(rho, t))
        if t % period == 0:
            found = eigenvector(w, batch, v, iterations)
            v = found if found @ v >= 0 else -found
        along = g1 @ v
        return methods.unit(g1) - alpha * np.sign(along) * along * v

    return methods.descend(w, batches, lr, direction)


def momentum_sam(w, batches, lr, rho, momentum=0.9):
    """arXiv:2401.12033: g at w - rho v / ||v||, v <- momentum v + g, SGD.

    v = 0 in the first step, which therefore does not perturb. One gradient a
    step. Confirmed in MarlonBecker/MSAM `optimizer/msam.py` (rho 0.3,
    momentum 0.9 by default, trained with rho 3), which keeps the weights
    perturbed between steps.
    """
    velocity = None

    def direction(t, w, batch):
        nonlocal velocity
        if velocity is None:
            velocity = batch.gradient(w)
        else:
            g = batch.gradient(w - methods.at(rho, t) * methods.unit(velocity))
            velocity = momentum * velocity + g
        return velocity

    return methods.descend(w, batches, lr, direction)


def gam(w, batches, lr, rho, rho_norm, betas=(0.6, 0.5, 0.4), gamma=0.03):
    """arXiv:2303.03108, as released: four gradients.

    g_1 at w + rho ghat_0; z = w + rho_norm h / ||h||, h = g_1 - g_0; g_2 at z,
    g_3 at z + rho ghat_2. p = g_0 + |b_2| g_2, q = b_1 g_1 + b_3 g_3 and
    d = q - gamma (p - <p, qhat> qhat). Confirmed in xxgege/GAM `gam/gam.py`
    and `main_cifar.py` (CIFAR-100, ResNet: grad_rho, here rho, 0.02,
    grad_norm_rho 0.2, betas and gamma as here; b_3 = 1 - b_1).
    """
    b1, b2, b3 = betas

    def direction(t, w, batch):
        g0, g1 = two_gradients(w, batch, methods.at(rho, t))
        z = w + rho_norm * methods.unit(g1 - g0)
        g2, g3 = two_gradients(z, batch, methods.at(rho, t))
        p, q = g0 + abs(b2) * g2, b1 * g1 + b3 * g3
        u = methods.unit(q)
        return q - gamma * (p - (p @ u) * u)

    return methods.descend(w, batches, lr, direction)
