"""Who is asked about a candidate."""

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anomagent.errors import UsageError
from anomagent.review.routing import SETTLED, Rules, Tally, Vote, Want, tally, want
from anomagent.state.reviews import VERDICTS, Capacity, Verdict

LETTERS: dict[str, Verdict] = {verdict[0].lower(): verdict for verdict in VERDICTS}


def votes(said: str) -> list[Vote]:
    """Small letters are annotators' answers, capitals adjudicators'."""
    capacity: dict[bool, Capacity] = {True: "adjudicator", False: "annotator"}
    return [Vote(LETTERS[letter.lower()], capacity[letter.isupper()]) for letter in said]


@dataclass(frozen=True)
class Case:
    said: str
    people: int
    alone: Want
    """Where no adjudicators are named."""
    adjudicated: Want
    """Where some are."""


ONE, TWO, THREE = (Want(people, "annotator") for people in (1, 2, 3))
HIGHER = Want(1, "adjudicator")
CASES = [
    Case("", 1, ONE, ONE),
    Case("", 3, THREE, THREE),
    Case("a", 1, SETTLED, SETTLED),
    Case("r", 1, SETTLED, SETTLED),
    Case("a", 2, ONE, ONE),
    Case("aa", 2, SETTLED, SETTLED),
    # One who is unsure is not enough for an adjudicator; two are.
    Case("u", 1, ONE, ONE),
    Case("ua", 1, SETTLED, SETTLED),
    Case("uu", 1, ONE, HIGHER),
    Case("uur", 1, SETTLED, HIGHER),
    Case("auu", 1, SETTLED, HIGHER),
    Case("aauu", 1, SETTLED, SETTLED),
    Case("uuu", 1, ONE, HIGHER),
    # Disagreement wants a third person, whose majority ends it, or an adjudicator, whatever the majority.
    Case("ar", 1, ONE, HIGHER),
    Case("ar", 2, ONE, HIGHER),
    Case("ara", 2, SETTLED, HIGHER),
    Case("aar", 3, SETTLED, HIGHER),
    Case("aru", 2, ONE, HIGHER),
    # All people of the overlap are asked before anybody decides: their agreement is measured.
    Case("ar", 3, ONE, ONE),
    Case("uu", 4, TWO, TWO),
    Case("aarr", 4, ONE, HIGHER),
    # An adjudicator's answer closes it; UNSURE goes to another one.
    Case("A", 3, SETTLED, SETTLED),
    Case("arR", 5, SETTLED, SETTLED),
    Case("uuU", 1, SETTLED, HIGHER),
    Case("arUA", 1, SETTLED, SETTLED),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.said}-{case.people}")
def test_who_is_asked(case: Case) -> None:
    counted = tally(votes(case.said))
    assert want(counted, case.people, adjudicates=False, adjudicators_left=0) == case.alone
    assert want(counted, case.people, adjudicates=True, adjudicators_left=1) == case.adjudicated


def test_an_adjudicator_who_is_unsure_has_the_last_word_where_there_is_no_other() -> None:
    counted = tally(votes("arU"))
    assert want(counted, 1, adjudicates=True, adjudicators_left=1) == HIGHER
    assert want(counted, 1, adjudicates=True, adjudicators_left=0) == SETTLED


SAID = st.text("aruARU", max_size=8)
PEOPLE = st.integers(1, 5)


@given(said=SAID, people=PEOPLE, adjudicates=st.booleans())
def test_nobody_is_asked_once_enough_people_made_it_clear_and_somebody_until_then(
    said: str, people: int, adjudicates: bool
) -> None:
    counted = tally(votes(said))
    wanted = want(counted, people, adjudicates, 0)
    annotators = [letter for letter in said if letter.islower()]
    sure = [letter for letter in annotators if letter != "u"]
    of_one_mind = len(set(sure)) == 1 and 2 * len(sure) >= len(annotators)
    clear = of_one_mind if adjudicates else counted.verdict in ("ACCEPT", "REJECT")
    enough = len(annotators) >= people and clear
    assert (wanted.people == 0) == (counted.adjudicated is not None or enough)
    if wanted.capacity == "adjudicator":
        assert adjudicates
        assert wanted.people == 1


@given(said=st.text("aru", max_size=8), people=PEOPLE, adjudicates=st.booleans(), more=st.data())
def test_who_follows_the_rule_comes_to_an_end(said: str, people: int, adjudicates: bool, more: st.DataObject) -> None:
    """Once those who are asked decide, the overlap and one majority, or one adjudicator, are enough."""
    asked = 0
    while (wanted := want(tally(votes(said)), people, adjudicates, int(adjudicates))).people:
        assert asked < people + 1
        letter = more.draw(st.sampled_from("ar"))
        said += letter.upper() if wanted.capacity == "adjudicator" else letter
        asked += 1
    assert tally(votes(said)).verdict in ("ACCEPT", "REJECT")


@given(said=SAID)
def test_the_order_of_annotators_does_not_matter(said: str) -> None:
    annotators = "".join(sorted(letter for letter in said if letter.islower()))
    adjudicators = "".join(letter for letter in said if letter.isupper())
    assert tally(votes(said)) == tally(votes(annotators + adjudicators))


def test_disputes() -> None:
    assert [tally(votes(said)).disputed for said in ("", "a", "ar", "aar", "arA", "uu")] == [
        False,
        False,
        True,
        True,
        False,
        False,
    ]
    assert Tally().verdict is None


def test_the_share_is_chosen_by_content() -> None:
    every, none, half = Rules(overlap=1.0, people=3), Rules(people=3), Rules(overlap=0.5, people=3)
    highest = 2**64 - 1
    assert [rules.people_for(content) for rules in (every, none) for content in (0, highest)] == [3, 3, 1, 1]
    assert [half.people_for(content) for content in (0, 2**63 - 1, 2**63, highest)] == [3, 3, 1, 1]


def test_capacities() -> None:
    rules = Rules(adjudicators=("cleo",))
    assert [rules.capacity_of(name) for name in ("cleo", "Cleo", "ada")] == ["adjudicator", "annotator", "annotator"]


@pytest.mark.parametrize("wrong", [{"overlap": -0.1}, {"overlap": 1.1}, {"overlap": float("nan")}, {"people": 0}])
def test_rules_that_cannot_be_met(wrong: dict[str, float]) -> None:
    with pytest.raises(UsageError, match=f"^{next(iter(wrong))} .*; give "):
        Rules(**wrong)  # type: ignore[arg-type]
