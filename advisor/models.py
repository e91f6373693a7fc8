"""Which model a spec means: the catalogue, a local folder, `builtin:tiny`, a cached `config.json`, or a description.

Facts come from the model's own `config.json` where it is at hand and from `catalogue/models.json` otherwise, and the
parameter count is exact in both cases. A model that is only described borrows the shape of the nearest known one and
says so (`exact=False`). Reads no weights and never goes to the network.
"""

from __future__ import annotations

import json
import math
import os
import re
from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ftc.advisor.parameters import FAMILIES, architecture, built_count
from ftc.advisor.values import Architecture
from ftc.spec.diagnostics import Diagnostic, Severity

if TYPE_CHECKING:
    from ftc.spec.model import Model

TINY = "builtin:tiny"
ENDPOINT = "openai:"
UNKNOWN = 8e9  # parameters of a model behind an endpoint, for a shape; no memory or time is reckoned from it
_KEY = "model.base"
_INSTRUCT = re.compile(r"instruct|chat|-it\b", re.IGNORECASE)


def find_model(base: str, folder: Path, described: Model | None = None) -> tuple[Architecture | None, list[Diagnostic]]:
    """The architecture of `base`, with what `described` says about it laid over, and what is to be said about it.

    None, with an error S111, where there is neither a config nor a parameter count to go by.
    """
    if base == TINY:
        return _tiny(described)
    local = folder / base
    if base.startswith((".", "/", "~")) or _is_folder(local):
        return _from_folder(base, Path(base).expanduser() if base.startswith("~") else local, described)
    known = _by_id().get(base.lower())
    if known is not None:
        return _described_over(known, described), []
    cached = _hub_cache(base)
    if cached is not None:
        return _from_folder(base, cached, described)
    if described is not None and described.parameters:
        return described_model(base, described), []
    if base.startswith(ENDPOINT) and described is not None:
        unknown = described_model(base, replace(described, parameters=UNKNOWN))
        return replace(unknown, source="behind an endpoint: nothing is known of it", kind="instruct"), []
    return None, [_unknown(base)]


def catalogue() -> tuple[Architecture, ...]:
    """Every model that ftc knows without looking, by id."""
    return tuple(_by_id().values())


def tokenizer_file(base: str, folder: Path) -> Path | None:
    """The `tokenizer.json` of a model where it is at hand without a network; None: tokens have to be estimated."""
    if base == TINY:
        home: Path | None = Path(str(files("ftc.spec").joinpath("tiny")))
    else:
        local = folder / base
        home = local if _is_folder(local) else _hub_cache(base)
    file = home / "tokenizer.json" if home else None
    return file if file is not None and file.is_file() else None


def config_of(base: str, folder: Path) -> str | dict[str, Any]:
    """What builds the real model class of `base`: its folder where it is at hand, its row of the catalogue otherwise.

    Raises KeyError for a model that is neither.
    """
    home = Path(str(files("ftc.spec").joinpath("tiny"))) if base == TINY else folder / base
    home = home if (home / "config.json").is_file() else _hub_cache(base) or home
    if (home / "config.json").is_file():
        return str(home)
    listed = json.loads(files("ftc.advisor").joinpath("catalogue/models.json").read_text())["models"]
    row = {each["id"].lower(): each for each in listed}[base.lower()]
    ours = ("id", "parameters", "license", "gated", "kind", "text_tower_only")
    return {name: value for name, value in row.items() if name not in ours}


