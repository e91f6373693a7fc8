"""What it takes to look for a prompt and to score it: nothing is trained, rows are asked.

Memory is weights, the cache of keys and values, and the logits of one token; time is reading prompts and writing
answers, `speed.py` knows both.
"""

from __future__ import annotations

import math

from ftc.advisor import reading
from ftc.advisor.cost import cost
from ftc.advisor.memory.flow import BYTES
from ftc.advisor.memory.static import weights
from ftc.advisor.model_choice import ranked
from ftc.advisor.models import ENDPOINT
from ftc.advisor.rules.settings_shape import precision
from ftc.advisor.speed import forward_seconds, token_seconds
from ftc.advisor.values import Architecture, Candidate, Facts, Machine, MemoryEstimate, Setup, TimeEstimate
from ftc.spec.estimate import Estimate
from ftc.spec.profile import SetProfile

ROWS_AT_ONCE = 16  # rows that are answered together
SHOWN = 8  # examples in the longest prompt that is tried
UNKNOWN = 256.0  # tokens of a row where nobody knows
START_S = 14.0  # importing transformers, building the model; measured with a warm disk cache
CONTEXT_GIB = 0.5  # what a CUDA context takes. Source: nvidia-smi on an idle PyTorch process, cards of 2018 to 2024
WIDE = 1.6  # transformers' loop against what is reckoned, nine times in ten: as for generation in training
REQUESTS_AT_ONCE = 8  # as runtime/prompting/endpoint.py sends them
ANSWER_SECONDS = (0.3, 1.5, 10.0)  # of one answer: a rule of thumb between small models nearby and busy large ones
SOURCE = "weights, cache and FLOPs of asking (ftc)"


def prompted(facts: Facts, tries: int) -> Candidate | None:
    """Prompting on the first model and machine that hold it; `tries` prompts are tried on a tenth of the rows at most.

    None where there is no model or no machine.
    """
    asked = reading.wanted(facts)
    if asked is not None and asked.id.startswith(ENDPOINT):
        return _behind(facts, asked, facts.machines[0], tries) if facts.machines else None
    for model in ranked(facts)[:1]:
        for machine in facts.machines:
            found = _on(facts, model, machine, tries)
            if found.feasible:
                return found
    return None


def _behind(facts: Facts, model: Architecture, machine: Machine, tries: int) -> Candidate:
    """Prompting a model behind an endpoint: what it bills is not known here, and no memory is taken on the machine."""
    setup = Setup(
        architecture=model, adapter="none", seq_len=model.context, micro_batch=ROWS_AT_ONCE, weights="bf16",
        compute="bf16", kbit_upcast=False,
    )  # fmt: skip
    rows = _asked_rows(facts, tries)
    low, likely, high = (rows * each / REQUESTS_AT_ONCE / 3600 for each in ANSWER_SECONDS)
    nothing = Estimate(low=0.0, likely=0.0, high=0.0, unit="GiB", source="the model is elsewhere")
    host = Estimate(low=0.3, likely=0.5, high=1.0, unit="GiB", source="a Python process that waits for answers (ftc)")
    speed = Estimate(low=0.0, likely=0.0, high=0.0, unit="tokens/s", source="the endpoint's owner knows")
    hours = Estimate(low=low, likely=likely, high=high, unit="h", source="a rule of thumb for endpoints (ftc)")
    time = TimeEstimate(
        hours=hours, tokens_per_second_per_gpu=speed, steps=0, bound="memory", parts_hours={"evaluation": likely}
    )
    memory = MemoryEstimate(allocated=nothing, reserved=nothing, device=nothing, host=host, breakdown={})
    return Candidate(
        method="prompt", adapter="none", model=model.id, machine=machine, setup=setup, memory=memory, time=time,
        usd=cost(time, machine), feasible=True, why_not="",
    )  # fmt: skip


