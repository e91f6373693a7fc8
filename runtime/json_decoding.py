"""Keeps answers to a JSON schema while they are written: at each token, what the schema rules out cannot be said.

llguidance works out which tokens may follow; it is asked through transformers' hook for logits. An answer can still be
cut off by the limit on its length, and is then no JSON.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


class FollowSchema:
    """A logits processor for one batch. `start` is the length of the prompts, `ends` the tokens that end an answer."""

    def __init__(self, grammar: Any, tokenizer: Any, start: int, ends: Sequence[int]) -> None:
        self.grammar = grammar
        self.tokenizer = tokenizer
        self.start = start
        self.ends = list(ends)
        self.matchers: list[Any] = []

    def __call__(self, ids: Any, logits: Any) -> Any:
        """The logits with everything that may not follow at minus infinity."""
        import llguidance
        from llguidance.torch import allocate_token_bitmask, apply_token_bitmask_inplace, fill_next_token_bitmask

        if not self.matchers:
            self.matchers = [llguidance.LLMatcher(self.tokenizer, self.grammar) for _ in range(len(ids))]
        allowed = allocate_token_bitmask(len(ids), logits.shape[-1])
        complete = []
        for row, matcher in enumerate(self.matchers):
            if ids.shape[1] > self.start and not matcher.is_stopped():
                matcher.consume_token(int(ids[row, -1]))
            if matcher.is_stopped():
                complete.append(row)
            else:
                fill_next_token_bitmask(matcher, allowed, row)
        apply_token_bitmask_inplace(logits, allowed.to(logits.device))
        for row in complete:
            logits[row] = float("-inf")
            logits[row, self.ends] = 0.0  # nothing may follow but the end
        return logits


def grammar_of(json_schema: str) -> str:
    """The schema for llguidance: blanks only where `json.dumps` puts them, so that an answer cannot fill up with them.

    Raises ValueError where the schema is none.
    """
    import llguidance

    return str(llguidance.JsonCompiler(separators=(", ", ": "), whitespace_flexible=False).compile(json_schema))


def tokens_of(tokenizer: Any, vocabulary: int, ends: Sequence[int]) -> Any:
    """The tokenizer as llguidance knows it. `vocabulary` is the width of the model's logits."""
    import llguidance.hf

    return llguidance.hf.from_tokenizer(tokenizer, n_vocab=vocabulary, eos_token=list(ends))
