"""Which near-duplicates stay: by rule, by what was decided before, and never because of a chain."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anomagent.dataset import stars
from anomagent.dataset.likeness import ByEmbedding, ByFingerprint
from anomagent.dataset.stars import Plan, plan, rank
from anomagent.store.duplicates import Candidate, Duplicate

VALUES = st.lists(st.integers(0, 2**10 - 1), max_size=30)


def image(name: str, pixels: int = 9, kept_before: bool | None = None, **changes: object) -> Candidate:
    values = {"bytes": 5, "created": "2026", "score": None, **changes}
    return Candidate(f"sha-{name}", (name,), pixels, kept_before=kept_before, **values)  # type: ignore[arg-type]


def decide(images: Sequence[Candidate], bits: Sequence[int], distance: int = 2, anew: bool = False) -> Plan:
    """Decide about images whose fingerprints are these numbers."""
    number = {one.sha256: value.to_bytes(8) for one, value in zip(images, bits, strict=True)}
    ordered = rank(images, "largest", anew)
    return plan(ordered, [ByFingerprint("bits", [number[one.sha256] for one in ordered], distance)], anew)


def names(found: Plan) -> list[tuple[str, list[tuple[str, float]]]]:
    return [
        (group.kept.names[0], [(one.image.names[0], one.distance) for one in group.dropped]) for group in found.groups
    ]


@pytest.mark.parametrize(
    ("keep", "order"), [("largest", "badc"), ("first", "dabc"), ("best-score", "cabd")], ids=lambda value: str(value)
)
def test_the_order_of_each_rule(keep: stars.Keep, order: str) -> None:
    images = [
        image("a", 9, bytes=7, created="2026-01-02", score=0.2),
        image("b", 16, bytes=1, created="2026-01-02", score=0.1),
        image("c", 9, bytes=5, created="2026-01-03", score=0.9),
        image("d", 9, bytes=6, created="2026-01-01"),
    ]
    assert "".join(one.names[0] for one in rank(images, keep)) == order


def test_equal_ones_are_ordered_by_name() -> None:
    assert [one.names[0] for one in rank([image("b"), image("a")], "largest")] == ["a", "b"]


def test_the_best_of_a_chain_decides() -> None:
    # a = 0b0000, b = 0b0011, c = 0b1111: a and b differ in 2 bits, b and c in 2, a and c in 4.
    # The largest, a, takes b with it; c resembles none that stays.
    chain = [image("a", 30), image("b", 20), image("c", 10)]
    assert names(decide(chain, [0b0000, 0b0011, 0b1111])) == [("a", [("b", 2)])]
    # Where b is the largest, both others resemble it.
    chain = [image("a", 10), image("b", 30), image("c", 20)]
    assert names(decide(chain, [0b0000, 0b0011, 0b1111])) == [("b", [("a", 2), ("c", 2)])]


def test_what_stays_for_another_is_better_than_it() -> None:
    # b goes for a, 2 bits away. c, which stays, is only 1 bit from b, but smaller.
    images = [image("a", 30), image("b", 20), image("c", 10)]
    assert names(decide(images, [0b000, 0b011, 0b111])) == [("a", [("b", 2)])]


def test_one_goes_to_the_closest_that_stays() -> None:
    images = [image("a", 30), image("b", 20), image("c", 10)]
    # a and b are 3 apart, c is 2 from a and 1 from b.
    assert names(decide(images, [0b000, 0b111, 0b011])) == [("b", [("c", 1)])]


@given(VALUES, st.integers(0, 3), st.integers(1, 7))
@settings(deadline=None, max_examples=60)
def test_laws_of_every_decision(values: list[int], distance: int, at_once: int) -> None:
    images = [image(f"{place:02}", 100 - place) for place in range(len(values))]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stars, "_AT_ONCE", at_once)
        found = decide(images, values, distance)
    bits = {one.sha256: value for one, value in zip(images, values, strict=True)}

    def apart(a: Candidate, b: Candidate) -> int:
        return (bits[a.sha256] ^ bits[b.sha256]).bit_count()

    kept = found.kept
    assert all(apart(a, b) > distance for place, a in enumerate(kept) for b in kept[:place])
    for group in found.groups:
        for one in group.dropped:
            better = [other for other in kept if other.pixels > one.image.pixels]
            assert group.kept in better
            assert one.distance == apart(group.kept, one.image) == min(apart(one.image, other) for other in better)
            assert one.distance <= distance
    assert {one.sha256 for one in kept} | {one.image.sha256 for one in found.dropped} == set(bits)
    assert found == decide(images[::-1], values[::-1], distance)


@given(VALUES, VALUES)
@settings(deadline=None, max_examples=60)
def test_new_images_turn_nothing_over(first: list[int], more: list[int]) -> None:
    old = [image(f"old{place:02}", place) for place in range(len(first))]
    before = decide(old, first)
    stays = {one.sha256 for one in before.kept}
    known = [image(one.names[0], one.pixels, one.sha256 in stays) for one in old]
    new = [image(f"new{place:02}", 1000 + place) for place in range(len(more))]  # all of them larger

    again = decide([*known, *new], [*first, *more])

    assert {one.sha256 for one in again.kept if one.names[0].startswith("old")} == stays
    assert (again.turned, again.revived, again.orphans) == (0, 0, 0)
    assert len(again.settled) == len(old) - len(stays)
    written = {sha256 for sha256, _, _ in again.decisions()}
    assert written == {one.sha256 for one in new}


def test_one_that_was_dropped_stays_so_while_the_one_that_it_went_for_stays() -> None:
    # b went for a, under a greater distance than the 2 bits of now: they are 4 apart.
    images = [image("a", 9, True), image("b", 9, False, went_for="sha-a")]
    found = decide(images, [0, 0b1111])
    assert ([one.names[0] for one in found.settled], found.orphans, list(found.decisions())) == (["b"], 1, [])


def test_those_that_nothing_stands_for_any_more_are_decided_about_anew() -> None:
    # What b, c and d went for is not among the candidates any more. c resembles a, which stays; b is 8 bits from it.
    # d, smaller, is 1 bit from b.
    gone = {"went_for": "sha-filtered"}
    images = [image("a", 1, True), image("b", 9, False, **gone), image("c", 8, False, **gone)]
    images.append(image("d", 7, False, **gone))
    found = decide(images, [0, 0xFF, 1, 0xFE])
    assert [one.names[0] for one in found.settled] == ["c"]
    assert names(found) == [("b", [("d", 1)])]
    assert (found.revived, found.orphans) == (1, 0)
    assert list(found.decisions()) == [("sha-b", True, None), ("sha-d", False, "bits: 1 from b")]


@given(VALUES, VALUES, st.integers(0, 30))
@settings(deadline=None, max_examples=60)
def test_laws_hold_where_what_stood_for_some_has_gone(first: list[int], more: list[int], filtered: int) -> None:
    old = [image(f"old{place:02}", place) for place in range(len(first))]
    before = decide(old, first)
    went = {one.image.sha256: group.kept.sha256 for group in before.groups for one in group.dropped}
    left = [
        image(one.names[0], one.pixels, one in before.kept, went_for=went.get(one.sha256))
        for one in old
        if one not in before.kept[filtered % 7 :: 2]
    ]
    new = [image(f"new{place:02}", 1000 + place) for place in range(len(more))]
    bits = {one.sha256: value for one, value in zip([*old, *new], [*first, *more], strict=True)}

    found = decide([*left, *new], [bits[one.sha256] for one in [*left, *new]])

    def near(a: Candidate, b: Candidate) -> bool:
        return (bits[a.sha256] ^ bits[b.sha256]).bit_count() <= 2

    assert not any(near(a, b) for place, a in enumerate(found.kept) for b in found.kept[:place])
    # Nothing is lost: whatever is out resembles one that stays.
    assert all(any(near(one, kept) for kept in found.kept) for one in found.settled)
    assert all(near(group.kept, one.image) for group in found.groups for one in group.dropped)
    # None that stayed and is there still has gone.
    assert {one.sha256 for one in left if one.kept_before} <= {one.sha256 for one in found.kept}


def test_one_with_a_part_of_a_split_stays_before_larger_ones() -> None:
    images = [image("a", 9, has_part=True), image("b", 900)]
    for anew in (False, True):
        assert names(decide(images, [0, 0], anew=anew)) == [("a", [("b", 0)])]
    kept = [image("a", 9, has_part=True), image("b", 900, True)]  # what stays, stays, unless all is decided anew
    assert names(decide(kept, [0, 0])) == [("b", [("a", 0)])]
    assert names(decide(kept, [0, 0], anew=True)) == [("a", [("b", 0)])]


def test_a_greater_distance_drops_one_that_stayed_and_says_so() -> None:
    found = decide([image("a", 9, True), image("b", 16, True)], [0, 0b111], distance=3)
    assert (found.turned, list(found.decisions())) == (1, [("sha-a", False, "bits: 3 from b")])


def test_anew_forgets_what_was_decided() -> None:
    images = [image("a", 9, True), image("b", 16, False)]
    found = decide(images, [0, 0], anew=True)
    assert names(found) == [("b", [("a", 0)])]
    assert (found.turned, found.revived) == (1, 1)
    assert list(found.decisions()) == [("sha-b", True, None), ("sha-a", False, "bits: 0 from b")]


def test_rows_of_groups() -> None:
    found = decide([image("a", 9), image("b", 8), image("c", 7)], [0, 1, 0b11110000])
    assert list(found.rows()) == [Duplicate(0, "sha-a", True, "bits", None), Duplicate(0, "sha-b", False, "bits", 1)]


def test_images_without_a_fingerprint_resemble_none() -> None:
    images = [image("a"), image("b"), image("c"), image("d")]
    found = plan(images, [ByFingerprint("bits", [b"", None, b"", bytes(8)], 16)])
    assert (len(found.kept), found.groups) == (4, ())


def test_embeddings_find_what_fingerprints_do_not() -> None:
    # Unit vectors at 0, 10, 80 degrees: cos 10 = 0.985 is enough, cos 70 = 0.342 and cos 80 = 0.174 are not.
    angles = np.radians([0.0, 10.0, 80.0])
    vectors = {place: np.array([np.cos(a), np.sin(a)], dtype=np.float32) for place, a in enumerate(angles)}
    images = [image("a"), image("b"), image("c"), image("d")]
    by_bits = ByFingerprint("bits", [bytes(8), b"\xff" * 8, b"\x0f" * 8, bytes(8)], 2)

    found = plan(images, [by_bits, ByEmbedding("clip", vectors, 4, 0.96)])

    (group,) = found.groups
    by_clip, by_eye = group.dropped[1], group.dropped[0]
    assert (by_eye.image.names[0], by_eye.method, by_eye.distance) == ("d", "bits", 0)
    assert (by_clip.image.names[0], by_clip.method) == ("b", "clip")
    assert by_clip.distance == pytest.approx(1 - np.cos(np.radians(10)), abs=1e-6)
    assert [one.names[0] for one in found.kept] == ["a", "c"]


def test_embeddings_that_point_elsewhere_are_near_nothing() -> None:
    # 60 degrees: a cosine of 0.5.
    vectors = {0: np.array([1, 0], np.float32), 1: np.array([0.5, 0.75**0.5], np.float32)}
    one, other = np.array([1]), np.array([0])
    assert ByEmbedding("clip", vectors, 2, 0.6).closest(one, other).items.tolist() == [-1]
    assert ByEmbedding("clip", vectors, 2, 0.4).closest(one, other).items.tolist() == [0]
    assert not ByEmbedding("clip", vectors, 2, 0.6).within(np.array([0, 1]))[0, 1]
