"""The language against its other descriptions: the values it becomes, its codes, the words it closes."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml
from jsonschema import Draft202012Validator
from ruamel.yaml import YAML

from ftc.advisor.overrides import ALLOWED
from ftc.spec import model
from ftc.spec.codes import CODES
from ftc.spec.language import all_keys, at, resolve, shapes, spec_schema, types, vocabulary, words
from ftc.spec.load import load_text
from ftc.spec.quantity import parse_quantity, write_quantity
from ftc.spec.recognise import ROLES
from ftc.spec.recognisers import BY_FORMAT
from ftc.spec.suggest import closest, did_you_mean
from ftc.spec.synonyms import ANOTHER_KEY, ELSEWHERE, SYNONYMS
from ftc.spec.yaml_text import slug, yaml_text

ROOT = Path(__file__).parents[1]
FACTS = ROOT.parent / "shared" / "facts"


def test_the_schema_is_a_schema() -> None:
    Draft202012Validator.check_schema(spec_schema())


def fields(schema: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Mapping[str, Any]]]:
    for shape in shapes(schema):
        for name, inner in shape.get("properties", {}).items():
            yield prefix + name, resolve(inner)
            yield from fields(inner, f"{prefix}{name}.")
        if "items" in shape:
            yield from fields(shape["items"], prefix)


def test_every_field_explains_itself() -> None:
    seen = dict(fields(spec_schema()))
    assert len(seen) > 90
    for key, field in seen.items():
        assert field.get("description", "").endswith((".", "?")), key
        shows = "default" in field or "examples" in field or words(field) or "properties" in field or "anyOf" in field
        assert shows or "boolean" in field.get("type", ()), f"{key} shows no value"


def test_every_example_and_default_is_valid_where_it_stands() -> None:
    checked = 0
    for key, field in fields(spec_schema()):
        for example in [*field.get("examples", []), *([field["default"]] if "default" in field else [])]:
            errors = list(Draft202012Validator({**spec_schema(), **field, "required": []}).iter_errors(example))
            errors = [each for each in errors if each.validator not in ("additionalProperties", "const")]
            checked += 1
            inner = {"$schema": spec_schema()["$schema"], "$defs": spec_schema()["$defs"], **field}
            assert Draft202012Validator(inner).is_valid(example), (key, example, errors)
    assert checked > 70


@pytest.mark.parametrize(
    ("key", "values"),
    [
        ("goal.task", model.Task),
        ("goal.knowledge", model.Knowledge),
        ("goal.quality", model.Quality),
        ("goal.prompting", model.Prompting),
        ("data.demonstrations.source", model.Origin),
        ("data.feedback.type", model.FeedbackType),
        ("method", model.Method),
        ("deploy.target", model.Target),
    ],
)
def test_words_of_the_language_are_the_values_of_the_model(key: str, values: Any) -> None:
    assert vocabulary(key) == get_args(values)


@pytest.mark.skipif(not FACTS.exists(), reason="the vocabulary is not at hand")
def test_constraints_are_the_agreed_ones() -> None:
    assert sorted(vocabulary("constraints")) == sorted((FACTS / "constraints.txt").read_text().split())


def test_overrides_are_the_settings_of_the_advisor() -> None:
    overrides = resolve(spec_schema()["properties"]["overrides"])["properties"]
    assert set(overrides) == set(ALLOWED), "describe a new setting in spec.schema.json under overrides"
    kinds = {int: "integer", float: "number", bool: "boolean", str: "string"}
    for key, allowed in ALLOWED.items():
        assert kinds[allowed.type] in types(overrides[key]), key
        assert words(overrides[key]) == allowed.words, key


def test_roles_of_columns_are_those_of_the_recogniser() -> None:
    columns = at("data.demonstrations.columns")
    assert columns is not None
    assert set(columns["properties"]) == set(ROLES)


def test_formats_are_those_of_the_recogniser() -> None:
    assert set(vocabulary("data.demonstrations.format")) == {*BY_FORMAT, "auto", "documents"}


def test_what_other_tools_say_leads_to_keys_and_words_that_exist() -> None:
    for meant in ELSEWHERE.values():
        assert meant in all_keys(), meant
    every = {word for key in all_keys() if (schema := at(key)) is not None for word in words(schema)}
    every |= set(vocabulary("constraints")) | set(vocabulary("data.contains"))
    assert set(SYNONYMS.values()) <= every
    for instead in ANOTHER_KEY.values():
        found = load_text(f"goal: {{task: qa}}\n{instead}\n", "x", ROOT).diagnostics
        assert [each.code for each in found] in ([], ["S119"])


def test_codes_have_pages_and_pages_have_codes() -> None:
    raised = set()
    sources = [*(ROOT / "spec").rglob("*.py"), *(ROOT / "advisor").rglob("*.py"), *(ROOT / "compiler").rglob("*.py")]
    for path in sources:
        if path.name != "codes.py":
            raised |= set(re.findall(r'"(S1\d\d)"', path.read_text()))
    assert raised <= set(CODES), "raised and not explained"
    assert len(raised) > 20
    elsewhere = {"S110", "S111", "S112", "S130", "S131", "S132", "S133"}  # raised by the advisor and the front door
    assert set(CODES) - raised <= elsewhere, "explained and never raised"
    for code, page in CODES.items():
        assert page.checks.endswith("."), code
        assert page.why.endswith("."), code
        assert page.fix.endswith("."), code


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("8b", 8_000_000_000),
        ("8.03b", 8_030_000_000),
        ("8B", 8_000_000_000),
        ("1.5M", 1_500_000),
        ("12k", 12_000),
        ("12 k", 12_000),
        ("1_000", 1000),
        ("1.6e3b", 1_600_000_000_000),
        ("0.5", 0.5),
        ("2.5", 2.5),
        ("1e3", 1000),
        ("1e-3", 0.001),
        ("1t", 10**12),
        ("", None),
        ("b", None),
        ("-1", None),
        ("8bb", None),
        ("1,000", None),
        ("1e999", None),
        ("\u0661", None),
        ("9" * 100, None),
    ],
)
def test_quantities(text: str, value: float | None) -> None:
    found = parse_quantity(text)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize("value", [0, 1, 999, 1000, 1234, 12_000, 8_030_000_000, 1.5, 0.001, 1e-9, 10**12, 123_456_789])
def test_quantities_are_written_as_they_are_read(value: float) -> None:
    assert parse_quantity(write_quantity(value)) == value


@pytest.mark.parametrize(
    ("word", "known", "found"),
    [
        ("budjet", ["budget", "base"], ("budget",)),
        ("RTX 4900", ["rtx-4090", "h100"], ("rtx-4090",)),
        ("LEARNING-RATE", ["learning_rate"], ("learning_rate",)),
        ("tickets_trian.csv", ["tickets_train.csv", "tickets_test.csv"], ("tickets_train.csv",)),
        ("foo", ["format", "rows"], ()),
        ("", ["format"], ()),
        ("x" * 1000, ["format"], ()),
        ("anything", [], ()),
    ],
)
def test_suggestions(word: str, known: list[str], found: tuple[str, ...]) -> None:
    assert closest(word, known) == found
    assert did_you_mean(word, known) == (f'did you mean "{found[0]}"?' if found else "")


@pytest.mark.parametrize(
    "text", ["../../x", "", "a b", "\u65e5\u672c", "-.-", "x" * 200, "x; rm -rf /", "\u00e9t\u00e9"]
)
def test_a_slug_is_a_name(text: str) -> None:
    loaded = load_text(f"goal: {{task: qa}}\nname: {slug(text)!r}\n", "x", ROOT)
    assert loaded.diagnostics == ()


@pytest.mark.parametrize(
    "value",
    [
        "a",
        "no",
        "1e5",
        "a: b",
        "a:b",
        "a:",
        ":a",
        "#x",
        " a",
        "",
        {"a": [1, 2.5, True]},
        ["x, y", "{z}"],
        'q"uote',
        "tab\t",
        "null",
        "a\n",
        "\u2028",
        "8b",
        "12:30",
        1e-5,
        1e300,
        1e16,
        2.0,
        "\x7f",
    ],
)
def test_what_can_be_pasted_reads_back(value: Any) -> None:
    for text in (f"x: {yaml_text(value)}", f"{{x: {yaml_text(value)}, y: 1}}"):
        assert yaml.safe_load(text)["x"] == value
        assert YAML(typ="safe", pure=True).load(text)["x"] == value
