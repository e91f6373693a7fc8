"""`ftc run`'s training stage beside a bare TRL script: the same model, rows and effective batch, in turns.

    OMP_NUM_THREADS=1 python benchmarks/training/run.py [--rows 2000] [--steps 120] [--repeat 3] [--write]

Contenders, each a process of its own, one after the other, `--repeat` times round:
  ftc        the stage as `ftc run` starts it, with the settings that the plan chose
  trl        TRL's SFTTrainer with TRL's defaults; learning rate, schedule, steps and effective batch are the plan's
  trl-fp32   the same without autocast to bf16, which is TRL's default and slow on CPUs without bf16 units
  plain-ftc, plain-trl   both at identical settings (no packing, no grouping, no evaluation): the overhead

Kept are tokens a second of the training loop, wall and processor time a step and of the whole process, seconds until
the held-out loss is as good as the worse of the two ends, and the peak of resident memory. The losses are computed
here, over all held-out tokens, from the checkpoints of both: the trainers' own are means over batches, which differ.
Beside other work only the processor time means anything, with OMP_NUM_THREADS=1. `--write` keeps the medians in
results.json.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import platform
import random
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import ftc
from ftc.compiler.plan import Plan
from ftc.runtime import journal as journals
from ftc.runtime.journal import Journal
from ftc.runtime.run_folder import RunFolder

CLOCK = Path(__file__).with_name("stage_clock.py")
BARE = Path(__file__).with_name("bare_trl.py")
CLOCKS = ("wall_s", "cpu_s")
RESULTS = Path(__file__).with_name("results.json")
HELD_OUT = 200
MADE = "made"
SPEC = """version: 1
name: training
goal: {task: qa, description: Name the desk of each question in a letter.}
data:
  demonstrations: {path: train.jsonl}
  evaluation: {path: test.jsonl}
