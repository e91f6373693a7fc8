"""`ftc estimate --exact` from the outside: start the tracing child, wait, read its answer. Imports no torch."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

from ftc.runtime.trace.request import RequestError, parse

SECONDS = 300.0  # a model whose layers do not repeat is traced whole; 80 such layers took about 60 s on one core


class TraceError(RuntimeError):
    """No exact estimate; the message says why and what to do."""


class MissingExtraError(TraceError):
    """The training stack is not installed."""


def exact(request: Mapping[str, Any], *, seconds: float = SECONDS) -> Mapping[str, Any]:
    """Peak memory of one training step of the real model, traced on fake tensors in a child process.

    `request` has the fields of `ftc.runtime.trace.request.Request`. The answer has `allocated_gib`, `reserved_gib`,
    `breakdown_gib`, `peak_phase`, `timeline`, `layers`, `layers_traced`, `notes` and `seconds`.
    """
    parse(request)  # a wrong request is said at once, not after an import of torch
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": "", "TOKENIZERS_PARALLELISM": "false"}
    command = [sys.executable, "-m", "ftc.runtime.trace"]
    try:
        child = subprocess.run(
            command, input=json.dumps(request), capture_output=True, text=True, timeout=seconds, env=environment
        )
    except subprocess.TimeoutExpired as error:
        raise TraceError(f"the trace took more than {seconds:.0f} s and was stopped; leave --exact out") from error
    answer = _last_json(child.stdout)
    if answer is None:
        said = child.stderr.strip().splitlines()[-1:] or [f"exit code {child.returncode}"]
        raise TraceError(f"the trace failed: {said[0]}")
    if answer.get("kind") == "missing":
        raise MissingExtraError(
            f"--exact builds the real model and needs the training stack ({answer.get('module') or answer['error']} "
            'is missing): pip install "finetune-compiler[train]"'
        )
    if answer.get("kind") == "request":
        raise RequestError(answer["error"])
    return answer


def _last_json(text: str) -> dict[str, Any] | None:
    for line in reversed(text.splitlines()):
        try:
            found = json.loads(line)
        except json.JSONDecodeError:
            continue
        return found if isinstance(found, dict) else None
    return None
