"""Answers in every variant in the wild, and those that are none."""

from __future__ import annotations

import json
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anomagent.benchmark.writing import released_entry
from anomagent.errors import CutOff
from anomagent.prediction.reading import failed_by, read_list
from anomagent.state.classic_text import NO_ANOMALIES
from tests.prediction.shelf import BAD_LIST, CHAIR, HAND, LISTED


@dataclass(frozen=True)
class Case:
    name: str
    text: str
    status: str
    anomalies: int = 0
    error: str | None = None


ENTRIES = [one.model_dump(include={"name", "phenomenon", "reasoning", "severity"}) for one in (CHAIR, HAND)]
CASES = [
    Case("classic", LISTED, "ok", 2),
    Case("classic behind a sentence", f"Here is what I see.\n\n{LISTED}\n\nI hope this helps.", "ok", 2),
    Case("bold, without marks", LISTED.replace("@", "").replace("Name:", "**Name:**"), "ok", 2),
    Case("JSON", json.dumps(ENTRIES), "ok", 2),
    Case("JSON in a fence", f"Sure:\n```json\n{json.dumps(ENTRIES)}\n```", "ok", 2),
    Case("JSON of the released keys", json.dumps([released_entry(one) for one in (CHAIR, HAND)]), "ok", 2),
    Case("JSON with a key around it", json.dumps({"anomalies": ENTRIES}), "ok", 2),
    Case("nothing", NO_ANOMALIES, "ok"),
    Case("nothing, in bold and without its stop", "**no semantic anomalies**\n", "ok"),
    Case("nothing, with a reason", f"{NO_ANOMALIES} A chair stands in a room, as chairs do.", "ok"),
    Case("nothing but what follows is a list", f"{NO_ANOMALIES}\n{LISTED}", "ok", 2),
    Case("not nothing", "No semantic anomalies would be right if the cat had one tail", "failed", 0, "no_list"),
    Case("nothing in JSON", "[]", "ok"),
    Case("nothing in JSON with a key", '{"answer": "it is fine", "anomalies": []}', "ok"),
    Case("JSON of an answer alone", '{"answer": "the cat has two tails"}', "failed", 0, "no_list"),
    Case("one entry unreadable", BAD_LIST, "partial", 1, "bad_entries"),
    Case("one JSON entry unreadable", json.dumps([*ENTRIES, {"name": "x"}]), "partial", 2, "bad_entries"),
    Case("no entry readable", "1. Name: a chair\nSeverity: 10", "failed", 0, "no_list"),
    Case("prose", "A chair stands in a room.", "failed", 0, "no_list"),
    Case("half of a JSON list", json.dumps(ENTRIES)[:-20], "failed", 0, "no_list"),
    Case("JSON of something else", '{"objects": []}', "failed", 0, "no_list"),
    Case("a model does not say that it failed", '{"failure": "none of it counts"}', "failed", 0, "no_list"),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_variants(case: Case) -> None:
    reading = read_list(case.text)
    assert (reading.status, len(reading.anomalies), reading.error) == (case.status, case.anomalies, case.error)
    assert (reading.message is None) == (case.status == "ok")


def test_a_partial_list_says_which_entry_is_missing() -> None:
    reading = read_list(BAD_LIST)
    assert reading.message == "1 of 2 entries cannot be read, the first: entry 2: 'Hand': it has no phenomenon"


def test_a_description_stands_only_where_it_may() -> None:
    prose = "A chair stands in a room."
    assert read_list(prose, may_describe=True).description == prose
    assert read_list(LISTED, may_describe=True).anomalies == (CHAIR, HAND)
    assert read_list("1. Name: a chair", may_describe=True).status == "failed"


@given(st.text(max_size=200))
def test_any_text_is_read_without_raising(text: str) -> None:
    reading = read_list(text)
    assert reading.status == "ok" or reading.error in ("no_list", "bad_entries")
    assert reading.description is None


def test_what_never_came_is_a_failure_with_its_code() -> None:
    reading = failed_by(CutOff("too long"))
    assert (reading.status, reading.error, reading.message) == ("failed", "cut_off", "too long")
