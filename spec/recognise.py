"""Which row format a file has, told from a sample of its records, with the columns that play each role.

Says by which evidence, what else it could be, and the line to write for that. Where no reading is natural it refuses,
with the lines to choose from. What the user fixed (`format`, `columns`) is taken as said and completed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice

from ftc.spec.columns import extractor, parse
from ftc.spec.data.records import Json
from ftc.spec.fields import Field, Fields, fields_of
from ftc.spec.recognisers import BY_FORMAT, BY_ROLE, Recogniser, Recognition, line, supervised, supervised_kind

SAMPLE = 1000  # records looked at before a row is read

ROLES = (
    "prompt", "completion", "label", "context", "input", "system", "history", "messages", "tools", "chosen", "rejected",
    "first", "second", "preferred", "answers", "ranking", "scores", "good", "answer", "tests", "text", "group",
)  # fmt: skip
_ALSO = {
    "instruction": "prompt", "question": "prompt", "query": "prompt", "output": "completion", "response": "completion",
    "category": "label", "class": "label", "conversations": "messages", "documents": "text",
}  # fmt: skip
PLACES = {
    "preference-pairs": "feedback", "binary-feedback": "feedback", "ranked": "feedback", "text": "corpus",
    "prompts": "prompts", "prompts-with-tests": "prompts",
}  # fmt: skip
_NESTED = 3  # lists within lists that are searched for a reading to propose


@dataclass(frozen=True, slots=True, kw_only=True)
class Unrecognised:
    """No natural reading: why, and the lines to choose from."""

    code: str
    why: str
    lines: tuple[str, ...] = ()


def recognise(
    sample: Sequence[Json], role: str, format_: str = "auto", columns: Mapping[str, str] | None = None
) -> Recognition | Unrecognised:
    """The reading of those records for that role of the data. `format_` and `columns` are what the user fixed."""
    records = [each for each in sample if isinstance(each, dict)]
    if not records:
        return Unrecognised(
            code="D112", why='the rows are no objects with named fields, as {"prompt": …, "completion": …}'
        )
    fields = fields_of(records)
    if columns:
        return _as_said(records, fields, role, format_, _canonical(columns))
    if format_ != "auto":
        found = BY_FORMAT[format_](Fields(fields)) if format_ in BY_FORMAT else None
        if found:
            return replace(found, format=format_) if _same_rows(found.format, format_) else _relabelled(found, format_)
        return Unrecognised(
            code="D112", why=f"no {format_} rows can be made of {_listed(fields)}", lines=_proposals(fields)
        )
    return _freely(fields, role)


def _freely(fields: Mapping[str, Field], role: str) -> Recognition | Unrecognised:
    for recogniser in BY_ROLE[role]:
        found = recogniser(Fields(fields))
        if found:
            return found
    for elsewhere, recognisers in BY_ROLE.items():
        found = next((each for recogniser in recognisers if (each := recogniser(Fields(fields)))), None)
        if found and elsewhere != "evaluation":
            why = f"these are {found.format} rows ({found.evidence})"
            return Unrecognised(code="D114", why=why, lines=(f"data.{elsewhere}: {{path: …}}",))
    return Unrecognised(code="D112", why=f"no natural reading of {_listed(fields)}", lines=_proposals(fields))


def _same_rows(one: str, other: str) -> bool:
    labelled = ("text-label",)
    return (one in labelled) == (other in labelled)


def _relabelled(found: Recognition, format_: str) -> Recognition:
    """The same columns, with the answer as a class or as text, as the user says."""
    before, after = ("completion", "label") if format_ == "text-label" else ("label", "completion")
    columns = {after if role == before else role: name for role, name in found.columns.items()}
    return replace(found, format=format_, columns=columns)


def _canonical(columns: Mapping[str, str]) -> dict[str, str]:
    """Roles by their own names: `text` beside a label is the prompt, `answer` to a prompt its completion."""
    out = {_ALSO.get(role, role): path for role, path in columns.items()}
    if "text" in out and ("label" in out or "completion" in out) and "prompt" not in out:
        out["prompt"] = out.pop("text")
    return out


def _as_said(
    records: Sequence[Json], fields: Mapping[str, Field], role: str, format_: str, columns: dict[str, str]
) -> Recognition | Unrecognised:
    """The user's columns, checked, with the roles added that they leave open."""
    problem = _misnamed(records, fields, columns)
    if problem:
        return problem
    if (
        role not in ("prompts", "feedback")
        and "answer" in columns
        and not {"completion", "label", "tests"} & columns.keys()
    ):
        columns["completion"] = columns.pop("answer")
    wanted = format_ if format_ != "auto" else _format_of(columns, role)
    if wanted is None or not _complete(columns, wanted):
        found = _completed(fields, role, wanted, columns)
        if found is None:
            needs = "what should come out (completion or label)" if "prompt" in columns else "the prompt"
            return Unrecognised(
                code="D112", why=f"columns {sorted(columns)} leave open {needs}", lines=_proposals(fields)
            )
        columns, wanted = {**found.columns, **columns}, found.format
    evidence = "as columns says: " + ", ".join(f"{each} from `{path}`" for each, path in columns.items())
    if format_ == "auto" and wanted in ("prompt-completion", "text-label"):
        values = _values(records, columns)
        target = fields_of(values).get("label" if "label" in columns else "completion")
        classes = target is not None and (target.is_classes or "label" in columns)
        if target is None:
            return Unrecognised(
                code="D113", why=f"nothing stands at `{columns.get('completion', columns.get('label'))}`"
            )
        wanted, why = supervised_kind("prompt", target, classes)
        evidence += f"; {why}"
        columns = dict(_relabelled(Recognition(format="", columns=columns, evidence=""), wanted).columns)
    return Recognition(format=wanted, columns=columns, evidence=evidence)


