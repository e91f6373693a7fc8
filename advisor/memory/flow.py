"""How wide everything is that flows through one setup: sizes in elements, dtypes in bytes, which kernels run.

Resolves what the settings leave to the stack: autocast as the Hugging Face trainer uses it, the fp32 residual stream
that k-bit preparation causes, the attention kernel that the card and the dtype allow. Counts nothing itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ftc.advisor.parameters import FAMILIES, targeted
from ftc.advisor.values import Setup

BYTES = {"bf16": 2, "fp16": 2, "fp32": 4}
PAIRED = ("dpo", "reward")  # chosen and rejected rows go through the model together
Kernel = Literal["flash", "efficient", "math", "eager"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Flow:
    """One micro-batch through one model, on one device."""

    rows: int
    length: int  # tokens a row
    hidden: int
    query: int  # width of all query heads
    keys: int  # width of all key heads
    heads: int
    head_dim: int
    inner: int  # width of the feed-forward part; of one expert
    vocab: int
    layers: int
    norms: int  # norm layers a decoder layer
    head_norms: str  # of queries and keys: `head`, `all`, or none
    norm: Literal["llama", "gemma", "layer"]
    fused_qkv: bool
    fused_gate_up: bool
    gated: bool
    parallel: bool  # attention and feed-forward read the same input (GPT-NeoX)
    used_experts: int
    experts: int
    capped: bool  # logits and attention scores pass through a tanh (Gemma 2)
    sinks: bool  # attention has a learned extra column (gpt-oss)
    tied: bool
    stream: int  # bytes an element of the residual stream
    matmul: int  # bytes an operand of the matrix products
    stored: int  # bytes a dense weight
    autocast: bool
    full: bool
    four_bit: bool
    adapted: frozenset[str]  # matrices with an adapter
    adapted_experts: bool  # peft puts adapters on fused experts as well, and adds them up to whole weights
    rank: int
    dropout: bool  # before the adapters
    keeps_inputs: bool  # of 4-bit products
    adapter: int  # bytes an adapter weight
    checkpointed: bool
    kernel: Kernel
    grouped: bool  # the kernel takes fewer key heads than query heads as they are
    chunked: bool  # the vocabulary is projected in tiles
    keep_outputs: bool
    held_gradients: bool  # of earlier micro-batches
    on_cpu: bool

    @property
    def tokens(self) -> int:
        """Tokens of one forward pass."""
        return self.rows * self.length


def flow_of(setup: Setup, kind: str, capability: float | None) -> Flow:
    """The flow of one pass on a device of that kind (cuda, cpu, ...) and CUDA compute capability."""
    model = setup.architecture
    family = FAMILIES.get(model.model_type, FAMILIES["llama"])
    compute = BYTES[setup.compute]
    mixed = shards_weights(setup) and compute < 4  # FSDP and ZeRO-3 gather in the compute dtype
    stored = compute if mixed else BYTES[setup.weights]
    widened = widens(setup)
    four_bit = setup.adapter == "qlora"
    full = setup.adapter not in ("lora", "qlora")
    autocast = compute < 4 if setup.autocast is None else setup.autocast
    stream = 4 if widened else stored
    attention = compute if autocast or (four_bit and not widened) else stream
    kernel = _kernel(setup, kind, capability, attention)
    return Flow(
        rows=setup.micro_batch * (2 if setup.objective in PAIRED else 1),
        length=setup.seq_len,
        hidden=model.hidden_size,
        query=model.heads * model.head_dim,
        keys=model.kv_heads * model.head_dim,
        heads=model.heads,
        head_dim=model.head_dim,
        inner=model.moe_intermediate_size if model.experts else model.intermediate_size,
        vocab=model.vocab_size,
        layers=model.layers,
        norms=family.norms,
        head_norms=family.qk_norm,
        norm="gemma" if model.model_type.startswith("gemma") else "layer" if family.norm_bias else "llama",
        fused_qkv=family.fused_qkv,
        fused_gate_up=family.fused_gate_up,
        gated=family.gated_mlp,
        parallel=model.model_type == "gpt_neox",
        used_experts=model.experts_per_token,
        experts=model.experts,
        capped=model.model_type == "gemma2",
        sinks=model.model_type == "gpt_oss",
        tied=model.tied,
        stream=stream,
        matmul=compute,
        stored=stored,
        autocast=autocast,
        full=full,
        four_bit=four_bit,
        adapted=frozenset() if full else frozenset(each.name for each in targeted(model, setup.lora_targets)),
        adapted_experts=family.experts_adapted and not full and setup.lora_targets == "all-linear",
        rank=setup.lora_rank,
        dropout=setup.lora_dropout > 0 and not full,
        keeps_inputs=setup.keeps_inputs,
        adapter=BYTES[setup.adapters],
        checkpointed=setup.checkpointing == "full",
        kernel=kernel,
        grouped=kernel == "flash",
        chunked=setup.loss == "chunked",
        keep_outputs=setup.keep_outputs,
        held_gradients=setup.grad_accum > 1,
        on_cpu=kind == "cpu",
    )


def shards_weights(setup: Setup) -> bool:
    """True where each device holds a share of the weights only."""
    return setup.sharding in ("fsdp", "zero3") and setup.devices * setup.nodes > 1


def widens(setup: Setup) -> bool:
    """True where what is not quantised becomes fp32. Never for a sharded base: flat parameters are of one dtype."""
    return setup.adapter == "qlora" and setup.kbit_upcast and not shards_weights(setup)


def _kernel(setup: Setup, kind: str, capability: float | None, operand: int) -> Kernel:
    """The kernel that runs: PyTorch's choice (aten/.../transformers/cuda/sdp_utils.cpp) within what the class supports.

    FlashAttention needs 16-bit operands and compute capability 8. Without it, grouped heads are refused by the
    memory-efficient kernel, which leaves the one that writes the scores; cards before capability 8 are taken to have
    their key heads repeated first, as the published runs on them had.
    """
    model = setup.architecture
    if setup.attention == "flash" and model.model_type != "gpt_oss":
        return "flash"
    if setup.attention == "eager" or model.model_type in ("gemma2", "gpt_oss"):
        return "eager"
    if kind == "cpu" or (operand == 2 and (capability is None or capability >= 8.0)):
        return "flash"
    repeated = capability is not None and capability < 8.0
    return "efficient" if repeated or model.kv_heads == model.heads else "math"
