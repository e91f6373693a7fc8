"""Which rows a chain works on: the sources of each role, what was found in them, and how many are held out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ftc.advisor.values import Facts
from ftc.spec.model import Source
from ftc.spec.profile import Role, SetProfile
from ftc.spec.split import held_out_size

FIRST: tuple[Role, ...] = ("demonstrations", "feedback", "corpus", "prompts")  # whose held-out rows the profile counts
DEMONSTRATED = ("prompt", "sft-full", "sft-lora", "sft-qlora", "cpt+sft", "sft+dpo")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """The rows of one role of the data, as the spec names them and as they were found."""

    role: Role
    sources: Sequence[Source]
    profile: SetProfile

    @property
    def described(self) -> bool:
        """True where there is nothing to read yet."""
        return any(each.described for each in self.sources) or not self.sources


def main_rows(facts: Facts, method: str) -> str:
    """The name of the rows that the goal is scored on."""
    if method == "cpt+sft" and facts.profile.demonstrations is None:
        return "corpus"
    if method in DEMONSTRATED:
        return "demonstrations"
    return "feedback" if method in ("dpo", "kto") else "prompts"


def rows_of(facts: Facts, name: str, method: str) -> Rows | None:
    """The rows of that name; prompts without a set of their own are those of the feedback, or of the demonstrations."""
    data, profile = facts.spec.data, facts.profile
    feedback = Rows(
        role="feedback", sources=data.feedback.sources, profile=profile.feedback.set
    ) if data.feedback and profile.feedback else None  # fmt: skip
    demonstrations = _rows("demonstrations", data.demonstrations, profile.demonstrations)
    if name == "demonstrations":
        return demonstrations
    if name == "feedback":
        return feedback
    if name == "corpus":
        return _rows("corpus", data.corpus, profile.corpus)
    prompts = _rows("prompts", data.prompts, profile.prompts)
    if method == "grpo":
        given = feedback if feedback and feedback.sources else None
        return given or prompts or demonstrations
    return prompts or feedback


def _rows(role: Role, sources: Sequence[Source], profile: SetProfile | None) -> Rows | None:
    return Rows(role=role, sources=sources, profile=profile) if profile else None


def needed(facts: Facts, method: str) -> tuple[str, ...]:
    """The names of all rows that a method's chain reads."""
    shown = facts.profile.demonstrations is not None
    return {
        "cpt+sft": ("demonstrations", "corpus") if shown else ("corpus",),
        "sft+dpo": ("demonstrations", "feedback"),
        "dpo": ("feedback",),
        "kto": ("feedback",),
        "rlhf": ("demonstrations", "feedback", "prompts") if shown else ("feedback", "prompts"),
        "grpo": ("prompts",),
    }.get(method, ("demonstrations",))


def held_out_rows(facts: Facts, rows: Rows) -> int:
    """How many of them are scored on and never trained on."""
    counted = next((role for role in FIRST if _present(facts, role)), None)
    if counted == rows.role:
        return facts.profile.held_out_rows
    return held_out_size(rows.profile.rows, facts.spec.data.evaluation.fraction)


def _present(facts: Facts, role: Role) -> bool:
    profile = facts.profile
    return {
        "demonstrations": profile.demonstrations, "feedback": profile.feedback, "corpus": profile.corpus,
        "prompts": profile.prompts,
    }[role] is not None  # fmt: skip
