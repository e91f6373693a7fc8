"""What torchrun is told of the nodes: who hosts, and under which address each can be reached."""

from __future__ import annotations

import signal
import socket
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ftc.runtime import torchrun
from ftc.runtime.torchrun import Meeting, Torchrun, meeting, own_address, rendezvous


def words(node_rank: int, nodes: int = 2, endpoint: str = "localhost:29400") -> list[str]:
    return rendezvous(Meeting(nodes=nodes, node_rank=node_rank, endpoint=endpoint, id="x"), nodes)


def test_node_0_hosts_whatever_its_name_resolves_to() -> None:
    assert "--rdzv-conf=is_host=true" in words(0)
    assert "--rdzv-conf=is_host=false" in words(1)
    assert "--rdzv-endpoint=localhost:29400" in words(1)


def test_one_node_meets_itself() -> None:
    assert words(0, nodes=1, endpoint="elsewhere:1") == [
        "--node-rank=0", "--rdzv-backend=c10d", "--rdzv-endpoint=localhost:0",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "endpoint", ["localhost:29400", "127.0.0.1:29400", "[::1]:29400", "no.such.host.invalid:1", ""]
)
def test_no_address_that_others_could_not_reach(endpoint: str) -> None:
    assert own_address(endpoint) is None


def test_the_address_is_that_of_the_way_to_the_meeting_point(monkeypatch: pytest.MonkeyPatch) -> None:
    class Asking(socket.socket):
        def connect(self, address: object) -> None:
            assert address == ("192.0.2.7", 29400)

        def getsockname(self) -> tuple[str, int]:
            return "192.0.2.9", 1

    monkeypatch.setattr(torchrun.socket, "socket", Asking)
    assert own_address("192.0.2.7:29400") == "192.0.2.9"
    assert "--local-addr=192.0.2.9" in words(1, endpoint="192.0.2.7:29400")


def test_the_meeting_is_as_the_engine_says() -> None:
    told = {"PET_NNODES": "4", "PET_NODE_RANK": "3", "PET_RDZV_ENDPOINT": "a:1", "PET_RDZV_ID": "run"}
    assert meeting(told) == Meeting(nodes=4, node_rank=3, endpoint="a:1", id="run")
    assert meeting({}).nodes == 1


def test_all_nodes_may_ask_for_a_stop_at_once(tmp_path: Path) -> None:
    node: Any = SimpleNamespace(stop_file=tmp_path / "sft" / ".stop")
    with ThreadPoolExecutor(8) as nodes:
        asked = [nodes.submit(Torchrun.signal, node, signal.SIGTERM) for _ in range(200)]
    assert [each.exception() for each in asked] == [None] * 200
    assert node.stop_file.read_bytes() == b"stop"
    assert len(list(node.stop_file.parent.iterdir())) == 1
