"""What only the user knows and what could change the verdict, found by deciding again under each answer.

A question whose answers all lead to the same place is not asked. The most telling come first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from ftc.advisor import reading, what_if
from ftc.advisor.reading import has
from ftc.advisor.rules.choice import TRAINING
from ftc.advisor.rules.need import PILOT_FROM
from ftc.advisor.settle import Settled, settle
from ftc.advisor.values import Facts, Question

MOST = 4
Answers = Mapping[str, Callable[[], Facts]]


def questions(facts: Facts, settled: Settled) -> tuple[Question, ...]:
    """At most a handful, the one whose answers lead furthest apart first."""
    if facts.spec.method != "auto":
        return ()
    found: list[tuple[float, Question]] = []
    for key, text, answers in _open(facts, settled):
        outcomes = {answer: settle(changed()).method for answer, changed in answers.items()}
        if len(set(outcomes.values())) > 1:
            found.append((_spread(outcomes), Question(key=key, text=text, outcomes=outcomes)))
    found.sort(key=lambda pair: -pair[0])
    return tuple(question for _, question in found[:MOST])


def _spread(outcomes: Mapping[str, str]) -> float:
    """How far apart the answers lead: training or not counts more than which training."""
    methods = set(outcomes.values())
    trains = {method in TRAINING for method in methods}
    return len(methods) + 2.0 * (len(trains) - 1)


def _open(facts: Facts, settled: Settled) -> Iterator[tuple[str, str, Answers]]:
    """What the spec leaves open, with the facts under each answer."""
    goal, rows = facts.spec.goal, reading.demonstrations(facts)
    if goal.prompting == "untried":
        text = "What did a good prompt with a few examples achieve on held-out rows?"
        yield "goal.prompting", text, {
            "enough": lambda: what_if.with_prompting(facts, "sufficient"),
            "not enough": lambda: what_if.with_prompting(facts, "insufficient"),
        }  # fmt: skip
    if goal.task in reading.FACT_TASKS and goal.knowledge in ("static", "slow"):
        yield "goal.knowledge", "How often do the facts in the answers change?", {
            "hardly": lambda: what_if.with_knowledge(facts, "slow"),
            "every month or faster": lambda: what_if.with_knowledge(facts, "monthly"),
        }  # fmt: skip
    if settled.method == "rag" and rows >= PILOT_FROM and not has(facts, "retrieval-available"):
        yield "constraints", "Is retrieval in place, and do the rows hold its passages?", {
            "yes": lambda: what_if.with_constraint(facts, "retrieval-available"),
            "no": lambda: facts,
        }  # fmt: skip
    if reading.feedback_type(facts) in ("verifiable", "validator-available") and reading.base_success(facts) is None:
        yield "data.feedback.base_success", "On how many tries in a hundred does the base model earn the reward?", {
            "none": lambda: what_if.with_base_success(facts, 0.0),
            "some": lambda: what_if.with_base_success(facts, 0.3),
            "nearly all": lambda: what_if.with_base_success(facts, 0.99),
        }  # fmt: skip
    if facts.spec.data.licence is None and has(facts, "commercial") and reading.from_teacher(facts):
        yield "data.licence", "Do the terms of the teacher's provider allow training on its outputs?", {
            "yes": lambda: what_if.with_licence(facts, "apache-2.0"),
            "no": lambda: what_if.with_licence(facts, "restricted outputs"),
        }  # fmt: skip
    if reading.pairs(facts) and facts.spec.data.feedback and facts.spec.data.feedback.agreement is None:
        yield "data.feedback.agreement", "On what share of pairs do two people agree?", {
            "three in four": lambda: _agreed(facts, 0.75),
            "half, as by chance": lambda: _agreed(facts, 0.5),
        }  # fmt: skip


def _agreed(facts: Facts, share: float) -> Facts:
    from dataclasses import replace

    data = facts.spec.data
    if data.feedback is None:
        return facts
    feedback = replace(data.feedback, agreement=share)
    return what_if.with_spec(facts, replace(facts.spec, data=replace(data, feedback=feedback)))
