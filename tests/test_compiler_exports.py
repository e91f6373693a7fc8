"""A plan as another tool's configuration: complete, or its gaps said; and what the tools' own parsers said of it."""

from __future__ import annotations

import importlib.util
import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from ftc.compiler.exports import TOOLS, Tool, export, portable
from ftc.compiler.exports.export import KINDS
from ftc.compiler.exports.torchtune import builder
from ftc.compiler.plan import Plan
from ftc.spec.diagnostics import Severity
from ftc.spec.rows import Demonstration, Document, Message, Pair, Prompt, Ranking, Row, Thumb
from tests.plans import METHODS, chain_for, hardware, model, plan_for

INTEROP = Path(__file__).parents[1] / "benchmarks" / "interop"


def config(plan: Plan, tool: Tool) -> dict[str, Any]:
    files, _ = export(plan, tool)
    read: dict[str, Any] = yaml.safe_load(files[f"{tool}.yaml"])
    return read


def noted(plan: Plan, tool: Tool) -> set[str]:
    _, notes = export(plan, tool)
    assert {each.code for each in notes} == {"R720"}
    assert {each.severity for each in notes} == {Severity.NOTE}
    return {each.key for each in notes}


@pytest.mark.parametrize("tool", TOOLS)
@pytest.mark.parametrize("method", METHODS)
def test_every_argument_is_carried_over_or_said_not_to_be(tool: Tool, method: str) -> None:
    """A value that only this plan has, for each argument in turn, has to show up in the file or in the notes."""
    marks: dict[str, Any] = {
        "learning_rate": 1.2345e-4, "scheduler": "linear", "warmup_steps": 9173, "epochs": 7.0, "micro_batch": 9174,
        "gradient_accumulation": 9175, "max_length": 9176, "optimizer": "adafactor", "weight_decay": 0.09177,
        "max_grad_norm": 0.09178, "neftune_alpha": 9.179, "logging_steps": 9180, "eval_steps": 9181,
        "save_steps": 9182, "keep_checkpoints": 9183, "early_stopping_patience": 9184, "seed": 9185,
    }  # fmt: skip
    files, notes = export(plan_for(method, train=marks), tool)
    text = "".join(files.values())
    said = {each.key.removeprefix("sft.") for each in notes}
    for name, value in marks.items():
        assert name in said or str(value) in text or f"{name}: {value:g}" in text, name


@pytest.mark.parametrize("tool", TOOLS)
def test_an_argument_that_no_exporter_knows_becomes_a_note(tool: Tool) -> None:
    plan = chain_for("sft")
    stage = next(each for each in plan.stages if each.kind == "sft")
    stage.arguments["unheard_of"] = 3  # type: ignore[index]
    stage.arguments["switched_off"] = False  # type: ignore[index]
    keys = noted(plan, tool)
    assert "sft.unheard_of" in keys
    assert "sft.switched_off" not in keys


@pytest.mark.parametrize("tool", TOOLS)
@pytest.mark.parametrize("kind", ["cpt", "reward", "dpo", "kto", "grpo", "rloo"])
def test_a_method_that_the_tool_has_not_is_refused(tool: Tool, kind: Any) -> None:
    files, notes = export(chain_for(kind), tool)
    refused = [each.code for each in notes if each.code == "R721"]
    assert (files == {}) == (refused == ["R721"]) == (kind not in KINDS[tool])


@pytest.mark.parametrize("tool", TOOLS)
def test_same_plan_same_bytes(tool: Tool) -> None:
    assert export(plan_for("sft-qlora"), tool)[0] == export(plan_for("sft-qlora"), tool)[0]


@pytest.mark.parametrize("tool", TOOLS)
def test_a_chain_becomes_one_file_a_stage_and_the_second_starts_from_the_first(tool: Tool) -> None:
    files, notes = export(chain_for("sft", "dpo"), tool)
    assert {f"{tool}.sft.yaml", f"{tool}.dpo.yaml"} <= files.keys()
    if tool != "torchtune":
        assert "out/support-router-sft" in files[f"{tool}.dpo.yaml"]
    assert "dpo.start_from" in {each.key for each in notes}  # the adapter has to be merged in between


def test_axolotl_says_what_the_plan_says() -> None:
    read = config(plan_for("sft-qlora"), "axolotl")
    assert (read["adapter"], read["load_in_4bit"], read["lora_r"], read["lora_target_linear"]) == (
        "qlora",
        True,
        16,
        True,
    )
    assert read["datasets"][0]["data_files"] == ["data/train.jsonl"]
    assert read["test_datasets"][0]["data_files"] == ["data/test.jsonl"]


def test_llamafactory_says_what_the_plan_says() -> None:
    files, _ = export(chain_for("kto"), "llamafactory")
    read = yaml.safe_load(files["llamafactory.yaml"])
    assert (read["stage"], read["finetuning_type"], read["pref_beta"], read["kto_rejected_weight"]) == (
        "kto",
        "lora",
        0.1,
        1.33,
    )
    described = json.loads(files["data/dataset_info.json"])
    assert described["train"]["columns"] == {"messages": "messages", "kto_tag": "label"}


def test_trl_says_what_the_plan_says() -> None:
    read = config(plan_for("sft-qlora", hardware=hardware(kind="cpu")), "trl")
    assert (read["use_peft"], read["load_in_4bit"], read["completion_only_loss"], read["use_cpu"]) == (True,) * 4
    assert read["loss_type"] == "chunked_nll"


