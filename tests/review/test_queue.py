"""Which candidate comes next, and for whom."""

import itertools
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anomagent.benchmark.kinds import KINDS
from anomagent.errors import UsageError
from anomagent.review import classifier, queue
from anomagent.review.bits import bits_of, first_from, span
from anomagent.review.queue import LEASE_SECONDS, Filters, Queue, Rules
from anomagent.review.shelf import Shelf
from anomagent.review.votes import Votes
from anomagent.state.reviews import VERDICTS, Answer
from anomagent.store import Workspace, save_analysis
from anomagent.store.candidates import CandidateImage, CandidateTable
from anomagent.store.reviews import Given, append_answers, read_decisions
from tests.store.helpers import result
from tests.store.test_analyses import ready
from tests.store.test_candidates import anomaly, note_sources

ALL = Filters()
SOURCES = ("flux", "dalle")
NAMES = ("Floating chair", "Six fingers", "Odd thing")
IMAGES = 4


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """4 images with 3 candidates each; each image has its own severities: 0, 1, 2, then 10, 11, 12 and so on."""
    workspace = Workspace.open(tmp_path_factory.mktemp("queue"))
    for number in range(IMAGES):
        run, sha256 = ready(workspace, number, f"{number}.png")
        anomalies = [anomaly(name, 10 * number + place) for place, name in enumerate(NAMES)]
        save_analysis(workspace, run, result(sha256, f"{number}.png", anomalies=anomalies))
        note_sources(workspace, (sha256, f"{number}.png", SOURCES[number % 2]))
    return workspace


@pytest.fixture
def workspace(made: Workspace) -> Iterator[Workspace]:
    """The same workspace for all tests, each time without answers."""
    yield made
    with made.writing() as connection:
        connection.execute("DELETE FROM reviews")


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


_numbers = itertools.count()


def answer(queue: Queue, annotator: str, id: int, verdict: str = "ACCEPT", **more: Any) -> bool:
    about = {"id": f"answer-{next(_numbers)}", "anomaly": id, "annotator": annotator, "verdict": verdict}
    return queue.answer(Answer.model_validate({**about, "capacity": queue.capacity(annotator), **more}))


def take(queue: Queue, annotator: str, verdict: str = "ACCEPT", filters: Filters = ALL) -> int | None:
    """Answer the next candidate."""
    found = queue.next(annotator, filters)
    if found is not None:
        assert answer(queue, annotator, found.id, verdict)
    return found and found.id


def take_all(queue: Queue, annotator: str, verdict: str = "ACCEPT", filters: Filters = ALL) -> list[int]:
    found: list[int] = []
    while (id := take(queue, annotator, verdict, filters)) is not None:
        found.append(id)
    return found


def image_of(queue: Queue, id: int) -> str:
    candidate = queue.get(id)
    assert candidate is not None
    return candidate.image


def load(workspace: Workspace, clock: Clock | None = None, **rules: Any) -> Queue:
    return Queue.load(workspace, None, Rules(**rules), clock=clock or Clock())


def test_one_person_gets_everything_once_and_image_by_image(workspace: Workspace) -> None:
    queue = load(workspace)
    ids = take_all(queue, "ada")
    assert sorted(ids) == list(range(1, 13))
    images = [image_of(queue, id) for id in ids]
    assert [len(list(group)) for _, group in itertools.groupby(images)] == [3] * IMAGES
    assert queue.progress("ada") == {
        "mine": {"answered": 12, "accept": 12, "reject": 0, "unsure": 0, "left": 0},
        "all": {"candidates": 12, "decided": 12, "open": 0, "accept": 12, "reject": 0, "unsure": 0, "people": 1},
    }


def test_what_a_candidate_is(workspace: Workspace) -> None:
    queue = load(workspace)
    found = queue.get(5)
    assert found is not None
    assert (found.id, found.image, found.width, found.height, found.position) == (5, "1.png", 4, 4, 1)
    assert (found.severity, found.kind, found.source) == (11, "anatomy", "dalle")
    assert queue.get(99) is None
    assert queue.sources() == ["dalle", "flux"]


