"""The exact estimate: parts that can be worked out by hand, unrolling against full depth, the child process."""

import json
import subprocess
import sys
from typing import Any

import pytest

from ftc.runtime.trace import client
from ftc.runtime.trace.request import RequestError, parse

pytest.importorskip("peft")
pytestmark = pytest.mark.train

GIB = 2**30
LLAMA = {
    "model_type": "llama", "hidden_size": 256, "intermediate_size": 704, "num_hidden_layers": 8,
    "num_attention_heads": 8, "num_key_value_heads": 4, "head_dim": 32, "vocab_size": 4096,
    "tie_word_embeddings": False,
}  # fmt: skip
TIED = {**LLAMA, "tie_word_embeddings": True}
PATTERN = {
    "model_type": "gemma3_text", "hidden_size": 256, "intermediate_size": 512, "num_hidden_layers": 12,
    "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 64, "vocab_size": 4096, "sliding_window": 64,
    "layer_types": ["sliding_attention", "sliding_attention", "full_attention"] * 4,
}  # fmt: skip
EXPERTS = {
    "model_type": "qwen3_moe", "hidden_size": 256, "intermediate_size": 512, "num_hidden_layers": 7,
    "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 64, "vocab_size": 4096, "num_experts": 8,
    "num_experts_per_tok": 2, "moe_intermediate_size": 128, "tie_word_embeddings": False,
}  # fmt: skip
PER_LAYER = 256 * 256 * 2 + 256 * 128 * 2 + 3 * 256 * 704 + 2 * 256  # q o, k v, gate up down, two norms
PARAMETERS = 2 * 4096 * 256 + 256 + 8 * PER_LAYER
RANK_16 = 16 * 8 * (4 * 256 + 2 * (256 + 128) + 3 * (256 + 704))  # every linear layer of a block: in + out


def traced(**fields: Any) -> dict[str, Any]:
    """A trace of a tiny model with short rows."""
    from ftc.runtime.trace.trace import trace

    return trace(parse({"model": LLAMA, "seq_len": 128, **fields}))


def component(answer: dict[str, Any], phase: str, name: str) -> int:
    """Bytes of a component at the peak of a phase."""
    found = [p for p in answer["timeline"] if p["phase"] == phase]
    return round(found[-1]["breakdown_gib"].get(name, 0.0) * GIB)


def test_weights_and_optimizer_are_exact() -> None:
    """bf16 weights and gradients, two fp32 states a parameter and a step counter a tensor."""
    answer = traced(adapter="full")
    tensors = 3 + 8 * 9
    assert component(answer, "optimizer", "weights") == pytest.approx(2 * PARAMETERS, abs=1024)  # and rotary tables
    assert component(answer, "optimizer", "gradients") == 2 * PARAMETERS
    assert component(answer, "optimizer", "optimizer") == 8 * PARAMETERS + 512 * tensors


def test_adapters_and_their_gradients_are_exact() -> None:
    """fp32 adapters: 4 bytes each for weight and gradient, 8 for the optimiser; the base is frozen."""
    answer = traced()
    assert component(answer, "optimizer", "adapters") == 4 * RANK_16
    assert component(answer, "optimizer", "gradients") == 4 * RANK_16
    assert component(answer, "optimizer", "optimizer") == 8 * RANK_16 + 512 * 8 * 14


def test_four_bit_weights_are_exact() -> None:
    """Half a byte a weight, fp32 scales for 64 of them, a code book a layer; the rest is widened to fp32."""
    answer = traced(adapter="qlora", double_quant=False)
    linear = 8 * (PER_LAYER - 2 * 256)
    rest = 4 * (PARAMETERS - linear)
    assert component(answer, "optimizer", "weights") == pytest.approx(
        linear // 2 + linear // 16 + 512 * 56 + rest, abs=1024
    )
    nested = component(traced(adapter="qlora"), "optimizer", "weights")
    assert nested < component(answer, "optimizer", "weights")


