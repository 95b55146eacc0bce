# %% [markdown]
# # One step or several
#
# After this tutorial you can train by several ascent steps, find the radius at
# which a method really works, and see where one step and several end.
#
# SAM climbs in one step of length rho. It could climb in n steps, and follow
# the slope as it turns. [Kim et al.](https://arxiv.org/abs/2302.10181) ask what
# that brings. Their abstract says that several steps rarely generalize better
# than one, and that a simple modification mends this. Public code of two of the
# authors has the mean of the gradients at the n points, not the last one.

# %%
import keras
import matplotlib.pyplot as plt
import numpy as np
from sklearn import datasets
from sklearn import model_selection

import keras_sam
from keras_sam import landscape

# %% [markdown]
# ## A confound
#
# With n steps of length rho / n the i-th point is at distance i rho / n, if the
# climb is straight. So the mean of the gradients is roughly the gradient at the
# mean distance, rho (n + 1) / (2 n). For n = 3 this is 2/3 of rho. Two controls
# tell the mean from the shorter radius: "matched", the mean with steps of
# 2 rho / (n + 1), whose mean distance is rho; and SAM with 2/3 of rho.

# %%
N, RHO = 3, 0.4
SEVERAL = {"rho": RHO, "ascent_steps": N}
METHODS = {
    "SGD": ("sgd", {}),
    "SAM": ("sam", {"rho": RHO}),
    "last": ("multistep_last", SEVERAL),
    "mean": ("multistep_mean", SEVERAL),
    "matched": ("multistep_matched", SEVERAL),
    "SAM, 2/3 rho": ("sam", {"rho": RHO * (N + 1) / (2 * N)}),
}
net = keras.Sequential([keras.Input((64,)), keras.layers.Dense(10)])
for name in ("mean", "matched"):
    recipe, arguments = METHODS[name]
    print(keras_sam.SAM.from_recipe(recipe, net, **arguments).describe(), "\n")

# %% [markdown]
# ## Train
#
# The digits of scikit-learn, with 30 % wrong training labels. A seed draws
# wrong labels, initial weights and order of the data, alike for all methods.

