"""The plan: one JSON file with everything that a run needs, and the only thing that `ftc run` accepts.

Same inputs, same bytes: keys are sorted, nothing in it depends on the clock, the machine's paths or the process. It is
a value; how it comes about is `compile.py`'s business, how it is carried out is the runtime's. The language itself is
`plan.schema.json`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal, get_args

SCHEMA_VERSION = 1

StageKind = Literal[
    "baseline", "prepare", "sft", "cpt", "reward", "dpo", "kto", "rloo", "grpo", "prompt-search", "evaluate", "merge",
    "export", "report",
]  # fmt: skip
STAGE_KINDS: tuple[str, ...] = get_args(StageKind)

Json = Any  # JSON values: the schema, not the type checker, says which


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One step of the run, as a process of its own.

    `arguments` are all of them, written out (`stages.py` has one dataclass a kind); `origins` says for each where its
    value comes from. `estimate` has `hours`, `usd` and, for stages that load a model, `memory_gib`, each a range.
    """

    id: str
    kind: StageKind
    needs: tuple[str, ...]
    arguments: Mapping[str, Json]
    origins: Mapping[str, str]
    estimate: Mapping[str, Json]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What will be done, why, with what, and what it is expected to take."""

    schema: int
    name: str
    seed: int
    hashes: Mapping[str, str]  # spec, catalogue, and one entry a data file (`data:train.csv`)
    goal: Mapping[str, Json]  # task, success, domain, ...
    model: Mapping[str, Json]  # base, revision, parameters, kind, licence, ...
    data: Mapping[str, Json]  # role -> sources as written, recognised format, columns, rows, lengths
    hardware: Mapping[str, Json]  # gpu, count, nodes, memory_gib, offer
    budget: Mapping[str, Json]
    verdict: Mapping[str, Json]  # what `ftc advise --json` prints
    stages: tuple[Stage, ...]
    estimate: Mapping[str, Json]  # hours, usd, memory_gib of the whole
    versions: Mapping[str, str]  # libraries of the training stack that the plan was made for
    prices_as_of: str

    def to_json(self) -> dict[str, Json]:
        """The plan as JSON values."""
        out: dict[str, Json] = {each.name: getattr(self, each.name) for each in fields(self)}
        out["stages"] = [{each.name: getattr(stage, each.name) for each in fields(Stage)} for stage in self.stages]
        normal: dict[str, Json] = json.loads(json.dumps(out))  # tuples to lists, mappings to plain dicts
        return normal

    def to_bytes(self) -> bytes:
        """The file: indented, keys sorted, one newline at the end."""
        return (json.dumps(self.to_json(), indent=1, sort_keys=True, ensure_ascii=False) + "\n").encode()

    @property
    def hash(self) -> str:
        """SHA-256 of the file, hexadecimal; its first eight characters name the run."""
        return hashlib.sha256(self.to_bytes()).hexdigest()

    @property
    def run_name(self) -> str:
        """The folder under `runs/`."""
        return f"{self.name}-{self.hash[:8]}"

    def stage(self, stage_id: str) -> Stage:
        """The stage of that id. Raises KeyError where there is none."""
        for stage in self.stages:
            if stage.id == stage_id:
                return stage
        raise KeyError(stage_id)

    @classmethod
    def from_json(cls, value: Mapping[str, Json]) -> Plan:
        """The inverse of `to_json`, for a value that `plan.schema.json` accepts."""
        stages = tuple(Stage(**{**stage, "needs": tuple(stage["needs"])}) for stage in value["stages"])
        return cls(**{**value, "stages": stages})
