"""README and docs: every command printed there works, every link leads somewhere, what is generated is up to date.

Commands stand in fenced blocks: `sh`, every line, or `console`, the lines after `$ `. One that cannot be carried out
here says why in its fence (```sh cluster), and those are counted. Each block runs in a folder of its own: that of its
example, or one with the README's first spec, its rows and a plan of it.
"""

from __future__ import annotations

import csv
import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import click
import pytest

from ftc import api
from ftc.cli import COMMANDS, ftc

ROOT = Path(__file__).parents[1]
PLACES = (
    "*.md",
    "docs/*.md",
    "examples/README.md",
    "examples/*/README.md",
    "benchmarks/README.md",
    "benchmarks/*/README.md",
)
PAGES = sorted(path for each in PLACES for path in ROOT.glob(each))
FENCE = re.compile(r"^```([^\n`]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")
SPOKEN = re.compile(r"`ftc ([a-z]+)((?:[^`\n])*)`")
# why a block is not carried out -> how many such blocks there are
NOT_HERE = {
    "train": 11,  # minutes of training; tests/test_examples.py runs the examples
    "cluster": 1,  # an engine
    "tool": 2,  # other tools, in environments of their own
    "install": 3,  # network and minutes; tests/test_wheel.py installs the wheel
    "screen": 2,  # a terminal
}
REFUSED = {("examples/new-language/README.md", "ftc compile"): 3}
OLD_PLAN, OTHER_TOOL = "old.plan.json", "axolotl.yaml"


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """The commands of one fenced block."""

    page: str
    commands: tuple[str, ...]
    why_not: str


def blocks() -> Iterator[Block]:
    """Every block of commands on every page."""
    for path in PAGES:
        for fence in FENCE.finditer(path.read_text("utf-8")):
            language, _, why_not = fence[1].partition(" ")
            lines = fence[2].replace("\\\n", " ").splitlines()
            if language == "console":
                lines = [line[2:] for line in lines if line.startswith("$ ")]
            elif language != "sh":
                continue
            commands = tuple(line.partition("  ")[0].strip() for line in lines if line.strip())
            yield Block(page=str(path.relative_to(ROOT)), commands=commands, why_not=why_not.strip())


