"""The plan as a value and as a file: same bytes, read back whole, every damage a diagnosis."""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from ftc.compiler import stages
from ftc.compiler.plan import Plan
from ftc.compiler.plan_file import load_plan, plan_schema

GOLDEN = Path(__file__).parent / "golden" / "tickets-lora.plan.json"


@pytest.fixture
def plan_json() -> dict[str, Any]:
    value: dict[str, Any] = json.loads(GOLDEN.read_text("utf-8"))
    return value


def test_reading_back_gives_the_same_bytes() -> None:
    plan, problems = load_plan(GOLDEN)
    assert problems == []
    assert plan is not None
    assert plan.to_bytes() == GOLDEN.read_bytes()
    assert plan.run_name == f"tickets-lora-{plan.hash[:8]}"


@pytest.mark.parametrize(
    ("damage", "code"),
    [
        (lambda text: "", "R002"),
        (lambda text: text[: len(text) // 2], "R002"),
        (lambda text: "[" * 100_000, "R002"),
        (lambda text: "[]", "R003"),
        (lambda text: "null", "R003"),
        (lambda text: text.replace('"schema": 1', '"schema": 99'), "R004"),
        (lambda text: text.replace('"learning_rate"', '"learning_rat"'), "R003"),
        (lambda text: text.replace('"kind": "sft"', '"kind": "sfft"'), "R003"),
        (lambda text: text.replace('"name": "tickets-lora"', '"name": "../../etc"'), "R003"),
    ],
)
def test_a_damaged_plan_is_diagnosed(tmp_path: Path, damage: Any, code: str) -> None:
    path = tmp_path / "ftc.plan.json"
    path.write_text(damage(GOLDEN.read_text("utf-8")), "utf-8")
    plan, problems = load_plan(path)
    assert plan is None
    assert {each.code for each in problems} == {code}


@pytest.mark.parametrize("path", [Path("nowhere.json"), Path(__file__).parent])
def test_no_plan_there(path: Path) -> None:
    plan, problems = load_plan(path)
    assert plan is None
    assert [each.code for each in problems] == ["R001"]


@pytest.mark.parametrize("kind", sorted(stages.ARGUMENTS))
def test_schema_and_dataclass_name_the_same_arguments(kind: str) -> None:
    rule = next(
        each for each in plan_schema()["$defs"]["stage"]["allOf"] if each["if"]["properties"]["kind"]["const"] == kind
    )
    name = rule["then"]["properties"]["arguments"]["$ref"].rsplit("/", 1)[-1]
    block = plan_schema()["$defs"][name]
    expected = {each.name for each in fields(stages.ARGUMENTS[kind])}
    assert set(block["properties"]) == expected == set(block["required"])
    assert block["additionalProperties"] is False


def test_schema_is_a_schema() -> None:
    from jsonschema import Draft202012Validator

    Draft202012Validator.check_schema(plan_schema())


def test_every_argument_has_an_origin(plan_json: dict[str, Any]) -> None:
    for stage in plan_json["stages"]:
        assert set(stage["origins"]) == set(stage["arguments"]), stage["id"]
        assert all(stage["origins"].values())


def test_overrides_are_in_the_plan_with_their_origin(plan_json: dict[str, Any]) -> None:
    settings = plan_json["verdict"]["settings"]
    assert settings["lora.rank"]["value"] == 32
    assert settings["lora.rank"]["origin"] == "spec overrides.lora.rank"
    sft = next(stage for stage in plan_json["stages"] if stage["kind"] == "sft")
    assert sft["arguments"]["lora"]["rank"] == 32
    assert sft["arguments"]["learning_rate"] == pytest.approx(1e-4)


def test_a_plan_is_a_value(plan_json: dict[str, Any]) -> None:
    assert Plan.from_json(plan_json) == Plan.from_json(json.loads(json.dumps(plan_json)))
