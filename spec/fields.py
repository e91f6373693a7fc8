"""The columns of a sample of records: what kind of values each has, how often it is there, and finding one by name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ftc.spec import recognise_names as names
from ftc.spec.columns import as_text
from ftc.spec.data.records import Json
from ftc.spec.turns import is_turn, is_turns

LONGEST_LABEL = 80  # characters; labels people use are names, not sentences
MOSTLY = 0.9  # share of records that have to look alike for a field to be called something


@dataclass(frozen=True, slots=True)
class Field:
    """A column of the sample. `kind` is what most of its values are."""

    name: str
    kind: str  # text texts turns turn objects object bool number empty
    values: tuple[Json, ...]  # those that are there
    share: float  # of the records that have it

    @property
    def texts(self) -> list[str]:
        """The values as a label would be written."""
        return [text.strip() for value in self.values if (text := as_text(value, "; ")) and text.strip()]

    @property
    def elements(self) -> list[Json]:
        """What stands in the lists among the values."""
        return [each for value in self.values if isinstance(value, list) for each in value]

    @property
    def is_text(self) -> bool:
        """True where it can be put into a prompt or learned as an answer."""
        return self.kind in ("text", "texts", "number", "bool", "object")

    @property
    def is_classes(self) -> bool:
        """True for few, short values that come again."""
        texts = self.texts
        distinct = set(texts)
        if not texts or any(len(text) > LONGEST_LABEL or "\n" in text for text in distinct):
            return False
        return len(distinct) <= max(2, len(texts) // 2) and len(distinct) < len(texts)


@dataclass(frozen=True, slots=True)
class Fields:
    """The columns of the sample, in the order in which they first appear; pinned ones are those the user named."""

    all: Mapping[str, Field]
    pinned: Mapping[str, str] = field(default_factory=dict)

    def find(self, wanted: Sequence[str], kinds: Sequence[str], without: Sequence[str] = ()) -> list[Field]:
        """Fields of those kinds with one of those names, the likelier name first."""
        plain = {names.plain(name): each for name, each in reversed(list(self.all.items()))}
        found = [plain[name] for name in wanted if name in plain]
        return [each for each in found if each.kind in kinds and each.share > 0.2 and each.name not in without]

    def first(self, wanted: Sequence[str], kinds: Sequence[str], without: Sequence[str] = ()) -> Field | None:
        """The likeliest of those."""
        return next(iter(self.find(wanted, kinds, without)), None)


TEXTLIKE = ("text", "texts", "number", "bool", "object")


def fields_of(sample: Sequence[Json]) -> dict[str, Field]:
    """The columns of the records that are objects."""
    found: dict[str, list[Json]] = {}
    for record in sample:
        if isinstance(record, dict):
            for name, value in record.items():
                found.setdefault(name, []).append(value)
    out = {}
    for name, values in found.items():
        there = tuple(each for each in values if each is not None and each != "" and each != [])
        out[name] = Field(name, _kind(there), there, len(there) / len(sample))
    return out


def _kind(values: Sequence[Json]) -> str:
    if not values:
        return "empty"
    kinds = [_kind_of(each) for each in values[:200]]
    most = max(set(kinds), key=lambda each: (kinds.count(each), each))
    if most in ("text", "number", "bool") or kinds.count(most) >= MOSTLY * len(kinds):
        return most
    return "text" if set(kinds) <= {"text", "number", "bool", "texts"} else most


def _kind_of(value: Json) -> str:
    match value:
        case str():
            return "turns" if value[:2] in ("[{", "[\n") and _holds_turns(value) else "text"
        case bool():
            return "bool"
        case int() | float():
            return "number"
        case dict():
            return "turn" if is_turn(value) else "object"
        case list() if is_turns(value):
            return "turns"
        case list() if all(isinstance(each, str | int | float) for each in value):
            return "texts"
        case list() if any(isinstance(each, dict) for each in value):
            return "objects"
        case list():
            return "texts"
    return "object"


def _holds_turns(text: str) -> bool:
    import orjson

    try:
        return is_turns(orjson.loads(text))
    except orjson.JSONDecodeError:
        return False
