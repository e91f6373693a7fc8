"""Seconds that devices spend on one another: gathering weights, summing gradients, within a node and between nodes.

Rings as NCCL runs them: every byte passes every device once, so that the slowest link sets the pace, and every
step of the ring adds its latency, so that a ring of a thousand devices is slow even on small messages. Knows nothing of
arithmetic, and nothing of sharding over a part of the devices (hybrid sharding) or of tensor and pipeline parallelism.
"""

from __future__ import annotations

import math

from ftc.advisor.memory import trained
from ftc.advisor.memory.flow import BYTES
from ftc.advisor.memory.static import trained_width
from ftc.advisor.values import A_NODE, Device, Setup

_PCIE_GB_S = 64.0  # links up to here are PCIe, which collectives use badly
_LINK_PCIE, _LINK_NVLINK = 0.26, 0.6  # share of a link's one-direction rate that ring collectives reach
_NETWORK = 0.6  # the same share of what a node's network cards move together

# A card's share of its node's network, one direction, in GB/s: one 400 Gbit/s adapter a GPU in NVIDIA's DGX H100 (and
# AWS p5), one of 200 Gbit/s in DGX A100 (and Azure ND A100 v4), by their datasheets. Cards on PCIe: 100 Gbit/s a node.
_NETWORK_A_GPU = {9.0: 50.0, 8.0: 25.0}
_NETWORK_A_NODE = 12.5
_NVLINK_ALL_TO_ALL = 200.0  # link rate from which on a card sits on a board of eight with a switch

# Microseconds of one step of a ring (NVLink, PCIe, network) and of a tree, "Simple" protocol. Source: NCCL,
# src/graph/tuning.cc, `hwLat`.
_STEP_NVLINK, _STEP_PCIE, _STEP_NETWORK = 3.4e-6, 5.7e-6, 9.6e-6
_TREE_LINK, _TREE_NETWORK = 28e-6, 50e-6
_BUCKET = 25e6  # bytes of gradients that DDP sums at once. Source: torch, `bucket_cap_mb`
_WHILE_ACCUMULATING = 0.3  # share of the sum that hides behind the last of several micro-batches


def nodes_of(count: int) -> int:
    """The fewest nodes of at most eight, all alike, that make so many devices."""
    return next(nodes for nodes in range(-(-count // A_NODE), count + 1) if count % nodes == 0)


def network_gb_s(device: Device, devices: int) -> float:
    """What a node of so many devices sends and takes at once, in GB/s: as told, else as nodes of such cards are built.

    A node's network is the one thing that no catalogue of cards knows: `hardware.interconnect` says it.
    """
    if device.network_gb_s is not None:
        return device.network_gb_s
    if device.link_gb_s < _NVLINK_ALL_TO_ALL:
        return _NETWORK_A_NODE
    share = max((each for each in _NETWORK_A_GPU if each <= (device.compute_capability or 0.0)), default=8.0)
    return _NETWORK_A_GPU[share] * devices


def collectives(setup: Setup, device: Device) -> tuple[float, float]:
    """Seconds of gathering weights for one micro-batch, and of summing gradients once a step."""
    count = setup.devices * setup.nodes
    if count == 1 or setup.sharding == "none":
        return 0.0, 0.0
    rate, ring = _rate(setup, device), (count - 1) / count
    sharded = setup.sharding in ("fsdp", "zero3")
    layers = setup.architecture.layers + 1  # the head and the embedding are one more unit
    width = min(BYTES[setup.compute], BYTES[setup.weights])
    gathered = ring * setup.architecture.parameters * width / rate + layers * _ring_latency(setup, device)
    summed = trained(setup) * trained_width(setup)
    if setup.sharding == "ddp":
        reduce = 2 * ring * summed / rate + math.ceil(summed / _BUCKET) * _sum_latency(setup, device)
    else:
        units = layers if sharded else math.ceil(summed / _BUCKET)
        reduce = ring * summed / rate + units * _ring_latency(setup, device)
    gather = 2 * gathered if sharded else 0.0  # forward, and again backward
    return gather, reduce * (1 - _WHILE_ACCUMULATING * (setup.grad_accum > 1))


def _rate(setup: Setup, device: Device) -> float:
    """Bytes a second that pass each device of the ring: the slower of the links within a node and between nodes."""
    link = device.link_gb_s * (_LINK_NVLINK if device.link_gb_s > _PCIE_GB_S else _LINK_PCIE)
    rates = [link] if setup.devices > 1 else []
    if setup.nodes > 1:
        rates.append(network_gb_s(device, setup.devices) * _NETWORK)
    return min(rates) * 1e9


def _ring_latency(setup: Setup, device: Device) -> float:
    """Seconds of one gather, or one scattered sum, of no bytes at all."""
    count = setup.devices * setup.nodes
    return (count - setup.nodes) * _link_step(device) + (setup.nodes - 1) * _STEP_NETWORK


def _sum_latency(setup: Setup, device: Device) -> float:
    """Seconds of one sum that everyone gets, of no bytes at all: round the ring twice, or up and down a tree."""
    tree = 2 * ((setup.devices - 1) * _TREE_LINK + math.log2(setup.nodes) * _TREE_NETWORK)
    return min(2 * _ring_latency(setup, device), tree) if setup.nodes > 1 else 2 * _ring_latency(setup, device)


def _link_step(device: Device) -> float:
    return _STEP_NVLINK if device.link_gb_s > _PCIE_GB_S else _STEP_PCIE
