"""The planner, driven by its keys: each task that it is there for, with the real advisor behind it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from textual.binding import Binding
from textual.pilot import Pilot
from textual.widgets import Input

from ftc.compiler.plan_file import load_plan
from ftc.screens import planner as planner_module
from ftc.screens.planner import Planner
from ftc.screens.session import values
from ftc.screens.watch import Watch
from ftc.screens.widgets.confirm import Confirm
from ftc.screens.widgets.edit_field import EditField
from ftc.screens.widgets.item_list import ItemList
from ftc.screens.widgets.knob_bar import KnobBar
from ftc.screens.widgets.pick import Pick
from ftc.screens.widgets.reader import Reader
from tests.screens_values import DEAR_SPEC, SPEC, by_hand, drive, keys, planner_app, settled, write_spec

EXAMPLE = Path(__file__).parents[1] / "examples" / "support-routing"


@pytest.fixture
def hand_made(monkeypatch: pytest.MonkeyPatch) -> None:
    """For what has nothing to do with the advice: a verdict made by hand instead of one decided."""
    monkeypatch.setattr(planner_module, "settle", by_hand)
    monkeypatch.setattr(planner_module, "settle_at_once", by_hand)


def planner(pilot: Pilot[int]) -> Planner:
    found = pilot.app.screen_stack[0]
    assert isinstance(found, Planner)
    return found


def method(pilot: Pilot[int]) -> str:
    advice = planner(pilot).session.advice
    assert advice is not None
    return advice.verdict.method


def choose(pilot: Pilot[int], panel: str, item: str) -> None:
    """Put the cursor on an item."""
    found = planner(pilot).query_one(f"#{panel}", ItemList)
    found.focus()
    found.choose(item)
    assert found.chosen == item


def example(folder: Path) -> Path:
    shutil.copytree(EXAMPLE, folder / "example")
    (folder / "example" / "ftc.plan.json").unlink(missing_ok=True)
    return folder / "example" / "ftc.yaml"


def test_change_the_budget_and_see_another_method(tmp_path: Path) -> None:
    async def story(pilot: Pilot[int]) -> None:
        before = method(pilot)
        assert before != "infeasible"
        choose(pilot, "fields", "field:budget.usd")
        await keys(pilot, ["enter"])
        assert isinstance(pilot.app.screen, EditField)
        pilot.app.screen.query_one(Input).value = "1"
        await keys(pilot, ["enter"])
        assert method(pilot) == "infeasible"
        assert planner(pilot).session.unsaved
        await keys(pilot, ["u"])
        assert method(pilot) == before
        await keys(pilot, ["U"])
        assert method(pilot) == "infeasible"

    drive(planner_app(write_spec(tmp_path, DEAR_SPEC)), story)


def test_the_slider_moves_the_advice_and_escape_takes_it_back(tmp_path: Path) -> None:
    async def story(pilot: Pilot[int]) -> None:
        before = method(pilot)
        await keys(pilot, ["b"])
        await pilot.press(*["left"] * 12)
        await settled(pilot)
        assert values(planner(pilot).session.text)["budget.usd"] == 1
        assert method(pilot) == "infeasible"
        await keys(pilot, ["escape"])
        assert method(pilot) == before
        assert planner(pilot).session.text == DEAR_SPEC
        assert not planner(pilot).query_one(KnobBar).has_class("-open")
        await keys(pilot, ["b", "left", "left", "enter", "u"])
        assert planner(pilot).session.text == DEAR_SPEC

    drive(planner_app(write_spec(tmp_path, DEAR_SPEC)), story)


def test_the_rank_knob_overrides_the_advisor(tmp_path: Path) -> None:
    async def story(pilot: Pilot[int]) -> None:
        await keys(pilot, ["k", "right", "right", "right", "right", "enter"])
        advice = planner(pilot).session.advice
        assert advice is not None
        assert advice.verdict.settings["lora.rank"].value == 32
        assert values(planner(pilot).session.text)["overrides.lora.rank"] == 32

    drive(planner_app(write_spec(tmp_path)), story)


def test_open_a_rule(tmp_path: Path, hand_made: None) -> None:
    async def story(pilot: Pilot[int]) -> None:
        choose(pilot, "why", "step:M110")
        await keys(pilot, ["enter"])
        assert isinstance(pilot.app.screen, Reader)
        text = pilot.app.screen.query_one("#body").render()
        assert "Evidence" in str(text)
        assert "6,000" in str(text)
        await keys(pilot, ["escape"])
        assert pilot.app.screen is planner(pilot)

    drive(planner_app(write_spec(tmp_path)), story)


def test_approve_and_find_the_plan_written(tmp_path: Path) -> None:
    path = example(tmp_path)
    plan_path = path.parent / "ftc.plan.json"
    before = path.read_text()

    async def story(pilot: Pilot[int]) -> None:
        await keys(pilot, ["a"])
        plan, problems = load_plan(plan_path)
        assert plan is not None, problems
        first = plan_path.read_bytes()
        planner(pilot).change({"overrides.epochs": 1})
        await settled(pilot)
        await keys(pilot, ["a"])
        assert isinstance(pilot.app.screen, Confirm)  # it would overwrite
        await keys(pilot, ["n"])
        assert plan_path.read_bytes() == first
        assert path.read_text() == before
        await keys(pilot, ["d"])
        assert isinstance(pilot.app.screen, Reader)
        assert "stages.sft.arguments.epochs" in str(pilot.app.screen.query_one("#body").render())
        await keys(pilot, ["escape", "a", "y"])
        assert json.loads(plan_path.read_bytes()) != json.loads(first)
        assert "epochs: 1" in path.read_text()

    drive(planner_app(path), story)


def test_save_keeps_comments_and_asks_where_the_file_has_changed(tmp_path: Path, hand_made: None) -> None:
    path = write_spec(tmp_path)

    async def story(pilot: Pilot[int]) -> None:
        planner(pilot).change({"budget.usd": 20})
        await settled(pilot)
        await keys(pilot, ["s"])
        assert "usd: 20" in path.read_text()
        assert "# answers of a support desk" in path.read_text()
        path.write_text(SPEC + "seed: 3\n")
        planner(pilot).change({"budget.usd": 30})
        await settled(pilot)
        await keys(pilot, ["s"])
        assert isinstance(pilot.app.screen, Confirm)
        await keys(pilot, ["n"])
        assert "seed: 3" in path.read_text()

    drive(planner_app(path), story)


def test_a_flip_is_one_key(tmp_path: Path) -> None:
    async def story(pilot: Pilot[int]) -> None:
        advice = planner(pilot).session.advice
        assert advice is not None
        flips = [each for each in advice.verdict.flips if each.key]
        assert flips
        await keys(pilot, ["1"])
        assert planner(pilot).session.text != SPEC
        assert flips[0].key in planner(pilot).session.changes() or planner(pilot).session.changes()

    drive(planner_app(write_spec(tmp_path)), story)


def test_have_a_method_checked_and_let_the_advisor_choose_again(tmp_path: Path) -> None:
    async def story(pilot: Pilot[int]) -> None:
        before = method(pilot)
        found = planner(pilot).query_one("#candidates", ItemList)
        other = "sft-full" if before != "sft-full" else "sft-lora"
        choose(pilot, "candidates", next(each.id for each in found._items if f":{other}:" in each.id))
        await keys(pilot, ["m"])
        assert values(planner(pilot).session.text)["method"] == other
        planner(pilot).change({"method": None})
        await settled(pilot)
        assert method(pilot) == before

    drive(planner_app(write_spec(tmp_path)), story)


def test_a_wrong_value_stays_in_the_form_with_the_reason(tmp_path: Path, hand_made: None) -> None:
    async def story(pilot: Pilot[int]) -> None:
        choose(pilot, "fields", "field:goal.task")
        await keys(pilot, ["enter"])
        form = pilot.app.screen
        assert isinstance(form, EditField)
        form.query_one(Input).value = "klassification"
        await keys(pilot, ["enter"])
        assert pilot.app.screen is form
        assert form.query_one("#complaint").display
        await keys(pilot, ["escape"])
        assert planner(pilot).session.text == SPEC

    drive(planner_app(write_spec(tmp_path)), story)


def test_any_key_can_be_found_and_set(tmp_path: Path, hand_made: None) -> None:
    async def story(pilot: Pilot[int]) -> None:
        await keys(pilot, ["n"])
        assert isinstance(pilot.app.screen, Pick)
        pilot.app.screen.query_one(Input).value = "deadline"
        await keys(pilot, ["enter"])
        assert isinstance(pilot.app.screen, EditField)
        pilot.app.screen.query_one(Input).value = "3"
        await keys(pilot, ["enter"])
        assert values(planner(pilot).session.text)["budget.deadline_days"] == 3

    drive(planner_app(write_spec(tmp_path)), story)


def test_a_narrow_terminal_shows_one_region_at_a_time(tmp_path: Path, hand_made: None) -> None:
    async def story(pilot: Pilot[int]) -> None:
        screen = planner(pilot)
        assert screen.query_one("#fields").region.width > 0
        assert screen.query_one("#candidates").region.width == 0
        await keys(pilot, ["right", "right"])
        assert screen.query_one("#candidates").region.width > 0
        assert screen.query_one("#fields").region.width == 0
        assert screen.focused is screen.query_one("#candidates")
        await keys(pilot, ["right"])
        assert screen.query_one("#fields").region.width > 0

    drive(planner_app(write_spec(tmp_path)), story, size=(80, 24))


def test_leaving_asks_where_a_change_would_be_lost(tmp_path: Path, hand_made: None) -> None:
    async def story(pilot: Pilot[int]) -> None:
        planner(pilot).change({"budget.usd": 20})
        await settled(pilot)
        for key in ("q", "ctrl+q"):
            await keys(pilot, [key])
            assert isinstance(pilot.app.screen, Confirm)
            await keys(pilot, ["n"])
        await keys(pilot, ["u", "q"])
        assert pilot.app.return_code == 0

    drive(planner_app(write_spec(tmp_path)), story)


def test_data_that_cannot_be_read_ends_with_the_reason(tmp_path: Path) -> None:
    path = example(tmp_path)
    (path.parent / "tickets.csv").write_text("text,desk\n")
    app = planner_app(path)

    async def story(pilot: Pilot[int]) -> None:
        screen = planner(pilot)
        assert screen.refused is not None
        assert screen.refused.exit_code == 2

    drive(app, story)


def test_every_key_is_in_the_command_palette(tmp_path: Path, hand_made: None) -> None:
    async def story(pilot: Pilot[int]) -> None:
        screen = planner(pilot)
        commands = {each.title: each for each in pilot.app.get_system_commands(screen)}
        named = {title.partition("  (")[0] for title in commands}
        asked = {each.description for each in Planner.BINDINGS if isinstance(each, Binding)}
        assert {each for each in asked if not each.startswith("Flip")} - {"Open"} <= named
        assert {each for each in named if each.startswith("Flip")} == {"Flip 1", "Flip 2"}  # those that there are
        assert all(each.help for each in commands.values())
        await pilot.press("ctrl+p")
        await pilot.press(*"help")
        await settled(pilot)
        await pilot.pause(0.3)
        await keys(pilot, ["enter"])
        assert isinstance(pilot.app.screen, Reader)

    drive(planner_app(write_spec(tmp_path)), story)


@pytest.mark.parametrize(("trusted", "asks"), [(True, True), (False, False)])
def test_foreign_code_is_asked_about_before_a_plan_is_written(tmp_path: Path, *, trusted: bool, asks: bool) -> None:
    path = example(tmp_path)
    plan_path = path.parent / "ftc.plan.json"

    async def story(pilot: Pilot[int]) -> None:
        planner(pilot).change({"model.trust_remote_code": trusted})
        planner(pilot).session.save()
        await settled(pilot)
        for key in ("a", "r"):
            await keys(pilot, [key])
            if not asks:
                assert plan_path.is_file()
                return
            assert isinstance(pilot.app.screen, Confirm)
            assert "code that comes with" in str(pilot.app.screen.query_one(".dialog-text").render())
            await keys(pilot, ["n"])
            assert not plan_path.exists()
        await keys(pilot, ["a", "y"])
        assert json.loads(plan_path.read_bytes())["model"]["trust_remote_code"] is True

    drive(planner_app(path), story)


@pytest.mark.parametrize("key", ["question_mark", "x", "e"])
def test_every_look_comes_up(tmp_path: Path, hand_made: None, key: str) -> None:
    async def story(pilot: Pilot[int]) -> None:
        await keys(pilot, [key])

    drive(planner_app(write_spec(tmp_path)), story)


def test_the_whole_tree_takes_the_place_of_the_spec_and_gives_it_back(tmp_path: Path, hand_made: None) -> None:
    async def story(pilot: Pilot[int]) -> None:
        screen = planner(pilot)
        await keys(pilot, ["x"])
        assert screen.focused is screen.query_one("#why")
        assert screen.query_one("#fields").region.width == 0
        await keys(pilot, ["left"])
        assert screen.focused is screen.query_one("#fields")
        assert screen.query_one("#fields").region.width > 0

    drive(planner_app(write_spec(tmp_path)), story)


def test_run_asks_first_then_writes_starts_and_watches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = example(tmp_path)
    started: list[Path] = []

    def start(plan_path: Path) -> Path:
        started.append(plan_path)
        return tmp_path / "runs" / "one"

    monkeypatch.setattr("ftc.screens.launch.start_run", start)

    async def story(pilot: Pilot[int]) -> None:
        await keys(pilot, ["r"])
        assert isinstance(pilot.app.screen, Confirm)
        assert not started
        await pilot.press("y")
        await pilot.pause(0.5)
        assert isinstance(pilot.app.screen, Watch)
        assert started == [path.parent / "ftc.plan.json"]
        assert load_plan(started[0])[0] is not None
        await pilot.press("q")
        await pilot.pause(0.2)
        assert pilot.app.screen is planner(pilot)

    drive(planner_app(path), story)
