"""The methods that lost, each with its price where it could be run, and with what it lacks where not."""

from __future__ import annotations

from ftc.advisor import reading
from ftc.advisor.model_choice import ranked, why_none
from ftc.advisor.rules.choice import TRAINING
from ftc.advisor.rules.need import PILOT_FROM, gap_in_facts
from ftc.advisor.rules.outcome import missing
from ftc.advisor.search import Option, best
from ftc.advisor.settle import Settled
from ftc.advisor.values import Adapter, Architecture, Candidate, Facts

USUAL: dict[str, Adapter] = {"sft-full": "full", "sft-qlora": "qlora", "cpt+sft": "full"}
NOTABLY = 1.05  # a ratio that is not 1.0 once it is rounded


def losers(facts: Facts, settled: Settled) -> tuple[Candidate, ...]:
    """Every other method, cheapest claims first: what trains, then prompting and retrieval."""
    model = settled.model or next(iter(ranked(facts)), None)
    found = [_weighed(facts, settled, method, model) for method in TRAINING if method != settled.method]
    found += [_untrained(facts, method, model) for method in ("prompt", "rag") if method != settled.method]
    return tuple(found)


def _weighed(facts: Facts, settled: Settled, method: str, model: Architecture | None) -> Candidate:
    lack = missing(facts, method)
    if lack or not facts.machines:
        return _without_price(method, model, lack or "there is nothing to train on")
    if model is None:
        return _without_price(method, None, why_none(facts))
    option = best(facts, method, USUAL.get(method, "lora"), (model,), facts.machines)
    if option is None:
        return _without_price(method, model, "no machine of these could hold it")
    return option.candidate if option.short else _lost(option, why_lost(facts, settled, option))


def _lost(option: Option, why: str) -> Candidate:
    from dataclasses import replace

    return replace(option.candidate, why_not=why)


def why_lost(facts: Facts, settled: Settled, option: Option) -> str:
    """Why a method that could be run was not chosen."""
    method, chosen = option.candidate.method, settled.option
    if chosen is None:
        return "it could be run; the path above says why it is not the answer"
    if method.startswith("sft") and settled.method == "cpt+sft":
        return "imitation alone does not teach what the raw text holds"
    if method == "sft-full" and settled.adapter != "full":
        return "adapters hold what there is to learn, and forget less"
    if method == "sft-qlora" and settled.adapter == "lora":
        return f"fits as well{_slower(option, chosen)}, but 16 bit fits too and quantises nothing"
    if method == "sft-lora" and settled.adapter == "full":
        return "more to learn than its adapters hold"
    if method.startswith("sft") and not settled.method.startswith("sft"):
        return "the feedback teaches more than imitation"
    if method == "cpt+sft":
        return "the raw text is too little, or not what the task lacks"
    if method == "dpo" and settled.method == "sft+dpo":
        return "preferences alone shift only what the model can already say"
    if method == "rlhf":
        return "a reward model and sampling cost many times more for one to three points"
    if method in ("dpo", "kto", "sft+dpo", "grpo"):
        return "the data there is teaches another way"
    return "costs more for no more"


def _slower(option: Option, chosen: Option) -> str:
    mine, theirs = option.candidate.time, chosen.candidate.time
    if mine is None or theirs is None or not theirs.hours.likely:
        return ""
    if mine.hours.likely < NOTABLY * theirs.hours.likely:
        return ""
    return f" ({mine.hours.likely / theirs.hours.likely:.1f} times as long)"


def _untrained(facts: Facts, method: str, model: Architecture | None) -> Candidate:
    """Prompting and retrieval: always possible, and why they are not the answer."""
    rows = reading.demonstrations(facts)
    if method == "rag":
        why = "" if gap_in_facts(facts) else "the gap is behaviour, not facts"
    elif facts.spec.goal.prompting == "insufficient":
        why = "prompting has reached its end"
    else:
        why = f"{rows:,} demonstrations teach more than examples in a prompt" if rows >= PILOT_FROM else ""
    return _without_price(method, model, why, feasible=True)


def _without_price(method: str, model: Architecture | None, why: str, *, feasible: bool = False) -> Candidate:
    return Candidate(
        method=method, adapter="none", model=model.id if model else "", machine=None, setup=None, feasible=feasible,
        why_not=why,
    )  # fmt: skip
