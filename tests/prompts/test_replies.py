"""The reply schemas: accepted by strict servers, said the same in prose, and closed against what was not asked for."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import ValidationError

from anomagent.models.samples import smallest
from anomagent.prompts import ASSESSORS, TEMPLATES, Reply, Template
from anomagent.prompts.anomaly_formatter import FinalReport
from anomagent.prompts.direct_detector import DirectReport
from tests.prompts.strict import problems_of

ALL = (*TEMPLATES, *ASSESSORS)
TEMPLATE_IDS = [f"{template.role}.{template.step}" for template in ALL]


def all_replies(base: type[Reply] = Reply) -> Iterator[type[Reply]]:
    """Every reply and part of a reply in the package."""
    for reply in base.__subclasses__():
        yield reply
        yield from all_replies(reply)


@pytest.mark.parametrize("reply", sorted(all_replies(), key=lambda reply: reply.__name__), ids=lambda r: r.__name__)
def test_schema_is_strict(reply: type[Reply]) -> None:
    assert problems_of(reply.strict_schema()) == []


def test_the_check_itself_sees_what_strict_servers_reject() -> None:
    text = {"type": "string"}
    closed = {"type": "object", "additionalProperties": False}
    bad: dict[str, dict[str, Any]] = {
        "open object": {"type": "object", "properties": {"a": text}, "required": ["a"]},
        "not required": {**closed, "properties": {"a": text}, "required": []},
        "unknown keyword minLength": {**closed, "properties": {"a": {**text, "minLength": 0}}, "required": ["a"]},
        "unknown keyword default": {**closed, "properties": {"a": {**text, "default": ""}}, "required": ["a"]},
        "object without properties": {**closed, "properties": {"a": closed}, "required": ["a"]},
        "array of anything": {**closed, "properties": {"a": {"type": "array"}}, "required": ["a"]},
        "root is not an object": {"anyOf": [text]},
        "$ref has siblings": {
            **closed,
            "properties": {"a": {"$ref": "#/$defs/A", "description": "x"}},
            "required": ["a"],
            "$defs": {"A": text},
        },
        "levels deep": {
            **closed,
            "properties": {"a": {"$ref": "#/$defs/A"}},
            "required": ["a"],
            "$defs": {"A": {**closed, "properties": {"a": {"$ref": "#/$defs/A"}}, "required": ["a"]}},
        },
    }
    for problem, schema in bad.items():
        assert any(problem in found for found in problems_of(schema)), problem


@pytest.mark.parametrize("template", ALL, ids=TEMPLATE_IDS)
def test_the_prompt_shows_exactly_the_shape_of_the_schema(template: Template) -> None:
    """Same keys, same order: a model that is not constrained must arrive at the same object."""
    line = next(line for line in template.source.splitlines() if line.startswith("Reply: "))
    shown = json.loads(re.sub(r"\.\.\.", "null", line.removeprefix("Reply: ")))
    schema = template.reply.strict_schema()
    assert same_shape(shown, schema, schema.get("$defs", {}))


def same_shape(shown: Any, schema: Any, definitions: Any) -> bool:
    """Whether the example and the schema have the same keys in the same order; `null` in the example is any leaf."""
    if reference := schema.get("$ref"):
        return same_shape(shown, definitions[reference.rpartition("/")[2]], definitions)
    if schema.get("type") == "object":
        properties = schema["properties"]
        return list(shown) == list(properties) and all(
            same_shape(shown[key], part, definitions) for key, part in properties.items()
        )
    if schema.get("type") == "array":
        return isinstance(shown, list) and len(shown) == 1 and same_shape(shown[0], schema["items"], definitions)
    return shown is None


@pytest.mark.parametrize("template", ALL, ids=TEMPLATE_IDS)
def test_finding_nothing_is_a_valid_reply(template: Template) -> None:
    empty = smallest(template.reply.strict_schema())
    assert all(value == [] for value in empty.values())
    assert template.reply.model_validate(empty).model_dump() == empty


@pytest.mark.parametrize("template", ALL, ids=TEMPLATE_IDS)
def test_replies_are_closed(template: Template) -> None:
    empty = smallest(template.reply.strict_schema())
    with pytest.raises(ValidationError, match="Extra inputs"):
        template.reply.model_validate({**empty, "comment": "as you wished"})
    for key in empty:
        with pytest.raises(ValidationError, match="Field required"):
            template.reply.model_validate({name: value for name, value in empty.items() if name != key})


QUADRUPLE = {"name": "floating cup", "phenomenon": "it floats", "reasoning": "gravity", "severity": 10, "objects": []}


@pytest.mark.parametrize("reply", [FinalReport, DirectReport], ids=lambda reply: reply.__name__)
@pytest.mark.parametrize("severity", [0, 100])
def test_severity_may_be_anything_from_0_to_100(reply: type[Reply], severity: int) -> None:
    assert reply.model_validate(_final(reply, severity=severity)).model_dump()["anomalies"][0]["severity"] == severity


@pytest.mark.parametrize("reply", [FinalReport, DirectReport], ids=lambda reply: reply.__name__)
@pytest.mark.parametrize(
    "change",
    [{"severity": -1}, {"severity": 101}, {"severity": "low"}, {"name": " "}, {"phenomenon": ""}, {"reasoning": "\n"}],
    ids=str,
)
def test_an_anomaly_that_says_nothing_is_not_accepted(reply: type[Reply], change: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        reply.model_validate(_final(reply, **change))


def _final(reply: type[Reply], **change: Any) -> dict[str, Any]:
    if reply is DirectReport:
        return {"anomalies": [QUADRUPLE | change]}
    return {"anomalies": [QUADRUPLE | {"covers": [1]} | change], "dropped": []}
