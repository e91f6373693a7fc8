"""What the schema finds wrong, in a person's words. Never lets a validator's own text through.

One complaint for each thing that is wrong: where a value may take several shapes, only the shape that it was meant to
have is spoken about.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import islice
from typing import TYPE_CHECKING, Any

from ftc.spec.acceptance import accepted
from ftc.spec.diagnostics import Diagnostic
from ftc.spec.language import Json, all_keys, is_kind, resolve, shapes, spec_schema, types, words
from ftc.spec.suggest import closest
from ftc.spec.synonyms import ANOTHER_KEY, ELSEWHERE, SYNONYMS
from ftc.spec.yaml_text import slug, yaml_text

if TYPE_CHECKING:
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import ValidationError

MOST_COMPLAINTS = 200  # about one file; a person reads the first few, corrects and checks again
COUNTING = {"thousand": "k", "million": "M", "billion": "b", "mio": "M", "bn": "b", "b ": "b", "m ": "M", "k ": "k"}
MOST_WORDS = 16  # of a closed list that a message spells out


@cache
def _validator() -> Draft202012Validator:
    from jsonschema import Draft202012Validator  # 99 ms

    schema: dict[str, Json] = _with_enums(spec_schema())
    return Draft202012Validator(schema)


def _with_enums(schema: Json) -> Json:
    """The schema with `oneOf` lists of described words as `enum`: the same language, and 30 times as fast to check."""
    if isinstance(schema, list):
        return [_with_enums(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    plain = {key: _with_enums(each) for key, each in schema.items() if key != "oneOf"}
    return {**plain, "enum": [each["const"] for each in schema["oneOf"]]} if "oneOf" in schema else plain


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """A validator's finding: `value` at `key` breaks `rule` of `schema`, whose limit is `limit`."""

    key: str
    value: Json
    rule: str
    limit: Json
    schema: Mapping[str, Json]
    inner: tuple[tuple[int, Problem], ...] = ()  # of the alternatives of `anyOf`, by index

    @classmethod
    def of(cls, error: ValidationError) -> Problem:
        """The same, in our words."""
        schema = error.schema
        return cls(
            key=dotted(error.absolute_path),
            value=error.instance,
            rule=str(error.validator),
            limit=error.validator_value,
            schema=schema if isinstance(schema, Mapping) else {},
            inner=tuple((int(each.schema_path[0]), cls.of(each)) for each in error.context or ()),
        )


def complain(value: Json) -> list[Diagnostic]:
    """Everything that the schema finds wrong with `value`, with keys and without places."""
    if accepted(value):
        return []
    errors = islice(_validator().iter_errors(value), MOST_COMPLAINTS)
    every = [each for error in errors for each in _complaints(Problem.of(error))][:MOST_COMPLAINTS]
    return list(dict.fromkeys(every))


def _complaints(problem: Problem) -> Iterator[Diagnostic]:
    if problem.rule == "anyOf":
        yield from _of_the_meant_shape(problem)
        return
    key = problem.key
    if problem.rule == "additionalProperties":
        yield from _unknown_keys(problem, key)
    elif problem.rule == "required":
        yield from _missing(problem, key)
    elif problem.rule in ("enum", "const"):
        yield _not_a_word(problem, key)
    elif problem.rule == "type":
        yield _wrong_kind(problem, key)
    elif problem.rule == "pattern":
        yield _malformed(problem, key)
    else:
        yield _out_of_range(problem, key)


def _of_the_meant_shape(problem: Problem) -> Iterator[Diagnostic]:
    """The complaints of the alternative that takes values of this kind; of the whole where none does."""
    for index, shape in enumerate(shapes({"anyOf": problem.limit})):
        taken = types(shape)
        if any(is_kind(problem.value, kind) for kind in taken):
            for of, inner in problem.inner:
                if of == index:
                    yield from _complaints(inner)
            return
    yield _wrong_kind(problem, problem.key)


def _unknown_keys(problem: Problem, key: str) -> Iterator[Diagnostic]:
    known = problem.schema.get("properties", {})
    for name in problem.value:
        if name in known:
            continue
        free = [each for each in known if each not in problem.value]
        twice = closest(name, [each for each in known if each in problem.value])
        where = f'{key}: unknown key "{short(name)}"' if key else f'unknown key "{short(name)}"'
        meant = closest(name, free)
        if meant:
            message, fix = f'{where}; did you mean "{meant[0]}"?', meant[0]
        elif elsewhere := _elsewhere(name, key):
            message, fix = f'{where}; did you mean "{elsewhere}"?', pasteable(elsewhere)
        elif twice:
            message, fix = f'{where}; did you mean "{twice[0]}", which is there already?', ""
        else:
            message, fix = f"{where}; known here: {', '.join(known)}", ""
        yield Diagnostic(code="S103", message=message, fix=fix, key=join(key, name))


