"""A process that has imported the training stack once and forks a child for each stage, which saves each its start.

Importing torch, transformers, trl and peft takes some six seconds of processor time; a run has seven stages. Only on
Linux without a GPU: forking after a driver was touched is not safe, and where there is a GPU, runs are long.

Talks in lines: a stage's id comes in on standard input; `ready`, `pid N` and `exit N` go out on standard output. It
ends when its input does, and the stages with it.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from importlib import import_module
from pathlib import Path

# What every stage that loads a model imports; the rest follows from these.
WARM = (
    "torch",
    "transformers.models.auto.modeling_auto",
    "transformers.generation",
    "scipy.stats",
    "ftc.runtime.stages.sft",
)

PR_SET_PDEATHSIG = 1  # linux/prctl.h


def main(arguments: list[str]) -> int:
    """Serve until the input ends."""
    folder, *flags = arguments
    if "--no-bitsandbytes" in flags:
        # peft imports it wherever it is installed, and it imports torch's compiler: a third of the start, for nothing.
        sys.modules["bitsandbytes"] = None  # type: ignore[assignment]
    for name in WARM:
        import_module(name)
    _say("ready")
    while line := _line():
        _say(*_serve(Path(folder), line))
    return 0


def _serve(folder: Path, stage_id: str) -> tuple[str, int]:
    pid = os.fork()
    if pid == 0:
        os._exit(_child(folder, stage_id))
    _say("pid", pid)
    _, status = os.waitpid(pid, 0)
    return "exit", os.waitstatus_to_exitcode(status)


def _child(folder: Path, stage_id: str) -> int:
    """The stage, in a session of its own, with its log as output."""
    from ftc.runtime.run_folder import RunFolder
    from ftc.runtime.stage import main as stage_main

    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)  # if the nursery is killed, nobody would hear of the end
    os.setsid()
    log = os.open(RunFolder(folder).log(stage_id), os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    os.dup2(log, 1)
    os.dup2(log, 2)
    try:
        return stage_main([str(folder), stage_id])
    except BaseException:
        import traceback

        traceback.print_exc()
        return 1
    finally:
        sys.stdout.flush()
        sys.stderr.flush()


def _say(*words: object) -> None:
    os.write(1, (" ".join(str(word) for word in words) + "\n").encode())


def _line() -> str:
    """The next line of input, read byte by byte: a buffer would be forked along with half a line in it."""
    out = b""
    while (byte := os.read(0, 1)) not in (b"", b"\n"):
        out += byte
    return out.decode()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
