from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anomagent.state.findings import DetectedObject
from anomagent.state.naming import normal_name, same_object, same_phenomenon, unique_names


def objects_of(*names: str) -> list[DetectedObject]:
    """Objects with these names, each with a description of its own."""
    return [{"name": name, "description": f"number {index}"} for index, name in enumerate(names)]


def names_of(*names: str) -> list[str]:
    """What these names become."""
    return [entry["name"] for entry in unique_names(objects_of(*names))]


awkward_names = st.text() | st.sampled_from(
    ["person", "Person", "person 1", "person 2", "PERSON 1", "person 1 1", "", " "]
)


@given(st.lists(awkward_names, max_size=12))
def test_names_become_unique_whatever_their_case(names: list[str]) -> None:
    folded = [name.casefold() for name in names_of(*names)]
    assert len(set(folded)) == len(names)


@given(st.lists(awkward_names, max_size=12))
def test_objects_are_kept_all_and_in_order(names: list[str]) -> None:
    before = objects_of(*names)
    assert [entry["description"] for entry in unique_names(before)] == [entry["description"] for entry in before]


@given(st.lists(awkward_names, max_size=12))
def test_each_name_begins_with_the_name_that_was_given(names: list[str]) -> None:
    for given_name, name in zip(names, names_of(*names), strict=True):
        assert name == normal_name(given_name) or name.rpartition(" ")[0] == normal_name(given_name)


@given(st.lists(awkward_names, max_size=12))
def test_unique_names_are_left_alone(names: list[str]) -> None:
    once = unique_names(objects_of(*names))
    assert unique_names(once) == once


@given(st.lists(awkward_names, max_size=6))
def test_the_input_is_not_changed(names: list[str]) -> None:
    before = objects_of(*names)
    unique_names(before)
    assert before == objects_of(*names)


@dataclass(frozen=True)
class Case:
    id: str
    names: tuple[str, ...]
    become: tuple[str, ...]


CASES = (
    Case("none", (), ()),
    Case("unique", ("cup", "chair"), ("cup", "chair")),
    Case("numbered in order", ("person", "cup", "person"), ("person 1", "cup", "person 2")),
    Case("case ignored", ("Cup", "cup"), ("Cup 1", "cup 2")),
    Case("number already taken", ("person", "person 1", "person"), ("person 2", "person 1", "person 3")),
    Case("number taken in another case", ("cup", "CUP 1", "cup"), ("cup 2", "CUP 1", "cup 3")),
    Case("white space", (" red  cup\n",), ("red cup",)),
    Case("nameless", ("", " "), ("object 1", "object 2")),
    Case("equal numbered names", ("cup 1", "cup 1"), ("cup 1 1", "cup 1 2")),
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_unique_names(case: Case) -> None:
    assert names_of(*case.names) == list(case.become)


def test_descriptions_are_stripped() -> None:
    assert unique_names([{"name": "cup", "description": " blue \n"}]) == [{"name": "cup", "description": "blue"}]


@dataclass(frozen=True)
class Pair:
    id: str
    left: str
    right: str
    same: bool


OBJECTS = (
    Pair("equal", "cup", "cup", True),
    Pair("case and space", "Red  Cup", "red cup", True),
    Pair("number on one side only", "person", "person 2", True),
    Pair("two numbers", "person 1", "person 2", False),
    Pair("different", "cup", "chair", False),
    Pair("part of a name", "cup", "cupboard", False),
    Pair("number inside", "route 66 sign", "route sign", False),
)


@pytest.mark.parametrize("pair", OBJECTS, ids=lambda pair: pair.id)
def test_same_object(pair: Pair) -> None:
    assert same_object(pair.left, pair.right) is pair.same
    assert same_object(pair.right, pair.left) is pair.same


WORDINGS = (
    Pair("equal", "the cup floats", "the cup floats", True),
    Pair("order", "floating cup", "Cup floating", True),
    Pair("more words", "a finger too many on the left hand", "one finger too many on the left hand", True),
    Pair("another part", "the cup has no handle", "the cup has no shadow", False),
    Pair("different", "the cup floats", "a second handle grows out of the rim", False),
    Pair("empty", "", "", True),
    Pair("one empty", "", "the cup floats", False),
    Pair("only signs", "?!", "?!", True),
)


@pytest.mark.parametrize("pair", WORDINGS, ids=lambda pair: pair.id)
def test_same_phenomenon(pair: Pair) -> None:
    assert same_phenomenon(pair.left, pair.right) is pair.same
    assert same_phenomenon(pair.right, pair.left) is pair.same


@given(st.text(), st.text())
def test_comparisons_are_reflexive_and_symmetric(left: str, right: str) -> None:
    assert same_object(left, left)
    assert same_phenomenon(left, left)
    assert same_object(left, right) == same_object(right, left)
    assert same_phenomenon(left, right) == same_phenomenon(right, left)
