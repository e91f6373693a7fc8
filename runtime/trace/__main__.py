"""The child process: one JSON request on stdin, one JSON answer on stdout, nothing else there.

Exit code 0 with an answer, 2 with `{"error", "kind"}` where the request cannot be traced.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys


def main() -> int:
    """Read, trace, write."""
    from ftc.runtime.trace.request import RequestError, parse

    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    out = os.dup(1)
    os.dup2(2, 1)  # libraries that print, print to stderr
    try:
        with contextlib.redirect_stdout(sys.stderr):
            request = parse(json.load(sys.stdin))
            import torch

            torch.set_num_threads(1)
            from ftc.runtime.trace.trace import trace

            answer = trace(request)
        code = 0
    except (RequestError, json.JSONDecodeError) as error:
        answer, code = {"error": str(error), "kind": "request"}, 2
    except ImportError as error:
        answer, code = {"error": str(error), "kind": "missing", "module": error.name}, 2
    with os.fdopen(out, "w") as stream:
        json.dump(answer, stream)
        stream.write("\n")
    return code


if __name__ == "__main__":
    sys.exit(main())
