# %% [markdown]
# # Choosing rho
#
# After this tutorial you can choose the radius rho of SAM for data of your own:
# sweep it, read from the log what the climb does, and choose on validation
# data.
#
# rho is how far SAM climbs from the weights before it looks at the slope. A
# radius that is too small does nothing, and one that is too large breaks the
# training.

# %%
import keras
import matplotlib.pyplot as plt
import numpy as np
from mnist1d import data as mnist1d
from sklearn import datasets
from sklearn import model_selection

import keras_sam

# %% [markdown]
# ## Two tasks
#
# The first has the digits of scikit-learn, the second MNIST-1D: signals of 40
# values in ten classes, which the package `mnist1d` makes. In both, 30 % of the
# training labels are wrong. rho is chosen on validation data. The test data are
# for the end.


# %%
def task(x, y, epochs):
    x, x_rest, y, y_rest = model_selection.train_test_split(
        x, y, test_size=0.4, random_state=0
    )
    half = len(y_rest) // 2
    random = np.random.RandomState(0)
    wrong = random.uniform(size=len(y)) < 0.3
    y = np.where(wrong, (y + random.randint(1, 10, len(y))) % 10, y)
    return {
        "train": (x, y),
        "validation": (x_rest[:half], y_rest[:half]),
        "test": (x_rest[half:], y_rest[half:]),
        "epochs": epochs,
    }


images, classes = datasets.load_digits(return_X_y=True)
made = mnist1d.make_dataset()
digits = task(images / 16, classes, epochs=30)
signals = task(made["x"], made["y"], epochs=10)

# %% [markdown]
# ## Sweep
#
# Radii a factor of two apart, and plain training as rho = 0. `track=True` adds
# measurements of the climb to the log, and costs no more gradients.


# %%
def train(data, rho, callbacks=()):
    keras.utils.set_random_seed(0)
    hidden = [keras.layers.Dense(256, "relu") for _ in range(2)]
    net = keras.Sequential([*hidden, keras.layers.Dense(10)])
    sam = keras_sam.SAM(net, rho=rho, track=True)
    sam.compile(
        keras.optimizers.SGD(0.1, momentum=0.9),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    log = sam.fit(
        *data["train"],
        batch_size=128,
        epochs=data["epochs"],
        callbacks=list(callbacks),
        verbose=0,
    ).history
    accuracy = {
        part: sam.evaluate(*data[part], verbose=0, return_dict=True)["accuracy"]
        for part in ("validation", "test")
    }
    return log, accuracy


RADII = (0.0, 0.05, 0.1, 0.2, 0.4, 0.8, 1.6)
sweeps = {
    "digits": {rho: train(digits, rho) for rho in RADII},
    "MNIST-1D": {rho: train(signals, rho) for rho in RADII},
}

# %% [markdown]
# ## Read the log
#
# `sharpness` is the loss at the end of the climb, less the loss at the weights.
# `gradient_cosine` is the cosine between the gradients at both ends. Both are
# means over the first epoch.

# %%
for name, sweep in sweeps.items():
    print(f"{name}\n rho  sharpness  cosine  training  validation")
    for rho, (log, accuracy) in sweep.items():
        print(
            f"{rho:4}  {log['sharpness'][0]:9.3f}  "
            f"{log['gradient_cosine'][0]:6.2f}  {log['accuracy'][-1]:8.3f}  "
            f"{accuracy['validation']:10.3f}"
        )

# %% Accuracy and gradient cosine over the radius, for both tasks
figure, panels = plt.subplots(1, 2, figsize=(6.5, 2.8), layout="constrained")
for (name, sweep), mark in zip(sweeps.items(), ("C0o-", "C1s--"), strict=True):
    radii = RADII[1:]
    gains = [
        sweep[rho][1]["validation"] - sweep[0.0][1]["validation"]
        for rho in radii
    ]
    cosines = [sweep[rho][0]["gradient_cosine"][0] for rho in radii]
    panels[0].plot(radii, 100 * np.array(gains), mark, label=name)
    panels[1].plot(radii, cosines, mark, label=name)
panels[0].axhline(0, color="0.7", linewidth=0.8)
panels[0].set_yscale("symlog", linthresh=10)  # Logarithmic below -10.
ticks = (-80, -40, -20, -10, -5, 0, 5, 10)
panels[0].set_yticks(ticks, ticks)
panels[0].set(ylabel="gain over plain training, points", ylim=(-100, 13))
panels[1].set(ylabel="gradient_cosine, first epoch", ylim=(0, 1.05))
for panel in panels:
    panel.set(xscale="log", xlabel="rho", xticks=radii, xticklabels=radii)
    panel.minorticks_off()
panels[1].legend()
plt.show()

# %% [markdown]
# - With a small radius the cosine is near 1: the gradient at the end of the
#   climb points where the gradient at the weights points. SAM is then plain
#   training at twice the cost.
# - On the left the axis is logarithmic beyond 10 points. Up to 0.4 accuracy
#   rises in both tasks. On digits it gains 10.6 points at 0.4. There are 359
#   validation images and 800 signals, so a point or two may be chance.
# - At 0.8 the training on MNIST-1D breaks: its training accuracy is low, too.
#   On digits that happens at 1.6. The cosine does not tell: 0.64 breaks
#   MNIST-1D, and 0.50 does not break digits.

# %% [markdown]
# ## Choose, then test once

# %%
for name, sweep in sweeps.items():
    best = max(sweep, key=lambda rho: sweep[rho][1]["validation"])
    print(
        f"{name}: rho {best} is best on validation data. Test accuracy "
        f"{sweep[best][1]['test']:.3f}, of plain training "
        f"{sweep[0.0][1]['test']:.3f}"
    )

# %% [markdown]
# Both tasks choose 0.4 for this network. A radius does not carry over to
# another one: for a convolutional network [the study](../study.md) chose 0.05
# on MNIST-1D. On MNIST-1D validation and test accuracy of the chosen model
# differ by five points, so these data cannot tell 0.2 from 0.4.

# %% [markdown]
# ## A radius that changes
#
# With `radii.Settable` a callback sets the radius during training. Here it
# grows to 1.6 in the first ten epochs. `fit` calls the function before each
# epoch.


# %%
def grow(epoch, logs):
    warm.model.rho = 1.6 * min((epoch + 1) / 10, 1.0)


warm = keras.callbacks.LambdaCallback(on_epoch_begin=grow)
log, accuracy = train(digits, keras_sam.radii.Settable(0.0), [warm])
constant = sweeps["digits"][1.6][1]
print(f"1.6 from the start: validation {constant['validation']:.3f}")
print(f"growing to 1.6:     validation {accuracy['validation']:.3f}")

# %% [markdown]
# A radius that breaks the training from the start lets it train when it grows.
# But the result is below plain training, 0.844: a slow start does not make a
# radius good that is too large.
#
# The guide [Choosing rho](../guides/choosing_rho.md) says where to begin for
# other methods. All numbers here are of one seed: [the study](../study.md) has
# five.
