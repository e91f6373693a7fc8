"""Which rows are held out, chosen so that the score on them does not lie.

A row is held out by the hash of what it asks, so that rows added later do not reshuffle the rest and the same question
never stands on both sides. Rows of one group (a customer, a document, a conversation) stay together. Where completions
are classes, every class is held out in its share.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import xxhash  # 1 ms

from ftc.spec.rows import Demonstration, Document, Message, Pair, Row, Thumb

SMALL = 5_000  # rows; below, a tenth is few, so that at least `LEAST` are held out
LEAST = 100  # rows: a share of one half is then known to ± 9.8 points (1.96 sqrt(p (1-p) / n))
MOST = 2_000  # rows: ± 2.2 points; more costs evaluation time and says little more
LEAST_LARGE = 500
SHARE = 0.10
MOST_SHARE = 1 / 3  # of a small set, that training keeps most of it: a rule of thumb


def held_out_size(rows: int, fraction: float | None = None) -> int:
    """How many of `rows` to hold out: `fraction` of them where it is given.

    Otherwise `max(100, 10 %)` below 5,000 rows, never more than a third of them, and a tenth within 500 to 2,000 above.
    """
    if fraction is not None:
        return min(rows, round(rows * fraction))
    if rows < SMALL:
        return min(max(LEAST, math.ceil(rows * SHARE)), int(rows * MOST_SHARE))
    return min(MOST, max(LEAST_LARGE, round(rows * SHARE)))


@dataclass(frozen=True, slots=True)
class Key:
    """What decides about one row: rows with the same `unit` stay together; `stratum` is its class."""

    unit: int
    stratum: str = ""


def split(rows: Sequence[Row], held_out: int, seed: int, stratify: bool) -> tuple[list[Row], list[Row]]:
    """The rows to train on and the rows held out, each in the order of `rows`."""
    chosen = choose(keys_of(rows, seed, stratify, held_out), held_out)
    train = [row for index, row in enumerate(rows) if index not in chosen]
    return train, [row for index, row in enumerate(rows) if index in chosen]


def keys_of(rows: Sequence[Row], seed: int, stratify: bool, held_out: int) -> list[Key]:
    """The key of each row.

    A unit is a group where there is one, and a question otherwise. Where nearly all rows ask the same, so that no
    question could be held out without most of the rows, a unit is the question with its answer.
    """
    return streamed_keys(lambda: rows, seed, stratify, held_out)


def streamed_keys(rows: Callable[[], Iterable[Row]], seed: int, stratify: bool, held_out: int) -> list[Key]:
    """The same of rows that are not held in memory; `rows` reads them, and may be asked to do so twice."""
    keys = [Key(_unit(seed, row.group, _asked(row)), _stratum(row) if stratify else "") for row in rows()]
    if not held_out or _divisible(keys, held_out):
        return keys
    return [
        Key(_unit(seed, row.group, _asked(row) + "\0" + _answered(row)), key.stratum)
        for row, key in zip(rows(), keys, strict=True)
    ]


def _stratum(row: Row) -> str:
    return (row.label or "") if isinstance(row, Demonstration) else ""


def _divisible(keys: Sequence[Key], held_out: int) -> bool:
    """True where at least two units are small enough to be held out."""
    return sum(1 for times in Counter(key.unit for key in keys).values() if times <= held_out) >= 2


def choose(keys: Sequence[Key], held_out: int) -> frozenset[int]:
    """The indices of the rows held out: of each stratum its share, units in the order of their hashes.

    A unit that would exceed what is still to be held out is passed over, so that the number is met where units allow.
    """
    if held_out <= 0:
        return frozenset()
    members: dict[int, list[int]] = defaultdict(list)
    for index, key in enumerate(keys):
        members[key.unit].append(index)
    strata: dict[str, list[int]] = defaultdict(list)
    for unit, indices in members.items():
        strata[keys[indices[0]].stratum].append(unit)
    sizes = {stratum: sum(len(members[unit]) for unit in units) for stratum, units in strata.items()}
    chosen: set[int] = set()
    spare: list[int] = []
    for stratum, quota in _quotas(sizes, held_out).items():
        left = quota
        for unit in sorted(strata[stratum]):
            if len(members[unit]) <= left:
                chosen.update(members[unit])
                left -= len(members[unit])
            else:
                spare.append(unit)
    for unit in sorted(spare):
        if len(members[unit]) <= held_out - len(chosen):
            chosen.update(members[unit])
    return frozenset(chosen)


def _quotas(sizes: dict[str, int], held_out: int) -> dict[str, int]:
    """Shares of `held_out` by the sizes of the strata, rounded so that they add up (largest remainders first)."""
    total = sum(sizes.values())
    exact = {stratum: held_out * size / total for stratum, size in sizes.items()}
    quotas = {stratum: int(share) for stratum, share in exact.items()}
    short = min(held_out, total) - sum(quotas.values())
    for stratum in sorted(exact, key=lambda each: (quotas[each] - exact[each], each))[:short]:
        quotas[stratum] += 1
    return quotas


def _unit(seed: int, group: str | None, text: str) -> int:
    """A hash by which units are ordered; of the group where there is one."""
    content = f"group\0{group}" if group is not None else text
    return xxhash.xxh3_64_intdigest(content.encode("utf-8", "surrogatepass"), seed % (1 << 64))


def _said(messages: Iterable[Message]) -> str:
    return "\0".join(" ".join(message.content.split()) for message in messages).casefold()


def _asked(row: Row) -> str:
    """What the row asks, without regard to case and space."""
    if isinstance(row, Document):
        return _said((Message(role="user", content=row.text),))
    return _said(row.prompt)


def _answered(row: Row) -> str:
    if isinstance(row, Demonstration):
        return row.completion.content
    if isinstance(row, Pair):
        return f"{row.chosen}\0{row.rejected}"
    return row.completion if isinstance(row, Thumb) else ""
