"""Answers of people, and what follows from them."""

import sqlite3
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from anomagent.errors import UsageError
from anomagent.review.routing import Tally
from anomagent.state.reviews import VERDICTS, Answer
from anomagent.store import Workspace, reviews, save_analysis
from anomagent.store.reviews import (
    AnswerFeed,
    Decision,
    IdTakenError,
    append_answers,
    give_answer,
    read_answers,
    read_decisions,
    read_standing,
    withdraw_answer,
)
from tests.store.helpers import result
from tests.store.test_analyses import ready

ANOMALIES = 4


@pytest.fixture
def answered(workspace: Workspace) -> Workspace:
    """A workspace with the candidates 1 to 4, without answers."""
    run, sha256 = ready(workspace)
    [anomaly] = result(sha256)["anomalies"]
    save_analysis(workspace, run, result(sha256, anomalies=[anomaly] * ANOMALIES))
    return workspace


def answer(number: int, anomaly: int = 1, annotator: str = "ada", verdict: str = "ACCEPT", **more: Any) -> Answer:
    about = {"id": f"answer-{number:04}", "anomaly": anomaly, "annotator": annotator, "verdict": verdict}
    return Answer.model_validate({**about, **more})


def decisions(workspace: Workspace, anomalies: list[int] | None = None) -> dict[int, Decision]:
    with workspace.reading() as connection:
        return read_decisions(connection, anomalies)


def test_an_answer_is_read_back_as_it_was_given(answered: Workspace) -> None:
    about = {"reason": "trivial", "note": "sehr klein\n<b>", "seconds": 2.5, "created": "2026-01-02T03:04:05.000Z"}
    given = answer(1, 2, "Ada Ö.", "REJECT", capacity="adjudicator", **about)
    assert append_answers(answered, [given]) == 1
    assert read_answers(answered) == [(1, given)]
    assert read_standing(answered, "Ada Ö.", 2) == given
    assert AnswerFeed(answered).read() == [(1, 2, "Ada Ö.", "REJECT", "adjudicator")]


def test_the_store_notes_when_an_answer_came(answered: Workspace) -> None:
    append_answers(answered, [answer(1)])
    [(_, read)] = read_answers(answered)
    assert read.created is not None
    assert read.created.endswith("Z")


def test_an_answer_that_is_sent_again_is_no_second_one(answered: Workspace) -> None:
    assert append_answers(answered, [answer(1), answer(2)]) == 2
    assert append_answers(answered, [answer(2), answer(3), answer(1, verdict="REJECT")]) == 1
    assert [(row, read.id, read.verdict) for row, read in read_answers(answered)] == [
        (1, "answer-0001", "ACCEPT"),
        (2, "answer-0002", "ACCEPT"),
        (3, "answer-0003", "ACCEPT"),
    ]


def test_answers_behind_a_row(answered: Workspace) -> None:
    append_answers(answered, [answer(number) for number in range(5)])
    assert [row for row, _ in read_answers(answered, after=3)] == [4, 5]


def test_a_feed_sees_what_others_append_and_a_write_does_not_empty_the_log(answered: Workspace) -> None:
    feed = AnswerFeed(answered)
    append_answers(answered, [answer(number) for number in range(4)])
    assert [given.row for given in feed.read(after=3)] == [4]
    append_answers(answered, [answer(4)])
    assert [given.row for given in feed.read(after=3)] == [4, 5]
    assert feed.read(after=5) == []
    log = answered.database_path.with_name("anomagent.db-wal")
    assert log.stat().st_size > 0
    del feed
    assert len(read_answers(answered)) == 5
    assert not log.exists()  # the last one that closed put it away


@pytest.mark.parametrize("anomaly", [0, -1, ANOMALIES + 1, 10**30])
def test_about_no_candidate_nothing_is_said_and_nothing_else_either(answered: Workspace, anomaly: int) -> None:
    with pytest.raises(UsageError, match=f"there is no candidate {anomaly};"):
        append_answers(answered, [answer(1), answer(2, anomaly)])
    assert read_answers(answered) == []


@pytest.mark.filterwarnings("ignore:Pydantic serializer warnings")
def test_the_schema_refuses_what_is_no_answer(answered: Workspace) -> None:
    broken = answer(1).model_copy(update={"verdict": "MAYBE"})
    with pytest.raises(sqlite3.IntegrityError, match="CHECK"):
        append_answers(answered, [broken])
    assert read_answers(answered) == []


