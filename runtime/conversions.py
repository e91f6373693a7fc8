"""A run's model in the form that a target takes: an adapter, a serve command of vLLM, GGUF, an Ollama Modelfile.

Everything starts from the folder `model/` of a finished run and lies beside it; weights are converted by llama.cpp.
`python -m ftc.runtime.conversions RUN TARGET` does it after the fact and prints one JSON object.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

from ftc.compiler.plan import Plan
from ftc.runtime import journal as journals
from ftc.runtime.context import results
from ftc.runtime.loading import ADAPTER_CONFIG
from ftc.runtime.run_folder import RunFolder
from ftc.spec.files import write_whole

TARGETS = ("transformers", "adapter", "vllm", "gguf", "ollama")
CONVERTER = "convert_hf_to_gguf.py"
LLAMA_CPP = "LLAMA_CPP_DIR"


class Missing(Exception):
    """What a conversion needs is not there."""


def convert(run: RunFolder, plan: Plan, target: str) -> list[str]:
    """The files written, relative to the run's folder. Raises Missing where a tool or a part is not there."""
    if target not in TARGETS:
        raise Missing(f"no such target: {target}; there are {', '.join(TARGETS)}")
    if not run.model.is_dir():
        raise Missing(f"{run.path} has no model; `ftc run` exports one")
    written = {"adapter": _adapter, "vllm": _vllm, "gguf": _gguf, "ollama": _ollama}
    files = written[target](run, plan) if target in written else [run.model]
    return [path.relative_to(run.path).as_posix() for path in files]


def _adapter(run: RunFolder, plan: Plan) -> list[Path]:
    """The last adapter that was trained, as peft loads it."""
    events, _ = journals.read(run.path)
    done = results(events)
    for stage in reversed(plan.stages):
        folder = run.stage(stage.id) / str(done.get(stage.id, {}).get("model", ""))
        if (folder / ADAPTER_CONFIG).is_file():
            target = run.path / "adapter"
            shutil.rmtree(target, ignore_errors=True)
            shutil.copytree(folder, target, ignore=shutil.ignore_patterns("training_args.bin", "README.md"))
            return [target]
    raise Missing("this run trained all weights, there is no adapter; the whole model is in model/")


def _vllm(run: RunFolder, plan: Plan) -> list[Path]:
    """A script that serves the model."""
    name = shlex.quote(plan.name)
    context = plan.model.get("context")
    lines = [
        "#!/bin/sh",
        "# Serves the model with an OpenAI-compatible API on port 8000. Needs: pip install vllm",
        'cd "$(dirname "$0")/.." || exit 1',
        f'exec vllm serve ./model --served-model-name {name} --dtype auto{_limit(context)} "$@"',
    ]
    path = run.path / "vllm" / "serve.sh"
    write_whole(path, ("\n".join(lines) + "\n").encode())
    path.chmod(0o755)
    return [path]


def _limit(context: object) -> str:
    return f" --max-model-len {int(context)}" if isinstance(context, int) and context else ""


def _gguf(run: RunFolder, plan: Plan) -> list[Path]:
    """One file for llama.cpp, in the precision of the model."""
    script = _converter()
    target = run.path / "gguf" / "model.gguf"
    target.parent.mkdir(exist_ok=True)
    beside = target.with_name(".model.gguf.part")
    command = [sys.executable, str(script), str(run.model), "--outfile", str(beside), "--outtype", "auto"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0 or not beside.is_file():
        last = (done.stderr.strip() or done.stdout.strip() or "no word").splitlines()[-1]
        raise Missing(f"{CONVERTER} cannot convert this model: {last}")
    beside.replace(target)
    return [target]


def _converter() -> Path:
    """llama.cpp's script, from LLAMA_CPP_DIR or from PATH."""
    places = [Path(os.environ[LLAMA_CPP]) / CONVERTER] if os.environ.get(LLAMA_CPP) else []
    places += [Path(found)] if (found := shutil.which(CONVERTER)) else []
    for place in places:
        if place.is_file():
            return place
    said = f"{os.environ[LLAMA_CPP]} has none" if os.environ.get(LLAMA_CPP) else f"{LLAMA_CPP} is not set"
    raise Missing(f"llama.cpp's {CONVERTER} is not in PATH, and {said}")


def _ollama(run: RunFolder, plan: Plan) -> list[Path]:
    """A Modelfile, on the GGUF file where one can be made, else on the folder, which Ollama converts by itself."""
    from transformers import AutoTokenizer

    from ftc.runtime.ollama import modelfile

    try:
        weights = _gguf(run, plan)
    except Missing:
        weights = []
    path = run.path / "ollama" / "Modelfile"
    tokenizer = AutoTokenizer.from_pretrained(run.model)
    start = os.path.relpath(weights[0] if weights else run.model, path.parent)
    write_whole(path, modelfile(tokenizer, start).encode())
    return [path, *weights]


def main(arguments: list[str]) -> int:
    """Convert and say what was written; exit code 1 with the reason where that cannot be."""
    from ftc.compiler.plan_file import load_plan

    folder, target = arguments
    run = RunFolder(Path(folder))
    plan, _ = load_plan(run.plan)
    try:
        if plan is None:
            raise Missing(f"{folder} is no run: it has no plan.json")
        found: dict[str, object] = {"files": convert(run, plan, target)}
    except Missing as missing:
        found = {"missing": str(missing)}
    sys.stdout.write(json.dumps(found) + "\n")
    return 0 if "files" in found else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
