"""From the parts of a row (role -> value) to its canonical form, one function a format.

A row that does not fit raises `Unfit` with its code; nothing is dropped here and nothing is repaired in silence. What
was cut from a row that is still used is said through `Note`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from ftc.spec.columns import PARAGRAPHS, Values, as_text
from ftc.spec.data.records import Json
from ftc.spec.rows import Demonstration, Document, Message, Pair, Prompt, Ranking, Row, Thumb
from ftc.spec.turns import Unfit, check_order, in_order, is_turns, messages_of

LINES = "\n"
_LIST = "; "  # between the parts of an answer that is a list

GOOD = frozenset(
    ("true", "1", "good", "yes", "up", "thumbs_up", "thumbs up", "like", "liked", "positive", "desirable", "+1", "👍",
     "accepted", "correct")
)  # fmt: skip
BAD = frozenset(
    ("false", "0", "-1", "bad", "no", "down", "thumbs_down", "thumbs down", "dislike", "disliked", "negative",
     "undesirable", "👎", "rejected", "incorrect")
)  # fmt: skip
FIRST = frozenset(("a", "0", "1st", "first", "left", "model_a", "response_a", "answer_a", "a is better"))
SECOND = frozenset(("b", "1", "2nd", "second", "right", "model_b", "response_b", "answer_b", "b is better"))


@dataclass(frozen=True, slots=True)
class Note:
    """A row that is used, but not whole."""

    row: Row
    code: str


Converter = Callable[[Values, str], Row | Note]


def _prompt_text(values: Values) -> str:
    """Instruction or question, with its input; a context stands before it."""
    asked = _paragraphs(as_text(values.get("prompt"), LINES), as_text(values.get("input"), LINES))
    if not asked:
        raise Unfit("D201", "the prompt is empty")
    return _paragraphs(as_text(values.get("context"), PARAGRAPHS), asked)


def _paragraphs(*parts: str | None) -> str:
    return PARAGRAPHS.join(part for part in parts if part and part.strip())


def _prompt_messages(values: Values) -> list[Message]:
    """The prompt as turns: as they stand, or a system text, earlier turns and one user turn."""
    prompt = values.get("prompt")
    if isinstance(prompt, str) and len(values) == 2 and prompt.strip():
        return [Message(role="user", content=prompt)]  # the plain case: a question and its answer
    before = _system(values)
    if is_turns(prompt) or isinstance(prompt, dict):
        messages = messages_of(prompt)
        return messages if messages[0].role == "system" else before + messages
    for pair in values.get("history") or ():
        if isinstance(pair, list) and len(pair) == 2:
            asked, answered = as_text(pair[0], LINES) or "", as_text(pair[1], LINES) or ""
            before += [Message(role="user", content=asked), Message(role="assistant", content=answered)]
    return [*before, Message(role="user", content=_prompt_text(values))]


def _system(values: Values) -> list[Message]:
    system = as_text(values.get("system"), LINES)
    return [Message(role="system", content=system)] if system and system.strip() else []


def _tools(values: Values) -> str | None:
    tools = as_text(values.get("tools"), LINES)
    return tools if tools and tools.strip() not in ("", "[]", "{}") else None


def _group(values: Values) -> str | None:
    return as_text(values.get("group"), LINES)


def _supervised(values: Values, place: str) -> Row:
    messages = _prompt_messages(values)
    completion = values.get("completion", values.get("label"))
    if is_turns(completion) or (isinstance(completion, dict) and "content" in completion):
        answer = messages_of(completion)[-1].content
    else:
        answer = as_text(completion, _LIST) or ""
    if not answer.strip():
        raise Unfit("D202", "the completion is empty")
    messages.append(Message(role="assistant", content=answer))
    check_order(messages)
    return Demonstration(messages=tuple(messages), place=place, tools=_tools(values), group=_group(values))


def _classified(values: Values, place: str) -> Row:
    label = (as_text(values.get("label", values.get("completion")), _LIST) or "").strip()
    if not label:
        raise Unfit("D202", "the label is empty")
    messages = (*_prompt_messages(values), Message(role="assistant", content=label))
    return Demonstration(messages=messages, place=place, label=label, group=_group(values))


def _chat(values: Values, place: str) -> Row | Note:
    turns = messages_of(values.get("messages"))
    if turns[0].role != "system":
        turns = _system(values) + turns
    messages = in_order(turns)
    row = Demonstration(messages=messages, place=place, tools=_tools(values), group=_group(values))
    return row if len(messages) == len(turns) else Note(row, "D205")


def _answer(value: Json, whole: bool = False) -> tuple[list[Message], str]:
    """An answer of a pair, with the turns before it where it is a conversation; `whole`: a text may be one, too."""
    turns = messages_of(value) if isinstance(value, dict) or is_turns(value) else None
    if turns is None and whole and isinstance(value, str):
        turns = _hh_turns(value)
    if turns is None:
        return [], as_text(value, LINES) or ""
    if turns[-1].role != "assistant":
        raise Unfit("D204", "an answer that does not end with the assistant")
    return turns[:-1], turns[-1].content


def _hh_turns(text: str) -> list[Message] | None:
    """`Human: … Assistant: …` in one text, as Anthropic's HH-RLHF has it; None where it is no such text."""
    if "\n\nHuman:" not in text or "\n\nAssistant:" not in text:
        return None
    turns: list[Message] = []
    for part in text.split("\n\nHuman:")[1:]:
        asked, *answers = part.split("\n\nAssistant:")
        turns.append(Message(role="user", content=asked.strip()))
        turns += [Message(role="assistant", content=answer.strip()) for answer in answers]
    return turns


