"""Public data of healthcare, finance, law and chat, each through a fitting method on `builtin:tiny` to a report.

A part of each file, read where it lies and never copied into the repository; the numbers are the tiny model's.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

pytest.importorskip("trl")

import ftc

SHARED = Path(__file__).parents[2] / "shared" / "data"
pytestmark = [
    pytest.mark.train,
    pytest.mark.slow,
    pytest.mark.skipif(not SHARED.is_dir(), reason="the public data files are not here"),
]

# name -> files, rows that are taken of each, columns where they have to be said, task, method, metric
CASES: dict[str, tuple[str, int, dict[str, str], str, str, str]] = {
    "healthcare": (
        "healthcare/pubmedqa_labeled.json", 200, {"text": "QUESTION", "label": "final_decision"},
        "classification", "sft-lora", "accuracy",
    ),
    "finance": (
        "finance/tatqa_dev.json", 30, {"prompt": "questions[].question", "completion": "questions[].answer"},
        "qa", "sft-lora", "token_f1",
    ),
    "legal": ("legal/cuad_*.tsv", 6, {}, "classification", "sft-lora", "accuracy"),
    "alpaca": ("chat/alpaca_en_demo.json", 100, {}, "chat", "sft-full", "chrf"),
    "toolcalls": ("chat/glaive_toolcall_en_demo.json", 60, {}, "chat", "sft-full", "chrf"),
}  # fmt: skip


def some_rows(source: str, rows: int, folder: Path) -> str:
    """The first rows of the files, of a list the shortest, in `folder`; the path as a spec says it."""
    folder.mkdir()
    for path in sorted(SHARED.glob(source)):
        if path.suffix == ".json":
            value: Any = json.loads(path.read_text())
            by_length = lambda each: len(json.dumps(each))  # noqa: E731 - the tiny model reads 512 tokens
            kept = dict(list(value.items())[:rows]) if isinstance(value, dict) else sorted(value, key=by_length)[:rows]
            (folder / path.name).write_text(json.dumps(kept))
        else:
            lines = path.read_text().splitlines(keepends=True)
            (folder / path.name).write_text("".join(lines[: rows + 1]))
    return f"{folder.name}/{source.rpartition('/')[2]}"


@pytest.mark.parametrize("name", list(CASES))
def test_a_file_runs_to_its_report(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    source, rows, columns, task, method, metric = CASES[name]
    data = {"path": some_rows(source, rows, tmp_path / "data"), **({"columns": columns} if columns else {})}
    spec: dict[str, Any] = {
        "version": 1, "name": name, "goal": {"task": task, "description": f"Work on {name} data."},
        "data": {"demonstrations": data, "evaluation": {"fraction": 0.1}}, "model": {"base": "builtin:tiny"},
        "hardware": "local", "method": method, "overrides": {"epochs": 2},
    }  # fmt: skip
    (tmp_path / "ftc.yaml").write_text(yaml.safe_dump(spec))
    plan = tmp_path / "ftc.plan.json"
    plan.write_bytes(ftc.compile(tmp_path / "ftc.yaml").to_bytes())
    outcome = ftc.run(plan, tmp_path / "runs")
    assert outcome.exit_code == 0, outcome.diagnostics
    assert outcome.folder is not None
    assert (outcome.folder / "report.html").is_file()
    scores = {each["metric"]: each for each in outcome.report["scores"]}
    print(name, {key: (each["before"]["value"], each["after"]["value"]) for key, each in scores.items()})  # noqa: T201
    assert metric in scores
    assert scores["held_out_loss"]["after"]["value"] < scores["held_out_loss"]["before"]["value"]
    assert outcome.report["export"]["same_answers"] == outcome.report["export"]["checked"]
