"""Parts by content and seed: shares, groups, and that nobody is ever moved."""

from collections import Counter
from fractions import Fraction
from hashlib import sha256

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anomagent.dataset.division import Shares, divide, draw, group, held
from anomagent.errors import ConfigurationError
from anomagent.store.splits import Member

PROMPTS = st.sampled_from(["a dog", "A dog!", "a cat", "", "?"])
BITS = st.one_of(st.none(), st.integers(0, 15))
CONTENTS = st.dictionaries(st.integers(0, 200), st.tuples(PROMPTS, BITS), max_size=25)


def member(number: int, prompt: str = "", part: str | None = None) -> Member:
    return Member(sha256(b"%d" % number).hexdigest(), (f"{number}.png",), (prompt,) if prompt else (), part, "x")


def members_of(contents: dict[int, tuple[str, int | None]], parts: dict[str, str]) -> list[Member]:
    found = [member(number, prompt) for number, (prompt, _) in contents.items()]
    return [Member(one.sha256, one.names, one.prompts, parts.get(one.sha256), one.path) for one in found]


def place(
    contents: dict[int, tuple[str, int | None]], parts: dict[str, str] | None = None, seed: int = 0
) -> dict[str, str]:
    """The parts of all, those of before among them."""
    members = members_of(contents, parts or {})
    prints = {
        one.sha256: (bits << 8 | 0xF0).to_bytes(8)
        for one, (_, bits) in zip(members, contents.values(), strict=True)
        if bits is not None
    }
    groups = group(members, prints, 1, prompts=True)
    division = divide(members, groups, Shares.parse("train=0.5,test=0.5"), seed)
    assert sum(division.parts.values()) == len(members)
    return dict(parts or {}) | {one.sha256: one.part for one in division.placed}


def test_shares_are_exact_and_ordered() -> None:
    shares = Shares.parse("test=1, train=8,val=1")
    assert list(shares.shares.items()) == [
        ("train", Fraction(8, 10)), ("val", Fraction(1, 10)), ("test", Fraction(1, 10)),
    ]  # fmt: skip
    assert str(shares) == "train=4/5,val=1/10,test=1/10"
    assert Shares.parse(str(shares)) == shares
    # 0.8 * 2^64 = 14757395258967641292.8: that many numbers and the one that the fraction falls into.
    assert shares.part_of(14757395258967641292) == "train"
    assert shares.part_of(14757395258967641293) == "val"
    assert (shares.part_of(0), shares.part_of(2**64 - 1)) == ("train", "test")


@pytest.mark.parametrize(
    "text", ["", "train", "train=", "train=0", "train=-1", "train=1e9", "train=1/0", "train=nan", "training=1",
             "train=1,train=1", "val=1", "train=0.5,", "train=" + "9" * 5000, "train=½"]
)  # fmt: skip
def test_shares_without_sense_are_refused(text: str) -> None:
    with pytest.raises(ConfigurationError, match="--ratio"):
        Shares.parse(text)


def test_a_draw_stays_the_same() -> None:
    # The first eight bytes of SHA-256 over "0:abc"; a change would move every image of every split.
    assert draw("abc", 0) == int(sha256(b"0:abc").hexdigest()[:16], 16)
    assert draw("abc", 1) != draw("abc", 0)


def test_shares_are_met_within_chance() -> None:
    shares = Shares.parse("train=7,test=3")
    members = [member(number) for number in range(20_000)]
    division = divide(members, group(members, {}, None, prompts=False), shares, 5)
    # Binomial: 14,000 expected, standard deviation sqrt(20000 * 0.7 * 0.3) = 64.8; six of them are 389.
    assert abs(division.parts["train"] - 14_000) < 389
    assert {one.because for one in division.placed} == {"hash"}


def test_large_groups_do_not_lean_to_a_side() -> None:
    # 2,000 groups of ten: the one with the smallest hash draws, and its draw must not depend on its being smallest.
    members = [member(number, f"prompt {number // 10}") for number in range(20_000)]
    division = divide(members, group(members, {}, None, prompts=True), Shares.parse("train=1,test=1"), 0)
    # Binomial over groups: 1,000 expected, standard deviation sqrt(2000 / 4) = 22.4; six of them are 134.
    assert abs(division.parts["train"] / 10 - 1_000) < 134
    assert Counter(one.because for one in division.placed) == {"hash": 2_000, "group": 18_000}
    assert (division.groups, division.largest) == (2_000, 10)


