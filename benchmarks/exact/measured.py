"""Predicted against published peaks: `python benchmarks/exact/measured.py POINTS.csv` prints a table, writes a JSON.

Takes every row that gives allocated memory with complete settings. Nothing is fitted: what a row's harness does
(autocast or not, which optimiser kernel, whether the loop holds the outputs) comes from that harness's own source.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import re
import statistics
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
# fitcheck-llm's scripts/measure.py (PyPI sdist): a bare loop, no autocast, torch.optim.AdamW as it comes, `out` alive
# through the step; attention pinned to the memory-efficient kernel with key and value heads repeated. T4: sm_75.
FITCHECK = {
    "autocast": False,
    "optimizer_kernel": "foreach",
    "keep_outputs": True,
    "loss": "full",
    "sdpa_kernel": "efficient",
    "sdpa_expands_groups": True,
    "compute_capability": 7.5,
}


def request(row: dict[str, str], models: dict[str, Any]) -> dict[str, Any] | None:
    """The row's settings as a trace request; None where a setting is missing or another code base ran."""
    config = models.get(row["model"])
    if config is None or not row["id"].startswith("fitcheck"):
        return None
    weights = "fp16" if row["weight_dtype"].startswith("fp16") else "bf16"
    peft = re.search(r"peft (\d+)\.(\d+)", row["software"])
    return FITCHECK | {
        "loading": "onto-device" if row["method"] == "qlora" else "through-host",
        "clears_cache": peft is not None and (int(peft[1]), int(peft[2])) >= (0, 20),
        "model": config,
        "adapter": row["method"],
        "seq_len": int(row["seq_len"]),
        "micro_batch": int(row["micro_batch"]),
        "lora_rank": int(row["lora_r"]),
        "lora_targets": ",".join(f"{t}_proj" for t in row["target_modules"].split("+")),
        "weights": weights,
        "compute": weights,
        "double_quant": "no double quant" not in row["quant"] and row["method"] == "qlora",
        "checkpointing": "full" if row["grad_checkpointing"] == "full" else "none",
        "attention": row["attention"],
    }


def main() -> int:
    """Trace each distinct setting once, compare each row."""
    parser = argparse.ArgumentParser()
    parser.add_argument("points", type=Path)
    parser.add_argument("--only", default="", help="rows whose id contains this; nothing is written")
    parser.add_argument("--resume", action="store_true", help="keep the rows that results.json has already")
    args = parser.parse_args()
    os.nice(10)
    from ftc.runtime.trace.request import parse
    from ftc.runtime.trace.trace import trace

    models = json.loads((HERE / "models.json").read_text())["models"]
    out = HERE / "results.json"
    kept = {r["id"]: r for r in json.loads(out.read_text())["rows"]} if args.resume and out.exists() else {}
    seen: dict[str, dict[str, Any]] = {}
    results: list[dict[str, Any]] = []
    not_traced: list[str] = []
    for row in csv.DictReader(args.points.open()):
        allocated = re.search(r"allocated_gib=([\d.]+)", row["notes"])
        own = "allocated" in row["mem_kind"] or "memory active" in row["mem_kind"]
        if row["completeness"] != "full" or not (allocated or own) or args.only not in row["id"]:
            continue
        asked = request(row, models)
        if asked is None or allocated is None:
            not_traced.append(row["id"])
            continue
        if row["id"] in kept:
            results.append(kept[row["id"]])
            continue
        key = json.dumps(asked, sort_keys=True)
        if key not in seen:
            seen[key] = trace(parse(asked))
        found = seen[key]
        measured = {"allocated": float(allocated[1])}
        if row["mem_kind"] == "torch max_memory_reserved":
            measured["reserved"] = float(row["peak_mem_gib"])
        results.append(
            {
                "id": row["id"],
                "model": row["model"],
                "settings": {k: v for k, v in asked.items() if k not in FITCHECK and k != "model"},
                "measured_gib": measured,
                "predicted_gib": {"allocated": found["allocated_gib"], "reserved": found["reserved_gib"]},
                "error": {k: found[f"{k}_gib"] / v - 1 for k, v in measured.items()},
                "peak_phase": found["peak_phase"],
                "timeline": found["timeline"],
                "seconds": found["seconds"],
                "software": row["software"],
            }
        )
        r = results[-1]
        s = r["settings"]
        print(
            f"{r['id']:14} {row['model'].split('/')[-1]:28} {s['adapter']:5} {s['attention']:5} "
            f"{s['micro_batch']:>2}x{s['seq_len']:<5} "
            + " ".join(
                f"{k} {measured[k]:7.3f} {found[f'{k}_gib']:7.3f} {100 * r['error'][k]:+6.2f} %" for k in measured
            )
            + f"  {found['peak_phase']}",
            flush=True,
        )
        if not args.only:
            _write(out, args.points.name, results, not_traced)
    if not results:
        return 1
    print(json.dumps(_overall(results), indent=1))
    print(f"not traced, another implementation of model and loss: {', '.join(not_traced) or 'none'}")
    if not args.only:
        _write(out, args.points.name, results, not_traced)
    return 0


def _overall(results: list[dict[str, Any]]) -> dict[str, dict[str, float]]:
    errors = {k: [abs(r["error"][k]) for r in results if k in r["error"]] for k in ("allocated", "reserved")}
    return {k: _summary(v) for k, v in errors.items() if v}


def _write(path: Path, points: str, results: list[dict[str, Any]], not_traced: list[str]) -> None:
    versions = {p: version(p) for p in ("torch", "transformers", "peft", "trl", "bitsandbytes")}
    out = {"versions": versions, "points": points, "summary": _overall(results), "not_traced": not_traced}
    path.write_text(json.dumps({**out, "rows": results}, indent=1) + "\n")


def _summary(errors: list[float]) -> dict[str, float]:
    ordered = sorted(errors)
    return {
        "rows": len(ordered),
        "median": statistics.median(ordered),
        "p90": ordered[int(0.9 * (len(ordered) - 1))],
        "max": ordered[-1],
    }


if __name__ == "__main__":
    sys.exit(main())
