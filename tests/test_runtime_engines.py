"""Submission through the engines' own clients: stand-ins on the PATH play the clients, here with no cluster at all."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ftc.compiler.targets import TARGETS, Target
from ftc.engines import Rendered, emit, rendered, run_on
from ftc.runtime.engines import CLIENTS, check, follow, submit
from ftc.runtime.engines.clients import Job, kubernetes_job, slurm_job
from ftc.spec.diagnostics import Refused
from tests.plans import hardware, plan_for

WORDS: dict[Target, list[str]] = {
    "slurm": [],
    "skypilot": ["image=a/b:1", "secrets=HF_TOKEN"],
    "kubernetes": ["image=a/b:1", "kind=job"],
    "ray": [],
}


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a plan, and an empty `bin` that is all of the PATH but for the system's."""
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:/usr/bin:/bin")
    (tmp_path / "ftc.plan.json").write_bytes(plan_for(hardware=hardware(kind="cpu")).to_bytes())
    monkeypatch.setattr("shutil.which", lambda name: str(path) if (path := tmp_path / "bin" / name).exists() else None)
    return tmp_path


def client(place: Path, name: str, script: str) -> None:
    path = place / "bin" / name
    path.write_text(f'#!/bin/bash\necho "{name} $*" >> {place}/calls\n{script}\n', "utf-8")
    path.chmod(0o755)


def calls(place: Path) -> list[str]:
    return (place / "calls").read_text("utf-8").splitlines()


def files_for(place: Path, target: Target) -> Rendered:
    return rendered(plan_for(hardware=hardware(kind="cpu")), place / "ftc.plan.json", target, WORDS[target])


def outcome(place: Path, target: Target) -> tuple[int, list[str], list[str]]:
    states: list[str] = []
    said: list[str] = []
    code = run_on(
        files_for(place, target), place / "ftc.plan.json", say=said.append, on_job=lambda job: states.append(job.state)
    )
    return code, states, said


def refused(place: Path, target: Target) -> str:
    with pytest.raises(Refused) as caught:
        outcome(place, target)
    return caught.value.diagnostics[0].code


@pytest.mark.parametrize("target", list(WORDS))
def test_a_missing_client_is_named_with_how_to_get_it(place: Path, target: Target) -> None:
    with pytest.raises(Refused) as caught:
        outcome(place, target)
    (problem,) = caught.value.diagnostics
    assert (problem.code, caught.value.exit_code) == ("R740", 2)
    assert CLIENTS[target].program in problem.message
    assert problem.fix


def test_every_engine_but_this_machine_has_a_client() -> None:
    assert set(CLIENTS) == set(TARGETS) - {"local"}


