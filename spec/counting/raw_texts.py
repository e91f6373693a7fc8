"""Columns of texts as they stand in JSON, in quotes: which are texts at all, how long they are, and what they hash to.

Nothing is decoded unless it has to be.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import numpy

from ftc.spec.counting.written import written

Raw = Any  # msgspec.Raw, or bytes where a text was put together: both are buffers of a JSON value

_text = msgspec.json.Decoder(str).decode

# How a text may begin that is nothing but space: with a blank, an escape, or one of the spaces of Unicode.
_FIRST, _SECOND, _ESCAPED = (numpy.zeros(256, bool) for _ in range(3))
_FIRST[[0x20, 0xC2, 0xE1, 0xE2, 0xE3]] = True
_SECOND[[0x20, 0x22, 0x5C, 0xC2, 0xE1, 0xE2, 0xE3, 0x80, 0x81, 0x85, 0x9A, 0xA0]] = True
_ESCAPED[[ord(letter) for letter in "fnrtu"]] = True


def text_of(raw: Raw) -> str:
    """The text itself."""
    return _text(raw)


def lengths_of(raws: Sequence[Raw]) -> Any:
    """The bytes of each, quotes included."""
    return numpy.fromiter(map(len, raws), numpy.int64, len(raws))


def unusable(raws: Sequence[Raw], lengths: Any) -> Any:
    """For each, True where it is no text, or one without a letter."""
    together = numpy.frombuffer(b"".join((*raws, b"   ")), numpy.uint8)
    starts = numpy.cumsum(lengths) - lengths
    odd = (lengths < 3) | (together[starts] != 34)
    first, second = together[starts + 1], together[starts + 2]
    suspects = (_FIRST[first] & _SECOND[second]) | ((first == 0x5C) & _ESCAPED[second])
    if suspects.any():
        for place in numpy.flatnonzero(suspects & ~odd).tolist():
            odd[place] = text_of(raws[place]).isspace()
    return odd


def is_absent(raw: Raw) -> bool:
    """True for what is missing, null, or a text without a letter; False for texts and for what is none."""
    value = bytes(raw)
    if value[:1] != b'"':
        return value in (b"", b"null")
    return value == b'""' or text_of(value).isspace()


def joined(one: Raw, between: bytes, other: Raw) -> bytes:
    """One text of two."""
    return bytes(one)[:-1] + between + bytes(other)[1:]


def respelled(raw: Raw) -> Raw:
    """The same text in the one spelling; what is no text stays as it is."""
    if not len(raw) or bytes(raw)[:1] != b'"':
        return raw
    return written(text_of(raw))
