"""The mapping of four folders into one package, and what may not be loaded at start-up."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ROOMS = ("spec", "advisor", "compiler", "runtime")
HEAVY = {"torch", "transformers", "trl", "peft", "bitsandbytes", "datasets", "textual", "pandas", "sklearn"}


def folder_packages() -> set[str]:
    """Every folder with Python files in it, as the package it is to be imported as."""
    tops = {"ftc": ROOT / "ftc"} | {f"ftc.{room}": ROOT / room for room in ROOMS}
    found = set()
    for package, top in tops.items():
        for init in top.rglob("__init__.py"):
            relative = init.parent.relative_to(top)
            if package == "ftc" and relative.parts and relative.parts[0] in ROOMS:
                continue  # through a symlink: counted where it really stands
            found.add(".".join((package, *relative.parts)))
    return found


def settings() -> dict[str, object]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["setuptools"]


def test_every_package_is_listed_for_the_wheel() -> None:
    listed = settings()["packages"]
    assert isinstance(listed, list)
    assert folder_packages() == set(listed)
    assert len(listed) == len(set(listed))


@pytest.mark.parametrize("room", ROOMS)
def test_symlinks_lead_type_checkers_to_the_rooms(room: str) -> None:
    link = ROOT / "ftc" / room
    if not link.is_symlink():
        pytest.skip("a clone without symlinks: installs work, editors do not follow")
    assert link.resolve() == (ROOT / room).resolve()


def modules_after(code: str) -> set[str]:
    script = f"{code}\nimport sys; print('\\n'.join(sys.modules))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)
    return {name.split(".")[0] for name in done.stdout.splitlines()}


@pytest.mark.parametrize(
    "code",
    [
        "import ftc, ftc.api, ftc.cli",
        "import ftc.advisor.decide, ftc.advisor.observe, ftc.compiler.compile, ftc.compiler.plan_file",
        "import ftc.spec.load, ftc.spec.measure, ftc.spec.read",
        "import ftc.runtime.supervisor",
    ],
)
def test_planning_loads_no_training_stack(code: str) -> None:
    assert not modules_after(code) & HEAVY


def test_a_sound_spec_is_read_without_the_validator() -> None:
    spec = ROOT / "examples" / "support-routing" / "ftc.yaml"
    loaded = modules_after(f"from pathlib import Path; from ftc.spec.load import load; load(Path({str(spec)!r}))")
    assert "yaml" in loaded
    assert "jsonschema" not in loaded


def test_help_imports_no_command() -> None:
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "ftc", "--help"],
        capture_output=True, text=True, check=True, timeout=60, env={**os.environ, "COLUMNS": "80"},
    )  # fmt: skip
    loaded = {line.rsplit("|", 1)[-1].strip().split(".")[0] for line in done.stderr.splitlines() if "|" in line}
    assert not loaded & (HEAVY | {"rich", "jsonschema", "pyarrow", "jinja2"})
    assert "compile" in done.stdout
