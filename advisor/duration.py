"""How long a run takes: arithmetic, memory traffic, communication and fixed costs of a step, then the parts around it.

A step costs the larger of arithmetic and traffic, plus launches and what communication cannot hide. Padding waste
comes from the data's own lengths. On a CPU the trainer's fixed cost a step counts most for small models. Knows
nothing of money or memory limits; `cost.py` and `memory.py` do.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from ftc.advisor.memory import state_bytes, trained, weights
from ftc.advisor.parameters import layout, lora_parameters
from ftc.advisor.values import Device, Setup, TimeEstimate, Workload
from ftc.spec.estimate import Estimate

SOURCE = "closed form: FLOPs, bytes moved, communication (ftc)"
Bound = Literal["compute", "memory", "communication"]

# Share of the dense rate that large matrix products of a training step reach, and the tokens of one micro-batch at
# which half of it is reached.
_REACHED = 0.55
_HALF_TOKENS = 350.0
_LINK_REACHED = 0.7  # share of a link's rate that collectives reach
_NETWORK_GB_S = 6.0  # between nodes, one direction: 50 Gbit/s, the least that cloud GPU nodes have
_LAUNCH_S = 12e-6  # one kernel launch through PyTorch
_KERNELS = 60  # kernels a layer, forward and backward, without adapters
_DISK_GB_S = 1.0
_START_S = 25.0  # importing the training stack, building the model, first step


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """Seconds of one optimiser step by what they go to."""

    compute: float
    memory: float
    communication: float
    fixed: float

    @property
    def total(self) -> float:
        """Arithmetic and traffic overlap; the rest adds up."""
        return max(self.compute, self.memory) + self.communication + self.fixed

    @property
    def bound(self) -> Bound:
        """What the step mostly waits for."""
        if self.communication > max(self.compute, self.memory) + self.fixed:
            return "communication"
        return "compute" if self.compute >= self.memory + self.fixed else "memory"


def duration(setup: Setup, device: Device, workload: Workload) -> TimeEstimate:
    """Wall time of the whole stage on `setup.devices` x `setup.nodes` of `device`."""
    rows_a_step = setup.micro_batch * setup.grad_accum * setup.devices * setup.nodes
    useful = min(workload.mean_tokens, float(setup.seq_len))
    if setup.packing:
        sequences = max(1.0, workload.rows * useful / setup.seq_len)
        length, useful = float(setup.seq_len), float(setup.seq_len) * 0.97
    else:
        sequences, length = float(workload.rows), padded_tokens(workload, setup.micro_batch, setup.seq_len)
    steps = max(1, -(-int(sequences * workload.epochs) // rows_a_step))
    step = step_seconds(setup, device, length)
    training = steps * step.total
    parts = {
        "training": training / 3600,
        "loading": _loading(setup, device) / 3600,
        "evaluation": _evaluation(setup, device, workload) / 3600,
        "checkpoints": _checkpoints(setup, steps) / 3600,
        "generation": steps * _generation(setup, device) / 3600,
    }
    total = sum(parts.values())
    useful_a_step = setup.micro_batch * setup.grad_accum * useful
    speed = useful_a_step / (step.total + _generation(setup, device))
    wide = 1.6 if step.bound == "communication" else 1.3
    return TimeEstimate(
        hours=Estimate(low=total / wide, likely=total, high=total * wide, unit="h", source=SOURCE),
        tokens_per_second_per_gpu=Estimate(
            low=speed / wide, likely=speed, high=speed * wide, unit="tokens/s", source=SOURCE
        ),
        steps=steps,
        bound=step.bound,
        parts_hours=parts,
    )


def step_seconds(setup: Setup, device: Device, length: float) -> Step:
    """One optimiser step of micro-batches whose rows are `length` tokens long."""
    pair = 2 if setup.objective in ("dpo", "reward", "kto") else 1
    tokens = setup.micro_batch * pair * (length + setup.completion_len)
    if device.kind == "cpu":
        return _cpu_step(setup, device, tokens, length)
    flops = tokens * flops_a_token(setup, length)
    rate = _rate(setup, device) * _REACHED * tokens / (tokens + _HALF_TOKENS)
    own = trained(setup)
    compute = setup.grad_accum * flops / rate
    passes = 3.0 if setup.checkpointing == "full" else 2.0
    moved = setup.grad_accum * (passes * weights(setup) + _activation_traffic(setup, tokens))
    moved += own * (12 + 2 * state_bytes(setup)) / _state_shards(setup)
    if setup.adapter == "qlora":
        moved += setup.grad_accum * passes * 2 * 2 * layout(setup.architecture).linear
    launches = _KERNELS * setup.architecture.layers * passes / 2 * _LAUNCH_S * setup.grad_accum
    return Step(
        compute=compute,
        memory=moved / (device.bandwidth_gb_s * 1e9 * 0.8),
        communication=_communication(setup, device, own),
        fixed=max(0.0, launches - compute) * 0.5 + 0.005,
    )


def flops_a_token(setup: Setup, length: float) -> float:
    """FLOPs of forward and backward: 2 a weight forward, as many for the inputs' gradient, as many for the weights'."""
    model, parts = setup.architecture, layout(setup.architecture)
    query = model.heads * model.head_dim
    linear = 2.0 * (parts.linear + parts.experts_used)
    head = 0.0 if setup.objective == "reward" else 2.0 * model.vocab_size * model.hidden_size
    seen = length if model.sliding_window is None else min(length, 2.0 * model.sliding_window)
    attention = 2.0 * model.layers * query * seen  # causal: half of 4 x width x length
    frozen = setup.adapter in ("lora", "qlora")
    adapter = 6.0 * lora_parameters(model, setup.lora_rank, setup.lora_targets) if frozen else 0.0
    forward = linear + attention
    again = forward if setup.checkpointing == "full" else 0.0
    backward = (linear if frozen else 2 * linear) + 2.5 * attention
    reference = forward + head if setup.reference in ("adapter-off", "copy") else 0.0
    return forward + again + backward + head * (2 if frozen else 3) + adapter + reference


@lru_cache(maxsize=4096)
def padded_tokens(workload: Workload, micro_batch: int, seq_len: int) -> float:
    """Mean length of a row padded to the longest of its micro-batch: the expected maximum of `micro_batch` draws."""
    total = sum(rows for _, rows in workload.histogram)
    if not total:
        return min(float(seq_len), workload.mean_tokens * (1.0 if micro_batch == 1 else 1.35))
    if micro_batch == 1:
        return min(float(seq_len), workload.mean_tokens)
    seen, before, mean = 0, 0.0, 0.0
    for upper, rows in workload.histogram:
        seen += rows
        share = (seen / total) ** micro_batch
        mean += min(upper, seq_len) * (share - before)
        before = share
    return mean


def _rate(setup: Setup, device: Device) -> float:
    """Dense FLOP/s in the dtype that the matrix products run in; bf16 on a card without it runs in fp32."""
    rates = {"bf16": device.bf16_tflops, "fp16": device.fp16_tflops, "fp32": device.fp32_tflops}
    return (rates[setup.compute] or device.fp32_tflops or device.fp16_tflops or 1.0) * 1e12


def _activation_traffic(setup: Setup, tokens: float) -> float:
    """Bytes that norms, activations and residual sums move: each reads and writes its tensor a few times."""
    model = setup.architecture
    inner = model.experts_per_token * model.moe_intermediate_size if model.experts else model.intermediate_size
    size = 4 if setup.weights == "fp32" or (setup.adapter == "qlora" and setup.kbit_upcast) else 2
    return tokens * model.layers * size * (30 * model.hidden_size + 12 * inner + 6 * model.heads * model.head_dim)


def _state_shards(setup: Setup) -> int:
    """Over how many devices the optimiser's work is spread."""
    return setup.devices * setup.nodes if setup.sharding in ("fsdp", "zero2", "zero3") else 1


