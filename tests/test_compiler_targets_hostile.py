"""Names, paths, texts and options that try to break out of every engine's files and every export.

A plan may come from a stranger, and a hand-made one need not follow the spec's pattern for names. Each hostile value
goes through every engine and tool; the outcome is a refusal, or files in which the value is nothing but data.
"""

from __future__ import annotations

import ast
import json
import re
import shlex
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from ftc.compiler.exports import TOOLS, Tool, export
from ftc.compiler.plan import Plan
from ftc.compiler.targets import TARGETS, Target, TargetOptions, read_options, render, validate
from ftc.compiler.targets.quoting import header, python, render_template, shell, verbatim
from ftc.compiler.targets.yaml_file import from_yaml, to_yaml
from ftc.spec.diagnostics import errors
from tests.plans import chain_for, model, plan_for

HOSTILE = [
    "x; touch PWNED",
    "x\ntouch PWNED",
    "x\r\ntouch PWNED\r\n",
    "$(touch PWNED)",
    "`touch PWNED`",
    "${IFS}touch${IFS}PWNED",
    "x' ; touch PWNED ; '",
    'x" ; touch PWNED ; "',
    "x\\' ; touch PWNED",
    "x && touch PWNED || true",
    "x | tee PWNED",
    "x > PWNED",
    "--output=/etc/passwd",
    "-rf /",
    "x\n#SBATCH --wrap=id",
    "x\n#SBATCH --uid=0\n",
    "{{ 7*7 }}",
    "{{ cycler.__init__.__globals__.os.popen('touch PWNED').read() }}",
    "{% for x in ().__class__.__base__.__subclasses__() %}{% endfor %}",
    "{# x #}",
    "x: {a: b}",
    "x\nrun: touch PWNED",
    "x\n---\nkind: Secret",
    "- x",
    "!!python/object/apply:os.system [touch PWNED]",
    "&a [*a, *a]",
    "*anchor",
    "no",
    "0x10",
    "null",
    '", "entrypoint": "touch PWNED',
    "x\"\n__import__('os').system('touch PWNED')\n\"",
    "'''\nimport os\n'''",
    "$HF_TOKEN",
    "$(HF_TOKEN)",
    "$$(HF_TOKEN)",
    "${oc.env:HF_TOKEN}",
    "~/.ssh/id_rsa",
    "s3://evil/x",
    "../../../../etc/passwd",
    "/etc/passwd",
    "x\0y",
    "x\u2028y",
    "x\u0085y",
    "\u202etxt.exe",
    "x" * 5000,
    "",
    " ",
    "é ü 漢字",
]
ENGINE_OPTIONS: dict[Target, list[str]] = {
    "local": [],
    "slurm": [],
    "skypilot": ["image=ftc/ftc:1"],
    "kubernetes": ["image=ftc/ftc:1", "secrets=HF_TOKEN", "kind=job"],
    "ray": ["workdir=/shared/x"],
}


def hostile_plan(text: str, where: str) -> Plan:
    """A plan with `text` wherever a spec can put text (`texts`), as a data file, or as an offer of a machine."""
    match where:
        case "data file":
            plan = plan_for("sft-lora")
            return replace(plan, hashes={**plan.hashes, f"data:{text}": "0"})
        case "offer":
            plan = plan_for("sft-lora")
            chosen = {**plan.verdict["chosen"], "gpu": text, "offer": text}
            return replace(
                plan,
                hardware={**plan.hardware, "gpu": text, "offer": text},
                verdict={**plan.verdict, "chosen": chosen, "alternatives": [chosen]},
            )
        case _:
            plan = plan_for("sft-lora", train={"scheduler": text, "optimizer": text, "attention": text})
            goal = {**plan.goal, "description": text, "domain": text}
            return replace(plan, name=text, goal=goal, model=model(base=text, revision=text))


def words_of(script: str) -> list[str]:
    """The script cut into words as a shell would; raises where a quote stays open."""
    return shlex.split(script, comments=True)


