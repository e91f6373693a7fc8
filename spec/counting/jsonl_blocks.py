"""The fast way through large JSONL files: whole blocks are decoded by msgspec into just the fields that are needed.

Gives exactly what reading row by row gives. Lines that are anything but plain good rows, and blocks that do not decode
as a whole, go the slow way, line by line, with the same converters and the same findings.
"""

from __future__ import annotations

import io
import operator
from array import array
from collections.abc import Callable, Mapping, Sequence
from itertools import repeat
from operator import itemgetter
from typing import Any

import msgspec  # 25 ms
import numpy  # 80 ms; this module is only loaded for large files
import xxhash

from ftc.spec.columns import PARAGRAPHS
from ftc.spec.counting.batches import BETWEEN, LINE, characters, place_of
from ftc.spec.counting.batches import count as count_rows
from ftc.spec.counting.distinct import Hashes
from ftc.spec.counting.repeats import Watch
from ftc.spec.counting.tally import CLIP, Sampled, Tally
from ftc.spec.data.json_text import read_lines
from ftc.spec.fields import Field
from ftc.spec.reading_rows import RowMaker
from ftc.spec.reports import Reports
from ftc.spec.rows import Row
from ftc.spec.turns import CONTENT_KEYS, ROLE_KEYS, canonical_role, cut_in_order

_digest = xxhash.xxh3_64_intdigest
_OPEN, _CLOSE = b"{}"
_FIRST, _LAST = itemgetter(0), itemgetter(-1)
_NOT = operator.not_
_SUPERVISED = ("prompt-completion", "instruction", "qa", "question-final-answer", "text-label")

Columns = Mapping[str, str]


class Shape(msgspec.Struct):
    """What else is known of the records: the keys of a turn, and the columns that are not needed.

    `numbers` are decoded, so that nothing unforeseen is passed over; where there are others (`skips`), they are not.
    """

    turn: list[str]
    numbers: list[str]
    skips: bool