def test_asking_again_gives_the_same_one(workspace: Workspace) -> None:
    queue = load(workspace)
    assert queue.next("ada", ALL) == queue.next("ada", ALL) is not None


def test_two_people_work_on_two_images_and_meet_on_none(workspace: Workspace) -> None:
    queue = load(workspace)
    seen: dict[str, list[int]] = {"ada": [], "ben": []}
    while True:
        ids = {name: take(queue, name) for name in seen}
        for name, id in ids.items():
            if id is not None:
                seen[name].append(id)
        if not any(ids.values()):
            break
    assert sorted(seen["ada"] + seen["ben"]) == list(range(1, 13))
    at = {name: {image_of(queue, id) for id in ids} for name, ids in seen.items()}
    assert at["ada"].isdisjoint(at["ben"])


def test_what_was_handed_out_is_kept_for_some_minutes(workspace: Workspace) -> None:
    clock = Clock()
    queue = load(workspace, clock)
    only = Filters(severity_min=21, severity_max=21)
    found = queue.next("ada", only)
    assert found is not None
    assert queue.next("ben", only) is None
    assert queue.next("ada", only) == found
    clock.now += LEASE_SECONDS + 1
    assert queue.next("ben", only) == found
    assert queue.next("ada", only) is None  # now it is his


def test_a_lease_ends_with_the_answer(workspace: Workspace) -> None:
    queue = load(workspace)
    only = Filters(severity_max=0)
    assert take(queue, "ada", "UNSURE", only) is not None  # wants a second person
    found = queue.next("ben", only)
    assert found is not None
    assert queue.next("cleo", only) is None
    answer(queue, "ben", found.id, "UNSURE")
    assert queue.next("cleo", only) == found


def test_what_wants_two_people_is_handed_to_two_at_once(workspace: Workspace) -> None:
    queue = load(workspace, overlap=1.0, people=2)
    only = Filters(severity_max=0)
    assert queue.next("ada", only) == queue.next("ben", only) is not None
    assert queue.next("cleo", only) is None


def test_nobody_can_keep_everything_from_the_others_by_skipping(workspace: Workspace) -> None:
    queue = load(workspace)
    after = None
    for _ in range(12):
        found = queue.next("ada", ALL, after)
        after = found and found.id
    ids = take_all(queue, "ben")
    assert len(ids) == 12 - 4  # what she saw last is hers for some minutes


def test_what_was_skipped_comes_last_and_never_at_once(workspace: Workspace) -> None:
    queue = load(workspace)
    first = queue.next("ada", ALL)
    assert first is not None
    second = queue.next("ada", ALL, first.id)
    assert second is not None
    assert second.image == first.image
    assert second.id != first.id
    answer(queue, "ada", second.id)
    ids = take_all(queue, "ada")
    assert ids[-1] == first.id
    assert len(ids) == 11


def test_skipping_everything_goes_round(workspace: Workspace) -> None:
    queue = load(workspace)
    shown: list[int] = []
    for _ in range(24):
        found = queue.next("ada", ALL, shown[-1] if shown else None)
        assert found is not None
        shown.append(found.id)
    assert set(shown[:12]) == set(shown[12:]) == set(range(1, 13))
    assert shown[11] != shown[12]


def test_the_last_one_is_not_given_again_at_once(workspace: Workspace) -> None:
    queue = load(workspace)
    only = Filters(severity_max=0)
    found = queue.next("ada", only)
    assert found is not None
    assert queue.next("ada", only, found.id) is None
    assert queue.next("ada", only) == found
    assert queue.next("ada", only, 999) == found  # an unknown one changes nothing


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
    assert (progress["all"]["accept"], progress["all"]["reject"]) == (0, 1)


def test_an_answer_that_is_sent_twice_is_one(workspace: Workspace) -> None:
    queue = load(workspace)
    once = Answer(id="the-same-id", anomaly=1, annotator="ada", verdict="ACCEPT")
    assert queue.answer(once) is True
    assert queue.answer(once) is False
    assert queue.answer(once.model_copy(update={"verdict": "REJECT"})) is False
    assert queue.progress("ada")["mine"]["accept"] == 1


