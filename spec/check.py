"""What the schema cannot say: files that are not there, values that contradict each other, settings without effect.

Works on values that the schema has passed (what it refused has been taken out), so that nothing is complained of
twice. What needs a catalogue (models, GPUs, clouds) is the advisor's; what needs the rows is the data's.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from ftc.spec import places_on_disk as disk
from ftc.spec.complaints import join, short
from ftc.spec.diagnostics import Diagnostic, Severity
from ftc.spec.language import Json
from ftc.spec.positions import SECRET, Positions
from ftc.spec.yaml_text import yaml_text

ROLES = ("demonstrations", "feedback", "corpus", "prompts")
DESCRIBES = ("rows", "prompt_tokens", "completion_tokens", "tokens", "positive", "negative")
SHARES = (
    "accuracy", "macro_f1", "exact_match", "token_f1", "field_f1", "json_validity", "rouge_l", "chrf",
    "reward_accuracy", "win_rate",
)  # fmt: skip
LABEL_METRICS = ("accuracy", "macro_f1")
FREE_TEXT_TASKS = ("summarization", "generation", "chat", "tone", "domain-adaptation", "new-language")
FEEDBACK_WITHOUT_ROWS = ("verifiable", "reward-model", "validator-available", "to-collect")
LARGEST_REWARD_FILE = 200_000  # bytes; only parsed, never run
REWARDS = ("function", "regex", "json_schema")


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """Where the spec lies, and which keys stand in it."""

    folder: Path
    positions: Positions

    def written(self, key: str) -> bool:
        """True where the key stands in the file, even with a value that was refused."""
        return self.positions.written(key)


Check = Callable[[Mapping[str, Json], Context], Iterator[Diagnostic]]


def check(value: Mapping[str, Json], context: Context) -> list[Diagnostic]:
    """Everything that is wrong or without effect, with keys and without places."""
    return [each for one in CHECKS for each in one(value, context)]


def sources(value: Mapping[str, Json]) -> Iterator[tuple[str, str, Mapping[str, Json]]]:
    """Every set of rows as (role, dotted key, mapping), the evaluation set included."""
    data = value.get("data", {})
    for role in (*ROLES, "evaluation"):
        given = data.get(role)
        if isinstance(given, list):
            for index, each in enumerate(given):
                if isinstance(each, dict):
                    yield role, f"data.{role}[{index}]", each
        elif isinstance(given, dict):
            yield role, f"data.{role}", given


# --- data ---------------------------------------------------------------------------------------------------------


def _paths_exist(value: Mapping[str, Json], context: Context) -> Iterator[Diagnostic]:
    for _, key, source in sources(value):
        if "path" in source:
            yield from _path(source["path"], f"{key}.path", context)
    base = _base(value)
    if base.startswith(("./", "../", "/", "~", ".\\")) or base.endswith("/"):
        yield from _path(base, "model.base", context)


def _base(value: Mapping[str, Json]) -> str:
    """The model as written; `auto` where it is no text, which the schema complains about."""
    base = value.get("model", {}).get("base", "auto")
    return base if isinstance(base, str) else "auto"


def _path(path: str, key: str, context: Context) -> Iterator[Diagnostic]:
    found = disk.look_for(path, context.folder)
    if found in ("there", "hub"):
        return
    shown = short(path)
    if found == "missing":
        yield missing_path(path, key, context.folder)
    elif found == "unreadable":
        message = f'{key}: "{shown}" is there, and this user may not read it'
        yield Diagnostic(code="S123", message=message, fix=f"chmod +r {yaml_text(path)}", key=key)
    elif found == "url":
        message = f'{key}: "{shown}" is an address; ftc reads local files, folders and hub data sets (owner/name)'
        yield Diagnostic(code="S123", message=message, fix="download it and write the file's path", key=key)
    else:
        message = f'{key}: "{shown}" is neither a file nor a folder'
        yield Diagnostic(code="S123", message=message, fix="write the path of a file or folder", key=key)


def missing_path(path: str, key: str, folder: Path) -> Diagnostic:
    """S104 for a path that is not in `folder`, with what was probably meant."""
    what = "no file matches" if disk.has_pattern(path) else "no such file"
    said = f'{key}{": " if key else ""}{what}: "{short(path)}"'
    if "\\" in path and disk.exists(folder / path.replace("\\", "/")):
        fix = path.replace("\\", "/")
        return Diagnostic(code="S104", message=f"{said}; write / between folders", fix=fix, key=key)
    meant = disk.nearest(path, folder)
    if meant:
        return Diagnostic(code="S104", message=f'{said}; did you mean "{meant}"?', fix=meant, key=key)
    if not Path(path).is_absolute() and disk.exists(Path.cwd() / path):
        message = f"{said}; paths start at the folder of the spec, not at the working directory"
        return Diagnostic(code="S104", message=message, fix=str(Path.cwd() / path), key=key)
    there = disk.data_files(folder)
    hint = f"; beside the spec: {', '.join(there)}" if there else ""
    fix = "to plan before the data exists: {rows: 1000, prompt_tokens: 200, completion_tokens: 50}"
    return Diagnostic(code="S104", message=said + hint, fix=fix if key.startswith("data.") else "", key=key)


def _given_or_described(value: Mapping[str, Json], context: Context) -> Iterator[Diagnostic]:
    """Rows are given by path or described by numbers, and one of the two."""
    for role, key, source in sources(value):
        described = [name for name in DESCRIBES if name in source]
        if "path" in source and described:
            message = f"{key} has both path and {described[0]}: rows are given or described, not both"
            yield Diagnostic(code="S117", message=message, fix=f"remove {described[0]}", key=f"{key}.{described[0]}")
        if role == "evaluation":
            yield from _evaluation(source, key, context)
        elif not any(context.written(f"{key}.{name}") for name in ("path", *DESCRIBES)):
            yield from _says_nothing(role, key, source, context)
        if "path" not in source and not context.written(f"{key}.path"):
            for name in ("columns", "group_by"):
                if name in source:
                    message = f"{key}.{name} has no effect where the rows are described"
                    yield _no_effect(message, f"{key}.{name}", "")


def _says_nothing(role: str, key: str, source: Mapping[str, Json], context: Context) -> Iterator[Diagnostic]:
    if role == "corpus" and source.get("format", "auto") != "auto":
        return  # documents that exist, of a size that nobody knows: enough to choose retrieval
    feedback = source.get("type", "auto")
    if role == "feedback" and feedback in FEEDBACK_WITHOUT_ROWS:
        return
    if "type" not in source and context.written(f"{key}.type"):
        return  # a type that was refused: what it needs cannot be told
    fix = {
        "feedback": "{path: prefs.jsonl}, or described: {type: binary, rows: 9000}",
        "corpus": "{path: manuals/}, or described: {tokens: 12M}",
    }.get(role, "{path: train.csv}, or described: {rows: 1000, prompt_tokens: 200, completion_tokens: 50}")
    known_type = role == "feedback" and feedback != "auto"
    yield Diagnostic(
        code="S127",
        message=f"{key} says neither where the rows are nor how many there will be",
        severity=Severity.WARNING if known_type else Severity.ERROR,
        fix=f"{role}: {fix}",
        key=key,
    )


def _evaluation(source: Mapping[str, Json], key: str, context: Context) -> Iterator[Diagnostic]:
    for name in ("path", "rows"):
        if "fraction" in source and name in source:
            message = f"{key} has both fraction and {name}: rows are split off or stand apart, not both"
            yield Diagnostic(code="S117", message=message, fix="remove fraction", key=f"{key}.fraction")
            return
    if source and not any(context.written(f"{key}.{name}") for name in ("path", "rows", "fraction")):
        message = f"{key} says neither where the held-out rows are nor how many"
        yield Diagnostic(code="S127", message=message, fix="evaluation: {fraction: 0.1}", key=key)


def _feedback_adds_up(value: Mapping[str, Json], _: Context) -> Iterator[Diagnostic]:
    kinds: dict[str, str] = {}
    for role, key, source in sources(value):
        if role != "feedback":
            continue
        if source.get("type", "auto") != "auto":
            kinds.setdefault(source["type"], key)
        judged = source.get("positive", 0) + source.get("negative", 0)
        if "rows" in source and judged > source["rows"]:
            message = f"{key}: positive and negative make {judged:,}, more than the {source['rows']:,} rows"
            yield Diagnostic(code="S117", message=message, fix=f"rows: {judged}", key=f"{key}.rows")
    if len(kinds) > 1:
        message = f"data.feedback mixes {' and '.join(kinds)}: one run learns from one type of feedback"
        yield Diagnostic(code="S117", message=message, fix="keep the sources of one type", key=[*kinds.values()][1])


def _evaluation_stands_apart(value: Mapping[str, Json], context: Context) -> Iterator[Diagnostic]:
    every = [(role, source["path"]) for role, _, source in sources(value) if "path" in source]
    held_out = next((path for role, path in every if role == "evaluation"), None)
    if held_out is None or disk.look_for(held_out, context.folder) != "there" or disk.has_pattern(held_out):
        return
    for role, path in every:
        if role != "evaluation" and _same_file(path, held_out, context.folder):
            message = (
                f'data.evaluation.path: "{short(held_out)}" is what {role} trains on, so a score on it says nothing'
            )
            yield Diagnostic(
                code="S117", message=message, fix="evaluation: {fraction: 0.1}", key="data.evaluation.path"
            )
            return


def _same_file(one: str, other: str, folder: Path) -> bool:
    try:
        return disk.on_disk(one, folder).resolve() == disk.on_disk(other, folder).resolve()
    except (OSError, ValueError, RuntimeError):
        return False


def _reward_function(value: Mapping[str, Json], context: Context) -> Iterator[Diagnostic]:
    written = value.get("data", {}).get("reward", {}).get("function")
    if not written:
        return
    key = "data.reward.function"
    name, _, function = written.rpartition(":")
    found = disk.look_for(name, context.folder)
    if found != "there" or not (context.folder / name).is_file():
        yield missing_path(name, key, context.folder) if found != "url" else next(_path(name, key, context))
        return
    functions, problem = _functions_in(context.folder / name)
    if problem:
        yield Diagnostic(code="S124", message=f"{key}: {short(name)} {problem}", fix="", key=key)
    elif function not in functions:
        from ftc.spec.suggest import closest

        meant = closest(function, functions) or tuple(functions[:1])
        said = f'; did you mean "{meant[0]}"?' if meant else "; it defines none"
        message = f'{key}: {short(name)} defines no function "{short(function)}"{said}'
        yield Diagnostic(code="S124", message=message, fix=f"{name}:{meant[0]}" if meant else "", key=key)


def _one_reward(value: Mapping[str, Json], context: Context) -> Iterator[Diagnostic]:
    """One way of computing it, and that one can be read: the expression compiles, the schema is a JSON Schema."""
    reward = value.get("data", {}).get("reward")
    if not isinstance(reward, dict):
        return
    key = "data.reward"
    given = [name for name in REWARDS if context.written(f"{key}.{name}")]
    if not given:
        yield Diagnostic(
            code="S116", message=f"{key} says nothing", fix="reward: {function: rewards.py:score}", key=key
        )
    if len(given) > 1:
        message = f"{key}: {' and '.join(given)}; answers are rewarded in one way"
        yield Diagnostic(code="S117", message=message, fix="combine them in a function", key=f"{key}.{given[1]}")
    if "regex" in reward:
        try:
            re.compile(reward["regex"])
        except (re.error, OverflowError, RecursionError) as error:
            message = f"{key}.regex: no regular expression: {error}"
            yield Diagnostic(code="S134", message=message, fix="", key=f"{key}.regex")
    if "json_schema" in reward:
        yield from _schema_file(reward["json_schema"], f"{key}.json_schema", context)


def _schema_file(name: str, key: str, context: Context) -> Iterator[Diagnostic]:
    found = disk.look_for(name, context.folder)
    if found != "there" or not (context.folder / name).is_file():
        yield missing_path(name, key, context.folder) if found != "url" else next(_path(name, key, context))
        return
    from jsonschema import SchemaError, validators

    try:
        if (context.folder / name).stat().st_size > LARGEST_REWARD_FILE:
            raise ValueError("it is larger than a schema should be")
        schema = json.loads((context.folder / name).read_bytes())
        if not isinstance(schema, dict):
            raise ValueError("it is no object")
        validators.validator_for(schema).check_schema(schema)
    except (OSError, ValueError, RecursionError, SchemaError) as error:
        said = error.message if isinstance(error, SchemaError) else str(error)
        yield Diagnostic(code="S134", message=f"{key}: {short(name)} is no JSON Schema: {short(said)}", fix="", key=key)


def _functions_in(path: Path) -> tuple[list[str], str]:
    """The functions at the top of a Python file, which is parsed and not run; or what is wrong with the file."""
    import ast
    import warnings

    try:
        if path.stat().st_size > LARGEST_REWARD_FILE:
            return [], "is larger than a file of functions should be"
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about the user's escapes and the like
            tree = ast.parse(path.read_bytes())
    except SyntaxError as error:
        return [], f"is not Python: line {error.lineno}: {error.msg}"
    except (OSError, ValueError, RecursionError, MemoryError) as error:
        return [], f"cannot be read as Python ({type(error).__name__})"
    return [each.name for each in tree.body if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef)], ""


# --- goal, model, hardware ----------------------------------------------------------------------------------------


def _success_can_be_measured(value: Mapping[str, Json], _: Context) -> Iterator[Diagnostic]:
    goal = value.get("goal", {})
    success = goal.get("success", {})
    metric, least = success.get("metric"), success.get("at_least")
    key = "goal.success.at_least"
    if metric in SHARES and isinstance(least, int | float) and not 0 <= least <= 1:
        fix = f"at_least: {least / 100:g}" if 1 < least <= 100 else "at_least: 0.8"
        message = f"{key}: {metric} is a share from 0 to 1, and this is {least:g}"
        yield Diagnostic(code="S115", message=message, fix=fix, key=key)
    if metric in LABEL_METRICS and goal.get("task") in FREE_TEXT_TASKS:
        message = f"goal.success.metric: {metric} needs answers out of a fixed set, and {goal['task']} answers freely"
        fix = "metric: rouge_l" if goal["task"] == "summarization" else "metric: win_rate"
        yield Diagnostic(code="S120", message=message, severity=Severity.WARNING, fix=fix, key="goal.success.metric")


def _model_is_one(value: Mapping[str, Json], _: Context) -> Iterator[Diagnostic]:
    model = value.get("model", {})
    base = _base(value)
    if base.startswith("builtin:") and base != "builtin:tiny":
        message = f'model.base: no built-in model "{short(base)}"; did you mean "builtin:tiny"?'
        yield Diagnostic(code="S111", message=message, fix="base: builtin:tiny", key="model.base")
    if "://" in base:
        message = f'model.base: "{short(base)}" is an address; write a hub id (owner/name) or a local folder'
        hub = base.removeprefix("https://huggingface.co/").strip("/") if "huggingface.co/" in base else ""
        yield Diagnostic(code="S123", message=message, fix=f"base: {hub}" if hub else "", key="model.base")
    if model.get("active_parameters", 0) > model.get("parameters", float("inf")):
        message = "model.active_parameters is more than model.parameters"
        yield Diagnostic(code="S117", message=message, fix="swap them", key="model.active_parameters")
    if base != "auto" and "max_parameters" in model:
        message = f"model.max_parameters has no effect: the model is {short(base)}"
        yield _no_effect(message, "model.max_parameters", "base: auto")
    if base == "auto":
        for name in ("parameters", "active_parameters", "revision"):
            if name in model:
                fix = (
                    f"max_parameters: {yaml_text(model[name])}"
                    if name == "parameters"
                    else "name the model in model.base"
                )
                yield _no_effect(f"model.{name} has no effect while the advisor picks the model", f"model.{name}", fix)


def _hardware_is_one(value: Mapping[str, Json], context: Context) -> Iterator[Diagnostic]:
    hardware = value.get("hardware")
    if not isinstance(hardware, dict) or not hardware:
        return
    rented = context.written("hardware.cloud")
    if "gpu" in hardware and rented:
        message = "hardware has both gpu and cloud: machines are owned (gpu) or rented (cloud, gpus), not both"
        fix = f"{{cloud: {yaml_text(hardware.get('cloud', 'any'))}, gpus: [{yaml_text(hardware['gpu'])}]}}"
        yield Diagnostic(code="S117", message=message, fix=f"hardware: {fix}", key="hardware.gpu")
    elif not rented and not context.written("hardware.gpu"):
        wants = [name for name in ("gpus", "spot") if context.written(f"hardware.{name}")]
        if wants:
            message = f"hardware.{wants[0]} is about rented machines, and hardware.cloud is missing"
            yield Diagnostic(code="S116", message=message, fix="cloud: any", key="hardware.cloud")
        else:
            message = "hardware names no GPU; for a machine without one write gpu: none"
            yield Diagnostic(code="S116", message=message, fix="gpu: rtx-4090", key="hardware.gpu")
    elif not rented:
        for name in ("gpus", "spot"):
            if name in hardware:
                yield _no_effect(f"hardware.{name} has no effect on machines one owns", f"hardware.{name}", "")
    if rented and "usd_per_hour" in value.get("budget", {}):
        message = "budget.usd_per_hour has no effect on rented machines: their prices are known"
        yield _no_effect(message, "budget.usd_per_hour", "")


def _no_secrets(value: Mapping[str, Json], _: Context) -> Iterator[Diagnostic]:
    for key, text in _texts(value, ""):
        if SECRET.search(text):
            message = f"{key} looks like an access token; a spec is shared, so tokens come from the environment"
            yield Diagnostic(code="S122", message=message, fix="export HF_TOKEN=... and remove it here", key=key)


def _texts(value: Json, key: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, str):
        yield key, value
    elif isinstance(value, dict):
        for name, inner in value.items():
            yield from _texts(inner, join(key, name))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _texts(inner, f"{key}[{index}]")


def _no_effect(message: str, key: str, fix: str) -> Diagnostic:
    return Diagnostic(code="S126", message=message, severity=Severity.WARNING, fix=fix, key=key)


CHECKS: tuple[Check, ...] = (
    _paths_exist,
    _given_or_described,  # path or numbers, one of the two
    _feedback_adds_up,
    _evaluation_stands_apart,
    _reward_function,  # the file is parsed, never run
    _one_reward,
    _success_can_be_measured,
    _model_is_one,
    _hardware_is_one,  # owned or rented
    _no_secrets,
)
