"""A stage of several processes: torchrun starts them, on this node or, with others that do the same, on several.

Where the nodes meet is said by torchrun's own variables (`PET_*`), which engines set: `docs/engines.md`. Every stage
and every attempt meets under a name of its own, so that a node that comes late does not join the wrong one. No torch.
"""

from __future__ import annotations

import ipaddress
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass

from ftc.runtime.distributed import STOP_FILE
from ftc.runtime.run_folder import RunFolder
from ftc.spec.files import write_whole

WORDS = {signal.SIGTERM: b"stop", signal.SIGUSR1: b"finish"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Meeting:
    """Where the nodes of a run meet, and which of them this is."""

    nodes: int
    node_rank: int
    endpoint: str
    id: str


def meeting(environment: Mapping[str, str] = os.environ) -> Meeting:
    """As the engine says; one node, and any free port, where it says nothing."""
    return Meeting(
        nodes=_number(environment.get("PET_NNODES"), 1),
        node_rank=_number(environment.get("PET_NODE_RANK"), 0),
        endpoint=environment.get("PET_RDZV_ENDPOINT") or "localhost:0",
        id=environment.get("PET_RDZV_ID") or "ftc",
    )


def _number(text: str | None, usual: int) -> int:
    try:
        return int(text or usual)
    except ValueError:
        return usual


def rendezvous(where: Meeting, nodes: int) -> list[str]:
    """torchrun's words for where this node meets the others.

    Node 0 hosts, and is told so: torchrun finds out by itself only where the endpoint's name or address is among those
    that the node's own name resolves to, which on many machines is 127.0.1.1 alone.
    """
    words = [f"--node-rank={where.node_rank}", "--rdzv-backend=c10d"]
    if nodes == 1:
        return [*words, "--rdzv-endpoint=localhost:0"]
    hosts = "true" if where.node_rank == 0 else "false"
    words += [f"--rdzv-endpoint={where.endpoint}", f"--rdzv-conf=is_host={hosts}"]
    own = own_address(where.endpoint)
    return [*words, f"--local-addr={own}"] if own else words


def own_address(endpoint: str) -> str | None:
    """The address from which this node reaches the meeting point: the one that others can answer to.

    None where that is the loopback, or the name is not known (yet): torchrun then takes the node's full name.
    """
    host, _, port = endpoint.rpartition(":")
    try:
        family, _, _, _, address = socket.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_DGRAM)[0]
        with socket.socket(family, socket.SOCK_DGRAM) as asking:
            asking.connect(address)  # sends nothing: the system only picks a way
            own = str(asking.getsockname()[0])
    except OSError:
        return None
    return None if ipaddress.ip_address(own.partition("%")[0]).is_loopback else own


class Torchrun:
    """The processes of one stage on this node, as one process that is asked to stop through a file that all see."""

    def __init__(
        self, run: RunFolder, stage_id: str, attempt: int, processes: int, nodes: int, environment: dict[str, str]
    ) -> None:
        self.stop_file = run.stage(stage_id) / STOP_FILE
        where = meeting()
        if where.node_rank == 0:
            self.stop_file.unlink(missing_ok=True)
        command = [
            sys.executable, "-P", "-m", "torch.distributed.run",
            f"--nnodes={nodes}", f"--nproc-per-node={processes}", f"--rdzv-id={where.id}-{stage_id}-{attempt}",
            *rendezvous(where, nodes), "--max-restarts=0", "-m", "ftc.runtime.stage", str(run.path), stage_id,
        ]  # fmt: skip
        clean = {name: value for name, value in environment.items() if not name.startswith("PET_")}
        log = run.log(stage_id if where.node_rank == 0 else f"{stage_id}.node{where.node_rank}")
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as stream:
            self.process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=stream, stderr=stream, start_new_session=True, env=clean
            )

    def exit_code(self) -> int | None:
        """None while it runs."""
        code = self.process.poll()
        if code is not None:
            self._hang_up()
        return code

    def signal(self, number: int) -> None:
        """To stop or to finish is written where every rank looks; killing ends the agent and, with its pipe, all."""
        word = WORDS.get(signal.Signals(number))
        if word is not None:
            self.stop_file.parent.mkdir(parents=True, exist_ok=True)
            write_whole(self.stop_file, word)
            return
        self._hang_up()
        with suppress(ProcessLookupError):  # it may have ended in between
            os.killpg(self.process.pid, number)

    def _hang_up(self) -> None:
        """Every process of the stage ends when this pipe does."""
        if self.process.stdin and not self.process.stdin.closed:
            self.process.stdin.close()
