"""A first spec from a sentence and a folder: what is taken for what, and that the result loads as it is."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ftc.spec.diagnostics import errors
from ftc.spec.draft import Draft, draft
from ftc.spec.load import load_text
from ftc.spec.model import Spec

DATA = Path(__file__).parents[2] / "shared" / "data"


def spec_of(made: Draft, folder: Path) -> Spec:
    loaded = load_text(made.text, "ftc.yaml", folder)
    assert not errors(loaded.diagnostics)
    assert loaded.spec is not None
    return loaded.spec


def write_rows(path: Path, rows: list[dict[str, object]]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    home = tmp_path / "Support Tickets"
    home.mkdir()
    tickets = [f'"where is order {n}?",{label}' for n, label in enumerate(["late", "refund", "late", "lost"] * 30)]
    (home / "tickets.csv").write_text("\n".join(["text,category", *tickets]))
    (home / "tickets_test.csv").write_text("\n".join(["text,category", *tickets[:20]]))
    (home / "package.json").write_text("{}")
    (home / "notes.txt").write_text("nothing")
    return home


def test_a_sentence_and_a_folder_make_a_spec(folder: Path) -> None:
    made = draft("Sort our customers' tickets by category, $50", (), folder)
    spec = spec_of(made, folder)
    assert (spec.name, spec.goal.task, spec.budget.usd) == ("Support-Tickets", "classification", 50)
    assert [each.path for each in spec.data.demonstrations] == ["tickets.csv"]
    assert spec.data.evaluation.source is not None
    assert spec.data.evaluation.source.path == "tickets_test.csv"
    assert made.diagnostics == ()
    assert made.text.count("->") == 6  # three rows of each file


def test_what_is_said_wins_over_what_is_guessed(folder: Path) -> None:
    values = {"goal.task": "extraction", "name": "mine", "hardware": "none"}
    made = draft("Classify tickets on an RTX 4090", ("tickets.csv",), folder, values=values)
    spec = spec_of(made, folder)
    assert (spec.goal.task, spec.name, spec.hardware.kind) == ("extraction", "mine", "none")
    assert "goal.task" not in {each.key for each in made.guesses}
    assert "guessed" not in "".join(line for line in made.text.splitlines() if "task:" in line)


def test_nothing_at_all_makes_a_spec_too(tmp_path: Path) -> None:
    made = draft("", (), tmp_path)
    spec = spec_of(made, tmp_path)
    assert spec.data.demonstrations == ()
    assert made.found == ()


def test_files_go_where_their_rows_belong(tmp_path: Path) -> None:
    pairs: list[dict[str, object]] = [
        {"prompt": f"q{n}", "chosen": f"good answer {n}", "rejected": f"bad {n}"} for n in range(40)
    ]
    write_rows(tmp_path / "a.jsonl", pairs)
    (tmp_path / "manual.txt").write_text("Turn it off and on again. " * 50)
    (tmp_path / "empty.csv").write_text("")
    made = draft("", ("a.jsonl", "manual.txt", "empty.csv", "mising.csv", "https://example.com/x.csv"), tmp_path)
    assert {each.path: each.role for each in made.found} == {"a.jsonl": "feedback", "manual.txt": "corpus"}
    spec = spec_of(made, tmp_path)
    assert spec.data.feedback is not None
    assert len(made.diagnostics) == 3
    assert "mising.csv" not in made.text


def test_a_file_without_a_natural_reading_leaves_the_lines_to_choose(tmp_path: Path) -> None:
    rows = [{"ctx": [{"text": f"t{n}"}], "questions": [{"question": f"q{n}?", "answer": f"a{n}"}]} for n in range(20)]
    (tmp_path / "nested.json").write_text(json.dumps(rows))
    made = draft("", ("nested.json",), tmp_path)
    lines = [
        line for line in made.text.splitlines() if line.startswith("  # demonstrations: {path: nested.json, columns:")
    ]
    assert lines
    assert spec_of(made, tmp_path).data.demonstrations == ()
    for line in lines:
        chosen = load_text(made.text.replace(line, line.replace("# ", "", 1)), "ftc.yaml", tmp_path)
        assert chosen.spec is not None
        assert chosen.spec.data.demonstrations[0].columns


@pytest.mark.skipif(not DATA.exists(), reason="the data sets are not at hand")
@pytest.mark.parametrize(
    ("path", "role", "task"),
    [
        ("support/banking77_train.csv", "demonstrations", "classification"),
        ("healthcare/pubmedqa_labeled.json", "demonstrations", "classification"),
        ("preference/kto_en_demo.json", "feedback", "generation"),
        ("preference/dpo_en_demo.json", "feedback", "generation"),
        ("chat/glaive_toolcall_en_demo.json", "demonstrations", "chat"),
        ("legal/cuad_audit_rights.tsv", "demonstrations", "classification"),
    ],
)
def test_real_files(path: str, role: str, task: str) -> None:
    made = draft("", (path,), DATA)
    assert [each.role for each in made.found] == [role]
    assert spec_of(made, DATA).goal.task == task
    assert made.diagnostics == ()
