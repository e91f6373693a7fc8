"""Starts the clients: check, submit, follow. Everything that a client says goes to the caller, line by line.

An interrupt leaves the job running: it belongs to the engine by then.
"""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from ftc.runtime.engines.clients import CLIENTS, Client, Job
from ftc.spec.diagnostics import Diagnostic, Refused

Say = Callable[[str], None]

ANSWER_SECONDS = 120  # a controller that takes longer does not answer
LOST_AFTER = 5  # times in a row that the engine does not know the job


def check(target: str, folder: Path, workdir: Path) -> list[Diagnostic]:
    """What the engine itself says of the files, where it answers; nothing where it has no such question."""
    client = CLIENTS[target]
    if client.checks is None or shutil.which(client.program) is None:
        return []
    done = _call(client.checks(_file(client, folder)), workdir)
    if done.returncode == 0:
        return []
    return [Diagnostic(code="R741", message=f"{client.program} refuses the job: {_last(done.stderr or done.stdout)}")]


def submit(
    target: str, folder: Path, workdir: Path, *, secrets: tuple[str, ...] = (), say: Say = lambda _: None
) -> Job:
    """Hand the files in `folder` to the engine. Raises Refused where there is no client, or where it refuses.

    With a client that stays with its job, this returns when the job has ended.
    """
    client = CLIENTS[target]
    if shutil.which(client.program) is None:
        message = f"{client.program} is not on the PATH"
        raise Refused([Diagnostic(code="R740", message=message, fix=client.install)], 2)
    file = _file(client, folder)
    command = client.submits(file, secrets)
    if client.asks is None:
        return client.reads(client.job_id(file, ""), str(_stay(command, workdir, say)))
    done = _call(command, workdir)
    if done.returncode:
        message = f"{client.program} refused the job: {_last(done.stderr or done.stdout)}"
        raise Refused([Diagnostic(code="R741", message=message)], 1)
    return Job(target=target, id=client.job_id(file, done.stdout))


def follow(job: Job, workdir: Path, *, every_seconds: float = 5.0) -> Iterator[Job]:
    """The job each time that its state changes, until it has ended."""
    client = CLIENTS[job.target]
    lost = 0
    while client.asks is not None and job.state in ("waiting", "running", "unknown"):
        done = _call(client.asks(job.id), workdir)
        found = client.reads(job.id, done.stdout)
        lost = lost + 1 if done.returncode or found.state == "unknown" else 0
        if lost >= LOST_AFTER:
            message = f"{client.program}: nothing known of {job.id} any more: {_last(done.stderr)}"
            raise Refused([Diagnostic(code="R742", message=message)], 1)
        if not lost and found != job:
            job = found
            yield job
        if job.state in ("waiting", "running", "unknown"):
            time.sleep(every_seconds)


def _file(client: Client, folder: Path) -> Path:
    found = sorted(folder.glob(client.file))
    if len(found) != 1:
        message = f"{folder}: {len(found)} files {client.file}, one is expected"
        raise Refused([Diagnostic(code="R741", message=message, fix="ftc compile --target ... --emit DIR")], 2)
    return found[0].resolve()


def _call(command: list[str], workdir: Path) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(command, cwd=workdir, capture_output=True, text=True, timeout=ANSWER_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess(command, 1, "", f"no answer within {ANSWER_SECONDS} s")


def _stay(command: list[str], workdir: Path, say: Say) -> int:
    """Run the client to its end, handing on what it says."""
    with subprocess.Popen(
        command, cwd=workdir, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        for line in process.stdout or ():
            say(line.rstrip("\n"))
    return process.returncode


def _last(text: str) -> str:
    """The last lines of what a client said, short enough to print."""
    return " / ".join(line.strip() for line in text.strip().splitlines()[-3:])[:600] or "it said nothing"
