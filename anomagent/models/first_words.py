"""How probable the words that matter, yes and no, were as the first of an answer."""

import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

_WORD = re.compile(r"[^\W_]+")


def odds_of(tokens: Sequence[Mapping[str, Any]], words: Sequence[str]) -> dict[str, float] | None:
    """The probability of each word over all tokens that spell it where the answer's first token with a letter stands.

    `tokens` as OpenAI's API tells them: token, logprob and the top_logprobs of its rivals. None without words, and
    where the server says nothing or what are no numbers.
    """
    first = next((token for token in tokens if _WORD.search(str(token.get("token")))), None)
    if not words or first is None:
        return None
    try:
        rivals: Sequence[Mapping[str, Any]] = (first, *(first.get("top_logprobs") or ()))
        by_token = {str(token["token"]): math.exp(float(token["logprob"])) for token in rivals}
    except (KeyError, TypeError, ValueError, OverflowError):
        return None
    found = [("".join(_WORD.findall(token)).lower(), probability) for token, probability in by_token.items()]
    return {word: math.fsum(probability for spelt, probability in found if spelt == word) for word in words}


class FirstTokens:
    """Looks at the probabilities of the first token of each answer of a batch in process.

    A word is known by the token with which it begins, in any of the ways in which it may be written. A token with which
    two of the words begin says nothing and does not count, as a lone space would not.
    """

    def __init__(self, words: Iterable[str], tokenize: Callable[[str], Sequence[int]]) -> None:
        beginnings = {word: {tokenize(spelling)[0] for spelling in _spellings(word)} for word in words}
        self._ids = {
            word: sorted(ids.difference(*(others for other, others in beginnings.items() if other != word)))
            for word, ids in beginnings.items()
        }
        self._found: dict[str, list[float]] = {}

    def look(self, input_ids: Any, scores: Any) -> Any:
        """As a processor of logits, which sees them before anything is sampled from them, and changes nothing."""
        if not self._found:
            probabilities = scores.float().softmax(dim=-1)
            self._found = {word: probabilities[:, ids].sum(dim=-1).tolist() for word, ids in self._ids.items()}
        return scores

    def odds(self, row: int, words: Sequence[str]) -> dict[str, float] | None:
        """Of one answer; None where no words were asked for."""
        return {word: self._found[word][row] for word in words} if words else None


def _spellings(word: str) -> list[str]:
    return [before + written for written in (word, word.capitalize(), word.upper()) for before in ("", " ")]