def test_the_newest_of_a_person_stands_until_it_is_withdrawn(answered: Workspace) -> None:
    first, second, other = answer(1), answer(2, verdict="UNSURE"), answer(3, annotator="ben", verdict="REJECT")
    append_answers(answered, [first, second, other])
    standing = read_standing(answered, "ada", 1)
    assert standing is not None
    assert (standing.id, standing.verdict) == ("answer-0002", "UNSURE")

    append_answers(answered, [answer(4, verdict="WITHDRAWN")])
    assert read_standing(answered, "ada", 1) is None  # not the one before it
    assert decisions(answered) == {1: Decision("REJECT", 0, 1, 0, None)}

    append_answers(answered, [answer(5)])
    assert decisions(answered) == {1: Decision("UNSURE", 1, 1, 0, None)}


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("a", Decision("ACCEPT", 1, 0, 0, None)),
        ("ar", Decision("UNSURE", 1, 1, 0, None)),
        ("aar", Decision("ACCEPT", 2, 1, 0, None)),
        ("u", Decision("UNSURE", 0, 0, 1, None)),
        ("uur", Decision("REJECT", 0, 1, 2, None)),
        ("arA", Decision("ACCEPT", 1, 1, 0, "ACCEPT")),
        ("aaR", Decision("REJECT", 2, 0, 0, "REJECT")),
        ("aU", Decision("UNSURE", 1, 0, 0, "UNSURE")),
        ("AR", Decision("REJECT", 0, 0, 0, "REJECT")),
    ],
)
def test_what_follows(answered: Workspace, said: str, expected: Decision) -> None:
    """Small letters are annotators' answers, capitals adjudicators'; each by another person."""
    verdicts = {verdict[0]: verdict for verdict in VERDICTS}
    append_answers(
        answered,
        [
            answer(
                number,
                1,
                f"p{number}",
                verdicts[letter.upper()],
                capacity="adjudicator" if letter.isupper() else "annotator",
            )
            for number, letter in enumerate(said)
        ],
    )
    assert decisions(answered) == {1: expected}


EARLY, LATE, LATEST = (f"2026-01-02T03:04:0{second}.000Z" for second in (1, 2, 3))


def verdicts(workspace: Workspace) -> list[str]:
    return [read.verdict for _, read in read_answers(workspace)]


def test_an_answer_that_comes_late_does_not_count_and_is_not_lost(answered: Workspace) -> None:
    newer, late = answer(1, verdict="REJECT", note="why", created=LATE), answer(2, created=EARLY)
    give_answer(answered, newer)
    assert give_answer(answered, late, aged=True) == (True, newer)
    assert give_answer(answered, late, aged=True).stored is False
    assert verdicts(answered) == ["REJECT", "ACCEPT", "REJECT"]
    standing = read_standing(answered, "ada", 1)
    assert standing is not None
    assert standing.model_copy(update={"id": newer.id}) == newer
    # One that is no older is the newest, and an online one always is.
    give_answer(answered, answer(3, verdict="UNSURE", created=LATEST), aged=True)
    give_answer(answered, answer(4, created=EARLY))
    assert verdicts(answered)[3:] == ["UNSURE", "ACCEPT"]


def test_a_late_answer_does_not_revive_what_was_withdrawn(answered: Workspace) -> None:
    append_answers(answered, [answer(1, created=EARLY), answer(2, verdict="WITHDRAWN", created=LATEST)])
    give_answer(answered, answer(3, created=LATE), aged=True)
    assert verdicts(answered)[2:] == ["ACCEPT", "WITHDRAWN"]
    assert read_standing(answered, "ada", 1) is None


def test_an_undo_withdraws_what_it_names_and_nothing_else(answered: Workspace) -> None:
    append_answers(answered, [answer(1, created=EARLY), answer(2, verdict="REJECT", created=LATE)])
    undo = answer(3, verdict="WITHDRAWN", created=LATEST)
    stored, before = withdraw_answer(answered, undo, "answer-0001")
    assert (stored, before and before.id) == (False, "answer-0002")
    assert withdraw_answer(answered, undo, "unknown-id").stored is False
    assert verdicts(answered) == ["ACCEPT", "REJECT"]
    # Named, it was given after what it names, also by a clock that is slow.
    slow = undo.model_copy(update={"created": EARLY})
    for expected in (True, False):
        stored, before = withdraw_answer(answered, slow, "answer-0002", aged=True)
        assert (stored, before and before.id) == (expected, "answer-0002")
    assert read_standing(answered, "ada", 1) is None
    stored, before = withdraw_answer(answered, answer(4, verdict="WITHDRAWN"), "answer-0002")
    assert (stored, before and before.id) == (False, "answer-0002")
    assert withdraw_answer(answered, answer(5, verdict="WITHDRAWN")) == (False, None)


def test_an_undo_finds_its_answer_behind_a_late_one(answered: Workspace) -> None:
    give_answer(answered, answer(1, verdict="REJECT", created=LATE))
    give_answer(answered, answer(2, created=EARLY), aged=True)
    assert withdraw_answer(answered, answer(3, verdict="WITHDRAWN"), "answer-0001").stored is True
    assert read_standing(answered, "ada", 1) is None