def _communication(setup: Setup, device: Device, own: int) -> float:
    """Seconds of collectives a step that arithmetic does not hide; ring algorithms move (n - 1) / n of the bytes."""
    count = setup.devices * setup.nodes
    if count == 1 or setup.sharding == "none":
        return 0.0
    link = device.link_gb_s if setup.nodes == 1 else min(device.link_gb_s, _NETWORK_GB_S)
    rate = link * 1e9 * _LINK_REACHED
    ring = (count - 1) / count
    size = 4 if setup.weights == "fp32" else 2
    reduced = 2 * ring * own * size
    if setup.sharding in ("fsdp", "zero3"):
        gathered = (2 + (setup.checkpointing == "full")) * ring * weights(setup) * setup.grad_accum
        return (gathered + ring * own * size * setup.grad_accum) / rate * 0.5
    return reduced / rate * 0.5


# Measured on two cores of an AMD EPYC (Zen 5) with torch 2.13, transformers 5.23 and trl 1.16, November 2026.
_CPU_STEP_S = 0.06  # the trainer's own cost a step: collating, hooks, logging, optimiser calls
_CPU_LAYER_S = 0.004  # calls of one decoder layer, forward and backward
_CPU_REACHED = 0.45


def _cpu_step(setup: Setup, device: Device, tokens: float, length: float) -> Step:
    """A step on a CPU: the trainer's fixed cost, the layers' calls, and arithmetic at the rate that BLAS reaches."""
    rate = (device.fp32_tflops or 0.05) * 1e12 * _CPU_REACHED
    slow = {"fp32": 1.0, "fp16": 5.0, "bf16": 5.0}[setup.compute]
    flops = tokens * flops_a_token(setup, length)
    calls = _CPU_LAYER_S * setup.architecture.layers * (1.5 if setup.checkpointing == "full" else 1.0)
    kind = {"qlora": 2.5, "lora": 1.2}.get(setup.adapter, 1.0)
    moved = trained(setup) * (12 + 2 * state_bytes(setup)) / (device.bandwidth_gb_s * 1e9)
    return Step(
        compute=setup.grad_accum * flops * slow / rate,
        memory=moved,
        communication=0.0,
        fixed=_CPU_STEP_S + setup.grad_accum * calls * kind,
    )


