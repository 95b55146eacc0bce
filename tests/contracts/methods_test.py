"""Every recipe is its paper's method: whole trainings equal the oracle's."""

import functools
import itertools
import sys

import keras
import numpy as np
import pytest
from keras import ops

import keras_sam
from keras_sam import cadences
from keras_sam import descents
from keras_sam import directions
from keras_sam import radii
from keras_sam import recipes
from keras_sam import samples
from keras_sam import starts
from keras_sam._algorithm import draws
from tests.support import engine
from tests.support import oracle
from tests.support import oracle_costs as costs
from tests.support import oracle_descents as combined
from tests.support import oracle_methods as methods
from tests.support import oracle_noise as noisy
from tests.support import oracle_outputs as of_outputs
from tests.support import testing

STEPS = 7
RATE = 0.25
RHO = 0.25


@pytest.fixture(autouse=True)
def float64():
    with testing.float64():
        yield


def weights():
    random = np.random.RandomState(1)
    return [random.normal(size=s) for s in ((6, 8), (8,), (8, 3), (3,))]


def tensors():
    return [ops.convert_to_tensor(w) for w in weights()]


def batches():
    found = [testing.data(examples=13, seed=seed) for seed in range(STEPS)]
    return [(x.astype("float64"), y) for x, y in found]


# The random numbers that the parts draw. The oracle takes them as arguments.
# A train step that XLA compiles draws others.


def drawn(mode, part, draw, climb=0):
    """Returns what a part draws in each step, a list of arrays."""

    def of_step(t):
        name = keras.saving.get_registered_name(type(part))
        return draw(draws.Draws(name, part.seed, t, 0, climb))

    of_step = engine.compiled(of_step, mode)
    steps = [ops.convert_to_tensor(t, "int32") for t in range(STEPS + 1)]
    return [
        keras.tree.map_structure(ops.convert_to_numpy, of_step(t))
        for t in steps
    ]


def noise(mode, part, climb=0):
    return drawn(
        mode,
        part,
        lambda draws: [draws.normal(w.shape, "float64") for w in weights()],
        climb,
    )


def sampled(mode, part, climbs):
    """Returns for each step the noise of all climbs, a list of lists."""
    of_climbs = [noise(mode, part, climb) for climb in range(climbs)]
    return list(zip(*of_climbs, strict=True))


def uniform(mode, part, shape):
    return drawn(mode, part, lambda draws: draws.uniform(shape))


def like_weights(vector):
    return methods.Batch(*batches()[0], weights()).arrays(vector)


SUBSET = directions.Subset(0.7, seed=2)
DRAWN = samples.Drawn(0.3, seed=2)
COIN = cadences.Randomly(0.5, seed=3)
FISHER = directions.Sparse(directions.FisherMask(5), 0.6, period=3)
BY_EPOCHS = directions.Sparse(
    directions.FisherMask(5, batches=2), 0.6, period=2, steps_per_epoch=2
)
DYNAMIC = directions.Sparse(
    directions.DynamicMask(STEPS, drop=0.4), 0.7, period=2
)
EIGEN = directions.Eigen(0.4, period=3)
CORRECTED = descents.EigenCorrected(0.4, period=3, seed=1)
# An oracle takes weights, batches, learning rate.
part = functools.partial


def sub_batch(mode, *arguments):
    rows = [
        np.argsort(-numbers)[: round(0.3 * 13)]
        for numbers in uniform(mode, DRAWN, [13])
    ]
    return costs.sub_batch(*arguments, rho=RHO, rows=rows)


def esam(mode, *arguments):
    masks = [numbers < 0.7 for numbers in uniform(mode, SUBSET, [4])]
    assert all(mask.any() for mask in masks)
    return costs.esam(*arguments, RHO, masks, beta=0.7, gamma=0.4)


def random_sam(mode, *arguments):
    coins = [bool(number < 0.5) for number in uniform(mode, COIN, ())]
    assert set(coins) == {True, False}
    return costs.random_sam(*arguments, rho=RHO, coins=coins)


def sparse_dynamic(mode, *arguments):
    first = [ops.convert_to_numpy(m) for m in DYNAMIC.init(tensors())["mask"]]
    numbers = uniform(mode, DYNAMIC.mask, [sum(m.size for m in first)])
    # Drawn in the step that the new mask is for.
    entering = [like_weights(n) for n in numbers[1:]]
    return costs.sparse_dynamic(
        *arguments, RHO, first, 2, 0.4, STEPS, uniform=entering
    )


