"""What can be run: methods x models x machines, each in the fastest setup that fits, with its price.

A candidate is one method on one model and one machine. Its stages are sized by the hyper-parameter rules, then fitted:
devices, sharding, optimiser, checkpointing, micro-batch and, at the last, the length of rows. Lower bounds that cost a
microsecond (weights alone, arithmetic alone) throw out most machines before anything is estimated.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Literal

from ftc.advisor import reading
from ftc.advisor.cost import cost
from ftc.advisor.duration import duration
from ftc.advisor.memory import memory, weights_gib
from ftc.advisor.rules.choice import Shortfall
from ftc.advisor.rules.labels import useful_epochs
from ftc.advisor.rules.registry import SETTINGS_FIRST
from ftc.advisor.rules.settings_adapter import LEAST_RANK, holds
from ftc.advisor.rules.settings_shape import bucket, longest, precision, varlen
from ftc.advisor.sheet import Sheet
from ftc.advisor.values import (
    Adapter,
    Architecture,
    Candidate,
    Checkpointing,
    Facts,
    Machine,
    MemoryEstimate,
    Objective,
    Setup,
    Sharding,
    TimeEstimate,
    Workload,
)
from ftc.spec.estimate import Estimate
from ftc.spec.model import Scalar

STAGES: dict[str, tuple[Objective, ...]] = {
    "sft-full": ("sft",), "sft-lora": ("sft",), "sft-qlora": ("sft",), "cpt+sft": ("cpt", "sft"), "dpo": ("dpo",),
    "kto": ("kto",), "sft+dpo": ("sft", "dpo"), "rlhf": ("reward", "rloo"), "grpo": ("grpo",),
}  # fmt: skip
ON_POLICY = ("grpo", "rloo")
TOKENS_A_PASS = 8192  # of one micro-batch: beyond, memory grows and speed does not (rates of large products are flat)
LEAST_LENGTH = 0.5  # of the p99 length: shorter, and too many rows lose their end
UNIFIED_SHARE = 0.75  # of a unified memory that the GPU may wire. Source: Apple, recommendedMaxWorkingSetSize
LEAST_SHARE = 0.45  # of tokens that count for certain: rows may be cut to half, a fast goal takes one pass of two
LEAST_SECONDS = (
    20.0  # of any stage: importing the training stack. Source: measured, trl 1.16 and torch 2.13, warm cache
)
HEADROOM_GIB = 1.5  # of a card kept free for a screen, another process, an unlucky allocator; a rule of thumb
BYTES_4BIT = 0.52  # a parameter, with its share of scales. Source: QLoRA, arXiv 2305.14314, section 3
NOMINAL = 1.045  # GB on the box to GiB that the driver shows: 24 to 23.5 and less, 80 to 79.1
HOST_SHARE = 0.9  # of a machine's memory that one process may take; rule of thumb

# Least memory in GiB over all devices for on-policy training with generation beside it, by parameters: adapters, all
# weights. Sources: verl docs/perf/device_tuning.rst (LoRA 7B 1xH100, 14B 2x, 32B 4x, 72B 8x; full 7B 2xH800, 14B 4x, 70B
# 32x), axolotl (about 3B on one 24 GB card, more than that on two).
ON_POLICY_FLOOR = (
    (1e8, 0.0, 0.0), (3.6e9, 22.0, 44.0), (9e9, 44.0, 150.0), (1.6e10, 150.0, 300.0), (3.6e10, 300.0, 1000.0),
    (8e10, 600.0, 2400.0), (float("inf"), 2400.0, 9600.0),
)  # fmt: skip


# Least memory in GB over all cards that anyone has published for training adapters: parameters, 4-bit base, 16-bit base.
# Source: Unsloth documentation, requirements ("absolute minimum"). A setup that the closed form squeezes in below is not
# trusted: nobody has shown it.
PUBLISHED_FLOOR_GB = (
    (3e9, 3.5, 8.0), (8e9, 6.0, 19.0), (1.4e10, 8.5, 33.0), (3.2e10, 26.0, 76.0), (7e10, 41.0, 164.0),
    (4.05e11, 237.0, 950.0),
)  # fmt: skip


_memory = lru_cache(maxsize=16384)(memory)  # what-ifs ask for the same setups again
_duration = lru_cache(maxsize=16384)(duration)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """One stage of a candidate: how it is set up, what it takes, and the values that were settled on the way."""

    sheet: Sheet
    setup: Setup
    memory: MemoryEstimate
    time: TimeEstimate
    fits: bool


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
    tried = [_on(facts, method, adapter, model, part) for part in _parts(machine, model)]
    return min(tried, key=lambda each: (len(each.short), _hours(each), each.candidate.machine.devices))  # type: ignore[union-attr]


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
    """The option on the machine that suits the goal; a miss where none fits; None without machines."""
    chosen: Option | None = None
    for machine in promising(facts, method, adapter, model, machines):
        if chosen is not None and not chosen.short and _cannot_beat(facts, chosen, machine, adapter, model):
            continue
        found = option(facts, method, adapter, model, machine)
        if chosen is None or preference(facts, found) < preference(facts, chosen):
            chosen = found
    return chosen


def preference(facts: Facts, each: Option) -> tuple[float, ...]:
    """Smaller is better: nothing missing first, then money or time as the goal has it."""
    usd = each.candidate.usd.likely if each.candidate.usd else 0.0
    hours = _hours(each)
    if facts.spec.goal.quality == "fast":
        return (len(each.short), hours, usd)
    return (len(each.short), usd, hours)


def promising(
    facts: Facts, method: str, adapter: Adapter, model: Architecture, machines: Sequence[Machine]
) -> list[Machine]:
    """Machines that could hold the weights, cheapest for the arithmetic first; the largest where none could."""
    able = [each for each in machines if _could_hold(each, adapter, model)]
    if not able:
        return sorted(machines, key=lambda each: -each.device.memory_gib * each.devices)[:1]
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


def usable_gib(machine: Machine) -> float:
    """Memory of one device that a run may take."""
    device = machine.device
    if device.kind in ("mps", "cpu"):
        return device.memory_gib * {"mps": UNIFIED_SHARE, "cpu": HOST_SHARE}[device.kind]
    return device.memory_gib - HEADROOM_GIB


def _parts(machine: Machine, model: Architecture) -> Iterator[Machine]:
    """The whole machine, and for one's own, halves of it: small jobs run no faster on many devices."""
    yield machine
    if machine.offer is None and machine.nodes == 1:
        count = machine.count // 2
        while count >= 1:
            yield replace(machine, count=count)
            count //= 2


