"""The spec's `overrides`, checked: known keys, values of the right type, and within what makes sense at all.

Whether a value is wise is the hyper-parameter rules' business: each carries a range, and the value of an override is
shown beside it.
"""

from __future__ import annotations

from dataclasses import dataclass

from ftc.spec.diagnostics import Diagnostic
from ftc.spec.model import Scalar, Spec


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowed:
    """What an override may hold: a type, and for numbers a closed range, for words a choice."""

    type: type
    low: float = 0.0
    high: float = float("inf")
    words: tuple[str, ...] = ()


# A chain trains in several stages: `dpo.learning_rate` is that of one of them, `learning_rate` that of each.
STAGES = ("cpt", "sft", "dpo", "kto", "reward", "rloo", "grpo")
ON_POLICY = ("rloo", "grpo")

_COUNT = Allowed(type=int, low=1)
_SHARE = Allowed(type=float, high=1.0)
_RATE = Allowed(type=float, low=1e-9, high=1.0)
_SWITCH = Allowed(type=bool)
_NUMBERS = Allowed(type=str, words=("bf16", "fp16", "fp32"))

ALLOWED: dict[str, Allowed] = {
    "learning_rate": _RATE,
    "scheduler": Allowed(
        type=str, words=("cosine", "linear", "constant", "constant_with_warmup", "cosine_with_min_lr")
    ),
    "warmup_steps": Allowed(type=int),
    "epochs": Allowed(type=float, low=1e-3, high=1000),
    "steps": _COUNT,
    "effective_batch": _COUNT,
    "micro_batch": _COUNT,
    "gradient_accumulation": _COUNT,
    "max_length": Allowed(type=int, low=8),
    "packing": _SWITCH,
    "group_by_length": _SWITCH,
    "optimizer": Allowed(
        type=str,
        words=("adamw_torch", "adamw_torch_fused", "adamw_8bit", "paged_adamw_8bit", "paged_adamw_32bit", "adafactor",
               "sgd"),
    ),
    "weight_decay": _SHARE,
    "max_grad_norm": Allowed(type=float, high=1e6),
    "neftune_alpha": Allowed(type=float, high=100),
    "dtype": _NUMBERS,
    "checkpointing": _SWITCH,
    "attention": Allowed(type=str, words=("sdpa", "eager", "flash_attention_2")),
    "chunked_loss": _SWITCH,
    "loss_on": Allowed(type=str, words=("completion", "assistant", "all")),
    "lora.rank": Allowed(type=int, low=1, high=4096),
    "lora.alpha": Allowed(type=int, low=1, high=16384),
    "lora.dropout": Allowed(type=float, high=0.9),
    "lora.targets": Allowed(type=str),
    "lora.rslora": _SWITCH,
    "lora.dora": _SWITCH,
    "lora.dtype": Allowed(type=str, words=("bf16", "fp32")),
    "quantization.type": Allowed(type=str, words=("nf4", "fp4")),
    "quantization.double_quant": _SWITCH,
    "quantization.compute_dtype": _NUMBERS,
    "logging_steps": _COUNT,
    "eval_steps": _COUNT,
    "save_steps": _COUNT,
    "keep_checkpoints": _COUNT,
    "early_stopping_patience": _COUNT,
    "seed": Allowed(type=int),
    "dpo.beta": Allowed(type=float, low=1e-4, high=10),
    "kto.beta": Allowed(type=float, low=1e-4, high=10),
    "kto.desirable_weight": Allowed(type=float, low=1e-3, high=1000),
    "kto.undesirable_weight": Allowed(type=float, low=1e-3, high=1000),
    "grpo.group": Allowed(type=int, low=2, high=256),
    "grpo.beta": _SHARE,
    "grpo.max_completion_length": _COUNT,
    "grpo.temperature": Allowed(type=float, low=0.01, high=5),
    "cpt.replay": Allowed(type=float, high=0.95),
    "reward.least_accuracy": Allowed(type=float, low=0.5, high=1.0),
}  # fmt: skip


def check_overrides(spec: Spec) -> list[Diagnostic]:
    """An S-coded error for each override that cannot be, and for those that cannot be together."""
    wrong = [found for key, value in spec.overrides.items() if (found := _check(key, value)) is not None]
    return wrong or _unwatched(spec)


def _check(key: str, value: Scalar) -> Diagnostic | None:
    where = f"overrides.{key}"
    stage, _, name = key.partition(".")
    allowed = ALLOWED.get(key) or (ALLOWED.get(name) if stage in STAGES else None)
    if allowed is None:
        return Diagnostic(code="S130", key=where, message=f"no setting called {key}{_near(key)}")
    if not _fits(value, allowed.type):
        wanted = {int: "a whole number", float: "a number", bool: "true or false", str: "a word"}[allowed.type]
        return Diagnostic(code="S131", key=where, message=f"{value!r} is not {wanted}")
    if allowed.words and value not in allowed.words:
        return Diagnostic(code="S131", key=where, message=f"{value!r} is none of {', '.join(allowed.words)}")
    if isinstance(value, int | float) and not isinstance(value, bool) and not allowed.low <= value <= allowed.high:
        return Diagnostic(code="S132", key=where, message=f"{value:g} is outside {allowed.low:g} to {allowed.high:g}")
    return None


def _unwatched(spec: Spec) -> list[Diagnostic]:
    """An error where checkpoints fall between evaluations: the best one is kept by a loss that they would not have.

    transformers' TrainingArguments refuses it (`load_best_model_at_end`), after the model has been loaded. Policies are
    judged by their reward and keep their last checkpoint.
    """
    given, found = spec.overrides, []
    for stage in (each for each in STAGES if each not in ON_POLICY):
        saved = next((key for key in (f"{stage}.save_steps", "save_steps") if key in given), None)
        evaluated = next((key for key in (f"{stage}.eval_steps", "eval_steps") if key in given), None)
        if saved is None or evaluated is None or spec.method in ON_POLICY:
            continue
        every, watched = given[saved], given[evaluated]
        if isinstance(every, int) and isinstance(watched, int) and every % watched:
            message = f"checkpoints every {every} steps fall between evaluations every {watched}"
            nearest = max(1, round(every / watched)) * watched
            fix = f"{saved}: {nearest}, or leave {evaluated} to the rule"
            found.append(Diagnostic(code="S135", key=f"overrides.{saved}", message=message, fix=fix))
    return list(dict.fromkeys(found))


def _fits(value: Scalar, wanted: type) -> bool:
    """True where the value has the type; whole numbers are numbers, truth values are not."""
    if isinstance(value, bool):
        return wanted is bool
    if wanted is float:
        return isinstance(value, int | float)
    return isinstance(value, wanted)


def _near(key: str) -> str:
    from rapidfuzz import process  # 20 ms, only for a message

    found = process.extractOne(key, list(ALLOWED), score_cutoff=60)
    return f"; did you mean {found[0]}?" if found else ""
