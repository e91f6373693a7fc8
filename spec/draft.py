"""A first spec from one sentence and the files that are there: guesses, a look at the rows, a commented `ftc.yaml`.

The core of `ftc init` without its questions: what was asked or passed as a flag comes in as `values` and wins over
every guess. Reads the files, writes nothing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

from ftc.spec import places_on_disk as disk
from ftc.spec.check import missing_path
from ftc.spec.diagnostics import Diagnostic, errors
from ftc.spec.intent import Guess, guess
from ftc.spec.language import Json
from ftc.spec.load import load_text
from ftc.spec.model import Source
from ftc.spec.read import Reading, read
from ftc.spec.recognise import PLACES
from ftc.spec.write import SCHEMA_FILE, Found, preview, starter
from ftc.spec.yaml_text import slug

PREVIEW_ROWS = 3
MOST_COUNTED = 20_000  # rows; a larger file is counted by `ftc check`
MOST_FILES = 8  # of a folder that are looked at without being named
TASK_OF_FORMAT = {"text-label": "classification", "chat": "chat", "qa": "qa", "question-final-answer": "reasoning",
                  "prompts-with-tests": "reasoning", "text": "domain-adaptation",
                  "raw-documents": "domain-adaptation"}  # fmt: skip
_TABLES = re.compile(r"(?i)[^.].*\.(csv|tsv|jsonl|ndjson|parquet|arrow|json)(\.gz|\.zst)?")
_NO_DATA = re.compile(r"(?i)ftc\..*|.*\.(schema|plan)\.json|(package|package-lock|tsconfig|config|report)\.json")
_HELD_OUT = re.compile(r"(?i)(^|[\W_])(test|eval|evaluation|valid|validation|val|dev|held[-_ ]?out)([\W_]|$)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """The text of a first `ftc.yaml`, and what it was made from.

    `diagnostics` are about files that could not be used (they are not in the text) and about the text itself, which
    has none unless a value that was passed in is wrong.
    """

    text: str
    found: tuple[Found, ...]
    guesses: tuple[Guess, ...]
    diagnostics: tuple[Diagnostic, ...]


def draft(
    sentence: str = "",
    paths: Sequence[str] = (),
    folder: Path = Path(),
    *,
    values: Mapping[str, Json] | None = None,
    schema: str | None = SCHEMA_FILE,
) -> Draft:
    """The first spec for `folder`. `paths` are relative to it; without any, its own data files are looked at.

    `values` are dotted keys of the language that are known for certain.
    """
    known = dict(values or {})
    guesses = {each.key: each for each in guess(sentence)}
    mentioned = guesses.pop("data.path", None)
    named = list(paths) or [each for each in (mentioned.value if mentioned else ()) if disk.exists(folder / each)]
    found, unusable = _look_at(named or _data_files(folder), folder)
    _guess_by_rows(guesses, found)
    used = [each for each in guesses.values() if each.key not in known]
    known = {"name": slug(folder.resolve().name), **{each.key: each.value for each in used}, **known}
    if sentence.strip():
        known.setdefault("goal.description", sentence.strip())
    notes = {each.key: each.note() for each in used}
    choices = {each.file: lines for each in unusable if (lines := _lines_to_choose(each))}
    text = starter(known, notes=notes, found=found, choices=choices, schema=schema)
    said = load_text(text, "ftc.yaml", folder).diagnostics
    return Draft(text=text, found=tuple(found), guesses=tuple(used), diagnostics=(*unusable, *said))


def _guess_by_rows(guesses: dict[str, Guess], found: Sequence[Found]) -> None:
    """The task by the shape of the rows, where the sentence says none."""
    shaped = next((each for each in found if each.format in TASK_OF_FORMAT), None)
    if "goal.task" not in guesses and shaped is not None:
        evidence = (f"{shaped.format} rows in {shaped.path}",)
        guesses["goal.task"] = Guess(key="goal.task", value=TASK_OF_FORMAT[shaped.format], evidence=evidence)


def _data_files(folder: Path) -> list[str]:
    """The files of a folder that look like rows by their names, the training rows first."""
    names = [each for each in disk.names_in(folder) if _TABLES.fullmatch(each) and not _NO_DATA.fullmatch(each)]
    return sorted(names, key=lambda name: (bool(_HELD_OUT.search(name)), name))[:MOST_FILES]


def _look_at(paths: Sequence[str], folder: Path) -> tuple[list[Found], list[Diagnostic]]:
    found: list[Found] = []
    unusable: list[Diagnostic] = []
    for path in paths:
        if disk.look_for(path, folder) not in ("there", "hub"):
            unusable.append(missing_path(path, "", folder))
            continue
        reading, role = _read(path, folder)
        if not reading.recognised:
            unusable += errors(reading.findings)
            continue
        rows = list(islice(reading.rows, MOST_COUNTED))
        if not rows:
            unusable += errors(reading.findings)
            continue
        found.append(
            Found(
                role=role,
                path=path,
                format=reading.format,
                columns=reading.columns if _ambiguous(reading) else {},
                rows=len(rows) if len(rows) < MOST_COUNTED else None,
                evidence=reading.evidence,
                preview=[preview(row) for row in rows[:PREVIEW_ROWS]],
            )
        )
    return _held_out(found), unusable


def _read(path: str, folder: Path) -> tuple[Reading, str]:
    """The file in the role that its rows speak for."""
    source = Source(path=path)
    reading = read(source, folder, "demonstrations")
    role = PLACES.get(reading.format, "demonstrations")
    if role != "demonstrations":
        return read(source, folder, role), role
    if not reading.recognised:
        corpus = read(source, folder, "corpus")
        return (corpus, "corpus") if corpus.recognised and _is_text(reading) else (reading, "demonstrations")
    return reading, role


def _is_text(reading: Reading) -> bool:
    return any(each.code == "D114" for each in reading.findings)


def _ambiguous(reading: Reading) -> bool:
    """True where another reading is possible, so that the one that was taken is written down."""
    return any(each.code == "D111" for each in reading.findings)


def _lines_to_choose(finding: Diagnostic) -> list[str]:
    """The `columns:` lines that the recogniser proposes for a file that it cannot read by itself."""
    return [line for line in finding.fix.splitlines() if line.startswith("columns: {") and line.endswith("}")]


def _held_out(found: list[Found]) -> list[Found]:
    """The set that its name calls a test set is the evaluation, where there are others to train on."""
    training = [each for each in found if each.role == "demonstrations"]
    tests = [each for each in training if _HELD_OUT.search(Path(each.path).name)]
    if not tests or len(tests) == len(training):
        return found
    kept = [each for each in found if each not in tests]
    return [*kept, replace(tests[0], role="evaluation")]
