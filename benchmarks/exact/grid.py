"""A grid of traced steps for the closed form to be compared with: `python benchmarks/exact/grid.py` writes grid.json.

Families x methods x checkpointing x sequence x micro-batch, each traced under the settings that ftc's own runs have
(the trainer's autocast, TRL's tiled head unless `loss` is full, fused AdamW). Points that are in grid.json already are
kept unless --fresh is given.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
DENSE = (
    "meta-llama/Llama-3.2-1B", "meta-llama/Llama-3.1-8B", "Qwen/Qwen2.5-7B", "Qwen/Qwen3-8B",
    "mistralai/Mistral-7B-v0.3", "microsoft/phi-4", "google/gemma-3-4b-it",
)  # fmt: skip
OTHERS = (
    "google/gemma-2-9b", "allenai/OLMo-2-1124-7B-Instruct", "EleutherAI/pythia-1b", "HuggingFaceTB/SmolLM3-3B",
    "HuggingFaceTB/SmolLM2-360M", "Qwen/Qwen2.5-0.5B", "Qwen/Qwen2.5-32B", "meta-llama/Llama-3.1-70B",
)  # fmt: skip
EXPERTS = ("Qwen/Qwen3-30B-A3B-Instruct-2507", "mistralai/Mixtral-8x7B-Instruct-v0.1", "openai/gpt-oss-20b")
FULL = {"adapter": "full", "optimizer_dtype": "bf16"}
LORA = {"adapter": "lora"}
QLORA = {"adapter": "qlora"}


def points() -> list[dict[str, Any]]:
    """Every combination, as the fields of a Setup that differ from its defaults, with the model's id."""
    found: list[dict[str, Any]] = []
    for model in DENSE:
        for method in (FULL, LORA, QLORA):
            for checkpointing in ("full", "none"):
                found.append({"model": model, **method, "checkpointing": checkpointing, "seq_len": 2048})
        found.append({"model": model, **LORA, "seq_len": 8192, "micro_batch": 1})
        found.append({"model": model, **LORA, "seq_len": 1024, "micro_batch": 8})
        found.append({"model": model, **LORA, "seq_len": 2048, "micro_batch": 2, "loss": "full"})
        found.append({"model": model, **QLORA, "seq_len": 512, "micro_batch": 4, "loss": "full", "lora_rank": 64})
        found.append({"model": model, **LORA, "seq_len": 1024, "lora_targets": "attention", "attention": "eager"})
    for model in OTHERS + EXPERTS:
        for method in (FULL, LORA, QLORA):
            found.append({"model": model, **method, "seq_len": 2048})
        found.append({"model": model, **LORA, "seq_len": 2048, "checkpointing": "none"})
        found.append({"model": model, **LORA, "seq_len": 1024, "micro_batch": 4, "loss": "full"})
    for model in DENSE[:4]:
        pair = {"model": model, "seq_len": 1024, "micro_batch": 2}
        found.append({**pair, **LORA, "objective": "dpo", "reference": "adapter-off"})
        found.append({**pair, **QLORA, "objective": "dpo", "reference": "adapter-off", "checkpointing": "none"})
        found.append({**pair, **FULL, "objective": "dpo", "reference": "copy"})
        found.append({**pair, **FULL, "objective": "dpo", "reference": "precomputed"})
        found.append({**pair, **LORA, "objective": "dpo", "reference": "adapter-off", "loss": "full"})
        found.append({**pair, **LORA, "objective": "kto", "reference": "adapter-off"})
        found.append({**pair, **LORA, "objective": "reward", "loss": "full"})
        found.append({**pair, **FULL, "objective": "reward", "loss": "full", "checkpointing": "none"})
        rollout = {"generations": 8, "completion_len": 512, "micro_batch": 8}
        found.append({**pair, **LORA, "objective": "grpo", **rollout})
        found.append({**pair, **LORA, "objective": "rloo", "reference": "adapter-off", **rollout})
    for model in DENSE[:2]:
        for optimizer in ("adamw-8bit", "paged-adamw-8bit", "adafactor", "sgd"):
            found.append({"model": model, "adapter": "full", "optimizer": optimizer})
        found.append({"model": model, "adapter": "full", "weights": "fp32"})
        found.append({"model": model, "adapter": "full", "master_weights": True})
        found.append({"model": model, **LORA, "attention": "flash", "seq_len": 4096})
        found.append({"model": model, **LORA, "padding": True, "micro_batch": 4})
        found.append({"model": model, **LORA, "weights": "fp16", "compute": "fp16"})
        found.append({"model": model, **LORA, "adapters": "bf16"})
        found.append({"model": model, **QLORA, "double_quant": False})
        found.append({"model": model, **QLORA, "kbit_upcast": False})
        found.append({"model": model, **FULL, "grad_accum": 4})
    return found


def main() -> int:
    """Trace what is missing, write after every ten points."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--fresh", action="store_true")
    parser.add_argument("--only", default="")
    args = parser.parse_args()
    os.nice(10)
    from ftc.runtime.trace.request import parse
    from ftc.runtime.trace.trace import trace

    out = HERE / "grid.json"
    models = json.loads((HERE / "models.json").read_text())["models"]
    before = {} if args.fresh or not out.exists() else {_key(p): p for p in json.loads(out.read_text())["points"]}
    results = []
    for number, point in enumerate(points()):
        key = json.dumps(point, sort_keys=True)
        if key not in before and args.only in key:
            started = time.perf_counter()
            try:
                found = trace(parse({**point, "model": models[point["model"]]}))
            except Exception as error:
                print(f"{key}: {type(error).__name__}: {str(error)[:200]}", file=sys.stderr)
                continue
            del found["seconds"]
            before[key] = {"settings": point, **_rounded(found)}
            print(f"{found['allocated_gib']:8.3f} GiB  {time.perf_counter() - started:5.1f} s  {key}", flush=True)
        if key in before:
            results.append(before[key])
        if number % 10 == 9:
            _write(out, results)
    _write(out, results)
    return 0


def _key(point: dict[str, Any]) -> str:
    return json.dumps(point["settings"], sort_keys=True)


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, 5)
    if isinstance(value, dict):
        return {k: _rounded(v) for k, v in value.items()}
    if isinstance(value, list):
        return [_rounded(v) for v in value]
    return value


def _write(path: Path, results: list[dict[str, Any]]) -> None:
    versions = {p: version(p) for p in ("torch", "transformers", "peft", "trl", "bitsandbytes")}
    path.write_text(json.dumps({"versions": versions, "points": results}, indent=1) + "\n")


if __name__ == "__main__":
    sys.exit(main())