def described_model(base: str, described: Model) -> Architecture:
    """A model of which only the size is known: the nearest known shape, scaled to that size."""
    wanted = float(described.parameters or 0)
    sparse = bool(described.active_parameters and described.active_parameters < 0.7 * wanted)
    alike = [each for each in catalogue() if bool(each.experts) == sparse]
    nearest = min(alike, key=lambda each: (abs(_log_ratio(each.parameters, wanted)), each.id))
    scale = (wanted / nearest.parameters) ** (1 / 3)
    hidden = max(64, round(nearest.hidden_size * scale / 64) * 64)
    shaped = replace(
        nearest,
        id=base,
        hidden_size=hidden,
        heads=max(1, round(nearest.heads * scale / nearest.kv_heads)) * nearest.kv_heads,
        intermediate_size=max(64, round(nearest.intermediate_size * scale / 64) * 64),
        layers=max(1, round(nearest.layers * scale)),
        parameters=round(wanted),
        active_parameters=round(described.active_parameters or wanted),
        licence="",
        gated=False,
        kind="instruct" if _INSTRUCT.search(base) else "base",
        exact=False,
        source=f"described; shape scaled from {nearest.id}",
    )
    return _described_over(shaped, described)


def from_config(config: Mapping[str, Any], id: str, source: str) -> tuple[Architecture | None, list[Diagnostic]]:
    """The architecture that a `config.json` describes; an unknown `model_type` is built in a child process."""
    text = config.get("text_config")
    if isinstance(text, Mapping) and config.get("model_type") not in FAMILIES:
        return from_config({"tie_word_embeddings": config.get("tie_word_embeddings", True), **text}, id, source)
    kind = str(config.get("model_type"))
    try:
        if kind in FAMILIES:
            return architecture(config, id=id, source=source), []
        alike = {"model_type": "llama", **_common_names(config)}
        shape = architecture({**alike, "model_type": "llama"}, id=id, source=source)
    except (KeyError, TypeError, ValueError) as missing:
        return None, [
            Diagnostic(
                code="S111", key=_KEY, message=f"{source} does not describe a decoder-only model: {missing!s}",
                fix="write model.parameters, for instance `parameters: 7.6b`",
            )
        ]  # fmt: skip
    built = built_count(config)
    if built is None:
        note = f"{kind} is not an architecture that ftc counts by itself, and it could not be built here"
        return None, [Diagnostic(code="S111", key=_KEY, message=note, fix="write model.parameters, `parameters: 7.6b`")]
    note = f"{kind}: {built:,} parameters counted by building it without weights; its shape is read as a Llama's"
    return (
        replace(shape, model_type=kind, parameters=built, active_parameters=built, exact=False),
        [Diagnostic(code="S111", key=_KEY, message=note, severity=Severity.NOTE)],
    )


def nearest_ids(base: str, limit: int = 3) -> list[str]:
    """Known ids that look like `base`, best first."""
    from rapidfuzz import fuzz, process, utils  # 20 ms, only for a message

    tail = base.rsplit("/", 1)[-1]
    ids = [each.id for each in catalogue()]
    by_tail = {each: each.rsplit("/", 1)[-1] for each in ids}
    found = process.extract(tail, by_tail, scorer=fuzz.ratio, processor=utils.default_process, limit=limit)
    return [key for _, score, key in found if score >= 60]


@lru_cache(maxsize=1)
def _by_id() -> dict[str, Architecture]:
    """The catalogue by lower-case id; 3 ms."""
    listed = json.loads(files("ftc.advisor").joinpath("catalogue/models.json").read_text())
    source = f"catalogue of {listed['as_of']}: config.json on the Hugging Face hub"
    out = {}
    for row in listed["models"]:
        found = architecture(row, id=row["id"], source=source)
        out[found.id.lower()] = replace(found, licence=row["licence"], gated=row["gated"], kind=row["kind"])
    return out


def _tiny(described: Model | None) -> tuple[Architecture | None, list[Diagnostic]]:
    """The model that ftc makes on the spot, from the config that ships with it."""
    shipped = files("ftc.spec").joinpath("tiny/config.json")
    if not shipped.is_file():
        return None, [Diagnostic(code="S111", key=_KEY, message="builtin:tiny is missing from this installation")]
    found = architecture(json.loads(shipped.read_text()), id=TINY, source="ftc, spec/tiny/config.json")
    return _described_over(replace(found, licence="apache-2.0"), described), []


