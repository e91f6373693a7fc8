"""Warnings about memory, time and money: what the wish lacked, and what the fit depends on."""

from __future__ import annotations

from ftc.advisor import reading
from ftc.advisor.ceilings import usable_gib
from ftc.advisor.reading import has
from ftc.advisor.rules.choice import Choice
from ftc.advisor.rules.finding import warn
from ftc.advisor.rules.warnings_data import (
    LARGE_MODEL,
    MINUTES_A_COMPARISON,
    SMALL_CARD_GIB,
    USD_A_PERSON_HOUR,
)
from ftc.advisor.values import Device, Finding

LOGITS_BYTES = 14  # a token and word: logits, fp32 copy, softmax, gradient. Source: measured by tracing transformers
LOGITS_SHARE = 0.08  # of a card, from which the unfused loss counts; a rule of thumb
LONG_HOURS = 8.0
DEADLINE_SHARE = 0.1
FULL_BYTES = 16  # a parameter: weights, gradients, master weights and two moments. Source: LLaMA-Factory, stas00
SLOW_CPU_MODEL = 1e9


def _device(choice: Choice) -> Device | None:
    if choice.candidate is not None and choice.candidate.machine is not None:
        return choice.candidate.machine.device
    return choice.facts.machines[0].device if choice.facts.machines else None


def memory_shortfall(choice: Choice) -> Finding | None:
    """What was asked for does not fit the memory.

    What it checks
        The wish as written (the model in 16 bit, or all of its weights) against the memory of the machine; a
        preference for full tuning against 16 bytes a parameter.
    Why it matters
        An out-of-memory error comes after the download, not before.
    When it is wrong
        The card has more memory than its name says: give `hardware.memory_gib`.
    Evidence
        - LLaMA-Factory, README hardware table: 18 bytes a parameter for full tuning in mixed precision, 8 in pure bf16
        - stas00/ml-engineering: 18 bytes a parameter
        - QLoRA, arXiv 2305.14314: about half a byte a parameter for the frozen base
    Example
        70B fully on 4 x 80 GB: 1,129 GB in mixed precision, 565 in pure bf16, 320 are there.
    """
    if "memory" in choice.short and choice.asked is not None:
        return warn(f"{choice.asked.method} on {choice.asked.model}: {choice.asked.why_not}")
    model = choice.model or reading.wanted(choice.facts)
    if has(choice.facts, "prefers-full") and choice.adapter != "full" and model is not None:
        needed = model.parameters * FULL_BYTES / 2**30
        there = max((usable_gib(each) * each.devices for each in choice.facts.machines), default=0.0)
        if needed > there:
            return warn(f"all weights of {model.id} take {needed:.0f} GiB in mixed precision, {there:.0f} are there")
    return None


def compute_shortfall(choice: Choice) -> Finding | None:
    """What was asked for takes longer than there is time.

    What it checks
        Hours of the wish against the deadline and the budget of hours, models of a billion parameters on a CPU, and
        training without any machine.
    Why it matters
        Offloading makes room and loses time; a deadline is missed on arithmetic alone.
    When it is wrong
        The machine is faster than the built-in efficiency: `ftc calibrate` learns from your runs.
    Evidence
        - pytorch/torchtune README: 70B fully on 8 x A100 with offloading, 1,568 tokens a second
        - Rule of thumb: 6 FLOPs a parameter and token, at 30 to 45 % of the peak.
    Example
        2 B tokens through 70B on 4 A100: 20 days at 40 % of the peak, 7 allowed.
    """
    device, model = _device(choice), choice.model or reading.wanted(choice.facts)
    if "time" in choice.short and choice.asked is not None:
        return warn(f"{choice.asked.method} on {choice.asked.model}: {choice.asked.why_not}")
    if device is not None and device.kind == "cpu" and model is not None and model.parameters >= SLOW_CPU_MODEL:
        return warn(f"{model.parameters / 1e9:.1f} B parameters on a CPU: for small models only")
    if choice.method == "infeasible" and not choice.facts.machines:
        return warn("there is no machine to train on")
    on_policy = choice.facts.spec.method in ("grpo", "rlhf") or has(choice.facts, "wants-ppo", "wants-grpo")
    if on_policy and "memory" in choice.short:
        return warn("generating while training takes more machines than these")
    if has(choice.facts, "wants-ppo") and choice.method != "rlhf" and reading.devices(choice.facts) < 8:
        return warn(f"a reward model, a policy and its sampling want 8 GPUs; {reading.devices(choice.facts)} are there")
    return None


