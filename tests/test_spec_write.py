"""A first file from what is known, edits that move nothing else, and guesses from one sentence."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ftc.spec.diagnostics import Refused
from ftc.spec.intent import guess
from ftc.spec.language import all_keys
from ftc.spec.load import load_text
from ftc.spec.model import Spec
from ftc.spec.rows import Demonstration, Document, Message, Pair, Prompt, Ranking, Row, Thumb
from ftc.spec.write import Found, edit, preview, starter

USER = (Message(role="user", content="Where is my\ncard?"),)
ANSWER = Message(role="assistant", content="card_arrival")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("train.csv", "more.csv", "test.csv", "prefs.jsonl"):
        (tmp_path / name).write_text("prompt,completion\na,b\n")
    return tmp_path


def spec_of(text: str, folder: Path) -> Spec:
    loaded = load_text(text, "ftc.yaml", folder)
    assert loaded.diagnostics == (), text
    assert loaded.spec is not None
    return loaded.spec


# --- a first file -------------------------------------------------------------------------------------------------

STARTS: dict[str, tuple[dict[str, Any], list[Found]]] = {
    "nothing known": ({}, []),
    "one file": ({"goal.task": "qa"}, [Found(role="demonstrations", path="train.csv")]),
    "two files and a test": (
        {"name": "two"},
        [
            Found(role="demonstrations", path="train.csv", format="text-label", columns={"prompt": "a b: c"}),
            Found(role="demonstrations", path="more.csv", rows=12_345, preview=["x", "y", "z"]),
            Found(role="evaluation", path="test.csv"),
        ],
    ),
    "feedback": ({"goal.task": "tone"}, [Found(role="feedback", path="prefs.jsonl", format="preference-pairs")]),
    "every means": (
        {
            "goal.task": "classification",
            "goal.description": "Line one\nline two: #no comment, {no} [brackets] *at* all \u2028 \x07",
            "goal.success": {"metric": "accuracy", "at_least": 0.8},
            "goal.language": "no",
            "hardware": {"cloud": "any", "gpus": ["h100"], "count": 8},
            "budget.usd": 50,
            "budget.hours": 1.5,
            "budget.deadline_days": 14,
            "constraints": ["on-prem"],
            "data.contains": ["pii"],
            "data.licence": "cc-by-nc-4.0",
            "model.base": "Qwen/Qwen2.5-7B-Instruct",
            "overrides": {"lora.rank": 8},
            "method": "sft-lora",
        },
        [],
    ),
}


@pytest.mark.parametrize(("values", "found"), STARTS.values(), ids=STARTS)
def test_a_first_file_loads_as_it_is(values: dict[str, Any], found: list[Found], folder: Path) -> None:
    text = starter(values, found=found)
    spec = spec_of(text, folder)
    assert text.startswith("# yaml-language-server: $schema=")
    assert len(spec.data.demonstrations) == sum(each.role == "demonstrations" for each in found)
    for key, value in values.items():
        if key in ("name", "method"):
            assert getattr(spec, key) == value
    assert max(len(line) for line in text.splitlines() if "description" not in line) <= 125
    for key in (
        "goal.task",
        "data.evaluation",
        "model.base",
        "budget.usd",
        "constraints",
        "method",
        "overrides",
        "seed",
    ):
        assert f"{key.rpartition('.')[2]}: " in text


def test_a_first_file_without_its_comments_is_the_same_spec(folder: Path) -> None:
    values, found = STARTS["two files and a test"]
    text = starter(values, found=found)
    bare = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))
    assert spec_of(bare, folder) == spec_of(text, folder)


def test_every_line_that_is_off_can_be_switched_on(folder: Path) -> None:
    text = starter({}, found=[Found(role="demonstrations", path="train.csv")])
    tried = 0
    for line in text.splitlines():
        name = line.strip().removeprefix("# ").partition(":")[0]
        if line.lstrip().startswith("# ") and any(key.rpartition(".")[2] == name for key in all_keys()):
            on = text.replace(line, line.replace("# ", "", 1))
            codes = {each.code for each in load_text(on, "ftc.yaml", folder).diagnostics}
            assert codes <= {"S104"}, line  # a file that is not there, for most data lines
            tried += 1
    assert tried >= 12


def test_guesses_are_marked_as_such(folder: Path) -> None:
    guesses = guess("Route support questions to one of 77 intents, $50")
    text = starter({each.key: each.value for each in guesses}, notes={each.key: each.note() for each in guesses})
    assert spec_of(text, folder).goal.task == "classification"
    for words in ('guessed from "intents", "Route"', 'guessed from "$50"'):
        assert words in text


@settings(max_examples=100, deadline=None, derandomize=True, database=None)
@given(text=st.text(max_size=60), rows=st.lists(st.text(max_size=200), max_size=3), note=st.text(max_size=80))
def test_no_text_can_break_out_of_its_line(text: str, rows: list[str], note: str) -> None:
    found = [Found(role="corpus", path=".", preview=rows, evidence=note)]
    written = starter({"goal.description": text, "name": "x"}, notes={"goal.task": note}, found=found)
    loaded = load_text(written, "ftc.yaml", Path(__file__).parent)
    assert loaded.diagnostics == ()
    assert loaded.spec is not None
    whole = "".join("\ufffd" if 0xD800 <= ord(char) < 0xE000 else char for char in text)
    assert loaded.spec.goal.description == whole


def test_previews_show_each_kind_of_row_on_one_line() -> None:
    rows: list[Row] = [
        Demonstration(messages=(*USER, ANSWER), place="a:1"),
        Pair(prompt=USER, chosen="yes", rejected="no", place="a:1"),
        Thumb(prompt=USER, completion="yes", good=False, place="a:1"),
        Ranking(prompt=USER, answers=("a", "b"), place="a:1"),
        Prompt(prompt=USER, place="a:1", answer="4"),
        Document(text="Once\tupon " * 100, place="a:1"),
    ]
    shown = [preview(row) for row in rows]
    assert shown[0] == "Where is my card? -> card_arrival"
    assert all(line.isprintable() and len(line) < 150 for line in shown)


# --- edits --------------------------------------------------------------------------------------------------------

WRITTEN = """\
# my project
name: mine   # short
goal: {task: qa, domain: law}  # on one line

