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
    """Tokens that a row may have.

    What it checks
        The longest row, where that is at most twice the bucket of the p99; the p99 otherwise; the p95 of data
        that is only described. Rounded up to a bucket, at most what the model reads. Shorter only where nothing
        longer fits.
    Why it matters
        What is cut off is the end of the row, and that is the answer. Memory grows with it.
    When it is wrong
        The longest rows are faults.
    Evidence
        - TRL, sft_config.py: rows beyond max_length (1,024 by default) are truncated silently
        - TRL, reducing_memory_usage: profile the lengths
        - Rule of thumb: p95 to p99.
    Example
        p99 1,830, longest 2,400: 3,072.
    """
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
    """Several rows in one sequence.

    What it checks
        Raw text always: documents are joined and cut. SFT on cards with attention of variable length (CUDA from
        8.0), where the mean row fills at most half of the length and at least 100 steps are left.
    Why it matters
        Short rows in long batches are mostly padding: packing made training 2.4 times as fast in a published
        ablation. Without masks rows would read each other; preference methods need rows in pairs.
    When it is wrong
        The trainer packs without masks.
    Evidence
        - pytorch/torchtune README: 2,091 to 7,075 tokens a second with packing
        - Brown et al. 2020, arXiv 2005.14165: documents fill whole sequences, without masks between them
        - TRL documentation: packing breaks rows when wrapped
        - axolotl documentation: sample_packing false for all preference methods
    Example
        8,000 rows of 150 tokens under a length of 512 on an A100: on.
    """
    why = ""
    length = sheet.number("max_length", 1024)
    batch = sheet.number("effective_batch", 16)
    packed_rows = sheet.rows * sheet.number("epochs", 1) * min(1.0, sheet.mean_tokens / length)
    if sheet.objective == "cpt":
        return Setting(value=True, origin="", because="documents are joined, and cut into full sequences")
    if sheet.objective != "sft":
        why = "never for preference methods and rewards"
    elif not varlen(sheet.device):
        why = f"no attention that keeps packed rows apart on {sheet.device.name}"
    elif sheet.mean_tokens > length / 2:
        why = "rows fill more than half of the length already"
    elif packed_rows / batch < 100:
        why = "fewer than 100 steps would be left"
    return Setting(value=not why, origin="", because=why or "short rows would be mostly padding")


def varlen(device: Device) -> bool:
    """True where attention kernels of variable length run: CUDA from compute capability 8.0."""
    return device.kind == "cuda" and (device.compute_capability or 0) >= 8.0


def group_by_length(sheet: Sheet) -> Setting:
    """Rows of like length in one batch.

    What it checks
        SFT without packing.
    Why it matters
        A batch is as long as its longest row; like with like wastes little.
    When it is wrong
        Length tells the label: then batches are one-sided.
    Evidence
        - transformers documentation, group_by_length
    Example
        On for short rows on a CPU.
    """
    useful = sheet.objective == "sft" and not sheet.values.get("packing")
    return Setting(value=useful, origin="", because="less padding" if useful else "packed, or not for this method")


def loss_on(sheet: Sheet) -> Setting:
    """Which tokens are learned.

    What it checks
        The last answer for prompts with one completion, every assistant turn for conversations, everything for
        raw text.
    Why it matters
        The prompt is given at run time; learning it spends capacity on what nobody asks for.
    When it is wrong
        Very short completions after long, varied prompts: some loss on the prompt can steady training.
    Evidence
        - rlhf-book, chapter 4, prompt masking
        - axolotl: train_on_inputs false
    Example
        completion.
    """
    lengths = sheet.lengths
    if sheet.objective == "cpt":
        return Setting(value="all", origin="", because="raw text")
    if lengths is not None and lengths.turns > 1.2:
        return Setting(value="assistant", origin="", because=f"{lengths.turns:.1f} turns a row")
    return Setting(value="completion", origin="", because="the prompt is given, not to be learned")


def chunked_loss(sheet: Sheet) -> Setting:
    """Whether the logits are made in pieces.

    What it checks
        Imitation and continued pre-training: on.
    Why it matters
        Logits take tokens x vocabulary x 14 bytes at once otherwise, often more than all layers together.
    When it is wrong
        The vocabulary is small.
    Evidence
        - TRL: chunked loss takes 30 to 50 % off the peak; Liger kernels up to 60 %
    Example
        On.
    """
    useful = sheet.objective in ("sft", "cpt")
    return Setting(value=useful, origin="", because=f"a vocabulary of {sheet.model.vocab_size:,} times each token")


