"""Whose configuration it is, and the table of readers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal, get_args

from ftc.compiler.imports.axolotl import from_axolotl
from ftc.compiler.imports.draft import Draft
from ftc.compiler.imports.llamafactory import from_llamafactory
from ftc.compiler.imports.trl import from_trl
from ftc.compiler.targets.quoting import plain_name
from ftc.compiler.targets.yaml_file import from_yaml
from ftc.spec.diagnostics import Diagnostic

Json = Any
SourceTool = Literal["axolotl", "llamafactory", "trl"]
SOURCES: tuple[SourceTool, ...] = get_args(SourceTool)
READERS: dict[str, Callable[[Draft], None]] = {
    "axolotl": from_axolotl,
    "llamafactory": from_llamafactory,
    "trl": from_trl,
}
MAX_CHARACTERS = 2**20  # a configuration has some kilobytes
# Keys that one tool alone has; TRL's are the trainer's own, which LLaMA-Factory shares.
TELLING: dict[SourceTool, frozenset[str]] = {
    "axolotl": frozenset({"base_model", "sequence_len", "micro_batch_size", "adapter", "num_epochs", "test_datasets"}),
    "llamafactory": frozenset({"stage", "finetuning_type", "template", "cutoff_len", "dataset_dir", "lora_target"}),
    "trl": frozenset({"dataset_name", "use_peft", "lora_target_modules", "dataset_train_split", "num_generations"}),
}


def import_config(
    text: str, tool: SourceTool | None = None, *, name: str = "", read: Callable[[str], str | None] = lambda _: None
) -> tuple[dict[str, Json] | None, list[Diagnostic]]:
    """The spec as a mapping, and a note for each thing that it cannot say; None where there is nothing to translate.

    `read` gives the text of a file beside the configuration. `name` is used where the configuration says none.
    """
    config, problem = _parsed(text)
    if config is None:
        return None, [problem] if problem else []
    meant = tool or _whose(config)
    if meant is None:
        message = "no key that only axolotl, LLaMA-Factory or TRL has"
        return None, [Diagnostic(code="R732", message=message, fix="--from axolotl, --from llamafactory or --from trl")]
    draft = Draft(config=config, read=read)
    READERS[meant](draft)
    spec = _usable(draft.finish(_name(config, name)), draft)
    return spec, draft.notes


def _parsed(text: str) -> tuple[dict[str, Json] | None, Diagnostic | None]:
    import yaml

    if len(text) > MAX_CHARACTERS:
        return None, Diagnostic(code="R731", message=f"longer than {MAX_CHARACTERS:,} characters")
    try:
        if "&" in text and any(
            isinstance(event, yaml.AliasEvent) for event in yaml.parse(text, Loader=yaml.SafeLoader)
        ):
            return None, Diagnostic(
                code="R731", message="anchors and aliases are not followed", fix="write the values out"
            )
        documents = list(from_yaml(text))  # JSON is YAML
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        mark = getattr(error, "problem_mark", None)
        line, column = (mark.line + 1, mark.column + 1) if mark else (0, 0)
        message = f"not YAML or JSON: {getattr(error, 'problem', None) or error}"
        return None, Diagnostic(code="R731", message=message[:300], line=line, column=column)
    value = documents[0] if len(documents) == 1 else None
    if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
        return None, Diagnostic(code="R731", message="not one mapping of keys to values")
    return value, None


def _whose(config: Mapping[str, Json]) -> SourceTool | None:
    scores = {tool: len(config.keys() & keys) for tool, keys in TELLING.items()}
    best = max(SOURCES, key=lambda tool: scores[tool])
    if scores[best]:
        return best
    return "trl" if "model_name_or_path" in config else None


def _name(config: Mapping[str, Json], given: str) -> str:
    folder = config.get("output_dir")
    last = folder.rstrip("/").rsplit("/", 1)[-1] if isinstance(folder, str) else ""
    return plain_name(given or last or "imported", 64)


def _usable(spec: dict[str, Json], draft: Draft) -> dict[str, Json]:
    """What a hand-made configuration may hold and a spec may not: sources without a path, names that are no text."""
    data: dict[str, Json] = {}
    for role, given in spec.get("data", {}).items():
        listed = given if isinstance(given, list) else [given]
        sources = [_source(each) for each in listed if each.get("path") or "fraction" in each]
        if len(sources) < len(listed):
            draft.say(role, "a data set without a path")
        if sources:
            data[role] = sources if len(sources) > 1 else sources[0]
    held = spec.get("model", {})
    model: dict[str, Json] = {key: each for key, each in held.items() if isinstance(each, str) and each}
    if held.get("trust_remote_code") is True:
        model["trust_remote_code"] = True
    seed = spec.get("seed")
    sound = isinstance(seed, int) and not isinstance(seed, bool) and 0 <= seed < 2**32
    out = {**spec, "data": data, "model": model, "seed": seed if sound else None}
    return {key: each for key, each in out.items() if each not in ({}, None)}


def _source(source: dict[str, Json]) -> dict[str, Json]:
    columns = {name: each for name, each in source.get("columns", {}).items() if each}
    plain = {key: each for key, each in source.items() if key != "columns"}
    return {**plain, "columns": columns} if columns else plain
