"""The ledger key: what must change it, and what must not."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from anomagent.models.call import Call
from anomagent.models.fake import FakeModel
from anomagent.models.key import call_key
from anomagent.models.types import Completion, Turn
from anomagent.prompts.base import Prompt, Reply
from anomagent.prompts.direct_detector import render_detect
from anomagent.prompts.object_perceiver import render_list
from anomagent.state.context import AnalysisContext
from anomagent.state.findings import ImageRef
from tests.models.talking import talk

PROMPT = render_list(0)
BASE: dict[str, Any] = {
    "model": "openai:m",
    "parameters": {"max_pixels": 1000, "temperature": None},
    "prompt": PROMPT,
    "reply": PROMPT.reply,
    "image_sha256": "a" * 64,
    "slot": 0,
}
CHANGES: list[dict[str, Any]] = [
    {"model": "openai:n"},
    {"parameters": {"max_pixels": 1001, "temperature": None}},
    {"parameters": {"max_pixels": 1000, "temperature": 0.0}},
    {"parameters": {"max_pixels": 1000, "temperature": 0.5}},
    {"prompt": replace(PROMPT, role="SceneScanner")},
    {"prompt": replace(PROMPT, step="merge")},
    {"prompt": replace(PROMPT, text=PROMPT.text + " ")},
    {"prompt": replace(PROMPT, system=PROMPT.system + " ")},
    {"prompt": replace(PROMPT, further=(Turn("assistant", "yes"), Turn("user", "why?")))},
    {"prompt": replace(PROMPT, further=(Turn("assistant", "no"), Turn("user", "why?")))},
    {"reply": render_detect().reply},
    {"image_sha256": "b" * 64},
    {"slot": 1},
]


def test_every_ingredient_changes_the_key() -> None:
    keys = [call_key(**(BASE | change)) for change in ({}, *CHANGES)]

    assert len(set(keys)) == len(keys)


def test_the_order_of_parameters_does_not_matter() -> None:
    assert call_key(**(BASE | {"parameters": {"temperature": None, "max_pixels": 1000}})) == call_key(**BASE)


class Pinned(Reply):
    """A reply."""

    found: list[str]


PINNED = Prompt("SceneScanner", "scan", "Look.", Pinned, "You look.")


def test_keys_of_calls_about_an_image_stay_what_they_were(image: ImageRef) -> None:
    """Paid answers lie under these keys. Change the pin only where losing all of them is meant."""
    context = AnalysisContext(temperature=0.5)
    known: ImageRef = {**image, "sha256": "a" * 64}
    call = Call.of(FakeModel(), None, context, known, PINNED, Pinned, None, 2)
    assert call.key == "615a4c97a62be499b0a051b1f3fae9c908e45bbf2eea0afa497d08e0519b25af"


def test_a_call_without_an_image_has_a_key_of_its_own_that_knows_no_size(image: ImageRef) -> None:
    def key(context: AnalysisContext, image: ImageRef | None) -> str:
        return Call.of(FakeModel(), None, context, image, PINNED, Pinned, None, 0).key

    text_alone = key(AnalysisContext(), None)
    assert text_alone != key(AnalysisContext(), image)
    assert text_alone == key(AnalysisContext(image_max_pixels=1000), None)
    assert text_alone != key(AnalysisContext(temperature=0), None)


OTHER_CONTEXTS = [
    {"schedule": "lean"},
    {"perception_passes": 1},
    {"max_objects": 3},
    {"scene_scanner": "openai:other"},
    {"adapter": "somewhere"},
    {"base_url": "http://127.0.0.1/v1"},
]


@pytest.mark.parametrize("change", OTHER_CONTEXTS, ids=str)
def test_what_does_not_reach_the_model_does_not_change_the_key(change: dict[str, Any], image: ImageRef) -> None:
    def key(context: AnalysisContext, image: ImageRef, object: str | None) -> str:
        return Call.of(FakeModel(), None, context, image, PROMPT, PROMPT.reply, object, 0).key

    base = key(AnalysisContext(), image, "cup")
    assert key(AnalysisContext(**change), image, "cup") == base, "server and adapter are in the client's identity"
    assert key(AnalysisContext(), {**image, "path": "moved.png", "width": 1}, "cup") == base, "an image is its content"
    assert key(AnalysisContext(), image, "another") == base, "the prompt's text says which object it is about"


async def test_more_room_and_the_repair_turn_keep_the_key(image: ImageRef) -> None:
    says = [Completion("{", finish_reason="length"), "{}", Completion("{", finish_reason="length"), '{"objects": []}']
    model = FakeModel().on(says=says)
    async with talk(image, client=model, max_tokens=100) as talking:
        call = (await talking.ask()).call

    assert [request.max_tokens for request in model.requests] == [100, 200, 200, 400]
    assert isinstance(model.requests[-1].turns[0], Turn)
    assert {attempt["key"] for attempt in talking.ledger.attempts} == {call["key"]}
