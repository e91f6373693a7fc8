"""Text that the base writes by itself, to be trained on beside new text so that old skills stay.

Sampled without a prompt and at temperature 1, which gives back what the model has learned in the proportion in which it
knows it; no pre-training data is needed. After Huang et al. 2024, "Mitigating Catastrophic Forgetting with
Self-Synthesized Rehearsal", arXiv 2403.01244, who prompt with examples and select; here nothing is selected. Kept in
the stage's folder: a resumed stage reads it and samples nothing.
"""

from __future__ import annotations

import math
from typing import Any

import torch

from ftc.compiler.stages import Continue
from ftc.runtime.context import Context
from ftc.runtime.loading import load_model
from ftc.runtime.run_folder import read_rows, write_rows

FILE = "rehearsal.jsonl"
LONGEST = 512  # tokens of one sample: longer ones cost time with the square and drift off. A rule of thumb
ROWS = 4  # samples at a time for each row of a micro-batch: no gradients are kept


def rehearsal(context: Context, told: Continue, tokenizer: Any, tokens: int) -> list[list[int]]:
    """At least that many tokens in pieces, always the same ones for a seed and a base."""
    if tokens <= 0:
        return []
    file = context.folder / FILE
    if not file.exists():
        write_rows(file, ({"ids": ids} for ids in _sampled(context, told, tokenizer, tokens)))
    return [row["ids"] for row in read_rows(file)]


def _sampled(context: Context, told: Continue, tokenizer: Any, tokens: int) -> list[list[int]]:
    from transformers import GenerationConfig

    model = load_model(context, told.start_from, dtype=told.dtype, quantized=told.quantization)
    length = min(told.max_length, LONGEST)
    first = tokenizer.bos_token_id if tokenizer.bos_token_id is not None else tokenizer.eos_token_id
    # The end of a text does not end a sample: texts follow one another, as in pre-training. What is None here would be
    # filled in from the model's own configuration, so that one goes.
    model.generation_config = GenerationConfig(
        do_sample=True,
        temperature=1.0,
        top_k=0,
        top_p=1.0,
        max_new_tokens=length,
        pad_token_id=tokenizer.pad_token_id,
    )
    wanted, out = math.ceil(tokens / length), list[list[int]]()
    with torch.random.fork_rng(), torch.inference_mode():
        torch.manual_seed(told.seed)
        while len(out) < wanted:
            rows = min(ROWS * told.micro_batch, wanted - len(out))
            start = torch.full((rows, 1), first, device=model.device)
            said = model.generate(input_ids=start, attention_mask=torch.ones_like(start))
            out += said[:, 1:].tolist()
            context.progress(len(out), wanted, what="rehearsal: text of the base itself")
    return out