@given(CONTENTS, st.randoms(use_true_random=False), st.integers(0, 3))
@settings(deadline=None, max_examples=60)
def test_order_does_not_matter_and_groups_are_on_one_side(contents: dict, random: object, seed: int) -> None:
    parts = place(contents, seed=seed)
    shuffled = list(contents.items())
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert place(dict(shuffled), seed=seed) == parts
    for one, (prompt, bits) in contents.items():
        for other, (other_prompt, other_bits) in contents.items():
            equal = prompt == other_prompt or {prompt, other_prompt} == {"a dog", "A dog!"}
            near = None not in (bits, other_bits) and (bits ^ other_bits).bit_count() <= 1
            if near or (equal and prompt not in ("", "?")):
                assert parts[member(one).sha256] == parts[member(other).sha256]


@given(CONTENTS, CONTENTS)
@settings(deadline=None, max_examples=60)
def test_adding_images_never_moves_old_ones(first: dict, more: dict) -> None:
    before = place(first)
    after = place(more | first, before)
    assert before.items() <= after.items()
    assert place(more | first, after) == after


def test_a_new_image_joins_its_group() -> None:
    for part in ("train", "test"):
        members = [member(1, "a dog", part), member(2, "A DOG.")]
        division = divide(members, group(members, {}, 6, prompts=True), Shares.parse("train=1,test=1"), 0)
        assert [(one.sha256, one.part, one.because) for one in division.placed] == [(members[1].sha256, part, "group")]


def test_one_that_joins_two_sides_is_a_clash() -> None:
    old = [member(1, "a dog", "train"), member(2, "a cat", "test")]
    new = Member("f" * 64, ("new.png",), ("a dog", "a cat"), None, "x")
    members = [*old, new]

    division = divide(members, group(members, {}, 6, prompts=True), Shares.parse("train=1,test=1"), 0)

    (clash,) = division.clashes
    # Of the old ones, the smallest content hash says where new ones go: 2 has d473.., 1 has 6b86...
    assert old[0].sha256 < old[1].sha256
    assert (clash.parts, clash.part, [one.names[0] for one in clash.members]) == (
        ("test", "train"), "train", ["1.png", "2.png", "new.png"],
    )  # fmt: skip
    assert [(one.sha256, one.part) for one in division.placed] == [(new.sha256, "train")]
    assert division.parts == {"train": 2, "test": 1}


def test_near_duplicates_are_not_looked_for_without_a_distance() -> None:
    members = [member(1), member(2)]
    prints = {one.sha256: bytes(8) for one in members}
    assert group(members, prints, None, prompts=False).tolist() == [0, 1]
    assert group(members, prints, 0, prompts=False).tolist() == [0, 0]
    assert group(members, dict.fromkeys(prints, b""), 6, prompts=True).tolist() == [0, 1]


def test_dropped_images_hold_their_part_for_others_alone() -> None:
    # 1 was dropped and is in test; 2 has its prompt; 3 and 4 have another, and 3 is in train.
    left = [member(1, "a dog", "test")]
    members = [member(2, "A dog"), member(3, "a cat", "train"), member(4, "a cat")]
    wide = group([*members, *left], {}, None, prompts=True)
    parts = held(members, left, wide)
    assert parts == {0: "test"}
    division = divide(members, group(members, {}, None, prompts=True), Shares.parse("train=1"), 0, parts)
    assert {(one.sha256, one.part, one.because) for one in division.placed} == {
        (members[0].sha256, "test", "group"), (members[2].sha256, "train", "group"),
    }  # fmt: skip
    assert (division.parts, division.clashes) == ({"train": 2, "test": 1}, ())


def test_dropped_images_make_no_clash() -> None:
    # What joined both sides was dropped: they have nothing in common now.
    left = [Member("0" * 64, ("x.png",), ("a dog", "a cat"), "train", "x")]
    members = [member(1, "a dog", "train"), member(2, "a cat", "test")]
    parts = held(members, left, group([*members, *left], {}, None, prompts=True))
    division = divide(members, group(members, {}, None, prompts=True), Shares.parse("train=1"), 0, parts)
    assert (division.placed, division.clashes, division.groups) == ((), (), 0)
