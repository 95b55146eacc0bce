"""MNIST-1D, made by the package `mnist1d`, as a TFDS data set.

An import of this module registers the builder. `tfds.load("mnist1d")` then
works as for any other data set, but without a network: the generator of the
package makes the data here, and the package would download them. An example is
called an image, of 40 x 1 floats, so that all of data.py applies to it.
"""

import numpy as np
import tensorflow_datasets as tfds

from examples import arrays

_DESCRIPTION = """
5,000 signals of 40 values in ten classes: each is one of ten templates, padded,
scaled, shifted, sheared and made noisy at random. As the package makes them
with its default arguments: seed 42, 4,000 training and 1,000 test signals.
"""

_CITATION = """
@misc{greydanus2020scaling,
  title = {Scaling down Deep Learning},
  author = {Greydanus, Sam and Kobak, Dmitry},
  year = {2020},
  eprint = {2011.14439},
  archiveprefix = {arXiv},
}
"""


class Mnist1d(tfds.core.GeneratorBasedBuilder):
    """Builder of the `mnist1d` data set."""

    VERSION = tfds.core.Version("1.0.0")

    def _info(self):
        return self.dataset_info_from_configs(
            description=_DESCRIPTION,
            citation=_CITATION,
            homepage="https://github.com/greydanus/mnist1d",
            features=tfds.features.FeaturesDict(
                {
                    "image": tfds.features.Tensor(
                        shape=(40, 1), dtype=np.float32
                    ),
                    "label": tfds.features.ClassLabel(num_classes=10),
                }
            ),
            supervised_keys=("image", "label"),
        )

    def _split_generators(self, dl_manager):
        del dl_manager  # Nothing to download.
        made = arrays.mnist1d()
        return {
            "train": self._generate_examples(*made.train),
            "test": self._generate_examples(*made.test),
        }

    def _generate_examples(self, signals, labels):
        for index, label in enumerate(labels.tolist()):
            yield index, {"image": signals[index], "label": label}
