"""Changes to a spec that a person wrote: their comments, their order and their line ends stay.

A value is replaced where it stands, a new key gets a line of its own; what is neither goes through ruamel.yaml.
"""

from __future__ import annotations

from collections.abc import Mapping

from ftc.spec.diagnostics import Diagnostic, Refused
from ftc.spec.language import Json, KeyPlace, read
from ftc.spec.yaml_text import one_line, with_comment, yaml_text
from ftc.spec.yaml_tree import LINE_BREAK, Node, Unreadable, read_tree


def edit(text: str, changes: Mapping[str, Json]) -> str:
    """The YAML text with each dotted key set to its value, or removed where the value is None; comments stay.

    A single value is replaced where it stands and nothing else in the file moves. Raises Refused where the text has
    no tree that could be changed.
    """
    for key, value in changes.items():
        text = _edited(text, key, value)
    return text


def _edited(text: str, key: str, value: Json) -> str:
    bare = text.removeprefix("\ufeff")
    mark = text[: len(text) - len(bare)]
    root = _tree(bare)
    places = read(root).places if root is not None else {}
    at = places.get(key)
    if value is not None and at is not None and _stands_alone(at, places, bare):
        return mark + _replaced(bare, at, yaml_text(value))
    if value is not None and at is None and (inserted := _inserted(bare, root, key, value)) is not None:
        return mark + inserted
    if value is None and (at is None or (shorter := _without_line(bare, at)) is not None):
        return text if at is None else mark + (shorter or "")
    return mark + _rewritten(bare, key, value)


def _tree(text: str) -> Node | None:
    """The tree to change, None where there is none yet. Raises Refused where it cannot be changed."""
    try:
        root = read_tree(text)
    except Unreadable as unreadable:
        raise Refused([unreadable.diagnostic]) from None
    if root is None:
        return None
    if root.kind != "mapping":
        raise Refused([Diagnostic(code="S108", message="a spec is a mapping of keys to values", line=1, column=1)])
    ambiguous = [each for each in read(root).diagnostics if each.code in ("S109", "S119")]
    if ambiguous:
        raise Refused(ambiguous)
    return root


def _stands_alone(at: KeyPlace, places: Mapping[str, KeyPlace], text: str) -> bool:
    """True for a value on one line that no anchor shares."""
    if not at.leaf or not at.value.whole or sum(each.value == at.value for each in places.values()) > 1:
        return False
    line = LINE_BREAK.split(text)[at.value.line - 1]
    return line[at.value.column - 1 : at.value.column] not in ("&", "!", "*")


def _replaced(text: str, at: KeyPlace, written: str) -> str:
    start = _start(text, at.value.line) + at.value.column - 1
    return text[:start] + written + text[start + at.value.length :]


def _start(text: str, line: int) -> int:
    """Where a line starts in the text; lines count from 1."""
    breaks = LINE_BREAK.finditer(text)
    start = 0
    for _ in range(line - 1):
        start = next(breaks).end()
    return start


def _without_line(text: str, at: KeyPlace) -> str | None:
    """The text without the line on which a key and its single value stand; None where they share lines with others."""
    start = _start(text, at.key.line)
    if not at.leaf or not at.value.whole or at.value.line != at.key.line:
        return None
    end = LINE_BREAK.search(text, start)
    anchored = "&" in text[start : end.start() if end else len(text)]  # others refer to it
    if text[start : start + at.key.column - 1].strip(" ") or anchored:
        return None
    return text[:start] + (text[end.end() :] if end else "")


def _inserted(text: str, root: Node | None, key: str, value: Json) -> str | None:
    """A new line `key: value`: in place of the same line as a comment, or after the last line of its mapping.

    None where its mapping is written in brackets or has no place of its own.
    """
    if root is None or root.kind != "mapping" or root.flow or not root.entries:
        return None
    holder, name, first, last, margin = root, key, 1, len(LINE_BREAK.split(text)), root.entries[0][0].place.column - 1
    section, _, rest = key.partition(".")
    entry = next((each for each in root.entries if each[0].text == section), None)
    if rest and entry is None:
        name, value = section, _nested(rest, value, section)
    elif rest and entry is not None:
        holder, name, first = entry[1], rest, entry[0].place.line + 1
        following = [each.place.line for each, _ in root.entries if each.place.line >= first]
        last = min(following, default=last + 1) - 1
        if holder.kind == "mapping" and not holder.flow and holder.entries:
            margin = holder.entries[0][0].place.column - 1
        elif holder.kind == "scalar" and holder.plain and not holder.text:
            margin += 2
        else:
            return None
    if "[" in name:
        return None
    if "." in name and section != "overrides":
        name, _, deeper = name.partition(".")
        if any(each.text == name for each, _ in holder.entries):
            return None
        value = _nested(deeper, value, name)
    after = holder.last_line if holder.kind == "mapping" else first - 1
    return _with_line(text, f"{' ' * margin}{name}: {yaml_text(value)}", after, (first, last))


