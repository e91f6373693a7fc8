"""How the process of a stage comes about: started anew, or forked by the nursery where that is safe. No torch.

Every process of a run has a pipe from the supervisor as its standard input that nobody writes to: when the supervisor
is gone, however it went, the pipe ends, and they end with it.
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from ftc.compiler.plan import Plan, Stage
from ftc.runtime.run_folder import RunFolder
from ftc.runtime.torchrun import Torchrun
from ftc.runtime.trackers import variables

# -P: a file called ftc.py or torch.py in the folder where a user calls ftc is not imported.
PYTHON = (sys.executable, "-P", "-m")
LIGHT = ("prepare", "report")  # kinds that import no torch, and need not wait until the nursery has
WARM_SECONDS = 120.0  # a stage that imports the same things by itself would not be ready earlier


class Process(Protocol):
    """A running stage."""

    def exit_code(self) -> int | None:
        """None while it runs; negative where a signal ended it."""

    def signal(self, number: int) -> None:
        """Send a signal; SIGKILL goes to everything that the stage has started as well."""


class Starter:
    """Starts the stages of one run."""

    def __init__(self, run: RunFolder, plan: Plan, threads: int, report_to: Sequence[str] = ()) -> None:
        self.run = run
        self.environment = {**environment(threads), **variables(report_to)}
        self.stages = {stage.id: stage for stage in plan.stages}
        self.nursery = _Nursery(run, plan, self.environment) if _may_fork() else None

    def start(self, stage_id: str, attempt: int = 1) -> Process:
        """The process of a stage, with its output in the stage's log; several processes as one."""
        log = self.run.log(stage_id)
        log.parent.mkdir(parents=True, exist_ok=True)
        nodes, processes = spread(self.stages[stage_id])
        if nodes * processes > 1:
            return Torchrun(self.run, stage_id, attempt, processes, nodes, self.environment)
        light = self.stages[stage_id].kind in LIGHT
        if self.nursery and self.nursery.ready(timeout=0.0 if light else WARM_SECONDS):
            return self.nursery.fork(stage_id)
        return _Spawned(self.run, stage_id, self.environment)

    def close(self) -> None:
        """End the nursery."""
        if self.nursery:
            self.nursery.close()


def spread(stage: Stage) -> tuple[int, int]:
    """Nodes, and processes on each, that a stage runs on."""
    return int(stage.arguments.get("nodes", 1)), int(stage.arguments.get("processes", 1))


class _Spawned:
    """A stage in a fresh interpreter."""

    def __init__(self, run: RunFolder, stage_id: str, environment: dict[str, str]) -> None:
        with run.log(stage_id).open("ab") as stream:
            self.process = subprocess.Popen(
                [*PYTHON, "ftc.runtime.stage", str(run.path), stage_id],
                stdin=subprocess.PIPE,
                stdout=stream,
                stderr=stream,
                start_new_session=True,
                env=environment,
            )

    def exit_code(self) -> int | None:
        code = self.process.poll()
        if code is not None and self.process.stdin:
            self.process.stdin.close()
        return code

    def signal(self, number: int) -> None:
        _send(self.process.pid, number)


class _Nursery:
    """The process that forks stages; see `nursery.py`. Warms up while the first stages run."""

    def __init__(self, run: RunFolder, plan: Plan, environment: dict[str, str]) -> None:
        log = run.log("nursery")
        log.parent.mkdir(parents=True, exist_ok=True)
        flags = [] if _needs_bitsandbytes(plan) else ["--no-bitsandbytes"]
        with log.open("ab") as stream:
            self.process = subprocess.Popen(
                [*PYTHON, "ftc.runtime.nursery", str(run.path), *flags],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stream,
                start_new_session=True,
                env=environment,
            )
        self.said: list[list[str]] = []
        self._rest = b""

    def ready(self, timeout: float) -> bool:
        """Whether it can fork; waits so long for it, unless it has died."""
        until = time.monotonic() + timeout
        while True:
            self._hear(0.0)
            if self.process.poll() is not None:
                return False
            if ["ready"] in self.said or time.monotonic() >= until:
                return ["ready"] in self.said
            time.sleep(0.05)

    def fork(self, stage_id: str) -> _Forked:
        if self.process.stdin is None:
            raise ValueError("the nursery has no input")
        self.said = [["ready"]]
        self.process.stdin.write(f"{stage_id}\n".encode())
        self.process.stdin.flush()
        return _Forked(self)

    def find(self, word: str, timeout: float = 0.0) -> int | None:
        """The number said after `word` since the last fork."""
        self._hear(timeout)
        return next((int(words[1]) for words in self.said if words[0] == word and len(words) == 2), None)

    def close(self) -> None:
        self.process.kill()  # it holds nothing, and taking torch down in good order takes seconds
        self.process.wait()
        if self.process.stdin:
            self.process.stdin.close()
        if self.process.stdout:
            self.process.stdout.close()

    def _hear(self, timeout: float) -> None:
        stream = self.process.stdout
        if stream is None or stream.closed:
            return
        while select.select([stream], [], [], timeout)[0]:
            data = os.read(stream.fileno(), 4096)
            if not data:
                return
            *lines, self._rest = (self._rest + data).split(b"\n")
            self.said += [line.decode().split() for line in lines]
            timeout = 0.0


class _Forked:
    """A stage forked by the nursery."""

    def __init__(self, nursery: _Nursery) -> None:
        self.nursery = nursery
        self._pid: int | None = None
        self._code: int | None = None

    def exit_code(self) -> int | None:
        if self._code is None:
            self._code = self.nursery.find("exit")
        if self._code is None and self.nursery.process.poll() is not None:
            self._code = -signal.SIGKILL  # the nursery was killed, and with its pipe the stage
        return self._code

    def signal(self, number: int) -> None:
        if self._pid is None:
            self._pid = self.nursery.find("pid", timeout=5.0)
        if self._pid is not None and self.exit_code() is None:
            _send(self._pid, number)


def _send(pid: int, number: int) -> None:
    try:
        if number == signal.SIGKILL:
            os.killpg(pid, number)
        else:
            os.kill(pid, number)
    except ProcessLookupError:
        pass  # it has ended in between


def _may_fork() -> bool:
    """Linux without a GPU."""
    return sys.platform == "linux" and not any(Path(each).exists() for each in ("/dev/nvidia0", "/dev/kfd", "/dev/dxg"))


def _needs_bitsandbytes(plan: Plan) -> bool:
    return any(
        stage.arguments.get("quantization")
        or stage.arguments.get("quantize")
        or "8bit" in str(stage.arguments.get("optimizer", ""))
        or "paged" in str(stage.arguments.get("optimizer", ""))
        for stage in plan.stages
    )


def environment(threads: int) -> dict[str, str]:
    """The environment of a stage: no progress bars in logs, no telemetry, as many threads as the run began with."""
    quiet = {
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "TOKENIZERS_PARALLELISM": "false",
        "PYTHONUNBUFFERED": "1",
        "TRANSFORMERS_VERBOSITY": "warning",
    }
    return {**quiet, **os.environ, "OMP_NUM_THREADS": str(threads)}
