import json
from typing import Any

import pytest

from anomagent.errors import UsageError
from anomagent.review.agreement import agreement_report
from anomagent.state.reviews import Answer
from anomagent.store import Workspace
from anomagent.store.reviews import append_answers

LETTERS: dict[str, Any] = {"A": "ACCEPT", "R": "REJECT", "U": "UNSURE", "W": "WITHDRAWN"}


def answer(workspace: Workspace, person: str, letters: str, **more: Any) -> None:
    """Answers of a person about candidates 1, 2, ...: A, R, U, W (withdrawn) or - for none."""
    append_answers(
        workspace,
        [
            Answer(
                id=f"answer-{person}-{number}-{letter}",
                anomaly=number,
                annotator=person,
                verdict=LETTERS[letter],
                **more,
            )
            for number, letter in enumerate(letters, start=1)
            if letter != "-"
        ],
    )


def value(figures: dict[str, Any], name: str) -> float | None:
    return figures[name]["value"]


@pytest.fixture
def answered(workspace: Workspace) -> Workspace:
    """Three people about six candidates of two images."""
    answer(workspace, "Ann", "AARRU-", seconds=10)
    answer(workspace, "Bob", "AAARU-", seconds=20)
    answer(workspace, "Cy", "A--R-A")
    return workspace


def test_all_and_pairs_by_hand(answered: Workspace) -> None:
    report = agreement_report(answered, resamples=100)
    # Candidates 1 and 4: all of three agree. 2 and 5: both agree. 3: A against R. 6 has one answer.
    whole = report["all"]
    assert (whole["items"], whole["shared"], whole["ratings"], whole["missing"]) == (6, 5, 13, 5)
    assert value(whole, "raw") == pytest.approx(4 / 5)
    assert whole["raw"]["interval"] is None
    assert whole["raw"]["reason"] == "2 images with two answers: too few for an interval, which needs 10"
    assert "of two annotators, and 3 answered" in whole["cohen"]["reason"]
    # Ann and Bob: 4 of 5. Shares A 2/5 and 3/5, R 2/5 and 1/5, U 1/5 each: expected (6 + 2 + 1) / 25 = 9/25.
    # kappa (20/25 - 9/25) / (16/25) = 11/16.
    pairs = {(pair["first"], pair["second"]): pair for pair in report["pairs"]}
    assert value(pairs["Ann", "Bob"], "cohen") == pytest.approx(11 / 16)
    assert (pairs["Ann", "Cy"]["items"], pairs["Ann", "Cy"]["missing"]) == (2, 4)
    # Both together: A 5/10, R 3/10, U 2/10: expected (25 + 9 + 4) / 100. kappa (0.8 - 0.38) / 0.62.
    assert value(pairs["Ann", "Bob"], "fleiss") == pytest.approx(0.42 / 0.62)
    groups = [whole, *report["pairs"], *report["by_kind"], *report["by_source"]]
    assert all({"raw", "cohen", "fleiss", "alpha", "ac1"} <= set(group) for group in groups)
    assert report["pairs_without_shared"] == 0
    assert json.loads(json.dumps(report)) == report


def test_binary_takes_unsure_for_missing(answered: Workspace) -> None:
    whole = agreement_report(answered, binary=True, resamples=100)["all"]
    # Candidate 5 has only UNSURE: it is gone. Of 1 to 4 three agree.
    assert (whole["items"], whole["shared"]) == (5, 4)
    assert value(whole, "raw") == pytest.approx(3 / 4)


def test_only_standing_answers_count(answered: Workspace) -> None:
    answer(answered, "Bob", "W-R")  # the first withdrawn, the third corrected
    report = agreement_report(answered, resamples=100)
    bob = next(one for one in report["annotators"] if one["annotator"] == "Bob")
    assert (bob["answers"], bob["accept"], bob["reject"], bob["unsure"]) == (4, 1, 2, 1)
    assert value(report["all"], "raw") == 1


def test_who_did_how_much_how_fast_and_with_whom(answered: Workspace) -> None:
    append_answers(answered, [Answer(id="long-look", anomaly=6, annotator="Ann", verdict="REJECT", seconds=5_000)])
    ann, bob, cy = agreement_report(answered, resamples=100)["annotators"]
    # Ann: five answers of 10 s, and one that counts 300 s: 6 in 350 s are 61.7 an hour.
    assert (ann["answers"], ann["longer_looks"], ann["median_seconds"]) == (6, 1, 10)
    assert ann["items_per_hour"] == pytest.approx(6 * 3600 / 350)
    assert ann["accept_share"] == pytest.approx(2 / 6)
    assert bob["items_per_hour"] == pytest.approx(180)
    assert (cy["timed"], cy["median_seconds"], cy["items_per_hour"]) == (0, None, None)
    # The others decide 1, 2, 3 (Bob alone: A), 4 and 6 (Cy alone: A); 5 is undecided. Ann is with them in 1, 2 and 4.
    assert ann["with_others"] == {"items": 5, "share": 3 / 5}
    assert ann["with_adjudicators"] == {"items": 0, "share": None}


def test_adjudicators_stand_apart(answered: Workspace) -> None:
    answer(answered, "Ada", "R-R", capacity="adjudicator", seconds=5)
    before = agreement_report(answered, resamples=100)
    assert [one["annotator"] for one in before["annotators"]] == ["Ann", "Bob", "Cy"]
    assert before["all"]["ratings"] == 13
    (ada,) = before["adjudicators"]
    # About 1 the annotators say A, about 3 they are undecided.
    assert (ada["answers"], ada["with_annotators"]) == (2, {"items": 1, "share": 0})
    # Ann said A and R where Ada said R and R.
    assert before["annotators"][0]["with_adjudicators"] == {"items": 2, "share": 0.5}


def test_adjudicators_alone_leave_nothing_to_agree(workspace: Workspace) -> None:
    answer(workspace, "Ada", "AR", capacity="adjudicator")
    report = agreement_report(workspace, resamples=100)
    assert report["all"]["fleiss"] == {"value": None, "interval": None, "reason": "nobody answered"}
    assert (report["annotators"], report["pairs"]) == ([], [])


def test_by_kind_and_source(answered: Workspace) -> None:
    with answered.writing() as connection:
        (first,) = connection.execute(
            "SELECT sha256 FROM analyses a JOIN anomalies n ON a.id = n.analysis_id WHERE n.id = 1"
        ).fetchone()
        query = "INSERT INTO sources (sha256, name, source, created) VALUES (?, 'folder/0.png', 'sora', '2026')"
        connection.execute(query, [first])
    report = agreement_report(answered, resamples=100)
    # Candidates 1 to 3 are of the first image: of three, two agree. 4 to 6: two shared, both agree.
    assert [(row["source"], row["shared"]) for row in report["by_source"]] == [("sora", 3), (None, 2)]
    assert value(report["by_source"][0], "raw") == pytest.approx(2 / 3)
    assert sum(row["items"] for row in report["by_kind"]) == 6
    assert all(row["title"] for row in report["by_kind"])


def test_nobody_answered(workspace: Workspace) -> None:
    with pytest.raises(UsageError, match="nobody has answered yet"):
        agreement_report(workspace)


def test_people_without_a_candidate_in_common_are_counted(workspace: Workspace) -> None:
    answer(workspace, "Ann", "AA")
    answer(workspace, "Bob", "--AA")
    report = agreement_report(workspace, resamples=100)
    assert (report["pairs"], report["pairs_without_shared"]) == ([], 1)
    assert report["all"]["alpha"]["reason"] == "no items with two answers: 2 are needed"
