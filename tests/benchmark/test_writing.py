"""Anomalies as the benchmark's own tools write them."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anomagent.benchmark.entries import read_entry
from anomagent.benchmark.writing import project_page_entry, released_entry
from anomagent.state.findings import Anomaly
from tests.benchmark.files import HAND

TEXT = st.text(st.characters(codec="utf-8"), min_size=1).filter(str.strip)
NAME = st.from_regex(r"(?!Name)\w[\w @.:]{0,20}\w", fullmatch=True).filter(lambda name: "name" not in name.lower())
"""No list prefix: a name loses it."""
ANOMALY = st.builds(Anomaly, name=NAME, phenomenon=TEXT, reasoning=TEXT, severity=st.integers(0, 100))


def test_the_released_shape() -> None:
    assert released_entry(HAND.model_copy(update={"objects": ["x"]})) == {
        "Name": "Six fingers",
        "Observed Phenomenon": "A hand has six fingers.",
        "Reasoning": "Anatomy.",
        "Severity Score": "25/100 (clearly unnatural).",
    }


def test_the_shape_of_the_project_page() -> None:
    assert project_page_entry(HAND) == {
        "name": "Six fingers",
        "phenomenon": "A hand has six fingers.",
        "reasoning": "Anatomy.",
        "severity": 25,
    }


@pytest.mark.parametrize("write", [released_entry, project_page_entry])
@given(anomaly=ANOMALY)
def test_what_is_written_is_read(anomaly: Anomaly, write: Callable[[Anomaly], Any]) -> None:
    assert read_entry(json.loads(json.dumps(write(anomaly)))) == anomaly
