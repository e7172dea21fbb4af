"""What goes to several people: overlap, doubt and disagreement."""

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anomagent.review.queue import Filters, Queue, Rules
from anomagent.state.reviews import VERDICTS
from anomagent.store import Workspace
from anomagent.store.reviews import AnswerFeed, read_decisions
from tests.review.reviewing import ALL, Clock, answer, image_of, load, take, take_all
from tests.review.test_votes import RULES


@pytest.fixture
def workspace(twelve: Workspace) -> Workspace:
    return twelve


def test_what_wants_two_people_is_handed_to_two_at_once(workspace: Workspace) -> None:
    queue = load(workspace, overlap=1.0, people=2)
    only = Filters(severity_max=0)
    assert queue.next("ada", only) == queue.next("ben", only) is not None
    assert queue.next("cleo", only) is None


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
    assert queue.open == 10
    assert queue.progress("dan")["all"] == {"candidates": 12, "answered": 2, "people": 3}


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


def test_what_others_began_comes_first_so_that_a_review_that_stops_has_its_overlap(workspace: Workspace) -> None:
    """Halfway, all that wanted two people and was answered has both, but for what one of them is at just now."""
    queue = load(workspace, overlap=1.0, people=2)
    for _ in range(6):
        take(queue, "ada")
        take(queue, "ben")
    said = Counter(given.anomaly for given in AnswerFeed(workspace).read())
    # Each began with an image of their own (3 answers), and then went through that of the other.
    assert sorted(said.values()) == [2] * 6


def test_after_what_others_began_everybody_goes_on_where_they_were(workspace: Workspace) -> None:
    order = [each.image for each in load(workspace).upcoming("nobody", ALL, set(), 12)]
    queue = load(workspace, overlap=1.0, people=2)
    images = [image_of(queue, take(queue, "ada") or 0) for _ in range(3)]
    [here] = set(images)
    ben = [image_of(queue, take(queue, "ben") or 0) for _ in range(6)]
    # A newcomer finishes what waits for a second person, and then begins far from everybody.
    assert ben[:3] == [here] * 3
    assert (here, ben[3:]) == (order[0], [order[6]] * 3)


def test_doubt_comes_first_too(workspace: Workspace) -> None:
    queue = load(workspace)
    answer(queue, "ada", 8, "UNSURE")
    answer(queue, "ada", 1)
    assert take(queue, "ben") == 8


def test_who_answered_before_may_be_named_to_decide(workspace: Workspace) -> None:
    before = load(workspace)
    answer(before, "ada", 1)
    answer(before, "ben", 1, "REJECT")
    queue = load(workspace, adjudicators=("ada",))
    assert queue.progress("ada")["mine"]["left"] == 1
    assert take_all(queue, "ada") == [1]
    assert queue.progress("ada")["mine"]["left"] == 0
    assert queue.next("ben", Filters(severity_max=0)) is None
    with workspace.reading() as connection:
        assert read_decisions(connection)[1].adjudicated == "ACCEPT"


def test_an_adjudicator_who_is_unsure_leaves_it_to_another(workspace: Workspace) -> None:
    queue = load(workspace, adjudicators=("judge", "other"))
    answer(queue, "ada", 1)
    answer(queue, "ben", 1, "REJECT")
    assert take_all(queue, "judge", "UNSURE") == [1]
    assert take_all(queue, "other", "UNSURE") == [1]
    assert take_all(queue, "judge") == []
    assert queue.open == 11


@settings(deadline=None, max_examples=6)
@given(data=st.data(), rules=RULES)
def test_whoever_asks_is_never_asked_twice_and_in_the_end_nothing_is_left(
    twelve_made: Workspace, data: st.DataObject, rules: Rules
) -> None:
    with twelve_made.writing() as connection:
        connection.execute("DELETE FROM reviews")
    queue = Queue.load(twelve_made, None, rules, clock=Clock())
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
    with twelve_made.reading() as connection:
        verdicts = [decision.verdict for decision in read_decisions(connection).values()]
    assert len(verdicts) == 12
    if rules.adjudicators:
        assert queue.open == 0  # the judge decides whatever two could not
    assert queue.progress("ada")["mine"]["left"] == 0
