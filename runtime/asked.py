"""What a training stage was asked for by signal: to stop with a checkpoint (SIGTERM), or to finish early (SIGUSR1)."""

from __future__ import annotations

import signal
from dataclasses import dataclass
from typing import Any


@dataclass(slots=True)
class Asked:
    """Set by the signal handlers, read between two steps."""

    stop: bool = False
    finish: bool = False


ASKED = Asked()  # signals belong to the process, so there is one


def listen() -> None:
    """From now on signals are kept instead of ending the process."""

    def stop(*_: Any) -> None:
        ASKED.stop = True

    def finish(*_: Any) -> None:
        ASKED.finish = True

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGUSR1, finish)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the supervisor answers Ctrl-C, and sends SIGTERM
