"""`ftc export` and `ftc import` as a user calls them, on real rows."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from ftc.commands.export import TOOLS, export_command
from ftc.commands.import_ import SOURCES, import_command
from ftc.commands.target_options import ENGINES
from ftc.compiler import exports, imports
from ftc.compiler.targets import TARGETS
from ftc.spec.diagnostics import Refused
from tests.plans import chain_for, plan_for

ROWS = 200


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A plan beside its data: 200 questions of two kinds."""
    monkeypatch.chdir(tmp_path)
    lines = [f"where is card number {n},card_arrival\nI lost card {n},lost_card" for n in range(ROWS // 2)]
    (tmp_path / "train.csv").write_text("text,category\n" + "\n".join(lines) + "\n", "utf-8")
    plan = plan_for("sft-lora")
    stages = tuple(
        replace(each, arguments={**each.arguments, "held_out_rows": 40, "expected_rows": ROWS})
        if each.kind == "prepare"
        else each
        for each in plan.stages
    )
    (tmp_path / "ftc.plan.json").write_bytes(replace(plan, stages=stages).to_bytes())
    return tmp_path


def call(command: Any, *words: str) -> str:
    result = CliRunner().invoke(command, words, catch_exceptions=False, standalone_mode=False)
    return result.output


def refusal(command: Any, *words: str) -> tuple[str, int]:
    with pytest.raises(Refused) as caught:
        call(command, *words)
    return caught.value.diagnostics[0].code, caught.value.exit_code


def test_choices_are_those_of_the_rooms() -> None:
    assert exports.TOOLS == TOOLS
    assert imports.SOURCES == SOURCES
    assert TARGETS == ENGINES


@pytest.mark.parametrize("tool", TOOLS)
def test_export_writes_the_configuration_and_the_rows(folder: Path, tool: str) -> None:
    said = call(export_command, "--to", tool)
    out = folder / f"export-{tool}"
    assert yaml.safe_load((out / f"{tool}.yaml").read_text("utf-8"))
    train, test = ((out / "data" / f"{name}.jsonl").read_text("utf-8").splitlines() for name in ("train", "test"))
    assert len(train) + len(test) == ROWS
    assert 30 <= len(test) <= 50
    assert not set(train) & set(test)
    assert set(json.loads(train[0])) == ({"prompt", "completion"} if tool == "trl" else {"messages"})
    assert f"export-{tool}/{tool}.yaml" in said


def test_export_says_what_it_could_not_carry_over(folder: Path) -> None:
    read = json.loads(call(export_command, "--to", "torchtune", "--json"))
    assert "R720" in {each["code"] for each in read["notes"]}
    assert "torchtune.yaml" in read["files"]


def test_export_refuses_what_is_no_plan_and_methods_that_the_tool_has_not(folder: Path) -> None:
    assert refusal(export_command, "nowhere.json", "--to", "trl") == ("R001", 2)
    (folder / "bad.json").write_text("{", "utf-8")
    assert refusal(export_command, "bad.json", "--to", "trl") == ("R002", 2)
    files, notes = exports.export(chain_for("grpo"), "llamafactory")
    assert (files, [each.code for each in notes]) == ({}, ["R721"])


def test_export_without_the_data_says_so(folder: Path) -> None:
    (folder / "train.csv").unlink()
    code, status = refusal(export_command, "--to", "trl")
    assert (code[0], status) == ("D", 2)


def test_import_writes_a_spec_that_loads(folder: Path) -> None:
    from ftc.spec.load import load

    config = {
        "base_model": "builtin:tiny",
        "adapter": "lora",
        "datasets": [{"path": "train.csv", "type": {"field_instruction": "text", "field_output": "category"}}],
        "sequence_len": 128,
        "micro_batch_size": 4,
    }
    (folder / "axolotl.yaml").write_text(yaml.safe_dump(config), "utf-8")
    assert "ftc check ftc.yaml" in call(import_command, "axolotl.yaml")
    spec = load(folder / "ftc.yaml").spec
    assert spec is not None
    assert (spec.method, spec.model.base, spec.overrides["max_length"]) == ("sft-lora", "builtin:tiny", 128)


def test_import_writes_over_no_spec_unasked(folder: Path) -> None:
    (folder / "trl.yaml").write_text("model_name_or_path: m\nuse_peft: true\n", "utf-8")
    (folder / "ftc.yaml").write_text("mine", "utf-8")
    assert refusal(import_command, "trl.yaml") == ("R733", 2)
    assert (folder / "ftc.yaml").read_text("utf-8") == "mine"
    call(import_command, "trl.yaml", "--force")
    assert "method: sft-lora" in (folder / "ftc.yaml").read_text("utf-8")


def test_import_reads_the_data_sets_that_llamafactory_names(folder: Path) -> None:
    (folder / "data").mkdir()
    (folder / "data" / "dataset_info.json").write_text('{"mine": {"file_name": "mine.json"}}', "utf-8")
    (folder / "lf.yaml").write_text("model_name_or_path: m\nstage: sft\ndataset: mine\n", "utf-8")
    read = json.loads(call(import_command, "lf.yaml", "--json"))
    assert read["spec"]["data"]["demonstrations"]["path"] == "data/mine.json"


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00", b"- 1\n", b"a: [", b"x" * (2**20 + 1)])
def test_import_of_something_else_is_a_diagnosis(folder: Path, content: bytes) -> None:
    (folder / "odd.yaml").write_bytes(content)
    assert refusal(import_command, "odd.yaml") == ("R731", 2)


def test_import_of_nothing_is_a_diagnosis(folder: Path) -> None:
    assert refusal(import_command, "nowhere.yaml") == ("R731", 2)
