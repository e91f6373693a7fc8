"""Facts to verdict: walk the tree, find what fits, fill in the settings, raise the warnings. Pure and deterministic.

`settle` is the decision proper, cheap enough to be taken again for every what-if; `decide` adds what is worked out by
deciding again (flips, questions) and what is only worth showing once (alternatives, confidence).
"""

from __future__ import annotations

from dataclasses import dataclass

from ftc.advisor import reading
from ftc.advisor.model_choice import ranked
from ftc.advisor.reading import has
from ftc.advisor.rules.choice import TRAINING, Choice, Shortfall
from ftc.advisor.rules.registry import WARNINGS
from ftc.advisor.rules.settings_shape import longest
from ftc.advisor.search import STAGES, Option, best, method_of
from ftc.advisor.settings import settings
from ftc.advisor.tree import walk
from ftc.advisor.values import Adapter, Architecture, Candidate, Facts, Finding, Setting, Verdict

FORCED: dict[str, tuple[str, tuple[Adapter, ...]]] = {
    "sft-full": ("full", ("full",)), "sft-lora": ("adapter", ("lora",)), "sft-qlora": ("adapter", ("qlora",)),
    "cpt+sft": ("cpt+sft", ("full", "lora")), "dpo": ("dpo", ("lora", "qlora")), "kto": ("kto", ("lora", "qlora")),
    "sft+dpo": ("sft+dpo", ("lora", "qlora")), "rlhf": ("rlhf", ("lora", "qlora")), "grpo": ("grpo", ("lora", "qlora")),
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """The decision proper: the method on its machine, or a leaf that trains nothing, and the way there."""

    method: str
    adapter: Adapter
    model: Architecture | None
    option: Option | None
    asked: Option | None  # the nearest miss of what was asked for
    short: frozenset[Shortfall]
    trace: tuple[Finding, ...]
    reason: str


def settle(facts: Facts) -> Settled:
    """The method, and the setup that carries it out."""
    leaf, trace = walk(facts)
    reason = trace[-1].answer
    family, adapters = leaf.family, _adapters(facts, leaf.family)
    if facts.spec.method != "auto":
        family, adapters = FORCED.get(facts.spec.method, (facts.spec.method, ()))
        trace += (_forced(facts, leaf.family),)
        missing = lacking(facts, facts.spec.method)
        if missing:
            return _leaf("needs-data", (*trace, missing), missing.because)
    if not adapters:
        return _leaf(family, trace, reason)
    return _fitted(facts, family, adapters, trace, reason)


def _leaf(method: str, trace: tuple[Finding, ...], reason: str) -> Settled:
    return Settled(
        method=method,
        adapter="none",
        model=None,
        option=None,
        asked=None,
        short=frozenset(),
        trace=trace,
        reason=reason,
    )


def _adapters(facts: Facts, family: str) -> tuple[Adapter, ...]:
    """The adapters to try, best first; empty for leaves that train nothing."""
    if has(facts, "full-only") and family in ("adapter", "full", "cpt+sft", "dpo", "kto", "sft+dpo", "grpo", "rlhf"):
        return ("full",)
    return {
        "adapter": ("lora", "qlora"), "full": ("full", "lora", "qlora"), "cpt+sft": ("full", "lora"),
        "dpo": ("lora", "qlora"), "kto": ("lora", "qlora"), "sft+dpo": ("lora", "qlora"), "rlhf": ("lora", "qlora"),
        "grpo": ("lora", "qlora"),
    }.get(family, ())  # fmt: skip


def _fitted(
    facts: Facts, family: str, adapters: tuple[Adapter, ...], trace: tuple[Finding, ...], reason: str
) -> Settled:
    """The first model and adapter that can be run; what else the family falls back to; or infeasible."""
    models = ranked(facts)
    first: Option | None = None
    for model in models:
        for adapter in adapters:
            found = best(facts, method_of(family, adapter), adapter, (model,), facts.machines)
            if found is not None and not found.short:
                return _settled(facts, found, model, first, (*trace, fit_step(facts, found, first)), reason)
            if found is not None and model is models[0]:
                first = found if first is None or len(found.short) <= len(first.short) else first
    if family == "cpt+sft" and reading.demonstrations(facts) >= 50 and not has(facts, "full-only"):
        return _fitted(facts, "adapter", ("lora", "qlora"), trace, "no room for continued pre-training")
    step = fit_step(facts, None, first)
    short = first.short if first else frozenset[Shortfall]()
    return Settled(
        method="infeasible", adapter="none", model=models[0] if models else None, option=None, asked=first, short=short,
        trace=(*trace, step), reason=step.because,
    )  # fmt: skip


def _settled(
    facts: Facts, found: Option, model: Architecture, first: Option | None, trace: tuple[Finding, ...], reason: str
) -> Settled:
    asked = reading.wanted(facts)
    switched = asked is not None and model.id != asked.id
    return Settled(
        method=found.candidate.method,
        adapter=found.candidate.adapter,
        model=model,
        option=found,
        asked=first,
        short=first.short if first is not None and switched else frozenset(),
        trace=trace,
        reason=reason,
    )


def fit_step(facts: Facts, found: Option | None, miss: Option | None) -> Finding:
    """The last step of a path that trains: does it fit, and in which form?"""
    question = "Does it fit the machine, the time and the money?"
    if found is None:
        because = miss.candidate.why_not if miss else "there is nothing to train on"
        return Finding(code="F210", question=question, answer="no", because=because)
    candidate = found.candidate
    memory, machine = candidate.memory, candidate.machine
    if memory is None or machine is None:
        raise ValueError("a candidate that fits has a memory estimate and a machine")
    need = f"{memory.device.high:.1f} GiB at worst of {machine.device.memory_gib:.1f} ({machine.devices} x {machine.device.name})"
    before = f"; {miss.candidate.method} on {miss.candidate.model}: {miss.candidate.why_not}" if miss else ""
    return Finding(code="F210", question=question, answer=candidate.adapter, because=need + before)


def _forced(facts: Facts, family: str) -> Finding:
    """The step that says what the advisor would have done."""
    method = facts.spec.method
    would = {"adapter": "sft-lora", "full": "sft-full"}.get(family, family)
    because = f"method: {method} in the spec; by itself the advisor goes to {would}"
    return Finding(code="M190", question="Is the method given?", answer=method, because=because)


def lacking(facts: Facts, method: str) -> Finding | None:
    """What a method that was asked for lacks to learn from; None where it has it."""
    needs = {
        "dpo": ("paired", "ranked"), "sft+dpo": ("paired", "ranked"), "kto": ("binary",),
        "grpo": ("verifiable", "validator-available"), "rlhf": ("paired", "ranked", "reward-model"),
    }.get(method)  # fmt: skip
    kind = reading.feedback_type(facts)
    why = ""
    if needs and kind not in needs:
        why = f"{method} learns from {' or '.join(needs)} feedback; data.feedback is {kind}"
    if method in ("sft-full", "sft-lora", "sft-qlora", "cpt+sft") and facts.profile.demonstrations is None:
        why = f"{method} learns from data.demonstrations, and there are none"
    if method == "cpt+sft" and not reading.has_documents(facts):
        why = "cpt+sft learns from data.corpus, and there is none"
    return Finding(code="M191", question="Is there what it learns from?", answer="no", because=why) if why else None


# --- the whole verdict --------------------------------------------------------------------------------------------


def decide(facts: Facts) -> Verdict:
    """The verdict with its reasons, its price, what lost and what would change it."""
    settled = settle(facts)
    choice = choice_of(facts, settled)
    notes = warnings(choice)
    alternatives = losers(facts, settled)
    return Verdict(
        method=settled.method,
        adapter=settled.adapter,
        model=settled.model.id if settled.model else facts.spec.model.base,
        chosen=settled.option.candidate if settled.option else None,
        settings=_settings(settled),
        trace=settled.trace,
        flags=tuple(sorted({each.flag for each in notes if each.flag})),
        notes=notes,
        alternatives=alternatives,
        flips=(),
        questions=(),
        confidence="medium",
        instead=instead(facts, settled),
    )


def choice_of(facts: Facts, settled: Settled) -> Choice:
    """What the warnings look at."""
    option = settled.option
    sheet = option.stages[0].sheet if option else None
    return Choice(
        facts=facts,
        method=settled.method,
        adapter=settled.adapter,
        model=settled.model,
        candidate=option.candidate if option else None,
        asked=settled.asked.candidate if settled.asked else None,
        short=settled.short,
        reason=settled.reason,
        max_length=option.stages[0].setup.seq_len if option else 0,
        p99_tokens=int(longest(sheet)) if sheet else 0,
    )


def warnings(choice: Choice) -> tuple[Finding, ...]:
    """Every warning that is raised, in the registry's order."""
    return tuple(found for rule in WARNINGS if (found := rule.raised(choice)) is not None)


def _settings(settled: Settled) -> dict[str, Setting]:
    option = settled.option
    if option is None:
        return {}
    main = next(each for each in option.stages if each.setup is option.candidate.setup)
    return settings(option.stages, main)


def losers(facts: Facts, settled: Settled) -> tuple[Candidate, ...]:
    """Every other method, with its price where it could be run and with what it lacks where not."""
    models = (settled.model,) if settled.model else ranked(facts)[:1]
    found: list[Candidate] = []
    for method in TRAINING:
        if method == settled.method:
            continue
        missing = lacking(facts, method)
        if missing is not None or not models or not facts.machines:
            why = missing.because if missing else "there is nothing to train on"
            found.append(_without_price(method, models, why))
            continue
        adapter: Adapter = {"sft-full": "full", "sft-qlora": "qlora", "cpt+sft": "full"}.get(method, "lora")  # type: ignore[assignment]
        option = best(facts, method, adapter, models, facts.machines)
        if option is None:
            continue
        found.append(option.candidate)
    for method in ("prompt", "rag"):
        if method != settled.method:
            found.append(_without_price(method, models, ""))
    return tuple(found)


def _without_price(method: str, models: tuple[Architecture, ...], why: str) -> Candidate:
    return Candidate(
        method=method, adapter="none", model=models[0].id if models else "", machine=None, setup=None, feasible=not why,
        why_not=why,
    )  # fmt: skip


def instead(facts: Facts, settled: Settled) -> str:
    """For a leaf that trains nothing: what to do."""
    if settled.method in STAGES:
        return ""
    return settled.trace[-1].because
