"""The advisor's vocabulary: what goes into a decision and what comes out of it, as values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from ftc.spec.estimate import Estimate

if TYPE_CHECKING:  # 15 ms that an estimate from flags has no use for
    from ftc.spec.model import Scalar, Spec
    from ftc.spec.profile import DataProfile

Adapter = Literal["full", "lora", "qlora", "none"]
Checkpointing = Literal["none", "full"]
Attention = Literal["eager", "sdpa", "flash"]
Loss = Literal["full", "chunked"]
Sharding = Literal["none", "ddp", "fsdp", "zero2", "zero3"]
Objective = Literal["sft", "cpt", "dpo", "kto", "reward", "grpo", "rloo"]

A_NODE = 8  # devices of one node, at most


@dataclass(frozen=True, slots=True, kw_only=True)
class Architecture:
    """A decoder-only transformer as its `config.json` has it. `parameters` is exact where the source is a config."""

    id: str
    model_type: str
    hidden_size: int
    layers: int
    heads: int
    kv_heads: int
    head_dim: int
    intermediate_size: int
    vocab_size: int
    tied: bool
    context: int  # tokens
    parameters: int
    active_parameters: int  # equals `parameters` unless the model is a mixture of experts
    experts: int = 0
    experts_per_token: int = 0
    moe_intermediate_size: int = 0
    sliding_window: int | None = None
    attention_bias: bool = False
    mlp_bias: bool = False
    qk_norm: bool = False
    licence: str = ""
    gated: bool = False
    kind: Literal["base", "instruct"] = "base"
    exact: bool = True  # False where only a parameter count was described and the shape is the nearest known one
    source: str = ""

    def __hash__(self) -> int:
        """Of what tells models apart: a search looks them up thousands of times, and all fields take ten times that."""
        return hash((self.id, self.parameters, self.layers))


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """One kind of accelerator, or the CPU (`kind` cpu: memory is the machine's, figures are per machine)."""

    name: str
    kind: Literal["cuda", "rocm", "mps", "cpu"]
    memory_gib: float  # what the driver reports as total, not the product name
    bf16_tflops: float | None  # dense; None where the device has no bf16 arithmetic
    fp16_tflops: float | None
    fp32_tflops: float | None
    bandwidth_gb_s: float
    link_gb_s: float  # between GPUs of a node, one direction
    compute_capability: float | None
    source: str
    as_of: str = ""
    network_gb_s: float | None = None  # of a node, one direction; None: as nodes of such cards are built


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """What a candidate would run on: `count` devices a node, `nodes` nodes, owned or offered."""

    device: Device
    count: int = 1
    nodes: int = 1
    host_memory_gib: float | None = None
    offer: Offer | None = None  # None: owned
    usd_per_hour: float = 0.0  # of all nodes together

    @property
    def devices(self) -> int:
        """All accelerators of all nodes."""
        return self.count * self.nodes


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """A price: `usd_per_hour` of one instance with `count` GPUs."""

    cloud: str
    instance: str
    gpu: str
    count: int
    region: str
    usd_per_hour: float
    spot_usd_per_hour: float | None  # None: no data, or no bargain
    source: str
    as_of: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """Everything that decides the memory and the speed of one training step on one device."""

    architecture: Architecture
    objective: Objective = "sft"
    adapter: Adapter = "lora"
    seq_len: int = 2048  # tokens a row is cut to
    micro_batch: int = 1
    grad_accum: int = 1
    lora_rank: int = 16
    lora_targets: str = "all-linear"  # or `attention`, or a comma-separated list
    lora_dropout: float = 0.0
    weights: Literal["bf16", "fp16", "fp32"] = "bf16"
    adapters: Literal["bf16", "fp32"] = "fp32"
    compute: Literal["bf16", "fp16", "fp32"] = "bf16"  # autocast or matmul dtype
    kbit_upcast: bool = True  # prepare_model_for_kbit_training: what is not quantised becomes fp32
    double_quant: bool = True
    keeps_inputs: bool = False  # releases of bitsandbytes that keep the input of every 4-bit product for backward
    optimizer: Literal["adamw", "adamw-8bit", "paged-adamw-8bit", "adafactor", "sgd"] = "adamw"
    optimizer_dtype: Literal["bf16", "fp32"] = "fp32"
    master_weights: bool = False  # fp32 copy beside bf16 weights
    checkpointing: Checkpointing = "full"
    attention: Attention = "sdpa"
    loss: Loss = "chunked"
    packing: bool = False
    sharding: Sharding = "none"
    devices: int = 1
    nodes: int = 1
    offload: Literal["none", "optimizer", "all"] = "none"
    reference: Literal["none", "adapter-off", "copy", "precomputed"] = "none"
    generations: int = 0  # GRPO, RLOO: answers a prompt
    completion_len: int = 0  # GRPO, RLOO: tokens generated
    autocast: bool | None = None  # None: as the Hugging Face trainer does, on where `compute` has 16 bits
    keep_outputs: bool = False  # the loop holds the logits through the backward pass, as a plain loop does
    optimizer_kernel: Literal["fused", "foreach"] = "fused"  # the trainer's default; plain torch.optim takes foreach


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """How much there is to go through: rows x epochs, with the lengths that decide padding."""

    rows: int
    epochs: float
    mean_tokens: float  # a row, prompt and completion
    histogram: tuple[tuple[int, int], ...] = ()
    eval_rows: int = 0
    eval_completion_tokens: float = 0.0
    evaluations: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryEstimate:
    """Per device, in GiB. A setup fits when `device.high` is under the card's memory.

    `allocated` is what the framework's tensors take, `reserved` what the caching allocator holds, `device` what
    nvidia-smi shows (reserved + context). `breakdown` has the components of `allocated.likely`.
    """

    allocated: Estimate
    reserved: Estimate
    device: Estimate
    host: Estimate
    breakdown: Mapping[str, float]  # weights adapters gradients optimizer activations logits reference overhead

    def fits(self, memory_gib: float) -> bool:
        """True where even the high end stays under the card."""
        return self.device.high <= memory_gib


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeEstimate:
    """Wall time of a run, and the speed behind it."""

    hours: Estimate
    tokens_per_second_per_gpu: Estimate
    steps: int
    bound: Literal["compute", "memory", "communication"]
    parts_hours: Mapping[str, float] = field(default_factory=dict)  # training loading evaluation checkpoints generation


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """A hyper-parameter: its value, where it comes from (`rule H301`, `spec overrides.lora.rank`) and what is sane."""

    value: Scalar
    origin: str
    low: float | None = None
    high: float | None = None
    because: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class StageEstimate:
    """One training stage of a candidate: how it is set up and what it takes."""

    setup: Setup
    memory: MemoryEstimate
    time: TimeEstimate


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """One way to do it, feasible or not, with its price. The losers are kept."""

    method: str
    adapter: Adapter
    model: str
    machine: Machine | None
    setup: Setup | None
    memory: MemoryEstimate | None = None
    time: TimeEstimate | None = None
    usd: Estimate | None = None
    quality: float = 0.0  # expected, relative; only its order means something
    feasible: bool = True
    why_not: str = ""  # names the constraint that fails, or why it lost
    pareto: bool = False
    stages: tuple[StageEstimate, ...] = ()  # in the order of their running


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What a rule said: its numbers, its words, its evidence. `answer` is the branch taken, `flag` a warning raised."""

    code: str
    question: str
    answer: str
    because: str
    evidence: tuple[str, ...] = ()
    flag: str = ""
    rule_of_thumb: bool = False
    numbers: Mapping[str, Scalar] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Flip:
    """A small change of the spec, and the verdict it would lead to, found by deciding again."""

    change: str
    to: str
    key: str = ""  # dotted key in the spec
    value: Scalar | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """Something that only the user knows and that could change the verdict. `outcomes` maps answers to verdicts."""

    key: str
    text: str
    outcomes: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """All that a rule may look at. Built once by `observe.py`; everything after it is a pure function of this."""

    spec: Spec
    profile: DataProfile
    models: tuple[Architecture, ...]  # those that may be used: one unless `model.base: auto` or substitutes are allowed
    machines: tuple[Machine, ...]  # owned, local or on offer
    interactive: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The decision, with its path, its price, what lost and what would change it."""

    method: str
    adapter: Adapter
    model: str
    chosen: Candidate | None
    settings: Mapping[str, Setting]
    trace: tuple[Finding, ...]
    flags: tuple[str, ...]
    notes: tuple[Finding, ...]  # the findings behind the flags
    alternatives: tuple[Candidate, ...]
    flips: tuple[Flip, ...]
    questions: tuple[Question, ...]
    confidence: Literal["low", "medium", "high"]
    confidence_because: str = ""
    instead: str = ""  # for prompt, rag, needs-data, infeasible: what to do, and the nearest plan that works
    offers: Mapping[str, Candidate] = field(default_factory=dict)  # rented: cheapest, fastest, safest
