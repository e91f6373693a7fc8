"""Whether a spec is plainly in its language, asked before `jsonschema` is loaded.

Loading `jsonschema` takes 50 to 100 ms, a fifth of what a person waits for `ftc advise`, and its findings are needed
only where there are some. This walks the same schema with the few keywords that it uses. It never takes what
`jsonschema` refuses (a test compares them); what it is not sure of it leaves to `jsonschema`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from ftc.spec.language import Json, is_kind, resolve, spec_schema

_SAYS_NOTHING = {"$schema", "$id", "$defs", "title", "description", "examples", "default"}


def accepted(value: Json) -> bool:
    """True where the spec is surely valid; False where it is not, or where that takes `jsonschema` to say."""
    return _accepts(spec_schema(), value)


def _accepts(schema: Mapping[str, Json], value: Json) -> bool:
    schema = resolve(schema)
    return all(
        key in _SAYS_NOTHING or (key in _RULES and _RULES[key](limit, value, schema)) for key, limit in schema.items()
    )


def _is_of_kind(limit: Json, value: Json, _: Mapping[str, Json]) -> bool:
    return any(is_kind(value, kind) for kind in ([limit] if isinstance(limit, str) else limit))


def _is_word(limit: Json, value: Json, _: Mapping[str, Json]) -> bool:
    return any(type(each) is type(value) and each == value for each in limit)


def _is_one_of(limit: Json, value: Json, _: Mapping[str, Json]) -> bool:
    return sum(_accepts(each, value) for each in limit) == 1


def _fills(limit: Json, value: Json, _: Mapping[str, Json]) -> bool:
    return all(_accepts(limit[key], each) for key, each in value.items() if key in limit)


def _fits_patterns(limit: Json, value: Json, _: Mapping[str, Json]) -> bool:
    return all(
        _accepts(schema, each) for pattern, schema in limit.items() for key, each in value.items()
        if re.search(pattern, key)
    )  # fmt: skip


def _knows_the_rest(limit: Json, value: Json, schema: Mapping[str, Json]) -> bool:
    known, patterns = schema.get("properties", {}), schema.get("patternProperties", {})
    rest = [key for key in value if key not in known and not any(re.search(each, key) for each in patterns)]
    return not rest or (limit if isinstance(limit, bool) else all(_accepts(limit, value[key]) for key in rest))


def _of(kind: str, rule: Callable[[Json, Json, Mapping[str, Json]], bool]) -> Callable[..., bool]:
    """A rule that, as in JSON Schema, says nothing about values of other kinds."""
    return lambda limit, value, schema: not is_kind(value, kind) or rule(limit, value, schema)


_RULES: Mapping[str, Callable[[Any, Any, Mapping[str, Any]], bool]] = {
    "type": _is_of_kind,
    "enum": _is_word,
    "const": lambda limit, value, schema: _is_word([limit], value, schema),
    "anyOf": lambda limit, value, _: any(_accepts(each, value) for each in limit),
    "oneOf": _is_one_of,
    "properties": _of("object", _fills),
    "patternProperties": _of("object", _fits_patterns),
    "additionalProperties": _of("object", _knows_the_rest),
    "required": _of("object", lambda limit, value, _: all(key in value for key in limit)),
    "items": _of("array", lambda limit, value, _: all(_accepts(limit, each) for each in value)),
    "minItems": _of("array", lambda limit, value, _: len(value) >= limit),
    "maxItems": _of("array", lambda limit, value, _: len(value) <= limit),
    "minLength": _of("string", lambda limit, value, _: len(value) >= limit),
    "maxLength": _of("string", lambda limit, value, _: len(value) <= limit),
    "pattern": _of("string", lambda limit, value, _: re.search(limit, value) is not None),
    "minimum": _of("number", lambda limit, value, _: value >= limit),
    "maximum": _of("number", lambda limit, value, _: value <= limit),
    "exclusiveMinimum": _of("number", lambda limit, value, _: value > limit),
    "exclusiveMaximum": _of("number", lambda limit, value, _: value < limit),
}
