"""The command line against specs and plans that nobody wrote: sound files with something changed, cut or garbled.

What has to hold for each: an exit code of the contract, no traceback, two seconds of the processor at most, and nothing
written outside the folder. `make soak` goes through 10,000, `make test` through a slice of them.
"""

from __future__ import annotations

import contextlib
import copy
import io
import json
import os
import random
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from ftc import cli
from tests.plans import METHODS, chain_for, plan_for

SLOWEST = 2.0  # seconds of the processor for one call
EXITS = {0, 1, 2, 3, 4}
SLICE, SOAK = 500, 5_000  # of specs, and as many of plans
ODD: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 2**70, -0.0, 1e308, float("inf"), float("nan"), "", " ", "\0", "a" * 5000, "../..",
    "/etc/passwd", "~", "8b", "1e9", "no", "auto", "none", [], {}, [[]], {"": {}}, ["a", None], {"path": "train.csv"},
    "builtin:tiny", "train.csv", "$(id)", "{{ 7*7 }}", "‮", "\ud800", "𝔘", "<script>", "%s%n", "hf_" + "a" * 34,
)  # fmt: skip
SPEC: dict[str, Any] = {
    "version": 1,
    "name": "fuzz",
    "goal": {"task": "classification", "description": "d", "success": {"metric": "accuracy", "at_least": 0.8}},
    "data": {
        "demonstrations": {"path": "train.csv", "columns": {"prompt": "text", "completion": "category"}},
        "evaluation": {"fraction": 0.2},
        "contains": ["pii"],
    },
    "model": {"base": "builtin:tiny"},
    "hardware": {"gpu": "rtx-4090", "count": 1},
    "budget": {"usd": 50, "hours": 8},
    "constraints": ["on-prem"],
    "deploy": {"target": "transformers"},
    "method": "auto",
    "overrides": {"learning_rate": 1e-4, "lora.rank": 8},
    "seed": 0,
}
ON_SPECS = (("check",), ("advise", "--json"), ("compile", "--dry-run", "--json"), ("estimate", "--json"))
ON_PLANS = (
    ("run",),
    ("run", "--json"),
    ("explain", "ftc.plan.json:sft.learning_rate"),
    ("export", "ftc.plan.json", "--to", "trl"),
)


def places(value: Any, way: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The way to every value in a tree."""
    yield way
    if isinstance(value, dict):
        for key, each in value.items():
            yield from places(each, (*way, key))
    elif isinstance(value, list):
        for index, each in enumerate(value):
            yield from places(each, (*way, index))


def changed(sound: Any, rng: random.Random) -> Any:
    """The same with one to three values replaced, removed, doubled or moved."""
    value = copy.deepcopy(sound)
    for _ in range(rng.randint(1, 3)):
        way = rng.choice([each for each in places(value) if each] or [()])
        if not way:
            return rng.choice(ODD)
        holder = value
        for part in way[:-1]:
            holder = holder[part]
        what = rng.random()
        if what < 0.6:
            holder[way[-1]] = copy.deepcopy(rng.choice(ODD))
        elif what < 0.8:
            del holder[way[-1]]
        elif isinstance(holder, dict):
            holder[f"{way[-1]}{rng.choice(('', 's', '_', ' '))}x"] = copy.deepcopy(holder[way[-1]])
        else:
            holder.append(copy.deepcopy(holder[way[-1]]))
    return value


def garbled(text: bytes, rng: random.Random) -> bytes:
    """The same bytes cut off, with some replaced, or with a piece of them somewhere else."""
    where = rng.randrange(max(1, len(text)))
    what = rng.random()
    if what < 0.4:
        return text[:where]
    if what < 0.7:
        return text[:where] + bytes(rng.randrange(256) for _ in range(rng.randint(1, 8))) + text[where + 3 :]
    return text[:where] + text[rng.randrange(len(text)) :][:200] + text[where:]


def spec_bytes(rng: random.Random) -> bytes:
    with contextlib.suppress(yaml.YAMLError, UnicodeError, ValueError):
        text = yaml.safe_dump(changed(SPEC, rng), allow_unicode=True, sort_keys=rng.random() < 0.5).encode()
        return garbled(text, rng) if rng.random() < 0.25 else text
    return b"version: 1"


def plan_bytes(rng: random.Random) -> bytes:
    plan = plan_for(rng.choice(METHODS)) if rng.random() < 0.7 else chain_for("sft", "dpo")
    with contextlib.suppress(UnicodeError, ValueError):
        text = json.dumps(changed(plan.to_json(), rng)).encode()
        return garbled(text, rng) if rng.random() < 0.3 else text
    return b"{}"


def call(words: tuple[str, ...]) -> tuple[int, str]:
    """One command in this process; the exit code and what it said. Anything but an exit is a traceback."""
    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        try:
            cli.main(list(words))
        except SystemExit as end:
            return int(end.code or 0), said.getvalue()
    return -1, said.getvalue()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder in a folder that is watched. The data that plans name is not there, so that nothing is run."""
    work = tmp_path / "a" / "work"  # deep enough for `../..` to end in the test's own folder
    work.mkdir(parents=True)
    for name in ("HOME", "FTC_CACHE_DIR", "FTC_DATA_DIR", "TMPDIR"):
        (tmp_path / f"own-{name}").mkdir()
        monkeypatch.setenv(name, str(tmp_path / f"own-{name}"))
    monkeypatch.chdir(work)
    rows = "".join(f"where is order {n},order\nI lost card {n},card\n" for n in range(40))
    (work / "train.csv").write_text(f"text,category\n{rows}")
    return work


def _others(around: Path, folder: Path) -> list[str]:
    """Everything around the folder that is neither in it nor in the folders that ftc is given for itself."""
    own = (folder, *around.glob("*/own-*"), *around.glob("own-*"))
    return sorted(str(each) for each in around.rglob("*") if not any(one in each.parents for one in own))


def fought(
    folder: Path, file: str, made: Callable[[random.Random], bytes], calls: tuple[tuple[str, ...], ...], count: int
) -> None:
    """Write `count` files of that kind, and call a command on each."""
    around = folder.parent.parent
    outside = _others(around, folder)
    for number in range(count):
        rng = random.Random(f"{file}:{number}")
        content = made(rng)
        (folder / file).write_bytes(content)
        words = calls[number % len(calls)]
        began = time.process_time()
        try:
            code, said = call(words)
        except BaseException:
            pytest.fail(f"{words} on {file} number {number}:\n{traceback.format_exc()[-1500:]}\n{content[:2000]!r}")
        assert code in EXITS, (words, number, code, said[-500:])
        assert "Traceback" not in said, (words, number, said[-1500:])
        assert time.process_time() - began < SLOWEST, (words, number, content[:2000])
        assert number % 50 or _others(around, folder) == outside, (words, number)
        if words[-1] == "--json" and said.strip() and code in (0, 4):
            json.loads(said[said.index("{") :])
    assert os.environ["HOME"].startswith(str(around))


@pytest.mark.parametrize("count", [SLICE, pytest.param(SOAK, marks=pytest.mark.soak)])
def test_specs_that_nobody_wrote(folder: Path, count: int) -> None:
    fought(folder, "ftc.yaml", spec_bytes, ON_SPECS, count)


@pytest.mark.parametrize("count", [SLICE, pytest.param(SOAK, marks=pytest.mark.soak)])
def test_plans_that_nobody_wrote(folder: Path, count: int) -> None:
    (folder / "train.csv").unlink()
    fought(folder, "ftc.plan.json", plan_bytes, ON_PLANS, count)
