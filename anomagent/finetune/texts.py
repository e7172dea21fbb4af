"""Texts that are fit to be learned: stripped, whole, and without what a tokenizer or a trainer takes for more."""

import re
import unicodedata
from typing import Final

from anomagent.benchmark.documents import is_unicode, shown
from anomagent.state.classic_text import one_line
from anomagent.state.findings import Anomaly

_CONTROL: Final = re.compile(
    r"<\|[^<>|\s]{1,64}\|>|</?(?:image|video|audio|img|box|bbox|quad|ref|ref-object|think|tool_call|tool_response)>"
)
"""Qwen's control tokens, and the marks in whose place trainers put a picture."""


def clean_text(text: str) -> str:
    """`text` without outer white space.

    Raises `ValueError` with the reason for one that is empty or holds a control token, a control character or half a
    surrogate pair.
    """
    text = text.strip()
    if not text:
        raise ValueError("is empty")
    if not is_unicode(text):
        raise ValueError("holds half a surrogate pair")
    if found := _CONTROL.search(text):
        raise ValueError(f"holds the control token {found[0]}")
    if strange := next((char for char in text if unicodedata.category(char) == "Cc" and char not in "\n\t"), None):
        raise ValueError(f"holds the control character {shown(strange)}")
    return text


def clean_anomaly(anomaly: Anomaly) -> Anomaly:
    """The quadruple as the classic text has it, each text on one line. Raises `ValueError` that names the field."""
    name, phenomenon, reasoning = (_clean_field(anomaly, field) for field in ("name", "phenomenon", "reasoning"))
    return Anomaly(name=name, phenomenon=phenomenon, reasoning=reasoning, severity=anomaly.severity)


def _clean_field(anomaly: Anomaly, field: str) -> str:
    try:
        return clean_text(one_line(getattr(anomaly, field)))
    except ValueError as error:
        raise ValueError(f"{shown(anomaly.name)}: its {field} {error}") from None
