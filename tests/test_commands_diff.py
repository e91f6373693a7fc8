"""`ftc diff`: each field that differs, with both values and both origins: two plans, two specs, or one of each."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from ftc import api
from tests.test_cli import GOLDEN
from tests.test_cli import ftc as call


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two specs that differ in the adapter's rank, and the plan of the first."""
    for name in ("tickets.csv", "tickets-lora.yaml"):
        shutil.copy(GOLDEN / name, tmp_path / name)
    spec = tmp_path / "tickets-lora.yaml"
    lines = [each for each in spec.read_text().splitlines() if not each.startswith("overrides")]
    (tmp_path / "a.yaml").write_text("\n".join(lines) + "\n")
    (tmp_path / "b.yaml").write_text("\n".join([*lines, "overrides: {lora.rank: 4}"]) + "\n")
    (tmp_path / "a.plan.json").write_bytes(api.compile(tmp_path / "a.yaml").to_bytes())
    return tmp_path


def found(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> dict[str, dict[str, Any]]:
    code, out, _ = call(capsys, "diff", *arguments, "--json")
    assert code == 0
    return {each["key"]: each for each in json.loads(out)["differences"]}


def test_two_specs(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    differences = found(capsys, folder / "a.yaml", folder / "b.yaml")
    assert set(differences) == {"overrides.lora.rank"}
    rank = differences["overrides.lora.rank"]
    assert (rank["a"], rank["b"], rank["origin_a"]) == (None, 4, "")
    assert rank["origin_b"].startswith("b.yaml:")


def test_a_plan_beside_the_spec_as_it_is_now(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    differences = found(capsys, folder / "a.plan.json", folder / "b.yaml")
    rank = differences["sft.lora.rank"]
    assert (rank["b"], rank["origin_b"]) == (4, "spec overrides.lora.rank")
    assert rank["origin_a"].startswith("rule H")
    assert {"hashes.spec", "sft.lora.alpha", "estimate.memory.device_gib"} <= set(differences)
    assert not found(capsys, folder / "a.plan.json", folder / "a.yaml")


def test_text_and_exit_codes(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = call(capsys, "diff", folder / "a.yaml", folder / "b.yaml")
    assert code == 0
    assert re.fullmatch(r"overrides\.lora\.rank  nothing -> 4   \(b\.yaml:\d+\)\n", out)
    assert call(capsys, "diff", folder / "a.yaml", folder / "b.yaml", "--exit-code")[0] == 1
    assert call(capsys, "diff", folder / "a.yaml", folder / "a.yaml", "--exit-code")[0] == 0
    assert call(capsys, "diff", folder / "a.yaml", folder / "nowhere.yaml")[0] == 2


@pytest.mark.parametrize("content", ["", "{}", '{"stages": []}', "goal: {task: nonsense}", "\x00"])
def test_what_is_neither_is_refused(content: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "c").write_text(content)
    code, _, err = call(capsys, "diff", folder / "a.yaml", folder / "c")
    assert code == 2
    assert "Traceback" not in err
