# %% [markdown]
# # Look at your minimum
#
# After this tutorial you can measure how sharp the loss is where a training
# ended, compare two networks, and avoid a trap: a sharpness that changes where
# the network does not.

# %%
import keras
import matplotlib.pyplot as plt
import numpy as np
from sklearn import datasets
from sklearn import model_selection

import keras_sam
from keras_sam import directions
from keras_sam import landscape

# %% [markdown]
# ## Two networks
#
# The digits of scikit-learn, with 30 % wrong training labels. SGD and SAM begin
# with the same weights.

# %%
x, y = datasets.load_digits(return_X_y=True)
x, x_test, y, y_test = model_selection.train_test_split(
    x / 16, y, random_state=0
)
random = np.random.RandomState(0)
wrong = random.uniform(size=len(y)) < 0.3
y = np.where(wrong, (y + random.randint(1, 10, len(y))) % 10, y)


def train(**climb):
    keras.utils.set_random_seed(0)
    hidden = [keras.layers.Dense(256, "relu") for _ in range(2)]
    net = keras.Sequential(
        [keras.Input((64,)), *hidden, keras.layers.Dense(10)]
    )
    sam = keras_sam.SAM(net, **climb)
    sam.compile(
        keras.optimizers.SGD(0.1, momentum=0.9),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    sam.fit(x, y, batch_size=128, epochs=30, verbose=0)
    return sam


models = {"SGD": train(ascent_steps=0), "SAM": train(rho=0.4)}
for name, model in models.items():
    accuracy = model.evaluate(x_test, y_test, verbose=0)[1]
    print(f"{name}: test accuracy {accuracy:.3f}")

# %% [markdown]
# ## Measure
#
# A `Landscape` is the mean loss over data, as a function of the weights. The
# data are the training data: their loss is what the training made small.
#
# - `sharpness`: how far the loss rises on a climb of length rho, in the worst
#   direction that the climb finds.
# - `average_sharpness`: how far it rises on average, under Gaussian noise of
#   standard deviation rho on each weight.
# - `eigenvalues`: the largest curvatures, the ends of the Hessian's spectrum.

# %%
at = {name: landscape.Landscape(model, x, y) for name, model in models.items()}
print("      loss   sharpness  average sharpness     largest eigenvalues")
tops = {}
for name, of in at.items():
    worst = landscape.sharpness(of, rho=0.2, ascent_steps=5)
    mean = landscape.average_sharpness(of, rho=0.02, draws=10)
    tops[name] = landscape.eigenvalues(of, k=3, iterations=40, tolerance=0.01)
    print(
        f"{name}  {worst.loss:6.3f}  {worst.value:9.3f}  "
        f"{mean.value:9.4f} ± {mean.standard_error:.4f}  "
        f"{tops[name].values.round(2)}, converged: {tops[name].converged}"
    )

# %% [markdown]
# All three say the same: SAM's network is at a flatter place. Its training loss
# is higher, since it has learned fewer of the wrong labels.
#
# Report the settings with the number. A larger rho finds larger rises. A climb
# on each batch finds larger ones than a climb on all data, so `batch_size` of
# `Landscape` matters, too. The rho of `average_sharpness` is another one: its
# noise is rho times the root of the number of weights long, here 5.8.
#
# ## Draw
#
# The loss along a random direction, and the eigenvalues:

# %% The loss along a random direction, and the three largest eigenvalues
figure, panels = plt.subplots(1, 2, figsize=(6.5, 3.0), layout="constrained")
lines = {name: landscape.line(of) for name, of in at.items()}
landscape.plot(lines, axes=panels[0])
landscape.plot(tops, axes=panels[1])
panels[0].set(xlabel="coordinate; w is at 0")
panels[1].set(xlabel="number", ylim=(0, None))
plt.show()

# %% [markdown]
# ## The trap
#
# ReLU passes a positive factor on: relu(a z) = a relu(z). So multiply kernel
# and bias of the first layer by a, divide the kernel of the second layer by a,
# and the network computes what it computed before.


# %%
def rescaled(model, a):
    """Returns weights of the same function."""
    kernel, bias, following, *rest = model.model.get_weights()
    return [a * kernel, a * bias, following / a, *rest]


sam = models["SAM"]
same = keras.models.clone_model(sam.model)
same.set_weights(rescaled(sam, 8.0))
outputs = sam.predict(x_test, verbose=0)
differences = outputs - same.predict(x_test, verbose=0)
print(f"largest output {outputs.max():.2f}, difference {differences.max():.2g}")

# %% [markdown]
# With a power of two not even the rounding differs. So all that the network
# does is the same. But the functions of `landscape` can look at other weights
# than those of the model, `params`, and find:

# %%
print("factor  sharpness  average sharpness  largest eigenvalue")
for a in (1.0, 8.0):
    there = {"params": rescaled(sam, a)}
    worst = landscape.sharpness(at["SAM"], rho=0.2, ascent_steps=5, **there)
    mean = landscape.average_sharpness(at["SAM"], rho=0.02, draws=10, **there)
    top = landscape.eigenvalues(at["SAM"], iterations=40, **there).values[0]
    print(f"{a:6}  {worst.value:9.3f}  {mean.value:17.3f}  {top:18.2f}")

# %% [markdown]
# By these numbers SAM's network is now sharper than SGD's. Nothing has changed
# but the coordinates.
#
# Adaptive sharpness measures the climb relative to each weight, as ASAM does.
# With `eta=0` a weight w has the radius rho |w|, and a factor cancels. `eta` is
# added to |w|, so that weights near zero can move:

# %%
FACTORS = 2.0 ** np.arange(-4, 5)
MEASURES = {
    "plain, rho 0.2": {"rho": 0.2},
    "eta 0.01, rho 2": {"rho": 2.0, "direction": directions.Adaptive(0.01)},
    "eta 0, rho 2": {"rho": 2.0, "direction": directions.Adaptive(0.0)},
}
found = {
    (name, measure): [
        landscape.sharpness(
            of, ascent_steps=5, params=rescaled(models[name], a), **arguments
        ).value
        for a in FACTORS
    ]
    for name, of in at.items()
    for measure, arguments in MEASURES.items()
}
for (name, measure), values in found.items():
    print(f"{name}, {measure:15}: {min(values):.3f} to {max(values):.3f}")

# %% Plain and adaptive sharpness of both networks, over the factor
figure, panels = plt.subplots(
    1, 3, figsize=(6.5, 2.9), sharey=True, layout="constrained"
)
for panel, measure in zip(panels, MEASURES, strict=True):
    for name, mark in (("SGD", "C0o-"), ("SAM", "C1s--")):
        panel.plot(FACTORS, found[name, measure], mark, label=name)
    panel.set(title=measure, xscale="log", yscale="log")
    panel.set_xticks((1 / 16, 1 / 4, 1, 4, 16), ("1/16", "1/4", 1, 4, 16))
    panel.minorticks_off()
panels[0].set(ylabel="sharpness")
panels[1].set(xlabel="factor of the first layer")
figure.legend(
    *panels[0].get_legend_handles_labels(), loc="outside upper center", ncols=2
)
plt.show()

# %% [markdown]
# Plain sharpness changes seventyfold with the factor. With `eta=0` it does not
# change. With 0.01, the default, it changes by a factor of 2.3 at most: most
# weights of a layer divided by 16 are below 0.01. `average_sharpness` has
# `adaptive=True` for the same purpose. SAM's network is the flatter one by all
# three, if both have the same factor.
#
# ## What next
#
# [Measuring sharpness](../landscape.md) has all functions, what they cost, and
# the same from the command line. Here the flatter network generalizes better.
# That is no law: the abstract of
# [arXiv:2302.07011](https://arxiv.org/abs/2302.07011) says that sharpness,
# adaptive sharpness as well, does not correlate well with generalization.
#
# Next: [write your own direction](your_own_direction.ipynb) for the climb.
