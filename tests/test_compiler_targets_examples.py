"""Every example of the project, as it compiles, on every engine; and hostile names in a spec, all the way down."""

from __future__ import annotations

import shutil
from functools import cache
from pathlib import Path

import pytest

from ftc import api
from ftc.compiler.plan import Plan
from ftc.compiler.targets import TARGETS, Target, read_options, render, validate
from ftc.spec.diagnostics import Refused, errors
from tests.test_compiler_targets import FORMS, NEEDED
from tests.test_compiler_targets_hostile import check_file, runs_harmlessly

EXAMPLES = sorted((Path(__file__).parents[1] / "examples").glob("*/ftc.yaml"))
HOSTILE_FILES = [
    "$(touch PWNED).csv", "x; touch PWNED;.csv", "x' ; touch PWNED ; '.csv", 'x" ; touch PWNED ; ".csv',
    "`touch PWNED`.csv", "{{ 7*7 }}.csv", "-rf.csv", "x\ntouch PWNED\n.csv", "- x: {a: b}.csv", "~root.csv", "a b.csv",
]  # fmt: skip


@cache
def compiled(spec: Path) -> Plan | None:
    """The example's plan; None where the answer is to train nothing, which is an answer too."""
    try:
        return api.compile(spec)
    except Refused as refused:
        if refused.exit_code != 3:
            raise
        return None


@pytest.fixture(autouse=True)
def _no_past_runs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("FTC_DATA_DIR", str(tmp_path / "data"))


def test_some_examples_compile() -> None:
    assert sum(compiled(spec) is not None for spec in EXAMPLES) >= 1


@pytest.mark.parametrize("spec", EXAMPLES, ids=lambda path: path.parent.name)
def test_examples_pass_the_schema_of_every_engine(spec: Path) -> None:
    plan = compiled(spec)
    if plan is None:
        pytest.skip("the answer is to train nothing")
    rendered = set()
    for target, words in FORMS:
        options, problems = read_options(target, words)
        assert problems == []
        files, problems = render(plan, "ftc.plan.json", target, options)
        assert errors(problems) == [], (target, words)
        assert files
        assert validate(files, target) == [], (target, words)
        rendered.add(target)
    assert rendered == set(TARGETS)


@pytest.mark.parametrize("name", HOSTILE_FILES)
def test_a_hostile_file_name_in_a_spec_reaches_no_shell(name: str, tmp_path: Path) -> None:
    source = EXAMPLES[0].parents[1] / "support-routing"
    project = tmp_path / "project"
    project.mkdir()
    shutil.copy(source / "tickets.csv", project / name)
    text = (source / "ftc.yaml").read_text("utf-8")
    quoted = '"' + name.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'
    (project / "ftc.yaml").write_text(text.replace("tickets.csv", quoted), "utf-8")
    try:
        plan = api.compile(project / "ftc.yaml")
    except Refused as refused:
        if refused.exit_code != 2:
            raise
        return
    for target in TARGETS:
        found(plan, target, name, tmp_path)


def found(plan: Plan, target: Target, name: str, folder: Path) -> None:
    """The files are refused, or hold the name as data; what bash would run is run."""
    options, problems = read_options(target, NEEDED[target])
    assert problems == []
    files, problems = render(plan, "ftc.plan.json", target, options)
    if errors(problems):
        assert files == {}
        assert {each.code for each in errors(problems)} <= {"R702", "R703", "R707"}
        return
    assert validate(files, target) == []
    for file, content in files.items():
        check_file(file, content, name)
        if target in ("local", "slurm"):
            runs_harmlessly(content.replace("sleep 180", "true"), folder)


@pytest.mark.parametrize("name", ["x; touch PWNED", "$(id)", "../../etc", "x\nrun: id", "-rf", "a b"])
def test_a_hostile_name_of_a_spec_is_refused(name: str, tmp_path: Path) -> None:
    source = EXAMPLES[0].parents[1] / "support-routing"
    shutil.copy(source / "tickets.csv", tmp_path)
    lines = (source / "ftc.yaml").read_text("utf-8").splitlines()
    quoted = '"' + name.replace("\n", "\\n") + '"'
    named = [f"name: {quoted}" if each.startswith("name:") else each for each in lines]
    (tmp_path / "ftc.yaml").write_text("\n".join(named) + "\n", "utf-8")
    with pytest.raises(Refused) as caught:
        api.compile(tmp_path / "ftc.yaml")
    assert caught.value.exit_code == 2
