"""The JSON Schema of completions, from the rows that show them: what answers of structured output are held to.

genson merges the shapes of all rows; objects are closed to fields that no row has, and a text field with few values is
held to those. Reads the first rows only: a schema that a later row breaks would be too narrow, so few values are
believed only where each is seen often.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from ftc.spec.model import Source
from ftc.spec.read import read
from ftc.spec.rows import Demonstration

ROWS = 2_000  # that are looked at
LEAST = 0.98  # share of rows that are JSON objects; below, the completions are something else
VALUES = 24  # at most, for a text field to be a choice between them
SEEN = 5  # times that each value is seen on average, for these to be all


def schema_of_sources(sources: Sequence[Source], folder: Path, role: str) -> str | None:
    """The schema as JSON, None where completions are no JSON objects."""
    texts: list[str] = []
    for source in sources:
        rows = islice(read(source, folder, role).rows, ROWS - len(texts))
        texts += [row.completion.content for row in rows if isinstance(row, Demonstration)]
    found = schema_of(texts)
    return json.dumps(found, ensure_ascii=False) if found else None


def schema_of(completions: Iterable[str]) -> dict[str, Any] | None:
    """The schema that all completions follow, None where fewer than `LEAST` of them are JSON objects."""
    from genson import SchemaBuilder

    texts = list(completions)
    values = [value for text in texts if isinstance(value := _parsed(text), dict)]
    if not values or len(values) < LEAST * len(texts):
        return None
    builder = SchemaBuilder(schema_uri=None)
    seen: dict[str, Counter[str]] = defaultdict(Counter)
    for value in values:
        builder.add_object(value)
        _count(value, "", seen)
    schema: dict[str, Any] = _closed(builder.to_schema(), "", seen)
    return schema


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None


def _count(value: Any, path: str, seen: dict[str, Counter[str]]) -> None:
    """Count what stands at each place that is a text."""
    if isinstance(value, dict):
        for name, each in value.items():
            _count(each, f"{path}/{name}", seen)
    elif isinstance(value, list):
        for each in value:
            _count(each, f"{path}[]", seen)
    elif isinstance(value, str):
        seen[path][value] += 1


def _closed(schema: dict[str, Any], path: str, seen: dict[str, Counter[str]]) -> dict[str, Any]:
    """No other fields than those seen, and choices where a field has few values."""
    out = dict(schema)
    if "properties" in out:
        out["properties"] = {name: _closed(each, f"{path}/{name}", seen) for name, each in out["properties"].items()}
        out["additionalProperties"] = False
    if "items" in out:
        out["items"] = _closed(out["items"], f"{path}[]", seen)
    if "anyOf" in out:
        out["anyOf"] = [_closed(each, path, seen) for each in out["anyOf"]]
    found = seen.get(path, Counter())
    if out == {"type": "string"} and len(found) <= VALUES and found.total() >= SEEN * len(found):
        out["enum"] = sorted(found)
    return out
