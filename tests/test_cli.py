"""The front door: exit codes, where words go, and that every expected failure is a diagnosis."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ftc.cli import COMMANDS, main

GOLDEN = Path(__file__).parent / "golden"
SPEC = GOLDEN / "tickets-lora.yaml"
THREE_MISTAKES = """\
version: 1
name: x
goal: {task: clasification}
data:
  demonstrations: {path: tickets_trian.csv}
budjet: {usd: 5}
"""


def ftc(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of one command, run in this process."""
    with pytest.raises(SystemExit) as left:
        main([str(each) for each in arguments])
    out, err = capsys.readouterr()
    assert isinstance(left.value.code, int)
    return left.value.code, out, err


def spec_with(folder: Path, data: str, name: str = "rows.csv", **content: str) -> Path:
    """A spec over one data file with that content."""
    (folder / name).write_text(data, "utf-8")
    spec = folder / "ftc.yaml"
    spec.write_text(
        "version: 1\nname: t\ngoal: {task: classification}\n"
        f"data: {{demonstrations: {{path: {name}}}}}\n"
        "model: {base: Qwen/Qwen2.5-0.5B}\nhardware: {gpu: rtx-4090}\n",
        "utf-8",
    )
    return spec


def test_three_mistakes_are_three_located_diagnostics(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "tickets_train.csv").write_text("text,label\na,b\n")
    spec = tmp_path / "ftc.yaml"
    spec.write_text(THREE_MISTAKES)
    code, out, err = ftc(capsys, "compile", spec)
    assert (code, out) == (2, "")
    assert "Traceback" not in err
    for place in (":3:14  error S", ":5:26  error S104", ":6:1  error S103"):
        assert place in err
    assert err.rstrip().endswith("3 problems, nothing written.")


def test_json_failures_are_one_object_on_stdout(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    spec = tmp_path / "ftc.yaml"
    spec.write_text(THREE_MISTAKES)
    code, out, _ = ftc(capsys, "compile", spec, "--json")
    answer = json.loads(out)
    assert code == answer["exit_code"] == 2
    assert {each["line"] for each in answer["diagnostics"]} == {3, 5, 6}


@pytest.mark.parametrize(
    ("content", "name"),
    [
        ("", "rows.csv"),
        ("text,label\n", "rows.csv"),
        ('{"a": ', "rows.json"),
        ("\x00\x01\x02", "rows.jsonl"),
        ("", "x.parquet"),
    ],
)
def test_data_that_cannot_be_read_is_diagnosed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: str, name: str
) -> None:
    code, out, err = ftc(capsys, "compile", spec_with(tmp_path, content, name), "-o", tmp_path / "plan.json")
    assert code == 2
    assert name in err
    assert " D1" in err
    assert "Traceback" not in out + err
    assert not (tmp_path / "plan.json").exists()


def test_unknown_gpu_and_model_point_into_the_spec(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    spec = spec_with(tmp_path, (GOLDEN / "tickets.csv").read_text("utf-8"))
    spec.write_text(spec.read_text().replace("rtx-4090", "rtx-4900").replace("Qwen2.5-0.5B", "Qwen2.5-0.6B"))
    code, _, err = ftc(capsys, "advise", spec)
    assert code == 2
    assert "ftc.yaml:5:15  error S111" in err
    assert "ftc.yaml:6:17  error S110" in err


def test_compile_writes_the_same_bytes_twice(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plans = [tmp_path / "a.json", tmp_path / "b.json"]
    for plan in plans:
        assert ftc(capsys, "compile", SPEC, "-o", plan)[0] == 0
    assert plans[0].read_bytes() == plans[1].read_bytes()


def test_dry_run_writes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = tmp_path / "plan.json"
    code, out, _ = ftc(capsys, "compile", SPEC, "-o", target, "--dry-run")
    assert code == 0
    assert "dry run" in out
    assert not target.exists()


def test_compile_json_is_the_plan(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = ftc(capsys, "compile", SPEC, "-o", tmp_path / "plan.json", "--json")
    assert code == 0
    assert json.loads(out) == json.loads((tmp_path / "plan.json").read_text("utf-8"))


def test_advise_json_has_the_fields_scripts_read(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = ftc(capsys, "advise", SPEC, "--json")
    advice = json.loads(out)
    assert code == 0
    fields = {"method", "adapter", "model", "flags", "trace", "alternatives", "flips", "questions", "confidence"}
    assert fields <= set(advice)
    assert advice["method"] == "sft-lora"
    assert {"code", "question", "answer", "because", "evidence"} <= set(advice["trace"][0])
    assert {"method", "feasible", "why_not", "memory_gib", "hours", "usd"} <= set(advice["alternatives"][0])


ESTIMATE = ("--model", "Qwen/Qwen2.5-7B", "--method", "lora", "--gpu", "h100", "--rows", "100", "--tokens", "500")


def test_estimate_json_has_the_fields_scripts_read(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = ftc(capsys, "estimate", *ESTIMATE, "--json")
    answer: dict[str, Any] = json.loads(out)
    assert code == 0
    assert answer["fits"] is True
    assert {"memory", "throughput", "hours", "usd", "fits", "sources"} <= set(answer)
    parts = {"weights", "adapters", "gradients", "optimizer", "activations", "logits", "reference", "overhead"}
    assert set(answer["memory"]["breakdown_gib"]) == parts
    for name in ("allocated_gib", "reserved_gib", "device_gib", "host_gib"):
        value = answer["memory"][name]
        assert 0 < value["low"] <= value["likely"] <= value["high"]


def test_estimate_that_does_not_fit_exits_3(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["rtx-4060" if each == "h100" else each for each in ESTIMATE]
    code, out, _ = ftc(capsys, "estimate", *arguments)
    assert code == 3
    assert "does not fit" in out


def test_estimate_needs_its_three_flags(capsys: pytest.CaptureFixture[str]) -> None:
    assert ftc(capsys, "estimate", "--model", "Qwen/Qwen2.5-7B")[0] == 2


@pytest.mark.parametrize(
    "arguments", [["complie"], ["compile", "--nope"], ["run", "nowhere.json"], ["compile", "no.yaml"]]
)
def test_a_wrong_command_line_exits_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = ftc(capsys, *arguments)
    assert code == 2
    assert "Traceback" not in err


@pytest.mark.parametrize("verb", sorted(COMMANDS))
def test_every_verb_has_help_with_examples(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = ftc(capsys, verb, "--help")
    assert code == 0
    assert "Example" in out
    assert "--json" in out


@pytest.mark.parametrize("language", ["spec", "plan"])
def test_schema_prints_json(language: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = ftc(capsys, "schema", language)
    assert code == 0
    assert json.loads(out)["$schema"].endswith("2020-12/schema")


def test_explain_says_where_a_value_comes_from(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = ftc(capsys, "explain", f"{GOLDEN / 'tickets-lora.plan.json'}:sft.lora.rank")
    assert code == 0
    assert "spec overrides.lora.rank" in out


def test_compile_loads_no_training_stack() -> None:
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "ftc", "compile", str(SPEC), "--dry-run"],
        capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    loaded = {line.rsplit("|", 1)[-1].strip().split(".")[0] for line in done.stderr.splitlines() if "|" in line}
    assert "ftc" in loaded
    assert not loaded & {"torch", "transformers", "datasets", "trl", "peft"}
