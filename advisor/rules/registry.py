"""The flat table of all rules. A code is never reused; a rule that goes leaves its line as a comment.

Steps ask `Facts` and answer with a branch of the tree; warnings look at the choice that was made and raise a flag;
settings fill in one hyper-parameter each, in this order, so that a later one may read an earlier one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Literal

from ftc.advisor.rules import (
    feedback,
    gates,
    labels,
    need,
    outcome,
    warnings_data,
    warnings_fit,
    warnings_method,
    warnings_model,
    warnings_safety,
)
from ftc.advisor.rules import settings_adapter as adapter
from ftc.advisor.rules import settings_feedback as preference
from ftc.advisor.rules import settings_shape as shape
from ftc.advisor.rules import settings_training as training
from ftc.advisor.rules.choice import Choice
from ftc.advisor.rules.finding import HEADINGS, THUMB
from ftc.advisor.sheet import Sheet
from ftc.advisor.values import Facts, Finding, Setting

Kind = Literal["step", "outcome", "warning", "setting"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One line of the table. `name` is the flag that a warning raises, or the key that a setting fills in."""

    code: str
    function: Callable[..., Finding | Setting | None]
    kind: Kind
    name: str = ""

    @property
    def title(self) -> str:
        """The first line of its page; for a step, the question that it asks."""
        return (self.function.__doc__ or "").strip().split("\n", 1)[0].rstrip()

    def ask(self, facts: Facts) -> Finding:
        """The branch that this step takes."""
        found = self.function(facts)
        if not isinstance(found, Finding):
            raise TypeError(f"{self.code} gave no answer")
        return self._signed(found)

    def sign(self, *seen: object) -> Finding:
        """What an outcome says of what it is shown."""
        found = self.function(*seen)
        if not isinstance(found, Finding):
            raise TypeError(f"{self.code} said nothing")
        return self._signed(found)

    def raised(self, choice: Choice) -> Finding | None:
        """The warning, where there is one."""
        found = self.function(choice)
        return self._signed(found) if isinstance(found, Finding) else None

    def fill(self, sheet: Sheet) -> Setting | None:
        """The value of this setting; None where it has no meaning here."""
        found = self.function(sheet)
        if not isinstance(found, Setting):
            return None
        return found if found.origin else replace(found, origin=f"rule {self.code}")

    def _signed(self, found: Finding) -> Finding:
        evidence, thumb = _evidence(self.function)
        return replace(
            found,
            code=self.code,
            question=self.title if self.kind in ("step", "outcome") else "",
            flag=self.name if self.kind == "warning" else "",
            evidence=evidence,
            rule_of_thumb=thumb,
        )


@lru_cache(maxsize=256)
def _evidence(function: Callable[..., object]) -> tuple[tuple[str, ...], bool]:
    """The lines under *Evidence* of a rule's page, and whether one of them says that it is a rule of thumb."""
    lines = tuple(sections(function.__doc__ or "").get("Evidence", "").split("\n- "))
    lines = tuple(" ".join(line.removeprefix("- ").split()) for line in lines if line.strip())
    return tuple(line for line in lines if not line.startswith(THUMB)), any(line.startswith(THUMB) for line in lines)


def sections(page: str) -> dict[str, str]:
    """The parts of a docstring by heading, unindented."""
    found: dict[str, list[str]] = {}
    current: list[str] = []
    for line in page.splitlines():
        if line.strip() in HEADINGS:
            current = found.setdefault(line.strip(), [])
        else:
            current.append(line.removeprefix("        "))
    return {heading: "\n".join(lines).strip() for heading, lines in found.items()}


def _step(code: str, function: Callable[[Facts], Finding]) -> Rule:
    return Rule(code=code, function=function, kind="step")


def _warning(code: str, flag: str, function: Callable[[Choice], Finding | None]) -> Rule:
    return Rule(code=code, function=function, kind="warning", name=flag)


def _setting(code: str, key: str, function: Callable[[Sheet], Setting | None]) -> Rule:
    return Rule(code=code, function=function, kind="setting", name=key)


