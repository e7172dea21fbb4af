"""The smallest valid reply to a JSON schema: what a scripted model says when nobody told it anything."""

from collections.abc import Mapping
from typing import Any

Schema = Mapping[str, Any]


def smallest(schema: Schema) -> Any:
    """Empty lists and texts, the least number, the first choice: a value that `schema` accepts."""
    return _smallest(schema, schema.get("$defs", {}))


def _smallest(schema: Schema, definitions: Mapping[str, Schema]) -> Any:
    if reference := schema.get("$ref"):
        return _smallest(definitions[reference.rpartition("/")[2]], definitions)
    for name in ("const", "enum"):
        if name in schema:
            return schema[name] if name == "const" else schema[name][0]
    for name in ("anyOf", "oneOf", "allOf"):
        if name in schema:
            return _smallest(schema[name][0], definitions)
    return _of_type(schema, definitions)


def _of_type(schema: Schema, definitions: Mapping[str, Schema]) -> Any:
    match schema.get("type"):
        case "object":
            return {name: _smallest(part, definitions) for name, part in schema.get("properties", {}).items()}
        case "array":
            return [_smallest(schema.get("items", {}), definitions)] * int(schema.get("minItems", 0))
        case "string":
            return "-" * int(schema.get("minLength", 0))
        case "integer" | "number":
            return schema.get("minimum", schema.get("exclusiveMinimum", -1) + 1)
        case "boolean":
            return False
        case _:
            return None
