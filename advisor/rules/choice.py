"""What the warnings look at: the facts, what was chosen, and what of the wishes could not be had."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ftc.advisor.values import Adapter, Architecture, Candidate, Facts

Shortfall = Literal["memory", "time", "money"]
TRAINING = ("sft-full", "sft-lora", "sft-qlora", "cpt+sft", "dpo", "kto", "sft+dpo", "rlhf", "grpo")
PREFERENCE = ("dpo", "kto", "sft+dpo", "rlhf")


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """A decision that stands, before its warnings. `short` says what the wish as written lacked."""

    facts: Facts
    method: str
    adapter: Adapter
    model: Architecture | None
    candidate: Candidate | None
    asked: Candidate | None  # what the spec asked for, as far as it was weighed
    short: frozenset[Shortfall]
    reason: str  # the branch that led to the leaf
    max_length: int = 0
    p99_tokens: int = 0

    @property
    def trains(self) -> bool:
        """True where weights change."""
        return self.method in TRAINING

    @property
    def sft(self) -> bool:
        """True where demonstrations are learned from."""
        return self.method.startswith("sft") or self.method == "cpt+sft"
