"""Kinds of anomaly: a taxonomy, and rules that read a kind off an anomaly's text without any model."""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Annotated, Literal, get_args

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from anomagent.errors import ConfigurationError
from anomagent.state.findings import Anomaly

Kind = Literal["anatomy", "support", "contact", "material", "light", "scale", "identity", "function", "text", "context"]
KINDS: tuple[Kind, ...] = get_args(Kind)
"""Every kind, in the order in which tables show them; the earlier one wins where an anomaly fits two equally well."""
OTHERWISE: Kind = "context"
"""The kind of an anomaly that no rule knows."""


@dataclass(frozen=True)
class KindRules:
    """One kind: its words for people, and what in a text speaks for it."""

    title: str
    """A few words for tables and charts."""
    meaning: str
    """One sentence; people and models classify by it."""
    hints: tuple[tuple[re.Pattern[str], int], ...]
    """Patterns with their weights; a pattern counts once in a field, however often it occurs there."""

    def weight_in(self, text: str) -> int:
        """How much `text` speaks for this kind."""
        return sum(weight for pattern, weight in self.hints if pattern.search(text))


@dataclass(frozen=True)
class Rules:
    """The rules of all kinds, and how much each field of an anomaly counts."""

    fields: Mapping[str, int]
    kinds: Mapping[Kind, KindRules]

    def scores(self, anomaly: Anomaly) -> dict[Kind, int]:
        """How much an anomaly's name, phenomenon and reasoning speak for each kind."""
        texts = [(count, getattr(anomaly, field)) for field, count in self.fields.items()]
        return {kind: sum(count * rules.weight_in(text) for count, text in texts) for kind, rules in self.kinds.items()}

    def kind_of(self, anomaly: Anomaly) -> Kind:
        """The kind with the highest score, ties by the order of `KINDS`; `OTHERWISE` where nothing fits."""
        scores = self.scores(anomaly)
        best = max(KINDS, key=scores.__getitem__)
        return best if scores[best] > 0 else OTHERWISE


def kind_of(anomaly: Anomaly) -> Kind:
    """The kind of `anomaly` by the shipped rules: the same text always has the same kind, and no model is asked."""
    return shipped_rules().kind_of(anomaly)


def title_of(kind: Kind) -> str:
    """The name of a kind for people."""
    return shipped_rules().kinds[kind].title


@cache
def shipped_rules() -> Rules:
    """The rules of `kinds.toml`."""
    text = resources.files("anomagent.benchmark").joinpath("kinds.toml").read_text(encoding="utf-8")
    return read_rules(text, "kinds.toml")


def read_rules(text: str, origin: str) -> Rules:
    """Rules from TOML: `[fields]` with a weight each, and for every kind `title`, `meaning` and `[kinds.KIND.hints]`.

    Hints map a regular expression, matched as whole words without regard to case, to a weight. Raises
    `ConfigurationError` that names `origin` and the first thing that is wrong.
    """
    try:
        file = _File.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"{origin} is not valid TOML: {error}") from None
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(map(str, first["loc"])) or "the file"
        raise ConfigurationError(f"{origin} holds no rules for kinds; {place}: {first['msg']}") from None
    return Rules(file.fields.model_dump(), {kind: file.kinds[kind].rules() for kind in KINDS})


def _whole_words(pattern: str) -> re.Pattern[str]:
    try:
        return re.compile(rf"\b(?:{pattern})\b", re.IGNORECASE)
    except re.error as error:
        raise ValueError(f"{pattern!r} is no regular expression ({error})") from error


def _compiles(pattern: str) -> str:
    _whole_words(pattern)
    if re.fullmatch(pattern, ""):
        raise ValueError(f"{pattern!r} matches everything")
    return pattern


def _complete(kinds: "dict[Kind, _KindInFile]") -> "dict[Kind, _KindInFile]":
    if missing := [kind for kind in KINDS if kind not in kinds]:
        raise ValueError(f"missing: {', '.join(missing)}")
    return kinds


_Weight = Annotated[int, Field(ge=1, le=9, strict=True)]
_Words = Annotated[str, Field(min_length=1)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class _FieldWeights(_Strict):
    name: _Weight
    phenomenon: _Weight
    reasoning: _Weight


class _KindInFile(_Strict):
    title: _Words
    meaning: _Words
    hints: dict[Annotated[str, AfterValidator(_compiles)], _Weight]

    def rules(self) -> KindRules:
        hints = tuple((_whole_words(pattern), weight) for pattern, weight in self.hints.items())
        return KindRules(self.title, self.meaning, hints)


class _File(_Strict):
    fields: _FieldWeights
    kinds: Annotated[dict[Kind, _KindInFile], AfterValidator(_complete)]
