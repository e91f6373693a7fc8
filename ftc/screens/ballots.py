"""Ranking by a person: which row comes next, in which order its answers stand, and what was chosen.

Every choice is one line appended to `<out>.choices.jsonl`, which is the only state: killed at any moment, the next
session goes on with the next row. The preference pairs that training reads are derived from it. Knows no screen.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

from ftc.spec.files import write_whole
from ftc.spec.rows import Message

Kind = Literal["better", "tie", "bad", "skip", "edit"]
KINDS: tuple[str, ...] = get_args(Kind)
GAP = 8  # rows between the first look at a row and the second, so that the answer is not remembered


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A prompt with its answers, in the order of the file."""

    prompt: tuple[Message, ...]
    answers: tuple[str, ...]
    place: str = ""

    @property
    def id(self) -> str:
        """Names the row by what stands in it, in every session and for every annotator."""
        said = json.dumps(
            [[each.role, each.content] for each in self.prompt] + [list(self.answers)], ensure_ascii=False
        )
        return hashlib.sha256(said.encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """One showing of a row: first or second, its answers in this order (places in `Row.answers`)."""

    row: Row
    number: Literal[1, 2]
    order: tuple[int, ...]

    @property
    def key(self) -> tuple[str, int]:
        """What a choice belongs to."""
        return (self.row.id, self.number)


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """One judgement. `best` is a place in the row's answers, for `better`; `text` the answer written, for `edit`."""

    id: str
    number: int
    kind: Kind
    annotator: str
    prompt: tuple[Message, ...]
    answers: tuple[str, ...]
    best: int | None = None
    text: str = ""

    @property
    def verdict(self) -> str:
        """What it says, to be compared with another one's: a place, `tie`, `bad`; empty where it says nothing."""
        if self.kind == "better":
            return str(self.best)
        return self.kind if self.kind in ("tie", "bad") else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a session is."""

    rows: int
    judged: int
    pairs: int
    second_looks: int
    agreed: int  # of the second looks, how many said the same again


def looks(rows: Sequence[Row], *, seed: int, annotator: str, second: float) -> list[Look]:
    """Every showing in its order. The same arguments give the same list, so that a session can go on."""
    shown: list[Look] = []
    again: list[tuple[int, Row]] = []
    for index, row in enumerate(rows):
        while again and again[0][0] <= index:
            shown.append(_look(again.pop(0)[1], 2, seed, annotator))
        shown.append(_look(row, 1, seed, annotator))
        if _share(f"{seed}:{annotator}:{row.id}:second") < second:
            again.append((index + GAP, row))
    return [*shown, *(_look(row, 2, seed, annotator) for _, row in again)]


def _look(row: Row, number: Literal[1, 2], seed: int, annotator: str) -> Look:
    order = list(range(len(row.answers)))
    random.Random(f"{seed}:{annotator}:{row.id}:{number}").shuffle(order)  # noqa: S311 - a lot, not a secret
    return Look(row=row, number=number, order=tuple(order))


def _share(text: str) -> float:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8]) / 2**64


@dataclass(slots=True)
class Ballots:
    """One annotator's session over some rows. Opening it reads what was chosen before."""

    rows: Sequence[Row]
    out: Path
    annotator: str
    seed: int = 0
    second: float = 0.1  # share of rows that come back for a second look
    clock: Callable[[], float] = lambda: 0.0
    queue: list[Look] = field(init=False)
    choices: dict[tuple[str, int], Choice] = field(init=False)
    shared: bool = field(init=False)  # others have judged into the same file

    def __post_init__(self) -> None:
        self.queue = looks(self.rows, seed=self.seed, annotator=self.annotator, second=self.second)
        every = read_choices(self.path)
        mine = [each for each in every if each.annotator == self.annotator]
        self.shared = len(mine) < len(every)
        self.choices = {(each.id, each.number): each for each in mine}
        self._write_pairs()

    @property
    def path(self) -> Path:
        """Where every choice goes."""
        return choices_path(self.out)

    def add(self, rows: Iterable[Row]) -> None:
        """Take more rows: answers that have been sampled meanwhile."""
        self.rows = [*self.rows, *rows]
        self.queue = looks(self.rows, seed=self.seed, annotator=self.annotator, second=self.second)

    def next(self) -> Look | None:
        """The first showing without a choice; None where all are done."""
        return next((each for each in self.queue if each.key not in self.choices), None)

    def choose(self, look: Look, kind: Kind, *, shown: int | None = None, text: str = "") -> Choice:
        """Keep a judgement. `shown` is the place on the screen of the better answer. On disk when this returns."""
        best = look.order[shown] if shown is not None and kind == "better" else None
        choice = Choice(
            id=look.row.id, number=look.number, kind=kind, annotator=self.annotator, prompt=look.row.prompt,
            answers=look.row.answers, best=best, text=text,
        )  # fmt: skip
        _append(self.path, {**_to_json(choice), "order": list(look.order), "place": look.row.place, "ts": self.clock()})
        self.choices[look.key] = choice
        if self.shared:
            self._write_pairs()
        else:
            for pair in pairs_of([choice]):
                _append(self.out, pair)
        return choice

    def undo(self) -> Look | None:
        """Take the last choice back; the row that is open again, None where there is none."""
        if not self.choices:
            return None
        key = next(reversed(self.choices))
        del self.choices[key]
        taken = {"undo": key[0], "look": key[1], "annotator": self.annotator, "ts": self.clock()}
        _append(self.path, taken)
        self._write_pairs()
        return next((each for each in self.queue if each.key == key), None)

    def progress(self) -> Progress:
        """Counts so far."""
        first = {key[0]: each for key, each in self.choices.items() if key[1] == 1}
        second = {key[0]: each for key, each in self.choices.items() if key[1] == 2}
        compared = [(first[name], again) for name, again in second.items() if name in first]
        return Progress(
            rows=len(self.rows),
            judged=len(first),
            pairs=len(pairs_of(first.values())),
            second_looks=len(compared),
            agreed=sum(one.verdict == again.verdict for one, again in compared),
        )

    def _write_pairs(self) -> None:
        """The pairs of the file anew: after an undo, where a kill came between two lines, where several judge."""
        pairs = majority_pairs(read_choices(self.path))
        if pairs or self.out.exists():
            write_whole(self.out, b"".join(_line(each) for each in pairs))


# --- pairs --------------------------------------------------------------------------------------------------------


def pairs_of(choices: Iterable[Choice]) -> list[dict[str, Any]]:
    """Preference pairs: the better answer, or the one that was written, over each other one. First looks only."""
    found = []
    for each in choices:
        if each.number != 1:
            continue
        if each.kind == "better" and each.best is not None:
            better = each.answers[each.best]
            others = [answer for place, answer in enumerate(each.answers) if place != each.best]
        elif each.kind == "edit" and each.text.strip():
            better, others = each.text, list(each.answers)
        else:
            continue
        found += [_pair(each.prompt, better, other) for other in others if other != better]
    return found


def _pair(prompt: tuple[Message, ...], chosen: str, rejected: str) -> dict[str, Any]:
    """As every trainer reads it: texts for a single question, turns where there is a conversation."""
    if len(prompt) == 1 and prompt[0].role == "user":
        return {"prompt": prompt[0].content, "chosen": chosen, "rejected": rejected}
    turns = [{"role": each.role, "content": each.content} for each in prompt]
    return {
        "prompt": turns,
        "chosen": [{"role": "assistant", "content": chosen}],
        "rejected": [{"role": "assistant", "content": rejected}],
    }


# --- several annotators -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Merged:
    """The judgements of several annotators put together."""

    annotators: tuple[str, ...]
    rows: int
    judged_by_several: int
    agreed: int  # of those, how many all said the same
    kappa: float | None  # mean of Cohen's kappa over all pairs of annotators; None where it has no meaning
    disputed: int  # left out: no majority
    pairs: tuple[dict[str, Any], ...]


def merge(choices: Iterable[Choice]) -> Merged:
    """One judgement a row: what most annotators said; rows without a majority are left out."""
    rows = _by_row(choices)
    annotators = tuple(sorted({name for said in rows.values() for name in said}))
    several = [said for said in rows.values() if sum(bool(each.verdict) for each in said.values()) > 1]
    return Merged(
        annotators=annotators,
        rows=len(rows),
        judged_by_several=len(several),
        agreed=sum(len({each.verdict for each in said.values() if each.verdict}) == 1 for said in several),
        kappa=kappa(rows.values(), annotators) if len(annotators) > 1 else None,
        disputed=sum(
            _majority(said.values()) is None and any(each.verdict for each in said.values()) for said in rows.values()
        ),
        pairs=tuple(_settled(rows)),
    )


def majority_pairs(choices: Iterable[Choice]) -> list[dict[str, Any]]:
    """The pairs on which most annotators agree, and those that were written."""
    return _settled(_by_row(choices))


def _by_row(choices: Iterable[Choice]) -> dict[str, dict[str, Choice]]:
    """First looks by row and annotator."""
    rows: dict[str, dict[str, Choice]] = {}
    for each in choices:
        if each.number == 1:
            rows.setdefault(each.id, {})[each.annotator] = each
    return rows


def _settled(rows: Mapping[str, Mapping[str, Choice]]) -> list[dict[str, Any]]:
    pairs: list[dict[str, Any]] = []
    for said in rows.values():
        winner = _majority(said.values())
        pairs += pairs_of([winner] if winner else [])
        pairs += pairs_of(each for each in said.values() if each.kind == "edit")
    return pairs


def _majority(said: Iterable[Choice]) -> Choice | None:
    """A choice with the verdict of more than half of those who judged."""
    judged = [each for each in said if each.verdict]
    verdicts = [each.verdict for each in judged]
    for each in judged:
        if 2 * verdicts.count(each.verdict) > len(verdicts):
            return each
    return None


def kappa(rows: Iterable[Mapping[str, Choice]], annotators: Sequence[str]) -> float | None:
    """Cohen's kappa, the mean over all pairs of annotators (Light 1971); None where two never judged one row, or where
    all judgements are the same, so that chance explains everything."""
    import warnings
    from math import isnan

    from sklearn.metrics import cohen_kappa_score  # 1 s; comes with the [train] extra

    found = []
    every = list(rows)
    for index, one in enumerate(annotators):
        for other in annotators[index + 1 :]:
            both = [(said[one].verdict, said[other].verdict) for said in every if one in said and other in said]
            both = [each for each in both if all(each)]
            if both:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")  # division by zero where both always say the same
                    value = float(cohen_kappa_score(*zip(*both, strict=True)))
                found.append(value)
    found = [each for each in found if not isnan(each)]
    return sum(found) / len(found) if found else None


# --- the file -----------------------------------------------------------------------------------------------------


def choices_path(out: Path) -> Path:
    """`prefs.choices.jsonl` beside `prefs.jsonl`."""
    return out.with_name(f"{out.stem}.choices.jsonl")


def read_choices(path: Path) -> list[Choice]:
    """The choices that stand, in the order in which they were made; lines cut off by a kill are passed over."""
    found: dict[tuple[str, str, int], Choice] = {}
    try:
        lines = path.read_bytes().splitlines()
    except OSError:
        return []
    for line in lines:
        try:
            value = json.loads(line)
        except ValueError:
            continue
        if not isinstance(value, dict):
            continue
        if "undo" in value:
            found.pop((str(value.get("annotator")), str(value["undo"]), int(value.get("look") or 1)), None)
            continue
        choice = _from_json(value)
        if choice is not None:
            key = (choice.annotator, choice.id, choice.number)
            found.pop(key, None)
            found[key] = choice
    return list(found.values())


def _to_json(choice: Choice) -> dict[str, Any]:
    return {
        "id": choice.id,
        "look": choice.number,
        "kind": choice.kind,
        "best": choice.best,
        "text": choice.text,
        "annotator": choice.annotator,
        "prompt": [{"role": each.role, "content": each.content} for each in choice.prompt],
        "answers": list(choice.answers),
    }


def _from_json(value: Mapping[str, Any]) -> Choice | None:
    """A choice; None where the line is not one."""
    try:
        best, answers = value["best"], tuple(str(each) for each in value["answers"])
        if value["kind"] not in KINDS or (value["kind"] == "better" and not 0 <= best < len(answers)):
            return None
        return Choice(
            id=str(value["id"]),
            number=int(value["look"]),
            kind=value["kind"],
            best=best,
            text=str(value.get("text") or ""),
            annotator=str(value.get("annotator") or ""),
            prompt=tuple(Message(role=each["role"], content=str(each["content"])) for each in value["prompt"]),
            answers=answers,
        )
    except (KeyError, TypeError, ValueError):
        return None


def _line(value: Mapping[str, Any]) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "replace") + b"\n"


def _append(path: Path, value: Mapping[str, Any]) -> None:
    """One line, on the disk before this returns; a line that a kill cut off is ended first."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
    try:
        size = os.fstat(handle).st_size
        cut = size > 0 and os.pread(handle, 1, size - 1) != b"\n"
        os.write(handle, (b"\n" if cut else b"") + _line(value))
        os.fsync(handle)
    finally:
        os.close(handle)
