"""Published measurements of fine-tuning as setups that the advisor can estimate.

Reads a CSV of the columns that `facts/measured_points.csv` of this project's facts has (one measured run a row); what a
row does not say is left out rather than guessed, and rows that cannot be put as a setup are counted and named.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from ftc.advisor.gpus import find_gpu
from ftc.advisor.models import find_model
from ftc.advisor.parameters import FAMILIES
from ftc.advisor.values import Architecture, Device, Setup
from ftc.commands.estimate import setup_of

Kind = Literal["allocated", "reserved", "device"]
HERE = Path(__file__).parent
_LETTERS = {
    "q": "q_proj", "k": "k_proj", "v": "v_proj", "o": "o_proj", "gate": "gate_proj", "up": "up_proj",
    "down": "down_proj", "proj": "o_proj",
}  # fmt: skip
_MLP = ("gate_proj", "up_proj", "down_proj")

# litgpt projects queries, keys and values of every model by one matrix (litgpt/model.py, CausalSelfAttention).
FAMILIES["litgpt"] = replace(FAMILIES["llama"], fused_qkv=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One measured run."""

    id: str
    source: str  # whose measurements
    setup: Setup
    device: Device
    kind: Kind
    peak_gib: float | None
    allocated_gib: float | None
    tokens_per_second: float | None  # a GPU
    complete: bool  # every setting is known
    saturated: bool  # the allocator filled the card: the peak says little about the demand
    outcome: str  # `oom`, or empty
    row: dict[str, str]

    @property
    def group(self) -> str:
        """The stack that ran it: the plain one, a sharded one, another one."""
        if self.source.startswith("fitcheck"):
            return "plain"
        return "sharded" if self.setup.sharding in ("fsdp", "zero2", "zero3") else "other"

    @property
    def method(self) -> str:
        """Full, LoRA or QLoRA."""
        return self.setup.adapter


def read(path: Path) -> tuple[list[Point], list[tuple[str, str]]]:
    """The points of a CSV, and (id, why) of the rows that are none."""
    points: list[Point] = []
    left_out: list[tuple[str, str]] = []
    with path.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            try:
                points.append(_point(row))
            except (KeyError, ValueError) as why:
                left_out.append((row["id"], str(why).strip("'\"")))
    return points, left_out


def _point(row: dict[str, str]) -> Point:
    source = row["id"].rsplit("-", 1)[0]
    setup, device = _setup(row), _device(row)
    kind = row["mem_kind"].lower()
    peak = _number(row["peak_mem_gib"])
    allocated = re.search(r"allocated_gib=([\d.]+)", row["notes"])
    if not peak and not _number(row["tokens_per_s_per_gpu"]) and "oom" not in kind:
        raise ValueError("neither memory nor speed")
    return Point(
        id=row["id"],
        source=source,
        setup=setup,
        device=device,
        kind="device" if "device" in kind or "process" in kind or "nvidia-smi" in kind
        else "reserved" if "reserved" in kind or "unstated" in kind else "allocated",
        peak_gib=peak,
        allocated_gib=float(allocated[1]) if allocated else None,
        tokens_per_second=_number(row["tokens_per_s_per_gpu"]),
        complete=row["completeness"] == "full",
        saturated="SATURATED" in row["notes"],
        outcome="oom" if "oom" in kind or "outcome=oom" in row["mem_as_published"] else "",
        row=row,
    )  # fmt: skip


