"""JSON in all the ways in which people keep rows: lines, an array, an object by id, an object of columns, one a row.

Streams: no more than one record is held. Where everything stands on the first line, rows are counted instead of lines.
A broken line costs that line; a broken array or object cannot be read on from there, and says so.
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterator
from typing import BinaryIO

import orjson

from ftc.spec.data.records import Broken, Items, Json
from ftc.spec.data.streams import BLOCK, LONGEST_LINE, lines

_DECODER = json.JSONDecoder(parse_constant=lambda _: None)  # NaN and Infinity, which Python writes: no value
_SPACE = re.compile(r"[ \t\n\r]*")
_OPENING = re.compile(r"\[\s*(\S)")
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
_TURN_KEYS = frozenset(("role", "from", "speaker"))


def read_lines(stream: BinaryIO) -> Items:
    """JSONL: one value a line; blank lines are no rows."""
    loads = orjson.loads
    for number, line in enumerate(lines(stream), 1):
        if not line or line.isspace():
            continue
        try:
            yield number, loads(line)
        except orjson.JSONDecodeError:
            yield number, _second_look(line)


def _second_look(line: bytes) -> Json | Broken:
    """A line that orjson refuses: NaN is let pass, everything else gets its reason."""
    try:
        text = line.decode()
    except UnicodeDecodeError as error:
        return Broken("D103", f"byte {error.start + 1} is not UTF-8")
    try:
        value = _DECODER.decode(text)
    except json.JSONDecodeError as error:
        return Broken("D104", f"{_reason(error)} at column {error.colno}")
    except (RecursionError, ValueError) as error:
        return Broken("D104", _plain(error))
    return _whole(value)


def _whole(value: Json) -> Json | Broken:
    """The value, unless a string in it has half a surrogate pair and so cannot be written as UTF-8."""
    try:
        orjson.dumps(value)
    except TypeError as error:
        if "surrogate" in str(error) or "UTF-8" in str(error):
            return Broken("D103", "half of a surrogate pair in a string")
    return value


def _reason(error: json.JSONDecodeError) -> str:
    return f"not JSON: {error.msg[0].lower()}{error.msg[1:]}"


def _plain(error: BaseException) -> str:
    return "nested too deeply" if isinstance(error, RecursionError) else str(error).split(";")[0]


class _Malformed(Exception):
    def __init__(self, line: int, reason: str, code: str = "D104") -> None:
        self.line = line
        self.broken = Broken(code, reason, fatal=True)
        super().__init__(reason)


def read_document(stream: BinaryIO) -> Items:
    """A JSON array of rows, an object of rows by id, an object of columns, or objects one after the other."""
    scanner = _Scanner(stream)
    try:
        while first := scanner.peek():
            if first == "[":
                yield from scanner.elements()
            elif first == "{":
                yield from _object(scanner)
            else:
                raise _Malformed(scanner.line, "not JSON: neither an object nor an array")
    except _Malformed as error:
        yield error.line, error.broken


def _object(scanner: _Scanner) -> Items:
    """The rows of one top-level object, by the shape of its first members."""
    start = scanner.line
    seen: dict[str, Json] = {}
    for line, key in scanner.members():
        first = scanner.peek()
        if first == "[" and scanner.opens_objects(_TURN_KEYS):
            yield from scanner.elements()
            for _, other in scanner.members(opened=True):
                at, value = scanner.value()
                if isinstance(value, list) and value and isinstance(value[0], dict):
                    yield at, Broken("D106", f'{len(value)} rows under "{other}" stand beside those under "{key}"')
            return
        value = scanner.value()[1]
        if isinstance(value, dict) and not seen:
            if _is_pandas_column(value):
                yield from _columns(scanner, start, key, value)
                return
            following = next(scanner.members(opened=True), None)
            if following is None:
                yield line, value
                return
            if scanner.peek() == "{":
                yield line, value
                yield from _by_id(scanner, following[0])
                return
            seen[key] = value
            seen[following[1]] = scanner.value()[1]
            continue
        seen[key] = value
    columns = [value for value in seen.values() if isinstance(value, list)]
    if len(columns) == len(seen) > 1 and len({len(value) for value in columns}) == 1:
        for row in zip(*columns, strict=True):
            yield start, dict(zip(seen, row, strict=True))
    elif seen:
        yield start, seen


def _by_id(scanner: _Scanner, line: int) -> Items:
    """The members after the first one, when each is a row under its id."""
    yield max(line, 2), scanner.value()[1]
    for count, (line, _) in enumerate(scanner.members(opened=True), 3):
        yield (line if line > 1 else count), scanner.value()[1]


def _is_pandas_column(value: dict[str, Json]) -> bool:
    """`{"0": .., "1": ..}` with plain values: how pandas writes a column."""
    return all(key == str(number) for number, key in enumerate(value)) and not any(
        isinstance(each, dict) for each in value.values()
    )


def _columns(scanner: _Scanner, start: int, key: str, value: dict[str, Json]) -> Items:
    table: dict[str, Json] = {key: value}
    for _, name in scanner.members(opened=True):
        table[name] = scanner.value()[1]
    for index in value:
        yield start, {name: column.get(index) for name, column in table.items() if isinstance(column, dict)}


class _Scanner:
    """Text of which only the part being looked at is held. `line` is where the reading stands."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._decode = codecs.getincrementaldecoder("utf-8")().decode
        self._text = ""
        self._at = 0
        self._ended = False
        self.line = 1

    def _more(self) -> None:
        """Read on: as much again as is held, so that long records cost no more than their length."""
        data = self._stream.read(max(BLOCK, len(self._text) - self._at))
        self._ended = not data
        try:
            text = self._decode(data, self._ended)
        except UnicodeDecodeError as error:
            before = self._text[self._at :].count("\n") + data[: error.start].count(b"\n")
            raise _Malformed(
                self.line + before, f"byte {data[error.start : error.start + 1]!r} is not UTF-8", "D103"
            ) from None
        self._text = self._text[self._at :] + text
        self._at = 0

    def _advance(self, end: int) -> None:
        self.line += self._text.count("\n", self._at, end)
        self._at = end

    def peek(self) -> str:
        """The next character that is not space, not consumed; empty at the end."""
        while True:
            found = _SPACE.match(self._text, self._at)
            self._advance(found.end() if found else self._at)
            if self._at < len(self._text):
                return self._text[self._at]
            if self._ended:
                return ""
            self._more()

    def _take(self, wanted: str) -> str:
        """The next character, which has to be one of those."""
        found = self.peek()
        if not found:
            raise _Malformed(self.line, "the file ends in the middle")
        if found not in wanted:
            raise _Malformed(self.line, f"not JSON: {found!r} where one of {' '.join(wanted)} should stand")
        self._advance(self._at + 1)
        return found

    def value(self) -> tuple[int, Json]:
        """The next value and the line it starts at."""
        self.peek()
        line = self.line
        while True:
            try:
                found, end = _DECODER.raw_decode(self._text, self._at)
            except json.JSONDecodeError as error:
                if self._ended or not self._cut_off(error):
                    at = line + self._text.count("\n", self._at, error.pos)
                    raise _Malformed(at, _reason(error)) from None
                self._more()
                continue
            except (RecursionError, ValueError) as error:
                raise _Malformed(line, _plain(error)) from None
            if end >= len(self._text) - 1 and not self._ended and not isinstance(found, str | list | dict):
                self._more()  # the number may go on
                continue
            odd = _SURROGATE.search(self._text, self._at, end) is not None
            self._advance(end)
            return line, _whole(found) if odd else found

    def _cut_off(self, error: json.JSONDecodeError) -> bool:
        """True where more text could still make it right."""
        if len(self._text) - self._at > LONGEST_LINE:
            raise _Malformed(self.line, f"a record of more than {LONGEST_LINE >> 20} MB")
        return error.msg.startswith(("Unterminated", "Invalid \\")) or error.pos > len(self._text) - 16

    def elements(self) -> Items:
        """The values of the array that opens here."""
        self._take("[")
        if self.peek() == "]":
            self._take("]")
            return
        count = 0
        while True:
            count += 1
            line, value = self.value()
            yield (line if line > 1 else count), value
            if self._take(",]") == "]":
                return

    def members(self, opened: bool = False) -> Iterator[tuple[int, str]]:
        """The lines and keys of the object that opens here (or goes on, `opened`); the caller takes each value."""
        if not opened:
            self._take("{")
            if self.peek() == "}":
                self._take("}")
                return
        elif self._take(",}") == "}":
            return
        while True:
            line, key = self.value()
            if not isinstance(key, str):
                raise _Malformed(line, "not JSON: a key that is no string")
            self._take(":")
            yield line, key
            if self._take(",}") == "}":
                return

    def opens_objects(self, unless: frozenset[str]) -> bool:
        """True where an array of objects opens here, and its first object has none of those keys."""
        while not (found := _OPENING.match(self._text, self._at)) and not self._ended:
            self._more()
        if not found or found.group(1) != "{":
            return False
        ahead = found.end() - 1 - self._at
        while True:
            try:
                first, _ = _DECODER.raw_decode(self._text, self._at + ahead)
                return isinstance(first, dict) and not unless & first.keys()
            except json.JSONDecodeError as error:
                if self._ended or not self._cut_off(error):
                    return True
                self._more()
            except (RecursionError, ValueError):
                return True
