"""Hyper-parameters that decide memory and speed: lengths, packing, precision, what is kept and what is recomputed."""

from __future__ import annotations

from ftc.advisor.sheet import Sheet
from ftc.advisor.values import Device, Setting

BUCKETS = (64, 96, 128, 192, 256, 384, 512, 768, 1024, 1536, 2048, 3072, 4096, 6144, 8192, 12288, 16384, 24576, 32768,
           49152, 65536, 98304, 131072)  # fmt: skip
GENERATION_ROOM = 1.5  # times the mean answer; a rule of thumb


def bucket(tokens: float) -> int:
    """The smallest bucket that holds `tokens`."""
    return next((each for each in BUCKETS if each >= tokens), BUCKETS[-1])


def longest(sheet: Sheet, share: str = "") -> float:
    """Tokens of the row at that percentile, prompt and completion.

    Without one: the longest row where that costs no more than twice the p99, so that nothing is cut; the p95 of data
    that is only described, whose tail is a guess.
    """
    lengths = sheet.lengths
    if not share and lengths is not None:
        share = "p95" if lengths.described else "p99"
        if not lengths.described and lengths.sequence and lengths.sequence.max <= 2 * bucket(lengths.sequence.p99):
            share = "max"
    if sheet.objective == "cpt":
        return 4096.0
    if lengths is None:
        return 1024.0
    if lengths.sequence is not None:
        return float(getattr(lengths.sequence, share or "p99"))
    parts = [each for each in (lengths.prompt, lengths.completion) if each is not None]
    return float(sum(getattr(each, share or "p99") for each in parts)) or 1024.0


def max_length(sheet: Sheet) -> Setting:
    """Tokens that a row may have."""
    context = sheet.model.context or BUCKETS[-1]
    if sheet.setup is not None:
        value = sheet.setup.seq_len
        because = _length_reason(sheet) if value >= longest(sheet) else "the longest that fits in memory"
    else:
        value, because = min(bucket(longest(sheet)), context), _length_reason(sheet)
    return Setting(value=value, origin="", low=64, high=context, because=because)


def _length_reason(sheet: Sheet) -> str:
    lengths = sheet.lengths
    if lengths is not None and lengths.described:
        return "p95 of what is described, rounded up"
    if lengths is not None and lengths.sequence and longest(sheet) >= lengths.sequence.max:
        return "the longest row, rounded up: nothing is cut"
    return "p99 of the rows, rounded up"


def packing(sheet: Sheet) -> Setting:
    """Several rows in one sequence."""
    why = ""
    length = sheet.number("max_length", 1024)
    batch = sheet.number("effective_batch", 16)
    packed_rows = sheet.rows * sheet.number("epochs", 1) * min(1.0, sheet.mean_tokens / length)
    if sheet.objective not in ("sft", "cpt"):
        why = "never for preference methods and rewards"
    elif not varlen(sheet.device):
        why = f"no attention that keeps packed rows apart on {sheet.device.name}"
    elif sheet.objective == "sft" and sheet.mean_tokens > length / 2:
        why = "rows fill more than half of the length already"
    elif packed_rows / batch < 100:
        why = "fewer than 100 steps would be left"
    return Setting(value=not why, origin="", because=why or "short rows would be mostly padding")


def varlen(device: Device) -> bool:
    """True where attention kernels of variable length run: CUDA from compute capability 8.0."""
    return device.kind == "cuda" and (device.compute_capability or 0) >= 8.0


def group_by_length(sheet: Sheet) -> Setting:
    """Rows of like length in one batch."""
    useful = sheet.objective == "sft" and not sheet.values.get("packing")
    return Setting(value=useful, origin="", because="less padding" if useful else "packed, or not for this method")


def loss_on(sheet: Sheet) -> Setting:
    """Which tokens are learned."""
    lengths = sheet.lengths
    if sheet.objective == "cpt":
        return Setting(value="all", origin="", because="raw text")
    if lengths is not None and lengths.turns > 1.2:
        return Setting(value="assistant", origin="", because=f"{lengths.turns:.1f} turns a row")
    return Setting(value="completion", origin="", because="the prompt is given, not to be learned")


def chunked_loss(sheet: Sheet) -> Setting:
    """Whether the logits are made in pieces."""
    useful = sheet.objective in ("sft", "cpt")
    return Setting(value=useful, origin="", because=f"a vocabulary of {sheet.model.vocab_size:,} times each token")


def dtype(sheet: Sheet) -> Setting:
    """In which numbers the model is held and multiplied."""
    value = precision(sheet.device)
    because = {"bf16": "the device has bf16", "fp16": "the device has no bf16", "fp32": "fastest on a CPU"}[value]
    return Setting(value=value, origin="", because=because)


def precision(device: Device) -> str:
    """The numbers that a device is best at."""
    if device.kind == "cpu":
        return "fp32"
    return "bf16" if device.bf16_tflops else "fp16"


def attention(sheet: Sheet) -> Setting:
    """Which attention kernel."""
    if sheet.values.get("packing"):
        return Setting(value="flash_attention_2", origin="", because="keeps packed rows apart")
    return Setting(value="sdpa", origin="", because="needs no further package")


def checkpointing(sheet: Sheet) -> Setting:
    """Whether activations are computed twice instead of kept."""
    on = sheet.setup is not None and sheet.setup.checkpointing == "full"
    return Setting(value=on, origin="", because="a third more arithmetic for the memory" if on else "all fits as it is")


def micro_batch(sheet: Sheet) -> Setting:
    """Rows of one forward pass on one device."""
    value = sheet.setup.micro_batch if sheet.setup else 1
    return Setting(
        value=value, origin="", low=1, high=sheet.number("effective_batch", 16), because="the most that fits"
    )


def gradient_accumulation(sheet: Sheet) -> Setting:
    """Forward passes of one optimiser step."""
    devices = sheet.machine.devices if sheet.setup is None else sheet.setup.devices * sheet.setup.nodes
    whole = sheet.number("effective_batch", 16)
    value = max(1, round(whole / (sheet.number("micro_batch", 1) * devices)))
    because = f"{whole:g} rows / ({sheet.number('micro_batch', 1):g} a pass x {devices} devices)"
    return Setting(value=value, origin="", low=1, because=because)
