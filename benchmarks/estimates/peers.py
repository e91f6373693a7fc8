"""The same points through other calculators, each in an environment of its own.

    python -m benchmarks.estimates.peers          makes the environments under .venvs/ (none needs torch)
    python -m benchmarks.estimates POINTS.csv --peers

Each is asked through its own Python interface with the same architecture and settings, and its total is compared with
the figure that it says it estimates. A point that a tool refuses is left out for that tool and counted.
`accelerate estimate-memory` is not here: it knows neither batch nor length, only four times the weights.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from benchmarks.estimates.errors import summary
from benchmarks.estimates.points import Point
from ftc.advisor.memory import memory

VENVS = Path(__file__).parent / ".venvs"
PEERS = {
    "fitcheck": "fitcheck-llm==0.3.1",
    "ftune": "ftuneai==0.4.1",
    "canifinetune": "canifinetune==0.4.1",
    "fitscout": "fitscout==0.1.1",
}
_LOOP = """
import json, sys
out = {}
for point in json.load(sys.stdin):
    try:
        out[point["id"]] = gib(point)
    except Exception as why:
        out[point["id"]] = repr(why)[:100]
print(json.dumps(out))
"""
DRIVERS = {
    "fitcheck": """
from fitcheck.config_parser import ModelConfig
from fitcheck.estimator import TrainingConfig, estimate
from fitcheck.gpu_db import get_gpu, list_gpus
def gib(p):
    m = ModelConfig(name=p["model"], num_params=p["parameters"], hidden_size=p["hidden"], num_layers=p["layers"],
        num_attention_heads=p["heads"], num_kv_heads=p["kv"], intermediate_size=p["inner"], vocab_size=p["vocab"],
        head_dim=p["head_dim"], tie_word_embeddings=p["tied"])
    t = TrainingConfig(precision=p["compute"], quantization="nf4" if p["method"] == "qlora" else "none",
        double_quant=p["double_quant"], optimizer_dtype=p["states"], batch_size=p["batch"], seq_len=p["length"],
        lora_rank=None if p["method"] == "full" else p["rank"], lora_targets=p["targets"],
        grad_checkpoint=p["checkpointing"], flash_attn=p["attention"] != "eager", grad_accum_steps=p["accumulation"])
    if p["devices"] > 1:
        raise ValueError("one device only")
    gpu = get_gpu("t4") if p["gpu"] == "T4" else get_gpu(vram_mib=int(p["gpu_gib"] * 1024))
    return estimate(m, t, gpu).total_mib / 1024
""",
    "ftune": """
from ftuneai.core.memory import MemoryEstimator
from ftuneai.core.models import (FineTuneMethod, LoRATarget, ModelSpec, OptimizerType, Quantization, ShardingStrategy,
    TrainingConfig)
def gib(p):
    m = ModelSpec(name=p["model"], parameters=p["parameters"], hidden_size=p["hidden"], num_layers=p["layers"],
        num_attention_heads=p["heads"], num_kv_heads=p["kv"], intermediate_size=p["inner"], vocab_size=p["vocab"],
        max_seq_length=131072, is_moe=p["experts"] > 0, num_experts=p["experts"] or None,
        num_active_experts=p["used"] or None)
    target = LoRATarget.ALL_LINEAR if "up_proj" in p["targets"] else (
        LoRATarget.ATTENTION_ALL if "o_proj" in p["targets"] else LoRATarget.ATTENTION)
    c = TrainingConfig(model=p["model"], method=FineTuneMethod(p["method"]),
        quantization=Quantization.INT4 if p["method"] == "qlora" else Quantization.NONE, batch_size=p["batch"],
        seq_length=p["length"], gradient_checkpointing=p["checkpointing"], optimizer=OptimizerType.ADAMW,
        lora_rank=p["rank"], lora_target=target, flash_attention=p["attention"] != "eager",
        sharding=ShardingStrategy.FSDP if p["sharded"] else ShardingStrategy.NONE, num_gpus=p["devices"])
    return MemoryEstimator(m, c).estimate().total_gb
""",
    "canifinetune": """
from canifinetune.estimator.memory import EstimateRequest, estimate
from canifinetune.estimator.model_metadata import register_known_model
def gib(p):
    if p["devices"] > 1:
        raise ValueError("one device only")
    register_known_model(p["model"], dict(hidden_size=p["hidden"], num_hidden_layers=p["layers"],
        num_attention_heads=p["heads"], num_key_value_heads=p["kv"], intermediate_size=p["inner"],
        vocab_size=p["vocab"], tie_word_embeddings=p["tied"], total_params=p["parameters"],
        num_local_experts=max(1, p["experts"]), num_experts_per_tok=max(1, p["used"])))
    r = EstimateRequest(model_id=p["model"], method=p["method"], seq_len=p["length"], micro_batch_size=p["batch"],
        gradient_accumulation_steps=p["accumulation"], base_dtype=p["weights"],
        quantization=("nf4_double_quant" if p["double_quant"] else "nf4") if p["method"] == "qlora" else "none",
        lora_rank=p["rank"], target_modules=p["targets"], optimizer="adamw_torch",
        gradient_checkpointing=p["checkpointing"], gpu_vram_gb=p["gpu_gib"], use_network=False,
        attention_implementation="eager" if p["attention"] == "eager" else "sdpa")
    m = estimate(r).memory
    return m.total_estimated_gb - m.safety_margin_gb
