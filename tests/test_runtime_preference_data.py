"""Preference files that others published, each through its method to a report; skipped where they are not at hand."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ftc.runtime.supervisor import DONE
from tests.tiny_specs import compile_and_run, score

pytestmark = [pytest.mark.train, pytest.mark.slow]
pytest.importorskip("trl")
FOLDER = Path(__file__).parents[2] / "shared" / "data" / "preference"
ROWS = 80  # the shortest: the tiny model reads 512 tokens


@pytest.mark.parametrize(("method", "file"), [("dpo", "dpo_en_demo.json"), ("kto", "kto_en_demo.json")])
def test_published_preferences(tmp_path: Path, method: str, file: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if not (FOLDER / file).exists():
        pytest.skip(f"{FOLDER / file} is not here")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    rows = sorted(json.loads((FOLDER / file).read_bytes()), key=lambda row: len(json.dumps(row)))[:ROWS]
    (tmp_path / "rows.json").write_text(json.dumps(rows))
    spec = {
        "version": 1,
        "name": method,
        "goal": {"task": "chat", "prompting": "insufficient"},
        "data": {"feedback": {"path": "rows.json"}, "evaluation": {"fraction": 0.25}},
        "model": {"base": "builtin:tiny"},
        "hardware": "local",
        "method": method,
        "overrides": {"effective_batch": 8, "micro_batch": 4},
    }
    (tmp_path / "ftc.yaml").write_text(json.dumps(spec))
    outcome = compile_and_run(tmp_path / "ftc.yaml")
    assert outcome.exit_code == DONE, outcome.diagnostics
    assert outcome.folder is not None
    assert (outcome.folder / "report.html").exists()
    assert score(outcome, "reward_accuracy", "feedback")["after"]["value"] > 0
    losses = [each["loss"] for each in outcome.report["curve"]["held_out"]]
    assert losses, "the held-out loss was watched"
    assert outcome.report["export"]["same_answers"] == outcome.report["export"]["checked"]