def _generation(setup: Setup, device: Device) -> float:
    """Seconds of generating a step's answers (GRPO, RLOO): one pass over the weights for each token of the batch."""
    if setup.objective not in ("grpo", "rloo") or not setup.completion_len:
        return 0.0
    return setup.completion_len * setup.grad_accum * _token_pass(setup, device, setup.micro_batch)


def _token_pass(setup: Setup, device: Device, rows: int) -> float:
    """Seconds to generate one token for each of `rows` rows with transformers' own loop."""
    layers = setup.architecture.layers
    if device.kind == "cpu":
        arithmetic = rows * 2.0 * setup.architecture.active_parameters / ((device.fp32_tflops or 0.05) * 1e12 * 0.3)
        return 0.004 + 0.0006 * layers + max(arithmetic, weights(setup) / (device.bandwidth_gb_s * 1e9))
    return max(weights(setup) / (device.bandwidth_gb_s * 1e9 * 0.6), layers * 0.0008)


def _evaluation(setup: Setup, device: Device, workload: Workload) -> float:
    """Seconds of scoring the held-out rows: a forward pass each, and the answers generated in batches of 16."""
    if not workload.eval_rows:
        return 0.0
    length = min(workload.mean_tokens, float(setup.seq_len))
    forward = step_seconds(setup, device, length).total / (setup.micro_batch * setup.grad_accum) / 3
    batches = workload.eval_rows / 16
    answers = batches * workload.eval_completion_tokens * _token_pass(setup, device, 16)
    return workload.evaluations * workload.eval_rows * forward + answers


def _loading(setup: Setup, device: Device) -> float:
    """Seconds from the start of the process to its first step."""
    stored = setup.architecture.parameters * 2
    return _START_S + stored / (_DISK_GB_S * 1e9)


def _checkpoints(setup: Setup, steps: int) -> float:
    """Seconds of writing checkpoints: what is trained and its states, about ten times a run."""
    size = trained(setup) * (4 + state_bytes(setup))
    return min(10, 1 + steps // 50) * (0.05 + size / (_DISK_GB_S * 1e9))
