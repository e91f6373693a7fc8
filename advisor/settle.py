"""The decision proper: walk the tree, then find the first model and adapter that memory, time and money allow.

Pure, deterministic and cheap enough to be taken again for every what-if. What is only worth showing once (alternatives,
warnings, flips) is `decide.py`'s business.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ftc.advisor import reading
from ftc.advisor.model_choice import ranked, why_none
from ftc.advisor.reading import has
from ftc.advisor.rules.choice import Shortfall
from ftc.advisor.rules.feedback import enough_pairs
from ftc.advisor.rules.need import PILOT_FROM
from ftc.advisor.rules.registry import FITS, GIVEN, LEARNS
from ftc.advisor.search import Option, best, hopeless, method_of
from ftc.advisor.tree import walk
from ftc.advisor.values import Adapter, Architecture, Facts, Finding

if TYPE_CHECKING:
    from ftc.spec.model import Hardware

LIGHT: tuple[Adapter, ...] = ("lora", "qlora")
# The adapters of a family, best first; what is not here trains nothing.
ADAPTERS: dict[str, tuple[Adapter, ...]] = {
    "adapter": LIGHT, "full": ("full", "lora", "qlora"), "cpt+sft": ("full", "lora"), "dpo": LIGHT, "kto": LIGHT,
    "sft+dpo": LIGHT, "rlhf": LIGHT, "grpo": LIGHT,
}  # fmt: skip
# What a method that the spec names may be carried out with.
NAMED: dict[str, tuple[str, tuple[Adapter, ...]]] = {
    "sft-full": ("full", ("full",)), "sft-lora": ("adapter", ("lora",)), "sft-qlora": ("adapter", ("qlora",)),
    **{family: (family, ADAPTERS[family]) for family in ("cpt+sft", "dpo", "kto", "sft+dpo", "rlhf", "grpo")},
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """The decision proper: the method on its machine, or a leaf that trains nothing, and the way there."""

    method: str
    adapter: Adapter
    model: Architecture | None
    option: Option | None
    misses: tuple[Option, ...]  # what was tried on the model that was asked for, and did not fit
    short: frozenset[Shortfall]
    trace: tuple[Finding, ...]
    reason: str


def settle(facts: Facts, stand_ins: int = 7) -> Settled:
    """The method, and the setup that carries it out; `stand_ins` is how many other models are weighed."""
    leaf, trace = walk(facts)
    family, adapters = leaf.family, ADAPTERS.get(leaf.family, ())
    if has(facts, "full-only") and adapters:
        adapters = ("full",)
    method = facts.spec.method
    if method != "auto":
        would = {"adapter": "sft-lora", "full": "sft-full"}.get(family, family)
        trace += (GIVEN.sign(facts, would),)
        family, adapters = NAMED.get(method, (method, ()))
        lack = LEARNS.sign(facts, method)
        if lack.answer == "no":
            return _leaf("needs-data", (*trace, lack))
    if not adapters:
        return _leaf(family, trace)
    return _fitted(facts, family, adapters, trace, stand_ins)


def _leaf(method: str, trace: tuple[Finding, ...]) -> Settled:
    return Settled(
        method=method, adapter="none", model=None, option=None, misses=(), short=frozenset(), trace=trace,
        reason=trace[-1].answer,
    )  # fmt: skip


def _fitted(
    facts: Facts,
    family: str,
    adapters: tuple[Adapter, ...],
    trace: tuple[Finding, ...],
    stand_ins: int,
    missed: tuple[Option, ...] = (),
) -> Settled:
    """The first model and adapter that can be run; what else the family falls back to; or infeasible.

    `missed` is what a better method than this one lacked.
    """
    less = _lesser(facts, family) if facts.spec.method == "auto" else ""
    # Rewards on another model are a worse bargain than the same data on the one that was asked for.
    kept = less and family in ("rlhf", "grpo") and facts.spec.model.base != "auto"
    models = ranked(facts)[: 1 if kept else 1 + stand_ins]
    misses = list(missed)
    for model in models:
        for adapter in adapters:
            if model is not models[0] and hopeless(facts, family, adapter, model):
                continue
            found = best(facts, method_of(family, adapter), adapter, (model,), facts.machines)
            if found is not None and not found.short:
                return _run(found, model, tuple(misses), trace)
            if found is not None and model is models[0]:
                misses.append(found)
    if less:
        light = adapters if adapters == ("full",) else LIGHT
        return _fitted(facts, less, light, trace, stand_ins, tuple(misses))
    if family == "cpt+sft" and facts.spec.method == "auto" and facts.spec.goal.task == "domain-adaptation":
        return _leaf("rag", (*trace, FITS.sign(None, misses[0].candidate if misses else None)))
    closest = nearest(misses)
    step = FITS.sign(None, closest.candidate if closest else None)
    if not facts.machines and facts.spec.hardware.kind == "cloud":
        step = replace(step, because=_no_offer(facts.spec.hardware))
    elif facts.machines and not models:
        step = replace(step, because=why_none(facts))
    return Settled(
        method="infeasible", adapter="none", model=models[0] if models else None, option=None, misses=tuple(misses),
        short=closest.short if closest else frozenset(), trace=(*trace, step), reason=step.answer,
    )  # fmt: skip


def _no_offer(hardware: Hardware) -> str:
    """What nobody rents out, and what to write instead."""
    gpus = " or ".join(hardware.gpus) or "a GPU"
    count = f"{hardware.count} x " if hardware.count else ""
    memory = f" with {hardware.memory_gib:g} GiB" if hardware.memory_gib else ""
    clouds = ", ".join(each for each in hardware.clouds if each != "any") or "any cloud"
    spot = " on spot" if hardware.spot else ""
    return (
        f"the price list has no offer of {count}{gpus}{memory} at {clouds}{spot}: write `cloud: any`, another count or "
        "other gpus (`ftc gpus` lists what is on offer), or name a list of your own with FTC_PRICES"
    )


def _lesser(facts: Facts, family: str) -> str:
    """The cheaper family that learns from the same data; empty where there is none."""
    if family == "rlhf" and enough_pairs(facts):
        return "sft+dpo" if reading.is_base(facts, reading.wanted(facts)) else "dpo"
    if family in ("cpt+sft", "grpo", "sft+dpo", "dpo", "kto") and reading.demonstrations(facts) >= PILOT_FROM:
        return "adapter"
    return ""


def nearest(misses: list[Option] | tuple[Option, ...]) -> Option | None:
    """The miss that lacks least; of those, the last that was tried, which asks for least."""
    return min(reversed(misses), key=lambda each: len(each.short), default=None)


def _run(found: Option, model: Architecture, misses: tuple[Option, ...], trace: tuple[Finding, ...]) -> Settled:
    closest = nearest(misses)
    return Settled(
        method=found.candidate.method,
        adapter=found.candidate.adapter,
        model=model,
        option=found,
        misses=misses,
        short=frozenset(lack for each in misses for lack in each.short),
        trace=(*trace, FITS.sign(found.candidate, closest.candidate if closest else None)),
        reason=trace[-1].answer,
    )