def test_an_answer_about_something_else_is_refused(workspace: Workspace) -> None:
    with pytest.raises(UsageError, match="candidate 99 is not part of this review"):
        answer(load(workspace), "ada", 99)


def test_disagreement_and_doubt_go_to_a_third_person(workspace: Workspace) -> None:
    queue = load(workspace)
    answer(queue, "ada", 1)
    answer(queue, "ben", 1, "REJECT")
    answer(queue, "ada", 2, "UNSURE")
    unsure = Filters(unsure=True)
    assert queue.next("ada", unsure) is None  # she said all she can
    assert take_all(queue, "ben", "ACCEPT", unsure) == [2]
    assert take_all(queue, "cleo", "REJECT", unsure) == [1]
    assert queue.next("dan", unsure) is None
    assert queue.progress("dan")["all"] | {"people": 0} == {
        "candidates": 12,
        "decided": 2,
        "open": 10,
        "accept": 1,
        "reject": 1,
        "unsure": 0,
        "people": 0,
    }


def test_adjudicators_get_what_annotators_cannot_decide_and_nothing_else(workspace: Workspace) -> None:
    queue = load(workspace, adjudicators=("judge",))
    assert queue.capacity("judge") == "adjudicator"
    assert queue.next("judge", ALL) is None
    answer(queue, "ada", 1)
    answer(queue, "ben", 1, "REJECT")
    answer(queue, "ada", 2, "UNSURE")
    assert queue.progress("judge")["mine"]["left"] == 1
    assert 1 not in take_all(queue, "cleo", "UNSURE")  # a dispute is for the judge; 2 was for a second person
    assert queue.progress("judge")["mine"]["left"] == 2
    assert take_all(queue, "judge", "UNSURE") == [1, 2]
    assert queue.progress("judge")["mine"] == {"answered": 2, "accept": 0, "reject": 0, "unsure": 2, "left": 0}
    assert queue.next("dan", Filters(severity_max=1)) is None
    answer(queue, "judge", 1, "WITHDRAWN")
    assert take_all(queue, "judge") == [1]


def test_filters(workspace: Workspace) -> None:
    queue = load(workspace)

    def matching(**filters: Any) -> list[int]:
        return sorted(each.id for each in queue.upcoming("ada", Filters(**filters), set(), count=99))

    assert matching() == list(range(1, 13))
    assert matching(source="flux") == [1, 2, 3, 7, 8, 9]
    assert matching(source="nobody") == []
    assert matching(severity_min=11, severity_max=20) == [5, 6, 7]
    assert matching(severity_min=60, severity_max=40) == []
    assert matching(severity_max=0) == [1]
    assert matching(kind="anatomy") == [2, 5, 8, 11]
    assert matching(kind="anatomy", source="dalle", severity_min=12) == [11]
    assert matching(unsure=True) == []


def test_what_comes_next_is_told_before_and_not_kept(workspace: Workspace) -> None:
    queue = load(workspace)
    now = queue.next("ada", ALL)
    assert now is not None
    told = [each.id for each in queue.upcoming("ada", ALL, {now.id})]
    answer(queue, "ada", now.id)
    assert take_all(queue, "ada")[:3] == told
    assert queue.upcoming("ada", ALL, set()) == []


def test_the_filters_of_one_do_not_keep_others_away(workspace: Workspace) -> None:
    queue = load(workspace)
    queue.upcoming("ada", ALL, set(), count=12)
    assert len(take_all(queue, "ben")) == 12


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


def test_who_comes_back_goes_on_where_they_were(workspace: Workspace) -> None:
    before = load(workspace)
    for _ in range(4):
        take(before, "ada")
    begun = before.next("ada", ALL)
    assert begun is not None
    assert load(workspace).next("ada", ALL) == begun
    newcomer = load(workspace).next("ben", ALL)
    assert newcomer is not None
    assert newcomer.image != begun.image


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


SIZES = (3, 1, 4)
COUNT = sum(SIZES)


