"""Causal language models: Gemma, as a whole, with LoRA, and with int8."""

import functools
import io

import keras_hub
import sentencepiece

from tests.ecosystem import hub
from tests.ecosystem import text


@functools.cache
def vocabulary():
    """Returns a SentencePiece model of the words, as bytes."""
    file = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(text.TEXTS),
        model_writer=file,
        vocab_size=len(text.WORDS) + 4,
        model_type="WORD",
        pad_id=0,
        bos_id=1,
        eos_id=2,
        unk_id=3,
        pad_piece="<pad>",
        bos_piece="<bos>",
        eos_piece="<eos>",
        unk_piece="<unk>",
        minloglevel=2,
    )
    return file.getvalue()


def gemma():
    tokenizer = keras_hub.models.GemmaTokenizer(vocabulary())
    backbone = keras_hub.models.GemmaBackbone(
        vocabulary_size=tokenizer.vocabulary_size(),
        num_layers=2,
        num_query_heads=2,
        num_key_value_heads=1,
        hidden_dim=16,
        intermediate_dim=32,
        head_dim=8,
    )
    preprocessor = keras_hub.models.GemmaCausalLMPreprocessor(
        tokenizer, sequence_length=text.LENGTH
    )
    return keras_hub.models.GemmaCausalLM(backbone, preprocessor=preprocessor)


def with_lora():
    model = gemma()
    model.backbone.enable_lora(2)
    return model


def with_int8():
    model = gemma()
    # The task itself cannot: its tokenizer is not built.
    model.backbone.quantize("int8")
    return model


def with_both():
    model = with_int8()
    model.backbone.enable_lora(2)
    return model


SUBJECTS = [
    hub.Task(
        name,
        "keras-hub",
        make,
        (text.TEXTS, None),
        rate=rate,
        remark=remark,
        memory=make is with_lora,
    )
    for name, make, rate, remark in (
        ("Gemma causal LM", gemma, 0.05, "raw strings"),
        ("Gemma, LoRA", with_lora, 0.5, "trains the LoRA weights alone"),
        (
            "Gemma, int8",
            with_int8,
            0.5,
            "as in plain Keras, trains what is not int8: the scales of "
            "normalization",
        ),
        ("Gemma, int8 and LoRA", with_both, 0.5, "trains the LoRA weights"),
    )
]
