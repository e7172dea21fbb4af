"""Packing loses nothing, keeps the limit, and is the same whatever order things come in."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from anomagent.finetune.packing import draw, pack, shuffled
from tests.finetune.material import anomaly

LENGTHS = st.lists(st.integers(1, 12), max_size=20)


@given(LENGTHS, st.integers(1, 30))
def test_nothing_is_lost_and_no_pack_is_too_long(lengths: list[int], limit: int) -> None:
    packing = pack(lengths, lambda some: sum(some) <= limit)

    assert [one for some in packing.packs for one in some] == [one for one in lengths if one <= limit]
    assert packing.too_long == [one for one in lengths if one > limit]
    assert all(some and sum(some) <= limit for some in packing.packs)
    assert all(sum(some) + later[0] > limit for some, later in zip(packing.packs, packing.packs[1:], strict=False))


@given(LENGTHS.filter(bool))
def test_what_fits_stays_together(lengths: list[int]) -> None:
    assert pack(lengths, lambda some: True).packs == [lengths]
    assert pack(lengths, lambda some: len(some) == 1).packs == [[one] for one in lengths]


def test_it_asks_no_more_than_twice_an_item() -> None:
    asked: list[Sequence[int]] = []

    def fits(some: Sequence[int]) -> bool:
        asked.append(some)
        return sum(some) <= 10

    assert pack([6, 6, 6, 4, 11, 1], fits).packs == [[6], [6], [6, 4], [1]]
    assert len(asked) <= 1 + 2 * 6


@given(st.permutations(["leg", "arm", "ear", "leg", "sky"]), st.integers(0, 99), st.text(max_size=3))
def test_the_order_is_drawn_by_seed_and_content_alone(names: list[str], seed: int, content: str) -> None:
    drawn = shuffled([anomaly(name) for name in names], seed, content)
    assert drawn == shuffled([anomaly(name) for name in sorted(names)], seed, content)
    assert Counter(one.name for one in drawn) == Counter(names)


def test_orders_differ_between_seeds_and_images() -> None:
    some = [anomaly(f"thing {number}") for number in range(6)]
    orders = {tuple(one.name for one in shuffled(some, seed, image)) for seed in range(4) for image in "abcde"}
    assert len(orders) > 15, "20 draws of 720 orders"


def test_draws_are_the_same_on_every_machine() -> None:
    # The first 8 bytes of sha256(b"0\\0a"), as printf '0\\0a' | sha256sum says.
    import hashlib

    assert draw(0, "a") == int(hashlib.sha256(b"0\0a").hexdigest()[:16], 16)
    assert len({draw(0, str(number)) % 5 for number in range(50)}) == 5
