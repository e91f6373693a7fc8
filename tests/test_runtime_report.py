"""The report from a journal that is made up: what it says, and that no model output or name can break out of it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ftc.runtime.charts import loss_curve, score_bars
from ftc.runtime.report_facts import facts
from ftc.runtime.report_page import page
from ftc.runtime.run_folder import RunFolder, write_rows
from tests.runtime_plans import load, write_plan

HOSTILE = "<script>alert(1)</script>{{ 7 * 7 }}\"'><img src=x onerror=alert(2)>"


def interval(value: float) -> dict[str, float]:
    return {"value": value, "low": value - 0.05, "high": value + 0.05}


def events(answer: str = "desk_cards") -> list[dict[str, Any]]:
    """A run that was resumed: step 10 was trained twice."""
    change = {**interval(0.4), "p_value": 0.001, "significant": True}
    trained = {
        "model": "final", "steps": 20, "steps_planned": 20, "train_loss": 1.0, "best_step": None,
        "trainable_parameters": 100, "parameters": 1000, "tokens": 500, "micro_batch": 16, "gradient_accumulation": 1,
    }  # fmt: skip
    after = {
        "rows": 2, "prompting": "plain", "metrics": {"accuracy": interval(0.9), "held_out_loss": interval(0.5)},
        "changes": {"accuracy": change}, "invalid_share": 0.0, "chance": 1 / 6,
        "confusions": [{"expected": "a", "answered": answer, "rows": 2}],
    }  # fmt: skip
    listed: list[tuple[str, str, dict[str, Any]]] = [
        ("", "run_started", {"machine": "a test"}),
        (
            "baseline",
            "stage_finished",
            {"result": {"rows": 2, "prompting": "goal", "metrics": {"accuracy": interval(0.5)}}},
        ),
        ("sft", "stage_started", {}),
        ("sft", "step", {"step": 5, "loss": 2.0, "tokens": 100, "seconds": 1.0}),
        ("sft", "step", {"step": 10, "loss": 9.9, "tokens": 200, "seconds": 2.0}),
        ("sft", "stage_started", {}),
        ("sft", "resumed", {"step": 5}),
        ("sft", "step", {"step": 10, "loss": 1.5, "tokens": 200, "seconds": 2.0}),
        ("sft", "step", {"step": 20, "loss": None, "tokens": 400, "seconds": 4.0}),
        ("sft", "remark", {"code": "R407", "message": f"the loss jumped {answer}", "severity": "warning"}),
        ("sft", "remark", {"code": "R407", "message": f"the loss jumped {answer}", "severity": "warning"}),
        ("sft", "stage_finished", {"result": trained, "memory": {"process_gib": 0.5}}),
        ("evaluate", "stage_finished", {"result": after}),
    ]
    return [
        {"ts": float(number), "stage": stage, "kind": kind, **rest} for number, (stage, kind, rest) in enumerate(listed)
    ]


def report(tmp_path: Path, answer: str = "desk_cards", **head: Any) -> dict[str, Any]:
    plan = replace(load(write_plan(tmp_path)), **head)
    run = RunFolder(tmp_path / "run")
    row = {"place": "test.csv:2", "prompt": answer, "expected": answer, "right": True, "loss": 1.0}
    for stage in ("baseline", "evaluate"):
        write_rows(run.stage(stage) / "predictions.jsonl", [{**row, "answer": answer}] * 2)
    return facts(plan, run, events(answer), samples=5)


def test_what_was_done_again_counts_once_and_remarks_are_said_once(tmp_path: Path) -> None:
    found = report(tmp_path)
    assert [(each["step"], each["loss"]) for each in found["curve"]["train"]] == [(5, 2.0), (10, 1.5), (20, None)]
    assert [each["code"] for each in found["remarks"]] == ["R407"]
    assert found["training"][0]["resumed_at"] == [5]
    assert found["estimate"]["tokens_per_second"]["actual"] == 100.0
    assert (found["goal"]["reached"], found["goal"]["met"]) == (0.9, True)
    json.dumps(found)


def test_a_page_is_self_contained_and_says_the_scores(tmp_path: Path) -> None:
    html = page(report(tmp_path))
    assert "0.500 →" in html
    assert "0.900" in html
    for outside in ("http://", "https://", "<script", "src=", "@import", "url("):
        assert outside not in html


def test_hostile_output_names_and_goals_stay_text(tmp_path: Path) -> None:
    goal = {"task": "classification", "description": HOSTILE, "success": {"metric": "accuracy", "at_least": 0.5}}
    html = page(report(tmp_path, HOSTILE, goal=goal))
    assert "<script>" not in html
    assert "<img" not in html
    assert "&lt;script&gt;" in html
    assert "{{ 7 * 7 }}" in html, "text of a template is not run as one"


@pytest.mark.parametrize("kept", [0, 1, 3, 9])
def test_a_run_that_ended_early_has_a_page_too(tmp_path: Path, kept: int) -> None:
    plan = load(write_plan(tmp_path))
    assert page(facts(plan, RunFolder(tmp_path / "run"), events()[:kept], samples=3)).endswith("</html>\n")


def test_curve_and_bars() -> None:
    assert loss_curve({"train": [{"step": 1, "loss": 1.0}], "held_out": []}) is None
    drawn = loss_curve({"train": [{"step": step, "loss": 5.0 / step} for step in range(1, 2000)], "held_out": []})
    assert drawn is not None
    assert len(drawn["lines"]["train"]) <= 401
    assert all(0 <= x <= drawn["width"] and 0 <= y <= drawn["height"] for x, y, *_ in drawn["lines"]["train"])
    bars = score_bars(
        [{"metric": "accuracy", "before": interval(0.02), "after": interval(0.98), "change": None}],
        {"metric": "accuracy", "at_least": 0.8},
    )
    assert bars[0]["goal"] == 80.0
    assert bars[0]["sides"]["before"]["low"] == 0.0
    assert bars[0]["sides"]["after"]["high"] == 100.0