def test_a_late_undo_of_whatever_stands_leaves_what_was_said_since(answered: Workspace) -> None:
    give_answer(answered, answer(1, verdict="REJECT", created=LATE))
    withdraw_answer(answered, answer(2, verdict="WITHDRAWN", created=EARLY), aged=True)
    assert verdicts(answered) == ["REJECT", "WITHDRAWN", "REJECT"]


@pytest.mark.parametrize("other", [{"annotator": "ben"}, {"anomaly": 2}, {"verdict": "REJECT"}])
def test_an_id_belongs_to_one_answer(answered: Workspace, other: dict[str, Any]) -> None:
    give_answer(answered, answer(1))
    with pytest.raises(IdTakenError, match="the id answer-0001 belongs to another answer"):
        give_answer(answered, answer(1, **other))
    with pytest.raises(IdTakenError):
        withdraw_answer(answered, answer(1, verdict="WITHDRAWN"))
    assert verdicts(answered) == ["ACCEPT"]


WHEN = st.lists(st.integers(0, 9), min_size=1, max_size=8)


@settings(deadline=None, max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(moments=WHEN)
def test_in_whatever_order_answers_come_the_newest_given_counts(answered: Workspace, moments: list[int]) -> None:
    with answered.writing() as connection:
        connection.execute("DELETE FROM reviews")
    for number, second in enumerate(moments):
        created = f"2026-01-02T03:04:0{second}.000Z"
        give_answer(answered, answer(number, created=created, note=f"{second}"), aged=True)
    standing = read_standing(answered, "ada", 1)
    assert standing is not None
    assert standing.note == f"{max(moments)}"
    assert {f"answer-{number:04}" for number in range(len(moments))} <= {read.id for _, read in read_answers(answered)}


def test_where_the_tables_are(answered: Workspace) -> None:
    feed = AnswerFeed(answered)
    before = feed.mark()
    assert before == (1, ANOMALIES, 0)
    append_answers(answered, [answer(1)])
    assert feed.mark() == before
    run, sha256 = ready(answered, 1, "other.png")
    save_analysis(answered, run, result(sha256, "other.png"))
    assert feed.mark() == (2, ANOMALIES + 1, 0)


GIVEN = st.tuples(
    st.integers(1, ANOMALIES),
    st.sampled_from(["ada", "ben", "cleo"]),
    st.sampled_from([*VERDICTS, "WITHDRAWN"]),
    st.sampled_from(["annotator", "adjudicator"]),
)


@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(said=st.lists(GIVEN, max_size=25))
def test_the_view_and_the_rule_agree(answered: Workspace, said: list[tuple[int, str, str, str]]) -> None:
    with answered.writing() as connection:
        connection.execute("DELETE FROM reviews")
    append_answers(
        answered, [answer(number, *three, capacity=capacity) for number, (*three, capacity) in enumerate(said)]
    )
    standing: dict[tuple[int, str], tuple[str, str]] = {}
    for anomaly, annotator, verdict, capacity in said:
        standing.pop((anomaly, annotator), None)
        if verdict != "WITHDRAWN":
            standing[anomaly, annotator] = verdict, capacity
    expected: dict[int, tuple[Any, ...]] = {}
    for anomaly in range(1, ANOMALIES + 1):
        here = [given for (about, _), given in standing.items() if about == anomaly]
        counts = [here.count((verdict, "annotator")) for verdict in VERDICTS]
        adjudicated = [verdict for verdict, capacity in here if capacity == "adjudicator"]
        counted = Tally(*counts, adjudicated[-1] if adjudicated else None)  # type: ignore[arg-type]
        if here:
            expected[anomaly] = (counted.verdict, *counted)
    assert decisions(answered) == expected
    assert decisions(answered, [1, 3, 99]) == {key: found for key, found in expected.items() if key in (1, 3)}


def test_many_are_read_at_once_and_few_one_by_one(answered: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    append_answers(answered, [answer(number, number) for number in range(1, ANOMALIES + 1)])
    few = decisions(answered, [2, 4])
    monkeypatch.setattr(reviews, "_LOOKED_UP", 1)
    assert decisions(answered, [2, 4]) == few == {each: Decision("ACCEPT", 1, 0, 0, None) for each in (2, 4)}


def test_a_few_are_found_without_reading_all(answered: Workspace) -> None:
    with answered.reading() as connection:
        plan = connection.execute("EXPLAIN QUERY PLAN SELECT * FROM decisions WHERE anomaly_id = 1").fetchall()
        whole = connection.execute("EXPLAIN QUERY PLAN SELECT * FROM decisions").fetchall()
    steps = [row[3] for row in plan]
    assert any("USING INDEX reviews_by_anomaly (anomaly_id=?)" in step for step in steps)
    assert not any(step.startswith("SCAN r") for step in steps)
    # Of all: one pass, and for each row a look into the index; nothing is read again for each candidate.
    assert sum("SCAN r" in row[3] for row in whole) == 1
