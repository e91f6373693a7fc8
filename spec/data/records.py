"""What a container yields: records with the line they start at, or the reason why there is none at that line."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

Json = Any  # a JSON value: the data, not the type checker, says which


@dataclass(frozen=True, slots=True)
class Broken:
    """A place where a record should be and is not. `fatal` where the rest of the file cannot be read either."""

    code: str
    reason: str
    fatal: bool = False


Item = tuple[int, Json | Broken]  # line (or row, in binary containers), counted from 1; and what stands there
Items = Iterator[Item]
