"""The training stages of a plan, read argument by argument, so that none is lost without being said.

A `Recipe` hands out arguments with `take`; what an exporter never takes, and what says something, ends up as a note.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ftc.compiler.plan import Plan, Stage
from ftc.compiler.targets.quoting import plain_name
from ftc.spec.diagnostics import Diagnostic, Severity

TRAINING = ("cpt", "sft", "reward", "dpo", "kto", "rloo", "grpo")
TRAIN_FILE = "data/train.jsonl"
TEST_FILE = "data/test.jsonl"
# What the arguments of a stage imply together: other tools work these out by themselves.
DERIVED = frozenset({"steps", "start_from", "adapter", "rows", "nodes", "processes"})


@dataclass(slots=True, kw_only=True)
class Recipe:
    """One training stage of a plan on its way into another tool's configuration."""

    plan: Plan
    stage: Stage
    tool: str
    start: str  # what the stage starts from: the base, or the folder that the stage before it writes
    taken: set[str] = field(default_factory=set)
    notes: list[Diagnostic] = field(default_factory=list)

    @property
    def kind(self) -> str:
        """sft, cpt, dpo, ..."""
        return self.stage.kind

    @property
    def adapter(self) -> str:
        """full, lora, qlora."""
        return str(self.stage.arguments["adapter"])

    @property
    def name(self) -> str:
        """The plan's name, plain enough for a file."""
        return plain_name(self.plan.name)

    @property
    def output(self) -> str:
        """The folder that the other tool writes."""
        return f"out/{self.name}-{self.stage.id}"

    @property
    def lora(self) -> Mapping[str, Any] | None:
        """The adapter's arguments, taken."""
        found: Mapping[str, Any] | None = self.take("lora")
        return found

    def take(self, name: str, default: Any = None) -> Any:
        """The argument, which the exporter thereby answers for."""
        self.taken.add(name)
        return self.stage.arguments.get(name, default)

    def note(self, key: str, message: str, fix: str = "") -> None:
        """Say what the tool cannot."""
        key = f"{self.stage.id}.{key}" if key else self.stage.id
        self.notes.append(Diagnostic(code="R720", severity=Severity.NOTE, message=message, fix=fix, key=key))

    def left(self) -> list[Diagnostic]:
        """A note for each argument that nobody took and that asks for something."""
        unsaid = sorted(self.stage.arguments.keys() - self.taken - DERIVED)
        for name in unsaid:
            value = self.stage.arguments[name]
            if value not in (None, False, "", "none", [], {}):
                self.note(name, f"{name}: {value!r} has no counterpart in the configuration of {self.tool}")
        return self.notes


def recipes(plan: Plan, tool: str) -> list[Recipe]:
    """The training stages in order. A later stage starts from the folder that the one before it writes."""
    found: list[Recipe] = []
    folders: dict[str, str] = {}
    for stage in plan.stages:
        if stage.kind not in TRAINING:
            continue
        start = _trained(plan, str(stage.arguments.get("start_from", "base")))
        recipe = Recipe(plan=plan, stage=stage, tool=tool, start=folders.get(start, str(plan.model["base"])))
        folders[stage.id] = recipe.output
        if start in folders and start != stage.id:
            previous = next(each for each in plan.stages if each.id == start)
            if previous.arguments["adapter"] != "full":
                recipe.note(
                    "start_from", f"starts from {recipe.start}, with its adapter merged: {tool} does not do that"
                )
        found.append(recipe)
    return found


def _trained(plan: Plan, start: str) -> str:
    """The training stage behind `start_from`: a merge stands for the stage whose adapter it folds in."""
    found = next((each for each in plan.stages if each.id == start and each.kind == "merge"), None)
    return str(found.arguments["stage"]) if found else start


def file_name(tool: str, recipe: Recipe, alone: bool) -> str:
    """`axolotl.yaml`, or `axolotl.dpo.yaml` where the plan trains in several stages."""
    return f"{tool}.yaml" if alone else f"{tool}.{recipe.stage.id}.yaml"
