"""`ftc doctor`: what this machine has, what is missing, and the command that gets it."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import click

from ftc import api
from ftc.commands.options import json_option

TRAIN_EXTRA = "pip install 'finetune-compiler[train]'"
HUB_TIMEOUT_SECONDS = 3.0
DISK_FLOOR_GIB = 20.0  # a 7B model in bf16 and one checkpoint of its adapter: 15 GiB and something
TOKENS = ("HF_TOKEN", "WANDB_API_KEY", "OPENAI_API_KEY")


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One line of the report."""

    name: str
    state: Literal["ok", "missing", "note"]
    found: str
    fix: str = ""


@click.command("doctor")
@click.option("--offline", is_flag=True, help="Do not ask the hub whether it can be reached.")
@json_option
def doctor_command(*, offline: bool, as_json: bool) -> None:
    """Look at this machine: versions, GPU, disk, hub, tokens (present or not, never shown).

    \b
    Examples:
      ftc doctor
      ftc doctor --offline --json
    """
    checks = [_python(), *_stack(), _gpu(), _disk(), *([] if offline else [_hub()]), *_tokens()]
    if as_json:
        from ftc.views.output import write_json

        write_json({"checks": [asdict(each) for each in checks]})
        return
    from ftc.views.output import print_table

    print_table((each.state, each.name, each.found, each.fix) for each in checks)


def _python() -> Check:
    return Check(name="python", state="ok", found=f"{platform.python_version()} on {platform.system()} ({sys.prefix})")


def _stack() -> list[Check]:
    checks = []
    for name, found in api.stack_versions().items():
        state: Literal["ok", "missing"] = "ok" if found else "missing"
        checks.append(Check(name=name, state=state, found=found or "not installed", fix="" if found else TRAIN_EXTRA))
    return checks


def _gpu() -> Check:
    command = shutil.which("nvidia-smi")
    if command is None:
        return Check(name="gpu", state="note", found="no nvidia-smi: training will use the CPU")
    query = ["--query-gpu=name,memory.total,driver_version", "--format=csv,noheader"]
    try:
        done = subprocess.run([command, *query], capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError) as error:
        return Check(name="gpu", state="missing", found=f"nvidia-smi fails: {error}", fix="check the driver")
    return Check(name="gpu", state="ok", found="; ".join(done.stdout.strip().splitlines()))


def _disk() -> Check:
    free_gib = shutil.disk_usage(Path.cwd()).free / 2**30
    enough = free_gib >= DISK_FLOOR_GIB
    fix = "" if enough else "a 7B model and its checkpoints take about 20 GiB; `ftc run --out` names another disk"
    return Check(name="disk", state="ok" if enough else "missing", found=f"{free_gib:.0f} GiB free here", fix=fix)


def _hub() -> Check:
    from urllib.request import Request, urlopen

    address = os.environ.get("HF_ENDPOINT", "https://huggingface.co")
    if not address.startswith(("https://", "http://")):
        return Check(name="hub", state="missing", found=f"HF_ENDPOINT is no web address: {address}")
    try:
        with urlopen(Request(address, method="HEAD"), timeout=HUB_TIMEOUT_SECONDS):  # noqa: S310 (scheme checked above)
            return Check(name="hub", state="ok", found=f"{address} answers")
    except OSError as error:
        fix = "models then come from a local folder (`model.base: ./folder`) or builtin:tiny"
        return Check(name="hub", state="note", found=f"{address} not reached ({error})", fix=fix)


def _tokens() -> list[Check]:
    present = {name: bool(os.environ.get(name)) for name in TOKENS}
    return [
        Check(name=name, state="ok" if is_set else "note", found="set" if is_set else "not set")
        for name, is_set in present.items()
    ]
