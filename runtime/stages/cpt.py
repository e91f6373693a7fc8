"""Continued pre-training on raw text through TRL's SFTTrainer: every token is learned from.

Documents are drawn by lot, put one behind the other with an end of text between them, and cut into pieces of
`max_length`, so that nothing is padding (Brown et al. 2020, arXiv 2005.14165). Text that the base wrote itself is mixed
in, as much as the plan says.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from datasets import Dataset

from ftc.compiler.stages import Continue
from ftc.runtime.codes import Stopped
from ftc.runtime.context import Context
from ftc.runtime.loading import load_tokenizer
from ftc.runtime.rehearsal import rehearsal
from ftc.runtime.run_folder import read_rows
from ftc.runtime.stages.sft import Trainer, settings
from ftc.runtime.tokens import encode_text
from ftc.runtime.train import HELD_OUT_ROWS, adapter_of, carry_out, make_ready, quantization_of, start_of
from ftc.runtime.training import RowOrder, Watch


def run(context: Context) -> dict[str, Any]:
    """Train; the result says where the model is, what the trainer counted, and how much was rehearsed."""
    told: Continue = context.arguments
    tokenizer = load_tokenizer(context)
    texts = list(read_rows(context.run.train_rows(told.rows)))
    documents = [[*ids, tokenizer.eos_token_id] for ids in _ids(tokenizer, texts)]
    read = sum(len(each) for each in documents)
    own = rehearsal(context, told, tokenizer, round(read * told.replay / (1 - told.replay)))
    pieces = joined([*documents, *own], told.max_length, told.seed)
    if not pieces:
        raise Stopped("R210", "the corpus has no token to learn from")
    held_out = encode_text(tokenizer, list(read_rows(context.run.held_out_rows(told.rows))), max_length=told.max_length)
    watched = held_out.input_ids[:: max(1, len(held_out.input_ids) // HELD_OUT_ROWS)][:HELD_OUT_ROWS]
    evaluated = bool(watched and told.eval_steps)
    order = RowOrder([len(each) for each in pieces], told.seed, None)
    watch = Watch(context, order, [""] * len(pieces), keep=max(2, told.keep_checkpoints), output=context.folder)
    start = start_of(context, told.start_from)
    trainer = Trainer(
        order=order,
        watch=watch,
        model=start.place,
        # Packed here, over all kinds of attention; the steps of the plan are those of packed text.
        args=settings(replace(told, packing=False), context.folder, start, evaluated=evaluated),
        train_dataset=_dataset(pieces),
        eval_dataset=_dataset(watched) if evaluated else None,
        processing_class=tokenizer,
        peft_config=adapter_of(told),
        quantization_config=quantization_of(told),
    )
    make_ready(trainer, told)
    rehearsed = sum(len(each) for each in own)
    return {**carry_out(context, trainer, tokenizer), "corpus_tokens": read, "rehearsed_tokens": rehearsed}


def joined(documents: Sequence[Sequence[int]], length: int, seed: int) -> list[list[int]]:
    """All documents in an order by lot as one text, in pieces; the last one may be shorter."""
    generator = torch.Generator().manual_seed(seed)
    order = torch.randperm(len(documents), generator=generator).tolist()
    whole = [token for number in order for token in documents[number]]
    return [whole[start : start + length] for start in range(0, len(whole), length)]


def _ids(tokenizer: Any, rows: Sequence[dict[str, Any]]) -> list[list[int]]:
    ids: list[list[int]] = tokenizer([row["text"] for row in rows], add_special_tokens=False)["input_ids"]
    return ids


def _dataset(pieces: Sequence[Sequence[int]]) -> Dataset:
    return Dataset.from_dict({"input_ids": pieces, "labels": pieces})
