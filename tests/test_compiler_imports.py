"""Configurations of other tools as specs: what people really have, what we export, and nonsense."""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from ftc.advisor.overrides import check_overrides
from ftc.compiler.exports import TOOLS, export
from ftc.compiler.imports import SOURCES, SourceTool, import_config
from ftc.compiler.imports.axolotl import ADAPTER, OVERRIDES
from ftc.spec.diagnostics import Diagnostic
from tests.plans import METHODS, chain_for, plan_for

AXOLOTL = """
base_model: NousResearch/Llama-3.2-1B
datasets:
  - path: teknium/GPT4-LLM-Cleaned
    type: alpaca
val_set_size: 0.1
output_dir: ./outputs/lora-out
adapter: lora
sequence_len: 2048
sample_packing: true
eval_sample_packing: true
pad_to_sequence_len: true
lora_r: 16
lora_alpha: 32
lora_dropout: 0.05
lora_target_modules: [gate_proj, down_proj, up_proj, q_proj, v_proj, k_proj, o_proj]
wandb_project: mine
gradient_accumulation_steps: 2
micro_batch_size: 2
num_epochs: 1
optimizer: adamw_8bit
lr_scheduler: cosine
learning_rate: 2e-4
bf16: auto
gradient_checkpointing: true
logging_steps: 1
flash_attention: true
warmup_ratio: 0.1
evals_per_epoch: 4
weight_decay: 0.0
special_tokens:
  pad_token: "<|end_of_text|>"
"""
LLAMAFACTORY = """
model_name_or_path: meta-llama/Meta-Llama-3-8B-Instruct
quantization_bit: 4
quantization_method: bnb
trust_remote_code: true
stage: sft
do_train: true
finetuning_type: lora
lora_rank: 8
lora_target: all
dataset: identity,alpaca_en_demo
template: llama3
cutoff_len: 2048
max_samples: 1000
overwrite_cache: true
output_dir: saves/llama3-8b/lora/sft
logging_steps: 10
save_steps: 500
per_device_train_batch_size: 1
gradient_accumulation_steps: 8
learning_rate: 1.0e-4
num_train_epochs: 3.0
lr_scheduler_type: cosine
warmup_ratio: 0.1
bf16: true
val_size: 0.1
eval_strategy: steps
"""
DATASET_INFO = {
    "identity": {"file_name": "identity.json"},
    "alpaca_en_demo": {"file_name": "alpaca_en_demo.json", "columns": {"prompt": "instruction", "response": "output"}},
}
TRL = """
model_name_or_path: Qwen/Qwen2-0.5B-Instruct
dataset_name: trl-lib/ultrafeedback_binarized
use_peft: true
lora_r: 32
lora_target_modules: [q_proj, k_proj, v_proj, o_proj]
beta: 0.05
learning_rate: 5.0e-6
per_device_train_batch_size: 2
gradient_accumulation_steps: 8
num_train_epochs: 1
max_length: 1024
bf16: true
logging_steps: 25
no_such_thing: 3
"""


@cache
def validator() -> Draft202012Validator:
    return Draft202012Validator(json.loads((files("ftc.spec") / "spec.schema.json").read_text("utf-8")))


def spec_of(text: str, tool: SourceTool | None = None, info: dict[str, Any] | None = None) -> dict[str, Any]:
    spec, _ = import_config(text, tool, read=lambda _: json.dumps(info) if info else None)
    assert spec is not None
    assert [error.message for error in validator().iter_errors(spec)] == []
    return spec


def noted(text: str, tool: SourceTool | None = None) -> set[str]:
    _, notes = import_config(text, tool)
    assert {each.code for each in notes} == {"R730"}
    return {each.key for each in notes}


def codes(diagnostics: list[Diagnostic]) -> list[str]:
    return [each.code for each in diagnostics]


# --- what people have ---------------------------------------------------------------------------------------------


