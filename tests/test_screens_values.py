"""Figures, fields, knobs and panels: text in, text out."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ftc.screens import figures, knobs
from ftc.screens.editing import all_fields, field, keys, parse, text_of
from ftc.screens.page import code_page, page_of
from ftc.screens.panels import candidates, data, fields, flips, settings, why
from ftc.screens.plan_changes import changes
from ftc.screens.session import Session, settle, values
from ftc.screens.themes import for_terminal
from ftc.screens.widgets import verdict_bar
from ftc.spec.estimate import Estimate
from ftc.spec.load import load_text
from tests.plans import plan_for
from tests.screens_values import SPEC, by_hand, candidate, span, verdict, write_spec


def estimate(low: float, likely: float, high: float) -> Estimate:
    return Estimate(low=low, likely=likely, high=high, unit="")


@pytest.mark.parametrize(
    ("low", "high", "whole", "bar"),
    [
        (6.0, 9.0, 12.0, "█████▓▓▓░░"),
        (0.01, 0.02, 24.0, "█░░░░░░░░░"),
        (11.9, 12.0, 12.0, "██████████"),
        (6.0, 14.0, 12.0, "█████▓▓▓▓▶"),
        (20.0, 30.0, 12.0, "█████████▶"),
    ],
)
def test_a_bar_says_without_colour_whether_it_fits(low: float, high: float, whole: float, bar: str) -> None:
    shown = "".join(text for text, _ in figures.against(estimate(low, (low + high) / 2, high), whole, 10))
    assert shown == bar


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (estimate(0.2, 0.25, 0.3), "15 min (12-18 min)"),
        (estimate(1.0, 1.0, 1.0), "60 min"),
        (estimate(0.01, 0.02, 3.0), "72 s (36 s-3.0 h)"),
    ],
)
def test_ranges_are_shown_as_ranges(found: Estimate, said: str) -> None:
    assert figures.hours(found) == said


def test_a_histogram_shows_every_column_that_holds_rows() -> None:
    lines, edge = figures.histogram([(10, 1), (20, 1000), (30, 10)], 12, 3)
    assert edge == 30
    assert len(lines) == 3
    assert lines[-1][0] != " "
    assert figures.histogram([], 12, 3) == ([], 0)


@pytest.mark.parametrize(
    ("key", "typed", "value"),
    [
        ("budget.usd", "$1,200", 1200),
        ("budget.usd", "12.5", 12.5),
        ("budget.usd", "", None),
        ("model.max_parameters", "8b", "8b"),
        ("constraints", "on-prem, commercial", ["on-prem", "commercial"]),
        ("hardware", "{gpu: h100, count: 2}", {"gpu": "h100", "count": 2}),
        ("hardware", "local", "local"),
        ("overrides.packing", "no", False),
        ("overrides.learning_rate", "1e-4", 0.0001),
        ("goal.language", "no", "no"),
        ("data.demonstrations.path", "train.csv", "train.csv"),
    ],
)
def test_what_is_typed_becomes_what_the_language_wants(key: str, typed: str, value: Any) -> None:
    assert parse(key, typed) == value


def test_every_key_of_the_language_has_a_form() -> None:
    assert len(keys()) > 100
    assert all(field(key) is not None for key in keys())
    assert {"goal.task", "overrides.lora.rank", "hardware"} <= {key for key, _ in all_fields()}
    task = field("goal.task")
    assert task is not None
    assert task.closed
    assert "classification" in dict(task.choices)
    assert field("goal.tusk") is None


@pytest.mark.parametrize(
    ("value", "text"),
    [(7_600_000_000, "7.6b"), (1_090_100, "1090100"), (0.0, "0"), (None, ""), (["a", "b"], "a, b"), (True, "true")],
)
def test_values_read_as_they_are_typed(value: object, text: str) -> None:
    assert text_of(value) == text


def test_knobs_keep_a_value_that_is_no_stop() -> None:
    usd = knobs.KNOBS[0]
    stops = knobs.with_value(usd, 33)
    assert 33 in stops
    assert stops[-1] is None
    assert knobs.with_value(usd, 50) == usd.stops
    rank = knobs.KNOBS[2]
    assert knobs.with_value(rank, 24)[0] is None
    assert knobs.words(rank, None, verdict()) == "16, the advisor's"
    assert knobs.words(usd, None, None) == "no ceiling"
    assert knobs.value_in({"budget.usd": True}, usd) is None


# --- panels -------------------------------------------------------------------------------------------------------


def plain(items: list[Any]) -> str:
    return "\n".join(each.content.plain for each in items)


def test_the_path_names_steps_ways_not_taken_and_warnings() -> None:
    shown = plain(why.items(verdict(), None, 60))
    for expected in ("M110", "M130", "yes:", "full fine-tuning", "╰─▶ sft-lora", "eval_holdout", "(thumb)"):
        assert expected in shown
    expanded = why.items(verdict(), None, 60, expanded=True)
    assert len(expanded) > len(why.items(verdict(), None, 60))
    assert len({each.id for each in expanded}) == len(expanded)


def test_an_item_leads_to_its_rule() -> None:
    assert why.target_of("step:M110") == "M110"
    assert why.target_of("flag:M201") == "M201"
    assert why.target_of("branch:M110:no") == "M111"
    assert why.target_of("branch:M130:yes") == "M130"


@pytest.mark.parametrize("width", [30, 48, 76, 120])
def test_no_line_of_a_panel_is_wider_than_the_panel(width: int) -> None:
    found = verdict()
    for items in (
        why.items(found, None, width),
        why.items(found, None, width, expanded=True),
        settings.items(found, None, width),
        flips.items(found, width),
        fields.items(values(SPEC), values(SPEC), None, width),
    ):
        for each in items:
            assert max(len(line) for line in each.content.plain.splitlines() or [""]) <= width, each.content.plain


def test_candidates_show_price_ranges_and_why_not() -> None:
    items = candidates.items(verdict(), None, 60)
    shown = plain(items)
    for expected in (
        "▶ sft-lora",
        "◆ sft-qlora",
        "✗ sft-full",
        "17.2/24",
        "61.0 GiB do not fit 24",
        "no pairs in the data",
    ):
        assert expected in shown
    assert "quality 1st" in shown.split("sft-full")[1]


def test_what_moved_is_marked() -> None:
    before = candidates.cells(verdict())
    moved = {**before, next(iter(before)): ("sft-lora", "9.9/24", "1 h", "$0", "True", "True")}
    assert "◂" in plain(candidates.items(verdict(), moved, 60))
    assert "◂" not in plain(candidates.items(verdict(), before, 60))
    assert "◂ was 32" in plain(settings.items(verdict(), {"setting:lora.rank": ("32",)}, 60))
    now = {**values(SPEC), "budget.usd": 20}
    shown = plain(fields.items(now, values(SPEC), values(SPEC), 34))
    assert "*usd           20 ◂" in shown


def test_flips_have_the_key_that_applies_them() -> None:
    assert [each.change for each in flips.numbered(verdict())] == ["with fewer than 50 rows", "with a second RTX 4090"]
    shown = plain(flips.items(verdict(), 60))
    assert " 2  with a second RTX 4090 → sft-full" in shown
    assert "? What has prompting achieved?" in shown


def test_every_item_has_something_behind_it(tmp_path: Path) -> None:
    session = Session(write_spec(tmp_path))
    pending = session.start()
    advice = by_hand(pending)
    every = [
        *why.items(advice.verdict, None, 60, expanded=True),
        *candidates.items(advice.verdict, None, 60),
        *settings.items(advice.verdict, None, 60),
        *flips.items(advice.verdict, 60),
        *fields.items(values(session.text), {}, None, 60),
        *data.items(advice.facts.profile, advice.diagnostics, 60),
    ]
    for each in every:
        if not each.heading:
            page = page_of(advice, each.id)
            assert page is not None, each.id
            assert page.body.plain.strip(), each.id
    page = page_of(advice, "step:M110")
    assert page is not None
    assert "6,000" in page.body.plain
    assert "Why it matters" in page.body.plain
    assert code_page("M999") is None


def test_real_advice_fills_every_panel(tmp_path: Path) -> None:
    session = Session(write_spec(tmp_path))
    advice = settle(session.start())
    assert len(why.items(advice.verdict, None, 60)) > 5
    assert candidates.items(advice.verdict, None, 60)
    assert settings.items(advice.verdict, None, 60)


def test_two_plans_beside_each_other() -> None:
    before, after = plan_for().to_json(), plan_for(train={"learning_rate": 1e-5}).to_json()
    shown = changes(before, after).plain
    assert "stages.sft.arguments.learning_rate" in shown
    assert "1e-05" in shown
    assert changes(before, before).plain == "no difference"


@pytest.mark.parametrize(
    ("environment", "theme"),
    [
        ({}, "ftc-dark"),
        ({"COLORFGBG": "0;15"}, "ftc-light"),
        ({"COLORFGBG": "15;0"}, "ftc-dark"),
        ({"COLORFGBG": "15;0", "FTC_THEME": "light"}, "ftc-light"),
    ],
)
def test_light_terminals_get_a_light_screen(environment: dict[str, str], theme: str) -> None:
    assert for_terminal(environment) == theme


@pytest.mark.parametrize("width", [74, 76, 116])
def test_the_verdict_keeps_to_its_three_lines(width: int) -> None:
    chosen = candidate("sft-lora", "lora", 71.2, 31.4)
    dear = replace(chosen, usd=span(438.0, "USD"))
    spec = load_text(SPEC.replace("usd: 50", "usd: 500"), "ftc.yaml", Path()).spec
    assert spec is not None
    advice = SimpleNamespace(verdict=replace(verdict(), chosen=dear), spec=spec)
    shown = "".join(text for text, _ in verdict_bar._second(advice, width))  # type: ignore[arg-type]
    assert len(shown) <= width
    assert "-" in shown
    assert "of $500" in shown
