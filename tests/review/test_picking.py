"""Which candidate comes next, and for whom."""

import itertools
from typing import Any

import pytest

from anomagent.review.picking import LEASE_SECONDS
from anomagent.review.queue import Filters
from anomagent.store import Workspace
from tests.review.reviewing import ALL, IMAGES, Clock, answer, image_of, load, take, take_all


@pytest.fixture
def workspace(twelve: Workspace) -> Workspace:
    return twelve


def test_one_person_gets_everything_once_and_image_by_image(workspace: Workspace) -> None:
    queue = load(workspace)
    ids = take_all(queue, "ada")
    assert sorted(ids) == list(range(1, 13))
    images = [image_of(queue, id) for id in ids]
    assert [len(list(group)) for _, group in itertools.groupby(images)] == [3] * IMAGES
    assert queue.progress("ada") == {
        "mine": {"answered": 12, "accept": 12, "reject": 0, "unsure": 0, "left": 0},
        "all": {"candidates": 12, "answered": 12, "people": 1},
    }


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


def test_what_comes_next_is_told_before(workspace: Workspace) -> None:
    queue = load(workspace)
    now = queue.next("ada", ALL)
    assert now is not None
    told = [each.id for each in queue.upcoming("ada", ALL, {now.id})]
    answer(queue, "ada", now.id)
    assert take_all(queue, "ada")[:3] == told
    assert queue.upcoming("ada", ALL, set()) == []


def test_what_is_loaded_ahead_is_kept_and_no_more_than_four_of_one_person(workspace: Workspace) -> None:
    queue = load(workspace)
    ahead = [each.id for each in queue.upcoming("ada", ALL, set(), count=12)]
    assert sorted(take_all(queue, "ben")) == sorted(ahead[:-4])


def test_two_people_whose_pages_load_ahead_never_answer_the_same(workspace: Workspace) -> None:
    queue, answered = load(workspace), list[int]()
    ahead: dict[str, list[int]] = {"ada": [], "ben": []}
    for name in ["ada", "ben"] * 12:
        if not ahead[name] and (found := queue.next(name, ALL)):
            ahead[name] = [found.id, *(each.id for each in queue.upcoming(name, ALL, {found.id}))]
        if ahead[name]:
            answered.append(ahead[name].pop(0))
            answer(queue, name, answered[-1])
    assert sorted(answered) == sorted(set(answered))
    assert len(answered) == 12


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
