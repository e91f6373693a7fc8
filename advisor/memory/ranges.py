"""The peak as ranges: how sure the figures are, what the driver adds, what the host needs.

Widths are shares of the standing and of the moving part, set so that nine in ten of the published measurements of a
regime lie inside (`python -m benchmarks.estimates` counts them).
"""

from __future__ import annotations

from ftc.advisor.calibration import correction
from ftc.advisor.memory.flow import shards_weights
from ftc.advisor.memory.peak import Peak, peak_of
from ftc.advisor.memory.static import keeps_master, states, trained, weights
from ftc.advisor.values import Device, MemoryEstimate, Setup
from ftc.spec.estimate import Estimate

GIB = 2**30
SOURCE = "played step of transformers, peft and TRL through PyTorch's allocator (ftc)"
_COMPONENTS = ("weights", "adapters", "gradients", "optimizer", "activations", "logits", "reference", "overhead")

# GiB that the driver keeps for a process: kernels of CUDA, cuBLAS and cuDNN. T4: 0.14 by the 79 runs of fitcheck-llm
# 0.3.1; later cards load more kernels, 0.4 to 0.5 by nvidia-smi beside torch.cuda.memory_reserved on an A100.
_CONTEXT = (0.14, 0.5)
_COLLECTIVES = 0.75  # GiB of NCCL's channels and buffers, within one node
# A process that trains on a CPU, before any tensor: interpreter, torch 2.13, transformers 5.23, trl 1.16, peft and
# datasets, rows and trainer included, by the resident sets of ten runs of builtin:tiny in November 2026 (0.55 to 0.65).
_LIBRARIES = 0.6
_CPU_HELD = 1.35  # resident over live bytes: malloc keeps what batches of other lengths left; by the same runs


def memory(setup: Setup, device: Device) -> MemoryEstimate:
    """Allocated, reserved and device memory of one training step, and what the host needs."""
    peak = peak_of(setup, device)
    low, high = _widths(setup, peak)
    reserved = _CPU_HELD * peak.allocated if device.kind == "cpu" else peak.reserved
    if device.kind == "cpu":
        low, high = 0.1 * reserved, 0.3 * reserved
    added = _context(setup, device)
    factor, width, corrected = correction(device, setup, "device_gib")
    breakdown = {name: peak.parts.get(name, 0.0) * factor / GIB for name in _COMPONENTS}
    breakdown["overhead"] += (reserved - peak.allocated + added) * factor / GIB
    total = (reserved + added) * factor
    reserved *= factor
    if width:
        on_device = _range(total, total * (1 - 1 / width), total * (width - 1), corrected)
    else:
        on_device = _range(total, low, high + 0.2 * added)
    return MemoryEstimate(
        allocated=_range(peak.allocated, low, high),
        reserved=_range(reserved, low, high, corrected),
        device=on_device,
        host=on_device if device.kind == "cpu" else _host(setup),
        breakdown=breakdown,
    )


def _widths(setup: Setup, peak: Peak) -> tuple[float, float]:
    """Bytes under and over the likely figure."""
    logits = peak.parts.get("logits", 0.0)
    moving = peak.parts.get("activations", 0.0) + logits
    if shards_weights(setup):
        return 0.18 * peak.reserved, 0.05 * peak.reserved
    low, high = 0.03 * peak.allocated, 0.02 * peak.allocated
    high += 0.08 * moving + 0.35 * logits  # earlier releases of transformers made two more copies of full logits
    if setup.checkpointing == "none":
        # earlier releases of bitsandbytes kept the input of every 4-bit product for the backward pass
        return low + 0.15 * moving, high + (0.6 if setup.adapter == "qlora" else 0.08) * moving
    return low + 0.03 * moving, high


def _range(likely: float, low: float, high: float, corrected: str = "") -> Estimate:
    """`likely` bytes, less `low` and more `high`, in GiB."""
    return Estimate(
        low=max(0.0, likely - low) / GIB,
        likely=likely / GIB,
        high=(likely + high) / GIB,
        unit="GiB",
        source=f"{SOURCE}{corrected}",
    )


def _context(setup: Setup, device: Device) -> float:
    """Bytes that a process takes on the device beside its tensors."""
    if device.kind == "cpu":
        return _LIBRARIES * GIB
    new = device.compute_capability is None or device.compute_capability >= 8.0
    several = setup.devices * setup.nodes > 1
    return (_CONTEXT[new] + _COLLECTIVES * several) * GIB


def _host(setup: Setup) -> Estimate:
    """Interpreter and libraries with CUDA, one file of weights while loading, and what was offloaded."""
    offloaded = 0.0
    if setup.offload in ("optimizer", "all"):
        offloaded += states(setup) + 4 * trained(setup) * keeps_master(setup)
    if setup.offload == "all":
        offloaded += weights(setup)
    loading = min(5 * GIB, weights(setup))
    if setup.adapter == "qlora" and shards_weights(setup) and setup.offload != "all":
        loading = weights(setup)  # the first process quantises all of it on the host and deals it out
    likely = 3.0 * GIB + loading + offloaded
    return _range(likely, 0.3 * likely, 0.3 * likely)
