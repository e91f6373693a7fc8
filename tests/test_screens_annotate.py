"""Ranking: what is kept, what is derived, and a session that is killed and goes on."""

from __future__ import annotations

import json
import os
import pty
import select
import signal
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
from click.testing import CliRunner
from textual.pilot import Pilot
from textual.widgets import TextArea

from ftc import api
from ftc.cli import ftc
from ftc.screens.annotate import Annotate
from ftc.screens.app import FtcApp
from ftc.screens.asked import read_asked, row_of
from ftc.screens.ballots import Ballots, Row, choices_path, looks, merge, pairs_of, read_choices
from ftc.screens.sampled import Sampling, answers_path, kept, row_with
from ftc.screens.widgets.write_answer import WriteAnswer
from ftc.spec.diagnostics import Refused
from ftc.spec.model import Source
from ftc.spec.read import read
from ftc.spec.rows import Message, Prompt
from tests.screens_values import drive


def rows(count: int = 20, answers: int = 2) -> list[Row]:
    return [
        Row(
            prompt=(Message(role="user", content=f"question {number}"),),
            answers=tuple(f"answer {letter} to {number}" for letter in "abc"[:answers]),
            place=f"q.jsonl:{number + 1}",
        )
        for number in range(count)
    ]


def ballots(folder: Path, *, annotator: str = "ann", second: float = 0.0, given: list[Row] | None = None) -> Ballots:
    return Ballots(rows=given or rows(), out=folder / "prefs.jsonl", annotator=annotator, second=second)


