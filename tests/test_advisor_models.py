"""Which model a spec means."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ftc.advisor import models
from ftc.advisor.models import catalogue, find_model, nearest_ids
from ftc.spec.diagnostics import Severity
from ftc.spec.model import Model

LLAMA = {
    "model_type": "llama", "hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4,
    "intermediate_size": 128, "vocab_size": 100, "tie_word_embeddings": True,
}  # fmt: skip


@pytest.fixture(autouse=True)
def _no_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hub"))
    monkeypatch.delenv("HF_HUB_CACHE", raising=False)


@pytest.mark.parametrize(
    ("written", "id"),
    [
        ("Qwen/Qwen2.5-7B-Instruct", "Qwen/Qwen2.5-7B-Instruct"),
        ("qwen/qwen2.5-7b-instruct", "Qwen/Qwen2.5-7B-Instruct"),
        ("meta-llama/Llama-3.1-8B", "meta-llama/Llama-3.1-8B"),
        ("builtin:tiny", "builtin:tiny"),
    ],
)
def test_known(written: str, id: str, tmp_path: Path) -> None:
    found, said = find_model(written, tmp_path)
    assert said == []
    assert found is not None
    assert found.id == id
    assert found.exact


@pytest.mark.parametrize(
    ("written", "meant"),
    [("Qwen/Qwen2.5-7B-instrct", "Qwen/Qwen2.5-7B-Instruct"), ("meta-llama/Llama3.1-8B", "meta-llama/Llama-3.1-8B")],
)
def test_did_you_mean(written: str, meant: str, tmp_path: Path) -> None:
    found, said = find_model(written, tmp_path)
    assert found is None
    assert [each.code for each in said] == ["S111"]
    assert said[0].fix == f"base: {meant}"


def test_nothing_is_near_nonsense() -> None:
    assert nearest_ids("zzzzzzzz") == []


def test_described(tmp_path: Path) -> None:
    found, said = find_model("acme/secret-8b-instruct", tmp_path, Model(parameters=8.0e9, licence="MNPL", gated=True))
    assert said == []
    assert found is not None
    assert (found.parameters, found.exact, found.licence, found.gated, found.kind) == (
        8_000_000_000, False, "MNPL", True, "instruct",
    )  # fmt: skip
    assert found.heads % found.kv_heads == 0


def test_described_mixture(tmp_path: Path) -> None:
    found, _ = find_model("acme/moe", tmp_path, Model(parameters=671e9, active_parameters=37e9))
    assert found is not None
    assert found.experts > 0
    assert found.active_parameters == 37_000_000_000


def test_described_over_known(tmp_path: Path) -> None:
    found, _ = find_model("Qwen/Qwen2.5-7B", tmp_path, Model(parameters=7e9, licence="ours", context=999))
    assert found is not None
    assert (found.parameters, found.licence, found.context) == (7_615_616_512, "ours", 999)


def test_folder(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/config.json").write_text(json.dumps(LLAMA))
    found, said = find_model("./mine", tmp_path)
    assert said == []
    assert found is not None
    assert found.parameters == 100 * 64 + 2 * (4 * 64 * 64 + 3 * 64 * 128 + 2 * 64) + 64


@pytest.mark.parametrize(
    ("files", "word"),
    [({}, "config.json"), ({"adapter_config.json": "{}"}, "adapter"), ({"config.json": "{"}, "JSON"),
     ({"config.json": "[]"}, "object"), ({"config.json": "{}"}, "decoder")],
)  # fmt: skip
def test_folder_that_is_no_model(files: dict[str, str], word: str, tmp_path: Path) -> None:
    (tmp_path / "m").mkdir()
    for name, text in files.items():
        (tmp_path / "m" / name).write_text(text)
    found, said = find_model("./m", tmp_path)
    assert found is None
    assert [each.code for each in said] == ["S111"]
    assert word in said[0].message


def test_folder_that_is_not_there(tmp_path: Path) -> None:
    found, said = find_model("./nowhere", tmp_path)
    assert found is None
    assert said[0].code == "S111"


def test_hub_cache(tmp_path: Path) -> None:
    snapshot = tmp_path / "hub/hub/models--acme--model/snapshots/abc"
    snapshot.mkdir(parents=True)
    (snapshot / "config.json").write_text(json.dumps(LLAMA))
    found, _ = find_model("acme/model", tmp_path)
    assert found is not None
    assert found.vocab_size == 100


def test_unknown_type_is_counted_by_building(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(models, "built_count", lambda _config: 12345)
    (tmp_path / "m").mkdir()
    (tmp_path / "m/config.json").write_text(json.dumps({**LLAMA, "model_type": "newfangled"}))
    found, said = find_model("./m", tmp_path)
    assert found is not None
    assert (found.parameters, found.exact) == (12345, False)
    assert [each.severity for each in said] == [Severity.NOTE]


def test_unknown_type_that_cannot_be_built(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(models, "built_count", lambda _config: None)
    (tmp_path / "m").mkdir()
    (tmp_path / "m/config.json").write_text(json.dumps({**LLAMA, "model_type": "newfangled"}))
    assert find_model("./m", tmp_path)[0] is None
    described, said = find_model("./m", tmp_path, Model(parameters=1e9))
    assert described is not None
    assert said == []


def test_catalogue_is_in_order() -> None:
    ids = [each.id for each in catalogue()]
    assert ids == sorted(ids, key=str.lower)
