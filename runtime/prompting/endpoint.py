"""Asks a model behind an OpenAI-compatible endpoint: `model.base: openai:NAME`.

`OPENAI_BASE_URL` (https://api.openai.com/v1 unless set) and `OPENAI_API_KEY` come from the environment and go nowhere
else. Requests run side by side and are tried again where the endpoint says that it is busy. Weights are not at hand,
so there is no held-out loss, and answers cannot be held to labels; a JSON schema is passed on.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from ftc.runtime.codes import Stopped

PREFIX = "openai:"
BASE_URL = "https://api.openai.com/v1"
TOGETHER = 8  # requests on their way at once; endpoints that allow fewer say 429, and are asked again later
ATTEMPTS = 6
SECONDS = 120.0  # for one answer
BUSY = (408, 409, 425, 429)


class Busy(Exception):
    """The endpoint could not answer now. `seconds` is when it wants to be asked again, 0 where it does not say."""

    def __init__(self, why: str, seconds: float = 0.0) -> None:
        super().__init__(why)
        self.seconds = seconds


def answers(
    model: str,
    conversations: Sequence[Sequence[Mapping[str, str]]],
    *,
    max_new_tokens: int,
    json_schema: str | None = None,
    on_batch: Callable[[int], None] | None = None,
    longest_wait: float = 60.0,
) -> list[str]:
    """The answer to each conversation, in order. Raises Stopped (R111) where the endpoint refuses or stays silent."""
    import httpx

    url = f"{os.environ.get('OPENAI_BASE_URL', BASE_URL).rstrip('/')}/chat/completions"
    key = os.environ.get("OPENAI_API_KEY", "")
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    with httpx.Client(headers=headers, timeout=SECONDS) as client, ThreadPoolExecutor(TOGETHER) as pool:
        bodies = [_body(model, each, max_new_tokens, json_schema) for each in conversations]
        waiting = [pool.submit(_asked, client, url, body, longest_wait) for body in bodies]
        said = []
        try:
            for done, each in enumerate(waiting, start=1):
                said.append(each.result())
                if on_batch:
                    on_batch(done)
        except Stopped:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return said


def _body(model: str, messages: Sequence[Mapping[str, str]], tokens: int, json_schema: str | None) -> dict[str, Any]:
    body: dict[str, Any] = {
        "model": model.removeprefix(PREFIX), "messages": list(messages), "max_tokens": tokens, "temperature": 0
    }  # fmt: skip
    if json_schema:
        schema = {"name": "answer", "schema": json.loads(json_schema)}
        body["response_format"] = {"type": "json_schema", "json_schema": schema}
    return body


def _asked(client: Any, url: str, body: dict[str, Any], longest_wait: float) -> str:
    """One answer, however often it takes to ask."""
    from tenacity import RetryError, Retrying, retry_if_exception_type, stop_after_attempt, wait_random_exponential

    calm = wait_random_exponential(multiplier=min(1.0, longest_wait), max=longest_wait)

    def wait(state: Any) -> float:
        wanted = getattr(state.outcome.exception(), "seconds", 0.0)
        return min(longest_wait, max(float(wanted), float(calm(state))))

    trying = Retrying(stop=stop_after_attempt(ATTEMPTS), wait=wait, retry=retry_if_exception_type(Busy))
    try:
        return str(trying(_once, client, url, body))
    except RetryError as error:
        raise Stopped("R111", f"{url}: {error.last_attempt.exception()}, {ATTEMPTS} times") from None


def _once(client: Any, url: str, body: dict[str, Any]) -> str:
    import httpx

    try:
        reply = client.post(url, json=body)
    except httpx.TransportError as error:
        raise Busy(f"{type(error).__name__}: {error}") from error
    if reply.status_code == 400 and (other := _other_names(body, reply.text)) is not None:
        return _once(client, url, other)
    if reply.status_code in BUSY or reply.status_code >= 500:
        raise Busy(f"HTTP {reply.status_code}", _retry_after(reply.headers.get("retry-after", "")))
    if reply.status_code != 200:
        raise Stopped("R111", f"{url}: HTTP {reply.status_code}: {reply.text[:300]}")
    try:
        return str(reply.json()["choices"][0]["message"].get("content") or "").strip()
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise Stopped("R111", f"{url}: this is no chat completion: {reply.text[:300]}") from error


def _other_names(body: dict[str, Any], complaint: str) -> dict[str, Any] | None:
    """Models that reason take `max_completion_tokens` and no temperature; None where that was not the trouble."""
    if "max_tokens" in body and "max_completion_tokens" in complaint:
        rest = {name: value for name, value in body.items() if name != "max_tokens"}
        return {**rest, "max_completion_tokens": body["max_tokens"]}
    if "temperature" in body and "temperature" in complaint:
        return {name: value for name, value in body.items() if name != "temperature"}
    return None


def _retry_after(said: str) -> float:
    try:
        return max(0.0, float(said))
    except ValueError:
        return 0.0  # a date, or nothing
