# %% [markdown]
# # Twelve methods: cost and accuracy
#
# After this tutorial you can train by any published method that the library
# knows, count what a step of it costs, and set cost against accuracy.
#
# A step of SAM evaluates two gradients, so SAM takes up to twice as long as
# plain training. Many papers want its gain for less. Eleven methods and plain
# SGD train the same network here.

# %%
import keras
import matplotlib.pyplot as plt
import numpy as np
from sklearn import datasets
from sklearn import model_selection

import keras_sam
from keras_sam import cadences
from keras_sam import samples

# %% [markdown]
# ## The task
#
# The digits of scikit-learn, with 30 % wrong training labels. The test labels
# are right.

# %%
x, y = datasets.load_digits(return_X_y=True)
x = (x - x.mean()) / x.std()
x, x_test, y, y_test = model_selection.train_test_split(x, y, random_state=0)
EPOCHS, BATCH_SIZE, SEEDS = 30, 128, 3
STEPS_PER_EPOCH = -(-len(y) // BATCH_SIZE)
STEPS = EPOCHS * STEPS_PER_EPOCH
print(f"{len(y)} training images, {len(y_test)} test images, {STEPS} steps")

# %% [markdown]
# ## The methods
#
# Each has a name in the table of recipes, and arguments that differ from the
# recipe. The radii are those that [when time is short](../cheaper.md) chose for
# such a network on digits. They reach from 0.05 to 3.2: no radius fits two
# methods because it fits one. The page has K-SAM, too. It trains on the
# examples of the largest loss, which are the wrong ones, and fails.

# %%
METHODS = {
    "SGD": ("sgd", {}),
    "SAM": ("sam", {"rho": 0.8}),
    "late phase": (
        "late_phase",
        {"rho": 1.6, "cadence": cadences.LatePhase(STEPS, fraction=0.3)},
    ),
    "every 5th step": ("interval", {"rho": 1.6, "cadence": cadences.Every(5)}),
    "LookSAM": ("looksam", {"rho": 0.4}),
    "SS-SAM": ("ss_sam", {"rho": 0.8}),
    "AE-SAM": ("ae_sam", {"rho": 0.8, "cadence": cadences.Threshold(STEPS)}),
    "half a batch": (
        "sub_batch",
        {"rho": 0.8, "ascent_samples": samples.Drawn(fraction=0.5)},
    ),
    "ESAM": ("esam", {"rho": 0.2}),
    "momentum": ("momentum", {"rho": 3.2}),
    "stale": ("stale", {"rho": 0.4}),
    "RWP": ("rwp", {"rho": 0.05}),
}
recipe = keras_sam.recipes.RECIPES["looksam"]
print(recipe.call(), recipe.cost, sep="\n")

# %% [markdown]
# ## Train
#
# All methods get the same steps, so they differ in cost. A seed draws wrong
# labels, initial weights and the order of the data.


# %%
def train(name, seed, scale=1.0):
    random = np.random.RandomState(seed)
    wrong = random.uniform(size=len(y)) < 0.3
    labels = np.where(wrong, (y + random.randint(1, 10, len(y))) % 10, y)
    keras.utils.set_random_seed(seed)
    layers = [
        keras.layers.Dense(units, activation, kernel_initializer="he_normal")
        for units, activation in ((256, "relu"), (256, "relu"), (10, None))
    ]
    recipe, changes = METHODS[name]
    sam = keras_sam.SAM.from_recipe(recipe, keras.Sequential(layers), **changes)
    rate = keras.optimizers.schedules.CosineDecay(0.1, STEPS)
    sam.compile(
        keras.optimizers.SGD(rate, momentum=0.9, weight_decay=0.0005),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
        steps_per_execution=STEPS_PER_EPOCH,
    )
    sam.fit(scale * x, labels, batch_size=BATCH_SIZE, epochs=EPOCHS, verbose=0)
    accuracy = sam.evaluate(scale * x_test, y_test, verbose=0)[1]
    return sam, 100 * accuracy


runs = {name: [train(name, seed) for seed in range(SEEDS)] for name in METHODS}

# %% [markdown]
# ## Count the gradients
#
# `sam.climbs` is the number of steps that have climbed, if a method may skip
# the climb. AE-SAM decides by the gradients, so its cost is known only
# afterwards. Two methods take one of their two gradients on half of the batch,
# and need a forward pass on all of it. A gradient is a forward and a backward
# pass, and the backward pass is about twice the work. So the forward pass
# counts as a third of a gradient. Momentum, "stale" and RWP need no gradient to
# climb: they move along the momentum, the last gradient, or noise.


# %%
def gradients(sam):
    """Returns the gradients a step, counted in whole batches."""
    if sam.ascent_samples or sam.descent_samples:
        return 1 + 1 / 2 + 1 / 3
    if sam.climbs is not None:
        return 1 + sam.climbs / STEPS
    return 1 + sam.ascent_steps


costs, accuracies = {}, {}
print(f"{'method':15}  gradients a step  accuracy, %  of the seeds")
for name, trained in runs.items():
    costs[name] = np.mean([gradients(sam) for sam, _ in trained])
    accuracies[name] = np.array([accuracy for _, accuracy in trained])
    each = "  ".join(f"{accuracy:.1f}" for accuracy in accuracies[name])
    mean = accuracies[name].mean()
    print(f"{name:15}  {costs[name]:16.2f}  {mean:11.1f}  {each}")

# %% [markdown]
# ## Cost against accuracy
#
# A point is the mean of three seeds. Its line goes from the lowest to the
# highest. Methods of the same cost stand side by side.

# %% Accuracy over gradients a step, a point for each of twelve methods
LABELS = {  # Where they hide nothing, in points from the point.
    **dict.fromkeys(METHODS, (7, 0)),
    **dict.fromkeys(("SGD", "RWP", "stale", "LookSAM"), (-7, 0)),
    **dict.fromkeys(("late phase", "half a batch"), (-7, 0)),
    "every 5th step": (7, 8),
}
figure, axes = plt.subplots(figsize=(6.5, 4.0), layout="constrained")
for name, cost in costs.items():
    plain = name in ("SGD", "SAM")
    colour, mark = ("C1", "s") if plain else ("C0", "o")
    aside = cost + np.copysign(0.012, LABELS[name][0])
    low, high = accuracies[name].min(), accuracies[name].max()
    axes.plot((aside, aside), (low, high), color=colour, linewidth=1)
    axes.plot(aside, accuracies[name].mean(), mark, color=colour)
    axes.annotate(
        name,
        (aside, accuracies[name].mean()),
        xytext=LABELS[name],
        textcoords="offset points",
        ha="right" if LABELS[name][0] < 0 else "left",
        va="center",
        fontsize=9,
    )
axes.set(xlabel="gradients a step", ylabel="test accuracy, %", xlim=(0.8, 2.2))
plt.show()

# %% [markdown]
# Here more cost does not bring more accuracy. All eleven methods are at least
# about eight points above SGD. Six are within a point of SAM, and three of
# these cost 1.2 gradients or less.
#
# Do not read a ranking from it. The seeds of one method lie up to six points
# apart. [When time is short](../cheaper.md) has ten seeds, intervals and four
# tasks, and gives all methods the same *time*, so a cheap method makes more
# steps. In this task "stale" is then 2.7 points below SAM. Over all four tasks
# "every 5th step" is the only one that is never below SAM or SGD.
#
# ## Settings matter more than methods
#
# Seed 0 again, with inputs a third as large:

# %%
for name in ("SGD", "SAM", "every 5th step", "momentum"):
    smaller = train(name, seed=0, scale=1 / 3)[1]
    print(f"{name:14}  {accuracies[name][0]:.1f} before, {smaller:.1f} now")

# %% [markdown]
# All four gain, by 2.4 to 6.9 points: more than most methods differ. So compare
# methods in your own setting, each with a radius that was chosen there.
#
# ## What next
#
# The seconds of such small steps say little: much of them is not arithmetic. On
# [when time is short](../cheaper.md) the costs are times of a convolutional
# network. [Choosing a method](../guides/choosing_a_method.md) says where to
# begin, and [the catalogue](../catalogue.md) has all methods.
#
# Next: [choose rho](choosing_rho.ipynb) for the method that you take.
