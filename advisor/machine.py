"""What there is to train on: this machine, what the spec says one owns, or what is on offer.

Asks the driver (nvidia-smi, with a timeout) and the operating system, imports no torch, and rents nothing. A machine
without a GPU is a device of its own kind, `cpu`, with the machine's memory and an estimated speed.
"""

from __future__ import annotations

import os
import platform
import re
import subprocess
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from ftc.advisor.gpus import find_gpu
from ftc.advisor.prices import offers
from ftc.advisor.values import A_NODE, Device, Machine, Offer
from ftc.spec.diagnostics import Diagnostic

if TYPE_CHECKING:
    from ftc.spec.model import Hardware

_GIB = 2**30
# fp32 FLOP/s of one core in large matrix products: measured with torch 2.13 on one core of an AMD EPYC (Zen 5, AVX-512)
# in November 2026; half of that for a core with AVX2 only, which has half the vector width.
_TFLOPS_A_CORE = {"avx512f": 0.095, "avx2": 0.048, "": 0.02}
SAME_SIZE = 1.25  # times the memory that is asked for: 80 and 94 GB are one class, 80 and 141 are two; a rule of thumb
_ETHERNET_GB_S = 12.5
_CPU_GB_S = 20.0  # two channels of DDR4-3200 deliver about half of their 51 GB/s to one process


def machines(hardware: Hardware, usd_per_hour: float | None = None) -> tuple[tuple[Machine, ...], list[Diagnostic]]:
    """What `hardware` means, cheapest first within a GPU; empty for `none`. Errors are S110 (no such GPU)."""
    if hardware.kind == "none":
        return (), []
    if hardware.kind == "local":
        here = local()
        return (replace(here, usd_per_hour=usd_per_hour or 0.0),), []
    if hardware.kind == "cloud":
        return _offered(hardware)
    if (hardware.gpu or "none").lower() in ("none", "cpu"):
        memory = hardware.host_memory_gib or 16.0
        found = Machine(
            device=cpu(memory, 4), nodes=hardware.nodes, host_memory_gib=memory, usd_per_hour=usd_per_hour or 0.0
        )
        return (found,), []
    device, problem = find_gpu(hardware.gpu or "", hardware.memory_gib)
    if device is None:
        return (), [problem] if problem else []
    device = linked(device, hardware.interconnect or "")
    owned = Machine(
        device=device,
        count=hardware.count or 1,
        nodes=hardware.nodes,
        host_memory_gib=hardware.host_memory_gib,
        usd_per_hour=usd_per_hour or 0.0,
    )
    return (owned,), []


def linked(device: Device, said: str) -> Device:
    """The device with what is said of the links: `pcie` between cards; `ethernet` or `400 Gbit/s` between nodes.

    Ethernet without a figure is 100 Gbit/s, the least of cloud nodes with eight large GPUs.
    """
    words = said.lower()
    if "pcie" in words:
        device = replace(device, link_gb_s=min(device.link_gb_s, 32.0))
    figure = re.search(r"([0-9]+(?:\.[0-9]+)?)\s*(t|g)(?:bit/s|bps|b/s|bit|be|b)\b", words)
    if figure:
        return replace(device, network_gb_s=float(figure[1]) * (1000 if figure[2] == "t" else 1) / 8)
    return replace(device, network_gb_s=_ETHERNET_GB_S) if "ethernet" in words else device