def random_smoothing(mode, *arguments):
    xi = noise(mode, directions.Smoothed(seed=4))
    return methods.random_smoothing(*arguments, RHO, xi, sigma=0.2, mix=0.5)


def random_perturbation(mode, *arguments):
    return methods.random_perturbation(
        *arguments, RHO, noise(mode, starts.Random(seed=5))
    )


def mixed_random_perturbation(mode, *arguments):
    return methods.mixed_random_perturbation(
        *arguments, RHO, noise(mode, directions.Random(seed=6)), mix=0.7
    )


def adaptive_random_perturbation(mode, *arguments, sigma=RHO):
    xi = noise(mode, starts.AdaptiveRandom(seed=8))
    return noisy.adaptive_random_perturbation(*arguments, sigma, xi, 5.0, 0.6)


def mixed_adaptive(mode, *arguments):
    xi = noise(mode, directions.AdaptiveRandom(seed=3))
    return noisy.adaptive_random_perturbation(
        *arguments, RHO, xi, 5.0, 0.6, mix=0.7
    )


def growing_random_perturbation(mode, *arguments):
    return adaptive_random_perturbation(
        mode, *arguments, sigma=noisy.growing(0.05, 10, STEPS)
    )


def tilted(mode, *arguments):
    xi = sampled(mode, directions.NoiseFirst(seed=9), 3)
    return noisy.tilted_sam(*arguments, RHO, xi, 20.0, distance=2 * RHO)


def noise_stability(mode, *arguments):
    xi = sampled(mode, directions.Random(seed=7), 2)
    return noisy.noise_stability(*arguments, RHO, xi)


def eigen(*arguments):
    start = [ops.convert_to_numpy(v) for v in EIGEN.init(tensors())["v"]]
    return combined.eigen_sam(*arguments, RHO, start, alpha=0.4, period=3)


def eigen_corrected(*arguments):
    start = [ops.convert_to_numpy(v) for v in CORRECTED.init(tensors())["v"]]
    return combined.x_sam(*arguments, RHO, start, alpha=0.4, period=3)


def adaptive_biases(w, data, lr):
    """Biases move; only the second bias has T = |w| + 0.1."""

    def perturbation(t, w, g, batch):
        _, _, _, second = batch.arrays(w)
        _, g_1, _, g_2 = batch.arrays(g)
        metric = np.abs(second) + 0.1
        length = np.hypot(methods.norm(g_1), methods.norm(metric * g_2))
        e = [0 * a for a in batch.like]
        e[1], e[3] = g_1 / length, metric**2 * g_2 / length
        return RHO * methods.flat(e)

    return methods.climber(w, data, lr, perturbation)


def stale(w, data, lr):
    """The definition: g at w + rho g' / ||g'||, where g' is the last such g."""
    last = None

    def direction(t, w, batch):
        nonlocal last
        e = 0 if last is None else RHO * methods.unit(last)
        last = batch.gradient(w + e)
        return last

    return methods.descend(w, data, lr, direction)


def projected(w, data, lr):
    """The climb of `oracle.py`, which has all radii."""

    def direction(t, w, batch):
        _, gradients = oracle.climb(
            batch.arrays(w), batch.x, batch.y, oracle.sam, "projected", RHO, 3
        )
        return methods.flat(gradients[-1])

    return methods.descend(w, data, lr, direction)


def gsam_with_radius(w, data, lr):
    rates = np.linspace(0.2, 0.05, STEPS)
    return combined.gsam(
        w,
        data,
        lambda t: rates[t],
        lambda t: combined.gsam_radius(rates[t], 0.0, 0.2, 0.1, RHO),
        alpha=0.6,
    )


def falling():
    return keras.optimizers.schedules.PolynomialDecay(0.2, STEPS - 1, 0.05)


def falling_rise():
    return keras.optimizers.schedules.CosineDecay(
        0.1, STEPS - 3, warmup_target=0.2, warmup_steps=2
    )


def fallen_rise(t):
    if t < 2:
        return 0.1 + 0.1 * t / 2
    return 0.1 * (1 + np.cos(np.pi * min((t - 2) / (STEPS - 3), 1)))


def halving(t):
    return 1 / (1 + t)


