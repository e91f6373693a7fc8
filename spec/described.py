"""Profiles of data that does not exist yet, from what the spec says about it. Percentiles come from a rule of thumb."""

from __future__ import annotations

from collections.abc import Sequence

from ftc.spec.lengths import spread, spread_histogram
from ftc.spec.model import Feedback, Source
from ftc.spec.profile import Lengths, Role, SetProfile

_FORMATS = {
    "paired": "preference-pairs",
    "binary": "binary-feedback",
    "ranked": "ranked",
    "verifiable": "prompts-with-tests",
}


def described_set(role: Role, sources: Sequence[Source], format_: str = "") -> SetProfile:
    """The set that those sources describe together."""
    rows = sum(source.rows or 0 for source in sources)
    named = next((source.format for source in sources if source.format != "auto"), format_ or _default(role))
    prompt = _mean([(source.rows or 0, source.prompt_tokens) for source in sources])
    completion = _mean([(source.rows or 0, source.completion_tokens) for source in sources])
    whole = (prompt or 0) + (completion or 0) if prompt is not None or completion is not None else None
    tokens = sum(source.tokens or 0 for source in sources)
    groups = [source.groups for source in sources if source.groups is not None]
    return SetProfile(
        role=role,
        format=named,
        rows=rows,
        rows_read=rows,
        described=True,
        prompt=_lengths(prompt, rows),
        completion=_lengths(completion, rows),
        sequence=_corpus_lengths(tokens, rows) if tokens else _lengths(whole, rows),
        histogram=spread_histogram(whole, rows) if whole else (),
        tokenizer="described",
        groups=sum(groups) if groups else None,
        loss_share=completion / whole if completion and whole else None,
    )


def _default(role: Role) -> str:
    return {"corpus": "text", "prompts": "prompts"}.get(role, "prompt-completion")


def _mean(parts: Sequence[tuple[int, float | None]]) -> float | None:
    """Weighted by rows, over the sources that say it."""
    known = [(rows, value) for rows, value in parts if value is not None]
    weight = sum(rows for rows, _ in known)
    if not known:
        return None
    return sum(rows * value for rows, value in known) / weight if weight else known[0][1]


def _lengths(mean: float | None, rows: int) -> Lengths | None:
    return None if mean is None else spread(mean, max(rows, 1)) if rows else None


def _corpus_lengths(tokens: int, rows: int) -> Lengths:
    """A corpus of which only the size is known counts as one long text unless it says its rows."""
    if rows:
        return spread(tokens / rows, rows)
    return Lengths(mean=float(tokens), p50=tokens, p90=tokens, p95=tokens, p99=tokens, max=tokens, total=tokens)


def described_feedback_set(feedback: Feedback) -> SetProfile:
    """The set that the feedback describes. Thumbs without a number of rows are as many as are up and down."""
    found = described_set("feedback", feedback.sources, _FORMATS.get(feedback.type, "preference-pairs"))
    counted = (feedback.positive or 0) + (feedback.negative or 0)
    if found.rows or not counted:
        return found
    from dataclasses import replace

    return replace(found, rows=counted, rows_read=counted)