# %%
x, y = datasets.load_digits(return_X_y=True)
x = (x - x.mean()) / x.std()
x, x_test, y, y_test = model_selection.train_test_split(x, y, random_state=0)
EPOCHS, BATCH_SIZE, SEEDS = 30, 128, 3
STEPS_PER_EPOCH = -(-len(y) // BATCH_SIZE)


def noisy(seed):
    random = np.random.RandomState(seed)
    wrong = random.uniform(size=len(y)) < 0.3
    return np.where(wrong, (y + random.randint(1, 10, len(y))) % 10, y)


def train(name, seed):
    keras.utils.set_random_seed(seed)
    layers = [
        keras.layers.Dense(units, activation, kernel_initializer="he_normal")
        for units, activation in ((256, "relu"), (256, "relu"), (10, None))
    ]
    recipe, changes = METHODS[name]
    sam = keras_sam.SAM.from_recipe(recipe, keras.Sequential(layers), **changes)
    rate = keras.optimizers.schedules.CosineDecay(0.1, EPOCHS * STEPS_PER_EPOCH)
    sam.compile(
        keras.optimizers.SGD(rate, momentum=0.9, weight_decay=0.0005),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
        steps_per_execution=STEPS_PER_EPOCH,
    )
    sam.fit(x, noisy(seed), batch_size=BATCH_SIZE, epochs=EPOCHS, verbose=0)
    return sam, 100 * sam.evaluate(x_test, y_test, verbose=0)[1]


runs = {name: [train(name, seed) for seed in range(SEEDS)] for name in METHODS}

# %% [markdown]
# ## Accuracy
#
# Differences to SAM are of pairs with the same seed.

# %%
accuracies = {
    name: np.array([accuracy for _, accuracy in trained])
    for name, trained in runs.items()
}
print("method        test accuracy, %     mean   less SAM, each seed")
for name, accuracy in accuracies.items():
    each = "  ".join(f"{a:.1f}" for a in accuracy)
    less = "  ".join(f"{a:+5.1f}" for a in accuracy - accuracies["SAM"])
    print(f"{name:12}  {each}     {accuracy.mean():.1f}   {less}")

# %% Test accuracy of six methods, a dot for each of three seeds
figure, axes = plt.subplots(figsize=(6.5, 2.6), layout="constrained")
for row, accuracy in enumerate(accuracies.values()):
    axes.plot(accuracy, [row] * SEEDS, "o", color="C0", alpha=0.5)
    axes.plot(accuracy.mean(), row, "|", color="black", markersize=16)
axes.set_yticks(range(len(METHODS)), METHODS)
axes.set(xlabel="test accuracy, % (dot: a seed; line: their mean)")
axes.set_ylim(len(METHODS) - 0.5, -0.5)
plt.show()

# %% [markdown]
# - SAM is above SGD by 8 points or more in each seed.
# - The mean is below SAM in each seed, and so is SAM with 2/3 of rho, by about
#   as much. So the mean looks like a shorter radius. With its radius matched
#   the loss is gone.
# - The last gradient is once above SAM and twice below. The seeds of one method
#   lie up to four points apart, so three seeds cannot tell one point.
#
# [The sharper study](../study_sharper.md) has twenty seeds. At this radius it
# finds the last gradient and the matched mean 0.4 points above SAM, and the
# mean 1.3 below. At rho 0.8 it finds the reverse: the first two 1.0 and 1.2
# below, the mean 0.9 above. Several steps act like a longer radius, and the
# mean acts like a shorter one. Where each method has the radius that suits it,
# no difference to SAM is left, at twice the cost.

# %% [markdown]
# ## Where do the climbs end?
#
# From the same weights, `landscape.path` follows a climb and measures at every
# point. The networks are those of seed 0, and the data 512 of their training
# examples with their labels, in batches of 128, as in training.

# %%
networks = {
    name: landscape.Landscape(runs[name][0][0], x[:512], noisy(0)[:512])
    for name in ("SGD", "SAM")
}
print("network  steps  loss at w  rise at the end  straightness  cosine")
for name, at in networks.items():
    for steps in (1, N):
        way = landscape.path(at, RHO, ascent_steps=steps).mean()
        rise = way["losses"][-1] - way["losses"][0]
        print(
            f"{name:7}  {steps:5}  {way['losses'][0]:9.3f}  {rise:15.3f}  "
            f"{way['straightness']:12.3f}  {way['cosines_to_first'][-1]:6.3f}"
        )

# %% [markdown]
# `straightness` is the distance from w to the end, divided by the length of the
# way. `cosine` is the cosine of the gradients at w and at the end. Three steps
# turn on the way, so they end a little nearer, and still higher. Around SGD's
# network they rise by 29 % more than one step, around SAM's by 9 %.
#
# `landscape.climbs` measures ends for many radii:

# %% The rise at the end of one step and of three steps, over the radius
RADII = 0.05 * 2.0 ** np.arange(6)
figure, axes = plt.subplots(figsize=(6.5, 3.2), layout="constrained")
for (name, at), colour in zip(networks.items(), ("C0", "C1"), strict=True):
    for steps, line in ((1, "o--"), (N, "s-")):
        rise = landscape.climbs(at, RADII, ascent_steps=steps).mean()["rise"]
        words = "one step" if steps == 1 else f"{steps} steps"
        axes.plot(RADII, rise, line, color=colour, label=f"{name}, {words}")
axes.axvline(RHO, color="0.7", linewidth=0.8)
axes.set(xscale="log", yscale="log", xlabel="rho", ylabel="rise of the loss")
axes.set_xticks(RADII, [f"{rho:g}" for rho in RADII])
axes.minorticks_off()
axes.legend()
plt.show()

# %% [markdown]
# Up to 0.1 one step and three rise nearly alike, around both networks. They
# part where the radius is large for the curvature, which SAM makes small.
#
# The plane of a climb holds w, the first step, and the end of the last step:

# %% The plane of the climb around both networks, with one step and three steps
planes = {
    name: landscape.ascent_plane(
        at, RHO, ascent_steps=N, batch=0, y=np.linspace(-0.5, 1, 19)
    )
    for name, at in networks.items()
}
landscape.plot(planes)

# %% [markdown]
# This is the first batch. One step follows the gradient at w to its end. Three
# steps turn to where the loss rises faster.
#
# Three seeds, one radius and one small data set prove little, and nothing here
# compares with the numbers of the paper. [The study](../study.md) has four
# radii and two data sets, and [the sharper study](../study_sharper.md) follows
# the climbs along a training.
#
# Next: [look at your minimum](your_minimum.ipynb).