def _on(facts: Facts, method: str, adapter: Adapter, model: Architecture, machine: Machine) -> Option:
    """The method on exactly that machine."""
    stages = tuple(fit_stage(facts, method, objective, adapter, model, machine) for objective in STAGES[method])
    time = _together([each.time for each in stages])
    largest = max(stages, key=lambda each: each.memory.device.high)
    usd = cost(time, machine, spot=_spot(facts))
    short, why = _ceilings(facts, method, adapter, model, machine, stages, time, usd)
    main = stages[-1] if method == "rlhf" else stages[0] if len(stages) == 1 else _main(stages)
    return Option(
        candidate=Candidate(
            method=method,
            adapter=adapter,
            model=model.id,
            machine=machine,
            setup=main.setup,
            memory=largest.memory,
            time=time,
            usd=usd,
            quality=quality(method, adapter, model),
            feasible=not short,
            why_not=why,
        ),
        stages=stages,
        short=short,
    )


def _main(stages: tuple[Fit, ...]) -> Fit:
    """The stage that gives a chain its plain settings: SFT."""
    return next((each for each in stages if each.setup.objective == "sft"), stages[0])


def _spot(facts: Facts) -> bool:
    return bool(facts.spec.hardware.spot) or reading.has(facts, "spot-ok")


def quality(method: str, adapter: Adapter, model: Architecture) -> float:
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
    hours = Estimate(low=low, likely=likely, high=high, unit="h", source=times[0].hours.source)
    return replace(slowest, hours=hours, steps=sum(each.steps for each in times), parts_hours=parts)


# --- ceilings -----------------------------------------------------------------------------------------------------


def hours_allowed(facts: Facts) -> float:
    """The ceiling on wall time: the deadline or the budget of hours, whichever is nearer."""
    budget = facts.spec.budget
    ends = [budget.hours, budget.deadline_days * 24 if budget.deadline_days is not None else None]
    return min((each for each in ends if each is not None), default=float("inf"))


