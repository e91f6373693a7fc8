"""The profile of all data that a spec names: what is given is read row by row, what is described is taken at its word.

Counts what the runtime will use: the same reading, the same split. Memory holds counts and hashes, never rows.
"""

from __future__ import annotations

import hashlib
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from ftc.spec.data.files import DataFile
from ftc.spec.described import described_feedback_set, described_set
from ftc.spec.diagnostics import Diagnostic, Severity
from ftc.spec.lengths import histogram_of, lengths_of
from ftc.spec.model import Feedback, Source, Spec
from ftc.spec.profile import DataProfile, FeedbackProfile, Role, SetProfile
from ftc.spec.read import Reading, read
from ftc.spec.rows import Demonstration, Document, Message, Pair, Prompt, Ranking, Row, Thumb
from ftc.spec.split import choose, held_out_size, keys_of
from ftc.spec.tokens import TURN_TOKENS, TokenCounter, counter_for

_BATCH = 512  # rows whose texts are counted together
_TYPES = {
    "preference-pairs": "paired", "binary-feedback": "binary", "ranked": "ranked", "prompts-with-tests": "verifiable",
    "question-final-answer": "verifiable", "prompts": "to-collect",
}  # fmt: skip


@dataclass(slots=True)
class _Tally:
    """Counts over the rows of one role."""

    prompt: Counter[int] = field(default_factory=Counter)
    completion: Counter[int] = field(default_factory=Counter)
    sequence: Counter[int] = field(default_factory=Counter)
    classes: Counter[str] = field(default_factory=Counter)
    groups: set[str] = field(default_factory=set)
    seen: set[bytes] = field(default_factory=set)
    asked: set[bytes] = field(default_factory=set)
    rows: list[Row] = field(default_factory=list)
    read: int = 0
    reported: int = 0
    used: int = 0
    duplicates: int = 0
    user_turns: int = 0
    with_system: int = 0
    with_tools: int = 0
    good: int = 0
    bad: int = 0
    answers: int = 0
    longer: int = 0
    pairs: int = 0


def profile(spec: Spec, tokenizer_file: Path | None = None) -> tuple[DataProfile, list[Diagnostic]]:
    """What the data of the spec is, and everything that there is to say about it. Never raises for what data holds."""
    start = time.perf_counter()
    counter = counter_for(tokenizer_file)
    data = spec.data
    findings: list[Diagnostic] = []
    hashes: dict[str, str] = {}
    sets: dict[Role, SetProfile | None] = {}
    tallies: dict[Role, _Tally] = {}
    sources: dict[Role, Sequence[Source]] = {
        "demonstrations": data.demonstrations,
        "corpus": data.corpus,
        "prompts": data.prompts,
        "feedback": data.feedback.sources if data.feedback else (),
        "evaluation": (data.evaluation.source,) if data.evaluation.source else (),
    }
    for role, each in sources.items():
        sets[role], tallies[role] = None, _Tally()
        if not each:
            continue
        sets[role], said = _profile_set(spec, role, each, counter, tallies[role], hashes)
        findings += said
    feedback = _feedback(data.feedback, sets["feedback"], tallies["feedback"]) if data.feedback else None
    held_out, train = _sizes(spec, sets, tallies, feedback)
    evaluation, learned = tallies["evaluation"], tallies["demonstrations"]
    found = DataProfile(
        demonstrations=sets["demonstrations"],
        feedback=feedback,
        corpus=sets["corpus"],
        prompts=sets["prompts"],
        evaluation=sets["evaluation"],
        held_out_rows=held_out,
        train_rows=train,
        overlap=sum(1 for row in evaluation.rows if _key(_prompt(row)) in learned.asked),
        hashes=dict(sorted(hashes.items())),
        seconds=time.perf_counter() - start,
    )
    return found, findings


def _profile_set(
    spec: Spec, role: Role, sources: Sequence[Source], counter: TokenCounter, tally: _Tally, hashes: dict[str, str]
) -> tuple[SetProfile, list[Diagnostic]]:
    """One role: its described sources at their word, its given ones counted."""
    described = [source for source in sources if source.described]
    if len(described) == len(sources):
        feedback = spec.data.feedback
        if role == "feedback" and feedback:
            return described_feedback_set(feedback), []
        return described_set(role, described), []
    findings: list[Diagnostic] = []
    formats: list[str] = []
    files: list[DataFile] = []
    for source in sources:
        if source.described:
            continue
        reading = read(source, spec.folder, role)
        _count(reading, counter, tally)
        findings += reading.findings
        formats.append(reading.format)
        files += reading.files
    for file in files:
        if file.name not in hashes:
            hashes[file.name] = _sha256(file.path)
    found = _set_of(role, formats, tally, counter)
    hashed = hashlib.sha256("".join(hashes[file.name] for file in files).encode()).hexdigest()
    found = replace(found, content_hash=hashed)
    if described:
        more = sum(source.rows or 0 for source in described)
        message = f"{more} described rows beside given ones are not counted"
        findings.append(Diagnostic(code="D122", message=message, severity=Severity.WARNING, key=f"data.{role}"))
    return found, findings


