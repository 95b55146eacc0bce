"""The roles that the parts of a method play, and the hooks of each role.

A part is any callable. It may also subclass its role, which declares all hooks
with their defaults. Such a subclass is a frozen dataclass. Its fields become
its Keras config. The roles are:

    Direction   direction(grads, params) -> step         where the climb steps
    Descent     descent(clean, path) -> grads            what is descended with
    Cadence     cadence(clean) -> climbs                 which steps climb
    Start       start(params) -> step                    where the clean pass is
    Samples     samples(clean_losses, losses) -> indices which examples count

A part may remember something from step to step. Such a part has a hook `init`,
takes its memory as the last positional argument, and returns it last:

    init(params) -> memory
    direction(grads, params, memory) -> (step, memory)

The memory is any nested structure of tensors. The model holds it as
non-trainable weights, and so saves and restores it. Float tensors are averaged
over replicas and over the splits of a batch. Other tensors are not averaged:
they should be the same everywhere, such as a count of climbs.

A part that needs more takes a keyword argument `context`, a `Context`.

The wrapper looks hooks up once, when it is made. It refuses a method whose name
is nearly the name of a hook (`lern`), and a hook of another role.
"""

from keras_sam.parts._arguments import ARGUMENTS
from keras_sam.parts._arguments import Argument
from keras_sam.parts._arguments import find
from keras_sam.parts._arguments import names
from keras_sam.parts._context import Context
from keras_sam.parts._part import Part
from keras_sam.parts._roles import Cadence
from keras_sam.parts._roles import Descent
from keras_sam.parts._roles import Direction
from keras_sam.parts._roles import Samples
from keras_sam.parts._roles import Start
from keras_sam.parts._roles import last

__all__ = [
    "ARGUMENTS",
    "Argument",
    "Cadence",
    "Context",
    "Descent",
    "Direction",
    "Part",
    "Samples",
    "Start",
    "find",
    "last",
    "names",
]
