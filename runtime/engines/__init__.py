"""Rendered files to an engine, through the engine's own client and with the caller's own rights; then the job's state.

Knows `sbatch`, `sky`, `kubectl` and `ray` as commands. Knows nothing of plans, and nothing of what runs inside a job:
that is `ftc run`, and its journal in the run folder is where `ftc watch` looks.
"""

from __future__ import annotations

from ftc.runtime.engines.clients import CLIENTS, Client, Job, State
from ftc.runtime.engines.submit import check, follow, submit

__all__ = ["CLIENTS", "Client", "Job", "State", "check", "follow", "submit"]
