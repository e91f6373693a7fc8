"""Parameter counts: the closed forms against the catalogue's counts, and against the real classes."""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from ftc.advisor.models import find_model
from ftc.advisor.parameters import FAMILIES, architecture, count, layout, lora_parameters, targeted

CATALOGUE = json.loads(files("ftc.advisor").joinpath("catalogue/models.json").read_text())["models"]
FACTS = Path(__file__).parents[2] / "shared" / "facts" / "models.json"
SMALL: dict[str, Any] = {
    "hidden_size": 48, "num_hidden_layers": 3, "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 16,
    "intermediate_size": 80, "vocab_size": 211, "tie_word_embeddings": False, "max_position_embeddings": 64,
}  # fmt: skip
OWN: dict[str, dict[str, Any]] = {
    "gpt_neox": {"num_key_value_heads": 4, "head_dim": 12},
    "mixtral": {"num_local_experts": 4, "num_experts_per_tok": 2},
    "qwen3_moe": {"num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 24},
    "gpt_oss": {"num_local_experts": 4, "num_experts_per_tok": 2},
    "phi3": {"head_dim": 12, "pad_token_id": 0},
    "qwen2": {"head_dim": 12},
    "smollm3": {"head_dim": 12, "pad_token_id": 0},
}


@pytest.mark.parametrize("row", CATALOGUE, ids=lambda row: row["id"])
def test_catalogue_is_exact(row: dict[str, Any]) -> None:
    assert count(row) == row["parameters"]


def test_catalogue_has_what_it_had() -> None:
    assert len(CATALOGUE) >= 128
    assert len({row["id"] for row in CATALOGUE}) == len(CATALOGUE)


@pytest.mark.skipif(not FACTS.is_file(), reason="the fact files are not here")
def test_every_known_fact() -> None:
    rows = json.loads(FACTS.read_text())["models"]
    assert len(rows) > 70
    assert [row["id"] for row in rows if count(row) != row["parameters"]] == []


@pytest.mark.train
@pytest.mark.parametrize("kind", sorted(FAMILIES))
@pytest.mark.parametrize("tied", [True, False])
def test_against_the_real_class(kind: str, tied: bool) -> None:
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    config = {**SMALL, **OWN.get(kind, {}), "model_type": kind, "tie_word_embeddings": tied}
    if kind == "gpt_neox":
        tied = False
    values = {key: value for key, value in config.items() if key != "model_type"}
    with torch.device("meta"):
        model = transformers.AutoModelForCausalLM.from_config(transformers.AutoConfig.for_model(kind, **values))
    assert sum(each.numel() for each in model.parameters()) == count(config)


def test_lora_is_rank_times_both_sides() -> None:
    model = architecture({**SMALL, "model_type": "llama"})
    attention = 8 * ((48 + 64) + 2 * (48 + 32) + (64 + 48))
    assert lora_parameters(model, 8, "attention") == 3 * attention
    assert lora_parameters(model, 8, "q_proj,v_proj") == 3 * 8 * ((48 + 64) + (48 + 32))
    assert lora_parameters(model, 8) == 3 * (attention + 8 * 3 * (48 + 80))
    assert lora_parameters(model, 16) == 2 * lora_parameters(model, 8)


def test_adapters_reach_experts_only_where_peft_puts_them() -> None:
    mixtral, _ = find_model("mistralai/Mixtral-8x7B-Instruct-v0.1", Path())
    oss, _ = find_model("openai/gpt-oss-20b", Path())
    assert mixtral is not None
    assert oss is not None
    assert lora_parameters(mixtral, 16) > 10 * lora_parameters(mixtral, 16, "attention")
    assert lora_parameters(oss, 16) == lora_parameters(oss, 16, "attention")


def test_names_of_other_layouts_are_understood() -> None:
    phi, _ = find_model("microsoft/phi-4", Path())
    assert phi is not None
    assert [each.name for each in targeted(phi, "q_proj,down_proj")] == ["qkv_proj", "down_proj"]


def test_experts_that_a_token_passes_through() -> None:
    found, _ = find_model("Qwen/Qwen3-30B-A3B-Instruct-2507", Path())
    assert found is not None
    assert 3.2e9 < found.active_parameters < 3.5e9
    assert layout(found).total == found.parameters
