"""Shell completion: the scripts are printed, and what they call completes verbs, options and words."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

import pytest

from ftc.cli import COMMANDS
from tests.test_cli import ftc as call


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_scripts(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = call(capsys, "completion", shell)
    assert code == 0
    assert "_FTC_COMPLETE" in out
    if shutil.which(shell):
        subprocess.run([shell, "-n"], input=out, text=True, check=True, timeout=20)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("ftc ", set(COMMANDS)),
        ("ftc comp", {"compile", "completion"}),
        ("ftc estimate --meth", {"--method"}),
        ("ftc estimate --method q", {"qlora"}),
        ("ftc run --report-to t", {"tensorboard", "trackio"}),
    ],
)
def test_words(words: str, expected: set[str]) -> None:
    environment = {**os.environ, "_FTC_COMPLETE": "bash_complete", "COMP_WORDS": words}
    environment["COMP_CWORD"] = str(len(words.split()) - (not words.endswith(" ")))
    done = subprocess.run(
        [sys.executable, "-c", "from ftc.cli import ftc; ftc(prog_name='ftc')"],
        env=environment, capture_output=True, text=True, timeout=30,
    )  # fmt: skip
    assert {line.partition(",")[2] for line in done.stdout.splitlines()} == expected
