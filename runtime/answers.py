"""Asking a model: answers in batches, greedily, and the loss of the answers that were expected.

Prompts go in sorted by length and padded on the left, so that a batch wastes little. Results come back in the order of
the rows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ftc.runtime.tokens import IGNORED, Encoded

OnBatch = Callable[[int], None]  # rows done


def generate(
    model: Any,
    tokenizer: Any,
    prompts: Sequence[Sequence[int]],
    *,
    max_new_tokens: int,
    batch_size: int,
    labels: Sequence[str] = (),
    json_schema: str | None = None,
    on_batch: OnBatch | None = None,
) -> list[str]:
    """The answer to each prompt. With `labels`, nothing but one of them can be said; with a schema, what follows it."""
    import torch

    ends = end_tokens(model, tokenizer)
    schema = _Schema(model, tokenizer, json_schema, ends) if json_schema and not labels else None
    follow = _only(tokenizer, labels, ends[0]) if labels else None
    answers = [""] * len(prompts)
    done = 0
    for batch in _by_length(prompts, batch_size):
        inputs, mask = _left_padded([prompts[row] for row in batch], tokenizer.pad_token_id, model.device)
        start = inputs.shape[1]
        with torch.inference_mode():
            out = model.generate(
                input_ids=inputs,
                attention_mask=mask,
                max_new_tokens=max_new_tokens,
                do_sample=False,
                num_beams=1,
                eos_token_id=ends,
                pad_token_id=tokenizer.pad_token_id,
                prefix_allowed_tokens_fn=_after(follow, start, ends[0]) if follow else None,
                logits_processor=schema.processors(start) if schema else None,
            )
        for row, ids in zip(batch, out[:, start:].tolist(), strict=True):
            answers[row] = tokenizer.decode(_until(ids, ends), skip_special_tokens=True).strip()
        done += len(batch)
        if on_batch:
            on_batch(done)
    return answers


class _Schema:
    """What a schema needs once for all batches."""

    def __init__(self, model: Any, tokenizer: Any, json_schema: str, ends: Sequence[int]) -> None:
        from ftc.runtime.json_decoding import grammar_of, tokens_of

        self.ends = ends
        self.grammar = grammar_of(json_schema)
        self.tokens = tokens_of(tokenizer, int(model.get_output_embeddings().weight.shape[0]), ends)

    def processors(self, start: int) -> Any:
        """transformers' list, for one batch whose prompts are `start` tokens long."""
        from transformers import LogitsProcessorList

        from ftc.runtime.json_decoding import FollowSchema

        return LogitsProcessorList([FollowSchema(self.grammar, self.tokens, start, self.ends)])


def losses(
    model: Any, tokenizer: Any, rows: Encoded, *, batch_size: int, on_batch: OnBatch | None = None
) -> tuple[list[float], list[int]]:
    """Of each row, the mean loss over the tokens that carry it, and how many those are."""
    import torch
    from torch.nn.functional import cross_entropy

    means, counts = [0.0] * len(rows.input_ids), [0] * len(rows.input_ids)
    done = 0
    for batch in _by_length(rows.input_ids, batch_size):
        ids = [rows.input_ids[row] for row in batch]
        inputs, mask = _left_padded(ids, tokenizer.pad_token_id, model.device)
        width = inputs.shape[1]
        wanted = torch.full((len(batch), width), IGNORED)
        for line, row in enumerate(batch):
            wanted[line, width - len(rows.labels[row]) :] = torch.tensor(rows.labels[row])
        # Logits only from the first token that carries loss in any row: a vocabulary wide, they are what costs.
        first = int((wanted != IGNORED).any(0).nonzero()[0]) if (wanted != IGNORED).any() else width - 1
        keep = width - max(0, first - 1)
        with torch.inference_mode():
            positions = (mask.cumsum(1) - 1).clamp(min=0)
            logits = model(
                input_ids=inputs, attention_mask=mask, position_ids=positions, use_cache=False, logits_to_keep=keep
            ).logits
        targets = wanted[:, width - keep :][:, 1:].to(logits.device)
        each = cross_entropy(
            logits[:, :-1].float().transpose(1, 2), targets, ignore_index=IGNORED, reduction="none"
        ).sum(1)
        counted = (targets != IGNORED).sum(1)
        for row, loss, count in zip(batch, each.tolist(), counted.tolist(), strict=True):
            means[row], counts[row] = loss / max(1, count), count
        done += len(batch)
        if on_batch:
            on_batch(done)
    return means, counts


def end_tokens(model: Any, tokenizer: Any) -> list[int]:
    """Every token that ends an answer: the model's own and the tokenizer's."""
    known = model.generation_config.eos_token_id
    listed = known if isinstance(known, list) else [known]
    return sorted({each for each in [*listed, tokenizer.eos_token_id] if each is not None})


def _by_length(rows: Sequence[Sequence[int]], size: int) -> list[list[int]]:
    """Batches of row numbers, the longest first: what does not fit in memory shows at once."""
    order = sorted(range(len(rows)), key=lambda row: (-len(rows[row]), row))
    return [order[start : start + size] for start in range(0, len(order), size)]


def _left_padded(rows: Sequence[Sequence[int]], pad: int, device: Any) -> tuple[Any, Any]:
    import torch

    width = max(len(row) for row in rows)
    inputs = torch.tensor([[pad] * (width - len(row)) + list(row) for row in rows])
    mask = torch.tensor([[0] * (width - len(row)) + [1] * len(row) for row in rows])
    return inputs.to(device), mask.to(device)


def _until(ids: list[int], ends: Sequence[int]) -> list[int]:
    """The ids before the first end."""
    for position, each in enumerate(ids):
        if each in ends:
            return ids[:position]
    return ids


def _only(tokenizer: Any, labels: Sequence[str], end: int) -> dict[tuple[int, ...], list[int]]:
    """What may follow each beginning of a label."""
    follow: dict[tuple[int, ...], set[int]] = {}
    for label in labels:
        ids = [*tokenizer(label, add_special_tokens=False)["input_ids"], end]
        for position, each in enumerate(ids):
            follow.setdefault(tuple(ids[:position]), set()).add(each)
    return {prefix: sorted(allowed) for prefix, allowed in follow.items()}


def _after(follow: dict[tuple[int, ...], list[int]], start: int, end: int) -> Callable[[int, Any], list[int]]:
    """transformers' hook: which tokens may come next after `start` tokens of prompt."""

    def allowed(_: int, ids: Any) -> list[int]:
        return follow.get(tuple(ids[start:].tolist()), [end])

    return allowed
