"""Under which distributions a model may be trained on JAX."""

import keras

SUPPORTED = (keras.distribution.DataParallel, keras.distribution.ModelParallel)


def check(model: keras.Model) -> None:
    """Checks that a model may be wrapped under the current distribution.

    Raises:
        ValueError: If the distribution is not supported, or the model was made
            under another one.
    """
    here = keras.distribution.distribution()
    if here is None:
        return
    if not isinstance(here, SUPPORTED):
        names = [kind.__name__ for kind in SUPPORTED]
        raise ValueError(
            "A model must be wrapped under no distribution of "
            f"`keras.distribution`, or under one of {names}. Received: "
            f"{type(here).__name__}"
        )
    devices = set(here.device_mesh.devices.flatten().tolist())
    for variable in model.variables:
        number = len(variable.value.sharding.device_set)
        if number != len(devices):
            raise ValueError(
                "`model` must be made under the distribution that it is "
                "wrapped under: call `keras.distribution.set_distribution` "
                "before you make the model. Received a model whose variable "
                f"{variable.path!r} is on {number} of {len(devices)} devices"
            )
