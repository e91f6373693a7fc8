"""The fast way through large JSONL files: msgspec checks whole blocks and hands out just the texts that are needed.

Gives what reading row by row gives, with lengths in bytes as written. Lines that are anything but plain good rows, and
blocks that are not whole, go the slow way, line by line, with the same converters and the same findings.
"""

from __future__ import annotations

import io
import re
from array import array
from collections.abc import Callable, Iterable, Mapping, Sequence
from operator import attrgetter
from typing import Any

import msgspec  # 25 ms
import numpy  # 80 ms; this module is only loaded for large files

from ftc.spec.counting.batches import LINE, place_of
from ftc.spec.counting.batches import count as count_rows
from ftc.spec.counting.distinct import Hashes
from ftc.spec.counting.raw_lines import LineFinder
from ftc.spec.counting.raw_texts import Raw, is_absent, joined, lengths_of, respelled, text_of, unusable
from ftc.spec.counting.tally import CLIP, Sampled, Tally
from ftc.spec.counting.written import BETWEEN, digest, key_of, written, written_lengths
from ftc.spec.data.json_text import read_lines
from ftc.spec.fields import Field
from ftc.spec.reading_rows import RowMaker
from ftc.spec.reports import Reports
from ftc.spec.rows import Row
from ftc.spec.turns import CONTENT_KEYS, ROLE_KEYS, canonical_role, cut_in_order

_PARAGRAPHS = rb"\n\n"  # as written
_SUPERVISED = ("prompt-completion", "instruction", "qa", "question-final-answer", "text-label")
_SHORT = ("label", "group", "tools")  # decoded: counted by value, or looked into
_NOTHING = key_of(())
_PREFIX = 16  # bytes in which different answers mostly differ
_TEXT = re.compile(rb'"(?:[^"\\]|\\.)*"', re.DOTALL)

Columns = Mapping[str, str]


class Shape(msgspec.Struct):
    """What else is known of the records: the keys of a turn."""

    turn: list[str]