class BlockCounter:
    """Counts blocks of lines of one file into a tally and its reports. `turn` as in `batches.count`."""

    def __init__(self, name: str, format_: str, columns: Columns, limit: int, turn: int, shape: Shape) -> None:
        self.tally = Tally(limit=limit)
        self.hashes = Hashes()
        self.reports = Reports()
        self.lines = 0
        self._name = name
        self._turn = turn
        self._maker = RowMaker(format_, columns, self.reports)
        self._columns = columns
        self._asks = array("I")  # characters of each prompt
        self._says = array("I")  # and of each answer
        self._around = array("I")  # and how many turns the prompt has
        self._documents = array("I")
        self.places = array("I")  # lines of the rows that have hashes
        self._turns: dict[tuple[str, ...], tuple[int, int, bool] | None] = {}
        self._skips = shape.skips
        self._decode = msgspec.json.Decoder(_row_type(columns, shape)).decode_lines
        self._count: Callable[[list[Any]], list[int]] = {
            "chat": self._chat,
            "text": self._text,
            "preference-pairs": self._pairs,
        }.get(format_, self._supervised)

    def add(self, data: bytes, end: int) -> None:
        """Count the whole lines that `data` has before `end`, where the newline of the last one stands (or the end)."""
        lines = data[:end].split(b"\n")
        rows = self._decoded(data, end, lines)
        if rows is None:
            self._slowly(lines, range(len(lines)))
        else:
            odd = self._count(rows)
            if odd:
                self._slowly(lines, odd)
        self.lines += len(lines)

    def _decoded(self, data: bytes, end: int, lines: list[bytes]) -> list[Any] | None:
        """One value a line, or None where that is not what stands there.

        Every line has to open and close an object: then no object can span two lines, and as many objects as lines
        means that no line has two. Fields that are skipped are not checked for UTF-8, so the whole is.
        """
        if any(map(_NOT, lines)) or set(map(_FIRST, lines)) != {_OPEN} or set(map(_LAST, lines)) != {_CLOSE}:
            return None
        if self._skips and not data.isascii() and not _is_utf8(data[:end]):
            return None
        try:
            rows: list[Any] = self._decode(memoryview(data)[:end])
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return None
        return rows if len(rows) == len(lines) else None

    def finish(self) -> None:
        """Bring the lengths into the tally."""
        asks, says, around = (numpy.asarray(each, numpy.int64) for each in (self._asks, self._says, self._around))
        documents = numpy.asarray(self._documents, numpy.int64)
        tally, turn = self.tally, self._turn
        for counter, lengths in (
            (tally.prompt, asks + turn * around),
            (tally.completion, says),
            (tally.sequence, asks + says + turn * (around + 1)),
            (tally.completion, documents),
            (tally.sequence, documents),
        ):
            values, times = numpy.unique(lengths, return_counts=True)
            counter.update(dict(zip(values.tolist(), times.tolist(), strict=True)))
        self._find_repeats()

    def _find_repeats(self) -> None:
        """Places of rows that stand twice in this part, where there are any."""
        asked, content = self.hashes.asked, self.hashes.content
        labelled = bool(self.tally.classes)
        if len(set(content)) == len(content) and not labelled:
            return
        watch = Watch()
        places = list(zip(repeat(self._name), self.places, strict=False))
        watch.look(places, asked, content, labelled)
        self.tally.repeats = watch.found

    def _slowly(self, lines: Sequence[bytes], wanted: Sequence[int]) -> None:
        """Those of the lines one by one, as any other file is read."""
        rows: list[Row] = []
        for index in wanted:
            for _, item in read_lines(io.BytesIO(lines[index])):
                rows += self._maker.make(self._name, self.lines + index + 1, item)
        if rows:
            count_rows(self.tally, self.hashes, rows, characters, self._turn)
            self.places.extend(place_of(row)[1] for row in rows)

    def _take(
        self,
        places: Sequence[int],
        prompts: Sequence[str],
        answers: Sequence[str],
        turns: Sequence[int] | None = None,
        labels: Sequence[str] | None = None,
        contents: Sequence[str] | None = None,
        first: Sequence[str] | None = None,
    ) -> None:
        """Count rows that are good. `answers` are the longest ones; where there are several, `contents` has all of
        them, as they are hashed, and `first` the one to be learned.
        """
        tally = self.tally
        asks = list(map(len, prompts))
        says = list(map(len, answers))
        self._asks.extend(asks)
        self._says.extend(says)
        self.places.extend(self.lines + place + 1 for place in places)
        self._around.extend(turns if turns is not None else repeat(1, len(asks)))
        tally.prompt_characters += sum(asks)
        tally.completion_characters += sum(says)
        asked = array("Q", map(_digest, map(str.encode, prompts)))
        content = array("Q", map(_digest, map(str.encode, contents or answers), asked))
        self.hashes.asked.extend(asked)
        self.hashes.content.extend(content)
        tally.used += len(prompts)
        self.reports.rows_read += len(prompts)
        shown = first or answers
        limit = tally.limit
        chosen = [index for index, key in enumerate(content) if key <= limit]
        if chosen:
            tally.offer(
                [
                    Sampled(
                        content[index],
                        asked[index],
                        self._name,
                        self.lines + places[index] + 1,
                        prompts[index][:CLIP].replace(BETWEEN, LINE),
                        shown[index][:CLIP],
                        labels[index] if labels else None,
                    )
                    for index in chosen
                ]
            )

    def _supervised(self, rows: list[Any]) -> list[int]:
        """Prompt and answer as texts; a system text, a context and an input where there are columns for them."""
        columns = self._columns
        prompts = [row.prompt for row in rows]
        labelled = "label" in columns
        answers = [row.label for row in rows] if labelled else [row.completion for row in rows]
        turns: list[int] | None = None
        if "input" in columns:
            prompts = _with(PARAGRAPHS, prompts, [row.input for row in rows])
        odd, places = _sorted_out(prompts, answers)
        if odd:
            rows = [rows[index] for index in places]
            prompts = [prompts[index] for index in places]
            answers = [answers[index] for index in places]
        if "context" in columns:
            prompts = _with(PARAGRAPHS, [row.context for row in rows], prompts)
        labels = None
        if labelled:
            answers = labels = [each.strip() for each in answers]
            self.tally.classes.update(labels)
        self.tally.user_turns += len(rows)
        if "system" in columns:
            systems = [row.system if row.system and not row.system.isspace() else None for row in rows]
            turns = [1 if system is None else 2 for system in systems]
            self.tally.with_system += sum(turns) - len(turns)
            prompts = [
                prompt if system is None else system + BETWEEN + prompt
                for system, prompt in zip(systems, prompts, strict=True)
            ]
        self._groups(rows)
        self._take(places, prompts, answers, turns, labels)
        return odd

    def _groups(self, rows: list[Any]) -> None:
        if "group" in self._columns:
            self.hashes.groups.extend(_digest(row.group.encode()) for row in rows if row.group is not None)

    def _text(self, rows: list[Any]) -> list[int]:
        texts = [row.text for row in rows]
        odd, places = _sorted_out(texts, texts)
        if odd:
            rows = [rows[index] for index in places]
            texts = [texts[index] for index in places]
        tally = self.tally
        lengths = list(map(len, texts))
        self._documents.extend(lengths)
        self.places.extend(self.lines + place + 1 for place in places)
        tally.completion_characters += sum(lengths)
        nothing = _digest(b"")
        content = array("Q", map(_digest, map(str.encode, texts), repeat(nothing)))
        self.hashes.asked.extend([nothing] * len(texts))
        self.hashes.content.extend(content)
        tally.used += len(texts)
        tally.user_turns += len(texts)
        self.reports.rows_read += len(texts)
        self._groups(rows)
        tally.offer(
            [
                Sampled(key, nothing, self._name, self.lines + places[index] + 1, "", texts[index][:CLIP])
                for index, key in enumerate(content)
                if key <= tally.limit
            ]
        )
        return odd

    def _pairs(self, rows: list[Any]) -> list[int]:
        """Texts only: a prompt and two answers that differ."""
        chosen = [row.chosen for row in rows]
        odd, places = _sorted_out([row.prompt for row in rows], chosen, [row.rejected for row in rows])
        same = {i for i in places if rows[i].chosen.strip() == rows[i].rejected.strip()}
        if same:
            odd = sorted({*odd, *same})
            places = [index for index in places if index not in same]
        rows = [rows[index] for index in places]
        chosen, rejected = [row.chosen for row in rows], [row.rejected for row in rows]
        longer = [one if len(one) >= len(other) else other for one, other in zip(chosen, rejected, strict=True)]
        whole = [one + BETWEEN + other for one, other in zip(chosen, rejected, strict=True)]
        tally = self.tally
        tally.user_turns += len(rows)
        tally.pairs += len(rows)
        tally.answers += 2 * len(rows)
        tally.longer += sum(len(one) > len(other) for one, other in zip(chosen, rejected, strict=True))
        self._groups(rows)
        self._take(places, [row.prompt for row in rows], longer, None, None, whole, chosen)
        return odd

    def _chat(self, rows: list[Any]) -> list[int]:
        """Conversations whose turns are texts in order."""
        odd: list[int] = []
        places: list[int] = []
        prompts: list[str] = []
        answers: list[str] = []
        turns: list[int] = []
        tally, known = self.tally, self._turns
        for index, row in enumerate(rows):
            messages = row.messages
            if messages is None:
                odd.append(index)
                continue
            roles = tuple([message.role for message in messages])
            if roles not in known:
                known[roles] = _order_of(roles)
            order = known[roles]
            contents = [message.content for message in messages]
            if order is None or None in contents:
                odd.append(index)
                continue
            last, users, system = order
            answer = contents[last]
            if not answer or answer.isspace() or not contents[system] or contents[system].isspace():
                odd.append(index)
                continue
            if last + 1 < len(contents):
                self.reports.note("D205", self._name, self.lines + index + 1, "turns after the last answer")
            before = contents[:last]
            extra = row.system if "system" in self._columns and not system else None
            if extra and not extra.isspace():
                before = [extra, *before]
                tally.with_system += 1
            tally.with_system += system
            tally.user_turns += users
            tally.with_tools += "tools" in self._columns and _has_tools(row.tools)
            if "group" in self._columns and row.group is not None:
                self.hashes.groups.append(_digest(row.group.encode()))
            places.append(index)
            prompts.append(BETWEEN.join(before) if len(before) != 1 else before[0])
            answers.append(answer)
            turns.append(len(before))
        self._take(places, prompts, answers, turns)
        return odd


