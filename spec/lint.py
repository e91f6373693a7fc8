"""What there is to say about a whole set of rows: a table of small checks, each with a code and examples by line.

Checks of single rows (empty, malformed, out of order) are made while reading. These look at the counts and at the
sample, which is every row of small data.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ftc.spec.counting.tally import Sampled, Tally
from ftc.spec.data_codes import CODES
from ftc.spec.diagnostics import Diagnostic, Severity
from ftc.spec.lengths import longer_than
from ftc.spec.model import Spec
from ftc.spec.near_duplicates import near_duplicates
from ftc.spec.personal import REGIONS, candidates, personal_data, secret_signs, secrets
from ftc.spec.profile import SetProfile

EXAMPLES = 5
FEW_ROWS = 50  # demonstrations; providers of fine-tuning report gains from 50 to 100 on (OpenAI's guide, 2025)
FEW_A_CLASS = 10  # rows: a rule of thumb
IMBALANCE = 20  # times: a rule of thumb
LEAK_SHARE = 0.5  # of the rows hold their own label in the prompt
LEAK_LIFT = 4  # times as often as they hold another one
ENDS_SHARE = 0.05  # of the rows have a prompt that ends with the answer
SAME_SHARE = 0.5  # of the rows have one and the same answer
_TOGETHER = 100  # texts looked at as one for signs of secrets, which are rare
WORD_LIST = "FTC_WORD_LIST"  # environment: a file of words, one a line

_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
# UTF-8 that was read as Windows-1252 and saved: "Ã©" for "é", "â€™" for an apostrophe; and what cannot be decoded.
_DAMAGE = re.compile(r"\ufffd|Ã[\x80-\xbf€‚ƒ„…†‡ˆ‰Š‹Œ‘’“”•–—˜™š›œž©¨¢¤¶¼±³º´]|â€[\x90-\x9f™œ\x9d“”˜¦¢]|Â[\xa0-\xbf]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What a check may look at: one role of the data, counted."""

    spec: Spec
    role: str
    found: SetProfile
    tally: Tally
    sample: Sequence[Sampled]  # the rows that are looked at one by one
    near: Sequence[tuple[Sampled, Sampled]]
    personal: dict[str, list[Sampled]]
    secret: Sequence[Sampled]


Check = Callable[[Facts], Iterator[Diagnostic]]


def lint(facts: Facts) -> list[Diagnostic]:
    """Every finding about the set."""
    return [finding for check in CHECKS for finding in check(facts)]


def _finding(
    facts: Facts,
    code: str,
    message: str,
    count: int = 0,
    rows: Iterable[Sampled] = (),
    places: Iterable[tuple[str, int]] = (),
    severity: Severity | None = None,
) -> Diagnostic:
    named = [*places, *((row.name, row.line) for row in rows)][:EXAMPLES]
    return Diagnostic(
        code=code,
        message=f"{CODES[code].title}: {message}",
        severity=severity or CODES[code].severity,
        fix=CODES[code].fix,
        key=f"data.{facts.role}",
        file=named[0][0] if named else "",
        line=named[0][1] if named else 0,
        examples=tuple(f"{name}:{line}" for name, line in named),
        count=count,
    )


def _both(later: tuple[str, int], first: tuple[str, int]) -> str:
    """Two places, the file named only where they are in two."""
    if later[0] == first[0]:
        return f"line {later[1]} as line {first[1]}"
    return f"{later[0]}:{later[1]} as {first[0]}:{first[1]}"


def _sampled(facts: Facts) -> str:
    """How many rows were looked at, where not all were."""
    return f" in a sample of {facts.found.sampled_rows} rows" if facts.found.sampled_rows else ""


def exact_duplicates(facts: Facts) -> Iterator[Diagnostic]:
    """Rows that stand more than once."""
    count = facts.found.exact_duplicates
    if count:
        places = [later for later, _ in facts.tally.repeats.same]
        first = facts.tally.repeats.same[0] if places else None
        where = f", for example {_both(*first)}" if first else ""
        yield _finding(facts, "D301", f"{count} row{_s(count)} repeat an earlier one{where}", count, places=places)


def near_duplicate_rows(facts: Facts) -> Iterator[Diagnostic]:
    """Rows that say almost the same as another."""
    if facts.near:
        count = len(facts.near)
        one, other = facts.near[0]
        where = f"for example {_both((one.name, one.line), (other.name, other.line))}"
        yield _finding(
            facts, "D302", f"{count} row{_s(count)}{_sampled(facts)}; {where}", count, [row for row, _ in facts.near]
        )


def conflicting_labels(facts: Facts) -> Iterator[Diagnostic]:
    """One text under two labels."""
    places = facts.tally.repeats.conflicting
    if facts.found.classes and places:
        where = f"{_both(*places[0])}: one question, two labels"
        yield _finding(facts, "D303", where, len(places), places=[later for later, _ in places])


