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
