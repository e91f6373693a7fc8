"""Does every exported configuration pass the other tool's own parser? Each tool runs in an environment of its own.

    python benchmarks/interop/run.py trl=PYTHON axolotl=PYTHON llamafactory=PYTHON torchtune=PYTHON

README.md says how to make the environments. Writes results.json beside this file: versions, and what each parser said.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, cast

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parents[1]))

from ftc.compiler.exports import TOOLS, Tool, export  # noqa: E402
from ftc.compiler.plan import Plan  # noqa: E402
from ftc.compiler.plan_file import load_plan  # noqa: E402
from tests.plans import chain_for, model, plan_for  # noqa: E402

VERSIONS = ("torch", "transformers", "peft", "trl", "accelerate", "datasets", "pydantic", "omegaconf", "torchao")
CONTROL = "an unknown key"  # has to be refused: else the other answers say nothing
LLAMA = model(base="meta-llama/Llama-3.1-8B-Instruct", parameters=8_030_261_248, architecture="llama")


def plans() -> dict[str, Plan]:
    """Name -> plan: every method that some tool has, on a Qwen and a Llama; and what `ftc compile` made of specs."""
    found = {method: plan_for(method) for method in ("sft-full", "sft-lora", "sft-qlora")}
    found |= {f"{method}-llama": plan_for(method, model=LLAMA) for method in ("sft-full", "sft-lora", "sft-qlora")}
    found["sft-lora-options"] = plan_for(
        "sft-lora", train={"packing": True, "group_by_length": False, "loss_on": "all", "neftune_alpha": 5.0}
    )
    for kind in ("cpt", "reward", "dpo", "kto", "grpo", "rloo"):
        found[kind] = chain_for(kind)  # type: ignore[arg-type]
    found["dpo-full"] = chain_for("dpo", adapter="full", model=LLAMA)
    found["dpo-qlora"] = chain_for("dpo", adapter="qlora")
    found["sft+dpo"] = chain_for("sft", "dpo")
    for file in sorted((HERE.parents[1] / "tests" / "golden").glob("*.plan.json")):
        plan, problems = load_plan(file)
        if plan is None:
            raise SystemExit(f"{file}: {problems}")
        found[f"compiled {file.name.removesuffix('.plan.json')}"] = plan
    return found


def check(tool: Tool, python: str) -> dict[str, Any]:
    """What the tool's parser says of each plan's configuration: `ok`, `no such method`, or the error."""
    with tempfile.TemporaryDirectory() as folder:
        written: dict[str, list[Path]] = {}
        said: dict[str, str] = {}
        for name, plan in plans().items():
            files, notes = export(plan, tool)
            if not files:
                said[name] = f"refused by ftc: {notes[0].code} {notes[0].message}"
            for part, content in files.items():
                path = Path(folder) / name / part
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(content, "utf-8")
                if path.suffix == ".yaml":
                    written.setdefault(name, []).append(path)
        spoiled = written["sft-lora"][0].with_name("control.yaml")
        spoiled.write_text(written["sft-lora"][0].read_text("utf-8") + "no_such_key: 1\n", "utf-8")
        written[CONTROL] = [spoiled]
        paths = [str(path) for each in written.values() for path in each]
        done = subprocess.run(
            [python, str(HERE / "check.py"), tool, *paths], capture_output=True, text=True, timeout=900, check=False
        )
        if done.returncode:
            raise RuntimeError(done.stderr[-2000:])
        answers = json.loads(done.stdout.strip().splitlines()[-1])
        for name, each in written.items():
            said[name] = "; ".join(answers[str(path)] for path in each if answers[str(path)]) or "ok"
    return {"versions": versions(tool, python), "plans": dict(sorted(said.items()))}


def versions(tool: str, python: str) -> dict[str, str]:
    code = (
        "import json, sys, importlib.metadata as m\nfound = {}\nfor name in sys.argv[1:]:\n"
        "    try: found[name] = m.version(name)\n    except m.PackageNotFoundError: pass\nprint(json.dumps(found))"
    )
    done = subprocess.run([python, "-c", code, tool, *VERSIONS], capture_output=True, text=True, check=True)
    return cast(dict[str, str], json.loads(done.stdout))


def main(words: list[str]) -> int:
    file = HERE / "results.json"
    results: dict[str, Any] = json.loads(file.read_text("utf-8")) if file.exists() else {}
    failed = 0
    for word in words:
        tool, _, python = word.partition("=")
        if tool not in TOOLS:
            raise SystemExit(f"{tool} is none of {', '.join(TOOLS)}")
        results[tool] = check(cast(Tool, tool), python)
        for name, said in results[tool]["plans"].items():
            print(f"{tool:14}{name:20}{said}")
            expected = said != "ok" if name == CONTROL else said == "ok" or said.startswith("refused by ftc")
            failed += not expected
    file.write_text(json.dumps(results, indent=1, sort_keys=True) + "\n", "utf-8")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
