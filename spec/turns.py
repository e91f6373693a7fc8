"""Conversations in their many spellings, as messages: OpenAI's `role`/`content`, ShareGPT's `from`/`value`, and kin.

Knows the order in which turns can be trained on: at most one system turn, first; then user and assistant by turns,
where an assistant that calls a tool is answered by the tool.
"""

from __future__ import annotations

from collections.abc import Sequence

from ftc.spec.columns import as_text
from ftc.spec.data.records import Json
from ftc.spec.rows import Message

ROLE_KEYS = ("role", "from", "speaker", "author", "sender")
CONTENT_KEYS = ("content", "value", "text", "message", "utterance", "body")

_ROLES: dict[str, str] = {
    **dict.fromkeys(("user", "human", "prompter", "customer", "client", "question", "instruction"), "user"),
    **dict.fromkeys(("assistant", "gpt", "bot", "model", "chatbot", "agent", "chatgpt", "ai", "answer"), "assistant"),
    **dict.fromkeys(("function_call", "tool_call", "function-call"), "assistant"),
    **dict.fromkeys(("system", "developer"), "system"),
    **dict.fromkeys(("tool", "function", "observation", "tool_response", "function_response", "ipython"), "tool"),
}


class Unfit(Exception):
    """Why a row cannot be used, by code."""

    def __init__(self, code: str, reason: str) -> None:
        self.code = code
        self.reason = reason
        super().__init__(reason)


def is_turn(value: Json) -> bool:
    """True for an object that says who speaks and what."""
    return (
        isinstance(value, dict)
        and any(isinstance(value.get(key), str) for key in ROLE_KEYS)
        and (any(key in value for key in CONTENT_KEYS) or "tool_calls" in value)
    )


def is_turns(value: Json) -> bool:
    """True for a list of turns."""
    return isinstance(value, list) and bool(value) and all(is_turn(each) for each in value)


def messages_of(value: Json) -> list[Message]:
    """The turns as they stand, in canonical roles. Raises Unfit."""
    if isinstance(value, str):
        value = _from_json(value)
    if isinstance(value, dict):
        value = [value]
    if not isinstance(value, list) or not value:
        raise Unfit("D115", "no list of turns")
    return [_message(each) for each in value]


def _from_json(text: str) -> Json:
    import orjson

    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        raise Unfit("D115", "turns that are not JSON") from None


def _message(turn: Json) -> Message:
    if not isinstance(turn, dict):
        raise Unfit("D115", "a turn that is no object")
    name = next((turn[key] for key in ROLE_KEYS if isinstance(turn.get(key), str)), None)
    role = canonical_role(name) if name is not None else None
    if role is None:
        raise Unfit("D115", f'a turn of "{name}"' if name else "a turn that does not say who speaks")
    content = _content(next((turn[key] for key in CONTENT_KEYS if turn.get(key) is not None), None))
    calls = turn.get("tool_calls") or turn.get("function_call")
    if calls:
        content = "\n".join(each for each in (content.strip(), as_text(calls, "\n")) if each)
    return Message(role=role, content=content)  # type: ignore[arg-type]


def _content(value: Json) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, list) and all(isinstance(part, dict) and "type" in part for part in value):
        if any(part["type"] not in ("text", "input_text", "output_text") for part in value):
            raise Unfit("D208", "an image or another part that is not text")
        return "\n".join(str(part.get("text", "")) for part in value)
    return as_text(value, "\n") or ""


def canonical_role(name: str) -> str | None:
    """The role that is meant by a name; None where it is none."""
    return _ROLES.get(name.strip().lower())


_FOLLOWS: dict[str | None, tuple[str, ...]] = {
    "start": ("system", "user"),
    "system": ("user",),
    "user": ("assistant",),
    "assistant": ("user", "tool"),
    "tool": ("assistant", "tool"),
}


def _misplaced(roles: Sequence[str | None]) -> int | None:
    """The index of the first role that cannot stand where it stands."""
    before: str | None = "start"
    for index, role in enumerate(roles):
        if role not in _FOLLOWS[before]:
            return index
        before = role
    return None


def cut_in_order(roles: Sequence[str | None]) -> int | None:
    """The index of the last assistant turn, where all turns up to it are in order."""
    last = next((index for index in range(len(roles) - 1, -1, -1) if roles[index] == "assistant"), None)
    if last is None or None in roles or _misplaced(roles[: last + 1]) is not None:
        return None
    return last


def in_order(messages: list[Message]) -> tuple[Message, ...]:
    """The conversation up to its last assistant turn, once its order is checked. Raises Unfit."""
    last = next((index for index in range(len(messages) - 1, -1, -1) if messages[index].role == "assistant"), None)
    if last is None:
        raise Unfit("D204", "no assistant turn")
    kept = messages[: last + 1]
    check_order(kept)
    if not kept[-1].content.strip():
        raise Unfit("D202", "the last assistant turn is empty")
    return tuple(kept)


def check_order(messages: list[Message]) -> None:
    """Raises Unfit where a turn stands after one that it cannot follow."""
    wrong = _misplaced([message.role for message in messages])
    if wrong is not None:
        role = messages[wrong].role
        raise Unfit("D203", f"{role} after {messages[wrong - 1].role}" if wrong else f"the {role} speaks first")
    if not any(message.role == "user" and message.content.strip() for message in messages):
        raise Unfit("D201", "no user turn with text")
