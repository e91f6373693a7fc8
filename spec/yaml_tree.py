"""YAML text to a tree in which every node knows its place. Knows YAML, and nothing of what a spec says.

Values are left as text: what `no`, `1e-4` or `2026-01-01` means is decided by the language (`language.py`), not by
YAML's own guesses. Built from the parser's events, so that a file that nests, repeats or expands without bound is
refused after a few thousand events instead of being built.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from ftc.spec.diagnostics import Diagnostic

if TYPE_CHECKING:
    from yaml.events import AliasEvent, Event

DEEPEST = 30  # levels; the language itself needs six
MOST_NODES = 20_000  # after aliases are expanded; a large spec has a few hundred
LINE_BREAK = re.compile("\r\n|[\r\n\x85\u2028\u2029]")  # what the YAML parser counts as one
CORE_TAGS = {f"tag:yaml.org,2002:{name}" for name in ("str", "int", "float", "bool", "null", "map", "seq")}


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where something stands; line and column count from 1. `length` is 1 where it goes on in the next line."""

    line: int
    column: int
    length: int
    whole: bool = True  # it ends on the line on which it starts


@dataclass(slots=True, kw_only=True)
class Node:
    """A scalar (`text`), a mapping (`entries`: key, value) or a sequence (`items`).

    `size` counts the values in it and `height` its levels, both with aliases expanded.
    """

    kind: Literal["scalar", "mapping", "sequence"]
    place: Place
    text: str = ""
    plain: bool = False  # written without quotes, so that it may be a number, a boolean or null
    entries: list[tuple[Node, Node]] = field(default_factory=list)
    items: list[Node] = field(default_factory=list)
    flow: bool = False  # written in brackets
    last_line: int = 1  # on which its own text ends; comments after it do not count
    size: int = 1
    height: int = 1

    def take(self, *inner: Node) -> None:
        """Count `inner` in."""
        self.size += sum(each.size for each in inner)
        if not self.flow:
            self.last_line = max(self.last_line, *(each.last_line for each in inner))
        self.height = max(self.height, 1 + max(each.height for each in inner))


class Unreadable(Exception):
    """The text is not YAML that this module takes; carries the one diagnostic."""

    def __init__(self, diagnostic: Diagnostic) -> None:
        self.diagnostic = diagnostic
        super().__init__(diagnostic.message)


def read_tree(text: str) -> Node | None:
    """The document in `text`, None where it holds nothing. Raises Unreadable."""
    import yaml  # 25 ms

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # libyaml is part of PyYAML's wheels, not of every build
    try:
        return _document(iter(yaml.parse(text, Loader=loader)))
    except yaml.MarkedYAMLError as error:
        raise Unreadable(_syntax(error, LINE_BREAK.split(text))) from None
    except yaml.YAMLError as error:
        raise Unreadable(Diagnostic(code="S105", message=f"not YAML: {_one_line(str(error))}")) from None


def _document(events: Iterator[Event]) -> Node | None:
    from yaml import events as kinds

    root: Node | None = None
    documents = 0
    builder = _Builder(events=events)
    for event in events:
        if isinstance(event, kinds.DocumentStartEvent):
            documents += 1
            if documents > 1:
                message = "a second document starts here; a spec is one document"
                raise Unreadable(
                    _at(event, "S108", message, "remove the line `---` and what follows it, or split the file")
                )
        elif not isinstance(event, kinds.StreamStartEvent | kinds.StreamEndEvent | kinds.DocumentEndEvent):
            root = builder.node(event, 1)
    return root


