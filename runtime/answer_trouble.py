"""How a stage that did not finish is answered: another attempt with other arguments, or an end with a reason.

Out of memory: half the micro-batch and twice the accumulation, so that the effective batch stays. A loss that is not a
number: from the last good checkpoint with half the learning rate, once. Killed or hung: from the last checkpoint, a few
times. Anything else would fail again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ftc.compiler.plan import Stage
from ftc.runtime.child import Ended
from ftc.runtime.context import adjustments
from ftc.runtime.journal import Event

KILLS = 3  # attempts after a kill or a hang before it is taken for a habit
LOG_LINES = 3  # of a stage that died without a word


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """`again` with `arguments` changed, or the end with `code` and `message`."""

    again: bool
    code: str = ""
    message: str = ""
    arguments: Mapping[str, Any] = field(default_factory=dict)
    rows: tuple[str, ...] = ()


def answer(stage: Stage, ended: Ended, events: Sequence[Event], attempt: int, *, log: Path) -> Answer:
    """What to do about an attempt that did not finish."""
    told = {**stage.arguments, **adjustments(events, stage.id)}
    said = ended.event or {}
    code, message = str(said.get("code", "")), str(said.get("message", ""))
    rows = tuple(str(row) for row in said.get("rows", ()))
    if code == "R205" or ended.out_of_memory:
        return _less_memory(stage, told, message)
    if code == "R206":
        if told.get("learning_rate") != stage.arguments.get("learning_rate"):
            return Answer(again=False, code="R206", message=message, rows=rows)
        half = float(told["learning_rate"]) / 2
        text = f"{message}; going on from the last checkpoint with learning rate {half:g}"
        return Answer(again=True, code="R302", message=text, arguments={"learning_rate": half}, rows=rows)
    if code:
        return Answer(again=False, code=code, message=f"{stage.id}: {message}", rows=rows)
    if ended.why == "stall" or ended.exit_code < 0:
        reason = "R204" if ended.why == "stall" else "R203"
        text = "said nothing for too long" if reason == "R204" else f"was killed by signal {-ended.exit_code}"
        again = attempt < KILLS
        return Answer(again=again, code=reason, message=f"{stage.id} {text}" + ("; trying again" if again else ""))
    return Answer(again=False, code="R201", message=f"{stage.id}: {_last_words(log)} (log: {log})")


def _less_memory(stage: Stage, told: Mapping[str, Any], message: str) -> Answer:
    if int(told.get("batch_size", 1)) > 1:
        half = int(told["batch_size"]) // 2
        text = f"{stage.id}: out of memory, going on with batch_size {half}"
        return Answer(again=True, code="R301", message=text, arguments={"batch_size": half})
    micro = int(told.get("micro_batch", 1))
    if micro > 1:
        rows = micro * int(told["gradient_accumulation"])
        smaller = max(size for size in range(1, micro // 2 + 1) if rows % size == 0)
        arguments = {"micro_batch": smaller, "gradient_accumulation": rows // smaller}
        text = f"{stage.id}: out of memory with micro_batch {micro}; going on with {smaller} x {rows // smaller}"
        return Answer(again=True, code="R301", message=text, arguments=arguments)
    return Answer(
        again=False, code="R205", message=f"{stage.id}: {message or 'killed by the system for lack of memory'}"
    )


def _last_words(log: Path) -> str:
    try:
        lines = [line.strip() for line in log.read_text(errors="replace").splitlines() if line.strip()]
    except OSError:
        return "it left no log"
    return " / ".join(lines[-LOG_LINES:])[-400:] or "it died without a word"