def _asked_rows(facts: Facts, tries: int) -> int:
    """Rows that are answered: the held-out ones twice, and some for each prompt that is tried."""
    rows = facts.profile.demonstrations or facts.profile.evaluation
    held_out = facts.profile.held_out_rows or (rows.rows if rows else 0)
    return 2 * held_out + tries * min(held_out, 100)


def _on(facts: Facts, model: Architecture, machine: Machine, tries: int) -> Candidate:
    rows = facts.profile.demonstrations or facts.profile.evaluation
    numbers = precision(machine.device)
    setup = Setup(
        architecture=model, adapter="none", seq_len=_length(rows, model), micro_batch=ROWS_AT_ONCE,
        weights=numbers, compute=numbers, kbit_upcast=False,  # type: ignore[arg-type]
    )  # fmt: skip
    memory = _memory(setup, machine)
    time = _time(facts, setup, machine, tries)
    usd = cost(time, machine)
    budget = facts.spec.budget.usd
    fits = memory.fits(machine.device.memory_gib)
    paid = budget is None or usd.low <= budget
    why = "" if fits and paid else "does not fit" if not fits else "over budget"
    return Candidate(
        method="prompt", adapter="none", model=model.id, machine=machine, setup=setup, memory=memory, time=time,
        usd=usd, feasible=fits and paid, why_not=why,
    )  # fmt: skip


def _length(rows: SetProfile | None, model: Architecture) -> int:
    """Tokens of the longest prompt: a question with examples before it."""
    one = reading.mean_tokens(rows.sequence) if rows else 0.0
    longest = rows.sequence.p99 if rows and rows.sequence else UNKNOWN
    return min(model.context, math.ceil(longest + SHOWN * (one or UNKNOWN)))


def _memory(setup: Setup, machine: Machine) -> MemoryEstimate:
    model, gib = setup.architecture, 2.0**30
    size = BYTES[setup.weights]
    cache = 2 * model.layers * model.kv_heads * model.head_dim * size * setup.seq_len * ROWS_AT_ONCE / gib
    parts = {"weights": weights(setup) / gib, "activations": cache, "logits": model.vocab_size * 4 * ROWS_AT_ONCE / gib}
    allocated = sum(parts.values())
    context = CONTEXT_GIB if machine.device.kind == "cuda" else 0.0

    def gibs(likely: float) -> Estimate:
        return Estimate(low=0.9 * likely, likely=likely, high=1.15 * likely, unit="GiB", source=SOURCE)

    return MemoryEstimate(
        allocated=gibs(allocated), reserved=gibs(1.05 * allocated), device=gibs(1.05 * allocated + context),
        host=gibs(parts["weights"] + 1.0), breakdown={**parts, "overhead": 0.05 * allocated + context},
    )  # fmt: skip


def _time(facts: Facts, setup: Setup, machine: Machine, tries: int) -> TimeEstimate:
    rows = facts.profile.demonstrations or facts.profile.evaluation
    asked = _asked_rows(facts, tries)
    answer = reading.mean_tokens(rows.completion) if rows else UNKNOWN
    read = forward_seconds(setup, machine.device, float(asked) * setup.seq_len, setup.seq_len)
    write = math.ceil(asked / ROWS_AT_ONCE) * (answer or 16.0) * token_seconds(setup, machine.device, ROWS_AT_ONCE)
    loading = START_S + setup.architecture.parameters * 2 / 1e9
    hours = (read + write + 3 * loading) / 3600
    tokens = asked * (setup.seq_len + answer)
    speed = tokens / max(1e-9, read + write)
    return TimeEstimate(
        hours=Estimate(low=hours / WIDE, likely=hours, high=hours * WIDE, unit="h", source=SOURCE),
        tokens_per_second_per_gpu=Estimate(
            low=speed / WIDE, likely=speed, high=speed * WIDE, unit="tokens/s", source=SOURCE
        ),
        steps=0,
        bound="memory",
        parts_hours={"loading": 3 * loading / 3600, "evaluation": (read + write) / 3600},
    )