def test_torchtune_says_what_the_plan_says() -> None:
    read = config(plan_for("sft-qlora"), "torchtune")
    assert read["model"]["_component_"] == "torchtune.models.qwen2_5.lora_qwen2_5_1_5b_instruct"
    assert read["model"]["quantize_base"] is True
    assert read["tokenizer"]["max_seq_len"] == 128


@pytest.mark.parametrize(
    ("base", "expected"),
    [
        ("Qwen/Qwen2.5-0.5B", "qwen2_5_0_5b"),
        ("Qwen/Qwen2.5-7B-Instruct", "qwen2_5_7b_instruct"),
        ("Qwen/Qwen2.5-7B", "qwen2_5_7b_base"),
        ("meta-llama/Llama-3.1-8B-Instruct", "llama3_1_8b"),
        ("meta-llama/Llama-3.2-1B", "llama3_2_1b"),
        ("google/gemma-2-9b-it", "gemma2_9b"),
        ("./models/Mistral-7B-Instruct-v0.3/", "mistral_7b"),
        ("builtin:tiny", None),
        ("Qwen/Qwen3-8B", None),
        ("someone/My-Qwen2.5-7B-Instruct-merged", None),
    ],
)
def test_torchtune_builds_models_by_name(base: str, expected: str | None) -> None:
    found = builder(base)
    assert (found[1] if found else None) == expected
    files, notes = export(plan_for(model=model(base=base)), "torchtune")
    assert (files == {}) == (expected is None)
    assert ("R721" in {each.code for each in notes}) == (expected is None)


# --- rows ---------------------------------------------------------------------------------------------------------

ASKED = (Message(role="system", content="Be brief."), Message(role="user", content="Where is my card?"))
ANSWER = Message(role="assistant", content="card_arrival")
ROWS: list[tuple[Row, str, list[str]]] = [
    (Demonstration(messages=(*ASKED, ANSWER), place="a:1"), "trl", ["prompt", "completion"]),
    (Demonstration(messages=(*ASKED, ANSWER), place="a:1"), "axolotl", ["messages"]),
    (Demonstration(messages=(*ASKED, ANSWER), place="a:1", tools="[]"), "llamafactory", ["messages", "tools"]),
    (Pair(prompt=ASKED, chosen="a", rejected="b", place="a:1"), "trl", ["prompt", "chosen", "rejected"]),
    (Pair(prompt=ASKED, chosen="a", rejected="b", place="a:1"), "axolotl", ["messages", "chosen", "rejected"]),
    (Pair(prompt=ASKED, chosen="a", rejected="b", place="a:1"), "torchtune", ["chosen", "rejected"]),
    (Thumb(prompt=ASKED, completion="a", good=True, place="a:1"), "trl", ["prompt", "completion", "label"]),
    (Thumb(prompt=ASKED, completion="a", good=True, place="a:1"), "llamafactory", ["messages", "label"]),
    (Thumb(prompt=ASKED, completion="a", good=True, place="a:1"), "axolotl", ["prompt", "completion", "label"]),
    (Prompt(prompt=ASKED, place="a:1", answer="7"), "trl", ["prompt", "answer"]),
    (Document(text="x", place="a:1"), "trl", ["text"]),
]


@pytest.mark.parametrize(("row", "tool", "keys"), ROWS)
def test_rows_have_the_columns_that_the_tool_reads(row: Row, tool: str, keys: list[str]) -> None:
    (found,) = portable(row, tool)
    assert list(found) == keys
    json.dumps(found)


def test_a_ranking_becomes_every_pair_in_order() -> None:
    pairs = portable(Ranking(prompt=ASKED, answers=("a", "b", "c"), place="a:1"), "trl")
    texts = [(each["chosen"][0]["content"], each["rejected"][0]["content"]) for each in pairs]
    assert texts == [("a", "b"), ("a", "c"), ("b", "c")]


# --- the tools' own parsers ---------------------------------------------------------------------------------------


def test_recorded_answers_of_the_parsers_accept_everything_that_is_exported() -> None:
    recorded = json.loads((INTEROP / "results.json").read_text("utf-8"))
    assert set(recorded) == set(TOOLS)
    for tool, result in recorded.items():
        said = result["plans"]
        assert said.pop("an unknown key") != "ok"
        assert len(said) >= 12
        assert all(each == "ok" or each.startswith("refused by ftc: R721") for each in said.values()), tool
        assert sum(each == "ok" for each in said.values()) >= 10


@pytest.mark.slow
@pytest.mark.parametrize("tool", TOOLS)
def test_parsers_accept_what_is_exported(tool: Tool) -> None:
    """Needs an environment with the tool: FTC_INTEROP_AXOLOTL=/path/to/python and so on (benchmarks/interop)."""
    own = sys.executable if tool == "trl" and importlib.util.find_spec("trl") else ""
    python = os.environ.get(f"FTC_INTEROP_{tool.upper()}", own)
    if not python:
        pytest.skip(f"no environment with {tool}: set FTC_INTEROP_{tool.upper()} to its python")
    spec = importlib.util.spec_from_file_location("interop_run", INTEROP / "run.py")
    assert spec
    assert spec.loader
    interop = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(interop)
    said = interop.check(tool, python)["plans"]
    assert said.pop(interop.CONTROL) != "ok"
    assert {name: each for name, each in said.items() if each != "ok" and not each.startswith("refused")} == {}
