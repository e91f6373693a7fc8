"""What can be run: methods x models x machines, each in the fastest setup that fits, with its price.

A candidate is one method on one model and one machine. Its stages are sized by the hyper-parameter rules, then fitted:
devices, sharding, optimiser, checkpointing, micro-batch and, at the last, the length of rows. Lower bounds that cost a
microsecond (weights alone, arithmetic alone) throw out most machines before anything is estimated.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from ftc.advisor import reading
from ftc.advisor.ceilings import breached, hours_allowed, unshown, usable_gib
from ftc.advisor.cost import cost
from ftc.advisor.fitting import (
    BYTES_4BIT,
    Fit,
    first_values,
    fitting,
    hopeful_hours,
    least_time,
    levels,
    quick_fit,
    tightness,
    workload,
)
from ftc.advisor.rules.choice import Shortfall
from ftc.advisor.rules.labels import useful_epochs
from ftc.advisor.scaling import Scaling, pays, scaling
from ftc.advisor.sheet import Sheet
from ftc.advisor.values import (
    Adapter,
    Architecture,
    Candidate,
    Facts,
    Machine,
    Objective,
    StageEstimate,
    TimeEstimate,
)
from ftc.spec.estimate import Estimate

STAGES: dict[str, tuple[Objective, ...]] = {
    "sft-full": ("sft",), "sft-lora": ("sft",), "sft-qlora": ("sft",), "cpt+sft": ("cpt", "sft"), "dpo": ("dpo",),
    "kto": ("kto",), "sft+dpo": ("sft", "dpo"), "rlhf": ("reward", "rloo"), "grpo": ("grpo",),
}  # fmt: skip
LEAST_SHARE = 0.45  # of tokens that count for certain: rows may be cut to half, a fast goal takes one pass of two
ENOUGH_WORSE = 4  # machines in a row that are no better
LIKELY_ROOM, NO_ROOM = 0.9, 1.25  # the guess of what is needed, over what there is; the guess is within a fifth
LEAST_SECONDS = 20.0  # of any stage: importing the training stack. Source: measured with trl 1.16, warm cache


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """A candidate with its stages; `short` names the ceilings that it breaks."""

    candidate: Candidate
    stages: tuple[Fit, ...]
    short: frozenset[Shortfall]


def method_of(family: str, adapter: Adapter) -> str:
    """The method's name: SFT is named by its adapter, everything else by its family."""
    return f"sft-{adapter}" if family in ("adapter", "full", "sft") else family


def option(facts: Facts, method: str, adapter: Adapter, model: Architecture, machine: Machine) -> Option:
    """The method on that model and machine, in the fastest setup that fits (or the smallest, where none does)."""
    whole = _on(facts, method, adapter, model, machine)
    time = whole.candidate.time
    if machine.offer is not None:
        return _as_many_as_pay(facts, whole)
    if not whole.short and time is not None and time.bound != "communication":
        return whole
    tried = [whole, *(_on(facts, method, adapter, model, part) for part in _parts(machine))]
    return min(tried, key=lambda each: (len(each.short), _hours(each) if not each.short else 0.0))


def _as_many_as_pay(facts: Facts, whole: Option) -> Option:
    """On rented nodes: half of them, and half again, while the other half does not pay or costs more than there is."""
    machine, candidate = whole.candidate.machine, whole.candidate
    hasty = facts.spec.goal.quality == "fast" and not whole.short
    while machine is not None and machine.nodes > 1 and "memory" not in whole.short and not hasty:
        nodes, times = machine.nodes // 2, machine.nodes / (machine.nodes // 2)
        machine = replace(machine, nodes=nodes, usd_per_hour=machine.usd_per_hour / times)
        model = whole.stages[0].sheet.model
        fewer = _on(facts, candidate.method, candidate.adapter, model, machine)
        if len(fewer.short) > len(whole.short) or (not whole.short and pays(_hours(fewer), _hours(whole), times)):
            break
        whole = fewer
    return whole


def scaling_of(facts: Facts, candidate: Candidate) -> Scaling:
    """The candidate's stages on one device and on up to a thousand: what each count would take and cost."""
    model = next(each for each in facts.models if each.id == candidate.model)
    machine = candidate.machine
    if machine is None:
        raise ValueError(f"{candidate.method} runs on no machine")
    sheets = sheets_of(facts, candidate.method, candidate.adapter, model, machine)
    stages = [(stage.setup, workload(sheet)) for stage, sheet in zip(candidate.stages, sheets, strict=True)]
    return scaling(stages, machine.device, machine.usd_per_hour / machine.devices)


