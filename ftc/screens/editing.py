"""A key of the spec as a field of a form: what may stand there, what it means, and how a typed text is read.

All of it comes from the spec's JSON Schema and from the catalogues; nothing is listed here twice.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ftc.spec.language import all_keys, at, types, words

NOTHING = ("", "-", "null", "~")  # typed for: take the key out
_YES = ("yes", "true", "on")
_NO = ("no", "false", "off")


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """What a form shows of one key."""

    key: str
    description: str
    choices: tuple[tuple[str, str], ...]  # (word, meaning): a closed list, or what is likely where the list is open
    closed: bool
    default: str


def keys() -> tuple[str, ...]:
    """Every key that holds a value, for completion."""
    return tuple(key for key in all_keys() if _holds_value(key))


def schema_at(key: str) -> Mapping[str, Any] | None:
    """The schema of a dotted key; hyper-parameters have dots in their own names."""
    name = key.removeprefix("overrides.")
    if name != key:
        overrides = at("overrides")
        found: Mapping[str, Any] | None = overrides["properties"].get(name) if overrides else None
        return found
    return at(key)


def all_fields() -> list[tuple[str, str]]:
    """Every key that holds a value, with what it means."""
    found = ((key, schema_at(key)) for key in keys())
    return [(key, str(schema.get("description", ""))) for key, schema in found if schema is not None]


def _holds_value(key: str) -> bool:
    schema = schema_at(key)
    return schema is not None and (key == "hardware" or "object" not in types(schema) or len(types(schema)) > 1)


def field(key: str) -> Field | None:
    """The field of a dotted key; None where the language has no such key."""
    schema = schema_at(key)
    if schema is None:
        return None
    closed = key != "hardware" and (words(schema) or _item_words(schema))
    choices = _meanings(schema) if closed else tuple((text_of(each), "") for each in schema.get("examples", ()))
    if not closed:
        choices = (*_known(key), *choices)
    if "boolean" in types(schema):
        choices, closed = (("true", ""), ("false", "")), ("true", "false")
    return Field(
        key=key,
        description=str(schema.get("description", "")),
        choices=tuple(_first_of_each(choices)),
        closed=bool(closed),
        default=text_of(schema["default"]) if schema.get("default") not in (None, "", [], {}) else "",
    )


def _first_of_each(choices: tuple[tuple[str, str], ...]) -> list[tuple[str, str]]:
    found: dict[str, str] = {}
    for word, meaning in choices:
        found.setdefault(word, meaning)
    return list(found.items())


def _item_words(schema: Mapping[str, Any]) -> tuple[str, ...]:
    return words(schema["items"]) if "items" in schema else ()


def _meanings(schema: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    from ftc.spec.language import shapes

    for shape in (*shapes(schema), *(shapes(schema["items"]) if "items" in schema else ())):
        if "oneOf" in shape:
            return tuple((str(each["const"]), str(each.get("description", ""))) for each in shape["oneOf"])
        if "enum" in shape:
            return tuple((str(each), "") for each in shape["enum"])
    return ()


def _known(key: str) -> tuple[tuple[str, str], ...]:
    """What the catalogues know for an open list: models, GPUs, whole descriptions of hardware."""
    if key == "model.base":
        from ftc.advisor.models import catalogue

        builtin = (("auto", "let the advisor choose"), ("builtin:tiny", "made on the spot, no network"))
        return (*builtin, *((each.id, f"{each.parameters / 1e9:.1f} B parameters") for each in catalogue()))
    if key == "hardware":
        return (
            ("local", "this machine"),
            ("none", "nothing to train on"),
            ("{gpu: rtx-4090}", "what one owns"),
            ("{gpu: h100, count: 8}", ""),
            ("{cloud: any}", "what one would rent"),
        )
    if key in ("hardware.gpu", "hardware.gpus"):
        from ftc.advisor.gpus import gpus

        return tuple((each.name, f"{each.memory_gib:.0f} GiB") for each in gpus())
    return ()


def parse(key: str, typed: str) -> Any:
    """The value that was typed, in the type that the key wants; None for nothing. Whether it makes sense, the spec's
    own checks say."""
    text = typed.strip()
    schema = schema_at(key)
    if text in NOTHING:
        return None
    wanted = types(schema) if schema is not None else {"string"}
    if text[0] in "{[":
        return _structure(text)
    if "array" in wanted:
        return [each.strip() for each in text.split(",") if each.strip()]
    if "boolean" in wanted and text.lower() in (*_YES, *_NO):
        return text.lower() in _YES
    if wanted & {"number", "integer"}:
        return _number(text)
    return text


def _structure(text: str) -> Any:
    import yaml

    try:
        return yaml.safe_load(text)
    except yaml.YAMLError:
        return text


def _number(text: str) -> Any:
    """A number where it is one; texts such as `8b` are numbers of the spec's language and stay as typed."""
    plain = re.sub(r"(?<=\d)[,_](?=\d{3}\b)", "", text.removeprefix("$").strip())
    for kind in (int, float):
        try:
            return kind(plain)
        except ValueError:
            continue
    return plain


def text_of(value: Any) -> str:
    """A value as one would type it."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float) and value >= 1e6:
        return _large(value)
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    if isinstance(value, list | tuple):
        return ", ".join(text_of(each) for each in value)
    if isinstance(value, dict):
        return "{" + ", ".join(f"{name}: {text_of(inner)}" for name, inner in value.items()) + "}"
    return str(value)


def _large(value: float) -> str:
    """`7.6b` for 7600000000, digits where the short form would lose some."""
    for size, letter in ((1e9, "b"), (1e6, "M")):
        short = f"{value / size:.4g}"
        if value >= size and float(short) * size == value:
            return short + letter
    return str(int(value)) if float(value).is_integer() else str(value)
