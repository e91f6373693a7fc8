"""Texts as JSON writes them, in one spelling each: what rows are compared by, and what large files are measured in.

Most JSON has that spelling already, so that rows can be hashed and measured without decoding a single text. The other
spellings of the same text (`\\u00e9` for é, `\\/` for a slash) are brought into it first.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

import orjson
import xxhash  # 1 ms

digest = xxhash.xxh3_64_intdigest
BETWEEN = "\0"  # between the messages of a prompt, where they stand in one text


def written(text: str) -> bytes:
    """The text in quotes, escaped as little as JSON allows."""
    try:
        return orjson.dumps(text)
    except orjson.JSONEncodeError:  # half of a surrogate pair, which is no character
        return json.dumps(text, ensure_ascii=False).encode("utf-8", "surrogatepass")


def key_of(texts: Iterable[str], seed: int = 0) -> int:
    """A hash of some texts, in their order."""
    return digest(b"".join(map(written, texts)), seed)


def written_lengths(texts: Sequence[str]) -> list[int]:
    """The bytes of each text as it is written, without the quotes."""
    return [sum(len(written(part)) - 2 for part in text.split(BETWEEN)) for text in texts]
