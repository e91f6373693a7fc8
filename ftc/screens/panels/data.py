"""What the data is: rows, lengths as a histogram, classes as bars, and what was found about it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from textual.content import Content

from ftc.screens.figures import BAD, DIM, STRONG, WARN, Parts, cut, histogram, share
from ftc.screens.panels.item import Item, heading, lines, signed
from ftc.spec.diagnostics import Diagnostic, Severity
from ftc.spec.profile import DataProfile, Lengths, SetProfile
from ftc.views.numbers import count

CLASSES = 5
HEIGHT = 3  # lines of a histogram


def items(profile: DataProfile, diagnostics: Iterable[Diagnostic], width: int) -> list[Item]:
    """A block a role, then the split, then the findings."""
    found: list[Item] = []
    feedback = profile.feedback.set if profile.feedback else None
    sets = (profile.demonstrations, feedback, profile.corpus, profile.prompts, profile.evaluation)
    for each in sets:
        if each is not None:
            found += _block(each, width, first=not found)
    if not found:
        return [Item(id="heading:nothing", content=lines([("no data in the spec", DIM)]), heading=True)]
    if profile.held_out_rows:
        split: Parts = [("train ", DIM), (count(profile.train_rows), STRONG), ("  held out ", DIM)]
        split.append((count(profile.held_out_rows), STRONG))
        found.append(Item(id="data:split", content=lines(split)))
    if profile.overlap:
        text = f"! {count(profile.overlap)} held-out rows also in training"
        found.append(Item(id="data:overlap", content=lines([(cut(text, width), WARN)])))
    for kind, rows in profile.personal_data.items():
        found.append(
            Item(id=f"data:personal:{kind}", content=lines([("! ", WARN), (f"{kind} in {count(rows)} rows", "")]))
        )
    found += _findings(diagnostics, width, first=False)
    return found


def _block(each: SetProfile, width: int, *, first: bool) -> Iterator[Item]:
    yield heading(each.role.capitalize(), "described" if each.described else each.format, first=first)
    head: Parts = [(count(each.rows), STRONG), (" rows", DIM)]
    if each.rows_reported:
        head.append((f"  {count(each.rows_reported)} not usable", WARN))
    if each.exact_duplicates or each.near_duplicates:
        head.append((f"  {count(each.exact_duplicates + each.near_duplicates)} duplicates", WARN))
    body = [head]
    for name, lengths in (("prompt", each.prompt), ("answer", each.completion)):
        if lengths:
            body.append([(f"{name:<7}", DIM), *_lengths(lengths, described=each.described)])
    yield Item(id=f"data:{each.role}", content=lines(*body))
    if not each.described and each.histogram and each.sequence:
        yield Item(id=f"data:{each.role}:lengths", content=_histogram(each, each.sequence, width))
    if each.classes:
        yield Item(id=f"data:{each.role}:classes", content=_classes(each.classes, width))


def _lengths(lengths: Lengths, *, described: bool) -> Parts:
    if described:
        return [(f"{lengths.mean:,.0f}", STRONG), (" tokens on average", DIM)]
    return [
        ("p50 ", DIM),
        (f"{lengths.p50:,}", STRONG),
        ("  p99 ", DIM),
        (f"{lengths.p99:,}", STRONG),
        (" tokens", DIM),
    ]


def _histogram(each: SetProfile, sequence: Lengths, width: int) -> Content:
    bars, edge = histogram(each.histogram, width - 2, HEIGHT)
    right = f"{edge:,}"
    left = "1 token"
    note = f"p95 {sequence.p95:,}"
    middle = note.center(max(width - 2 - len(left) - len(right), 0))[: max(width - 2 - len(left) - len(right), 0)]
    return lines(*([(bar, "$primary")] for bar in bars), [(left + middle + right, DIM)])


def _classes(classes: tuple[tuple[str, int], ...], width: int) -> Content:
    most = max(rows for _, rows in classes)
    name_width = min(max((len(label) for label, _ in classes), default=0), 14)
    shown = classes if len(classes) <= CLASSES else (*classes[: CLASSES - 1], classes[-1])
    bar = max(width - name_width - 10, 4)
    body: list[Parts] = [
        [(f"{len(classes)} classes", STRONG), ("" if len(classes) <= CLASSES else ", most and least", DIM)]
    ]
    for index, (label, rows) in enumerate(shown):
        if len(classes) > CLASSES and index == CLASSES - 1:
            body.append([("⋮", DIM)])
        name = cut(label, name_width).ljust(name_width + 1)
        body.append([(name, ""), (share(rows / most, bar), "$primary"), (f" {count(rows)}", DIM)])
    return lines(*body)


def _findings(diagnostics: Iterable[Diagnostic], width: int, *, first: bool) -> Iterator[Item]:
    every = list(diagnostics)
    if every:
        yield heading("Findings", str(len(every)), first=first)
    for index, each in enumerate(every):
        sign, style = {Severity.ERROR: ("✗ ", BAD), Severity.WARNING: ("! ", WARN)}.get(each.severity, ("· ", DIM))
        body = signed(f"{each.code} {each.message}", width - 1, sign, style)
        yield Item(id=f"finding:{index}:{each.code}", content=lines(*body))