def _is_utf8(block: bytes) -> bool:
    try:
        block.decode()
    except UnicodeDecodeError:
        return False
    return True


def _has_tools(tools: str | None) -> bool:
    return bool(tools) and str(tools).strip() not in ("", "[]", "{}")


def _with(between: str, first: Sequence[str | None], second: Sequence[str | None]) -> list[str | None]:
    """Both texts where both are there, else the one that is."""
    return [
        one + between + other if one and other and not one.isspace() and not other.isspace() else _one(one, other)
        for one, other in zip(first, second, strict=True)
    ]


def _one(one: str | None, other: str | None) -> str | None:
    return one if one and not one.isspace() else other


def _sorted_out(*columns: Sequence[str | None]) -> tuple[list[int], Sequence[int]]:
    """The indices of rows with a text that is missing or blank, and those of the others."""
    rows = len(columns[0])
    fine = all(None not in texts and "" not in texts and not any(map(str.isspace, texts)) for texts in columns)  # type: ignore[arg-type]
    if fine:
        return [], range(rows)
    odd = [
        index
        for index in range(rows)
        if any(not texts[index] or texts[index].isspace() for texts in columns)  # type: ignore[union-attr]
    ]
    gone = set(odd)
    return odd, [index for index in range(rows) if index not in gone]


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
    others = {name: each.kind for name, each in fields.items() if name not in columns.values()}
    turn = (_turn_keys(fields[columns["messages"]]) or ()) if "messages" in columns else ()
    numbers = [name for name, kind in others.items() if kind in ("number", "bool", "empty")]
    return Shape(turn=list(turn), numbers=numbers, skips=len(numbers) < len(others))


def _turn_keys(turns: Field) -> tuple[str, str] | None:
    """The names of role and content, where turns have just these two."""
    keys = {key for value in turns.values if isinstance(value, list) for turn in value for key in turn}
    role = next((key for key in ROLE_KEYS if key in keys), None)
    content = next((key for key in CONTENT_KEYS if key in keys), None)
    return (role, content) if role and content and len(keys) == 2 else None


def _row_type(columns: Columns, shape: Shape) -> Any:
    """The fields to decode, under the names of their roles."""
    kinds: dict[str, Any] = dict.fromkeys(columns, str | None)
    names = dict(columns)
    if "messages" in columns:
        role, content = shape.turn
        turn = msgspec.defstruct(
            "Turn",
            [("role", str), ("content", str | None)],
            gc=False,
            forbid_unknown_fields=True,
            rename={"role": role, "content": content},
        )
        kinds["messages"] = list[turn] | None  # type: ignore[valid-type]
    for number, name in enumerate(shape.numbers):
        kinds[f"number_{number}"] = int | float | bool | None
        names[f"number_{number}"] = name
    fields = [(name, kind, None) for name, kind in kinds.items()]
    return msgspec.defstruct("Row", fields, gc=False, forbid_unknown_fields=not shape.skips, rename=names)
