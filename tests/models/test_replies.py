"""From raw text to a reply: found wherever it stands, never mended, and nothing crashes on."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anomagent.errors import CutOff, Malformed, Refused
from anomagent.models.replies import LONGEST_REFUSAL, judge, looks_like_refusal, parse, repair
from anomagent.models.types import Completion
from anomagent.prompts.base import PlainText, Reply
from anomagent.prompts.direct_detector import render_detect
from anomagent.prompts.object_perceiver import ObjectList, PerceivedObject

names = st.text(min_size=1, max_size=20)
replies = st.builds(ObjectList, objects=st.lists(st.builds(PerceivedObject, name=names, description=names), max_size=4))
prose = st.text(alphabet=st.characters(exclude_characters="{}<>", codec="utf-8"), max_size=60)
dumps = st.sampled_from(
    [
        lambda reply: reply.model_dump_json(),
        lambda reply: reply.model_dump_json(indent=2),
        lambda reply: json.dumps(reply.model_dump(), ensure_ascii=True),
    ]
)


@given(replies, dumps, prose, prose)
def test_an_object_is_found_in_prose(reply: ObjectList, dump: object, before: str, after: str) -> None:
    assert parse(before + dump(reply) + after, ObjectList) == reply  # type: ignore[operator]


@given(
    replies, prose, st.sampled_from(["```json\n{}\n```", "```\n{}```", "Here: `{}`", "<answer>{}</answer>", "{{}}{}"])
)
def test_an_object_is_found_in_fences(reply: ObjectList, before: str, fence: str) -> None:
    wrapped = fence.replace("{{}}", "{ }").replace("{}", reply.model_dump_json(), 1)
    assert parse(before + wrapped, ObjectList) == reply


@given(replies, replies, prose, st.sampled_from(["<think>{}</think>", "<thinking>{}</thinking>\n", "{}</think>\n"]))
def test_what_a_model_thinks_is_passed_over(reply: ObjectList, other: ObjectList, thought: str, block: str) -> None:
    thinking = block.replace("{}", f"{thought} {other.model_dump_json()} perhaps {{")
    assert parse(thinking + reply.model_dump_json(), ObjectList) == reply


@given(st.text(max_size=300))
def test_garbage_is_malformed_and_never_a_crash(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse(text, ObjectList)
    assert isinstance(judge(Completion(text), ObjectList), Malformed | Refused)


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_other_json_is_malformed_and_never_a_crash(value: object) -> None:
    verdict = judge(Completion(json.dumps(value)), render_detect().reply)
    assert isinstance(verdict, Malformed | Refused)
    assert "\n" not in str(verdict)


@given(replies, st.integers(min_value=1, max_value=200))
def test_half_an_object_is_never_taken_for_a_whole(reply: ObjectList, length: int) -> None:
    text = reply.model_dump_json()
    with pytest.raises(ValueError, match=r"."):
        parse(text[: min(length, len(text) - 1)], ObjectList)


HOSTILE = [
    '{"objects": ' * 100_000,
    '{"a":' * 50_000 + "1" + "}" * 50_000,
    '{"objects": ' + "[" * 100_000,
    '{"objects": ' + "9" * 10_000 + "}",
    '{"objects": NaN}',
    '{"objects": [Infinity]}',
    '{"objects": [{"name": "\\ud83d", "description": "\ud83d"}]} {',
    "<think>" * 3_000,
    "{" * 100_000,
]


@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: text[:20])
def test_hostile_text_ends_as_a_verdict(text: str) -> None:
    verdict = judge(Completion(text), ObjectList)
    assert isinstance(verdict, Malformed | ObjectList)


def test_the_first_valid_object_counts() -> None:
    text = 'Shape: {} or {"x": 1}. {"objects": []} {"objects": [{"name": "a", "description": "b"}]}'
    assert parse(text, ObjectList) == ObjectList(objects=[])


def test_a_broken_object_is_not_searched_for_parts() -> None:
    part = '{"objects": []}'
    with pytest.raises(ValueError, match=r"."):
        parse(f'{{"all": [{part}, oops', ObjectList)


def test_what_is_wrong_is_said_in_words_that_help() -> None:
    entries = [{"name": "a"}] * 10
    with pytest.raises(ValueError, match=r"objects\.0\.description: Field required.*; and 2 more"):
        parse(json.dumps({"objects": entries}), ObjectList)
    with pytest.raises(ValueError, match=r"extra: Extra inputs are not permitted"):
        parse('{"objects": [], "extra": 1}', ObjectList)


DECLINING = [
    "I'm sorry, but I can't assist with that request.",
    "I’m unable to help with identifying people.",
    "I cannot analyze this image.",
    "Unable to process the image as it goes against our policy.",
    "抱歉，我无法协助。",
]
NOT_DECLINING = [
    "I cannot see any anomalies in this picture.",
    "I can't find an issue.",
    "The cup is fine.",
    "",
    '{"objects": []} I cannot say more.',
    "I cannot help it: " + "a long description of the image " * 40,
]


@pytest.mark.parametrize("text", DECLINING)
def test_a_refusal_is_told_from_an_answer_in_the_wrong_form(text: str) -> None:
    assert looks_like_refusal(text)
    assert isinstance(judge(Completion(text), ObjectList), Refused)


@pytest.mark.parametrize("text", NOT_DECLINING)
def test_not_everything_with_cannot_is_a_refusal(text: str) -> None:
    assert not looks_like_refusal(text)
    assert len(DECLINING[0]) < LONGEST_REFUSAL


def test_how_an_answer_ended_comes_first() -> None:
    assert isinstance(judge(Completion('{"objects": []}', finish_reason="refusal"), ObjectList), Refused)
    assert isinstance(judge(Completion('{"objects": []}', finish_reason="length"), ObjectList), CutOff)
    assert judge(Completion('{"objects": []}'), ObjectList) == ObjectList(objects=[])


def test_the_repair_turn_shows_the_answer_and_what_was_wrong() -> None:
    said, complaint = repair("  no JSON ", Malformed("it holds no JSON object"), Reply)
    assert (said.speaker, said.text) == ("assistant", "no JSON")
    assert complaint.speaker == "user"
    assert "it holds no JSON object" in complaint.text
    assert repair(" ", Malformed("x"), Reply)[0].text, "providers reject an empty turn"


@pytest.mark.parametrize("text", ["@1. Name: x", "Yes.", "[]", '{"text": 1}', "  No semantic anomalies.\n"])
def test_plain_text_is_taken_as_it_is(text: str) -> None:
    assert judge(Completion(text), PlainText) == PlainText(text=text.strip())
    assert judge(Completion(f"<think>hm</think>\n{text}"), PlainText) == PlainText(text=text.strip())


def test_plain_text_can_be_empty_refused_or_cut_off() -> None:
    assert isinstance(judge(Completion(" \n"), PlainText), Malformed)
    assert isinstance(judge(Completion("I'm sorry, I can't assist with that."), PlainText), Refused)
    assert isinstance(judge(Completion("@1. Name: x", finish_reason="length"), PlainText), CutOff)
    assert "JSON" not in repair(" ", Malformed("x"), PlainText)[1].text
