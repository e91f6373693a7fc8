"""A spec in the making: keys of the other configuration are taken one by one, what is left becomes notes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ftc.advisor.overrides import ALLOWED
from ftc.spec.diagnostics import Diagnostic, Severity

Json = Any

# The names of other tools' optimisers and schedules, where ftc has another one for the same.
OPTIMIZERS = {
    "adamw_bnb_8bit": "adamw_8bit",
    "adamw_hf": "adamw_torch",
    "adamw": "adamw_torch",
    "paged_adamw": "paged_adamw_32bit",
}
ATTENTION = {"fa2": "flash_attention_2", "disabled": "eager", "kernels-community/flash-attn2": "flash_attention_2"}
TARGETS = {"all": "all-linear"}
# Where results go and what is reported does not change what is trained.
SILENT_KEYS = frozenset(
    {"output_dir", "overwrite_output_dir", "report_to", "run_name", "plot_loss", "do_train", "do_eval", "hub_model_id"}
    | {"push_to_hub", "dataset_prepared_path", "overwrite_cache", "preprocessing_num_workers", "logging_strategy"}
    | {"dataloader_num_workers", "ddp_timeout", "save_strategy", "eval_strategy", "save_safetensors", "strict"}
    | {"special_tokens", "tf32", "save_only_model", "resume_from_checkpoint", "auto_resume_from_checkpoints"}
)
SILENT_PREFIXES = ("wandb_", "mlflow_", "comet_", "use_wandb", "trackio_", "gradio_", "swanlab_", "dataset_num_proc")


@dataclass(slots=True, kw_only=True)
class Draft:
    """The other configuration, and the spec so far."""

    config: Mapping[str, Json]
    read: Callable[[str], str | None]  # a file beside the configuration, or None
    taken: set[str] = field(default_factory=set)
    data: dict[str, Json] = field(default_factory=dict)
    model: dict[str, Json] = field(default_factory=dict)
    overrides: dict[str, Json] = field(default_factory=dict)
    method: str = "auto"
    task: str = "generation"
    seed: int | None = None
    notes: list[Diagnostic] = field(default_factory=list)

    def take(self, key: str, default: Json = None) -> Json:
        """The value of `key`, which is thereby accounted for; None is as good as absent."""
        self.taken.add(key)
        value = self.config.get(key)
        return default if value is None else value

    def word(self, key: str, default: str = "") -> str:
        """The value of `key` where it is text, else `default`, with a note where something else stands there."""
        value = self.take(key, default)
        if isinstance(value, str):
            return value
        self.say(key, f"{key}: {_short(value)} is no word")
        return default

    def say(self, key: str, message: str, fix: str = "") -> None:
        """A note about one key."""
        self.notes.append(Diagnostic(code="R730", severity=Severity.NOTE, message=message, fix=fix, key=key))

    def override(self, name: str, value: Json, key: str) -> None:
        """Set a hyper-parameter, in the type that ftc has for it; a note where ftc would refuse the value."""
        if value is None:
            return
        allowed = ALLOWED[name]
        value = _typed(value, allowed.type)
        outside = isinstance(value, float | int) and not allowed.low <= value <= allowed.high
        if value is None or outside or (allowed.words and value not in allowed.words):
            self.say(key, f"{key}: {self.config.get(key)!r} is nothing that {name} may hold; ftc decides it by rule")
            return
        self.overrides[name] = value

    def overrides_from(self, names: Mapping[str, str]) -> None:
        """Every key of `names` that the configuration has, as the override that it stands for."""
        for key, name in names.items():
            value = self.take(key)
            for table in (OPTIMIZERS, ATTENTION):
                value = table.get(value, value) if isinstance(value, str) else value
            self.override(name, value, key)

    def finish(self, name: str) -> dict[str, Json]:
        """The spec; everything that was not taken and means something is noted."""
        for key in sorted(self.config.keys() - self.taken):
            value = self.config[key]
            silent = key in SILENT_KEYS or key.startswith(SILENT_PREFIXES)
            if not silent and value not in (None, False, "", [], {}):
                self.say(key, f"{key}: {_short(value)} is nothing that a spec says")
        if self.method != "auto":
            self.say("goal.task", "a configuration does not say what the model is for", f"goal: {{task: {self.task}}}")
        spec: dict[str, Json] = {"version": 1, "name": name, "goal": {"task": self.task}}
        for key, value in (("data", self.data), ("model", self.model)):
            if value:
                spec[key] = value
        if self.method != "auto":
            spec["method"] = self.method
        if self.overrides:
            spec["overrides"] = dict(sorted(self.overrides.items()))
        if self.seed is not None:
            spec["seed"] = self.seed
        return spec


def _typed(value: Json, wanted: type) -> Json:
    """`value` as `wanted`: YAML reads 1e-4 as text, and 3.0 may be a count. None where it cannot be."""
    if isinstance(value, bool) or wanted is bool:
        return value if isinstance(value, bool) and wanted is bool else None
    try:
        number = float(value) if wanted in (int, float) else None
    except (TypeError, ValueError):
        return None
    if number is None:
        return value if isinstance(value, str) else None
    if wanted is float:
        return number
    return int(number) if number.is_integer() else None


def _short(value: Json) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def dtype_of(draft: Draft) -> None:
    """`bf16: true` and its like."""
    bf16, fp16, pure = draft.take("bf16"), draft.take("fp16"), draft.take("pure_bf16")
    if bf16 is True or bf16 == "full" or pure:
        draft.overrides["dtype"] = "bf16"
    elif fp16 is True:
        draft.overrides["dtype"] = "fp16"
    elif bf16 is False and not fp16:
        draft.overrides["dtype"] = "fp32"


def targets_of(value: Json) -> str | None:
    """LoRA targets as one word or a comma-separated list."""
    if isinstance(value, list):
        value = ",".join(str(each) for each in value)
    if not isinstance(value, str) or not value:
        return None
    names = [each.strip() for each in value.split(",")]
    if sorted(names) == ["k_proj", "o_proj", "q_proj", "v_proj"]:
        return "attention"
    return TARGETS.get(value, ",".join(names))


def supervised(adapter: str | None, four_bit: bool) -> str:
    """The method of supervised training with this adapter."""
    if adapter is None:
        return "sft-full"
    return "sft-qlora" if four_bit or adapter == "qlora" else "sft-lora"


def listed(value: Json) -> list[dict[str, Json]]:
    """The mappings in a list; nothing where it is none."""
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []
