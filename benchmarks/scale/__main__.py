"""From 8 to 1,024 GPUs on paper: hours and money of one run on each count, and what published runs lose between nodes.

    python -m benchmarks.scale        writes results.json beside this file, and docs/images/scale.svg

The runs on paper are one epoch of 2 million rows of 2,048 tokens, all weights trained at an effective batch of 1,024
rows. Of published runs the speed a GPU is compared with that on their own smallest count, so that only what
several nodes lose is judged. Needs matplotlib for the picture.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from ftc.advisor.gpus import find_gpu
from ftc.advisor.machine import linked, priced
from ftc.advisor.models import find_model
from ftc.advisor.scaling import scaling, scaling_json
from ftc.advisor.speed import step_seconds
from ftc.advisor.values import Architecture, Device, Setup, Sharding, Workload

HERE = Path(__file__).parent
PICTURE = HERE.parents[1] / "docs" / "images" / "scale.svg"
BATCH, ROWS, TOKENS = 1024, 2_000_000, 2048
CURVES: list[tuple[str, str, str, str, Sharding]] = [
    ("Llama-3.1-8B, H100, 3,200 Gbit/s a node", "meta-llama/Llama-3.1-8B", "h100-sxm", "", "fsdp"),
    ("Llama-3.1-8B, H100, 400 Gbit/s a node", "meta-llama/Llama-3.1-8B", "h100-sxm", "400 Gbit/s", "fsdp"),
    ("Llama-3.1-8B, H100, 100 Gbit/s a node", "meta-llama/Llama-3.1-8B", "h100-sxm", "ethernet", "fsdp"),
    ("Llama-3.1-8B, A100 80GB, 1,600 Gbit/s a node", "meta-llama/Llama-3.1-8B", "a100-80gb", "", "fsdp"),
    ("Llama-3.1-70B, H100, 3,200 Gbit/s a node, ZeRO-3", "meta-llama/Llama-3.1-70B-Instruct", "h100-sxm", "", "zero3"),
]


def model_of(name: str) -> Architecture:
    found, problems = find_model(name, Path())
    if found is None:
        raise SystemExit(str(problems))
    return found


def card(name: str, network: str) -> Device:
    found, problem = find_gpu(name)
    if found is None:
        raise SystemExit(str(problem))
    return linked(found, network)


def on_paper() -> dict[str, Any]:
    """Each curve: what `ftc estimate --json` says under `scaling`."""
    found = {}
    for name, model, gpu, network, sharding in CURVES:
        device = card(gpu, network)
        setup = Setup(
            architecture=model_of(model), adapter="full", sharding=sharding, devices=8, seq_len=TOKENS,
            micro_batch=2, grad_accum=BATCH // 8 // 2, attention="flash", optimizer_dtype="bf16",
        )  # fmt: skip
        machine = priced(replace(device, network_gb_s=None), 8)
        work = Workload(rows=ROWS, epochs=1, mean_tokens=TOKENS)
        found[name] = scaling_json(scaling([(setup, work)], device, machine.usd_per_hour / machine.devices))
    return found


def against_published() -> list[dict[str, Any]]:
    """What each published run keeps of its speed a GPU, measured and estimated."""
    rows = []
    for run in json.loads((HERE / "measured.json").read_text("utf-8"))["runs"]:
        measured = {int(count): speed for count, speed in run["tokens_per_second_per_gpu"].items()}
        seconds = {}
        for count in measured:
            setup = Setup(
                architecture=model_of(run["model"]), adapter="full", sharding="fsdp", devices=8, nodes=count // 8,
                seq_len=run["seq_len"], micro_batch=run["micro_batch"], checkpointing=run["checkpointing"],
                weights=run["weights"], attention="flash", loss="full",
            )  # fmt: skip
            seconds[count] = step_seconds(setup, card(run["gpu"], run["network"]), run["seq_len"]).total
        first = min(measured)
        rows += [
            {
                "run": run["name"], "source": run["source"], "from_gpus": first, "gpus": count,
                "kept_measured": round(measured[count] / measured[first], 4),
                "kept_estimated": round(seconds[first] / seconds[count], 4),
            }
            for count in sorted(measured) if count != first
        ]  # fmt: skip
    return rows


def draw(curves: dict[str, Any]) -> None:
    """Speed of all GPUs together over that of the first count, and money; a ring where more no longer pay."""
    import matplotlib as mpl

    mpl.use("svg")
    mpl.rcParams.update({"svg.hashsalt": "ftc", "font.size": 9})
    from matplotlib import pyplot as plt

    figure, (hours, money) = plt.subplots(1, 2, figsize=(10, 4.2))
    for name, curve in curves.items():
        rungs = [each for each in curve["rungs"] if each["fits"] and each["gpus"] >= 8]
        gpus = [each["gpus"] for each in rungs]
        (line,) = hours.plot(gpus, [each["hours"] for each in rungs], marker=".", label=name)
        money.plot(gpus, [each["usd"] for each in rungs], marker=".", color=line.get_color())
        for axes, key in ((hours, "hours"), (money, "usd")):
            last = [each for each in rungs if each["gpus"] == curve["pays_up_to"]]
            for each in last:
                axes.plot(
                    each["gpus"], each[key], marker="o", markersize=11, markerfacecolor="none", color=line.get_color()
                )
    ticks = [8, 16, 32, 64, 128, 256, 512, 1024]
    for axes, title in ((hours, "hours"), (money, "USD")):
        axes.set(xscale="log", yscale="log", xlabel="GPUs", title=title)
        axes.set_xticks(ticks, [str(each) for each in ticks])
        axes.grid(alpha=0.3)
    hours.set_yticks([0.5, 1, 2, 5, 10, 20, 50, 100], ["0.5", "1", "2", "5", "10", "20", "50", "100"])
    money.set_yticks([500, 1000, 2000, 5000, 10000], ["500", "1,000", "2,000", "5,000", "10,000"])
    for axes in (hours, money):
        axes.minorticks_off()
    figure.legend(loc="lower center", ncols=2, frameon=False, fontsize=8)
    figure.tight_layout(rect=(0, 0.17, 1, 1))
    figure.savefig(PICTURE, metadata={"Date": None})


def main() -> None:
    results = {"on_paper": on_paper(), "against_published": against_published()}
    (HERE / "results.json").write_text(json.dumps(results, indent=1) + "\n", "utf-8")
    draw(results["on_paper"])
    for name, curve in results["on_paper"].items():
        print(f"{name:48}pays up to {curve['pays_up_to']}: {curve['because']}")
    for row in results["against_published"]:
        kept = f"kept {row['kept_measured']:.3f} measured, {row['kept_estimated']:.3f} estimated"
        print(f"{row['run']:24}{row['from_gpus']:>5} -> {row['gpus']:>5} GPUs  {kept}")


if __name__ == "__main__":
    main()