def dtype(sheet: Sheet) -> Setting:
    """In which numbers the model is held and multiplied.

    What it checks
        bf16 where the device has it, fp16 on older cards, fp32 on a CPU.
    Why it matters
        bf16 has the range of fp32 at half the size; CPUs are several times slower in it.
    When it is wrong
        A CPU with AMX: bf16 is fast there.
    Evidence
        - NVIDIA data sheets: bf16 from compute capability 8.0
        - Rule of thumb: measured by ftc on a CPU without AMX, bf16 is about five times slower than fp32.
    Example
        fp16 on a T4.
    """
    value = precision(sheet.device)
    because = {"bf16": "the device has bf16", "fp16": "the device has no bf16", "fp32": "fastest on a CPU"}[value]
    return Setting(value=value, origin="", because=because)


def precision(device: Device) -> str:
    """The numbers that a device is best at."""
    if device.kind == "cpu":
        return "fp32"
    return "bf16" if device.bf16_tflops else "fp16"


def attention(sheet: Sheet) -> Setting:
    """Which attention kernel.

    What it checks
        Flash attention where demonstrations are packed, PyTorch's own otherwise.
    Why it matters
        Packed rows are kept apart only by kernels of variable length; the other needs no further package.
    When it is wrong
        flash-attn is not installed on the machine: packing is off then.
    Evidence
        - TRL documentation, packing: FlashAttention 2 or 3
        - axolotl documentation: packing with SDPA in bf16 can give a loss of 0
    Example
        sdpa.
    """
    if sheet.values.get("packing") and sheet.objective != "cpt":
        return Setting(value="flash_attention_2", origin="", because="keeps packed rows apart")
    return Setting(value="sdpa", origin="", because="needs no further package")


def checkpointing(sheet: Sheet) -> Setting:
    """Whether activations are computed twice instead of kept.

    What it checks
        What fits: kept where they fit and are faster, computed twice otherwise.
    Why it matters
        A third more arithmetic for most of the activations' memory.
    When it is wrong
        Memory is plentiful and the estimate was careful: switch it off.
    Evidence
        - Chen et al. 2016, arXiv 1604.06174: sublinear memory
    Example
        On for an 8B model on 24 GB.
    """
    on = sheet.setup is not None and sheet.setup.checkpointing == "full"
    return Setting(value=on, origin="", because="a third more arithmetic for the memory" if on else "all fits as it is")


def micro_batch(sheet: Sheet) -> Setting:
    """Rows of one forward pass on one device.

    What it checks
        The most that fits, up to 8,192 tokens and the share of the effective batch; at least two for KTO.
    Why it matters
        Larger passes use the device better, up to a few thousand tokens.
    When it is wrong
        The longest rows come together in one batch: then the out-of-memory answer of the run halves it.
    Evidence
        - Rule of thumb: rates of large matrix products are flat beyond a few thousand tokens.
    Example
        16 rows of 64 tokens, 4 of 2,048.
    """
    value = sheet.setup.micro_batch if sheet.setup else 1
    return Setting(
        value=value, origin="", low=1, high=sheet.number("effective_batch", 16), because="the most that fits"
    )


def gradient_accumulation(sheet: Sheet) -> Setting:
    """Forward passes of one optimiser step.

    What it checks
        The effective batch over micro-batch and devices; under rewards, its prompts times the answers to each.
    Why it matters
        It keeps the batch that the rate was chosen for, whatever fits at once.
    When it is wrong
        FSDP of the first kind keeps unsharded gradients while accumulating: prefer the second.
    Evidence
        - Rule of thumb: arithmetic.
    Example
        16 rows, 4 a pass, 1 device: 4.
    """
    devices = sheet.machine.devices if sheet.setup is None else sheet.setup.devices * sheet.setup.nodes
    whole = sheet.number("effective_batch", 16)
    what = f"{whole:g} rows"
    if sheet.objective in ("grpo", "rloo"):
        whole, what = whole * sheet.number("grpo.group", 8), f"{whole:g} prompts x {sheet.number('grpo.group', 8):g}"
    value = max(1, round(whole / (sheet.number("micro_batch", 1) * devices)))
    because = f"{what} / ({sheet.number('micro_batch', 1):g} a pass x {devices} devices)"
    return Setting(value=value, origin="", low=1, because=because)
