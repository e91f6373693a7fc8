"""Keeps tokens and keys out of journals, logs and reports: what the environment holds under a telling name, and what
looks like a key of a known kind, becomes `***`. No torch.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, TextIO

from ftc.spec.positions import SECRET

HIDDEN = "***"
TELLING = re.compile(r"(TOKEN|SECRET|PASSWORD|PASSWD|API_?KEY|ACCESS_?KEY|CREDENTIAL)", re.IGNORECASE)
LEAST = 8  # characters: shorter values (`true`, `1`) stand in every text


def redacted(text: str) -> str:
    """The text without secrets."""
    for value in _held(_telling(os.environ)):
        text = text.replace(value, HIDDEN)
    return SECRET.sub(HIDDEN, text)


def _telling(environment: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(value for name, value in environment.items() if TELLING.search(name) and len(value) >= LEAST)


@lru_cache(maxsize=8)
def _held(values: tuple[str, ...]) -> tuple[str, ...]:
    """The longest first, so that no part of one is left standing; paths of files that hold secrets are none."""
    return tuple(sorted({value for value in values if not value.startswith(("/", "~"))}, key=len, reverse=True))


def clean(value: Any) -> Any:
    """A JSON value without secrets in its texts."""
    if isinstance(value, str):
        return redacted(value)
    if isinstance(value, Mapping):
        return {key: clean(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [clean(each) for each in value]
    return value


class Discreet:
    """A text stream that hides secrets line by line; what libraries print goes through it into the stage's log."""

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream

    def write(self, text: str) -> int:
        """Write the text, without secrets."""
        self.stream.write(redacted(text))
        return len(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)
