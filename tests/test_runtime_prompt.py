"""Prompts: which examples are shown, how a pack renders, who is asked, and a search from spec to held-out score."""

from __future__ import annotations

import json
import random
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("trl")

import ftc
from ftc.compiler.json_shape import schema_of
from ftc.runtime import answers
from ftc.runtime.codes import Stopped
from ftc.runtime.prompting import endpoint
from ftc.runtime.prompting.examples import chosen
from ftc.runtime.prompting.pack import Pack, asked, read_pack, whole_template, write_pack
from ftc.runtime.stages.prompt_search import _rounds
from ftc.runtime.tiny.corpus import question

pytestmark = pytest.mark.train

KINDS = {
    "credit_card_lost": ("credit card", "lost"),
    "transfer_pending": ("transfer", "pending"),
    "password_forgotten": ("password", "forgotten"),
    "parcel_delayed": ("parcel", "delayed"),
}


@pytest.fixture(autouse=True)
def one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")


# --- examples ---------------------------------------------------------------------------------------------------------


def test_examples_cover_groups_and_not_the_first_rows() -> None:
    groups = ["my card was stolen in {}", "the parcel from {} is late", "I forgot the password of {}"]
    cities = ["Rome", "Paris", "Oslo", "Bern", "Lima", "Cairo"]
    rows = [group.format(city) for group in groups for city in cities]
    found = chosen(rows, [""] * len(rows), 3, seed=0)
    assert {number // len(cities) for number in found} == {0, 1, 2}, "one of each group"


def test_every_class_is_shown_before_one_is_shown_twice() -> None:
    rows = [f"question {number} about things" for number in range(40)]
    classes = ["often"] * 34 + ["seldom"] * 4 + ["rare"] * 2
    assert sorted(classes[number] for number in chosen(rows, classes, 3, seed=0)) == ["often", "rare", "seldom"]
    assert len(chosen(rows, classes, 8, seed=0)) == len(set(chosen(rows, classes, 8, seed=0))) == 8


@pytest.mark.parametrize(("rows", "count", "found"), [(0, 3, 0), (2, 8, 2), (5, 0, 0)])
def test_few_rows(rows: int, count: int, found: int) -> None:
    assert len(chosen([f"row {number}" for number in range(rows)], [""] * rows, count, seed=0)) == found


def test_repeated_and_empty_questions_are_shown_once() -> None:
    assert len(chosen(["same words", "Same  words", "", "other things"], [""] * 4, 4, seed=0)) == 3


# --- packs ------------------------------------------------------------------------------------------------------------


def pack(**changes: Any) -> Pack:
    told: dict[str, Any] = {
        "template": whole_template("{{ goal }} One of: {{ labels | join(', ') }}"),
        "examples": [{"question": "old {{ 7 * 7 }}", "answer": "a"}],
        "goal": "Sort {{ labels }}.", "labels": ["a", "b"], "constrain_labels": True, "json_schema": None,
        "model": "builtin:tiny", "metric": "accuracy", "score": {"value": 1.0, "low": 0.9, "high": 1.0},
        "development_rows": 10,
    }  # fmt: skip
    return Pack(**(told | changes))


def test_a_pack_puts_examples_before_the_question_and_runs_no_text_of_rows() -> None:
    row = {"messages": [{"role": "user", "content": "new {% raw %}"}, {"role": "assistant", "content": "b"}]}
    assert [(each["role"], each["content"]) for each in asked(pack(), row)["messages"]] == [
        ("user", "Sort {{ labels }}. One of: a, b\n\nold {{ 7 * 7 }}"),
        ("assistant", "a"),
        ("user", "new {% raw %}"),
        ("assistant", "b"),
    ]
    assert row["messages"][0]["content"] == "new {% raw %}", "the row stays as it was"


def test_a_template_cannot_leave_its_sandbox() -> None:
    from jinja2.exceptions import SecurityError

    row = {"messages": [{"role": "user", "content": "x"}, {"role": "assistant", "content": "y"}]}
    with pytest.raises(SecurityError):
        asked(pack(template="{{ ''.__class__.__mro__[1].__subclasses__() }}", examples=[]), row)


def test_a_pack_is_read_as_it_was_written(tmp_path: Path) -> None:
    write_pack(tmp_path, pack())
    assert read_pack(tmp_path) == pack()


@pytest.mark.parametrize(
    ("variants", "rows", "rounds"),
    [(12, 100, [(12, 25), (6, 25), (3, 50)]), (1, 100, [(1, 100)]), (6, 20, [(6, 20)]), (2, 100, [(2, 100)])],
)
def test_rounds_halve_what_is_left(variants: int, rows: int, rounds: list[tuple[int, int]]) -> None:
    assert _rounds(variants, rows) == rounds
    assert sum(more for _, more in rounds) == rows


# --- schemas ----------------------------------------------------------------------------------------------------------


def rows_of_json(count: int) -> list[str]:
    kinds = ["refund", "delay"]
    rows = [{"kind": kinds[number % 2], "days": number, "note": f"n{number}"} for number in range(count)]
    return [json.dumps(row | ({"city": "Rome"} if row["days"] % 3 else {})) for row in rows]  # type: ignore[operator]


def test_a_schema_is_closed_and_knows_choices() -> None:
    found = schema_of(rows_of_json(40))
    assert found is not None
    assert found["additionalProperties"] is False
    assert sorted(found["required"]) == ["days", "kind", "note"]
    assert list(found["properties"]) == ["kind", "days", "note", "city"], "in the order in which they are written"
    assert found["properties"]["kind"] == {"type": "string", "enum": ["delay", "refund"]}
    assert found["properties"]["note"] == {"type": "string"}, "a text that is always another is no choice"


@pytest.mark.parametrize("texts", [["no json"], ["[1]", "2"], [*rows_of_json(9), "broken {"], []])
def test_what_is_no_json_object_has_no_schema(texts: list[str]) -> None:
    assert schema_of(texts) is None


def test_an_untrained_answer_follows_the_schema() -> None:
    from jsonschema import validate
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from ftc.runtime.tiny.make import folder
    from ftc.runtime.tokens import prompt_ids

    place = folder(lambda *_: None)
    tokenizer, model = AutoTokenizer.from_pretrained(place), AutoModelForCausalLM.from_pretrained(place).eval()
    schema = {
        "type": "object", "required": ["kind", "paid"], "additionalProperties": False,
        "properties": {"kind": {"enum": ["refund", "delay"]}, "paid": {"type": "boolean"}},
    }  # fmt: skip
    rows = [
        {"messages": [{"role": "user", "content": text}, {"role": "assistant", "content": ""}]}
        for text in ("my parcel is late", "please pay me back, I want the money for it", "hi")
    ]
    prompts = prompt_ids(tokenizer, rows)
    free = answers.generate(model, tokenizer, prompts, max_new_tokens=40, batch_size=2)
    held = answers.generate(model, tokenizer, prompts, max_new_tokens=40, batch_size=2, json_schema=json.dumps(schema))
    assert not any(each.startswith("{") for each in free)
    for each in held:
        validate(json.loads(each), schema)


# --- endpoints --------------------------------------------------------------------------------------------------------

Reply = Callable[[dict[str, Any], int], tuple[int, dict[str, Any]]]


@contextmanager
def served(reply: Reply, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[dict[str, Any]]]:
    """An endpoint on this machine; what it was asked, with the headers."""
    seen: list[dict[str, Any]] = []
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            with lock:
                seen.append({**body, "path": self.path, "key": self.headers.get("Authorization")})
                status, value = reply(body, len(seen))
            data = json.dumps(value).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            self.send_header("Retry-After", "0")
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: Any) -> None:
            return None

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("OPENAI_BASE_URL", f"http://127.0.0.1:{server.server_port}/v1/")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test-secret")
    try:
        yield seen
    finally:
        server.shutdown()
        server.server_close()