""",
    "fitscout": """
from fitscout.memory.estimator import estimate_memory
from fitscout.model.profile import ModelProfile
def gib(p):
    if p["devices"] > 1:
        raise ValueError("one device only")
    m = ModelProfile(params=p["parameters"], num_layers=p["layers"], hidden_size=p["hidden"],
        num_attention_heads=p["heads"], num_kv_heads=p["kv"], intermediate_size=p["inner"], vocab_size=p["vocab"],
        tie_word_embeddings=p["tied"], num_experts=max(1, p["experts"]))
    return estimate_memory(m, method=p["method"], micro_batch=p["batch"], seq_len=p["length"],
        grad_ckpt=p["checkpointing"], opt_8bit=False, lora_rank=p["rank"]).total_gb
""",
}


def install() -> None:
    """An environment for each tool."""
    for name, package in PEERS.items():
        folder = VENVS / name
        if not folder.is_dir():
            subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
            subprocess.run([str(folder / "bin/python"), "-m", "pip", "install", "-q", package], check=True)
        print(f"{package} in {folder}")


def compare(points: list[Point]) -> dict[str, Any]:
    """Errors of every tool that is installed, and ours on the same points."""
    chosen = [each for each in points if each.peak_gib and each.complete and not each.saturated]
    asked = json.dumps([_asked(each) for each in chosen])
    found: dict[str, Any] = {}
    print("\npeers, on points with complete settings     n   median      p90    under      ours: median      p90")
    for name in PEERS:
        python = VENVS / name / "bin/python"
        if not python.exists():
            print(f"{name:40} not installed: python -m benchmarks.estimates.peers")
            continue
        done = subprocess.run(
            [str(python), "-c", DRIVERS[name] + _LOOP], input=asked, capture_output=True, text=True, check=True
        )
        answers = json.loads(done.stdout)
        for group in ("plain", "sharded", "other"):
            pairs = [
                (each, answers[each.id])
                for each in chosen
                if each.group == group and isinstance(answers[each.id], float)
            ]
            if not pairs:
                continue
            theirs = summary([value / (each.peak_gib or 1) - 1 for each, value in pairs])
            ours = summary([_ours(each) / (each.peak_gib or 1) - 1 for each, _ in pairs])
            print(
                f"{name + ', ' + group:40}{theirs['n']:5}{theirs['median']:9.1%}{theirs['p90']:9.1%}"
                f"{theirs['under']:9.0%}{ours['median']:17.1%}{ours['p90']:9.1%}"
            )
            found[f"{name}, {group}"] = {"theirs": theirs, "ours": ours}
        refused = sum(not isinstance(value, float) for value in answers.values())
        print(f"{name + ', refused':40}{refused:5}")
    return found


def _ours(point: Point) -> float:
    return float(getattr(memory(point.setup, point.device), point.kind).likely)


def _asked(point: Point) -> dict[str, Any]:
    """A point as plain values, in the words that the drivers use."""
    setup, model = point.setup, point.setup.architecture
    targets = (
        ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
        if setup.lora_targets == "all-linear"
        else setup.lora_targets.split(",")
    )
    return {
        "id": point.id, "model": model.id, "parameters": model.parameters, "hidden": model.hidden_size,
        "layers": model.layers, "heads": model.heads, "kv": model.kv_heads, "inner": model.intermediate_size,
        "vocab": model.vocab_size, "head_dim": model.head_dim, "tied": model.tied, "experts": model.experts,
        "used": model.experts_per_token, "method": setup.adapter, "compute": setup.compute, "weights": setup.weights,
        "double_quant": setup.double_quant, "states": setup.optimizer_dtype, "batch": setup.micro_batch,
        "length": setup.seq_len, "rank": setup.lora_rank, "targets": targets,
        "checkpointing": setup.checkpointing == "full", "attention": setup.attention,
        "accumulation": setup.grad_accum, "devices": setup.devices * setup.nodes,
        "sharded": setup.sharding == "fsdp", "gpu": point.device.name, "gpu_gib": point.device.memory_gib,
    }  # fmt: skip


if __name__ == "__main__":
    install()