class BlockCounter:
    """Counts blocks of lines of one file into a tally and its reports. `turn` as in `batches.count`."""

    def __init__(self, name: str, format_: str, columns: Columns, limit: int, turn: int, shape: Shape) -> None:
        self.tally = Tally(limit=limit)
        self.reports = Reports()
        self.lines = 0
        self._name = name
        self._turn = turn
        self._maker = RowMaker(format_, columns, self.reports)
        self._columns = columns
        self._finder = LineFinder()
        self._content: list[Any] = []  # arrays of hashes, and of the lines they are of
        self._asked: list[Any] = []
        self._places: list[Any] = []
        self._groups: array[int] = array("Q")
        self._lengths: dict[str, list[Any]] = {"prompt": [], "completion": [], "sequence": []}
        self._turns: dict[tuple[str, ...], tuple[int, int, bool] | None] = {}
        self._labels: dict[str, tuple[str, bytes]] = {}  # as it stands -> stripped, and that as written
        self._raw = [role for role in columns if role not in (*_SHORT, "messages")]
        self._decode = msgspec.json.Decoder(_row_type(columns, shape)).decode_lines
        self._count: Callable[[list[Any], Iterable[int]], list[int]] = {
            "chat": self._chat,
            "text": self._text,
            "preference-pairs": self._pairs,
        }.get(format_, self._supervised)

    def add(self, data: memoryview) -> None:
        """Count the whole lines that a block has; its last one may lack its end."""
        found = self._finder.lines(data)
        rows = self._decoded(data, found.count) if found else None
        if found is None or rows is None:
            lines = bytes(data).split(b"\n")
            if not lines[-1]:
                lines.pop()
            self._slowly(lines, range(len(lines)))
            self.lines += len(lines)
            return
        odd = self._count(rows, found.respelled)
        if odd:
            self._slowly(bytes(data).split(b"\n"), odd)
        self.lines += found.count

    def _decoded(self, data: memoryview, lines: int) -> list[Any] | None:
        """One value a line, or None where that is not what stands there.

        Every line opens and closes an object: then no object can span two lines, and as many objects as lines means
        that no line has two.
        """
        try:
            rows: list[Any] = self._decode(data)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return None
        return rows if len(rows) == lines else None

    def lengths(self) -> dict[str, tuple[bytes, bytes]]:
        """The lengths that there are and how often, by what they are of, as 64-bit numbers."""
        found = {}
        for what, arrays in self._lengths.items():
            values, times = numpy.unique(_together(arrays, "i8"), return_counts=True)
            found[what] = (values.tobytes(), times.astype("i8").tobytes())
        return found

    def hashes(self) -> Hashes:
        """Those of the rows so far, those of `places` in the same order."""
        content, asked = _together(self._content, "u8"), _together(self._asked, "u8")
        return Hashes(content=array("Q", content.tobytes()), asked=array("Q", asked.tobytes()), groups=self._groups)

    def places(self) -> bytes:
        """The lines of the rows that have hashes, as 32-bit numbers."""
        return bytes(_together(self._places, "u4").tobytes())

    def _slowly(self, lines: Sequence[bytes], wanted: Sequence[int]) -> None:
        """Those of the lines one by one, as any other file is read."""
        rows: list[Row] = []
        for index in wanted:
            for _, item in read_lines(io.BytesIO(lines[index])):
                rows += self._maker.make(self._name, self.lines + index + 1, item)
        if not rows:
            return
        hashes = Hashes()
        count_rows(self.tally, hashes, rows, written_lengths, self._turn)
        self._content.append(numpy.array(hashes.content, numpy.uint64))
        self._asked.append(numpy.array(hashes.asked, numpy.uint64))
        self._groups.extend(hashes.groups)
        self._places.append(numpy.array([place_of(row)[1] for row in rows], numpy.uint32))

    def _take(
        self,
        places: Any,
        prompts: Sequence[Raw],
        answers: Sequence[Raw],
        asks: Any,
        says: Any,
        turns: Any = 1,
        labels: Sequence[str] | None = None,
    ) -> None:
        """Count rows that are good. A prompt of several texts is those texts one after the other, and so is an answer
        of several; `asks` are the bytes of the one, `says` those of the longest answer.
        """
        tally, rows = self.tally, len(prompts)
        if not rows:
            return
        self._lengths["prompt"].append(asks + self._turn * turns)
        self._lengths["completion"].append(says)
        self._lengths["sequence"].append(asks + says + self._turn * (turns + 1))
        tally.prompt_characters += int(asks.sum())
        tally.completion_characters += int(says.sum())
        asked = list(map(digest, prompts))
        self._asked.append(numpy.fromiter(asked, numpy.uint64, rows))
        content = numpy.fromiter(map(digest, answers, asked), numpy.uint64, rows)
        self._keep(places, content)
        limit = tally.limit
        for index in numpy.flatnonzero(content <= numpy.uint64(limit)).tolist():
            prompt, answer = _texts(prompts[index]), _texts(answers[index])
            tally.sample.append(
                Sampled(
                    int(content[index]),
                    asked[index],
                    self._name,
                    self.lines + int(places[index]) + 1,
                    BETWEEN.join(prompt)[:CLIP].replace(BETWEEN, LINE),
                    answer[0][:CLIP],
                    labels[index] if labels else None,
                )
            )
        tally.offer([])

    def _keep(self, places: Any, content: Any) -> None:
        """Count rows that are good by number, place and hash."""
        self._content.append(content)
        self._places.append((places + (self.lines + 1)).astype(numpy.uint32))
        self.tally.used += len(content)
        self.reports.rows_read += len(content)

    def _spelled(self, raws: list[Raw], lines: Iterable[int]) -> list[Raw]:
        for line in lines:
            raws[line] = respelled(raws[line])
        return raws

    def _column(self, rows: list[Any], role: str, lines: Iterable[int]) -> list[Raw]:
        return self._spelled(list(map(attrgetter(role), rows)), lines)

    def _supervised(self, rows: list[Any], lines: Iterable[int]) -> list[int]:
        """Prompt and answer as texts; a system text, a context and an input where there are columns for them."""
        columns = self._columns
        prompts = self._column(rows, "prompt", lines)
        labels: list[str] | None = None
        if "label" in columns:
            labels, answers = self._labelled(rows)
        else:
            answers = self._column(rows, "completion", lines)
        asks, says = lengths_of(prompts), lengths_of(answers)
        blank = unusable(prompts, asks)
        odd = unusable(answers, says)
        beside = {
            role: self._beside(rows, role, lines, odd) for role in ("input", "context", "system") if role in columns
        }
        if "input" in beside:
            inputs = beside["input"]
            for index in inputs.keys() - set(numpy.flatnonzero(odd).tolist()):
                if not blank[index]:
                    prompts[index] = joined(prompts[index], _PARAGRAPHS, inputs[index])
                elif is_absent(prompts[index]):
                    prompts[index], blank[index] = inputs[index], False
        odd |= blank
        for index, context in beside.get("context", {}).items():
            if not odd[index]:
                prompts[index] = joined(context, _PARAGRAPHS, prompts[index])
        if beside:
            asks = lengths_of(prompts)
        asks -= 2
        turns: Any = numpy.ones(len(rows), numpy.int64)
        for index, system in beside.get("system", {}).items():
            if not odd[index]:
                prompts[index] = bytes(system) + bytes(prompts[index])
                asks[index] += len(system) - 2
                turns[index] = 2
                self.tally.with_system += 1
        places = numpy.arange(len(rows))
        if odd.any():
            places = places[~odd]
            kept = places.tolist()
            rows, prompts, answers = _of(rows, kept), _of(prompts, kept), _of(answers, kept)
            labels = _of(labels, kept) if labels else None
            asks, says, turns = asks[places], says[places], turns[places]
        if labels:
            self.tally.classes.update(labels)
        self.tally.user_turns += len(rows)
        self._group(rows)
        self._take(places, prompts, answers, asks, says - 2, turns, labels)
        return [] if len(places) == len(odd) else numpy.flatnonzero(odd).tolist()

    def _beside(self, rows: list[Any], role: str, lines: Iterable[int], odd: Any) -> dict[int, Raw]:
        """The texts of a column that need not be there, by row; what is no text makes its row odd."""
        raws = self._column(rows, role, lines)
        missing = unusable(raws, lengths_of(raws))
        for index in numpy.flatnonzero(missing).tolist():
            odd[index] |= not is_absent(raws[index])
        return {index: raws[index] for index in numpy.flatnonzero(~missing).tolist()}

    def _labelled(self, rows: list[Any]) -> tuple[list[str], list[Raw]]:
        """The labels, and as they are written."""
        known = self._labels
        found = [row.label if row.label is not None else "" for row in rows]
        for label in set(found) - known.keys():
            known[label] = (label.strip(), written(label.strip()))
        both = [known[label] for label in found]
        return [label for label, _ in both], [raw for _, raw in both]

    def _group(self, rows: list[Any]) -> None:
        if "group" in self._columns:
            self._groups.extend(key_of((row.group,)) for row in rows if row.group is not None)

    def _text(self, rows: list[Any], lines: Iterable[int]) -> list[int]:
        texts = self._column(rows, "text", lines)
        lengths = lengths_of(texts)
        odd = unusable(texts, lengths)
        places = numpy.flatnonzero(~odd)
        kept = places.tolist()
        if len(kept) < len(rows):
            rows, texts, lengths = _of(rows, kept), _of(texts, kept), lengths[places]
        tally = self.tally
        self._lengths["completion"].append(lengths - 2)
        self._lengths["sequence"].append(lengths - 2)
        tally.completion_characters += int(lengths.sum()) - 2 * len(rows)
        content = numpy.array([digest(text, _NOTHING) for text in texts], numpy.uint64)
        self._asked.append(numpy.full(len(texts), _NOTHING, numpy.uint64))
        self._keep(places, content)
        tally.user_turns += len(texts)
        self._group(rows)
        chosen = numpy.flatnonzero(content <= numpy.uint64(tally.limit)).tolist()
        tally.offer(
            [
                Sampled(int(content[index]), _NOTHING, self._name, self.lines + kept[index] + 1, "",
                        text_of(texts[index])[:CLIP])
                for index in chosen
            ]
        )  # fmt: skip
        return numpy.flatnonzero(odd).tolist() if odd.any() else []

    def _pairs(self, rows: list[Any], lines: Iterable[int]) -> list[int]:
        """Texts only: a prompt and two answers that differ."""
        prompts, chosen, rejected = (self._column(rows, role, lines) for role in ("prompt", "chosen", "rejected"))
        asks, ones, others = lengths_of(prompts), lengths_of(chosen), lengths_of(rejected)
        odd = unusable(prompts, asks) | unusable(chosen, ones) | unusable(rejected, others)
        for index in numpy.flatnonzero(~odd).tolist():
            odd[index] = _same(chosen[index], rejected[index])
        places = numpy.flatnonzero(~odd)
        kept = places.tolist()
        tally = self.tally
        tally.user_turns += len(kept)
        tally.pairs += len(kept)
        tally.answers += 2 * len(kept)
        tally.longer += int((ones[places] > others[places]).sum())
        self._group(_of(rows, kept))
        both = [bytes(chosen[index]) + bytes(rejected[index]) for index in kept]
        longest = numpy.maximum(ones, others)[places] - 2
        self._take(places, _of(prompts, kept), both, asks[places] - 2, longest)
        return numpy.flatnonzero(odd).tolist() if odd.any() else []

    def _chat(self, rows: list[Any], lines: Iterable[int]) -> list[int]:
        """Conversations whose turns are texts in order."""
        respell = frozenset(lines)
        odd: list[int] = []
        places: list[int] = []
        prompts: list[Raw] = []
        answers: list[Raw] = []
        turns: list[int] = []
        asks: list[int] = []
        tally, known = self.tally, self._turns
        flat = [message.content for row in rows for message in row.messages or ()]
        no_texts = unusable(flat, lengths_of(flat)) if flat else ()
        blank_row = _rows_with(no_texts, [len(row.messages or ()) for row in rows]) if flat else frozenset()
        for index, row in enumerate(rows):
            messages = row.messages
            if not messages or index in blank_row:
                odd.append(index)
                continue
            roles = tuple([message.role for message in messages])
            if roles not in known:
                known[roles] = _order_of(roles)
            order = known[roles]
            extra = self._system(row) if "system" in self._columns else None
            if order is None or extra == b"?":
                odd.append(index)
                continue
            last, users, system = order
            contents = [message.content for message in messages[: last + 1]]
            if index in respell:
                contents = [respelled(content) for content in contents]
            if last + 1 < len(messages):
                self.reports.note("D205", self._name, self.lines + index + 1, "turns after the last answer")
            before = contents[:last]
            if extra and not system:
                before = [extra, *before]
                tally.with_system += 1
            tally.with_system += system
            tally.user_turns += users
            tally.with_tools += "tools" in self._columns and _has_tools(row.tools)
            if "group" in self._columns and row.group is not None:
                self._groups.append(key_of((row.group,)))
            places.append(index)
            asks.append(sum(map(len, before)) - 2 * len(before))
            prompts.append(b"".join(before) if len(before) != 1 else before[0])
            answers.append(contents[last])
            turns.append(len(before))
        many = numpy.array(turns, numpy.int64)
        self._take(
            numpy.array(places, numpy.int64), prompts, answers, numpy.array(asks, numpy.int64),
            lengths_of(answers) - 2, many,
        )  # fmt: skip
        return odd

    def _system(self, row: Any) -> bytes | None:
        """The system text beside the turns, None where there is none; a question mark for what is no text."""
        if is_absent(row.system):
            return None
        return bytes(respelled(row.system)) if bytes(row.system)[:1] == b'"' else b"?"


