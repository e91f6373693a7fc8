"""One module a kind of stage: `run(context) -> result`, where the result goes into the journal."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

from ftc.runtime.context import Context

MODULES: dict[str, str] = {
    "prepare": "ftc.runtime.stages.prepare",
    "baseline": "ftc.runtime.stages.evaluate",
    "prompt-search": "ftc.runtime.stages.prompt_search",
    "cpt": "ftc.runtime.stages.cpt",
    "sft": "ftc.runtime.stages.sft",
    "dpo": "ftc.runtime.stages.dpo",
    "kto": "ftc.runtime.stages.kto",
    "reward": "ftc.runtime.stages.reward",
    "rloo": "ftc.runtime.stages.policy",
    "grpo": "ftc.runtime.stages.policy",
    "evaluate": "ftc.runtime.stages.evaluate",
    "merge": "ftc.runtime.stages.merge",
    "export": "ftc.runtime.stages.export",
    "report": "ftc.runtime.stages.report",
}


def load_stage(kind: str) -> Callable[[Context], dict[str, Any]]:
    """The function that carries out a kind of stage; imports what it needs. Raises KeyError for an unknown kind."""
    function: Callable[[Context], dict[str, Any]] = import_module(MODULES[kind]).run
    return function
