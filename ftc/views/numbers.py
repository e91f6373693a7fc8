"""Numbers in words: ranges, durations, money, sizes. The likely value first, its range in parentheses."""

from __future__ import annotations

from collections.abc import Mapping


def duration(hours: float) -> str:
    """`42 s`, `14 min`, `3.2 h`, `2.5 days`."""
    seconds = hours * 3600
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    if hours < 48:
        return f"{hours:.1f} h"
    return f"{hours / 24:.1f} days"


def duration_range(hours: Mapping[str, float]) -> str:
    """`14 min (11 min-19 min)`."""
    return f"{duration(hours['likely'])} ({duration(hours['low'])}-{duration(hours['high'])})"


def money(usd: float) -> str:
    """`$0`, `$0.42`, `$34`, `$1,200`."""
    if usd == 0:
        return "$0"
    return f"${usd:,.2f}" if usd < 10 else f"${usd:,.0f}"


def money_range(usd: Mapping[str, float]) -> str:
    """`$34 ($28-$45)`, `$0` where it costs nothing."""
    if usd["high"] == 0:
        return "$0"
    return f"{money(usd['likely'])} ({money(usd['low'])}-{money(usd['high'])})"


def gib(value: float) -> str:
    """`8.1 GiB`, `430 MiB`."""
    return f"{value:.1f} GiB" if value >= 1 else f"{value * 1024:.0f} MiB"


def gib_range(memory: Mapping[str, float]) -> str:
    """`8.1 GiB (7.4 GiB-9.0 GiB)`."""
    return f"{gib(memory['likely'])} ({gib(memory['low'])}-{gib(memory['high'])})"


def count(number: float) -> str:
    """`10,003`, `1.5 M`, `8.03 B`."""
    for size, letter in ((1e12, "T"), (1e9, "B"), (1e6, "M")):
        if number >= size:
            return f"{number / size:.3g} {letter}"
    return f"{number:,.0f}"