def _set_of(role: Role, formats: Sequence[str], tally: _Tally, counter: TokenCounter) -> SetProfile:
    sequence, completion = lengths_of(tally.sequence), lengths_of(tally.completion)
    return SetProfile(
        role=role,
        format=formats[0] if formats else "auto",
        rows=tally.used,
        rows_read=tally.read,
        rows_reported=tally.reported,
        prompt=lengths_of(tally.prompt),
        completion=completion,
        sequence=sequence,
        histogram=histogram_of(tally.sequence),
        tokenizer=counter.name,
        token_error=counter.error,
        classes=tuple(sorted(tally.classes.items(), key=lambda each: (-each[1], each[0]))),
        turns=tally.user_turns / tally.used if tally.used else 1.0,
        system_share=tally.with_system / tally.used if tally.used else 0.0,
        tools_share=tally.with_tools / tally.used if tally.used else 0.0,
        groups=len(tally.groups) or None,
        exact_duplicates=tally.duplicates,
        loss_share=completion.total / sequence.total if completion and sequence and sequence.total else None,
    )


def _count(reading: Reading, counter: TokenCounter, tally: _Tally) -> None:
    batch: list[Row] = []
    for row in reading.rows:
        batch.append(row)
        if len(batch) == _BATCH:
            _count_batch(batch, counter, tally)
            batch = []
    _count_batch(batch, counter, tally)
    tally.read += reading.rows_read
    tally.reported += reading.rows_reported


def _count_batch(batch: Sequence[Row], counter: TokenCounter, tally: _Tally) -> None:
    prompts = counter.count(["\n".join(message.content for message in _prompt(row)) for row in batch])
    answers = counter.count([text for row in batch for text in _answers(row)])
    at = 0
    for row, asked in zip(batch, prompts, strict=True):
        mine = answers[at : at + len(_answers(row))]
        at += len(mine)
        _count_row(row, asked + TURN_TOKENS * len(_prompt(row)), mine, tally)
        tally.rows.append(row)


def _count_row(row: Row, asked: int, answered: Sequence[int], tally: _Tally) -> None:
    tally.used += 1
    if not isinstance(row, Document):
        tally.prompt[asked] += 1
    longest = max(answered, default=0)
    if answered:
        tally.completion[longest] += 1
    whole = asked + longest + (TURN_TOKENS if answered and not isinstance(row, Document) else 0)
    tally.sequence[whole] += 1
    content = _key(_prompt(row)) + _key([Message(role="assistant", content=text) for text in _answers(row)])
    tally.duplicates += content in tally.seen
    tally.seen.add(content)
    tally.asked.add(_key(_prompt(row)))
    if row.group is not None:
        tally.groups.add(row.group)
    tally.user_turns += max(1, sum(1 for message in _prompt(row) if message.role == "user"))
    tally.with_system += any(message.role == "system" for message in _prompt(row))
    match row:
        case Demonstration():
            tally.with_tools += row.tools is not None
            if row.label is not None:
                tally.classes[row.label] += 1
        case Pair():
            tally.pairs += 1
            tally.longer += len(row.chosen) > len(row.rejected)
            tally.answers += 2
        case Thumb():
            tally.good += row.good
            tally.bad += not row.good
            tally.answers += 1
        case Ranking():
            tally.answers += len(row.answers)


def _prompt(row: Row) -> Sequence[Message]:
    return (Message(role="user", content=row.text),) if isinstance(row, Document) else row.prompt


def _answers(row: Row) -> Sequence[str]:
    match row:
        case Demonstration():
            return (row.completion.content,)
        case Pair():
            return (row.chosen, row.rejected)
        case Thumb():
            return (row.completion,)
        case Ranking():
            return row.answers
        case Prompt():
            return (row.answer,) if row.answer else ()
    return ()


def _key(messages: Iterable[Message]) -> bytes:
    """What is said, as a hash."""
    text = "\0".join(message.content for message in messages)
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=12).digest()


def _sha256(path: Path) -> str:
    try:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError:
        return ""


def _feedback(feedback: Feedback, found: SetProfile | None, tally: _Tally) -> FeedbackProfile | None:
    if found is None:
        found = described_feedback_set(feedback)
    type_: str = feedback.type
    if type_ == "auto":
        type_ = _TYPES.get(found.format, "paired")
    described = found.described
    return FeedbackProfile(
        type=type_,
        set=found,
        positive=feedback.positive if described else (tally.good if type_ == "binary" else None),
        negative=feedback.negative if described else (tally.bad if type_ == "binary" else None),
        answers_per_prompt=(
            feedback.answers_per_prompt if described else tally.answers / tally.used if tally.used else None
        ),
        prompts=None if described else len(tally.asked),
        length_bias=tally.longer / tally.pairs if tally.pairs else None,
    )


def _sizes(
    spec: Spec, sets: dict[Role, SetProfile | None], tallies: dict[Role, _Tally], feedback: FeedbackProfile | None
) -> tuple[int, int]:
    """Rows held out and rows left to train on, of the role that is trained on."""
    role: Role = "demonstrations" if sets["demonstrations"] else "feedback"
    learned = sets["demonstrations"] or (feedback.set if feedback else None)
    if learned is None:
        role = "corpus" if sets["corpus"] else "prompts"
        learned = sets[role]
    if learned is None:
        return (sets["evaluation"].rows if sets["evaluation"] else 0), 0
    if sets["evaluation"] is not None:
        return sets["evaluation"].rows, learned.rows
    held_out = held_out_size(learned.rows, spec.data.evaluation.fraction)
    if not learned.described:
        rows = tallies[role].rows
        held_out = len(choose(keys_of(rows, spec.seed, bool(learned.classes), held_out), held_out))
    return held_out, learned.rows - held_out