def test_axolotl() -> None:
    assert spec_of(AXOLOTL) == {
        "version": 1,
        "name": "lora-out",
        "goal": {"task": "generation"},
        "data": {
            "demonstrations": {"path": "teknium/GPT4-LLM-Cleaned", "format": "instruction"},
            "evaluation": {"fraction": 0.1},
        },
        "model": {"base": "NousResearch/Llama-3.2-1B"},
        "method": "sft-lora",
        "overrides": {
            "attention": "flash_attention_2",
            "checkpointing": True,
            "epochs": 1.0,
            "gradient_accumulation": 2,
            "learning_rate": 2e-4,
            "logging_steps": 1,
            "lora.alpha": 32,
            "lora.dropout": 0.05,
            "lora.rank": 16,
            "lora.targets": "gate_proj,down_proj,up_proj,q_proj,v_proj,k_proj,o_proj",
            "loss_on": "assistant",
            "max_length": 2048,
            "micro_batch": 2,
            "optimizer": "adamw_8bit",
            "packing": True,
            "scheduler": "cosine",
            "weight_decay": 0.0,
        },
    }
    assert noted(AXOLOTL) == {
        "goal.task", "warmup_ratio", "evals_per_epoch", "eval_sample_packing", "pad_to_sequence_len"
    }  # fmt: skip


def test_llamafactory_with_its_data_sets() -> None:
    spec = spec_of(LLAMAFACTORY, info=DATASET_INFO)
    assert spec["method"] == "sft-qlora"
    assert spec["model"] == {"base": "meta-llama/Meta-Llama-3-8B-Instruct", "trust_remote_code": True}
    assert spec["data"]["demonstrations"] == [
        {"path": "data/identity.json", "format": "instruction"},
        {
            "path": "data/alpaca_en_demo.json",
            "format": "instruction",
            "columns": {"instruction": "instruction", "output": "output"},
        },
    ]
    assert spec["overrides"]["lora.targets"] == "all-linear"
    assert spec["overrides"]["dtype"] == "bf16"
    assert {"template", "max_samples", "warmup_ratio", "goal.task"} <= noted(LLAMAFACTORY)


def test_llamafactory_without_its_data_sets_says_what_is_missing() -> None:
    assert "dataset" in noted(LLAMAFACTORY)


def test_trl() -> None:
    spec = spec_of(TRL)
    assert spec["method"] == "dpo"
    assert spec["data"] == {"feedback": {"path": "trl-lib/ultrafeedback_binarized"}}
    assert spec["overrides"]["dpo.beta"] == 0.05
    assert spec["overrides"]["lora.targets"] == "attention"
    assert noted(TRL) == {"goal.task", "no_such_thing"}


@pytest.mark.parametrize(
    ("config", "method"),
    [
        ({"base_model": "m", "sequence_len": 9}, "sft-full"),
        ({"base_model": "m", "adapter": "qlora", "load_in_4bit": True}, "sft-qlora"),
        ({"base_model": "m", "rl": "kto", "adapter": "lora"}, "kto"),
        ({"base_model": "m", "rl": "orpo", "adapter": "lora"}, "dpo"),
        ({"base_model": "m", "rl": "grpo", "trl": {"num_generations": 4}}, "grpo"),
        ({"model_name_or_path": "m", "stage": "dpo", "finetuning_type": "full"}, "dpo"),
        ({"model_name_or_path": "m", "stage": "kto", "pref_beta": 0.2}, "kto"),
        ({"model_name_or_path": "m", "stage": "rm"}, "rlhf"),
        ({"model_name_or_path": "m", "finetuning_type": "full"}, "sft-full"),
        ({"model_name_or_path": "m"}, "sft-full"),
        ({"model_name_or_path": "m", "use_peft": True, "load_in_4bit": True}, "sft-qlora"),
        ({"model_name_or_path": "m", "desirable_weight": 1.2}, "kto"),
        ({"model_name_or_path": "m", "num_generations": 8}, "grpo"),
    ],
)
def test_methods(config: dict[str, Any], method: str) -> None:
    assert spec_of(yaml.safe_dump(config))["method"] == method


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "R731"),
        ("just words", "R731"),
        ("- a\n- b", "R731"),
        ("a: [1", "R731"),
        ("a: 1\n---\nb: 2", "R731"),
        ("a: !!python/object/apply:os.system [id]", "R731"),
        ("a: &x [1]\nbase_model: *x", "R731"),
        ("1: 2", "R731"),
        ("a: " + "x" * 2**20, "R731"),
        ("epochs: 3", "R732"),
    ],
)
def test_what_cannot_be_read_is_said(text: str, code: str) -> None:
    spec, problems = import_config(text)
    assert spec is None
    assert codes(problems) == [code]


