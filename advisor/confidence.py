"""How sure a verdict is, and why not surer: estimates that straddle a ceiling, steps that were nearly taken otherwise.

Low where an estimate's range holds both answers; medium where a threshold is near, a rule of thumb decided, or an open
question would change the method; high otherwise.
"""

from __future__ import annotations

from typing import Literal

from ftc.advisor import reading
from ftc.advisor.ceilings import hours_allowed, usable_gib
from ftc.advisor.parameters import lora_parameters
from ftc.advisor.rules.feedback import trainable_feedback
from ftc.advisor.rules.labels import CAPACITY_RANK, useful_epochs
from ftc.advisor.rules.need import NORMAL_FROM, PILOT_FROM, STYLE_FROM
from ftc.advisor.settle import Settled
from ftc.advisor.values import Candidate, Facts, Question

Sureness = Literal["low", "medium", "high"]
NEAR = 0.2  # relative distance from a threshold that counts as near


def confidence(facts: Facts, settled: Settled, asked: tuple[Question, ...]) -> tuple[Sureness, str]:
    """The sureness, and the reason that counts most."""
    straddles = _straddling(facts, settled)
    if straddles:
        return "low", straddles
    doubtful = _doubtful(facts, settled, asked)
    if doubtful:
        return "medium", doubtful
    return "high", "no estimate straddles a ceiling, and no threshold is near"


def _straddling(facts: Facts, settled: Settled) -> str:
    """A ceiling that lies inside an estimate's range."""
    for miss in settled.misses:
        said = _nearly_fitted(miss.candidate)
        if said:
            return said
        time, usd = miss.candidate.time, miss.candidate.usd
        only = len(miss.short) == 1
        if only and "time" in miss.short and time and time.hours.low <= hours_allowed(facts):
            return (
                f"{miss.candidate.method} may just meet the deadline: {time.hours.low:.1f} to {time.hours.high:.1f} h"
            )
        ceiling = facts.spec.budget.usd
        if only and "money" in miss.short and usd and ceiling is not None and usd.low <= ceiling:
            return f"{miss.candidate.method} may just be paid for: ${usd.low:,.0f} to ${usd.high:,.0f}"
    chosen = settled.option.candidate if settled.option else None
    if chosen is None or chosen.time is None or chosen.usd is None:
        return ""
    if chosen.time.hours.high > hours_allowed(facts):
        return f"{chosen.time.hours.low:.1f} to {chosen.time.hours.high:.1f} h, {hours_allowed(facts):.1f} are allowed"
    ceiling = facts.spec.budget.usd
    if ceiling is not None and chosen.usd.high > ceiling:
        return f"${chosen.usd.low:,.0f} to ${chosen.usd.high:,.0f}, ${ceiling:,.0f} are allowed"
    return ""


def _nearly_fitted(miss: Candidate) -> str:
    """A better setup that may fit after all."""
    if miss.memory is None or miss.machine is None or miss.adapter == "full":
        return ""
    need = miss.memory.device
    if need.low <= usable_gib(miss.machine) < need.high:
        whole = miss.machine.device.memory_gib
        return f"{miss.method} may fit after all: {need.low:.1f} to {need.high:.1f} GiB of {whole:.1f}"
    return ""


def _doubtful(facts: Facts, settled: Settled, asked: tuple[Question, ...]) -> str:
    """A threshold that is near, or something unknown that would change the method."""
    rows = reading.demonstrations(facts)
    deciding = {"M110", "M120"} & {step.code for step in settled.trace}
    for enough in (PILOT_FROM, STYLE_FROM, NORMAL_FROM):
        if deciding and rows and abs(rows - enough) <= NEAR * enough:
            return f"{rows} demonstrations are near the step at {enough}, which is not a sharp one"
    weighed = facts.spec.method == "auto" and not reading.has(facts, "full-only") and settled.method.startswith("sft-")
    if weighed and settled.model is not None and "M130" in {step.code for step in settled.trace}:
        learned = reading.completion_tokens(facts) * useful_epochs(facts)
        held = lora_parameters(settled.model, CAPACITY_RANK)
        if 0.5 <= learned / held <= 2:
            return "what there is to learn is about what adapters hold: either width of update may win"
    if settled.model is not None and not settled.model.exact:
        return f"the shape of {settled.model.id} is not known, only its size"
    plenty = rows >= NORMAL_FROM or bool(trainable_feedback(facts))
    open_questions = [each for each in asked if not (plenty and each.key == "goal.prompting")]
    if open_questions:
        return f"an open question would change it: {open_questions[0].key}"
    if settled.misses and settled.option is not None and settled.model is not None:
        named = reading.wanted(facts)
        if named is not None and named.id != settled.model.id:
            return f"another model than the one asked for: {settled.model.id}"
    return ""
