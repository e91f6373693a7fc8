"""The ways to do it, as a table: memory as a bar against the card, time, money, quality, each with its range below,
and why those that lost lost. Those that nothing beats in every respect (the Pareto front) carry a mark."""

from __future__ import annotations

from ftc.advisor.values import Candidate, Verdict
from ftc.screens.figures import BAD, DIM, GOOD, MOVED, STRONG, Parts, against, cut, ordinal, span
from ftc.screens.panels.item import Cells, Item, heading, lines, mark, moved, wrapped
from ftc.views.numbers import duration, money

CHOSEN, FRONT, OTHER, OUT = "▶", "◆", "·", "✗"
LEGEND = f"{CHOSEN} chosen  {FRONT} Pareto front  {OUT} cannot be run"
METHOD, MEMORY, TIME, MONEY = 10, 10, 11, 11  # widths of the columns, in characters
LONGEST_BAR = 36


def rows(verdict: Verdict) -> list[Candidate]:
    """The chosen one first, then what could be run by quality, then what could not."""
    others = [each for each in verdict.alternatives if each is not verdict.chosen]
    others.sort(key=lambda each: (not each.feasible, not each.pareto, -each.quality))
    return [*([verdict.chosen] if verdict.chosen else []), *others]


def ident(candidate: Candidate) -> str:
    """What names a candidate within a verdict."""
    return f"candidate:{candidate.method}:{candidate.model}:{machine_of(candidate)}"


def machine_of(candidate: Candidate) -> str:
    """`2 x RTX 4090`, empty where it needs no machine."""
    machine = candidate.machine
    return f"{machine.devices} x {machine.device.name}" if machine else ""


def whose(candidate: Candidate) -> str:
    """`yours`, or the cloud and the instance."""
    machine = candidate.machine
    if machine is None:
        return ""
    return f"{machine.offer.cloud} {machine.offer.instance}" if machine.offer else "yours"


def cells(verdict: Verdict) -> dict[str, tuple[str, ...]]:
    """Method, memory, time and money of each, as text."""
    return {ident(each): (*_first(each), str(each.feasible), str(each is verdict.chosen)) for each in rows(verdict)}


def _head(width: int) -> Item:
    """The titles of the columns."""
    parts: Parts = [("  of the card".ljust(_bar_width(width) + 3), DIM), ("GiB".ljust(MEMORY), DIM)]
    return Item(id="heading:columns", content=lines([*parts, ("time".ljust(TIME) + "money", DIM)]), heading=True)


def items(verdict: Verdict, was: Cells | None, width: int) -> list[Item]:
    """One item a candidate: what it is, its bar with the likely values, their ranges, and why it lost; at the end what
    would be rented, by what one looks for."""
    every = rows(verdict)
    places = _places(every)
    found = [_head(width), *(_item(each, verdict, was, width, places.get(ident(each), "")) for each in every)]
    if verdict.offers:
        found.append(heading("To rent"))
        found += [_offer(wanted, each, width) for wanted, each in verdict.offers.items()]
    return found


def _offer(wanted: str, each: Candidate, width: int) -> Item:
    """`cheapest`, `fastest`, `safest`, with what it is."""
    _, _, time, usd = _first(each)
    said = f"{machine_of(each)}, {whose(each)}: {time}, {usd}"
    body = wrapped(said, width - 1, [(" " * (2 + METHOD), "")], "", most=2)
    return Item(
        id=f"offer:{wanted}", content=lines([("  ", ""), (wanted.ljust(METHOD), STRONG), body[0][-1]], *body[1:])
    )


def _places(every: list[Candidate]) -> dict[str, str]:
    """`1st`, `2nd` by expected quality among those that train; equal quality, equal place."""
    values = sorted({each.quality for each in every if each.memory}, reverse=True)
    return {ident(each): ordinal(values.index(each.quality) + 1) for each in every if each.memory}


def _bar_width(width: int) -> int:
    return max(min(width - 3 - MEMORY - TIME - MONEY, LONGEST_BAR), 4)


def _first(each: Candidate) -> tuple[str, str, str, str]:
    """The likely values."""
    memory, machine = each.memory, each.machine
    return (
        each.method,
        f"{memory.device.likely:.1f}/{machine.device.memory_gib:.0f}" if memory and machine else "",
        duration(each.time.hours.likely) if each.time else "",
        money(each.usd.likely) if each.usd else "",
    )


def _second(each: Candidate) -> tuple[str, str, str]:
    """The ranges behind them, without the unit that stands above."""
    memory = each.memory.device if each.memory else None
    return (
        f"{memory.low:.1f}-{memory.high:.1f}" if memory else "",
        _bare(span(each.time.hours, duration), _first(each)[2]) if each.time else "",
        span(each.usd, money) if each.usd and each.usd.high > 0 else "",
    )


def _bare(around: str, likely: str) -> str:
    unit = likely.rpartition(" ")[2]
    return around.removesuffix(f" {unit}") if around.count(" ") == 1 else around.replace(" ", "")


def _item(each: Candidate, verdict: Verdict, was: Cells | None, width: int, place: str) -> Item:
    chosen = each is verdict.chosen
    sign = CHOSEN if chosen else OUT if not each.feasible else FRONT if each.pareto else OTHER
    sign_style = BAD if sign == OUT else DIM if sign == OTHER else GOOD
    first, before = _first(each), was.get(ident(each)) if was is not None else None

    def styled(index: int, plain: str = "") -> str:
        return MOVED if was is not None and (before is None or before[index] != first[index]) else plain

    new = was is not None and before is None
    top: Parts = [(f"{sign} ", sign_style), (cut(first[0], METHOD - 1).ljust(METHOD), MOVED if new else STRONG)]
    if not each.memory or not each.machine:
        return Item(id=ident(each), content=lines(*_in_words(top, each.why_not, width)))
    quality = f"quality {place}"
    room = width - 2 - METHOD - len(quality) - 2
    top += [(cut(_where(each), room).ljust(room + 1), ""), (quality, DIM)]
    bar = _bar_width(width)
    values: Parts = [
        ("  ", ""), *against(each.memory.device, each.machine.device.memory_gib, bar), (" ", ""),
        (first[1].ljust(MEMORY), styled(1, STRONG)), (first[2].ljust(TIME), styled(2, STRONG)),
        (first[3], styled(3, STRONG)), *mark(was is not None and moved(first, before[:4] if before else None)),
    ]  # fmt: skip
    around = "".join(text.ljust(size) for text, size in zip(_second(each), (MEMORY, TIME, MONEY), strict=True))
    why = wrapped(each.why_not, width - 1, [("  ", "")], DIM if each.feasible else BAD, most=2)
    return Item(id=ident(each), content=lines(top, values, [(" " * (bar + 3) + around.rstrip(), DIM)], *why))


def _in_words(top: Parts, why: str, width: int) -> list[Parts]:
    """What has no price says why, beside its name."""
    body = wrapped(why or "no training: no price", width - 1, [(" " * (2 + METHOD), "")], most=2)
    return [[*top, body[0][-1]], *body[1:]]


def _where(each: Candidate) -> str:
    """The model without its owner, and the machine, as far as there is room."""
    return f"{machine_of(each)} · {each.model.rpartition('/')[2]}"
