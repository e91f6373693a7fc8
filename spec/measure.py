"""The profile of all data that a spec names: what is given is read row by row, what is described is taken at its word.

Counts what the runtime will use: the same reading, the same split. Memory holds counts and hashes, never all rows.
What looks at single rows again (near duplicates, languages, personal data) looks at all of them up to 20,000 rows of
3 million characters, and at a sample of larger data; `sampled_rows` says so.
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from ftc.spec.counting.batches import BATCH, Measure, characters, count
from ftc.spec.counting.distinct import Bags, Hashes
from ftc.spec.counting.repeats import Watch
from ftc.spec.counting.tally import HIGHEST, Sampled, Tally
from ftc.spec.data.digest import digest
from ftc.spec.data.files import DataFile, find
from ftc.spec.described import described_feedback, described_feedback_set, described_set, feedback_type, roles_of
from ftc.spec.diagnostics import Diagnostic, Severity
from ftc.spec.lengths import histogram_of, lengths_of, scaled
from ftc.spec.model import Feedback, Source, Spec
from ftc.spec.profile import DataProfile, FeedbackProfile, Role, SetProfile
from ftc.spec.read import Reading, read
from ftc.spec.rows import Row
from ftc.spec.split import choose, held_out_size, streamed_keys

if TYPE_CHECKING:
    from ftc.spec.counting.crew import Crew

_ALL_CHARACTERS = 3_000_000  # up to here every row of the sample is looked at again (about 0.1 s a million)
_SOME_CHARACTERS = 1_500_000  # of larger data
_SAMPLED_OF_LARGE = 4_000  # rows that worker processes send back
LARGE = 32 << 20  # bytes from which on JSONL is counted in blocks by all cores: starting a process takes 0.1 s
# Up to here a split that may miss its number, because rows stay together, is made. It takes 25 s a million rows. Above,
# the number is taken to be met; it is missed by less than the smallest group, or question, has rows.
_SPLIT_ROWS = 200_000


@dataclass(slots=True)
class _Role:
    """One role of the data while it is counted."""

    role: Role
    sources: Sequence[Source]
    tokenizer: Path | None  # its file, where lengths are counted in tokens from the start
    formats: list[str] = field(default_factory=list)
    files: list[DataFile] = field(default_factory=list)
    findings: list[Diagnostic] = field(default_factory=list)
    measure: Measure = characters  # what lengths are counted in
    tally: Tally = field(default_factory=Tally)
    bags: Bags = field(default_factory=Bags)
    rows_read: int = 0
    rows_reported: int = 0
    found: SetProfile | None = None

    @property
    def given(self) -> list[Source]:
        """The sources that there is something to read of."""
        return [source for source in self.sources if not source.described]


def profile(spec: Spec, tokenizer_file: Path | None = None) -> tuple[DataProfile, list[Diagnostic]]:
    """What the data of the spec is, and everything that there is to say about it.

    Never raises for what data holds. The same bytes, looked at in the same way, are answered from the cache.
    """
    start = time.perf_counter()
    data = _Bytes(spec=spec, tokenizer_file=tokenizer_file, files=_files(spec))
    crew = _crew(data.files.values())
    try:
        if crew is None:
            data.recall()
        found, findings = _profile(spec, tokenizer_file, data, crew)
        data.keep((found, findings))
    except _Known as known:
        found, findings = known.found
    finally:
        if crew is not None:
            crew.close()
    return replace(found, seconds=time.perf_counter() - start), findings


class _Known(Exception):
    """The same bytes were counted before: there is nothing to count."""

    def __init__(self, found: tuple[DataProfile, list[Diagnostic]]) -> None:
        super().__init__()
        self.found = found


@dataclass(slots=True, kw_only=True)
class _Bytes:
    """The files as bytes: their hashes, and what the cache knows of them."""

    spec: Spec
    tokenizer_file: Path | None
    files: Mapping[str, Path]
    hashes: Mapping[str, str] | None = None  # by name; none where a file cannot be read
    place: Path | None = None  # in the cache

    def recall(self) -> None:
        """Hash the files, once. Raises _Known where the cache has what counting them would find."""
        if self.hashes is not None:
            return
        from ftc.spec import cache

        try:
            self.hashes = {name: digest(path) for name, path in self.files.items()}
            tokenizer = digest(self.tokenizer_file) if self.tokenizer_file else ""
        except OSError:
            self.hashes = {}
        if not self.hashes:
            return
        spec = self.spec
        asked = (spec.data, spec.goal.task, spec.goal.language, spec.model.context, spec.seed)
        self.place = cache.place_of((asked, sorted(self.hashes.items()), tokenizer))
        found = cache.kept(self.place)
        if found is not None:
            raise _Known(found)

    def keep(self, found: tuple[DataProfile, list[Diagnostic]]) -> None:
        """Keep what was found for the next time."""
        if self.place is not None:
            from ftc.spec import cache

            cache.keep(self.place, found)


def _crew(files: Iterable[Path]) -> Crew | None:
    """The processes that count large files, where there are some; they start while the bytes are hashed."""
    size = sum(path.stat().st_size for path in files)
    if size < LARGE:
        return None
    from ftc.spec.counting.crew import Crew

    crew = Crew(size)
    # What counting needs takes 0.1 s to load, while hashing leaves the interpreter to others.
    threading.Thread(target=import_module, args=("ftc.spec.counting.parallel",), daemon=True).start()
    return crew


def _files(spec: Spec) -> dict[str, Path]:
    """Every file by its name; none where one cannot be found, which is then reported by reading it."""
    try:
        return {
            file.name: file.path
            for sources in roles_of(spec).values()
            for source in sources
            for file in (find(source.path, spec.folder) if source.path else ())
        }
    except (OSError, EOFError, ValueError):
        return {}


def _profile(
    spec: Spec, tokenizer_file: Path | None, data: _Bytes, crew: Crew | None
) -> tuple[DataProfile, list[Diagnostic]]:
    roles: dict[Role, _Role] = {}
    for role, sources in roles_of(spec).items():
        if sources:
            roles[role] = _count_role(spec, role, sources, tokenizer_file, data, crew)
    data.recall()  # where nothing could be counted, nobody has hashed yet
    findings = [finding for each in roles.values() for finding in each.findings]
    sets = {role: each.found for role, each in roles.items()}
    feedback = _feedback(spec.data.feedback, roles.get("feedback")) if spec.data.feedback else None
    held_out, train = _sizes(spec, roles, feedback)
    overlap, said = _overlap(roles)
    personal: dict[str, int] = {}
    for finding in findings:
        if finding.code in ("D311", "D312"):
            kind = "secret" if finding.code == "D311" else finding.message.split(": ", 1)[1].split(" ", 1)[0]
            personal[kind] = personal.get(kind, 0) + finding.count
    found = DataProfile(
        demonstrations=sets.get("demonstrations"),
        feedback=feedback,
        corpus=sets.get("corpus"),
        prompts=sets.get("prompts"),
        evaluation=sets.get("evaluation"),
        held_out_rows=held_out,
        train_rows=train,
        overlap=overlap,
        personal_data=personal,
        hashes=dict(sorted((data.hashes or {}).items())),
    )
    return found, findings + said


def _count_role(
    spec: Spec,
    role: Role,
    sources: Sequence[Source],
    tokenizer_file: Path | None,
    data: _Bytes,
    crew: Crew | None,
) -> _Role:
    """One role: its described sources at their word, its given ones counted."""
    counted = _Role(role=role, sources=sources, tokenizer=_exactly(spec, sources, tokenizer_file))
    described = [source for source in sources if source.described]
    if not counted.given:
        feedback = spec.data.feedback
        set_ = described_feedback_set(feedback) if role == "feedback" and feedback else described_set(role, described)
        counted.found = set_
        return counted
    for source in counted.given:
        _count_source(spec, source, counted, data, crew)
    if described:
        rows = sum(source.rows or 0 for source in described)
        message = f"{rows} described rows beside given ones are not counted"
        counted.findings.append(
            Diagnostic(code="D122", message=message, severity=Severity.WARNING, key=f"data.{role}")
        )  # fmt: skip
    counted.tally.trim()
    _describe(spec, counted, tokenizer_file, data.hashes or {})
    return counted


def _exactly(spec: Spec, sources: Sequence[Source], tokenizer_file: Path | None) -> Path | None:
    """The tokenizer, where the data is so small that every row is encoded."""
    from ftc.spec.tokens import SMALL

    if tokenizer_file is None:
        return None
    try:
        files = [file for source in sources if source.path for file in find(source.path, spec.folder)]
        return tokenizer_file if sum(file.path.stat().st_size for file in files) <= SMALL else None
    except (OSError, EOFError, ValueError):
        return None


def _count_source(spec: Spec, source: Source, counted: _Role, data: _Bytes, crew: Crew | None) -> None:
    reading = read(source, spec.folder, counted.role)
    if reading.recognised and not (crew and _in_parallel(reading, counted, crew, data)):
        data.recall()
        _row_by_row(spec, reading, counted)
    counted.rows_read += reading.rows_read
    counted.rows_reported += reading.rows_reported
    counted.findings += reading.findings
    counted.formats.append(reading.format)
    counted.files += reading.files


def _row_by_row(spec: Spec, reading: Reading, counted: _Role) -> None:
    from itertools import islice

    from ftc.spec.tokens import TURN_CHARACTERS, TURN_TOKENS, tokenizer_of

    measure = tokenizer_of(counted.tokenizer) if counted.tokenizer else counted.measure
    turn = TURN_TOKENS if counted.tokenizer else TURN_CHARACTERS
    watch = Watch()
    while rows := list(islice(reading.rows, BATCH)):
        hashes = Hashes()
        count(counted.tally, hashes, rows, measure, turn, watch)
        counted.bags.add(hashes)
    counted.tally.repeats.merge(watch.found, 0)


def _in_parallel(reading: Reading, counted: _Role, crew: Crew, data: _Bytes) -> bool:
    """True where the files are large JSONL and have been counted in blocks."""
    files = reading.files
    if counted.tokenizer or any(file.container != "jsonl" or file.encoding != "utf-8" for file in files):
        return False
    if sum(file.path.stat().st_size for file in files) < LARGE or any(file.compressed for file in files):
        return False
    from ftc.spec.counting.jsonl_blocks import shape_of, suits
    from ftc.spec.counting.parallel import Totals, bring_lengths, count_file, find_repeats, sample_limit
    from ftc.spec.counting.worker import Job
    from ftc.spec.counting.written import written_lengths
    from ftc.spec.fields import fields_of
    from ftc.spec.tokens import TURN_CHARACTERS

    fields = fields_of([record for record in reading.sample if isinstance(record, dict)])
    if not suits(reading.format, reading.columns, fields):
        return False
    counted.tally.limit = min(counted.tally.limit, sample_limit([file.path for file in files], _SAMPLED_OF_LARGE))
    counted.measure = written_lengths
    totals = Totals(tally=counted.tally, reports=reading.reports, bags=counted.bags)
    for file in files:
        job = Job(
            path=str(file.path),
            name=file.name,
            format=reading.format,
            columns=dict(reading.columns),
            shape=shape_of(reading.columns, fields),
            limit=counted.tally.limit,
            turn=TURN_CHARACTERS,
        )
        count_file(file.path, job, totals, crew, meanwhile=data.recall)
    bring_lengths(totals)
    counted.tally.repeats.merge(find_repeats(totals), 0)
    reading.reports.ended = True
    return True


def _describe(spec: Spec, counted: _Role, tokenizer_file: Path | None, hashes: Mapping[str, str]) -> None:
    """The profile of a role that has been counted, and its findings."""
    from ftc.spec import lint
    from ftc.spec.languages import languages_of
    from ftc.spec.tokens import Scale, estimated_scale, measured_scale, tokenizer_of

    tally = counted.tally
    sample = _looked_at(tally)
    languages = languages_of([row.prompt or row.answer for row in sample[:2000]])
    asked, answered = [row.prompt for row in sample[:2000]], [row.answer for row in sample[:2000]]
    if counted.tokenizer:
        scale = Scale(name=tokenizer_of(counted.tokenizer).name, prompt=1.0, answer=1.0, whole=1.0, error=0.0)
    elif tokenizer_file:
        scale = measured_scale(tokenizer_of(tokenizer_file), asked, answered, counted.measure)
    else:
        scale = estimated_scale(dict(languages), asked, answered, counted.measure)
    sequence = scaled(tally.sequence, scale.whole)
    completion, whole = lengths_of(scaled(tally.completion, scale.answer)), lengths_of(sequence)
    language = languages[0][0] if languages else spec.goal.language
    near, personal, secret = lint.near_rows(sample), *lint.private_rows(sample, language)
    used = tally.used
    counted.found = SetProfile(
        role=counted.role,
        format=counted.formats[0] if counted.formats else "auto",
        rows=used,
        rows_read=counted.rows_read,
        rows_reported=counted.rows_reported,
        prompt=lengths_of(scaled(tally.prompt, scale.prompt)),
        completion=completion,
        sequence=whole,
        histogram=histogram_of(sequence),
        tokenizer=scale.name,
        token_error=scale.error,
        classes=tuple(sorted(tally.classes.items(), key=lambda each: (-each[1], each[0]))),
        languages=languages,
        turns=tally.user_turns / used if used else 1.0,
        system_share=tally.with_system / used if used else 0.0,
        tools_share=tally.with_tools / used if used else 0.0,
        groups=counted.bags.groups.distinct() or None,
        exact_duplicates=used - counted.bags.content.distinct(),
        near_duplicates=len(near),
        sampled_rows=len(sample) if _partly(sample, tally) else 0,
        loss_share=_loss_share(completion, whole, counted.role),
        content_hash=_content_hash(counted.files, hashes),
    )
    facts = lint.Facts(
        spec=spec,
        role=counted.role,
        found=counted.found,
        tally=tally,
        sample=sample,
        near=near,
        personal=personal,
        secret=secret,
    )
    if used:
        counted.findings += lint.lint(facts)


def _looked_at(tally: Tally) -> list[Sampled]:
    """The rows that are looked at again: all of small data, of large data as many as a bounded time allows."""
    if tally.prompt_characters + tally.completion_characters <= _ALL_CHARACTERS:
        return tally.sample
    left, rows = _SOME_CHARACTERS, []
    for row in tally.sample:
        left -= len(row.prompt) + len(row.answer)
        if left < 0:
            break
        rows.append(row)
    return rows


def _partly(sample: Sequence[Sampled], tally: Tally) -> bool:
    """True where not every row, repetitions aside, was looked at."""
    return len(sample) < len(tally.sample) or tally.limit < HIGHEST


def _loss_share(completion: object, whole: object, role: Role) -> float | None:
    total, answers = getattr(whole, "total", 0), getattr(completion, "total", 0)
    return min(1.0, answers / total) if total and answers and role != "corpus" else None


def _content_hash(files: Sequence[DataFile], hashes: Mapping[str, str]) -> str:
    if not all(file.name in hashes for file in files):
        return ""
    return hashlib.sha256("".join(hashes[file.name] for file in files).encode()).hexdigest()


def _overlap(roles: Mapping[Role, _Role]) -> tuple[int, list[Diagnostic]]:
    """Evaluation rows that ask what is trained on, and what there is to say of it."""
    evaluation, learned = roles.get("evaluation"), roles.get("demonstrations") or roles.get("feedback")
    if evaluation is None or learned is None or not evaluation.tally.used or not learned.tally.used:
        return 0, []
    from ftc.spec import lint

    same = learned.bags.asked.holding(evaluation.bags.asked)
    alike = lint.contaminated(evaluation.tally.sample, learned.tally.sample)
    return same, lint.overlap_findings(same, alike, evaluation.tally.sample, learned.tally.sample)


def _feedback(feedback: Feedback, counted: _Role | None) -> FeedbackProfile:
    if counted is None or counted.found is None or counted.found.described:
        return described_feedback(feedback)
    found, type_ = counted.found, feedback_type(feedback, counted.found)
    tally = counted.tally
    return FeedbackProfile(
        type=type_,
        set=found,
        positive=tally.good if type_ == "binary" else None,
        negative=tally.bad if type_ == "binary" else None,
        answers_per_prompt=tally.answers / tally.used if tally.used else None,
        prompts=counted.bags.asked.distinct(),
        length_bias=tally.longer / tally.pairs if tally.pairs else None,
    )


def _sizes(spec: Spec, roles: Mapping[Role, _Role], feedback: FeedbackProfile | None) -> tuple[int, int]:
    """Rows held out and rows left to train on, of the role that is trained on."""
    evaluation = roles.get("evaluation")
    held_out = evaluation.found.rows if evaluation and evaluation.found else None
    order: tuple[Role, ...] = ("demonstrations", "feedback", "corpus", "prompts")
    counted = next((roles[role] for role in order if role in roles), None)
    found = counted.found if counted else feedback.set if feedback else None
    if found is None:
        return held_out or 0, 0
    if held_out is not None:
        return held_out, found.rows
    wanted = held_out_size(found.rows, spec.data.evaluation.fraction)
    if counted and not _surely_met(counted, found, wanted) and found.rows <= _SPLIT_ROWS:
        keys = streamed_keys(lambda: _rows_of(spec, counted), spec.seed, bool(found.classes), wanted)
        wanted = len(choose(keys, wanted))
    return wanted, found.rows - wanted


def _rows_of(spec: Spec, counted: _Role) -> Iterator[Row]:
    """All rows of a role, read again."""
    for source in counted.given:
        yield from read(source, spec.folder, counted.role).rows


def _surely_met(counted: _Role, found: SetProfile, wanted: int) -> bool:
    """True where so many rows ask what no other row asks that the split can always be made to the row."""
    if found.described or found.groups:
        return found.described
    alone = 2 * counted.bags.asked.distinct() - found.rows  # at least so many
    return alone >= 2 * wanted  # with room for questions that differ in case and space only