BLOCKS = list(blocks())
HERE = [each for each in BLOCKS if not each.why_not]


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as the README has it: tickets.csv with `text` and `label`, ftc.yaml, and what other pages name."""
    folder = tmp_path_factory.mktemp("desk")
    with (ROOT / "examples" / "support-routing" / "tickets.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.reader(stream))
    with (folder / "tickets.csv").open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows([["text", "label"], *rows[1:601]])
    spec = next(each[2] for each in FENCE.finditer((ROOT / "README.md").read_text("utf-8")) if each[1] == "yaml")
    (folder / "ftc.yaml").write_text(spec, encoding="utf-8")
    plan = api.compile(folder / "ftc.yaml").to_bytes()
    for name in (api.PLAN_FILE, OLD_PLAN):
        (folder / name).write_bytes(plan)
    (folder / OTHER_TOOL).write_text(
        "base_model: Qwen/Qwen2.5-0.5B\nadapter: lora\nlora_r: 16\ndatasets:\n  - path: t.jsonl\n    type: alpaca\n"
    )
    return folder


def place(page: str, desk: Path, folder: Path) -> Path:
    """Where a page's commands run: a copy of its example, of the repository's root, or of the desk."""
    example = ROOT / Path(page).parent
    source = example if (example / "ftc.yaml").is_file() else desk
    ignored = shutil.ignore_patterns("runs", "ftc.plan.json", "__pycache__") if source == example else None
    shutil.copytree(source, folder / "here", ignore=ignored)
    return folder / "here"


def test_there_are_pages_and_commands() -> None:
    assert len(PAGES) >= 20
    assert len(HERE) >= 12
    assert sum(len(each.commands) for each in HERE) >= 20


def test_blocks_that_are_not_run_here_are_known() -> None:
    assert Counter(each.why_not for each in BLOCKS if each.why_not) == NOT_HERE


@pytest.mark.parametrize("page", PAGES, ids=lambda each: str(each.relative_to(ROOT)))
def test_no_command_stands_in_a_block_without_a_language(page: Path) -> None:
    for fence in FENCE.finditer(page.read_text("utf-8")):
        if not fence[1]:
            assert not re.search(r"^(ftc|python|pip|make|git) ", fence[2], re.MULTILINE), fence[2]


@pytest.mark.parametrize("block", HERE, ids=lambda each: f"{each.page}: {each.commands[0]}")
def test_commands_work(block: Block, desk: Path, tmp_path: Path) -> None:
    folder = place(block.page, desk, tmp_path)
    binaries = str(Path(sys.executable).parent)
    environment = {
        **os.environ,
        "PATH": f"{binaries}:{os.environ['PATH']}",
        "HF_HUB_OFFLINE": "1",
        "HOME": str(tmp_path),
    }
    environment["FTC_DATA_DIR"] = str(tmp_path / "data")
    for command in block.commands:
        cwd = ROOT if command.startswith("python ") and not command.startswith("python generate") else folder
        done = subprocess.run(
            ["bash", "-c", command], cwd=cwd, env=environment, capture_output=True, text=True, timeout=120
        )  # fmt: skip
        expected = REFUSED.get((block.page, command), 0)
        assert done.returncode == expected, f"{command}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"


@pytest.mark.parametrize("page", PAGES, ids=lambda each: str(each.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    for target in LINK.findall(FENCE.sub("", page.read_text("utf-8"))):
        if not target.startswith(("http://", "https://", "mailto:")):
            assert (page.parent / target).exists(), target


@pytest.mark.parametrize("page", PAGES, ids=lambda each: str(each.relative_to(ROOT)))
def test_verbs_and_options_that_are_spoken_of_exist(page: Path) -> None:
    text = page.read_text("utf-8")
    printed = [tuple(each.partition(" ")[::2]) for each in re.findall(r"^(?:\$ )?ftc ([a-z]+.*)$", text, re.MULTILINE)]
    for verb, rest in [*SPOKEN.findall(text), *printed]:
        assert verb in COMMANDS, verb
        command = ftc.get_command(click.Context(ftc), verb)
        assert command is not None
        known = {name for parameter in command.params for name in parameter.opts} | {"--help"}
        for word in re.findall(r"(?<=\s)--[a-z-]+", rest.partition("&&")[0].partition("  ")[0]):
            assert word in known, f"ftc {verb} {word}"


def test_what_is_generated_is_up_to_date() -> None:
    done = subprocess.run(
        [sys.executable, "docs/make.py", "--check"], cwd=ROOT, capture_output=True, text=True, timeout=60
    )  # fmt: skip
    assert done.returncode == 0, f"python docs/make.py: {done.stdout}{done.stderr}"


def test_the_python_of_the_readme_runs(
    desk: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    code = next(each[2] for each in FENCE.finditer((ROOT / "README.md").read_text("utf-8")) if each[1] == "python")
    monkeypatch.chdir(desk)
    exec(compile(code, "README.md", "exec"), {})  # noqa: S102 - our own page
    assert "sft-lora" in capsys.readouterr().out


def test_shown_errors_are_what_is_said(tmp_path: Path) -> None:
    text = (ROOT / "README.md").read_text("utf-8")
    shown = next(each[2] for each in FENCE.finditer(text) if "S104" in each[2])
    (tmp_path / "tickets_train.csv").write_text("text,label\na,b\n")
    spec = "version: 1\nname: x\ngoal: {task: clasification}\ndata:\n  demonstrations: {path: tickets_trian.csv}\n"
    (tmp_path / "ftc.yaml").write_text(spec + "budjet: {usd: 5}\n")
    command = [sys.executable, "-m", "ftc", "check"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.stderr == shown
