"""One function a row format: the reading of a sample under that format, or None.

What stands in the fields decides; names decide where that leaves more than one reading.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from ftc.spec import recognise_names as names
from ftc.spec.convert import BAD, FIRST, GOOD, SECOND
from ftc.spec.fields import MOSTLY, TEXTLIKE, Field, Fields

_CHECKABLE = re.compile(r"####|\\boxed\{")


@dataclass(frozen=True, slots=True, kw_only=True)
class Recognition:
    """A reading of the file. `others` are lines that would choose another one."""

    format: str
    columns: Mapping[str, str]
    evidence: str
    others: tuple[str, ...] = ()


Recogniser = Callable[[Fields], Recognition | None]


def _column(field_: Field) -> str:
    return f"`{field_.name}`"


def pairs(fields: Fields) -> Recognition | None:
    """Two answers, one preferred: by columns for each, or by a column that says which."""
    kinds = ("text", "turns", "turn", "texts")
    chosen, rejected = fields.first(names.CHOSEN, kinds), fields.first(names.REJECTED, kinds)
    if chosen and rejected and chosen.kind == rejected.kind:
        columns = {"chosen": chosen.name, "rejected": rejected.name}
        evidence = f"{_column(chosen)} and {_column(rejected)} side by side"
        turns = chosen.kind == "turns" and any(len(each) > 1 for each in chosen.values if isinstance(each, list))
        whole = turns or any("\n\nHuman:" in str(each) for each in chosen.values[:1])
        return _with_prompt(fields, "preference-pairs", columns, evidence, needed=not whole)
    for one, other in names.TWO:
        first, second = fields.first((one,), kinds), fields.first((other,), kinds)
        if not first or not second:
            continue
        for verdict in fields.find(names.PREFERRED, ("text", "number"), (first.name, second.name)):
            words = {each.lower() for each in verdict.texts}
            if len(words & (FIRST | SECOND)) and len(words) <= 6:
                columns = {"first": first.name, "second": second.name, "preferred": verdict.name}
                evidence = f"{_column(first)}, {_column(second)} and {_column(verdict)}, which says which is better"
                return _with_prompt(fields, "preference-pairs", columns, evidence, needed=first.kind != "turns")
    return None


def ranked(fields: Fields) -> Recognition | None:
    """Several answers to one prompt."""
    answers = fields.first(names.ANSWERS, ("texts", "objects"))
    if not answers or not all(isinstance(each, list) for each in answers.values):
        return None
    lists = [each for each in answers.values if len(each) > 1]
    if len(lists) < MOSTLY * len(answers.values):
        return None
    ranking, scores = fields.first(names.RANKING, ("texts",)), fields.first(names.SCORES, ("texts",))
    own = answers.kind == "objects" and all(
        isinstance(each, dict) and {"rank", "score", "rating"} & each.keys() for each in lists[0]
    )
    if not (ranking or scores or own or names.plain(answers.name).startswith("ranked")):
        return None
    columns = {"answers": answers.name}
    if ranking:
        columns["ranking"] = ranking.name
    elif scores:
        columns["scores"] = scores.name
    by = ranking or scores
    evidence = f"lists in {_column(answers)}" + (f", ordered by {_column(by)}" if by else ", best first")
    return _with_prompt(fields, "ranked", columns, evidence, needed=True)


def binary(fields: Fields) -> Recognition | None:
    """One answer, called good or bad."""
    for good in fields.find(names.GOOD, ("bool", "text", "number")):
        words = {each.lower() for each in good.texts}
        if not words or not words <= GOOD | BAD:
            continue
        turns = fields.first(names.MESSAGES, ("turns",))
        if turns:
            columns = {"messages": turns.name, "good": good.name}
            evidence = f"turns in {_column(turns)} and {_column(good)}, which is {' or '.join(sorted(words))}"
            return Recognition(format="binary-feedback", columns=columns, evidence=evidence)
        answer = fields.first(names.COMPLETION, ("text", "turn", "turns"), (good.name,))
        if answer:
            columns = {"completion": answer.name, "good": good.name}
            evidence = f"an answer in {_column(answer)} and {_column(good)}, which is {' or '.join(sorted(words))}"
            return _with_prompt(fields, "binary-feedback", columns, evidence, needed=True)
    return None


def chat(fields: Fields) -> Recognition | None:
    """A list of turns."""
    named = fields.find(names.MESSAGES, ("turns",))
    turns = next(iter(named or [each for each in fields.all.values() if each.kind == "turns"]), None)
    if not turns:
        return None
    columns = {"messages": turns.name, **_extras(fields, (turns.name,))}
    columns.pop("history", None)
    return Recognition(format="chat", columns=columns, evidence=f"a list of turns in {_column(turns)}")


def supervised(fields: Fields) -> Recognition | None:
    """A prompt and what should come out of it, as text or as a class."""
    target, others = _target(fields)
    if target is None:
        return None
    pinned_prompt = fields.pinned.get("prompt")
    prompt = fields.all.get(pinned_prompt) if pinned_prompt else _prompt_field(fields, (target.name,))
    if prompt is None:
        return None
    columns = {"prompt": prompt.name}
    name = names.plain(prompt.name)
    used = (target.name, prompt.name)
    if name == "instruction":
        beside = fields.first(names.INPUT, TEXTLIKE, used)
    else:
        beside = fields.first(names.CONTEXT, ("text", "texts"), used) if name not in names.CONTEXT else None
    if beside and not fields.pinned.get("prompt"):
        columns["input" if name == "instruction" else "context"] = beside.name
    classes = target.is_classes
    columns["label" if classes else "completion"] = target.name
    columns |= _extras(fields, tuple(columns.values()))
    kind, evidence = supervised_kind(name, target, classes)
    parts = [_column(fields.all[each]) for role, each in columns.items() if role in ("prompt", "input", "context")]
    return Recognition(
        format=kind,
        columns=columns,
        evidence=f"{' with '.join(parts)} asks, {_column(target)} answers: {evidence}",
        others=tuple(line({**_asking(columns), "completion": each.name}) for each in others),
    )


def _asking(columns: Mapping[str, str]) -> dict[str, str]:
    return {role: name for role, name in columns.items() if role in ("prompt", "input", "context", "system", "group")}


def supervised_kind(prompt: str, target: Field, classes: bool) -> tuple[str, str]:
    if classes:
        count = len(set(target.texts))
        return "text-label", f"{count} short value{'s' if count > 1 else ''} in the first {len(target.values)} rows"
    checkable = [bool(_CHECKABLE.search(text)) for text in target.texts[:200]]
    if checkable and sum(checkable) >= MOSTLY * len(checkable):
        return "question-final-answer", "free text that ends in a marked result"
    if prompt == "instruction":
        return "instruction", "free text"
    return ("qa" if prompt in ("question", "query") else "prompt-completion"), "free text"


def _target(fields: Fields) -> tuple[Field | None, list[Field]]:
    """What is to be learned, and what else could be."""
    pinned = fields.pinned.get("completion") or fields.pinned.get("label")
    if pinned:
        return fields.all.get(pinned), []
    kinds = ("text", "texts", "number", "bool", "object")
    named = [each for each in fields.find(names.COMPLETION, kinds) if each.name not in fields.pinned.values()]
    labels = [each for each in fields.find(names.LABEL, ("text", "number", "bool"), [each.name for each in named])
              if each.name not in fields.pinned.values() and each.is_classes]  # fmt: skip
    free = [each for each in named if names.plain(each.name) != "longanswer"]
    ordered = free or labels or named
    if ordered:
        return ordered[0], [each for each in [*named, *labels] if each is not ordered[0] and each.share >= MOSTLY]
    texts = [each for each in fields.all.values() if each.is_text and each.share >= MOSTLY]
    classes = [each for each in texts if each.is_classes and len(set(each.texts)) > 1]
    asked = [each for each in texts if each.kind == "text" and not each.is_classes]
    return (classes[0], []) if len(classes) == 1 and len(asked) == 1 else (None, [])


def _prompt_field(fields: Fields, without: Sequence[str]) -> Field | None:
    named = fields.first(names.PROMPT, ("text", "texts", "turns"), without)
    if named:
        return named
    texts = [each for each in fields.all.values() if each.kind == "text" and each.share >= MOSTLY]
    asked = [each for each in texts if each.name not in without and not each.is_classes and not _is_id(each)]
    return asked[0] if len(asked) == 1 else None


def _is_id(field_: Field) -> bool:
    """Identifiers: short, no spaces, each once."""
    texts = field_.texts
    return bool(texts) and len(set(texts)) == len(texts) and all(len(text) < 40 and " " not in text for text in texts)


def _with_prompt(
    fields: Fields, format_: str, columns: dict[str, str], evidence: str, needed: bool
) -> Recognition | None:
    """The reading with the prompt it needs, in a column or as turns; None where there is none."""
    used = tuple(columns.values())
    turns = fields.first(names.MESSAGES, ("turns",), used)
    text = fields.first(names.PROMPT, ("text", "texts", "turns"), used)
    prompt = fields.all.get(fields.pinned.get("prompt", "")) or (text if text and not turns else turns or text)
    if not needed:
        prompt = None
    elif prompt is None:
        return None
    if prompt:
        columns = {"prompt": prompt.name, **columns}
        evidence += f", after {_column(prompt)}"
    extras = (
        _extras(fields, tuple(columns.values())) if prompt else _extras(fields, tuple(columns.values()), ("group",))
    )
    return Recognition(format=format_, columns={**columns, **extras}, evidence=evidence)


def _extras(
    fields: Fields, used: Sequence[str], roles: Sequence[str] = ("system", "tools", "history", "group")
) -> dict[str, str]:
    """System text, tools, earlier turns, and the column by which rows belong together."""
    found = {
        "system": fields.first(names.SYSTEM, ("text",), used),
        "tools": fields.first(names.TOOLS, ("text", "objects", "texts"), used),
        "history": fields.first(names.HISTORY, ("texts",), used),
        "group": next((each for each in fields.find(names.GROUP, ("text", "number"), used) if _repeats(each)), None),
    }
    return {role: each.name for role, each in found.items() if each and role in roles}


def _repeats(field_: Field) -> bool:
    distinct = len(set(field_.texts))
    return field_.share >= MOSTLY and 1 < distinct < len(field_.values)


def prompts(fields: Fields) -> Recognition | None:
    """Questions without a demonstration; with tests or a result where one stands beside them."""
    turns = fields.first(names.MESSAGES, ("turns",))
    prompt = turns or _prompt_field(fields, ())
    if prompt is None:
        return None
    columns = {"messages" if turns else "prompt": prompt.name}
    tests = fields.first(names.TESTS, ("text", "texts", "objects", "object"), (prompt.name,))
    answer = fields.first(names.ANSWER, ("text", "number", "texts", "bool"), (prompt.name,))
    if tests:
        columns["tests"] = tests.name
    elif answer:
        columns["answer"] = answer.name
    columns |= _extras(fields, tuple(columns.values()), ("system", "group"))
    by = tests or answer
    evidence = f"{_column(prompt)} asks" + (f", {_column(by)} checks" if by else "")
    return Recognition(format="prompts-with-tests" if by else "prompts", columns=columns, evidence=evidence)


def text(fields: Fields) -> Recognition | None:
    """Raw text in one column."""
    found = fields.first(names.TEXT, ("text", "texts"))
    texts = [each for each in fields.all.values() if each.kind == "text" and each.share >= MOSTLY and not _is_id(each)]
    found = found or (texts[0] if len(texts) == 1 else None)
    if found is None:
        return None
    columns = {"text": found.name, **_extras(fields, (found.name,), ("group",))}
    return Recognition(format="text", columns=columns, evidence=f"text in {_column(found)}")


PREFERENCES: tuple[Recogniser, ...] = (pairs, ranked, binary)
DEMONSTRATIONS: tuple[Recogniser, ...] = (chat, supervised)
BY_ROLE: Mapping[str, tuple[Recogniser, ...]] = {
    "demonstrations": (*PREFERENCES, *DEMONSTRATIONS),
    "evaluation": (*PREFERENCES, *DEMONSTRATIONS, prompts, text),
    "feedback": (*PREFERENCES, prompts),
    "prompts": (prompts,),
    "corpus": (text,),
}
BY_FORMAT: Mapping[str, Recogniser] = {
    "preference-pairs": pairs,
    "ranked": ranked,
    "binary-feedback": binary,
    "chat": chat,
    "prompt-completion": supervised,
    "instruction": supervised,
    "qa": supervised,
    "question-final-answer": supervised,
    "text-label": supervised,
    "prompts": prompts,
    "prompts-with-tests": prompts,
    "text": text,
    "raw-documents": text,
}


def line(columns: Mapping[str, str]) -> str:
    """The line to write, `columns: {prompt: question, completion: answer}`."""
    return "columns: {" + ", ".join(f"{role}: {_quoted(name)}" for role, name in columns.items()) + "}"


def _quoted(name: str) -> str:
    plain = re.fullmatch(r"[A-Za-z_][\w.\[\]-]*", name) and name.lower() not in _YAML_WORDS and "[" not in name[:1]
    return name if plain and "[]" not in name else json.dumps(name, ensure_ascii=False)


_YAML_WORDS = frozenset(("yes", "no", "on", "off", "true", "false", "null", "y", "n"))
