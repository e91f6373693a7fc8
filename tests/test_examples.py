"""The examples: all are found, compile or are refused as their pages say, have the data of their generators, and run.

With its training cut to a few steps, one example a kind goes through all of its stages in the normal run, and every one
in the slow one, which also runs each as it stands: it reaches what its page promises.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from ftc import api
from ftc.spec.diagnostics import Refused

EXAMPLES = Path(__file__).parents[1] / "examples"
FOLDERS = sorted(each.parent for each in EXAMPLES.glob("*/ftc.yaml"))
# example -> method of its plan, and what cuts its training short
RUN = {
    "support-routing": ("sft-lora", {"steps": 4}),
    "brand-voice": ("dpo", {"steps": 3, "effective_batch": 4}),
    "healthcare-summaries": ("sft-lora", {"steps": 4}),
    "finance-risk": ("sft-lora", {"steps": 4}),
    "legal-clauses": ("prompt", {}),
    "maths-checkable": ("grpo", {"steps": 2, "effective_batch": 4}),
    "rlhf-support": ("rlhf", {"rloo.steps": 2, "rloo.effective_batch": 4}),
}
# example that is described, not given -> its verdict
DESCRIBED = {"new-language": "cpt+sft", "big-model-planning": "sft-lora"}
QUICK = ("finance-risk", "brand-voice", "legal-clauses")  # one a kind; the other kinds have tests of their own
DONE, MISSED = 0, 4


@pytest.fixture(autouse=True)
def one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")  # tests run beside each other


def copied(name: str, folder: Path) -> Path:
    """The spec of an example, in a copy that has nothing of earlier runs."""
    ignored = shutil.ignore_patterns("runs", "ftc.plan.json", "__pycache__")
    shutil.copytree(EXAMPLES / name, folder / name, ignore=ignored)
    return folder / name / "ftc.yaml"


def run(spec: Path, overrides: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    """`ftc compile && ftc run`, with these overrides on top of the example's own."""
    value = yaml.safe_load(spec.read_text("utf-8"))
    value["overrides"] = {**value.get("overrides", {}), **overrides}
    if not value["overrides"]:
        del value["overrides"]
    spec.write_text(yaml.safe_dump(value))
    plan = spec.with_name(api.PLAN_FILE)
    plan.write_bytes(api.compile(spec).to_bytes())
    outcome = api.run(plan, spec.parent / "runs")
    assert outcome.exit_code in (DONE, MISSED), outcome.diagnostics
    return outcome.exit_code, dict(outcome.report)


def test_all_are_here() -> None:
    assert len(FOLDERS) == 9
    assert {each.name for each in FOLDERS} == {*RUN, *DESCRIBED}


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda each: each.name)
def test_each_explains_itself(folder: Path) -> None:
    page = (folder / "README.md").read_text("utf-8")
    assert page.startswith(f"# {folder.name}\n")
    for heading in ("## What is decided, and why", "## What comes out"):
        assert heading in page
    assert folder.name in (EXAMPLES / "README.md").read_text("utf-8")
    assert (folder / "ftc.yaml").read_text("utf-8").startswith("# ")


@pytest.mark.parametrize("name", RUN)
def test_the_data_is_what_the_generator_makes(name: str, tmp_path: Path) -> None:
    folder = copied(name, tmp_path).parent
    data = {each.name: each.read_bytes() for each in folder.iterdir() if each.suffix in (".csv", ".jsonl")}
    assert data
    for each in data:
        (folder / each).unlink()
    subprocess.run([sys.executable, "generate.py"], cwd=folder, check=True, capture_output=True, timeout=60)
    assert data == {each: (folder / each).read_bytes() for each in data}


@pytest.mark.parametrize("name", RUN)
def test_each_compiles(name: str, tmp_path: Path) -> None:
    assert api.compile(copied(name, tmp_path)).verdict["method"] == RUN[name][0]


@pytest.mark.parametrize("name", DESCRIBED)
def test_described_ones_are_advised_on_and_priced_and_not_compiled(name: str, tmp_path: Path) -> None:
    spec = copied(name, tmp_path)
    assert api.advise(spec).verdict.method == DESCRIBED[name]
    tag = api.estimate(spec)
    assert tag["fits"]
    assert 0 < tag["hours"]["low"] <= tag["hours"]["likely"] <= tag["hours"]["high"]
    with pytest.raises(Refused) as refused:
        api.compile(spec)
    assert refused.value.exit_code == 3
    assert {each.code for each in refused.value.diagnostics} == {"M903"}


@pytest.mark.train
@pytest.mark.parametrize(
    "name", [each if each in QUICK else pytest.param(each, marks=pytest.mark.slow) for each in RUN]
)
def test_each_goes_through_all_of_its_stages(name: str, tmp_path: Path) -> None:
    pytest.importorskip("trl")
    _, report = run(copied(name, tmp_path), RUN[name][1])
    assert report["scores"]


@pytest.mark.slow
@pytest.mark.train
@pytest.mark.parametrize("name", RUN)
def test_each_reaches_what_it_promises(name: str, tmp_path: Path) -> None:
    pytest.importorskip("trl")
    code, report = run(copied(name, tmp_path), {})
    assert code == DONE, report["scores"]
