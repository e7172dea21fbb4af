"""What a review holds in memory, and how it keeps up with the store."""

import itertools
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from anomagent.errors import StoreError, UsageError
from anomagent.review import classifier, queue
from anomagent.review.queue import RELOAD_SECONDS, Filters, Queue, Rules
from anomagent.state.reviews import Answer
from anomagent.store import Workspace, save_analysis
from anomagent.store.reviews import append_answers
from tests.review.reviewing import ALL, Clock, answer, fill_twelve, load, take, take_all
from tests.store.helpers import result
from tests.store.test_analyses import ready
from tests.store.test_candidates import anomaly


@pytest.fixture
def workspace(twelve: Workspace) -> Workspace:
    return twelve


def test_what_a_candidate_is(workspace: Workspace) -> None:
    queue = load(workspace)
    found = queue.get(5)
    assert found is not None
    assert (found.id, found.image, found.width, found.height, found.position) == (5, "1.png", 4, 4, 1)
    assert (found.severity, found.kind, found.source) == (11, "anatomy", "dalle")
    assert queue.get(99) is None
    assert queue.sources() == ["dalle", "flux"]


def test_undo_brings_it_back_to_who_had_it(workspace: Workspace) -> None:
    queue = load(workspace)
    first = take(queue, "ada", "REJECT")
    assert first is not None
    assert take(queue, "ada") is not None
    assert queue.standing("ada", first) is not None
    answer(queue, "ada", first, "WITHDRAWN")
    assert queue.standing("ada", first) is None
    assert queue.progress("ada")["mine"] == {"answered": 1, "accept": 1, "reject": 0, "unsure": 0, "left": 11}
    candidate = queue.get(first)
    assert candidate is not None
    assert queue.next("ben", Filters(severity_min=candidate.severity, severity_max=candidate.severity)) is None
    assert queue.next("ada", ALL) == candidate


def test_a_later_answer_of_the_same_person_counts(workspace: Workspace) -> None:
    queue = load(workspace)
    answer(queue, "ada", 1)
    answer(queue, "ada", 1, "REJECT")
    progress = queue.progress("ada")
    assert progress["mine"] == {"answered": 1, "accept": 0, "reject": 1, "unsure": 0, "left": 11}


def test_an_answer_that_is_sent_twice_is_one(workspace: Workspace) -> None:
    queue = load(workspace)
    once = Answer(id="the-same-id", anomaly=1, annotator="ada", verdict="ACCEPT")
    assert queue.answer(once).stored is True
    assert queue.answer(once).stored is False
    assert queue.progress("ada")["mine"]["accept"] == 1


def test_an_answer_about_something_else_is_refused(workspace: Workspace) -> None:
    with pytest.raises(UsageError, match="there is no candidate 99"):
        answer(load(workspace), "ada", 99)


def test_another_server_sees_the_same(workspace: Workspace) -> None:
    one, other = load(workspace), load(workspace)
    first = take(one, "ada")
    other.refresh()
    assert one.progress("ada") == other.progress("ada")
    assert other.progress("ada")["mine"]["answered"] == 1
    assert first not in take_all(other, "ben")
    answer(other, "ada", 3, "UNSURE")
    one.refresh()
    one.refresh()
    assert one.progress("ada") == other.progress("ada") == load(workspace).progress("ada")


def test_answers_of_other_reviews_do_not_count(workspace: Workspace) -> None:
    with workspace.reading() as connection:
        [run] = connection.execute("SELECT run_id FROM analyses WHERE image = '0.png'").fetchone()
    append_answers(workspace, [Answer(id="elsewhere", anomaly=12, annotator="ada", verdict="ACCEPT")])
    queue = Queue.load(workspace, run, Rules())
    assert queue.progress("ada")["all"]["people"] == 0
    assert sorted(take_all(queue, "ada")) == [1, 2, 3]


def test_an_empty_review(tmp_path: Path) -> None:
    workspace = Workspace.open(tmp_path)
    run, sha256 = ready(workspace)
    save_analysis(workspace, run, result(sha256, anomalies=[]))
    queue = load(workspace, overlap=0.5, adjudicators=("judge",))
    assert queue.next("ada", Filters(kind="text")) is None
    assert queue.upcoming("ada", ALL, {1}) == []
    assert queue.progress("ada")["all"]["candidates"] == 0