def runs_harmlessly(script: str, folder: Path) -> None:
    """Execute what was rendered, with stand-ins for everything that it calls: nothing but those may run."""
    tools = folder / "bin"
    tools.mkdir(exist_ok=True)
    for name in ("ftc", "srun", "scontrol", "module", "apptainer"):
        (tools / name).write_text("#!/bin/bash\nexit 0\n")
        (tools / name).chmod(0o755)
    work = folder / "work"
    work.mkdir(exist_ok=True)
    environment = {"PATH": f"{tools}:/usr/bin:/bin", "SLURM_JOB_ID": "7", "SLURM_JOB_NODELIST": "n1", "HOME": str(work)}
    subprocess.run(["bash", "-c", script], cwd=work, env=environment, capture_output=True, timeout=20, check=False)
    assert [each.name for each in work.rglob("*")] == []
    assert not (folder / "PWNED").exists()


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("where", ["texts", "data file", "offer"])
def test_hostile_plans_stay_data_in_every_engine(target: Target, where: str, tmp_path: Path) -> None:
    options, problems = read_options(target, ENGINE_OPTIONS[target])
    assert problems == []
    honest = len(render(plan_for("sft-lora"), "ftc.plan.json", target, options)[0])
    if where == "offer" and target != "skypilot":
        return  # no other engine looks at offers
    for text in HOSTILE:
        files, problems = render(hostile_plan(text, where), "ftc.plan.json", target, options)
        if errors(problems):
            assert files == {}
            assert {each.code for each in errors(problems)} <= {"R702", "R703", "R707"}, text
            continue
        assert len(files) == honest
        invalid = validate(files, target)
        assert {each.code for each in invalid} <= {"R709"}, text
        if invalid:  # refused before submission: a cloud or a GPU that does not exist
            assert where == "offer"
            continue
        for name, content in files.items():
            check_file(name, content, text)


def check_file(name: str, content: str, text: str) -> None:
    """The file reads as what it is, with no field, no command and no header of the value's making."""
    if name.endswith(".py"):
        tree = ast.parse(content)
        names = {node.names[0].name for node in ast.walk(tree) if isinstance(node, ast.Import)}
        assert names <= {"os", "socket", "subprocess", "sys", "ray", "ray.train", "torch.distributed"}
    elif name.endswith(".json"):
        assert set(json.loads(content)) == {"entrypoint", "submission_id", "metadata", "entrypoint_num_cpus"}
    elif name.endswith(".yaml"):
        for document in from_yaml(content):
            assert document.get("kind", "task") in ("task", "ConfigMap", "Service", "Job", "TrainJob")
            assert "Secret" not in str(document.get("kind"))
            for command in commands(document):
                assert "PWNED" not in command
    else:
        words_of(content)
        assert "PWNED" not in content or text in ("",)
        assert not re.search(r"^#SBATCH --(wrap|uid)", content, re.MULTILINE)


def commands(document: Any) -> list[str]:
    """Everything that is executed."""
    if isinstance(document, dict):
        found = [str(document[key]) for key in ("run", "setup", "command", "args", "entrypoint") if key in document]
        return found + [each for key, value in document.items() if key != "data" for each in commands(value)]
    return [each for value in document for each in commands(value)] if isinstance(document, list) else []


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
@pytest.mark.parametrize("target", ["local", "slurm"])
def test_hostile_values_execute_nothing(target: Target, text: str, tmp_path: Path) -> None:
    """The plan's file name, the folder of runs, a sweep: rendered, then really run by bash."""
    options = TargetOptions(runs=text or "runs")
    if target == "slurm":
        options = replace(options, slurm=replace(options.slurm, sweep=(text,)))
    files, problems = render(plan_for("sft-lora"), text or "p.json", target, options)
    if errors(problems):
        assert files == {}
        return
    (script,) = files.values()
    assert validate(files, target) == []
    runs_harmlessly(script.replace("sleep 180", "true"), tmp_path)


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
@pytest.mark.parametrize("kind", ["trainjob", "job"])
def test_kubernetes_expands_nothing_that_a_value_brings(kind: str, text: str) -> None:
    options, _ = read_options("kubernetes", ["image=a/b", f"kind={kind}", "secrets=HF_TOKEN"])
    files, problems = render(plan_for("sft-lora"), "p.json", "kubernetes", replace(options, runs=text))
    if errors(problems):
        return
    (content,) = files.values()
    assert validate(files, "kubernetes") == []
    command = next(each for each in from_yaml(content) if each["kind"] not in ("ConfigMap", "Service"))
    found = json.dumps(command)
    assert not re.search(r"(?<!\$)(\$\$)*\$\(", found)  # an odd number of dollars before a parenthesis expands
    words = next(each for each in lists(command) if each[:2] == ["bash", "-c"])
    assert words[-1].replace("$$", "$") == text


