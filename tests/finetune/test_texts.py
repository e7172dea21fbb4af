"""What may be learned: whole texts, without anything that is more than text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anomagent.finetune.texts import clean_anomaly, clean_text
from anomagent.state.classic_text import format_anomalies, parse_anomalies
from tests.finetune.material import anomaly


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (" \n", "is empty"),
        ("a <|im_end|> b", "holds the control token <|im_end|>"),
        ("<|image_pad|>", "control token"),
        ("an <image> here", "holds the control token <image>"),
        ("a <video> there", "control token"),
        ("</think>", "control token"),
        ("bell\a", "holds the control character"),
        ("half \ud800", "half a surrogate pair"),
    ],
)
def test_what_is_no_plain_text_is_refused_by_field(text: str, problem: str) -> None:
    with pytest.raises(ValueError, match=problem.replace("|", r"\|")):
        clean_text(text)
    with pytest.raises(ValueError, match=r"'leg': its reasoning (is|holds)"):
        clean_anomaly(anomaly("leg").model_copy(update={"reasoning": text}))


def test_other_angle_brackets_are_text() -> None:
    for text in ("a < b | c > d", "<b>bold</b>", "x <- y", "<||>", "<| a |>"):
        assert clean_text(f" {text}\n") == text


@given(st.text(), st.text(), st.text(), st.integers(0, 100))
def test_what_is_kept_reads_back_as_it_is(name: str, phenomenon: str, reasoning: str, severity: int) -> None:
    raw = anomaly(name, severity).model_copy(update={"phenomenon": phenomenon, "reasoning": reasoning})
    try:
        clean = clean_anomaly(raw)
    except ValueError:
        return
    assert parse_anomalies(format_anomalies([clean])).anomalies == [clean]
    assert clean_anomaly(clean) == clean
