"""The search: floors and ceilings, machines in order, the frontier, the offers."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ftc.advisor.ceilings import hours_allowed, on_policy_floor_gib, published_floor_gb, usable_gib
from ftc.advisor.decide import decide
from ftc.advisor.frontier import front, frontier, machines_of_catalogue
from ftc.advisor.model_choice import ranked, size_cap
from ftc.advisor.models import catalogue
from ftc.advisor.scaling import COUNTS
from ftc.advisor.search import best, method_of, on_machines, option
from ftc.advisor.settle import settle
from ftc.advisor.values import Adapter, Architecture
from tests.advisor_facts import facts_with, on, on_cpu


def model(name: str) -> Architecture:
    return next(each for each in catalogue() if each.id == name)


@pytest.mark.parametrize(
    ("name", "adapter", "floor"),
    [
        ("Qwen/Qwen2.5-32B-Instruct", "qlora", 26.0),
        ("meta-llama/Llama-3.1-70B-Instruct", "qlora", 41.0),
        ("meta-llama/Llama-3.1-70B-Instruct", "lora", 164.0),
        ("Qwen/Qwen2.5-0.5B-Instruct", "lora", 0.0),
        ("Qwen/Qwen2.5-32B-Instruct", "full", 0.0),
    ],
)
def test_published_floor(name: str, adapter: Adapter, floor: float) -> None:
    assert published_floor_gb(adapter, model(name)) == pytest.approx(floor, rel=0.03)


def test_floors_grow_with_size() -> None:
    sizes = sorted((each for each in catalogue() if not each.experts), key=lambda each: each.parameters)
    for adapter in ("lora", "qlora"):
        floors = [published_floor_gb(adapter, each) for each in sizes]  # type: ignore[arg-type]
        assert floors == sorted(floors)
    assert on_policy_floor_gib("sft-lora", "lora", sizes[-1]) == 0
    assert on_policy_floor_gib("grpo", "lora", model("Qwen/Qwen2.5-7B-Instruct")) < 80


def test_the_nearer_end_counts() -> None:
    assert hours_allowed(facts_with(budget={"hours": 5, "deadline_days": 1})) == 5
    assert hours_allowed(facts_with(budget={"deadline_days": 1})) == 24
    assert hours_allowed(facts_with(budget={})) == float("inf")


def test_room_is_less_than_memory() -> None:
    for facts in (facts_with(), on_cpu(facts_with()), on(facts_with(), "m2-max", 64)):
        machine = facts.machines[0]
        assert 0 < usable_gib(machine) < machine.device.memory_gib


def test_what_fits_fits_and_what_does_not_says_why() -> None:
    facts = on(facts_with(), "rtx3060")
    small, large = (
        option(facts, method_of("adapter", adapter), adapter, model("Qwen/Qwen2.5-7B-Instruct"), facts.machines[0])
        for adapter in ("qlora", "lora")
    )
    assert not small.short
    assert small.candidate.memory is not None
    assert small.candidate.memory.device.high <= usable_gib(facts.machines[0])
    assert large.short == {"memory"}
    assert "GiB" in large.candidate.why_not


def test_cheapest_machine_for_a_balanced_goal_fastest_for_a_fast_one() -> None:
    cloud = {"hardware": {"cloud": "any", "gpus": ["h100"]}}
    usual, fast = facts_with(cloud), facts_with({**cloud, "goal.quality": "fast"})
    architecture = model("Qwen/Qwen2.5-7B-Instruct")
    cheap = on_machines(usual, "sft-lora", "lora", architecture, usual.machines)
    quick = on_machines(fast, "sft-lora", "lora", architecture, fast.machines)
    assert cheap is not None
    assert quick is not None
    everything = [option(usual, "sft-lora", "lora", architecture, each) for each in usual.machines]
    feasible = [each.candidate for each in everything if not each.short]
    assert cheap.candidate.usd is not None
    assert quick.candidate.time is not None
    assert cheap.candidate.usd.likely == pytest.approx(min(each.usd.likely for each in feasible if each.usd))
    assert quick.candidate.time.hours.likely <= min(each.time.hours.likely for each in feasible if each.time) * 1.01


def test_best_without_machines_is_nothing() -> None:
    assert best(facts_with(), "sft-lora", "lora", [model("Qwen/Qwen2.5-7B-Instruct")], ()) is None


# --- models -------------------------------------------------------------------------------------------------------


def test_auto_picks_the_largest_within_the_cap() -> None:
    first = ranked(facts_with(model={"base": "auto", "max_parameters": "8b"}))[0]
    assert 7e9 < first.parameters < 8.6e9
    assert not first.gated


@pytest.mark.parametrize(("word", "most"), [("latency-50ms", 1.8e9), ("latency-100ms", 4.2e9), ("edge-deploy", 4.2e9)])
def test_the_place_to_run_caps_the_size(word: str, most: float) -> None:
    facts = facts_with(model={"base": "auto"}, constraints=[word])
    assert size_cap(facts) == (most, word)
    assert all(each.parameters <= most for each in ranked(facts))


def test_licences_are_kept() -> None:
    facts = facts_with(model={"base": "auto"}, constraints=["commercial"])
    assert all("research" not in each.licence and "mnpl" not in each.licence.lower() for each in ranked(facts))


def test_a_named_model_comes_first_and_a_fixed_one_alone() -> None:
    assert ranked(facts_with())[0].id == "Qwen/Qwen2.5-7B-Instruct"
    assert len(ranked(facts_with())) > 1
    assert [each.id for each in ranked(facts_with(constraints=["fixed-model"]))] == ["Qwen/Qwen2.5-7B-Instruct"]


def test_the_language_decides_the_stand_in() -> None:
    facts = facts_with({"model.base": "meta-llama/Llama-3.1-8B-Instruct", "goal.language": "sw"})
    assert settle(facts).model is not None
    assert settle(facts).model.id.startswith(("Qwen/Qwen3", "google/gemma-3"))  # type: ignore[union-attr]


# --- frontier and offers ------------------------------------------------------------------------------------------


def test_the_catalogue_has_every_card_that_is_rented_in_every_count() -> None:
    machines = machines_of_catalogue()
    cards = {each.device.name for each in machines}
    assert len(cards) >= 15
    assert {each.devices for each in machines} == set(COUNTS)
    assert all(each.usd_per_hour > 0 for each in machines)


def test_nothing_on_the_front_is_beaten() -> None:
    found = front(catalogue()[:40], machines_of_catalogue())
    assert found
    for one in found:
        for other in found:
            if one is not other:
                assert not (
                    other.quality > one.quality
                    and other.usd < one.usd
                    and other.hours < one.hours
                    and other.spare > one.spare
                )


def test_the_frontier_marks_what_nothing_beats() -> None:
    facts = facts_with(model={"base": "auto"}, hardware={"cloud": "any"}, budget={"usd": 50, "deadline_days": 7})
    found = frontier(replace(facts, machines=machines_of_catalogue()))
    assert found
    marked = [each for each in found if each.pareto]
    assert marked
    assert all(each.feasible for each in marked)
    assert list(found) == sorted(found, key=lambda each: (not each.feasible, not each.pareto, -each.quality))


def test_offers_are_what_they_are_called() -> None:
    facts = facts_with(hardware={"cloud": "any"})
    offers = decide(facts).offers
    assert set(offers) == {"cheapest", "fastest", "safest"}
    usd = {name: each.usd.likely for name, each in offers.items() if each.usd}
    hours = {name: each.time.hours.likely for name, each in offers.items() if each.time}
    assert usd["cheapest"] == min(usd.values())
    assert hours["fastest"] == min(hours.values())
    assert all(each.feasible for each in offers.values())
    assert decide(facts_with()).offers == {}
