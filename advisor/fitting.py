"""One stage on one machine: the setups worth trying, and which of them fit.

A level is a rank and a length of rows; levels go from what the rules ask for to what is given up last (rows that lose
their end). Within a level: sharding, optimiser, checkpointing, micro-batch.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import islice
from typing import Literal

from ftc.advisor import reading
from ftc.advisor.ceilings import usable_gib
from ftc.advisor.duration import duration
from ftc.advisor.memory import bound_gib, memory, static_gib, weights_gib
from ftc.advisor.rules.registry import SETTINGS_FIRST
from ftc.advisor.rules.settings_adapter import LEAST_RANK, holds
from ftc.advisor.rules.settings_shape import bucket, longest, precision, varlen
from ftc.advisor.sheet import Sheet
from ftc.advisor.values import Checkpointing, MemoryEstimate, Setup, Sharding, TimeEstimate, Workload
from ftc.spec.estimate import Estimate
from ftc.spec.model import Scalar

ON_POLICY = ("grpo", "rloo")
TOKENS_A_PASS = 8192  # of one micro-batch: beyond, memory grows and speed does not (rates of large products are flat)
LEAST_LENGTH = 0.5  # of the length that the rule asks for: shorter, and too many rows lose their end
BYTES_4BIT = 0.52  # a parameter, with its share of scales. Source: QLoRA, arXiv 2305.14314, section 3

# What moves during a step, over its lower bound: where activations are kept, where they are computed twice. Measured on
# ftc's own estimates over the catalogue; only the order of trying depends on it.
LIKELY_OVER_BOUND = {"none": 1.6, "full": 2.0}
CLEARLY_OVER = 1.08  # the guess, set right by one estimate, is within a few percent
LOOKS = 2  # estimates of what is likely to fit before the most frugal setup is looked at

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


def quick_fit(sheet: Sheet) -> Fit:
    """The setup that the rules would like best of those that fit; the most frugal one, marked, where none does.

    Complete for memory, in few estimates: what is likely to fit is looked at first, then the most frugal setup of all.
    Only where that one fits and the likely ones did not is everything between them gone through.
    """
    for setup in islice(_likely(sheet), LOOKS):
        held = _held(sheet, setup)
        if held is not None:
            return held
    frugal = _unfit(sheet)
    if frugal.fits:
        for level in range(levels(sheet)):
            for setup in _setups(sheet, level):
                for micro_batch in _batches(sheet, setup):
                    tried = _with_batch(sheet, setup, micro_batch)
                    held = None if _out_of_reach(sheet, tried, frugal) else _held(sheet, tried)
                    if held is not None:
                        return held
    return frugal


def _out_of_reach(sheet: Sheet, setup: Setup, frugal: Fit) -> bool:
    """True where the guess, set right by what the most frugal setup really takes, is clearly over what there is."""
    right = frugal.memory.device.high / likely_gib(frugal.setup, frugal.setup.micro_batch)
    return right * likely_gib(setup, setup.micro_batch) > CLEARLY_OVER * usable_gib(sheet.machine)


def _likely(sheet: Sheet) -> Iterator[Setup]:
    """Setups that should fit by the guess, in the order in which the rules like them."""
    room = usable_gib(sheet.machine)
    for level in range(levels(sheet)):
        for setup in _setups(sheet, level):
            for micro_batch in _batches(sheet, setup):
                if likely_gib(setup, micro_batch) <= room:
                    yield _with_batch(sheet, setup, micro_batch)


def tightness(sheet: Sheet) -> float:
    """What the most frugal setup asks for, by the guess, over what there is: clearly above 1 never fits."""
    frugal = _frugal(sheet)[-1]
    return likely_gib(frugal, frugal.micro_batch) / usable_gib(sheet.machine)


def _frugal(sheet: Sheet) -> tuple[Setup, ...]:
    """What asks for least, without and with weights waiting in the host's memory."""
    last = [each for each in _setups(sheet, levels(sheet) - 1) if each.checkpointing == "full" or _forced(sheet)]
    return tuple(_with_batch(sheet, each, _batches(sheet, each)[-1]) for each in last[-2:])


def likely_gib(setup: Setup, micro_batch: int) -> float:
    """A guess at the peak from its lower bound, good enough to choose what to estimate first."""
    static = static_gib(setup)
    moving = bound_gib(replace(setup, micro_batch=micro_batch)) - static
    return static + LIKELY_OVER_BOUND[setup.checkpointing] * moving + 0.8


def fitting(sheet: Sheet, level: int) -> Iterator[Fit]:
    """Every setup of that level that fits, the fastest first; memory is looked at only when one is asked for."""
    frugal = _unfit(sheet)
    for time, setup in sorted(_timed(sheet, level), key=lambda pair: pair[0].hours.likely):
        held = None if _out_of_reach(sheet, setup, frugal) else _held(sheet, setup, time)
        if held is not None:
            yield held


def least_time(sheet: Sheet, level: int) -> float:
    """Hours of the fastest setup of that level, whether it fits or not: nothing can be faster."""
    return min(time.hours.likely for time, _ in _timed(sheet, level))


def hopeful_hours(sheet: Sheet) -> float:
    """Hours of the setup that should be fastest if memory did not matter, less a fifth: few setups are faster."""
    load = workload(sheet)
    hours = []
    for level in {0, levels(sheet) - 1}:
        setup = next(_setups(sheet, level))
        fast = _with_batch(sheet, setup, _batches(sheet, setup)[0])
        hours.append(_duration(fast, sheet.device, load).hours.likely)
    return 0.8 * min(hours)


