"""The networks of the benchmarks, as small as layers of their kinds can be.

Of the two residual networks only the wide one is here, since both have the same
kinds of layers.
"""

import functools

from benchmarks import networks
from examples import models


def _of_images(name):
    build = functools.partial(models.build, name, (8, 8, 3), networks.CLASSES)
    return networks.Network(build, 4, (8, 8, 3))


NETWORKS = {
    "mlp": _of_images("mlp"),
    "cnn": _of_images("cnn"),
    "wrn-10-1": _of_images("wrn-10-1"),
    "transformer": networks.Network(
        functools.partial(
            networks.transformer,
            length=8,
            tokens=100,
            width=16,
            heads=2,
            blocks=1,
        ),
        4,
        (8,),
        100,
    ),
    "embedding": networks.Network(
        functools.partial(networks.embedding, tokens=2000), 4, (16,), 2000
    ),
}
