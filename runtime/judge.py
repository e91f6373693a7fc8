"""A reward model that gives answers a number: the higher, the better people would like them.

Answers are encoded as the pairs were that it learned from, so that what it ranks is what it was trained to rank.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ftc.runtime.context import Context
from ftc.runtime.forms import answered
from ftc.runtime.loading import (
    ADAPTER_CONFIG,
    base_of,
    dtype_of,
    keep_quantised_weights,
    load_tokenizer,
    quantization,
    start_folder,
    trained_folder,
)
from ftc.runtime.tokens import encode

BATCH = 32  # answers of one forward pass: no gradients are kept


class Judge:
    """The reward model of a finished stage."""

    def __init__(self, model: Any, tokenizer: Any) -> None:
        self.model = model
        self.tokenizer = tokenizer

    def scores(
        self,
        prompts: Sequence[Sequence[Mapping[str, str]]],
        answers: Sequence[str],
        on_batch: Callable[[int], None] | None = None,
    ) -> list[float]:
        """The reward of each answer to its prompt."""
        rows = [answered(prompt, answer) for prompt, answer in zip(prompts, answers, strict=True)]
        encoded = encode(self.tokenizer, rows, loss_on="all", max_length=None)
        return self.of_ids(encoded.input_ids, on_batch)

    def of_ids(self, rows: Sequence[Sequence[int]], on_batch: Callable[[int], None] | None = None) -> list[float]:
        """The reward of whole conversations, as token ids."""
        import torch

        found = [0.0] * len(rows)
        order = sorted(range(len(rows)), key=lambda row: (-len(rows[row]), row))
        pad = self.tokenizer.pad_token_id
        for start in range(0, len(order), BATCH):
            batch = order[start : start + BATCH]
            width = len(rows[batch[0]])
            ids = torch.tensor([[*rows[row], *[pad] * (width - len(rows[row]))] for row in batch])
            mask = torch.tensor([[1] * len(rows[row]) + [0] * (width - len(rows[row])) for row in batch])
            with torch.inference_mode():
                device = self.model.device
                logits = self.model(input_ids=ids.to(device), attention_mask=mask.to(device), use_cache=False).logits
            for row, value in zip(batch, logits[:, 0].float().tolist(), strict=True):
                found[row] = value
            if on_batch:
                on_batch(min(len(order), start + BATCH))
        return found


def load_judge(context: Context, stage_id: str) -> Judge:
    """The reward model that a stage left; its adapter is put on what it was trained on."""
    import torch
    from transformers import AutoModelForSequenceClassification

    told = context.plan.stage(stage_id).arguments
    where = trained_folder(context, stage_id)
    adapter = (where / ADAPTER_CONFIG).exists()
    whole = start_folder(context, stage_id) if adapter else where
    place, options = (str(whole), {}) if whole is not None else base_of(context)
    if adapter and told.get("quantization"):
        options["quantization_config"] = quantization(told["quantization"])
    if torch.cuda.is_available():
        options["device_map"] = {"": torch.cuda.current_device()}
    tokenizer = load_tokenizer(context)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a base, that its head is new: the adapter brings it
        model = AutoModelForSequenceClassification.from_pretrained(
            place, num_labels=1, dtype=dtype_of(str(told["dtype"])), use_safetensors=True, **options
        )
    model.config.get_text_config().pad_token_id = tokenizer.pad_token_id
    if adapter:
        from peft import PeftModel

        model = PeftModel.from_pretrained(model, where)
        model.config.get_text_config().pad_token_id = tokenizer.pad_token_id
    keep_quantised_weights(model)
    return Judge(model.eval(), tokenizer)
