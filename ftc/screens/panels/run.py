"""What the watch screen lists of a run: stages with bars, tripwires, figures beside their estimates, sample answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from textual.content import Content

from ftc.screens import figures
from ftc.screens.figures import BAD, DIM, FREE, FULL, GOOD, STRONG, WARN, Parts, cut
from ftc.screens.panels.item import Item, lines, signed, wrapped
from ftc.screens.run_files import Earned, Sample
from ftc.screens.run_state import ENDED_WELL, RunState, StageState
from ftc.spec.estimate import Estimate
from ftc.views.numbers import duration, gib, money
from ftc.views.progress import clock, result_line

SIGNS = {
    "waiting": ("·", DIM), "running": ("▶", "$primary"), "done": ("✓", GOOD), "skipped": ("-", DIM),
    "stopped": ("■", WARN), "failed": ("✗", BAD),
}  # fmt: skip
NAME_WIDTH = 12
BESIDE = 6  # characters around the state and the bar of the first line
LEAST_BAR, MOST_BAR = 6, 40


def stage_items(state: RunState, width: int) -> list[Item]:
    """One line a stage, a second one for what it came to."""
    return [_stage(each, width) for each in state.stages.values()]


def _stage(each: StageState, width: int) -> Item:
    sign, style = SIGNS[each.status]
    name = each.id + (f" #{each.attempt}" if each.attempt > 1 else "")
    parts: Parts = [
        (f"{sign} ", style),
        (cut(name, NAME_WIDTH).ljust(NAME_WIDTH + 1), STRONG if each.status == "running" else ""),
    ]
    if each.status == "running":
        left = f"{clock(each.eta_seconds)} left" if each.eta_seconds is not None else "starting"
        bar = max(width - NAME_WIDTH - len(left) - 10, 0)
        full = round(bar * each.share)
        parts += [(FULL * full, "$primary"), (FREE * (bar - full), DIM), (f" {each.share:>4.0%} {left}", STRONG)]
    elif each.status == "waiting":
        hours = each.estimate_hours.get("likely", 0.0)
        parts.append((f"about {duration(hours)}" if hours else "", DIM))
    else:
        parts.append((clock(each.spent_seconds()), DIM))
        parts.append((f"  {each.status}" if each.status != "done" else "", style))
    done = " · ".join(said for said in (each.rewarded, _came_to(each.result)) if said)
    under = each.message or each.rewarded or each.what if each.status != "done" else done
    style = BAD if each.status == "failed" else DIM
    return Item(id=f"stage:{each.id}", content=lines(parts, *wrapped(under, width - 1, [("  ", "")], style, most=2)))


def _came_to(result: Mapping[str, Any]) -> str:
    """What a finished stage came to; nothing where a journal of another version says it in other words."""
    try:
        return result_line(result)
    except (KeyError, TypeError, AttributeError):
        return ""


def remark_items(state: RunState, width: int) -> list[Item]:
    """Tripwires and answers to trouble, the newest first."""
    found = []
    for index in range(len(state.remarks) - 1, -1, -1):
        each = state.remarks[index]
        text = f"{each.code} {each.stage}: {each.message}".strip()
        rows = [[("  ", ""), (cut(", ".join(each.rows), width - 3), DIM)]] if each.rows else []
        found.append(
            Item(
                id=f"remark:{index}:{each.code}",
                content=lines(*signed(text, width - 1, "! " if each.code else "~ ", WARN), *rows),
            )
        )
    return found or [Item(id="heading:quiet", content=lines([("no tripwire so far", DIM)]), heading=True)]


def summary(state: RunState, now: float, live_gib: float, width: int) -> Content:
    """Two lines: how far the whole is, what it has taken; memory, money and speed against what was estimated."""
    condition = state.condition(now)
    style = {"running": "$primary", "done": GOOD, "failed": BAD}.get(condition, WARN)
    spent, left = state.spent_hours(), 0.0 if state.exit_code in ENDED_WELL else state.left_hours()
    share = spent / (spent + left) if spent + left else 0.0
    first: Parts = [(f" {condition} ", f"bold reverse {style}"), ("  ", "")]
    said = f" {duration(spent)} spent" + (f", {duration(left)} left" if left else "")
    estimated = _estimate(state, "hours")
    if estimated is not None:
        beside = f"; estimated {figures.hours(estimated)}"
        fits = len(condition) + len(said) + len(beside) + BESIDE + LEAST_BAR <= width
        said += beside if fits else f"; estimated {figures.span(estimated, duration)}"
    bar = max(min(width - len(condition) - len(said) - BESIDE, MOST_BAR), LEAST_BAR)
    done = round(bar * share)
    first += [(FULL * done, style), (FREE * (bar - done), DIM), (said, "")]
    return lines(first, _second(state, live_gib, width))


def _second(state: RunState, live_gib: float, width: int) -> Parts:
    parts: Parts = [("memory ", DIM)]
    estimated = _memory(state)
    on_device = state.plan.hardware.get("kind") != "cpu"
    peak = state.peak_gib() if on_device else max(state.peak_gib(), live_gib)
    parts.append((gib(peak) if peak else "-", STRONG))
    if estimated is not None:
        parts.append((f" (estimated {gib(estimated.likely)}, {figures.span(estimated, gib)})", DIM))
    budget = state.plan.budget.get("usd")
    rate = state.plan.budget.get("usd_per_hour") or 0.0
    if rate or budget:
        parts += [
            ("   money ", DIM),
            (money(state.usd()), STRONG),
            (f" of {money(float(budget))}" if budget else "", DIM),
        ]
    if state.speeds:
        parts += [("   ", ""), (f"{state.speeds[-1].value:,.0f}", STRONG), (" tokens/s", DIM)]
        planned = _estimate(state, "tokens_per_second_per_gpu")
        beside = f" (estimated {planned.likely:,.0f})" if planned is not None else ""
        if sum(len(text) for text, _ in parts) + len(beside) <= width:
            parts.append((beside, DIM))
    return parts


def _memory(state: RunState) -> Estimate | None:
    """What was estimated of what is measured: the device's memory, the host's where there is no device."""
    memory = state.plan.estimate.get("memory") or {}
    key = "host_gib" if state.plan.hardware.get("kind") == "cpu" else "reserved_gib"
    found = memory.get(key)
    return _as_estimate(found, "GiB") if found else None


def _estimate(state: RunState, name: str) -> Estimate | None:
    found = state.plan.estimate.get(name)
    return _as_estimate(found, "") if isinstance(found, Mapping) and "likely" in found else None


def _as_estimate(found: Mapping[str, Any], unit: str) -> Estimate:
    return Estimate(low=found["low"], likely=found["likely"], high=found["high"], unit=unit)


def sample_items(samples: Sequence[Sample], width: int) -> list[Item]:
    """What was asked, expected and answered, before and after."""
    found = []
    for index, each in enumerate(samples):
        body = [*wrapped(each.prompt, width - 1, [("  ", "")], "", most=2)]
        if each.expected:
            body.append([("  expected ", DIM), (cut(each.expected, width - 12), "")])
        for name, answer, right in each.answers:
            sign, style = ("✓", GOOD) if right else ("✗", BAD)
            body.append([(f"{sign} ", style), (f"{name:<9}", DIM), (cut(answer or "(nothing)", width - 12), STRONG)])
        found.append(Item(id=f"sample:{index}", content=lines([(cut(each.place, width - 1), DIM)], *body)))
    nothing = Item(id="heading:none", content=lines([("answers appear once a model was scored", DIM)]), heading=True)
    return found or [nothing]


def earned_items(answers: Sequence[Earned], width: int) -> list[Item]:
    """A policy's answers while it trains, each with its reward."""
    found = []
    for index, each in enumerate(answers):
        head: Parts = [(f"reward {each.reward:.3g}", STRONG), (f"  step {each.step}, prompt {each.prompt}", DIM)]
        text = " ".join(each.answer.split()) or "(nothing)"
        found.append(
            Item(id=f"earned:{index}", content=lines(head, *wrapped(text, width - 1, [("  ", "")], "", most=3)))
        )
    return found


def stage_page(state: RunState, stage_id: str) -> Content:
    """All arguments of a stage with their origins, and what it came to."""
    stage, plan = state.stages[stage_id], state.plan.stage(stage_id)
    parts: Parts = [(f"{stage.id}  {stage.status}\n", STRONG)]
    if stage.message:
        parts.append((f"{stage.message}\n", BAD))
    parts.append(("\nWhat it came to\n", STRONG) if stage.result else ("", ""))
    parts += [(f"  {name:<24}{cut(str(value), 120)}\n", "") for name, value in stage.result.items()]
    parts += [(f"  {name:<24}{value}\n", "") for name, value in stage.memory.items()]
    parts.append(("\nWhat it was told\n", STRONG))
    for name, value in plan.arguments.items():
        origin = plan.origins.get(name, "")
        parts += [(f"  {name:<24}", ""), (cut(str(value), 80), STRONG), (f"  {origin}\n", DIM)]
    return Content.assemble(*parts)
