# %% [markdown]
# # SAM in five minutes
#
# After this tutorial you can train any Keras model by sharpness-aware
# minimization (SAM), compare it with plain training, and save the result. You
# need to know Keras's `compile` and `fit`.
#
# Plain training goes down the slope of the loss at the weights w. SAM first
# climbs from w to a point of higher loss, at distance rho. It then goes down
# from w with the slope at that point. So it prefers weights whose neighbours
# have a low loss, too.

# %%
import keras
import matplotlib.pyplot as plt
import numpy as np
from sklearn import datasets
from sklearn import model_selection

import keras_sam

# %% [markdown]
# ## Data with wrong labels
#
# The data are 1,797 images of digits, of 8 x 8 pixels. 30 % of the training
# labels are replaced by wrong ones. The validation labels stay right.

# %%
x, y = datasets.load_digits(return_X_y=True)
x, x_val, y, y_val = model_selection.train_test_split(x / 16, y, random_state=0)
random = np.random.RandomState(0)
wrong = random.uniform(size=len(y)) < 0.3
y = np.where(wrong, (y + random.randint(1, 10, len(y))) % 10, y)
print(f"{len(y)} images for training, {wrong.sum()} of them with a wrong label")

# %% [markdown]
# ## Train twice
#
# The function below knows nothing of SAM: the wrapper is a Keras model, with
# the `compile`, `fit` and `evaluate` of Keras.


# %%
def make_model():
    keras.utils.set_random_seed(0)
    hidden = [keras.layers.Dense(256, "relu") for _ in range(2)]
    return keras.Sequential(
        [keras.Input((64,)), *hidden, keras.layers.Dense(10)]
    )


def train(model):
    model.compile(
        keras.optimizers.SGD(0.1, momentum=0.9),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    data = {"validation_data": (x_val, y_val), "batch_size": 128}
    return model.fit(x, y, epochs=30, verbose=0, **data).history


plain = make_model()
sam = keras_sam.SAM(make_model(), rho=0.4)  # The line to add.
logs = {"plain": train(plain), "SAM": train(sam)}

# %% [markdown]
# `describe` says in words what a step of this wrapper does, and what it costs:

# %%
print(sam.describe())

# %% [markdown]
# ## What came out

# %% Accuracy of plain training and of SAM over the epochs
figure, (left, right) = plt.subplots(
    1, 2, figsize=(6.5, 2.8), sharey=True, layout="constrained"
)
for (name, log), line in zip(logs.items(), ("C0-", "C1--"), strict=True):
    epochs = range(1, len(log["accuracy"]) + 1)
    left.plot(epochs, log["val_accuracy"], line, label=name)
    right.plot(epochs, log["accuracy"], line, label=name)
left.set(title="validation, right labels", xlabel="epoch", ylabel="accuracy")
right.set(title="training, 30 % wrong labels", xlabel="epoch")
left.legend()
plt.show()

# %% [markdown]
# On the left SAM is slower in the first epochs, and then stays where it is.
# Plain training gets worse after some ten epochs. The right side says why. 69 %
# of the training labels are right, so an accuracy above 0.69 needs some of the
# wrong labels. Plain training goes on to learn them:

# %%
for name, model in {"plain": plain, "SAM": sam}.items():
    outputs = model.predict(x[wrong], verbose=0).argmax(axis=1)
    learned = (outputs == y[wrong]).mean()
    log = logs[name]
    print(
        f"{name:5}: validation accuracy {log['val_accuracy'][-1]:.3f}, "
        f"at best {max(log['val_accuracy']):.3f}; "
        f"{learned:.0%} of the wrong labels learned"
    )

# %% [markdown]
# SAM has learned fewer of the wrong labels, and its last epoch is better than
# the best epoch of plain training. Without right labels for validation nobody
# would know which epoch that was.

# %% [markdown]
# ## Save the model
#
# SAM has trained the inner model in place. Save `sam.model` alone: nobody needs
# `keras_sam` to load it.

# %%
sam.model.save("digits.keras")
loaded = keras.models.load_model("digits.keras")
same = np.array_equal(
    loaded.predict(x_val, verbose=0), sam.predict(x_val, verbose=0)
)
print(f"{type(loaded).__name__} has the same outputs: {same}")

# %% [markdown]
# ## What this does not show
#
# One seed and one small data set prove little. The radius 0.4 was chosen in
# [the study](../study.md), which has five seeds and intervals. With right
# labels the study shows no gain. A step of SAM evaluates two gradients, so
# training takes up to twice as long: [when time is short](../cheaper.md) there
# are cheaper methods.
#
# Next: [choose rho](choosing_rho.ipynb) for data of your own.
