"""Several processes of one training stage: who leads, what all agree on, and how the model is spread.

Processes are started by torchrun, models are spread by accelerate (FSDP2) or DeepSpeed; here stands only what ties them
to a run. Rank 0 writes the journal and the files; a wish to stop reaches every rank before the same step, or none.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from ftc.compiler.stages import Training

STOP_FILE = ".stop"  # in the stage's folder, which all nodes see: `stop` or `finish`


def rank() -> int:
    """Of this process among all of the stage; 0 where there is one. torchrun says it."""
    return int(os.environ.get("RANK", "0"))


def world_size() -> int:
    """How many processes the stage has."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def leads() -> bool:
    """Whether this is the process that writes."""
    return rank() == 0


def barrier() -> None:
    """Wait until every process is here."""
    if world_size() > 1:
        import torch.distributed as dist

        if dist.is_initialized():
            dist.barrier()


def wish(folder: Path, *, stop: bool, finish: bool) -> tuple[bool, bool]:
    """What any process was asked for, by signal or by the file: to stop, to finish. The same answer on every rank."""
    if world_size() == 1:
        return stop, finish
    import torch
    import torch.distributed as dist

    if leads():
        try:
            word = (folder / STOP_FILE).read_text().strip()
        except OSError:
            word = ""
        stop, finish = stop or word == "stop", finish or word == "finish"
    device = torch.device("cuda", torch.cuda.current_device()) if dist.get_backend() == "nccl" else torch.device("cpu")
    said = torch.tensor([int(stop), int(finish)], device=device)
    dist.all_reduce(said, op=dist.ReduceOp.MAX)
    return bool(said[0]), bool(said[1])


def spread_arguments(told: Training) -> dict[str, Any]:
    """The trainer's arguments for several processes; none where there is one.

    Raises RuntimeError where fewer or more processes run than the plan has.
    """
    wanted = told.nodes * told.processes
    if world_size() != wanted:
        raise RuntimeError(f"{world_size()} processes run, the plan has {wanted}")
    if wanted == 1:
        return {}
    import torch

    common: dict[str, Any] = {} if torch.cuda.is_available() else {"ddp_backend": "gloo"}
    if told.sharding == "fsdp":
        sharded: dict[str, Any] = {
            "version": 2,
            "state_dict_type": "FULL_STATE_DICT",
            "cpu_offload": told.offload == "all",
            "activation_checkpointing": told.checkpointing,
        }
        return {**common, "fsdp": True, "fsdp_config": sharded, "gradient_checkpointing": False}
    if told.sharding in ("zero2", "zero3"):
        return {**common, "deepspeed": _deepspeed(told)}
    return {**common, "ddp_find_unused_parameters": False}


def _deepspeed(told: Training) -> dict[str, Any]:
    """DeepSpeed's configuration; `auto` is filled in by transformers from the trainer's own arguments."""
    stage = 3 if told.sharding == "zero3" else 2
    zero: dict[str, Any] = {"stage": stage, "overlap_comm": True, "contiguous_gradients": True}
    if told.offload in ("optimizer", "all"):
        zero["offload_optimizer"] = {"device": "cpu"}
    if told.offload == "all" and stage == 3:
        zero["offload_param"] = {"device": "cpu"}
    if stage == 3:
        zero["stage3_gather_16bit_weights_on_model_save"] = True
    return {
        "zero_optimization": zero,
        "train_micro_batch_size_per_gpu": "auto",
        "gradient_accumulation_steps": "auto",
        "gradient_clipping": "auto",
        "bf16": {"enabled": told.dtype == "bf16"},
        "fp16": {"enabled": told.dtype == "fp16"},
    }


def let_accelerate_shard(told: Training) -> None:
    """On CPUs accelerate passes over FSDP without a word; told that there are accelerators, it shards there too.

    To be called between the trainer's arguments and the trainer; `check_spread` sees that it came out as planned.
    """
    if told.sharding != "fsdp" or world_size() == 1:
        return
    import torch

    if torch.cuda.is_available():
        return
    from accelerate.state import PartialState
    from accelerate.utils import DistributedType

    PartialState(cpu=True, backend="gloo")
    PartialState._shared_state["distributed_type"] = DistributedType.MULTI_XPU


def check_spread(trainer: Any, told: Training) -> None:
    """Raises RuntimeError where the model is not spread as the plan has it: it would fill one device instead."""
    found = str(trainer.accelerator.distributed_type).rpartition(".")[2]
    wanted = {"fsdp": ("FSDP",), "zero2": ("DEEPSPEED",), "zero3": ("DEEPSPEED",)}.get(told.sharding)
    if world_size() > 1 and wanted is not None and found not in wanted:
        raise RuntimeError(f"the plan shards by {told.sharding}, and accelerate runs {found}")
