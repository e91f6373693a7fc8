"""The last steps of a path: those that are known only once the spec's own method or the candidates were weighed."""

from __future__ import annotations

from ftc.advisor import reading
from ftc.advisor.rules.finding import answer
from ftc.advisor.values import Candidate, Facts, Finding

LEARNS_FROM = {
    "dpo": ("paired", "ranked", "reward-model"), "sft+dpo": ("paired", "ranked"), "kto": ("binary",),
    "grpo": ("verifiable", "validator-available", "reward-model"), "rlhf": ("paired", "ranked", "reward-model"),
}  # fmt: skip
FROM_DEMONSTRATIONS = ("sft-full", "sft-lora", "sft-qlora")


def given(facts: Facts, would: str) -> Finding:
    """Is the method given?

    What it checks
        `method` in the spec. Anything but `auto` is carried out where it can be; the path above it stays, so that one
        sees where the advisor would have gone.
    Why it matters
        The user may know what the rules do not. The warnings of the method still apply.
    When it is wrong
        Leave `method: auto` to have it chosen.
    Evidence
        - Rule of thumb: the user's own word.
    Example
        `method: sft-full` on 3,000 rows runs, with the remark that adapters would do.
    """
    method = facts.spec.method
    agree = "and so would the advisor" if would == method else f"by itself the advisor goes to {would}"
    return answer(method, f"method: {method} in the spec; {agree}")


def missing(facts: Facts, method: str) -> str:
    """What a method lacks to learn from, in words; empty where it has it."""
    kind = reading.feedback_type(facts)
    if method in LEARNS_FROM and kind not in LEARNS_FROM[method]:
        there = f"data.feedback is {kind}" if kind != "none" else "there is no data.feedback"
        return f"{method} learns from {' or '.join(LEARNS_FROM[method])} feedback; {there}"
    if method in FROM_DEMONSTRATIONS and facts.profile.demonstrations is None:
        return f"{method} learns from data.demonstrations, and there are none"
    if method == "cpt+sft" and not reading.has_documents(facts):
        return "cpt+sft learns from data.corpus, and there is none"
    return ""


def something_to_learn_from(facts: Facts, method: str) -> Finding:
    """Is there what the method learns from?

    What it checks
        That the data holds what a given method takes: demonstrations for SFT, pairs or rankings for DPO, thumbs for
        KTO, a checkable reward for GRPO, raw text for continued pre-training.
    Why it matters
        Without it there is nothing to run; better said now than by a trainer.
    When it is wrong
        The file holds it under other column names: `columns` says which.
    Evidence
        - TRL documentation, dataset formats of the trainers
    Example
        `method: dpo` with demonstrations alone: no.
    """
    lack = missing(facts, method)
    return answer("no", lack) if lack else answer("yes", f"{method} has what it learns from")


def fits(found: Candidate | None, miss: Candidate | None) -> Finding:
    """Does it fit the memory, the time and the money?

    What it checks
        The high end of the memory estimate against the memory of the device less 1.5 GiB, the likely hours against
        deadline and budget of hours, the likely price against the budget. Adapters in 16 bit first, then in 4 bit, then
        a smaller model where one may stand in; all weights only where they have to move. Below published minima
        nothing is trusted to fit.
    Why it matters
        bf16 LoRA, where it fits, is about 66 % faster than QLoRA at the same accuracy; QLoRA takes about 75 % less
        memory. So 4 bit is the fallback, not the default.
    When it is wrong
        The estimate is off for your stack: `ftc run --probe` measures, `ftc calibrate` remembers.
    Evidence
        - Google Cloud, LoRA and QLoRA recommendations for LLMs: speed, cost and memory of both
        - QLoRA, arXiv 2305.14314: 4 bit matches 16 bit up to 65B
        - Unsloth documentation: minimum memory by size
        - verl, docs/perf/device_tuning.rst: tested minima for GRPO
        - Rule of thumb: 1.5 GiB of the card kept free.
    Example
        Qwen2.5-7B on 12 GB: 16 GiB of LoRA do not fit, 8 GiB of QLoRA do.
    """
    before = f"; {miss.method} on {miss.model}: {miss.why_not}" if miss is not None else ""
    if found is None:
        return answer("no", before[2:] or "there is nothing to train on")
    memory, machine = found.memory, found.machine
    if memory is None or machine is None:
        raise ValueError("a candidate that fits has a memory estimate and a machine")
    where = f"{machine.devices} x {machine.device.name}"
    return answer(
        found.adapter, f"{memory.device.high:.1f} GiB at worst of {machine.device.memory_gib:.1f} ({where}){before}"
    )