CASES = {
    "sgd": ({"ascent_steps": 0}, methods.sgd),
    "sam": ({}, part(methods.sam, rho=RHO)),
    "m_sam": (
        {"num_batch_splits": 3},
        part(methods.m_sam, rho=RHO, parts=3),
    ),
    "multistep_last": (
        {"ascent_steps": 3},
        part(combined.multistep_last, rho=RHO, n=3),
    ),
    "multistep_mean": (
        {"ascent_steps": 3, "descent": descents.Mean()},
        part(combined.multistep_mean, rho=RHO, n=3),
    ),
    "multistep_matched": (
        {"ascent_steps": 3, "descent": descents.Mean(), "radius": "matched"},
        part(combined.multistep_mean, rho=RHO / 2, n=3, radius="full"),
    ),
    "multistep_weighted": (
        {"ascent_steps": 2, "descent": descents.Weighted((0.2, -0.1, 0.8))},
        part(combined.multistep_weighted, rho=RHO, weights=(0.2, -0.1, 0.8)),
    ),
    "multistep_full": (
        {"ascent_steps": 3, "radius": "full"},
        part(combined.multistep_last, rho=RHO, n=3, radius="full"),
    ),
    "asam": (
        {"direction": directions.Adaptive(0.1)},
        part(methods.asam, rho=RHO, eta=0.1),
    ),
    "asam_weights": (
        {"direction": directions.Adaptive(0.1, scaled="kernel$")},
        part(methods.asam, rho=RHO, eta=0.1, scaled=(0, 2)),
    ),
    "asam_weights, perturbed ones": (
        {
            "direction": directions.Adaptive(0.1, scaled="^logits/bias"),
            "perturb": "bias",
        },
        adaptive_biases,
    ),
    "usam": (
        {"direction": directions.Unnormalized()},
        part(methods.usam, rho=RHO),
    ),
    "unified": (
        {"direction": directions.Unified(0.3)},
        part(methods.unified, rho=RHO, mix=0.3),
    ),
    "unified, scheduled": (
        {
            "direction": directions.Unified(
                keras.optimizers.schedules.InverseTimeDecay(1.0, 1, 1.0)
            )
        },
        part(methods.unified, rho=RHO, mix=halving),
    ),
    "le_sam": (
        {"direction": directions.LossEquated(0.2)},
        part(methods.le_sam, sigma=RHO, rho_max=0.2),
    ),
    "le_sam, falling": (
        {"direction": directions.LossEquated(0.1), "rho": falling_rise},
        part(methods.le_sam, sigma=fallen_rise, rho_max=0.1),
    ),
    "layerwise": (
        {"direction": directions.Layerwise()},
        part(methods.layerwise, rho=RHO),
    ),
    "awp": (
        {"direction": directions.Layerwise(), "perturb": "kernel"},
        part(methods.awp, gamma=RHO),
    ),
    "fisher": (
        {"direction": directions.Fisher(2.0)},
        part(methods.fisher, rho=RHO, eta=2.0),
    ),
    "sam_on": (
        {"perturb": "bias"},
        part(methods.sam_on, rho=RHO, moving=(1, 3)),
    ),
    "last_layer": (
        {"perturb": "^logits/"},
        part(methods.sam_on, rho=RHO, moving=(2, 3)),
    ),
    "ssam_f": (
        {"direction": FISHER},
        part(costs.sparse_fisher, rho=RHO, sparsity=0.6, period=3, samples=5),
    ),
    "ssam_f_epochs": (
        {"direction": BY_EPOCHS},
        part(
            costs.sparse_fisher,
            rho=RHO,
            sparsity=0.6,
            period=4,
            samples=5,
            measured=2,
        ),
    ),
    "ssam_d": ({"direction": DYNAMIC}, sparse_dynamic),
    "zsharp": (
        {"direction": directions.ZScored(0.8)},
        part(methods.zsharp, rho=RHO, quantile=0.8),
    ),
    "friendly": (
        {"direction": directions.Friendly(0.7, 0.6)},
        part(methods.friendly, rho=RHO, sigma=0.7, decay=0.6),
    ),
    "vasso": (
        {"direction": directions.VarianceSuppressed(0.4)},
        part(methods.vasso, rho=RHO, theta=0.4),
    ),
    "r_sam": (
        {"direction": directions.Smoothed(0.2, 0.5, seed=4)},
        random_smoothing,
    ),
    "rwp": (
        {"start": starts.Random(seed=5), "ascent_steps": 0},
        random_perturbation,
    ),
    "rwp_mixed": (
        {
            "direction": directions.Random(seed=6),
            "descent": descents.Penalized(0.7),
        },
        mixed_random_perturbation,
    ),
    "arwp": (
        {"start": starts.AdaptiveRandom(5.0, 0.6, 8), "ascent_steps": 0},
        adaptive_random_perturbation,
    ),
    "arwp_mixed": (
        {
            "direction": directions.AdaptiveRandom(5.0, 0.6, 3),
            "descent": descents.Penalized(0.7),
        },
        mixed_adaptive,
    ),
    "arwp, growing": (
        {
            "start": starts.AdaptiveRandom(5.0, 0.6, 8),
            "ascent_steps": 0,
            "rho": lambda: keras.optimizers.schedules.CosineDecay(
                0.05, STEPS, alpha=11.0
            ),
        },
        growing_random_perturbation,
    ),
    "nso": (
        {
            "direction": directions.Random(seed=7, scaled=False),
            "descent": descents.Mirrored(climbs=2),
        },
        noise_stability,
    ),
    "tsam": (
        {
            "ascent_steps": 2,
            "radius": "full",
            "direction": directions.NoiseFirst(2.0, seed=9),
            "descent": descents.Tilted(20.0, climbs=3),
        },
        tilted,
    ),
    "gnp": (
        {"descent": descents.Penalized(0.6)},
        part(combined.gradient_norm_penalty, rho=RHO, alpha=0.6),
    ),
    "gsam": (
        {"descent": descents.SurrogateGap(0.6)},
        part(combined.gsam, rho=RHO, alpha=0.6),
    ),
    "gsam, radius": (
        {
            "descent": descents.SurrogateGap(0.6),
            "rho": lambda: radii.LinearInLearningRate(
                falling(), RHO, rho_min=0.1, lr_max=0.2
            ),
            "optimizer": lambda: keras.optimizers.SGD(falling()),
        },
        gsam_with_radius,
    ),
    "sagm": (
        {
            "direction": directions.Matching(0.4),
            "descent": descents.Penalized(0.5),
        },
        part(combined.sagm, rho=RHO, alpha=0.4 * RHO),
    ),
    "wsam": (
        {
            "descent": descents.Decoupled(4.0),
            "optimizer": lambda: keras.optimizers.SGD(RATE, momentum=0.875),
        },
        part(combined.wsam_decoupled, rho=RHO, gamma=0.8, momentum=0.875),
    ),
    "wsam_coupled": (
        {"descent": descents.Penalized(4.0)},
        part(combined.wsam_coupled, rho=RHO, gamma=0.8),
    ),
    "stable": (
        {"descent": descents.Renormalized()},
        part(combined.stable_sam, rho=RHO),
    ),
    "functional": (
        {"descent": descents.Functional()},
        part(of_outputs.functional_sam, rho=RHO),
    ),
    "bisam": (
        {"direction": directions.LowerBound(mu=2.0)},
        part(of_outputs.bisam, rho=RHO, mu=2.0),
    ),
    "bisam, tanh": (
        {"direction": directions.LowerBound(mu=3.0, alpha=0.5)},
        part(of_outputs.bisam, rho=RHO, mu=3.0, alpha=0.5),
    ),
    "cr_sam": (
        {"descent": descents.CurvatureRegularized(0.3, 0.2)},
        part(combined.cr_sam, rho=RHO, gamma=0.3, beta=0.2),
    ),
    "xsam, given": (
        {"descent": descents.Slerp(1.4), "ascent_steps": 2},
        part(combined.xsam, rho=RHO, alpha=1.4, n=2),
    ),
    "xsam": (
        {"descent": descents.SearchedSlerp(0.6, period=3)},
        part(combined.xsam, rho=RHO, rho_max=0.6, period=3),
    ),
    "looksam": (
        {"cadence": cadences.Reuse(3, 0.5)},
        part(costs.looksam, rho=RHO, period=3, alpha=0.5),
    ),
    "interval": (
        {"cadence": cadences.Every(3)},
        part(costs.interval, rho=RHO, period=3),
    ),
    "late_phase": (
        {"cadence": cadences.LatePhase(STEPS, fraction=0.4)},
        part(costs.late_phase, rho=RHO, number=round(0.4 * STEPS)),
    ),
    "ss_sam": ({"cadence": COIN}, random_sam),
    "ae_sam": (
        {"cadence": cadences.Threshold(STEPS, decay=0.6)},
        part(costs.ae_sam, rho=RHO, total_steps=STEPS, decay=0.6),
    ),
    "k_sam": (
        {
            "ascent_samples": samples.Largest(0.3),
            "descent_samples": samples.Largest(0.3),
        },
        part(costs.k_sam, rho=RHO, k=round(0.3 * 13)),
    ),
    "sub_batch": ({"ascent_samples": DRAWN}, sub_batch),
    "esam": (
        {"direction": SUBSET, "descent_samples": samples.Rising(0.4)},
        esam,
    ),
    "lookbehind": (
        {
            "ascent_steps": 3,
            "radius": "full",
            "descent": descents.Accumulated(0.4),
        },
        part(combined.lookbehind, rho=RHO, k=3, alpha=0.4),
    ),
    "eigen": ({"direction": EIGEN}, eigen),
    "eigen_corrected": ({"descent": CORRECTED}, eigen_corrected),
    "momentum": (
        {
            "start": starts.Momentum(0.75),
            "ascent_steps": 0,
            "optimizer": lambda: keras.optimizers.SGD(RATE, momentum=0.75),
        },
        part(combined.momentum_sam, rho=RHO, momentum=0.75),
    ),
    "multistep_projected": (
        {"ascent_steps": 3, "radius": "projected"},
        projected,
    ),
    "stale": ({"start": starts.Stale(), "ascent_steps": 0}, stale),
    "gam": (
        {"descent": descents.FirstOrderFlatness(0.2, 0.1, (0.5, 0.7, 0.6))},
        part(
            combined.gam,
            rho=RHO,
            rho_norm=0.2,
            gamma=0.1,
            betas=(0.5, 0.7, 0.6),
        ),
    ),
}
RANDOM = (
    *("r_sam", "rwp", "rwp_mixed", "ss_sam", "ssam_d", "sub_batch", "esam"),
    *("arwp", "arwp_mixed", "arwp, growing", "nso", "tsam"),
)
# Keras computes schedules in float32.
TOLERANCES = {
    "unified, scheduled": 1e-7,
    "le_sam, falling": 1e-7,
    "gsam, radius": 1e-7,
    "arwp, growing": 1e-6,
}