def budget_infeasible(choice: Choice) -> Finding | None:
    """What was asked for costs more than there is money.

    What it checks
        The price of the wish against `budget.usd`, renting with no money at all, and comparisons that people have
        still to make.
    Why it matters
        The run would stop at the ceiling, with the money gone.
    When it is wrong
        Another provider is cheaper: prices of one chip differ by a factor of four.
    Evidence
        - Price lists of RunPod, Lambda, AWS and Azure for the H100, November 2026: 2.69 to 12.29 USD an hour
        - Rule of thumb: two minutes and $0.70 a comparison.
    Example
        $200 for reinforcement on a 70B model: out of reach; DPO on an 8B costs $20.
    """
    facts = choice.facts
    budget = facts.spec.budget.usd
    if "money" in choice.short and choice.asked is not None:
        return warn(f"{choice.asked.method} on {choice.asked.model}: {choice.asked.why_not}")
    if budget is None:
        return None
    if facts.spec.hardware.kind == "cloud" and budget == 0:
        return warn("rented machines and budget.usd: 0")
    if facts.spec.hardware.kind == "none" and budget == 0 and choice.method == "infeasible":
        return warn("no machine is owned, and budget.usd: 0 rents none")
    kind = reading.feedback_type(facts)
    if kind == "to-collect" or (kind == "none" and has(facts, "human-labels") and choice.method == "needs-data"):
        rows = reading.feedback_rows(facts) or (10_000 if has(facts, "wants-ppo") else 500)
        usd = rows * MINUTES_A_COMPARISON / 60 * USD_A_PERSON_HOUR
        if usd > budget:
            return warn(f"{rows:,} comparisons cost about ${usd:,.0f}, ${budget:,.0f} are there", usd=usd)
    return None


def fused_loss(choice: Choice) -> Finding | None:
    """Make the logits in pieces.

    What it checks
        What the logits of one micro-batch would take unfused: tokens x vocabulary x 14 bytes, against the card and
        against what the setup leaves of it.
    Why it matters
        With a vocabulary of 150,000 words a thousand tokens take 2 GB before any layer is counted.
    When it is wrong
        A trainer whose loss is fused by default.
    Evidence
        - TRL: chunked loss takes 30 to 50 % off the peak; Liger kernels up to 60 %
        - QwenLM/Qwen, Q-LoRA memory table: the unfused stack takes 12.3 GB at 1,024 tokens for a 7B model
    Example
        Qwen2.5-7B, 1,536 tokens: 3 GiB of logits on a card of 12.
    """
    candidate = choice.candidate
    if candidate is None or candidate.setup is None or candidate.machine is None:
        return None
    setup, room = candidate.setup, candidate.machine.device.memory_gib
    tokens = setup.micro_batch * (setup.seq_len + setup.completion_len)
    logits = tokens * setup.architecture.vocab_size * LOGITS_BYTES / 2**30
    spare = room - (candidate.memory.device.high if candidate.memory else 0.0)
    if logits < min(LOGITS_SHARE * room, spare):
        return None
    return warn(
        f"unfused logits would take {logits:.1f} GiB of {room:.0f}: the loss is made in chunks", gib=round(logits, 2)
    )


def small_batch(choice: Choice) -> Finding | None:
    """Few rows at a time.

    What it checks
        A micro-batch of one or two rows, and cards of up to 16 GB under models of 3B and more.
    Why it matters
        The effective batch is kept by accumulating; speed suffers, and methods that compare rows of one batch (KTO)
        need several.
    When it is wrong
        Rows are so long that one fills the device.
    Evidence
        - Unsloth, LLaMA-Factory and axolotl memory tables: minima are given at batch size 1
        - TRL, KTO: more than one row a device
    Example
        12 GB and a 7B model: one row at a time, 16 accumulated.
    """
    candidate = choice.candidate
    if candidate is None or candidate.setup is None or candidate.machine is None or choice.model is None:
        return None
    setup, device = candidate.setup, candidate.machine.device
    said = f"{setup.micro_batch} rows a pass, {setup.grad_accum} passes a step"
    if setup.micro_batch <= 2 and setup.grad_accum > 1:
        return warn(said, micro_batch=setup.micro_batch)
    if device.kind == "cuda" and device.memory_gib < SMALL_CARD_GIB and choice.model.parameters >= LARGE_MODEL:
        return warn(
            f"{said}; on {device.memory_gib:.0f} GiB start from one row and accumulate", micro_batch=setup.micro_batch
        )
    return None