def best(
    facts: Facts, method: str, adapter: Adapter, models: Iterable[Architecture], machines: Sequence[Machine]
) -> Option | None:
    """The first model on which the method can be run, on the machine that suits the goal; else the nearest miss."""
    miss: Option | None = None
    for model in models:
        found = on_machines(facts, method, adapter, model, machines)
        if found is None:
            continue
        if not found.short:
            return found
        miss = miss or found
    return miss


def on_machines(
    facts: Facts, method: str, adapter: Adapter, model: Architecture, machines: Sequence[Machine]
) -> Option | None:
    """The option on the machine that suits the goal; a miss where none fits; None without machines.

    Machines are looked at in the order of what a run on them should cost (or take, for a fast goal), those with room to
    spare first; a handful that are no better than the best so far end the search.
    """
    ordered = promising(facts, adapter, model, machines)
    roomy, tight = _pass(facts, method, adapter, model, ordered, LIKELY_ROOM)
    if roomy is None or roomy.short:
        close, _ = _pass(facts, method, adapter, model, tight, NO_ROOM)
        roomy = min((each for each in (roomy, close) if each), key=lambda each: preference(facts, each), default=None)
    if roomy is None and ordered:
        return option(facts, method, adapter, model, ordered[0])
    return roomy


def _pass(
    facts: Facts, method: str, adapter: Adapter, model: Architecture, machines: Sequence[Machine], room: float
) -> tuple[Option | None, list[Machine]]:
    """The best option on machines of which the method takes at most `room` by the guess, and the tighter ones."""
    chosen: Option | None = None
    tighter: list[Machine] = []
    worse = 0
    for machine in machines:
        if chosen is not None and not chosen.short:
            if worse >= ENOUGH_WORSE:
                break
            if _cannot_beat(facts, chosen, machine, adapter, model):
                continue
        if unshown(method, adapter, model, machine):
            continue
        sheets = sheets_of(facts, method, adapter, model, machine)
        if max(tightness(sheet) for sheet in sheets) > room:
            tighter.append(machine)
            continue
        if _too_slow(facts, sheets, machine):
            continue
        found = option(facts, method, adapter, model, machine)
        better = chosen is None or preference(facts, found) < preference(facts, chosen)
        chosen, worse = (found, 0) if better else (chosen, worse + 1)
    return chosen, tighter


def _too_slow(facts: Facts, sheets: list[Sheet], machine: Machine) -> bool:
    """True where even the fastest setup that one can hope for breaks a ceiling."""
    allowed, ceiling = hours_allowed(facts), facts.spec.budget.usd
    if allowed == float("inf") and ceiling is None:
        return False
    hours = sum(hopeful_hours(sheet) for sheet in sheets)
    if hours > allowed:
        return True
    spot = machine.offer.spot_usd_per_hour if machine.offer and _spot(facts) else None
    return ceiling is not None and hours * (spot or machine.usd_per_hour) > ceiling


def tightest(facts: Facts, method: str, adapter: Adapter, model: Architecture, machine: Machine) -> float:
    """What the method asks for at least, over the room on that machine, by a guess that costs microseconds."""
    return max(tightness(sheet) for sheet in sheets_of(facts, method, adapter, model, machine))


def sheets_of(facts: Facts, method: str, adapter: Adapter, model: Architecture, machine: Machine) -> list[Sheet]:
    """One sheet a stage, with everything settled that memory and time depend on."""
    return [
        first_values(
            Sheet(facts=facts, method=method, objective=objective, adapter=adapter, model=model, machine=machine)
        )
        for objective in stages_of(facts, method)
    ]


def stages_of(facts: Facts, method: str) -> tuple[Objective, ...]:
    """What is trained, in order. Without demonstrations nothing is imitated; with them RLHF starts by imitating."""
    shown = facts.profile.demonstrations is not None
    if method == "cpt+sft" and not shown:
        return ("cpt",)
    if method == "rlhf" and shown:
        return ("sft", *STAGES[method])
    return STAGES[method]