@pytest.mark.parametrize(
    ("optimizer", "bytes_each"), [("sgd", 0), ("adamw-8bit", 2 * (1 + 4 / 256)), ("paged-adamw-8bit", 0)]
)
def test_other_optimizers(optimizer: str, bytes_each: float) -> None:
    """bitsandbytes under the trainer: a byte a state, a scale for 256, embeddings at 32 bits; paged states apart."""
    answer = traced(adapter="full", optimizer=optimizer)
    embedding, norms = 4096 * 256, 17 * 256
    held = component(answer, "optimizer", "optimizer")
    if optimizer == "adamw-8bit":
        assert held == pytest.approx(
            bytes_each * (PARAMETERS - embedding - norms) + 8 * (embedding + norms) + 2048, rel=1e-3
        )
    elif optimizer == "paged-adamw-8bit":
        attention = 8 * 2 * (256 * 256 + 256 * 128)  # tensors too small to be paged
        scales = 2 * 4 / 256 * PARAMETERS
        assert 2 * attention < held < 2 * attention + scales + 8 * norms + 4096 * 2
    else:
        assert held == bytes_each


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"model": TIED, "adapter": "full", "checkpointing": "none", "grad_accum": 2},
        {"model": TIED, "adapter": "qlora", "loss": "full", "keep_outputs": True},
        {"model": PATTERN, "micro_batch": 2},
        {"model": EXPERTS, "adapter": "full"},
        {"objective": "dpo", "reference": "copy", "adapter": "full"},
        {"objective": "grpo", "completion_len": 64, "micro_batch": 2},
        {"adapter": "full", "sharding": "fsdp", "devices": 4, "weights": "fp32"},
    ],
    ids=lambda f: "-".join(str(v) if not isinstance(v, dict) else v["model_type"] for v in f.values()) or "lora",
)
def test_unrolled_equals_full_depth(fields: dict[str, Any]) -> None:
    """A few layers traced and written out again are the deep model, to the byte, reserved memory included."""
    short, whole = traced(**fields), traced(**fields, depth="full")
    assert short["layers_traced"] < short["layers"] == whole["layers_traced"]
    for key in ("allocated_gib", "reserved_gib", "breakdown_gib", "timeline"):
        assert short[key] == whole[key]


def test_fused_attention_keeps_no_scores() -> None:
    """Eager attention holds heads x tokens x tokens in fp32; the fused kernels do not."""
    scores = 8 * 512 * 512 * 4
    eager, sdpa, flash = (
        component(traced(seq_len=512, attention=a, checkpointing="none"), "head", "activations")
        for a in ("eager", "sdpa", "flash")
    )
    assert eager - sdpa > 8 * scores
    assert abs(sdpa - flash) < scores


def test_tiled_loss_holds_no_logits() -> None:
    """Full logits are kept in fp32 for the backward pass, tiles are not."""
    model = {**LLAMA, "vocab_size": 2 * 32768}  # two tiles wide
    logits = model["vocab_size"] * 512 * 4
    full = component(traced(model=model, seq_len=512, loss="full"), "head", "logits")
    tiled = component(traced(model=model, seq_len=512), "head", "logits")
    assert full > 2 * logits
    assert tiled < 0.5 * logits


def test_checkpointing_keeps_one_tensor_a_layer() -> None:
    """Of each layer only its input stays."""
    kept = component(traced(adapter="full", seq_len=512), "head", "activations")
    everything = component(traced(adapter="full", seq_len=512, checkpointing="none"), "head", "activations")
    hidden = 512 * 256 * 2
    assert kept < 12 * hidden
    assert everything > 8 * 15 * hidden


def test_a_reference_copy_costs_its_weights() -> None:
    """A frozen copy beside the policy; adapters switched off cost nothing at rest."""
    copy = traced(objective="dpo", reference="copy", adapter="full")
    assert component(copy, "optimizer", "reference") == pytest.approx(2 * PARAMETERS, abs=1024)
    assert component(traced(objective="dpo", reference="adapter-off"), "optimizer", "reference") == 0


def test_generation_holds_a_cache() -> None:
    """Keys and values of every layer, row and token, before the update."""
    answer = traced(objective="grpo", seq_len=256, completion_len=192, micro_batch=4)
    cache = 4 * 256 * 8 * 2 * 4 * 32 * 2  # rows, tokens, layers, keys and values, heads, width, bytes
    assert component(answer, "generation", "activations") > 0.95 * cache
    assert answer["timeline"][0]["phase"] == "generation"


@pytest.mark.parametrize(
    ("sharding", "weights", "states"), [("zero2", 1, 4), ("fsdp", 4, 4), ("zero3", 4, 4), ("ddp", 1, 1)]
)
def test_shares(sharding: str, weights: int, states: int) -> None:
    """What of weights and optimiser state is left on one device of four, at rest."""
    answer = traced(adapter="full", sharding=sharding, devices=4)
    master = 4 * PARAMETERS if sharding.startswith("zero") else 0
    assert component(answer, "optimizer", "weights") == pytest.approx(2 * PARAMETERS / weights, rel=0.01)
    assert component(answer, "optimizer", "optimizer") == pytest.approx((8 * PARAMETERS + master) / states, rel=0.01)


