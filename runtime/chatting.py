"""A process that answers turn by turn, as text comes: `python -m ftc.runtime.chatting`, everything on standard input.

The first line is `{"place": RUN or folder or hub id, "models": ["tuned", "base"], "adapter": false, "max_new_tokens":
256, "temperature": 0.0, "seed": 0}`, every further one `{"model": "tuned", "messages": [...]}`. Answers come back as
`{"text": "..."}` piece by piece and end with `{"answer": "..."}`; `{"state": "..."}` says what takes its time and
`{"error": "..."}` what cannot be. A run whose result is a prompt asks the base with it.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ftc.runtime.run_folder import RunFolder

Message = Mapping[str, str]
Answer = Callable[[Sequence[Message]], str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Manner:
    """How answers are drawn: greedily where the temperature is 0."""

    max_new_tokens: int
    temperature: float
    seed: int


def main() -> int:
    """Answer until the input ends."""
    told = json.loads(sys.stdin.readline())
    manner = Manner(**{name: told[name] for name in Manner.__slots__})
    try:
        answering = {name: _answering(str(told["place"]), name, told["adapter"], manner) for name in told["models"]}
    except Exception as error:  # whatever a model's files hold: the front door says it in one line
        _say({"error": f"{type(error).__name__}: {error}".splitlines()[0]})
        return 1
    _say({"state": ""})
    for line in sys.stdin:
        asked = json.loads(line)
        _say({"answer": answering[asked["model"]](asked["messages"])})
    return 0


def _say(value: Mapping[str, Any]) -> None:
    sys.stdout.write(json.dumps(value, ensure_ascii=False) + "\n")
    sys.stdout.flush()


def _answering(place: str, name: str, adapter: bool, manner: Manner) -> Answer:
    """Who answers under that name: the result of a run, its base, or the model of a plain folder or hub id."""
    _say({"state": f"loading {place} ({name})"})
    if not RunFolder(Path(place)).plan.is_file():
        if name != "tuned":
            raise ValueError(f"{place} is no run, so there is no base beside it")
        return _plain(place, manner)
    from ftc.runtime.context import open_context, results
    from ftc.runtime.prompting.pack import FOLDER as PROMPT
    from ftc.runtime.prompting.pack import read_pack

    run = RunFolder(Path(place))
    context = open_context(run.path, _first_stage(run))
    prompt = run.path / PROMPT
    if name == "tuned" and prompt.is_dir():
        return _prompted(context, read_pack(prompt), manner)
    if name == "tuned" and not adapter:
        if not run.model.is_dir():
            raise ValueError(f"{place} has exported no model yet; `ftc run` goes on with it")
        return _plain(str(run.model), manner)
    from ftc.runtime.asking import Endpoint, who
    from ftc.runtime.loading import ADAPTER_CONFIG, BASE

    what = BASE
    if name == "tuned":
        done = results(context.past)
        adapters = [
            key for key, each in done.items() if (run.stage(key) / str(each.get("model")) / ADAPTER_CONFIG).exists()
        ]
        if not adapters:
            raise ValueError(f"{place} has trained no adapter")
        what = adapters[-1]
    dtype = next((str(each.arguments["dtype"]) for each in context.plan.stages if "dtype" in each.arguments), "fp32")
    one = who(context, what, dtype=dtype, quantized=None)
    if isinstance(one, Endpoint):
        return lambda messages: one.answer([_row(messages)], max_new_tokens=manner.max_new_tokens, batch_size=1)[0]
    return lambda messages: stream(one.model, one.tokenizer, messages, manner)


def _first_stage(run: RunFolder) -> str:
    return str(json.loads(run.plan.read_bytes())["stages"][0]["id"])


def _plain(place: str, manner: Manner) -> Answer:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(place)
    model: Any = AutoModelForCausalLM.from_pretrained(place, use_safetensors=True, dtype="auto").eval()
    device = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    model = model.to(device)
    return lambda messages: stream(model, tokenizer, messages, manner)


def _prompted(context: Any, pack: Any, manner: Manner) -> Answer:
    """The base with the prompt that was found, held to labels or a schema where that belongs to it."""
    from ftc.runtime.asking import who
    from ftc.runtime.loading import BASE
    from ftc.runtime.prompting.pack import asked

    one = who(context, BASE, dtype="fp32", quantized=None)

    def answer(messages: Sequence[Message]) -> str:
        return one.answer(
            [asked(pack, _row(messages))],
            max_new_tokens=manner.max_new_tokens,
            batch_size=1,
            labels=pack.labels if pack.constrain_labels else (),
            json_schema=pack.json_schema,
        )[0]

    return answer


def _row(messages: Sequence[Message]) -> dict[str, Any]:
    return {"messages": [*messages, {"role": "assistant", "content": ""}]}


def stream(model: Any, tokenizer: Any, messages: Sequence[Message], manner: Manner) -> str:
    """The answer, said piece by piece on the way."""
    import torch
    from transformers import TextStreamer

    from ftc.runtime.answers import end_tokens
    from ftc.runtime.tokens import prompt_ids

    pieces: list[str] = []

    class Said(TextStreamer):  # type: ignore[misc]
        """transformers' streamer, with pieces as lines of JSON."""

        def on_finalized_text(self, text: str, stream_end: bool = False) -> None:
            if text:
                pieces.append(text)
                _say({"text": text})

    torch.manual_seed(manner.seed)
    ids = torch.tensor([prompt_ids(tokenizer, [_row(messages)])[0]]).to(model.device)
    drawn = {"do_sample": True, "temperature": manner.temperature} if manner.temperature else {"do_sample": False}
    with torch.inference_mode():
        model.generate(
            input_ids=ids,
            attention_mask=torch.ones_like(ids),
            max_new_tokens=manner.max_new_tokens,
            eos_token_id=end_tokens(model, tokenizer),
            pad_token_id=tokenizer.pad_token_id if tokenizer.pad_token_id is not None else tokenizer.eos_token_id,
            streamer=Said(tokenizer, skip_prompt=True, skip_special_tokens=True),
            **drawn,
        )
    return "".join(pieces).strip()


if __name__ == "__main__":
    sys.exit(main())
