"""Each finding about a set fires where it should and is silent elsewhere; what is private is found, not quoted."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ftc.spec.clean import cleaned_text, fix
from ftc.spec.data_codes import CODES
from ftc.spec.diagnostics import Diagnostic
from ftc.spec.measure import profile
from ftc.spec.model import Data, Goal, Model, Source, Spec
from ftc.spec.personal import personal_data, secrets
from ftc.spec.read import read

TOPICS = ["weather", "trains", "cheese", "music", "gardens", "rivers", "engines", "painting", "history", "planets"]


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FTC_CACHE_DIR", str(tmp_path_factory.mktemp("cache")))


def good(number: int) -> dict[str, Any]:
    topic, other = TOPICS[number % 10], TOPICS[number * 7 % 10]
    return {
        "prompt": f"What of {topic} and {other} should I know in town {number * 37 % 101} with my {number} friends?",
        "completion": f"The {topic} are worth {number * 13 % 89} visits, says guide {number}, and the {other} too.",
    }


def labelled(number: int) -> dict[str, Any]:
    return {"text": good(number)["prompt"], "label": ("travel", "food", "work")[number % 3]}


def findings(folder: Path, rows: list[dict[str, Any]], **spec: Any) -> dict[str, Diagnostic]:
    (folder / "x.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    goal = spec.pop("goal", Goal(task="qa"))
    data = Data(demonstrations=(Source(path="x.jsonl"),), **spec.pop("data", {}))
    _, found = profile(Spec(name="x", goal=goal, folder=folder, data=data, **spec))
    return {each.code: each for each in found if each.code not in ("D110", "D111")}


PLAIN = [good(number) for number in range(100)]
LABELLED = [labelled(number) for number in range(99)]
WITH = {
    "D301": [*PLAIN, PLAIN[3]],
    "D302": [*PLAIN, {**PLAIN[3], "completion": PLAIN[3]["completion"] + " Indeed."}],
    "D303": [*LABELLED, {**LABELLED[4], "label": "work"}],
    "D304": [
        {"prompt": f"{row['prompt']} Answer: {row['completion']}", "completion": row["completion"]} for row in PLAIN
    ],
    "D306": [{**row, "completion": "I cannot say."} for row in PLAIN],
    "D307": PLAIN[:20],
    "D308": [*LABELLED, {"text": PLAIN[99]["prompt"], "label": "rare"}],
    "D309": [*PLAIN, {**good(200), "completion": "It is the cafÃ© at the corner, donâ€™t miss it."}],
    "D310": [*PLAIN, {**good(200), "completion": "ring the bell \x07 twice at the old door"}],
    "D311": [*PLAIN, {**good(200), "completion": "use the key AKIAIOSFODNN7EXAMPLE for the bucket"}],
    "D312": [*PLAIN, {**good(200), "completion": "write to jane.doe@example.com about it"}],
}


def test_clean_rows_are_silent(tmp_path: Path) -> None:
    assert findings(tmp_path, PLAIN) == {}
    assert findings(tmp_path, LABELLED) == {}


@pytest.mark.parametrize("code", list(WITH))
def test_each_finding(tmp_path: Path, code: str) -> None:
    found = findings(tmp_path, WITH[code])
    assert set(found) == {code}
    assert code == "D307" or code == "D308" or found[code].examples[0].startswith("x.jsonl:")


def test_leaked_labels(tmp_path: Path) -> None:
    rows = [{**row, "text": f"{row['text']} Topic {row['label']}, thanks."} for row in LABELLED]
    assert set(findings(tmp_path, rows)) == {"D304"}


def test_one_class_stops(tmp_path: Path) -> None:
    found = findings(tmp_path, [{**row, "label": "travel"} for row in LABELLED])
    assert found["D306"].severity == "error"


def test_findings_that_the_spec_decides_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert set(findings(tmp_path, PLAIN, goal=Goal(task="qa", language="de"))) == {"D315"}
    assert set(findings(tmp_path, PLAIN, model=Model(context=32))) == {"D314"}
    declared = findings(tmp_path, WITH["D312"], data={"contains": ("pii",)})
    assert declared["D312"].severity == "note"
    (tmp_path / "words.txt").write_text("# ours\ncheese\n")
    monkeypatch.setenv("FTC_WORD_LIST", "words.txt")
    monkeypatch.setenv("FTC_CACHE_DIR", str(tmp_path / "fresh"))
    assert findings(tmp_path, PLAIN)["D313"].count == sum("cheese" in json.dumps(row) for row in PLAIN)


PRIVATE = {
    "mail jane.doe@example.com now": ["email"],
    "call +1 650-253-0000 or (650) 253-0000": ["phone", "phone"],
    "card 4111 1111 1111 1111 exp 09/27": ["card"],
    "IBAN DE89 3704 0044 0532 0130 00": ["iban"],
    "my ssn is 536-90-4399": ["national-id"],
    "codice fiscale RSSMRA85T10A562S": ["national-id"],
    "order 1234567890 of 2019 2018 2017": [],
    "$  1,452.4 against 1,496.5 in 2019-2018": [],
    "ISBN 978-3-16-148410-0, 2023-01-15 12:30:45, 10.0.0.1": [],
    "card 4111 1111 1111 1112": [],
    "3.14159265358979": [],
}


@pytest.mark.parametrize("text", list(PRIVATE))
def test_personal_data(text: str) -> None:
    assert [hit.kind for hit in personal_data(text, "US")] == PRIVATE[text]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("AKIAIOSFODNN7EXAMPLE", True),
        ("-----BEGIN RSA PRIVATE KEY-----", True),
        ("ghp_abcdefghijklmnopqrstuvwxyz0123456789", True),
        ("postgres://user:pa55word@host/db", True),
        ("the password was forgotten", False),
        ("how do I reset my passcode?", False),
    ],
)
def test_secrets(text: str, found: bool) -> None:
    assert bool(secrets(text)) is found


def test_cleaned_text_says_what_was_done_and_not_what_was_there() -> None:
    text, done = cleaned_text("cafÃ© \x07 jane@example.com AKIAIOSFODNN7EXAMPLE, naïve Ärger", "US")
    assert text == "café  [EMAIL] [SECRET], naïve Ärger"
    assert set(done) == {"D309", "D310", "D311", "D312"}
    assert "jane" not in str(done)


def test_a_cleaned_copy_reads_back_and_every_touched_row_is_reported(tmp_path: Path) -> None:
    rows = [
        *PLAIN,
        PLAIN[0],
        {**good(200), "completion": "write to jane@example.com"},
        {"prompt": "q", "completion": ""},
    ]
    before = "".join(json.dumps(row) + "\n" for row in rows) + "{broken\n"
    (tmp_path / "x.jsonl").write_text(before)
    done = fix(Source(path="x.jsonl"), tmp_path, tmp_path / "out" / "clean.jsonl")
    assert (tmp_path / "x.jsonl").read_text() == before
    assert done.rows_read == done.rows_written + done.rows_left_out == 104
    assert (done.rows_written, done.rows_changed) == (101, 1)
    again = read(Source(path="out/clean.jsonl"), tmp_path, "demonstrations")
    assert (len(list(again.rows)), again.rows_reported) == (101, 0)
    touched = [json.loads(line) for line in Path(done.report).read_text().splitlines()]
    assert {(each["place"], each["code"]) for each in touched} == {
        ("x.jsonl:101", "D301"), ("x.jsonl:102", "D312"), ("x.jsonl:103", "D202"), ("x.jsonl:104", "D104"),
    }  # fmt: skip
    assert "jane" not in Path(done.report).read_text()


def test_a_copy_over_the_original_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.jsonl").write_text(json.dumps(PLAIN[0]) + "\n")
    with pytest.raises(ValueError, match="read from"):
        fix(Source(path="x.jsonl"), tmp_path, tmp_path / "x.jsonl")


def test_every_code_has_a_page() -> None:
    for code, page in CODES.items():
        assert page.title, code
        assert page.checks, code
        assert page.why, code
