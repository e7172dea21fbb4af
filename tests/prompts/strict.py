"""OpenAI's rules for strict structured output, as a check of a JSON schema."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

Schema = Mapping[str, Any]

UNDERSTOOD = {
    *("type", "properties", "required", "additionalProperties", "items", "enum", "const", "anyOf", "$ref", "$defs"),
    *("title", "description"),
}
DEEPEST = 5


def problems_of(schema: Schema) -> list[str]:
    """What a strict server would reject; empty for a valid schema."""
    root = [] if schema.get("type") == "object" else ["the root is not an object"]
    parts = [("", schema), *((f"$defs.{name}", part) for name, part in schema.get("$defs", {}).items())]
    found = [problem for place, part in parts for problem in _problems(part, place)]
    depth = _depth(schema, schema.get("$defs", {}))
    return root + found + ([f"{depth} levels deep"] if depth > DEEPEST else [])


def _problems(schema: Schema, place: str) -> Iterator[str]:
    for keyword in schema.keys() - UNDERSTOOD:
        yield f"{place}: unknown keyword {keyword}"
    if "$ref" in schema and len(schema) > 1:
        yield f"{place}: $ref has siblings"
    if not schema.keys() & {"type", "$ref", "anyOf", "enum", "const"}:
        yield f"{place}: anything goes"
    if schema.get("type") == "object":
        yield from _object_problems(schema, place)
    if schema.get("type") == "array" and "items" not in schema:
        yield f"{place}: an array of anything"
    for name, part in _parts(schema):
        yield from _problems(part, f"{place}.{name}")


def _object_problems(schema: Schema, place: str) -> Iterator[str]:
    if schema.get("additionalProperties") is not False:
        yield f"{place}: open object"
    if not schema.get("properties"):
        yield f"{place}: object without properties"
    if missing := schema.get("properties", {}).keys() ^ set(schema.get("required", [])):
        yield f"{place}: not required: {sorted(missing)}"


def _parts(schema: Schema) -> Iterator[tuple[str, Schema]]:
    yield from schema.get("properties", {}).items()
    if isinstance(schema.get("items"), Mapping):
        yield "items", schema["items"]
    for number, part in enumerate(schema.get("anyOf", [])):
        yield f"anyOf.{number}", part


def _depth(schema: Schema, definitions: Schema, entered: tuple[str, ...] = ()) -> int:
    """Levels of nested objects; a schema that contains itself is endlessly deep."""
    if reference := schema.get("$ref"):
        if reference in entered:
            return 1_000
        return _depth(definitions[reference.rpartition("/")[2]], definitions, (*entered, reference))
    inner = max((_depth(part, definitions, entered) for _, part in _parts(schema)), default=0)
    return inner + (schema.get("type") == "object")
