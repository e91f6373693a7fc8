"""The wheel alone, outside the repository, without the training stack: planning works, the rest says what it needs."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
pytestmark = pytest.mark.slow
# As in an environment without the [train] extra: imports fail, and no version is known.
WITHOUT_TRAINING = """
import importlib.metadata
from importlib.machinery import PathFinder
GONE = {"torch", "transformers", "trl", "peft", "bitsandbytes", "datasets", "accelerate"}
find = PathFinder.find_spec
PathFinder.find_spec = lambda name, *more: None if name.partition(".")[0] in GONE else find(name, *more)
known = importlib.metadata.version
def version(name):
    if name in GONE:
        raise importlib.metadata.PackageNotFoundError(name)
    return known(name)
importlib.metadata.version = version
"""
COMMANDS = {
    "check": 0, "advise --json": 0, "estimate": 0, "compile": 0, "explain M130": 0, "review --help": 0, "gpus": 0,
    "models": 0, "schema plan": 0, "doctor --offline": 0, "diff ftc.yaml ftc.plan.json": 0, "runs": 0,
    "export --to axolotl": 0, "compile --target slurm --dry-run": 0, "annotate --help": 0, "completion bash": 0,
    "run": 3,
}  # fmt: skip


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheel's content and nothing else of the repository."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    kept = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout.decode()
    for name in kept.split("\0"):
        path = ROOT / name
        if name and path.is_file() and not any(parent.is_symlink() for parent in path.relative_to(ROOT).parents):
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, source / name)
    command = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target", str(folder / "site"), str(source)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    if done.returncode and "setuptools" in done.stderr:
        pytest.skip("no network for the build's own environment")
    assert done.returncode == 0, done.stderr
    (folder / "site" / "sitecustomize.py").write_text(WITHOUT_TRAINING)
    return folder / "site"


def test_planning_works_and_running_says_what_is_missing(installed: Path, tmp_path: Path) -> None:
    for name in ("ftc.yaml", "tickets.csv"):
        shutil.copy(ROOT / "examples" / "support-routing" / name, tmp_path / name)
    environment = {**os.environ, "PYTHONPATH": str(installed), "FTC_DATA_DIR": str(tmp_path / "data")}
    where = "import ftc; print(ftc.__file__)"
    done = subprocess.run(
        [sys.executable, "-c", where], cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
    )
    assert Path(done.stdout.strip()).is_relative_to(installed)
    for words, expected in COMMANDS.items():
        command = [sys.executable, "-m", "ftc", *words.split()]
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120)
        assert done.returncode == expected, f"ftc {words}\n{done.stdout[-1000:]}\n{done.stderr[-2000:]}"
    assert "finetune-compiler[train]" in done.stdout + done.stderr
