"""The smallest valid reply to a JSON schema: what a scripted model says when nobody told it anything."""

from collections.abc import Mapping
from typing import Any

Schema = Mapping[str, Any]


def smallest(schema: Schema, definitions: Schema | None = None) -> Any:
    """Empty lists and texts, the least number, the first choice: a value that `schema` accepts."""
    definitions = definitions if definitions is not None else schema.get("$defs", {})
    if reference := schema.get("$ref"):
        return smallest(definitions[reference.rpartition("/")[2]], definitions)
    for name in ("const", "enum"):
        if name in schema:
            return schema[name] if name == "const" else schema[name][0]
    for name in ("anyOf", "oneOf", "allOf"):
        if name in schema:
            return smallest(schema[name][0], definitions)
    return _of_type(schema, definitions)


def _of_type(schema: Schema, definitions: Schema) -> Any:
    match schema.get("type"):
        case "object":
            return {name: smallest(part, definitions) for name, part in schema.get("properties", {}).items()}
        case "array":
            return [smallest(schema.get("items", {}), definitions)] * int(schema.get("minItems", 0))
        case "string":
            return "-" * int(schema.get("minLength", 0))
        case "integer" | "number":
            return schema.get("minimum", schema.get("exclusiveMinimum", -1) + 1)
        case "boolean":
            return False
        case _:
            return None
