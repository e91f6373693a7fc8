"""Whole situations: the right method, none that is wrong, and every warning that has to be there."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest
import yaml

from ftc.advisor.decide import decide
from ftc.advisor.observe import observe
from ftc.spec.load import load
from tests.advisor_facts import facts_of

CASES = yaml.safe_load((Path(__file__).parent / "data" / "advice_cases.yaml").read_text())
FACTS = Path(__file__).parents[2] / "shared" / "facts"
FLAGS = FACTS / "flags.txt"


def test_how_many_cases() -> None:
    assert len(CASES) >= 147
    assert len({case["id"] for case in CASES}) == len(CASES)


@pytest.mark.parametrize("case", CASES, ids=[case["id"] for case in CASES])
def test_situation(case: dict[str, Any]) -> None:
    verdict = decide(facts_of(case["spec"]))
    assert verdict.method in case["expect"], [f"{step.code} {step.answer}: {step.because}" for step in verdict.trace]
    assert verdict.method not in case.get("not", ())
    assert set(case["flags"]) <= set(verdict.flags)
    if verdict.method in ("prompt", "rag", "needs-data", "infeasible"):
        assert verdict.instead
        assert verdict.chosen is None
        assert not verdict.settings
    else:
        assert verdict.chosen is not None
        assert verdict.chosen.feasible
        assert verdict.settings["learning_rate"].origin == "rule H310"
    assert verdict.method not in {each.method for each in verdict.alternatives}


@pytest.mark.skipif(not FACTS.is_dir(), reason="the example cases are not here")
def test_example_cases(tmp_path: Path) -> None:
    """The published example cases, through their own translator."""
    found = importlib.util.spec_from_file_location("case_to_spec", FACTS / "case_to_spec.py")
    assert found is not None
    assert found.loader is not None
    translator = importlib.util.module_from_spec(found)
    found.loader.exec_module(translator)
    cases = yaml.safe_load((FACTS / "advice_cases_open.yaml").read_text())["cases"]
    assert len(cases) >= 12
    for case in cases:
        file = tmp_path / f"{case['id']}.yaml"
        file.write_text(yaml.safe_dump(translator.to_spec(case), sort_keys=False))
        loaded = load(file)
        assert loaded.spec is not None, loaded.diagnostics
        facts, diagnostics = observe(loaded.spec)
        assert facts is not None, diagnostics
        verdict, expected = decide(facts), case["expected"]
        right = {method.replace("rlhf-ppo", "rlhf") for method in (expected["method"], *expected["acceptable"])}
        assert verdict.method in right, case["id"]
        assert set(expected.get("must_flag", ())) <= set(verdict.flags), case["id"]


@pytest.mark.skipif(not FLAGS.is_file(), reason="the vocabulary is not here")
def test_every_flag_has_a_rule_and_no_other() -> None:
    from ftc.advisor.rules.registry import WARNINGS

    assert {rule.name for rule in WARNINGS} == set(FLAGS.read_text().split())
