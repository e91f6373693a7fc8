"""The loader against specs that nobody wrote: generated from the schema, mutated, random. 2,500 a run.

What has to hold for each: no traceback, no hang, a spec or an error but never both, places inside the file, and no
validator's own words in a message.
"""

from __future__ import annotations

import random
import re
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from ftc.advisor.observe import unknown_names
from ftc.spec.acceptance import accepted
from ftc.spec.codes import CODES
from ftc.spec.diagnostics import errors
from ftc.spec.language import shapes, spec_schema, types, words
from ftc.spec.load import Loaded, load_text
from ftc.spec.quantity import parse_quantity, write_quantity
from ftc.spec.yaml_tree import LINE_BREAK

SLOWEST = 2.0  # seconds of the processor for one spec
SCHEMA_CODES = {"S103", "S113", "S114", "S115", "S116", "S118"}
RAW = re.compile(r"is not (of type|valid under|one of \[)|Additional properties|is a required property|does not match")
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**20), 10**20),
    st.floats(),
    st.text(max_size=20),
    st.sampled_from(
        ["8b", "1.5M", "no", "1e-4", "train.csv", "/dev/zero", "hf_" + "a" * 34, "012", "2026-01-01", "*a"]
    ),
)
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=8,
)


def fuzzed(examples: int) -> settings:
    return settings(
        max_examples=examples,
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the generated paths exist."""
    made = tmp_path_factory.mktemp("fuzz")
    for name in ("train.csv", "prefs.jsonl"):
        (made / name).write_text("a,b\n1,2\n")
    (made / "rewards.py").write_text("def score(a, b):\n    return 1.0\n")
    return made


def sound(text: str | bytes, folder: Path) -> Loaded:
    """Load, with everything checked that has to hold for any text."""
    started = time.process_time()
    loaded = load_text(text, "ftc.yaml", folder)
    assert time.process_time() - started < SLOWEST
    if loaded.names is not None:
        assert {each.code for each in unknown_names(loaded.names)} <= {"S110", "S111"}
    stopped = errors(loaded.diagnostics)
    assert (loaded.spec is None) == bool(stopped)
    lines = LINE_BREAK.split(loaded.text) if loaded.text else None
    for each in loaded.diagnostics:
        assert each.code in CODES
        assert each.message
        assert not RAW.search(each.message)
        assert "hf_aaaaaaaaaaaaaaaa" not in str(each.to_json())
        assert each.line >= 1 or not loaded.text
        assert lines is None or each.line <= len(lines)
        assert each.excerpt.isprintable()
        assert "\n" not in each.message
    assert len(set(loaded.diagnostics)) == len(loaded.diagnostics)
    return loaded


def values(schema: Mapping[str, Any]) -> st.SearchStrategy[Any]:
    """Values that the schema takes, of every shape that it takes."""
    return st.one_of([_shape(each) for each in shapes(schema)])


def _shape(schema: Mapping[str, Any]) -> st.SearchStrategy[Any]:
    choice = words(schema)
    kinds = types(schema)
    if "const" in schema:
        return st.just(schema["const"])
    if choice:
        return st.sampled_from(choice)
    if "object" in kinds:
        return _mapping(schema)
    if "array" in kinds:
        return st.lists(values(schema["items"]), min_size=schema.get("minItems", 0), max_size=3)
    if kinds & {"number", "integer"}:
        return _number(schema, kinds)
    if "boolean" in kinds:
        return st.booleans()
    return _text(schema)


def _mapping(schema: Mapping[str, Any]) -> st.SearchStrategy[Any]:
    required = schema.get("required", [])
    properties = {name: values(each) for name, each in schema.get("properties", {}).items()}
    few = st.lists(st.sampled_from(sorted(properties)), unique=True, max_size=6)
    return few.flatmap(lambda names: st.fixed_dictionaries({name: properties[name] for name in {*required, *names}}))


def _number(schema: Mapping[str, Any], kinds: set[str]) -> st.SearchStrategy[Any]:
    low = schema.get("minimum", schema.get("exclusiveMinimum", 0))
    high = min(schema.get("maximum", schema.get("exclusiveMaximum", 10**12)), 10**12)
    exclusive = "exclusiveMinimum" in schema
    if "integer" in kinds:
        whole = st.integers(int(low), int(high))
        return whole | whole.map(write_quantity) if "string" in kinds else whole
    return st.floats(low, high, exclude_min=exclusive, exclude_max="exclusiveMaximum" in schema, allow_subnormal=False)


def _text(schema: Mapping[str, Any]) -> st.SearchStrategy[Any]:
    if "pattern" in schema:
        return st.sampled_from(schema["examples"])
    if "train.csv" in schema.get("examples", ()) or "test.csv" in schema.get("examples", ()):
        return st.sampled_from(["train.csv", "prefs.jsonl", "*.csv", "."])
    readable = st.text(st.characters(exclude_categories=["Cc", "Cs", "Cn", "Co"]), min_size=1, max_size=20)
    return readable.filter(lambda text: "://" not in text and not text.startswith(("~", "/", "./", "../", "builtin:")))


SPECS = values(spec_schema())


@fuzzed(500)
@given(value=SPECS)
def test_what_the_schema_takes_the_loader_takes(value: dict[str, Any], folder: Path) -> None:
    loaded = sound(yaml.safe_dump(value, allow_unicode=True), folder)
    raised = {each.code for each in loaded.diagnostics if each.code in SCHEMA_CODES}
    if "hardware" in value or "success" in value["goal"] or "reward" in value.get("data", {}):
        raised -= {"S115", "S116"}  # a share above 1, hardware without a GPU, an empty reward: more than a schema says
    assert not raised, loaded.diagnostics


def changed(value: dict[str, Any], replacement: Any, chance: random.Random) -> None:
    """Put any value in any place, or a key under another name."""
    at: Any = value
    while isinstance(at, dict | list) and at:
        inner = chance.choice(list(at)) if isinstance(at, dict) else chance.randrange(len(at))
        if not isinstance(at[inner], dict | list) or chance.random() < 0.4:
            if isinstance(at, dict) and chance.random() < 0.2:
                at[str(replacement)[:30]] = at.pop(inner)
            else:
                at[inner] = replacement
            break
        at = at[inner]


@fuzzed(600)
@given(value=SPECS, replacement=JSON, seed=st.integers(0, 2**32))
def test_any_value_in_any_place(value: dict[str, Any], replacement: Any, seed: int, folder: Path) -> None:
    chance = random.Random(seed)
    changed(value, replacement, chance)
    sound(yaml.safe_dump(value, allow_unicode=chance.random() < 0.5), folder)


VALIDATOR = Draft202012Validator(spec_schema())


@fuzzed(400)
@given(value=SPECS, replacement=JSON, seed=st.integers(0, 2**32))
def test_what_is_accepted_without_the_validator_is_valid(value: dict[str, Any], replacement: Any, seed: int) -> None:
    assert accepted(value) == VALIDATOR.is_valid(value)
    changed(value, replacement, random.Random(seed))
    assert VALIDATOR.is_valid(value) or not accepted(value)


WRITTEN = """\
version: 1
name: support-router
goal:  # what for
  task: classification
  language: no
  success: {metric: accuracy, at_least: 0.80}
data: &data
  demonstrations: [{path: train.csv, columns: {prompt: text}}, {rows: 12k}]
  feedback: {type: binary, rows: 9000, positive: 7380}
model: {base: Qwen/Qwen2.5-7B-Instruct, parameters: 8.03b}
hardware: {gpu: rtx-4090, count: 1}
constraints: [on-prem, 'commercial']
overrides: {learning_rate: 1.0e-4, lora: {rank: 32}}
"""
PIECES = st.sampled_from(
    ["\t", "  ", "\n", "\r\n", ": ", "- ", "{", "}", "[", "]", "*data", "&x ", "<<: *data", "!!set", "!x ", "'", '"',
     "|\n", ">", "#", "? ", "---\n", "...\n", "%", "@", "`", "\u2028", "\x85", "\ufeff", "\x00", "no", "~", "9" * 99]
)  # fmt: skip


@fuzzed(800)
@given(edits=st.lists(st.tuples(st.integers(0, len(WRITTEN)), st.integers(0, 12), PIECES), min_size=1, max_size=4))
def test_slips_of_the_keyboard(edits: list[tuple[int, int, str]], folder: Path) -> None:
    text = WRITTEN
    for start, length, piece in edits:
        text = text[:start] + piece + text[start + length :]
    sound(text, folder)


@fuzzed(600)
@given(content=st.binary(max_size=200) | st.text(max_size=200) | st.lists(PIECES, max_size=30).map("".join))
def test_any_bytes(content: bytes | str, folder: Path) -> None:
    sound(content, folder)


@fuzzed(500)
@given(value=st.integers(0, 10**15) | st.floats(1e-9, 1e15))
def test_quantities_survive_being_written(value: float) -> None:
    read = parse_quantity(write_quantity(value))
    assert read is not None
    assert read == pytest.approx(value, rel=1e-15)
