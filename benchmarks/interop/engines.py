"""Do SkyPilot and Kubernetes take what `ftc compile --target` renders? Their own packages answer, offline.

    python benchmarks/interop/engines.py PYTHON      # an environment as in vendor_schemas.py

Writes results_engines.json beside this file. `a wrong key` is the control of each engine, and has to be refused.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parents[1]))

from ftc.compiler.targets import Target, read_options, render  # noqa: E402
from tests.plans import METHODS, hardware, plan_for  # noqa: E402

FORMS: list[tuple[str, Target, list[str]]] = [
    ("skypilot", "skypilot", ["setup=pip install ./ftc.whl"]),
    ("skypilot spot", "skypilot", ["image=a/b:1", "spot=true", "bucket=s3://b/x", "secrets=HF_TOKEN"]),
    ("skypilot clouds", "skypilot", ["image=a/b:1", "infra=aws", "infra=gcp/us-central1"]),
    ("trainjob", "kubernetes", ["image=a/b:1", "secrets=HF_TOKEN", "node_selector=zone=a", "cpus=8"]),
    ("jobset", "kubernetes", ["image=a/b:1", "kind=jobset", "namespace=ml", "memory_gib=64"]),
    ("job", "kubernetes", ["image=a/b:1", "kind=job", "service_account=trainer"]),
]
CONTROLS = {"skypilot": ("num_nodes:", "num_node:"), "job": ("parallelism:", "parallel:")}
PACKAGES = ("skypilot", "kubernetes-validate", "kubeflow_trainer_api")


def main(python: str) -> int:
    with tempfile.TemporaryDirectory() as folder:
        files: dict[str, Path] = {}
        for name, target, words in FORMS:
            for method in METHODS:
                options, _ = read_options(target, words)
                plan = plan_for(method, hardware=hardware(gpu="H100 SXM", count=8))
                for file, content in render(plan, "ftc.plan.json", target, options)[0].items():
                    path = Path(folder) / f"{name}-{method}".replace(" ", "-") / file
                    path.parent.mkdir()
                    path.write_text(content, "utf-8")
                    files[f"{name}, {method}"] = path
            if name in CONTROLS:
                spoiled = path.with_name(f"control{''.join(path.suffixes)}")
                spoiled.write_text(path.read_text("utf-8").replace(*CONTROLS[name]), "utf-8")
                files[f"{name}, a wrong key"] = spoiled
        command = [python, str(HERE / "check_engines.py"), *map(str, files.values())]
        done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
        if done.returncode:
            raise RuntimeError(done.stderr[-2000:])
        answers = json.loads(done.stdout.strip().splitlines()[-1])
    said = {name: answers[str(path)] or "ok" for name, path in files.items()}
    code = "import json, sys, importlib.metadata as m; print(json.dumps({n: m.version(n) for n in sys.argv[1:]}))"
    versions = subprocess.run([python, "-c", code, *PACKAGES], capture_output=True, text=True, check=True).stdout
    result = {"versions": json.loads(versions), "files": said}
    (HERE / "results_engines.json").write_text(json.dumps(result, indent=1, sort_keys=True) + "\n", "utf-8")
    for name, each in said.items():
        print(f"{name:32}{each[:150]}")
    return 1 if any((each == "ok") == name.endswith("a wrong key") for name, each in said.items()) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
