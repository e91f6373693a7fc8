"""Exact parameter counts from a model's `config.json` alone, and the shapes of its matrices.

Every formula is a sum over the matrices of one decoder layer, as the transformers class of that `model_type` builds it.
Knows the families in `FAMILIES`; anything else is built on the meta device by a child process (`built_count`), which
needs the training stack. Knows nothing of memory, dtypes or adapters' dtype.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from ftc.advisor.values import Architecture

Config = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """What sets one `model_type` apart from a Llama; `config.json` overrides `attention_bias` and `tied`."""

    tied: bool = False  # default where the config does not say
    norms: int = 2  # norm layers of width `hidden_size` a decoder layer
    norm_bias: bool = False
    qkv_bias: bool = False  # biases on q, k and v, whatever the config says
    attention_bias: bool = False  # default of the config key: biases on q, k, v and o
    qk_norm: str = ""  # `head`: over one head; `all`: over all heads
    fused_qkv: bool = False
    fused_gate_up: bool = False
    gated_mlp: bool = True
    mlp_bias: bool = False
    head_dim: int | None = None  # default where the config does not say; None: hidden_size / heads
    experts: str = ""  # config key with the number of experts
    experts_bias: bool = False  # biases in router and experts, and one attention sink a head
    experts_adapted: bool = False  # peft puts adapters on the fused experts for `all-linear`


FAMILIES: dict[str, Family] = {
    "llama": Family(),
    "mistral": Family(),
    "smollm3": Family(),
    "granite": Family(),
    "qwen2": Family(qkv_bias=True),
    "qwen3": Family(qk_norm="head", head_dim=128),
    "gemma": Family(tied=True, head_dim=256),
    "gemma2": Family(tied=True, norms=4, head_dim=256),
    "gemma3_text": Family(tied=True, norms=4, qk_norm="head", head_dim=256),
    "phi3": Family(fused_qkv=True, fused_gate_up=True),
    "olmo2": Family(qk_norm="all"),
    "gpt_neox": Family(norm_bias=True, attention_bias=True, fused_qkv=True, gated_mlp=False, mlp_bias=True),
    "mixtral": Family(experts="num_local_experts", experts_adapted=True),
    "qwen3_moe": Family(qk_norm="head", experts="num_experts", experts_adapted=True),
    "gpt_oss": Family(attention_bias=True, experts="num_local_experts", experts_bias=True),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Matrix:
    """One `nn.Linear` of a decoder layer by the name that adapters use, with its bias where it has one."""

    name: str
    inputs: int
    outputs: int
    bias: bool = False

    @property
    def parameters(self) -> int:
        """Weights and bias."""
        return self.inputs * self.outputs + (self.outputs if self.bias else 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """The parameters of a model by what can be done with them: linear ones are quantised and take adapters."""

    linears: tuple[Matrix, ...]  # of one layer; shared by all layers
    linear: int  # parameters of these in all layers, biases included
    linear_bias: int  # of which biases
    experts: int  # parameters of routers and expert matrices, all layers
    experts_used: int  # of these, those that one token passes through
    norms: int
    embedding: int
    head: int  # 0 where it is tied to the embedding

    @property
    def total(self) -> int:
        """All parameters."""
        return self.linear + self.experts + self.norms + self.embedding + self.head

    @property
    def active(self) -> int:
        """Parameters that one token passes through."""
        return self.total - self.experts + self.experts_used


def architecture(config: Config, id: str = "", source: str = "config.json") -> Architecture:
    """The architecture that a `config.json` describes. Raises KeyError where a size is missing or the type unknown."""
    family = FAMILIES[config["model_type"]]
    hidden, heads = int(config["hidden_size"]), int(config["num_attention_heads"])
    kv = heads if config["model_type"] == "gpt_neox" else int(config.get("num_key_value_heads") or heads)
    experts = int(config.get(family.experts) or config.get("num_experts") or 0) if family.experts else 0
    bare = Architecture(
        id=id,
        model_type=config["model_type"],
        hidden_size=hidden,
        layers=int(config["num_hidden_layers"]),
        heads=heads,
        kv_heads=kv,
        head_dim=int(config.get("head_dim") or family.head_dim or hidden // heads),
        intermediate_size=int(config["intermediate_size"]),
        vocab_size=int(config["vocab_size"]),
        tied=bool(config.get("tie_word_embeddings", family.tied)),
        context=int(config.get("max_position_embeddings") or 2048),
        parameters=0,
        active_parameters=0,
        experts=experts,
        experts_per_token=int(config.get("num_experts_per_tok") or 0) if experts else 0,
        moe_intermediate_size=int(config.get("moe_intermediate_size") or config["intermediate_size"]) if experts else 0,
        sliding_window=config.get("sliding_window") if config.get("use_sliding_window", True) else None,
        attention_bias=bool(config.get("attention_bias", family.attention_bias)),
        mlp_bias=bool(config.get("mlp_bias", family.mlp_bias)),
        qk_norm=bool(family.qk_norm),
        source=source,
    )
    parts = _layout(bare)
    return _counted(bare, parts.total, parts.active)


def count(config: Config) -> int:
    """All parameters of the model that a `config.json` describes. Raises KeyError for a type outside `FAMILIES`."""
    return architecture(config).parameters


@lru_cache(maxsize=512)
def layout(model: Architecture) -> Layout:
    """The parts of a model; for one whose size was only described, scaled so that their sum is that size."""
    parts = _layout(model)
    if parts.total == model.parameters:
        return parts
    scale = (model.parameters - parts.embedding - parts.head) / (parts.total - parts.embedding - parts.head)
    if scale <= 0:
        scale, factor = 1.0, model.parameters / parts.total
        return Layout(
            linears=parts.linears,
            linear=round(parts.linear * factor),
            linear_bias=round(parts.linear_bias * factor),
            experts=round(parts.experts * factor),
            experts_used=round(parts.experts_used * factor),
            norms=round(parts.norms * factor),
            embedding=round(parts.embedding * factor),
            head=round(parts.head * factor),
        )
    return Layout(
        linears=parts.linears,
        linear=round(parts.linear * scale),
        linear_bias=round(parts.linear_bias * scale),
        experts=round(parts.experts * scale),
        experts_used=round(parts.experts_used * scale),
        norms=round(parts.norms * scale),
        embedding=parts.embedding,
        head=parts.head,
    )


@lru_cache(maxsize=1024)
def lora_parameters(model: Architecture, rank: int, targets: str = "all-linear") -> int:
    """Parameters of a LoRA adapter: rank x (inputs + outputs) for each matrix that it is put on."""
    sides = sum(each.inputs + each.outputs for each in targeted(model, targets))
    return model.layers * (rank * sides + sum(expert_sides(model, rank, targets)))


def expert_sides(model: Architecture, rank: int, targets: str = "all-linear") -> tuple[int, ...]:
    """Elements of A and B of router and fused experts of one layer, where `all-linear` puts adapters on them.

    peft gives each expert its own adapter, and the fused gate and up projection twice the rank
    (`ParamWrapper` and its conversion of mixture-of-experts targets, peft 0.19 and later).
    """
    if targets != "all-linear" or not FAMILIES.get(model.model_type, Family()).experts_adapted:
        return ()
    hidden, inner, experts = model.hidden_size, model.moe_intermediate_size, model.experts
    return (
        rank * hidden,
        rank * experts,
        2 * rank * experts * hidden,
        2 * rank * experts * 2 * inner,
        rank * experts * inner,
        rank * experts * hidden,
    )


@lru_cache(maxsize=1024)
def targeted(model: Architecture, targets: str = "all-linear") -> tuple[Matrix, ...]:
    """The matrices of one layer that `targets` names: `all-linear`, `attention`, or a comma-separated list.

    Names of other families' layouts are understood (`q_proj` on a model with a fused `qkv_proj` means the fused one).
    """
    linears = layout(model).linears
    if targets == "all-linear":
        return linears
    wanted = set(_ATTENTION if targets == "attention" else (name.strip() for name in targets.split(",")))
    wanted |= {_FUSED[name] for name in wanted if name in _FUSED and name not in {each.name for each in linears}}
    fused = {alias for name in wanted for alias in _ALIASES.get(name, ())}
    return tuple(each for each in linears if each.name in wanted or each.name in fused)


def built_count(config: Config, seconds: float = 120.0) -> int | None:
    """Parameters of an unknown architecture, by building it without weights in a child process; None where it fails.

    Importing transformers takes about 4 seconds, building a fraction of one.
    """
    try:
        done = subprocess.run(
            [sys.executable, "-c", _BUILD], input=json.dumps(dict(config)), capture_output=True, text=True,
            timeout=seconds, check=False,
        )  # fmt: skip
        return int(done.stdout.split()[-1]) if done.returncode == 0 else None
    except (subprocess.TimeoutExpired, OSError, ValueError, IndexError):
        return None


_BUILD = """
import json, sys, torch
from transformers import AutoConfig, AutoModelForCausalLM
values = json.load(sys.stdin)
config = AutoConfig.for_model(values.pop("model_type"), **values)
with torch.device("meta"):
    model = AutoModelForCausalLM.from_config(config, trust_remote_code=False)
