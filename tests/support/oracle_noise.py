"""Whole trainings with SGD by the methods that sample points around w.

The terms are the ones of `oracle_methods.py`. noise[t] is a list of draws, one
for each sampled point. A draw is a list of arrays of standard normals, like w.
"""

import numpy as np

from tests.support import oracle_methods as methods


def noise_stability(w, batches, lr, sigma, noise):
    """NSO, arXiv:2306.08553: d = sum_j (g(w + x_j) + g(w - x_j)) / (2 k).

    x_j is normal with the standard deviation sigma in all directions. Confirmed
    in VirtuosoResearch/Noise-stability-optimization `exps_on_image_datasets/
    utils/nsm.py`, `trainer/nsm_trainer.py` with `use_neg` and `nsm_lam` 0, as
    its scripts have them (sigma 0.008 to 0.012, k = 1 to 4).
    """

    def direction(t, w, batch):
        total = np.zeros_like(w)
        for draw in noise[t]:
            x = methods.at(sigma, t) * methods.flat(draw)
            total += batch.gradient(w + x) + batch.gradient(w - x)
        return total / (2 * len(noise[t]))

    return methods.descend(w, batches, lr, direction)


def adaptive_random_perturbation(
    w, batches, lr, sigma, noise, eta=0.1, decay=0.99, mix=1.0
):
    """ARWP, arXiv:2404.00357: d = g(w + e), F <- decay F + g(w + e)^2.

    m-ARWP has d = mix g(w + e) + (1 - mix) g(w), and the same F.

    e has the standard deviation sigma ||w_f|| / sqrt(1 + eta F_f), F_f the sum
    of F over the filter f; in an array of one axis each weight has its own F,
    but the length of all. F = 0 at first. Confirmed in nblt/mARWP `utils.py`
    (std 0.01, eta 1, beta, here decay, 0.9; `scripts/run_rwp.sh`: eta 0.1,
    beta 0.99, std as `growing` has it), and m-ARWP in `train_marwp.py`
    (`scripts/run_mrwp.sh`: sigma 0.015, lambda, here mix, 0.5), where g(w) is
    of the batch before.
    """
    squares = 0 * methods.flat(w)

    def direction(t, w, batch):
        nonlocal squares
        e = methods.filter_noise(methods.at(sigma, t), noise[t], w, batch)
        shrink = batch.each(information, squares)
        g = batch.gradient(w + e / np.sqrt(1 + eta * shrink))
        squares = decay * squares + g**2
        return g if mix == 1 else mix * g + (1 - mix) * batch.gradient(w)

    return methods.descend(w, batches, lr, direction)


def tilted_sam(w, batches, lr, rho, noise, tilt, distance):
    """TSAM, arXiv:2410.22656: d = sum_j p_j g(z_j), p_j ~ exp(tilt L(z_j)).

    z_j = v_j + rho ghat(v_j), and v_j is a random point at the distance from w.
    The p_j add up to 1. Confirmed in litian96/TSAM `tsam.py`
    (`first_step2` to `tilted_aggregation`) and `image/train_tsam.py` with the
    sampling "random1" (rho 0.05, distance 1, tilt 1, three points).
    """

    def direction(t, w, batch):
        points = []
        for draw in noise[t]:
            v = w + distance * methods.unit(methods.flat(draw))
            points.append(v + rho * methods.unit(batch.gradient(v)))
        p = np.exp([tilt * batch.loss(z) for z in points])
        return sum(a * batch.gradient(z) for a, z in zip(p / sum(p), points))

    return methods.descend(w, batches, lr, direction)


def information(squares):
    if squares.ndim == 1:
        return squares
    axes = tuple(range(squares.ndim - 1))
    return np.sum(squares, axis=axes, keepdims=True) + 0 * squares


def growing(std, inc, steps):
    """CosineInc of nblt/mARWP `train_rwp_cos.py`; the script has 0.001, 10."""
    return lambda t: std * (inc * (0.5 - 0.5 * np.cos(np.pi * t / steps)) + 1)