def test_json_is_read_too() -> None:
    assert spec_of(json.dumps({"model_name_or_path": "m", "use_peft": True}))["method"] == "sft-lora"


# --- there and back -----------------------------------------------------------------------------------------------

KEPT = (
    "learning_rate", "scheduler", "warmup_steps", "epochs", "micro_batch", "gradient_accumulation", "max_length",
    "optimizer", "weight_decay", "max_grad_norm", "dtype", "checkpointing", "attention", "logging_steps", "eval_steps",
    "save_steps", "keep_checkpoints",
)  # fmt: skip


@pytest.mark.parametrize("tool", SOURCES)
@pytest.mark.parametrize("method", METHODS)
def test_an_exported_plan_comes_back_as_the_spec_of_the_same_training(tool: SourceTool, method: str) -> None:
    plan = plan_for(method)
    exported, _ = export(plan, tool)
    info = json.loads(exported.get("data/dataset_info.json", "{}"))
    spec = spec_of(exported[f"{tool}.yaml"], info=info)
    told = plan.stage("sft").arguments
    assert spec["method"] == method
    assert spec["model"]["base"] == plan.model["base"]
    assert {name: spec["overrides"][name] for name in KEPT} == {name: told[name] for name in KEPT}
    if told["lora"]:
        for name in ("rank", "alpha", "dropout", "targets"):
            assert spec["overrides"][f"lora.{name}"] == told["lora"][name]
    demonstrations = spec["data"]["demonstrations"]
    assert demonstrations["path"].endswith("data/train.jsonl")
    assert spec["data"]["evaluation"]["path"].endswith("data/test.jsonl")


@pytest.mark.parametrize("tool", SOURCES)
@pytest.mark.parametrize("kind", ["dpo", "kto"])
def test_exported_preference_plans_come_back(tool: SourceTool, kind: Any) -> None:
    exported, _ = export(chain_for(kind), tool)
    spec = spec_of(exported[f"{tool}.yaml"], info=json.loads(exported.get("data/dataset_info.json", "{}")))
    assert spec["method"] == kind
    assert spec["overrides"][f"{kind}.beta"] == 0.1
    assert "feedback" in spec["data"]


def test_torchtune_is_written_and_not_read() -> None:
    assert set(TOOLS) - set(SOURCES) == {"torchtune"}


# --- nonsense -----------------------------------------------------------------------------------------------------

KEYS = sorted(
    {*OVERRIDES, *ADAPTER, "base_model", "datasets", "test_datasets", "val_set_size", "rl", "adapter", "bf16", "seed"}
    | {"model_name_or_path", "stage", "finetuning_type", "dataset", "dataset_dir", "eval_dataset", "quantization_bit"}
    | {"dataset_name", "lora_target_modules", "lora_target", "use_peft", "beta", "num_generations", "trl", "rl_beta"}
    | {"pref_beta", "optim", "num_train_epochs", "output_dir", "trust_remote_code", "model_revision", "dtype"}
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.sampled_from(["lora", "dpo"]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["path", "type", "a"]), inner, max_size=3)
    ),
    max_leaves=6,
)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(st.sampled_from(KEYS), VALUES, max_size=8), st.sampled_from(SOURCES))
def test_nonsense_becomes_a_spec_of_the_language_or_a_diagnosis(config: dict[str, Any], tool: SourceTool) -> None:
    text = json.dumps(config, allow_nan=False, default=str) if _finite(config) else yaml.safe_dump(config)
    spec, found = import_config(text, tool)
    if spec is None:
        assert set(codes(found)) <= {"R731"}
        return
    assert [error.message for error in validator().iter_errors(spec)] == []
    assert check_overrides(_with(spec)) == []


def _finite(config: dict[str, Any]) -> bool:
    try:
        json.dumps(config, allow_nan=False)
    except ValueError:
        return False
    return True


def _with(spec: dict[str, Any]) -> Any:
    """Enough of a Spec for its overrides to be looked at."""
    from types import SimpleNamespace

    return SimpleNamespace(overrides=spec.get("overrides", {}))


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=200))
def test_any_text_is_answered(text: str) -> None:
    spec, found = import_config(text)
    assert spec is not None or codes(found)[0] in ("R731", "R732")
