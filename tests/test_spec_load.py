"""The loader: what each spec is told, by code and by place. Wording is free to improve."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ftc.spec.diagnostics import Diagnostic, Severity
from ftc.spec.load import LARGEST, Loaded, load, load_text
from ftc.spec.model import Source

FACTS = Path(__file__).parents[2] / "shared" / "facts"
GOAL = "goal: {task: classification}\n"
DESIGNED = """\
version: 1
name: support-router
goal:
  task: classification
  description: Route a bank's support questions to one of 77 intents.
  domain: customer-support
  knowledge: static
  quality: balanced
  prompting: untried
  language: en
  success: {metric: accuracy, at_least: 0.80}
data:
  demonstrations: {path: train.csv, format: auto, columns: {prompt: text, completion: category}}
  feedback: {path: prefs.jsonl, type: auto}
  corpus: {path: manuals/}
  prompts: {path: prompts.jsonl}
  reward: {function: rewards.py:score}
  evaluation: {path: test.csv}
  contains: [phi, pii]
  licence: cc-by-nc-4.0
model:
  base: Qwen/Qwen2.5-7B-Instruct
  substitute: true
hardware: {gpu: rtx-4090, count: 1, nodes: 1}
budget: {usd: 50, hours: 8, deadline_days: 14}
constraints: [on-prem, commercial]
deploy: {target: transformers, memory_gib: 8}
method: auto
overrides: {learning_rate: 1.0e-4, lora.rank: 32}
seed: 0
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the files that the specs here name."""
    for name in ("train.csv", "test.csv", "prefs.jsonl", "prompts.jsonl", "data/inner.csv", "manuals/a.txt"):
        file = tmp_path / name
        file.parent.mkdir(exist_ok=True)
        file.write_text("prompt,completion\na,b\n")
    (tmp_path / "rewards.py").write_text("def score(prompt, answer):\n    return 1.0\n")
    (tmp_path / "broken.py").write_text("def score(:\n")
    return tmp_path


def read(text: str | bytes, folder: Path) -> Loaded:
    return load_text(text, "ftc.yaml", folder)


def codes(loaded: Loaded) -> list[str]:
    return [each.code for each in loaded.diagnostics]


def test_the_whole_language_is_read(folder: Path) -> None:
    loaded = read(DESIGNED, folder)
    assert codes(loaded) == []
    spec = loaded.spec
    assert spec is not None
    assert spec.data.demonstrations[0].columns == {"prompt": "text", "completion": "category"}
    assert spec.data.reward_function == "rewards.py:score"
    assert spec.data.evaluation.source == Source(path="test.csv")
    assert spec.overrides == {"learning_rate": 1e-4, "lora.rank": 32}
    assert (spec.budget.usd, spec.deploy.memory_gib, spec.hardware.kind) == (50.0, 8.0, "owned")
    assert isinstance(spec.budget.usd, float)


VALID = {
    "the least": GOAL,
    "described": GOAL + "data: {demonstrations: {rows: 6k, prompt_tokens: 1.8k, completion_tokens: 250, format: chat}}",
    "several sources": GOAL + "data: {demonstrations: [{path: train.csv, weight: 2}, {path: data/inner.csv}]}",
    "empty values are not given": GOAL + "data:\nbudget:\n  usd:\n  hours: ~\nhardware:\n",
    "local": GOAL + "hardware: local",
    "nothing to train on": GOAL + "hardware: none",
    "any cloud": GOAL + "hardware: {cloud: any}",
    "some clouds": GOAL + "hardware: {cloud: [runpod, aws], gpus: [h100, a100-80gb], count: 8, spot: true}",
    "no gpu": GOAL + "hardware: {gpu: none, host_memory_gib: 64}",
    "thumbs": GOAL + "data: {feedback: {type: binary, positive: 10, negative: 3}}",
    "feedback still to come": GOAL + "data: {feedback: {type: to-collect}}",
    "documents of unknown size": GOAL + "data: {corpus: {format: documents}}",
    "a glob": GOAL + "data: {demonstrations: {path: '*.csv'}}",
    "a deep glob": GOAL + "data: {demonstrations: {path: '**/inner.*'}}",
    "a hub data set": GOAL + "data: {demonstrations: {path: HuggingFaceH4/ultrafeedback_binarized}}",
    "nested overrides": GOAL + "overrides: {lora: {rank: 8, alpha: 16}}",
    "anchors and merges": GOAL
    + "data:\n  demonstrations: &d {path: train.csv}\n  prompts: {<<: *d, format: prompts}\n",
    "a byte order mark": "\ufeff" + GOAL,
    "windows line ends": GOAL.replace("\n", "\r\n") + "seed: 1\r\n",
    "a directive and a start": "%YAML 1.1\n---\n" + GOAL,
    "JSON": '{"goal": {"task": "qa"}, "seed": 3}',
    "quoted numbers": GOAL + "budget: {usd: '50'}\nmodel: {max_parameters: '8b'}",
    "notes": "# a note\n" + GOAL + "# and another\n",
}


@pytest.mark.parametrize("text", VALID.values(), ids=VALID)
def test_valid(text: str, folder: Path) -> None:
    loaded = read(text, folder)
    assert codes(loaded) == []
    assert loaded.spec is not None


# what is written -> (code, line, column) of each complaint
INVALID: dict[str, tuple[str | bytes, list[tuple[str, int, int]]]] = {
    "empty": ("", [("S108", 1, 1)]),
    "only a comment": ("# nothing yet\n", [("S108", 1, 1)]),
    "a list": ("- a\n- b\n", [("S108", 1, 1)]),
    "a text": ("hello", [("S108", 1, 1)]),
    "two documents": (GOAL + "---\n" + GOAL, [("S108", 2, 1)]),
    "no goal": ("seed: 1\n", [("S116", 1, 1)]),
    "no task": ("goal: {}\n", [("S116", 1, 1)]),
    "a goal without anything": ("goal:\n", [("S116", 1, 1)]),
    "half a success": (
        "goal:\n  task: qa\n  success: {metric: exact_match}\n",
        [("S116", 3, 3)],
    ),
    "tab": ("goal:\n\ttask: qa\n", [("S105", 2, 1)]),
    "tab later": ("goal:\n  task: qa\n\tdomain: law\n", [("S105", 3, 1)]),
    "two colons": ("goal: task: qa\n", [("S105", 1, 11)]),
    "open bracket": ("goal: {task: qa\nseed: 1\n", [("S105", 1, 7)]),
    "open quote": ("goal: {task: 'qa}\nseed: 1\n", [("S105", 1, 14)]),
    "unknown alias": ("goal: *x\n", [("S105", 1, 7)]),
    "at sign": ("goal: @x\n", [("S105", 1, 7)]),
    "latin-1": (GOAL.encode() + "name: M\u00fcnchen\n".encode("latin-1"), [("S102", 2, 8)]),
    "a control character": (GOAL + "name: a\x07b\n", [("S102", 2, 8)]),
    "nul": (b"\x00" * 20, [("S102", 1, 1)]),
    "a lone surrogate": ("name: \ud800\n", [("S102", 1, 7)]),
    "python objects": (GOAL + "name: !!python/object/apply:os.system [id]\n", [("S106", 2, 7)]),
    "a set": (GOAL + "constraints: !!set {commercial}\n", [("S106", 2, 14)]),
    "template": ("goal: {{ goal }}\n", [("S109", 1, 8), ("S116", 1, 1)]),
    "key twice": ("goal: {task: qa}\nseed: 1\nseed: 2\n", [("S119", 3, 1)]),
    "key twice below": ("goal: {task: qa, task: chat}\n", [("S119", 1, 18)]),
    "unknown override": (GOAL + "overrides: {learning_rat: 1e-4}\n", [("S103", 2, 13)]),
    "override of the wrong kind": (
        GOAL + "overrides: {lora: {rank: high}, packing: 3}\n",
        [("S113", 2, 26), ("S113", 2, 42)],
    ),
    "override out of range": (GOAL + "overrides: {learning_rate: 5}\n", [("S115", 2, 28)]),
    "override twice": (GOAL + "overrides: {lora.rank: 8, lora: {rank: 16}}\n", [("S119", 2, 40)]),
    "typo in a key": (GOAL + "budjet: {usd: 5}\n", [("S103", 2, 1)]),
    "typo in an inner key": (GOAL + "budget:\n  uds: 5\n", [("S103", 3, 3)]),
    "another tool's key": (GOAL + "lr: 1e-4\n", [("S103", 2, 1)]),
    "a number as a key": (GOAL + "1: 2\n", [("S103", 2, 1)]),
    "typo in a word": ("goal: {task: clasification}\n", [("S114", 1, 14)]),
    "typo in a list": (GOAL + "constraints: [on-prem, comercial]\n", [("S114", 2, 24)]),
    "phi as a constraint": (GOAL + "constraints: [phi]\n", [("S114", 2, 15)]),
    "version 2": (GOAL + "version: 2\n", [("S114", 2, 10)]),
    "a text for a list": (GOAL + "constraints: commercial\n", [("S113", 2, 14)]),
    "a list for a text": (GOAL + "method: [dpo]\n", [("S113", 2, 1)]),
    "a text for data": (GOAL + "data: train.csv\n", [("S113", 2, 7)]),
    "a text for a source": (GOAL + "data: {demonstrations: train.csv}\n", [("S113", 2, 24)]),
    "a number for hardware": (GOAL + "hardware: 4090\n", [("S113", 2, 11)]),
    "half a row": (GOAL + "data: {demonstrations: {rows: 2.5}}\n", [("S113", 2, 31)]),
    "not a number": (GOAL + "budget: {usd: lots}\n", [("S118", 2, 15)]),
    "a currency": (GOAL + "budget: {usd: $50}\n", [("S118", 2, 15)]),
    "a unit": (GOAL + "hardware: {gpu: h100, memory_gib: 80GB}\n", [("S118", 2, 35)]),
    "infinity": (GOAL + "budget: {usd: .inf}\n", [("S118", 2, 15)]),
    "endless digits": (GOAL + f"seed: {'9' * 5000}\n", [("S113", 2, 7)]),
    "octal": (GOAL + "seed: 012\n", [("S118", 2, 7)]),
    "below zero": (GOAL + "budget: {usd: -5}\n", [("S115", 2, 15)]),
    "a whole fraction": (GOAL + "data: {evaluation: {fraction: 1}}\n", [("S115", 2, 31)]),
    "no fraction": (GOAL + "data: {evaluation: {fraction: 0}}\n", [("S115", 2, 31)]),
    "percent for a share": ("goal: {task: qa, success: {metric: token_f1, at_least: 80}}\n", [("S115", 1, 56)]),
    "an unknown metric": ("goal: {task: qa, success: {metric: bleu4, at_least: 0.8}}\n", [("S114", 1, 36)]),
    "a name that escapes": (GOAL + "name: ../../etc\n", [("S118", 2, 7)]),
    "a name that injects": (GOAL + "name: 'x; rm -rf ~'\n", [("S118", 2, 7)]),
    "a name with a line break": (GOAL + 'name: "a\\n"\n', [("S118", 2, 7)]),
    "no such file": (GOAL + "data: {demonstrations: {path: trian.csv}}\n", [("S104", 2, 31)]),
    "no such file in a list": (
        GOAL + "data:\n  demonstrations:\n  - path: train.csv\n  - path: trian.csv\n",
        [("S104", 5, 11)],
    ),
    "no such folder": (GOAL + "data: {corpus: {path: manual/}}\n", [("S104", 2, 23)]),
    "nothing matches": (GOAL + "data: {corpus: {path: '*.pdf'}}\n", [("S104", 2, 23)]),
    "a path of NULs": (GOAL + 'data: {corpus: {path: "a\\0b"}}\n', [("S104", 2, 23)]),
    "a path without end": (GOAL + f"data: {{corpus: {{path: {'a' * 5000}}}}}\n", [("S104", 2, 23)]),
    "an empty path": (GOAL + "data: {corpus: {path: ''}}\n", [("S115", 2, 23)]),
    "an address": (GOAL + "data: {corpus: {path: 'https://example.com/a.csv'}}\n", [("S123", 2, 23)]),
    "a device": (GOAL + "data: {corpus: {path: /dev/zero}}\n", [("S123", 2, 23)]),
    "no such model folder": (GOAL + "model: {base: ./my-model}\n", [("S104", 2, 15)]),
    "no such built-in model": (GOAL + "model: {base: 'builtin:small'}\n", [("S111", 2, 15)]),
    "given and described": (GOAL + "data: {demonstrations: {path: train.csv, rows: 5}}\n", [("S117", 2, 48)]),
    "neither": (GOAL + "data: {demonstrations: {format: chat}}\n", [("S127", 2, 8)]),
    "an evaluation of nothing": (GOAL + "data: {evaluation: {format: chat}}\n", [("S127", 2, 8)]),
    "path and fraction": (GOAL + "data: {evaluation: {path: test.csv, fraction: 0.1}}\n", [("S117", 2, 47)]),
    "evaluated on what is trained on": (
        GOAL + "data: {demonstrations: {path: train.csv}, evaluation: {path: ./train.csv}}\n",
        [("S117", 2, 62)],
    ),
    "more thumbs than rows": (
        GOAL + "data: {feedback: {type: binary, rows: 5, positive: 4, negative: 4}}\n",
        [("S117", 2, 39)],
    ),
    "mixed feedback": (
        GOAL + "data: {feedback: [{type: binary, rows: 5}, {type: paired, rows: 5}]}\n",
        [("S117", 2, 44)],
    ),
    "owned and rented": (GOAL + "hardware: {gpu: h100, cloud: any}\n", [("S117", 2, 17)]),
    "rented from nowhere": (GOAL + "hardware: {gpus: [h100]}\n", [("S116", 2, 1)]),
    "hardware without a GPU": (GOAL + "hardware: {count: 2}\n", [("S116", 2, 1)]),
    "more active than there are": (
        GOAL + "model: {base: x/y, parameters: 1b, active_parameters: 3b}\n",
        [("S117", 2, 55)],
    ),
    "no such reward file": (GOAL + "data: {reward: {function: reward.py:score}}\n", [("S104", 2, 27)]),
    "no such function": (GOAL + "data: {reward: {function: rewards.py:scor}}\n", [("S124", 2, 27)]),
    "not Python": (GOAL + "data: {reward: {function: broken.py:score}}\n", [("S124", 2, 27)]),
    "a reward that says nothing": (GOAL + "data: {reward: {}}\n", [("S116", 2, 8)]),
    "two rewards": (GOAL + "data: {reward: {function: rewards.py:score, regex: a}}\n", [("S117", 2, 52)]),
    "no expression": (GOAL + "data: {reward: {regex: '(('}}\n", [("S134", 2, 24)]),
    "no JSON Schema": (GOAL + "data: {reward: {json_schema: broken.py}}\n", [("S134", 2, 30)]),
    "no such schema": (GOAL + "data: {reward: {json_schema: answer.json}}\n", [("S104", 2, 30)]),
    "not a function": (GOAL + "data: {reward: {function: rewards.py}}\n", [("S118", 2, 27)]),
    "a token": (GOAL + f"model: {{base: hf_{'a' * 34}}}\n", [("S122", 2, 15)]),
}


@pytest.mark.parametrize(("text", "expected"), INVALID.values(), ids=INVALID)
def test_invalid(text: str | bytes, expected: list[tuple[str, int, int]], folder: Path) -> None:
    loaded = read(text, folder)
    found = [(each.code, each.line, each.column) for each in loaded.diagnostics]
    assert sorted(found) == sorted(expected)
    assert loaded.spec is None
    assert all(each.file == "ftc.yaml" and each.message for each in loaded.diagnostics)


WARNED: dict[str, tuple[str, str]] = {
    "max_parameters of a named model": ("model: {base: x/y, max_parameters: 8b}", "S126"),
    "parameters of any model": ("model: {base: auto, parameters: 8b}", "S126"),
    "spot on own machines": ("hardware: {gpu: h100, spot: true}", "S126"),
    "columns of described rows": ("data: {demonstrations: {rows: 5, columns: {prompt: a}}}", "S126"),
    "own costs on rented machines": ("hardware: {cloud: any}\nbudget: {usd_per_hour: 1}", "S126"),
    "pairs of an unknown number": ("data: {feedback: {type: paired}}", "S127"),
}


@pytest.mark.parametrize(("text", "code"), WARNED.values(), ids=WARNED)
def test_warned(text: str, code: str, folder: Path) -> None:
    loaded = read(GOAL + text, folder)
    assert loaded.spec is not None
    assert [(each.code, each.severity) for each in loaded.diagnostics] == [(code, Severity.WARNING)]


def test_accuracy_of_free_text_is_questioned(folder: Path) -> None:
    text = "goal: {task: summarization, success: {metric: accuracy, at_least: 0.8}}"
    assert codes(read(text, folder)) == ["S120"]


SUGGESTED = {
    "key": (GOAL + "budjet: {usd: 5}", "budget"),
    "inner key": (GOAL + "data: {demonstration: {rows: 5}}", "demonstrations"),
    "spelling of licence": (GOAL + "data: {license: mit}", "licence"),
    "another tool's key": (GOAL + "learning_rate: 1e-4", "overrides: {learning_rate: ...}"),
    "a key of another part": (GOAL + "deadline_days: 5", "budget: {deadline_days: ...}"),
    "word": ("goal: {task: Classification}", "classification"),
    "spelling of a word": ("goal: {task: summarisation}", "summarization"),
    "another tool's word": (GOAL + "method: qlora", "sft-qlora"),
    "file": (GOAL + "data: {corpus: {path: manauls/}}", "manuals"),
    "file elsewhere": (GOAL + "data: {demonstrations: {path: dat/inner.csv}}", "data/inner.csv"),
    "backslashes": (GOAL + "data: {demonstrations: {path: 'data\\inner.csv'}}", "data/inner.csv"),
    "percent": (GOAL + "data: {evaluation: {fraction: 10}}", "fraction: 0.1"),
    "percent sign": (GOAL + "data: {evaluation: {fraction: 10%}}", "fraction: 0.1"),
    "a number in words": (GOAL + "model: {max_parameters: 8 billion}", "max_parameters: 8b"),
    "currency": (GOAL + "budget:\n  usd: $1,500", "usd: 1500"),
    "another tool's setting": (GOAL + "overrides: {lr: 1e-4}", "learning_rate"),
    "a setting within a setting": (GOAL + "overrides: {lora: {ranks: 8}}", "lora.rank"),
    "list": (GOAL + "data: {contains: phi}", "contains: [phi]"),
    "source": (GOAL + "data: {demonstrations: train.csv}", "demonstrations: {path: train.csv}"),
    "name": (GOAL + "name: Kundendienst M\u00fcnchen", "name: Kundendienst-Munchen"),
    "function": (GOAL + "data: {reward: {function: 'rewards.py:scores'}}", "rewards.py:score"),
    "rent": (
        GOAL + "hardware: {gpu: h100, cloud: any}",
        "hardware: {cloud: any, gpus: [h100]}",
    ),
}


@pytest.mark.parametrize(("text", "fix"), SUGGESTED.values(), ids=SUGGESTED)
def test_suggests_what_to_write(text: str, fix: str, folder: Path) -> None:
    [found] = read(text, folder).diagnostics
    assert found.fix == fix


TRAPS = {
    "norway": ("goal: {task: qa, language: no}", "goal.language", "no"),
    "on": (GOAL + "name: on", "name", "on"),
    "a date": (GOAL + "name: 2026-01-01", "name", "2026-01-01"),
    "a number as a name": (GOAL + "name: 007", "name", "007"),
    "a commit that looks like a number": (GOAL + "model: {base: x/y, revision: 1e10}", "model.revision", "1e10"),
    "sexagesimal": (GOAL + "data: {licence: 12:30:45}", "data.licence", "12:30:45"),
    "yes is true": (GOAL + "model: {trust_remote_code: yes}", "model.trust_remote_code", True),
    "off is false": (GOAL + "model: {substitute: off}", "model.substitute", False),
    "1e-4 in an override": (GOAL + "overrides: {learning_rate: 1e-4}", "overrides", {"learning_rate": 1e-4}),
    "1e3 rows": (GOAL + "budget: {usd: 1e3}", "budget.usd", 1000.0),
    "underscores": (GOAL + "budget: {usd: 1_000}", "budget.usd", 1000.0),
    "exact billions": (GOAL + "model: {base: x/y, parameters: 8.03b}", "model.parameters", 8_030_000_000),
    "yes in a nested override": (GOAL + "overrides: {lora: {dora: yes}}", "overrides", {"lora.dora": True}),
    "a quoted true": (GOAL + "name: 'true'", "name", "true"),
}


@pytest.mark.parametrize(("text", "key", "value"), TRAPS.values(), ids=TRAPS)
def test_yaml_traps(text: str, key: str, value: object, folder: Path) -> None:
    loaded = read(text, folder)
    assert codes(loaded) == []
    found: object = loaded.spec
    for part in key.split("."):
        found = getattr(found, part)
    assert found == value
    assert type(found) is type(value) or isinstance(value, int)


def test_every_problem_in_one_pass_in_order_and_once(folder: Path) -> None:
    text = (
        "goal: {task: clasification}\n"
        "data:\n  demonstrations: {path: trian.csv, wieght: 2}\n  contains: phi\n"
        "budjet: {usd: 5}\nseed: -1\n"
    )
    found = read(text, folder).diagnostics
    assert [each.code for each in found] == ["S114", "S104", "S103", "S113", "S103", "S115"]
    assert [(each.line, each.column) for each in found] == sorted((each.line, each.column) for each in found)


def test_what_was_refused_draws_no_second_complaint(folder: Path) -> None:
    text = GOAL + "data: {demonstrations: {path: [a]}, feedback: {type: nonsense}}\nhardware: {gpu: [a]}\n"
    assert codes(read(text, folder)) == ["S113", "S114", "S113"]


def test_carets_point_at_the_words(folder: Path) -> None:
    [found] = read(GOAL + "data: {demonstrations: {path: trian.csv}}\r\n", folder).diagnostics
    start = found.column - 1
    assert found.excerpt[start : start + found.length] == "trian.csv"


def test_a_diagnostic_of_another_room_gets_its_place(folder: Path) -> None:
    loaded = read(DESIGNED, folder)
    places = {
        "hardware.gpu": (24, 17),
        "overrides.lora.rank": (29, 47),
        "data.demonstrations": (13, 3),
        "data.demonstrations.0.path": (13, 3),
        "model.parameters": (21, 1),
        "nothing.like.it": (1, 1),
        "": (1, 1),
    }
    for key, place in places.items():
        found = loaded.locate(Diagnostic(code="S110", message="x", key=key))
        assert (found.line, found.column) == place, key
        assert found.file == "ftc.yaml"
    elsewhere = Diagnostic(code="D101", message="x", file="train.csv", line=7)
    assert loaded.locate(elsewhere) == elsewhere


def test_a_token_never_reaches_a_message(folder: Path) -> None:
    token = "hf_" + "Ab1" * 12
    for text in (
        f"goal: {{task: {token}}}",
        GOAL + f"{token}: 1",
        GOAL + f"name: a {token}",
        GOAL + f"data: {{{token}: x",
    ):
        found = read(text, folder).diagnostics
        assert found
        assert all(token not in str(each.to_json()) for each in found)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "specs.yaml").write_text(GOAL)
    large = tmp_path / "large.yaml"
    with large.open("wb") as stream:
        stream.truncate(100_000_000)
    os.mkfifo(tmp_path / "pipe")
    started = time.process_time()
    for name in ("spec.yaml", "large.yaml", "pipe", "", "a\0b", "x" * 5000, "no/such/folder.yaml"):
        loaded = load(tmp_path / name)
        assert codes(loaded) == ["S101"], name
        assert loaded.spec is None
    assert time.process_time() - started < 10
    [found] = load(tmp_path / "spec.yaml").diagnostics
    assert found.fix.endswith("specs.yaml")


BOMBS = {
    "a billion laughs": "a: &a [x,x,x,x,x,x,x,x,x]\n"
    + "".join(f"{b}: &{b} [{','.join(['*' + a] * 9)}]\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True)),
    "a chain of aliases": "a0: &a0 [x]\n" + "".join(f"a{i + 1}: &a{i + 1} [*a{i}]\n" for i in range(20_000)),
    "an alias in itself": "a: &a [*a]\n",
    "merges of merges": "a: &a {x: 1}\n"
    + "".join(f"b{i + 1}: &b{i + 1} {{<<: [*{'b' + str(i) if i else 'a'}]}}\n" for i in range(5_000)),
    "deep lists": "[" * 400_000,
    "deep mappings": "{a: " * 200_000,
    "deep blocks": "- " * 400_000,
    "many values": "[" + "1," * 300_000 + "]",
    "many keys": "".join(f"k{i}: 1\n" for i in range(60_000)),
}


@pytest.mark.parametrize("text", BOMBS.values(), ids=BOMBS)
def test_bombs_are_refused_at_once(text: str, tmp_path: Path) -> None:
    assert len(text) < LARGEST
    started = time.process_time()
    assert codes(read(text, tmp_path)) == ["S107"]
    assert time.process_time() - started < 10  # unfolded, they would take hours


def test_a_wide_file_within_the_limits_answers_soon(tmp_path: Path) -> None:
    text = GOAL + "constraints:\n" + "- comercial\n" * 18_000
    started = time.process_time()
    assert set(codes(read(text, tmp_path))) <= {"S114", "S115"}
    assert time.process_time() - started < 10


@pytest.mark.parametrize(
    ("pattern", "there"),
    [
        ("*.csv", True),
        ("*.pdf", False),
        ("dat?/*.csv", True),
        ("data/*", True),
        ("data/*/*", False),
        ("**/inner.csv", True),
        ("**/*.csv", True),
        ("**/data/**/inner.csv", True),
        ("**/other/**/inner.csv", False),
        ("[dt]*", True),
        ("[!a-z]*", False),
        ("[", False),
        ("{f}/*.csv", True),
    ],
)
def test_patterns(pattern: str, there: bool, folder: Path) -> None:
    path = pattern.replace("{f}", str(folder))
    loaded = load_text(f"{GOAL}data: {{corpus: {{path: '{path}'}}}}", "ftc.yaml", folder)
    assert codes(loaded) == ([] if there else ["S104"])


def test_no_pattern_takes_long(tmp_path: Path) -> None:
    (tmp_path / ("a" * 250)).write_text("")
    deep = tmp_path
    for _ in range(60):
        deep = deep / "a"
    deep.mkdir(parents=True)
    started = time.process_time()
    for pattern in ("/**/*a*a*a*a*a*a*a*b", "*a" * 40 + "b", "**/a/" * 30 + "b", "**/" * 500 + "b", "*" * 2000 + "b"):
        read(f"{GOAL}data: {{corpus: {{path: '{pattern}'}}}}", tmp_path)
    assert time.process_time() - started < 20


@pytest.mark.skipif(not FACTS.exists(), reason="the advice cases are not at hand")
def test_every_translated_advice_case_is_valid(tmp_path: Path) -> None:
    command = [sys.executable, str(FACTS / "case_to_spec.py"), str(FACTS / "advice_cases_open.yaml"), str(tmp_path)]
    subprocess.run(command, check=True)
    specs = sorted(tmp_path.glob("*.yaml"))
    assert len(specs) == 12
    for path in specs:
        loaded = load(path)
        assert codes(loaded) == [], path.name
        assert loaded.spec is not None
