"""`ftc doctor`: what this machine has, what is missing, and the command that gets it.

What could be slow (the training stack's own view of the GPU, the hub) is asked at once, each with a limit, so that the
answer is there in seconds on a machine without a network as well. Of tokens only their presence is looked at.
"""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from threading import Thread
from typing import Literal

import click

from ftc import api
from ftc.commands.options import json_option

TRAIN_EXTRA = "pip install 'finetune-compiler[train]'"
LOGIN = "hf auth login, or set HF_TOKEN; only gated and private models need it"
HUB_SECONDS = 3.0  # an answer takes a tenth of that where there is one
STACK_SECONDS = 60.0  # importing torch and bitsandbytes takes 2 to 10 s, from a cold disk more
DISK_FLOOR_GIB = 20.0  # a 7B model in bf16 and one checkpoint of its adapter: 15 GiB and something
TOKENS = ("WANDB_API_KEY", "MLFLOW_TRACKING_URI", "OPENAI_API_KEY")
# what else runs a plan or takes its result, found on PATH
TOOLS = {
    "sbatch": "ftc run --target slurm", "sky": "ftc run --target skypilot", "kubectl": "ftc run --target kubernetes",
    "ray": "ftc run --target ray", "ollama": "deploy.target: ollama",
}  # fmt: skip
# Asked in a process of its own: a broken CUDA installation may end the process that imports it.
QUESTION = """
import json, torch
said = {"cuda": torch.version.cuda or torch.version.hip or "", "gpus": [], "bf16": False, "bitsandbytes": ""}
if torch.cuda.is_available():
    said["gpus"] = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    said["bf16"] = torch.cuda.is_bf16_supported(including_emulation=False)
try:
    import bitsandbytes.functional as bnb
    packed, state = bnb.quantize_4bit(torch.ones(64, 64, device="cuda" if said["gpus"] else "cpu"))
    bnb.dequantize_4bit(packed, state)
except Exception as error:
    said["bitsandbytes"] = f"{type(error).__name__}: {error}".splitlines()[0][:200]
print(json.dumps(said))
"""
State = Literal["ok", "missing", "note"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One line of the report."""

    name: str
    state: State
    found: str
    fix: str = ""


@click.command("doctor")
@click.option("--offline", is_flag=True, help="Do not ask the hub whether it can be reached. So does HF_HUB_OFFLINE=1.")
@json_option
def doctor_command(*, offline: bool, as_json: bool) -> None:
    """Look at this machine: versions, GPU, disk, hub, tokens (present or not, never shown). Always ends with 0.

    \b
    Examples:
      ftc doctor
      ftc doctor --offline --json
    """
    checks = examined(offline=offline or os.environ.get("HF_HUB_OFFLINE", "") not in ("", "0"))
    if as_json:
        from ftc.views.output import write_json

        write_json({"checks": [asdict(each) for each in checks]})
        return
    from ftc.views.output import print_table

    print_table((each.state, each.name, each.found) for each in checks)
    fixes = dict.fromkeys(each.fix for each in checks if each.fix and each.state == "missing")
    hints = dict.fromkeys(each.fix for each in checks if each.fix and each.state == "note")
    for title, lines in (("To get what is missing", fixes), ("Good to know", hints)):
        if lines:
            click.echo("\n" + title + "".join(f"\n  {line}" for line in lines))


def examined(*, offline: bool) -> list[Check]:
    """Every check, the slow ones side by side."""
    stack = _Asked(_training_stack)
    hub = None if offline else _Asked(_hub)
    checks = [_python(), *_versions(), _host(), _driver(), _disk("here", Path.cwd()), _disk("models", _models_folder())]
    checks += stack.answer("training", STACK_SECONDS + 5)
    if hub is not None:
        checks += hub.answer("hub", HUB_SECONDS + 1)  # looking up a name has no limit of its own
    return [*checks, *_tokens(), *_tools()]


class _Asked:
    """A question under way. Its thread is a daemon: one that never comes back does not keep the command from ending."""

    def __init__(self, question: Callable[[], list[Check]]) -> None:
        self.checks: list[Check] = []
        self.thread = Thread(target=lambda: self.checks.extend(question()), daemon=True)
        self.thread.start()

    def answer(self, name: str, seconds: float) -> list[Check]:
        """What came back within that time."""
        self.thread.join(seconds)
        if self.thread.is_alive():
            return [Check(name=name, state="note", found=f"no answer within {seconds:.0f} s")]
        return self.checks


def _python() -> Check:
    return Check(name="python", state="ok", found=f"{platform.python_version()} on {platform.system()} ({sys.prefix})")


def _versions() -> list[Check]:
    """The training stack, by what is installed and what the train extra asks for."""
    wanted, checks = _least_versions(), []
    for name, found in api.stack_versions().items():
        least = wanted.get(name, "")
        if not found:
            checks.append(Check(name=name, state="missing", found="not installed", fix=TRAIN_EXTRA))
        elif least and _numbers(found) < _numbers(least):
            said = f"{found}, older than {least}"
            checks.append(Check(name=name, state="missing", found=said, fix=f"pip install -U '{name}>={least}'"))
        else:
            checks.append(Check(name=name, state="ok", found=found))
    return checks


def _least_versions() -> dict[str, str]:
    """`torch>=2.8; extra == "train"` of the installed package, as {"torch": "2.8"}."""
    from importlib.metadata import PackageNotFoundError, requires

    try:
        lines = requires("finetune-compiler") or []
    except PackageNotFoundError:  # a checkout that was never installed
        return {}
    pairs = (line.partition(";")[0].partition(">=") for line in lines)
    return {name.strip(): least.strip() for name, _, least in pairs if least}


def _numbers(version: str) -> tuple[int, ...]:
    """`2.13.0+cpu` as (2, 13, 0)."""
    return tuple(int(part) for part in version.partition("+")[0].split(".") if part.isdigit())


def _host() -> Check:
    import psutil

    memory = psutil.virtual_memory()
    found = f"{os.cpu_count()} cores, {memory.available / 2**30:.1f} of {memory.total / 2**30:.1f} GiB free"
    return Check(name="host", state="ok", found=found)


def _driver() -> Check:
    command = shutil.which("nvidia-smi")
    if command is None:
        return Check(name="driver", state="note", found="no nvidia-smi: training will use the CPU")
    query = ["--query-gpu=name,memory.total,driver_version", "--format=csv,noheader"]
    try:
        done = subprocess.run([command, *query], capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError) as error:
        fix = "the NVIDIA driver does not answer: reinstall it, or restart the container with --gpus all"
        return Check(name="driver", state="missing", found=f"nvidia-smi fails: {error}", fix=fix)
    return Check(name="driver", state="ok", found="; ".join(done.stdout.strip().splitlines()))


def _training_stack() -> list[Check]:
    """What torch sees, and whether bitsandbytes packs a tensor to 4 bits and back."""
    import json

    if not api.stack_versions()["torch"]:
        return []
    try:
        done = subprocess.run(
            [sys.executable, "-P", "-c", QUESTION], capture_output=True, text=True, timeout=STACK_SECONDS, check=True
        )
        said = json.loads(done.stdout.strip().splitlines()[-1])
    except (OSError, subprocess.SubprocessError, ValueError, IndexError) as error:
        return [Check(name="cuda", state="missing", found=f"torch cannot be asked: {error}"[:300], fix=TRAIN_EXTRA)]
    return [_cuda(said), _four_bit(said["bitsandbytes"])]


def _cuda(said: dict[str, object]) -> Check:
    gpus = said["gpus"]
    if isinstance(gpus, list) and gpus:
        bf16 = "bf16" if said["bf16"] else "no bf16: fp16 is used"
        return Check(name="cuda", state="ok", found=f"{said['cuda']}, {len(gpus)} x {gpus[0]}, {bf16}")
    if shutil.which("nvidia-smi") is None:
        return Check(name="cuda", state="note", found="no GPU for torch")
    why = "this torch was built without CUDA" if not said["cuda"] else f"torch for CUDA {said['cuda']} sees no GPU"
    return Check(
        name="cuda", state="missing", found=why, fix="pip install --force-reinstall torch  (docs: pytorch.org)"
    )


def _four_bit(trouble: object) -> Check:
    if not trouble:
        return Check(name="4-bit", state="ok", found="bitsandbytes packs and unpacks (sft-qlora)")
    return Check(name="4-bit", state="missing", found=f"no sft-qlora: {trouble}", fix="pip install -U bitsandbytes")


def _disk(what: str, folder: Path) -> Check:
    there = next(each for each in (folder, *folder.parents) if each.exists())
    free_gib = shutil.disk_usage(there).free / 2**30
    fix = "a 7B model with checkpoints takes 20 GiB: `ftc run --out` and HF_HOME name another disk"
    enough = free_gib >= DISK_FLOOR_GIB
    found = f"{free_gib:.0f} GiB free for {what} ({folder})"
    return Check(name="disk", state="ok" if enough else "note", found=found, fix="" if enough else fix)


def _models_folder() -> Path:
    home = os.environ.get("HF_HOME") or Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache") / "huggingface"
    return Path(home).expanduser()


def _hub() -> list[Check]:
    from urllib.error import HTTPError
    from urllib.request import Request, urlopen

    address = os.environ.get("HF_ENDPOINT", "https://huggingface.co")
    if not address.startswith(("https://", "http://")):
        return [Check(name="hub", state="missing", found="HF_ENDPOINT is no web address", fix="unset HF_ENDPOINT")]
    try:
        with urlopen(Request(address, method="HEAD"), timeout=HUB_SECONDS):  # noqa: S310 (scheme checked above)
            pass
    except HTTPError:
        pass  # an answer is an answer
    except OSError as error:
        fix = "without the hub, models come from a folder (model.base: ./folder) or are made here (builtin:tiny)"
        return [Check(name="hub", state="note", found=f"{address} not reached ({error})", fix=fix)]
    return [Check(name="hub", state="ok", found=f"{address} answers")]


def _tokens() -> list[Check]:
    logged_in = (_models_folder() / "token").is_file()
    hub = "set" if os.environ.get("HF_TOKEN") else "from hf auth login" if logged_in else ""
    checks = [Check(name="HF_TOKEN", state="ok" if hub else "note", found=hub or "not set", fix="" if hub else LOGIN)]
    for name in TOKENS:
        there = bool(os.environ.get(name))
        checks.append(Check(name=name, state="ok" if there else "note", found="set" if there else "not set"))
    return checks


def _tools() -> list[Check]:
    found = [f"{name} ({use})" for name, use in TOOLS.items() if shutil.which(name)]
    return [
        Check(name="engines", state="ok" if found else "note", found=", ".join(found) or "none on PATH: local runs")
    ]