model: {base: MODEL}
hardware: local
method: sft-METHOD
"""


def main() -> None:
    """Measure and print; write where asked."""
    told = _arguments()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        _write_rows(told, folder)
        plan = _plan(told, folder)
        plain = _identical(plan)
        found: dict[str, list[dict[str, float]]] = {}
        contenders = {
            "ftc": lambda run: _ftc(plan, run, folder),
            "trl": lambda run: _trl(plan, run, folder, "defaults"),
            "trl-fp32": lambda run: _trl(plan, run, folder, "fp32"),
            "plain-ftc": lambda run: _ftc(plain, run, folder),
            "plain-trl": lambda run: _trl(plain, run, folder, "identical"),
        }
        for number in range(told.repeat):
            for name, measure in contenders.items():
                one = measure(folder / f"{name}-{number}")
                found.setdefault(name, []).append(one)
                print(name, {key: value for key, value in one.items() if key != "curve"}, flush=True)
        summary = _summary(found)
        made = f"llama with random weights, {told.layers} layers of {told.width}"
        summary["settings"] = {
            "model": made if told.model == MADE else told.model, "method": told.method, "rows": told.rows,
            "steps": told.steps, "repeat": told.repeat, "threads": os.environ.get("OMP_NUM_THREADS", "all"),
            "machine": platform.processor() or platform.machine(), "load_average": os.getloadavg(),
            "versions": dict(plan.versions),
            "ftc": {key: value for key, value in plan.stage("sft").arguments.items() if value is not None},
        }  # fmt: skip
    print(json.dumps(summary, indent=1))
    if told.write:
        RESULTS.write_text(json.dumps(summary, indent=1) + "\n")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=Path, help="A CSV with text and category; letters made up unless given.")
    parser.add_argument("--model", default=MADE, help="A Llama with random weights unless given.")
    parser.add_argument("--width", type=int, default=256)
    parser.add_argument("--layers", type=int, default=4)
    parser.add_argument("--method", default="full", choices=("full", "lora"))
    parser.add_argument("--rows", type=int, default=2000)
    parser.add_argument("--steps", type=int, default=120)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--write", action="store_true")
    return parser.parse_args()


def _write_rows(told: argparse.Namespace, folder: Path) -> None:
    """`train.jsonl` and `test.jsonl`."""
    if told.data:
        with told.data.open(newline="") as stream:
            rows = [(each["text"], each["category"]) for each in csv.DictReader(stream)]
        random.Random(1).shuffle(rows)
    else:
        rng = random.Random(0)
        rows = [_letter(rng) for _ in range(told.rows + HELD_OUT)]
    for name, some in (("test", rows[:HELD_OUT]), ("train", rows[HELD_OUT : HELD_OUT + told.rows])):
        lines = [json.dumps({"prompt": prompt, "completion": completion}) for prompt, completion in some]
        (folder / f"{name}.jsonl").write_text("\n".join(lines) + "\n")


def _letter(rng: random.Random) -> tuple[str, str]:
    """One to twelve questions, mostly few, and the desk of each: lengths are skewed, as those of real rows are."""
    from ftc.runtime.tiny.corpus import question

    kinds = [("credit card", "lost"), ("transfer", "pending"), ("password", "forgotten"), ("order", "refund")]
    desks = [rng.randrange(len(kinds)) for _ in range(min(12, max(1, round(rng.lognormvariate(0.8, 0.7)))))]
    return "\n".join(question(rng, *kinds[desk]) for desk in desks), ", ".join(f"desk_{desk}" for desk in desks)


def _model(told: argparse.Namespace, folder: Path) -> str:
    """The model's name, or the folder of one made here: `builtin:tiny` starts from weights that have read these
    questions, and its steps are so small that calls, not arithmetic, take the time."""
    if told.model != MADE:
        return str(told.model)
    from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM, set_seed

    from ftc.runtime.tiny.make import folder as tiny

    tokenizer = AutoTokenizer.from_pretrained(tiny())
    set_seed(0)
    config = LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=told.width, intermediate_size=3 * told.width,
        num_hidden_layers=told.layers, num_attention_heads=told.width // 64, num_key_value_heads=told.width // 64,
        max_position_embeddings=1024, tie_word_embeddings=True,
        bos_token_id=tokenizer.bos_token_id, eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id,
    )  # fmt: skip
    place = folder / "model"
    LlamaForCausalLM(config).save_pretrained(place)
    tokenizer.save_pretrained(place)
    return str(place)


def _plan(told: argparse.Namespace, folder: Path) -> Plan:
    """What ftc chose, with as many steps as are measured, evaluated ten times."""
    (folder / "ftc.yaml").write_text(SPEC.replace("MODEL", _model(told, folder)).replace("METHOD", told.method))
    plan = ftc.compile(folder / "ftc.yaml")
    every = max(1, told.steps // 10)
    changes = {"steps": told.steps, "eval_steps": every, "save_steps": every, "logging_steps": every}
    changes |= {"early_stopping_patience": None, "warmup_steps": min(10, told.steps // 10), "keep_checkpoints": 1000}
    arguments = plan.stage("sft").arguments
    steps_an_epoch = told.rows / (arguments["micro_batch"] * arguments["gradient_accumulation"])
    return _with(plan, {**changes, "epochs": told.steps / steps_an_epoch})


def _identical(plan: Plan) -> Plan:
    """Settings that both sides can have alike; fp32, one checkpoint at the end."""
    steps = plan.stage("sft").arguments["steps"]
    plain = {"packing": False, "group_by_length": False, "eval_steps": 0, "neftune_alpha": None, "save_steps": steps}
    return _with(plan, plain)


def _with(plan: Plan, changes: dict[str, Any]) -> Plan:
    stages = [
        replace(each, arguments={**each.arguments, **changes}) if each.id == "sft" else each
        for each in plan.stages
        if each.id in ("prepare", "sft")
    ]
    return replace(plan, stages=tuple(stages))


def _ftc(plan: Plan, run: Path, data: Path) -> dict[str, Any]:
    """Both stages as the supervisor would start them; the second one is measured."""
    run.mkdir()
    RunFolder(run).plan.write_bytes(plan.to_bytes())
    Journal(run, "").write("run_started", data_folder=str(data))
    _process(["-m", "ftc.runtime.stage", str(run), "prepare"])
    cost = _process([str(CLOCK), str(run), "sft"])
    events = [each for each in journals.read(run)[0] if each["stage"] == "sft"]
    return {**cost, **_seen(events, _held_out_losses(run, run / "stages" / "sft"))}


def _trl(plan: Plan, run: Path, data: Path, how: str) -> dict[str, Any]:
    """The bare script, on the rows that ftc prepared."""
    run.mkdir()
    RunFolder(run).plan.write_bytes(plan.to_bytes())
    Journal(run, "").write("run_started", data_folder=str(data))
    _process(["-m", "ftc.runtime.stage", str(run), "prepare"])
    cost = _process([str(BARE), str(run), how])
    events = [json.loads(line) for line in (run / "bare.jsonl").read_text().splitlines()]
    return {**cost, **_seen(events, _held_out_losses(run, run / "out"))}


def _held_out_losses(run: Path, trained: Path) -> dict[int, float]:
    """Of every checkpoint, by its step: the mean over all tokens of the held-out answers."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from ftc.runtime.context import open_context
    from ftc.runtime.loading import base_of
    from ftc.runtime.run_folder import read_rows
    from ftc.runtime.tokens import IGNORED, encode

    base = base_of(open_context(run, "sft"))[0]
    rows = encode(
        AutoTokenizer.from_pretrained(base), list(read_rows(RunFolder(run).held_out_rows("demonstrations"))),
        loss_on="completion", max_length=None,
    )  # fmt: skip
    found = {}
    for place in trained.glob("checkpoint-*"):
        if (place / "adapter_config.json").exists():
            from peft import PeftModel

            model = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(base), place)
        else:
            model = AutoModelForCausalLM.from_pretrained(place)
        total, tokens = 0.0, 0
        with torch.inference_mode():
            for ids, labels in zip(rows.input_ids, rows.labels, strict=True):
                logits = model.eval()(torch.tensor([ids])).logits[0, :-1].float()
                wanted = torch.tensor(labels[1:])
                total += float(torch.nn.functional.cross_entropy(logits, wanted, ignore_index=IGNORED, reduction="sum"))
                tokens += int((wanted != IGNORED).sum())
        found[int(place.name.rpartition("-")[2])] = total / tokens
    return found


