"""Column paths: where in a record the parts of a row stand, nested records included.

`questions[].answer` goes into each element of a list; paths that share a list are read element by element, side by
side; what stands above the list, or in another one, is repeated for every row. Several paths joined by ` + ` give one
text. A record of a table is the flat case.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from ftc.spec.data.records import Json

# Which role decides how many rows a nested record has: what is to be learned comes before what it is learned from.
_DECIDING = (
    "completion", "label", "chosen", "rejected", "answers", "good", "answer", "tests", "messages", "text", "prompt",
)  # fmt: skip
PARAGRAPHS = "\n\n"

Values = Mapping[str, Json]  # role -> what stands there
Extractor = Callable[[Json], Iterator[Values]]

Keys = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ColumnPath:
    """`a.b[].c` as keys; `lists` are the lengths of the key prefixes at which a list is entered."""

    keys: Keys
    lists: tuple[int, ...]

    @property
    def list_prefixes(self) -> tuple[Keys, ...]:
        """The lists on the way, outermost first."""
        return tuple(self.keys[:length] for length in self.lists)


def parse(path: str, names: frozenset[str]) -> tuple[ColumnPath, ...]:
    """The paths joined in `path`. A name that is a column as it stands is taken as it stands, dots and all."""
    if path in names:
        return (ColumnPath((path,), ()),)
    return tuple(_parse_one(each.strip(), names) for each in path.split(" + "))


def _parse_one(path: str, names: frozenset[str]) -> ColumnPath:
    if path in names:
        return ColumnPath((path,), ())
    keys: list[str] = []
    lists: list[int] = []
    for part in path.split("."):
        keys.append(part.removesuffix("[]"))
        if part.endswith("[]"):
            lists.append(len(keys))
    return ColumnPath(tuple(keys), tuple(lists))


def extractor(columns: Mapping[str, str], names: frozenset[str]) -> Extractor:
    """A function from a record to its rows, each as role -> value."""
    paths = {role: parse(path, names) for role, path in columns.items()}
    if all(len(each) == 1 and len(each[0].keys) == 1 and not each[0].lists for each in paths.values()):
        flat = {role: each[0].keys[0] for role, each in paths.items()}
        return lambda record: iter(({role: record.get(name) for role, name in flat.items()},))
    axis = _axis(paths)
    return lambda record: _rows(record, paths, axis)


def _axis(paths: Mapping[str, tuple[ColumnPath, ...]]) -> tuple[Keys, ...]:
    """The lists whose elements are rows, outermost first."""
    deciding = next((role for role in _DECIDING if role in paths), None)
    if deciding is None:
        return ()
    lists = paths[deciding][0].list_prefixes
    prompt = [each for path in paths.get("prompt", ()) for each in path.list_prefixes]
    shared = tuple(each for each in lists if each in prompt)
    return shared or lists


def _rows(record: Json, paths: Mapping[str, tuple[ColumnPath, ...]], axis: tuple[Keys, ...]) -> Iterator[Values]:
    for place in _elements({(): record}, axis):
        yield {role: _joined([_at(place, path) for path in each]) for role, each in paths.items()}


def _elements(place: Mapping[Keys, Json], axis: tuple[Keys, ...]) -> Iterator[Mapping[Keys, Json]]:
    """Each way to stand in an element of every list of the axis: list -> its element there."""
    if not axis:
        yield place
        return
    deepest = max((each for each in place if axis[0][: len(each)] == each), key=len)
    inside = _follow(place[deepest], axis[0][len(deepest) :])
    for element in inside if isinstance(inside, list) else ():
        yield from _elements({**place, axis[0]: element}, axis[1:])


def _at(place: Mapping[Keys, Json], path: ColumnPath) -> Json:
    """What `path` leads to from the deepest element that lies on it; lists further down are gathered."""
    start = max((each for each in place if path.keys[: len(each)] == each), key=len)
    return _gather(place[start], path, len(start), len(start) in path.lists)


def _gather(value: Json, path: ColumnPath, depth: int, inside: bool) -> Json:
    if depth in path.lists and not inside:
        found = [_gather(each, path, depth, True) for each in value] if isinstance(value, list) else []
        flat = [leaf for each in found for leaf in (each if isinstance(each, list) else [each]) if leaf is not None]
        return flat or None
    if depth == len(path.keys):
        return value
    if not isinstance(value, dict):
        return None
    return _gather(value.get(path.keys[depth]), path, depth + 1, False)


def _follow(value: Json, keys: Keys) -> Json:
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def _joined(values: list[Json]) -> Json:
    """One value, or the texts of several as paragraphs."""
    if len(values) == 1:
        return values[0]
    texts = [as_text(value, PARAGRAPHS) for value in values]
    return PARAGRAPHS.join(text for text in texts if text) or None


def as_text(value: Json, between: str) -> str | None:
    """A value as the text that a model reads; None where there is none.

    Lists of texts are joined by `between`, each text once; a table becomes lines of cells; any other structure stays
    JSON.
    """
    if isinstance(value, str):
        return value
    if value is None:
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return f"{value:g}" if isinstance(value, float) and value.is_integer() else str(value)
    if isinstance(value, list) and not any(isinstance(each, list | dict) for each in value):
        texts = [text for each in value if (text := as_text(each, between)) and text.strip()]
        return between.join(dict.fromkeys(texts)) or None
    if isinstance(value, list) and all(isinstance(each, list) for each in value):
        return "\n".join(" | ".join(as_text(cell, " ") or "" for cell in row) for row in value)
    import orjson

    try:
        return orjson.dumps(value, default=str).decode()
    except orjson.JSONEncodeError:
        return str(value)
