"""A text classifier: BERT, on raw strings."""

import keras_hub
import numpy as np

from tests.ecosystem import hub

TEXTS = np.array(
    [
        "the quick brown fox jumped",
        "a slow dog",
        "the dog slept",
        "a brown fox and the dog",
        "the slow fox slept",
    ]
    * 2
)
WORDS = sorted({word for text in TEXTS for word in text.split()})
LENGTH = 8


def bert():
    vocabulary = ["[UNK]", "[CLS]", "[SEP]", "[PAD]", "[MASK]", *WORDS]
    preprocessor = keras_hub.models.BertTextClassifierPreprocessor(
        keras_hub.models.BertTokenizer(vocabulary), sequence_length=LENGTH
    )
    backbone = keras_hub.models.BertBackbone(
        vocabulary_size=len(vocabulary),
        num_layers=2,
        num_heads=2,
        hidden_dim=16,
        intermediate_dim=32,
        max_sequence_length=LENGTH,
    )
    return keras_hub.models.BertTextClassifier(
        backbone, 2, preprocessor=preprocessor
    )


SUBJECTS = [
    hub.Task(
        "BERT text classifier",
        "keras-hub",
        bert,
        (TEXTS, np.arange(len(TEXTS)) % 2),
        remark="raw strings",
    )
]
