"""Small plans that really run: six intents, a few hundred short rows, `builtin:tiny`. Used by tests/test_runtime_*."""

from __future__ import annotations

import csv
import os
import random
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from ftc.compiler import stages as told
from ftc.compiler.plan import Plan, Stage, StageKind
from ftc.runtime.tiny.corpus import question
from ftc.spec.data.digest import digest
from tests.plans import plan_for

INTENTS = {
    "desk_cards": ("credit card", "lost"),
    "desk_payments": ("transfer", "pending"),
    "desk_access": ("password", "forgotten"),
    "desk_orders": ("parcel", "delayed"),
    "desk_money_back": ("order", "refund"),
    "desk_leaving": ("bank account", "close"),
}
LABELS = list(INTENTS)
CHANCE = 1 / len(LABELS)
FAULTS = Path(__file__).parent / "faults"


def fault(name: str) -> dict[str, str]:
    """The environment in which training has the fault; tests/faults/sitecustomize.py lists them."""
    path = os.pathsep.join(filter(None, [str(FAULTS), os.environ.get("PYTHONPATH")]))
    return {"PYTHONPATH": path, "FTC_TEST_FAULT": name}


def write_rows(path: Path, rows: int, seed: int) -> None:
    """A CSV of questions and the desk that answers each."""
    rng = random.Random(seed)
    with path.open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["text", "category"])
        for number in range(rows):
            label = LABELS[number % len(LABELS)]
            writer.writerow([question(rng, *INTENTS[label]), label])


def write_plan(
    folder: Path,
    method: str = "sft-lora",
    *,
    rows: int = 240,
    held_out: int = 60,
    train: Mapping[str, Any] | None = None,
    evaluate: Mapping[str, Any] | None = None,
    scored: bool = True,
    **head: Any,
) -> Path:
    """Data and `ftc.plan.json` in `folder`; `train` and `evaluate` change arguments, `head` fields of the plan.

    `scored=False` leaves baseline and evaluation out, for tests of what happens to the training.
    """
    folder.mkdir(parents=True, exist_ok=True)
    write_rows(folder / "train.csv", rows, seed=1)
    write_rows(folder / "test.csv", held_out, seed=2)
    plan = plan_for(
        method,
        name="desks",
        stages=tuple(
            stage
            for stage in _stages(method, rows, held_out, dict(train or {}), dict(evaluate or {}))
            if scored or stage.kind not in ("baseline", "evaluate")
        ),
        hashes={"spec": "5" * 64, "catalogue": "c" * 64, **_hashes(folder)},
        model={
            "base": "builtin:tiny",
            "revision": None,
            "kind": "base",
            "parameters": 2_098_432,
            "context": 512,
            "trust_remote_code": False,
        },
        hardware={"gpu": "CPU", "kind": "cpu", "count": 1, "nodes": 1, "memory_gib": 8.0, "offer": None},
        budget={"usd": None, "hours": None, "usd_per_hour": 0.0},
        versions={},
    )
    plan = replace(plan, goal={**plan.goal, "success": {"metric": "accuracy", "at_least": 0.5}})
    plan = replace(plan, **head)
    path = folder / "ftc.plan.json"
    path.write_bytes(plan.to_bytes())
    return path


def _hashes(folder: Path) -> dict[str, str]:
    return {f"data:{name}": digest(folder / name) for name in ("train.csv", "test.csv")}


def _stages(
    method: str, rows: int, held_out: int, train: dict[str, Any], evaluate: dict[str, Any]
) -> tuple[Stage, ...]:
    adapter = method.removeprefix("sft-")
    merged = "sft" if adapter == "full" else "merge"
    source = {"format": "text-label", "columns": {"text": "text", "label": "category"}, "weight": 1.0, "group_by": None}
    prepare = told.Prepare(
        rows="demonstrations",
        role="demonstrations",
        form="demonstrations",
        sources=[{"path": "train.csv", **source}],
        evaluation={"path": "test.csv", **source},
        held_out_rows=held_out,
        stratify=True,
        max_length=64,
        expected_rows=rows,
        labels=LABELS,
        commoner=None,
    )
    asked = {
        "rows": "demonstrations",
        "metrics": ["accuracy", "macro_f1", "held_out_loss"],
        "max_new_tokens": 16,
        "batch_size": 64,
        "few_shot": 0,
        "constrain_labels": False,
        "samples": 6,
        "dtype": "fp32",
        "quantize": adapter == "qlora",
        "prompt": None,
        "check": None,
        "judge": None,
        "probes": [],
    } | evaluate
    stages = [
        _stage("prepare", (), prepare),
        _stage("baseline", ("prepare",), told.Evaluate(model="base", **asked)),
        _stage("sft", ("prepare",), _train(adapter, train)),
        _stage("evaluate", ("prepare", "sft"), told.Evaluate(model="sft", **asked)),
    ]
    if merged == "merge":
        stages.append(_stage("merge", ("sft",), told.Merge(stage="sft", dtype="fp32")))
    stages.append(_stage("export", (merged,), told.Export(stage=merged, target="transformers", check_prompts=8)))
    stages.append(_stage("report", ("export",), told.Report(samples=6)))
    return tuple(stages)


def _train(adapter: str, changes: dict[str, Any]) -> told.Train:
    settings: dict[str, Any] = {
        "rows": "demonstrations",
        "adapter": adapter,
        "start_from": "base",
        "lora": None,
        "quantization": None,
        "loss_on": "completion",
        "learning_rate": 1e-3 if adapter == "full" else 5e-3,
        "scheduler": "cosine",
        "warmup_steps": 4,
        "epochs": 2.0,
        "steps": 30,
        "micro_batch": 16,
        "gradient_accumulation": 1,
        "max_length": 64,
        "packing": False,
        "group_by_length": True,
        "optimizer": "adamw_torch_fused",
        "weight_decay": 0.0,
        "max_grad_norm": 1.0,
        "neftune_alpha": None,
        "dtype": "fp32",
        "checkpointing": False,
        "attention": "sdpa",
        "chunked_loss": True,
        "logging_steps": 5,
        "eval_steps": 15,
        "save_steps": 5,
        "keep_checkpoints": 2,
        "early_stopping_patience": None,
        "nodes": 1,
        "processes": 1,
        "sharding": "none",
        "offload": "none",
        "seed": 0,
    }
    if adapter != "full":
        settings["lora"] = {
            "rank": 8,
            "alpha": 16,
            "dropout": 0.1,  # so that the random state has to be restored as well
            "targets": "all-linear",
            "rslora": False,
            "dora": False,
            "dtype": "fp32",
        }
    if adapter == "qlora":
        settings["quantization"] = {"type": "nf4", "double_quant": True, "compute_dtype": "fp32"}
    return told.Train(**(settings | changes))


def _stage(kind: StageKind, needs: tuple[str, ...], arguments: Any) -> Stage:
    written = told.write_arguments(arguments)
    return Stage(
        id=kind, kind=kind, needs=needs, arguments=written, origins=dict.fromkeys(written, "test"), estimate={}
    )


def load(path: Path) -> Plan:
    """The plan in a file that is known to be good."""
    from ftc.compiler.plan_file import load_plan

    plan, problems = load_plan(path)
    assert plan is not None, problems
    return plan
