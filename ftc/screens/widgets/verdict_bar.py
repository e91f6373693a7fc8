"""The answer, always in sight: the method, on what, and what it takes; below it what the last change moved."""

from __future__ import annotations

from textual.widgets import Static

from ftc.advisor.values import Candidate
from ftc.api import Advice
from ftc.screens import figures
from ftc.screens.figures import BAD, DIM, GOOD, MOVED, MOVED_SIGN, STRONG, WARN, Parts, cut
from ftc.screens.panels.candidates import machine_of, whose
from ftc.screens.panels.item import lines
from ftc.views.numbers import duration, gib, money

BESIDE = 12  # characters between the figures of the second line
LEAST_BAR, MOST_BAR = 4, 36


class VerdictBar(Static):
    """Three lines. `state` stands in the third while something is under way."""

    def show(self, advice: Advice | None, before: Advice | None, state: str = "") -> None:
        """Show the advice, and what moved since `before`."""
        width = max(self.content_size.width, 40)
        if advice is None:
            self.update(lines([(state or "no advice yet", STRONG)]))
            return
        third: Parts = [(f"… {state}", WARN)] if state else _moved(advice, before) or _said(advice, width)
        sure = "" if state else f"confidence {advice.verdict.confidence}"
        self.update(lines(_first(advice, width, sure), _second(advice, width), third))


def _first(advice: Advice, width: int, confidence: str) -> Parts:
    verdict, chosen = advice.verdict, advice.verdict.chosen
    style = f"bold {GOOD if chosen else BAD if verdict.method == 'infeasible' else WARN}"
    parts: Parts = [(f" {verdict.method} ", f"{style} reverse"), ("  ", "")]
    room = width - len(verdict.method) - 6 - len(confidence)
    if chosen is None:
        text = cut(verdict.instead, room)
        return [*parts, (text.ljust(room), ""), (" " + confidence, DIM)]
    where = f"on {machine_of(chosen)} ({whose(chosen)})" if chosen.machine else ""
    model = cut(chosen.model, max(room - len(where) - 2, 12))
    text = cut(f"{model}  {where}", room)
    return [
        *parts,
        (text[: len(model)], STRONG),
        (text[len(model) :].ljust(room - len(model)), ""),
        (" " + confidence, DIM),
    ]


def _second(advice: Advice, width: int) -> Parts:
    chosen = advice.verdict.chosen
    if chosen is None or chosen.memory is None or chosen.machine is None or chosen.time is None:
        return [("nothing to train, nothing to pay for", DIM)]
    budget = advice.spec.budget
    card = chosen.machine.device.memory_gib
    device = chosen.memory.device
    hours, price = chosen.time.hours, chosen.usd
    memory = f"{device.likely:.1f} ({device.low:.1f}-{device.high:.1f}) of {card:.0f} GiB"
    most_hours = f" of {duration(budget.hours)}" if budget.hours else ""
    most_usd = f" of {money(budget.usd)}" if budget.usd else ""
    time = figures.hours(hours) + most_hours
    usd = (figures.usd(price) if price else "") + most_usd
    if len(memory) + len(time) + len(usd) + BESIDE + LEAST_BAR > width:  # ranges alone
        time = figures.span(hours, duration) + most_hours
        usd = (figures.span(price, money) if price else "") + most_usd
    if len(memory) + len(time) + len(usd) + BESIDE + LEAST_BAR > width:
        memory = f"{device.low:.1f}-{device.high:.1f} of {card:.0f} GiB"
    used = len(memory) + len(time) + len(usd) + BESIDE
    bar = max(min(width - used, MOST_BAR), LEAST_BAR)
    return [
        *figures.against(device, card, bar), (f" {memory}", STRONG),
        ("   time ", DIM), (time, STRONG), ("   ", ""), (usd, STRONG),
    ]  # fmt: skip


def _said(advice: Advice, width: int) -> Parts:
    text = advice.verdict.confidence_because
    return [(cut(f"confidence {advice.verdict.confidence}: {text}", width), DIM)] if text else [(" ", "")]


def _moved(advice: Advice, before: Advice | None) -> Parts:
    """`◂ was sft-lora, 14 min, $0`, of what is another value now."""
    if before is None:
        return []
    now, was = _figures(advice), _figures(before)
    moved = [text for text, other in zip(was, now, strict=True) if text != other and text]
    if not moved:
        return [(f"{MOVED_SIGN} ", MOVED), ("the change moves nothing here", DIM)]
    return [(f"{MOVED_SIGN} was ", MOVED), (" · ".join(moved), MOVED)]


def _figures(advice: Advice) -> tuple[str, ...]:
    verdict = advice.verdict
    return (verdict.method, verdict.model, *_of(verdict.chosen), f"confidence {verdict.confidence}")


def _of(chosen: Candidate | None) -> tuple[str, str, str, str]:
    if chosen is None:
        return ("", "", "", "")
    return (
        machine_of(chosen),
        gib(chosen.memory.device.likely) if chosen.memory else "",
        duration(chosen.time.hours.likely) if chosen.time else "",
        money(chosen.usd.likely) if chosen.usd else "",
    )
