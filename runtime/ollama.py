"""A tokenizer's chat template in the words of an Ollama Modelfile, which knows Go templates and no Jinja.

What stands around the turns is read off conversations that the template renders, and the result is put together again
and compared: a template that does more than put something around turns is left out, with a comment that says so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

SYSTEM, USER, ASSISTANT, AGAIN = "\u0001S\u0001", "\u0001U\u0001", "\u0001A\u0001", "\u0001V\u0001"


@dataclass(frozen=True, slots=True, kw_only=True)
class Around:
    """What stands before and after a turn of each role, before the whole, and before the answer that is asked for."""

    start: str
    before: Mapping[str, str]
    after: Mapping[str, str]
    answer: str


def modelfile(tokenizer: Any, weights: str) -> str:
    """The Modelfile. `weights` is a path relative to it."""
    lines = [f"FROM {weights if weights.startswith(('.', '/')) else './' + weights}"]
    around = around_turns(tokenizer) if tokenizer.chat_template else None
    if around is None:
        lines.append("# The chat template does more than a Go template can say here; Ollama takes its own.")
    else:
        lines.append(f'TEMPLATE """{_go(around, tokenizer.bos_token)}"""')
    stops = [tokenizer.eos_token, *([around.after["assistant"].strip()] if around else [])]
    lines += [f'PARAMETER stop "{each}"' for each in dict.fromkeys(stops) if each and '"' not in each]
    return "\n".join(lines) + "\n"


def around_turns(tokenizer: Any) -> Around | None:
    """What the template puts around turns; None where that is not all it does."""
    try:
        found = _read(tokenizer)
        turns = [("system", SYSTEM), ("user", USER), ("assistant", ASSISTANT), ("user", AGAIN)]
        for some in (turns, turns[1:], turns[:2]):
            if put_together(found, some) != _rendered(tokenizer, some, answer=True):
                return None
    except Exception:  # a template may refuse a system turn, or anything else, with an error of its own
        return None
    return found


def put_together(around: Around, turns: Sequence[tuple[str, str]]) -> str:
    """A conversation as Ollama will render it."""
    said = "".join(f"{around.before[role]}{text}{around.after[role]}" for role, text in turns)
    return f"{around.start}{said}{around.answer}"


def _read(tokenizer: Any) -> Around:
    alone = _rendered(tokenizer, [("user", USER)])
    asked = _rendered(tokenizer, [("user", USER)], answer=True)
    talk = [("user", USER), ("assistant", ASSISTANT)]
    both = _rendered(tokenizer, talk)
    longer = _rendered(tokenizer, [*talk, ("user", AGAIN)])
    led = _rendered(tokenizer, [("system", SYSTEM), ("user", USER)])
    first, after_user = alone.split(USER)
    after_answer = both.split(ASSISTANT)[1]
    before_user = longer.split(ASSISTANT)[1].split(AGAIN)[0].removeprefix(after_answer)
    before_system = led.split(SYSTEM)[0]
    between = led.split(SYSTEM)[1].split(USER)[0]
    start = first.removesuffix(before_user)
    return Around(
        start=start,
        before={
            "system": before_system.removeprefix(start),
            "user": before_user,
            "assistant": both.split(USER)[1].split(ASSISTANT)[0].removeprefix(after_user),
        },
        after={"system": between.removesuffix(before_user), "user": after_user, "assistant": after_answer},
        answer=asked.removeprefix(alone),
    )


def _rendered(tokenizer: Any, turns: Sequence[tuple[str, str]], *, answer: bool = False) -> str:
    messages = [{"role": role, "content": text} for role, text in turns]
    return str(tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=answer))


def _go(around: Around, bos: str | None) -> str:
    """As Ollama writes it. The token that begins every text is left to Ollama, which puts it there itself."""
    start = around.start.removeprefix(bos) if bos else around.start
    turns = "{{ else }}".join(
        f'{{{{ if eq .Role "{role}" }}}}{around.before[role]}{{{{ .Content }}}}{around.after[role]}'
        for role in ("system", "user", "assistant")
    ).replace("{{ else }}{{ if", "{{ else if")
    return f"{start}{{{{ range .Messages }}}}{turns}{{{{ end }}}}{{{{ end }}}}{around.answer}"
