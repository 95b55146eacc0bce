"""Under which distributions a model may be trained on JAX."""

import keras

SUPPORTED = (keras.distribution.DataParallel, keras.distribution.ModelParallel)


def check(model: keras.Model) -> None:
    """Checks that a model may be trained under the current distribution.

    Raises:
        ValueError: If the distribution is not supported, or the model was made
            under another one.
    """
    here = keras.distribution.distribution()
    if here is not None and not isinstance(here, SUPPORTED):
        names = [kind.__name__ for kind in SUPPORTED]
        raise ValueError(
            "A model must be trained under no distribution of "
            f"`keras.distribution`, or under one of {names}. Received: "
            f"{type(here).__name__}"
        )
    for variable in model.variables:
        held = variable.value.sharding.device_set
        if here is None:
            other = len(held) > 1
        else:
            other = held != set(here.device_mesh.backend_mesh.devices.flat)
        if other:
            raise ValueError(
                "`model` must be made under the distribution that it is "
                "trained under: call `keras.distribution.set_distribution` "
                "before you make the model. Received a model whose variable "
                f"{variable.path!r} is on {_devices(len(held))}, under "
                f"{_words(here)}"
            )


def _words(distribution: keras.distribution.DataParallel | None) -> str:
    if distribution is None:
        return "no distribution"
    number = distribution.device_mesh.devices.size
    return f"a {type(distribution).__name__} of {_devices(number)}"


def _devices(number: int) -> str:
    return "1 device" if number == 1 else f"{number} devices"
