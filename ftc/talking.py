"""A conversation with a model that answers in a process of its own; nothing heavy is imported here."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from ftc.spec.diagnostics import Diagnostic, Refused

TUNED, BASE = "tuned", "base"
Say = Callable[[str], None]
Ask = Callable[[str, Sequence[Mapping[str, str]], Say], str]


@contextmanager
def talking(told: Mapping[str, Any], on_state: Say) -> Iterator[Ask]:
    """The process that answers, from its start to its end. Raises Refused where it cannot; blocks while it loads."""
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "ftc.runtime.chatting"], text=True, encoding="utf-8",
        env={**os.environ, "TOKENIZERS_PARALLELISM": "false", "HF_HUB_DISABLE_PROGRESS_BARS": "1"},
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
    )  # fmt: skip

    def send(value: Mapping[str, Any]) -> None:
        if process.stdin is None:
            raise ValueError("the process has no input")
        process.stdin.write(json.dumps(value, ensure_ascii=False) + "\n")
        process.stdin.flush()

    def heard() -> dict[str, Any]:
        line = process.stdout.readline() if process.stdout else ""
        found: dict[str, Any] = json.loads(line) if line else {"error": "the process that answers has ended"}
        if "error" in found:
            raise Refused([Diagnostic(code="R107", message=found["error"])], 1)
        return found

    def ask(name: str, messages: Sequence[Mapping[str, str]], say: Say) -> str:
        send({"model": name, "messages": list(messages)})
        streamed = False
        while "answer" not in (found := heard()):
            streamed = True
            say(str(found.get("text", "")))
        if not streamed:
            say(str(found["answer"]))
        return str(found["answer"])

    try:
        send(told)
        while state := heard()["state"]:
            on_state(str(state))
        yield ask
    finally:
        process.kill()
        process.wait()
