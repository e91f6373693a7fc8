"""Facts as they would be with one line of the spec changed. No data is read again, no catalogue but prices and GPUs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import cast

from ftc.advisor.gpus import gpus
from ftc.advisor.machine import machines
from ftc.advisor.values import Device, Facts, Machine
from ftc.spec.model import Feedback, Goal, Hardware, Knowledge, Prompting, Scalar, Spec
from ftc.spec.profile import FeedbackProfile, Lengths, SetProfile


@dataclass(frozen=True, slots=True, kw_only=True)
class WhatIf:
    """A change in words, the key and value that would be written, and the facts that follow."""

    change: str
    key: str
    value: Scalar
    facts: Facts
    path_only: bool = False  # it changes the way through the tree or nothing: memory, time and money stay as they are
    stand_ins: int = 7  # other models that are weighed for it


def with_spec(facts: Facts, spec: Spec) -> Facts:
    """The facts under another spec over the same data and machines."""
    return replace(facts, spec=spec)


def with_goal(facts: Facts, **changes: object) -> Facts:
    """The facts with another goal."""
    goal: Goal = replace(facts.spec.goal, **changes)  # type: ignore[arg-type]
    return with_spec(facts, replace(facts.spec, goal=goal))


def with_prompting(facts: Facts, state: str) -> Facts:
    """As if prompting had achieved `state`."""
    return with_goal(facts, prompting=cast(Prompting, state))


def with_knowledge(facts: Facts, pace: str) -> Facts:
    """As if the facts changed at that pace."""
    return with_goal(facts, knowledge=cast(Knowledge, pace))


def with_budget(facts: Facts, **changes: float | None) -> Facts:
    """The facts with another budget."""
    return with_spec(facts, replace(facts.spec, budget=replace(facts.spec.budget, **changes)))


def with_model(facts: Facts, **changes: object) -> Facts:
    """The facts with another line about the model."""
    return with_spec(facts, replace(facts.spec, model=replace(facts.spec.model, **changes)))  # type: ignore[arg-type]


def without_constraint(facts: Facts, word: str) -> Facts:
    """The facts with one constraint struck out."""
    kept = tuple(each for each in facts.spec.constraints if each != word)
    return with_spec(facts, replace(facts.spec, constraints=kept))


def with_constraint(facts: Facts, word: str) -> Facts:
    """The facts with one constraint more."""
    return with_spec(facts, replace(facts.spec, constraints=(*facts.spec.constraints, word)))


def with_licence(facts: Facts, licence: str) -> Facts:
    """As if the data were under that licence."""
    return with_spec(facts, replace(facts.spec, data=replace(facts.spec.data, licence=licence)))


def with_rows(facts: Facts, rows: int) -> Facts:
    """As if there were so many demonstrations of the same kind."""
    profile = facts.profile
    old = profile.demonstrations
    if old is None:
        old = SetProfile(role="demonstrations", format="prompt-completion", rows=0, rows_read=0, described=True)
    grown = resized(old, rows)
    held = min(profile.held_out_rows or max(100, rows // 10), rows // 2) if profile.evaluation is None else 0
    changed = replace(
        profile, demonstrations=grown, train_rows=rows - held, held_out_rows=profile.held_out_rows or held
    )
    return replace(facts, profile=changed)


def resized(old: SetProfile, rows: int) -> SetProfile:
    """The set with another number of rows of the same lengths."""
    share = rows / old.rows if old.rows else 1.0

    def scaled(lengths: Lengths | None) -> Lengths | None:
        return replace(lengths, total=round(lengths.total * share)) if lengths else None

    return replace(
        old, rows=rows, rows_read=rows, prompt=scaled(old.prompt), completion=scaled(old.completion),
        sequence=scaled(old.sequence), classes=tuple((label, max(1, round(n * share))) for label, n in old.classes),
        histogram=tuple((length, round(n * share)) for length, n in old.histogram),
    )  # fmt: skip


def with_pairs(facts: Facts, rows: int) -> Facts:
    """As if there were so many preference pairs beside everything else."""
    like = facts.profile.demonstrations
    lengths = (
        resized(like, rows) if like and like.rows else SetProfile(role="feedback", format="", rows=rows, rows_read=rows)
    )
    pairs = replace(lengths, role="feedback", format="preference-pairs", rows=rows, rows_read=rows, described=True)
    feedback = FeedbackProfile(type="paired", set=pairs)
    data = replace(facts.spec.data, feedback=Feedback(type="paired"))
    return replace(facts, profile=replace(facts.profile, feedback=feedback), spec=replace(facts.spec, data=data))


def with_base_success(facts: Facts, share: float) -> Facts:
    """As if the base model earned the reward on that share of tries."""
    feedback = replace(facts.spec.data.feedback or Feedback(type="verifiable"), base_success=share)
    return with_spec(facts, replace(facts.spec, data=replace(facts.spec.data, feedback=feedback)))


def with_machine(facts: Facts, machine: Machine) -> Facts:
    """As if one owned that machine."""
    hardware = Hardware(kind="owned", gpu=machine.device.name, count=machine.count, nodes=machine.nodes)
    return replace(facts, machines=(machine,), spec=replace(facts.spec, hardware=hardware))


def rented(facts: Facts) -> Facts:
    """As if one rented."""
    hardware = Hardware(kind="cloud", clouds=("any",))
    found, _ = machines(hardware)
    return replace(facts, machines=found, spec=replace(facts.spec, hardware=hardware))


def larger_cards(device: Device) -> tuple[Device, ...]:
    """One card of each usual larger memory (24, 48, 80, 141 GB), of the same make, smallest first."""
    usual = {"RTX 4090": 24, "RTX A6000": 48, "A100 80GB": 80, "H200": 141}
    named = [
        each for each in gpus() if each.name.removesuffix(" SXM") in usual and each.memory_gib > 1.2 * device.memory_gib
    ]
    return tuple(sorted(named, key=lambda each: each.memory_gib))
