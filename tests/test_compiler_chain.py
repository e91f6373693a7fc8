"""Chains: which stages a method compiles to, what each waits for, and where each one starts."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from ftc import api
from ftc.compiler.plan import Plan
from tests.tiny_specs import write_spec

ENDS = ["merge", "export", "report"]
CHAINS: list[tuple[str, Mapping[str, int], list[str]]] = [
    ("sft-full", {"demonstrations": 60}, ["prepare", "baseline", "sft", "evaluate", *ENDS[1:]]),
    ("sft-lora", {"demonstrations": 60}, ["prepare", "baseline", "sft", "evaluate", *ENDS]),
    ("dpo", {"feedback": 60}, ["prepare", "baseline", "dpo", "evaluate", *ENDS]),
    ("kto", {"feedback": 60}, ["prepare", "baseline", "kto", "evaluate", *ENDS]),
    (
        "sft+dpo",
        {"demonstrations": 60, "feedback": 60},
        [
            *("prepare", "prepare-feedback", "baseline", "baseline-feedback", "sft", "merge-sft", "dpo"),
            *("evaluate", "evaluate-feedback", *ENDS),
        ],
    ),
    ("cpt+sft", {"corpus": 60}, ["prepare", "baseline", "cpt", "evaluate", *ENDS[1:]]),
    (
        "cpt+sft",
        {"demonstrations": 60, "corpus": 60},
        [
            *("prepare", "prepare-corpus", "baseline", "baseline-corpus", "cpt", "sft"),
            *("evaluate", "evaluate-corpus", *ENDS[1:]),
        ],
    ),
]


def plan_of(folder: Path, method: str, rows: Mapping[str, int]) -> Plan:
    return api.compile(write_spec(folder, method, rows=rows, goal="", overrides={}))


@pytest.mark.parametrize(("method", "rows", "stages"), CHAINS)
def test_a_method_compiles_to_its_stages(
    tmp_path: Path, method: str, rows: Mapping[str, int], stages: list[str]
) -> None:
    plan = plan_of(tmp_path, method, rows)
    assert [each.id for each in plan.stages] == stages
    before: set[str] = set()
    for stage in plan.stages:
        assert set(stage.needs) <= before, f"{stage.id} comes after what it needs"
        before.add(stage.id)


def test_the_second_stage_starts_from_the_first_one_merged(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, "sft+dpo", {"demonstrations": 60, "feedback": 60})
    assert plan.stage("dpo").arguments["start_from"] == "merge-sft"
    assert plan.stage("merge-sft").arguments["stage"] == "sft"
    assert plan.stage("merge").arguments["stage"] == "dpo"
    assert plan.stage("export").arguments["stage"] == "merge"


def test_each_set_of_rows_has_its_own_scores(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, "sft+dpo", {"demonstrations": 60, "feedback": 60})
    scored = {each.id: each.arguments for each in plan.stages if each.kind in ("baseline", "evaluate")}
    assert scored["evaluate-feedback"]["metrics"] == ["reward_accuracy", "likelihood_accuracy"]
    assert scored["evaluate-feedback"]["model"] == scored["evaluate"]["model"] == "dpo"
    assert scored["baseline-feedback"]["rows"] == "feedback"
    assert "held_out_loss" in scored["evaluate"]["metrics"]


def test_text_that_is_replayed_counts_in_the_steps(tmp_path: Path) -> None:
    """A quarter of the base's own beside three quarters of the corpus is a third more to read."""
    steps = {}
    for replay in (0.0, 0.25):
        overrides = {"cpt.replay": replay, "max_length": 64, "effective_batch": 4, "epochs": 4}
        spec = write_spec(tmp_path, "cpt+sft", rows={"corpus": 200}, goal="", overrides=overrides)
        steps[replay] = int(api.compile(spec).stage("cpt").arguments["steps"])
    assert steps[0.25] == pytest.approx(steps[0.0] * 4 / 3, abs=1)
