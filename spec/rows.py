"""The forms that every row takes once it has been read, whatever it looked like in the file.

`place` (`tickets.csv:14`) stays with a row to the end, so that a finding or a loss spike can be looked up.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One turn. Tool calls and tool results keep their JSON as `content`, under the roles of chat templates."""

    role: Literal["system", "user", "assistant", "tool"]
    content: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Demonstration:
    """A conversation that ends in an assistant turn to learn from. `label` is set where the completion is a class."""

    messages: tuple[Message, ...]
    place: str
    label: str | None = None
    tools: str | None = None  # JSON
    group: str | None = None

    @property
    def prompt(self) -> tuple[Message, ...]:
        """Everything before the last assistant turn."""
        return self.messages[:-1]

    @property
    def completion(self) -> Message:
        """The last assistant turn."""
        return self.messages[-1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """Two answers to one prompt, one preferred."""

    prompt: tuple[Message, ...]
    chosen: str
    rejected: str
    place: str
    group: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Thumb:
    """One answer, called good or bad."""

    prompt: tuple[Message, ...]
    completion: str
    good: bool
    place: str
    group: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranking:
    """Several answers to one prompt, best first."""

    prompt: tuple[Message, ...]
    answers: tuple[str, ...]
    place: str
    group: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """A question without a demonstration; `answer` (or `tests`) makes it checkable."""

    prompt: tuple[Message, ...]
    place: str
    answer: str | None = None
    tests: str | None = None
    group: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """Raw text."""

    text: str
    place: str
    group: str | None = None


Row = Demonstration | Pair | Thumb | Ranking | Prompt | Document
