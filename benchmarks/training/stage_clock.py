"""A stage as `ftc run` starts it, with the processor time of the process in every event. Started by run.py."""

from __future__ import annotations

import os
import sys
import time
from typing import Any

from ftc.runtime import stage
from ftc.runtime.journal import Journal

_write = Journal.write


def _with_clock(self: Journal, kind: str, **values: Any) -> Any:
    """The event, with the time that the process has worked so far."""
    return _write(self, kind, **{"cpu": round(time.process_time(), 3), **values})


if __name__ == "__main__":
    Journal.write = _with_clock  # type: ignore[method-assign]
    code = stage.main(sys.argv[1:])
    sys.stdout.flush()
    os._exit(code)
