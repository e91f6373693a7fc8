"""Runs the code of an answer together with its unit tests, each answer in a process of its own.

1 where every test passed before the time was over, else 0: code that hangs, dies or eats memory is a wrong answer and
no fault of the run. Answers share the seconds of their batch; several run beside each other.
"""

from __future__ import annotations

import os
import re
import select
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ftc.runtime.rewards.limits import confine

BLOCK = re.compile(r"```(?:python|py)?[ \t]*\n(.*?)```", re.DOTALL)
WORD_BYTES = 16  # of the word by which a process says that its tests passed


def passed(cases: Sequence[Mapping[str, Any]], work: Path, seconds: float) -> list[float]:
    """1.0 or 0.0 for each case, which has `completion` and `tests`."""
    results = [0.0] * len(cases)
    end = time.monotonic() + seconds
    beside = max(1, len(os.sched_getaffinity(0)))
    running: dict[int, tuple[int, int, float]] = {}  # pipe: process, case, its deadline
    words = [os.urandom(WORD_BYTES) for _ in cases]  # each its own, so that nothing else can be taken for it
    waiting = list(range(len(cases)))
    while waiting or running:
        while waiting and len(running) < beside:
            left = max(0.0, end - time.monotonic())
            deadline = time.monotonic() + left * beside / (len(waiting) + len(running))
            case = waiting.pop(0)
            process, pipe = _start(cases[case], work, words[case])
            running[pipe] = (process, case, min(end, deadline))
        soonest = min(deadline for _, _, deadline in running.values())
        ready, _, _ = select.select(list(running), [], [], max(0.0, soonest - time.monotonic()))
        for pipe in list(running):
            process, case, deadline = running[pipe]
            if pipe not in ready and time.monotonic() < deadline:
                continue
            results[case] = float(pipe in ready and os.read(pipe, WORD_BYTES) == words[case])
            os.kill(process, signal.SIGKILL)
            os.waitpid(process, 0)
            os.close(pipe)
            del running[pipe]
    return results


def code_in(completion: str) -> str:
    """The code of an answer: its fenced blocks, or all of it where there are none."""
    blocks = BLOCK.findall(completion)
    return "\n".join(blocks) if blocks else completion


def guards(work: Path) -> list[str]:
    """The kernel's layers that will stand around each answer, tried in a process of its own."""
    reading, writing = os.pipe()
    process = os.fork()
    if not process:
        try:
            os.write(writing, " ".join(confine(work, ())).encode())
        finally:
            os._exit(0)
    os.close(writing)
    os.waitpid(process, 0)
    with os.fdopen(reading) as stream:
        return stream.read().split()


def _start(case: Mapping[str, Any], work: Path, word: bytes) -> tuple[int, int]:
    """A process that runs the case, and the pipe on which it says the word once everything passed."""
    reading, writing = os.pipe()
    process = os.fork()
    if process:
        os.close(writing)
        return process, reading
    status = 1
    try:
        os.close(reading)
        folder = work / str(os.getpid())
        folder.mkdir()
        os.chdir(folder)
        nothing = os.open(os.devnull, os.O_RDWR)
        for standard in (0, 1, 2):
            os.dup2(nothing, standard)
        writing = os.dup2(writing, 3)
        os.closerange(4, 1 << 16)  # the pipes of other answers and of the worker
        confine(folder, ())
        source = f"{code_in(str(case['completion']))}\n\n{case.get('tests') or ''}\n"
        exec(compile(source, "answer.py", "exec"), {"__name__": "__main__"})  # noqa: S102 - what the limits are for
        os.write(writing, word)
        status = 0
    except BaseException:  # noqa: S110 - whatever foreign code raises is a wrong answer
        pass
    finally:
        sys.stdout = sys.stderr = None
        os._exit(status)