def _together(arrays: list[Any], kind: str) -> Any:
    return numpy.concatenate(arrays) if arrays else numpy.empty(0, kind)


def _of(values: Sequence[Any], kept: Sequence[int]) -> list[Any]:
    return [values[index] for index in kept]


def _texts(raw: Raw) -> list[str]:
    """The texts that stand one after the other."""
    value = bytes(raw)
    if value.count(b'""') == 0:
        return [text_of(value)]
    return [text_of(each) for each in _TEXT.findall(value)]


def _rows_with(found: Any, sizes: Sequence[int]) -> frozenset[int]:
    """The rows that one of these is in, where each row has so many."""
    if not found.any():
        return frozenset()
    of_row = numpy.repeat(numpy.arange(len(sizes)), sizes)
    return frozenset(of_row[found].tolist())


def _has_tools(tools: str | None) -> bool:
    return bool(tools) and str(tools).strip() not in ("", "[]", "{}")


def _same(one: Raw, other: Raw) -> bool:
    """True where the two say the same, spaces around it aside."""
    first, second = bytes(one), bytes(other)
    least = min(len(first), len(second), _PREFIX) - 1
    if first[:least] != second[:least] and first[1:2].isalnum() and second[1:2].isalnum():
        return False
    return text_of(one).strip() == text_of(other).strip()


