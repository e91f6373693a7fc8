"""Facts for the advisor's tests: from a spec as a dict, with the data described."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from ftc.advisor.gpus import find_gpu
from ftc.advisor.machine import cpu
from ftc.advisor.observe import observe
from ftc.advisor.values import Facts, Machine
from ftc.spec.diagnostics import Diagnostic
from ftc.spec.load import load_text

BASE: dict[str, Any] = {
    "goal": {"task": "generation", "domain": "general", "prompting": "insufficient"},
    "data": {"demonstrations": {"rows": 5000, "prompt_tokens": 300, "completion_tokens": 200, "format": "instruction"}},
    "model": {"base": "Qwen/Qwen2.5-7B-Instruct"},
    "hardware": {"gpu": "a100", "count": 1, "memory_gib": 80},
    "budget": {"usd": 500, "deadline_days": 14},
}


def changed(base: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """The spec with dotted keys set; None takes a key away."""
    out: dict[str, Any] = yaml.safe_load(yaml.safe_dump(base))
    for dotted, value in changes.items():
        *path, last = dotted.split(".")
        place = out
        for key in path:
            place = place.setdefault(key, {})
        if value is None:
            place.pop(last, None)
        else:
            place[last] = deepcopy(value)
    return out


def observed(spec: dict[str, Any]) -> tuple[Facts | None, list[Diagnostic]]:
    """What observing the spec gives."""
    text = yaml.safe_dump({"version": 1, "name": "case", **spec}, sort_keys=False)
    loaded = load_text(text, "ftc.yaml", Path())
    assert loaded.spec is not None, loaded.diagnostics
    return observe(loaded.spec)


def facts_of(spec: dict[str, Any]) -> Facts:
    """The facts of a spec that raises no error."""
    facts, diagnostics = observed(spec)
    assert facts is not None, diagnostics
    return facts


def facts_with(changes: dict[str, Any] | None = None, **more: Any) -> Facts:
    """The facts of the usual spec with some keys changed; `more` takes keys without dots."""
    return facts_of(changed(BASE, {**(changes or {}), **more}))


def on(facts: Facts, gpu: str, memory_gib: float | None = None, count: int = 1) -> Facts:
    """The facts on that machine."""
    device, _ = find_gpu(gpu, memory_gib)
    assert device is not None
    return replace(facts, machines=(Machine(device=device, count=count),))


def on_cpu(facts: Facts, memory_gib: float = 23.5, cores: int = 2) -> Facts:
    """The facts on a machine without a GPU."""
    return replace(facts, machines=(Machine(device=cpu(memory_gib, cores), host_memory_gib=memory_gib),))
