"""Looks at a block of JSON Lines as bytes: where its lines end, and whether all of it is text, without decoding it.

A block that is anything but whole objects, one a line, in UTF-8, is not taken; it is then read line by line.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy

_WORD = 8  # bytes
_IN_WORD = numpy.arange(_WORD)
_SPARSE = 16  # one byte in so many beyond ASCII: up to here looking at just those is faster than decoding

# By the first byte of a character: how many bytes follow (9: none may start so), and the limits of the second one.
_FOLLOWING = numpy.full(256, 9, numpy.uint8)
_FOLLOWING[0x80:0xC0] = 0
_FOLLOWING[0xC2:0xE0], _FOLLOWING[0xE0:0xF0], _FOLLOWING[0xF0:0xF5] = 1, 2, 3
_LEAST, _MOST = numpy.full(256, 0x80, numpy.uint8), numpy.full(256, 0xBF, numpy.uint8)
_LEAST[0xE0], _MOST[0xED], _LEAST[0xF0], _MOST[0xF4] = 0xA0, 0x9F, 0x90, 0x8F


@dataclass(frozen=True, slots=True)
class Lines:
    """What a block has. `respelled`: the lines, from 0, that hold escapes with another spelling."""

    count: int
    respelled: tuple[int, ...]


class LineFinder:
    """Looks at one block after the other; keeps its scratch memory between them."""

    def __init__(self) -> None:
        self._one: Any = numpy.empty(0, bool)
        self._two: Any = numpy.empty(0, bool)

    def lines(self, data: memoryview) -> Lines | None:
        """The lines of a block that starts at a line and ends with one; None where they are not plain."""
        block = numpy.frombuffer(data, numpy.uint8)
        size = len(block)
        if len(self._one) < size + _WORD:
            self._one, self._two = numpy.empty(size + _WORD, bool), numpy.empty(size, bool)
        places = self._special(block)
        values = block[places]
        breaks = values == 10
        ends = places[breaks]
        whole = size > 0 and block[-1] == 10
        closed = ends if whole else numpy.append(ends, size)
        if not size or block[0] != 123 or (block[closed - 1] != 125).any():
            return None
        if (block[closed[:-1] + 1] != 123).any():
            return None
        if len(ends) < len(places) and not _is_text(data, block, places[~breaks], values[~breaks]):
            return None
        return Lines(count=len(closed), respelled=self._respelled(block, ends))

    def _special(self, block: Any) -> Any:
        """Where all bytes stand that are not printable ASCII. Looks for words of eight with one, which is faster."""
        size = len(block)
        found = self._one[: size + -size % _WORD]
        found[size:] = False
        numpy.less(block.view(numpy.int8), 32, out=found[:size])  # beyond ASCII is below zero
        words = (found.view(numpy.uint64) != 0).nonzero()[0]
        if len(words) * _WORD > size:
            return found[:size].nonzero()[0]
        places = (words[:, None] * _WORD + _IN_WORD).ravel()
        return places[found[places]]

    def _respelled(self, block: Any, ends: Any) -> tuple[int, ...]:
        r"""The lines with `\u` or `\/` in them."""
        escapes, hit = self._one[: len(block) - 1], self._two[: len(block) - 1]
        numpy.equal(block[:-1], 92, out=escapes)
        lines: set[int] = set()
        for letter in (117, 47):
            numpy.equal(block[1:], letter, out=hit)
            numpy.logical_and(hit, escapes, out=hit)
            if hit.any():
                lines.update(numpy.searchsorted(ends, hit.nonzero()[0]).tolist())
        return tuple(sorted(lines))


def _is_text(data: memoryview, block: Any, places: Any, values: Any) -> bool:
    """True where these bytes, all that are not printable ASCII, are UTF-8 in its shortest form."""
    if values.min() < 32:
        return False
    if len(values) * _SPARSE > len(block):
        try:
            str(data, "utf-8")
        except UnicodeDecodeError:
            return False
        return True
    following = _FOLLOWING[values]
    leads = following > 0
    starts, lengths = places[leads], following[leads]
    if lengths.max(initial=0) > 3 or int(lengths.sum()) != len(values) - len(starts):
        return False
    if len(starts) and int(starts[-1]) + int(lengths[-1]) >= len(block):
        return False
    first, second = block[starts], block[starts + 1]
    if not ((second >= _LEAST[first]) & (second <= _MOST[first])).all():
        return False
    for further in (2, 3):
        longer = starts[lengths >= further] + further
        if not ((block[longer] & 0xC0) == 0x80).all():
            return False
    return True
