"""A process that answers prompts by sampling: `python -m ftc.runtime.sampling`, settings and prompts on standard input.

The first line is `{"models": [...], "each": 2, "max_new_tokens": 256, "temperature": 1.0, "seed": 0}`, every further
line `{"id": ..., "messages": [...]}`. Each prompt is answered with one line `{"id": ..., "answers": [...]}`, in order;
before that, `{"state": "..."}` lines say what takes its time. Models are folders that plain transformers loads, or hub
ids; safetensors only, and no code that comes with them.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any


def main() -> int:
    """Read prompts until the input ends."""
    told = json.loads(sys.stdin.readline())
    models = [_load(str(name)) for name in told["models"]]
    for line in sys.stdin:
        asked = json.loads(line)
        answers = [
            text
            for index, (model, tokenizer) in enumerate(models)
            for text in sample(model, tokenizer, asked["messages"], told, f"{told['seed']}:{asked['id']}:{index}")
        ]
        _say({"id": asked["id"], "answers": answers})
    return 0


def _say(value: Mapping[str, Any]) -> None:
    sys.stdout.write(json.dumps(value, ensure_ascii=False) + "\n")
    sys.stdout.flush()


def _load(name: str) -> tuple[Any, Any]:
    _say({"state": f"loading {name}"})
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(name)
    model = AutoModelForCausalLM.from_pretrained(name, use_safetensors=True, dtype="auto").eval()
    device = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    return model.to(device), tokenizer


def sample(
    model: Any, tokenizer: Any, messages: Sequence[Mapping[str, str]], told: Mapping[str, Any], lot: str
) -> list[str]:
    """`each` answers to one conversation. `lot` decides what is drawn: the same lot, the same answers."""
    import hashlib

    import torch

    from ftc.runtime.answers import end_tokens

    torch.manual_seed(int.from_bytes(hashlib.sha256(lot.encode()).digest()[:4]))
    if tokenizer.chat_template:
        text = tokenizer.apply_chat_template(list(messages), add_generation_prompt=True, tokenize=False)
        inputs = tokenizer(text, return_tensors="pt", add_special_tokens=False).to(model.device)
    else:
        inputs = tokenizer("\n\n".join(str(each["content"]) for each in messages), return_tensors="pt").to(model.device)
    pad = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else tokenizer.eos_token_id
    with torch.inference_mode():
        out = model.generate(
            input_ids=inputs["input_ids"],
            attention_mask=inputs["attention_mask"],
            max_new_tokens=int(told["max_new_tokens"]),
            do_sample=float(told["temperature"]) > 0,
            temperature=float(told["temperature"]) or 1.0,
            num_return_sequences=int(told["each"]) if float(told["temperature"]) > 0 else 1,
            eos_token_id=end_tokens(model, tokenizer),
            pad_token_id=pad,
        )
    start = inputs["input_ids"].shape[1]
    return [tokenizer.decode(row[start:], skip_special_tokens=True).strip() for row in out]


if __name__ == "__main__":
    sys.exit(main())