def _ceilings(
    facts: Facts,
    method: str,
    adapter: Adapter,
    model: Architecture,
    machine: Machine,
    stages: tuple[Fit, ...],
    time: TimeEstimate,
    usd: Estimate,
) -> tuple[frozenset[Shortfall], str]:
    """Which ceilings the candidate breaks, and how that reads."""
    short: list[Shortfall] = []
    why: list[str] = []
    worst = max(stages, key=lambda each: each.memory.device.high - (1000 if each.fits else 0))
    if not worst.fits:
        short.append("memory")
        need, has = worst.memory.device, usable_gib(machine)
        why.append(
            f"{need.likely:.1f} GiB ({need.low:.1f}-{need.high:.1f}) do not fit the {has:.1f} GiB of a {machine.device.name}"
        )
    published = published_floor_gb(adapter, model)
    if machine.device.kind == "cuda" and machine.device.memory_gib * NOMINAL * machine.devices < published:
        short.append("memory")
        why.append(f"nobody has shown {adapter} of {model.parameters / 1e9:.0f} B parameters below {published:.0f} GB")
    floor = on_policy_floor_gib(method, adapter, model)
    whole = usable_gib(machine) * machine.devices
    if floor > whole and "memory" not in short:
        short.append("memory")
        why.append(f"training with generation beside it takes {floor:.0f} GiB in all, {whole:.0f} are there")
    allowed = hours_allowed(facts)
    if time.hours.likely > allowed:
        short.append("time")
        why.append(
            f"{_span(time.hours.likely)} ({_span(time.hours.low)} to {_span(time.hours.high)}), {_span(allowed)} allowed"
        )
    ceiling = facts.spec.budget.usd
    if ceiling is not None and usd.likely > ceiling:
        short.append("money")
        why.append(f"${usd.likely:,.0f} (${usd.low:,.0f} to ${usd.high:,.0f}), ${ceiling:,.0f} allowed")
    return frozenset(short), "; ".join(why)


def _span(hours: float) -> str:
    return f"{hours / 24:.1f} days" if hours >= 48 else f"{hours:.1f} h"


def published_floor_gb(adapter: Adapter, model: Architecture) -> float:
    """The published minimum for adapters on a model of that size, in between by powers; 0 below 3 B and for full tuning."""
    if adapter not in ("lora", "qlora") or model.parameters < PUBLISHED_FLOOR_GB[0][0]:
        return 0.0
    column = 1 if adapter == "qlora" else 2
    smaller = max(row for row in PUBLISHED_FLOOR_GB if row[0] <= model.parameters * 1.05)
    larger = min((row for row in PUBLISHED_FLOOR_GB if row[0] > smaller[0]), default=smaller)
    if larger is smaller or model.parameters <= smaller[0]:
        return smaller[column]
    part = math.log(model.parameters / smaller[0]) / math.log(larger[0] / smaller[0])
    return float(smaller[column] * (larger[column] / smaller[column]) ** part)


def on_policy_floor_gib(method: str, adapter: Adapter, model: Architecture) -> float:
    """Least memory over all devices for methods that generate while they train; 0 for the others."""
    if method not in ("grpo", "rlhf"):
        return 0.0
    _, adapters, full = next(row for row in ON_POLICY_FLOOR if model.parameters <= row[0])
    return full if adapter == "full" else adapters


# --- one stage ----------------------------------------------------------------------------------------------------


def fit_stage(
    facts: Facts, method: str, objective: Objective, adapter: Adapter, model: Architecture, machine: Machine
) -> Fit:
    """The fastest setup of one stage that fits; the most frugal one, marked, where none does."""
    sheet = first_values(
        Sheet(
            facts=facts,
            method=method,
            objective=objective,
            adapter=_stage_adapter(objective, adapter),
            model=model,
            machine=machine,
        )
    )
    room = usable_gib(machine)
    found: list[Fit] = []
    for setup in _ladder(sheet):
        held = _largest_batch(setup, sheet, room)
        if held is None:
            continue
        found += [held]
        if setup.checkpointing == "full" or found[0].setup.checkpointing == "full":
            break
    if found:
        return min(found, key=lambda each: each.time.hours.likely)
    smallest = _most_frugal(sheet)
    smallest = replace(smallest, grad_accum=_accumulation(sheet, smallest, 1))
    return Fit(
        sheet=sheet,
        setup=smallest,
        memory=_memory(smallest, machine.device),
        time=_duration(smallest, machine.device, workload(sheet)),
        fits=False,
    )


def _stage_adapter(objective: Objective, adapter: Adapter) -> Adapter:
    return adapter


def first_values(sheet: Sheet) -> Sheet:
    """The sheet with everything settled that memory and time depend on."""
    values: dict[str, Scalar] = {}
    filling = replace(sheet, values=values)  # sees each value as soon as it is there
    overrides = sheet.facts.spec.overrides
    for rule in SETTINGS_FIRST:
        if rule.name in overrides:
            values[rule.name] = overrides[rule.name]
            continue
        filled = rule.fill(filling)
        if filled is not None:
            values[rule.name] = filled.value
    return filling