STEPS: tuple[Rule, ...] = (
    _step("M100", gates.contradiction),
    _step("M101", gates.weights_to_hand),
    _step("M102", gates.data_licence),
    _step("M103", gates.training_allowed),
    _step("M110", need.improvement_needed),
    _step("M111", need.prompt_or_retrieval),
    _step("M112", need.facts_or_behaviour),
    _step("M120", labels.labelled),
    _step("M121", feedback.which_feedback),
    _step("M125", feedback.stage_after),
    _step("M130", labels.full_updates),
)

GIVEN = Rule(code="M190", function=outcome.given, kind="outcome")
LEARNS = Rule(code="M191", function=outcome.something_to_learn_from, kind="outcome")
FITS = Rule(code="F210", function=outcome.fits, kind="outcome")

WARNINGS: tuple[Rule, ...] = (
    *(_warning(*line) for line in warnings_method.TABLE),
    *(_warning(*line) for line in warnings_data.TABLE),
    *(_warning(*line) for line in warnings_model.TABLE),
    *(_warning(*line) for line in warnings_fit.TABLE),
    *(_warning(*line) for line in warnings_safety.TABLE),
)

# Before a machine is weighed: what decides memory and time.
SETTINGS_FIRST: tuple[Rule, ...] = (
    _setting("H313", "epochs", training.epochs),
    _setting("H314", "effective_batch", training.effective_batch),
    _setting("H320", "max_length", shape.max_length),
    _setting("H301", "lora.rank", adapter.rank),
    _setting("H303", "lora.dropout", adapter.dropout),
    _setting("H304", "lora.targets", adapter.targets),
    _setting("H330", "dtype", shape.dtype),
    _setting("H321", "packing", shape.packing),
    _setting("H324", "chunked_loss", shape.chunked_loss),
    _setting("H363", "grpo.group", preference.grpo_group),
    _setting("H365", "grpo.max_completion_length", preference.grpo_length),
    _setting("H315", "steps", training.steps),
    _setting("H351", "eval_steps", training.eval_steps),
)

# Once it is known what fits.
SETTINGS_AFTER: tuple[Rule, ...] = (
    _setting("H302", "lora.alpha", adapter.alpha),
    _setting("H305", "lora.rslora", adapter.rslora),
    _setting("H306", "lora.dora", adapter.dora),
    _setting("H307", "lora.dtype", adapter.adapter_dtype),
    _setting("H310", "learning_rate", training.learning_rate),
    _setting("H311", "scheduler", training.scheduler),
    _setting("H312", "warmup_steps", training.warmup_steps),
    _setting("H316", "weight_decay", training.weight_decay),
    _setting("H317", "max_grad_norm", training.max_grad_norm),
    _setting("H318", "optimizer", training.optimizer),
    _setting("H319", "neftune_alpha", training.neftune),
    _setting("H322", "group_by_length", shape.group_by_length),
    _setting("H323", "loss_on", shape.loss_on),
    _setting("H331", "checkpointing", shape.checkpointing),
    _setting("H332", "attention", shape.attention),
    _setting("H333", "micro_batch", shape.micro_batch),
    _setting("H334", "gradient_accumulation", shape.gradient_accumulation),
    _setting("H340", "quantization.type", adapter.quant_type),
    _setting("H341", "quantization.double_quant", adapter.double_quant),
    _setting("H342", "quantization.compute_dtype", adapter.compute_dtype),
    _setting("H350", "logging_steps", training.logging_steps),
    _setting("H352", "save_steps", training.save_steps),
    _setting("H353", "keep_checkpoints", training.keep_checkpoints),
    _setting("H354", "early_stopping_patience", training.early_stopping),
    _setting("H355", "seed", training.seed),
    _setting("H360", "dpo.beta", preference.dpo_beta),
    _setting("H361", "kto.beta", preference.kto_beta),
    _setting("H362", "kto.desirable_weight", preference.kto_desirable),
    _setting("H366", "kto.undesirable_weight", preference.kto_undesirable),
    _setting("H364", "grpo.beta", preference.grpo_beta),
    _setting("H367", "grpo.temperature", preference.grpo_temperature),
    _setting("H368", "cpt.replay", preference.cpt_replay),
    _setting("H369", "reward.least_accuracy", preference.reward_least_accuracy),
)

SETTINGS = SETTINGS_FIRST + SETTINGS_AFTER
RULES: tuple[Rule, ...] = (*STEPS, GIVEN, LEARNS, FITS, *WARNINGS, *SETTINGS)
