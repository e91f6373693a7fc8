"""The journal: what a kill or a disk error can do to it, and that nothing written is lost."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from ftc.runtime import journal
from ftc.runtime.context import adjustments, results
from ftc.runtime.journal import Journal, Tail


def test_events_come_back_in_order(tmp_path: Path) -> None:
    writer = Journal(tmp_path, "sft")
    for step in range(5):
        writer.write("step", step=step, sync=step == 4)
    events, garbled = journal.read(tmp_path)
    assert [event["step"] for event in events] == [0, 1, 2, 3, 4]
    assert {event["stage"] for event in events} == {"sft"}
    assert garbled == 0


def test_no_journal_is_an_empty_one(tmp_path: Path) -> None:
    assert journal.read(tmp_path) == ([], 0)


def test_a_line_that_a_kill_cut_off_is_passed_over(tmp_path: Path) -> None:
    Journal(tmp_path).write("run_started")
    with (tmp_path / journal.FILE).open("ab") as stream:
        stream.write(b'{"ts": 1.0, "stage": "sft", "kind": "st')
    assert journal.read(tmp_path)[1] == 0, "its end may still come"
    Journal(tmp_path, "sft").write("step", step=7)
    events, garbled = journal.read(tmp_path)
    assert [event["kind"] for event in events] == ["run_started", "step"]
    assert garbled == 1


@pytest.mark.parametrize(
    "line",
    [
        b"\x00\xff\xfe garbage",
        b"[]",
        b'"text"',
        b"{}",
        b'{"ts": 1.0, "stage": "sft"}',
        b'{"ts": "soon", "stage": "sft", "kind": "step"}',
        b'{"ts": 1.0, "stage": 3, "kind": "step"}',
        b"[" * 100_000,
        b'{"ts": 1e999999, "stage": ',
    ],
)
def test_garbled_lines_are_counted_and_passed_over(tmp_path: Path, line: bytes) -> None:
    writer = Journal(tmp_path)
    writer.write("first")
    with (tmp_path / journal.FILE).open("ab") as stream:
        stream.write(line + b"\n")
    writer.write("last")
    events, garbled = journal.read(tmp_path)
    assert [event["kind"] for event in events] == ["first", "last"]
    assert garbled == 1


def test_a_loss_that_is_no_number_is_written_as_null(tmp_path: Path) -> None:
    Journal(tmp_path).write("step", loss=math.nan, nested={"all": [math.inf, 1.5]})
    line = json.loads((tmp_path / journal.FILE).read_text())
    assert line["loss"] is None
    assert line["nested"] == {"all": [None, 1.5]}


def test_a_reader_follows_a_writer(tmp_path: Path) -> None:
    writer, reader = Journal(tmp_path), Tail(tmp_path / journal.FILE)
    assert list(reader.new()) == []
    writer.write("one")
    assert [event["kind"] for event in reader.new()] == ["one"]
    with (tmp_path / journal.FILE).open("ab") as stream:
        stream.write(b'{"ts": 1, "stage": "", "ki')
        stream.flush()
        assert list(reader.new()) == []
        stream.write(b'nd": "two"}\n')
    assert [event["kind"] for event in reader.new()] == ["two"]


def test_results_and_adjustments_are_the_last_word(tmp_path: Path) -> None:
    events = [
        {"ts": 1, "stage": "sft", "kind": "adjusted", "arguments": {"micro_batch": 8}},
        {"ts": 2, "stage": "evaluate", "kind": "adjusted", "arguments": {"batch_size": 4}},
        {"ts": 3, "stage": "sft", "kind": "adjusted", "arguments": {"micro_batch": 4, "gradient_accumulation": 4}},
        {"ts": 4, "stage": "sft", "kind": "stage_finished", "result": {"model": "final"}},
    ]
    assert adjustments(events, "sft") == {"micro_batch": 4, "gradient_accumulation": 4}
    assert results(events) == {"sft": {"model": "final"}}