print(sum(each.numel() for each in model.parameters()))
"""

_ATTENTION = ("q_proj", "k_proj", "v_proj", "o_proj", "qkv_proj", "query_key_value", "dense")
_FUSED = {
    "q_proj": "qkv_proj", "k_proj": "qkv_proj", "v_proj": "qkv_proj", "gate_proj": "gate_up_proj",
    "up_proj": "gate_up_proj",
}  # fmt: skip
_ALIASES = {
    "qkv_proj": ("query_key_value",), "o_proj": ("dense",), "up_proj": ("dense_h_to_4h",),
    "gate_up_proj": ("dense_h_to_4h",), "down_proj": ("dense_4h_to_h",),
}  # fmt: skip


def _layout(model: Architecture) -> Layout:
    """The parts as the transformers class builds them."""
    family = FAMILIES.get(model.model_type, FAMILIES["llama"])
    linears = _attention(model, family) + (() if model.experts else _mlp(model, family))
    one_layer = sum(each.parameters for each in linears)
    biases = sum(each.outputs for each in linears if each.bias)
    router, expert = _experts(model, family)
    norm = model.hidden_size * (2 if family.norm_bias else 1)
    embedding = model.vocab_size * model.hidden_size
    return Layout(
        linears=linears,
        linear=model.layers * one_layer,
        linear_bias=model.layers * biases,
        experts=model.layers * (router + model.experts * expert),
        experts_used=model.layers * (router + model.experts_per_token * expert),
        norms=model.layers * (family.norms * norm + _attention_extras(model, family)) + norm,
        embedding=embedding,
        head=0 if model.tied else embedding,
    )


def _attention(model: Architecture, family: Family) -> tuple[Matrix, ...]:
    """q, k, v and o, or the fused form."""
    hidden, q, kv = model.hidden_size, model.heads * model.head_dim, model.kv_heads * model.head_dim
    bias = family.qkv_bias or model.attention_bias
    out = Matrix(name="o_proj", inputs=q, outputs=hidden, bias=model.attention_bias)
    if model.model_type == "gpt_neox":
        return (
            Matrix(name="query_key_value", inputs=hidden, outputs=q + 2 * kv, bias=bias),
            Matrix(name="dense", inputs=q, outputs=hidden, bias=bias),
        )
    if family.fused_qkv:
        return (Matrix(name="qkv_proj", inputs=hidden, outputs=q + 2 * kv, bias=bias), out)
    return (
        Matrix(name="q_proj", inputs=hidden, outputs=q, bias=bias),
        Matrix(name="k_proj", inputs=hidden, outputs=kv, bias=bias),
        Matrix(name="v_proj", inputs=hidden, outputs=kv, bias=bias),
        out,
    )


def _mlp(model: Architecture, family: Family) -> tuple[Matrix, ...]:
    """gate, up and down, or the form without a gate."""
    hidden, inner, bias = model.hidden_size, model.intermediate_size, model.mlp_bias
    if not family.gated_mlp:
        return (
            Matrix(name="dense_h_to_4h", inputs=hidden, outputs=inner, bias=bias),
            Matrix(name="dense_4h_to_h", inputs=inner, outputs=hidden, bias=bias),
        )
    down = Matrix(name="down_proj", inputs=inner, outputs=hidden, bias=bias)
    if family.fused_gate_up:
        return (Matrix(name="gate_up_proj", inputs=hidden, outputs=2 * inner, bias=bias), down)
    return (
        Matrix(name="gate_proj", inputs=hidden, outputs=inner, bias=bias),
        Matrix(name="up_proj", inputs=hidden, outputs=inner, bias=bias),
        down,
    )


def _experts(model: Architecture, family: Family) -> tuple[int, int]:
    """(router, one expert) of one layer: fused three-dimensional parameters, not `nn.Linear`."""
    if not model.experts:
        return 0, 0
    inner = model.moe_intermediate_size
    router, expert = model.hidden_size * model.experts, 3 * model.hidden_size * inner
    if family.experts_bias:
        return router + model.experts, expert + 2 * inner + model.hidden_size
    return router, expert


def _attention_extras(model: Architecture, family: Family) -> int:
    """Norms of queries and keys, and attention sinks."""
    extras = {"": 0, "head": 2 * model.head_dim, "all": (model.heads + model.kv_heads) * model.head_dim}[family.qk_norm]
    return extras + (model.heads if family.experts_bias else 0)


def _counted(model: Architecture, parameters: int, active: int) -> Architecture:
    """The same architecture with its counts filled in."""
    return replace(model, parameters=parameters, active_parameters=active)
