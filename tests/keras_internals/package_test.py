"""Each function says what a version of Keras lacks."""

import sys
import types

import pytest

from keras_sam import _keras_internals


@pytest.mark.parametrize(
    ("function", "arguments"),
    [
        ("layers", ()),
        ("own_metrics", ()),
        ("takes_training", ()),
        ("has_loss_built", ()),
        ("compute_loss", ()),
        ("compiled_losses", ()),
        ("loss_tracker", ()),
        ("set_first_epoch", (1,)),
        ("held_state", ()),
        ("hold_state", ([[], []],)),
        ("take_state", ()),
        ("data_of_epoch", ()),
        ("place_by", (None,)),
        ("expect_end", ()),
        ("clip", ([],)),
        ("decay_weights", ([],)),
        ("update", ([], [])),
        ("accumulators", ([],)),
        ("reset_accumulators", ()),
        ("steps_done", ()),
        ("update_averages", ()),
        ("averages", ()),
    ],
)
def test_each_function_says_what_is_missing(function, arguments):
    with pytest.raises(RuntimeError, match=r"uses `SimpleNamespace\._"):
        getattr(_keras_internals, function)(
            types.SimpleNamespace(learning_rate=1.0), *arguments
        )


if __name__ == "__main__":
    sys.exit(pytest.main([__file__]))
