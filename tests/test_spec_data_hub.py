"""Data sets by their hub id: the library in the child process is a stand-in with the real one's signature."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ftc.spec.data import hub
from ftc.spec.measure import profile
from ftc.spec.model import Data, Evaluation, Goal, Source, Spec
from ftc.spec.read import read

# As `datasets.load_dataset` is called: it writes down how, and gives rows of its own by name and split.
LIBRARY = """
import json, os
from pathlib import Path
import pyarrow, pyarrow.parquet

SETS = {
    ("acme/desks", "train"): [{"text": f"question {n} about a card", "label": "ab"[n % 2]} for n in range(300)],
    ("acme/desks", "test"): [{"text": f"other question {n}", "label": "ab"[n % 2]} for n in range(40)],
    ("acme/more", "train"): [{"text": f"further question {n}", "label": "c"} for n in range(60)],
}

class Rows:
    def __init__(self, rows):
        self.rows = rows
    def to_parquet(self, out):
        pyarrow.parquet.write_table(pyarrow.Table.from_pylist(self.rows), out, row_group_size=50)

def disable_progress_bars():
    pass

def load_dataset(path, revision=None, split=None):
    with Path(os.environ["CALLS"]).open("a") as stream:
        stream.write(json.dumps([path, revision, split]) + "\\n")
    if (path, split) not in SETS:
        raise ValueError(f"Unknown split {split!r} of {path}")
    return Rows(SETS[path, split])
"""


@pytest.fixture
def calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A hub with two data sets; the file says what was asked of it."""
    library = tmp_path / "library"
    library.mkdir()
    (library / "datasets.py").write_text(LIBRARY)
    monkeypatch.setenv("PYTHONPATH", str(library))
    monkeypatch.setenv("FTC_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("CALLS", str(tmp_path / "calls"))
    monkeypatch.setattr(hub, "_failed", {})
    return tmp_path / "calls"


def asked(calls: Path) -> list[list[str | None]]:
    return [json.loads(line) for line in calls.read_text().splitlines()] if calls.exists() else []


@pytest.mark.parametrize(
    ("name", "call", "rows"),
    [
        ("acme/desks", ["acme/desks", None, "train"], 300),
        ("acme/desks:test", ["acme/desks", None, "test"], 40),
        ("acme/desks@v1.2:test", ["acme/desks", "v1.2", "test"], 40),
        ("hf://datasets/acme/more", ["acme/more", None, "train"], 60),
    ],
)
def test_a_hub_id_is_fetched_once_and_read_like_a_file(
    tmp_path: Path, calls: Path, name: str, call: list[str | None], rows: int
) -> None:
    for _ in range(2):
        reading = read(Source(path=name), tmp_path, "demonstrations")
        found = iter(reading.rows)
        assert next(found).place.endswith(":1")
        assert reading.rows_read < rows or rows < 50  # row group by row group, not all at once
        assert 1 + sum(1 for _ in found) == rows
        assert (reading.format, reading.rows_read, reading.rows_reported) == ("text-label", rows, 0)
    assert asked(calls) == [call]


def test_several_sources_and_an_evaluation_split(tmp_path: Path, calls: Path) -> None:
    (tmp_path / "own.jsonl").write_text('{"text": "one of ours", "label": "a"}\n' * 3)
    data = Data(
        demonstrations=(Source(path="acme/desks"), Source(path="acme/more", weight=2.0), Source(path="own.jsonl")),
        evaluation=Evaluation(source=Source(path="acme/desks:test")),
    )
    found, findings = profile(Spec(name="x", goal=Goal(task="classification"), folder=tmp_path, data=data))
    assert found.demonstrations is not None
    assert (found.demonstrations.rows, found.held_out_rows, found.train_rows) == (363, 40, 363)
    assert dict(found.demonstrations.classes) == {"a": 153, "b": 150, "c": 60}
    assert not [each for each in findings if each.severity == "error"]
    assert sorted(asked(calls)) == [
        ["acme/desks", None, "test"],
        ["acme/desks", None, "train"],
        ["acme/more", None, "train"],
    ]
    assert len(found.hashes) == 4


def test_a_split_that_is_not_there_is_said_once(tmp_path: Path, calls: Path) -> None:
    for _ in range(2):
        (finding,) = read(Source(path="acme/desks:validation"), tmp_path, "demonstrations").findings
        assert finding.code == "D107"
        assert "Unknown split 'validation' of acme/desks" in finding.message
    assert len(asked(calls)) == 1
    assert not list((tmp_path / "cache").rglob("*.part"))
