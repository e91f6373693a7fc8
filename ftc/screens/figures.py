"""Numbers as short text and as bars of characters. A bar says the same by its characters as by its colours.

Knows nothing of advice or of screens; a bar is a list of (text, style) for `Content.assemble`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ftc.spec.estimate import Estimate
from ftc.views.numbers import duration, gib, money

Parts = list[tuple[str, str]]

GOOD, BAD, WARN, DIM, STRONG = "$text-success", "$text-error", "$text-warning", "$muted", "bold"
MOVED = "bold $text-accent"  # what the last change moved; it also carries the sign below
MOVED_SIGN = "◂"

FULL, MAYBE, FREE, OVER = "█", "▓", "░", "▶"
SHARE = "▆"  # leaves a gap to the bar above it
_EIGHTHS = " ▁▂▃▄▅▆▇█"


def span(estimate: Estimate, form: Callable[[float], str]) -> str:
    """`11-19 min` from an estimate; one value where the ends read the same."""
    low, high = form(estimate.low), form(estimate.high)
    if low == high:
        return low
    low_number, _, low_unit = low.partition(" ")
    _, _, high_unit = high.partition(" ")
    return f"{low_number}-{high}" if low_unit == high_unit else f"{low}-{high}"


def hours(estimate: Estimate) -> str:
    """`14 min (11-19 min)`."""
    return _with_range(estimate, duration)


def usd(estimate: Estimate) -> str:
    """`$34 ($28-$45)`."""
    return _with_range(estimate, money)


def memory(estimate: Estimate) -> str:
    """`8.1 GiB (7.4-9.0 GiB)`."""
    return _with_range(estimate, gib)


def _with_range(estimate: Estimate, form: Callable[[float], str]) -> str:
    likely, around = form(estimate.likely), span(estimate, form)
    return likely if around == likely else f"{likely} ({around})"


def against(estimate: Estimate, whole: float, width: int) -> Parts:
    """A bar of `whole`: full to the low end, shaded to the high end, light to the edge; an arrow where it runs over."""
    if whole <= 0 or width < 2:
        return []
    low, high = (round(width * min(end / whole, 1.0)) for end in (estimate.low, estimate.high))
    low = max(low, 1)
    if estimate.high > whole:
        maybe = max(width - 1 - low, 0)
        sure = width - 1 - maybe
        return [(FULL * sure, BAD), (MAYBE * maybe, BAD), (OVER, f"bold {BAD}")]
    high = max(high, low)
    style = WARN if estimate.high > 0.9 * whole else GOOD
    return [(FULL * low, style), (MAYBE * (high - low), style), (FREE * (width - high), DIM)]


def share(part: float, width: int) -> str:
    """A plain bar of that share, at least one character where there is anything."""
    cells = round(width * min(max(part, 0.0), 1.0))
    return SHARE * max(cells, 1 if part > 0 else 0)


def histogram(buckets: Sequence[tuple[int, int]], width: int, height: int) -> tuple[list[str], int]:
    """Rows of block characters, top first, and the length at the right edge. `buckets` are (upper length, rows)."""
    total = sum(rows for _, rows in buckets)
    if not total or width < 4:
        return [], 0
    edge = _edge(buckets, total)
    columns = [0.0] * width
    lower = 0
    for upper, rows in buckets:
        first = min(int(lower / edge * width), width - 1)
        last = min(max(int((upper - 1) / edge * width), first), width - 1)
        for column in range(first, last + 1):
            columns[column] += rows / (last - first + 1)
        lower = upper
    top = max(columns)
    lines = []
    for row in range(height, 0, -1):
        cells = [value / top * height * 8 - (row - 1) * 8 for value in columns]
        floor = 1 if row == 1 else 0  # a column that holds anything shows
        lines.append("".join(_EIGHTHS[min(8, max(round(cell), floor if cell > 0 else 0))] for cell in cells))
    return lines, edge


def _edge(buckets: Sequence[tuple[int, int]], total: int) -> int:
    """The length that 99.5 % of rows stay under: a long tail would leave the rest in one column."""
    seen = 0
    for upper, rows in buckets:
        seen += rows
        if seen >= 0.995 * total:
            return max(upper, 1)
    return max(buckets[-1][0], 1)


def cut(text: str, width: int) -> str:
    """The text in at most `width` characters, with an ellipsis where something is missing."""
    return text if len(text) <= width else text[: max(width - 1, 0)] + "…"


def ordinal(number: int) -> str:
    """`1st`, `2nd`, `3rd`, `11th`."""
    ending = "th" if 10 <= number % 100 <= 20 else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"