def priced(device: Device, count: int = 1) -> Machine:
    """`count` of that device at the cheapest offer there is; at no price where there is none."""
    fitting = [each for each in offers() if each.gpu == device.name and count % each.count == 0]
    if not fitting:
        return Machine(device=device, count=count)
    best = min(fitting, key=lambda each: (each.usd_per_hour / each.count, -each.count))
    return _rented(device, best, count // best.count, spot=False)


@lru_cache(maxsize=1)
def local() -> Machine:
    """This machine: its GPUs, or its CPU where it has none that can be used."""
    host = _memory_gib()
    found = _nvidia() or _apple(host)
    if found is not None:
        return replace(found, host_memory_gib=round(host, 1))
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return Machine(device=cpu(round(host, 1), cores, _vector_width()), host_memory_gib=round(host, 1))


def cpu(memory_gib: float, cores: int, vectors: str = "avx2") -> Device:
    """A CPU as a device: fp32 only, because bf16 arithmetic is several times slower than fp32 on most of them."""
    return Device(
        name=f"CPU, {cores} cores",
        kind="cpu",
        memory_gib=memory_gib,
        bf16_tflops=None,
        fp16_tflops=None,
        fp32_tflops=cores * _TFLOPS_A_CORE[vectors],
        bandwidth_gb_s=_CPU_GB_S,
        link_gb_s=1.0,
        compute_capability=None,
        source="operating system; speed from cores x measured rate of a core",
    )


def _offered(hardware: Hardware) -> tuple[tuple[Machine, ...], list[Diagnostic]]:
    """Machines on offer that match clouds, GPUs, memory and count; one each of GPU, count and cloud, the cheapest.

    A count between two that a cloud lists costs what a GPU costs in those. Where nobody lists the count, a GPU costs
    what it costs in offers of other counts; where nobody lists the GPU, what one costs that is no worse.
    """
    wanted, problems = [], []
    for name in hardware.gpus:
        device, problem = find_gpu(name, hardware.memory_gib)
        wanted += [device] if device is not None else []
        problems += [replace(problem, key="hardware.gpus")] if problem else []
    sizes = (*offers(), *_between(hardware.count))
    found = _of_that_size(hardware, _listed(hardware, wanted, sizes))
    if not found and hardware.count is not None:
        found = _of_that_size(hardware, _listed(hardware, wanted, _of_count(offers(), hardware.count)))
    if not found and _anywhere(hardware):
        known = {each.gpu for each in offers()}
        priced_as = [_no_worse(device, hardware.count or 1) for device in wanted if device.name not in known]
        found = _listed(hardware, wanted, [each for each in priced_as if each is not None])
    return found, problems


def _anywhere(hardware: Hardware) -> bool:
    return not hardware.clouds or "any" in hardware.clouds


def _listed(hardware: Hardware, wanted: Sequence[Device], listed: Iterable[Offer]) -> tuple[Machine, ...]:
    """Of `listed`, what `hardware` asks for: the cheapest of each GPU, cloud and count."""
    anywhere = _anywhere(hardware)
    best: dict[tuple[str, str, int], Machine] = {}
    for offer in listed:
        device, _ = find_gpu(offer.gpu)
        device = next((each for each in wanted if each.name == offer.gpu), device)
        if device is None or (hardware.gpus and device not in wanted):
            continue
        if not anywhere and offer.cloud not in hardware.clouds:
            continue
        if hardware.memory_gib and device.memory_gib < 0.9 * hardware.memory_gib:
            continue
        nodes = _nodes(offer, hardware.count)
        if nodes is None or (hardware.spot and offer.spot_usd_per_hour is None):
            continue
        machine = _rented(device, offer, nodes, spot=bool(hardware.spot))
        key = (device.name, offer.cloud, machine.devices)
        if key not in best or machine.usd_per_hour < best[key].usd_per_hour:
            best[key] = machine
    return tuple(sorted(best.values(), key=lambda each: (each.device.name, each.devices, each.usd_per_hour)))


def _of_that_size(hardware: Hardware, found: tuple[Machine, ...]) -> tuple[Machine, ...]:
    """Of cards that are at least as large as asked for, those of that size: 80 GB means an A100 or H100, not a B200."""
    asked = hardware.memory_gib or 0.0
    return tuple(each for each in found if each.device.memory_gib <= SAME_SIZE * asked) or found


def _between(count: int | None) -> Iterator[Offer]:
    """Offers at a count that lies between two of the same GPU and cloud: who sells one and eight sells four."""
    if count is None:
        return
    sizes: dict[tuple[str, str], list[int]] = {}
    for offer in offers():
        sizes.setdefault((offer.cloud, offer.gpu), []).append(offer.count)
    for offer in offers():
        sold = sizes[offer.cloud, offer.gpu]
        if count not in sold and min(sold) < count < max(sold):
            yield from _of_count((offer,), count)


def _of_count(listed: Iterable[Offer], count: int) -> Iterator[Offer]:
    """The offers at `count` GPUs, or at the fewest equal nodes of up to eight that make it, at their price of one GPU.

    Price lists name a few sizes of what is sold in many.
    """
    nodes = next((n for n in range(-(-count // A_NODE), count) if count % n == 0), 1)
    size = count // nodes
    for offer in listed:
        spot = offer.spot_usd_per_hour
        yield replace(
            offer,
            instance=f"with {size} GPU{'s' if size > 1 else ''}",
            count=size,
            usd_per_hour=offer.usd_per_hour / offer.count * size,
            spot_usd_per_hour=spot / offer.count * size if spot is not None else None,
            source=f"at the price of one in {offer.instance}, {offer.source}",
        )


def _no_worse(device: Device, count: int) -> Offer | None:
    """An offer of `device` at the price of the cheapest listed GPU with no less memory and speed."""
    ours = device.bf16_tflops or device.fp16_tflops or 0.0
    for offer in sorted(offers(), key=lambda each: (each.usd_per_hour / each.count, each.cloud, each.instance)):
        other, _ = find_gpu(offer.gpu)
        if other is None or other.kind == "mps":
            continue
        if other.memory_gib >= 0.95 * device.memory_gib and (other.bf16_tflops or other.fp16_tflops or 0.0) >= ours:
            scaled = next(_of_count((offer,), count))
            return replace(scaled, gpu=device.name, source=f"nobody lists it; {offer.gpu} {scaled.source}")
    return None


def _nodes(offer: Offer, count: int | None) -> int | None:
    """How many instances of `offer` make `count` GPUs; one where no count is asked for, None where it does not divide.

    Several small instances are no cluster: only instances of more than four are put together.
    """
    if count is None or count == offer.count:
        return 1
    if offer.count <= A_NODE // 2 or count % offer.count:
        return None
    return count // offer.count


def _rented(device: Device, offer: Offer, nodes: int, *, spot: bool) -> Machine:
    """So many instances of one offer."""
    hourly = offer.spot_usd_per_hour if spot and offer.spot_usd_per_hour is not None else offer.usd_per_hour
    return Machine(device=device, count=offer.count, nodes=nodes, offer=offer, usd_per_hour=hourly * nodes)


def _nvidia() -> Machine | None:
    """The most numerous kind of NVIDIA GPU here, by what the driver says; None without a driver or a card."""
    query = "--query-gpu=name,memory.total,compute_cap"
    try:
        said = subprocess.run(
            ["nvidia-smi", query, "--format=csv,noheader,nounits"],
            capture_output=True,
            text=True,
            timeout=5,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    rows = [
        tuple(cell.strip() for cell in line.split(",")) for line in said.stdout.splitlines() if line.count(",") == 2
    ]
    if said.returncode != 0 or not rows:
        return None
    (name, mib, capability), count = Counter(rows).most_common(1)[0]
    return Machine(device=_driver_device(name, mib, capability), count=count)


def _driver_device(name: str, mib: str, capability: str) -> Device:
    """The catalogue's figures for a card under its driver's name and memory; modest ones for a card that it lacks."""
    try:
        total = float(mib) / 1024
    except ValueError:
        total = 0.0
    known, _ = find_gpu(name, total or None)
    if known is not None:
        return replace(known, memory_gib=min(known.memory_gib, total) if total else known.memory_gib)
    new = capability >= "8"
    return Device(
        name=name,
        kind="cuda",
        memory_gib=round(total * 0.98, 2),
        bf16_tflops=40.0 if new else None,
        fp16_tflops=40.0,
        fp32_tflops=15.0,
        bandwidth_gb_s=400.0,
        link_gb_s=16.0,
        compute_capability=float(capability) if capability.replace(".", "").isdigit() else None,
        source="nvidia-smi; speed not known, taken as a modest card's",
    )


def _apple(host_gib: float) -> Machine | None:
    """An Apple chip, whose GPU shares the machine's memory."""
    if platform.system() != "Darwin" or platform.machine() != "arm64":
        return None
    said = subprocess.run(
        ["/usr/sbin/sysctl", "-n", "machdep.cpu.brand_string"], capture_output=True, text=True, timeout=5, check=False
    )
    known, _ = find_gpu(said.stdout.strip() or "M2", host_gib)
    if known is None:
        size = (
            "Ultra"
            if "Ultra" in said.stdout
            else "Max"
            if "Max" in said.stdout
            else "Pro"
            if "Pro" in said.stdout
            else ""
        )
        known, _ = find_gpu(f"M2 {size}", host_gib)
    return None if known is None else Machine(device=known)


def _memory_gib() -> float:
    """Memory that a process here may use: the machine's, or the container's limit where that is lower."""
    import psutil  # 15 ms

    limits = [psutil.virtual_memory().total]
    for file in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        try:
            limits.append(int(Path(file).read_text()))
        except (OSError, ValueError):
            continue
    return min(limits) / _GIB


def _vector_width() -> str:
    """The widest vectors that the CPU says it has."""
    try:
        flags = Path("/proc/cpuinfo").read_text().split()
    except OSError:
        return "avx2"
    return next((each for each in ("avx512f", "avx2") if each in flags), "")