def test_accumulation_keeps_gradients_through_the_forward_pass() -> None:
    """With more than one micro-batch a step, the second meets the gradients of the first."""
    alone, summed = traced(adapter="full"), traced(adapter="full", grad_accum=4)
    assert component(alone, "forward", "gradients") == 0
    assert component(summed, "forward", "gradients") == 2 * PARAMETERS


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"model": LLAMA, "sequence": 1}, "sequence"),
        ({"model": LLAMA, "adapter": "lor"}, "adapter"),
        ({"model": LLAMA, "seq_len": "long"}, "seq_len"),
        ({"model": LLAMA, "micro_batch": 0}, "micro_batch"),
        ({"seq_len": 128}, "model"),
    ],
)
def test_a_wrong_request_names_the_field(fields: dict[str, Any], said: str) -> None:
    """Before anything is imported or started."""
    with pytest.raises(RequestError, match=said):
        client.exact(fields)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"model": {**LLAMA, "model_type": "no-such-type"}}, "no-such-type"),
        ({"model": {"hidden_size": 8}}, "model_type"),
        ({"model": "/no/such/folder"}, "/no/such/folder"),
        ({"lora_targets": "no_such_proj"}, "no_such_proj"),
    ],
)
def test_a_model_that_cannot_be_built_is_said(fields: dict[str, Any], said: str) -> None:
    """What only the child can find out."""
    with pytest.raises(RequestError, match=said):
        traced(**fields)


def test_the_child_answers_in_json() -> None:
    """End to end, as the command line calls it."""
    answer = client.exact({"model": LLAMA, "seq_len": 64})
    assert 0 < answer["allocated_gib"] <= answer["reserved_gib"]
    assert sum(answer["breakdown_gib"].values()) == pytest.approx(answer["allocated_gib"])


def test_a_missing_training_stack_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """The child reports the module; the message has the command."""
    said = json.dumps({"error": "No module named 'torch'", "kind": "missing", "module": "torch"})
    done = subprocess.CompletedProcess([], 2, stdout=said, stderr="")
    monkeypatch.setattr(client.subprocess, "run", lambda *_, **__: done)
    with pytest.raises(client.MissingExtraError, match=r"finetune-compiler\[train\]"):
        client.exact({"model": LLAMA})


def test_a_child_that_dies_or_hangs_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """Never an empty answer."""
    died = subprocess.CompletedProcess([], -9, stdout="", stderr="")
    monkeypatch.setattr(client.subprocess, "run", lambda *_, **__: died)
    with pytest.raises(client.TraceError):
        client.exact({"model": LLAMA})
    monkeypatch.undo()
    with pytest.raises(client.TraceError, match="took more than"):
        client.exact({"model": LLAMA}, seconds=0.01)


def test_the_parent_imports_no_torch() -> None:
    """`ftc estimate` stays light."""
    code = "import sys, ftc.runtime.trace.client; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_whole_gradients_stay_while_a_sharded_model_accumulates() -> None:
    """accelerate's no_sync: nothing is reduced before the last micro-batch."""
    one = traced(adapter="full", sharding="fsdp", devices=4)
    several = traced(adapter="full", sharding="fsdp", devices=4, grad_accum=2)
    apart = component(several, "optimizer", "gradients") - component(one, "optimizer", "gradients")
    assert apart >= 2 * PARAMETERS


def test_a_sharded_four_bit_base_is_not_widened() -> None:
    asked = {"adapter": "qlora", "sharding": "fsdp", "devices": 4}
    assert traced(**asked, kbit_upcast=True)["allocated_gib"] == traced(**asked, kbit_upcast=False)["allocated_gib"]


def test_adafactor_keeps_rows_and_columns_and_widens_one_parameter_at_a_time() -> None:
    answer = traced(adapter="full", optimizer="adafactor")
    assert component(answer, "backward", "optimizer") < 0.05 * PARAMETERS
    largest = 4096 * 256 * 4
    assert 4 * largest <= component(answer, "optimizer", "optimizer") < 4 * largest + 0.05 * PARAMETERS
