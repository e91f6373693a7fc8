"""The Python API: few names, each with a docstring, and what the commands print is what they return."""

from __future__ import annotations

import inspect
import json
from pathlib import Path

import pytest

import ftc
from tests.test_cli import GOLDEN
from tests.test_cli import ftc as call

SPEC = GOLDEN / "tickets-lora.yaml"


def test_the_names() -> None:
    assert ftc.__all__ == ["Refused", "__version__", "advise", "compile", "estimate", "run"]
    for name in ftc.__all__:
        found = getattr(ftc, name)
        assert isinstance(found, str) or inspect.getdoc(found) or name == "Refused"
    with pytest.raises(AttributeError):
        ftc.train  # noqa: B018


def test_an_estimate_is_what_the_command_prints(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = call(capsys, "estimate", SPEC, "--json")
    found = ftc.estimate(SPEC)
    assert code == 0
    assert json.loads(out) == json.loads(json.dumps(found))
    assert found["fits"]
    assert found["usd"]["low"] <= found["usd"]["likely"] <= found["usd"]["high"]


@pytest.mark.parametrize("function", [ftc.advise, ftc.estimate, ftc.compile])
def test_what_is_wrong_is_raised_with_its_place(function: object, tmp_path: Path) -> None:
    (tmp_path / "ftc.yaml").write_text("goal: {task: nonsense}\n")
    assert callable(function)
    with pytest.raises(ftc.Refused) as refused:
        function(tmp_path / "ftc.yaml")
    assert refused.value.exit_code == 2
    assert refused.value.diagnostics[0].line == 1