def _from_folder(base: str, path: Path, described: Model | None) -> tuple[Architecture | None, list[Diagnostic]]:
    """The model in a folder that has a `config.json`."""
    file = path / "config.json"
    try:
        config = json.loads(file.read_text(encoding="utf-8"))
    except OSError:
        adapter = (path / "adapter_config.json").is_file()
        why = "holds an adapter, not a model; merge it first" if adapter else "has no config.json"
        if not path.exists():
            why = "does not exist"
        return None, [Diagnostic(code="S111", key=_KEY, message=f"folder {base} {why}", fix=_suggest(base))]
    except ValueError as broken:
        return None, [Diagnostic(code="S111", key=_KEY, message=f"{base}/config.json is not JSON: {broken}")]
    if not isinstance(config, dict):
        return None, [Diagnostic(code="S111", key=_KEY, message=f"{base}/config.json is not a JSON object")]
    found, said = from_config(config, base, f"{base}/config.json")
    if found is None and described is not None and described.parameters:
        return described_model(base, described), []
    return (None if found is None else _described_over(found, described)), said


def _is_folder(path: Path) -> bool:
    """False as well where the name cannot be one: too long, or with a null byte in it."""
    try:
        return path.is_dir()
    except (OSError, ValueError):
        return False


def _hub_cache(base: str) -> Path | None:
    """The newest snapshot of a hub model that transformers has already downloaded, if it has a config."""
    home = os.environ.get("HF_HUB_CACHE") or Path(os.environ.get("HF_HOME", "~/.cache/huggingface"), "hub")
    snapshots = Path(home).expanduser() / f"models--{base.replace('/', '--')}" / "snapshots"
    try:
        found = [each for each in snapshots.iterdir() if (each / "config.json").is_file()]
    except (OSError, ValueError):
        return None
    return max(found, key=lambda each: each.stat().st_mtime, default=None)


def _described_over(found: Architecture, described: Model | None) -> Architecture:
    """What the user wrote wins over what is known, except for the shape."""
    if described is None:
        return found
    return replace(
        found,
        licence=found.licence if described.licence is None else described.licence,
        gated=found.gated if described.gated is None else described.gated,
        kind=described.kind or found.kind,
        context=described.context or found.context,
        active_parameters=round(described.active_parameters)
        if described.active_parameters and not found.exact
        else found.active_parameters,
    )


def _common_names(config: Mapping[str, Any]) -> dict[str, Any]:
    """The sizes of a config under the names that most families use."""
    hidden = config.get("hidden_size") or config.get("n_embd") or config.get("d_model")
    if hidden is None:
        raise KeyError("hidden_size")
    heads = config.get("num_attention_heads") or config.get("n_head") or config.get("n_heads")
    return {
        **config,
        "hidden_size": hidden,
        "num_attention_heads": heads,
        "num_hidden_layers": config.get("num_hidden_layers") or config.get("n_layer") or config.get("n_layers"),
        "intermediate_size": config.get("intermediate_size") or config.get("n_inner") or 4 * int(hidden),
        "max_position_embeddings": config.get("max_position_embeddings") or config.get("n_positions"),
        "tie_word_embeddings": config.get("tie_word_embeddings", True),
    }


def _log_ratio(a: float, b: float) -> float:
    """Distance of two sizes, in powers of e."""
    return math.log(a / b)


def _unknown(base: str) -> Diagnostic:
    """No such model, and what may have been meant."""
    near = nearest_ids(base)
    say = f"; did you mean {' or '.join(near)}?" if near else ""
    return Diagnostic(code="S111", key=_KEY, message=f'unknown model "{base}"{say}', fix=_suggest(base))


def _suggest(base: str) -> str:
    """What to write instead."""
    near = nearest_ids(base, 1)
    return f"base: {near[0]}" if near else "describe it: model.parameters, for instance `parameters: 7.6b`"
