"""The counts over the rows of one source, made piecewise and merged: what the profile is computed from.

Lengths are counted in whatever `Measure` counts: characters, to be scaled later, or tokens. The sample are the rows
with the smallest content hashes: the same rows whatever the order or the number of processes, each content once.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from ftc.spec.counting.repeats import Repeats

SAMPLE_ROWS = 20_000  # up to here every row is in the sample
CLIP = 4_000  # characters of each text that the sample keeps
HIGHEST = (1 << 64) - 1  # hash
MOST_CLASSES = 5_000  # different labels; more are no classes


@dataclass(slots=True)
class Sampled:
    """A row of the sample. `line` is its place in the file `name`."""

    key: int  # content hash
    asked: int  # hash of the prompt
    name: str
    line: int
    prompt: str
    answer: str
    label: str | None = None


@dataclass(slots=True)
class Tally:
    """Counts over rows. `limit`: rows with a content hash up to it go into the sample."""

    limit: int = HIGHEST
    used: int = 0
    prompt: Counter[int] = field(default_factory=Counter)
    completion: Counter[int] = field(default_factory=Counter)
    sequence: Counter[int] = field(default_factory=Counter)
    prompt_characters: int = 0
    completion_characters: int = 0
    classes: Counter[str] = field(default_factory=Counter)
    user_turns: int = 0
    with_system: int = 0
    with_tools: int = 0
    good: int = 0
    bad: int = 0
    answers: int = 0
    pairs: int = 0
    longer: int = 0  # pairs whose chosen answer is the longer one
    sample: list[Sampled] = field(default_factory=list)
    repeats: Repeats = field(default_factory=Repeats)

    def offer(self, rows: list[Sampled]) -> None:
        """Take those of the rows that belong into the sample."""
        self.sample += [row for row in rows if row.key <= self.limit]
        if len(self.sample) > 2 * SAMPLE_ROWS:
            self.trim()

    def trim(self) -> None:
        """Keep the smallest hashes, each once."""
        once = {row.key: row for row in reversed(self.sample)}
        self.sample = sorted(once.values(), key=lambda row: row.key)[:SAMPLE_ROWS]
        if len(self.sample) == SAMPLE_ROWS:
            self.limit = min(self.limit, self.sample[-1].key)

    def merge(self, other: Tally, lines_before: int = 0) -> None:
        """Add what was counted elsewhere; its sample is of the same file, so many lines further down."""
        self.used += other.used
        self.prompt.update(other.prompt)
        self.completion.update(other.completion)
        self.sequence.update(other.sequence)
        self.prompt_characters += other.prompt_characters
        self.completion_characters += other.completion_characters
        if len(self.classes) <= MOST_CLASSES:
            self.classes.update(other.classes)
        self.user_turns += other.user_turns
        self.with_system += other.with_system
        self.with_tools += other.with_tools
        self.good += other.good
        self.bad += other.bad
        self.answers += other.answers
        self.pairs += other.pairs
        self.longer += other.longer
        self.repeats.merge(other.repeats, lines_before)
        for row in other.sample:
            row.line += lines_before
        self.offer(other.sample)
