"""A plan as files for each engine: they follow the engine's schema, the same every time, and say what they must."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
from typing import Any

import pytest
import yaml

from ftc.compiler.plan import Plan
from ftc.compiler.targets import TARGETS, Target, TargetOptions, read_options, render, validate
from ftc.spec.diagnostics import Diagnostic, errors
from tests.plans import METHODS, candidate, hardware, model, plan_for, verdict

# What each engine has to be told before it renders at all; kinds and sizes that have a form of their own beside it.
NEEDED: dict[Target, list[str]] = {
    "local": [],
    "slurm": [],
    "skypilot": ["setup=pip install ./ftc.whl"],
    "kubernetes": ["image=registry.example/ftc:1"],
    "ray": ["workdir=/shared/project"],
}
FORMS: list[tuple[Target, list[str]]] = [
    *((target, NEEDED[target]) for target in TARGETS),
    ("slurm", ["partition=gpu", "account=team@a", "qos=high", "gpu_type=h100", "cpus=16", "memory_gib=200"]),
    ("slurm", ["modules=cuda/12.4", "modules=python/3.11", "setup=source /opt/venv/bin/activate", "hours=30"]),
    ("slurm", ["container=/images/ftc 1.sif"]),
    ("slurm", ["container=nvcr.io/org/ftc:1", "container_by=pyxis"]),
    ("slurm", ["sweep=seed-1.plan.json", "sweep=seed 2.plan.json"]),
    ("skypilot", ["image=ftc/ftc:1", "spot=true", "bucket=s3://bucket/ftc", "secrets=HF_TOKEN"]),
    ("skypilot", ["image=ftc/ftc:1", "volume=shared", "infra=aws", "infra=gcp/us-central1"]),
    *(("kubernetes", [*NEEDED["kubernetes"], f"kind={kind}"]) for kind in ("trainjob", "jobset", "job")),
    ("kubernetes", [*NEEDED["kubernetes"], "namespace=ml", "secrets=HF_TOKEN", "node_selector=a/b=c", "cpus=8"]),
    ("ray", [*NEEDED["ray"], "storage=/shared/ray", "secrets=HF_TOKEN"]),
]


def options_of(target: Target, *words: str) -> TargetOptions:
    options, problems = read_options(target, words)
    assert problems == []
    return options


def files_of(plan: Plan, target: Target, *words: str) -> dict[str, str]:
    files, problems = render(plan, "ftc.plan.json", target, options_of(target, *words))
    assert errors(problems) == []
    return files


def codes(problems: list[Diagnostic]) -> list[str]:
    return [each.code for each in problems]


def task(plan: Plan, *words: str) -> dict[str, Any]:
    (content,) = files_of(plan, "skypilot", *NEEDED["skypilot"], *words).values()
    read: dict[str, Any] = yaml.safe_load(content)
    return read


def manifest(plan: Plan, *words: str) -> list[dict[str, Any]]:
    (content,) = files_of(plan, "kubernetes", *NEEDED["kubernetes"], *words).values()
    return list(yaml.safe_load_all(content))


# --- every engine -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(("target", "words"), FORMS)
@pytest.mark.parametrize("nodes", [1, 2])
def test_rendered_files_follow_the_schema(method: str, target: Target, words: list[str], nodes: int) -> None:
    words = [*words, "volume=shared"] if target == "skypilot" and nodes == 2 else words
    plan = plan_for(method, hardware=hardware(count=8, nodes=nodes))
    files, problems = render(plan, "ftc.plan.json", target, options_of(target, *words))
    if target == "local" and nodes == 2:
        assert codes(problems) == ["R708"]
        assert files == {}
        return
    assert errors(problems) == []
    assert files
    assert validate(files, target) == []
    assert render(plan, "ftc.plan.json", target, options_of(target, *words))[0] == files


@pytest.mark.parametrize("target", TARGETS)
def test_all_engines_execute_the_same_command(target: Target) -> None:
    text = "\n".join(files_of(plan_for(), target, *NEEDED[target], "accept_drift=true").values())
    assert re.search(r"ftc.{1,20}run.{1,20}(ftc\.plan\.json|\$plan)", text, re.DOTALL)
    assert "--accept-drift" in text


@pytest.mark.parametrize(("target", "words"), FORMS)
def test_shell_is_shell(target: Target, words: list[str]) -> None:
    for name, content in files_of(plan_for(), target, *words).items():
        scripts = [content]
        if name.endswith(".yaml"):
            scripts = [
                value for each in yaml.safe_load_all(content) for value in strings(each) if "export PET" in value
            ]
        elif not name.endswith((".sh", ".sbatch")):
            continue
        for script in scripts:
            done = subprocess.run(["bash", "-n"], input=script, text=True, capture_output=True, check=False)
            assert done.returncode == 0, done.stderr


def strings(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else []
    return [found for each in inner for found in strings(each)]


@pytest.mark.parametrize("target", TARGETS)
def test_secrets_go_by_name_only(target: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_do_not_write_me")
    text = "\n".join(files_of(plan_for(), target, *NEEDED[target], "secrets=HF_TOKEN").values())
    assert "hf_do_not_write_me" not in text


# --- options ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("slurm", ["partition"]),
        ("slurm", ["partitoin=gpu"]),
        ("slurm", ["bucket=s3://x/y"]),  # another engine's
        ("slurm", ["cpus=many"]),
        ("slurm", ["cpus=-1"]),
        ("slurm", ["container_by=docker"]),
        ("skypilot", ["spot=perhaps"]),
        ("skypilot", ["bucket=my bucket"]),
        ("kubernetes", ["kind=pod"]),
        ("kubernetes", ["node_selector=zone"]),
        ("kubernetes", ["namespace=Not_DNS"]),
        ("local", ["slurm=x"]),
        ("ray", ["secrets=HF-TOKEN"]),
    ],
)
def test_wrong_options_are_refused(target: Target, words: list[str]) -> None:
    assert codes(read_options(target, words)[1]) == ["R701"]


def test_an_option_that_takes_several_values_is_given_several_times() -> None:
    options = options_of("kubernetes", "secrets=HF_TOKEN", "secrets=WANDB_API_KEY", "tolerations=team", "hours=1.5")
    assert options.secrets == ("HF_TOKEN", "WANDB_API_KEY")
    assert options.kubernetes.tolerations == ("team",)  # replaces the default
    assert options.hours == 1.5


def test_every_wrong_option_is_reported_at_once() -> None:
    _, problems = read_options("slurm", ["a=1", "b=2", "partition=x y"])
    assert codes(problems) == ["R701"] * 3


# --- Slurm --------------------------------------------------------------------------------------------------------


def headers(plan: Plan, *words: str) -> list[str]:
    script = files_of(plan, "slurm", *words)["job.sbatch"]
    return [line.removeprefix("#SBATCH ") for line in script.splitlines() if line.startswith("#SBATCH")]


def test_slurm_headers_say_the_plans_size() -> None:
    plan = plan_for(hardware=hardware(gpu="H100 SXM", count=8, nodes=4))
    found = headers(plan, "gpu_type=h100", "grace_seconds=120", "hours=30")
    assert {"--nodes=4", "--gpus-per-node=h100:8", "--requeue", "--signal=B:TERM@120", "--time=1-06:02:00"} <= set(
        found
    )


def test_slurm_asks_for_no_gpu_where_the_plan_has_none() -> None:
    assert not [each for each in headers(plan_for(hardware=hardware(gpu="cpu", kind="cpu"))) if "gpu" in each]


@pytest.mark.parametrize(
    ("budget_hours", "high_hours", "seconds"),
    [(8.0, 1.0, 8 * 3600), (None, 3.0, 6 * 3600), (None, 0.01, 1800)],
)
def test_time_limit_comes_from_the_budget_then_from_the_estimate(
    budget_hours: float | None, high_hours: float, seconds: int
) -> None:
    plan = plan_for()
    estimate = {**plan.estimate, "hours": {**plan.estimate["hours"], "high": high_hours}}
    plan = plan_for(budget={**plan.budget, "hours": budget_hours}, estimate=estimate)
    (spec,) = [each["spec"] for each in manifest(plan) if each["kind"] == "TrainJob"]
    assert spec["activeDeadlineSeconds"] == seconds


def test_slurm_sweep_is_an_array_with_one_plan_an_index() -> None:
    script = files_of(plan_for(), "slurm", "sweep=seed-1.plan.json", "sweep=it's.plan.json")["job.sbatch"]
    assert "#SBATCH --array=0-2" in script
    (plans,) = re.findall(r"^plans=\((.*)\)$", script, re.MULTILINE)
    assert shlex.split(plans) == ["ftc.plan.json", "seed-1.plan.json", "it's.plan.json"]


# --- SkyPilot -----------------------------------------------------------------------------------------------------


def test_candidates_of_the_same_method_and_size_become_any_of() -> None:
    others = [
        candidate("sft-lora", gpu="H100 SXM", gpus=1, offer="nebius gpu-h100-sxm_1gpu"),
        candidate("sft-lora", gpu="L40S", gpus=1, offer="aws g6e.2xlarge"),
        candidate("sft-lora", gpu="L40S", gpus=8, offer="aws g6e.48xlarge"),  # another size
        candidate("sft-lora", gpu="T4", gpus=1, offer="gcp x", feasible=False, why_not="does not fit"),
        candidate("sft-full", gpu="H200 SXM", gpus=1, offer="nebius y"),  # another method
    ]
    chosen = candidate("sft-lora", gpu="A100 80GB", offer="runpod 1x_A100-80GB_SECURE")
    decided = {**verdict("sft-lora"), "chosen": chosen, "alternatives": others}
    offered = hardware(gpu="A100 80GB", offer="runpod 1x_A100-80GB_SECURE CA")
    assert task(plan_for(verdict=decided, hardware=offered))["resources"]["any_of"] == [
        {"infra": "runpod", "accelerators": {"A100-80GB": 1}},
        {"infra": "nebius", "accelerators": {"H100": 1}},
        {"infra": "aws", "accelerators": {"L40S": 1}},
    ]


def test_price_cap_is_what_the_budget_pays_for_the_high_estimate() -> None:
    plan = plan_for()
    estimate = {**plan.estimate, "hours": {**plan.estimate["hours"], "high": 10.0}}
    resources = task(plan_for(estimate=estimate, hardware=hardware(nodes=2)), "volume=shared")["resources"]
    assert resources["max_hourly_cost"] == 2.5  # 50 USD, 10 hours, 2 nodes
    free = plan_for(budget={**plan.budget, "usd": 0})
    assert "max_hourly_cost" not in task(free)["resources"]


def test_only_the_plan_and_its_files_travel_and_stay_below_one_folder() -> None:
    hashes = {f"data:{name}": "0" for name in ("train.csv", "sub/b.csv", "../../shared/c.csv", "/data/d.csv")}
    plan = plan_for(hashes={"spec": "s", "catalogue": "c", **hashes}, model=model(base="./my model"))
    read = task(plan)
    mounts = read["file_mounts"]
    assert sorted(mounts.values()) == sorted(
        ["./ftc.plan.json", "./train.csv", "./sub/b.csv", "./../../shared/c.csv", "/data/d.csv", "./my model"]
    )
    inside = [name for name in mounts if name != "/data/d.csv"]
    top = f"~/ftc/{read['name']}"
    assert all(name.startswith(f"{top}/") and ".." not in name for name in inside)
    assert f"{top}/shared/c.csv" in inside
    assert f"{top}/plan/plan/train.csv" in inside


@pytest.mark.parametrize(
    ("words", "nodes", "expected"),
    [
        ([], 1, ["R705"]),
        (["setup=x"], 1, []),
        (["setup=x", "spot=true"], 1, ["R706"]),
        (["setup=x", "spot=true", "bucket=s3://b/x"], 1, []),
        (["setup=x"], 2, ["R706"]),
        (["setup=x", "bucket=s3://b/x"], 2, ["R706"]),  # a bucket shows writes late
        (["setup=x", "volume=v"], 2, []),
    ],
)
def test_the_run_folder_has_to_stay_and_be_shared(words: list[str], nodes: int, expected: list[str]) -> None:
    plan = plan_for(hardware=hardware(nodes=nodes))
    assert codes(render(plan, "ftc.plan.json", "skypilot", options_of("skypilot", *words))[1]) == expected


# --- Kubernetes ---------------------------------------------------------------------------------------------------


def test_secrets_are_references() -> None:
    for kind in ("trainjob", "jobset", "job"):
        text = json.dumps(manifest(plan_for(), f"kind={kind}", "secrets=HF_TOKEN", "secret=tokens"))
        assert '"secretKeyRef": {"name": "tokens", "key": "HF_TOKEN", "optional": true}' in text


def test_the_plan_travels_in_a_config_map_byte_for_byte() -> None:
    plan = plan_for()
    (held,) = [each for each in manifest(plan) if each["kind"] == "ConfigMap"]
    assert held["data"]["ftc.plan.json"].encode() == plan.to_bytes()


def test_an_image_is_needed() -> None:
    assert "R705" in codes(render(plan_for(), "ftc.plan.json", "kubernetes", TargetOptions())[1])


def test_a_plan_over_a_mebibyte_does_not_fit_a_config_map() -> None:
    plan = plan_for(goal={**plan_for().goal, "description": "x" * 2**20})
    assert "R707" in codes(render(plan, "p.json", "kubernetes", options_of("kubernetes", *NEEDED["kubernetes"]))[1])


def test_preempted_pods_come_back_and_final_answers_do_not() -> None:
    (job,) = [
        each["spec"] for each in manifest(plan_for(hardware=hardware(nodes=3)), "kind=job") if each["kind"] == "Job"
    ]
    assert (job["completions"], job["parallelism"], job["completionMode"]) == (3, 3, "Indexed")
    actions = {rule["action"]: rule for rule in job["podFailurePolicy"]["rules"]}
    assert actions["FailJob"]["onExitCodes"]["values"] == [2, 3, 4]


# --- Ray ----------------------------------------------------------------------------------------------------------


def test_ray_needs_an_absolute_folder() -> None:
    assert codes(render(plan_for(), "p.json", "ray", TargetOptions())[1]) == ["R706"]
    assert codes(render(plan_for(), "p.json", "ray", TargetOptions(workdir="here"))[1]) == ["R706"]


def test_ray_request_starts_the_driver() -> None:
    files = files_of(plan_for(hardware=hardware(count=4, nodes=2)), "ray", *NEEDED["ray"])
    assert json.loads(files["job.ray.json"])["entrypoint"] == "python ftc_driver.py"
    assert "NODES = 2\nPROCESSES = 4" in files["ftc_driver.py"]


# --- what validation refuses --------------------------------------------------------------------------------------

BROKEN: list[tuple[Target, list[str], str, str]] = [
    ("slurm", [], "--requeue", "--requeu"),
    ("slurm", [], "--requeue", "--wrap=id"),
    ("slurm", [], "#SBATCH --requeue", "#SBATCH --requeue now"),
    ("slurm", [], "status=$?", "status=$?\n#SBATCH --requeue"),
    ("skypilot", [], "num_nodes: 1", "num_node: 1"),
    ("skypilot", [], "num_nodes: 1", "num_nodes: one"),
    ("skypilot", [], "  disk_size: 256", "  disk_sise: 256"),
    ("skypilot", [], "  use_spot: false", "  use_spot: maybe"),
    ("skypilot", [], "num_nodes: 1", "num_nodes: [1"),
    ("skypilot", ["bucket=s3://b/x"], "mode: MOUNT_CACHED", "mode: MOUNTED"),
    ("skypilot", ["infra=aws", "infra=gcp"], "infra: aws", "infra: awz"),
    ("kubernetes", [], "numNodes: 1", "nodes: 1"),
    ("kubernetes", [], "numNodes: 1", "numNodes: '1'"),
    ("kubernetes", [], "runtimeRef:", "runtimeReference:"),
    ("kubernetes", [], "kind: TrainJob", "kind: TrainingJob"),
    ("kubernetes", [], "trainer.kubeflow.org/v1alpha1", "trainer.kubeflow.org/v1"),
    ("kubernetes", [], "mountPath: /ftc\n", "mountpath: /ftc\n"),
    ("kubernetes", ["kind=jobset"], "replicas: 1", "replica: 1"),
    ("kubernetes", ["kind=job"], "parallelism: 1", "parallelism: one"),
    ("kubernetes", ["kind=job"], "restartPolicy: Never", "restartPolicies: Never"),
    ("ray", [], '"entrypoint"', '"entry_point"'),
    ("ray", [], "def main()", "def main("),
]


@pytest.mark.parametrize(("target", "words", "text", "instead"), BROKEN)
def test_validation_refuses_what_the_engine_would(target: Target, words: list[str], text: str, instead: str) -> None:
    files = files_of(plan_for(), target, *NEEDED[target], *words)
    assert any(text in content for content in files.values())
    broken = {name: content.replace(text, instead) for name, content in files.items()}
    found = codes(validate(broken, target))
    assert found
    assert set(found) == {"R709"}
