"""Files nobody would write: no traceback, no row lost without being counted, the same rows when read again."""

from __future__ import annotations

import csv
import io
import json
import time
from array import array
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ftc.spec.counting.batches import count
from ftc.spec.counting.distinct import Bags, Hashes
from ftc.spec.counting.jsonl_blocks import shape_of, suits
from ftc.spec.counting.parallel import Totals, bring_lengths
from ftc.spec.counting.raw_lines import LineFinder
from ftc.spec.counting.tally import HIGHEST, Tally
from ftc.spec.counting.worker import Job, Part, count_part
from ftc.spec.counting.written import written_lengths
from ftc.spec.data_codes import CODES
from ftc.spec.fields import fields_of
from ftc.spec.model import Source
from ftc.spec.read import read

SLOWEST = 2.0  # seconds of CPU for a file of a few rows; the slowest takes 0.05
MANY = settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
ROLES = ("demonstrations", "feedback", "prompts", "corpus", "evaluation")

texts = st.text(max_size=30) | st.sampled_from(
    ["", " ", "yes", "no", "a b c", "\ud800", "é", "\x00", '"', "####", "[{", "1"]
)
scalars = st.none() | st.booleans() | st.integers() | st.floats() | texts
names = st.sampled_from(
    ["prompt", "completion", "text", "label", "question", "answer", "instruction", "input", "output", "messages",
     "conversations", "chosen", "rejected", "system", "tools", "answers", "ranking", "context", "id", "", "a.b", "x y"]
)  # fmt: skip
turns = st.fixed_dictionaries(
    {},
    optional={
        "role": st.sampled_from(["user", "assistant", "system", "tool", "nobody", ""]) | scalars,
        "content": texts | scalars,
        "from": st.sampled_from(["human", "gpt", "function_call", "observation"]),
        "value": texts,
        "tool_calls": st.just([{"name": "x"}]),
    },
)
values = st.recursive(
    scalars | st.lists(turns, max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
    max_leaves=6,
)
records = st.dictionaries(names, values, max_size=6) | values


def check(folder: Path, name: str, role: str) -> None:
    """Reads the file, and holds it to what reading promises."""
    started = time.process_time()
    _check(folder, name, role)
    assert time.process_time() - started < SLOWEST


def _check(folder: Path, name: str, role: str) -> None:
    reading = read(Source(path=name), folder, role)
    rows = list(reading.rows)
    assert len(rows) + reading.rows_reported == reading.rows_read
    assert all(finding.code in CODES for finding in reading.findings)
    assert reading.recognised or not rows
    if not rows:
        assert any(finding.severity == "error" for finding in reading.findings)
        return
    again = read(Source(path=name, format=reading.format, columns=reading.columns), folder, role)
    assert list(again.rows) == rows


@MANY
@given(st.lists(records, max_size=12), st.sampled_from(ROLES), st.booleans())
def test_any_json_lines(tmp_path: Path, rows: list[Any], role: str, broken: bool) -> None:
    lines = [json.dumps(row) for row in rows]
    (tmp_path / "x.jsonl").write_text("\n".join([*lines, '{"prompt": "cut'] if broken else lines))
    check(tmp_path, "x.jsonl", role)


documents = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(names, inner, max_size=5), max_leaves=30
)


