"""How answers are rewarded by a program, from what the spec says and from the form of its rows."""

from __future__ import annotations

from ftc.compiler.inputs import Inputs
from ftc.compiler.rows import rows_of
from ftc.compiler.stages import Check
from ftc.spec.diagnostics import Diagnostic, Refused

SECONDS = 10.0  # for a batch of answers; a unit test that takes longer hangs
MEMORY_MIB = 1024  # a Python process with the standard library takes 20


def check_of(inputs: Inputs) -> Check:
    """The check. Raises Refused (M904, exit code 3) where nothing says what a good answer is."""
    written = inputs.facts.spec.data.reward_function
    if written:
        file, _, function = written.rpartition(":")
        return _check("function", f"{inputs.path(file)}:{function}")
    rows = rows_of(inputs.facts, "prompts", inputs.verdict.method)
    form = rows.profile.format if rows else ""
    if form == "prompts-with-tests":
        return _check("tests", None)
    if form in ("question-final-answer", "qa", "prompt-completion", "text-label"):
        return _check("answer", None)
    message = "nothing says how an answer is checked"
    fix = "give data.reward.function, or rows with an `answer` or `tests` column"
    raise Refused([Diagnostic(code="M904", message=message, fix=fix, key="data.reward")], 3)


def _check(kind: str, detail: str | None) -> Check:
    return Check(kind=kind, detail=detail, seconds=SECONDS, memory_mib=MEMORY_MIB)  # type: ignore[arg-type]
