"""The smallest changes of the spec that would change the verdict, found by deciding again, and the nearest plan.

Each line of change comes in growing sizes; the first size that leads somewhere else is kept. Changes that lead to the
same place are all shown, up to a handful: they are different ways there.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

from ftc.advisor import reading, what_if
from ftc.advisor.ceilings import hours_allowed, unshown
from ftc.advisor.licences import data_restriction
from ftc.advisor.reading import has
from ftc.advisor.rules.choice import TRAINING
from ftc.advisor.rules.feedback import PAIRS_FROM
from ftc.advisor.rules.need import NORMAL_FROM, PILOT_FROM, STYLE_FROM
from ftc.advisor.search import hopeless, tightest
from ftc.advisor.settle import Settled, settle
from ftc.advisor.tree import walk
from ftc.advisor.values import A_NODE, Architecture, Facts, Flip, Machine
from ftc.advisor.what_if import WhatIf

MOST = 7
MOST_DEVICES = 64
LOOKS = 3  # counts of cards that are decided on, of those that should do
# Wishes that may stand in the way, and what is given up without each.
NEGOTIABLE = {
    "full-only": "updating all weights", "fixed-model": "the model asked for", "no-training": "leaving weights alone",
    "no-cloud": "keeping off rented machines", "on-prem": "keeping data in-house", "citations": "citing sources",
    "no-hallucination": "the promise that nothing is invented", "commercial": "commercial use",
    "latency-50ms": "answers within 50 ms", "latency-100ms": "answers within 100 ms", "edge-deploy": "the small device",
    "cpu-serving": "serving on a CPU", "api-only-model": "the model behind the API",
    "wants-grpo": "reinforcement", "wants-ppo": "a reward model",
}  # fmt: skip


def flips(facts: Facts, settled: Settled) -> tuple[Flip, ...]:
    """What would change the verdict; for a verdict that trains nothing, ways to train come first."""
    found: dict[str, Flip] = {}
    leaf = walk(facts)[0]
    for change in _changes(facts, settled):
        if change.key in found:
            continue
        if change.path_only and walk(change.facts)[0] == leaf:
            continue
        other = settle(change.facts, change.stand_ins)
        if other.method == "infeasible" or _same(settled, other):
            continue
        found[change.key] = Flip(change=change.change, to=_label(settled, other), key=change.key, value=change.value)
    ordered = list(found.values())
    if settled.method not in TRAINING:
        ordered.sort(key=lambda each: each.to.split()[0] not in TRAINING)
    return tuple(ordered[:MOST])


def _same(one: Settled, other: Settled) -> bool:
    ours, theirs = (
        one.model.id if one.option and one.model else "",
        other.model.id if other.option and other.model else "",
    )
    return (one.method, ours) == (other.method, theirs)


def _label(settled: Settled, other: Settled) -> str:
    """The method, and the model where that is another one."""
    if other.model is None or other.option is None:
        return other.method
    same_model = settled.model is not None and settled.model.id == other.model.id
    return other.method if same_model or settled.model is None else f"{other.method} on {other.model.id}"


def _changes(facts: Facts, settled: Settled) -> Iterator[WhatIf]:
    """Every change worth a look, the most natural first."""
    if facts.spec.method == "auto":
        yield from _of_data(facts, settled)
        yield from _of_goal(facts)
    yield from _of_hardware(facts, settled)
    yield from _of_budget(facts, settled)
    yield from _of_model(facts, settled)
    yield from _of_constraints(facts)


def _of_data(facts: Facts, settled: Settled) -> Iterator[WhatIf]:
    """More rows, fewer rows, pairs, another licence."""
    rows = reading.demonstrations(facts)
    if not reading.final_answers_only(facts):
        for enough in (PILOT_FROM, STYLE_FROM, NORMAL_FROM):
            if rows < enough and settled.method in ("prompt", "needs-data", "rag"):
                said = f"{enough - rows} more examples" if rows else f"{enough} examples"
                yield WhatIf(
                    change=f"with {said}", key="data.demonstrations.rows", value=enough,
                    facts=what_if.with_rows(facts, enough), path_only=True,
                )  # fmt: skip
        if rows >= PILOT_FROM:
            yield WhatIf(
                change=f"fewer than {PILOT_FROM} examples", key="data.demonstrations.rows", value=PILOT_FROM - 1,
                facts=what_if.with_rows(facts, PILOT_FROM - 1), path_only=True,
            )  # fmt: skip
    if reading.feedback_type(facts) == "none" and settled.method in ("needs-data", "sft-lora", "sft-qlora", "sft-full"):
        yield WhatIf(
            change=f"with {PAIRS_FROM} preference pairs", key="data.feedback", value="paired",
            facts=what_if.with_pairs(facts, PAIRS_FROM), stand_ins=0,
        )  # fmt: skip
    if data_restriction(facts.spec.data.licence or "") and has(facts, "commercial"):
        yield WhatIf(
            change="with rows under a permissive licence", key="data.licence", value="apache-2.0",
            facts=what_if.with_licence(facts, "apache-2.0"),
        )  # fmt: skip
    success = reading.base_success(facts)
    if success is not None and success < 0.02:
        yield WhatIf(
            change="once one try in five earns the reward", key="data.feedback.base_success", value=0.2,
            facts=what_if.with_base_success(facts, 0.2),
        )  # fmt: skip


def _of_goal(facts: Facts) -> Iterator[WhatIf]:
    """What prompting achieves, how fast facts change, whether retrieval is there."""
    goal = facts.spec.goal
    for state, said in (
        ("sufficient", "if prompting turns out to be enough"),
        ("insufficient", "if prompting is not enough"),
    ):
        if goal.prompting != state:
            changed = what_if.with_prompting(facts, state)
            yield WhatIf(change=said, key="goal.prompting", value=state, facts=changed, path_only=True)
    pace = "weekly" if goal.knowledge in ("static", "slow") else "static"
    said = "facts that change weekly" if pace == "weekly" else "facts that stay as they are"
    slower = what_if.with_knowledge(facts, pace)
    yield WhatIf(change=said, key="goal.knowledge", value=pace, facts=slower, path_only=True)
    if not has(facts, "retrieval-available") and reading.demonstrations(facts) >= PILOT_FROM:
        changed = what_if.with_constraint(facts, "retrieval-available")
        yield WhatIf(
            change="with retrieval in place", key="constraints.retrieval-available", value=True, facts=changed,
            path_only=True,
        )  # fmt: skip


def _of_hardware(facts: Facts, settled: Settled) -> Iterator[WhatIf]:
    """More of the same cards, larger ones, or rented ones."""
    if settled.method in ("prompt", "rag", "needs-data"):
        return
    lacking = bool(settled.short) or settled.method == "infeasible"
    owned = [each for each in facts.machines if each.offer is None and each.device.kind == "cuda"]
    if owned and lacking:
        yield from _more_cards(facts, settled, owned[0])
        yield from _larger_cards(facts, settled, owned[0])
    cloudy = facts.spec.hardware.kind == "cloud" or has(facts, "no-cloud", "on-prem")
    if lacking and not cloudy and (facts.spec.budget.usd or 0) > 0:
        changed = what_if.rented(facts)
        yield WhatIf(change="on a rented machine", key="hardware.cloud", value="any", facts=changed, stand_ins=0)


def _more_cards(facts: Facts, settled: Settled, mine: Machine) -> Iterator[WhatIf]:
    """Twice as many of the same cards, or as many as it takes by the guess."""
    count, looks = mine.count * 2, 0
    while count * mine.nodes <= MOST_DEVICES and looks < LOOKS:
        whole = replace(mine, count=min(count, A_NODE), nodes=mine.nodes * max(1, count // A_NODE))
        changed = what_if.with_machine(facts, whole)
        if _worth_a_look(changed, settled, whole):
            said = f"a second {mine.device.name}" if count == 2 else f"{count * mine.nodes} x {mine.device.name}"
            yield WhatIf(change=f"with {said}", key="hardware.count", value=count, facts=changed, stand_ins=0)
            looks += 1
        count *= 2


def _larger_cards(facts: Facts, settled: Settled, mine: Machine) -> Iterator[WhatIf]:
    """The same number of larger cards."""
    for device in what_if.larger_cards(mine.device):
        bigger = replace(mine, device=device)
        changed = what_if.with_machine(facts, bigger)
        if _worth_a_look(changed, settled, bigger):
            said = f"on {bigger.count} x {device.name}" if bigger.count > 1 else f"on one {device.name}"
            yield WhatIf(change=said, key="hardware.gpu", value=device.name, facts=changed, stand_ins=0)


def _worth_a_look(changed: Facts, settled: Settled, machine: Machine) -> bool:
    """True where something that was missed should have room and time on that machine, by bounds and a guess."""
    for miss in settled.misses:
        candidate, model = miss.candidate, miss.stages[0].sheet.model
        method, adapter = candidate.method, candidate.adapter
        family = "adapter" if method.startswith("sft-") else method
        if hopeless(changed, family, adapter, model) or unshown(method, adapter, model, machine):
            continue
        if tightest(changed, method, adapter, model, machine) <= 1.0:
            return True
    return False


def _of_budget(facts: Facts, settled: Settled) -> Iterator[WhatIf]:
    """As much money or time as the nearest miss asks for; or as many rows as the ceilings pay for."""
    for miss in settled.misses:
        usd, time = miss.candidate.usd, miss.candidate.time
        if "memory" in miss.short or usd is None or time is None:
            continue
        changed, said = facts, []
        if "money" in miss.short:
            enough = float(math.ceil(usd.likely))
            changed = what_if.with_budget(changed, usd=enough)
            said.append(f"${enough:,.0f}")
        if "time" in miss.short:
            days = math.ceil(time.hours.likely / 24 * 10) / 10
            changed = what_if.with_budget(changed, deadline_days=days, hours=None)
            said.append(f"{days:g} days")
        if said:
            key = "budget.usd" if "money" in miss.short else "budget.deadline_days"
            yield WhatIf(change=f"at {' and '.join(said)}", key=key, value=said[0], facts=changed)
        part = _affordable(facts, usd.likely, time.hours.likely)
        rows = int(reading.demonstrations(facts) * part * 0.9)
        if part < 1 and rows >= NORMAL_FROM:
            rows = int(float(f"{rows:.2g}"))
            yield WhatIf(
                change=f"with {rows:,} of the rows", key="data.demonstrations.rows", value=rows,
                facts=what_if.with_rows(facts, rows),
            )  # fmt: skip


def _affordable(facts: Facts, usd: float, hours: float) -> float:
    """The share of the work that money and time pay for."""
    money = facts.spec.budget.usd
    parts = [hours_allowed(facts) / hours if hours else 1.0]
    if money is not None and usd > 0:
        parts.append(money / usd)
    return min(1.0, *parts)


def _of_model(facts: Facts, settled: Settled) -> Iterator[WhatIf]:
    """Another model, where only the one that was named stands in the way."""
    if settled.method in ("infeasible", "prompt") and not facts.spec.model.substitute:
        kept = tuple(each for each in facts.spec.constraints if each != "fixed-model")
        changed = what_if.with_model(facts, substitute=True)
        changed = replace(changed, spec=replace(changed.spec, constraints=kept), models=_with_others(facts))
        yield WhatIf(
            change="if another model may stand in", key="model.substitute", value=True, facts=changed, stand_ins=3
        )


def _with_others(facts: Facts) -> tuple[Architecture, ...]:
    from ftc.advisor.models import catalogue

    known = {each.id for each in facts.models}
    return (*facts.models, *(each for each in catalogue() if each.id not in known))


def _of_constraints(facts: Facts) -> Iterator[WhatIf]:
    """Without one of the wishes."""
    for word in facts.spec.constraints:
        if word in NEGOTIABLE:
            changed = what_if.without_constraint(facts, word)
            yield WhatIf(change=f"without {word}", key=f"constraints.{word}", value=False, facts=changed)


# --- instead ------------------------------------------------------------------------------------------------------


def instead(facts: Facts, settled: Settled, changes: tuple[Flip, ...]) -> str:
    """What to do where nothing is trained: the work that is due, and the nearest plan that trains."""
    if settled.method in TRAINING:
        return ""
    nearest = next((each for each in changes if each.to.split()[0] in TRAINING), None)
    then = f" Nearest plan that trains: {nearest.change}: {nearest.to}{_gives_up(nearest)}." if nearest else ""
    if settled.method == "infeasible":
        return f"{settled.trace[-1].because}.{then}"
    return f"{_due(facts, settled)}{then}"


def _gives_up(flip: Flip) -> str:
    """What the change costs, in words."""
    word = flip.key.removeprefix("constraints.")
    if word in NEGOTIABLE:
        return f" (gives up {NEGOTIABLE[word]})"
    return {
        "model.substitute": " (gives up the model asked for)",
        "hardware.count": " (takes more cards)",
        "hardware.gpu": " (takes a larger card)",
        "hardware.cloud": " (takes a rented machine)",
        "budget.usd": " (takes more money)",
        "budget.deadline_days": " (takes more time)",
        "data.licence": " (takes other rows)",
    }.get(flip.key, "")


def _due(facts: Facts, settled: Settled) -> str:
    """The work that the leaf asks for."""
    because = settled.trace[-1].because
    if settled.method == "rag":
        return f"{because}: index the sources, retrieve passages, answer from them and cite; score on 100 questions."
    if settled.method == "needs-data":
        return f"{because}. Collect first: {_what_to_collect(facts)}."
    rows = reading.demonstrations(facts)
    schema = ", decode against the schema" if facts.spec.goal.task in ("structured-output", "extraction") else ""
    examples = f"3 to 5 of the {rows:,} rows as examples" if rows >= 5 else "3 to 5 examples"
    kept = "; keep the other rows to score with" if rows > 10 else ""
    return f"Write the task down, put {examples} into the prompt{schema}, and score it{kept}."


def _what_to_collect(facts: Facts) -> str:
    """The cheapest signal that would do."""
    if data_restriction(facts.spec.data.licence or "") and has(facts, "commercial"):
        return "rows whose licence allows commercial use, in place of these"
    success = reading.base_success(facts)
    if success is not None and success < 0.02:
        return f"{NORMAL_FROM} worked solutions, from people or a teacher, as a warm start for the reward"
    kind = reading.feedback_type(facts)
    if kind in ("paired", "ranked", "to-collect"):
        return f"at least {PAIRS_FROM} pairs on which people agree (`ftc annotate`)"
    if kind == "binary":
        return f"at least {PAIRS_FROM} thumbs, 50 of them down"
    if has(facts, "teacher-allowed"):
        return f"{NORMAL_FROM} to 2,000 rows written by a teacher and checked by hand"
    return f"{NORMAL_FROM} demonstrations, or {PAIRS_FROM} pairs (`ftc annotate`)"
