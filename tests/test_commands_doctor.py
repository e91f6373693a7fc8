"""`ftc doctor`: answers in time whatever hangs, shows no token, and says how to get what is missing."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from ftc import api
from ftc.cli import main
from ftc.commands import doctor

SECRET = "hf_" + "q" * 34


@pytest.fixture(autouse=True)
def no_stack(monkeypatch: pytest.MonkeyPatch) -> None:
    """torch is not asked: importing it takes seconds, and one test does it."""
    monkeypatch.setattr(doctor, "_training_stack", list)


def checks(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, dict[str, str]]:
    with pytest.raises(SystemExit) as left:
        main(["doctor", "--json", *arguments])
    assert left.value.code == 0
    return {each["name"]: each for each in json.loads(capsys.readouterr().out)["checks"]}


def test_tokens_are_said_to_be_there_and_never_shown(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("HF_TOKEN", "WANDB_API_KEY"):
        monkeypatch.setenv(name, SECRET)
    found = checks(capsys, "--offline")
    assert (found["HF_TOKEN"]["state"], found["WANDB_API_KEY"]["state"]) == ("ok", "ok")
    assert found["OPENAI_API_KEY"]["state"] == "note"
    assert SECRET not in json.dumps(found)


def test_a_login_counts_as_a_token(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.delenv("HF_TOKEN", raising=False)
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    assert checks(capsys, "--offline")["HF_TOKEN"]["fix"]
    (tmp_path / "token").write_text(SECRET)
    found = checks(capsys, "--offline")["HF_TOKEN"]
    assert found["state"] == "ok"
    assert SECRET not in found["found"]


def test_what_is_missing_comes_with_a_command(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(api, "stack_versions", lambda: {"torch": "", "trl": "0.1", "peft": "99.0"})
    found = checks(capsys, "--offline")
    assert found["torch"]["fix"] == doctor.TRAIN_EXTRA
    assert (found["trl"]["state"], found["peft"]["state"]) == ("missing", "ok")
    assert "pip install -U 'trl>=" in found["trl"]["fix"]
    with pytest.raises(SystemExit):
        main(["doctor", "--offline"])
    assert doctor.TRAIN_EXTRA in capsys.readouterr().out


@pytest.mark.parametrize("offline", [["--offline"], []])
def test_the_hub_is_asked_only_when_it_may_be(
    offline: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[int] = []
    monkeypatch.setattr(doctor, "_hub", lambda: asked.append(1) or [])
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    checks(capsys, *offline)
    assert bool(asked) is not bool(offline)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    asked.clear()
    checks(capsys)
    assert not asked


@pytest.mark.parametrize(
    ("address", "state"), [("http://127.0.0.1:9", "note"), ("ftp://nowhere", "missing"), ("https://no.invalid", "note")]
)
def test_a_hub_that_is_not_there_is_a_note(address: str, state: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", address)
    (found,) = doctor._hub()
    assert (found.state, bool(found.fix)) == (state, True)


def test_what_hangs_is_waited_for_so_long_and_no_longer() -> None:
    began = time.monotonic()
    (found,) = doctor._Asked(lambda: time.sleep(30) or []).answer("hub", 0.2)
    assert found.state == "note"
    assert time.monotonic() - began < 5


@pytest.mark.parametrize(
    ("said", "driver", "state"),
    [
        ({"gpus": ["H100", "H100"], "cuda": "12.8", "bf16": True}, True, "ok"),
        ({"gpus": [], "cuda": "", "bf16": False}, True, "missing"),
        ({"gpus": [], "cuda": "", "bf16": False}, False, "note"),
    ],
)
def test_cuda(said: dict[str, object], driver: bool, state: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor.shutil, "which", lambda name: f"/usr/bin/{name}" if driver else None)
    assert doctor._cuda(said).state == state


def _fails(*_: object, **__: object) -> None:
    raise subprocess.CalledProcessError(9, "nvidia-smi")


@pytest.mark.parametrize(("run", "state"), [(_fails, "missing")])
def test_a_driver_that_fails(run: Callable[..., None], state: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor.shutil, "which", lambda name: f"/usr/bin/{name}")
    monkeypatch.setattr(doctor.subprocess, "run", run)
    found = doctor._driver()
    assert (found.state, bool(found.fix)) == (state, True)


def test_four_bit_trouble_has_a_command() -> None:
    assert doctor._four_bit("").state == "ok"
    assert "bitsandbytes" in doctor._four_bit("ImportError: no").fix


@pytest.mark.train
def test_torch_is_asked_in_a_process_of_its_own() -> None:
    pytest.importorskip("torch")
    source = doctor.QUESTION
    import sys

    done = subprocess.run([sys.executable, "-P", "-c", source], capture_output=True, text=True, timeout=120, check=True)
    assert set(json.loads(done.stdout.strip().splitlines()[-1])) == {"cuda", "gpus", "bf16", "bitsandbytes"}
