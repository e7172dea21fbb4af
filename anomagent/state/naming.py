"""Unique object names and the comparison of wordings: code decides both, for every model."""

import re
from collections import Counter

from rapidfuzz import fuzz

from anomagent.state.findings import DetectedObject

SAME_WORDING = 72.0
"""Least similarity (0 to 100) at which two wordings of a phenomenon count as the same."""


def unique_names(objects: list[DetectedObject]) -> list[DetectedObject]:
    """Number objects that share a name, in listed order: person, person -> person 1, person 2.

    Law: the result has as many objects in the same order, and no two names are equal (case is ignored).
    """
    plain = [normal_name(entry["name"]) for entry in objects]
    total = Counter(name.casefold() for name in plain)
    taken = {name.casefold() for name in plain if total[name.casefold()] == 1}
    seen: Counter[str] = Counter()
    named: list[DetectedObject] = []
    for name, entry in zip(plain, objects, strict=True):
        folded = name.casefold()
        if total[folded] > 1:
            name = _next_free(name, seen, taken)
        named.append({"name": name, "description": entry["description"].strip()})
    return named


def normal_name(name: str) -> str:
    """One line, single spaces; an empty name becomes "object"."""
    return " ".join(name.split()) or "object"


def _next_free(name: str, seen: Counter[str], taken: set[str]) -> str:
    folded = name.casefold()
    while True:
        seen[folded] += 1
        numbered = f"{name} {seen[folded]}"
        if numbered.casefold() not in taken:
            taken.add(numbered.casefold())
            return numbered


def same_object(left: str, right: str) -> bool:
    """Whether two names may mean one object: equal, or equal but for a number that only one of them has."""
    left, right = normal_name(left).casefold(), normal_name(right).casefold()
    if left == right:
        return True
    plain_left, plain_right = _without_number(left), _without_number(right)
    return plain_left == plain_right and (left == plain_left or right == plain_right)


def likeness(left: str, right: str) -> float:
    """How alike two wordings of a phenomenon are, 0 to 100, whatever the order of their words; equal ones are 100."""
    left, right = left.casefold(), right.casefold()
    return 100.0 if left == right else fuzz.token_sort_ratio(left, right)


def same_phenomenon(left: str, right: str) -> bool:
    """Whether two wordings may say the same."""
    return likeness(left, right) >= SAME_WORDING


def _without_number(name: str) -> str:
    return re.sub(r" \d+$", "", name)