def workload(sheet: Sheet) -> Workload:
    """How much one stage goes through."""
    lengths = sheet.lengths
    profile = sheet.facts.profile
    steps, every = sheet.number("steps", 1), sheet.number("eval_steps", 1)
    mean = sheet.mean_tokens if sheet.objective != "cpt" else sheet.number("max_length", 2048)
    rows = sheet.rows
    if sheet.objective in ON_POLICY:
        rows *= int(sheet.number("grpo.group", 8))
    return Workload(
        rows=rows,
        epochs=sheet.number("epochs", 1.0),
        mean_tokens=mean,
        histogram=lengths.histogram if lengths and sheet.objective == "sft" else (),
        eval_rows=profile.held_out_rows,
        eval_completion_tokens=reading.mean_tokens(lengths.completion) if lengths else 0.0,
        evaluations=max(1, round(steps / max(1.0, every))),
    )


def _ladder(sheet: Sheet) -> Iterator[Setup]:
    """Setups from the fastest to the most frugal."""
    for rank, length in _ranks_and_lengths(sheet):
        for optimizer in _optimizers(sheet):
            for sharding in _shardings(sheet):
                for checkpointing in _checkpointings(sheet):
                    yield _setup(sheet, rank, length, optimizer, sharding, checkpointing)
    if _may_offload(sheet):
        rank, length = _ranks_and_lengths(sheet)[0]
        yield replace(_setup(sheet, rank, length, "adamw", "fsdp", "full"), offload="all")


def _may_offload(sheet: Sheet) -> bool:
    """True where a frozen 4-bit base, spread over several cards, may wait in the host's memory.

    Source: axolotl and Answer.AI, FSDP-QLoRA (70B on two 24 GB cards).
    """
    cards = sheet.machine.devices > 1 and sheet.machine.nodes == 1 and sheet.device.kind == "cuda"
    return cards and sheet.adapter == "qlora" and sheet.machine.host_memory_gib is not None


def _ranks_and_lengths(sheet: Sheet) -> list[tuple[int, int]]:
    """Whole rows first, then the least rank, then rows that lose their end."""
    rank, lengths = int(sheet.number("lora.rank", 16)), _lengths(sheet)
    fixed = "lora.rank" in sheet.facts.spec.overrides or sheet.adapter == "full"
    least = rank if fixed or not holds(sheet, LEAST_RANK) else min(rank, LEAST_RANK)
    return [(rank, lengths[0]), *((least, length) for length in lengths if (least, length) != (rank, lengths[0]))]


def _lengths(sheet: Sheet) -> tuple[int, ...]:
    """The length that the rule asks for, then those that cut the longest hundredth, twentieth and tenth."""
    whole = int(sheet.number("max_length", 1024))
    if "max_length" in sheet.facts.spec.overrides or sheet.objective == "cpt":
        return (whole,)
    shorter = (bucket(longest(sheet, "p99")), bucket(longest(sheet, "p95")), bucket(longest(sheet, "p90")))
    return tuple(sorted({whole, *(each for each in shorter if LEAST_LENGTH * whole <= each < whole)}, reverse=True))


def _optimizers(sheet: Sheet) -> tuple[Literal["adamw", "paged-adamw-8bit"], ...]:
    """States in 32 bit; in 8 bit where all weights are trained on one CUDA card."""
    if sheet.adapter == "full" and sheet.device.kind == "cuda" and sheet.machine.devices == 1:
        return ("adamw", "paged-adamw-8bit")
    return ("adamw",)


def _shardings(sheet: Sheet) -> tuple[Sharding, ...]:
    return ("none",) if sheet.machine.devices == 1 else ("ddp", "fsdp")


def _checkpointings(sheet: Sheet) -> tuple[Checkpointing, ...]:
    forced = sheet.facts.spec.overrides.get("checkpointing")
    if isinstance(forced, bool):
        return ("full",) if forced else ("none",)
    return ("none", "full")


