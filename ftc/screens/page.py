"""What stands behind an item of the planner, as a page: a rule with its numbers and evidence, a value with its origin,
a candidate with its price taken apart, a key with its meaning. Pure: advice and an item's id in, a page out.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

from textual.content import Content

from ftc.advisor.values import Candidate, Finding, Setting
from ftc.api import Advice
from ftc.screens import figures
from ftc.screens.editing import field, text_of
from ftc.screens.figures import DIM, STRONG, WARN, Parts
from ftc.screens.panels import candidates, settings, why
from ftc.spec.diagnostics import Diagnostic
from ftc.spec.estimate import Estimate
from ftc.spec.model import Spec
from ftc.spec.profile import Lengths, SetProfile
from ftc.views.numbers import count, duration, gib

CODE = re.compile(r"\b[SDMHFCR]\d{3}\b")
BAR = 30  # characters
PREVIEWED = 3  # rows


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """A text to read. `code` is the rule it is about, where it is about one."""

    title: str
    body: Content
    code: str = ""


def page_of(advice: Advice, item: str) -> Page | None:
    """The page behind an item of any panel; None where there is nothing to say."""
    kind, _, rest = item.partition(":")
    if kind in ("step", "flag", "branch"):
        return _rule(advice, why.target_of(item))
    if kind == "leaf":
        return _outcome(advice)
    if kind == "candidate":
        return next(
            (_candidate(each) for each in candidates.rows(advice.verdict) if candidates.ident(each) == item), None
        )
    if kind == "offer":
        return _candidate(advice.verdict.offers[rest])
    if kind == "setting":
        return _setting(rest, advice.verdict.settings[rest])
    if kind == "field":
        return _field(rest)
    if kind == "finding":
        index, _, _ = rest.partition(":")
        return _diagnostic(advice.diagnostics[int(index)])
    if kind == "data":
        return _data(advice, rest)
    if kind == "flip":
        return next((_said("What would change this", f"{each.change} → {each.to}", f"{each.key}: {text_of(each.value)}")
                     for each in advice.verdict.flips if each.change == rest), None)  # fmt: skip
    if kind == "question":
        question = next(each for each in advice.verdict.questions if each.key == rest)
        return _said(question.text, *(f"{answer}: {to}" for answer, to in question.outcomes.items()), f"key: {rest}")
    return None


def code_page(code: str) -> Page | None:
    """The page of a code, from whichever room it is."""
    from ftc.pages import page

    text = page(code)
    return None if text is None else Page(title=code, body=_manual(text), code=code)


def _manual(text: str) -> Content:
    """A page of the manual with its headings set off, its lines joined to paragraphs that fit any width."""
    parts: Parts = []
    paragraph = ""
    for line in [*text.splitlines(), ""]:
        body = line.strip()
        goes_on = bool(paragraph) and line.startswith(" ") and not body.startswith("- ")
        if paragraph and not goes_on:
            parts.append((paragraph + "\n", ""))
            paragraph = ""
        if goes_on:
            paragraph += " " + body
        elif line.startswith(" "):
            paragraph = body
        else:
            parts.append((line + "\n", STRONG))
    return Content.assemble(*parts)


def _said(title: str, *said: str) -> Page:
    return Page(title=title, body=Content("\n".join(said)))


def _rule(advice: Advice, code: str) -> Page | None:
    """What the rule said here, with its numbers, ahead of its page."""
    from ftc.pages import page

    findings = [each for each in (*advice.verdict.trace, *advice.verdict.notes) if each.code == code]
    parts: Parts = []
    for each in findings:
        parts += _here(each)
    text = page(code)
    if text is None and not parts:
        return None
    if parts:
        parts.append(("\n", ""))
    return Page(title=code, body=Content.assemble(*parts, _manual(text or "")), code=code)


def _here(finding: Finding) -> Parts:
    parts: Parts = [("Here\n", STRONG)]
    if finding.question:
        parts.append((f"  {finding.question}\n", ""))
    answer = finding.answer or finding.flag
    parts.append((f"  {answer}: ", "bold $text-accent"))
    parts.append((f"{finding.because}\n", ""))
    for name, value in finding.numbers.items():
        parts.append((f"  {name.replace('_', ' '):<28}", DIM))
        parts.append(
            (f"{value:,}\n" if isinstance(value, int | float) and not isinstance(value, bool) else f"{value}\n", "")
        )
    if finding.rule_of_thumb:
        parts.append(("  a rule of thumb, not a measurement\n", WARN))
    for line in finding.evidence:
        parts.append((f"  evidence: {line}\n", DIM))
    return parts


def _outcome(advice: Advice) -> Page:
    verdict = advice.verdict
    parts: Parts = [(f"{verdict.method}\n", STRONG)]
    if verdict.instead:
        parts.append((f"{verdict.instead}\n", ""))
    parts.append((f"\nConfidence {verdict.confidence}\n", STRONG))
    parts.append((f"  {verdict.confidence_because}\n", ""))
    if verdict.chosen is None:
        return Page(title=verdict.method, body=Content.assemble(*parts))
    return Page(title=verdict.method, body=Content.assemble(*parts, "\n", _candidate(verdict.chosen).body))


def _candidate(each: Candidate) -> Page:
    """Memory by component as bars against the card, time by part, money, each with its source."""
    machine, memory, time = each.machine, each.memory, each.time
    parts: Parts = [(f"{each.method} of {each.model}\n", STRONG)]
    if machine:
        parts.append((f"on {candidates.machine_of(each)}, {candidates.whose(each)}\n", DIM))
    if each.why_not:
        parts.append((f"{each.why_not}\n", WARN))
    if memory and machine:
        card = machine.device.memory_gib
        parts += [("\nMemory of the device  ", STRONG), (f"{figures.memory(memory.device)} of {gib(card)}\n", "")]
        parts += [("  ", ""), *figures.against(memory.device, card, BAR), ("\n", "")]
        for name, value in memory.breakdown.items():
            if value > 0:
                parts += [
                    (f"  {name:<12}{gib(value):>10}  ", ""),
                    (figures.share(value / card, BAR) + "\n", "$primary"),
                ]
        parts += _source(memory.device)
        parts.append((f"  main memory of the host {figures.memory(memory.host)}\n", ""))
    if time:
        parts += [
            ("\nTime  ", STRONG),
            (f"{figures.hours(time.hours)}, {time.steps:,} steps, {time.bound}-bound\n", ""),
        ]
        for name, value in time.parts_hours.items():
            if value > 0:
                parts.append((f"  {name:<12}{duration(value):>10}\n", ""))
        speed = time.tokens_per_second_per_gpu
        parts.append((f"  {speed.likely:,.0f} tokens/s per device ({speed.low:,.0f}-{speed.high:,.0f})\n", ""))
        parts += _source(time.hours)
    if each.usd:
        parts += [("\nMoney  ", STRONG), (f"{figures.usd(each.usd)}\n", ""), *_source(each.usd)]
        if machine and machine.offer:
            offer = machine.offer
            parts.append(
                (f"  {offer.cloud} {offer.instance} in {offer.region}: ${offer.usd_per_hour:,.2f} an hour\n", "")
            )
    if each.setup:
        parts.append(("\nSetup\n", STRONG))
        for name in (
            "seq_len",
            "micro_batch",
            "grad_accum",
            "lora_rank",
            "optimizer",
            "checkpointing",
            "sharding",
            "packing",
        ):
            parts.append((f"  {name.replace('_', ' '):<14}{getattr(each.setup, name)}\n", ""))
    return Page(title=each.method, body=Content.assemble(*parts))


def _source(estimate: Estimate) -> Parts:
    dated = f", {estimate.as_of}" if estimate.as_of else ""
    return [(f"  source: {estimate.source}{dated}\n", DIM)] if estimate.source else []


def _setting(name: str, setting: Setting) -> Page:
    parts: Parts = [(f"{name} = {settings.value_of(setting)}\n", STRONG), (f"from {setting.origin}\n", DIM)]
    if settings.range_of(setting):
        parts.append((f"sane: {settings.range_of(setting)}\n", DIM))
    if setting.because:
        parts.append((f"{setting.because}\n", ""))
    parts.append((f"\nset it: overrides.{name}\n", DIM))
    found = CODE.search(setting.origin)
    manual = code_page(found.group()) if found else None
    body = Content.assemble(*parts, "\n", manual.body) if manual else Content.assemble(*parts)
    return Page(title=name, body=body, code=found.group() if found else "")


def _field(key: str) -> Page | None:
    known = field(key)
    if known is None:
        return None
    parts: Parts = [(f"{key}\n", STRONG), (f"{known.description}\n", "")]
    if known.default:
        parts.append((f"default: {known.default}\n", DIM))
    if known.choices:
        parts.append(("\nOne of\n" if known.closed else "\nFor example\n", STRONG))
        parts += [(f"  {word:<24}{meaning}\n", "") for word, meaning in known.choices]
    return Page(title=key, body=Content.assemble(*parts))


def _diagnostic(each: Diagnostic) -> Page:
    place = f"{each.file}:{each.line}:{each.column}" if each.line else each.file
    parts: Parts = [(f"{each.severity} {each.code}\n", STRONG), (f"{each.message}\n", "")]
    if each.fix:
        parts.append((f"{each.fix}\n", "$text-accent"))
    parts.append((f"{place}\n", DIM))
    parts += [(f"  {example}\n", DIM) for example in each.examples]
    manual = code_page(each.code)
    return Page(title=each.code, body=Content.assemble(*parts, "\n", manual.body if manual else ""), code=each.code)


def _data(advice: Advice, rest: str) -> Page:
    profile = advice.facts.profile
    feedback = profile.feedback.set if profile.feedback else None
    sets = (profile.demonstrations, feedback, profile.corpus, profile.prompts, profile.evaluation)
    role = rest.partition(":")[0]
    chosen = [each for each in sets if each is not None and each.role == role]
    parts: Parts = []
    for each in chosen or [each for each in sets if each is not None]:
        parts.append((f"{each.role}\n", STRONG))
        parts += [(f"  {name:<14}{value}\n", "") for name, value in _numbers(each)]
    for line in _preview(advice.spec, role):
        parts.append((f"  {line}\n", ""))
    parts.append((f"\n{count(profile.train_rows)} rows to train on, {count(profile.held_out_rows)} held out\n", ""))
    return Page(title=role, body=Content.assemble(*parts))


def _preview(spec: Spec, role: str) -> Iterator[str]:
    """The first rows of a role's first source, each on a line; data on a hub is not fetched for this."""
    from ftc.spec.read import read
    from ftc.spec.write import preview

    data = spec.data
    sources = {
        "demonstrations": data.demonstrations,
        "feedback": data.feedback.sources if data.feedback else (),
        "corpus": data.corpus,
        "prompts": data.prompts,
        "evaluation": (data.evaluation.source,) if data.evaluation.source else (),
    }.get(role, ())
    first = next((each for each in sources if each.path and (spec.folder / each.path).exists()), None)
    if first is not None:
        yield f"\n  the first rows of {first.path}"
        for row in islice(read(first, spec.folder, role).rows, PREVIEWED):
            yield f"{row.place}  {preview(row)}"


