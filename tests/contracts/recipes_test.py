"""An unknown recipe is an error that names the nearest ones."""

import sys

import pytest

from keras_sam import recipes
from tests.support import testing  # noqa: F401  Before anything touches devices.


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("GSAM", "gsam"),
        ("SAM-ON", "sam_on"),
        ("K-SAM", "k_sam"),
        ("ssam-f", "ssam_f"),
        ("StableSAM", "stable"),
        ("Friendly SAM", "friendly"),
        ("multi_step_last", "multistep_last"),
    ],
)
def test_another_spelling(name, meant):
    with pytest.raises(KeyError, match=f"Did you mean '{meant}'") as caught:
        recipes.RECIPES[name]
    assert f"Received: {name!r}. The names are sgd, sam," in str(caught.value)


def test_two_methods_of_one_spelling():
    """XSAM and X-SAM are two methods."""
    with pytest.raises(KeyError, match="mean 'xsam' or 'eigen_corrected'"):
        recipes.RECIPES["X-SAM"]


@pytest.mark.parametrize("name", ["adam", 3, None])
def test_what_is_like_no_name(name):
    with pytest.raises(KeyError, match=f"one of its names. .*{name}"):
        recipes.RECIPES[name]
    assert name not in recipes.RECIPES and recipes.RECIPES.get(name) is None


if __name__ == "__main__":
    sys.exit(pytest.main([__file__]))