def leaked_answers(facts: Facts) -> Iterator[Diagnostic]:
    """The prompt gives the answer away."""
    rows = [row for row in facts.sample if row.prompt and row.answer]
    if facts.role not in ("demonstrations", "evaluation") or len(rows) < 10:
        return
    ending = [row for row in rows if len(row.answer) > 1 and _ends_with(row.prompt, row.answer)]
    if len(ending) >= max(3, ENDS_SHARE * len(rows)):
        yield _finding(facts, "D304", f"{len(ending)} prompts end with their answer", len(ending), ending)
        return
    labels = [label for label, _ in facts.found.classes]
    if not 2 <= len(labels) <= 200:
        return
    named = {label: label.replace("_", " ").strip().casefold() for label in labels}
    next_ = {label: named[labels[(index + 1) % len(labels)]] for index, label in enumerate(labels)}
    texts = [(row, row.prompt.casefold().replace("_", " ")) for row in rows if row.label in named]
    own = [row for row, text in texts if _holds(text, named[row.label or ""])]
    other = sum(_holds(text, next_[row.label or ""]) for row, text in texts)
    if len(own) >= LEAK_SHARE * len(rows) and len(own) >= LEAK_LIFT * max(other, 1):
        yield _finding(facts, "D304", f"{len(own)} of {len(rows)} prompts hold their own label", len(own), own)


def _ends_with(prompt: str, answer: str) -> bool:
    text, end = prompt.rstrip().casefold(), answer.strip().casefold()
    return text.endswith(end) and (len(text) == len(end) or not text[-len(end) - 1].isalnum())


def _holds(text: str, words: str) -> bool:
    """True where the words stand in the text as words."""
    if not words or words not in text:
        return False
    return re.search(rf"(?<!\w){re.escape(words)}(?!\w)", text) is not None


def classes(facts: Facts) -> Iterator[Diagnostic]:
    """One class only, or classes that are much rarer than others."""
    found = facts.found.classes
    if not found:
        return
    if len(found) == 1:
        message = f'every label is "{found[0][0]}"'
        rows = sorted(facts.sample, key=lambda row: (row.name, row.line))
        yield _finding(facts, "D306", message, found[0][1], rows, severity=Severity.ERROR)
        return
    rare = [label for label, times in found if times < FEW_A_CLASS]
    ratio = found[0][1] / found[-1][1]
    if rare or ratio >= IMBALANCE:
        named = ", ".join(rare[:5]) + (", …" if len(rare) > 5 else "")
        few = f"{len(rare)} of {len(found)} classes have fewer than {FEW_A_CLASS} rows ({named}); " if rare else ""
        most = f"the largest has {ratio:.0f} times as many as the smallest"
        yield _finding(facts, "D308", few + most, len(rare))


def same_answers(facts: Facts) -> Iterator[Diagnostic]:
    """Free text that is always the same."""
    rows = [row for row in facts.sample if row.answer]
    if facts.found.classes or facts.role not in ("demonstrations", "evaluation") or len(rows) < 10:
        return
    answer, times = Counter(row.answer for row in rows).most_common(1)[0]
    if times >= SAME_SHARE * len(rows):
        same = [row for row in rows if row.answer == answer]
        yield _finding(facts, "D306", f"{times} of {len(rows)} rows answer the same", times, same)


def too_few(facts: Facts) -> Iterator[Diagnostic]:
    """Fewer rows than training is known to gain from."""
    if facts.role == "demonstrations" and 0 < facts.found.rows < FEW_ROWS:
        yield _finding(facts, "D307", f"{facts.found.rows} rows, where gains are reported from {FEW_ROWS} on")


def damaged_text(facts: Facts) -> Iterator[Diagnostic]:
    """Letters that went through a wrong encoding, and characters that no text has."""
    for code, pattern in (("D309", _DAMAGE), ("D310", _CONTROL)):
        rows = [row for row in facts.sample if _found(pattern, row.prompt) or _found(pattern, row.answer)]
        if rows:
            yield _finding(facts, code, f"{len(rows)} row{_s(len(rows))}{_sampled(facts)}", len(rows), rows)


def _found(pattern: re.Pattern[str], text: str) -> bool:
    """True where it is in the text. Damage is never ASCII, and printable text has no control characters."""
    return not (text.isascii() if pattern is _DAMAGE else text.isprintable()) and pattern.search(text) is not None


def private(facts: Facts) -> Iterator[Diagnostic]:
    """Secrets, and data about persons."""
    if facts.secret:
        count = len(facts.secret)
        yield _finding(facts, "D311", f"{count} row{_s(count)}{_sampled(facts)}", count, facts.secret)
    declared = {"pii", "phi"} & set(facts.spec.data.contains)
    for kind, rows in sorted(facts.personal.items()):
        count = len(rows)
        yield _finding(
            facts, "D312", f"{kind} in {count} row{_s(count)}{_sampled(facts)}", count, rows,
            severity=Severity.NOTE if declared else None,
        )  # fmt: skip


def offensive(facts: Facts) -> Iterator[Diagnostic]:
    """Words of the list that is configured."""
    words = _word_list(facts.spec.folder)
    if not words:
        return
    pattern = re.compile(r"\b(?:" + "|".join(map(re.escape, words)) + r")\b", re.IGNORECASE)
    rows = [row for row in facts.sample if pattern.search(row.prompt) or pattern.search(row.answer)]
    if rows:
        share = len(rows) / max(1, len(facts.sample))
        yield _finding(facts, "D313", f"{len(rows)} rows, {share:.1%}{_sampled(facts)}", len(rows), rows)


