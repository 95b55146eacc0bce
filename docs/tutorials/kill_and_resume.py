# %% [markdown]
# # Kill it and resume
#
# After this tutorial you can write a training that survives any fault: killed
# at any moment and started again, it ends with the same weights, to the last
# bit, as if nothing had happened.

# %%
import os
import pathlib
import signal
import subprocess
import sys
import tempfile

folder = tempfile.TemporaryDirectory()
os.chdir(folder.name)  # Here come the program and its backups.

# %% [markdown]
# ## The program
#
# It is an ordinary training, with three rules:
#
# 1. The batches of an epoch are the same whenever they are asked for. Here the
#    order is a function of the number of the epoch.
# 2. The data begin with the epoch `backup.epoch`, which is 0 without a backup.
# 3. `BackupAndRestore` is the last callback.

# %%
PROGRAM = '''
import hashlib
import sys

import keras
import numpy as np
import tensorflow as tf
from sklearn import datasets

import keras_sam

EPOCHS, BATCH = 12, 64
x, y = datasets.load_digits(return_X_y=True)
x = (x / 16).astype("float32")


def batches(first):
    """The batches of all epochs from `first` on."""

    def epoch(number):
        order = tf.random.experimental.stateless_shuffle(
            tf.range(len(y)), tf.stack([0, number])
        )
        order = tf.data.Dataset.from_tensor_slices(order)
        return order.batch(BATCH, drop_remainder=True)

    order = tf.data.Dataset.range(first, EPOCHS).flat_map(epoch)
    return order.map(lambda i: (tf.gather(x, i), tf.gather(y, i)))


keras.utils.set_random_seed(0)
layers = [
    keras.Input((64,)),
    keras.layers.Dense(256, "relu"),
    keras.layers.Dropout(0.2),  # Its seeds are saved, too.
    keras.layers.Dense(10),
]
sam = keras_sam.SAM(keras.Sequential(layers), rho=0.05)
sam.compile(
    keras.optimizers.SGD(0.1, momentum=0.9),
    keras.losses.SparseCategoricalCrossentropy(from_logits=True),
)
say = keras.callbacks.LambdaCallback(
    on_epoch_begin=lambda epoch, _: print(f"epoch {epoch} begins", flush=True)
)
backup = keras_sam.BackupAndRestore(sys.argv[1], save_freq=5)
sam.fit(
    batches(min(backup.epoch, EPOCHS - 1)),  # Keras always draws one batch.
    epochs=EPOCHS,
    steps_per_epoch=len(y) // BATCH,
    callbacks=[say, backup],
    verbose=0,
)
weights = np.concatenate([w.ravel() for w in sam.get_weights()])
print("weights", hashlib.sha256(weights.tobytes()).hexdigest()[:16])
'''
pathlib.Path("train.py").write_text(PROGRAM.lstrip())
print(len(PROGRAM.splitlines()), "lines")

# %% [markdown]
# This starts the program. When the program prints a certain line, it gets a
# signal.


# %%
def start(backups, line="", sends=None):
    """Runs the program to its end, prints what it says; returns its status."""
    process = subprocess.Popen(
        [sys.executable, "train.py", backups],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    for said in process.stdout:
        if said.startswith(("epoch", "weights")) or "BackupAndRestore" in said:
            print(said, end="")  # The rest is TensorFlow's.
        if sends and said.strip() == line:
            process.send_signal(sends)
    return process.wait()


# %% [markdown]
# ## Without a fault

# %%
status = start("whole")
print("exit status", status)

# %% [markdown]
# ## A polite end: SIGTERM
#
# Schedulers send SIGTERM before they take a machine away. The callback lets the
# step end, saves, and exits with status 143.

# %%
status = start("broken", "epoch 4 begins", signal.SIGTERM)
print("exit status", status)

# %% [markdown]
# ## A crash: SIGKILL
#
# The same program, started again, goes on. SIGKILL leaves it no time to save:
# what remains is the last backup, at most five steps old.

# %%
status = start("broken", "epoch 8 begins", signal.SIGKILL)
print("exit status", status)

# %% [markdown]
# ## To the end

# %%
status = start("broken")
print("exit status", status)
print(sorted(os.listdir("broken")))

# %% [markdown]
# The weights are those of the training without a fault: the line `weights` is
# the same, and it is a hash of all bits. After SIGTERM the training went on
# with the next step. After SIGKILL it went on with the last backup, and
# repeated the few steps since then. `BackupAndRestore` keeps two backups, so a
# kill while it writes leaves a whole one.
#
# [Preemption and resume](../scale/preemption.md) has the same program for
# several GPUs, and what happens when backups are damaged or workers die.