def preference(facts: Facts, each: Option) -> tuple[float, ...]:
    """Smaller is better: nothing missing first, then money or time as the goal has it."""
    usd = each.candidate.usd.likely if each.candidate.usd else 0.0
    hours = _hours(each)
    if facts.spec.goal.quality == "fast":
        return (len(each.short), hours, usd)
    return (len(each.short), usd, hours)


def promising(facts: Facts, adapter: Adapter, model: Architecture, machines: Sequence[Machine]) -> list[Machine]:
    """Machines that could hold the weights, best for the goal first; the largest where none could."""
    able = [each for each in machines if _could_hold(each, adapter, model)]
    if not able:
        return sorted(machines, key=lambda each: -each.device.memory_gib * each.devices)[:1]
    if facts.spec.goal.quality == "fast":
        return sorted(able, key=lambda each: (-_speed(each), each.usd_per_hour, each.device.name))
    return sorted(able, key=lambda each: (_price_of_work(each), -_speed(each), each.device.name, each.devices))


def hopeless(facts: Facts, family: str, adapter: Adapter, model: Architecture) -> bool:
    """True where arithmetic at peak speed, or the weights alone, already break a ceiling on every machine."""
    tokens = least_tokens(facts, family)
    flops = tokens * (6 if adapter == "full" else 4) * model.active_parameters
    allowed, ceiling = hours_allowed(facts), facts.spec.budget.usd
    for machine in facts.machines:
        hours = flops / (_speed(machine) * 1e12) / 3600
        paid = ceiling is None or hours * machine.usd_per_hour <= ceiling
        if hours <= allowed and paid and _could_hold(machine, adapter, model):
            return False
    return True


def least_tokens(facts: Facts, family: str) -> float:
    """Tokens that SFT goes through at least; 0 for other families and under overrides, which may be anything."""
    rows = facts.profile.demonstrations
    if rows is None or family not in ("adapter", "full") or facts.spec.overrides:
        return 0.0
    return facts.profile.train_rows * reading.mean_tokens(rows.sequence) * useful_epochs(facts) * LEAST_SHARE


def _could_hold(machine: Machine, adapter: Adapter, model: Architecture) -> bool:
    """True unless the weights alone, spread over all devices, are more than there is."""
    bytes_each = {"qlora": BYTES_4BIT, "full": 6.0}.get(adapter, 2.0)  # full: bf16 weights and gradients, 8-bit states
    return model.parameters * bytes_each / 2**30 <= usable_gib(machine) * machine.devices


def _speed(machine: Machine) -> float:
    """Peak TFLOP/s of all devices."""
    device = machine.device
    return (device.bf16_tflops or device.fp16_tflops or device.fp32_tflops or 1.0) * machine.devices


def _price_of_work(machine: Machine) -> float:
    """USD for a fixed amount of arithmetic at peak speed, and some minutes besides: the order of what runs cost."""
    return machine.usd_per_hour * (1 / _speed(machine) + 1e-4)


def _cannot_beat(facts: Facts, chosen: Option, machine: Machine, adapter: Adapter, model: Architecture) -> bool:
    """True where even at peak speed this machine is no cheaper (or, for a fast goal, no faster) than what is found."""
    flops = sum(_least_flops(each, adapter, model) for each in chosen.stages)
    hours = (flops / (_speed(machine) * 1e12) + LEAST_SECONDS * len(chosen.stages)) / 3600
    if facts.spec.goal.quality == "fast":
        return hours >= _hours(chosen)
    usd = chosen.candidate.usd.likely if chosen.candidate.usd else 0.0
    return hours * machine.usd_per_hour >= usd


def _least_flops(stage: Fit, adapter: Adapter, model: Architecture) -> float:
    """Arithmetic that no setup can save: 4 FLOPs a frozen parameter and token, 6 a trained one."""
    a_token = (6 if adapter == "full" else 4) * model.active_parameters
    return (
        a_token * stage.sheet.rows * stage.sheet.number("epochs", 1) * min(stage.sheet.mean_tokens, stage.setup.seq_len)
    )


def _hours(each: Option) -> float:
    return each.candidate.time.hours.likely if each.candidate.time else float("inf")


def _parts(machine: Machine) -> Iterator[Machine]:
    """Parts of one's own machine: small jobs run no faster on many devices, and some run slower."""
    if machine.offer is not None:
        return
    nodes, count = machine.nodes // 2, machine.count // 2
    while nodes >= 1:
        yield replace(machine, nodes=nodes)
        nodes //= 2
    while count >= 1:
        yield replace(machine, count=count, nodes=1)
        count //= 2