def _word_list(folder: Path) -> list[str]:
    named = os.environ.get(WORD_LIST)
    file = folder / Path(named).expanduser() if named else None
    if file is None or not file.is_file():
        return []
    lines = file.read_text(encoding="utf-8", errors="replace").splitlines()
    return [word.strip() for word in lines if word.strip() and not word.startswith("#")]


def too_long(facts: Facts) -> Iterator[Diagnostic]:
    """Rows beyond what the model can take."""
    context = facts.spec.model.context
    if context and facts.found.histogram:
        rows = longer_than(facts.found.histogram, context)
        if rows:
            share = rows / facts.found.rows
            yield _finding(
                facts, "D314", f"{rows} rows ({share:.1%}) are longer than the model's {context} tokens", rows
            )


def other_language(facts: Facts) -> Iterator[Diagnostic]:
    """Rows in another language than the goal says."""
    wanted = facts.spec.goal.language.split("-")[0].lower()
    share = dict(facts.found.languages).get(wanted, 0.0)
    if facts.found.languages and len(wanted) == 2 and share < 0.5:
        seen = ", ".join(f"{language} {part:.0%}" for language, part in facts.found.languages[:3])
        yield _finding(facts, "D315", f"goal.language is {wanted}, the rows are {seen}")


def _s(count: int) -> str:
    return "" if count == 1 else "s"


CHECKS: tuple[Check, ...] = (
    exact_duplicates,
    near_duplicate_rows,
    conflicting_labels,
    leaked_answers,
    classes,
    same_answers,
    too_few,
    damaged_text,
    private,
    offensive,
    too_long,
    other_language,
)


def overlap_findings(
    same: int, alike: Sequence[tuple[Sampled, Sampled]], evaluation: Sequence[Sampled], learned: Sequence[Sampled]
) -> list[Diagnostic]:
    """Evaluation rows that stand, or nearly stand, in the rows that are trained on."""
    if not same and not alike:
        return []
    first = {row.asked: row for row in reversed(learned)}
    pairs = sorted(
        ((row, first[row.asked]) for row in evaluation if row.asked in first),
        key=lambda pair: (pair[0].name, pair[0].line),
    )
    pairs += alike
    shown = [f"{one.name}:{one.line} as {other.name}:{other.line}" for one, other in pairs[:EXAMPLES]]
    counts = [f"{same} word for word"] * (same > 0) + [f"{len(alike)} nearly so"] * bool(alike)
    return [
        Diagnostic(
            code="D305",
            message=f"{CODES['D305'].title}: {', '.join(counts)}",
            severity=CODES["D305"].severity,
            fix=CODES["D305"].fix,
            key="data.evaluation",
            file=pairs[0][0].name if pairs else "",
            line=pairs[0][0].line if pairs else 0,
            examples=tuple(shown),
            count=same + len(alike),
        )
    ]


def near_rows(sample: Sequence[Sampled]) -> list[tuple[Sampled, Sampled]]:
    """Rows of the sample that are like an earlier one, with that one, in the order of the file.

    One text under two labels is another finding.
    """
    ordered = sorted(sample, key=lambda row: (row.name, row.line))
    pairs = near_duplicates([f"{row.prompt}\n{row.answer}" for row in ordered])
    found = [(ordered[later], ordered[earlier]) for later, earlier in pairs]
    return [(row, like) for row, like in found if row.asked != like.asked or row.label == like.label]


def contaminated(evaluation: Sequence[Sampled], learned: Sequence[Sampled]) -> list[tuple[Sampled, Sampled]]:
    """Evaluation rows whose prompt is like one that is trained on, without being the same."""
    known = {row.asked for row in learned}
    fresh = [row for row in evaluation if row.asked not in known]
    ordered = sorted(learned, key=lambda row: (row.name, row.line))
    pairs = near_duplicates([row.prompt for row in fresh], [row.prompt for row in ordered])
    return [(fresh[later], ordered[earlier]) for later, earlier in pairs]


def private_rows(sample: Sequence[Sampled], language: str) -> tuple[dict[str, list[Sampled]], list[Sampled]]:
    """Rows with personal data, by kind, and rows with secrets, in the order of the file."""
    region = REGIONS.get(language)
    personal: dict[str, list[Sampled]] = {}
    secret: list[Sampled] = []
    ordered = sorted(sample, key=lambda row: (row.name, row.line))
    for start in range(0, len(ordered), _TOGETHER):
        rows = ordered[start : start + _TOGETHER]
        texts = [f"{row.prompt}\n{row.answer}" for row in rows]
        signs = secret_signs("\n".join(texts))
        for row, text in zip(rows, texts, strict=True):
            if candidates(text):
                for kind in sorted({hit.kind for hit in personal_data(text, region)}):
                    personal.setdefault(kind, []).append(row)
            if signs and secret_signs(text) and secrets(text):
                secret.append(row)
    return personal, secret
