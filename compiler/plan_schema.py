"""Writes the part of `plan.schema.json` that says what each stage is told, from the dataclasses of `stages.py`.

`python -m ftc.compiler.plan_schema` writes the file anew; a test compares it with what is committed. Limits that a type
cannot say stand here.
"""

from __future__ import annotations

import json
import types
from dataclasses import fields
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from ftc.compiler import stages

FILE = Path(__file__).parent / "plan.schema.json"
NESTED: dict[str, type] = {
    "sources": stages.Source, "evaluation": stages.Source, "lora": stages.Lora, "quantization": stages.Quantization,
    "check": stages.Check,
}  # fmt: skip
LIMITS: dict[str, dict[str, float]] = {
    "learning_rate": {"exclusiveMinimum": 0},
    "steps": {"minimum": 1},
    "micro_batch": {"minimum": 1},
    "gradient_accumulation": {"minimum": 1},
    "max_length": {"minimum": 1},
    "batch_size": {"minimum": 1},
    "group": {"minimum": 2},
    "replay": {"minimum": 0, "exclusiveMaximum": 1},
    "seconds": {"exclusiveMinimum": 0},
    "nodes": {"minimum": 1},
    "processes": {"minimum": 1},
}
PLAIN: dict[type, str] = {str: "string", int: "integer", float: "number", bool: "boolean"}


def with_stages(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema with its stages as the dataclasses have them."""
    defs = {name: block for name, block in schema["$defs"].items() if name in ("range", "estimate", "stage")}
    stage = defs["stage"]
    stage["properties"]["kind"]["enum"] = list(stages.ARGUMENTS)
    stage["allOf"] = [
        {
            "if": {"properties": {"kind": {"const": kind}}},
            "then": {"properties": {"arguments": {"$ref": f"#/$defs/{_name(told)}"}}},
        }
        for kind, told in stages.ARGUMENTS.items()
    ]
    for told in dict.fromkeys((*NESTED.values(), *stages.ARGUMENTS.values())):
        defs[_name(told)] = _block(told)
    return {**schema, "$defs": defs}


def _name(told: type) -> str:
    """`PromptSearch` is `prompt-search`."""
    return "".join(f"-{letter.lower()}" if letter.isupper() else letter for letter in told.__name__).strip("-")


def _block(told: type) -> dict[str, Any]:
    hints = get_type_hints(told)
    names = [each.name for each in fields(told)]
    return {
        "type": "object",
        "description": " ".join((told.__doc__ or "").split()),
        "properties": {name: {**_type(name, hints[name]), **LIMITS.get(name, {})} for name in names},
        "required": names,
        "additionalProperties": False,
    }


def _type(name: str, hint: Any) -> dict[str, Any]:
    arguments = get_args(hint)
    if get_origin(hint) in (Union, types.UnionType):
        return {"anyOf": [_type(name, each) for each in arguments if each is not type(None)] + [{"type": "null"}]}
    if get_origin(hint) is Literal:
        return {"enum": list(arguments)}
    if get_origin(hint) is list:
        return {"type": "array", "items": _type(name, arguments[0])}
    if get_origin(hint) is dict:
        if name in NESTED:
            return {"$ref": f"#/$defs/{_name(NESTED[name])}"}
        return {"type": "object", "additionalProperties": _type("", arguments[1])}
    return {"type": PLAIN[hint]}


def text(schema: dict[str, Any]) -> str:
    """The file."""
    return json.dumps(with_stages(schema), indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    FILE.write_text(text(json.loads(FILE.read_text("utf-8"))), "utf-8")
