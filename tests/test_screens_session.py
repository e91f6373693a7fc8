"""The planner's session: steps back and forth, what is kept, what is compared."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from ftc.api import Advice
from ftc.compiler.plan_file import load_plan
from ftc.screens.session import Session, differing, reads_data, settle, values
from ftc.spec.diagnostics import Refused
from tests.screens_values import DEAR_SPEC, SPEC, write_spec

EXAMPLE = Path(__file__).parents[1] / "examples" / "support-routing"


def advised(session: Session, change: dict[str, object] | None = None) -> Advice:
    pending = session.start() if change is None else session.change(change)
    assert pending is not None
    advice = settle(pending)
    assert session.accept(advice)
    return advice


def test_a_change_is_made_in_the_text_with_comments_kept(tmp_path: Path) -> None:
    session = Session(write_spec(tmp_path))
    session.change({"budget.usd": 20})
    assert "# answers of a support desk" in session.text
    assert session.changes() == {"budget.usd": (50, 20)}
    assert session.path.read_text() == SPEC
    session.save()
    assert session.path.read_text() == session.text
    assert not session.unsaved


def test_undo_redo_and_a_new_branch(tmp_path: Path) -> None:
    session = Session(write_spec(tmp_path))
    for usd in (20, 30):
        session.change({"budget.usd": usd})
    assert session.undo() is not None
    assert values(session.text)["budget.usd"] == 20
    assert session.redo() is not None
    assert values(session.text)["budget.usd"] == 30
    session.undo()
    session.change({"budget.usd": 99})
    assert not session.can_redo
    while session.can_undo:
        session.undo()
    assert session.text == SPEC
    assert session.undo() is None


def test_what_would_be_wrong_is_refused_and_changes_nothing(tmp_path: Path) -> None:
    session = Session(write_spec(tmp_path))
    with pytest.raises(Refused) as refused:
        session.change({"goal.task": "klassification"})
    assert refused.value.diagnostics
    assert session.text == SPEC
    assert not session.can_undo


def test_the_budget_decides(tmp_path: Path) -> None:
    session = Session(write_spec(tmp_path, DEAR_SPEC))
    before = advised(session)
    after = advised(session, {"budget.usd": 1})
    assert before.verdict.method != "infeasible"
    assert after.verdict.method == "infeasible"
    assert session.before is before


def test_advice_on_a_text_that_has_moved_on_is_dropped(tmp_path: Path) -> None:
    session = Session(write_spec(tmp_path))
    late = session.change({"budget.usd": 20})
    assert late is not None
    session.change({"budget.usd": 30})
    assert not session.accept(settle(late))
    assert session.advice is None


def test_undo_needs_no_second_decision(tmp_path: Path) -> None:
    session = Session(write_spec(tmp_path))
    first = advised(session)
    advised(session, {"budget.usd": 20})
    pending = session.undo()
    assert pending is not None
    assert session.known(pending) is first


def test_small_steps_become_one(tmp_path: Path) -> None:
    session = Session(write_spec(tmp_path))
    place = session.place
    for usd in (40, 30, 20):
        session.change({"budget.usd": usd})
    session.squash(place)
    session.undo()
    assert session.text == SPEC
    session.redo()
    for usd in (10, 5):
        session.change({"budget.usd": usd})
    session.back_to(1)
    assert values(session.text)["budget.usd"] == 20
    assert not session.can_redo


def test_a_slider_compares_with_where_it_began(tmp_path: Path) -> None:
    session = Session(write_spec(tmp_path))
    first = advised(session)
    session.hold()
    advised(session, {"budget.usd": 20})
    advised(session, {"budget.usd": 10})
    assert session.before is first


@pytest.mark.parametrize(
    ("change", "gone"),
    [
        ({"hardware.gpu": "h100"}, "hardware.memory_gib"),
        ({"model.base": "Qwen/Qwen2.5-1.5B-Instruct"}, "model.parameters"),
    ],
)
def test_what_described_the_old_value_goes_with_it(tmp_path: Path, change: dict[str, object], gone: str) -> None:
    text = SPEC.replace("{gpu: rtx-4090, count: 1}", "{gpu: rtx-4090, memory_gib: 24}")
    text = text.replace("base: Qwen/Qwen2.5-7B-Instruct", "base: Qwen/Qwen2.5-7B-Instruct\n  parameters: 7.6b")
    session = Session(write_spec(tmp_path, text))
    assert gone in values(session.text)
    session.change(change)
    assert gone not in values(session.text)


def test_given_data_is_read_once(tmp_path: Path) -> None:
    shutil.copytree(EXAMPLE, tmp_path / "example")
    session = Session(tmp_path / "example" / "ftc.yaml")
    first = session.start()
    assert first.facts is None  # to be read by a worker
    assert first.loaded.spec is not None
    assert reads_data(first.loaded.spec)
    advice = settle(first)
    session.accept(advice)
    cheap = session.change({"budget.hours": 2})
    assert cheap is not None
    assert cheap.facts is not None
    assert cheap.facts.profile is advice.facts.profile
    other = session.change({"data.evaluation.fraction": 0.2})
    assert other is not None
    assert other.facts is None


def test_approve_writes_spec_and_plan_that_belong_together(tmp_path: Path) -> None:
    shutil.copytree(EXAMPLE, tmp_path / "example")
    session = Session(tmp_path / "example" / "ftc.yaml")
    advised(session)
    advised(session, {"overrides.epochs": 1})
    path = session.approve()
    plan, problems = load_plan(path)
    assert plan is not None, problems
    assert not session.unsaved
    assert plan.hashes["spec"] == Session(session.path).first.digest
    assert plan.stage("sft").arguments["epochs"] == 1


def test_someone_else_wrote_meanwhile(tmp_path: Path) -> None:
    session = Session(write_spec(tmp_path))
    assert not session.moved_on_disk()
    session.path.write_text(SPEC + "seed: 7\n")
    assert session.moved_on_disk()


def test_values_by_dotted_key() -> None:
    found = values("data:\n  demonstrations: [{rows: 5}, {rows: 6}]\nconstraints: [on-prem]\n")
    assert found == {"data.demonstrations[0].rows": 5, "data.demonstrations[1].rows": 6, "constraints": ["on-prem"]}
    assert differing({"a": 1, "b": 2}, {"b": 3, "c": 4}) == {"a": (1, None), "b": (2, 3), "c": (None, 4)}
