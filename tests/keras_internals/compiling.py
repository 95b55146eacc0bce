"""Compiles the models of these tests."""

from tests.support import testing


def compiled(optimizer="sgd", net=None, **compiling):
    """Returns a small network, or the given one, compiled."""
    model = net or testing.dense_net()
    model.compile(optimizer, testing.cross_entropy(), **compiling)
    return model
