"""The language of the spec, as `spec.schema.json` defines it: its keys, its words, and what a value means where.

The schema decides how text from YAML is read: `no` is a text where a text is wanted (`language: no`) and false where
a boolean is wanted, `1e-4` is a number where a number is wanted, `8b` is 8,000,000,000 where a quantity is. Empty
values (`usd:`) count as not given. Knows nothing of whether a value makes sense: that is `check.py`'s.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from ftc.spec.diagnostics import Diagnostic
from ftc.spec.quantity import parse_quantity
from ftc.spec.yaml_tree import Node, Place

Json = Any  # a JSON value: the schema, not the type checker, says which

# The core schema of YAML 1.2, in which `no`, `0777` and `12:30` are not what YAML 1.1 made of them.
_NULL = {"", "~", "null", "Null", "NULL"}
_TRUE = {"true", "True", "TRUE"}
_FALSE = {"false", "False", "FALSE"}
_YES = {"yes", "Yes", "YES", "on", "On", "ON", "y", "Y"}
_NO = {"no", "No", "NO", "off", "Off", "OFF", "n", "N"}
_INT = re.compile(r"[-+]?[0-9]{1,30}", re.ASCII)
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]{1,4})?", re.ASCII)
_LEADING_ZERO = re.compile(r"[-+]?0[0-9]+", re.ASCII)


_KINDS: Mapping[str, Callable[[Json], bool]] = {
    "object": lambda value: isinstance(value, dict),
    "array": lambda value: isinstance(value, list),
    "string": lambda value: isinstance(value, str),
    "integer": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "number": lambda value: isinstance(value, int | float) and not isinstance(value, bool),
    "boolean": lambda value: isinstance(value, bool),
    "null": lambda value: value is None,
}


def is_kind(value: Json, kind: str) -> bool:
    """True where the value is of that JSON type; a whole number is a number as well."""
    return _KINDS[kind](value)


@cache
def spec_schema() -> dict[str, Json]:
    """The JSON Schema (2020-12) of `ftc.yaml`."""
    text = Path(__file__).with_name("spec.schema.json").read_text(encoding="utf-8")
    schema: dict[str, Json] = json.loads(text)
    return schema


def resolve(schema: Mapping[str, Json]) -> Mapping[str, Json]:
    """The schema with its `$ref` followed; what stands beside the `$ref` wins."""
    while "$ref" in schema:
        target: Json = spec_schema()
        for part in schema["$ref"].removeprefix("#/").split("/"):
            target = target[part]
        schema = {**target, **{key: value for key, value in schema.items() if key != "$ref"}}
    return schema


def shapes(schema: Mapping[str, Json]) -> list[Mapping[str, Json]]:
    """The alternatives of a schema, one where it has none."""
    schema = resolve(schema)
    return [resolve(each) for each in schema["anyOf"]] if "anyOf" in schema else [schema]


def types(schema: Mapping[str, Json]) -> set[str]:
    """The JSON types that a schema takes; empty where it takes any."""
    found: set[str] = set()
    for shape in shapes(schema):
        kind = shape.get("type", "integer" if isinstance(shape.get("const"), int) else None)
        found |= {kind} if isinstance(kind, str) else set(kind or ())
    return found


def words(schema: Mapping[str, Json]) -> tuple[str, ...]:
    """The closed list of words that a schema takes, in its order; empty where it is open."""
    for shape in shapes(schema):
        if "enum" in shape:
            return tuple(shape["enum"])
        if "oneOf" in shape:
            return tuple(each["const"] for each in shape["oneOf"])
    return ()


def at(key: str) -> Mapping[str, Json] | None:
    """The schema of a dotted key (`goal.task`, `data.demonstrations[1].path`), None where there is no such key."""
    schema: Mapping[str, Json] = spec_schema()
    for part in re.findall(r"[^.\[\]]+", key):
        found = None
        for shape in shapes(schema):
            if part.isdigit() and "items" in shape:
                found = shape["items"]
            elif part in shape.get("properties", {}):
                found = shape["properties"][part]
            elif isinstance(shape.get("additionalProperties"), dict):
                found = shape["additionalProperties"]
        if found is None:
            return None
        schema = resolve(found)
    return schema


def vocabulary(key: str) -> tuple[str, ...]:
    """The words that may stand at a dotted key: `vocabulary("goal.task")`."""
    schema = at(key)
    if schema is None:
        raise KeyError(key)
    inner = next((shape["items"] for shape in shapes(schema) if "items" in shape), schema)
    return words(schema) or words(inner)


@cache
def all_keys() -> tuple[str, ...]:
    """Every dotted key of the language, without list indices."""
    return tuple(dict.fromkeys(_keys(spec_schema(), "")))


def _keys(schema: Mapping[str, Json], prefix: str) -> Iterator[str]:
    for shape in shapes(schema):
        for name, inner in shape.get("properties", {}).items():
            yield prefix + name
            yield from _keys(inner, f"{prefix}{name}.")
        if "items" in shape:
            yield from _keys(shape["items"], prefix)


# --- reading a tree -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyPlace:
    """Where a key and its value stand."""

    key: Place
    value: Place
    leaf: bool  # the value is a scalar, so that it can be pointed at


@dataclass(slots=True, kw_only=True)
class Reading:
    """What a tree says: `value` as JSON values, the places of all dotted keys, and what is wrong with its keys."""

    value: Json = None
    places: dict[str, KeyPlace] = field(default_factory=dict)
    diagnostics: list[Diagnostic] = field(default_factory=list)


def read(root: Node) -> Reading:
    """The tree's values in the language's types. What does not fit stays as it is, for the schema to refuse."""
    reading = Reading()
    reading.value = _value(root, spec_schema(), "", reading)
    return reading


def _value(node: Node, schema: Mapping[str, Json], key: str, reading: Reading) -> Json:
    if node.kind == "scalar":
        return _scalar(node, schema, key, reading)
    if node.kind == "sequence":
        items: Mapping[str, Json] = next((shape["items"] for shape in shapes(schema) if "items" in shape), {})
        values = []
        for index, item in enumerate(node.items):
            inner = f"{key}[{index}]"
            reading.places[inner] = KeyPlace(key=item.place, value=item.place, leaf=item.kind == "scalar")
            values.append(_value(item, items, inner, reading))
        return values
    shape = next((each for each in shapes(schema) if "object" in types(each)), {})
    out: dict[str, Json] = {}
    for name_node, value_node in _entries(node, key, reading):
        name = name_node.text
        inner = f"{key}.{name}" if key else name
        reading.places[inner] = KeyPlace(
            key=name_node.place,
            value=value_node.place,
            leaf=value_node.kind == "scalar" and (bool(value_node.text) or not value_node.plain),
        )
        value = _value(value_node, _property(shape, name), inner, reading)
        if value is not None:
            out[name] = value
    return out


def _property(shape: Mapping[str, Json], name: str) -> Mapping[str, Json]:
    properties = shape.get("properties", {})
    known = properties.get(name)
    dotted = f"{name}."  # `lora: {rank: 8}` is `lora.rank: 8`
    if known is None and any(key.startswith(dotted) for key in properties):
        inner = {key.removeprefix(dotted): each for key, each in properties.items() if key.startswith(dotted)}
        return {"type": "object", "properties": inner}
    if known is None:
        extra = shape.get("additionalProperties")
        known = extra if isinstance(extra, dict) else {}
    found: Mapping[str, Json] = resolve(known)
    return found


def _entries(node: Node, key: str, reading: Reading) -> Iterator[tuple[Node, Node]]:
    """The entries by key, with `<<` merged in; complains of keys that are no text or stand twice."""
    own: dict[str, Node] = {}
    merged: list[tuple[Node, Node]] = []
    entries = []
    for name, value in node.entries:
        if name.kind != "scalar" or not name.text.strip():
            reading.diagnostics.append(_not_text(name, key))
        elif name.plain and name.text == "<<":
            merged += [entry for part in (value.items or [value]) for entry in part.entries]
        elif name.text in own:
            reading.diagnostics.append(_twice(name, own[name.text], key))
        else:
            own[name.text] = name
            entries.append((name, value))
    yield from entries
    for name, value in merged:
        if name.kind == "scalar" and name.text.strip() and name.text not in own:
            own[name.text] = name
            yield name, value


def _not_text(name: Node, key: str) -> Diagnostic:
    braces = name.kind == "mapping"
    return Diagnostic(
        code="S109",
        message="a key has to be a text" + ("; {{ }} is read as a mapping inside a mapping" if braces else ""),
        fix="put a text that holds braces into quotes" if braces else "write `key: value`",
        key=key,
        line=name.place.line,
        column=name.place.column,
        length=name.place.length,
    )


def _twice(name: Node, first: Node, key: str) -> Diagnostic:
    dotted = f"{key}.{name.text}" if key else name.text
    return Diagnostic(
        code="S119",
        message=f'"{_shown(name.text)}" stands twice; the first is in line {first.place.line}, '
        f"column {first.place.column}",
        fix="keep one of them",
        key=dotted,
        line=name.place.line,
        column=name.place.column,
        length=name.place.length,
    )


def _shown(text: str) -> str:
    return text if len(text) <= 60 else text[:59] + "…"


def _scalar(node: Node, schema: Mapping[str, Json], key: str, reading: Reading) -> Json:
    """The text in the type that the language wants at this place, or as YAML 1.2 reads it where any will do."""
    wanted = types(schema)
    text = node.text
    if not node.plain:
        return _number_in_quotes(text, schema) if wanted & {"number", "integer"} else text
    if text in _NULL:
        return None
    numeric = bool(wanted & {"number", "integer"})
    if wanted and not numeric and "boolean" not in wanted:
        return text if "string" in wanted else _plain(text)
    if "boolean" in wanted and "string" not in wanted and text in _YES | _NO:
        return text in _YES
    if numeric and _LEADING_ZERO.fullmatch(text):
        octal = f"{int(text, 8)} or " if set(text) <= set("-+01234567") else ""
        reading.diagnostics.append(
            Diagnostic(
                code="S118",
                message=f"{text} is read as {octal}{int(text)}, depending on the YAML version",
                fix=str(int(text)),
                key=key,
            )
        )
        return None
    if numeric and "pattern" in schema:
        quantity = parse_quantity(text)
        if quantity is not None:
            return quantity
    return _plain(text)


def _number_in_quotes(text: str, schema: Mapping[str, Json]) -> Json:
    """A quoted number where only numbers will do is still a number: `"8b"`, `"50"`."""
    if "pattern" in schema:
        quantity = parse_quantity(text)
        return text if quantity is None else quantity
    return text


def _plain(text: str) -> Json:
    """A text without quotes by the core schema of YAML 1.2."""
    if text in _NULL:
        return None
    if text in _TRUE | _FALSE:
        return text in _TRUE
    if _INT.fullmatch(text):
        return int(text)
    if _FLOAT.fullmatch(text) and len(text) <= 60:
        number = float(text)
        return number if math.isfinite(number) else text
    return text