@MANY
@given(documents, st.sampled_from(ROLES), st.integers(0, 400))
def test_any_json_document(tmp_path: Path, value: Any, role: str, cut: int) -> None:
    text = json.dumps(value, indent=cut % 3 or None)
    (tmp_path / "x.json").write_text(text[: len(text) - cut] if cut < len(text) // 2 else text)
    check(tmp_path, "x.json", role)


@MANY
@given(
    st.lists(st.lists(texts, max_size=4), max_size=12), st.sampled_from([",", "\t", ";", "|"]), st.sampled_from(ROLES)
)
def test_any_table(tmp_path: Path, rows: list[list[str]], delimiter: str, role: str) -> None:
    out = io.StringIO()
    csv.writer(out, delimiter=delimiter).writerows([["text", "label"], *rows])
    (tmp_path / "x.csv").write_bytes(out.getvalue().encode("utf-8", "replace"))
    check(tmp_path, "x.csv", role)


ENDINGS = ("csv", "tsv", "json", "jsonl", "txt", "md", "parquet", "arrow", "gz", "zst", "bin")
STARTS = (
    b"", b"\x1f\x8b", b"(\xb5/\xfd", b"PAR1", b"ARROW1", b"\xff\xff\xff\xff", b"[", b'{"a":', b"\xff\xfe",
    b"\xef\xbb\xbf", b"PK\x03\x04",
)  # fmt: skip
contents = st.binary(max_size=300) | st.text(max_size=300).map(lambda text: text.encode("utf-8", "replace"))


@MANY
@given(contents, st.sampled_from(ENDINGS), st.sampled_from(STARTS), st.sampled_from(ROLES))
def test_any_bytes(tmp_path: Path, content: bytes, ending: str, start: bytes, role: str) -> None:
    (tmp_path / f"x.{ending}").write_bytes(start + content)
    check(tmp_path, f"x.{ending}", role)


@MANY
@given(
    st.lists(st.lists(texts, min_size=2, max_size=2), min_size=1, max_size=8),
    st.sampled_from(['"', '""', '"x', "\r", "\n", ""]),
    st.integers(0, 100),
)
def test_quotes_that_never_close_lose_no_row(tmp_path: Path, rows: list[list[str]], junk: str, place: int) -> None:
    lines = ["text,label", *(f"a{number},b" for number in range(len(rows)))]
    lines.insert(1 + place % len(lines), junk + "z,q" if junk.startswith('"') else "z,q")
    (tmp_path / "x.csv").write_text("\n".join(lines))
    reading = read(Source(path="x.csv", columns={"prompt": "text", "completion": "label"}), tmp_path, "evaluation")
    found = {row.place for row in reading.rows}
    assert len(found) == reading.rows_read - reading.rows_reported
    assert len(found) >= len(rows) or place % len(lines) == 0 or not reading.recognised


good_turn = {"role": st.sampled_from(["user", "assistant", "system", "tool", "odd"]), "content": texts | st.none()}
good_turns = st.lists(st.fixed_dictionaries(good_turn), max_size=5)
SHAPES: dict[str, tuple[dict[str, Any], str]] = {
    "flat": ({"prompt": texts, "completion": texts | st.none(), "n": st.integers()}, "prompt-completion"),
    "labels": ({"text": texts, "label": st.sampled_from(["a", "b", "", " a"])}, "text-label"),
    "alpaca": ({"instruction": texts, "input": texts, "output": texts, "system": texts}, "instruction"),
    "context": ({"question": texts, "context": texts, "answer": texts, "group": texts}, "qa"),
    "pairs": ({"prompt": texts, "chosen": texts, "rejected": texts}, "preference-pairs"),
    "chat": ({"messages": good_turns, "tools": texts, "id": texts}, "chat"),
    "text": ({"text": texts}, "text"),
}
COLUMNS = {
    "flat": {"prompt": "prompt", "completion": "completion"},
    "labels": {"prompt": "text", "label": "label"},
    "alpaca": {"prompt": "instruction", "input": "input", "completion": "output", "system": "system"},
    "context": {"prompt": "question", "context": "context", "completion": "answer", "group": "group"},
    "pairs": {"prompt": "prompt", "chosen": "chosen", "rejected": "rejected"},
    "chat": {"messages": "messages", "tools": "tools"},
    "text": {"text": "text"},
}


@pytest.mark.parametrize("shape", list(SHAPES))
@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_blocks_count_what_rows_count(tmp_path: Path, shape: str, data: st.DataObject) -> None:
    """The fast way through large files gives what the slow one gives, to the last finding."""
    fields, format_ = SHAPES[shape]
    rows = data.draw(st.lists(st.fixed_dictionaries(fields), min_size=1, max_size=12))
    odd = data.draw(
        st.lists(
            st.sampled_from(
                [b"", b"  ", b"[1]", b"{", b'{"prompt": 1}', b"\xff", b'{"a":1}{"a":2}', b'{"prompt": NaN}']
            ),
            max_size=3,
        )
    )
    short = data.draw(st.booleans())  # é as it is, or as \\u00e9
    spelled = [
        json.dumps(row) if "\\ud" in json.dumps(row) or short else json.dumps(row, ensure_ascii=False) for row in rows
    ]
    lines = [line.encode().replace(b"\\u0000", b"\\u0001") for line in spelled]  # it ends a turn in the slow way
    for line in odd:
        lines.insert(data.draw(st.integers(0, len(lines))), line)
    end = data.draw(st.sampled_from([b"", b"\n"]))
    (tmp_path / "x.jsonl").write_bytes(b"\n".join(lines) + end)
    columns = COLUMNS[shape]
    clean = [
        {
            name: "some text"
            if name != "messages"
            else [{"role": "user", "content": "x"}, {"role": "assistant", "content": "y"}]
            for name in fields
        }
    ]
    known = fields_of([orjson.loads(json.dumps({**clean[0], **({"n": 1} if "n" in fields else {})}))])
    assert suits(format_, columns, known)
    path = tmp_path / "x.jsonl"
    job = Job(
        path=str(path),
        name="x.jsonl",
        format=format_,
        columns=columns,
        shape=shape_of(columns, known),
        limit=HIGHEST,
        turn=18,
    )
    fast = count_part(job, Part(start=0, end=path.stat().st_size))
    totals = Totals(
        tally=fast.tally, reports=fast.reports, bags=Bags(), lengths={k: [v] for k, v in fast.lengths.items()}
    )
    bring_lengths(totals)
    reports, slow, hashes = _slowly(path, format_, columns)
    fast.tally.trim()
    for tally in (fast.tally, slow):  # in characters there, in bytes as written here
        tally.prompt_characters = tally.completion_characters = tally.longer = 0
    assert fast.tally == slow
    for name in ("content", "asked", "groups"):
        assert sorted(array("Q", getattr(fast, name))) == sorted(getattr(hashes, name)), name
    for field in ("rows_read", "rows_reported", "counts", "fatal"):
        assert getattr(fast.reports, field) == getattr(reports, field), field


def _slowly(path: Path, format_: str, columns: dict[str, str]) -> tuple[Any, Tally, Hashes]:
    from ftc.spec.data.files import look, records
    from ftc.spec.reading_rows import RowMaker
    from ftc.spec.reports import Reports

    reports, tally, hashes = Reports(), Tally(limit=HIGHEST), Hashes()
    maker = RowMaker(format_, columns, reports)
    from dataclasses import replace

    file = replace(look(path, path.name), container="jsonl", encoding="utf-8")
    rows = [row for line, item in records(file) for row in maker.make(path.name, line, item)]
    if rows:
        count(tally, hashes, rows, written_lengths, 18)
    tally.trim()
    return reports, tally, hashes


pieces = st.sampled_from(
    [b"a", b"b" * 20, b"\\n", b"\\u00e9", b"\\/", "é".encode(), "€".encode(), "😀".encode(), b"\x80", b"\xc3",
     b"\xc0\xaf", b"\xe0\x80\x80", b"\xed\xa0\x80", b"\xf0\x80\x80\x80", b"\xf4\x90\x80\x80", b"\xf5", b"\xff",
     b"\xe2\x82", b"\xf0\x9f\x98"]
)  # fmt: skip


@settings(max_examples=400, deadline=None)
@given(parts=st.lists(st.lists(pieces | st.binary(max_size=3), max_size=6).map(b"".join), min_size=1, max_size=5))
def test_blocks_are_text_where_python_says_so(parts: list[bytes]) -> None:
    """Lines, UTF-8 and other spellings of a block, against the slow and plain way to tell."""
    lines = [b'{"a":"' + each.replace(b"\n", b"").replace(b"\r", b"") + b'"}' for each in parts]
    block = b"\n".join(lines) + b"\n"
    try:
        text = block.decode()
        plain = not any(letter < " " and letter != "\n" for letter in text)
    except UnicodeDecodeError:
        plain = False
    found = LineFinder().lines(memoryview(block))
    assert (found is not None) == plain
    if found:
        assert found.count == len(lines)
        assert found.respelled == tuple(n for n, line in enumerate(lines) if b"\\u" in line or b"\\/" in line)
