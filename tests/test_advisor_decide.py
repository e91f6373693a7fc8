"""The decision as a whole: settings and their origins, given methods, overrides, the tiny model, what always holds."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ftc.advisor.decide import decide
from ftc.advisor.observe import observe
from ftc.advisor.overrides import ALLOWED, check_overrides
from ftc.advisor.rules.choice import TRAINING
from ftc.advisor.rules.registry import SETTINGS
from ftc.advisor.settle import settle
from ftc.advisor.values import Facts
from ftc.advisor.verdict_json import verdict_json
from ftc.advisor.what_if import with_rows
from ftc.spec.diagnostics import errors
from tests.advisor_facts import BASE, changed, facts_of, facts_with, on, on_cpu

TINY: dict[str, Any] = {
    "goal": {"task": "classification", "domain": "customer-support"},
    "data": {"demonstrations": {"rows": 10003, "prompt_tokens": 14, "completion_tokens": 5, "format": "text-label"}},
    "model": {"base": "builtin:tiny"},
    "hardware": {"gpu": "none", "host_memory_gib": 16},
    "budget": {"hours": 8},
}
PAIRS = {"feedback": {"type": "paired", "rows": 6000, "prompt_tokens": 200, "completion_tokens": 200}}

# what of the usual spec is changed, the setting, its value
VALUES: list[tuple[dict[str, Any], str, object]] = [
    ({}, "lora.rank", 16),
    ({}, "lora.alpha", 32),
    ({}, "lora.targets", "all-linear"),
    ({}, "lora.rslora", False),
    ({}, "learning_rate", 2e-4),
    ({"model.base": "Qwen/Qwen2.5-32B-Instruct"}, "learning_rate", 1e-4),
    ({"model.base": "Qwen/Qwen2.5-1.5B-Instruct"}, "learning_rate", 3e-4),
    ({"method": "sft-full", "hardware.count": 8}, "learning_rate", 1e-5),
    ({"data": PAIRS}, "learning_rate", 5e-6),
    ({"data": PAIRS}, "dpo.beta", 0.1),
    ({"data": PAIRS}, "epochs", 1.0),
    ({"data": PAIRS}, "packing", False),
    ({"data.demonstrations.rows": 300}, "epochs", 4.0),
    ({"data.demonstrations.rows": 3000}, "epochs", 3.0),
    ({"data.demonstrations.rows": 9000}, "epochs", 2.0),
    ({"data.demonstrations.rows": 900}, "lora.dropout", 0.05),
    ({"data.demonstrations.rows": 9000}, "lora.dropout", 0.0),
    ({}, "dtype", "bf16"),
    ({"hardware": {"gpu": "t4", "count": 1}}, "dtype", "fp16"),
    ({"method": "sft-qlora"}, "max_grad_norm", 0.3),
    ({"method": "sft-qlora"}, "quantization.type", "nf4"),
    ({}, "max_grad_norm", 1.0),
    ({}, "loss_on", "completion"),
    ({"seed": 7}, "seed", 7),
    ({"data": {"feedback": {"type": "binary", "rows": 40000, "positive": 30000, "negative": 10000}}},
     "kto.undesirable_weight", 3.0),
    ({"data": {"feedback": {"type": "binary", "rows": 40000, "positive": 10000, "negative": 30000}}},
     "kto.desirable_weight", 3.0),
    ({"goal.task": "reasoning", "data": {"feedback": {"type": "verifiable", "rows": 900, "base_success": 0.1}}},
     "grpo.group", 16),
    ({"goal.task": "reasoning", "data": {"feedback": {"type": "verifiable", "rows": 900, "base_success": 0.5}}},
     "grpo.group", 8),
]  # fmt: skip


@pytest.mark.parametrize(("changes", "key", "value"), VALUES)
def test_setting(changes: dict[str, Any], key: str, value: object) -> None:
    setting = decide(facts_with(changes)).settings[key]
    assert setting.value == value, setting
    assert setting.origin.startswith(("rule H", "spec "))


@pytest.mark.parametrize(
    "changes", [{}, {"method": "sft-qlora"}, {"method": "sft-full", "hardware.count": 4}, {"data": PAIRS}]
)
def test_settings_are_whole_and_agree(changes: dict[str, Any]) -> None:
    verdict = decide(facts_with(changes))
    value = {key: setting.value for key, setting in verdict.settings.items()}
    assert verdict.chosen is not None
    assert verdict.chosen.setup is not None
    setup = verdict.chosen.setup
    assert value["micro_batch"] == setup.micro_batch
    assert value["gradient_accumulation"] == setup.grad_accum
    assert value["max_length"] == setup.seq_len
    assert value["checkpointing"] is (setup.checkpointing == "full")
    assert value["micro_batch"] * value["gradient_accumulation"] * setup.devices == value["effective_batch"]  # type: ignore[operator]
    assert ("lora.rank" in value) is (verdict.adapter != "full")
    assert ("quantization.type" in value) is (verdict.adapter == "qlora")
    for key, setting in verdict.settings.items():
        assert setting.because, key
        if setting.low is not None and setting.high is not None and isinstance(setting.value, int | float):
            assert setting.low <= setting.value <= setting.high, key


def test_rank_grows_with_what_is_to_be_learned() -> None:
    ranks = []
    for rows in (5_000, 100_000, 300_000, 700_000):
        facts = facts_with({"data.demonstrations.rows": rows, "hardware.count": 8, "method": "sft-lora", "budget": {}})
        ranks.append(decide(facts).settings["lora.rank"].value)
    assert ranks == sorted(ranks)
    assert ranks[0] == 16
    assert ranks[-1] in (128, 256)


def test_at_least_a_hundred_steps_where_rows_allow() -> None:
    for rows in (300, 600, 1200, 5000, 50_000):
        verdict = decide(facts_with({"data.demonstrations.rows": rows}))
        seen = rows * float(verdict.settings["epochs"].value)
        assert int(verdict.settings["steps"].value) >= min(100, seen * 0.8 / 4)


# --- given methods ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["sft-full", "sft-lora", "sft-qlora"])
def test_given_method_runs_on_the_tiny_model(method: str) -> None:
    verdict = decide(on_cpu(facts_of(changed(TINY, {"method": method}))))
    assert verdict.method == method
    assert verdict.chosen is not None
    assert verdict.chosen.feasible
    assert "M190" in {step.code for step in verdict.trace}
    assert verdict.settings["dtype"].value == "fp32"
    assert verdict.settings["attention"].value in ("sdpa", "eager")
    assert verdict.settings["packing"].value is False
    assert float(verdict.settings["learning_rate"].value) >= 5e-4


def test_the_advisor_tunes_the_tiny_model_by_itself() -> None:
    verdict = decide(on_cpu(facts_of(TINY)))
    assert verdict.method.startswith("sft-")
    assert verdict.settings["learning_rate"].value == 5e-3


@pytest.mark.parametrize("method", ["dpo", "kto", "grpo", "rlhf", "sft+dpo", "cpt+sft"])
def test_given_method_without_what_it_learns_from(method: str) -> None:
    verdict = decide(facts_with(method=method))
    assert verdict.method == "needs-data"
    assert verdict.trace[-1].code == "M191"
    assert method in verdict.instead


def test_given_method_that_does_not_fit() -> None:
    verdict = decide(on(facts_with({"method": "sft-lora", "model.substitute": False}), "rtx3060"))
    assert verdict.method == "infeasible"
    assert "memory_shortfall" in verdict.flags
    assert verdict.instead


def test_given_answers_that_train_nothing() -> None:
    for method in ("prompt", "rag"):
        assert decide(facts_with(method=method)).method == method


# --- overrides ----------------------------------------------------------------------------------------------------


def test_overrides_win_and_say_so() -> None:
    given_values = {"learning_rate": 1.0e-4, "lora.rank": 32, "epochs": 5, "max_length": 512, "neftune_alpha": 5.0}
    verdict = decide(facts_with(overrides=given_values))
    for key, value in given_values.items():
        assert verdict.settings[key].value == value
        assert verdict.settings[key].origin == f"spec overrides.{key}"
    assert verdict.settings["lora.alpha"].value == 64
    assert verdict.chosen is not None
    assert verdict.chosen.setup is not None
    assert verdict.chosen.setup.lora_rank == 32
    assert verdict.chosen.setup.seq_len == 512


@pytest.mark.parametrize(
    ("overrides", "code"),
    [
        ({"lora.rnak": 8}, "S130"),
        ({"lora.rank": "wide"}, "S131"),
        ({"lora.rank": 1.5}, "S131"),
        ({"packing": 1}, "S131"),
        ({"scheduler": "wavy"}, "S131"),
        ({"learning_rate": 7.0}, "S132"),
        ({"lora.dropout": -0.1}, "S132"),
        ({"save_steps": 30, "eval_steps": 20}, "S135"),
        ({"sft.save_steps": 10, "eval_steps": 20}, "S135"),
    ],
)
def test_wrong_overrides(overrides: dict[str, Any], code: str) -> None:
    spec = replace(facts_with().spec, overrides=overrides)
    (found,) = errors(check_overrides(spec))
    assert (found.code, found.key) == (code, f"overrides.{next(iter(overrides))}")


@pytest.mark.parametrize(
    "overrides",
    [
        {"save_steps": 40, "eval_steps": 20},
        {"save_steps": 30},
        {"eval_steps": 7},
        {"sft.save_steps": 7, "dpo.eval_steps": 2},
    ],
)
def test_checkpoints_with_evaluations_are_no_error(overrides: dict[str, Any]) -> None:
    assert check_overrides(replace(facts_with().spec, overrides=overrides)) == []


def test_policies_keep_their_last_checkpoint() -> None:
    spec = facts_with().spec
    assert check_overrides(replace(spec, method="grpo", overrides={"save_steps": 30, "eval_steps": 20})) == []


@pytest.mark.parametrize("save_steps", [1, 7, 13, 30, 64, 97, 100_000])
def test_every_checkpoint_is_evaluated(save_steps: int) -> None:
    facts = facts_with(overrides={"save_steps": save_steps})
    settings = decide(facts).settings
    assert settings["save_steps"].value == save_steps
    assert save_steps % settings["eval_steps"].value == 0  # type: ignore[operator]


def test_wrong_overrides_stand_in_the_way() -> None:
    spec = replace(facts_with().spec, overrides={"lora.rank": "wide"})
    facts, diagnostics = observe(spec)
    assert facts is None
    assert [each.code for each in errors(diagnostics)] == ["S131"]


def test_every_setting_may_be_overridden() -> None:
    assert {rule.name for rule in SETTINGS} <= set(ALLOWED)


def test_unwise_overrides_are_remarked_on() -> None:
    verdict = decide(facts_with(overrides={"learning_rate": 0.05}))
    assert any(note.code == "H310" for note in verdict.notes)
    assert not any(note.code == "H310" for note in decide(facts_with(overrides={"learning_rate": 2e-4})).notes)


# --- what always holds --------------------------------------------------------------------------------------------


def test_same_facts_same_verdict() -> None:
    facts = facts_with()
    assert verdict_json(decide(facts)) == verdict_json(decide(facts))


@pytest.mark.parametrize("order", range(3))
def test_the_order_of_keys_changes_nothing(order: int) -> None:
    spec = changed(BASE, {"constraints": ["commercial", "on-prem"], "data.contains": ["pii"]})
    shuffled = _shuffled(spec, random.Random(order))
    assert verdict_json(decide(facts_of(shuffled))) == verdict_json(decide(facts_of(spec)))


def _shuffled(value: Any, chance: random.Random) -> Any:
    if isinstance(value, dict):
        items = list(value.items())
        chance.shuffle(items)
        return {key: _shuffled(each, chance) for key, each in items}
    return yaml.safe_load(yaml.safe_dump(value))


def test_the_order_of_constraints_changes_nothing() -> None:
    one = decide(facts_with(constraints=["commercial", "spot-ok", "no-cloud"]))
    other = decide(facts_with(constraints=["no-cloud", "commercial", "spot-ok"]))
    assert (one.method, one.flags) == (other.method, other.flags)


FEASIBLE = st.sampled_from(["sft-full", "sft-lora", "sft-qlora"])
LESS_WORK = settings(
    max_examples=25, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)  # fmt: skip
FACTS: dict[str, Facts] = {}


def _facts(method: str) -> Facts:
    if method not in FACTS:
        FACTS[method] = facts_with({"method": method, "model.substitute": False, "constraints": ["fixed-model"]})
    return FACTS[method]


def _runs(facts: Facts) -> bool:
    return settle(facts).method in TRAINING


@LESS_WORK
@given(method=FEASIBLE, small=st.floats(6, 90), more=st.floats(1, 4))
def test_more_memory_never_makes_a_method_infeasible(method: str, small: float, more: float) -> None:
    facts = _facts(method)
    machine = facts.machines[0]

    def with_memory(gib: float) -> Facts:
        return replace(facts, machines=(replace(machine, device=replace(machine.device, memory_gib=gib)),))

    assert _runs(with_memory(small * more)) >= _runs(with_memory(small))


@LESS_WORK
@given(method=FEASIBLE, days=st.floats(0.005, 2), more=st.floats(1, 20))
def test_more_time_never_makes_a_method_infeasible(method: str, days: float, more: float) -> None:
    facts = _facts(method)

    def within(limit: float) -> Facts:
        budget = replace(facts.spec.budget, deadline_days=limit)
        return replace(facts, spec=replace(facts.spec, budget=budget))

    assert _runs(within(days * more)) >= _runs(within(days))


@LESS_WORK
@given(method=FEASIBLE, usd=st.floats(0.05, 20), more=st.floats(1, 20))
def test_more_money_never_makes_a_method_infeasible(method: str, usd: float, more: float) -> None:
    facts = _facts(method)
    priced = replace(facts, machines=(replace(facts.machines[0], usd_per_hour=2.0),))

    def at(limit: float) -> Facts:
        budget = replace(facts.spec.budget, usd=limit)
        return replace(priced, spec=replace(facts.spec, budget=budget))

    assert _runs(at(usd * more)) >= _runs(at(usd))


@LESS_WORK
@given(
    task=st.sampled_from(["classification", "tone", "generation", "qa", "chat", "structured-output", "reasoning"]),
    prompting=st.sampled_from(["untried", "insufficient"]),
    rows=st.integers(1, 3000),
    more=st.integers(0, 20_000),
)
def test_more_rows_never_turn_training_into_prompting(task: str, prompting: str, rows: int, more: int) -> None:
    facts = facts_with({"goal.task": task, "goal.prompting": prompting, "budget": {}})
    few, many = settle(with_rows(facts, rows)).method, settle(with_rows(facts, rows + more)).method
    if few in TRAINING:
        assert many in TRAINING, (few, many)


def test_what_to_write_where_nobody_rents_it_out() -> None:
    verdict = decide(facts_with({"hardware": {"cloud": ["runpod"], "gpus": ["h100"], "count": 8}}))
    assert verdict.method == "infeasible"
    assert "8 x h100 at runpod" in verdict.instead
    assert "cloud: any" in verdict.instead


def test_rows_that_the_tiny_model_cannot_read_are_said_to_be_the_reason() -> None:
    rows = {"rows": 2000, "prompt_tokens": 3000, "completion_tokens": 20, "format": "text-label"}
    verdict = decide(on_cpu(facts_of({**TINY, "data": {"demonstrations": rows}})))
    assert verdict.method == "infeasible"
    assert "512 tokens" in verdict.instead
    reasons = {each.why_not for each in verdict.alternatives if each.method.startswith("sft-")}
    assert reasons == {verdict.trace[-1].because}


def test_a_reward_model_that_costs_too_much_leaves_dpo() -> None:
    changes = {
        "data": {"feedback": {"type": "paired", "rows": 40_000, "prompt_tokens": 200, "completion_tokens": 250}},
        "hardware": {"cloud": "any", "gpus": ["h100"], "count": 8}, "constraints": ["wants-ppo"],
    }  # fmt: skip
    rich, poor = (decide(facts_with({**changes, "budget.usd": usd})) for usd in (5_000, 60))
    assert (rich.method, poor.method) == ("rlhf", "dpo")
    assert "budget_infeasible" in poor.flags
    assert "rlhf" in {each.method for each in poor.alternatives}


def test_no_time_for_pairs_leaves_demonstrations() -> None:
    pairs = {"type": "paired", "rows": 60_000, "prompt_tokens": 300, "completion_tokens": 300}
    changes = {"data.feedback": pairs, "model.substitute": False, "hardware": {"gpu": "rtx4090"}}
    ample, scarce = (decide(facts_with({**changes, "budget.deadline_days": days})) for days in (30, 0.5))
    assert ample.method == "sft+dpo"
    assert scarce.method in ("sft-lora", "sft-qlora")
    assert "compute_shortfall" in scarce.flags


def test_feedback_of_unknown_length_is_as_long_as_the_demonstrations() -> None:
    said = {"type": "paired", "rows": 20_000, "prompt_tokens": 300, "completion_tokens": 200}
    unsaid = {"type": "paired", "rows": 20_000}
    known = _hours(facts_with({"data.feedback": said}))
    guessed = _hours(facts_with({"data.feedback": unsaid}))
    alone = _hours(facts_with({"data": {"feedback": unsaid}}))
    assert guessed == pytest.approx(known)
    assert alone > 0.25 * known


def _hours(facts: Facts) -> float:
    chosen = decide(facts).chosen
    assert chosen is not None
    assert chosen.time is not None
    return chosen.time.hours.likely
