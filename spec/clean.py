"""A cleaned copy of a source: `ftc check --fix OUT`. The original is never written to.

Rows that cannot be used are left out, exact repetitions too; damaged letters are repaired, control characters removed,
secrets and personal data replaced by their kind. Every row that is touched is in the report, with its place and what
was done, never with what was found.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO

import orjson

from ftc.spec.counting.batches import answers_of, asked_key, content_key, prompt_of
from ftc.spec.diagnostics import Diagnostic, Severity, errors
from ftc.spec.model import Source
from ftc.spec.personal import Hit, candidates, personal_data, secret_signs, secrets
from ftc.spec.read import Reading, read
from ftc.spec.rows import Demonstration, Document, Message, Pair, Prompt, Ranking, Row, Thumb

CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_MISREAD = re.compile(r"(?:[ÂÃâ][\x80-\xbf€‚ƒ„…†‡ˆ‰Š‹ŒŽ‘’“”•–—˜™š›œžŸ ¡-¿]{1,2})+")
_KEY_BLOCK = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Touched:
    """A row and what was done to it."""

    place: str
    action: str  # left out, or changed
    code: str  # the finding behind it
    what: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CleanReport:
    """What became of a source: `rows_read == rows_written + rows_left_out`."""

    out: str
    report: str
    rows_read: int
    rows_written: int
    rows_left_out: int
    rows_changed: int
    actions: Mapping[str, int]  # by code
    findings: tuple[Diagnostic, ...]


def fix(
    source: Source, folder: Path, out: Path, role: str = "demonstrations", region: str | None = None
) -> CleanReport:
    """Write the cleaned rows of `source` to `out` as JSONL, and `out` + `.report.jsonl` beside it.

    Nothing is written where no row can be used, which the findings then say. Raises OSError, and ValueError where
    `out` is one of the files that are read.
    """
    reading = read(source, folder, role)
    report = out.with_name(out.name + ".report.jsonl")
    if any(file.path.resolve() in (out.resolve(), report.resolve()) for file in reading.files):
        raise ValueError(f"{out} is read from: write the copy to another file")
    reading.reports.keep_all = True
    out.parent.mkdir(parents=True, exist_ok=True)
    part, part_report = (each.with_name(f".{each.name}.{os.getpid()}.part") for each in (out, report))
    counts: Counter[str] = Counter()
    try:
        with part.open("wb") as rows, part_report.open("wb") as log:
            _copy(reading, region, rows, log, counts)
        if counts["written"]:
            part.replace(out)
            part_report.replace(report)
    finally:
        part.unlink(missing_ok=True)
        part_report.unlink(missing_ok=True)
    return CleanReport(
        out=str(out) if counts["written"] else "",
        report=str(report) if counts["written"] else "",
        rows_read=reading.rows_read,
        rows_written=counts["written"],
        rows_left_out=reading.rows_reported + counts["repeated"],
        rows_changed=counts["changed"],
        actions={code: times for code, times in sorted(counts.items()) if code.startswith("D")},
        findings=tuple(_remaining(reading) if counts["written"] else reading.findings),
    )


def _copy(reading: Reading, region: str | None, rows: BinaryIO, log: BinaryIO, counts: Counter[str]) -> None:
    """Write the rows and what was done to them."""

    def tell(touched: Touched) -> None:
        counts[touched.code] += 1
        log.write(orjson.dumps(touched, option=orjson.OPT_APPEND_NEWLINE))

    seen: dict[int, str] = {}
    for row in reading.rows:
        key = _key(row)
        if key in seen:
            counts["repeated"] += 1
            tell(Touched(place=row.place, action="left out", code="D301", what=f"repeats {seen[key]}"))
            continue
        seen[key] = row.place
        clean, done = _cleaned(row, region)
        for touched in done:
            tell(touched)
        counts["changed"] += bool(done)
        counts["written"] += 1
        rows.write(orjson.dumps(_record(clean, reading), option=orjson.OPT_APPEND_NEWLINE))
    for touched in _left_out(reading):
        tell(touched)


def _remaining(reading: Reading) -> list[Diagnostic]:
    """What a copy without the unusable rows does not cure: files that could not be read to their end."""
    return [
        replace(finding, severity=Severity.WARNING)
        for finding in errors(reading.findings)
        if finding.code not in ("D120", "D121")
    ]


def _left_out(reading: Reading) -> Iterator[Touched]:
    for code, places in reading.reports.examples.items():
        for name, line, why in places:
            action = "changed" if code == "D205" else "left out"
            yield Touched(place=f"{name}:{line}", action=action, code=code, what=why)


def _key(row: Row) -> int:
    return content_key(asked_key(prompt_of(row)), answers_of(row))


def _cleaned(row: Row, region: str | None) -> tuple[Row, list[Touched]]:
    """The row with every text of it cleaned, and what was done."""
    done: dict[str, str] = {}

    def text(value: str) -> str:
        value, notes = cleaned_text(value, region)
        done.update(notes)
        return value

    def said(messages: Sequence[Message]) -> tuple[Message, ...]:
        return tuple(Message(role=each.role, content=text(each.content)) for each in messages)

    clean: Row
    match row:
        case Demonstration():
            clean = replace(row, messages=said(row.messages))
            if row.label is not None:
                clean = replace(clean, label=clean.completion.content)
        case Pair():
            clean = replace(row, prompt=said(row.prompt), chosen=text(row.chosen), rejected=text(row.rejected))
        case Thumb():
            clean = replace(row, prompt=said(row.prompt), completion=text(row.completion))
        case Ranking():
            clean = replace(row, prompt=said(row.prompt), answers=tuple(map(text, row.answers)))
        case Prompt():
            clean = replace(row, prompt=said(row.prompt))
        case Document():
            clean = replace(row, text=text(row.text))
    return clean, [Touched(place=row.place, action="changed", code=code, what=what) for code, what in done.items()]


def cleaned_text(text: str, region: str | None = None) -> tuple[str, dict[str, str]]:
    """The text without damage, control characters, secrets and personal data; by code, what was done."""
    done: dict[str, str] = {}
    repaired = _MISREAD.sub(_reread, text) if not text.isascii() else text
    if repaired != text:
        done["D309"] = "damaged letters repaired"
    plain = CONTROL.sub("", repaired)
    if plain != repaired:
        done["D310"] = "control characters removed"
    if secret_signs(plain):
        hidden = _KEY_BLOCK.sub("[SECRET]", plain)
        hidden = _replaced(hidden, [_whole_word(hidden, hit) for hit in secrets(hidden)])
        if hidden != plain:
            done["D311"] = "secrets replaced"
            plain = hidden
    if candidates(plain):
        hits = personal_data(plain, region)
        if hits:
            done["D312"] = "replaced: " + ", ".join(sorted({hit.kind for hit in hits}))
            plain = _replaced(plain, hits)
    return plain, done


def _reread(match: re.Match[str]) -> str:
    """UTF-8 that was read as Windows-1252, read again as what it is; left alone where it is no such thing."""
    try:
        return match.group().encode("cp1252").decode("utf-8")
    except UnicodeError:
        return match.group()


def _whole_word(text: str, hit: Hit) -> Hit:
    """The secret with what hangs on it: detectors sometimes give its beginning only."""
    start, end = hit.start, hit.end
    while end < len(text) and not text[end].isspace() and text[end] not in "\"'<>)],;@":
        end += 1
    return Hit(hit.kind, start, end)


def _replaced(text: str, hits: Sequence[Hit]) -> str:
    parts: list[str] = []
    at = 0
    for hit in sorted(hits, key=lambda each: each.start):
        if hit.start >= at:
            parts += [text[at : hit.start], f"[{hit.kind.upper()}]"]
            at = hit.end
    return "".join([*parts, text[at:]])


def _record(row: Row, reading: Reading) -> dict[str, Any]:
    """The row in a form that is recognised by itself when it is read again; the same form for all rows of a file."""
    record = _parts(row, reading.format == "chat" or "system" in reading.columns or "history" in reading.columns)
    if row.group is not None and "group" in reading.columns:
        record["group"] = row.group
    return record


def _parts(row: Row, as_turns: bool) -> dict[str, Any]:
    match row:
        case Demonstration() if as_turns:
            found: dict[str, Any] = {"messages": _said(row.messages)}
            return found | ({"tools": row.tools} if row.tools is not None else {})
        case Demonstration():
            answer = {"completion": row.completion.content} if row.label is None else {"label": row.label}
            return {"prompt" if row.label is None else "text": _asked(row.prompt), **answer}
        case Pair():
            return {"prompt": _asked(row.prompt), "chosen": row.chosen, "rejected": row.rejected}
        case Thumb():
            return {"prompt": _asked(row.prompt), "completion": row.completion, "label": row.good}
        case Ranking():
            return {"prompt": _asked(row.prompt), "ranked_answers": list(row.answers)}
        case Prompt():
            checks = {"answer": row.answer, "tests": row.tests}
            given = {name: value for name, value in checks.items() if value is not None}
            return {"prompt": _asked(row.prompt), **given}
        case Document():
            return {"text": row.text}


def _asked(prompt: Sequence[Message]) -> str | list[dict[str, str]]:
    return prompt[0].content if len(prompt) == 1 else _said(prompt)


def _said(messages: Sequence[Message]) -> list[dict[str, str]]:
    return [{"role": each.role, "content": each.content} for each in messages]
