# %% [markdown]
# # Write your own direction
#
# After this tutorial you can write a rule of your own for the climb, check it
# against NumPy, train with it, and save it with the model.
#
# SAM climbs along the gradient g. The rule here first clips the elements of g,
# so that no weight moves much further than the others:
#
#     c = clip(g, -limit * s, limit * s),  s = ||g|| / sqrt(N)
#     step = c / ||c||
#
# N is the number of weights, so s is the size of a typical element. A large
# limit is SAM. A small one climbs along the signs of g. No paper proposes this
# rule.

# %%
import dataclasses

import keras
import numpy as np
from keras import ops
from sklearn import datasets
from sklearn import model_selection

import keras_sam
from keras_sam import parts
from keras_sam import vectors

# %% [markdown]
# ## 1. A function
#
# A direction gets two lists with one tensor for each variable that moves: the
# gradients, and the weights. It returns a list of steps of the same shapes. Any
# function will do, and it can be tried by hand:


# %%
def clipped(grads, params, limit=1.0):
    number = sum(int(np.prod(g.shape)) for g in grads)
    bound = limit * vectors.norm(grads) / number**0.5
    return vectors.unit([ops.clip(g, -bound, bound) for g in grads])


grads = [ops.array([[0.1, -0.2], [0.0, 3.0]]), ops.array([0.1, 0.4])]
for step in clipped(grads, None):
    print(ops.convert_to_numpy(step).round(2))

# %% [markdown]
# The element 3.0 is 7.5 times as large as 0.4, but its step is only 3.1 times
# as long. A zero gradient must give a zero step, not NaN. `vectors.unit` sees
# to it:

# %%
print(ops.convert_to_numpy(clipped([ops.zeros(3)], None)[0]))

# %% [markdown]
# ## 2. A part
#
# A frozen dataclass has the limit as a field, checks it, and can be saved. The
# decorator gives it a name in files.


# %%
@keras.saving.register_keras_serializable(package="tutorial")
@dataclasses.dataclass(frozen=True)
class Clipped(parts.Direction):
    """A climb along the gradient, with its elements clipped."""

    limit: float = 1.0

    def __post_init__(self):
        if not self.limit > 0:
            raise ValueError(f"`limit` must be above 0. Received: {self.limit}")

    def __call__(self, grads, params):
        return clipped(grads, params, self.limit)


# %% [markdown]
# ## 3. Check a step against NumPy
#
# For a linear model with a squared loss the gradient can be written down. So
# one train step can be computed without the library:

# %%
random = np.random.RandomState(0)
a, b = random.normal(size=(64, 8)), random.normal(size=(64, 1))
net = keras.Sequential(
    [keras.Input((8,)), keras.layers.Dense(1, use_bias=False)]
)
(w,) = net.get_weights()
sam = keras_sam.SAM(net, rho=0.5, direction=Clipped(0.7))
sam.compile(keras.optimizers.SGD(0.1), "mse")
sam.train_on_batch(a, b)


def gradient(w):
    return 2 * a.T @ (a @ w - b) / len(b)


g = gradient(w)
c = g.clip(*(0.7 * np.sqrt(np.mean(g**2)) * np.array([-1, 1])))
expected = w - 0.1 * gradient(w + 0.5 * c / np.linalg.norm(c))
print("largest difference:", np.abs(net.get_weights()[0] - expected).max())
print("largest change:    ", np.abs(expected - w).max())

# %% [markdown]
# The difference is the rounding of 32-bit floats.
#
# ## 4. Train
#
# The digits of scikit-learn, with 30 % wrong training labels. All steps have
# length rho, so all limits may take the radius of SAM, 0.4.

# %%
x, y = datasets.load_digits(return_X_y=True)
x, x_test, y, y_test = model_selection.train_test_split(
    x / 16, y, random_state=0
)
wrong = random.uniform(size=len(y)) < 0.3
y = np.where(wrong, (y + random.randint(1, 10, len(y))) % 10, y)


def train(**arguments):
    keras.utils.set_random_seed(0)
    hidden = [keras.layers.Dense(256, "relu") for _ in range(2)]
    net = keras.Sequential([*hidden, keras.layers.Dense(10)])
    sam = keras_sam.SAM(net, track=True, **arguments)
    sam.compile(
        keras.optimizers.SGD(0.1, momentum=0.9),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    log = sam.fit(x, y, batch_size=128, epochs=30, verbose=0).history
    accuracy = sam.evaluate(x_test, y_test, verbose=0)[1]
    return sam, log["sharpness"], accuracy


runs = {
    "SAM": train(rho=0.4),
    **{
        f"limit {limit:g}": train(rho=0.4, direction=Clipped(limit))
        for limit in (1000.0, 3.0, 1.0, 0.1)
    },
}
for name, (_, sharpness, accuracy) in runs.items():
    print(
        f"{name:10}  sharpness {sharpness[0]:.3f} in the first epoch, "
        f"test accuracy {accuracy:.3f}"
    )

# %% [markdown]
# A limit of 1000 clips nothing here: no element of g can be more than 292 times
# s, the root of 85,002. So it is SAM up to rounding, with the same sharpness in
# the first epoch. Its accuracy still differs by 0.9 points, which is 4 of 450
# images: over 330 steps roundings grow that large. So one seed cannot tell
# these limits apart in accuracy.
#
# The sharpness can: with a smaller limit a climb of the same length raises the
# loss less. It must, to first order, since g itself is the steepest way.

# %% [markdown]
# ## 5. Save and load
#
# The file holds the rule and its limit. It needs the class to be defined when
# it is loaded.

# %%
runs["limit 3"][0].save("clipped.keras")
print(keras.models.load_model("clipped.keras").direction)

# %% [markdown]
# [Your own rule](../guides/your_own_rule.md) has the other roles: descents,
# cadences, starts and samples, parts with a memory, and what to do when a part
# fails.
