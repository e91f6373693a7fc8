"""`ftc init` and `ftc chat` as screens: pictures at two sizes, and what the keys do."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import Input, Static

from ftc.screens.app import FtcApp
from ftc.screens.chat import Chat
from ftc.screens.init import Init
from ftc.spec.draft import Draft, draft
from ftc.spec.load import load_text
from ftc.talking import Ask, Say

SIZES = [(80, 24), (120, 40)]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with tickets in it."""
    rows = [f"Where is parcel {number}?,tracking\nParcel {number} came broken,damage" for number in range(120)]
    place = tmp_path / "support-desk"  # names the spec
    place.mkdir()
    (place / "tickets.csv").write_text("text,desk\n" + "\n".join(rows) + "\n")
    monkeypatch.chdir(place)
    monkeypatch.delenv("NO_COLOR", raising=False)
    return place


def form(written: list[str]) -> FtcApp:
    def make(said: Mapping[str, str]) -> Draft:
        values = {"model.base": said["model"]} if said["model"] else {}
        return draft(said["text"], said["data"].split(), Path(), values=values)

    return FtcApp(Init(make, written.append, Path("ftc.yaml")))


async def typed(pilot: Pilot[int], text: str, there: str) -> None:
    """Write into the field in focus, and wait until the right side says it."""
    await pilot.pause()
    await pilot.press(*text)
    for _ in range(100):
        await pilot.pause(0.05)
        if there in str(pilot.app.screen.query_one("#draft", Static).render()):
            return
    raise AssertionError(str(pilot.app.screen.query_one("#draft", Static).render()))


def test_what_is_typed_is_understood_and_written(folder: Path) -> None:
    written: list[str] = []
    asyncio.run(_typed_and_written(written))
    (text,) = written
    loaded = load_text(text, "ftc.yaml", folder)
    assert loaded.spec is not None, loaded.diagnostics
    assert (loaded.spec.goal.task, loaded.spec.goal.description) == ("classification", "route questions to a desk")


async def _typed_and_written(written: list[str]) -> None:
    async with form(written).run_test(size=(120, 40)) as pilot:
        await typed(pilot, "route questions to a desk", "description: route questions to a desk")
        shown = str(pilot.app.screen.query_one("#draft", Static).render())
        assert "tickets.csv: text-label, 240 rows" in shown
        assert "Parcel 0 came broken" in shown, "rows are shown as they were read"
        await pilot.press("ctrl+s")


def test_leaving_writes_nothing(folder: Path) -> None:
    written: list[str] = []
    app = form(written)

    async def leave() -> None:
        async with app.run_test(size=(80, 24)) as pilot:
            await pilot.press("a", "escape")

    asyncio.run(leave())
    assert (app.return_value, written) == (130, [])


@pytest.mark.parametrize("size", SIZES)
def test_picture_of_init(folder: Path, size: tuple[int, int], snap_compare: Any) -> None:
    async def fill(pilot: Pilot[int]) -> None:
        await typed(pilot, "route questions to a desk", "description: route questions to a desk")

    assert snap_compare(form([]), terminal_size=size, run_before=fill)


# --- chat ---------------------------------------------------------------------------------------------------------


@contextmanager
def parrot(told: Mapping[str, Any], on_state: Say) -> Iterator[Ask]:
    """Says what it was told, in two pieces."""

    def ask(name: str, messages: Sequence[Mapping[str, str]], say: Say) -> str:
        say(f"{name} heard ")
        say(f"{len(messages)} messages")
        return f"{name} heard {len(messages)} messages: {messages[-1]['content']}"

    on_state("loading")
    yield ask


def talk(models: Sequence[str] = ("tuned",)) -> FtcApp:
    return FtcApp(Chat({"place": "support-3f9a1c2e", "models": list(models)}, system="Be kind.", talking=parrot))


async def asked(pilot: Pilot[int], text: str) -> list[str]:
    for _ in range(100):
        await pilot.pause(0.05)
        if not pilot.app.screen.query_one("#say", Input).disabled:
            break
    before = len(pilot.app.screen.query(".said"))
    await pilot.press(*text, "enter")
    for _ in range(100):
        await pilot.pause(0.05)
        shown = [str(each.render()) for each in pilot.app.screen.query(".said").results(Static)]
        if len(shown) > before and all(": " in each for each in shown):
            return shown
    raise AssertionError("no answer")


def test_each_model_keeps_its_own_conversation() -> None:
    asyncio.run(_conversations())


async def _conversations() -> None:
    async with talk(("base", "tuned")).run_test(size=(120, 40)) as pilot:
        assert await asked(pilot, "hello") == ["base heard 2 messages: hello", "tuned heard 2 messages: hello"]
        said = await asked(pilot, "again")
        assert said[1] == "base heard 4 messages: again"
        await pilot.press("ctrl+n")
        await pilot.pause()
        assert (await asked(pilot, "anew"))[0] == "base heard 2 messages: anew"


@pytest.mark.parametrize("size", SIZES)
def test_picture_of_chat(size: tuple[int, int], snap_compare: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)

    async def speak(pilot: Pilot[int]) -> None:
        await asked(pilot, "Where is my parcel?")

    assert snap_compare(talk(("base", "tuned")), terminal_size=size, run_before=speak)
