"""The 1,797 handwritten digits inside scikit-learn, as a TFDS data set.

An import of this module registers the builder. `tfds.load("digits")` then works
as for any other data set, but without a network.
"""

import tensorflow_datasets as tfds

from examples import arrays

_DESCRIPTION = """
1,797 images of handwritten digits, 8 x 8 pixels, ten classes: the test set of
the UCI "Optical Recognition of Handwritten Digits" data, as distributed inside
scikit-learn. A pixel counts the dark pixels in a 4 x 4 block of the original
bitmap, so its value is an integer from 0 (white) to 16 (black), not to 255.

The splits are fixed: sorted by class and then by position in the file, every
fifth image is a test image. Hence 1,437 training and 360 test images, with
equal class shares to within one image. Both splits hold images of the same
writers.
"""

_CITATION = """
@misc{alpaydin1998optical,
  title = {Optical Recognition of Handwritten Digits},
  author = {Alpaydin, E. and Kaynak, C.},
  year = {1998},
  howpublished = {UCI Machine Learning Repository},
  doi = {10.24432/C50P49},
}
"""


class Digits(tfds.core.GeneratorBasedBuilder):
    """Builder of the `digits` data set."""

    VERSION = tfds.core.Version("1.0.0")

    def _info(self):
        return self.dataset_info_from_configs(
            description=_DESCRIPTION,
            citation=_CITATION,
            homepage="https://doi.org/10.24432/C50P49",
            features=tfds.features.FeaturesDict(
                {
                    "image": tfds.features.Image(shape=(8, 8, 1)),
                    "label": tfds.features.ClassLabel(num_classes=10),
                }
            ),
            supervised_keys=("image", "label"),
        )

    def _split_generators(self, dl_manager):
        del dl_manager  # Nothing to download.
        images, labels, indices = arrays.digits_by_index()
        return {
            split: self._generate_examples(images, labels, of_split)
            for split, of_split in indices.items()
        }

    def _generate_examples(self, images, labels, indices):
        for index in indices.tolist():
            yield index, {"image": images[index], "label": int(labels[index])}
