"""A version without a private name raises an error that says so."""

import sys
import types

import keras
import pytest

from keras_sam import _private_names


@pytest.fixture
def package():
    return _private_names.Package("Keras", "3.14", "9.9")


def test_a_missing_attribute_is_a_sentence(package):
    for owner, name in (
        (keras.Model, "Model._gone"),
        (keras.optimizers.SGD(), "SGD._gone"),
        (types.ModuleType("there"), "there._gone"),
    ):
        with pytest.raises(RuntimeError) as caught:
            package.private(owner, "_gone")
        assert str(caught.value) == (
            f"keras_sam uses `{name}`, which is private to Keras and was read "
            "in Keras 3.14. Keras 9.9, which is installed, has none. Install "
            "a version that was read, or report the installed one to keras_sam"
        )


def test_a_missing_module_is_a_sentence(package):
    with pytest.raises(RuntimeError, match="uses `keras.src.gone`, .* none"):
        package.module("keras.src.gone")


class Theirs:
    def _method(self, iterator):
        pass


def test_an_override_of_nothing_is_a_sentence(package):
    class Ours:
        def _gone(self):
            pass

    with pytest.raises(RuntimeError, match="uses `Theirs._gone`"):
        package.overriding(Theirs)(Ours)


def test_an_override_with_other_parameters_is_a_sentence(package):
    class Ours:
        def _method(self):
            pass

    with pytest.raises(RuntimeError, match=r"has `_method\(self, iterator\)`"):
        package.overriding(Theirs)(Ours)


def test_an_override_with_the_same_parameters(package):
    class Ours:
        def _method(self, iterator):
            pass

        def other(self):
            pass

    assert package.overriding(Theirs)(Ours) is Ours


if __name__ == "__main__":
    sys.exit(pytest.main([__file__]))