def _order_of(roles: tuple[str, ...]) -> tuple[int, int, bool] | None:
    """Of turns in order: the index of the last answer, the user turns before it, whether a system text opens.

    None where they are not in order, to be looked at one by one.
    """
    canonical = [canonical_role(role) for role in roles]
    last = cut_in_order(canonical)
    if last is None:
        return None
    return last, canonical[:last].count("user"), canonical[0] == "system"


def suits(format_: str, columns: Columns, fields: Mapping[str, Field]) -> bool:
    """True where rows of that reading can be counted block by block."""
    plain = all(path in fields for path in columns.values())
    if not plain or len(set(columns.values())) != len(columns):
        return False
    kinds = {role: fields[path].kind for role, path in columns.items()}
    rest = {role: kind for role, kind in kinds.items() if role != "messages"}
    if any(kind not in ("text", "empty") for kind in rest.values()):
        return False
    if format_ in _SUPERVISED:
        return rest.keys() <= {"prompt", "completion", "label", "context", "input", "system", "group"}
    if format_ == "chat":
        turns = kinds["messages"] == "turns" and _turn_keys(fields[columns["messages"]]) is not None
        return turns and rest.keys() <= {"system", "tools", "group"}
    if format_ == "preference-pairs":
        return rest.keys() <= {"prompt", "chosen", "rejected", "group"} and "prompt" in rest and "chosen" in rest
    return format_ == "text" and rest.keys() <= {"text", "group"}