def shelf() -> Shelf:
    """Candidates 101 to 108 on three images, all their kinds known."""
    table = CandidateTable()
    stops = list(itertools.accumulate(SIZES))
    table.images.extend(
        CandidateImage(str(stop), f"{stop}.png", 4, 4, None, stop - size, stop)
        for size, stop in zip(SIZES, stops, strict=True)
    )
    table.ids.extend(range(101, 101 + COUNT))
    table.positions.extend([0] * COUNT)
    table.severities.extend(range(COUNT))
    table.kinds.extend([KINDS.index("text")] * COUNT)
    table.contents.extend(place << 61 for place in range(COUNT))  # the k-th eighth of all contents
    return Shelf(table)


SAID = st.lists(
    st.tuples(
        st.integers(100, 101 + COUNT),
        st.sampled_from(["ada", "ben", "judge"]),
        st.sampled_from([*VERDICTS, "WITHDRAWN"]),
    ),
    max_size=30,
)
RULES = st.sampled_from(
    [Rules(), Rules(overlap=0.5, people=2), Rules(adjudicators=("judge",)), Rules(1.0, 3, ("judge",))]
)


@given(said=SAID, rules=RULES, cuts=st.lists(st.integers(0, 30), max_size=4))
def test_answers_one_by_one_come_to_the_same_as_all_at_once(
    said: list[tuple[int, str, Any]], rules: Rules, cuts: list[int]
) -> None:
    rows = [Given(row, *three, rules.capacity_of(three[1])) for row, three in enumerate(said, start=1)]
    whole, parts = Votes(shelf(), rules), Votes(shelf(), rules)
    whole.take(rows)
    for cut in sorted(cuts):
        parts.take(rows[:cut])  # with those that were seen already
    parts.take(rows)
    assert (parts.people, parts.decided, parts.disputed) == (whole.people, whole.decided, whole.disputed)
    for capacity in ("annotator", "adjudicator"):
        assert parts.open_to(capacity) == whole.open_to(capacity)
        wanting = (whole.wanted(place) for place in range(COUNT))
        fitting = [place for place, each in enumerate(wanting) if each.people and each.capacity == capacity]
        assert whole.open_to(capacity) == bits_of(fitting, COUNT)
    assert not whole.open_to("annotator") & whole.open_to("adjudicator")


@settings(deadline=None, max_examples=6)
@given(data=st.data(), rules=RULES)
def test_whoever_asks_is_never_asked_twice_and_in_the_end_nothing_is_left(
    made: Workspace, data: st.DataObject, rules: Rules
) -> None:
    with made.writing() as connection:
        connection.execute("DELETE FROM reviews")
    queue = Queue.load(made, None, rules, clock=Clock())
    people = ["ada", "ben", "cleo", "judge"]
    given: set[tuple[str, int]] = set()
    idle = 0
    while idle < len(people):
        name = people[(len(given) + idle) % len(people)]
        found = queue.next(name, ALL)
        idle = 0 if found else idle + 1
        if found is not None:
            assert (name, found.id) not in given
            given.add((name, found.id))
            answer(queue, name, found.id, data.draw(st.sampled_from(VERDICTS)))
    total = queue.progress("nobody")["all"]
    with made.reading() as connection:
        verdicts = [decision.verdict for decision in read_decisions(connection).values()]
    assert [total[verdict.lower()] for verdict in VERDICTS] == [verdicts.count(verdict) for verdict in VERDICTS]
    assert len(verdicts) == 12
    if rules.adjudicators:
        assert total["open"] == 0  # the judge decides whatever two could not
    assert queue.progress("ada")["mine"]["left"] == 0


@given(positions=st.sets(st.integers(0, 99)), start=st.integers(0, 99))
def test_sets_as_numbers(positions: set[int], start: int) -> None:
    bits = bits_of(positions, 100)
    assert bits == sum(1 << position for position in positions)
    ahead = [position for position in positions if position >= start]
    assert first_from(bits, start) == (min(ahead or positions) if positions else None)
    assert span(start, 100) == bits_of(range(start, 100), 100)
