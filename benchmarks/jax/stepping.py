"""Train steps of Keras on JAX, as `fit` calls them."""

import itertools

import jax
from jax import numpy as jnp


def trainer(model, batch):
    """Returns a function that trains for so many steps, and waits for the last.

    Its first step traces and compiles. It takes the values out of the variables
    of the model, as `fit` does.

    Args:
        model: `keras.Model`, compiled.
        batch: (x, y), NumPy arrays.
    """
    data = tuple(map(jnp.asarray, batch))
    model._symbolic_build(data_batch=data)
    model.make_train_function()
    state = _state(model, purge=True)
    batches = itertools.repeat(data)

    def train(steps):
        nonlocal state
        for _ in range(steps):
            logs, state = model.train_function(state, batches)
        jax.block_until_ready((logs, state))

    return train


def start(compiled):
    """Does what the backend, and XLA, does once at the start."""
    del compiled
    jax.block_until_ready(jax.jit(lambda x: x + 1)(jnp.zeros(1)))


def program_memory(model, batch):
    """Returns the bytes of the program that XLA makes of a whole step."""
    data = tuple(map(jnp.asarray, batch))
    model._symbolic_build(data_batch=data)
    step = jax.jit(model.train_step, donate_argnums=0)
    program = step.lower(_state(model, purge=False), data).compile()
    memory = program.memory_analysis()
    return (
        memory.argument_size_in_bytes
        + memory.output_size_in_bytes
        - memory.alias_size_in_bytes
        + memory.temp_size_in_bytes
    )


def _state(model, purge):
    return model._get_jax_state(
        trainable_variables=True,
        non_trainable_variables=True,
        optimizer_variables=True,
        metrics_variables=True,
        purge_model_variables=purge,
    )