def on_batch(sam, x, y):
    sam.train_on_batch(x, y)


def library(mode, rho=RHO, optimizer=None, train=on_batch, **arguments):
    """Returns the weights after each step, which `train` takes."""
    sam = keras_sam.SAM(
        testing.dense_net(), rho() if callable(rho) else rho, **arguments
    )
    sam.compile(
        optimizer() if optimizer else keras.optimizers.SGD(RATE),
        testing.cross_entropy(),
        **testing.MODES[mode],
    )
    sam.model.set_weights(weights())
    points = []
    for x, y in batches():
        train(sam, x, y)
        points.append(sam.model.get_weights())
    return points


# XLA compiles the same arithmetic. `make test` does it for each role of a part.
COMPILED = {
    *("sam", "m_sam", "multistep_mean", "asam", "ssam_f", "r_sam", "gsam"),
    *("wsam", "looksam", "ae_sam", "esam", "momentum", "functional"),
}
RUNS = testing.thinned(
    itertools.product(CASES, testing.MODES),
    lambda i, run: run[1] != "xla" or run[0] in COMPILED,
)


@pytest.mark.parametrize("run", RUNS, ids="-".join)
def test_method(run):
    name, mode = run
    arguments, method = CASES[name]
    actual = library(mode, **arguments)
    if name in RANDOM:
        method = part(method, mode)
    expected = method(weights(), batches(), RATE)
    atol = TOLERANCES.get(name, 1e-10)
    for step, (a, b) in enumerate(zip(actual, expected, strict=True)):
        for one, two in zip(a, b, strict=True):
            np.testing.assert_allclose(
                one, two, rtol=0, atol=atol, err_msg=f"step {step}"
            )


def test_every_recipe_has_its_case():
    assert set(recipes.RECIPES) <= set(CASES)


def test_a_case_has_the_parts_of_its_recipe():
    for name, recipe in recipes.RECIPES.items():
        arguments = CASES[name][0]
        given = set(arguments) - {"rho", "optimizer"}
        assert given == set(recipe.arguments) - {"rho"}
        for key, value in recipe.arguments.items():
            # The network here has no normalization layers to choose.
            if isinstance(value, keras_sam.Part) and key != "perturb":
                assert type(arguments[key]) is type(value)


if __name__ == "__main__":
    sys.exit(pytest.main([__file__]))
