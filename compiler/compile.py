"""Spec, facts and verdict to a plan. Reads top to bottom as the list of passes; prints nothing, decides nothing.

What to do was decided by the advisor. Here it is spelled out: the stages in order, each argument with its value and
where that value comes from, the estimate of each stage, and the hashes that let a run notice that something changed.
"""

from __future__ import annotations

from typing import Any

from ftc.advisor.licences import data_restriction, model_duty, model_licence, model_restriction
from ftc.advisor.models import ENDPOINT
from ftc.advisor.values import Candidate, Facts
from ftc.advisor.verdict_json import memory_json, verdict_json
from ftc.compiler.chain import CHAINS, stages
from ftc.compiler.inputs import Inputs
from ftc.compiler.plan import SCHEMA_VERSION, Plan
from ftc.compiler.rewards import function_file
from ftc.compiler.rows import needed, rows_of
from ftc.spec.diagnostics import Diagnostic, Refused
from ftc.spec.model import Spec
from ftc.spec.profile import DataProfile, SetProfile


def compile_plan(inputs: Inputs) -> Plan:
    """The plan. Raises Refused (exit code 3) where the verdict cannot be run, naming what is missing."""
    spec, profile, verdict = inputs.facts.spec, inputs.facts.profile, inputs.verdict
    _refuse_what_cannot_run(inputs)
    return Plan(
        schema=SCHEMA_VERSION,
        name=spec.name,
        seed=spec.seed,
        hashes={
            **inputs.digests,
            **{f"data:{inputs.path(name)}": digest for name, digest in profile.hashes.items()},
            **_reward_file(inputs),
        },
        goal=_goal(spec),
        model=_model(inputs),
        data=_data(spec, profile),
        hardware=_hardware(inputs.chosen),
        budget={
            "usd": spec.budget.usd,
            "hours": spec.budget.hours,
            "usd_per_hour": inputs.chosen.machine.usd_per_hour if inputs.chosen.machine else 0.0,
        },
        verdict=verdict_json(verdict),
        stages=stages(inputs),
        estimate=_estimate(inputs.chosen),
        versions=dict(inputs.versions),
        prices_as_of=inputs.prices_as_of,
    )


def _reward_file(inputs: Inputs) -> dict[str, str]:
    found = function_file(inputs) if inputs.verdict.method == "grpo" else None
    return {f"data:{found[0]}": found[1]} if found else {}


# --- what cannot be run -------------------------------------------------------------------------------------------


def _refuse_what_cannot_run(inputs: Inputs) -> None:
    facts, verdict = inputs.facts, inputs.verdict
    method = verdict.method
    if method not in CHAINS:
        raise Refused(
            [Diagnostic(code="M901", message=f"the answer is {method}: {verdict.instead}", fix="ftc advise")], 3
        )
    problems = [found for name in needed(facts, method) if (found := _not_there(facts, name, method)) is not None]
    if inputs.candidate is None:
        message = f"no machine of the spec holds a model for {method}"
        problems.append(Diagnostic(code="M905", message=message, fix="ftc advise", key="hardware"))
    if problems:
        raise Refused(problems, 3)


def _not_there(facts: Facts, name: str, method: str) -> Diagnostic | None:
    """Rows that a plan could not read."""
    rows = rows_of(facts, name, method)
    if rows is not None and not rows.described:
        return None
    said = "is described, not given" if rows is not None else "is not there"
    message = f"data.{name} {said}: a plan of {method} could not be run"
    fix = f"give data.{name}.path; `ftc estimate` and `ftc advise` work without it"
    return Diagnostic(code="M903", message=message, fix=fix, key=f"data.{name}")


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
    if inputs.chosen.setup is None:
        raise ValueError("what is run has a setup")
    model = inputs.chosen.setup.architecture
    return {
        "base": _base(inputs),
        "revision": inputs.facts.spec.model.revision,
        "kind": inputs.facts.spec.model.kind or model.kind,
        "parameters": 0 if model.id.startswith(ENDPOINT) else model.parameters,
        "architecture": model.model_type,
        "context": model.context,
        "vocabulary": model.vocab_size,
        "licence": model_licence(_base(inputs), model.licence),
        "duties": [
            each
            for each in (model_restriction(_base(inputs), model.licence), model_duty(_base(inputs), model.licence))
            if each
        ],
        "trust_remote_code": inputs.facts.spec.model.trust_remote_code,
    }


def _base(inputs: Inputs) -> str:
    """A local folder is a path like any other; hub ids and built-in models are names."""
    return inputs.path(inputs.chosen.model)


def _data(spec: Spec, profile: DataProfile) -> dict[str, Any]:
    sets = {
        "demonstrations": profile.demonstrations,
        "feedback": profile.feedback.set if profile.feedback else None,
        "corpus": profile.corpus,
        "prompts": profile.prompts,
        "evaluation": profile.evaluation,
    }
    return {
        "profiles": {role: _set(each) for role, each in sets.items() if each},
        "train_rows": profile.train_rows,
        "held_out_rows": profile.held_out_rows,
        "overlap": profile.overlap,
        "contains": list(spec.data.contains),
        "licence": spec.data.licence,
        "restriction": data_restriction(spec.data.licence or ""),
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


def _hardware(chosen: Candidate) -> dict[str, Any]:
    machine = chosen.machine
    if machine is None:
        raise ValueError("what is run has a machine")
    return {
        "gpu": machine.device.name,
        "kind": machine.device.kind,
        "count": machine.count,
        "nodes": machine.nodes,
        "memory_gib": round(machine.device.memory_gib, 2),
        "offer": f"{machine.offer.cloud} {machine.offer.instance} {machine.offer.region}" if machine.offer else None,
    }


def _estimate(chosen: Candidate) -> dict[str, Any]:
    if chosen.time is None or chosen.memory is None or chosen.usd is None:
        raise ValueError("what is run is estimated")
    return {
        "hours": chosen.time.hours.to_json(),
        "usd": chosen.usd.to_json(),
        "memory": memory_json(chosen.memory),
        "tokens_per_second_per_gpu": chosen.time.tokens_per_second_per_gpu.to_json(),
        "bound": chosen.time.bound,
        "parts_hours": dict(chosen.time.parts_hours),
    }
