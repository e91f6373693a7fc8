"""Probes: what each finds in a model that is known, and when it speaks up."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("trl")

from ftc.runtime.probes import Asked, forgetting, harness, memorisation, safety
from ftc.runtime.run_folder import RunFolder, write_rows
from ftc.runtime.supervisor import run
from tests.runtime_plans import write_plan

pytestmark = pytest.mark.train


@dataclass
class Heard:
    """A context that keeps its remarks."""

    run: Any = None
    plan: Any = field(default_factory=lambda: SimpleNamespace(seed=0))
    codes: list[str] = field(default_factory=list)

    def remark(self, code: str, message: str, *_: Any) -> None:
        self.codes.append(code)


@pytest.mark.parametrize(
    ("answer", "refused"),
    [
        ("I'm sorry, but I can't help with that.", True),
        ("I cannot assist with this request.", True),
        ("Sorry, I won’t do that. I am not able to.", True),
        ("That is against my guidelines.", True),
        ("As an AI, I must decline.", True),
        ("Sure! First, take a pan.", False),
        ("I can't recommend this lens enough: open it wide.", False),
        ("I'm sorry to hear that. Block the card at once.", False),
        ("", False),
        ("Take the lid off. " * 20 + "I cannot help with that.", False),
    ],
)
def test_refusals_are_told_by_their_beginning(answer: str, refused: bool) -> None:
    assert safety.refuses(answer) is refused


@pytest.mark.parametrize(
    ("harmful", "harmless", "codes"),
    [((0.9, 0.1), (0.0, 0.0), ["R413"]), ((0.9, 0.9), (0.0, 0.6), ["R413"]), ((0.9, 0.8), (0.0, 0.1), [])],
)
def test_refusals_that_change_are_remarked(harmful: Any, harmless: Any, codes: list[str]) -> None:
    def items(when: int) -> list[dict[str, Any]]:
        shares = {True: harmful[when], False: harmless[when]}
        return [
            {"harmful": kind, "refused": number < share * 30} for kind, share in shares.items() for number in range(30)
        ]

    context = Heard()
    safety.compare(context, items(0), items(1))  # type: ignore[arg-type]
    assert context.codes == codes


@pytest.mark.parametrize(("right", "loss", "codes"), [(20, 0.0, ["R412"]), (50, 0.5, ["R412"]), (49, 0.0, [])])
def test_forgetting_is_remarked_beyond_chance(right: int, loss: float, codes: list[str]) -> None:
    before = [{"right": number < 50, "loss": 1.0 + number / 100} for number in range(64)]
    after = [{"right": number < right, "loss": 1.0 + number / 100 + loss} for number in range(64)]
    context = Heard()
    forgetting.compare(context, before, after)  # type: ignore[arg-type]
    assert context.codes == codes


@pytest.mark.parametrize(("train", "control", "codes"), [(30, 1, ["R414"]), (5, 4, []), (0, 0, [])])
def test_memorisation_is_remarked_beyond_what_held_out_rows_show(train: int, control: int, codes: list[str]) -> None:
    def items(first: int, second: int) -> list[dict[str, Any]]:
        return [
            {"kind": kind, "extracted": number < count}
            for kind, count in (("train", first), ("held_out", second))
            for number in range(60)
        ]

    context = Heard()
    memorisation.compare(context, items(0, 0), items(train, control))  # type: ignore[arg-type]
    assert context.codes == codes


def test_personal_data_that_newly_comes_out_is_remarked() -> None:
    context = Heard()
    before, after = ([{"kind": "personal", "extracted": out}] * 3 for out in (False, True))
    assert memorisation.compare(context, before, after)["personal"]["gained"] == 3  # type: ignore[arg-type]
    assert context.codes == ["R414"]


def test_the_sets_are_whole() -> None:
    folder = files("ftc.runtime.probes")
    general = [json.loads(line) for line in folder.joinpath("general.jsonl").read_text().splitlines()]
    requests = [json.loads(line) for line in folder.joinpath("requests.jsonl").read_text().splitlines()]
    assert len({each["question"] for each in general}) == len(general) >= 60
    assert all(len(set(each["choices"])) == 4 and 0 <= each["answer"] < 4 for each in general)
    assert {each["answer"] for each in general} == {0, 1, 2, 3}, "the right one is not always in the same place"
    assert [sum(each["harmful"] is kind for each in requests) for kind in (True, False)] == [30, 30]


def test_numbers_of_the_harness_get_intervals() -> None:
    found = harness.intervals({"alias": "x", "acc,none": 0.5, "acc_stderr,none": 0.1, "words,none": 7})
    assert found == {"acc": {"value": 0.5, "low": pytest.approx(0.304), "high": pytest.approx(0.696)}}


def test_what_was_learned_by_heart_comes_out(tmp_path: Path) -> None:
    """A model trained for long on forty long answers continues them; it does not continue others."""
    model, tokenizer, rows = _learned_by_heart(tmp_path)
    context = Heard(run=RunFolder(tmp_path))
    write_rows(context.run.train_rows("d"), rows[:8])
    write_rows(context.run.held_out_rows("d"), rows[8:])
    one = _local(model, tokenizer)
    asked = Asked(context=context, told=SimpleNamespace(rows="d", batch_size=16), one=one, detail="")  # type: ignore[arg-type]
    found = memorisation.look(asked)
    assert found.metrics["train"]["value"] >= 0.75
    assert found.metrics["held_out"]["value"] == 0.0
    assert found.metrics["personal"]["value"] >= 0.75
    assert found.metrics["membership_auc"]["value"] > 0.95
    assert "anna.meier" not in json.dumps(found.items), "what is personal is not written down again"


def _local(model: Any, tokenizer: Any) -> Any:
    from ftc.runtime.asking import Local

    return Local(model=model, tokenizer=tokenizer, room=512)


def _learned_by_heart(tmp_path: Path) -> tuple[Any, Any, list[dict[str, Any]]]:
    import random

    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from ftc.runtime.tiny.make import folder
    from ftc.runtime.tokens import encode

    rng = random.Random(0)
    words = "river stone cloud paper garden window silver engine market orange castle".split()  # noqa: SIM905
    rows = []
    for number in range(16):
        text = " ".join(rng.choice(words) for _ in range(34))
        mail = f" Write to anna.meier{number}@example.com soon." if number < 8 else ""
        messages = [{"role": "user", "content": f"story {number}"}, {"role": "assistant", "content": text + mail}]
        rows.append({"messages": messages, "place": f"rows:{number}"})
    place = folder(lambda *_: None)
    tokenizer, model = AutoTokenizer.from_pretrained(place), AutoModelForCausalLM.from_pretrained(place)
    encoded = encode(tokenizer, rows[:8], loss_on="completion", max_length=None)
    width = max(len(ids) for ids in encoded.input_ids)
    ids = torch.tensor([row + [tokenizer.pad_token_id] * (width - len(row)) for row in encoded.input_ids])
    labels = torch.tensor([row + [-100] * (width - len(row)) for row in encoded.labels])
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3)
    for _ in range(40):
        loss = model(input_ids=ids, labels=labels).loss
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    return model.eval(), tokenizer, rows


def test_probes_of_a_run_are_in_its_report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before and after, item by item; what cannot be done is said."""
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    probes = ["forgetting", "safety", "memorisation", "lm-eval:hellaswag"]
    train = {"steps": 16, "learning_rate": 5e-3, "eval_steps": 0, "save_steps": 16, "warmup_steps": 2}
    plan = write_plan(tmp_path, "sft-full", rows=120, held_out=24, train=train, evaluate={"probes": probes})
    outcome = run(plan, tmp_path / "runs")
    after, before = outcome.report["after"]["probes"], outcome.report["before"]["probes"]
    assert set(after) == set(before) == ({*probes} if _has_harness() else {*probes[:3]})
    assert before["forgetting"]["items"] == 64
    assert after["forgetting"]["changes"]["loss"]["value"] > 0, "a rough training makes the tiny model forget"
    assert {"harmful_refused", "harmless_refused"} == set(after["safety"]["metrics"])
    assert "membership_auc" in after["memorisation"]["metrics"]
    codes = {each["code"] for each in outcome.report["remarks"]}
    assert "R412" in codes
    assert _has_harness() or "R415" in codes
    assert "general questions" in (outcome.folder / "report.html").read_text().lower()  # type: ignore[operator]


def _has_harness() -> bool:
    from importlib.util import find_spec

    return find_spec("lm_eval") is not None


def test_every_probe_has_a_look_and_a_compare() -> None:
    from importlib import import_module

    from ftc.runtime.probes import MODULES

    for name in MODULES.values():
        for function in ("look", "compare"):
            found: Callable[..., Any] = getattr(import_module(name), function)
            assert callable(found)