def _pair(values: Values, place: str) -> Row:
    whole = not values.get("prompt")
    (before_one, good), (before_other, bad) = (_answer(each, whole) for each in _ordered(values))
    if before_one or before_other:
        if before_one != before_other:
            raise Unfit("D115", "the two conversations differ before their last answer")
        messages = before_one if before_one[0].role == "system" else _system(values) + before_one
    else:
        messages = _prompt_messages(values)
    if not good.strip() or not bad.strip():
        raise Unfit("D202", "one of the answers is empty")
    if good.strip() == bad.strip():
        raise Unfit("D206", "the chosen and the rejected answer are the same")
    _ends_with_user(messages)
    return Pair(prompt=tuple(messages), chosen=good, rejected=bad, place=place, group=_group(values))


def _ordered(values: Values) -> tuple[Json, Json]:
    """Chosen and rejected, by columns of their own or by a column that says which of two is better."""
    if "first" not in values:
        return values.get("chosen"), values.get("rejected")
    verdict = (as_text(values.get("preferred"), LINES) or "").strip().lower()
    if verdict in FIRST:
        return values["first"], values["second"]
    if verdict in SECOND:
        return values["second"], values["first"]
    raise Unfit("D206", f'"{verdict}" prefers neither')


def _ends_with_user(messages: list[Message]) -> None:
    check_order(messages)
    if messages[-1].role not in ("user", "tool"):
        raise Unfit("D203", "the prompt does not end with the user")


def _thumb(values: Values, place: str) -> Row:
    good = _verdict(values.get("good"))
    if "messages" in values:
        turns = in_order(messages_of(values["messages"]))
        messages, completion = [*(_system(values) if turns[0].role != "system" else ()), *turns[:-1]], turns[-1].content
    else:
        messages = _prompt_messages(values)
        before, completion = _answer(values.get("completion"))
        messages = before or messages
    if not completion.strip():
        raise Unfit("D202", "the answer is empty")
    _ends_with_user(messages)
    return Thumb(prompt=tuple(messages), completion=completion, good=good, place=place, group=_group(values))


def _verdict(value: Json) -> bool:
    word = (as_text(value, LINES) or "").strip().lower()
    if word in GOOD:
        return True
    if word in BAD:
        return False
    raise Unfit("D207", f'"{word}" says neither good nor bad')


