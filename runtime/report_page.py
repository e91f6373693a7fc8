"""report.html from the facts of a report: one file, nothing loaded from anywhere, every value escaped."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib.resources import files
from typing import Any

from ftc.runtime.charts import loss_curve, reward_curve, score_bars

TEMPLATE = "report.html.j2"


def page(facts: Mapping[str, Any]) -> str:
    """The page. Model output and data are text to it: Jinja2 escapes them, in a sandbox."""
    from jinja2 import StrictUndefined
    from jinja2.sandbox import SandboxedEnvironment

    environment = SandboxedEnvironment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True
    )
    environment.filters |= {
        "metric": metric_name,
        "number": number,
        "duration": _duration,
        "signed": signed,
        "gib": _gib,
        "span": _span,
        "plain": _plain,
        "base": _base,
    }
    template = environment.from_string(files("ftc.runtime").joinpath(TEMPLATE).read_text("utf-8"))
    return template.render(
        report=facts,
        curve=loss_curve(facts["curve"]),
        rewards=reward_curve(facts["rewards"]),
        bars=score_bars(facts["scores"], facts["goal"].get("success")),
    )


def _base(place: str) -> str:
    """`tickets.csv:14` of a place with its folders."""
    return place.replace("\\", "/").rpartition("/")[2]


def metric_name(name: str) -> str:
    """`macro_f1` as people read it."""
    return (
        name.replace("_", " ").capitalize().replace(" f1", " F1").replace("Rouge l", "ROUGE-L").replace("Chrf", "chrF")
    )


def number(value: float | None, digits: int = 3) -> str:
    """A number with as many digits as say something."""
    if value is None:
        return "–"
    if isinstance(value, int) or (float(value).is_integer() and abs(value) >= 10):
        return f"{int(value):,}"
    return f"{value:.{digits}f}" if abs(value) >= 10**-digits or value == 0 else f"{value:.2g}"


def signed(value: float) -> str:
    """A change, with its sign."""
    return f"{value:+.3f}".replace("-", "−")


def _duration(seconds: float | None) -> str:
    if seconds is None:
        return "–"
    if seconds < 10:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes:02} min"
    return f"{minutes} min {rest:02} s" if minutes else f"{rest} s"


def _gib(value: float | None) -> str:
    if value is None:
        return "–"
    return f"{value * 1024:.0f} MiB" if value < 1 else f"{value:.1f} GiB"


_FORMS: dict[str, Callable[[float], str]] = {
    "hours": lambda value: _duration(value * 3600),
    "usd": lambda value: f"${value:,.2f}",
    "gib": lambda value: _gib(value),
    "number": lambda value: number(value, 0),
}


def _plain(value: float | Mapping[str, float] | None, form: str) -> str:
    """A figure of a losing candidate: a number, or the likely one of a range."""
    if value is None:
        return "–"
    return _FORMS[form](value["likely"] if isinstance(value, Mapping) else value)


def _span(estimate: Mapping[str, float] | None, form: str) -> str:
    """`14 min (11 min to 19 min)`."""
    if not estimate:
        return "–"
    say = _FORMS[form]
    return f"{say(estimate['likely'])} ({say(estimate['low'])} to {say(estimate['high'])})"