def shape_of(columns: Columns, fields: Mapping[str, Field]) -> Shape:
    """The shape of the records, for `BlockCounter`."""
    return Shape(turn=list((_turn_keys(fields[columns["messages"]]) or ()) if "messages" in columns else ()))


def _turn_keys(turns: Field) -> tuple[str, str] | None:
    """The names of role and content, where turns have just these two."""
    keys = {key for value in turns.values if isinstance(value, list) for turn in value for key in turn}
    role = next((key for key in ROLE_KEYS if key in keys), None)
    content = next((key for key in CONTENT_KEYS if key in keys), None)
    return (role, content) if role and content and len(keys) == 2 else None


def _row_type(columns: Columns, shape: Shape) -> Any:
    """The fields to take out, under the names of their roles: texts raw, what is short decoded."""
    raw = msgspec.Raw
    kinds: dict[str, Any] = {role: str | None if role in _SHORT else raw for role in columns}
    if "messages" in columns:
        role, content = shape.turn
        turn = msgspec.defstruct(
            "Turn",
            [("role", str), ("content", raw, raw())],
            gc=False,
            forbid_unknown_fields=True,
            rename={"role": role, "content": content},
        )
        kinds["messages"] = list[turn] | None  # type: ignore[valid-type]
    fields = [(name, kind, raw() if kind is raw else None) for name, kind in kinds.items()]
    return msgspec.defstruct("Row", fields, gc=False, rename=dict(columns))
