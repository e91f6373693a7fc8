"""Continued pre-training from a spec to a report on `builtin:tiny`: held-out text of a new kind is foretold better."""

from __future__ import annotations

from pathlib import Path

import pytest

from ftc.runtime.run_folder import read_rows
from ftc.runtime.supervisor import DONE
from tests.tiny_specs import compile_and_run, score, write_spec

pytestmark = pytest.mark.train
pytest.importorskip("trl")
SHORT = {"max_length": 64, "effective_batch": 8, "micro_batch": 8, "epochs": 1, "learning_rate": 2e-3}


@pytest.fixture(autouse=True)
def one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")  # tests run beside each other


def test_raw_text_is_foretold_better(tmp_path: Path) -> None:
    overrides = {**SHORT, "cpt.replay": 0.25}
    outcome = compile_and_run(write_spec(tmp_path, "cpt+sft", rows={"corpus": 160}, goal="", overrides=overrides))
    assert outcome.exit_code == DONE, outcome.diagnostics
    loss, perplexity = (score(outcome, each, "corpus") for each in ("held_out_loss", "perplexity"))
    assert loss["after"]["value"] < loss["before"]["value"] - 2
    assert loss["change"]["significant"]
    assert perplexity["after"]["value"] < perplexity["before"]["value"] / 10
    training = outcome.report["training"][0]
    share = training["rehearsed_tokens"] / (training["rehearsed_tokens"] + training["corpus_tokens"])
    assert share == pytest.approx(0.25, abs=0.01), "a quarter is text of the base itself"
    assert outcome.folder is not None
    assert all(len(row["ids"]) == 64 for row in read_rows(outcome.folder / "stages" / "cpt" / "rehearsal.jsonl"))
    assert outcome.report["export"]["same_answers"] == outcome.report["export"]["checked"] == 8


def test_first_read_then_imitate(tmp_path: Path) -> None:
    goal = '{"success": {"metric": "chrf", "at_least": 0.5}}'
    rows = {"corpus": 120, "demonstrations": 120}
    outcome = compile_and_run(write_spec(tmp_path, "cpt+sft", rows=rows, goal=goal, overrides=SHORT))
    assert outcome.exit_code == DONE, outcome.diagnostics
    answers = score(outcome, "held_out_loss", "demonstrations")
    assert answers["after"]["value"] < answers["before"]["value"]
    assert score(outcome, "chrf", "demonstrations")["change"]["significant"]
    text = score(outcome, "held_out_loss", "corpus")
    assert text["after"]["value"] < text["before"]["value"] - 1, "what was read is still known at the end"
    assert [each["stage"] for each in outcome.report["training"]] == ["cpt", "sft"]
    assert outcome.report["export"]["same_answers"] == 8


def test_documents_are_joined_and_nothing_is_lost() -> None:
    from ftc.runtime.stages.cpt import joined

    documents = [[number] * number for number in range(1, 8)]
    pieces = joined(documents, 5, seed=3)
    assert {len(each) for each in pieces[:-1]} == {5}
    assert sorted(token for each in pieces for token in each) == sorted(token for each in documents for token in each)
    assert joined(documents, 5, seed=3) == pieces
