"""The child: `python -I -m ftc.runtime.rewards.worker`. One JSON object a line in, one a line out.

The first line says what to judge by, `{kind, detail, memory_mib, work, seconds}`; the answer is `{ready, guards}`.
Each line after that is a batch of cases, its answer `{rewards}`. What goes wrong is `{error, message}`, where error is
memory, number, refused or failed. Foreign code sees no standard input or output.
"""

from __future__ import annotations

import errno
import json
import os
import sys
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ftc.runtime.rewards import kinds, limits, unit_tests

MESSAGE = 2_000  # characters of an error that go back
REFUSALS = (errno.EPERM, errno.EACCES, errno.EFBIG, errno.EMFILE, errno.EROFS)


def main() -> None:
    """Read, judge, answer, until the input ends."""
    told, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 0)
    os.dup2(nothing, 1)
    setup = json.loads(told.readline())
    place = "the check"

    def say(value: Mapping[str, Any]) -> None:
        answers.write(json.dumps(value).encode() + b"\n")
        answers.flush()

    try:
        work = Path(setup["work"])
        guards = _limit(setup, work)
        judge = None if setup["kind"] == "tests" else kinds.judge(setup["kind"], setup["detail"])
        say({"ready": True, "guards": guards})
        for line in told:
            cases: Sequence[Mapping[str, Any]] = json.loads(line)
            if judge is None:
                say({"rewards": unit_tests.passed(cases, work, float(setup["seconds"]))})
                continue
            rewards = []
            for case in cases:
                place = str(case.get("place", ""))
                rewards.append(judge(case))
            say({"rewards": rewards})
    except BaseException as error:
        say({"error": _kind(error), "message": f"{place}: {_said(error)}"[:MESSAGE]})
        os._exit(1)


def _limit(setup: Mapping[str, Any], work: Path) -> list[str]:
    limits.limit_resources(int(setup["memory_mib"]))
    if setup["kind"] == "tests":  # each answer is confined by itself, and this process has to start them
        return unit_tests.guards(work)
    if setup["kind"] == "function":
        return limits.confine(work, [Path(setup["detail"].rpartition(":")[0]).parent.resolve()])
    return limits.confine(work, ())


def _kind(error: BaseException) -> str:
    if isinstance(error, MemoryError):
        return "memory"
    if isinstance(error, kinds.NoNumber):
        return "number"
    return "refused" if isinstance(error, OSError) and error.errno in REFUSALS else "failed"


def _said(error: BaseException) -> str:
    """The error, and the last line outside this package that it came through. No source is read: that is refused."""
    here = Path(__file__).parent
    frames = [(Path(frame.f_code.co_filename), line) for frame, line in traceback.walk_tb(error.__traceback__)]
    where = [(file, line) for file, line in frames if file.parent != here]
    at = f" ({where[-1][0].name}:{where[-1][1]})" if where else ""
    return f"{type(error).__name__}: {error}{at}"


if __name__ == "__main__":
    main()
    sys.exit(0)
