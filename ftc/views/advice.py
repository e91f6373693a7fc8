"""Advice for people: the answer first, then why, then what lost, then what would change it."""

from __future__ import annotations

from collections.abc import Iterable

from ftc.advisor.values import Candidate, Finding
from ftc.api import Advice
from ftc.spec.profile import DataProfile
from ftc.views.numbers import count, duration_range, gib, gib_range, money_range
from ftc.views.output import console, print_table


def show_advice(advice: Advice) -> None:
    """The whole advice on stdout."""
    from rich.text import Text

    out = console()
    verdict = advice.verdict
    out.print(Text(_data_line(advice.spec.name, advice.facts.profile)))
    out.print()
    headline = Text(f"  {verdict.method}", style="bold green" if verdict.chosen else "bold yellow")
    headline.append(f"   {_candidate_line(verdict.chosen)}" if verdict.chosen else f"   {verdict.instead}", style="")
    out.print(headline)
    if verdict.chosen and verdict.instead:
        out.print(f"  {verdict.instead}")
    _section("Why", _finding_rows(verdict.trace))
    losers = [each for each in verdict.alternatives if each is not verdict.chosen]
    _section("Not chosen", _loser_rows(losers))
    _section("What would change this", [(each.change, f"-> {each.to}") for each in verdict.flips])
    _section("Mind", [(each.flag, f"{each.code}  {each.because}") for each in verdict.notes if each.flag])
    _section("Worth asking", [(each.key, each.text) for each in verdict.questions])
    out.print()
    out.print(f"Confidence {verdict.confidence}: {verdict.confidence_because}")
    first = verdict.trace[0].code if verdict.trace else "M110"
    plan = "As a plan: `ftc compile`." if verdict.chosen else ""
    out.print(f"Evidence: `ftc explain {first}`.   {plan}".rstrip())


def _section(title: str, rows: Iterable[tuple[str, ...]]) -> None:
    from rich.text import Text

    rows = list(rows)
    if rows:
        console().print(Text(f"\n{title}", style="bold"))
        print_table((f"  {row[0]}", *row[1:]) for row in rows)


def _finding_rows(findings: Iterable[Finding]) -> list[tuple[str, ...]]:
    return [
        (each.code, each.question, each.because + (" (rule of thumb)" if each.rule_of_thumb else ""), each.answer)
        for each in findings
    ]


def _data_line(name: str, profile: DataProfile) -> str:
    parts = [name]
    rows = profile.demonstrations
    if rows:
        parts.append(f"{count(rows.rows)} rows" + (" (described)" if rows.described else ""))
        if rows.classes:
            parts.append(f"{len(rows.classes)} classes")
        if rows.prompt and rows.completion:
            parts.append(f"p99 prompt {rows.prompt.p99:,} tokens")
            parts.append(f"median completion {rows.completion.p50:,}")
    if profile.feedback:
        parts.append(f"{count(profile.feedback.set.rows)} rows of {profile.feedback.type} feedback")
    if profile.corpus and profile.corpus.sequence:
        parts.append(f"{count(profile.corpus.sequence.total)} tokens of text")
    return " · ".join(parts) + (f"   (profiled in {profile.seconds:.1f} s)" if profile.seconds >= 0.05 else "")


def _candidate_line(candidate: Candidate) -> str:
    machine = candidate.machine
    parts = [candidate.model]
    if machine:
        whose = f"{machine.offer.cloud} {machine.offer.instance}" if machine.offer else "yours"
        parts.append(f"{machine.devices} x {machine.device.name} ({whose})")
    if candidate.time:
        parts.append(duration_range(candidate.time.hours.range()))
    if candidate.usd:
        parts.append(money_range(candidate.usd.range()))
    if candidate.memory and machine:
        parts.append(f"{gib_range(candidate.memory.device.range())} of {gib(machine.device.memory_gib)}")
    return "   ".join(parts)


def _loser_rows(losers: Iterable[Candidate]) -> list[tuple[str, ...]]:
    """One row each, but one together for those that lack the same, and for those that lack each its own data."""
    rows: list[tuple[str, ...]] = []
    lacking: dict[str, list[str]] = {}
    for each in losers:
        if each.feasible or each.memory is not None:
            rows.append((each.method, _why_not(each)))
        else:
            lacking.setdefault(each.why_not, []).append(each.method)
    rows += [("others", f"{', '.join(methods)}: {why}") for why, methods in lacking.items() if len(methods) > 1]
    alone = [methods[0] for methods in lacking.values() if len(methods) == 1]
    if alone:
        rows.append(("others", f"{', '.join(alone)}: what they learn from is not there (--json has each reason)"))
    return rows


def _why_not(candidate: Candidate) -> str:
    numbers = []
    if candidate.memory:
        numbers.append(gib_range(candidate.memory.device.range()))
    if candidate.time:
        numbers.append(duration_range(candidate.time.hours.range()))
    if candidate.usd and candidate.usd.high > 0:
        numbers.append(money_range(candidate.usd.range()))
    price = f"   [{', '.join(numbers)}]" if numbers else ""
    return f"{candidate.why_not or 'feasible'}{price}"
