"""Each rule: where it fires and where it stays silent; the registry and the manual as a whole."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ftc.advisor.decide import choice_of
from ftc.advisor.manual import codes, document, explain
from ftc.advisor.rules.finding import HEADINGS
from ftc.advisor.rules.registry import RULES, SETTINGS, STEPS, WARNINGS, sections
from ftc.advisor.settle import settle
from ftc.advisor.tree import RULES as NODES
from ftc.advisor.tree import TREE, Leaf, mermaid, walk
from tests.advisor_facts import facts_with, on, on_cpu

NO_DATA: dict[str, Any] = {"data": {}}
PAIRS = {"data": {"feedback": {"type": "paired", "rows": 6000, "prompt_tokens": 200, "completion_tokens": 200}}}
THUMBS = {"data": {"feedback": {"type": "binary", "rows": 9000, "positive": 8000, "negative": 1000}}}
CHECKED = {"data": {"feedback": {"type": "verifiable", "rows": 600, "base_success": 0.3}}, "goal.task": "reasoning"}

FINAL_ANSWERS = {
    "data.demonstrations.format": "question-final-answer", "data.demonstrations.completion_tokens": 10,
    "data.feedback": {"type": "verifiable"},
}  # fmt: skip

NODE = {"cloud": "any", "gpus": ["h100"], "count": 8}
ON_CPU = {"gpu": "none", "host_memory_gib": 64}
SOLVED = {"goal.task": "reasoning", "data.feedback": {"type": "verifiable"}}
RARE = {**CHECKED, "data.feedback.base_success": 0.05}
SMALL = {"model": {"base": "Qwen/Qwen2.5-1.5B-Instruct"}}

# code, the branch, what of the usual spec is changed
STEP_CASES: list[tuple[str, str, dict[str, Any]]] = [
    ("M100", "yes", {}),
    ("M100", "no", {"constraints": ["no-cloud"], "hardware": {"cloud": "any"}}),
    ("M100", "no", {"constraints": ["on-prem"], "hardware": {"cloud": "any"}}),
    ("M100", "yes", {"constraints": ["on-prem", "private-cloud"], "hardware": {"cloud": "any"}}),
    ("M100", "no", {"constraints": ["no-training", "full-only"]}),
    ("M100", "no", {"constraints": ["teacher-allowed", "no-teacher"]}),
    ("M100", "no", {"constraints": ["on-prem", "api-only-model"], "model": {"base": "auto"}, "hardware": "none"}),
    ("M100", "yes", {"constraints": ["on-prem", "api-only-model"], "model": {"base": "auto"}}),
    ("M101", "yes", {}),
    ("M101", "only an API", {"constraints": ["api-only-model"], "model": {"base": "auto"}, "hardware": "none"}),
    ("M101", "another model", {"constraints": ["api-only-model"], "model": {"base": "auto"}}),
    ("M101", "another model", {"model": {"base": "openai/GPT-4o"}}),
    ("M101", "only an API", {"model": {"base": "openai/GPT-4o", "substitute": False}}),
    ("M101", "another model", {"model": {"base": "Qwen/Qwen2.5-3B-Instruct"}, "constraints": ["commercial"]}),
    ("M101", "yes", {"model": {"base": "Qwen/Qwen2.5-3B-Instruct"}}),
    ("M101", "no", {"model": {"base": "Qwen/Qwen2.5-3B-Instruct", "substitute": False}, "constraints": ["commercial"]}),
    ("M102", "yes", {"data.licence": "cc-by-nc-4.0"}),
    ("M102", "no", {"data.licence": "cc-by-nc-4.0", "constraints": ["commercial"]}),
    ("M102", "yes", {"data.licence": "cc-by-4.0", "constraints": ["commercial"]}),
    ("M102", "no", {"data.licence": "Non Commercial", "constraints": ["commercial"]}),
    ("M102", "yes", {"data.licence": "proprietary, our own", "constraints": ["commercial"]}),
    ("M103", "no", {"constraints": ["no-training"]}),
    ("M103", "yes", {}),
    ("M110", "yes", {}),
    ("M110", "no", {"goal.prompting": "sufficient"}),
    ("M110", "yes", {"goal.prompting": "sufficient", "constraints": ["cost-reduction"]}),
    ("M110", "no", {"data.demonstrations.rows": 49}),
    ("M110", "yes", {"data.demonstrations.rows": 50}),
    ("M110", "no", {"data.demonstrations.rows": 499, "goal.prompting": "untried"}),
    ("M110", "yes", {"data.demonstrations.rows": 500, "goal.prompting": "untried"}),
    ("M110", "yes", {"data.demonstrations.rows": 100, "goal.prompting": "untried", "goal.task": "tone"}),
    ("M110", "no", {"data.demonstrations.rows": 99, "goal.prompting": "untried", "goal.task": "tone"}),
    ("M110", "no", {"data.demonstrations.rows": 300, "goal.prompting": "untried", "goal.task": "tone",
                    "hardware": "none", "constraints": ["api-allowed"]}),
    ("M110", "yes", {"data.demonstrations.rows": 300, "goal.prompting": "untried", "goal.task": "tone",
                     "hardware": "none"}),
    ("M110", "yes", {**CHECKED, "data.feedback.base_success": 0.0, "goal.prompting": "untried"}),
    ("M110", "yes", {"data.demonstrations.rows": 20, "goal.task": "new-language", "goal.language": "quechua",
                     "goal.prompting": "untried"}),
    ("M110", "no", {"data.demonstrations.rows": 20, "goal.task": "new-language", "goal.language": "de",
                    "goal.prompting": "untried"}),
    ("M110", "no", {**NO_DATA, "goal.prompting": "untried"}),
    ("M110", "yes", {**NO_DATA, "goal.prompting": "insufficient"}),
    ("M110", "yes", {**PAIRS, "goal.prompting": "untried"}),
    ("M111", "facts", {"goal": {"task": "qa", "knowledge": "daily"}}),
    ("M111", "behaviour", {}),
    ("M112", "facts", {"goal.task": "qa", "goal.knowledge": "monthly"}),
    ("M112", "behaviour", {"goal.task": "qa", "goal.knowledge": "monthly", "constraints": ["retrieval-available"]}),
    ("M112", "behaviour", {"goal.task": "classification", "goal.knowledge": "hourly"}),
    ("M112", "facts", {"goal.task": "qa", "constraints": ["citations"]}),
    ("M112", "facts", {"goal.task": "qa", "data.corpus": {"tokens": 5_000_000}}),
    ("M112", "facts", {"goal.task": "domain-adaptation", "data.demonstrations.format": "raw-documents"}),
    ("M112", "behaviour", {"goal.task": "chat", "data.corpus": {"tokens": 5_000_000}}),
    ("M112", "behaviour", {"goal.task": "qa", "data.corpus": {"tokens": 5_000_000},
                           "constraints": ["retrieval-available"]}),
    ("M112", "facts", {"goal.task": "chat", "data.demonstrations.stale": True}),
    ("M112", "behaviour", {**THUMBS, "goal.task": "chat", "goal.knowledge": "weekly"}),
    ("M120", "yes", {}),
    ("M120", "no", {**PAIRS}),
    ("M120", "no", {"data.demonstrations.format": "preference-pairs"}),
    ("M120", "no", {"data.demonstrations.format": "raw-documents", "data.demonstrations.completion_tokens": None}),
    ("M120", "no", {"data.demonstrations.format": "prompts-with-tests", "data.demonstrations.completion_tokens": None}),
    ("M120", "yes", {"data.demonstrations.format": "prompts-with-tests"}),
    ("M120", "no", {**FINAL_ANSWERS, "goal.task": "qa"}),
    ("M120", "yes", {**FINAL_ANSWERS, "goal.task": "qa", "data.feedback": None}),
    ("M120", "no", {"data.demonstrations.rows": 300, "goal.task": "new-language", "goal.language": "quechua"}),
    ("M120", "yes", {"data.demonstrations.rows": 300, "goal.task": "new-language", "goal.language": "sw"}),
    ("M120", "raw text", {"data": {"corpus": {"tokens": 2_000_000_000}}, "goal.task": "domain-adaptation"}),
    ("M121", "pairs", {**PAIRS}),
    ("M121", "pairs", {"data.demonstrations.format": "preference-pairs"}),
    ("M121", "thumbs", {"data.demonstrations.format": "binary-feedback"}),
    ("M121", "pairs, base model", {**PAIRS, "model": {"base": "Qwen/Qwen2.5-7B"}}),
    ("M121", "thumbs", {**THUMBS}),
    ("M121", "checkable", {**CHECKED}),
    ("M121", "too little", {**CHECKED, "data.feedback.base_success": 0.0}),
    ("M121", "too little", {**RARE, **SMALL, "constraints": ["teacher-allowed"]}),
    ("M121", "checkable", {**RARE, **SMALL}),
    ("M121", "checkable", {**RARE, "constraints": ["teacher-allowed"]}),
    ("M121", "nothing to gain", {**CHECKED, "data.feedback.base_success": 0.99}),
    ("M121", "too little", {**PAIRS, "data.feedback.rows": 400}),
    ("M121", "too little", {**PAIRS, "data.feedback.agreement": 0.5}),
    ("M121", "none", {**NO_DATA}),
    ("M121", "reward", {**PAIRS, "data.feedback.rows": 30000, "hardware.count": 8, "constraints": ["wants-ppo"]}),
    ("M125", "no", {}),
    ("M125", "pairs", {"data.feedback": {"type": "paired", "rows": 5000}}),
    ("M125", "pairs alone", {"data.feedback": {"type": "paired", "rows": 5000}, "data.demonstrations.rows": 60}),
    ("M125", "thumbs", {"data.feedback": {"type": "binary", "rows": 9000, "positive": 7000, "negative": 2000}}),
    ("M125", "no", {"data.feedback": {"type": "binary", "rows": 900, "positive": 700, "negative": 200}}),
    ("M125", "checkable", {"goal.task": "reasoning", "data.feedback": {"type": "verifiable", "base_success": 0.3}}),
    ("M125", "no", {"goal.task": "reasoning", "data.feedback": {"type": "verifiable", "base_success": 0.05}}),
    ("M125", "no", {"goal.task": "reasoning", "data.feedback": {"type": "verifiable"}}),
    ("M125", "no", {"goal.task": "reasoning", "data.feedback": {"type": "verifiable", "base_success": 0.05},
                    "data.demonstrations.rows": 300}),
    ("M130", "no", {}),
    ("M130", "no", {"goal.task": "new-language", "goal.language": "de", "data.corpus": {"tokens": 300_000_000}}),
    ("M130", "yes", {"data.demonstrations.rows": 2_000_000}),
    ("M130", "yes", {"constraints": ["full-only"]}),
    ("M130", "new language", {"goal.task": "new-language", "data.corpus": {"tokens": 300_000_000}}),
    ("M130", "no", {"goal.task": "domain-adaptation", "data.corpus": {"tokens": 300_000_000}}),
]  # fmt: skip

# flag, fires?, what of the usual spec is changed
FLAG_CASES: list[tuple[str, bool, dict[str, Any]]] = [
    ("eval_holdout", True, {}),
    ("eval_holdout", False, {"constraints": ["no-training", "full-only"]}),
    ("too_few_examples", True, {"data.demonstrations.rows": 60}),
    ("too_few_examples", False, {}),
    ("too_few_examples", True, {**CHECKED, "data.feedback.rows": 12}),
    ("overfitting", True, {"data.demonstrations.rows": 900}),
    ("overfitting", False, {"data.demonstrations.rows": 9000}),
    ("class_imbalance", True, {**THUMBS}),
    ("class_imbalance", False, {"data": {"feedback": {"type": "binary", "rows": 9000, "positive": 4600}}}),
    ("decontaminate", True, {"data.demonstrations.source": "teacher"}),
    ("decontaminate", False, {}),
    ("data_licence", True, {"data.licence": "cc-by-nc-4.0"}),
    ("data_licence", False, {"data.licence": "cc-by-4.0"}),
    ("data_licence", True, {"data.demonstrations.source": "teacher"}),
    ("data_licence", True, {"data.licence": "unknown, scraped"}),
    ("data_licence", False, {"data.licence": "proprietary, our own", "constraints": ["commercial"]}),
    ("generate_data", True, {"data.demonstrations.rows": 100, "constraints": ["teacher-allowed"]}),
    ("generate_data", False, {"data.demonstrations.rows": 100}),
    ("generate_data", True, {"data.demonstrations.rows": 30}),
    ("generate_data", False, {"data.demonstrations.rows": 30, "constraints": ["no-teacher"]}),
    ("annotation_cost", True, {"data": {"feedback": {"type": "to-collect"}}}),
    ("annotation_cost", False, {**PAIRS}),
    ("pairs_from_rankings", True, {"data": {"feedback": {"type": "ranked", "rows": 900, "answers_per_prompt": 4}}}),
    ("pairs_from_rankings", False, {**PAIRS}),
    ("rm_data_too_small", True, {**PAIRS, "constraints": ["wants-ppo"]}),
    ("rm_data_too_small", False, {**PAIRS}),
    ("no_feedback_signal", True, {"constraints": ["wants-grpo"]}),
    ("no_feedback_signal", False, {**CHECKED, "constraints": ["wants-grpo"]}),
    ("no_feedback_signal", True, {**NO_DATA, "goal.prompting": "untried"}),
    ("no_feedback_signal", False, {"data": {"corpus": {"tokens": 9_000_000}}, "goal.prompting": "untried"}),
    ("sequence_length", True, {"data.demonstrations.prompt_tokens": 9000}),
    ("sequence_length", False, {}),
    ("sequence_length", True, {"model": {"base": "meta-llama/Llama-3.3-70B-Instruct"}, "hardware": {"gpu": "a6000"}}),
    ("facts_change", True, {"goal.task": "qa", "goal.knowledge": "weekly"}),
    ("facts_change", False, {}),
    ("rag_for_facts", True, {"goal.task": "qa"}),
    ("rag_for_facts", False, {"goal.task": "classification"}),
    ("hallucination_risk", True, {"goal.task": "qa"}),
    ("hallucination_risk", False, {"goal.task": "classification"}),
    ("constrained_decoding", True, {"goal.task": "structured-output"}),
    ("constrained_decoding", False, {}),
    ("constrained_decoding", True, {"goal.task": "classification", "goal.prompting": "sufficient"}),
    ("constrained_decoding", False, {"goal.task": "classification"}),
    ("sft_before_preference", True, {**PAIRS, "model": {"base": "Qwen/Qwen2.5-7B"}}),
    ("sft_before_preference", False, {**PAIRS}),
    ("sft_before_preference", True, {**SOLVED, "data.feedback.base_success": 0.05}),
    ("reward_hacking", True, {**CHECKED}),
    ("reward_hacking", False, {}),
    ("reward_hacking", True, {"data": {"feedback": {"type": "reward-model"}}, "hardware": {"gpu": "rtx4090"}}),
    ("reward_sparse", True, {**CHECKED, "data.feedback.base_success": 0.05}),
    ("reward_sparse", False, {**CHECKED}),
    ("sandbox", True, {**CHECKED, "goal.domain": "software"}),
    ("sandbox", False, {}),
    ("low_lr", True, {**PAIRS}),
    ("low_lr", False, {}),
    ("lora_capacity", True, {"data.demonstrations.rows": 900_000, "hardware.count": 8, "budget.usd": 5000}),
    ("lora_capacity", False, {}),
    ("lora_capacity", True, {"data.demonstrations.rows": 120_000, "goal.domain": "software"}),
    ("lora_capacity", False, {"data.demonstrations.rows": 120_000}),
    ("full_not_needed", True, {"constraints": ["prefers-full"]}),
    ("full_not_needed", False, {}),
    ("forgetting_replay", True, {"constraints": ["full-only"], "hardware.count": 4}),
    ("forgetting_replay", False, {}),
    ("forgetting_replay", True, {"goal.language": "sw", "model.substitute": False}),
    ("adapter_per_tenant", True, {"constraints": ["tenant-isolation"]}),
    ("adapter_per_tenant", False, {}),
    ("no_long_term_learning", True, {"goal.prompting": "sufficient"}),
    ("no_long_term_learning", False, {}),
    ("contradiction", True, {"constraints": ["wants-grpo"]}),
    ("contradiction", False, {}),
    ("contradiction", True, {"constraints": ["no-cuda"]}),
    ("contradiction", False, {"constraints": ["no-cuda"], "hardware": {"gpu": "m2-max"}}),
    ("contradiction", True, {"constraints": ["no-cloud"], "hardware": "none"}),
    ("contradiction", True, {"constraints": ["edge-deploy", "api-only-model"]}),
    ("contradiction", True, {"constraints": ["no-training", "wants-ppo"]}),
    ("contradiction", True, {"constraints": ["on-prem", "api-only-model"], "model": {"base": "auto"}}),
    ("licence", True, {"model": {"base": "meta-llama/Llama-3.1-8B-Instruct"}}),
    ("licence", False, {}),
    ("gated_model", True, {"model": {"base": "meta-llama/Llama-3.1-8B-Instruct"}}),
    ("gated_model", False, {"model": {"base": "meta-llama/Llama-3.1-8B-Instruct", "gated": False}}),
    ("model_switch", True, {"model": {"base": "openai/GPT-4o"}}),
    ("model_switch", False, {}),
    ("open_weights_alternative", True, {"model": {"base": "openai/GPT-4o"}}),
    ("open_weights_alternative", False, {"model": {"base": "openai/gpt-oss-20b"}}),
    ("open_weights_alternative", True, {"constraints": ["api-allowed"], "data.contains": ["phi"]}),
    ("open_weights_alternative", True, {"constraints": ["api-only-model"], "model": {"base": "auto"}}),
    ("open_weights_alternative", False, {"constraints": ["api-allowed"], "model": {"base": "auto"}}),
    ("language_not_in_base", True, {"goal.language": "sw"}),
    ("language_not_in_base", False, {"goal.language": "de"}),
    ("language_not_in_base", False, {"goal.language": "de, fr and it"}),
    ("language_not_in_base", True, {"goal.language": "de, sw"}),
    ("language_not_in_base", False, {"goal.language": "multilingual"}),
    ("model_size_limit", True, {"constraints": ["edge-deploy"]}),
    ("model_size_limit", False, {}),
    ("model_size_limit", True, {"constraints": ["edge-deploy"], "model": {"base": "auto", "max_parameters": "3b"}}),
    ("model_size_limit", False, {"model": {"base": "auto", "max_parameters": "3b"}}),
    ("model_size_limit", True, {"hardware": ON_CPU, "model.substitute": False, "budget.deadline_days": 1}),
    ("moe_router", True, {"model": {"base": "Qwen/Qwen3-30B-A3B-Instruct-2507"}}),
    ("moe_router", False, {}),
    ("moe_total_params", True, {"model": {"base": "Qwen/Qwen3-30B-A3B-Instruct-2507"}}),
    ("moe_total_params", False, {}),
    ("memory_shortfall", True, {"hardware": {"gpu": "rtx4090", "count": 1}, "constraints": ["full-only"]}),
    ("memory_shortfall", False, {}),
    ("memory_shortfall", True, {"hardware": {"gpu": "rtx4090", "count": 1}, "constraints": ["prefers-full"]}),
    ("memory_shortfall", False, {"hardware.count": 2, "constraints": ["prefers-full"]}),
    ("compute_shortfall", True, {"budget.deadline_days": 0.01}),
    ("compute_shortfall", False, {}),
    ("budget_infeasible", True, {"hardware": {"cloud": "any"}, "budget.usd": 0}),
    ("budget_infeasible", False, {"hardware": {"cloud": "any"}}),
    ("budget_infeasible", True, {"hardware": "none", "budget.usd": 0}),
    ("budget_infeasible", True, {**NO_DATA, "constraints": ["human-labels"], "budget.usd": 100}),
    ("budget_infeasible", True, {**PAIRS, "data.feedback.rows": 40000, "hardware": NODE, "budget.usd": 40,
                                 "constraints": ["wants-ppo"]}),
    ("fused_loss", True, {"hardware": {"gpu": "rtx3060", "count": 1}}),
    ("fused_loss", False, {"goal.prompting": "sufficient"}),
    ("fused_loss", True, {"model": {"base": "meta-llama/Llama-3.3-70B-Instruct"}, "hardware": {"gpu": "a6000"}}),
    ("fused_loss", False, {"model": {"base": "Qwen/Qwen2.5-0.5B-Instruct"}, "hardware": {"gpu": "h200"},
                           "data.demonstrations.prompt_tokens": 30, "data.demonstrations.completion_tokens": 20}),
    ("small_batch", True, {"hardware": {"gpu": "rtx3060", "count": 1}}),
    ("small_batch", False, {"data.demonstrations.prompt_tokens": 60, "data.demonstrations.completion_tokens": 20}),
    ("no_bf16", True, {"hardware": {"gpu": "t4", "count": 1}}),
    ("no_bf16", False, {}),
    ("mlx_backend", True, {"hardware": {"gpu": "m2-max", "count": 1, "memory_gib": 64}}),
    ("mlx_backend", False, {}),
    ("time_estimate", True, {"hardware": {"gpu": "t4", "count": 1}}),
    ("time_estimate", False, {}),
    ("safety_eval", True, {}),
    ("safety_eval", False, {"goal.prompting": "sufficient"}),
    ("privacy", True, {"data.contains": ["pii"]}),
    ("privacy", False, {}),
    ("privacy", True, {**THUMBS}),
    ("human_oversight", True, {"goal.domain": "healthcare"}),
    ("human_oversight", False, {}),
    ("human_oversight", True, {"goal.domain": "pharma"}),
]  # fmt: skip


@pytest.mark.parametrize(("code", "branch", "changes"), STEP_CASES)
def test_step(code: str, branch: str, changes: dict[str, Any]) -> None:
    found = NODES[code].ask(facts_with(changes))
    assert (found.code, found.answer) == (code, branch), found.because
    assert found.because
    assert found.question.endswith("?")


def test_every_step_has_a_case_for_each_of_its_branches() -> None:
    rare = {("M125", "reward"), ("M130", "domain corpus")}
    seen = {(code, branch) for code, branch, _ in STEP_CASES}
    assert {(code, branch) for code, branches in TREE.items() for branch in branches} - seen <= rare


@pytest.mark.parametrize(("flag", "fires", "changes"), FLAG_CASES)
def test_warning(flag: str, fires: bool, changes: dict[str, Any]) -> None:
    facts = facts_with(changes)
    (rule,) = [each for each in WARNINGS if each.name == flag]
    found = rule.raised(choice_of(facts, settle(facts)))
    assert (found is not None) is fires, found
    if found is not None:
        assert (found.flag, found.code) == (flag, rule.code)
        assert found.because
        assert found.evidence or found.rule_of_thumb


def test_every_warning_fires_and_stays_silent_somewhere() -> None:
    seen = {(flag, fires) for flag, fires, _ in FLAG_CASES}
    assert seen == {(rule.name, fires) for rule in WARNINGS for fires in (True, False)}


def test_codes_are_given_once() -> None:
    assert [code for code, times in Counter(rule.code for rule in RULES).items() if times > 1] == []
    assert all(re.fullmatch(r"[MHFC]\d{3}", rule.code) for rule in RULES)
    assert len(RULES) >= 100


@pytest.mark.parametrize("rule", RULES, ids=[rule.code for rule in RULES])
def test_page(rule: Any) -> None:
    page = sections(rule.function.__doc__)
    assert tuple(heading for heading in HEADINGS if page.get(heading)) == HEADINGS
    assert rule.title
    assert rule.code in explain(rule.code)


def test_the_manual_is_current() -> None:
    written = (Path(__file__).parents[1] / "docs" / "rules.md").read_text(encoding="utf-8")
    assert written == document(), "python -m ftc.advisor.manual > docs/rules.md"
    assert all(f"### {code}" in written for code in codes())


def test_the_tree_knows_every_step_and_ends_in_leaves() -> None:
    assert set(TREE) == {rule.code for rule in STEPS}
    for branches in TREE.values():
        assert all(isinstance(to, Leaf) or to in TREE for to in branches.values())


def test_the_drawing_shows_the_path() -> None:
    facts = facts_with()
    leaf, trace = walk(facts)
    drawn = mermaid(trace, "sft-lora")
    assert drawn.startswith("flowchart TD")
    assert all(f'{code}{{"' in drawn for code in TREE)
    assert drawn.count("==>|") == len(trace)
    assert leaf.name in drawn
    assert mermaid().count("==>") == 0


def test_settings_cover_what_the_compiler_reads() -> None:
    keys = {rule.name for rule in SETTINGS}
    assert {
        "learning_rate", "scheduler", "warmup_steps", "epochs", "steps", "micro_batch", "gradient_accumulation",
        "max_length", "packing", "group_by_length", "optimizer", "weight_decay", "max_grad_norm", "neftune_alpha",
        "dtype", "checkpointing", "attention", "chunked_loss", "loss_on", "lora.rank", "lora.alpha", "lora.dropout",
        "lora.targets", "lora.rslora", "lora.dora", "lora.dtype", "quantization.type", "quantization.double_quant",
        "quantization.compute_dtype", "logging_steps", "eval_steps", "save_steps", "keep_checkpoints",
        "early_stopping_patience", "seed", "dpo.beta", "kto.beta", "kto.desirable_weight", "kto.undesirable_weight",
        "grpo.group", "grpo.beta", "cpt.replay",
    } <= keys  # fmt: skip


def test_evidence_is_never_from_memory_alone() -> None:
    """A finding names a source or says that it is a rule of thumb."""
    for rule in RULES:
        text = sections(rule.function.__doc__ or "")["Evidence"]
        assert "Rule of thumb" in text or len(text) > 10
        assert "[R]" not in text


def test_facts_helpers_change_machines() -> None:
    facts = facts_with()
    assert on(facts, "rtx4090").machines[0].device.name == "RTX 4090"
    assert on_cpu(facts).machines[0].device.kind == "cpu"
    assert replace(facts, machines=()).machines == ()
