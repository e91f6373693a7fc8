"""`ftc check` at the front door: all problems in one pass, short findings, every public data file from end to end."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from ftc.cli import main
from ftc.spec.pairs import pairs_of
from ftc.spec.rows import Message, Ranking

SHARED = Path(__file__).parents[2] / "shared" / "data"
HARDWARE = "model: {base: Qwen/Qwen2.5-0.5B-Instruct}\nhardware: {gpu: rtx-4090}\n"

# What the files are for, and the task they suit; everything else is a legal table of two classes.
FILES = {
    "chat/alpaca_en_demo.json": ("demonstrations", "generation"),
    "chat/glaive_toolcall_en_demo.json": ("demonstrations", "chat"),
    "finance/tatqa_dev.json": ("demonstrations", "qa"),
    "healthcare/pubmedqa_labeled.json": ("demonstrations", "classification"),
    "preference/dpo_en_demo.json": ("feedback", "chat"),
    "preference/kto_en_demo.json": ("feedback", "chat"),
    "support/banking77_test.csv": ("demonstrations", "classification"),
    "support/banking77_train.csv": ("demonstrations", "classification"),
}


REFUSED = (
    "model: 5\n",
    "model: [a]\n",
    "hardware: {gpus: [5, x], cloud: 1}\n",
    "hardware: 7\n",
    "hardware: {gpu: [1]}\n",
    "model: {base: 7, parameters: x}\n",
)


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing that an earlier run found answers a test."""
    monkeypatch.setenv("FTC_CACHE_DIR", str(tmp_path_factory.mktemp("cache")))


