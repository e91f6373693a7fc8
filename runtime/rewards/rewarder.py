"""Asks the child for rewards, and tells apart how it fails: it hangs, dies, eats memory, returns no numbers, or reaches
for what it may not.

The child starts with an empty environment, in an empty folder of its own, which goes when it goes.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self, cast

from ftc.compiler.stages import Check
from ftc.runtime.codes import Stopped

START_SECONDS = 30.0  # Python and the imports of the user's file
SLACK_SECONDS = 5.0  # for unit tests, whose worker keeps the time itself
ERRORS = {"memory": "R223", "number": "R224", "refused": "R225", "failed": "R221"}
KERNEL = ("landlock", "seccomp")
LARGEST = 64 * 2**20  # bytes of an answer of the child


class Rewarder:
    """A check that answers can be given to. A context manager: its end is the child's."""

    def __init__(self, check: Check, data_folder: Path) -> None:
        self.check = check
        self.guards: list[str] = []  # layers of the kernel that stand around the child
        self._detail = _absolute(check, data_folder)
        self._work = Path(tempfile.mkdtemp(prefix="ftc-reward-"))
        self._process = self._start()
        self._told, self._said = cast("IO[bytes]", self._process.stdin), cast("IO[bytes]", self._process.stdout)
        self._rest = b""
        try:
            self._tell({"kind": check.kind, "detail": self._detail, "memory_mib": check.memory_mib,
                        "work": str(self._work), "seconds": check.seconds})  # fmt: skip
            self.guards = list(self._hear(START_SECONDS).get("guards", ()))
        except BaseException:
            self.close()
            raise

    def rewards(self, cases: Sequence[Mapping[str, Any]]) -> list[float]:
        """The reward of each case (`prompt`, `completion` and the fields of its row). Raises Stopped, R221 to R225."""
        slack = SLACK_SECONDS if self.check.kind == "tests" else 0.0
        self._tell(list(cases))
        found = self._hear(self.check.seconds + slack)
        return [float(each) for each in found["rewards"]]

    def close(self) -> None:
        """End the child and everything that it wrote."""
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        for stream in (self._told, self._said):
            with contextlib.suppress(OSError):  # what was not read has no reader any more
                stream.close()
        shutil.rmtree(self._work, ignore_errors=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _start(self) -> subprocess.Popen[bytes]:
        environment = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
        return subprocess.Popen(
            [sys.executable, "-I", "-m", "ftc.runtime.rewards.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**environment, "PATH": "", "HOME": str(self._work), "TMPDIR": str(self._work), "LANG": "C.UTF-8"},
            cwd=self._work,
            start_new_session=True,
            bufsize=0,
        )

    def _tell(self, value: Any) -> None:
        data = json.dumps(value).encode() + b"\n"
        try:
            while data:  # unbuffered: a write may take less than all
                data = data[self._told.write(data) or 0 :]
        except OSError as error:
            raise self._died() from error

    def _hear(self, seconds: float) -> dict[str, Any]:
        """The next line of the child. Raises Stopped where it says that something is wrong, or nothing at all."""
        end = time.monotonic() + seconds
        while b"\n" not in self._rest:
            ready, _, _ = select.select([self._said], [], [], max(0.0, end - time.monotonic()))
            if not ready:
                raise Stopped("R222", f"{self._name} has not answered within {seconds:g} seconds")
            piece = os.read(self._said.fileno(), 1 << 16)
            if not piece or len(self._rest) > LARGEST:
                raise self._died()
            self._rest += piece
        line, _, self._rest = self._rest.partition(b"\n")
        try:
            found = json.loads(line)
        except ValueError:
            found = None
        if not isinstance(found, dict):
            raise Stopped("R221", f"{self._name} wrote into the pipe that its rewards go through")
        if "error" in found:
            raise Stopped(ERRORS.get(str(found["error"]), "R221"), f"{self._name}: {found.get('message')}")
        return found

    def _died(self) -> Stopped:
        try:
            code = self._process.wait(timeout=1.0)
        except subprocess.TimeoutExpired:
            code = 0
        how = f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
        return Stopped("R223", f"{self._name} {how}")

    @property
    def _name(self) -> str:
        return f"the reward {self.check.detail}" if self.check.kind == "function" else f"the check ({self.check.kind})"


def _absolute(check: Check, data_folder: Path) -> str | None:
    """The user's file where it lies; other details as they are."""
    if check.kind != "function" or not check.detail:
        return check.detail
    file, _, name = check.detail.rpartition(":")
    return f"{(data_folder / Path(file).expanduser()).resolve()}:{name}"