def test_many_kinds_are_read_in_the_background(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    with workspace.writing() as connection:
        connection.execute("DELETE FROM anomaly_kinds")
    monkeypatch.setattr(classifier, "AT_ONCE", 5)
    monkeypatch.setattr(queue, "_PATIENCE", 60.0)
    filtered = load(workspace)
    assert sorted(take_all(filtered, "ada", filters=Filters(kind="anatomy"))) == [2, 5, 8, 11]
    with workspace.reading() as connection:
        assert connection.execute("SELECT count(*) FROM anomaly_kinds").fetchone() == (12,)


def test_threads_answer_everything_once(workspace: Workspace) -> None:
    queue = load(workspace)
    with ThreadPoolExecutor(4) as pool:
        taken = list(pool.map(lambda name: take_all(queue, name), ["ada", "ben", "cleo", "dan"]))
    everything = sorted(itertools.chain(*taken))
    left = take_all(queue, "eve")  # what was with somebody else when the others looked
    assert sorted(everything + left) == list(range(1, 13))


def again(workspace: Workspace, number: int, severity: int = 50) -> None:
    """Analyse an image a second time: its candidates are others from now on."""
    run, sha256 = ready(workspace, number, f"{number}.png")
    save_analysis(workspace, run, result(sha256, f"{number}.png", anomalies=[anomaly("Late", severity)]))


@pytest.fixture
def own(tmp_path: Path) -> Workspace:
    """Two images whose analyses a test may replace."""
    workspace = Workspace.open(tmp_path)
    fill_twelve(workspace, images=2)
    return workspace


def test_what_is_analysed_meanwhile_replaces_what_was_there(own: Workspace) -> None:
    clock = Clock()
    queue = load(own, clock)
    first = take(queue, "ada") or 0
    number = (first - 1) // 3
    skipped = queue.next("ada", ALL)
    assert skipped is not None
    assert queue.next("ada", ALL, skipped.id) is not None
    again(own, 1 - number)
    queue.refresh()
    queue.settle()
    assert queue.size == 4
    assert queue.progress("ada")["mine"] == {"answered": 1, "accept": 1, "reject": 0, "unsure": 0, "left": 3}
    assert take_all(queue, "ben") == [7]  # the others are with ada still, and what she skipped comes last
    assert take_all(queue, "ada") == [first + 2, first + 1]
    again(own, number)
    queue.refresh()
    queue.settle()
    assert queue.size == 4  # not so soon
    clock.now += RELOAD_SECONDS
    queue.refresh()
    queue.settle()
    assert queue.size == 2


def test_answers_to_what_is_gone_are_kept(own: Workspace) -> None:
    queue = load(own)
    again(own, 0)
    queue.refresh()
    queue.settle()
    assert answer(queue, "ada", 1, "REJECT") is True
    gone = queue.get(1)
    assert gone is not None
    assert (gone.id, gone.image, gone.severity, gone.source) == (1, "0.png", 0, "flux")
    standing = queue.standing("ada", 1)
    assert standing is not None
    assert standing.verdict == "REJECT"
    assert queue.progress("ada")["mine"]["answered"] == 0
    assert answer(queue, "ada", 1, "WITHDRAWN") is True


def test_candidates_that_cannot_be_read_again_stay(own: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    queue = load(own)
    again(own, 0)
    monkeypatch.setattr("anomagent.review.queue.read_candidates", unreadable)
    queue.refresh()
    queue.settle()
    assert queue.size == 6
    assert take(queue, "ada") is not None


def unreadable(*arguments: object, **options: object) -> None:
    raise StoreError("the disk is gone")


@pytest.mark.parametrize(
    ("name", "known"),
    [("ada", None), ("Ada", "ada"), ("ADA", "ada"), ("JUDGE", "Judge"), ("Judge", None), ("ben", None)],
)
def test_one_person_has_one_spelling(workspace: Workspace, name: str, known: str | None) -> None:
    append_answers(workspace, [Answer(id="an-answer", anomaly=1, annotator="ada", verdict="ACCEPT")])
    assert load(workspace, adjudicators=("Judge",)).known_as(name) == known