def _nested(rest: str, value: Json, section: str) -> Json:
    """The value of a section that is not there yet."""
    if section == "overrides" or "." not in rest:
        return {rest: value}
    head, _, tail = rest.partition(".")
    return {head: _nested(tail, value, head)}


def _with_line(text: str, written: str, after: int, within: tuple[int, int]) -> str:
    """The text with a line after line `after`, or in place of a comment that holds the same key between two lines."""
    breaks = [(found.start(), found.end()) for found in LINE_BREAK.finditer(text)]
    starts = [0, *(end for _, end in breaks)]
    ends = [*(start for start, _ in breaks), len(text)]
    margin = written[: len(written) - len(written.lstrip())]
    commented = f"{margin}# {written.lstrip().partition(':')[0]}: "
    for index in range(within[0] - 1, min(within[1], len(starts))):
        line = text[starts[index] : ends[index]]
        if line.startswith(commented):
            _, found, remark = line[len(commented) :].partition("  # ")
            new = with_comment(written, remark.strip() if found else "")
            return text[: starts[index]] + new + text[ends[index] :]
    newline = "\r\n" if "\r\n" in text else "\n"
    if after >= len(starts) or ends[after - 1] == len(text):
        return text + newline + written + newline
    return text[: starts[after]] + written + newline + text[starts[after] :]


def _rewritten(text: str, key: str, value: Json) -> str:
    """The same through ruamel.yaml, for what is not the replacement of a single value."""
    import io

    from ruamel.yaml import YAML  # 32 ms
    from ruamel.yaml.comments import CommentedMap
    from ruamel.yaml.error import YAMLError
    from ruamel.yaml.resolver import VersionedResolver

    class AsWritten(VersionedResolver):
        """Takes every value as the text it is: `1e-06`, `~` and `007` come out as they went in."""

        @property
        def versioned_resolver(self) -> dict[str, object]:
            return {}

    yaml = YAML()
    yaml.Resolver = AsWritten
    yaml.preserve_quotes = True
    yaml.width = 1_000_000  # lines are as long as their writer made them
    indented = any(line.startswith("  - ") for line in text.splitlines())
    yaml.indent(mapping=2, sequence=4 if indented else 2, offset=2 if indented else 0)
    try:
        root = yaml.load(text.replace("\r\n", "\n"))
    except (YAMLError, ValueError) as error:
        message = f"cannot be changed by a program: {one_line(str(error))}"
        raise Refused([Diagnostic(code="S105", message=message)]) from None
    root = CommentedMap() if root is None else root
    _set(root, key, value)
    out = io.StringIO()
    yaml.dump(root, out)
    written = out.getvalue()
    return written.replace("\n", "\r\n") if "\r\n" in text else written


def _set(root: Json, key: str, value: Json) -> None:
    """Walk down to `key`, making mappings on the way, and set or remove it."""
    at, rest, parent = root, key, ""
    while True:
        name, rest = _next(at, rest, parent)
        if not rest:
            break
        inner = at[name] if isinstance(name, int) else at.get(name)
        if not isinstance(inner, dict | list):
            if value is None:
                return
            inner = at[name] = _flow({})
        at, parent = inner, f"{parent}.{name}" if parent else str(name)
    if value is not None:
        at[name] = _flow(value)
    elif isinstance(name, int) or name in at:
        del at[name]


def _next(at: Json, rest: str, parent: str) -> tuple[str | int, str]:
    """The first step of a dotted key, and what is left of it. Settings have dots in their names."""
    if isinstance(at, dict) and (rest in at or (parent == "overrides" and rest.partition(".")[0] not in at)):
        return rest, ""
    head, _, tail = rest.partition(".")
    name, bracket, index = head.partition("[")
    if bracket and name:
        return name, f"[{index}" + (f".{tail}" if tail else "")
    if bracket:
        return int(index.rstrip("]")), tail
    return head, tail


def _flow(value: Json) -> Json:
    """Mappings and lists on one line, texts in quotes where a reader of YAML 1.1 would take them for something else."""
    from ruamel.yaml.comments import CommentedMap, CommentedSeq
    from ruamel.yaml.scalarstring import DoubleQuotedScalarString

    if isinstance(value, Mapping):
        mapping = CommentedMap({str(name): _flow(each) for name, each in value.items()})
        mapping.fa.set_flow_style()
        return mapping
    if isinstance(value, list | tuple):
        sequence = CommentedSeq([_flow(each) for each in value])
        sequence.fa.set_flow_style()
        return sequence
    written = yaml_text(value)
    return DoubleQuotedScalarString(value) if isinstance(value, str) and written != value else written