def _timed(sheet: Sheet, level: int) -> list[tuple[TimeEstimate, Setup]]:
    """Every setup of that level with its time."""
    load = workload(sheet)
    tried = [
        _with_batch(sheet, setup, micro_batch)
        for setup in _setups(sheet, level)
        for micro_batch in _batches(sheet, setup)
    ]
    return [(_fetched(_duration(setup, sheet.device, load), setup, sheet), setup) for setup in tried]


def _forced(sheet: Sheet) -> bool:
    """True where the spec decides about checkpointing."""
    return sheet.forced("checkpointing") is not None


def _need(setup: Setup, sheet: Sheet) -> MemoryEstimate:
    """The memory, asked for so that setups which take the same share an answer: copies do not add up, nor do passes."""
    alike = setup
    if setup.objective not in ON_POLICY and setup.grad_accum > 2:
        alike = replace(alike, grad_accum=2)
    if setup.sharding == "ddp" and (setup.devices, setup.nodes) != (2, 1):
        alike = replace(alike, devices=2, nodes=1)
    return _memory(alike, sheet.device)


def levels(sheet: Sheet) -> int:
    """How many levels there are."""
    return len(_ranks_and_lengths(sheet))


def _held(sheet: Sheet, setup: Setup, time: TimeEstimate | None = None) -> Fit | None:
    """The setup, if it fits."""
    if weights_gib(setup) > usable_gib(sheet.machine):
        return None
    need = _need(setup, sheet)
    if not _has_room(sheet, setup, need):
        return None
    time = time or _fetched(_duration(setup, sheet.device, workload(sheet)), setup, sheet)
    return Fit(sheet=sheet, setup=setup, memory=need, time=time, fits=True)


def _unfit(sheet: Sheet) -> Fit:
    """What asks for least, with what it takes; `fits` says whether it does after all."""
    for setup in reversed(_frugal(sheet)):
        held = _held(sheet, setup)
        if held is not None:
            return held
    setup = _frugal(sheet)[0]
    time = _duration(setup, sheet.device, workload(sheet))
    return Fit(sheet=sheet, setup=setup, memory=_need(setup, sheet), time=time, fits=False)


def _has_room(sheet: Sheet, setup: Setup, need: MemoryEstimate) -> bool:
    """True where the device has room at worst, and the host as well for what waits there."""
    host = sheet.machine.host_memory_gib
    waits = setup.offload == "none" or (host is not None and need.host.high <= host)
    room = usable_gib(sheet.machine)
    return waits and need.fits(room) and bound_gib(setup) <= room


def first_values(sheet: Sheet) -> Sheet:
    """The sheet with everything settled that memory and time depend on."""
    values: dict[str, Scalar] = {}
    filling = replace(sheet, values=values)  # sees each value as soon as it is there
    for rule in SETTINGS_FIRST:
        forced = sheet.forced(rule.name)
        if forced is not None:
            values[rule.name] = forced[1]
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


def _setups(sheet: Sheet, level: int) -> Iterator[Setup]:
    """The setups of one level, from the fastest to the most frugal, each with a micro-batch of one."""
    rank, length = _ranks_and_lengths(sheet)[level]
    for optimizer in _optimizers(sheet):
        for sharding in _shardings(sheet):
            for checkpointing in _checkpointings(sheet):
                yield _setup(sheet, rank, length, optimizer, sharding, checkpointing)
    if _may_offload(sheet):
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
    fixed = sheet.forced("lora.rank") is not None or sheet.adapter == "full"
    least = rank if fixed or not holds(sheet, LEAST_RANK) else min(rank, LEAST_RANK)
    return [(rank, lengths[0]), *((least, length) for length in lengths if (least, length) != (rank, lengths[0]))]


def _lengths(sheet: Sheet) -> tuple[int, ...]:
    """The length that the rule asks for, then those that cut the longest hundredth, twentieth and tenth."""
    whole = int(sheet.number("max_length", 1024))
    if sheet.forced("max_length") is not None or sheet.objective == "cpt":
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
    forced = sheet.forced("checkpointing")
    if forced is not None:
        return ("full",) if forced[1] else ("none",)
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
        lora_dropout=sheet.number("lora.dropout", 0.0),
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
    return "none" if sheet.objective == "grpo" else "copy"  # GRPO has no leash by default


def _batches(sheet: Sheet, setup: Setup) -> list[int]:
    """Micro-batches worth trying, largest first."""
    forced = sheet.forced("micro_batch")
    if forced is not None and isinstance(forced[1], int):
        return [forced[1]]
    devices = setup.devices * setup.nodes
    share = max(1, int(sheet.number("effective_batch", 16)) // devices)
    if sheet.objective in ON_POLICY:
        share *= setup.generations  # a pass is over answers
    most = max(1, min(share, TOKENS_A_PASS // max(1, setup.seq_len + setup.completion_len)))
    least = 2 if sheet.objective == "kto" else 1  # KTO compares rows of one batch
    return [2**power for power in range(most.bit_length() - 1, -1, -1) if 2**power >= least] or [least]


def _with_batch(sheet: Sheet, setup: Setup, micro_batch: int) -> Setup:
    """The setup with that micro-batch, at the effective batch that was settled."""
    return replace(setup, micro_batch=micro_batch, grad_accum=_accumulation(sheet, setup, micro_batch))


def _accumulation(sheet: Sheet, setup: Setup, micro_batch: int) -> int:
    devices = setup.devices * setup.nodes
    rows = sheet.number("effective_batch", 16) * (setup.generations or 1)
    return max(1, round(rows / (micro_batch * devices)))


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