data:
  # the rows
  demonstrations:
    path: train.csv   # all of them
  # contains: [phi]   # say so
model:
  base: auto
budget:
  usd: 50   # at most
  # hours: 8
overrides:
  lora.rank: 16
constraints:
- on-prem   # our rule
"""

# changes -> lines that go, lines that come
EDITS: dict[str, tuple[dict[str, Any], list[str], list[str]]] = {
    "a number": ({"budget.usd": 20}, ["  usd: 50   # at most"], ["  usd: 20   # at most"]),
    "a word": ({"name": "yours"}, ["name: mine   # short"], ["name: yours   # short"]),
    "in brackets": (
        {"goal.task": "chat"},
        ["goal: {task: qa, domain: law}  # on one line"],
        ["goal: {task: chat, domain: law}  # on one line"],
    ),
    "a text that needs quotes": ({"name": "no"}, ["name: mine   # short"], ['name: "no"   # short']),
    "new in a section": ({"model.max_parameters": "8b"}, [], ["  max_parameters: 8b"]),
    "what stands as a comment": ({"budget.hours": 4}, ["  # hours: 8"], ["  hours: 4"]),
    "with its remark": (
        {"data.contains": ["pii"]},
        ["  # contains: [phi]   # say so"],
        ["  contains: [pii]                   # say so"],
    ),
    "a new section": ({"hardware": "local"}, [], ["hardware: local"]),
    "a section with its key": ({"deploy.target": "gguf"}, [], ["deploy: {target: gguf}"]),
    "a setting": ({"overrides.lora.rank": 8}, ["  lora.rank: 16"], ["  lora.rank: 8"]),
    "a new setting": ({"overrides.learning_rate": 1e-4}, [], ["  learning_rate: 0.0001"]),
    "a new setting with a dot": ({"overrides.lora.alpha": 8}, [], ["  lora.alpha: 8"]),
    "gone": ({"budget.usd": None}, ["  usd: 50   # at most"], []),
    "gone already": ({"budget.deadline_days": None}, [], []),
    "in a list": ({"constraints[0]": "commercial"}, ["- on-prem   # our rule"], ["- commercial   # our rule"]),
    "within brackets": (
        {"goal.language": "de"},
        ["goal: {task: qa, domain: law}  # on one line"],
        ["goal: {task: qa, domain: law, language: de} # on one line"],
    ),
}


@pytest.mark.parametrize("breaks", ["\n", "\r\n"])
@pytest.mark.parametrize(("changes", "gone", "come"), EDITS.values(), ids=EDITS)
def test_an_edit_moves_nothing_else(
    changes: dict[str, Any], gone: list[str], come: list[str], breaks: str, folder: Path
) -> None:
    before = "\ufeff" + WRITTEN.replace("\n", breaks)
    after = edit(before, changes)
    old, new = before.split(breaks), after.split(breaks)
    assert [line.rstrip() for line in old if line not in new] == gone
    assert [line for line in new if line not in old] == come
    assert [line for line in old if line in new] == [line for line in new if line in old]
    spec_of(after, folder)


def test_edits_of_what_is_not_there_yet() -> None:
    assert edit("", {"goal.task": "qa"}) == "goal: {task: qa}\n"
    assert edit("# only this\n", {"seed": 1}).endswith("seed: 1\n")
    assert edit("goal: {task: qa}", {"seed": 1}) == "goal: {task: qa}\nseed: 1\n"
    assert edit("hardware: local\n", {"hardware": {"gpu": "h100"}}) == "hardware: {gpu: h100}\n"
    assert edit("hardware: local\n", {"hardware.gpu": "h100"}) == "hardware: {gpu: h100}\n"
    assert edit("budget:\nseed: 1\n", {"budget.usd": 5}) == "budget:\n  usd: 5\nseed: 1\n"
    assert edit("seed: 1\n", {"goal.success.at_least": 0.5}) == "seed: 1\ngoal: {success: {at_least: 0.5}}\n"


def test_shared_values_and_long_ones_are_edited_too(folder: Path) -> None:
    text = "goal: {task: qa}\ndata:\n  demonstrations: &x {path: train.csv}\n  prompts: *x\n"
    assert spec_of(edit(text, {"seed": 5}), folder).seed == 5
    text = "goal:\n  task: qa\n  description: >\n    two\n    lines\n  domain: law\n"
    spec = spec_of(edit(text, {"goal.description": "one"}), folder)
    assert (spec.goal.description, spec.goal.domain) == ("one", "law")


@pytest.mark.parametrize("text", ["a: b: c", "[1", "- a\n", "a: 1\na: 2\n", "a: \x07", "a: &a [*a]"])
def test_what_cannot_be_read_is_not_edited(text: str) -> None:
    with pytest.raises(Refused):
        edit(text, {"seed": 1})


VALUES = {
    "name": st.sampled_from(["a", "no", "1e5", "x-1", "007"]),
    "seed": st.integers(0, 10**6),
    "goal.description": st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30),
    "goal.task": st.sampled_from(["qa", "chat"]),
    "goal.quality": st.sampled_from(["fast", "max"]),
    "budget.usd": st.floats(0, 1e6, allow_subnormal=False),
    "model.base": st.sampled_from(["auto", "x/y"]),
    "model.substitute": st.booleans(),
    "deploy.target": st.sampled_from(["gguf", "vllm"]),
    "overrides.lora.rank": st.integers(1, 64),
    "data.licence": st.sampled_from(["mit", "null", "cc: by"]),
}
CHANGES = st.fixed_dictionaries({}, optional=VALUES)
FILES = [WRITTEN, starter({}), "goal: {task: qa}\n", "{goal: {task: qa}, overrides: {lora: {rank: 2}}}\n"]


@settings(max_examples=150, deadline=None, derandomize=True, database=None)
@given(text=st.sampled_from(FILES), changes=CHANGES)
def test_edits_say_what_was_asked_for_and_nothing_else(text: str, changes: dict[str, Any]) -> None:
    here = Path(__file__).parent
    text = text.replace("path: train.csv", "path: .")
    edited = edit(text, changes)
    before, after = spec_of(text, here), spec_of(edited, here)
    expected = before
    for key, value in changes.items():
        head, _, name = key.partition(".")
        if head == "overrides":
            expected = replace(expected, overrides={**expected.overrides, name: value})
        elif name:
            expected = replace(expected, **{head: replace(getattr(expected, head), **{name: value})})
        else:
            expected = replace(expected, **{head: value})
    assert after == expected
    for line in text.splitlines():
        if not line.lstrip().startswith("#"):
            assert line.partition("  # ")[2] in edited


# --- one sentence -------------------------------------------------------------------------------------------------

SENTENCES: dict[str, dict[str, Any]] = {
    "Route a bank's support questions to one of 77 intents, $50, on my RTX 4090, with train.csv": {
        "goal.task": "classification",
        "goal.domain": "support",
        "budget.usd": 50,
        "hardware": {"gpu": "rtx-4090", "count": 1},
        "data.path": ["train.csv"],
    },
    "Draft discharge summaries from clinician notes; one A100 80 GB in our own data centre, no data may leave, "
    "two weeks": {
        "goal.task": "summarization",
        "goal.domain": "healthcare",
        "hardware": {"gpu": "a100", "count": 1, "memory_gib": 80},
        "budget.deadline_days": 14,
        "constraints": ["on-prem"],
        "data.contains": ["phi"],
    },
    "Extract 12 fields as strict JSON from loan applications for 1.5k USD within 3 days": {
        "goal.task": "structured-output",
        "goal.domain": "finance",
        "budget.usd": 1500,
        "budget.deadline_days": 3,
    },
    "Teach Qwen/Qwen2.5-7B-Instruct our brand voice in German, 8x H100 in the cloud, 10 hours": {
        "goal.task": "tone",
        "model.base": "Qwen/Qwen2.5-7B-Instruct",
        "goal.language": "de",
        "hardware": {"cloud": "any", "gpus": ["h100"], "count": 8},
        "budget.hours": 10,
    },
    "Sentiment of reviews, 95% accuracy, no GPU": {
        "goal.task": "classification",
        "goal.success": {"metric": "accuracy", "at_least": 0.95},
        "hardware": {"gpu": "none"},
    },
    "Nurses ask questions about guidelines that are revised every month and every answer must cite the paragraph": {
        "goal.task": "qa",
        "goal.domain": "healthcare",
        "goal.knowledge": "monthly",
        "constraints": ["citations"],
    },
    "Adapt a model to a low-resource language that it can hardly write": {
        "goal.task": "new-language",
        "goal.language": "low-resource",
    },
    "polish this": {},
    "make it better": {},
    "": {},
}


@pytest.mark.parametrize(("sentence", "expected"), SENTENCES.items(), ids=[each[:20] for each in SENTENCES])
def test_guesses(sentence: str, expected: dict[str, Any]) -> None:
    found = guess(sentence)
    assert {each.key: each.value for each in found} == expected
    for each in found:
        assert each.evidence
        assert all(words in sentence for words in each.evidence)


@settings(max_examples=200, deadline=None, derandomize=True, database=None)
@given(
    sentence=st.text(max_size=300)
    | st.lists(
        st.sampled_from(["$50", "8x", "H100", "a100", "week", "in", "two", "json", "%", "99", "no", "cloud", "a.csv"])
    ).map(" ".join)
)
def test_any_sentence_gives_a_spec_that_loads(sentence: str) -> None:
    guesses = {each.key: each.value for each in guess(sentence) if each.key != "data.path"}
    assert load_text(starter(guesses), "ftc.yaml", Path(__file__).parent).spec is not None


@pytest.mark.parametrize("piece", ["a", "a.", "$", "1,", "two ", "no ", "./", "in 2 "])
def test_no_sentence_takes_long(piece: str) -> None:
    started = time.process_time()
    guess(piece * 25_000)
    assert time.process_time() - started < 10
