"""The tokenizer of `builtin:tiny`, and the files about it that stand in `spec/tiny` for the advisor to read.

Byte-level BPE, so that any text goes in and comes out unchanged. Trained on the corpus; run this module to write the
files again (`python -m ftc.runtime.tiny.tokenizer`), which a test compares with what is committed.
"""

from __future__ import annotations

import json
from importlib import resources
from pathlib import Path

from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

from ftc.runtime.tiny.corpus import dialogues, sentences
from ftc.runtime.tiny.words import COMMON

VOCABULARY = 3072  # entries: most words of the corpus whole, and the table still smaller than the layers
PAD, USER, ASSISTANT, SYSTEM, TOOL, END = (
    "<|pad|>",
    "<|user|>",
    "<|assistant|>",
    "<|system|>",
    "<|tool|>",
    "<|end|>",
)
# A word takes the blank or underscore before it along, so that `credit_card_lost` is as short as `credit card lost`.
WORDS = r"[ _]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}_]+|_+|\s+(?!\S)|\s+"

CHAT_TEMPLATE = """\
{%- for message in messages -%}
{%- if message.role == 'assistant' -%}
<|assistant|>{% generation %}{{ message.content }}<|end|>{% endgeneration %}
{%- else -%}
<|{{ message.role }}|>{{ message.content }}<|end|>
{%- endif -%}
{%- endfor -%}
{%- if add_generation_prompt -%}<|assistant|>{%- endif -%}
"""

CONFIG = {
    "architectures": ["LlamaForCausalLM"],
    "attention_bias": False,
    "attention_dropout": 0.0,
    "bos_token_id": None,
    "dtype": "float32",
    "head_dim": 64,
    "hidden_act": "silu",
    "hidden_size": 256,
    "initializer_range": 0.02,
    "intermediate_size": 512,
    "max_position_embeddings": 512,
    "mlp_bias": False,
    "model_type": "llama",
    "num_attention_heads": 4,
    "num_hidden_layers": 2,
    "num_key_value_heads": 4,
    "rms_norm_eps": 1e-06,
    "rope_theta": 10000.0,
    "tie_word_embeddings": True,
    "use_cache": True,
    "vocab_size": VOCABULARY,
}


def committed() -> Path:
    """The folder `spec/tiny`."""
    return Path(str(resources.files("ftc.spec"))) / "tiny"


def train() -> Tokenizer:
    """The tokenizer, from the corpus alone."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(WORDS), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=[PAD, USER, ASSISTANT, SYSTEM, TOOL, END],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    texts = [turn for turns in dialogues(30_000, seed=1) for turn in turns]
    texts += list(sentences(3_000, seed=1))
    texts += [f" {word}" for word in COMMON for _ in range(4)]
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


def write(folder: Path) -> None:
    """Everything about the model but its weights."""
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = train()
    tokenizer.save(str(folder / "tokenizer.json"))
    ids = {"eos_token_id": tokenizer.token_to_id(END), "pad_token_id": tokenizer.token_to_id(PAD)}
    _write_json(folder / "config.json", {**CONFIG, **ids})
    _write_json(folder / "generation_config.json", ids)
    _write_json(
        folder / "tokenizer_config.json",
        {
            "clean_up_tokenization_spaces": False,
            "eos_token": END,
            "model_max_length": CONFIG["max_position_embeddings"],
            "pad_token": PAD,
            "padding_side": "right",
            "tokenizer_class": "PreTrainedTokenizerFast",
        },
    )
    (folder / "chat_template.jinja").write_text(CHAT_TEMPLATE, encoding="utf-8")


def _write_json(path: Path, value: object) -> None:
    path.write_text(json.dumps(value, indent=1, sort_keys=True) + "\n", encoding="utf-8")


if __name__ == "__main__":
    write(committed())
