"""The table of tools, and the one function that goes through it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, get_args

from ftc.compiler.exports.axolotl import axolotl_config
from ftc.compiler.exports.llamafactory import llamafactory_config
from ftc.compiler.exports.recipe import Recipe, file_name, recipes
from ftc.compiler.exports.torchtune import torchtune_config
from ftc.compiler.exports.trl import trl_config
from ftc.compiler.plan import Plan
from ftc.compiler.targets.yaml_file import to_yaml
from ftc.spec.diagnostics import Diagnostic, Severity, errors

Tool = Literal["axolotl", "llamafactory", "trl", "torchtune"]
TOOLS: tuple[Tool, ...] = get_args(Tool)

# Tool -> the configuration of one training stage; and which kinds of stage the tool trains.
WRITERS: dict[str, Callable[[Recipe], dict[str, dict[str, object]]]] = {
    "axolotl": axolotl_config,
    "llamafactory": llamafactory_config,
    "trl": trl_config,
    "torchtune": torchtune_config,
}
KINDS: dict[str, tuple[str, ...]] = {
    "axolotl": ("sft", "cpt", "dpo", "kto", "reward", "grpo"),
    "llamafactory": ("sft", "cpt", "dpo", "kto", "reward"),
    "trl": ("sft", "cpt", "dpo", "kto", "reward", "rloo", "grpo"),
    "torchtune": ("sft", "dpo"),
}
COMMANDS = {
    "axolotl": "axolotl train {file}",
    "llamafactory": "llamafactory-cli train {file}",
    "trl": "trl {kind} --config {file}",
    "torchtune": "tune run {recipe} --config {file}",
}


def export(plan: Plan, tool: Tool) -> tuple[dict[str, str], list[Diagnostic]]:
    """File name -> content, and what could not be carried over. No files where something is an error."""
    found = recipes(plan, tool)
    problems = [_refused(tool, recipe) for recipe in found if recipe.kind not in KINDS[tool]]
    if not found:
        message = f"{plan.verdict['method']}: the plan has no stage that {tool} could carry out"
        problems.append(Diagnostic(code="R721", message=message, fix="ftc run"))
    if problems:
        return {}, problems
    files: dict[str, str] = {}
    notes: list[Diagnostic] = []
    for recipe in found:
        name = file_name(tool, recipe, alone=len(found) == 1)
        written = WRITERS[tool](recipe)
        if refused := errors(recipe.notes):
            return {}, refused
        for part, config in written.items():
            if part:
                files[part] = _json(config)
            else:
                files[name] = _header(recipe, tool, name) + to_yaml(config)
        notes += recipe.left()
    notes.append(_other_stages(plan, found, tool))
    return files, notes


def _header(recipe: Recipe, tool: str, name: str) -> str:
    command = COMMANDS[tool].format(file=name, kind=_trl_verb(recipe.kind), recipe=_torchtune_recipe(recipe))
    return f"# Made by ftc from plan {recipe.plan.hash[:8]}. Start in this folder: {command}\n"


def _trl_verb(kind: str) -> str:
    return "sft" if kind == "cpt" else kind


def _torchtune_recipe(recipe: Recipe) -> str:
    many = int(recipe.plan.hardware["count"]) * int(recipe.plan.hardware["nodes"]) > 1
    where = "distributed" if many else "single_device"
    if recipe.kind == "dpo":
        return f"lora_dpo_{where}" if recipe.adapter != "full" else "full_dpo_distributed"
    return f"{'full' if recipe.adapter == 'full' else 'lora'}_finetune_{where}"


def _json(value: object) -> str:
    import json

    return json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def _refused(tool: str, recipe: Recipe) -> Diagnostic:
    able = [name for name, kinds in KINDS.items() if recipe.kind in kinds]
    fix = f"export to {' or '.join(able)}, or `ftc run`" if able else "ftc run"
    return Diagnostic(code="R721", message=f"{tool} has no {recipe.kind}", fix=fix, key=recipe.stage.id)


def _other_stages(plan: Plan, found: list[Recipe], tool: str) -> Diagnostic:
    mine = {recipe.stage.id for recipe in found}
    rest = ", ".join(stage.id for stage in plan.stages if stage.id not in mine)
    message = f"{tool} does the training only; left to ftc: {rest}"
    return Diagnostic(code="R720", severity=Severity.NOTE, message=message, fix="ftc run does all of it", key="stages")
