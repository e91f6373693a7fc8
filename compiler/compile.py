"""Spec, facts and verdict to a plan. Reads top to bottom as the list of passes; prints nothing, decides nothing.

What to do was decided by the advisor. Here it is spelled out: the stages in order, each argument with its value and
where that value comes from, the estimate of each stage, and the hashes that let a run notice that something changed.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ftc.advisor.values import Facts, Verdict
from ftc.advisor.verdict_json import memory_json, verdict_json
from ftc.compiler import stages as told
from ftc.compiler.plan import SCHEMA_VERSION, Plan, Stage
from ftc.spec.diagnostics import Diagnostic, Refused
from ftc.spec.estimate import Estimate
from ftc.spec.model import Source, Spec
from ftc.spec.profile import DataProfile, SetProfile

TRAINS = {"sft-full": "full", "sft-lora": "lora", "sft-qlora": "qlora"}
NOT_A_RUN = ("prompt", "rag", "needs-data", "infeasible")
SAMPLES = 12  # outputs kept for the report: as many as a person reads
EXPORT_CHECKS = 8  # prompts answered before and after export


@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """What a plan is made of. `digests` are SHA-256: `spec`, `catalogue`; `versions` are of the training stack.

    `spec_folder` is the way from the plan's folder to the spec's, empty where they are the same: relative paths in a
    plan start where the plan lies.
    """

    facts: Facts
    verdict: Verdict
    digests: Mapping[str, str]
    versions: Mapping[str, str]
    prices_as_of: str
    spec_folder: str = ""

    def path(self, written: str) -> str:
        """A path of the spec, as the plan has it. What is no local path (a hub id) stays as it is."""
        if not self.spec_folder or Path(written).is_absolute() or written.startswith("~"):
            return written
        local = "*" in written or (self.facts.spec.folder / written).exists()
        return Path(self.spec_folder, written).as_posix() if local else written


def compile_plan(inputs: Inputs) -> Plan:
    """The plan. Raises Refused (exit code 3) where the verdict cannot be run, naming what is missing."""
    spec, profile, verdict = inputs.facts.spec, inputs.facts.profile, inputs.verdict
    _refuse_what_cannot_run(spec, verdict)
    return Plan(
        schema=SCHEMA_VERSION,
        name=spec.name,
        seed=spec.seed,
        hashes={**inputs.digests, **{f"data:{inputs.path(name)}": digest for name, digest in profile.hashes.items()}},
        goal=_goal(spec),
        model=_model(inputs),
        data=_data(spec, profile),
        hardware=_hardware(verdict),
        budget={
            "usd": spec.budget.usd,
            "hours": spec.budget.hours,
            "usd_per_hour": verdict.chosen.machine.usd_per_hour if verdict.chosen and verdict.chosen.machine else 0.0,
        },
        verdict=verdict_json(verdict),
        stages=_stages(inputs),
        estimate=_estimate(verdict),
        versions=dict(inputs.versions),
        prices_as_of=inputs.prices_as_of,
    )


# --- what cannot be run -------------------------------------------------------------------------------------------


def _refuse_what_cannot_run(spec: Spec, verdict: Verdict) -> None:
    method = verdict.method
    if method in NOT_A_RUN:
        raise Refused(
            [Diagnostic(code="M901", message=f"the answer is {method}: {verdict.instead}", fix="ftc advise")], 3
        )
    if method not in TRAINS:
        message = f"{method} is the right method, and this ftc has no stage that carries it out yet"
        ready = ", ".join(sorted(TRAINS))
        fix = f"methods that run: {ready} (set `method:` to one of them to train that way instead)"
        raise Refused([Diagnostic(code="M902", message=message, fix=fix, key="method")], 3)
    described = [each for each in spec.data.demonstrations if each.described]
    if described or not spec.data.demonstrations:
        message = "data.demonstrations is described, not given: the plan could not be run"
        fix = "give data.demonstrations.path; `ftc estimate` and `ftc advise` work without it"
        raise Refused([Diagnostic(code="M903", message=message, fix=fix, key="data.demonstrations")], 3)


# --- the head of the plan -----------------------------------------------------------------------------------------


def _goal(spec: Spec) -> dict[str, Any]:
    goal = spec.goal
    return {
        "task": goal.task,
        "description": goal.description,
        "domain": goal.domain,
        "language": goal.language,
        "success": {"metric": goal.success.metric, "at_least": goal.success.at_least} if goal.success else None,
        "deploy": spec.deploy.target,
    }


def _model(inputs: Inputs) -> dict[str, Any]:
    chosen = inputs.verdict.chosen
    if chosen is None or chosen.setup is None:
        raise ValueError("a training verdict has a chosen candidate with a setup")
    model = chosen.setup.architecture
    return {
        "base": _base(inputs),
        "revision": inputs.facts.spec.model.revision,
        "kind": inputs.facts.spec.model.kind or model.kind,
        "parameters": model.parameters,
        "architecture": model.model_type,
        "context": model.context,
        "vocabulary": model.vocab_size,
        "licence": model.licence,
        "trust_remote_code": inputs.facts.spec.model.trust_remote_code,
    }


def _base(inputs: Inputs) -> str:
    """A local folder is a path like any other; hub ids and built-in models are names."""
    return inputs.path(inputs.verdict.model)


def _data(spec: Spec, profile: DataProfile) -> dict[str, Any]:
    sets = {"demonstrations": profile.demonstrations, "evaluation": profile.evaluation}
    return {
        "profiles": {role: _set(each) for role, each in sets.items() if each},
        "train_rows": profile.train_rows,
        "held_out_rows": profile.held_out_rows,
        "overlap": profile.overlap,
        "contains": list(spec.data.contains),
        "licence": spec.data.licence,
    }


def _set(profile: SetProfile) -> dict[str, Any]:
    lengths = {"prompt": profile.prompt, "completion": profile.completion, "sequence": profile.sequence}
    return {
        "format": profile.format,
        "rows": profile.rows,
        "rows_read": profile.rows_read,
        "rows_reported": profile.rows_reported,
        "tokenizer": profile.tokenizer,
        "tokens": {
            name: {"mean": each.mean, "p50": each.p50, "p99": each.p99, "max": each.max, "total": each.total}
            for name, each in lengths.items()
            if each
        },
        "classes": len(profile.classes),
        "exact_duplicates": profile.exact_duplicates,
    }


def _hardware(verdict: Verdict) -> dict[str, Any]:
    machine = verdict.chosen.machine if verdict.chosen else None
    if machine is None:
        raise ValueError("a training verdict has a machine")
    return {
        "gpu": machine.device.name,
        "kind": machine.device.kind,
        "count": machine.count,
        "nodes": machine.nodes,
        "memory_gib": round(machine.device.memory_gib, 2),
        "offer": f"{machine.offer.cloud} {machine.offer.instance} {machine.offer.region}" if machine.offer else None,
    }


def _estimate(verdict: Verdict) -> dict[str, Any]:
    chosen = verdict.chosen
    if chosen is None or chosen.time is None or chosen.memory is None or chosen.usd is None:
        raise ValueError("a training verdict is estimated")
    return {
        "hours": chosen.time.hours.to_json(),
        "usd": chosen.usd.to_json(),
        "memory": memory_json(chosen.memory),
        "tokens_per_second_per_gpu": chosen.time.tokens_per_second_per_gpu.to_json(),
        "bound": chosen.time.bound,
        "parts_hours": dict(chosen.time.parts_hours),
    }


# --- the stages ---------------------------------------------------------------------------------------------------


def _stages(inputs: Inputs) -> tuple[Stage, ...]:
    """In the order of their running: prepare, baseline, sft, evaluate, merge, export, report."""
    spec, profile, verdict = inputs.facts.spec, inputs.facts.profile, inputs.verdict
    adapter = TRAINS[verdict.method]
    trained = "sft"
    result = trained if adapter == "full" else "merge"
    merge = [] if adapter == "full" else [_merge(verdict, trained)]
    return (
        _prepare(inputs),
        _evaluate("baseline", "base", ("prepare",), spec, profile, verdict),
        _sft(adapter, verdict),
        _evaluate("evaluate", trained, ("prepare", trained), spec, profile, verdict),
        *merge,
        _stage("export", (result,), told.Export(stage=result, target=spec.deploy.target, check_prompts=EXPORT_CHECKS)),
        _stage("report", ("baseline", "evaluate", "export"), told.Report(samples=SAMPLES)),
    )


def _stage(
    kind: str,
    needs: tuple[str, ...],
    arguments: object,
    *,
    origins: Mapping[str, str] | None = None,
    estimate: Mapping[str, Any] | None = None,
) -> Stage:
    """A stage whose arguments come from `default` unless `origins` says otherwise."""
    written = told.write_arguments(arguments)
    return Stage(
        id=kind,
        kind=kind,  # type: ignore[arg-type]
        needs=needs,
        arguments=written,
        origins={name: (origins or {}).get(name, "default") for name in written},
        estimate=dict(estimate or {}),
    )


def _prepare(inputs: Inputs) -> Stage:
    spec, profile, verdict = inputs.facts.spec, inputs.facts.profile, inputs.verdict
    rows = profile.demonstrations
    if rows is None:
        raise ValueError("training needs demonstrations")
    evaluation = spec.data.evaluation.source
    max_length = verdict.settings["max_length"]
    classes = [label for label, _ in rows.classes]
    arguments = told.Prepare(
        role="demonstrations",
        sources=[_source(inputs, each, rows.format) for each in spec.data.demonstrations],
        evaluation=_source(inputs, evaluation, profile.evaluation.format)
        if evaluation and profile.evaluation
        else None,
        held_out_rows=profile.held_out_rows,
        stratify=bool(classes),
        max_length=int(max_length.value),
        expected_rows=rows.rows,
        labels=classes,
    )
    origins = {
        "role": "spec data",
        "sources": "spec data.demonstrations",
        "evaluation": "spec data.evaluation" if evaluation else "default",
        "held_out_rows": "profile" if evaluation else "rule of held-out size",
        "stratify": "profile",
        "max_length": max_length.origin,
        "expected_rows": "profile",
        "labels": "profile",
    }
    return _stage("prepare", (), arguments, origins=origins)


def _source(inputs: Inputs, source: Source, recognised: str) -> dict[str, Any]:
    return {
        "path": inputs.path(source.path or ""),
        "format": recognised if source.format == "auto" else source.format,
        "columns": dict(source.columns),
        "weight": source.weight,
        "group_by": source.group_by,
    }


def _evaluate(
    kind: str, model: str, needs: tuple[str, ...], spec: Spec, profile: DataProfile, verdict: Verdict
) -> Stage:
    settings, rows = verdict.settings, profile.demonstrations
    classes = bool(rows and rows.classes)
    longest = rows.completion.max if rows and rows.completion else 256
    micro_batch = int(settings["micro_batch"].value)
    arguments = told.Evaluate(
        model=model,
        metrics=["accuracy", "macro_f1", "held_out_loss"] if classes else ["exact_match", "held_out_loss"],
        max_new_tokens=min(1024, math.ceil(longest * 1.25 / 8) * 8 + 8),
        batch_size=4 * micro_batch,
        few_shot=0,
        constrain_labels=False,
        samples=SAMPLES,
        dtype=str(settings["dtype"].value),
        quantize=verdict.adapter == "qlora",
    )
    origins = {
        "model": "verdict",
        "metrics": f"goal.task {spec.goal.task}",
        "max_new_tokens": "profile: the longest completion and a quarter more, in steps of 8",
        "batch_size": "4 x micro_batch: no gradients are kept",
        "dtype": settings["dtype"].origin,
        "quantize": "verdict: scored in the precision it is trained in",
    }
    hours = (
        verdict.chosen.time.parts_hours.get("evaluation", 0.0) / 2 if verdict.chosen and verdict.chosen.time else 0.0
    )
    return _stage(kind, needs, arguments, origins=origins, estimate=_share(verdict, hours))


def _sft(adapter: str, verdict: Verdict) -> Stage:
    value = {name: setting.value for name, setting in verdict.settings.items()}
    origins = {name: setting.origin for name, setting in verdict.settings.items()}
    lora = quantization = None
    if adapter != "full":
        lora = {
            name: value[f"lora.{name}"] for name in ("rank", "alpha", "dropout", "targets", "rslora", "dora", "dtype")
        }
        origins["lora"] = "; ".join(f"{name}: {origins[f'lora.{name}']}" for name in sorted(lora))
    if adapter == "qlora":
        quantization = {name: value[f"quantization.{name}"] for name in ("type", "double_quant", "compute_dtype")}
        origins["quantization"] = "; ".join(
            f"{name}: {origins[f'quantization.{name}']}" for name in sorted(quantization)
        )
    plain = told.Train.__dataclass_fields__.keys() - {"adapter", "start_from", "lora", "quantization"}
    arguments = told.read_arguments(
        "sft",
        {
            **{name: value.get(name) for name in plain},
            "adapter": adapter,
            "start_from": "base",
            "lora": lora,
            "quantization": quantization,
        },
    )
    origins |= {"adapter": "verdict", "start_from": "verdict"}
    chosen = verdict.chosen
    estimate: dict[str, Any] = {}
    if chosen and chosen.time and chosen.memory:
        parts = chosen.time.parts_hours
        estimate = _share(verdict, sum(hours for name, hours in parts.items() if name != "evaluation"))
        estimate["memory_gib"] = chosen.memory.device.range()
    return _stage("sft", ("prepare",), arguments, origins=origins, estimate=estimate)


def _merge(verdict: Verdict, trained: str) -> Stage:
    dtype = verdict.settings["dtype"]
    arguments = told.Merge(stage=trained, dtype=str(dtype.value))
    return _stage("merge", (trained,), arguments, origins={"stage": "verdict", "dtype": dtype.origin})


def _share(verdict: Verdict, hours: float) -> dict[str, Any]:
    """The estimate of a part of the run: as uncertain as the whole, in proportion."""
    chosen = verdict.chosen
    if chosen is None or chosen.time is None or chosen.usd is None or chosen.time.hours.likely <= 0:
        return {}
    share = hours / chosen.time.hours.likely
    return {"hours": _range(chosen.time.hours, share), "usd": _range(chosen.usd, share)}


def _range(estimate: Estimate, share: float) -> dict[str, float]:
    return {name: value * share for name, value in estimate.range().items()}
