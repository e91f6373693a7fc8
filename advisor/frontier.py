"""The whole table of what could be run: models x adapters x machines, reduced to those that nothing beats.

All machines of one table are ordered once by what a unit of arithmetic takes on them in money and in time; which of
them is best for a model depends only on how much memory it needs. So each model and adapter looks at a handful of
machines, and only what is on the front is estimated in full. Lower bounds are arithmetic (weights, FLOPs); what is
shown is never a bound.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from ftc.advisor.ceilings import hours_allowed, usable_gib
from ftc.advisor.fitting import BYTES_4BIT
from ftc.advisor.gpus import gpus
from ftc.advisor.machine import priced
from ftc.advisor.model_choice import allowed, suited
from ftc.advisor.scaling import COUNTS
from ftc.advisor.search import Option, least_tokens, method_of, option, quality
from ftc.advisor.values import A_NODE, Adapter, Architecture, Candidate, Facts, Machine

BYTES: dict[Adapter, float] = {"full": 6.0, "lora": 2.0, "qlora": BYTES_4BIT, "none": 0.0}  # a parameter, at least
FLOPS: dict[Adapter, float] = {"full": 6.0, "lora": 4.0, "qlora": 4.0, "none": 0.0}  # a parameter and token, at least
MOST = 10  # estimated in full


@dataclass(frozen=True, slots=True, kw_only=True)
class Bound:
    """A combination by its lower bounds: money and time for a unit of work, the memory left over as a share."""

    model: Architecture
    adapter: Adapter
    machine: Machine
    quality: float
    usd: float
    hours: float
    spare: float


def machines_of_catalogue() -> tuple[Machine, ...]:
    """Every card of the catalogue that someone rents out, in counts of 1 to 1,024, at the cheapest price there is."""
    found = []
    for device in gpus():
        for count in COUNTS:
            machine = priced(device, min(count, A_NODE))
            if machine.offer is None:
                continue
            nodes = count // A_NODE if count > A_NODE else 1
            found.append(replace(machine, nodes=nodes, usd_per_hour=machine.usd_per_hour * nodes))
    return tuple(found)


def front(
    models: Iterable[Architecture], machines: Sequence[Machine], adapters: Sequence[Adapter] = ("full", "lora", "qlora")
) -> list[Bound]:
    """The combinations that no other beats in quality, money, time and spare memory at once, by their bounds."""
    ladder = _by_memory(machines)
    found: list[Bound] = []
    for model in models:
        for adapter in adapters:
            need = model.parameters * BYTES[adapter] / 2**30
            work = model.active_parameters * FLOPS[adapter]
            for machine, whole, usd, hours in _best_with(ladder, need):
                found.append(
                    Bound(
                        model=model, adapter=adapter, machine=machine, quality=quality(adapter, model),
                        usd=usd * work, hours=hours * work, spare=1 - need / whole,
                    )
                )  # fmt: skip
    return _unbeaten(found)


_Rung = tuple[float, list[tuple[Machine, float, float, float]]]


def _by_memory(machines: Sequence[Machine]) -> list[_Rung]:
    """Machines by memory, largest first; beside each memory, the unbeaten ones among those that have at least it."""
    rows = []
    for machine in machines:
        device = machine.device
        speed = (device.bf16_tflops or device.fp16_tflops or device.fp32_tflops or 1.0) * machine.devices
        rows.append((usable_gib(machine) * machine.devices, machine, machine.usd_per_hour / speed, 1 / speed))
    rows.sort(key=lambda row: -row[0])
    ladder: list[_Rung] = []
    kept: list[tuple[Machine, float, float, float]] = []
    for whole, machine, usd, hours in rows:
        if not any(each[2] <= usd and each[3] <= hours for each in kept):
            kept = [each for each in kept if not (usd <= each[2] and hours <= each[3])]
            kept.append((machine, whole, usd, hours))
        ladder.append((whole, list(kept)))
    return ladder


def _best_with(ladder: list[_Rung], need: float) -> list[tuple[Machine, float, float, float]]:
    """The unbeaten machines with at least `need` GiB."""
    low, high = 0, len(ladder)
    while low < high:
        middle = (low + high) // 2
        if ladder[middle][0] >= need:
            low = middle + 1
        else:
            high = middle
    return ladder[low - 1][1] if low else []


def _unbeaten(found: list[Bound]) -> list[Bound]:
    """Those that nothing is at least as good as everywhere and better somewhere, best quality first."""
    found.sort(key=lambda each: (-each.quality, each.usd, each.hours, each.model.id, each.machine.device.name))
    kept: list[Bound] = []
    for each in found:
        if not any(_beats(other, each) for other in kept):
            kept.append(each)
    return kept


def _beats(one: Bound, other: Bound) -> bool:
    return (
        one.quality >= other.quality and one.usd <= other.usd and one.hours <= other.hours and one.spare >= other.spare
    )


def frontier(facts: Facts, family: str = "adapter") -> tuple[Candidate, ...]:
    """What could be run for these facts, estimated in full: best quality first, each marked where nothing beats it."""
    named = facts.spec.model.base
    models = [each for each in facts.models if allowed(facts, each) and (suited(facts, each) or each.id == named)]
    for_sale = any(each.offer is not None for each in facts.machines)
    machines = [each for each in facts.machines if each.offer is not None or not for_sale]
    tokens = least_tokens(facts, family)
    found = [each for each in front(models, machines) if _affordable(facts, each, tokens)]
    options = [
        option(facts, method_of(family, each.adapter), each.adapter, each.model, each.machine)
        for each in _spread(found)
    ]
    return _marked(options)


def _spread(found: list[Bound]) -> list[Bound]:
    """As many as are estimated in full, over the whole range of quality; the cheapest and the fastest of each model."""
    ends: dict[tuple[str, str], tuple[Bound, Bound]] = {}
    for each in found:
        cheap, fast = ends.get((each.model.id, each.adapter), (each, each))
        ends[each.model.id, each.adapter] = min(cheap, each, key=_usd), min(fast, each, key=_hours)
    kept = [each for cheap, fast in ends.values() for each in ((cheap,) if cheap is fast else (cheap, fast))]
    every = max(1, math.ceil(len(kept) / MOST))
    return kept[::every]


def _usd(bound: Bound) -> float:
    return bound.usd


def _hours(bound: Bound) -> float:
    return bound.hours


def _affordable(facts: Facts, bound: Bound, tokens: float) -> bool:
    """True unless the lower bounds already break a ceiling."""
    seconds = tokens / 1e12  # rates are in TFLOP/s
    ceiling = facts.spec.budget.usd
    in_time = bound.hours * seconds / 3600 <= hours_allowed(facts)
    return in_time and (ceiling is None or bound.usd * seconds / 3600 <= ceiling)


def _marked(options: list[Option]) -> tuple[Candidate, ...]:
    """The candidates, feasible first, with `pareto` set on exact estimates."""
    rows = [(each.candidate, _axes(each)) for each in options]
    rivals = [axes for candidate, axes in rows if candidate.feasible]
    marked = [
        replace(candidate, pareto=candidate.feasible and not any(_dominates(rival, axes) for rival in rivals))
        for candidate, axes in rows
    ]
    return tuple(sorted(marked, key=lambda each: (not each.feasible, not each.pareto, -each.quality)))


def _axes(each: Option) -> tuple[float, float, float, float]:
    """Quality (as a loss), money, time, share of the memory taken at worst: smaller is better."""
    candidate = each.candidate
    usd = candidate.usd.likely if candidate.usd else 0.0
    hours = candidate.time.hours.likely if candidate.time else 0.0
    taken = (
        candidate.memory.device.high / candidate.machine.device.memory_gib
        if candidate.memory and candidate.machine
        else 1.0
    )
    return -candidate.quality, usd, hours, taken


def _dominates(one: tuple[float, ...], other: tuple[float, ...]) -> bool:
    return one != other and all(ours <= theirs for ours, theirs in zip(one, other, strict=True))


def offers(facts: Facts, chosen: Option) -> dict[str, Candidate]:
    """For rented machines: the cheapest, the fastest and the safest way to carry out what was chosen.

    Safest: the least share of the memory taken at worst, among what costs at most twice the cheapest.
    """
    rented = [each for each in facts.machines if each.offer is not None]
    if not rented:
        return {}
    candidate, model = chosen.candidate, chosen.stages[0].sheet.model
    need = model.parameters * BYTES[candidate.adapter] / 2**30
    ladder = _by_memory(rented)
    high = candidate.memory.device.high * candidate.machine.devices if candidate.memory and candidate.machine else need
    tried = [row[0] for roomy in (need, high, 1.5 * high, 2 * high) for row in _best_with(ladder, roomy)]
    options = [option(facts, candidate.method, candidate.adapter, model, each) for each in _once(tried)]
    feasible = [each for each in options if not each.short]
    if not feasible:
        return {}
    axes = {id(each): _axes(each) for each in feasible}
    cheapest = min(feasible, key=lambda each: axes[id(each)][1:])
    fastest = min(feasible, key=lambda each: (axes[id(each)][2], axes[id(each)][1]))
    affordable = [each for each in feasible if axes[id(each)][1] <= 2 * axes[id(cheapest)][1] + 0.01]
    safest = min(affordable, key=lambda each: (axes[id(each)][3], axes[id(each)][1]))
    return {"cheapest": cheapest.candidate, "fastest": fastest.candidate, "safest": safest.candidate}


def _once(machines: list[Machine]) -> list[Machine]:
    """Each machine once, in order."""
    return list({id(each): each for each in machines}.values())
