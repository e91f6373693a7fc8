"""Profiles of data that does not exist yet, from what the spec says about it. Percentiles come from a rule of thumb.

Imports nothing that reads data, so that planning before there is any starts at once.
"""

from __future__ import annotations

from collections.abc import Sequence

from ftc.spec.lengths import spread, spread_histogram
from ftc.spec.model import Feedback, Source, Spec
from ftc.spec.profile import DataProfile, FeedbackProfile, Lengths, Role, SetProfile
from ftc.spec.split import held_out_size

# What feedback is, by the format of its rows, where the spec leaves that open.
FEEDBACK_TYPES = {
    "preference-pairs": "paired", "binary-feedback": "binary", "ranked": "ranked", "prompts-with-tests": "verifiable",
    "question-final-answer": "verifiable", "prompts": "to-collect",
}  # fmt: skip

_FORMATS = {
    "paired": "preference-pairs",
    "binary": "binary-feedback",
    "ranked": "ranked",
    "verifiable": "prompts-with-tests",
}


def roles_of(spec: Spec) -> dict[Role, Sequence[Source]]:
    """The sources of each role."""
    data = spec.data
    return {
        "demonstrations": data.demonstrations,
        "feedback": data.feedback.sources if data.feedback else (),
        "corpus": data.corpus,
        "prompts": data.prompts,
        "evaluation": (data.evaluation.source,) if data.evaluation.source else (),
    }


def all_described(spec: Spec) -> bool:
    """True where there is no file to look at."""
    return all(source.described for sources in roles_of(spec).values() for source in sources)


def described_profile(spec: Spec) -> DataProfile:
    """The profile of a spec of which `all_described` holds."""
    sets = {role: described_set(role, sources) for role, sources in roles_of(spec).items() if sources}
    feedback = described_feedback(spec.data.feedback) if spec.data.feedback else None
    if feedback is not None:
        sets["feedback"] = feedback.set
    order: tuple[Role, ...] = ("demonstrations", "feedback", "corpus", "prompts")
    learned = next((sets[role] for role in order if role in sets), None)
    evaluation = sets.get("evaluation")
    rows = learned.rows if learned else 0
    held_out = evaluation.rows if evaluation else held_out_size(rows, spec.data.evaluation.fraction)
    return DataProfile(
        demonstrations=sets.get("demonstrations"),
        feedback=feedback,
        corpus=sets.get("corpus"),
        prompts=sets.get("prompts"),
        evaluation=evaluation,
        held_out_rows=held_out,
        train_rows=rows if evaluation else rows - held_out,
    )


def described_feedback(feedback: Feedback) -> FeedbackProfile:
    """Feedback at its word."""
    found = described_feedback_set(feedback)
    return FeedbackProfile(
        type=feedback_type(feedback, found),
        set=found,
        positive=feedback.positive,
        negative=feedback.negative,
        answers_per_prompt=feedback.answers_per_prompt,
    )


def feedback_type(feedback: Feedback, found: SetProfile) -> str:
    """As written, or by the format of the rows."""
    return feedback.type if feedback.type != "auto" else FEEDBACK_TYPES.get(found.format, "paired")


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