def lines(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def always_first(session: Ballots, count: int) -> None:
    """Judge `count` rows: the answer that stands first in the file is the better one."""
    for _ in range(count):
        look = session.next()
        assert look is not None
        session.choose(look, "better", shown=look.order.index(0))


def test_order_is_random_and_the_same_again() -> None:
    once = looks(rows(200), seed=0, annotator="ann", second=0.0)
    first = Counter(each.order[0] for each in once)
    assert 70 < first[0] < 130
    assert once == looks(rows(200), seed=0, annotator="ann", second=0.0)
    assert once != looks(rows(200), seed=0, annotator="ben", second=0.0)


def test_rows_come_back_for_a_second_look_later() -> None:
    every = looks(rows(100), seed=0, annotator="ann", second=0.2)
    second = [index for index, each in enumerate(every) if each.number == 2]
    assert 10 <= len(second) <= 30
    for index in second:
        first = next(at for at, each in enumerate(every) if each.row.id == every[index].row.id)
        assert index - first >= 2
    assert not [each for each in looks(rows(100), seed=0, annotator="ann", second=0.0) if each.number == 2]


def test_a_choice_is_on_disk_at_once_and_a_new_session_goes_on(tmp_path: Path) -> None:
    session = ballots(tmp_path)
    always_first(session, 3)
    assert len(lines(choices_path(session.out))) == 3
    assert lines(session.out)[0] == {
        "prompt": "question 0",
        "chosen": "answer a to 0",
        "rejected": "answer b to 0",
    }
    again = ballots(tmp_path)
    assert again.progress().judged == 3
    look = again.next()
    assert look is not None
    assert look.row.place == "q.jsonl:4"


def test_a_line_cut_off_by_a_kill_costs_one_choice(tmp_path: Path) -> None:
    session = ballots(tmp_path)
    always_first(session, 3)
    path = choices_path(session.out)
    path.write_bytes(path.read_bytes()[:-20])
    again = ballots(tmp_path)
    assert again.progress().judged == 2
    assert len(lines(again.out)) == 2  # the pairs follow the choices
    always_first(again, 1)
    assert ballots(tmp_path).progress().judged == 3


def test_undo_takes_choice_and_pair_back(tmp_path: Path) -> None:
    session = ballots(tmp_path)
    always_first(session, 2)
    look = session.undo()
    assert look is not None
    assert look.row.place == "q.jsonl:2"
    assert len(lines(session.out)) == 1
    assert ballots(tmp_path).progress().judged == 1
    session.undo()
    assert session.undo() is None
    assert session.out.read_text() == ""


@pytest.mark.parametrize(
    ("kind", "text", "pairs"),
    [("tie", "", 0), ("bad", "", 0), ("skip", "", 0), ("edit", "better", 3), ("edit", "  ", 0)],
)
def test_what_makes_pairs(tmp_path: Path, kind: str, text: str, pairs: int) -> None:
    session = ballots(tmp_path, given=rows(3, answers=3))
    look = session.next()
    assert look is not None
    choice = session.choose(look, kind, text=text)  # type: ignore[arg-type]
    assert len(pairs_of([choice])) == pairs
    assert session.progress().judged == 1


def test_the_best_of_three_beats_the_others(tmp_path: Path) -> None:
    session = ballots(tmp_path, given=rows(1, answers=3))
    always_first(session, 1)
    assert [each["rejected"] for each in lines(session.out)] == ["answer b to 0", "answer c to 0"]


def test_conversations_stay_conversations(tmp_path: Path) -> None:
    turns = tuple(Message(role=role, content=role) for role in ("system", "user", "assistant", "user"))  # type: ignore[arg-type]
    session = ballots(tmp_path, given=[Row(prompt=turns, answers=("x", "y"))])
    always_first(session, 1)
    assert lines(session.out)[0]["prompt"][0] == {"role": "system", "content": "system"}  # type: ignore[index]


def test_agreement_with_oneself_and_with_others(tmp_path: Path) -> None:
    session = ballots(tmp_path, second=1.0)
    always_first(session, len(session.queue))
    progress = session.progress()
    assert progress.judged == 20
    assert progress.second_looks == progress.agreed == 20
    assert progress.pairs == 20

    pytest.importorskip("sklearn")
    other = ballots(tmp_path, annotator="ben")
    for number in range(20):
        look = other.next()
        assert look is not None
        other.choose(look, "better", shown=look.order.index(0 if number < 15 else 1))
    found = merge(read_choices(choices_path(session.out)))
    assert found.annotators == ("ann", "ben")
    assert (found.judged_by_several, found.agreed, found.disputed, len(found.pairs)) == (20, 15, 5, 15)
    assert found.kappa == 0.0  # one always says the same: agreement by chance alone
    assert len(lines(session.out)) == 15  # the majority's


def test_merge_on_the_command_line(tmp_path: Path) -> None:
    pytest.importorskip("sklearn")
    for name in ("ann", "ben"):
        (tmp_path / name).mkdir()
        always_first(ballots(tmp_path / name, annotator=name), 5)
    files = [str(choices_path(tmp_path / name / "prefs.jsonl")) for name in ("ann", "ben")]
    out = tmp_path / "all.jsonl"
    result = CliRunner().invoke(ftc, ["annotate", "--merge", files[0], "--merge", files[1], "-o", str(out), "--json"])
    assert result.exit_code == 0, result.output
    assert json.loads(result.output)["agreed"] == 5
    assert len(lines(out)) == 5


# --- reading the rows ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("record", "answers"),
    [
        ({"prompt": "p", "answers": ["a", "b"]}, ("a", "b")),
        ({"question": "p", "responses": ["a", "b", "a"]}, ("a", "b")),
        ({"Prompt": "p", "answer_a": "a", "answer_b": "b"}, ("a", "b")),
        ({"prompt": "p", "chosen": "a", "rejected": "b"}, ("a", "b")),
        (
            {
                "messages": [{"role": "user", "content": "p"}],
                "chosen": [{"role": "assistant", "content": "a"}],
                "rejected": "b",
            },
            ("a", "b"),
        ),
        ({"prompt": "p", "answers": ["a", "a"]}, None),
        ({"prompt": "p"}, None),
        ({"answers": ["a", "b"]}, None),
        ("text", None),
    ],
)
def test_rows_with_ready_made_answers(record: object, answers: tuple[str, ...] | None) -> None:
    row = row_of(record, "x:1")
    assert (row.answers if row else None) == answers


def test_prompts_alone_and_unusable_rows_are_told_apart(tmp_path: Path) -> None:
    path = tmp_path / "q.jsonl"
    path.write_text('{"prompt": "p", "answers": ["a", "b"]}\n{"prompt": "p"}\nnot json\n')
    asked = read_asked(path)
    assert len(asked.rows) == 1
    assert asked.diagnostics[0].count == 2
    path.write_text("\n".join(json.dumps({"prompt": f"What about number {number}?"}) for number in range(5)))
    assert len(read_asked(path).prompts) == 5
    with pytest.raises(Refused):
        read_asked(tmp_path / "none.jsonl")
    path.write_text("")
    with pytest.raises(Refused):
        read_asked(path)


