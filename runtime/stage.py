"""The process of one stage: `python -m ftc.runtime.stage RUN_FOLDER STAGE_ID`.

It ends when the supervisor does: standard input is a pipe that nobody writes to, and its end means that the supervisor
is gone. Whatever goes wrong becomes one event with a code; the traceback goes to the log. Exit codes: 0 finished,
1 failed, 75 out of memory, 130 interrupted after a checkpoint.
"""

from __future__ import annotations

import os
import select
import sys
import threading
import time
import traceback
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from filelock import FileLock

from ftc.runtime.asked import listen
from ftc.runtime.codes import Stopped
from ftc.runtime.context import Context, open_context
from ftc.runtime.distributed import leads
from ftc.runtime.measure import peak_memory
from ftc.runtime.secrecy import Discreet
from ftc.runtime.trouble import code_of
from ftc.spec.diagnostics import Refused

FAILED, OUT_OF_MEMORY, INTERRUPTED = 1, 75, 130
LOCK = ".stage.lock"
LOCK_SECONDS = 60  # how long a predecessor that is being killed may take to let go


def end_with_the_supervisor() -> None:
    """Leave at once when standard input, a pipe that the supervisor holds open, ends."""

    def watch() -> None:
        ended = select.poll()
        ended.register(0, 0)  # nothing but its end, which poll always reports
        ended.poll()
        os._exit(FAILED)

    threading.Thread(target=watch, daemon=True, name="supervisor watch").start()


def carry_out(context: Context) -> int:
    """Run the stage, write how it ended, return the exit code."""
    from ftc.runtime.stages import load_stage

    began = time.monotonic()

    def ending() -> dict[str, Any]:
        return {"seconds": round(time.monotonic() - began, 3), "memory": peak_memory()}

    journal = context.journal
    try:
        result = load_stage(context.stage.kind)(context)
    except Stopped as stop:
        if stop.code == "R202":
            journal.write("stage_interrupted", sync=True, **ending(), **stop.values)
            return INTERRUPTED
        journal.write("stage_failed", sync=True, code=stop.code, message=stop.message, **ending(), **stop.values)
        return FAILED
    except Refused as refused:
        first = refused.diagnostics[0]
        findings = [each.to_json() for each in refused.diagnostics]
        journal.write("stage_failed", sync=True, code=first.code, message=first.message, findings=findings, **ending())
        return FAILED
    except Exception as error:  # every failure of a stage ends here, as an event with a code
        traceback.print_exc()
        code, message = code_of(error)
        journal.write("stage_failed", sync=True, code=code, message=message, **ending())
        return OUT_OF_MEMORY if code == "R205" else FAILED
    journal.write("stage_finished", sync=True, result=result, **ending())
    return 0


def main(arguments: list[str]) -> int:
    """The process, from its command line to its exit code."""
    folder, stage_id = Path(arguments[0]), arguments[1]
    end_with_the_supervisor()
    sys.stdout, sys.stderr = Discreet(sys.stdout), Discreet(sys.stderr)
    with FileLock(folder / LOCK, timeout=LOCK_SECONDS) if leads() else nullcontext():
        context = open_context(folder, stage_id)
        if "learning_rate" in context.stage.arguments:
            listen()  # the others have nothing to save, and end when they are told to
        return carry_out(context)


if __name__ == "__main__":
    code = main(sys.argv[1:])
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # without the seconds that torch's teardown takes; everything is flushed