def _elsewhere(name: str, key: str) -> str:
    """The full key that is meant, where `name` is a key of another part of the spec or another tool's name."""
    plain = name.casefold().replace("-", "_")
    if plain in ELSEWHERE:
        return ELSEWHERE[plain].removeprefix(f"{key}.")
    fits = [each for each in all_keys() if each.rpartition(".")[2] == plain and each.rpartition(".")[0] != key]
    return fits[0] if len(fits) == 1 else ""


def _missing(problem: Problem, key: str) -> Iterator[Diagnostic]:
    for name in problem.limit:
        if name in problem.value:
            continue
        schema = resolve(problem.schema["properties"][name])
        choice = words(schema)
        what = f"; one of {', '.join(choice)}" if choice else ""
        full = join(key, name)
        example = schema.get("examples", choice[:1] or [{"task": "classification"}])[0]
        yield Diagnostic(code="S116", message=f"{full} is missing{what}", fix=f"{name}: {yaml_text(example)}", key=full)


def _not_a_word(problem: Problem, key: str) -> Diagnostic:
    if problem.rule == "const":
        message = f"{key} is {yaml_text(problem.value)}, and this ftc reads {yaml_text(problem.limit)}"
        return Diagnostic(code="S114", message=message, fix=f"{last(key)}: {yaml_text(problem.limit)}", key=key)
    known = words(problem.schema)
    if not isinstance(problem.value, str):
        return _wrong_kind(problem, key)
    if key == "hardware" and not closest(problem.value, known):
        message = f'hardware takes a mapping, local or none, and this is the text "{short(problem.value)}"'
        return Diagnostic(code="S113", message=message, fix=f"hardware: {{gpu: {yaml_text(problem.value)}}}", key=key)
    meant = meant_word(problem.value, known)
    unknown = f'{key}: "{short(problem.value)}" is none of its words'
    if meant:
        return Diagnostic(code="S114", message=f'{unknown}; did you mean "{meant}"?', fix=meant, key=key)
    if (problem.value, last(key)) in ANOTHER_KEY:
        instead = ANOTHER_KEY[problem.value, last(key)]
        return Diagnostic(code="S114", message=f"{unknown}; it is said as {instead}", fix=instead, key=key)
    if len(known) > MOST_WORDS:
        near = ", ".join(closest(problem.value, known, limit=5, least=0.0))
        listing = f"; nearest: {near}; `ftc schema spec` lists all {len(known)}"
    else:
        listing = f": {', '.join(known)}"
    return Diagnostic(code="S114", message=unknown + listing, key=key)


def meant_word(word: str, known: Collection[str]) -> str:
    """The known word that `word` was meant to be: near in spelling, or what other tools call it."""
    near = closest(word, known)
    synonym = SYNONYMS.get(word.casefold().replace("_", "-"), "")
    if synonym in known:
        return synonym
    return near[0] if near else ""


def _wrong_kind(problem: Problem, key: str) -> Diagnostic:
    wanted = problem.schema
    instance = problem.value
    expected = " or ".join(dict.fromkeys(_expectations(wanted)))
    message = f"{key or 'the spec'} takes {expected}, and this is {_described(instance)}"
    return Diagnostic(code="S113", message=message, fix=_instead(instance, wanted, key), key=key)


def _expectations(schema: Mapping[str, Json]) -> Iterator[str]:
    names = {
        "string": "a text",
        "number": "a number",
        "integer": "a whole number",
        "boolean": "true or false",
        "array": "a list",
        "object": "a mapping",
    }
    for shape in shapes(schema):
        kinds = types(shape)
        choice = words(shape)
        if choice:
            yield f"one of {', '.join(choice)}" if len(choice) > 2 else " or ".join(choice)
            continue
        if kinds & {"number", "integer"}:
            kinds = kinds - {"string"}  # a text is only another way to write the number
        for name, said in names.items():
            if name in kinds:
                yield said


def _described(value: Json) -> str:
    if isinstance(value, Mapping):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    if isinstance(value, str):
        return f'the text "{short(value)}"'
    return yaml_text(value)