def said(text: str) -> dict[str, Any]:
    return {"choices": [{"message": {"role": "assistant", "content": text}}]}


def ask(texts: list[str], **options: Any) -> list[str]:
    talks = [[{"role": "user", "content": each}] for each in texts]
    return endpoint.answers("openai:some-model", talks, max_new_tokens=8, longest_wait=0.02, **options)


def test_an_endpoint_is_asked_again_where_it_is_busy(monkeypatch: pytest.MonkeyPatch) -> None:
    def reply(body: dict[str, Any], number: int) -> tuple[int, dict[str, Any]]:
        return (429 if number == 1 else 503, {}) if number < 4 else (200, said(body["messages"][0]["content"].upper()))

    with served(reply, monkeypatch) as seen:
        assert ask(["one", "two", "three"]) == ["ONE", "TWO", "THREE"], "in the order of the questions"
    assert len(seen) == 6
    assert {(each["path"], each["model"], each["key"], each["temperature"]) for each in seen} == {
        ("/v1/chat/completions", "some-model", "Bearer sk-test-secret", 0)
    }


def test_names_of_newer_models_are_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    def reply(body: dict[str, Any], _: int) -> tuple[int, dict[str, Any]]:
        if "max_tokens" in body:
            return 400, {"error": {"message": "use 'max_completion_tokens' instead"}}
        if "temperature" in body:
            return 400, {"error": {"message": "'temperature' does not support 0"}}
        return 200, said(f"{body['max_completion_tokens']} {body['response_format']['type']}")

    with served(reply, monkeypatch):
        assert ask(["x"], json_schema='{"type": "object"}') == ["8 json_schema"]


