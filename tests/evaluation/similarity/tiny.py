"""Small random models of every family, with tokenizers of their kind, saved as a user's directory would be."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from tokenizers import Tokenizer, models, pre_tokenizers, trainers
from transformers import (
    AutoTokenizer,
    BertConfig,
    BertModel,
    DistilBertConfig,
    DistilBertModel,
    MT5Config,
    MT5EncoderModel,
    PreTrainedModel,
    RobertaConfig,
    RobertaModel,
    RobertaTokenizer,
    T5Config,
    T5EncoderModel,
    T5Tokenizer,
)

from tests.evaluation.similarity.reference import MINILM

FAMILIES = ("bert", "distilbert", "roberta", "t5", "mt5")
LAYER = 2
_TEXTS = [
    "A hand with six fingers holds a cup that floats above the table.",
    "Nothing supports it, and gravity would pull it down at once.",
    "The mirror shows another face; a reflection cannot differ from what it reflects.",
]
_SPECIAL = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
_BERT = {"hidden_size": 32, "num_hidden_layers": 3, "num_attention_heads": 4, "intermediate_size": 64}
_T5 = {"d_model": 32, "d_kv": 8, "d_ff": 64, "num_layers": 3, "num_heads": 4}


def save(family: str, directory: Path) -> str:
    """Three layers, 32 wide, weights from a fixed seed; returns the directory's name."""
    torch.manual_seed(0)
    tokenizer, model = {"roberta": _roberta, "t5": _t5, "mt5": _mt5, "bert": _bert, "distilbert": _distilbert}[family]()
    model.save_pretrained(directory)
    tokenizer.save_pretrained(directory)
    return str(directory)


def _bert() -> tuple[object, PreTrainedModel]:
    tokenizer = AutoTokenizer.from_pretrained(MINILM)
    return tokenizer, BertModel(BertConfig(vocab_size=len(tokenizer), **_BERT))


def _distilbert() -> tuple[object, PreTrainedModel]:
    tokenizer = AutoTokenizer.from_pretrained(MINILM)
    config = DistilBertConfig(vocab_size=len(tokenizer), dim=32, n_layers=3, n_heads=4, hidden_dim=64)
    return tokenizer, DistilBertModel(config)


def _roberta() -> tuple[object, PreTrainedModel]:
    trained = Tokenizer(models.BPE())
    trained.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=400, special_tokens=_SPECIAL, initial_alphabet=alphabet)
    trained.train_from_iterator(_TEXTS, trainer)
    model = json.loads(trained.to_str())["model"]
    merges = [tuple(merge) for merge in model["merges"]]
    tokenizer = RobertaTokenizer(vocab=model["vocab"], merges=merges, model_max_length=64)
    config = RobertaConfig(vocab_size=len(tokenizer), max_position_embeddings=66, pad_token_id=1, **_BERT)
    return tokenizer, RobertaModel(config)


def _unigram() -> T5Tokenizer:
    trained = Tokenizer(models.Unigram())
    trained.pre_tokenizer = pre_tokenizers.Metaspace()
    special = ["<pad>", "</s>", "<unk>"]
    trainer = trainers.UnigramTrainer(vocab_size=120, special_tokens=special, unk_token="<unk>")
    trained.train_from_iterator(_TEXTS, trainer)
    vocab = [tuple(piece) for piece in json.loads(trained.to_str())["model"]["vocab"]]
    return T5Tokenizer(vocab=vocab, extra_ids=0)


def _t5() -> tuple[object, PreTrainedModel]:
    tokenizer = _unigram()
    return tokenizer, T5EncoderModel(T5Config(vocab_size=len(tokenizer), **_T5))


def _mt5() -> tuple[object, PreTrainedModel]:
    tokenizer = _unigram()
    config = MT5Config(vocab_size=len(tokenizer), feed_forward_proj="gated-gelu", tie_word_embeddings=False, **_T5)
    return tokenizer, MT5EncoderModel(config)