@dataclass(slots=True, kw_only=True)
class _Builder:
    events: Iterator[Event]
    anchors: dict[str, Node] = field(default_factory=dict)
    open_anchors: set[str] = field(default_factory=set)
    seen: int = 0

    def node(self, event: Event, depth: int) -> Node:
        """The node that starts with `event`, with everything under it."""
        from yaml import events as kinds

        if isinstance(event, kinds.AliasEvent):
            return self._alias(event)
        self.seen += 1
        if depth > DEEPEST:
            raise Unreadable(_at(event, "S107", f"nested more than {DEEPEST} levels deep", "write it flatter"))
        if self.seen > MOST_NODES:
            raise Unreadable(_at(event, "S107", f"more than {MOST_NODES:,} values", "data belongs into a data file"))
        if not isinstance(event, kinds.ScalarEvent | kinds.MappingStartEvent | kinds.SequenceStartEvent):
            raise Unreadable(_at(event, "S105", "not YAML that can be read here", ""))
        if event.tag is not None and event.tag not in {"!", *CORE_TAGS}:
            message = f'the tag "{_short(event.tag)}" asks for more than plain values, and a spec holds only those'
            raise Unreadable(_at(event, "S106", message, "remove the tag"))
        if event.anchor:
            self.open_anchors.add(event.anchor)
        node = self._content(event, depth)
        if event.anchor:
            self.open_anchors.discard(event.anchor)
            self.anchors[event.anchor] = node
        if node.height > DEEPEST:
            raise Unreadable(
                _at(event, "S107", f"its aliases nest more than {DEEPEST} levels deep", "write it flatter")
            )
        if node.size > MOST_NODES:
            message = f"its aliases expand to more than {MOST_NODES:,} values"
            raise Unreadable(_at(event, "S107", message, "write the values out instead of repeating them by alias"))
        return node

    def _content(self, event: Event, depth: int) -> Node:
        from yaml import events as kinds

        if isinstance(event, kinds.ScalarEvent):
            plain = event.implicit[0] and not event.style
            if event.tag is not None and event.tag.endswith(":str"):
                plain = False
            return Node(kind="scalar", place=_place(event), text=event.value, plain=plain, last_line=_last_line(event))
        if isinstance(event, kinds.SequenceStartEvent):
            node = Node(kind="sequence", place=_place(event), flow=bool(event.flow_style))
            while not isinstance(inner := next(self.events), kinds.SequenceEndEvent):
                node.items.append(self.node(inner, depth + 1))
                node.take(node.items[-1])
            node.last_line = max(node.last_line, _last_line(inner) if node.flow else 1)
            return node
        node = Node(kind="mapping", place=_place(event), flow=bool(getattr(event, "flow_style", False)))
        while not isinstance(inner := next(self.events), kinds.MappingEndEvent):
            key = self.node(inner, depth + 1)
            value = self.node(next(self.events), depth + 1)
            node.entries.append((key, value))
            node.take(key, value)
        node.last_line = max(node.last_line, _last_line(inner) if node.flow else 1)
        return node

    def _alias(self, event: AliasEvent) -> Node:
        name = event.anchor or ""
        if name in self.open_anchors:
            raise Unreadable(
                _at(event, "S107", f'"*{name}" stands inside "&{name}" and would never end', "remove the alias")
            )
        if name not in self.anchors:
            message = f'"*{_short(name)}" refers to an anchor "&{_short(name)}" that is not defined above'
            raise Unreadable(_at(event, "S105", message, f'a text that starts with * needs quotes: "*{_short(name)}"'))
        return self.anchors[name]


def _place(event: Event) -> Place:
    start, end = event.start_mark, event.end_mark
    if start is None or end is None:  # the parser always sets both
        return Place(line=1, column=1, length=1)
    length = end.column - start.column if start.line == end.line else 1
    return Place(line=start.line + 1, column=start.column + 1, length=max(length, 1), whole=start.line == end.line)


def _last_line(event: Event) -> int:
    end = event.end_mark
    return 1 if end is None else max(end.line + (1 if end.column else 0), _place(event).line)


def _at(event: Event, code: str, message: str, fix: str) -> Diagnostic:
    place = _place(event)
    return Diagnostic(code=code, message=message, fix=fix, line=place.line, column=place.column, length=place.length)


def _syntax(error: object, lines: list[str]) -> Diagnostic:
    """The parser's complaint in a person's words."""
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    problem = str(getattr(error, "problem", "") or "")
    line, column = (mark.line, mark.column) if mark else (0, 0)
    opened = getattr(error, "context_mark", None)
    text = lines[line] if line < len(lines) else ""
    message, fix = _words(problem, text, column)
    unclosed = problem.startswith("did not find expected ','") or problem == "found unexpected end of stream"
    if unclosed and opened is not None and opened.line < len(lines):
        line, column = opened.line, opened.column
        message = f"what opens here with {lines[line][column : column + 1]} is not closed"
        fix = "add the closing bracket or quote"
    if line >= len(lines) or (line == len(lines) - 1 and not lines[line]):  # past the end: its last words are shown
        line = max((index for index, each in enumerate(lines) if each.strip()), default=0)
        column = max(len(lines[line].rstrip()) - 1, 0)
    return Diagnostic(code="S105", message=message, fix=fix, line=line + 1, column=column + 1, length=1)


def _words(problem: str, text: str, column: int) -> tuple[str, str]:
    at = text[column : column + 1]
    if "\t" in text[: column + 1] and not text[:column].strip(" \t"):
        return "a tab indents this line; YAML takes spaces only", "replace each tab by two spaces"
    if problem.startswith("found character that cannot start any token"):
        return (
            f"a value cannot start with {at or 'this character'}",
            f'put it into quotes: "{_short(text[column:].strip())}"',
        )
    if problem.startswith("mapping values are not allowed"):
        return (
            "a colon followed by a blank where no key can stand: the line is indented too far, the line above lacks "
            "its colon, or a text with a colon lacks its quotes",
            'indent by two spaces a level, write "key: value", and quote texts that hold ": "',
        )
    if problem.startswith("could not find expected ':'"):
        return "a key without a colon", "write `key: value`"
    if problem.startswith(("did not find expected key", "did not find expected '-' indicator")):
        return (
            "this line does not fit the indentation of the lines above",
            "indent keys of one mapping by the same blanks",
        )
    if problem.startswith("did not find expected node content"):
        if not text.strip():
            return "the file ends where a value should stand: a bracket is not closed", "add the closing bracket"
        return "no value can start here: a bracket is not closed, or closed twice", "close each { and [ once"
    if problem.startswith("found unknown escape character"):
        return (
            "a backslash inside double quotes starts an escape, and this one is unknown",
            "use single quotes: 'C:\\data'",
        )
    return f"not YAML: {_one_line(problem) or 'cannot be read'}", ""


def _one_line(text: str) -> str:
    return _short(" ".join(text.split()), 120)


def _short(text: str, most: int = 60) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"
