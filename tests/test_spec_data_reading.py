"""Every container and every row format, recognised without help; what is not natural is refused with lines to write."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from ftc.spec.model import Source
from ftc.spec.read import Reading, read
from ftc.spec.rows import Demonstration, Document, Message, Pair, Prompt, Ranking, Row, Thumb

SHARED = Path(__file__).parents[2] / "shared" / "data"
ROWS = [{"text": f"text {number}", "label": "abc"[number % 3]} for number in range(12)]


def reading_of(folder: Path, name: str, content: bytes | str, role: str = "demonstrations", **source: Any) -> Reading:
    """The file written and being read."""
    (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    return read(Source(path=name, **source), folder, role)


def jsonl(rows: list[Any]) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


def csv_text(delimiter: str = ",", end: str = "\n") -> str:
    return end.join([f"text{delimiter}label", *(f"{row['text']}{delimiter}{row['label']}" for row in ROWS), ""])


def parquet() -> bytes:
    import io

    import pyarrow
    import pyarrow.parquet

    out = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(ROWS), out)
    return out.getvalue()


def arrow(stream: bool) -> bytes:
    import io

    import pyarrow

    out = io.BytesIO()
    table = pyarrow.Table.from_pylist(ROWS)
    make = pyarrow.ipc.new_stream if stream else pyarrow.ipc.new_file
    with make(out, table.schema) as writer:
        writer.write_table(table)
    return out.getvalue()


def zstd(content: bytes) -> bytes:
    import zstandard

    return zstandard.compress(content)


BY_COLUMN = {"text": [row["text"] for row in ROWS], "label": [row["label"] for row in ROWS]}
PANDAS = {name: {str(at): row[name] for at, row in enumerate(ROWS)} for name in ("text", "label")}
CONTAINERS = {
    "csv": csv_text().encode(),
    "csv, semicolons": csv_text(";").encode(),
    "csv, bars": csv_text("|").encode(),
    "tsv": csv_text("\t").encode(),
    "csv, Windows": csv_text(end="\r\n").encode(),
    "csv, old Macintosh": csv_text(end="\r").encode(),
    "csv, byte order mark": b"\xef\xbb\xbf" + csv_text().encode(),
    "csv, UTF-16": csv_text().encode("utf-16"),
    "json array": json.dumps(ROWS).encode(),
    "json array, indented": json.dumps(ROWS, indent=2).encode(),
    "json, by id": json.dumps({str(1000 + at): row for at, row in enumerate(ROWS)}).encode(),
    "json, wrapped": json.dumps({"version": "1", "data": ROWS}, indent=1).encode(),
    "json, columns": json.dumps(BY_COLUMN).encode(),
    "json, pandas": json.dumps(PANDAS).encode(),
    "jsonl": jsonl(ROWS).encode(),
    "jsonl, blank lines": jsonl(ROWS).replace("\n", "\n\n").encode(),
    "objects, indented, one after the other": "\n".join(json.dumps(row, indent=1) for row in ROWS).encode(),
    "parquet": parquet(),
    "arrow file": arrow(stream=False),
    "arrow stream": arrow(stream=True),
    "gzip": gzip.compress(jsonl(ROWS).encode()),
    "zstd": zstd(csv_text().encode()),
}


@pytest.mark.parametrize("name", list(CONTAINERS))
@pytest.mark.parametrize("ending", ["", ".dat"])
def test_containers_by_content(tmp_path: Path, name: str, ending: str) -> None:
    reading = reading_of(tmp_path, "rows" + ending, CONTAINERS[name])
    rows = list(reading.rows)
    assert [(row.prompt[0].content, row.label) for row in rows if isinstance(row, Demonstration)] == [
        (row["text"], row["label"]) for row in ROWS
    ]
    assert (reading.format, reading.rows_read, reading.rows_reported) == ("text-label", 12, 0)
    assert len({row.place for row in rows}) == 12 or "columns" in name or "pandas" in name


def test_places_are_lines(tmp_path: Path) -> None:
    text = 'text,label\nplain,a\n"two\nlines",b\nlast,a\n'
    assert [row.place for row in reading_of(tmp_path, "x.csv", text).rows] == ["x.csv:2", "x.csv:3", "x.csv:5"]


def test_folders_and_globs_read_every_file(tmp_path: Path) -> None:
    (tmp_path / "in" / "deep").mkdir(parents=True)
    (tmp_path / "in" / "README.md").write_text("not a row")
    (tmp_path / "in" / "a.csv").write_text(csv_text())
    (tmp_path / "in" / "deep" / "b.jsonl").write_text(jsonl(ROWS))
    folder = list(read(Source(path="in"), tmp_path, "demonstrations").rows)
    assert [row.place for row in folder][::12] == ["in/a.csv:2", "in/deep/b.jsonl:1"]
    assert len(list(read(Source(path="in/*.csv"), tmp_path, "demonstrations").rows)) == 12


U, A, S = (lambda text, role=role: Message(role=role, content=text) for role in ("user", "assistant", "system"))
TOOL = Message(role="tool", content="r")
OPENAI = [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}]
SHAREGPT = [{"from": "human", "value": "q"}, {"from": "gpt", "value": "a"}]
HH = "\n\nHuman: q\n\nAssistant: "
FORMATS: dict[str, tuple[str, dict[str, Any], str, Row]] = {
    "prompt and completion": (
        "demonstrations", {"prompt": "q", "completion": "a long free text"}, "prompt-completion",
        Demonstration(messages=(U("q"), A("a long free text")), place=""),
    ),
    "question and answer": (
        "demonstrations", {"id": 7, "question": "q", "answer": "a long free text"}, "qa",
        Demonstration(messages=(U("q"), A("a long free text")), place=""),
    ),
    "with a context": (
        "demonstrations", {"QUESTION": "q", "CONTEXTS": ["c", "d"], "ANSWER": "a long free text"}, "qa",
        Demonstration(messages=(U("c\n\nd\n\nq"), A("a long free text")), place=""),
    ),
    "alpaca": (
        "demonstrations", {"instruction": "i", "input": "x", "output": "free text", "system": "s"}, "instruction",
        Demonstration(messages=(S("s"), U("i\n\nx"), A("free text")), place=""),
    ),
    "marked results": (
        "demonstrations", {"question": "q", "answer": "think #### 4"}, "question-final-answer",
        Demonstration(messages=(U("q"), A("think #### 4")), place=""),
    ),
    "messages": (
        "demonstrations", {"messages": [{"role": "system", "content": "s"}, *OPENAI]}, "chat",
        Demonstration(messages=(S("s"), U("q"), A("a")), place=""),
    ),
    "sharegpt with tools": (
        "demonstrations",
        {"conversations": [SHAREGPT[0], {"from": "function_call", "value": "{}"}, {"from": "observation", "value": "r"},
                           SHAREGPT[1]], "tools": "[1]", "system": "s"}, "chat",
        Demonstration(messages=(S("s"), U("q"), A("{}"), TOOL, A("a")), place="", tools="[1]"),
    ),
    "messages as JSON in a cell": (
        "demonstrations", {"messages": json.dumps(OPENAI)}, "chat", Demonstration(messages=(U("q"), A("a")), place=""),
    ),
    "content in parts": (
        "demonstrations",
        {"messages": [{"role": "user", "content": [{"type": "text", "text": "q"}]}, OPENAI[1]]}, "chat",
        Demonstration(messages=(U("q"), A("a")), place=""),
    ),
    "pairs": (
        "feedback", {"prompt": "q", "chosen": "good", "rejected": "bad"}, "preference-pairs",
        Pair(prompt=(U("q"),), chosen="good", rejected="bad", place=""),
    ),
    "pairs of turns": (
        "feedback", {"conversations": SHAREGPT[:1], "chosen": SHAREGPT[1], "rejected": {"from": "gpt", "value": "b"}},
        "preference-pairs", Pair(prompt=(U("q"),), chosen="a", rejected="b", place=""),
    ),
    "pairs of conversations": (
        "feedback", {"chosen": OPENAI, "rejected": [OPENAI[0], {"role": "assistant", "content": "b"}]},
        "preference-pairs", Pair(prompt=(U("q"),), chosen="a", rejected="b", place=""),
    ),
    "pairs of transcripts": (
        "feedback", {"chosen": HH + "good", "rejected": HH + "bad"}, "preference-pairs",
        Pair(prompt=(U("q"),), chosen="good", rejected="bad", place=""),
    ),
    "two answers and a verdict": (
        "feedback", {"prompt": "q", "response_a": "x", "response_b": "y", "winner": "B"}, "preference-pairs",
        Pair(prompt=(U("q"),), chosen="y", rejected="x", place=""),
    ),
    "thumbs": (
        "feedback", {"prompt": "q", "completion": "a", "label": False}, "binary-feedback",
        Thumb(prompt=(U("q"),), completion="a", good=False, place=""),
    ),
    "thumbs on messages": (
        "feedback", {"messages": OPENAI, "label": True}, "binary-feedback",
        Thumb(prompt=(U("q"),), completion="a", good=True, place=""),
    ),
    "ranked by scores": (
        "feedback", {"prompt": "q", "responses": ["x", "y", "z"], "scores": [1, 3, 2]}, "ranked",
        Ranking(prompt=(U("q"),), answers=("y", "z", "x"), place=""),
    ),
    "ranked by ranks": (
        "feedback", {"prompt": "q", "answers": [{"text": "x", "rank": 2}, {"text": "y", "rank": 1}]}, "ranked",
        Ranking(prompt=(U("q"),), answers=("y", "x"), place=""),
    ),
    "prompts": ("prompts", {"prompt": "q"}, "prompts", Prompt(prompt=(U("q"),), place="")),
    "checkable prompts": (
        "prompts", {"question": "q", "answer": "so it is #### 4"}, "prompts-with-tests",
        Prompt(prompt=(U("q"),), answer="4", place=""),
    ),
    "prompts with tests": (
        "prompts", {"prompt": "q", "test_list": ["assert a", "assert b"]}, "prompts-with-tests",
        Prompt(prompt=(U("q"),), tests="assert a\nassert b", place=""),
    ),
    "raw text": ("corpus", {"text": "words"}, "text", Document(text="words", place="")),
}  # fmt: skip


@pytest.mark.parametrize("name", list(FORMATS))
def test_formats_by_content(tmp_path: Path, name: str) -> None:
    role, record, format_, wanted = FORMATS[name]
    reading = reading_of(tmp_path, "x.jsonl", jsonl([record]), role)
    assert reading.format == format_, reading.findings
    rows = list(reading.rows)
    assert [type(wanted)(**{**_fields(row), "place": ""}) for row in rows] == [wanted]
    assert [finding.code for finding in reading.findings] == ["D110"]


def _fields(row: Row) -> dict[str, Any]:
    return {name: getattr(row, name) for name in row.__dataclass_fields__}


def test_text_files_are_documents_or_prompts_by_line(tmp_path: Path) -> None:
    assert [type(row) for row in reading_of(tmp_path, "x.txt", "one\ntwo\n", "corpus").rows] == [Document]
    assert [type(row) for row in reading_of(tmp_path, "x.txt", "one\ntwo\n", "prompts").rows] == [Prompt, Prompt]


REFUSED = [
    ("D102", "x.csv", b"", {}),
    ("D102", "x.csv", b"text,label\n", {}),
    ("D104", "x.json", b'[{"prompt": "a", "completion": "b"}, {"prompt": ', {}),
    ("D104", "x.jsonl", b'{"prompt"\n{"also"\n', {}),
    ("D105", "x.xlsx", b"PK\x03\x04rest", {}),
    ("D105", "x.bin", b"\x00\x01\x02\x03", {}),
    ("D101", "x.csv.gz", gzip.compress(csv_text().encode(), mtime=0)[:40], {}),
    ("D112", "x.csv", b"one,two,three\nsome words,more words,other words\nand some,and more,and other\n", {}),
    ("D112", "x.jsonl", b'[1, 2]\n[3, 4]\n', {}),
    ("D113", "x.csv", csv_text().encode(), {"columns": {"prompt": "txt", "completion": "label"}}),
    ("D113", "x.csv", csv_text().encode(), {"columns": {"promt": "text"}}),
    ("D113", "x.csv", csv_text().encode(), {"group_by": "customer"}),
    ("D114", "x.jsonl", b'{"prompt": "q", "chosen": "a", "rejected": "b"}\n', {}),
    ("D114", "x.txt", b"just text", {}),
    ("D121", "x.jsonl", b'{"messages": [{"role": "user", "content": "q"}]}\n', {}),
]  # fmt: skip


@pytest.mark.parametrize(("code", "name", "content", "source"), REFUSED)
def test_refusals_have_a_place_and_a_fix(
    tmp_path: Path, code: str, name: str, content: bytes, source: dict[str, Any]
) -> None:
    reading = reading_of(tmp_path, name, content, **source)
    assert list(reading.rows) == [] or code in ("D104", "D101")
    found = {finding.code: finding for finding in reading.findings if finding.severity == "error"}
    assert code in found
    assert found[code].file
    assert found[code].fix


def test_a_missing_file_is_a_finding(tmp_path: Path) -> None:
    assert [finding.code for finding in read(Source(path="no.csv"), tmp_path, "demonstrations").findings] == ["D101"]


ODD_ROWS = {
    "D103": b'{"prompt": "\xff", "completion": "b"}',
    "D104": b'{"prompt": "a", "completion": ',
    "D115": b'{"messages": 1}',
    "D201": b'{"messages": [{"role": "user", "content": " "}, {"role": "assistant", "content": "a"}]}',
    "D202": b'{"messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": ""}]}',
    "D203": b'{"messages": [{"role": "assistant", "content": "q"}, {"role": "assistant", "content": "a"}]}',
    "D204": b'{"messages": [{"role": "user", "content": "q"}]}',
    "D208": b'{"messages": [{"role": "user", "content": [{"type": "image_url"}]}, {"role": "assistant"}]}',
}


def test_rows_that_cannot_be_used_are_counted_by_code(tmp_path: Path) -> None:
    good = [json.dumps({"messages": OPENAI}).encode()] * 200
    reading = reading_of(tmp_path, "x.jsonl", b"\n".join([*good, *ODD_ROWS.values()]))
    assert len(list(reading.rows)) == 200
    assert reading.rows_read == 200 + len(ODD_ROWS)
    found = {finding.code: finding for finding in reading.findings if finding.code != "D110"}
    assert set(found) == set(ODD_ROWS)
    for line, code in enumerate(ODD_ROWS, 201):
        assert (found[code].count, found[code].line, found[code].severity) == (1, line, "warning")


def test_a_conversation_is_used_up_to_its_last_answer(tmp_path: Path) -> None:
    reading = reading_of(tmp_path, "x.jsonl", jsonl([{"messages": [*OPENAI, {"role": "user", "content": "bye"}]}]))
    assert [row.messages for row in reading.rows if isinstance(row, Demonstration)] == [(U("q"), A("a"))]
    assert [finding.code for finding in reading.findings] == ["D110", "D205"]


def test_an_unclosed_quote_costs_one_row(tmp_path: Path) -> None:
    lines = [
        "text,label",
        *(f"t{number},a" for number in range(50)),
        '"open,b',
        *(f"u{number},b" for number in range(50)),
    ]
    reading = reading_of(tmp_path, "x.csv", "\n".join(lines))
    assert len(list(reading.rows)) == 100
    assert [(finding.code, finding.line) for finding in reading.findings][1:] == [("D104", 52)]


def test_two_readings_are_said(tmp_path: Path) -> None:
    rows = [
        {"question": f"q{n}", "long_answer": f"words {n} and more", "final_decision": "yn"[n % 2]} for n in range(9)
    ]
    reading = reading_of(tmp_path, "x.jsonl", jsonl(rows))
    assert reading.format == "text-label"
    (finding,) = reading.findings
    assert finding.code == "D111"
    assert finding.fix == "columns: {prompt: question, completion: long_answer}"
    other = read(Source(path="x.jsonl", columns={"completion": "long_answer"}), tmp_path, "demonstrations")
    assert other.format == "qa"
    assert len(list(other.rows)) == 9


NESTED = [
    {
        "paragraphs": [{"text": "p1"}, {"text": "p2"}],
        "questions": [{"q": "a?", "a": ["x", "y"]}, {"q": "b?", "a": ["z"]}],
    },
    {"paragraphs": [{"text": "p3"}], "questions": [{"q": "c?", "a": ["w"]}]},
]


def test_nested_columns_align_siblings_and_repeat_what_is_above(tmp_path: Path) -> None:
    columns = {"prompt": "questions[].q", "completion": "questions[].a", "context": "paragraphs[].text"}
    rows = list(reading_of(tmp_path, "x.json", json.dumps(NESTED), columns=columns).rows)
    found = [(row.prompt[0].content, row.completion.content) for row in rows if isinstance(row, Demonstration)]
    assert found == [("p1\n\np2\n\na?", "x; y"), ("p1\n\np2\n\nb?", "z"), ("p3\n\nc?", "w")]
    assert [row.group for row in rows] == ["x.json:1", "x.json:1", "x.json:2"]


def test_nested_text_is_a_row_for_each_element(tmp_path: Path) -> None:
    rows = list(
        reading_of(tmp_path, "x.json", json.dumps(NESTED), "corpus", columns={"text": "paragraphs[].text"}).rows
    )
    assert [row.text for row in rows if isinstance(row, Document)] == ["p1", "p2", "p3"]


def test_paths_joined_by_plus_make_one_text(tmp_path: Path) -> None:
    rows = [{"premise": f"p{n} is so", "hypothesis": f"h{n} is too", "label": n % 2} for n in range(6)]
    columns = {"prompt": "premise + hypothesis", "label": "label"}
    first = next(reading_of(tmp_path, "x.jsonl", jsonl(rows), columns=columns).rows)
    assert isinstance(first, Demonstration)
    assert (first.prompt[0].content, first.label) == ("p0 is so\n\nh0 is too", "0")


# The files of the public sets, with the role that each belongs under and the number of rows in them.
REAL = {
    "support/banking77_train.csv": ("demonstrations", "text-label", 10_003),
    "support/banking77_test.csv": ("evaluation", "text-label", 3_080),
    "healthcare/pubmedqa_labeled.json": ("demonstrations", "text-label", 1_000),
    "chat/alpaca_en_demo.json": ("demonstrations", "instruction", 999),
    "chat/glaive_toolcall_en_demo.json": ("demonstrations", "chat", 300),
    "preference/dpo_en_demo.json": ("feedback", "preference-pairs", 300),
    "preference/kto_en_demo.json": ("feedback", "binary-feedback", 300),
    "legal": ("demonstrations", "text-label", 340),
}


@pytest.mark.skipif(not SHARED.is_dir(), reason="the public data sets are not beside the project")
@pytest.mark.parametrize("path", list(REAL))
def test_real_files_need_no_columns(path: str) -> None:
    role, format_, count = REAL[path]
    reading = read(Source(path=path), SHARED, role)
    assert len(list(reading.rows)) == count
    assert (reading.format, reading.rows_reported) == (format_, 0)


@pytest.mark.skipif(not SHARED.is_dir(), reason="the public data sets are not beside the project")
def test_real_legal_files_one_by_one() -> None:
    files = sorted((SHARED / "legal").glob("*.tsv"))
    assert len(files) == 52
    for file in files:
        assert read(Source(path=file.name), file.parent, "demonstrations").format == "text-label"


@pytest.mark.skipif(not SHARED.is_dir(), reason="the public data sets are not beside the project")
def test_the_nested_finance_file_is_refused_with_lines_that_work() -> None:
    reading = read(Source(path="finance/tatqa_dev.json"), SHARED, "demonstrations")
    (finding,) = reading.findings
    assert finding.code == "D112"
    import yaml

    for line in finding.fix.splitlines():
        columns = yaml.safe_load(line)["columns"]
        told = read(Source(path="finance/tatqa_dev.json", columns=columns), SHARED, "demonstrations")
        assert len(list(told.rows)) == 1_668
        assert told.rows_reported == 0