def _ranking(values: Values, place: str) -> Row:
    answers = values.get("answers")
    if isinstance(answers, str):
        answers = messages_json(answers)
    if not isinstance(answers, list):
        raise Unfit("D115", "no list of answers")
    texts = [_answer_text(each) for each in answers]
    order = values.get("ranking")
    scores = values.get("scores") if order is None else None
    if order is None and scores is None and answers and all(isinstance(each, dict) for each in answers):
        order = [each.get("rank") for each in answers] if all("rank" in each for each in answers) else None
        scores = [each.get("score", each.get("rating")) for each in answers] if order is None else None
        scores = None if scores is not None and None in scores else scores
    texts = _by_rank(texts, order, scores)
    if len(texts) < 2:
        raise Unfit("D209", "fewer than two different answers")
    messages = _prompt_messages(values)
    _ends_with_user(messages)
    return Ranking(prompt=tuple(messages), answers=tuple(texts), place=place, group=_group(values))


def messages_json(text: str) -> Json:
    """A list that stands as JSON in a cell of a table. Raises Unfit."""
    import orjson

    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        raise Unfit("D115", "a list that is not JSON") from None


def _answer_text(value: Json) -> str:
    if isinstance(value, dict):
        for key in ("content", "text", "response", "answer", "completion", "value", "output"):
            if key in value:
                return as_text(value[key], LINES) or ""
    if is_turns(value):
        return messages_of(value)[-1].content
    return as_text(value, LINES) or ""


def _by_rank(texts: list[str], order: Json, scores: Json) -> list[str]:
    """The texts, best first, each once. `order` counts from the best; of `scores`, more is better."""
    keys = order if order is not None else scores
    if isinstance(keys, str):
        keys = messages_json(keys)
    if keys is not None:
        if (
            not isinstance(keys, list)
            or len(keys) != len(texts)
            or not all(isinstance(each, int | float) for each in keys)
        ):
            raise Unfit("D115", "ranks or scores that do not match the answers")
        ranked = sorted(zip(keys, texts, strict=True), key=lambda each: each[0], reverse=order is None)
        texts = [text for _, text in ranked]
    return list(dict.fromkeys(text for text in texts if text.strip()))


def _bare_prompt(values: Values, place: str) -> Row:
    if "messages" in values:
        messages = messages_of(values["messages"])
        while messages and messages[-1].role == "assistant":
            messages.pop()
        messages = messages if messages and messages[0].role == "system" else _system(values) + messages
        if not messages:
            raise Unfit("D201", "no user turn with text")
    else:
        messages = _prompt_messages(values)
    _ends_with_user(messages)
    answer, tests = as_text(values.get("answer"), _LIST), as_text(values.get("tests"), LINES)
    if ("answer" in values or "tests" in values) and not (answer and answer.strip()) and not (tests and tests.strip()):
        raise Unfit("D202", "nothing to check an answer against")
    return Prompt(
        prompt=tuple(messages), place=place, answer=final_answer(answer) if answer else None, tests=tests,
        group=_group(values),
    )  # fmt: skip


def final_answer(text: str) -> str:
    r"""What stands after `####` (GSM8K) or in the last `\boxed{}` (MATH); the whole text where there is neither."""
    if "####" in text:
        return text.rpartition("####")[2].strip()
    start = text.rfind("\\boxed{")
    if start < 0:
        return text.strip()
    depth, begin = 0, start + len("\\boxed")
    for index in range(begin, len(text)):
        depth += {"{": 1, "}": -1}.get(text[index], 0)
        if depth == 0:
            return text[begin + 1 : index].strip()
    return text.strip()


def _document(values: Values, place: str) -> Row:
    text = as_text(values.get("text"), PARAGRAPHS)
    if not text or not text.strip():
        raise Unfit("D201", "the text is empty")
    return Document(text=text, place=place, group=_group(values))


CONVERTERS: Mapping[str, Converter] = {
    "prompt-completion": _supervised,
    "instruction": _supervised,
    "qa": _supervised,
    "question-final-answer": _supervised,
    "text-label": _classified,
    "chat": _chat,
    "preference-pairs": _pair,
    "binary-feedback": _thumb,
    "ranked": _ranking,
    "prompts": _bare_prompt,
    "prompts-with-tests": _bare_prompt,
    "text": _document,
    "raw-documents": _document,
}
