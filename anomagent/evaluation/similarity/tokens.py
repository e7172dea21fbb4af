# pyright: basic
"""Texts as ids, exactly as BERTScore wants them, whatever version of transformers is installed."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from anomagent.evaluation.similarity.loading import Loaded

LONGEST: Final = 4096
"""Tokens at which a text is cut for a model without a limit of its own: attention grows with the square."""
_NO_LIMIT: Final = 2**30
"""What transformers writes where a tokenizer states no limit is larger than this."""


@dataclass(frozen=True)
class Tokens:
    """One text."""

    ids: list[int]
    """With special tokens."""
    weights: NDArray[np.float32]
    """[tokens]; 0 for [CLS] and [SEP], 1 for all else, T5's `</s>` included."""
    truncated: bool
    """The text was longer than the model's limit and has lost its end."""


class Encoder:
    """A backbone's tokenizer.

    Its rules are those of `bert-score`: white space around a text goes, GPT-2's and RoBERTa's tokenizers see one space
    in front, an empty text is its special tokens, a text over the limit loses its end.
    """

    def __init__(self, loaded: Loaded) -> None:
        from transformers import GPT2Tokenizer, RobertaTokenizer

        self._tokenizer: Any = loaded.tokenizer
        self._prefix = " " if isinstance(self._tokenizer, GPT2Tokenizer | RobertaTokenizer) else ""
        self._weightless = [i for i in (self._tokenizer.cls_token_id, self._tokenizer.sep_token_id) if i is not None]
        stated = self._tokenizer.model_max_length
        self.limit: int = min(stated if stated < _NO_LIMIT else LONGEST, loaded.positions or LONGEST)
        """Tokens, special ones included."""

    def encode(self, texts: Sequence[str]) -> list[Tokens]:
        """Ids and weights of each text. A lone surrogate, which no tokenizer takes, counts as a question mark."""
        if not texts:
            return []
        clean = [self._clean(text) for text in texts]
        all_ids = self._tokenizer(clean, verbose=False)["input_ids"]
        return [self._tokens(text, ids) for text, ids in zip(clean, all_ids, strict=True)]

    def _clean(self, text: str) -> str:
        text = text.encode("utf-8", "replace").decode().strip()
        return self._prefix + text if text else ""

    def _tokens(self, text: str, ids: list[int]) -> Tokens:
        truncated = len(ids) > self.limit
        if truncated:
            ids = self._tokenizer(text, truncation=True, max_length=self.limit)["input_ids"]
        weights = np.isin(ids, self._weightless, invert=True).astype(np.float32)
        return Tokens(ids, weights, truncated)