@pytest.mark.parametrize(("status", "asked_times"), [(401, 1), (404, 1), (500, endpoint.ATTEMPTS)])
def test_an_endpoint_that_refuses_ends_with_a_code(
    monkeypatch: pytest.MonkeyPatch, status: int, asked_times: int
) -> None:
    with served(lambda *_: (status, {"error": "no"}), monkeypatch) as seen, pytest.raises(Stopped) as stopped:
        ask(["x"])
    assert (stopped.value.code, len(seen)) == ("R111", asked_times)
    assert "sk-test-secret" not in stopped.value.message


def test_what_is_no_completion_ends_with_a_code(monkeypatch: pytest.MonkeyPatch) -> None:
    with served(lambda *_: (200, {"hello": 1}), monkeypatch), pytest.raises(Stopped) as stopped:
        ask(["x"])
    assert stopped.value.code == "R111"


# --- whole searches ---------------------------------------------------------------------------------------------------


def write_spec(folder: Path, base: str, more: str = "") -> Path:
    rng = random.Random(5)
    for name, rows in (("train.csv", 200), ("test.csv", 80)):
        lines = [f'"{question(rng, *KINDS[kind])}",{kind}' for _ in range(rows // 4) for kind in KINDS]
        (folder / name).write_text("\n".join(["text,category", *lines]) + "\n")
    path = folder / "ftc.yaml"
    path.write_text(f"""version: 1
name: kinds
goal: {{task: classification, description: Name what the question is about., prompting: sufficient}}
data:
  demonstrations: {{path: train.csv, columns: {{text: text, label: category}}}}
  evaluation: {{path: test.csv}}
model: {{base: "{base}"{more}}}
hardware: local
method: prompt
""")
    return path


def compiled(path: Path) -> Path:
    plan = ftc.compile(path)
    target = path.with_name("ftc.plan.json")
    target.write_bytes(plan.to_bytes())
    return target


def test_the_best_prompt_beats_the_prompted_baseline_on_held_out_rows(tmp_path: Path) -> None:
    """The tiny model answers plain questions and knows no instructions: the search finds that out."""
    outcome = ftc.run(compiled(write_spec(tmp_path, "builtin:tiny")), tmp_path / "runs")
    assert outcome.exit_code == 0, outcome.diagnostics
    assert outcome.folder is not None
    report = outcome.report
    accuracy = next(score for score in report["scores"] if score["metric"] == "accuracy")
    assert accuracy["after"]["value"] > 0.8 > accuracy["before"]["value"]
    assert accuracy["change"]["significant"]
    assert len(report["prompt"]["tried"]) >= 6
    assert len({each["rows"] for each in report["prompt"]["tried"]}) > 1, "the worse half was not asked everything"
    best = read_pack(outcome.folder / "prompt")
    assert best.score["value"] == report["prompt"]["score"]["value"]
    questions = {line.split('"')[1] for line in (tmp_path / "test.csv").read_text().splitlines()[1:]}
    shown = {each["question"] for each in best.examples}
    assert not shown - {line.split('"')[1] for line in (tmp_path / "train.csv").read_text().splitlines()[1:]}
    assert len(questions) > 1
    assert "template.j2" in (outcome.folder / "prompt" / "README.md").read_text()


def test_a_search_behind_an_endpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Good only where it is shown examples; the key is in no file of the run."""

    def reply(body: dict[str, Any], _: int) -> tuple[int, dict[str, Any]]:
        text = body["messages"][-1]["content"].lower()
        kinds = [kind for kind, words in KINDS.items() if any(word in text for word in words)]
        return 200, said(kinds[0] if kinds and len(body["messages"]) > 1 else "I do not know")

    with served(reply, monkeypatch) as seen:
        outcome = ftc.run(compiled(write_spec(tmp_path, "openai:some-model")), tmp_path / "runs")
    assert outcome.exit_code == 0, outcome.diagnostics
    assert outcome.folder is not None
    accuracy = next(score for score in outcome.report["scores"] if score["metric"] == "accuracy")
    assert accuracy["before"]["value"] < 0.2
    assert accuracy["after"]["value"] > 0.6
    assert outcome.report["prompt"]["examples"] > 0
    assert len(seen) > 200
    for path in outcome.folder.rglob("*"):
        assert not path.is_file() or b"sk-test-secret" not in path.read_bytes()