def _instead(value: Json, schema: Mapping[str, Json], key: str) -> str:
    """What to paste in place of a value of the wrong kind, where that can be told."""
    kinds = types(schema)
    name = last(key)
    if isinstance(value, str) and "object" in kinds:
        properties: Mapping[str, Json] = next(
            (each["properties"] for each in shapes(schema) if "properties" in each), {}
        )
        if "path" in properties:
            return f"{name}: {{path: {yaml_text(value)}}}"
        first = "" if "array" in kinds else next(iter(properties), "")
        if first:
            return f"{name}: {{{first}: {yaml_text(value)}}}"
    if "array" in kinds and isinstance(value, str | int | float):
        return f"{name}: [{yaml_text(value)}]"
    if kinds & {"number", "integer"} and isinstance(value, str):
        number = _leadingnumber_text(value)
        return f"{name}: {number}" if number else ""
    if kinds & {"integer"} and isinstance(value, float):
        return f"{name}: {round(value)}"
    if isinstance(value, list) and len(value) == 1 and not isinstance(value[0], list | dict):
        return f"{name}: {yaml_text(value[0])}"
    examples = schema.get("examples")
    return f"{name}: {yaml_text(examples[0])}" if examples else ""


def _leadingnumber_text(text: str) -> str:
    """The number in `$50`, `24GB`, `10 %` or `1,000`."""
    import re

    found = re.search(r"\d[\d,_]*(\.\d+)?", text)
    if found is None:
        return ""
    digits = found.group().replace("_", "")
    if re.search(r",\d{3}(?!\d)", digits):
        digits = digits.replace(",", "")
    if "," in digits:
        return ""
    if text.rstrip().endswith("%"):
        return f"{float(digits) / 100:g}"
    after = text[found.end() :].strip().lower()
    return digits + next((suffix for word, suffix in COUNTING.items() if after.startswith(word)), "")


def _malformed(problem: Problem, key: str) -> Diagnostic:
    kinds = types(problem.schema)
    name = last(key)
    shown = f'{key}: "{short(problem.value)}"'
    if kinds & {"number", "integer"}:
        number = _leadingnumber_text(problem.value)
        message = f"{shown} is not a number as it is read here: 8, 0.5, 12k, 1.5M, 8b"
        return Diagnostic(code="S118", message=message, fix=f"{name}: {number}" if number else "", key=key)
    if key == "name":
        message = f"{shown} cannot name a folder; a name holds letters, digits, dot, dash and underscore, at most 64"
        return Diagnostic(code="S118", message=message, fix=f"name: {slug(problem.value)}", key=key)
    example = problem.schema.get("examples", [""])[0]
    message = f"{shown} is not written as it has to be: {example}"
    return Diagnostic(code="S118", message=message, fix=f"{name}: {example}", key=key)


def _out_of_range(problem: Problem, key: str) -> Diagnostic:
    limit = problem.limit
    said = {
        "minimum": f"at least {number_text(limit)}",
        "maximum": f"at most {number_text(limit)}",
        "exclusiveMinimum": f"more than {number_text(limit)}",
        "exclusiveMaximum": f"less than {number_text(limit)}",
        "minLength": "not empty",
        "maxLength": f"at most {number_text(limit)} characters",
        "minItems": "not empty",
        "maxItems": f"at most {number_text(limit)} entries",
    }.get(problem.rule, "otherwise")
    value = problem.value
    is_number = isinstance(value, int | float)
    shown = f", and this is {number_text(value)}" if is_number else ""
    fix = ""
    if is_number and problem.schema.get("maximum", problem.schema.get("exclusiveMaximum")) == 1 and 2 <= value <= 100:
        fix = f"{last(key)}: {value / 100:g}"
    return Diagnostic(code="S115", message=f"{key} has to be {said}{shown}", fix=fix, key=key)


# --- forms of keys and values -------------------------------------------------------------------------------------


def dotted(path: Any) -> str:
    """`data.demonstrations[1].path` from a validator's path."""
    key = ""
    for part in path:
        key = f"{key}[{part}]" if isinstance(part, int) else join(key, str(part))
    return key


def join(key: str, name: str) -> str:
    """A key under a key."""
    return f"{key}.{name}" if key else name


def last(key: str) -> str:
    """The last name in a dotted key."""
    return key.rpartition(".")[2].partition("[")[0]


def short(text: str) -> str:
    """A text as it can stand in a message: one line, at most 60 characters."""
    line = " ".join(text.split())
    return line if len(line) <= 60 else line[:59] + "…"


def pasteable(key: str) -> str:
    """A full key as the mapping to write: `hardware: {gpu: ...}`."""
    first, _, rest = key.partition(".")
    return f"{first}: {{{rest}: ...}}" if rest and first in spec_schema()["properties"] else key


def number_text(value: Json) -> str:
    """A number for a message: `10,000`, `0.8`."""
    if isinstance(value, float) and value == int(value) and abs(value) < 1e15:
        value = int(value)
    return f"{value:,}" if isinstance(value, int) and abs(value) >= 10_000 else f"{value}"
