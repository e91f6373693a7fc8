"""What would change the verdict, what is worth asking, and how sure the verdict is."""

from __future__ import annotations

from typing import Any

import pytest

from ftc.advisor import what_if
from ftc.advisor.confidence import confidence
from ftc.advisor.decide import decide
from ftc.advisor.flips import flips
from ftc.advisor.questions import questions
from ftc.advisor.rules.choice import TRAINING
from ftc.advisor.settle import settle
from tests.advisor_facts import facts_with

# what of the usual spec is changed, the key of a flip, where it leads
FLIPS: list[tuple[dict[str, Any], str, str]] = [
    ({}, "data.demonstrations.rows", "prompt"),
    ({}, "goal.prompting", "prompt"),
    ({"goal.task": "qa"}, "goal.knowledge", "rag"),
    ({"data.demonstrations.rows": 120, "goal.prompting": "untried"}, "data.demonstrations.rows", "sft-lora"),
    ({"hardware": {"gpu": "rtx3060", "count": 1}}, "hardware.gpu", "sft-lora"),
    ({"model.base": "Qwen/Qwen2.5-32B-Instruct", "hardware": {"gpu": "a6000", "count": 1}}, "hardware.gpu", "sft-lora"),
    ({"data.licence": "cc-by-nc-4.0", "constraints": ["commercial"]}, "data.licence", "sft-lora"),
    ({"constraints": ["no-training"]}, "constraints.no-training", "sft-lora"),
    ({"hardware": {"gpu": "rtx4090", "count": 1}, "constraints": ["full-only", "fixed-model"]}, "constraints.full-only",
     "sft-lora"),
    ({"budget.deadline_days": 0.02, "model.substitute": False}, "budget.deadline_days", "sft-lora"),
    ({"hardware": {"cloud": "any"}, "budget.usd": 0.05, "model.substitute": False}, "budget.usd", "sft-lora"),
    ({"goal.task": "qa", "goal.knowledge": "weekly"}, "constraints.retrieval-available", "sft-lora"),
]  # fmt: skip


@pytest.mark.parametrize(("changes", "key", "leads_to"), FLIPS)
def test_flip(changes: dict[str, Any], key: str, leads_to: str) -> None:
    facts = facts_with(changes)
    found = {flip.key: flip for flip in flips(facts, settle(facts))}
    assert key in found, list(found)
    assert found[key].to.split()[0] == leads_to
    assert found[key].change


def test_flips_lead_elsewhere_and_never_to_nothing() -> None:
    for changes in ({}, {"data.demonstrations.rows": 30}, {"goal.task": "qa", "goal.knowledge": "daily"}):
        facts = facts_with(changes)
        verdict = decide(facts)
        for flip in verdict.flips:
            assert flip.to != verdict.method
            assert not flip.to.startswith("infeasible")


def test_the_number_of_rows_in_a_flip_is_the_least() -> None:
    facts = facts_with({"data.demonstrations.rows": 440, "goal.prompting": "untried"})
    (flip,) = [each for each in flips(facts, settle(facts)) if each.key == "data.demonstrations.rows"]
    assert flip.change == "with 60 more examples"
    assert settle(what_if.with_rows(facts, 500)).method == flip.to
    assert settle(what_if.with_rows(facts, 499)).method not in TRAINING


def test_an_infeasible_verdict_names_the_nearest_plan_and_what_it_gives_up() -> None:
    changes = {"hardware": {"gpu": "rtx4090", "count": 1}, "constraints": ["full-only", "fixed-model", "no-cloud"]}
    verdict = decide(facts_with(changes))
    assert verdict.method == "infeasible"
    assert "Nearest plan that trains" in verdict.instead
    assert "(" in verdict.instead


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"goal.prompting": "untried", "data.demonstrations.rows": 300}, "goal.prompting"),
        ({"goal.task": "qa"}, "goal.knowledge"),
        ({"goal.task": "reasoning", "data": {"feedback": {"type": "verifiable", "rows": 900}}},
         "data.feedback.base_success"),
        ({"data": {"feedback": {"type": "paired", "rows": 6000}}}, "data.feedback.agreement"),
        ({"goal.task": "qa", "goal.knowledge": "weekly"}, "constraints"),
    ],
)  # fmt: skip
def test_question(changes: dict[str, Any], key: str) -> None:
    facts = facts_with(changes)
    found = {question.key: question for question in questions(facts, settle(facts))}
    assert key in found, list(found)
    assert len(set(found[key].outcomes.values())) > 1


def test_no_question_whose_answers_lead_to_one_place() -> None:
    facts = facts_with({"goal.task": "classification"})
    assert all(len(set(each.outcomes.values())) > 1 for each in questions(facts, settle(facts)))
    assert "goal.knowledge" not in {each.key for each in questions(facts, settle(facts))}
    assert questions(facts_with(method="sft-lora"), settle(facts_with(method="sft-lora"))) == ()


@pytest.mark.parametrize(
    ("changes", "sure"),
    [
        ({}, "high"),
        ({"data.demonstrations.rows": 480}, "medium"),
    ],
)
def test_confidence(changes: dict[str, Any], sure: str) -> None:
    facts = facts_with(changes)
    settled = settle(facts)
    found, because = confidence(facts, settled, questions(facts, settled))
    assert found == sure, because
    assert because


def test_confidence_is_low_where_the_deadline_lies_inside_the_estimate() -> None:
    chosen = decide(facts_with()).chosen
    assert chosen is not None
    assert chosen.time is not None
    between = (chosen.time.hours.likely + chosen.time.hours.high) / 2
    verdict = decide(facts_with({"budget.deadline_days": between / 24, "model.substitute": False}))
    assert verdict.method == "sft-lora"
    assert verdict.confidence == "low"
    assert "allowed" in verdict.confidence_because
