"""Export: targets beside the model, the same answers and held-out scores before and after, templates for Ollama."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("trl")

from ftc.cli import main
from ftc.runtime import answers, scores
from ftc.runtime.ollama import around_turns, modelfile, put_together
from ftc.runtime.run_folder import RunFolder, read_rows
from ftc.runtime.stages.export import _different
from ftc.runtime.supervisor import INTERRUPTED, run
from tests.runtime_plans import LABELS, fault, write_plan

pytestmark = pytest.mark.train
CHATML = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
WITH_DEFAULT = "{% if messages[0].role != 'system' %}<|system|>Be kind.<|end|>{% endif %}" + CHATML
REFUSES_SYSTEM = (
    "{% for m in messages %}{% if m.role == 'system' %}{{ raise_exception('none') }}{% endif %}{% endfor %}"
)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A LoRA run, stopped and resumed in the middle, merged and exported for vLLM."""
    folder = tmp_path_factory.mktemp("run")
    patch = pytest.MonkeyPatch()
    patch.setenv("OMP_NUM_THREADS", "1")
    train = {"steps": 60, "save_steps": 20, "eval_steps": 30, "logging_steps": 10}
    plan = write_plan(folder, "sft-lora", train=train)
    text = json.loads(plan.read_text())
    next(each for each in text["stages"] if each["kind"] == "export")["arguments"]["target"] = "vllm"
    plan.write_text(json.dumps(text))
    with patch.context() as slowly:
        for name, value in fault("slow-200").items():
            slowly.setenv(name, value)
        outcome = run(plan, folder / "runs", on_event=_stopping())
        assert outcome.exit_code == INTERRUPTED, outcome.diagnostics
    outcome = run(plan, folder / "runs")
    patch.undo()
    assert outcome.exit_code == 0, outcome.diagnostics
    assert outcome.folder is not None
    return outcome.folder


def _stopping() -> Any:
    """Kills the training once, after its first checkpoint."""
    import os
    import signal

    done: list[int] = []

    def on_event(event: Any) -> None:
        if event["kind"] == "checkpoint" and not done:
            done.append(1)
            os.kill(os.getpid(), signal.SIGTERM)

    return on_event


def test_a_resumed_merged_and_reloaded_model_has_the_held_out_scores_of_before(finished: Path) -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from ftc.runtime.tokens import encode, prompt_ids

    report = json.loads((finished / "report.json").read_text())
    assert report["training"][0]["resumed_at"], "the training was stopped in the middle"
    model = AutoModelForCausalLM.from_pretrained(finished / "model").eval()
    tokenizer = AutoTokenizer.from_pretrained(finished / "model")
    rows = list(read_rows(RunFolder(finished).held_out_rows("demonstrations")))
    said = answers.generate(model, tokenizer, prompt_ids(tokenizer, rows), max_new_tokens=16, batch_size=64)
    kept = list(read_rows(finished / "stages" / "evaluate" / "predictions.jsonl"))
    assert said == [each["answer"] for each in kept]
    expected = [row["messages"][-1]["content"] for row in rows]
    for metric in ("accuracy", "macro_f1"):
        assert scores.score(metric, expected, said, LABELS, 0) == report["after"]["metrics"][metric]
    encoded = encode(tokenizer, rows, loss_on="completion", max_length=None)
    means, counts = answers.losses(model, tokenizer, encoded, batch_size=64)
    loss = scores.mean(means, 0, counts)["value"]
    assert loss == pytest.approx(report["after"]["metrics"]["held_out_loss"]["value"], rel=1e-4)


def test_the_export_says_that_it_is_the_same_model(finished: Path) -> None:
    found = json.loads((finished / "report.json").read_text())["export"]
    assert (found["checked"], found["same_answers"], found["same_template"]) == (8, 8, True)
    assert found["held_out"]["same"] is True
    assert found["held_out"]["rows"] == 60
    assert found["files"] == ["vllm/serve.sh"]
    script = (finished / "vllm" / "serve.sh").read_text()
    assert "vllm serve ./model --served-model-name desks" in script
    assert subprocess.run(["sh", "-n", finished / "vllm" / "serve.sh"], check=False).returncode == 0


def exported(finished: Path, target: str, capsys: pytest.CaptureFixture[str]) -> tuple[int, dict[str, Any]]:
    with pytest.raises(SystemExit) as ended:
        main(["export", str(finished), "--to", target, "--json"])
    return int(ended.value.code or 0), json.loads(capsys.readouterr().out)


def test_targets_after_the_fact(finished: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, found = exported(finished, "adapter", capsys)
    assert code == 0
    assert (Path(found["files"][0]) / "adapter_config.json").is_file()
    code, found = exported(finished, "ollama", capsys)
    assert code == 0
    assert Path(found["files"][0]).read_text().startswith("FROM ../model\nTEMPLATE")


def test_gguf_is_llama_cpps_work(finished: Path, tmp_path: Path, monkeypatch: Any, capsys: Any) -> None:
    """Without its script a message that says what to do; with it, the script is called."""
    monkeypatch.delenv("LLAMA_CPP_DIR", raising=False)
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent))
    code, found = exported(finished, "gguf", capsys)
    assert code == 1
    assert [each["code"] for each in found["diagnostics"]] == ["R416"]
    script = "import pathlib, sys\npathlib.Path(sys.argv[sys.argv.index('--outfile') + 1]).write_bytes(b'GGUF')\n"
    (tmp_path / "convert_hf_to_gguf.py").write_text(script)
    monkeypatch.setenv("LLAMA_CPP_DIR", str(tmp_path))
    code, found = exported(finished, "gguf", capsys)
    assert code == 0
    assert Path(found["files"][0]).read_bytes() == b"GGUF"
    assert exported(finished, "ollama", capsys)[0] == 0
    assert (finished / "ollama" / "Modelfile").read_text().startswith("FROM ../gguf/model.gguf\n")
    (tmp_path / "convert_hf_to_gguf.py").write_text("raise SystemExit('Model X is not supported')\n")
    code, found = exported(finished, "gguf", capsys)
    assert (code, "not supported" in found["diagnostics"][0]["message"]) == (1, True)
    shutil.rmtree(finished / "gguf")


def test_what_is_no_run_is_refused(tmp_path: Path, capsys: Any) -> None:
    code, found = exported(tmp_path, "vllm", capsys)
    assert (code, found["diagnostics"][0]["code"]) == (2, "R107")


@pytest.mark.parametrize(("template", "plain"), [(CHATML, True), (WITH_DEFAULT, False), (REFUSES_SYSTEM, False)])
def test_templates_for_ollama(template: str, plain: bool) -> None:
    from transformers import AutoTokenizer

    from ftc.runtime.tiny.tokenizer import committed

    tokenizer = AutoTokenizer.from_pretrained(committed())
    tokenizer.chat_template = template
    around = around_turns(tokenizer)
    assert (around is not None) is plain
    assert ("TEMPLATE" in modelfile(tokenizer, "model.gguf")) is plain
    if around is not None:
        talk = [("system", "a"), ("user", "b"), ("assistant", "c"), ("user", "d"), ("assistant", "e"), ("user", "f")]
        messages = [{"role": role, "content": text} for role, text in talk]
        rendered = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
        assert put_together(around, talk) == rendered


def test_answers_that_differ_are_listed_and_texts_may_be_cut() -> None:
    rows = [{"place": "a:1", "messages": []}, {"place": "b:2", "text": "x"}]
    assert _different(rows, ["one", "on and on"], ["two", "on"]) == [
        {"place": "a:1", "trained": "one", "exported": "two"}
    ]
