"""What to trace, as one value: the fields of the advisor's Setup plus what only a trace can ask.

Reads a plain mapping (the JSON of the child's stdin), fills in defaults, and refuses what it does not know with the
field, the value and the choices. Imports no torch, so that the parent process can check a request before paying for
a child.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal, get_args, get_origin, get_type_hints

Dtype = Literal["bf16", "fp16", "fp32"]


class RequestError(ValueError):
    """The request cannot be traced as it is written; the message says which field and what to write."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One training step to trace. `model` is a folder, a `config.json`, or its content."""

    model: str | Mapping[str, Any]
    objective: Literal["sft", "cpt", "dpo", "kto", "reward", "grpo", "rloo"] = "sft"
    adapter: Literal["full", "lora", "qlora"] = "lora"
    seq_len: int = 2048
    micro_batch: int = 1
    grad_accum: int = 1
    lora_rank: int = 16
    lora_targets: str = "all-linear"
    lora_dropout: float = 0.0
    weights: Dtype = "bf16"
    adapters: Dtype = "fp32"
    compute: Dtype = "bf16"
    autocast: bool | None = None  # None: as the Hugging Face trainer does, on where `compute` has 16 bits
    kbit_upcast: bool = True
    double_quant: bool = True
    optimizer: Literal["adamw", "adamw-8bit", "paged-adamw-8bit", "adafactor", "sgd"] = "adamw"
    optimizer_dtype: Literal["bf16", "fp32"] = "fp32"
    optimizer_kernel: Literal["fused", "foreach"] = "fused"  # the trainer's default; plain torch.optim takes foreach
    master_weights: bool = False
    checkpointing: Literal["none", "full"] = "full"
    attention: Literal["eager", "sdpa", "flash"] = "sdpa"
    sdpa_kernel: Literal["auto", "flash", "efficient", "math"] = "auto"
    sdpa_expands_groups: bool = False  # key and value heads repeated before the kernel, as cards without flash need
    loss: Literal["full", "chunked"] = "chunked"
    packing: bool = False
    padding: bool = False  # rows of unequal length in a batch: the attention mask is materialised
    sharding: Literal["none", "ddp", "fsdp", "zero2", "zero3"] = "none"
    devices: int = 1
    nodes: int = 1
    offload: Literal["none", "optimizer", "all"] = "none"
    reference: Literal["none", "adapter-off", "copy", "precomputed"] = "none"
    generations: int = 0
    completion_len: int = 0
    loading: Literal["auto", "onto-device", "through-host"] = "auto"  # auto: onto the device where there is but one
    clears_cache: bool = True  # PEFT empties the allocator's cache after widening (since 0.20)
    keep_outputs: bool = False  # the loop holds the model's outputs (its logits) through backward and optimiser step
    depth: Literal["unrolled", "full"] = "unrolled"
    cublas_workspace_mib: float | None = None  # None: PyTorch's own default for the card's generation
    compute_capability: float = 8.0

    @property
    def world(self) -> int:
        """All devices of all nodes."""
        return self.devices * self.nodes

    @property
    def uses_autocast(self) -> bool:
        """Mixed precision as the trainer runs it: 16-bit matrix products whatever the parameters are kept in."""
        return self.compute != "fp32" if self.autocast is None else self.autocast

    @property
    def loads_onto_device(self) -> bool:
        """Whether transformers places each tensor itself (`device_map`), as TRL asks it to with a single device."""
        return self.world == 1 if self.loading == "auto" else self.loading == "onto-device"

    @property
    def rows(self) -> int:
        """Sequences that go through the model at once: a preference pair is two."""
        return self.micro_batch * (2 if self.objective in ("dpo", "reward") else 1)


def parse(raw: Mapping[str, Any]) -> Request:
    """A checked request from JSON; every unknown field and wrong value is named in one message."""
    hints = get_type_hints(Request)
    known = {f.name for f in fields(Request)}
    problems = [f"unknown field {name!r}; known: {', '.join(sorted(known))}" for name in raw if name not in known]
    if "model" not in raw:
        problems.append("field 'model' is missing: a folder, a config.json or its content")
    for name, value in raw.items():
        hint = hints.get(name)
        if get_origin(hint) is Literal and value not in get_args(hint):
            problems.append(f"{name}: {value!r} is not one of {', '.join(map(str, get_args(hint)))}")
        if hint is int and (not isinstance(value, int) or isinstance(value, bool) or value < 0):
            problems.append(f"{name}: {value!r} is not a whole number")
    for name in ("seq_len", "micro_batch", "grad_accum", "lora_rank", "devices", "nodes"):
        if raw.get(name, 1) == 0:
            problems.append(f"{name}: must be at least 1")
    if problems:
        raise RequestError("; ".join(problems))
    request = Request(**raw)
    if request.objective == "reward" and request.loss == "chunked":
        return _with(raw, loss="full")  # a reward model has one output, no vocabulary to chunk
    return request


def _with(raw: Mapping[str, Any], **changes: Any) -> Request:
    return Request(**{**raw, **changes})