def _process(arguments: list[str]) -> dict[str, float]:
    """Wall and processor seconds of a process, and its peak."""
    began = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, *arguments], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    errors = process.stderr.read() if process.stderr else b""
    _, status, used = os.wait4(process.pid, 0)
    if os.waitstatus_to_exitcode(status):
        raise SystemExit(errors.decode(errors="replace")[-2000:])
    return {
        "wall_s": time.monotonic() - began,
        "cpu_s": used.ru_utime + used.ru_stime,
        "peak_mib": used.ru_maxrss / 1024,
    }


def _seen(events: list[dict[str, Any]], losses: dict[int, float]) -> dict[str, Any]:
    """Between the first and the last log, evaluations included: steps and tokens a second, processor time a step; and
    the held-out loss over both clocks, from the first log on."""
    steps = [each for each in events if each["kind"] == "step" and each.get("tokens")]
    first, last = steps[0], steps[-1]
    wall, cpu = last["ts"] - first["ts"], last["cpu"] - first["cpu"]
    curve = [
        {"wall_s": each["ts"] - first["ts"], "cpu_s": each["cpu"] - first["cpu"], "loss": losses[each["step"]]}
        for each in events
        if each["kind"] == "held_out"
    ]
    return {
        "tokens_per_wall_s": (last["tokens"] - first["tokens"]) / wall,
        "tokens_per_cpu_s": (last["tokens"] - first["tokens"]) / cpu,
        "cpu_s_per_step": cpu / (last["step"] - first["step"]),
        "wall_s_per_step": wall / (last["step"] - first["step"]),
        "final_loss": losses[max(losses)],
        "curve": curve,
    }


def _summary(found: dict[str, list[dict[str, Any]]]) -> dict[str, Any]:
    """Medians, and ratios within each round, which share the machine's mood."""
    out: dict[str, Any] = {
        name: {key: round(statistics.median(one[key] for one in some), 4) for key in some[0] if key != "curve"}
        for name, some in found.items()
    }
    for name in ("trl", "trl-fp32"):
        rounds = [_to_the_same_loss(*each) for each in zip(found["ftc"], found[name], strict=True)]
        out[f"to_the_same_loss_as_{name}"] = {
            "rounds": rounds,
            **{key: statistics.median(each[f"{key}_times"] for each in rounds) for key in CLOCKS},
        }
    pairs = list(zip(found["plain-ftc"], found["plain-trl"], strict=True))
    out["overhead"] = {
        key: statistics.median(ours[key] / theirs[key] - 1 for ours, theirs in pairs)
        for key in ("cpu_s_per_step", "wall_s_per_step", "cpu_s", "wall_s")
    }
    return out


def _to_the_same_loss(ours: dict[str, Any], theirs: dict[str, Any]) -> dict[str, float]:
    """Seconds on both clocks until the worse of the two last losses is reached, and how many times as fast ftc is."""
    target = max(ours["final_loss"], theirs["final_loss"])
    found: dict[str, float] = {"loss": target}
    for key in CLOCKS:
        mine, other = (next(each[key] for each in one["curve"] if each["loss"] <= target) for one in (ours, theirs))
        found |= {f"ftc_{key}": mine, f"trl_{key}": other, f"{key}_times": other / mine}
    return found


if __name__ == "__main__":
    main()
