"""All that `keras_sam.landscape` measures, on one model."""

import numpy as np

import keras_sam
from keras_sam import callbacks
from keras_sam import descents
from keras_sam import directions
from keras_sam import landscape
from tests.both_backends import models

RHO = 0.125
GRID = (-1.0, 0.0, 0.5)


def _direction(at, seed):
    """Returns a direction from NumPy."""
    random = np.random.RandomState(seed)
    return [random.normal(size=w.shape).astype(w.dtype.name) for w in at.params]


def _values(at):
    """Returns what a landscape itself says, as a whole and of a batch."""
    way = at.weights(_direction(at, 2))
    return [
        {
            "loss": of.loss(at.params),
            "gradient": of.loss_and_gradient(at.params),
            "product": of.hessian_vector_product(at.params, way),
            "squares": of.squared_gradients(at.params, 3),
        }
        for of in (at, *at.batches())
    ]


def _hessian(at):
    """Returns the whole Hessian, the product with each unit vector."""
    sizes = [int(np.prod(w.shape)) for w in at.params]
    rows = []
    for row in np.eye(sum(sizes)):
        parts = np.split(row, np.cumsum(sizes)[:-1])
        way = [p.reshape(w.shape) for p, w in zip(parts, at.params)]
        product = at.hessian_vector_product(at.params, at.weights(way))
        rows.append(np.concatenate([np.ravel(p) for p in product]))
    return np.stack(rows)


def _logged():
    """Returns what the callback logs in two epochs of a training."""
    sam = models.compiled(keras_sam.SAM(models.network(), RHO))
    x, y = models.batch(5)
    measure = callbacks.Landscape(x, y, batch_size=5, rho=RHO, ascent_steps=2)
    history = sam.fit(
        x, y, epochs=2, callbacks=[measure], shuffle=False, verbose=0
    )
    return history.history


# {function of `landscape`: functions of a landscape that call it}.
FUNCTIONS = {
    "Landscape": [_values, _hessian],
    "ascent_plane": [
        lambda at: landscape.ascent_plane(at, RHO, x=GRID, y=GRID),
        lambda at: landscape.ascent_plane(
            at, RHO, ascent_steps=1, batch=1, x=GRID, y=GRID, seed=4
        ),
    ],
    "average_sharpness": [
        lambda at: landscape.average_sharpness(at, RHO, draws=3),
        lambda at: landscape.average_sharpness(
            at, RHO, draws=2, adaptive=True, perturb="kernel", seed=3
        ),
    ],
    "climbs": [lambda at: landscape.climbs(at, (RHO, 2 * RHO))],
    "eigenvalues": [
        lambda at: landscape.eigenvalues(at, 2, vectors=True),
        lambda at: landscape.eigenvalues(at, 1, "smallest algebraic"),
    ],
    "filter_normalized": [lambda at: landscape.filter_normalized(at, seed=3)],
    "line": [
        lambda at: landscape.line(at, coordinates=GRID),
        lambda at: landscape.line(at, _direction(at, 3), coordinates=GRID),
    ],
    "path": [
        lambda at: landscape.path(at, RHO, descent=descents.Mean()),
        lambda at: landscape.path(at, RHO, radius="projected"),
    ],
    "plane": [
        lambda at: landscape.plane(
            at, [_direction(at, 4), _direction(at, 5)], x=GRID, y=GRID
        )
    ],
    "sharpness": [
        lambda at: landscape.sharpness(at, RHO, ascent_steps=3),
        lambda at: landscape.sharpness(
            at,
            ascent_steps=12,
            radius="projected",
            direction=directions.Adaptive(),
        ),
    ],
    "spectral_density": [
        lambda at: landscape.spectral_density(at, draws=2, iterations=12)
    ],
    "trace": [lambda at: landscape.trace(at, draws=12)],
}


MODES = {"evaluation": False, "training": True}
NAMES = (
    "callback",
    *(f"{name}, {mode}" for name in FUNCTIONS for mode in MODES),
)


def results():
    """Yields (name, results) of all functions, and of the callback."""
    yield "callback", _logged()
    for mode, training in MODES.items():
        sam = models.compiled(keras_sam.SAM(models.network(), ascent_steps=2))
        # The last batch is smaller.
        at = landscape.Landscape(
            sam, *models.batch(7, 20), batch_size=8, training=training
        )
        for name, functions in FUNCTIONS.items():
            yield f"{name}, {mode}", [function(at) for function in functions]
