from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anomagent.state.classic_text import (
    NO_ANOMALIES,
    Refusal,
    describe_severity,
    format_anomalies,
    one_line,
    parse_anomalies,
    parse_severity,
)
from anomagent.state.findings import Anomaly

CHAIR = Anomaly(
    name="Suspended chair",
    phenomenon="The chair hangs above the floor.",
    reasoning="Nothing holds it.",
    severity=10,
)
TREE = Anomaly(name="Square tree", phenomenon="The trunk is a cube.", reasoning="Trees grow round.", severity=25)

words = st.text(min_size=1).filter(one_line)
anomalies = st.builds(
    Anomaly, name=words, phenomenon=words, reasoning=words, severity=st.integers(min_value=0, max_value=100)
)


@dataclass(frozen=True)
class Case:
    id: str
    text: str


VARIANTS = [
    Case(
        "training target",
        "@1. Name: Suspended chair\n- Observed Phenomenon: The chair hangs above the floor.\n"
        "- Reasoning: Nothing holds it.\n- Severity Score: 10/100 (extremely unnatural)",
    ),
    Case(
        "bold, no at sign",
        "1. **Name:** Suspended chair\n   - **Observed Phenomenon**: The chair hangs above the floor.\n"
        "   - **Reasoning:** Nothing holds it.\n   - **Severity Score:** 10 / 100.",
    ),
    Case(
        "short labels, no dashes, no number",
        "Name: Suspended chair\nPhenomenon: The chair hangs above the floor.\nReasoning: Nothing holds it.\n"
        "Severity: 10%",
    ),
    Case(
        "bold around the whole line",
        "**@1. Name: Suspended chair**\n* phenomenon: The chair hangs above the floor.\n"
        "* REASONING: Nothing holds it.\n* severity score: 10",
    ),
    Case(
        "headings, bullets, lines that go on, an introduction and a conclusion",
        "Here are 2 anomalies:\n\n### @1. Name: Suspended chair\n\n• Observed Phenomenon:\n  The chair hangs\n"
        "  above the floor.\n\n• Reasoning: Nothing\nholds it.\n• Severity Score: 10/100 (bad)\n\n"
        "Overall 3 things are odd.",
    ),
]


@pytest.mark.parametrize("case", VARIANTS, ids=lambda case: case.id)
def test_every_variant_reads_the_same(case: Case) -> None:
    parsed = parse_anomalies(case.text)

    assert parsed.anomalies == [CHAIR]
    assert parsed.refusals == []


@given(st.lists(st.sampled_from(VARIANTS[:4])))
def test_variants_mix_in_one_text(cases: list[Case]) -> None:
    assert parse_anomalies("\n".join(case.text for case in cases)).anomalies == [CHAIR] * len(cases)


def test_form_is_the_one_of_the_training_targets() -> None:
    assert format_anomalies([CHAIR, TREE]) == (
        "@1. Name: Suspended chair\n"
        "- Observed Phenomenon: The chair hangs above the floor.\n"
        "- Reasoning: Nothing holds it.\n"
        "- Severity Score: 10/100 (extremely unnatural)\n"
        "\n"
        "@2. Name: Square tree\n"
        "- Observed Phenomenon: The trunk is a cube.\n"
        "- Reasoning: Trees grow round.\n"
        "- Severity Score: 25/100 (clearly unnatural)"
    )


@given(st.lists(anomalies))
def test_what_is_written_is_read_back(listed: list[Anomaly]) -> None:
    parsed = parse_anomalies(format_anomalies(listed))

    assert parsed.refusals == []
    assert parsed.anomalies == [
        Anomaly(
            name=one_line(anomaly.name),
            phenomenon=one_line(anomaly.phenomenon),
            reasoning=one_line(anomaly.reasoning),
            severity=anomaly.severity,
        )
        for anomaly in listed
    ]


def test_empty_list_is_a_result() -> None:
    assert format_anomalies([]) == NO_ANOMALIES
    assert parse_anomalies(NO_ANOMALIES).anomalies == []
    assert parse_anomalies("").anomalies == []


@given(st.text())
def test_garbage_never_raises(text: str) -> None:
    parse_anomalies(text)


labels = ["Name:", "Phenomenon", "Observed Phenomenon: ", "Reasoning:", "Severity", " Score"]
marks = ["@1. ", "2) ", "- ", "**", "### ", ":", "\n", "\n\n", "\u2028", "\x00", "x"]
numbers = ["10/100", "110/100", "-3", "12-15", "%", "½"]
pieces = st.sampled_from([*labels, *marks, *numbers])


@given(st.lists(pieces, max_size=40).map("".join))
def test_scraps_of_the_form_never_raise_and_never_leave_the_scale(text: str) -> None:
    parsed = parse_anomalies(text)

    assert all(0 <= anomaly.severity <= 100 for anomaly in parsed.anomalies)
    assert all(refusal.reason for refusal in parsed.refusals)


def test_entries_that_are_no_anomalies_are_refused_one_by_one() -> None:
    text = (
        "@1. Name: A\n- Phenomenon: p\n- Reasoning: r\n- Severity Score: severe\n"
        "@2. Name: B\n- Phenomenon: p\n- Severity Score: 10/100\n"
        "- Phenomenon: p\n- Reasoning: r\n- Severity: 10\n"
        "@4. Name: Suspended chair\n- Observed Phenomenon: The chair hangs above the floor.\n"
        "- Reasoning: Nothing holds it.\n- Severity Score: 10/100\n"
    )
    parsed = parse_anomalies(text)

    assert parsed.anomalies == [CHAIR]
    assert parsed.refusals == [
        Refusal("A", "severity 'severe' has no number", 0),
        Refusal("B", "it has no reasoning", 1),
        Refusal("entry 3", "it has no name", 2),
    ]


@pytest.mark.parametrize(
    ("value", "severity"),
    [
        ("25/100 (noticeable but not critical).", 25),
        ("20", 20),
        ("15 / 100", 15),
        ("30%", 30),
        ("**0/100**", 0),
        ("100/100 (realistic)", 100),
        ("2 fingers are fused, so 35/100", 35),
        ("20/100 - 3 fingers too many", 20),
        ("about 40 out of 100", 40),
        ("12.6/100", 13),
        (20, 20),
        (7.0, 7),
    ],
)
def test_severity_takes_the_number(value: str | int | float, severity: int) -> None:
    assert parse_severity(value) == severity


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("moderate", "has no number"),
        ("", "has no number"),
        ("120/100", "not between 0 and 100"),
        ("-5", "not between 0 and 100"),
        (101, "not between 0 and 100"),
        ("9" * 400, "not between 0 and 100"),
        ("7/10", "not out of 100"),
        ("10-20/100", "a range"),
        ("10–20%", "a range"),
        ("10 to 20", "a range"),
        (float("nan"), "has no number"),
    ],
)
def test_severity_is_refused_with_the_reason(value: str | int | float, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        parse_severity(value)


@given(st.integers(min_value=0, max_value=99))
def test_words_follow_the_scale(severity: int) -> None:
    # 0 is the worst: the words never get worse as the number grows.
    order = ["extremely unnatural", "clearly unnatural", "noticeably unnatural", "mildly unnatural"]
    order += ["barely noticeable", "realistic"]

    assert order.index(describe_severity(severity)) <= order.index(describe_severity(severity + 1))