def _setup(
    sheet: Sheet, rank: int, length: int, optimizer: str, sharding: Sharding, checkpointing: Checkpointing
) -> Setup:
    """One rung of the ladder, with a micro-batch of one."""
    numbers = precision(sheet.device)
    on_policy = sheet.objective in ON_POLICY
    packed = bool(sheet.values.get("packing", False))
    return Setup(
        architecture=sheet.model,
        objective=sheet.objective,
        adapter=sheet.adapter,
        seq_len=_prompt_length(sheet, length) if on_policy else length,
        lora_rank=rank,
        lora_targets=str(sheet.values.get("lora.targets", "all-linear")),
        weights="fp32" if numbers == "fp16" and sheet.adapter == "full" else numbers,  # type: ignore[arg-type]
        compute=numbers,  # type: ignore[arg-type]
        adapters="fp32",
        kbit_upcast=False,  # TRL's own trainers load the 4-bit base without widening what is not quantised
        optimizer=optimizer,  # type: ignore[arg-type]
        optimizer_dtype="fp32" if numbers != "bf16" or sheet.adapter != "full" else "bf16",
        checkpointing=checkpointing,
        attention="flash" if packed and varlen(sheet.device) else "sdpa",
        loss="chunked" if sheet.values.get("chunked_loss") else "full",
        packing=packed,
        sharding=sharding,
        devices=sheet.machine.count,
        nodes=sheet.machine.nodes,
        reference=_reference(sheet),
        generations=int(sheet.number("grpo.group")) if on_policy else 0,
        completion_len=int(sheet.number("grpo.max_completion_length")) if on_policy else 0,
    )


def _prompt_length(sheet: Sheet, length: int) -> int:
    """Tokens of the prompt alone, for methods that write the answer themselves."""
    lengths = sheet.lengths
    return bucket(lengths.prompt.p99) if lengths and lengths.prompt else length


def _reference(sheet: Sheet) -> Literal["none", "adapter-off", "copy", "precomputed"]:
    """Where the reference model comes from: the adapter switched off, or scores worked out beforehand."""
    if sheet.objective not in ("dpo", "kto", *ON_POLICY):
        return "none"
    if sheet.adapter != "full":
        return "adapter-off"
    if sheet.objective == "dpo":
        return "precomputed"
    return "copy" if sheet.objective == "kto" else "none"


def _most_frugal(sheet: Sheet) -> Setup:
    *_, last = _ladder(sheet)
    return last


def _batches(sheet: Sheet, setup: Setup) -> list[int]:
    """Micro-batches worth trying, largest first."""
    forced = sheet.facts.spec.overrides.get("micro_batch")
    if isinstance(forced, int) and not isinstance(forced, bool):
        return [forced]
    devices = setup.devices * setup.nodes
    share = max(1, int(sheet.number("effective_batch", 16)) // devices)
    if sheet.objective in ON_POLICY:
        share = 8
    most = max(1, min(share, TOKENS_A_PASS // max(1, setup.seq_len + setup.completion_len)))
    least = 2 if sheet.objective == "kto" else 1  # KTO compares rows of one batch
    return [2**power for power in range(most.bit_length() - 1, -1, -1) if 2**power >= least] or [least]


def _accumulation(sheet: Sheet, setup: Setup, micro_batch: int) -> int:
    devices = setup.devices * setup.nodes
    return max(1, round(sheet.number("effective_batch", 16) / (micro_batch * devices)))


def _fetched(time: TimeEstimate, setup: Setup, sheet: Sheet) -> TimeEstimate:
    """The time with the weights fetched from the host for each pass, forward and backward, of each micro-batch."""
    if setup.offload == "none":
        return time
    moved = 2 * setup.architecture.parameters * BYTES_4BIT / (setup.devices * setup.nodes)
    more = time.steps * setup.grad_accum * moved / (sheet.device.link_gb_s * 1e9) / 3600
    hours = time.hours
    wider = Estimate(
        low=hours.low, likely=hours.likely + more, high=hours.high + 2 * more, unit="h", source=hours.source
    )
    return replace(time, hours=wider, parts_hours={**time.parts_hours, "offload": more})


def _largest_batch(setup: Setup, sheet: Sheet, room: float) -> Fit | None:
    """The setup with the largest micro-batch that fits; None where not even the smallest does."""
    device = sheet.device
    if weights_gib(setup) > room:
        return None
    batches = _batches(sheet, setup)
    low, high, held = 0, len(batches) - 1, None
    while low <= high:  # memory grows with the micro-batch
        middle = (low + high) // 2 if held is not None or low else low
        micro_batch = batches[middle]
        tried = replace(setup, micro_batch=micro_batch, grad_accum=_accumulation(sheet, setup, micro_batch))
        need = _memory(tried, device)
        host = sheet.machine.host_memory_gib
        if need.fits(room) and (tried.offload == "none" or (host is not None and need.host.high <= host)):
            held, high = (tried, need), middle - 1
        else:
            low = middle + 1
    if held is None:
        return None
    time = _fetched(_duration(held[0], device, workload(sheet)), held[0], sheet)
    return Fit(sheet=sheet, setup=held[0], memory=held[1], time=time, fits=True)