def test_slurm_is_asked_until_the_job_has_ended(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.sleep", lambda _: None)
    client(place, "sbatch", "echo 42")
    client(
        place,
        "scontrol",
        f"n=$(cat {place}/n 2> /dev/null || echo 0); echo $((n + 1)) > {place}/n\n"
        "case $n in 0) s=PENDING;; 1|2) s=RUNNING;; *) s=COMPLETED;; esac; echo JobId=42 JobState=$s ExitCode=0:0",
    )
    assert outcome(place, "slurm") == (0, ["waiting", "waiting", "running", "done"], [])
    assert "sbatch --parsable" in calls(place)[1]
    assert calls(place)[-1] == "scontrol show job 42"


@pytest.mark.parametrize(("exit_code", "expected"), [(3, 3), (4, 4), (130, 130)])
def test_the_exit_code_inside_comes_out(place: Path, exit_code: int, expected: int) -> None:
    client(place, "sbatch", "echo 7")
    client(place, "scontrol", f"echo JobState=FAILED ExitCode={exit_code}:0")
    assert outcome(place, "slurm")[0] == expected


def test_a_failed_job_is_said_to_have_failed(place: Path) -> None:
    client(place, "sbatch", "echo 7")
    client(place, "scontrol", "echo JobState=NODE_FAIL ExitCode=1:0")
    assert refused(place, "slurm") == "R742"


def test_a_refusal_is_handed_on(place: Path) -> None:
    client(place, "sbatch", "echo 'sbatch: error: invalid partition specified' >&2; exit 1")
    with pytest.raises(Refused, match="invalid partition") as caught:
        outcome(place, "slurm")
    assert caught.value.diagnostics[0].code == "R741"
    assert "--test-only" in calls(place)[0]  # asked before anything was submitted
    assert len(calls(place)) == 1


def test_a_job_that_the_engine_forgets_ends_the_waiting(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.sleep", lambda _: None)
    client(place, "sbatch", "echo 7")
    client(place, "scontrol", "exit 1")
    assert refused(place, "slurm") == "R742"


@pytest.mark.parametrize(("condition", "expected"), [("Complete", 0), ("Failed", None)])
def test_kubernetes_is_asked_for_the_object_that_was_made(place: Path, condition: str, expected: int | None) -> None:
    status = json.dumps({"status": {"conditions": [{"type": condition, "status": "True"}]}})
    client(place, "kubectl", f"[ $1 = get ] && echo '{status}'; exit 0")
    if expected is None:
        assert refused(place, "kubernetes") == "R742"
    else:
        assert outcome(place, "kubernetes")[0] == expected
    assert calls(place)[0].startswith("kubectl create --dry-run=server -f ")
    assert calls(place)[2].startswith("kubectl get job/support-router-")


@pytest.mark.parametrize(("target", "program"), [("skypilot", "sky"), ("ray", "ray")])
def test_clients_that_stay_hand_on_what_they_say(place: Path, target: Target, program: str) -> None:
    client(place, program, "echo one; echo two >&2; exit 0")
    assert outcome(place, target) == (0, ["done"], ["one", "two"])
    client(place, program, "exit 100")
    assert refused(place, target) == "R742"


def test_secrets_reach_skypilot_by_name(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_do_not_say_me")
    client(place, "sky", "exit 0")
    outcome(place, "skypilot")
    assert "--secret HF_TOKEN" in calls(place)[0]
    assert "hf_do_not_say_me" not in "".join(calls(place))


def test_ray_is_given_the_folder_of_the_plan(place: Path) -> None:
    assert f"WORKDIR = {str(place)!r}" in files_for(place, "ray").files["ftc_driver.py"]


def test_a_folder_without_the_file_is_refused(place: Path) -> None:
    client(place, "sbatch", "echo 1")
    with pytest.raises(Refused, match="one is expected"):
        submit("slurm", place / "bin", place)


def test_files_are_emitted_whole(place: Path) -> None:
    result = files_for(place, "slurm")
    (path,) = emit(result, place / "out")
    assert path.read_text("utf-8") == result.files["job.sbatch"]


def test_a_wrong_option_stops_before_anything_is_rendered(place: Path) -> None:
    with pytest.raises(Refused) as caught:
        rendered(plan_for(), place / "ftc.plan.json", "slurm", ["partitoin=x", "cpus=no"])
    assert [each.code for each in caught.value.diagnostics] == ["R701", "R701"]
    assert caught.value.exit_code == 2


def test_engines_without_a_question_are_not_asked(place: Path) -> None:
    assert check("ray", place, place) == []


# --- what the clients say -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "state", "exit_code"),
    [
        ("JobId=1 JobState=PENDING Reason=None ExitCode=0:0", "waiting", 0),
        ("JobId=1 JobState=PREEMPTED ExitCode=0:0", "waiting", 0),
        ("JobId=1 JobState=COMPLETED ExitCode=0:0", "done", 0),
        ("JobId=1 JobState=FAILED ExitCode=4:0", "failed", 4),
        ("JobId=1 JobState=CANCELLED ExitCode=0:15", "cancelled", 0),
        ("JobState=COMPLETED ExitCode=0:0\nJobState=RUNNING ExitCode=0:0", "running", 0),
        ("JobState=COMPLETED ExitCode=0:0\nJobState=FAILED ExitCode=1:0", "failed", 1),
        ("JobState=SOMETHING_NEW", "unknown", None),
        ("", "unknown", None),
    ],
)
def test_slurm_states(text: str, state: str, exit_code: int | None) -> None:
    job = slurm_job("1", text)
    assert (job.state, job.exit_code) == (state, exit_code)


@pytest.mark.parametrize(
    ("status", "state"),
    [
        ({}, "waiting"),
        ({"active": 1}, "running"),
        ({"jobsStatus": [{"name": "node", "active": 2}]}, "running"),
        ({"replicatedJobsStatus": [{"name": "node", "active": 1}]}, "running"),
        ({"conditions": [{"type": "Complete", "status": "True"}]}, "done"),
        ({"conditions": [{"type": "Completed", "status": "True"}]}, "done"),
        ({"conditions": [{"type": "Failed", "status": "False"}], "active": 1}, "running"),
        ({"conditions": [{"type": "Failed", "status": "True"}]}, "failed"),
    ],
)
def test_kubernetes_states(status: dict[str, Any], state: str) -> None:
    assert kubernetes_job("job/x", json.dumps({"status": status})).state == state


@pytest.mark.parametrize("text", ["", "not json", "[]", '{"status": null}'])
def test_kubernetes_answers_that_say_nothing(text: str) -> None:
    assert kubernetes_job("job/x", text).state in ("unknown", "waiting")


def test_following_a_job_that_has_ended_says_nothing(place: Path) -> None:
    assert list(follow(Job(target="slurm", id="1", state="done"), place)) == []
