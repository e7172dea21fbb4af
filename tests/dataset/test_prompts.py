"""Prompts: when two are equal, and what they name."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anomagent.dataset.prompts import names_in, normal


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        ("  A Dog,\n on a   BEACH! ", "a dog on a beach"),
        ("A dog — on a “beach”", "a dog on a beach"),
        ("ﬁne ＤＯＧ", "fine dog"),  # a ligature and full-width letters
        ("Straße", "strasse"),
        ("zero\u200bwidth", "zerowidth"),
        ("一只狗，在海滩上。", "一只狗 在海滩上"),
        ("?!…", ""),
        ("", ""),
    ],
)
def test_normal(prompt: str, expected: str) -> None:
    assert normal(prompt) == expected


@given(st.text(max_size=60))
def test_normal_is_settled_and_blind_to_case(prompt: str) -> None:
    assert normal(normal(prompt)) == normal(prompt)
    assert normal(f" {prompt}\t.") == normal(prompt)


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        ("a photo of Albert Einstein at the Statue of Liberty", {"albert einstein", "statue of liberty"}),
        ("Elon Musk feeds a dog. Beautiful view of Paris", {"elon musk", "paris"}),
        ("The Golden Gate Bridge and the Eiffel Tower", {"golden gate bridge", "eiffel tower"}),
        ('a neon sign that says "Open Late" over a door', {"open late"}),
        ("a sign «Défense d'afficher» in Lyon", {"défense d afficher", "lyon"}),
        ("A dog on a beach. Sunny day", set()),  # capitals that only begin a sentence
        ("a street, 4K, HDR, RAW", set()),  # abbreviations
        ("a dog", set()),
        ("", set()),
        ("A Man Walking In The Park At Night", None),  # title case: capitals say nothing
        ("A HUGE CAT", None),
        ('A Man With A Sign "Stop" In The Park', {"stop"}),
    ],
)
def test_names(prompt: str, expected: set[str] | None) -> None:
    assert names_in(prompt) == expected


@given(st.text(max_size=200))
def test_any_text_can_be_asked(prompt: str) -> None:
    names = names_in(prompt)
    assert names is None or all(name and normal(name) == name for name in names)


def test_a_hostile_prompt_is_bounded() -> None:
    assert names_in('"' * 1_000_000) == frozenset()
    assert names_in("Aa " * 300_000) is not None
