"""Hand-made plans that tests share: valid by `compiler/plan.schema.json`, one a method, made without data or advice.

`plan_for("sft-lora")` is a plan; keyword arguments change its head (`name=`, `hardware=`, ...), `train=` changes
arguments of its training stage. `chain_for("sft", "dpo")` is one that trains in several stages. Nothing here runs:
sizes are those of a 1.5B model on one 24 GB card.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any

from ftc.compiler import stages as told
from ftc.compiler.plan import SCHEMA_VERSION, Plan, Stage, StageKind

METHODS = ("sft-full", "sft-lora", "sft-qlora")
ADAPTER = {"sft-full": "full", "sft-lora": "lora", "sft-qlora": "qlora"}


def plan_for(method: str = "sft-lora", *, train: Mapping[str, Any] | None = None, **head: Any) -> Plan:
    """The plan of that method. `train` replaces arguments of the training stage, `head` fields of the plan."""
    plan = Plan(
        schema=SCHEMA_VERSION,
        name="support-router",
        seed=0,
        hashes={"spec": "5" * 64, "catalogue": "c" * 64, "data:train.csv": "d" * 64},
        goal=goal(),
        model=model(),
        data=data(),
        hardware=hardware(),
        budget={"usd": 50.0, "hours": 8.0, "usd_per_hour": 0.0},
        verdict=verdict(method),
        stages=stages(method, train or {}),
        estimate={
            "hours": estimate(0.4, "h"),
            "usd": estimate(0.0, "USD"),
            "memory": {"device_gib": span(8.1)},
            "tokens_per_second_per_gpu": estimate(3900.0, "tokens/s"),
        },
        versions={"torch": "2.13.0", "transformers": "5.23.0", "trl": "1.16.0", "peft": "0.21.2"},
        prices_as_of="2026-11-01",
    )
    return replace(plan, **head)


def goal() -> dict[str, Any]:
    return {
        "task": "classification",
        "description": "Route a bank's support questions to one of 77 intents.",
        "domain": "customer-support",
        "language": "en",
        "success": {"metric": "accuracy", "at_least": 0.8},
        "deploy": "transformers",
    }


def model(**changes: Any) -> dict[str, Any]:
    return {
        "base": "Qwen/Qwen2.5-1.5B-Instruct",
        "revision": None,
        "kind": "instruct",
        "parameters": 1_543_714_304,
        "architecture": "qwen2",
        "context": 32768,
        "vocabulary": 151936,
        "licence": "apache-2.0",
        "trust_remote_code": False,
    } | changes


def data() -> dict[str, Any]:
    tokens = {"mean": 24.0, "p50": 21, "p99": 71, "max": 112, "total": 240_000}
    profile = {
        "format": "text-label",
        "rows": 10_003,
        "rows_read": 10_003,
        "rows_reported": 0,
        "tokenizer": "estimate",
        "tokens": {"sequence": tokens},
        "classes": 2,
        "exact_duplicates": 0,
    }
    return {
        "profiles": {"demonstrations": profile},
        "train_rows": 9_003,
        "held_out_rows": 1_000,
        "overlap": 0,
        "contains": [],
        "licence": None,
    }


def hardware(**changes: Any) -> dict[str, Any]:
    return {"gpu": "RTX 4090", "kind": "cuda", "count": 1, "nodes": 1, "memory_gib": 23.52, "offer": None} | changes


def source(**changes: Any) -> dict[str, Any]:
    columns = {"text": "text", "label": "category"}
    return {"path": "train.csv", "format": "text-label", "columns": columns, "weight": 1.0, "group_by": None} | changes


def candidate(method: str, **changes: Any) -> dict[str, Any]:
    """One way to do it, in the form of `ftc advise --json`."""
    return {
        "method": method,
        "adapter": ADAPTER.get(method, "none"),
        "model": "Qwen/Qwen2.5-1.5B-Instruct",
        "gpu": "RTX 4090",
        "gpus": 1,
        "offer": None,
        "feasible": True,
        "why_not": "",
        "memory_gib": span(8.1),
        "hours": span(0.4),
        "usd": span(0.0),
        "pareto": True,
    } | changes


def verdict(method: str) -> dict[str, Any]:
    return {
        "method": method,
        "adapter": ADAPTER.get(method, "none"),
        "model": "Qwen/Qwen2.5-1.5B-Instruct",
        "flags": [],
        "trace": [],
        "notes": [],
        "chosen": candidate(method),
        "alternatives": [],
        "flips": [],
        "questions": [],
        "confidence": "high",
        "confidence_because": "",
        "instead": "",
        "settings": {},
    }


def train(adapter: str, **changes: Any) -> told.Train:
    """The arguments of a training stage, every one of them."""
    lora = told.Lora(rank=16, alpha=32, dropout=0.05, targets="all-linear", rslora=False, dora=False, dtype="fp32")
    quantization = told.Quantization(type="nf4", double_quant=True, compute_dtype="bf16")
    arguments: dict[str, Any] = {
        "rows": "demonstrations",
        "adapter": adapter,
        "start_from": "base",
        "lora": None if adapter == "full" else told.write_arguments(lora),
        "quantization": told.write_arguments(quantization) if adapter == "qlora" else None,
        "loss_on": "completion",
        "learning_rate": 2e-5 if adapter == "full" else 2e-4,
        "scheduler": "cosine",
        "warmup_steps": 25,
        "epochs": 3.0,
        "steps": 844,
        "micro_batch": 8,
        "gradient_accumulation": 4,
        "max_length": 128,
        "packing": False,
        "group_by_length": True,
        "optimizer": "paged_adamw_8bit" if adapter == "qlora" else "adamw_torch_fused",
        "weight_decay": 0.0,
        "max_grad_norm": 1.0,
        "neftune_alpha": None,
        "dtype": "bf16",
        "checkpointing": True,
        "attention": "sdpa",
        "chunked_loss": True,
        "logging_steps": 10,
        "eval_steps": 100,
        "save_steps": 100,
        "keep_checkpoints": 2,
        "early_stopping_patience": 3,
        "nodes": 1,
        "processes": 1,
        "sharding": "none",
        "offload": "none",
        "seed": 0,
    }
    return told.Train(**(arguments | changes))


# What a stage of each kind is told beside what every training stage is told.
RAW_TEXT = {"loss_on": "all", "packing": True, "group_by_length": False, "replay": 0.05}
PREFERENCE = {"beta": 0.1, "precompute_reference": False}
POLICY = {"max_completion_length": 512, "temperature": 1.0, "check": None, "judge": None}
OBJECTIVES: dict[str, dict[str, Any]] = {
    "sft": {},
    "cpt": RAW_TEXT,
    "reward": {"least_accuracy": 0.6},
    "dpo": {**PREFERENCE, "loss_type": ["sigmoid"], "label_smoothing": 0.0},
    "kto": {**PREFERENCE, "desirable_weight": 1.0, "undesirable_weight": 1.33},
    "grpo": {**POLICY, "beta": 0.04, "group": 8},
    "rloo": {**POLICY, "beta": 0.05, "group": 4, "judge": "reward"},
}


def trained(kind: StageKind, adapter: str, **changes: Any) -> dict[str, Any]:
    """The arguments of a training stage of any kind, every one of them and no other."""
    every = told.write_arguments(train(adapter)) | OBJECTIVES[kind] | changes
    wanted = told.ARGUMENTS[kind]
    return told.write_arguments(wanted(**{each.name: every[each.name] for each in fields(wanted)}))


def chain_for(*kinds: StageKind, adapter: str = "lora", **head: Any) -> Plan:
    """A plan that trains in stages of these kinds, each from the result of the one before, merged."""
    before, middle = "base", list[Stage]()
    for kind in kinds:
        if before != "base" and adapter != "full":
            folded = stage("merge", (before,), told.Merge(stage=before, dtype="bf16"))
            middle.append(replace(folded, id=f"merge-{before}"))
            before = f"merge-{before}"
        told_to = trained(kind, adapter, start_from=before)
        origins = dict.fromkeys(told_to, "default")
        middle.append(Stage(id=kind, kind=kind, needs=("prepare",), arguments=told_to, origins=origins, estimate={}))
        before = kind
    rest = [each for each in stages("sft-lora", {}) if each.id in ("prepare", "baseline", "report")]
    decided = {**verdict("sft-lora"), "method": "+".join(kinds)}
    report = replace(rest[2], needs=("baseline",))
    return plan_for(stages=(*rest[:2], *middle, report), verdict=decided, **head)


def stages(method: str, changes: Mapping[str, Any]) -> tuple[Stage, ...]:
    """Prepare, baseline, sft, evaluate, merge (adapters only), export, report."""
    adapter = ADAPTER[method]
    result = "sft" if adapter == "full" else "merge"
    prepare = told.Prepare(
        rows="demonstrations",
        role="demonstrations",
        form="demonstrations",
        sources=[source()],
        evaluation=None,
        held_out_rows=1000,
        stratify=True,
        max_length=128,
        expected_rows=10_003,
        labels=["card_arrival", "lost_card"],
        commoner=None,
    )
    merge = [stage("merge", ("sft",), told.Merge(stage="sft", dtype="bf16"))] if adapter != "full" else []
    return (
        stage("prepare", (), prepare),
        stage("baseline", ("prepare",), evaluation("base", adapter)),
        stage("sft", ("prepare",), train(adapter, **changes)),
        stage("evaluate", ("prepare", "sft"), evaluation("sft", adapter)),
        *merge,
        stage("export", (result,), told.Export(stage=result, target="transformers", check_prompts=8)),
        stage("report", ("baseline", "evaluate", "export"), told.Report(samples=12)),
    )


def evaluation(scored: str, adapter: str) -> told.Evaluate:
    return told.Evaluate(
        rows="demonstrations",
        model=scored,
        metrics=["accuracy", "macro_f1", "held_out_loss"],
        max_new_tokens=16,
        batch_size=32,
        few_shot=0,
        constrain_labels=False,
        samples=12,
        dtype="bf16",
        quantize=adapter == "qlora",
        prompt=None,
        check=None,
        judge=None,
        probes=[],
    )


def stage(kind: StageKind, needs: tuple[str, ...], arguments: object) -> Stage:
    written = told.write_arguments(arguments)
    return Stage(
        id=kind, kind=kind, needs=needs, arguments=written, origins=dict.fromkeys(written, "default"), estimate={}
    )


def span(likely: float) -> dict[str, float]:
    return {"low": likely * 0.9, "likely": likely, "high": likely * 1.1}


def estimate(likely: float, unit: str) -> dict[str, Any]:
    return {**span(likely), "unit": unit, "source": "a test", "as_of": "2026-11-01"}
