"""Facts to verdict: what was settled, with its settings, its warnings, what lost and what would change it.

Deterministic: the same facts give the same verdict. Prints nothing and reads nothing.
"""

from __future__ import annotations

from dataclasses import replace

from ftc.advisor.alternatives import losers
from ftc.advisor.confidence import confidence
from ftc.advisor.flips import flips, instead
from ftc.advisor.frontier import offers
from ftc.advisor.questions import questions
from ftc.advisor.rules.choice import Choice
from ftc.advisor.rules.registry import WARNINGS
from ftc.advisor.rules.settings_shape import longest
from ftc.advisor.settings import settings, unwise
from ftc.advisor.settle import Settled, nearest, settle
from ftc.advisor.values import Facts, Finding, Setting, Verdict


def decide(facts: Facts) -> Verdict:
    """The verdict with its reasons, its price, what lost and what would change it."""
    settled = settle(facts)
    changes = flips(facts, settled)
    asked = questions(facts, settled)
    sure, because = confidence(facts, settled, asked)
    return replace(
        _decided(facts, settled),
        alternatives=losers(facts, settled),
        flips=changes,
        questions=asked,
        confidence=sure,
        confidence_because=because,
        instead=instead(facts, settled, changes),
        offers=offers(facts, settled.option) if settled.option else {},
    )


def decide_at_once(facts: Facts) -> Verdict:
    """The decision with its path, settings and warnings, without all that is found by deciding again: what lost, what
    would change it, how sure it is. For a screen that follows a slider; `decide` gives the rest."""
    return _decided(facts, settle(facts))


def _decided(facts: Facts, settled: Settled) -> Verdict:
    """What `decide` and `decide_at_once` share."""
    values = settings_of(settled)
    notes = (*warnings(choice_of(facts, settled)), *unwise(values))
    return Verdict(
        method=settled.method,
        adapter=settled.adapter,
        model=settled.model.id if settled.model else facts.spec.model.base,
        chosen=settled.option.candidate if settled.option else None,
        settings=values,
        trace=settled.trace,
        flags=tuple(sorted({each.flag for each in notes if each.flag})),
        notes=notes,
        alternatives=(),
        flips=(),
        questions=(),
        confidence="medium",
        instead="" if settled.option else settled.trace[-1].because,
    )


def choice_of(facts: Facts, settled: Settled) -> Choice:
    """What the warnings look at."""
    option, closest = settled.option, nearest(settled.misses)
    sheet = option.stages[0].sheet if option else None
    return Choice(
        facts=facts,
        method=settled.method,
        adapter=settled.adapter,
        model=settled.model,
        candidate=option.candidate if option else None,
        asked=closest.candidate if closest else None,
        short=settled.short,
        reason=settled.reason,
        max_length=option.stages[0].setup.seq_len if option else 0,
        p99_tokens=int(longest(sheet)) if sheet else 0,
    )


def warnings(choice: Choice) -> tuple[Finding, ...]:
    """Every warning that is raised, in the registry's order."""
    return tuple(found for rule in WARNINGS if (found := rule.raised(choice)) is not None)


def settings_of(settled: Settled) -> dict[str, Setting]:
    """The hyper-parameters of every stage; empty where nothing is trained."""
    option = settled.option
    if option is None:
        return {}
    main = next(each for each in option.stages if each.setup is option.candidate.setup)
    return settings(option.stages, main)