def ftc(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of one command, run in this process."""
    with pytest.raises(SystemExit) as left:
        main([str(each) for each in arguments])
    out, err = capsys.readouterr()
    assert isinstance(left.value.code, int)
    return left.value.code, out, err


def public_files() -> list[str]:
    found = [each for each in SHARED.rglob("*") if each.is_file() and each.suffix in (".json", ".csv", ".tsv")]
    return sorted(str(each.relative_to(SHARED)) for each in found)


def spec_for(folder: Path, path: str, more: str = "") -> Path:
    role, task = FILES.get(path, ("demonstrations", "classification"))
    spec = folder / "ftc.yaml"
    source = f"{{path: {SHARED / path}{', ' + more if more else ''}}}"
    spec.write_text(f"goal: {{task: {task}}}\ndata: {{{role}: {source}}}\n{HARDWARE}")
    return spec


@pytest.mark.skipif(not SHARED.is_dir(), reason="the public data sets are not beside the project")
def test_all_public_files_are_tried() -> None:
    files = public_files()
    assert len(files) == 60
    assert set(FILES) <= set(files)
    assert all(each in FILES or each.startswith("legal/") for each in files)


@pytest.mark.skipif(not SHARED.is_dir(), reason="the public data sets are not beside the project")
@pytest.mark.parametrize("path", public_files())
def test_every_public_file_is_checked_and_compiled(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], path: str
) -> None:
    """Recognised as it is, or refused with lines of which each works."""
    choices = [""]
    code, out, err = ftc(capsys, "check", spec_for(tmp_path, path), "--json")
    if code:
        (refused,) = [each for each in json.loads(out)["diagnostics"] if each["severity"] == "error"]
        assert (code, refused["code"]) == (2, "D112"), err
        choices = refused["fix"].splitlines()
        assert choices
    for more in choices:
        code, out, err = ftc(capsys, "check", spec_for(tmp_path, path, more), "--json")
        assert code == 0, (more, out)
        found = json.loads(out)["profile"]
        set_ = found["demonstrations"] or found["feedback"]["set"]
        assert set_["rows"] > 0
        assert set_["rows"] + set_["rows_reported"] == set_["rows_read"]
    plan = tmp_path / "ftc.plan.json"
    code, out, err = ftc(capsys, "compile", spec_for(tmp_path, path, choices[0]), "-o", plan, "--json")
    assert (code == 0 and plan.is_file()) or ((code == 3 and " M901" in err + out) or '"M901"' in out), (out, err)


def test_unknown_names_are_told_with_everything_else(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "rows.csv").write_text("text,label\na,b\n")
    spec = tmp_path / "ftc.yaml"
    spec.write_text(
        "gaol: 1\ngoal: {task: clasification}\ndata: {demonstrations: {path: row.csv}}\n"
        "model: {base: Qwen/Qwen2.5-7B-Instrct}\nhardware: {gpu: rtx-4099}\n"
    )
    code, out, _ = ftc(capsys, "check", spec, "--json")
    found = [(each["line"], each["code"]) for each in json.loads(out)["diagnostics"]]
    assert code == 2
    assert found == [(1, "S103"), (2, "S114"), (3, "S104"), (4, "S111"), (5, "S110")]
    said = {each["code"]: each["message"] + each["fix"] for each in json.loads(out)["diagnostics"] if "fix" in each}
    assert "Qwen/Qwen2.5-7B-Instruct" in said["S111"]
    assert "rtx-4090" in said["S110"]


@pytest.mark.parametrize("refused", REFUSED)
def test_names_in_a_broken_spec_are_looked_up_without_harm(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], refused: str
) -> None:
    spec = tmp_path / "ftc.yaml"
    spec.write_text(f"goal: {{task: qa}}\ndata: {{corpus: {{tokens: 5}}}}\n{refused}")
    code, _, err = ftc(capsys, "check", spec)
    assert code == 2
    assert "Traceback" not in err


def test_findings_name_a_few_places_and_how_many_more(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = "".join(f"question number {row % 10} of them,ab{row % 2}\n" for row in range(400))
    (tmp_path / "rows.csv").write_text("text,label\n" + rows)
    spec = tmp_path / "ftc.yaml"
    spec.write_text("goal: {task: classification}\ndata: {demonstrations: {path: rows.csv}}\n" + HARDWARE)
    code, _, err = ftc(capsys, "check", spec)
    assert code == 0
    (places,) = [line for line in err.splitlines() if line.startswith("  at rows.csv")][:1]
    assert places == "  at rows.csv:12, 13, 14 and 387 more"
    assert max(map(len, err.splitlines())) <= 160


def test_ten_thousand_rows_are_checked_within_a_second(tmp_path: Path) -> None:
    """Of the processor, and half as much again, since other work shares its caches: alone it takes 0.7."""
    rows = "".join(f"where is the card number {row} that i asked for,desk{row % 20}\n" for row in range(10_000))
    (tmp_path / "rows.csv").write_text("text,label\n" + rows)
    spec = tmp_path / "ftc.yaml"
    spec.write_text("goal: {task: classification}\ndata: {demonstrations: {path: rows.csv}}\n" + HARDWARE)
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    environment["PYTHONPYCACHEPREFIX"] = str(tmp_path / "compiled")
    used = []
    for cache in ("first", "second"):  # the first one compiles
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        command = [sys.executable, "-m", "ftc", "check", str(spec)]
        done = subprocess.run(command, env={**environment, "FTC_CACHE_DIR": str(tmp_path / cache)}, capture_output=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        assert b"10,000 read" in done.stdout
        used.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    assert used[-1] < 1.5, used


def test_a_ranked_list_is_all_its_pairs_best_first_in_one_group() -> None:
    prompt = (Message(role="user", content="q"),)
    pairs = pairs_of(Ranking(prompt=prompt, answers=("a", "b", "c", "b "), place="x:1"))
    assert [(each.chosen, each.rejected) for each in pairs] == [
        ("a", "b"), ("a", "c"), ("a", "b "), ("b", "c"), ("c", "b "),
    ]  # fmt: skip
    assert {each.group for each in pairs} == {"x:1"}
    assert {each.group for each in pairs_of(Ranking(prompt=prompt, answers=("a", "b"), place="x:1", group="g"))} == {
        "g"
    }
