"""What the hyper-parameter rules look at: one stage on one machine, with the values settled so far.

`values` grows from rule to rule in the order of the registry; `setup` is None until the search has found what fits.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ftc.advisor import reading
from ftc.advisor.values import Adapter, Architecture, Device, Facts, Machine, Objective, Setup
from ftc.spec.model import Scalar
from ftc.spec.profile import SetProfile
from ftc.spec.split import held_out_size

COMMONER = (
    3  # thumbs of the commoner kind that are used for each of the rarer. Source: KTO, arXiv 2402.01306 (data imbalance)
)


UNKNOWN_TOKENS = 512.0  # of a row whose length nobody has given; a rule of thumb


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """The stage that settings are worked out for."""

    facts: Facts
    method: str
    objective: Objective
    adapter: Adapter
    model: Architecture
    machine: Machine
    setup: Setup | None = None
    values: Mapping[str, Scalar] = field(default_factory=dict)

    @property
    def device(self) -> Device:
        """One of the machine's devices."""
        return self.machine.device

    @property
    def rows(self) -> int:
        """Rows that this stage trains on, once through: demonstrations, pairs, thumbs, prompts or documents."""
        profile = self.facts.profile
        if self.objective == "sft":
            held = profile.held_out_rows if profile.evaluation is None else 0
            if profile.demonstrations is None:
                return self.preference_rows
            return max(1, profile.train_rows or reading.demonstrations(self.facts) - held)
        if self.objective == "cpt":
            return max(1, round(reading.corpus_tokens(self.facts) / self.number("max_length", 2048)))
        if self.objective == "rloo":
            return self.prompt_rows
        return self.preference_rows

    @property
    def prompt_rows(self) -> int:
        """Prompts that a policy answers while it is trained against a learned reward."""
        profile = self.facts.profile
        if profile.prompts is not None:
            return self._left(profile.prompts.rows)
        feedback = profile.feedback
        return self._left(feedback.prompts or feedback.set.rows) if feedback is not None else self.preference_rows

    @property
    def preference_rows(self) -> int:
        """Rows of feedback that are trained on; of thumbs, the rarer kind and thrice as many of the other."""
        facts = self.facts
        if reading.feedback_type(facts) in ("paired", "ranked"):
            return self._left(reading.pairs(facts))
        if reading.feedback_type(facts) == "binary":
            good, bad = reading.thumbs(facts)
            return self._left(min(good, bad) + min(max(good, bad), COMMONER * max(1, min(good, bad))))
        return self._left(reading.feedback_rows(facts))

    def _left(self, rows: int) -> int:
        """What is left to train on once the held-out rows are put aside."""
        data = self.facts.spec.data
        apart = data.evaluation.source is not None and not data.demonstrations
        return max(1, rows if apart else rows - held_out_size(rows, data.evaluation.fraction))

    @property
    def lengths(self) -> SetProfile | None:
        """The set whose lengths matter for this stage."""
        profile = self.facts.profile
        if self.objective == "cpt":
            return profile.corpus
        if self.objective == "sft" and profile.demonstrations is not None:
            return profile.demonstrations
        judged = reading.feedback_set(self.facts)
        return judged if judged is not None and _measured(judged) else profile.demonstrations or judged

    @property
    def mean_tokens(self) -> float:
        """Mean tokens of one row, prompt and completion."""
        lengths = self.lengths
        if lengths is None or not _measured(lengths):
            return UNKNOWN_TOKENS
        if lengths.sequence is not None:
            return lengths.sequence.mean
        return max(1.0, reading.mean_tokens(lengths.prompt) + reading.mean_tokens(lengths.completion))

    def forced(self, name: str) -> tuple[str, Scalar] | None:
        """The override of a setting in this stage, with its key: `dpo.epochs` goes before `epochs`."""
        overrides = self.facts.spec.overrides
        for key in (f"{self.objective}.{name}", name):
            if key in overrides:
                return key, overrides[key]
        return None

    def number(self, key: str, fallback: float = 0.0) -> float:
        """A value that was settled already, as a number."""
        value = self.values.get(key, fallback)
        return float(value) if isinstance(value, int | float) else fallback

    @property
    def billions(self) -> float:
        """Parameters in billions."""
        return self.model.parameters / 1e9


def _measured(rows: SetProfile) -> bool:
    """True where it is known how long the rows are. Feedback described beside demonstrations often leaves it out."""
    return rows.sequence is not None or rows.prompt is not None or rows.completion is not None