def lists(value: Any) -> list[list[Any]]:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else []
    return [*([value] if isinstance(value, list) else []), *(found for each in inner for found in lists(each))]


@pytest.mark.parametrize("target", ["slurm", "skypilot", "kubernetes"])
@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_options_are_refused_or_quoted(target: Target, text: str) -> None:
    for key in ("partition", "account", "constraint", "gpu_type", "modules", "bucket", "volume", "image", "infra"):
        options, problems = read_options(target, [f"{key}={text}", "workdir=/shared/x"])
        if problems:
            assert {each.code for each in problems} == {"R701"}
            continue
        files, problems = render(plan_for(), "p.json", target, options)
        if not errors(problems):
            assert {each.code for each in validate(files, target)} <= ({"R709"} if key == "infra" else set())
        assert "PWNED" not in "".join(files.values())


@pytest.mark.parametrize("tool", TOOLS)
def test_hostile_plans_stay_data_in_every_export(tool: Tool) -> None:
    honest = yaml.safe_load(export(plan_for("sft-lora"), tool)[0][f"{tool}.yaml"])
    for text in HOSTILE:
        plan = hostile_plan(text, "texts")
        files, notes = export(replace(plan, model=model()) if tool == "torchtune" else plan, tool)
        if not files:
            assert {each.code for each in notes if each.severity == "error"} == {"R721"}
            continue
        (name,) = [each for each in files if each.endswith(".yaml")]
        assert name == f"{tool}.yaml"
        assert not any(".." in each or each.startswith("/") for each in files)
        (read,) = from_yaml(files[name])
        assert read.keys() <= honest.keys() | {"model_revision", "revision_of_model", "attn_implementation"}
        comment = files[name].split("\n", 1)[0]
        assert re.fullmatch(r"# Made by ftc from plan [0-9a-f]{8}\. Start in this folder: [a-z0-9 _.-]+", comment)
        if tool == "trl":
            assert read["model_name_or_path"] == text


def test_torchtune_gets_no_interpolation() -> None:
    plan = plan_for("sft-lora", train={"scheduler": "cosine"}, model=model(base="${oc.env:HF_TOKEN}/Qwen2.5-7B"))
    files, _ = export(plan, "torchtune")
    assert not re.search(r"(?<!\\)\$\{", files["torchtune.yaml"])
    chain = chain_for("sft", name="${oc.env:HF_TOKEN}")
    assert "oc.env" not in export(chain, "torchtune")[0]["torchtune.yaml"]


# --- the quoting itself -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_a_shell_word_comes_back_as_it_went_in(text: str) -> None:
    if "\0" in text:
        with pytest.raises(ValueError, match="NUL"):
            shell(text)
        return
    done = subprocess.run(["bash", "-c", f"printf %s {shell(text)}"], capture_output=True, timeout=10, check=True)
    assert done.stdout.decode() == text


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_text_in_yaml_comes_back_as_it_went_in(text: str) -> None:
    value = {"a": text, "b": [f"{text}\nline\n", f" {text} "], f"k{text}"[:100]: 1}
    if "\0" in text:
        return  # refused before it gets here, and escaped if it did
    assert list(from_yaml(to_yaml(value, {"c": 1}))) == [value, {"c": 1}]


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_a_python_literal_comes_back_as_it_went_in(text: str) -> None:
    assert ast.literal_eval(python(text)) == text
    assert python(text).isascii()


@pytest.mark.parametrize("text", ["a b", "a\nb", "a;b", "$(x)", "`x`", "a'b", 'a"b', "#x", "é", ""])
def test_a_header_takes_plain_characters_only(text: str) -> None:
    with pytest.raises(ValueError, match="header"):
        header(f"--x={text}" if text else "")


def test_a_line_of_setup_is_one_line() -> None:
    assert verbatim("source x && y") == "source x && y"
    with pytest.raises(ValueError, match="control"):
        verbatim("a\nb")


def test_a_template_cannot_put_a_value_in_bare(monkeypatch: pytest.MonkeyPatch) -> None:
    class Folder:
        def __truediv__(self, name: str) -> Folder:
            return self

        def read_text(self, encoding: str) -> str:
            return "{{ name }}"

    monkeypatch.setattr("ftc.compiler.targets.quoting.files", lambda _: Folder())
    with pytest.raises(TypeError, match="without a filter"):
        render_template("x.j2", name="harmless")
