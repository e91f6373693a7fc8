"""How many tokens a text has: by a real tokenizer where its file is at hand, by an estimate with its error if not."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

TURN_TOKENS = 4  # what a chat template writes around a turn: start, role, line break, end (ChatML, Llama 3: 4 to 5)
CHARACTERS_PER_TOKEN = 4.2
ERROR = 0.20


class TokenCounter(Protocol):
    """Counts tokens. `name` goes into the profile, `error` is relative."""

    name: str
    error: float

    def count(self, texts: Sequence[str]) -> list[int]:
        """The tokens of each text, without special ones."""
        ...


class Estimated:
    """By the number of characters."""

    name = "estimate"
    error = ERROR

    def count(self, texts: Sequence[str]) -> list[int]:
        """The tokens of each text."""
        return [round(len(text) / CHARACTERS_PER_TOKEN + 0.4) for text in texts]


class Real:
    """By a `tokenizer.json`. Raises OSError or ValueError where it cannot be loaded."""

    error = 0.0

    def __init__(self, file: Path) -> None:
        from tokenizers import Tokenizer  # 60 ms

        try:
            self._tokenizer = Tokenizer.from_file(str(file))
        except Exception as error:  # the library raises plain Exception
            raise ValueError(str(error)) from None
        self._tokenizer.no_padding()
        self._tokenizer.no_truncation()
        self.name = file.parent.name if file.name == "tokenizer.json" else file.stem

    def count(self, texts: Sequence[str]) -> list[int]:
        """The tokens of each text."""
        return [len(each) for each in self._tokenizer.encode_batch_fast(list(texts), add_special_tokens=False)]


def counter_for(tokenizer_file: Path | None) -> TokenCounter:
    """The counter to use."""
    return Real(tokenizer_file) if tokenizer_file else Estimated()
