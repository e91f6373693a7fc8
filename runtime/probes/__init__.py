"""What else a model is looked at for, before and after: a module a probe, `look(asked) -> Found`.

`forgetting`: general questions that have nothing to do with the goal. `safety`: requests that should be refused, and
some that only sound like it. `memorisation`: whether training answers can be drawn out. `lm-eval:<task>`: a task of
lm-evaluation-harness, where it is installed. What each finds per item is kept, so that before and after are compared
item by item.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from ftc.compiler.stages import Evaluate
from ftc.runtime.asking import Local, who
from ftc.runtime.context import Context
from ftc.runtime.run_folder import read_rows, write_rows

MODULES: dict[str, str] = {
    "forgetting": "ftc.runtime.probes.forgetting",
    "safety": "ftc.runtime.probes.safety",
    "memorisation": "ftc.runtime.probes.memorisation",
    "lm-eval": "ftc.runtime.probes.harness",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a probe has at hand. `detail` is what stands behind the colon of its name."""

    context: Context
    told: Evaluate
    one: Local
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What a probe came to. `why_not` says why there is nothing; `metrics` have `value`, `low`, `high`."""

    metrics: Mapping[str, Mapping[str, float]]
    items: list[dict[str, Any]]
    why_not: str = ""


def run(context: Context, quantized: Mapping[str, Any] | None) -> dict[str, Any]:
    """Each probe of the stage: its metrics and, for an evaluation, `changes` against the baseline."""
    told: Evaluate = context.arguments
    one = who(context, told.model, dtype=told.dtype, quantized=quantized)
    if not isinstance(one, Local):
        context.remark("R415", f"{', '.join(told.probes)}: the model is behind an endpoint")
        return {}
    out: dict[str, Any] = {}
    for number, name in enumerate(told.probes):
        kind, _, detail = name.partition(":")
        module = import_module(MODULES[kind])
        found: Found = module.look(Asked(context=context, told=told, one=one, detail=detail))
        context.progress(number + 1, len(told.probes), what=f"probe {name}")
        if found.why_not:
            context.remark("R415", f"{name}: {found.why_not}")
            continue
        write_rows(context.folder / _file(name), found.items)
        out[name] = {"items": len(found.items), "metrics": {key: dict(value) for key, value in found.metrics.items()}}
        if before := _before(context, told, name):
            compare: Callable[[Context, list[dict[str, Any]], list[dict[str, Any]]], dict[str, Any]] = module.compare
            out[name]["changes"] = compare(context, before, found.items)
    return out


def _file(name: str) -> str:
    return f"probe-{name.replace(':', '-').replace('/', '-')}.jsonl"


def _before(context: Context, told: Evaluate, name: str) -> list[dict[str, Any]]:
    """What the same probe found in the baseline; nothing for a baseline itself."""
    if context.stage.kind != "evaluate":
        return []
    for stage in context.plan.stages:
        path = context.run.stage(stage.id) / _file(name)
        if stage.kind == "baseline" and stage.arguments["rows"] == told.rows and path.exists():
            return list(read_rows(path))
    return []
