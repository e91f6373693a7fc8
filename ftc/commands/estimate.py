"""`ftc estimate`: memory, time and money, for a spec or for a setup given as flags. Writes nothing."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

import click

from ftc import api
from ftc.commands.options import json_option
from ftc.spec.diagnostics import Refused

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ftc.advisor.values import Architecture, Device, Setup, Sharding

SUPERVISED = ("full", "lora", "qlora")
FLAGS_NEED = "without a spec, --model, --method and --gpu are needed"


@click.command("estimate")
@click.argument("spec", type=click.Path(path_type=Path), required=False, metavar="[SPEC]")
@click.option("--model", help="Hub id of the catalogue, or a folder with config.json.")
@click.option(
    "--method", type=click.Choice(["full", "lora", "qlora", "dpo", "kto", "reward", "grpo", "rloo"]),
    help="dpo, kto, reward, grpo and rloo train an adapter where --lora-rank is given, all weights otherwise.",
)  # fmt: skip
@click.option("--gpu", help="A name of `ftc gpus`, loosely: rtx4090, h100, a100-40gb; or cpu.")
@click.option(
    "--gpus", type=click.IntRange(min=1), default=1, show_default=True, help="Up to eight a node; more make nodes."
)
@click.option(
    "--network", metavar="SPEED", help="Between nodes: ethernet, or a node's 400gbit. Default: as such nodes are built."
)
@click.option(
    "--sharding", type=click.Choice(["none", "ddp", "fsdp", "zero2", "zero3"]), help="Default: ddp for several GPUs."
)
@click.option("--seq-len", type=click.IntRange(min=1), default=2048, show_default=True, help="Tokens a row.")
@click.option("--micro-batch", type=click.IntRange(min=1), default=1, show_default=True, help="Rows a forward pass.")
@click.option("--grad-accum", type=click.IntRange(min=1), default=1, show_default=True)
@click.option("--lora-rank", type=click.IntRange(min=1))
@click.option("--lora-targets", default="all-linear", show_default=True, help="all-linear, attention, or a list.")
@click.option(
    "--optimizer", type=click.Choice(["adamw", "adamw-8bit", "paged-adamw-8bit", "adafactor", "sgd"]),
    default="adamw", show_default=True,
)  # fmt: skip
@click.option("--weights", type=click.Choice(["bf16", "fp16", "fp32"]), default="bf16", show_default=True)
@click.option("--adapters", type=click.Choice(["fp32", "bf16"]), default="fp32", show_default=True)
@click.option("--optimizer-dtype", type=click.Choice(["bf16", "fp32"]), help="Default: that of what is trained.")
@click.option("--checkpointing", type=click.Choice(["none", "full"]), default="full", show_default=True)
@click.option("--attention", type=click.Choice(["eager", "sdpa", "flash"]), default="sdpa", show_default=True)
@click.option("--loss", type=click.Choice(["full", "chunked"]), default="full", show_default=True)
@click.option("--offload", type=click.Choice(["none", "optimizer", "all"]), default="none", show_default=True)
@click.option("--rows", type=click.IntRange(min=1), default=1000, show_default=True)
@click.option("--tokens", type=click.IntRange(min=1), help="Mean tokens a row. Default: --seq-len.")
@click.option("--epochs", type=click.FloatRange(min=0, min_open=True), default=1.0, show_default=True)
@click.option("--exact", is_flag=True, help="Also trace a real step on fake tensors: no GPU, no weights, seconds.")
@json_option
def estimate_command(spec: Path | None, *, exact: bool, as_json: bool, **flags: Any) -> int:
    """Memory, time and money for SPEC (ftc.yaml), or for a setup given as flags.

    \b
    Examples:
      ftc estimate
      ftc estimate --model Qwen/Qwen2.5-7B --method qlora --gpu rtx-4090 --rows 6000 --tokens 700
      ftc estimate --model Qwen/Qwen2.5-7B --method lora --gpu a100-80gb --exact
      ftc estimate --model ./my-model --method full --gpu h100 --gpus 8 --sharding fsdp --json
      ftc estimate --model meta-llama/Llama-3.1-8B --method full --gpu h100 --gpus 256 --sharding fsdp --network 800gbit
    """
    given = [name for name in ("model", "method", "gpu") if flags[name] is not None]
    if spec is None and given:
        if len(given) < 3:
            raise click.UsageError(FLAGS_NEED)
        result = _from_flags(flags, exact=exact)
    elif given:
        raise click.UsageError("give a spec or flags, not both")
    else:
        result = _from_spec(spec or Path(api.SPEC_FILE), exact=exact)
    if as_json:
        from ftc.views.output import write_json

        write_json(result)
    else:
        from ftc.views.estimate import show_estimate

        show_estimate(result)
    return 0 if result["fits"] else 3


def _from_spec(path: Path, *, exact: bool) -> dict[str, Any]:
    advice = api.advise(path)
    tag, chosen = api.estimate_advice(advice)
    if exact and chosen.setup and chosen.machine:
        return _traced(tag, chosen.setup, advice.spec.folder, chosen.machine.device)
    return tag


def _from_flags(flags: dict[str, Any], *, exact: bool) -> dict[str, Any]:
    from ftc.advisor.calibration import corrected
    from ftc.advisor.cost import cost
    from ftc.advisor.duration import duration
    from ftc.advisor.gpus import find_gpu
    from ftc.advisor.machine import linked, priced
    from ftc.advisor.memory import memory
    from ftc.advisor.models import find_model
    from ftc.advisor.price_tag import price_tag
    from ftc.advisor.scaling import scaling, scaling_json
    from ftc.advisor.values import Workload

    architecture, problems = find_model(flags["model"], Path())
    device, problem = find_gpu(flags["gpu"])
    if architecture is None or device is None:
        raise Refused([*problems, *([problem] if problem else [])])
    if flags["network"]:
        device = linked(device, flags["network"])
        if device.network_gb_s is None:
            raise click.UsageError(f"--network {flags['network']}: ethernet, or a speed as in 400gbit")
    setup = setup_of(architecture, flags)
    mean = flags["tokens"] or flags["seq_len"]
    workload = Workload(rows=flags["rows"], epochs=flags["epochs"], mean_tokens=min(mean, flags["seq_len"]))
    needed, time = memory(setup, device), duration(setup, device, workload)
    machine = priced(device, flags["gpus"])
    tag = price_tag(needed, time, cost(time, machine), device, what=flags["method"])
    tag["corrected"] = corrected(device, setup)
    if device.kind == "cuda":
        tag["scaling"] = scaling_json(scaling([(setup, workload)], device, machine.usd_per_hour / machine.devices))
    return _traced(tag, setup, Path(), device) if exact else tag


def _traced(tag: dict[str, Any], setup: Setup, folder: Path, device: Device) -> dict[str, Any]:
    """The estimate with the traced step beside it, under `exact`."""
    from dataclasses import fields

    from ftc.advisor.models import config_of
    from ftc.runtime.trace.client import exact
    from ftc.runtime.trace.request import Request

    asked = {each.name for each in fields(Request)}
    request = {each.name: getattr(setup, each.name) for each in fields(setup) if each.name in asked}
    try:
        request["model"] = config_of(setup.architecture.id, folder)
    except KeyError:
        raise click.UsageError(f"--exact builds the model, and {setup.architecture.id} is only described") from None
    if device.compute_capability:
        request["compute_capability"] = device.compute_capability
        if setup.attention == "sdpa" and device.compute_capability < 8.0:  # as the closed form has it (memory/flow.py)
            request |= {"sdpa_kernel": "efficient", "sdpa_expands_groups": True}
    return {**tag, "exact": dict(exact(request))}


def setup_of(architecture: Architecture, flags: Mapping[str, Any]) -> Setup:
    """The setup that flags mean."""
    from ftc.advisor.collectives import nodes_of
    from ftc.advisor.values import Adapter, Objective, Setup

    method = flags["method"]
    supervised = method in SUPERVISED
    adapter = method if supervised else ("lora" if flags["lora_rank"] else "full")
    trained = flags["weights"] if adapter == "full" else flags["adapters"]
    default_dtype: Literal["bf16", "fp32"] = "bf16" if trained == "bf16" else "fp32"
    nodes = nodes_of(flags["gpus"])
    sharding: Sharding = flags["sharding"] or ("ddp" if flags["gpus"] > 1 else "none")
    # fp32 adapters on a 16-bit base with the model's own loss: peft in a loop of one's own, which casts nothing by
    # itself, holds on to what the model returns, and takes torch's optimiser and transformers' quantisation as they
    # come. Anything else: the trainer.
    plain = (
        supervised and adapter != "full" and flags["loss"] == "full" and sharding in ("none", "ddp")
        and flags["adapters"] == "fp32" and flags["weights"] != "fp32"
    )  # fmt: skip
    return Setup(
        architecture=architecture,
        objective=cast(Objective, "sft" if supervised else method),
        adapter=cast(Adapter, adapter),
        seq_len=flags["seq_len"],
        micro_batch=flags["micro_batch"],
        grad_accum=flags["grad_accum"],
        lora_rank=flags["lora_rank"] or 16,
        lora_targets=flags["lora_targets"],
        weights=flags["weights"],
        adapters=flags["adapters"],
        compute="bf16" if flags["weights"] == "fp32" else flags["weights"],
        optimizer=flags["optimizer"],
        optimizer_dtype=flags["optimizer_dtype"] or default_dtype,
        checkpointing=flags["checkpointing"],
        attention=flags["attention"],
        loss=flags["loss"],
        autocast=False if plain else None,
        double_quant=not plain,
        keep_outputs=plain,
        optimizer_kernel="foreach" if plain else "fused",
        sharding=sharding,
        devices=flags["gpus"] // nodes,
        nodes=nodes,
        offload=flags["offload"],
        reference=("adapter-off" if adapter == "lora" else "copy") if method in ("dpo", "kto") else "none",
    )
