from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from anomagent.errors import ConfigurationError, ModelError, RateLimited, Refused
from anomagent.models.fake import FakeModel
from anomagent.models.samples import smallest
from anomagent.models.types import Completion, Request
from anomagent.prompts import ASSESSORS, TEMPLATES
from anomagent.prompts.direct_detector import render_detect
from anomagent.prompts.object_perceiver import ObjectList, render_list

REQUEST = Request(render_list(0), "a.png", "a" * 64, 1000, 100, None)


async def _say(model: FakeModel, **changes: Any) -> str:
    from dataclasses import replace

    return (await model.complete(replace(REQUEST, **changes))).text


async def test_the_first_rule_that_matches_speaks() -> None:
    model = (
        FakeModel()
        .on("ObjectPerceiver", object="cup", says="cup")
        .on("ObjectPerceiver", slot=2, says="two")
        .on(step="list", says="list")
    )
    assert await _say(model, object="cup", slot=2) == "cup"
    assert await _say(model, slot=2) == "two"
    assert await _say(model) == "list"
    assert json.loads(await _say(model, prompt=render_detect())) == smallest(render_detect().reply.strict_schema())
    assert [request.object for request in model.requests] == ["cup", None, None, None]


async def test_things_are_said_one_after_another_and_the_last_for_ever() -> None:
    model = FakeModel().on(says=["a", {"objects": []}, ObjectList(objects=[]), Completion("d")])

    assert [await _say(model) for _ in range(5)] == ["a", '{"objects":[]}', '{"objects":[]}', "d", "d"]


async def test_a_function_may_speak() -> None:
    assert await _say(FakeModel().on(says=lambda request: request.prompt.step)) == "list"


async def test_every_error_is_a_new_one() -> None:
    scripted = RateLimited("busy")
    scripted.retry_after = 7
    model = FakeModel().on(says=scripted)
    caught: list[ModelError] = []
    for _ in range(2):
        with pytest.raises(RateLimited, match="busy") as error:
            await _say(model)
        caught.append(error.value)

    assert caught[0] is not caught[1]
    assert caught[1].retry_after == 7


async def test_it_counts_what_is_in_flight_even_when_cancelled() -> None:
    model = FakeModel().on(says="x", delay=10)
    tasks = [asyncio.create_task(_say(model)) for _ in range(3)]
    await asyncio.sleep(0)
    assert (model.in_flight, model.most_in_flight) == (3, 3)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)

    assert model.in_flight == 0


@pytest.mark.parametrize("template", [*TEMPLATES, *ASSESSORS], ids=lambda template: f"{template.role}.{template.step}")
async def test_nobody_told_it_anything_and_every_reply_is_of_the_right_shape(template: Any) -> None:
    smallest(template.reply.strict_schema())
    assert set(smallest(template.reply.strict_schema())) == set(template.reply.model_fields)


async def test_a_script_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "script.json"
    rules = [
        {"role": "ObjectPerceiver", "says": [{"reply": {"objects": []}}, {"text": "{", "finish_reason": "length"}]},
        {"says": [{"error": "refused", "text": "no"}]},
    ]
    path.write_text(json.dumps({"rules": rules}))
    model = FakeModel.from_file(path)

    assert model.identity.startswith("fake:script.json:")
    assert await _say(model) == '{"objects": []}'
    assert (await model.complete(REQUEST)).finish_reason == "length"
    with pytest.raises(Refused, match="no"):
        await _say(model, prompt=render_detect())
    path.write_text(json.dumps({"rules": rules[:1]}))
    assert FakeModel.from_file(path).identity != model.identity, "other answers must not come from the ledger"


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("", "not a script"),
        ("[]", "not a script"),
        ('{"rule": []}', "rule: Extra inputs"),
        ('{"rules": [{"says": []}]}', r"rules\.0\.says: .*at least 1 item"),
        ('{"rules": [{"says": [{}]}]}', r"rules\.0\.says\.0: .*needs one of text, reply and error"),
        ('{"rules": [{"says": [{"text": "a", "reply": {}}]}]}', "needs one of text, reply and error"),
        ('{"rules": [{"says": [{"error": "sulking"}]}]}', r"rules\.0\.says\.0\.error: "),
        (
            '{"rules": [{"role": "Judge", "says": [{"text": "a"}]}]}',
            r"rules\.0\.role: there is no role 'Judge'; choose one of ObjectPerceiver, .*AnomalyJudge, .*",
        ),
        (None, "cannot read the script"),
    ],
)
def test_a_bad_script_is_said_in_one_line(script: str | None, message: str, tmp_path: Path) -> None:
    path = tmp_path / "script.json"
    if script is not None:
        path.write_text(script)

    with pytest.raises(ConfigurationError, match=message) as caught:
        FakeModel.from_file(path)
    assert str(caught.value).startswith(f"fake:{path}: ")
    assert "\n" not in str(caught.value)
