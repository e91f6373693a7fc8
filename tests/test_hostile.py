"""Files from a stranger: data that bombs, plans that climb out, weights that carry code, secrets that would get about.

Each is refused with a code or made harmless. Engine files and exports have a hostile set of their own
(`test_compiler_targets_hostile.py`), rewards too (`test_runtime_rewards.py`), the report as well.
"""

from __future__ import annotations

import gzip
import json
import os
import pickle
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from ftc import cli
from ftc.runtime import secrecy, supervisor
from ftc.runtime.journal import Journal
from ftc.runtime.journal import read as read_journal
from ftc.runtime.run_folder import RunFolder
from tests.runtime_plans import load, write_plan

SPEC = """\
version: 1
name: h
goal: {{task: chat}}
data: {{demonstrations: {{path: {path}}}}}
model: {{base: "builtin:tiny"}}
"""
TOKEN = "hf_" + "Q" * 30  # no real one
OWN_SECRET = "correct horse battery staple"  # noqa: S105 - no pattern knows it, only the name of its variable


class Evil:
    """Unpickled, it would leave a file."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> Any:
        return (os.mkdir, (str(self.mark),))


def check(folder: Path, spec: str, *words: str) -> tuple[int, str]:
    """`ftc check`, as called in that folder."""
    (folder / "ftc.yaml").write_text(spec, "utf-8")
    return call(folder, "check", *words)


def call(folder: Path, *words: str) -> tuple[int, str]:
    before = Path.cwd()
    os.chdir(folder)
    try:
        with pytest.raises(SystemExit) as caught, _captured() as said:
            cli.main(list(words))
    finally:
        os.chdir(before)
    text = said()
    assert "Traceback" not in text
    return int(caught.value.code or 0), text


class _captured:
    """Standard output and error as one text."""

    def __enter__(self) -> Callable[[], str]:
        import io
        import sys

        self.kept, self.stream = (sys.stdout, sys.stderr), io.StringIO()
        sys.stdout = sys.stderr = self.stream
        return self.stream.getvalue

    def __exit__(self, *_: object) -> None:
        import sys

        sys.stdout, sys.stderr = self.kept


# --- data ---------------------------------------------------------------------------------------------------------


def gzip_bomb(path: Path) -> None:
    with gzip.open(path, "wb", compresslevel=9) as stream:
        for _ in range(30):
            stream.write(b"0" * 10_000_000)


def zstd_bomb(path: Path) -> None:
    import zstandard

    path.write_bytes(zstandard.ZstdCompressor().compress(b"0" * 200_000_000))


def spread(content: bytes) -> Callable[[Path], None]:
    return lambda path: path.write_bytes(content) and None


DATA: dict[str, tuple[str, Callable[[Path], None]]] = {
    "a gzip bomb of one line": ("bomb.jsonl.gz", gzip_bomb),
    "a zstd bomb of one line": ("bomb.jsonl.zst", zstd_bomb),
    "a list 100,000 levels deep": ("deep.json", spread(b"[" * 100_000 + b"]" * 100_000)),
    "a row 50,000 levels deep": ("deep.jsonl", spread(b'{"prompt": ' + b"[" * 50_000 + b"]" * 50_000 + b"}\n")),
    "Parquet by its ends only": ("x.parquet", spread(b"PAR1" + b"\xff" * 2000 + b"PAR1")),
    "Arrow by its beginning only": ("x.arrow", spread(b"ARROW1\0\0" + b"\xff" * 2000)),
    "a pickle": ("rows.pkl", spread(pickle.dumps([1, 2]))),
    "a pickle called JSONL": ("rows.jsonl", spread(pickle.dumps({"prompt": "a"}))),
    "a zip called CSV": ("rows.csv", spread(b"PK\x03\x04" + b"\0" * 300)),
    "a program called JSONL": ("rows.jsonl", spread(b"\x7fELF" + b"\0" * 300)),
    "a pipe that nobody writes to": ("pipe.jsonl", lambda path: os.mkfifo(path)),
    "a link to itself": ("loop.csv", lambda path: path.symlink_to(path)),
    "a folder that holds its own parent": ("folder", lambda path: (path.mkdir(), (path / "up").symlink_to(".."))[0]),
    "an integer of 100,000 digits": (
        "digits.jsonl",
        spread(b'{"prompt": "a", "completion": ' + b"9" * 100_000 + b"}\n"),
    ),
    "a header of 20,000 columns": ("wide.csv", spread(b",".join(b"c%d" % n for n in range(20_000)) + b"\n")),
}


@pytest.mark.parametrize("what", DATA)
def test_data_that_bombs_is_refused(what: str, tmp_path: Path) -> None:
    name, make = DATA[what]
    make(tmp_path / name)
    code, said = check(tmp_path, SPEC.format(path=name))
    assert code == 2, said
    assert "error" in said


@pytest.mark.parametrize("path", ["/dev/zero", "/dev/stdin", "/proc/self/mem", "nul\\0l.csv"])
def test_what_is_no_file_is_refused(path: str, tmp_path: Path) -> None:
    code, said = check(tmp_path, SPEC.format(path=f'"{path}"'))
    assert (code, "S1" in said or "D1" in said) == (2, True), said


# --- plans --------------------------------------------------------------------------------------------------------


def changed(plan: dict[str, Any], where: str, value: Any) -> dict[str, Any]:
    """The plan with one value replaced; `stages.0.arguments.rows` is a way to it."""
    parts = where.split(".")
    found: Any = plan
    for part in parts[:-1]:
        found = found[int(part)] if part.isdigit() else found[part]
    found[int(parts[-1]) if parts[-1].isdigit() else parts[-1]] = value
    return plan


CLIMBING: dict[str, tuple[str, Any, int]] = {
    "a name that leads out": ("name", "../../out", 2),
    "a name that is absolute": ("name", "/out", 2),
    "a stage's id that leads out": ("stages.0.id", "../prepare", 2),
    "a kind that is none": ("stages.0.kind", "os.system", 2),
    "an argument too many": ("stages.0.arguments.extra", "x", 2),
    "rows that lead out": ("stages.0.arguments.rows", "../../../out", 2),
    "a form that is none": ("stages.0.arguments.form", "__import__", 2),
    "a starting point that leads out": ("stages.2.arguments.start_from", "../../etc", 2),
    "a merge of what is not there": ("stages.4.arguments.stage", "../sft", 2),
    "a schema of another time": ("schema", 99, 2),
    "a plan that is a list": ("", None, 2),
}


@pytest.mark.parametrize("what", CLIMBING)
def test_a_plan_cannot_climb_out_of_its_folder(what: str, tmp_path: Path) -> None:
    where, value, code = CLIMBING[what]
    work = tmp_path / "a" / "b" / "c"
    path = write_plan(work, "sft-lora", rows=60, held_out=12, scored=True, train={"steps": 1, "save_steps": 1})
    found = json.loads(path.read_bytes())
    path.write_text(json.dumps(changed(found, where, value) if where else [found]), "utf-8")
    outcome = supervisor.run(path, work / "runs")
    assert outcome.exit_code == code, [(each.code, each.message) for each in outcome.diagnostics]
    assert outcome.diagnostics
    assert {each.name for each in tmp_path.iterdir()} == {"a"}
    assert {each.name for each in (tmp_path / "a").iterdir()} == {"b"}
    assert {each.name for each in (tmp_path / "a" / "b").iterdir()} == {"c"}


@pytest.mark.parametrize("name", ["", "..", "a/b", "a\\b", "\0", "../data"])
def test_a_name_is_no_way(name: str, tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    for made in (run.stage, run.log, run.train_rows, run.held_out_rows):
        with pytest.raises(ValueError, match="not a name"):
            made(name)


# --- weights that carry code --------------------------------------------------------------------------------------


def test_pickled_weights_are_not_loaded(tmp_path: Path) -> None:
    from ftc.runtime.tiny.tokenizer import committed

    model, mark = tmp_path / "model", tmp_path / "executed"
    model.mkdir()
    for each in committed().iterdir():
        (model / each.name).write_bytes(each.read_bytes())
    (model / "pytorch_model.bin").write_bytes(pickle.dumps(Evil(mark)))
    head = load(write_plan(tmp_path, "sft-full", rows=60, held_out=12)).model
    path = write_plan(tmp_path, "sft-full", rows=60, held_out=12, scored=False, model={**head, "base": "model"})
    outcome = supervisor.run(path, tmp_path / "runs")
    assert (outcome.exit_code, [each.code for each in outcome.diagnostics]) == (1, ["R107"])
    assert not mark.exists()


def test_a_checkpoint_that_carries_code_is_not_executed(tmp_path: Path) -> None:
    mark = tmp_path / "executed"
    train = {"steps": 4, "save_steps": 2, "eval_steps": 0}
    path = write_plan(tmp_path, "sft-lora", rows=60, held_out=12, scored=False, train=train)
    assert supervisor.run(path, tmp_path / "runs").exit_code == 0
    folder = tmp_path / "runs" / load(path).run_name
    journal = [
        line
        for line in (folder / "events.jsonl").read_text().splitlines()
        if '"stage_finished"' not in line or '"prepare"' in line
    ]
    (folder / "events.jsonl").write_text("\n".join(journal) + "\n")  # as if it had been killed in training
    checkpoint = sorted((folder / "stages/sft").glob("checkpoint-*"))[-1]
    marks = json.loads((checkpoint / "complete.json").read_bytes())
    for name in ("optimizer.pt", "rng_state.pth"):
        (checkpoint / name).write_bytes(pickle.dumps(Evil(mark)))
        marks[name] = (checkpoint / name).stat().st_size
    (checkpoint / "complete.json").write_text(json.dumps(marks))
    outcome = supervisor.run(path, tmp_path / "runs")
    assert outcome.exit_code == 1, "the checkpoint says that it is whole, and is not"
    assert not mark.exists()


# --- secrets ------------------------------------------------------------------------------------------------------


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    monkeypatch.setenv("MY_API_KEY", OWN_SECRET)


@pytest.mark.parametrize(
    ("text", "hidden"),
    [
        (f"401 for Bearer {TOKEN}", True),
        (f"https://user:{OWN_SECRET}@hub/x", True),
        ("sk-" + "a" * 40, True),
        ("AKIA" + "A" * 16, True),
        ("ghp_" + "a" * 36, True),
        ("a loss of 0.3 at step 12", False),
        ("hf_short", False),
    ],
)
def test_secrets_are_hidden(told: None, text: str, hidden: bool) -> None:
    assert ("***" in secrecy.redacted(text)) == hidden
    assert TOKEN not in secrecy.redacted(text)
    assert OWN_SECRET not in secrecy.redacted(text)


def test_a_journal_holds_no_secret(told: None, tmp_path: Path) -> None:
    Journal(tmp_path).write("remark", message=f"could not reach the hub with {TOKEN}", rows=[OWN_SECRET])
    text = (tmp_path / "events.jsonl").read_text()
    assert TOKEN not in text
    assert OWN_SECRET not in text
    assert len(read_journal(tmp_path)[0]) == 1, "and stays JSON"


def test_a_run_leaves_no_secret_behind(told: None, tmp_path: Path) -> None:
    path = write_plan(tmp_path, "sft-lora", rows=60, held_out=12, train={"steps": 1, "save_steps": 1})
    plan = load(path)
    goal = {**plan.goal, "description": f"Route questions. {OWN_SECRET}", "success": None}
    path.write_bytes(replace(plan, goal=goal).to_bytes())
    outcome = supervisor.run(path, tmp_path / "runs")
    assert outcome.exit_code == 0, [(each.code, each.message) for each in outcome.diagnostics]
    assert outcome.folder is not None
    for each in outcome.folder.rglob("*"):
        if each.is_file() and each.name != "plan.json":  # the copy of what was written by hand, byte for byte
            assert OWN_SECRET.encode() not in each.read_bytes(), each
            assert TOKEN.encode() not in each.read_bytes(), each


@pytest.mark.parametrize("key", ["name", "goal.description", "data.licence", "model.base"])
def test_a_spec_with_a_token_in_it_is_refused_and_does_not_show_it(key: str, tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("prompt,completion\na,b\n")
    lines = {
        "name": f"version: 1\nname: {TOKEN}\ngoal: {{task: chat}}\n",
        "goal.description": f"version: 1\nname: h\ngoal: {{task: chat, description: use {TOKEN}}}\n",
        "data.licence": f"version: 1\nname: h\ngoal: {{task: chat}}\ndata:\n  licence: {TOKEN}\n",
        "model.base": f"version: 1\nname: h\ngoal: {{task: chat}}\nmodel: {{base: 'https://x:{TOKEN}@hub/m'}}\n",
    }
    code, said = check(tmp_path, lines[key])
    assert code == 2
    assert TOKEN not in said


def test_how_many_there_are() -> None:
    from tests.test_compiler_targets_hostile import HOSTILE

    assert len(DATA) + len(CLIMBING) + len(HOSTILE) >= 40


def test_the_command_line_refuses_what_it_does_not_know() -> None:
    done = CliRunner().invoke(cli.ftc, ["chekc"])
    assert done.exit_code == 2
    assert "check" in done.output