def _numbers(each: SetProfile) -> Iterable[tuple[str, str]]:
    if each.described:
        yield "rows", f"{count(each.rows)}, as described"
    else:
        yield "rows", f"{count(each.rows_read)} read = {count(each.rows)} used + {count(each.rows_reported)} reported"
    yield "format", each.format
    for name, lengths in (("prompt", each.prompt), ("answer", each.completion), ("sequence", each.sequence)):
        if lengths:
            yield name, _lengths(lengths)
    yield "tokens", f"estimated, within {each.token_error:.0%}" if each.token_error else f"counted by {each.tokenizer}"
    if each.loss_share is not None:
        yield "loss", f"{each.loss_share:.1%} of tokens carry it"
    if each.languages:
        yield "languages", ", ".join(f"{name} {part:.0%}" for name, part in each.languages[:5])
    yield "duplicates", f"{count(each.exact_duplicates)} exact, {count(each.near_duplicates)} near"
    for label, rows in each.classes:
        yield "class", f"{label}  {count(rows)}"


def _lengths(lengths: Lengths) -> str:
    return (
        f"mean {lengths.mean:,.0f}, p50 {lengths.p50:,}, p90 {lengths.p90:,}, p95 {lengths.p95:,}, "
        f"p99 {lengths.p99:,}, longest {lengths.max:,}; {count(lengths.total)} in all"
    )