def _setup(row: dict[str, str]) -> Setup:
    method = {"lora": "lora", "qlora": "qlora"}.get(row["method"]) or (
        "full" if row["method"].startswith("full") else ""
    )
    if not method or "gptq" in row["quant"]:
        raise ValueError(f"method {row['method']} {row['quant']} is not one of ours")
    weights = row["weight_dtype"]
    if method == "lora" and "nf4" in row["quant"]:
        method = "qlora"
    if "selective" in row["grad_checkpointing"] or "optimizer_in_bwd" in row["optimizer"] + row["notes"]:
        raise ValueError("selective checkpointing or an optimiser inside the backward pass is not one of ours")
    devices = int(_number(row["n_gpus"]) or 1)
    if devices > 1 and "may have applied" in row["notes"]:
        raise ValueError("published for several GPUs, with the memory of one")
    sharding = row["sharding"].lower()
    if "tp" in sharding or " x " in sharding or "cp" in sharding:
        raise ValueError(f"sharding {row['sharding']} is not one of ours")
    length, batch = _number(row["seq_len"]), _number(row["micro_batch"])
    if not length or not batch:
        raise ValueError("no sequence length or micro-batch")
    plain = row["id"].startswith("fitcheck")
    upcast = (
        "trainer" in weights.lower() and "fsdp" in sharding
    )  # accelerate makes fp32 of what FSDP trains in mixed precision
    stored = "fp32" if weights.startswith("fp32") or upcast else "fp16" if weights.startswith("fp16 base") else "bf16"
    liger = row["liger"].lower()
    litgpt = row["id"].startswith("litgpt")  # its scripts put dropout before adapters (finetune/lora.py: 0.05)
    return Setup(
        architecture=_architecture(row),
        adapter=method,  # type: ignore[arg-type]
        seq_len=int(length),
        micro_batch=int(batch),
        grad_accum=int(_number(row["grad_accum"]) or 1),
        lora_rank=int(_number(row["lora_r"]) or 16),
        lora_targets=_targets(row["target_modules"]),
        lora_dropout=0.05 if litgpt else 0.0,
        weights=stored,  # type: ignore[arg-type]
        adapters="bf16" if "bf16-true" in weights or weights == "bf16" else "fp32",
        compute="bf16" if stored == "fp32" and "bf16" in weights else stored,  # type: ignore[arg-type]
        kbit_upcast=plain or "upcast" in weights or "prepare_model" in weights,
        double_quant="no double" not in row["quant"] and row["quant"] != "nf4 (bnb)",
        keeps_inputs="bnb 0.4" in row["software"],
        optimizer="adamw-8bit" if "8" in row["optimizer"] and "bit" in row["optimizer"].lower() else "adamw",
        optimizer_dtype="fp32" if "fp32" in row["optimizer"] or "32bit" in row["optimizer"] or stored == "fp32" or
        (method != "full" and "bf16-true" not in weights and weights != "bf16") else "bf16",
        checkpointing="full" if row["grad_checkpointing"].startswith("full") else "none",
        attention="flash"
        if "flash" in row["attention"]
        else "eager"
        if row["attention"].startswith("eager")
        else "sdpa",
        loss="chunked" if liger.startswith("y") else "full",
        packing=row["packing"].startswith("y"),
        sharding="fsdp" if "fsdp" in sharding else "zero3" if "zero3" in sharding else "zero2" if "zero2" in sharding
        else "ddp" if "ddp" in sharding else "none",
        devices=min(devices, 8),
        nodes=max(1, devices // 8),
        autocast="trainer" in weights.lower() or (stored == "fp32" and "bf16" in weights),
        keep_outputs=plain,
        optimizer_kernel="fused" if "fused" in row["optimizer"].lower() else "foreach",
    )  # fmt: skip


def _targets(text: str) -> str:
    if not text or "all" in text:
        return "all-linear"
    names = [name.strip(" *()_").split(" ")[0] for name in text.lower().split("+")]
    known = [_LETTERS[name] for name in names if name in _LETTERS]
    if "mlp" in names:
        known += _MLP
    if "c_attn" in names:
        known += ["q_proj", "k_proj", "v_proj", "o_proj"] + (list(_MLP) if "w1" in names else [])
    return ",".join(dict.fromkeys(known)) or "all-linear"


def _architecture(row: dict[str, str]) -> Architecture:
    found, _ = find_model(row["model"], Path())
    if found is not None and row["id"].startswith("litgpt") and found.model_type == "llama":
        return replace(found, id=f"{found.id} in litgpt", model_type="litgpt")
    if found is not None:
        return found
    shapes: dict[str, dict[str, Any]] = json.loads((HERE / "models.json").read_text())["models"]
    if row["model"] not in shapes:
        raise ValueError(f"model {row['model']} is not known")
    return Architecture(id=row["model"], exact=False, **shapes[row["model"]])


def _device(row: dict[str, str]) -> Device:
    name = re.sub(r"^\d+x", "", row["gpu"].replace("_", " "))
    name = re.sub(r"\([^)]*\)|HBM\w+|HBM", " ", name)
    if re.fullmatch(r"\s*H100 9[46]GB\s*", name):
        name = "H100 SXM"
    device, _ = find_gpu(re.sub(r"DGX-", "", name).replace("Tesla ", "").strip() or "A100 80GB")
    if device is None:
        raise ValueError(f"GPU {row['gpu']} is not known")
    return device


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def through_flags(point: Point) -> Point:
    """The same point with no more said than the flags of `ftc estimate` can say."""
    known = point.setup
    flags = {
        "method": known.adapter, "gpus": known.devices, "sharding": known.sharding, "seq_len": known.seq_len,
        "micro_batch": known.micro_batch, "grad_accum": known.grad_accum, "lora_targets": known.lora_targets,
        "lora_rank": known.lora_rank, "weights": known.weights, "adapters": known.adapters, "loss": known.loss,
        "optimizer": known.optimizer, "optimizer_dtype": known.optimizer_dtype, "attention": known.attention,
        "checkpointing": known.checkpointing, "offload": known.offload,
    }  # fmt: skip
    return replace(point, setup=setup_of(known.architecture, flags))


def by_source(points: list[Point]) -> Iterator[tuple[str, list[Point]]]:
    """Points by whose they are."""
    for source in dict.fromkeys(point.source for point in points):
        yield source, [point for point in points if point.source == source]
