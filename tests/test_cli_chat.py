"""`ftc chat`: once, line by line, as JSON; merged, adapter, base; and what it refuses."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest

from ftc.cli import main


def called(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    with pytest.raises(SystemExit) as ended:
        main(["chat", *arguments])
    return int(ended.value.code or 0), capsys.readouterr().out


@pytest.mark.parametrize("name", ["nothing-here", "./not/there", "a/b/c"])
def test_what_is_no_model_is_refused_at_once(name: str, tmp_path: Path, monkeypatch: Any, capsys: Any) -> None:
    monkeypatch.chdir(tmp_path)
    code, out = called([name, "--prompt", "hi", "--json"], capsys)
    assert (code, json.loads(out)["diagnostics"][0]["code"]) == (2, "R107")


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("trl")
    from ftc.runtime.supervisor import run
    from tests.runtime_plans import write_plan

    folder = tmp_path_factory.mktemp("chat")
    patch = pytest.MonkeyPatch()
    patch.setenv("OMP_NUM_THREADS", "1")
    outcome = run(write_plan(folder, "sft-lora", train={"steps": 60, "eval_steps": 0, "save_steps": 60}, scored=False),
                  folder / "runs")  # fmt: skip
    patch.undo()
    assert outcome.exit_code == 0, outcome.diagnostics
    assert outcome.folder is not None
    return outcome.folder


@pytest.mark.train
def test_the_adapter_says_what_the_merged_model_says_and_the_base_something_else(
    finished: Path, capsys: Any, monkeypatch: Any
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    asked = [finished.name, "--out", str(finished.parent), "--prompt", "I forgot my password", "--json"]
    code, out = called([*asked, "--base"], capsys)
    answers = json.loads(out)["turns"][0]["answers"]
    assert code == 0
    assert answers["tuned"].startswith("desk")
    assert answers["base"] not in ("", answers["tuned"])
    code, out = called([*asked, "--adapter"], capsys)
    assert json.loads(out)["turns"][0]["answers"] == {"tuned": answers["tuned"]}


@pytest.mark.train
def test_lines_of_the_input_are_turns_of_one_conversation(finished: Path, capsys: Any, monkeypatch: Any) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setattr("sys.stdin", io.StringIO("I lost my credit card\n\n  \n/exit\nnot asked any more\n"))
    code, out = called([str(finished / "model")], capsys)
    assert code == 0
    assert out.startswith("desk")
    assert out.count("\n") == 1


@pytest.mark.train
def test_a_plain_folder_has_no_base_beside_it(finished: Path, capsys: Any) -> None:
    code, out = called([str(finished / "model"), "--base", "--prompt", "x", "--json"], capsys)
    assert (code, "no base" in json.loads(out)["diagnostics"][0]["message"]) == (1, True)