def test_sampled_answers_are_kept_by_prompt_and_setting(tmp_path: Path) -> None:
    prompt = Prompt(prompt=(Message(role="user", content="p"),), place="q:1")
    told = Sampling(models=("run",), answers=3)
    assert told.each == 3
    assert Sampling(models=("one", "two"), answers=2).each == 1
    assert told.key(prompt) != Sampling(models=("run",), answers=3, temperature=0.5).key(prompt)
    path = answers_path(tmp_path / "prefs.jsonl")
    path.write_text(json.dumps({"id": told.key(prompt), "answers": ["a", "b", "a"]}) + '\n{"id": "cut')
    assert kept(path) == {told.key(prompt): ("a", "b", "a")}
    row = row_with(prompt, ("a", "b", "a"))
    assert row is not None
    assert row.answers == ("a", "b")
    assert row_with(prompt, ("a", "a")) is None


# --- the screen ---------------------------------------------------------------------------------------------------


def test_keys_judge_undo_and_write(tmp_path: Path) -> None:
    session = ballots(tmp_path)

    async def story(pilot: Pilot[int]) -> None:
        await pilot.press("1", "t", "b", "s")
        assert session.progress().judged == 4
        await pilot.press("u")
        assert session.progress().judged == 3
        await pilot.press("e")
        await pilot.pause()
        assert isinstance(pilot.app.screen, WriteAnswer)
        pilot.app.screen.query_one(TextArea).text = "a better one"
        await pilot.press("ctrl+s")
        await pilot.pause()
        assert session.progress().judged == 4
        assert lines(session.out)[-1]["chosen"] == "a better one"
        await pilot.press("9")  # there is no ninth answer
        assert session.progress().judged == 4

    drive(FtcApp(Annotate(session)), story, size=(80, 24))


def test_twenty_pairs_killed_after_eleven_back_at_twelve_and_on_to_dpo(tmp_path: Path) -> None:
    prompts = tmp_path / "answers.jsonl"
    prompts.write_text(
        "\n".join(
            json.dumps({"prompt": f"How do I return parcel {n}?", "answers": [f"Bring it back, {n}.", f"No, {n}."]})
            for n in range(20)
        )
    )
    out = tmp_path / "prefs.jsonl"
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(tmp_path)
        os.environ.update(TERM="xterm-256color", COLUMNS="80", LINES="24")
        arguments = ["annotate", "answers.jsonl", "--annotator", "ann", "--second-look", "0"]
        os.execv(sys.executable, [sys.executable, "-m", "ftc", *arguments])  # noqa: S606 - ourselves
    judged = 0
    deadline = time.monotonic() + 60
    while judged < 11 and time.monotonic() < deadline:
        ready, _, _ = select.select([terminal], [], [], 0.2)
        if ready:
            os.read(terminal, 65536)
        done = len(read_choices(choices_path(out)))
        if done == judged and not ready:
            os.write(terminal, b"1")  # the screen is up and quiet: judge
        judged = done
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    os.close(terminal)
    assert judged == 11

    session = Ballots(rows=read_asked(prompts).rows, out=out, annotator="ann", second=0.0)
    look = session.next()
    assert look is not None
    assert look.row.place == "answers.jsonl:12"

    async def story(pilot: Pilot[int]) -> None:
        await pilot.press(*["1", "2"] * 4, "1")
        assert session.next() is None

    drive(FtcApp(Annotate(session)), story, size=(80, 24))
    reading = read(Source(path="prefs.jsonl"), tmp_path, "feedback")
    assert len(list(reading.rows)) == 20
    assert reading.format == "preference-pairs"

    spec = tmp_path / "ftc.yaml"
    spec.write_text(
        "version: 1\nname: voice\ngoal: {task: tone, prompting: insufficient}\ndata: {feedback: {path: prefs.jsonl}}\n"
        "model: {base: builtin:tiny}\nhardware: {gpu: rtx-4090, count: 1}\nmethod: dpo\n"
    )
    advice = api.advise(spec)
    assert advice.verdict.method == "dpo"
    assert advice.facts.profile.feedback is not None
    assert advice.facts.profile.feedback.type == "paired"
