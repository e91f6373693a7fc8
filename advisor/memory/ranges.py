"""The peak as ranges: how sure the figures are, what the driver adds, what the host needs."""

from __future__ import annotations

from ftc.advisor.memory.peak import peak_of
from ftc.advisor.memory.static import state_bytes, trained, weights
from ftc.advisor.values import Device, MemoryEstimate, Setup
from ftc.spec.estimate import Estimate

GIB = 2**30
SOURCE = "played step of transformers, peft and TRL through PyTorch's allocator (ftc)"


def memory(setup: Setup, device: Device) -> MemoryEstimate:
    """Allocated, reserved and device memory of one training step, and what the host needs."""
    peak = peak_of(setup, device)
    moving = peak.parts["activations"] + peak.parts.get("logits", 0.0)
    width = 0.02 * peak.allocated + 0.06 * moving
    context = _context(device)
    host = _host(setup)
    breakdown = {name: peak.parts.get(name, 0.0) / GIB for name in _COMPONENTS}
    breakdown["overhead"] += (peak.reserved - peak.allocated + context) / GIB
    return MemoryEstimate(
        allocated=_range(peak.allocated, width),
        reserved=_range(peak.reserved, width),
        device=_range(peak.reserved + context, width + 0.3 * context),
        host=_range(host, 0.2 * host),
        breakdown=breakdown,
    )


_COMPONENTS = ("weights", "adapters", "gradients", "optimizer", "activations", "logits", "reference", "overhead")


def _range(likely: float, width: float) -> Estimate:
    """`likely` bytes, give or take `width`, in GiB."""
    return Estimate(
        low=(likely - width) / GIB, likely=likely / GIB, high=(likely + width) / GIB, unit="GiB", source=SOURCE
    )


def _context(device: Device) -> float:
    """What the driver keeps for a process with the libraries' kernels loaded; none on a CPU."""
    return 0.0 if device.kind == "cpu" else 0.3 * GIB


def _host(setup: Setup) -> float:
    """Interpreter and libraries, one file of weights while loading, and what was offloaded."""
    offloaded = 0.0
    if setup.offload in ("optimizer", "all"):
        offloaded += trained(setup) * state_bytes(setup)
    if setup.offload == "all":
        offloaded += weights(setup)
    return 2.5 * GIB + min(5 * GIB, weights(setup)) + offloaded