def _on(facts: Facts, method: str, adapter: Adapter, model: Architecture, machine: Machine) -> Option:
    """The method on exactly that machine: as the rules ask for it, or with whatever makes it meet the ceilings."""
    sheets = sheets_of(facts, method, adapter, model, machine)
    first = _option(facts, method, adapter, model, machine, tuple(quick_fit(sheet) for sheet in sheets))
    if not first.short or "memory" in first.short:
        return first
    for level in range(max(levels(sheet) for sheet in sheets)):
        found = _within(facts, first, [(sheet, min(level, levels(sheet) - 1)) for sheet in sheets])
        if found is not None:
            return found
    return first


def _within(facts: Facts, first: Option, stages: list[tuple[Sheet, int]]) -> Option | None:
    """The stages in setups that meet every ceiling; None where no setups do."""
    candidate = first.candidate
    if candidate.machine is None:
        return None
    allowed, ceiling = hours_allowed(facts), facts.spec.budget.usd
    hours = sum(least_time(sheet, level) for sheet, level in stages)
    a_dollar = candidate.usd.likely / candidate.time.hours.likely if candidate.usd and candidate.time else 0.0
    if hours > allowed or (ceiling is not None and hours * a_dollar > ceiling):
        return None
    fastest = [next(fitting(sheet, level), None) for sheet, level in stages]
    if None in fastest:
        return None
    fits = tuple(fit for fit in fastest if fit is not None)
    model = fits[0].sheet.model
    found = _option(facts, candidate.method, candidate.adapter, model, candidate.machine, fits)
    return None if found.short else found


def _option(
    facts: Facts, method: str, adapter: Adapter, model: Architecture, machine: Machine, stages: tuple[Fit, ...]
) -> Option:
    """The stages as a candidate, priced and held against the ceilings."""
    time = _together([each.time for each in stages])
    largest = max(stages, key=lambda each: (not each.fits, each.memory.device.high))
    usd = cost(time, machine, spot=_spot(facts))
    broken = breached(facts, machine, largest.memory, largest.fits, time, usd)
    never = unshown(method, adapter, model, machine)
    if never:
        broken.append(("memory", never))
    main = stages[-1] if method == "rlhf" else _main(stages)
    candidate = Candidate(
        method=method, adapter=adapter, model=model.id, machine=machine, setup=main.setup, memory=largest.memory,
        time=time, usd=usd, quality=quality(adapter, model), feasible=not broken,
        why_not="; ".join(text for _, text in broken),
        stages=tuple(StageEstimate(setup=each.setup, memory=each.memory, time=each.time) for each in stages),
    )  # fmt: skip
    return Option(candidate=candidate, stages=stages, short=frozenset(lack for lack, _ in broken))


def _main(stages: tuple[Fit, ...]) -> Fit:
    """The stage that gives a chain its plain settings: SFT."""
    return next((each for each in stages if each.setup.objective == "sft"), stages[0])


def _spot(facts: Facts) -> bool:
    return bool(facts.spec.hardware.spot) or reading.has(facts, "spot-ok")


def quality(adapter: Adapter, model: Architecture) -> float:
    """Expected quality; only its order means something. A larger model helps more than a wider update.

    Zhang et al. 2024, arXiv 2402.17193 (model size above adapter size); QLoRA, arXiv 2305.14314 (4 bit costs little).
    """
    size = math.log2(1 + model.parameters / 1e9)
    return round(size + {"full": 0.1, "lora": 0.05, "qlora": 0.0, "none": 0.0}[adapter], 4)


def _together(times: list[TimeEstimate]) -> TimeEstimate:
    """Stages one after another."""
    if len(times) == 1:
        return times[0]
    parts: dict[str, float] = {}
    for each in times:
        for name, hours in each.parts_hours.items():
            parts[name] = parts.get(name, 0.0) + hours
    low, likely, high = (sum(getattr(each.hours, end) for each in times) for end in ("low", "likely", "high"))
    slowest = max(times, key=lambda each: each.hours.likely)
    whole = Estimate(low=low, likely=likely, high=high, unit="h", source=times[0].hours.source)
    return replace(slowest, hours=whole, steps=sum(each.steps for each in times), parts_hours=parts)
