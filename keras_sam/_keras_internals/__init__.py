"""The private names of Keras that the library uses, each in one function.

No other file names an attribute of Keras that begins with an underscore, or a
module of `keras.src`; `tests/contracts/layers_test.py` looks for that. Where a
docstring says "Read in Keras 3.14 and 3.15", the sources of these versions
have the name, with the meaning that the function gives it.
`tests/keras_internals/` tests the meaning, and `make test-newest` tests it in a
nightly of 3.16, which has the same names. A Keras without the name is an error
that says so.
"""

from keras_sam._keras_internals.compiled import (
    compile_arguments as compile_arguments,
)
from keras_sam._keras_internals.compiled import (
    compiled_losses as compiled_losses,
)
from keras_sam._keras_internals.compiled import compute_loss as compute_loss
from keras_sam._keras_internals.compiled import has_loss_built as has_loss_built
from keras_sam._keras_internals.compiled import loss_tracker as loss_tracker
from keras_sam._keras_internals.compiled import (
    replaced_losses as replaced_losses,
)
from keras_sam._keras_internals.compiled import share_compiled as share_compiled
from keras_sam._keras_internals.data import data_adapter as data_adapter
from keras_sam._keras_internals.data import data_of_epoch as data_of_epoch
from keras_sam._keras_internals.data import expect_end as expect_end
from keras_sam._keras_internals.data import holds_dataset as holds_dataset
from keras_sam._keras_internals.data import place_by as place_by
from keras_sam._keras_internals.distribution import distributed as distributed
from keras_sam._keras_internals.distribution import holding as holding
from keras_sam._keras_internals.distribution import layout as layout
from keras_sam._keras_internals.loops import FitHooks as FitHooks
from keras_sam._keras_internals.loops import forget_state as forget_state
from keras_sam._keras_internals.loops import held_state as held_state
from keras_sam._keras_internals.loops import hold_state as hold_state
from keras_sam._keras_internals.loops import set_first_epoch as set_first_epoch
from keras_sam._keras_internals.loops import take_state as take_state
from keras_sam._keras_internals.loops import validates as validates
from keras_sam._keras_internals.models import attributes as attributes
from keras_sam._keras_internals.models import default_build as default_build
from keras_sam._keras_internals.models import layers as layers
from keras_sam._keras_internals.models import own_metrics as own_metrics
from keras_sam._keras_internals.models import supports_jit as supports_jit
from keras_sam._keras_internals.models import takes_training as takes_training
from keras_sam._keras_internals.models import unlock as unlock
from keras_sam._keras_internals.optimizers import accumulators as accumulators
from keras_sam._keras_internals.optimizers import averages as averages
from keras_sam._keras_internals.optimizers import clip as clip
from keras_sam._keras_internals.optimizers import decay_weights as decay_weights
from keras_sam._keras_internals.optimizers import optimized as optimized
from keras_sam._keras_internals.optimizers import (
    optimizer_hooks as optimizer_hooks,
)
from keras_sam._keras_internals.optimizers import overwriting as overwriting
from keras_sam._keras_internals.optimizers import (
    reset_accumulators as reset_accumulators,
)
from keras_sam._keras_internals.optimizers import steps_done as steps_done
from keras_sam._keras_internals.optimizers import update as update
from keras_sam._keras_internals.optimizers import (
    update_averages as update_averages,
)
from keras_sam._keras_internals.tensors import copy_mask as copy_mask
from keras_sam._keras_internals.tensors import logits as logits
from keras_sam._keras_internals.tensors import mask as mask
from keras_sam._keras_internals.tensors import masks as masks
from keras_sam._keras_internals.tensors import set_mask as set_mask
from keras_sam._keras_internals.tensors import set_masks as set_masks