def no_bf16(choice: Choice) -> Finding | None:
    """The card has no bf16.

    What it checks
        CUDA devices before compute capability 8.0 (T4, V100).
    Why it matters
        fp16 overflows where bf16 does not: loss scaling is needed, and models trained in bf16 may give NaN.
    When it is wrong
        Training in fp32, where the model is small.
    Evidence
        - NVIDIA data sheets of T4 and V100: fp16 tensor cores, no bf16
    Example
        T4: fp16 with loss scaling, gradient norm clipped at 0.3.
    """
    device = _device(choice)
    if device is None or device.kind != "cuda" or device.bf16_tflops:
        return None
    return warn(f"{device.name}: fp16 with loss scaling; watch for NaN")


def mlx_backend(choice: Choice) -> Finding | None:
    """No CUDA: another back end.

    What it checks
        Apple silicon, AMD cards, and the constraint `no-cuda`.
    Why it matters
        The 4-bit path of bitsandbytes is centred on CUDA. On a Mac, MLX trains LoRA on a quantised base; it is a
        different program from the one that runs here.
    When it is wrong
        A recent ROCm build of bitsandbytes on an AMD data-centre card.
    Evidence
        - ml-explore/mlx-lm, LORA.md: Mistral-7B, 4 layers, batch 1, about 250 tokens a second on an M1 Max
    Example
        An M2 Max with 64 GB: LoRA through MLX.
    """
    device = _device(choice)
    kind = device.kind if device else ""
    if kind in ("mps", "rocm") or has(choice.facts, "no-cuda"):
        name = device.name if device else "no CUDA"
        return warn(f"{name}: bitsandbytes is centred on CUDA; on Apple silicon use MLX (mlx-lm) for LoRA and 4 bit")
    return None


def time_estimate(choice: Choice) -> Finding | None:
    """Mind the time.

    What it checks
        Runs of eight hours or more, of a tenth of what is allowed, on slow devices, and methods that generate while
        they train.
    Why it matters
        Time estimates are good to about a third; generation and slow devices make them worse.
    When it is wrong
        `ftc run --probe` has measured a few steps on the machine itself.
    Evidence
        - OpenRLHF README: about 80 % of the time of RLHF is generation
        - ml-explore/mlx-lm, LORA.md: about 250 tokens a second on an M1 Max
        - Rule of thumb: 8 hours, a tenth of the deadline.
    Example
        5,000 rows of 500 tokens three times at 250 tokens a second: 8.3 hours.
    """
    candidate = choice.candidate or choice.asked
    if candidate is None or candidate.time is None or candidate.machine is None:
        return None
    hours = candidate.time.hours
    said = f"{hours.likely:.1f} h ({hours.low:.1f} to {hours.high:.1f})"
    device = candidate.machine.device
    if device.kind in ("cpu", "mps") or (device.kind == "cuda" and not device.bf16_tflops):
        return warn(f"{said} on {device.name}: measure a few steps first (ftc run --probe)")
    if choice.method in ("grpo", "rlhf", "cpt+sft"):
        return warn(f"{said}, much of it {'generating' if choice.method != 'cpt+sft' else 'reading the corpus'}")
    ends = (choice.facts.spec.budget.hours, (choice.facts.spec.budget.deadline_days or 0) * 24)
    allowed = min((each for each in ends if each), default=0.0)
    if hours.likely >= LONG_HOURS or (allowed and hours.high >= DEADLINE_SHARE * allowed):
        return warn(f"{said}{f' of {allowed:.0f} h allowed' if allowed else ''}")
    return None


TABLE = (
    ("F220", "memory_shortfall", memory_shortfall),
    ("C220", "compute_shortfall", compute_shortfall),
    ("C221", "budget_infeasible", budget_infeasible),
    ("F221", "fused_loss", fused_loss),
    ("F222", "small_batch", small_batch),
    ("F223", "no_bf16", no_bf16),
    ("F224", "mlx_backend", mlx_backend),
    ("C222", "time_estimate", time_estimate),
)