def _values(records: Sequence[Json], columns: Mapping[str, str]) -> list[Mapping[str, Json]]:
    extract = extractor(columns, frozenset(records[0]))

    def rows() -> Iterator[Mapping[str, Json]]:
        for record in records:
            yield from extract(record)

    return list(islice(rows(), SAMPLE))


def _misnamed(records: Sequence[Json], fields: Mapping[str, Field], columns: Mapping[str, str]) -> Unrecognised | None:
    """The first role that does not exist, or path that leads nowhere."""
    from difflib import get_close_matches

    for role, path in columns.items():
        if role not in ROLES:
            near = get_close_matches(role, ROLES, 1)
            meant = f"; did you mean {near[0]}?" if near else ""
            return Unrecognised(
                code="D113", why=f'columns: no role called "{role}"{meant}', lines=(f"roles: {' '.join(ROLES)}",)
            )
        for each in parse(path, frozenset(fields)):
            if each.keys[0] not in fields:
                near = get_close_matches(each.keys[0], list(fields), 1, 0.4)
                lines = (line({**columns, role: path.replace(each.keys[0], near[0], 1)}),) if near else ()
                return Unrecognised(code="D113", why=f'no column "{each.keys[0]}" among {_listed(fields)}', lines=lines)
    for role, path in columns.items():
        if not any(value.get(role) not in (None, "", []) for value in _values(records, {role: path})):
            return Unrecognised(code="D113", why=f"nothing stands at `{path}` in the first {len(records)} records")
    return None


def _format_of(columns: Mapping[str, str], role: str) -> str | None:
    """The format whose roles are named; None where they could be of several."""
    checks: tuple[tuple[set[str], str], ...] = (
        ({"chosen"}, "preference-pairs"),
        ({"first"}, "preference-pairs"),
        ({"answers"}, "ranked"),
        ({"good"}, "binary-feedback"),
        ({"tests"}, "prompts-with-tests"),
        ({"messages"}, "prompts" if role == "prompts" else "chat"),
        ({"completion"}, "prompt-completion"),
        ({"label"}, "text-label"),
        ({"prompt", "answer"}, "prompts-with-tests"),
        ({"text"}, "text"),
    )
    found = next((name for roles, name in checks if roles <= columns.keys()), None)
    return found or ("prompts" if role == "prompts" and "prompt" in columns else None)


_NEEDED: Mapping[str, tuple[set[str], ...]] = {
    "preference-pairs": ({"chosen", "rejected"}, {"first", "second", "preferred"}),
    "ranked": ({"prompt", "answers"},),
    "binary-feedback": ({"prompt", "completion", "good"}, {"messages", "good"}),
    "chat": ({"messages"},),
    "text": ({"text"},),
    "raw-documents": ({"text"},),
    "prompts": ({"prompt"}, {"messages"}),
    "prompts-with-tests": ({"prompt", "tests"}, {"prompt", "answer"}, {"messages", "tests"}, {"messages", "answer"}),
}
_SUPERVISED: tuple[set[str], ...] = ({"prompt", "completion"}, {"prompt", "label"})


def _complete(columns: Mapping[str, str], format_: str) -> bool:
    return any(roles <= columns.keys() for roles in _NEEDED.get(format_, _SUPERVISED))


def _completed(
    fields: Mapping[str, Field], role: str, format_: str | None, columns: Mapping[str, str]
) -> Recognition | None:
    """A reading that keeps the user's columns and finds the rest, where all of them are plain columns."""
    if any(path not in fields for path in columns.values()):
        return None
    recognisers: tuple[Recogniser, ...] = (BY_FORMAT[format_],) if format_ else BY_ROLE[role]
    for recogniser in recognisers:
        found = recogniser(Fields(fields, columns))
        if found and _complete({**found.columns, **columns}, found.format):
            return found
    return None


def _listed(fields: Mapping[str, Field]) -> str:
    names = list(fields)
    return "the columns " + ", ".join(names[:12]) + (", …" if len(names) > 12 else "")


def _proposals(fields: Mapping[str, Field]) -> tuple[str, ...]:
    """Lines that would work: readings of nested lists first, then pairs of text columns."""
    nested = _nested(fields, "", _NESTED)
    if nested:
        context = [] if "context" in nested else _beside(fields, nested["prompt"])
        return (*(line({**nested, "context": path}) for path in context[:1]), line(nested))
    texts = [name for name, each in fields.items() if each.is_text and each.kind != "object" and each.share >= 0.5]
    pairs = [(one, other) for one in texts for other in texts if one != other][:4]
    return tuple(line({"prompt": one, "completion": other}) for one, other in pairs)


def _nested(fields: Mapping[str, Field], prefix: str, depth: int) -> dict[str, str]:
    """The columns of a supervised reading inside a list of objects."""
    for name, each in fields.items():
        if each.kind != "objects" or not depth:
            continue
        inside = fields_of(each.elements[:SAMPLE])
        found = supervised(Fields(inside))
        if found:
            return {role: f"{prefix}{name}[].{path}" for role, path in found.columns.items()}
        deeper = _nested(inside, f"{prefix}{name}[].", depth - 1)
        if deeper:
            return deeper
    return {}


def _beside(fields: Mapping[str, Field], prompt: str) -> list[str]:
    """Lists of texts that stand beside the list of questions: what they are about."""
    return [
        f"{name}[].{text}"
        for name, each in fields.items()
        if each.kind == "objects" and not prompt.startswith(f"{name}[]")
        for text in ("text", "content", "context")
        if text in fields_of(each.elements)
    ]
